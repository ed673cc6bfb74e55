//! svc-cycle as it is typed: what is refused, and what is said of services that need no server of
//! their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::{Server, TempDir, scratch, tool};
use serde_json::{Value, json};

/// A process and the pid file that names it.
fn daemon(dir: &Path) -> Server {
    let server = Server::start(Command::new("/bin/sleep").arg("600"), &dir.join("log"));
    fs::write(dir.join("sleep.pid"), format!("{}\n", server.pid())).unwrap();
    server
}

fn set(dir: &TempDir, text: &str) -> String {
    let path = dir.path().join("services.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn what_is_wrong_is_usage_and_touches_nothing() {
    let dir = scratch();
    for (arguments, says) in [
        (vec![], "a command is missing"),
        (vec!["start"], "no service is selected"),
        (vec!["start", "upstart:web"], "no backend"),
        (
            vec!["start", "no-such-service-here"],
            "systemd is not running here",
        ),
        (
            vec!["status", "supervisor:web", "-c", "/no/such.conf"],
            "/no/such.conf",
        ),
        (vec!["cycle", "pidfile:/x"], "COMMAND"),
        (vec!["status", "-f", "/no/such.toml"], "/no/such.toml"),
        (
            vec!["start", "pidfile:/no/such.pid"],
            "no command to start the service is known",
        ),
    ] {
        tool("svc-cycle")
            .args(&arguments)
            .dir(dir.path())
            .run()
            .expect_code(2)
            .expect_silence()
            .expect_err(says);
    }
}

#[test]
fn a_set_file_is_refused_with_its_line() {
    let dir = scratch();
    for (text, says) in [
        (
            "[service.a]\nbackend = \"pidfile\"\ncolour = 1\n",
            "services.toml:3",
        ),
        (
            "[service.a]\nbackend = \"pidfile\"\nafter = [\"b\"]\n",
            "no such service",
        ),
        (
            "[service.a]\nbackend = \"pidfile\"\nafter = [\"b\"]\n[service.b]\nbackend = \"pidfile\"\nafter = [\"a\"]\n",
            "circle",
        ),
        (
            "[service.a]\nbackend = \"pidfile\"\nready = [{ port = 1, socket = \"/x\" }]\n",
            "exactly one",
        ),
        (
            "[service.a]\nbackend = \"pidfile\"\nkill = \"gently\"\n",
            "gently",
        ),
    ] {
        let file = set(&dir, text);
        tool("svc-cycle")
            .args(["status", "-f", &file])
            .run()
            .expect_code(2)
            .expect_silence()
            .expect_err(says);
    }
}

#[test]
fn status_says_what_runs_and_no_where_it_does_not() {
    let dir = scratch();
    let mut server = daemon(dir.path());
    let service = format!("pidfile:{}", dir.path().join("sleep.pid").display());
    let report = tool("svc-cycle")
        .args(["status", &service])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(report["services"][0]["pids"], json!([server.pid()]));
    assert_eq!(report["services"][0]["after"], "running");
    assert_eq!(
        (&report["outcome"], &report["changed"]),
        (&json!("unchanged"), &json!(false))
    );
    server.stop();
    let report = tool("svc-cycle")
        .args(["status", &service])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (&report["outcome"], &report["services"][0]["after"]),
        (&json!("not_running"), &json!("stopped"))
    );
    let text = tool("svc-cycle")
        .args(["status", "-o", "text", &service])
        .run()
        .expect_code(1)
        .out();
    assert!(
        text.contains("✗") && text.contains("is not running"),
        "{text}"
    );
}

