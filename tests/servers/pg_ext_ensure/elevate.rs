//! A superuser for the length of a command: whatever is killed, the role is none afterwards.

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
        Stage { server, role, state: scratch() }
    }

    /// The tool, about to be given its options.
    fn tool(&self, command: &str) -> Tool {
        let admin = self.server.dsn("postgres", "postgres");
        bare().env("STATE_DIRECTORY", self.state.path()).args([command, "--admin", &admin])
    }

    /// `elevate … -- sh -c SCRIPT`; in it `$SQL` runs SQL as the role.
    fn elevate(&self, options: &[&str], script: &str) -> Tool {
        let run = self.tool("elevate").args(["--role", &self.role]).args(options).env("SQL", self.psql());
        run.args(["--", "sh", "-c", script])
    }

    fn psql(&self) -> String {
        let psql = program("psql");
        let host = self.server.socket_dir();
        let (role, port) = (&self.role, self.server.port());
        format!("{} -X -A -t -q -v ON_ERROR_STOP=1 -h {} -p {port} -U {role} -d {role}", psql.display(), host.display())
    }

    /// The same, not waited for.
    fn spawn(&self, script: &str) -> Child {
        harness::program("pg-ext-ensure")
            .args(["elevate", "--role", &self.role, "--admin", &self.server.dsn("postgres", "postgres"), "--", "sh", "-c", script])
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
        self.server.psql("postgres", &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{}'", self.role)) == "t"
    }

    fn journals(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.state.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
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
            let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            read("cmdline").windows(10).any(|w| w == b"--guardian") && read("environ").windows(state.len()).any(|w| w == state)
        };
        let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
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
    // On a server of its own: another test's superuser of this moment would be told as one that COMMAND made.
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
    assert_eq!((&elevation["role"], &elevation["revoke_verified"]), (&json!(stage.role), &json!(true)));
    assert_eq!((&elevation["new_superusers"], &elevation["new_owned"]), (&json!([]), &json!([])));
    assert!(elevation["granted_at"].is_string() && elevation["revoked_at"].is_string());
    stage.expect_clean();
    assert!(stage.guardians().is_empty());
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let stage = Stage::new(Postgres::shared());
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 75", 75), ("kill -9 $$", 137)] {
        let output = stage.elevate(&[], script).run().expect_code(code);
        assert_eq!(elevation(&output)["command"]["rc"], code);
        stage.expect_clean();
    }
    let output = stage.elevate(&[], "echo last words password=hunter2 >&2; exit 3").run().expect_code(3);
    assert_eq!(elevation(&output)["command"]["tail"], "last words password=***\n");
    let missing = stage.tool("elevate").args(["--role", &stage.role, "--", "/no/such/program"]).run().expect_code(127);
    assert_eq!(elevation(&missing), Value::Null, "nobody is elevated for a command that does not exist");
    stage.tool("elevate").args(["--role", &stage.role, "--", "/etc/passwd"]).run().expect_code(126);
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
        run.args(["elevate", "--role", role, "--admin", &admin, "--", "sh", "-c", &script]).run().expect_code(125).expect_err(why);
    };
    let god = unique("god");
    server.psql("postgres", &format!("CREATE ROLE {god} SUPERUSER LOGIN"));
    refused(&god, "postgres", "already is a superuser");
    assert_eq!(server.psql("postgres", &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{god}'")), "t");
    refused("postgres", "postgres", "the administrator's own role");
    refused("no such role", "postgres", "has no role \"no such role\"");
    refused(&god, &stage.role, "already is a superuser");
    let other = unique("other");
    server.psql("postgres", &format!("CREATE ROLE {other}"));
    refused(&other, &stage.role, "no superuser");
    assert!(!marker.exists());
    stage.expect_clean();
}

#[test]
fn two_at_once_take_turns() {
    let stage = Stage::new(Postgres::shared());
    let gate = stage.state.path().join("gate");
    let first = stage.spawn(&format!("while [ ! -e {} ]; do sleep 0.02; done", gate.display()));
    wait_until("the right given", || stage.is_super());
    let second = stage.elevate(&[], "true").run();
    assert_ne!(second.code(), 0);
    assert!(second.err().contains("superuser") || second.err().contains("locked"), "{}", second.err());
    assert!(stage.is_super(), "the second took the first one's right");
    std::fs::write(&gate, "").unwrap();
    assert!(first.wait_with_output().unwrap().status.success());
    stage.expect_clean();
    // A journal whose lock is held is under way: recover leaves it alone.
    stage.elevate(&[], "true").run().expect_code(0);
}

#[test]
fn max_takes_the_right_before_the_command_has_ended() {
    let stage = Stage::new(Postgres::shared());
    let child = stage.tool("elevate").args(["--role", &stage.role, "--max", "1s"]);
    let mut child = child.args(["--", "sh", "-c", "trap '' TERM; sleep 60"]);
    let mut running = child.command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the right given", || stage.is_super());
    wait_until("the right taken back", || !stage.is_super());
    assert!(running.try_wait().unwrap().is_none(), "COMMAND ignores TERM and goes on, without the right");
    let output = running.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["rc"], &report["elevation"]["revoke_verified"]), (&json!(137), &json!(true)));
    stage.expect_clean();
}

