//! pg-ext-ensure killed or failed at each system call of its own: all of what was asked for is
//! there or nothing of it, success is never said for nothing, and a role is never left a superuser.
//! The guardian is not traced: it is what remains. The short form goes through some points,
//! RUNBOOK_SWEEP=full through every one.

use harness::postgres::Postgres;
use harness::{TempDir, bin, full_sweep, need, scratch, wait_until};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A server with a role and its database, and a place for journals.
struct Ward {
    server: Postgres,
    state: TempDir,
    strace: PathBuf,
}

impl Ward {
    fn new() -> Option<Ward> {
        let strace = need("strace")?;
        let server = Postgres::start();
        server.create_app("app");
        Some(Ward {
            server,
            state: scratch(),
            strace,
        })
    }

    fn ensure(&self) -> Vec<String> {
        ["-d", &self.server.dsn("app", "app"), "hstore", "citext"]
            .map(String::from)
            .to_vec()
    }

    fn elevate(&self) -> Vec<String> {
        let marker = self.marker().display().to_string();
        [
            "elevate",
            "--role",
            "app",
            "--admin",
            &self.server.dsn("postgres", "postgres"),
            "--",
            "touch",
            &marker,
        ]
        .map(String::from)
        .to_vec()
    }

    fn marker(&self) -> PathBuf {
        self.state.path().join("ran")
    }

    /// The tool under strace, with a fault at the Nth of these calls.
    fn hurt(&self, calls: &str, fault: &str, nth: usize, args: &[String]) -> Output {
        let inject = format!("inject={calls}:{fault}:when={nth}");
        let options = [
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &inject,
        ];
        self.run(&mut Command::new(&self.strace), &options, args)
    }

    fn run(&self, command: &mut Command, options: &[&str], args: &[String]) -> Output {
        command.args(options).arg(bin("pg-ext-ensure")).args(args);
        command
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent")])
            .env("STATE_DIRECTORY", self.state.path());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// How many of these calls an unhurt run makes.
    fn count(&self, calls: &str, args: &[String]) -> usize {
        let trace = self.state.path().join("trace");
        let options = [
            "-qq",
            "-o",
            trace.to_str().unwrap(),
            "-e",
            &format!("trace={calls}"),
        ];
        let done = self.run(&mut Command::new(&self.strace), &options, args);
        assert!(done.status.success(), "{done:?}");
        let text = std::fs::read_to_string(&trace).unwrap();
        text.lines()
            .filter(|line| !line.starts_with("---") && !line.starts_with("+++"))
            .count()
    }

    fn tool(&self, args: &[String]) -> Output {
        self.run(Command::new("env").arg("--"), &[], args)
    }

    fn extensions(&self) -> String {
        self.server.psql("app", "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'")
    }

    fn is_super(&self) -> bool {
        self.server.psql(
            "postgres",
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'app'",
        ) == "t"
    }

    /// No session of ours is left on the server.
    fn quiet(&self) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg-ext-ensure'";
        wait_until("the server has ended our sessions", || {
            self.server.psql("postgres", sql) == "0"
        });
    }

    /// Every point in the long form; so many in the short one, spread out, the last ones among
    /// them.
    fn points(total: usize, few: usize) -> Vec<usize> {
        let step = if full_sweep() {
            1
        } else {
            total.div_ceil(few).max(1)
        };
        (1..=total).rev().step_by(step).collect()
    }
}

#[test]
fn killed_while_it_creates_all_is_there_or_nothing() {
    let Some(ward) = Ward::new() else { return };
    let args = ward.ensure();
    let total = ward.count("all", &args);
    let mut seen = [0, 0];
    for nth in Ward::points(total, 16) {
        ward.server
            .psql("app", "DROP EXTENSION IF EXISTS hstore, citext");
        ward.hurt("all", "signal=KILL", nth, &args);
        ward.quiet();
        let there = ward.extensions();
        assert!(
            there.is_empty() || there == "citext hstore",
            "killed at call {nth} of {total}: {there}"
        );
        seen[usize::from(there.is_empty())] += 1;
        assert!(ward.tool(&args).status.success(), "the next run mends it");
        assert_eq!(ward.extensions(), "citext hstore");
    }
    assert!(
        seen.iter().all(|n| *n > 0),
        "{seen:?}: the points miss one side"
    );
}

