//! A superuser for the length of a command: whatever is killed, the role is none afterwards.

mod killed;

use super::bare;
use harness::postgres::{Postgres, account, program, unique};
use harness::{Output, TempDir, Tool, full_sweep, scratch, wait_until};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A role, a place for journals, and the server they are about.
struct Stage<'a> {
    server: &'a Postgres,
    role: String,
    state: TempDir,
}

impl<'a> Stage<'a> {
    fn new(server: &'a Postgres) -> Stage<'a> {
        let role = unique("mortal");
        server.create_app(&role);
        Stage {
            server,
            role,
            state: scratch(),
        }
    }

    /// The tool, about to be given its options.
    fn tool(&self, command: &str) -> Tool {
        let admin = self.server.dsn("postgres", "postgres");
        bare()
            .env("STATE_DIRECTORY", self.state.path())
            .args([command, "--admin", &admin])
    }

    /// `elevate … -- sh -c SCRIPT`; in it `$SQL` runs SQL as the role.
    fn elevate(&self, options: &[&str], script: &str) -> Tool {
        let run = self
            .tool("elevate")
            .args(["--role", &self.role])
            .args(options)
            .env("SQL", self.psql());
        run.args(["--", "sh", "-c", script])
    }

    fn psql(&self) -> String {
        let psql = program("psql");
        let host = self.server.socket_dir();
        let (role, port) = (&self.role, self.server.port());
        format!(
            "{} -X -A -t -q -v ON_ERROR_STOP=1 -h {} -p {port} -U {role} -d {role}",
            psql.display(),
            host.display()
        )
    }

    /// The same, not waited for.
    fn spawn(&self, script: &str) -> Child {
        harness::program("pg-ext-ensure")
            .args([
                "elevate",
                "--role",
                &self.role,
                "--admin",
                &self.server.dsn("postgres", "postgres"),
                "--",
                "sh",
                "-c",
                script,
            ])
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent")])
            .env("STATE_DIRECTORY", self.state.path())
            .env("SQL", self.psql())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn is_super(&self) -> bool {
        self.server.psql(
            "postgres",
            &format!(
                "SELECT rolsuper FROM pg_roles WHERE rolname = '{}'",
                self.role
            ),
        ) == "t"
    }

    fn journals(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.state.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".elevation")).collect()
    }

    /// Nothing is left of an elevation.
    #[track_caller]
    fn expect_clean(&self) {
        assert!(!self.is_super(), "{} is a superuser", self.role);
        assert!(self.journals().is_empty(), "{:?}", self.journals());
    }

    /// The guardian finishes. (How soon, tests/bench measures.)
    #[track_caller]
    fn expect_clean_soon(&self) {
        wait_until("the right taken back", || !self.is_super());
        wait_until("the journal removed", || self.journals().is_empty());
        self.expect_clean();
    }

    fn guardians(&self) -> Vec<i32> {
        let state = self.state.path().to_str().unwrap().as_bytes();
        let of_ours = |pid: &i32| {
            let read =
                |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            read("cmdline").windows(10).any(|w| w == b"--guardian")
                && read("environ").windows(state.len()).any(|w| w == state)
        };
        let pids = std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.parse().ok());
        pids.filter(of_ours).collect()
    }
}

fn kill(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).ok();
}

fn elevation(output: &Output) -> Value {
    output.json()["elevation"].clone()
}

#[test]
fn a_superuser_inside_and_none_outside() {
    // On a server of its own: another test's superuser of this moment would be told as one that
    // COMMAND made.
    let server = &Postgres::start();
    let stage = Stage::new(server);
    stage.elevate(&["-n"], "true").run().expect_code(1);
    stage.expect_clean();
    let output = stage
        .elevate(&[], "$SQL -c 'SELECT current_setting($$is_superuser$$)'; $SQL -c 'CREATE EXTENSION pg_buffercache'; echo done")
        .run()
        .expect_code(0);
    // COMMAND's output is on standard error, the report alone on standard output.
    assert!(output.err().contains("on\ndone\n"), "{}", output.err());
    let elevation = elevation(&output);
    assert_eq!(
        (&elevation["role"], &elevation["revoke_verified"]),
        (&json!(stage.role), &json!(true))
    );
    assert_eq!(
        (&elevation["new_superusers"], &elevation["new_owned"]),
        (&json!([]), &json!([]))
    );
    assert!(elevation["granted_at"].is_string() && elevation["revoked_at"].is_string());
    stage.expect_clean();
    assert!(stage.guardians().is_empty());
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let stage = Stage::new(Postgres::shared());
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 75", 75),
        ("kill -9 $$", 137),
    ] {
        let output = stage.elevate(&[], script).run().expect_code(code);
        assert_eq!(elevation(&output)["command"]["rc"], code);
        stage.expect_clean();
    }
    let output = stage
        .elevate(&[], "echo last words password=hunter2 >&2; exit 3")
        .run()
        .expect_code(3);
    assert_eq!(
        elevation(&output)["command"]["tail"],
        "last words password=***\n"
    );
    let missing = stage
        .tool("elevate")
        .args(["--role", &stage.role, "--", "/no/such/program"])
        .run()
        .expect_code(127);
    assert_eq!(
        elevation(&missing),
        Value::Null,
        "nobody is elevated for a command that does not exist"
    );
    stage
        .tool("elevate")
        .args(["--role", &stage.role, "--", "/etc/passwd"])
        .run()
        .expect_code(126);
    stage.expect_clean();
}

