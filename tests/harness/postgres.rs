//! A real PostgreSQL server of the test's own: in a temporary directory, on a free port and a
//! socket of its own, as an unprivileged account even where the tests run as root (the server
//! refuses root).
//!
//! The server runs from a tree of links beside a copy of the one binary, because it finds its
//! `extension/` directory relative to itself: a control file can be hidden or made up for this
//! server while other tests, and the system, see theirs. A small shell keeps the server and ends
//! it by its pid when the test's end of a pipe closes, even if the test is killed.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

mod extensions;
mod install;

pub use extensions::Hidden;
pub use install::{account, installation, program, version};

use install::{binary_dir, lay_out, open_to_all, share_dir, sweep_after, unprivileged};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The superuser that `initdb` makes.
pub const SUPERUSER: &str = "postgres";

/// A running server; dropped, it is stopped and its directory removed.
pub struct Postgres {
    directory: tempfile::TempDir,
    port: u16,
    keeper: Option<Keeper>,
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    sweeper: Child,
}

/// What a server is to be like.
#[derive(Default)]
pub struct Builder {
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    hba: Option<String>,
}

/// The shell that started the server and ends it when its standard input does.
struct Keeper {
    shell: Child,
}

impl Builder {
    /// A line of `postgresql.conf`; the value is quoted here.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The whole of `pg_hba.conf`; by default everybody on this machine is trusted.
    #[must_use]
    pub fn hba(mut self, text: &str) -> Self {
        self.hba = Some(text.to_owned());
        self
    }

    /// A variable in the server's environment, such as `LOCPATH`.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it answers.
    #[must_use]
    pub fn start(self) -> Postgres {
        let directory = tempfile::Builder::new()
            .prefix("rbpg-")
            .tempdir()
            .expect("a temporary directory");
        open_to_all(directory.path());
        let sweeper = sweep_after(directory.path());
        lay_out(directory.path());
        let mut server = Postgres {
            directory,
            port: 0,
            keeper: None,
            settings: self.settings,
            environment: self.environment,
            sweeper,
        };
        if let Some(text) = self.hba {
            server.write_hba(&text);
        }
        server.start_again();
        server
    }
}

