//! PgBouncer in between: nothing of ours stays in its sessions, in either mode.

use super::{bare, installed, item};
use harness::postgres::{Postgres, account};
use harness::{TempDir, scratch, wait_until};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running PgBouncer in front of a server.
pub struct Pooler {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Pooler {
    pub fn start(server: &Postgres, mode: &str) -> Pooler {
        let directory = scratch();
        let port = free_port();
        let users = directory.path().join("users");
        let names = ["postgres", "app", "superuser", "owner", "creator", "nobody"];
        let list: String = names
            .iter()
            .map(|name| format!("\"{name}\" \"\"\n"))
            .collect();
        std::fs::write(&users, list).unwrap();
        let config = directory.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 3\nmax_client_conn = 50\nserver_idle_timeout = 2\nserver_reset_query =\n",
            server.socket_dir().display(),
            server.port(),
            users.display()
        );
        std::fs::write(&config, text).unwrap();
        open(directory.path());
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command
            .arg("-q")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(user) = account() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let child = command.spawn().expect("pgbouncer is installed");
        wait_until("pgbouncer", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Pooler {
            child,
            directory,
            port,
        }
    }

    pub fn dsn(&self, role: &str, database: &str) -> String {
        format!(
            "host=127.0.0.1 port={} user={role} dbname={database} sslmode=disable",
            self.port
        )
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        let _ = self.directory.path();
    }
}

fn open(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn nothing_of_a_run_stays_in_a_pooled_session() {
    let server = Postgres::start();
    server.create_app("app");
    for mode in ["session", "transaction"] {
        let pooler = Pooler::start(&server, mode);
        let state = scratch();
        let (app, admin) = (pooler.dsn("app", "app"), pooler.dsn("postgres", "app"));
        let run = |words: &[&str]| {
            bare()
                .args(["-d", &app, "--admin", &admin])
                .args(words)
                .run()
        };
        let foreseen = run(&["-n", "hstore@1.4", "dblink"]).expect_code(1);
        let done = run(&["hstore@1.4", "dblink"]).expect_code(0);
        assert_eq!(
            item(&foreseen, "dblink")["via"],
            item(&done, "dblink")["via"]
        );
        // A pooler takes no settings with the greeting: the update goes without them.
        run(&["hstore@latest"]).expect_code(0);
        assert_eq!(installed(&server, "app"), ["dblink", "hstore"]);
        let elevated = bare()
            .env("STATE_DIRECTORY", state.path())
            .args(["elevate", "--role", "app", "--admin", &admin, "--", "true"])
            .run()
            .expect_code(0);
        assert_eq!(elevated.json()["elevation"]["revoke_verified"], true);
        run(&["--absent", "hstore", "--absent", "dblink"]).expect_code(0);
        assert_eq!(
            server.psql("app", "SELECT rolsuper FROM pg_roles WHERE rolname = 'app'"),
            "f"
        );
        // Whoever gets these sessions next finds them as new ones.
        for role in ["postgres", "app"] {
            let fresh = settings(&server.dsn(role, "app"));
            for _ in 0..3 {
                assert_eq!(settings(&pooler.dsn(role, "app")), fresh, "{mode} {role}");
            }
        }
    }
}

fn settings(dsn: &str) -> String {
    let sql = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN \
               ('search_path', 'lock_timeout', 'statement_timeout', 'synchronous_commit', 'idle_in_transaction_session_timeout')";
    let output = Command::new(harness::postgres::program("psql"))
        .args(["-X", "-A", "-t", "-c", sql, "-d", dsn])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