#[test]
fn who_may_not_be_elevated_is_refused_and_never_demoted() {
    let server = Postgres::shared();
    let stage = Stage::new(server);
    let marker = stage.state.path().join("ran");
    let script = format!("touch {}", marker.display());
    let refused = |role: &str, admin: &str, why: &str| {
        let admin = server.dsn(admin, "postgres");
        let run = bare().env("STATE_DIRECTORY", stage.state.path());
        run.args([
            "elevate", "--role", role, "--admin", &admin, "--", "sh", "-c", &script,
        ])
        .run()
        .expect_code(125)
        .expect_err(why);
    };
    let god = unique("god");
    server.psql("postgres", &format!("CREATE ROLE {god} SUPERUSER LOGIN"));
    refused(&god, "postgres", "already is a superuser");
    assert_eq!(
        server.psql(
            "postgres",
            &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{god}'")
        ),
        "t"
    );
    refused("postgres", "postgres", "the administrator's own role");
    refused("no such role", "postgres", "has no role 'no such role'");
    refused(&god, &stage.role, "already is a superuser");
    let other = unique("other");
    server.psql("postgres", &format!("CREATE ROLE {other}"));
    refused(&other, &stage.role, "not a superuser");
    assert!(!marker.exists());
    stage.expect_clean();
}

#[test]
fn two_at_once_take_turns() {
    let stage = Stage::new(Postgres::shared());
    let gate = stage.state.path().join("gate");
    let first = stage.spawn(&format!(
        "while [ ! -e {} ]; do sleep 0.02; done",
        gate.display()
    ));
    wait_until("the right given", || stage.is_super());
    // Whoever does not wait is told to try again; who waits gets the turn.
    stage
        .elevate(&[], "true")
        .run()
        .expect_code(75)
        .expect_err("is locked by pid");
    stage.elevate(&["-n"], "true").run().expect_code(75);
    let waiting =
        stage
            .tool("elevate")
            .args(["--role", &stage.role, "--lock-wait", "1m", "--", "true"]);
    assert!(stage.is_super(), "the second took the first one's right");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| waiting.run().expect_code(0));
        std::thread::sleep(Duration::from_millis(200));
        std::fs::write(&gate, "").unwrap();
        assert!(first.wait_with_output().unwrap().status.success());
        second.join().unwrap();
    });
    stage.expect_clean();
    stage.elevate(&[], "true").run().expect_code(0);
}

#[test]
fn max_takes_the_right_before_the_command_has_ended() {
    let stage = Stage::new(Postgres::shared());
    let child = stage
        .tool("elevate")
        .args(["--role", &stage.role, "--max", "1s"]);
    let mut child = child.args(["--", "sh", "-c", "trap '' TERM; sleep 60"]);
    let mut running = child
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the right given", || stage.is_super());
    wait_until("the right taken back", || !stage.is_super());
    assert!(
        running.try_wait().unwrap().is_none(),
        "COMMAND ignores TERM and goes on, without the right"
    );
    let output = running.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["rc"], &report["elevation"]["revoke_verified"]),
        (&json!(137), &json!(true))
    );
    stage.expect_clean();
}

#[test]
fn signals_reach_the_command_and_the_right_is_gone() {
    use nix::sys::signal::Signal;
    let stage = Stage::new(Postgres::shared());
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGHUP, 129),
        (Signal::SIGQUIT, 131),
    ] {
        let child = stage.spawn("ulimit -c 0; exec sleep 60");
        wait_until("the right given", || stage.is_super());
        // The right comes a moment before the command.
        std::thread::sleep(Duration::from_millis(50));
        kill(i32::try_from(child.id()).unwrap(), signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal}");
        stage.expect_clean();
    }
}

