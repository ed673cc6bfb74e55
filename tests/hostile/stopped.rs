//! A tool that somebody stops while services are down.

use crate::user::Host;
use harness::bin;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_tool_that_is_stopped_does_not_leave_services_down() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let pid_file = host.roots().join("app.pid");
    let set = host.roots().join("set.toml");
    // The command comes back, as a daemon's does.
    let script = format!(
        "sleep 300 >/dev/null 2>&1 & echo $! > {}",
        pid_file.display()
    );
    fs::write(
        &set,
        format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"{}\"\nstart = [\"/bin/sh\", \"-c\", \"{script}\"]\n",
            pid_file.display()
        ),
    )
    .unwrap();
    let status = |verb: &str| {
        harness::tool("svc-cycle")
            .args([verb, "--timeout", "20s", "--file"])
            .arg(&set)
            .run()
    };
    status("start").expect_code(0);
    let mut cycle = Command::new(bin("svc-cycle"))
        .args(["cycle", "--command-timeout", "3s", "--file"])
        .arg(&set)
        .args(["--", "sleep", "60"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    harness::wait_until("the service is down", || status("status").code() == 1);
    let pid = Pid::from_raw(i32::try_from(cycle.id()).unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let began = Instant::now();
    // The guardian continues the tool, whose --command-timeout ends COMMAND, and the service comes
    // back.
    let back = loop {
        if status("status").code() == 0 {
            break true;
        }
        if began.elapsed() > Duration::from_secs(45) {
            break false;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let _ = kill(pid, Signal::SIGCONT);
    let _ = cycle.wait();
    status("stop");
    assert!(
        back,
        "the service was still down after {:?}",
        began.elapsed()
    );
}