#[test]
fn failed_calls_are_never_taken_for_success() {
    let Some(ward) = Ward::new() else { return };
    let args = ward.ensure();
    for (calls, errors) in [
        (
            "sendto,sendmsg,writev,write",
            &["EIO", "ENOSPC", "EINTR"][..],
        ),
        ("recvfrom,recvmsg,read", &["EIO", "EINTR"]),
        ("openat", &["EACCES"]),
        ("socket,connect", &["EACCES", "EINTR"]),
    ] {
        ward.server
            .psql("app", "DROP EXTENSION IF EXISTS hstore, citext");
        let total = ward.count(calls, &args);
        for error in errors {
            for nth in Ward::points(total, 6) {
                ward.server
                    .psql("app", "DROP EXTENSION IF EXISTS hstore, citext");
                let done = ward.hurt(calls, &format!("error={error}"), nth, &args);
                ward.quiet();
                let there = ward.extensions();
                assert!(
                    there.is_empty() || there == "citext hstore",
                    "{error} at {nth} of {calls}: {there}"
                );
                if done.status.success() {
                    assert_eq!(
                        there, "citext hstore",
                        "{error} at {nth} of {calls}: success was said for nothing: {done:?}"
                    );
                }
                let said = String::from_utf8_lossy(&done.stderr).into_owned();
                assert!(
                    !said.contains("panicked") && !said.contains("internal error"),
                    "{error} at {nth} of {calls}: {said}"
                );
            }
        }
    }
    assert!(ward.tool(&args).status.success());
}

#[test]
fn killed_while_it_elevates_the_role_is_no_superuser() {
    let Some(ward) = Ward::new() else { return };
    let args = ward.elevate();
    let total = ward.count("all", &args);
    for nth in Ward::points(total, 16) {
        ward.hurt("all", "signal=KILL", nth, &args);
        wait_until("the right taken back", || !ward.is_super());
        ward.quiet();
        assert!(!ward.is_super(), "killed at call {nth} of {total}");
        let admin = ward.server.dsn("postgres", "postgres");
        let recovered =
            ward.tool(&["recover", "--lock-wait", "10s", "--admin", &admin].map(String::from));
        assert!(
            recovered.status.success() && !ward.is_super(),
            "killed at call {nth} of {total}: {recovered:?}"
        );
    }
    assert!(ward.tool(&args).status.success(), "the next one can begin");
}

#[test]
fn without_a_journal_nobody_is_elevated() {
    let Some(ward) = Ward::new() else { return };
    let args = ward.elevate();
    for calls in [
        "fsync",
        "renameat2,renameat,rename",
        "getrandom",
        "mkdirat,mkdir",
        "flock",
    ] {
        let total = ward.count(calls, &args);
        for nth in Ward::points(total, 4) {
            for error in ["ENOSPC", "EIO"] {
                let _ = std::fs::remove_file(ward.marker());
                let done = ward.hurt(calls, &format!("error={error}"), nth, &args);
                wait_until("the right taken back", || !ward.is_super());
                let ran = ward.marker().exists();
                assert!(
                    ran == done.status.success() || done.status.code() == Some(125),
                    "{error} at {nth} of {calls}: {done:?}"
                );
            }
        }
    }
    let admin = ward.server.dsn("postgres", "postgres");
    assert!(
        ward.tool(&["recover", "--admin", &admin].map(String::from))
            .status
            .success()
    );
    assert!(ward.tool(&args).status.success());
}