#[test]
fn signals_reach_the_command_and_the_right_is_gone() {
    use nix::sys::signal::Signal;
    let stage = Stage::new(Postgres::shared());
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129), (Signal::SIGQUIT, 131)] {
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
          -c 'ALTER FUNCTION remnant() OWNER TO postgres'",
        out = out.display()
    );
    let output = stage.elevate(&[], &script).run().expect_code(0);
    let elevation = elevation(&output);
    assert_eq!(elevation["new_superusers"], json!([evil]));
    assert_eq!(elevation["new_owned"], json!([format!("{}: function public.remnant()", stage.role)]));
    stage.expect_clean();
    wait_until("the daemon's session ended", || std::fs::read_to_string(&out).is_ok_and(|text| text.contains("terminating connection")));
    assert_eq!(server.psql("postgres", &format!("SELECT count(*) FROM pg_roles WHERE rolname = '{evil}_late'")), "0");
    server.psql("postgres", &format!("DROP ROLE {evil}"));
}

#[test]
fn a_renamed_role_and_a_locked_one_lose_the_right_all_the_same() {
    let server = &Postgres::start();
    let stage = Stage::new(server);
    let renamed = format!("{}_renamed", stage.role);
    let rename = format!("$SQL -c 'SET SESSION AUTHORIZATION postgres' -c 'ALTER ROLE {} RENAME TO {renamed}'", stage.role);
    let output = stage.elevate(&[], &rename).run().expect_code(0);
    assert_eq!(elevation(&output)["revoke_verified"], true);
    assert_eq!(server.psql("postgres", &format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{renamed}'")), "f");
    server.psql("postgres", &format!("ALTER ROLE {renamed} RENAME TO {}", stage.role));
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
fn a_killed_tool_command_or_guardian_leaves_no_superuser() {
    use nix::sys::signal::Signal::SIGKILL;
    let stage = Stage::new(Postgres::shared());
    // The tool, by its own child.
    let mut child = stage.spawn("kill -9 $PPID; sleep 1");
    child.wait().unwrap();
    stage.expect_clean_soon();
    // Both at once.
    let mut child = stage.spawn("kill -9 $PPID $$");
    child.wait().unwrap();
    stage.expect_clean_soon();
    // The guardian.
    let child = stage.spawn("sleep 0.5");
    wait_until("the right given", || stage.is_super());
    stage.guardians().into_iter().for_each(|pid| kill(pid, SIGKILL));
    assert!(child.wait_with_output().unwrap().status.success());
    stage.expect_clean();
    // Tool and guardian: only the journal is left, and recover finishes.
    let mut child = stage.spawn("sleep 1");
    wait_until("the right given", || stage.is_super());
    stage.guardians().into_iter().for_each(|pid| kill(pid, SIGKILL));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stage.is_super() && stage.journals().len() == 1);
    stage.elevate(&[], "true").run().expect_code(125).expect_err("already is a superuser");
    assert_eq!(stage.tool("recover").arg("-n").run().expect_code(1).json()["msg"], "1 to be recovered");
    let report = stage.tool("recover").run().expect_code(0).json();
    assert_eq!((&report["changed"], &report["recovered"][0]["revoke_verified"]), (&json!(true), &json!(true)));
    stage.expect_clean();
    assert_eq!(stage.tool("recover").run().expect_code(0).json()["changed"], false);
}

/// The right comes late: the tool's statement waits for a lock while the tool is killed.
#[test]
fn a_grant_that_is_under_way_when_the_tool_dies_is_ended() {
    let server = &Postgres::start();
    let stage = Stage::new(server);
    let mut holder = Command::new(program("psql"));
    let mut holder =
        holder.args(["-X", "-q", "-d", &server.dsn("postgres", "postgres")]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut say = holder.stdin.take().unwrap();
    use std::io::Write;
    writeln!(say, "BEGIN; ALTER ROLE {} CONNECTION LIMIT 9;", stage.role).unwrap();
    let waiting = |count: &str| {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%ALTER ROLE%SUPERUSER%' AND wait_event_type = 'Lock'";
        server.psql("postgres", sql) == count
    };
    std::thread::sleep(Duration::from_millis(200));
    let mut child = stage.spawn("true");
    wait_until("the grant waiting for its lock", || waiting("1"));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the grant ended", || waiting("0"));
    writeln!(say, "COMMIT;").unwrap();
    drop(say);
    holder.wait().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    stage.expect_clean_soon();
}

#[test]
fn a_server_that_dies_in_between_is_waited_for_or_left_to_recover() {
    let mut server = Postgres::start();
    let (role, state) = ("mortal", scratch());
    server.create_app(role);
    let is_super = |server: &Postgres| server.psql("postgres", "SELECT rolsuper FROM pg_roles WHERE rolname = 'mortal'") == "t";
    let admin = server.dsn("postgres", "postgres");
    let elevate = |script: &str| {
        let mut command = harness::program("pg-ext-ensure");
        command.args(["elevate", "--role", role, "--admin", &admin, "--", "sh", "-c", script]);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("STATE_DIRECTORY", state.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    // It comes back while the tool waits.
    let child = elevate("sleep 0.5");
    wait_until("the right given", || is_super(&server));
    server.crash();
    std::thread::sleep(Duration::from_secs(1));
    server.start_again();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["rc"], &report["elevation"]["revoke_verified"]), (&json!(0), &json!(true)), "{report}");
    assert!(!is_super(&server));
    // It does not: the tool says so, louder than whatever COMMAND said.
    let child = elevate("sleep 0.5; exit 7");
    wait_until("the right given", || is_super(&server));
    server.crash();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["rc"], &report["elevation"]["revoke_verified"]), (&json!(125), &json!(false)), "{report}");
    let stage_guardians = Stage { server: &server, role: role.to_string(), state };
    stage_guardians.guardians().into_iter().for_each(|pid| kill(pid, nix::sys::signal::Signal::SIGKILL));
    let Stage { state, .. } = stage_guardians;
    let recover = || bare().env("STATE_DIRECTORY", state.path()).args(["recover", "--admin", &admin]).run();
    assert_eq!(recover().expect_code(75).json()["status"], "retry");
    server.start_again();
    assert!(is_super(&server));
    recover().expect_code(0);
    assert!(!is_super(&server));
    recover().expect_code(0);
}

/// 200 of them in the long form; a few in the short one.
#[test]
fn killed_at_any_moment_the_role_is_no_superuser_soon() {
    let stage = Stage::new(Postgres::shared());
    let rounds: u32 = if full_sweep() { 200 } else { 25 };
    let mut killed_while_super = 0;
    // How long one takes here and now, on a machine that may be busy.
    let script = "sleep 0.02; $SQL -c 'SELECT 1' >/dev/null; exec sleep 0.02";
    let began = Instant::now();
    assert!(stage.spawn(script).wait().unwrap().success());
    let whole = began.elapsed();
    // At moments of its whole length, in an order that is no order; and if the machine has changed its pace, at more of them.
    for round in 0..10 * rounds {
        if round >= rounds && killed_while_super > 0 {
            break;
        }
        let mut child = stage.spawn(script);
        std::thread::sleep(whole.mul_f64(f64::from(round * 7919 % 1200) / 1000.0));
        child.kill().unwrap();
        child.wait().unwrap();
        killed_while_super += u32::from(stage.is_super());
        wait_until("the right taken back", || !stage.is_super());
        // Killed before there was a guardian: a journal is left, and nothing came of it.
        wait_until("the guardian gone", || stage.guardians().is_empty());
        assert!(!stage.is_super());
        stage.tool("recover").run().expect_code(0);
        stage.expect_clean();
    }
    assert!(killed_while_super > 0, "no kill in {} hit the elevation", 10 * rounds);
}

#[test]
fn no_password_is_in_argv_journal_or_output() {
    let server =
        Postgres::builder().hba("local all god scram-sha-256\nhost all god 127.0.0.1/32 scram-sha-256\nlocal all all trust").start();
    let state = scratch();
    server.psql("postgres", "CREATE ROLE god SUPERUSER LOGIN PASSWORD 'hunter2'; CREATE ROLE mortal LOGIN;");
    let script = format!(
        "cat {0}/*.elevation; for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f | grep -v hunter2-grep | grep -H --label=$f hunter2; done; exit 4",
        state.path().display()
    );
    let dsn = format!("{} sslmode=disable", server.dsn("god", "postgres"));
    let output = bare()
        .env("STATE_DIRECTORY", state.path())
        .env("PGPASSWORD", "hunter2")
        .args(["elevate", "--role", "mortal", "--admin", &dsn, "-v", "--", "sh", "-c", &script.replace("hunter2", "'hunter''2'")])
        .run()
        .expect_code(4);
    let said = output.out() + &output.err();
    assert!(said.contains("\"role\":\"mortal\""), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    // A wrong one is refused, and not shown.
    let wrong = bare()
        .env("STATE_DIRECTORY", state.path())
        .args(["elevate", "--role", "mortal", "--admin", &format!("{dsn} password=hunter3"), "--", "true"])
        .run()
        .expect_code(125);
    assert!(!(wrong.out() + &wrong.err()).contains("hunter3"));
    let _ = account();
}