impl Postgres {
    /// A server as `initdb` makes it, where everybody on this machine is trusted.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A server with settings of its own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// One server for all tests of this process that only need databases and roles of their own
    /// (see [`unique`]).
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The port on 127.0.0.1, also the number in the socket's name.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the socket, for `host=`.
    #[must_use]
    pub fn socket_dir(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    /// The cluster's data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The directory whose control files this server sees.
    #[must_use]
    pub fn extension_dir(&self) -> PathBuf {
        share_dir(self.directory.path()).join("extension")
    }

    /// What the server has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// A connection string over the socket.
    #[must_use]
    pub fn dsn(&self, role: &str, database: &str) -> String {
        format!(
            "host={} port={} user={} dbname={}",
            quoted(&self.socket_dir().display().to_string()),
            self.port,
            quoted(role),
            quoted(database)
        )
    }

    /// The same as `PG*` variables.
    #[must_use]
    pub fn env(&self, role: &str, database: &str) -> Vec<(&'static str, String)> {
        vec![
            ("PGHOST", self.socket_dir().display().to_string()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", role.to_owned()),
            ("PGDATABASE", database.to_owned()),
        ]
    }

    /// Runs SQL as the superuser with the real psql and gives back its output, unaligned.
    ///
    /// # Panics
    /// If psql or a statement fails.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let output = self.psql_as(SUPERUSER, database, sql);
        assert!(
            output.status.success(),
            "psql: {sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// Runs SQL as a role with the real psql, whatever comes of it. Standard input, so that several
    /// statements are several transactions.
    pub fn psql_as(&self, role: &str, database: &str, sql: &str) -> Output {
        let mut child = Command::new(program("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.dsn(role, database))
            .env_remove("PGOPTIONS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql starts");
        let mut input = child.stdin.take().expect("psql has an input");
        input.write_all(sql.as_bytes()).ok();
        drop(input);
        child.wait_with_output().expect("psql ends")
    }

    /// A database owned by a new role that may log in and nothing else; both have this name.
    pub fn create_app(&self, name: &str) {
        self.psql(
            "postgres",
            &format!("CREATE ROLE {} LOGIN;", identifier(name)),
        );
        self.psql(
            "postgres",
            &format!("CREATE DATABASE {0} OWNER {0};", identifier(name)),
        );
    }

    /// Changes a setting and reloads.
    pub fn set(&self, name: &str, value: &str) {
        self.psql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"));
        self.psql("postgres", "SELECT pg_reload_conf()");
        // The reload reaches sessions by a signal; a new session always sees it.
        let seen = || self.psql("postgres", &format!("SHOW {name}"));
        wait_for(&format!("{name} = {value}"), || seen() == value);
    }

    /// Replaces `pg_hba.conf` and reloads. The superuser's own line comes first, so that the
    /// harness is never locked out.
    pub fn hba(&self, text: &str) {
        self.write_hba(text);
        let before = self.psql("postgres", "SELECT pg_conf_load_time()");
        let after = || self.psql("postgres", "SELECT pg_conf_load_time()");
        self.psql("postgres", "SELECT pg_reload_conf()");
        wait_for("the reload of pg_hba.conf", || after() != before);
    }

    fn write_hba(&self, text: &str) {
        let text = format!("local all {SUPERUSER} trust\n{text}\n");
        fs::write(self.data_dir().join("pg_hba.conf"), text).expect("pg_hba.conf");
    }

    /// A connection string over TCP; the names must need no escaping.
    #[must_use]
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgresql://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// The postmaster's process id.
    ///
    /// # Panics
    /// If the server does not run.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.postmaster().expect("a postmaster.pid")
    }

    fn postmaster(&self) -> Option<i32> {
        let text = fs::read_to_string(self.data_dir().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Stops it in order (fast shutdown); [`Self::start_again`] brings it back on the same port.
    pub fn stop(&mut self) {
        self.end(Signal::SIGINT);
    }

    /// Ends it as a crash would: nothing is written, every session breaks.
    pub fn crash(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(pid) = self.postmaster() {
            kill(Pid::from_raw(pid), signal).ok();
        }
        if let Some(mut keeper) = self.keeper.take() {
            keeper.shell.wait().ok();
        }
    }

    /// Starts it, on the port it had if it ran before.
    ///
    /// # Panics
    /// If it does not start; with its log.
    pub fn start_again(&mut self) {
        let fixed = self.port != 0;
        for _ in 0..5 {
            if !fixed {
                self.port = free_port();
            }
            self.configure();
            let keeper = self.spawn();
            if self.answers(&keeper) {
                self.keeper = Some(keeper);
                return;
            }
        }
        panic!("PostgreSQL does not start:\n{}", self.log());
    }

    fn configure(&self) {
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             fsync = off\nfull_page_writes = off\nautovacuum = off\n\
             shared_buffers = 16MB\nmax_connections = 60\nlog_line_prefix = '%m [%p] %u@%d '\n",
            self.port,
            self.socket_dir().display()
        );
        for (name, value) in &self.settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        fs::write(self.data_dir().join("postgresql.conf"), text).expect("postgresql.conf");
    }

    fn spawn(&self) -> Keeper {
        let log = fs::File::create(self.directory.path().join("log")).expect("a log file");
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER, "keeper"])
            .arg(binary_dir(self.directory.path()).join("postgres"))
            .arg("-D")
            .arg(self.data_dir())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the log, twice"))
            .stderr(log)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // A Ctrl-C at the terminal is for the tests; they end the server.
            .process_group(0);
        unprivileged(&mut command);
        Keeper {
            shell: command.spawn().expect("sh starts"),
        }
    }

    fn answers(&self, keeper: &Keeper) -> bool {
        let shell = Pid::from_raw(i32::try_from(keeper.shell.id()).unwrap_or(0));
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let output = Command::new(program("psql"))
                .args(["-X", "-A", "-t", "-c", "SELECT 1", "-d"])
                .arg(self.dsn(SUPERUSER, "postgres"))
                .output()
                .expect("psql runs");
            if output.status.success() {
                return true;
            }
            let gone = nix::sys::wait::waitpid(shell, Some(nix::sys::wait::WaitPidFlag::WNOHANG));
            if !matches!(gone, Ok(nix::sys::wait::WaitStatus::StillAlive)) {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

/// Starts the server and waits for the end of its input or of the server.
const KEEPER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -INT $server; } 2>/dev/null & watcher=$!
exec 3<&-
wait $server
kill $watcher 2>/dev/null
exit 0
"#;

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        drop(self.sweeper.stdin.take());
        self.sweeper.wait().ok();
    }
}

/// A name no other test of this run uses: the prefix and a number.
#[must_use]
pub fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("{prefix}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A value of a connection string, quoted.
#[must_use]
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// An SQL identifier, quoted.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