/// The triple: a dry run says 1, the run changes, the rerun does not.
#[test]
fn stop_and_start_a_command() {
    let dir = scratch();
    let mark = format!("svc-cycle-test-{}", std::process::id());
    let text = format!(
        "[service.idle]\nbackend = \"command\"\nname = \"sleep\"\nstart = [\"sleep\", \"600.25\", \"{n}\"]\nmatch = \"600.25 {n}\"\nstable = \"100ms\"\n",
        n = u32::from_str_radix(&format!("{:x}", std::process::id()), 16).unwrap(),
    );
    let file = set(&dir, &text);
    let run = |verb: &str, code: i32| {
        tool("svc-cycle")
            .args([verb, "-f", &file])
            .env("MARK", &mark)
            .run()
            .expect_code(code)
            .json()
    };
    let dry = tool("svc-cycle")
        .args(["start", "-n", "-f", &file])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (&dry["outcome"], &dry["dry_run"], &dry["failed"]),
        (&json!("planned"), &json!(true), &json!(false))
    );
    let started = run("start", 0);
    assert_eq!(
        (&started["outcome"], &started["changed"]),
        (&json!("done"), &json!(true))
    );
    let pid = started["services"][0]["pids"][0].as_i64().unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(run("start", 0)["changed"], false);
    assert_eq!(run("check", 0)["outcome"], "unchanged");
    let restarted = run("restart", 0);
    assert_ne!(restarted["services"][0]["pids"][0].as_i64().unwrap(), pid);
    assert_eq!(restarted["restored"], true);
    assert_eq!(
        tool("svc-cycle")
            .args(["stop", "-n", "-f", &file])
            .run()
            .expect_code(1)
            .json()["outcome"],
        "planned"
    );
    assert_eq!(run("stop", 0)["services"][0]["after"], "stopped");
    assert_eq!(run("stop", 0)["changed"], false);
    tool("svc-cycle")
        .args(["stop", "-q", "-f", &file])
        .run()
        .expect_code(0)
        .expect_silence();
}

#[test]
fn a_command_without_a_log_may_print() {
    let dir = scratch();
    let mark = format!("mark-{}", std::process::id());
    let file = set(
        &dir,
        &format!(
            "[service.talker]\nbackend = \"command\"\nname = \"sh\"\nmatch = \"{mark}\"\nstable = \"500ms\"\n\
             start = [\"sh\", \"-c\", \"while echo out && echo err >&2; do sleep 0.05; done; exit 9\", \"{mark}\"]\n"
        ),
    );
    let run = |verb: &str| tool("svc-cycle").args([verb, "-f", &file]).run();
    run("start").expect_code(0);
    run("status").expect_code(0);
    run("stop").expect_code(0);
}

#[test]
fn what_others_can_write_is_no_pidfile() {
    use std::os::unix::fs::PermissionsExt;
    let dir = scratch();
    let mut server = daemon(dir.path());
    let path = dir.path().join("sleep.pid");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let service = format!("pidfile:{}", path.display());
    let report = tool("svc-cycle")
        .args(["stop", &service])
        .run()
        .expect_code(3)
        .expect_no_body("services");
    assert!(report.err().contains("can be written"), "{}", report.err());
    assert!(server.runs());
}

#[test]
fn a_reused_pid_is_never_signalled() {
    let dir = scratch();
    let mut server = daemon(dir.path());
    // The file is older than the process: written by a daemon that had this number before.
    let path = dir.path().join("sleep.pid");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(old)
        .unwrap();
    let service = format!("pidfile:{}", path.display());
    // Either the number was given to another process, or the clock was set: nothing is signalled
    // and nothing is started.
    for verb in ["stop", "start", "restart", "status"] {
        let report = tool("svc-cycle")
            .args([verb, &service])
            .run()
            .expect_code(3)
            .json();
        assert_eq!(
            (&report["changed"], &report["error"]["kind"]),
            (&json!(false), &json!("unknown")),
            "{report}"
        );
        assert!(server.runs());
    }
    // What the process is tells the two apart.
    for (exe, code) in [("/*/sleep", 0), ("/usr/bin/other", 3)] {
        let file = set(
            &dir,
            &format!(
                "[service.idle]\nbackend = \"pidfile\"\nname = \"sleep.pid\"\nexpect = {{ exe = \"{exe}\" }}\n"
            ),
        );
        tool("svc-cycle")
            .args(["status", "-f", &file])
            .run()
            .expect_code(code);
    }
}