#[test]
fn what_a_command_leaves_behind_is_ended_or_reported() {
    let server = &Postgres::start();
    let stage = Stage::new(server);
    let (evil, out) = (unique("evil"), stage.state.path().join("daemon.out"));
    // A daemon of it keeps a session that began as a superuser's: later it would become postgres.
    let script = format!(
        "(setsid sh -c \"(sleep 2; echo 'SET SESSION AUTHORIZATION postgres; CREATE ROLE {evil}_late SUPERUSER;') | $SQL\" \
          >{out} 2>&1 </dev/null &) ; sleep 0.5; \
         $SQL -c 'CREATE ROLE {evil} SUPERUSER' -c 'CREATE FUNCTION remnant() RETURNS int LANGUAGE sql AS $$SELECT 1$$' \
          -c 'ALTER FUNCTION remnant() OWNER TO postgres' -c 'CREATE ROLE {evil}_runner CREATEROLE' \
          -c 'CREATE ROLE {evil}_door LOGIN' -c \"ALTER ROLE postgres PASSWORD 'mine'\" \
          -c 'GRANT pg_execute_server_program TO {evil}_runner' -c \"ALTER ROLE {evil}_runner SET session_preload_libraries = 'auto_explain'\" \
          -c \"CREATE FUNCTION outside() RETURNS bool AS 'pg_buffercache', 'pg_buffercache_pages' LANGUAGE c\"",
        out = out.display()
    );
    let output = stage.elevate(&[], &script).run().expect_code(0);
    assert_eq!(
        output.json()["warnings"]
            .to_string()
            .matches("since the elevation")
            .count(),
        4,
        "{}",
        output.out()
    );
    let elevation = elevation(&output);
    assert_eq!(
        (&elevation["new_rights"], &elevation["new_untrusted"]),
        (
            &json!([
                "password of role postgres",
                format!("role {evil}_door has LOGIN"),
                format!("role {evil}_runner has CREATEROLE"),
                format!("role {evil}_runner is a member of pg_execute_server_program"),
                format!("setting session_preload_libraries of role {evil}_runner")
            ]),
            &json!([format!("{}: function public.outside() (c)", stage.role)])
        )
    );
    assert_eq!(elevation["new_superusers"], json!([evil]));
    assert_eq!(
        elevation["new_owned"],
        json!([format!("{}: function public.remnant()", stage.role)])
    );
    stage.expect_clean();
    wait_until("the daemon's session ended", || {
        std::fs::read_to_string(&out).is_ok_and(|text| text.contains("terminating connection"))
    });
    assert_eq!(
        server.psql(
            "postgres",
            &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{evil}_late'")
        ),
        "0"
    );
    server.psql(
        "postgres",
        &format!("DROP ROLE {evil}; DROP ROLE {evil}_runner; DROP ROLE {evil}_door"),
    );
}

#[test]
fn a_renamed_role_and_a_locked_one_lose_the_right_all_the_same() {
    let server = &Postgres::start();
    let stage = Stage::new(server);
    let renamed = format!("{}_renamed", stage.role);
    let rename = format!(
        "$SQL -c 'SET SESSION AUTHORIZATION postgres' -c 'ALTER ROLE {} RENAME TO {renamed}'",
        stage.role
    );
    let output = stage.elevate(&[], &rename).run().expect_code(0);
    assert_eq!(elevation(&output)["revoke_verified"], true);
    assert_eq!(
        server.psql(
            "postgres",
            &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{renamed}'")
        ),
        "f"
    );
    server.psql(
        "postgres",
        &format!("ALTER ROLE {renamed} RENAME TO {}", stage.role),
    );
    // A daemon holds the role's row in an open transaction.
    let script = format!(
        "(setsid sh -c \"(echo 'BEGIN; ALTER ROLE {} CONNECTION LIMIT 7;'; sleep 20) | $SQL\" >/dev/null 2>&1 </dev/null &); sleep 0.7",
        stage.role
    );
    let output = stage.elevate(&[], &script).run().expect_code(0);
    assert_eq!(elevation(&output)["revoke_verified"], true);
    stage.expect_clean();
}

#[test]
fn no_password_is_in_argv_journal_or_output() {
    let server =
        Postgres::builder().hba("local all god scram-sha-256\nhost all god 127.0.0.1/32 scram-sha-256\nlocal all all trust").start();
    let state = scratch();
    server.psql(
        "postgres",
        "CREATE ROLE god SUPERUSER LOGIN PASSWORD 'hunter2'; CREATE ROLE mortal LOGIN;",
    );
    let script = format!(
        "cat {0}/*.elevation; for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f | grep -v hunter2-grep | grep -H --label=$f hunter2; done; exit 4",
        state.path().display()
    );
    let dsn = format!("{} sslmode=disable", server.dsn("god", "postgres"));
    let output = bare()
        .env("STATE_DIRECTORY", state.path())
        .env("PGPASSWORD", "hunter2")
        .args([
            "elevate",
            "--role",
            "mortal",
            "--admin",
            &dsn,
            "-v",
            "--",
            "sh",
            "-c",
            &script.replace("hunter2", "'hunter''2'"),
        ])
        .run()
        .expect_code(4);
    let said = output.out() + &output.err();
    assert!(said.contains("\"role\":\"mortal\""), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    // A wrong one is refused, and not shown.
    let wrong = bare()
        .env("STATE_DIRECTORY", state.path())
        .args([
            "elevate",
            "--role",
            "mortal",
            "--admin",
            &format!("{dsn} password=hunter3"),
            "--",
            "true",
        ])
        .run()
        .expect_code(125);
    assert!(!(wrong.out() + &wrong.err()).contains("hunter3"));
    let _ = account();
}
