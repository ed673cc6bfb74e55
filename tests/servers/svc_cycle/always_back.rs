//! Whatever happens to COMMAND, to the terminal, to supervisord or to svc-cycle: what ran before
//! runs again, once.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use harness::wait_until;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::json;

use super::site::Site;

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id() as i32)
}

/// Everything of the site runs, and nothing of it twice.
#[track_caller]
fn all_back(site: &Site, within: Duration) {
    let began = Instant::now();
    loop {
        let running = site.running();
        if running.len() == 4 && site.page().is_some() && site.gunicorns() == 3 {
            return;
        }
        assert!(
            began.elapsed() < within,
            "not back: {running:?}, {} gunicorns",
            site.gunicorns()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn command_s_own_exit_code_comes_out_and_all_is_back() {
    let Some(site) = Site::start() else { return };
    let before = site.running();
    let report = site
        .cycle("cycle", &["--", "sh", "-c", "echo told; exit 7"])
        .run()
        .expect_code(7);
    assert!(report.err().contains("told"));
    let report = report.json();
    assert_eq!(
        (&report["outcome"], &report["restored"], &report["status"]),
        (&json!("command_failed"), &json!(true), &json!("failed"))
    );
    assert_eq!(
        (&report["command"]["exit"], &report["command"]["tail"]),
        (&json!(7), &json!("told\n"))
    );
    all_back(&site, Duration::from_secs(5));
    assert!(site.running().iter().all(|each| !before.contains(each)));
    // While it ran, nothing else did.
    let seen = site.dir().join("seen");
    let script = format!(
        "supervisorctl -c {0}/supervisor.conf status > {0}/seen; true",
        site.dir().display()
    );
    site.cycle("cycle", &["--", "sh", "-c", &script])
        .run()
        .expect_code(0);
    assert!(!fs::read_to_string(seen).unwrap().contains("RUNNING"));
    all_back(&site, Duration::from_secs(5));
}

#[test]
fn every_signal_once_and_twice() {
    let Some(site) = Site::start() else { return };
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        for times in [1, 2] {
            // In the short form one of them once, and the others twice.
            if !harness::full_sweep() && (times == 1) != (signal == Signal::SIGTERM) {
                continue;
            }
            let started = site.dir().join("started");
            let _ = fs::remove_file(&started);
            let script = format!("touch {}; exec sleep 60", started.display());
            let mut child = site.spawn("cycle", &["--", "sh", "-c", &script]);
            wait_until("COMMAND runs", || started.exists());
            for _ in 0..times {
                kill(pid(&child), signal).unwrap();
            }
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(128 + signal as i32), "{signal} {times}");
            all_back(&site, Duration::from_secs(1));
        }
    }
}

#[test]
fn a_command_that_ignores_term_is_killed_after_the_timeout() {
    let Some(site) = Site::start() else { return };
    let report = site
        .cycle(
            "cycle",
            &[
                "--command-timeout",
                "300ms",
                "worker",
                "--",
                "sh",
                "-c",
                "sleep 60",
            ],
        )
        .run()
        .expect_code(143)
        .json();
    assert_eq!(
        (&report["command"]["signal"], &report["restored"]),
        (&json!(15), &json!(true))
    );
}

#[test]
fn a_signal_while_stopping_brings_back_without_command() {
    let Some(site) = Site::with("stopsignal = CHLD\nstopwaitsecs = 5\n") else {
        return;
    };
    let mark = site.dir().join("ran");
    let mut child = site.spawn("cycle", &["--", "touch", mark.to_str().unwrap()]);
    wait_until("gunicorn is being stopped", || {
        site.supervisor.state_of("gunicorn") == "STOPPING" || child.try_wait().unwrap().is_some()
    });
    kill(pid(&child), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(125));
    assert!(!mark.exists());
    all_back(&site, Duration::from_secs(5));
}

#[test]
fn a_sigkill_at_any_moment() {
    let Some(site) = Site::start() else { return };
    let rounds = if harness::full_sweep() { 200 } else { 8 };
    let mut random = 0x2545_f491_4f6c_dd1d_u64 ^ u64::from(std::process::id());
    for round in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut child = site.spawn("cycle", &["--", "sh", "-c", "sleep 0.1"]);
        std::thread::sleep(Duration::from_micros(random % 900_000));
        kill(pid(&child), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        eprintln!("round {round}: killed after {} µs", random % 900_000);
        all_back(&site, Duration::from_secs(5));
        // The guardian may still be at its last look when all is up again.
        wait_until("nothing is owed", || site.recover().run().code() == 0);
        let report = site.recover().run().expect_code(0).json();
        assert_eq!(report["changed"], false);
        all_back(&site, Duration::from_secs(1));
    }
}

#[test]
fn killed_with_its_guardian_recover_does_it() {
    let Some(site) = Site::start() else { return };
    let started = site.dir().join("started");
    let mut tool = site.cycle(
        "cycle",
        &[
            "--",
            "sh",
            "-c",
            &format!("touch {}; exec sleep 600", started.display()),
        ],
    );
    let mut child = tool
        .command()
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("COMMAND runs", || started.exists());
    // COMMAND's pid is noted as soon as it runs, which can be a moment after it has touched its
    // file.
    std::thread::sleep(Duration::from_millis(200));
    // Its own session, so not in the group: found as the child that is the same program.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    for each in children.split_ascii_whitespace() {
        let line = fs::read_to_string(format!("/proc/{each}/cmdline")).unwrap();
        if line.contains("--guardian") {
            kill(Pid::from_raw(each.parse().unwrap()), Signal::SIGKILL).unwrap();
        }
    }
    killpg(pid(&child), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(site.running().len(), 0);
    let dry = site.recover().arg("-n").run().expect_code(1).json();
    assert_eq!(dry["outcome"], "planned");
    let report = site.recover().run().expect_code(0).json();
    assert_eq!(
        (&report["outcome"], &report["restored"], &report["changed"]),
        (&json!("done"), &json!(true), &json!(true))
    );
    all_back(&site, Duration::from_secs(1));
    assert_eq!(site.recover().run().expect_code(0).json()["changed"], false);
}

#[test]
fn leave_down_is_125_and_recover_starts_it_by_name() {
    let Some(site) = Site::start() else { return };
    let report = site
        .cycle("cycle", &["--on-failure", "leave-down", "--", "false"])
        .run()
        .expect_code(125)
        .json();
    assert_eq!(
        (&report["outcome"], &report["restored"]),
        (&json!("left_down"), &json!(false))
    );
    assert_eq!(site.running().len(), 0);
    // Left down on purpose: neither the first line of another runbook nor the whole set starts it.
    for words in [&[][..], &["-f", &site.file()][..]] {
        let report = site.recover().args(words).run().expect_code(0).json();
        assert_eq!(report["changed"], false);
        assert!(
            report["warnings"][0]
                .as_str()
                .unwrap()
                .contains("on purpose"),
            "{report}"
        );
    }
    assert_eq!(site.running().len(), 0);
    let names = ["recover", "-f", &site.file(), "worker", "gunicorn"];
    site.recover().args(&names[1..]).run().expect_code(0);
    all_back(&site, Duration::from_secs(1));
    // A COMMAND that succeeds starts them as ever.
    site.cycle("cycle", &["--on-failure", "leave-down", "--", "true"])
        .run()
        .expect_code(0);
    all_back(&site, Duration::from_secs(1));
}

#[test]
fn a_closed_stdout_and_a_full_disk_change_nothing_of_it() {
    let Some(site) = Site::start() else { return };
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    let mut tool = site.cycle("cycle", &["--", "true"]);
    let status = tool
        .command()
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    all_back(&site, Duration::from_secs(1));
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut tool = site.cycle("cycle", &["--", "echo", "x"]);
    let status = tool
        .command()
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(fs::File::options().write(true).open("/dev/full").unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
    all_back(&site, Duration::from_secs(1));
}

#[test]
fn supervisord_dying_in_the_middle_is_left_down_until_it_is_back() {
    let Some(mut site) = Site::start() else {
        return;
    };
    let text = fs::read_to_string(site.file())
        .unwrap()
        .replace("start_timeout = \"20s\"", "start_timeout = \"6s\"");
    site.set(&text.replace(
        "name = \"worker:*\"",
        "name = \"worker:*\"\nstart_timeout = \"1s\"",
    ));
    let daemon = site.supervisor.pid();
    let report = site
        .cycle("cycle", &["--", "kill", "-KILL", &daemon.to_string()])
        .run()
        .expect_code(125)
        .json();
    assert_eq!(
        (&report["outcome"], &report["restored"]),
        (&json!("left_down"), &json!(false))
    );
    // Back without its programs, which it would start by itself only at boot.
    let conf = fs::read_to_string(site.supervisor.config()).unwrap();
    fs::write(
        site.supervisor.config(),
        conf.replace("startsecs = 0", "startsecs = 0\nautostart = false")
            .replace(
                "autostart = false\nstartsecs = 0\nautostart",
                "startsecs = 0\nautostart",
            ),
    )
    .unwrap();
    site.supervisor.crash();
    site.supervisor.start_again();
    assert_eq!(site.running().len(), 0);
    site.recover().run().expect_code(0);
    all_back(&site, Duration::from_secs(1));
}

/// A terminal of its own for svc-cycle, closed under it once COMMAND runs.
const LOSE_THE_TERMINAL: &str = r#"
import os, pty, sys, time
started = sys.argv[1]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
while not os.path.exists(started):
    time.sleep(0.01)
os.close(terminal)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"#;

#[test]
fn a_lost_terminal() {
    let Some(site) = Site::start() else { return };
    let started = site.dir().join("started");
    let script = format!("touch {}; sleep 60", started.display());
    let mut tool = site.cycle("cycle", &["--", "sh", "-c", &script]);
    let (program, arguments) = (
        tool.command().get_program().to_owned(),
        tool.command()
            .get_args()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>(),
    );
    let environment: Vec<_> = tool
        .command()
        .get_envs()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect();
    let status = std::process::Command::new("python3")
        .args(["-c", LOSE_THE_TERMINAL])
        .arg(&started)
        .arg(program)
        .args(arguments)
        .envs(environment)
        .status()
        .unwrap();
    // Standard output was that terminal: that the report could not be written is 3, as on a full
    // disk.
    assert!(matches!(status.code(), Some(3 | 129)), "{status}");
    all_back(&site, Duration::from_secs(1));
}

#[test]
fn a_full_disk_is_found_before_anything_is_stopped() {
    if !harness::need_root() {
        return;
    }
    let Some(site) = Site::start() else { return };
    let before = site.running();
    let script = "mkdir -p -m 700 /var/lib/runbook-tools && mount -t tmpfs -o size=8k,mode=700 none /var/lib/runbook-tools && \
                  (svc=$0; touch /var/lib/runbook-tools/x; cat /dev/zero > /var/lib/runbook-tools/x 2>/dev/null; exec \"$svc\" \"$@\")";
    let output = std::process::Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(harness::bin("svc-cycle"))
        .args(["cycle", "-f", &site.file(), "--", "true"])
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("No space left"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(site.running(), before);
}