/// A program that takes longer to end than the set gives it is started again when it has ended, and
/// not before.
#[test]
fn a_stop_that_takes_longer_is_followed_by_the_start() {
    let dir = scratch();
    let script = "setsid sh -c 'trap \\\"sleep 3; exit\\\" TERM; while :; do sleep 0.1; done' </dev/null >/dev/null 2>&1 & echo $! > slow.pid";
    let text = format!(
        "[service.slow]\nbackend = \"pidfile\"\nname = \"slow.pid\"\nstart = [\"sh\", \"-c\", \"{script}\"]\nstable = \"50ms\"\nstop_timeout = \"500ms\"\n"
    );
    let file = set(&dir, &text);
    let run = |verb: &[&str], code: i32| {
        tool("svc-cycle")
            .args(verb)
            .args(["-f", &file])
            .env("XDG_RUNTIME_DIR", dir.path())
            .run()
            .expect_code(code)
            .json()
    };
    let first = run(&["start"], 0)["services"][0]["pids"].clone();
    let report = run(&["restart"], 3);
    assert_eq!(
        (&report["outcome"], &report["restored"]),
        (&json!("left_down"), &json!(false)),
        "{report}"
    );
    assert!(
        report["msg"]
            .as_str()
            .unwrap()
            .contains("a guardian process starts"),
        "{report}"
    );
    let status = run(&["status"], 0);
    assert!(
        status["warnings"][0]
            .as_str()
            .unwrap()
            .contains("a stop is under way"),
        "{status}"
    );
    let mut pids = first.clone();
    harness::wait_until("a new process runs", || {
        let report = tool("svc-cycle").args(["status", "-f", &file]).run().json();
        pids = report["services"][0]["pids"].clone();
        report["services"][0]["after"] == "running"
            && pids != first
            && report["warnings"] == json!([])
    });
    let text = text.replace("500ms", "10s");
    fs::write(&file, text).unwrap();
    run(&["stop"], 0);
}

#[test]
fn services_that_are_busy_are_locked() {
    let dir = scratch();
    let _server = daemon(dir.path());
    let file = set(
        &dir,
        "[service.idle]\nbackend = \"pidfile\"\nname = \"sleep.pid\"\nstart = [\"sh\", \"-c\", \"setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! > sleep.pid\"]\nstable = \"10ms\"\n",
    );
    let mut first = tool("svc-cycle");
    let mark = dir.path().join("command-runs");
    let command = format!("touch {}; sleep 2", mark.display());
    let first = first
        .command()
        .args(["cycle", "-f", &file, "--", "sh", "-c", &command])
        .stdout(std::process::Stdio::null());
    let mut first = first.spawn().unwrap();
    harness::wait_until("the first run is at its COMMAND", || mark.exists());
    let second = tool("svc-cycle")
        .args(["stop", "-f", &file])
        .run()
        .expect_code(75);
    assert!(
        second.err().contains(&format!("pid {}", first.id())),
        "{}",
        second.err()
    );
    assert!(first.wait().unwrap().success());
    tool("svc-cycle")
        .args(["stop", "-f", &file])
        .run()
        .expect_code(0);
}

#[test]
fn a_command_that_is_not_there_is_127_before_anything_is_stopped() {
    let dir = scratch();
    let mut server = daemon(dir.path());
    let file = set(
        &dir,
        "[service.idle]\nbackend = \"pidfile\"\nname = \"sleep.pid\"\nstart = [\"sh\", \"-c\", \"setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! > sleep.pid\"]\nstable = \"10ms\"\n",
    );
    for (command, code) in [("/no/such/command", 127), (file.as_str(), 126)] {
        let report = tool("svc-cycle")
            .args(["cycle", "-f", &file, "--", command])
            .run()
            .expect_code(code)
            .json();
        assert_eq!(
            (&report["outcome"], &report["changed"], &report["command"]),
            (&json!("refused"), &json!(false), &Value::Null)
        );
        assert!(server.runs());
    }
    tool("svc-cycle")
        .args(["stop", "-f", &file])
        .run()
        .expect_code(0);
}
