//! Whoever dies meanwhile, the tool, COMMAND, the guardian or the server: the right is taken back,
//! or recover takes it.

use super::*;

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
    stage
        .guardians()
        .into_iter()
        .for_each(|pid| kill(pid, SIGKILL));
    assert!(child.wait_with_output().unwrap().status.success());
    stage.expect_clean();
    // Tool and guardian: only the journal is left, and recover finishes.
    let mut child = stage.spawn("sleep 1");
    wait_until("the right given", || stage.is_super());
    stage
        .guardians()
        .into_iter()
        .for_each(|pid| kill(pid, SIGKILL));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stage.is_super() && stage.journals().len() == 1);
    assert_eq!(
        stage.tool("recover").arg("-n").run().expect_code(1).json()["msg"],
        "1 role to be recovered"
    );
    // A journal that cannot be read does not keep the others from being finished.
    let broken = stage.state.path().join("1-1.elevation");
    std::fs::write(&broken, "no journal").unwrap();
    let temporary = stage.state.path().join(".rbt-stale");
    std::fs::write(&temporary, "").unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    let file = std::fs::File::options()
        .write(true)
        .open(&temporary)
        .unwrap();
    file.set_modified(old).unwrap();
    let output = stage
        .tool("recover")
        .run()
        .expect_code(3)
        .expect_err("is no journal");
    assert_eq!(output.json()["recovered"][0]["revoke_verified"], true);
    assert!(!stage.is_super() && !temporary.exists());
    std::fs::remove_file(&broken).unwrap();
    // Both killed again: the next elevation finishes the first one, and goes on.
    let mut child = stage.spawn("sleep 1");
    wait_until("the right given", || stage.is_super());
    stage
        .guardians()
        .into_iter()
        .for_each(|pid| kill(pid, SIGKILL));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stage.is_super() && stage.journals().len() == 1);
    let dry = stage.elevate(&["-n"], "true").run().expect_code(1).json();
    assert!(
        dry["warnings"].to_string().contains("was not finished"),
        "{dry}"
    );
    assert!(stage.is_super());
    let report = stage.elevate(&[], "true").run().expect_code(0).json();
    assert!(
        report["warnings"].to_string().contains("taken back first"),
        "{report}"
    );
    assert_eq!(report["elevation"]["revoke_verified"], true);
    stage.expect_clean();
    // And once more, for recover alone.
    let mut child = stage.spawn("sleep 1");
    wait_until("the right given", || stage.is_super());
    stage
        .guardians()
        .into_iter()
        .for_each(|pid| kill(pid, SIGKILL));
    child.kill().unwrap();
    child.wait().unwrap();
    let report = stage.tool("recover").run().expect_code(0).json();
    assert_eq!(
        (
            &report["changed"],
            &report["recovered"][0]["revoke_verified"]
        ),
        (&json!(true), &json!(true))
    );
    stage.expect_clean();
    assert_eq!(
        stage.tool("recover").run().expect_code(0).json()["changed"],
        false
    );
}

/// The right comes late: the tool's statement waits for a lock while the tool is killed.
#[test]
fn a_grant_that_is_under_way_when_the_tool_dies_is_ended() {
    let server = &Postgres::start();
    let stage = Stage::new(server);
    let mut holder = Command::new(program("psql"));
    let mut holder = holder
        .args(["-X", "-q", "-d", &server.dsn("postgres", "postgres")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
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
    let is_super = |server: &Postgres| {
        server.psql(
            "postgres",
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'mortal'",
        ) == "t"
    };
    let admin = server.dsn("postgres", "postgres");
    let elevate = |script: &str| {
        let mut command = harness::program("pg-ext-ensure");
        command.args([
            "elevate", "--role", role, "--admin", &admin, "--", "sh", "-c", script,
        ]);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("STATE_DIRECTORY", state.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    // It comes back while the tool waits.
    let child = elevate("sleep 0.5");
    wait_until("the right given", || is_super(&server));
    server.crash();
    std::thread::sleep(Duration::from_secs(1));
    server.start_again();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["rc"], &report["elevation"]["revoke_verified"]),
        (&json!(0), &json!(true)),
        "{report}"
    );
    assert!(!is_super(&server));
    // It does not: the tool says so, louder than whatever COMMAND said.
    let child = elevate("sleep 0.5; exit 7");
    wait_until("the right given", || is_super(&server));
    server.crash();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["rc"], &report["elevation"]["revoke_verified"]),
        (&json!(125), &json!(false)),
        "{report}"
    );
    let stage_guardians = Stage {
        server: &server,
        role: role.to_string(),
        state,
    };
    stage_guardians
        .guardians()
        .into_iter()
        .for_each(|pid| kill(pid, nix::sys::signal::Signal::SIGKILL));
    let Stage { state, .. } = stage_guardians;
    let recover = || {
        bare()
            .env("STATE_DIRECTORY", state.path())
            .args(["recover", "--admin", &admin])
            .run()
    };
    assert_eq!(recover().expect_code(75).json()["status"], "retry");
    server.start_again();
    assert!(is_super(&server));
    recover().expect_code(0);
    assert!(!is_super(&server));
    recover().expect_code(0);
}

/// 400 of them in the long form; a few in the short one.
#[test]
fn killed_at_any_moment_the_role_is_no_superuser_soon() {
    let stage = Stage::new(Postgres::shared());
    let rounds: u32 = if full_sweep() { 400 } else { 25 };
    let mut killed_while_super = 0;
    let mut longest = Duration::ZERO;
    // How long one takes here and now, on a machine that may be busy.
    let script = "sleep 0.02; $SQL -c 'SELECT 1' >/dev/null; exec sleep 0.02";
    let began = Instant::now();
    assert!(stage.spawn(script).wait().unwrap().success());
    let whole = began.elapsed();
    // At moments of its whole length, in an order that is no order; and if the machine has changed
    // its pace, at more of them.
    for round in 0..10 * rounds {
        if round >= rounds && killed_while_super > 0 {
            break;
        }
        let mut child = stage.spawn(script);
        std::thread::sleep(whole.mul_f64(f64::from(round * 7919 % 1200) / 1000.0));
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = Instant::now();
        killed_while_super += u32::from(stage.is_super());
        wait_until("the right taken back", || !stage.is_super());
        longest = longest.max(killed.elapsed());
        // Killed before there was a guardian: a journal is left, and nothing came of it.
        wait_until("the guardian gone", || stage.guardians().is_empty());
        assert!(!stage.is_super());
        stage.tool("recover").run().expect_code(0);
        stage.expect_clean();
    }
    println!(
        "{rounds} kills, {killed_while_super} while the role was a superuser, {longest:?} at most until the catalog said otherwise"
    );
    assert!(
        killed_while_super > 0,
        "no kill in {} hit the elevation",
        10 * rounds
    );
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}
