//! What never answers: FIFOs without a writer, a standard input that stays open, a socket whose
//! queue is full.

use crate::peers::{MOST, WEDGED, end, helper};
use crate::user::{DEP, Host};
use harness::{bin, tool};
use std::process::{Command, Stdio};
use std::time::Instant;

#[test]
fn no_tool_waits_for_the_writer_of_a_fifo() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let fifo = host.site().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::chown(&fifo, Some(DEP), Some(DEP)).unwrap();
    let page = host.site().join("page.html");
    nix::unistd::mkfifo(&page, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (fifo, site) = (fifo.to_str().unwrap(), host.site());
    let site = site.to_str().unwrap();
    let runs: &[(&str, &[&str])] = &[
        ("check-reqs", &["-f", fifo]),
        ("check-reqs", &["file:/etc/fstab", "--journal", fifo]),
        ("venv-sync", &["check", "/usr", "-r", fifo]),
        (
            "maint-page",
            &["on", "--dir", "/nowhere/at/all", "--template", site],
        ),
        ("cron-render", &["render", fifo]),
        ("svc-cycle", &["status", "--file", fifo]),
        ("svc-cycle", &["--ansible-args", fifo]),
        ("log-paths", &["--conf", fifo, "nginx"]),
        ("pg-ext-ensure", &["ensure", "--spec", fifo, "--db", "x"]),
    ];
    for (name, args) in runs {
        let began = Instant::now();
        let done = tool(name).args(args.iter()).args(["--timeout", "2s"]).run();
        assert!(done.code() > 0, "{name} {args:?}: {}", done.out());
        assert!(
            began.elapsed() < MOST,
            "{name} {args:?}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn an_input_that_never_ends_ends_at_the_timeout() {
    for (name, args) in [
        ("check-reqs", &["-f", "-"] as &[&str]),
        ("cron-render", &["render", "-"]),
        ("svc-cycle", &["status", "--file", "-"]),
    ] {
        let began = Instant::now();
        let mut child = Command::new(bin(name))
            .args(args)
            .args(["--timeout", "1s", "-o", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Held open until the program has ended.
        let input = child.stdin.take();
        let done = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(done.status.code(), Some(75), "{name}");
        assert!(began.elapsed() < MOST, "{name}: {:?}", began.elapsed());
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["error"]["kind"], "deadline");
        assert_eq!(
            (&report["status"], &report["rc"]),
            (&"retry".into(), &75.into())
        );
    }
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    // A pipe that is full already.
    let script = "
import os, fcntl, subprocess, sys, time
r, w = os.pipe()
fcntl.fcntl(w, fcntl.F_SETFL, os.O_NONBLOCK)
try:
    while True:
        os.write(w, b'x' * 4096)
except BlockingIOError:
    pass
fcntl.fcntl(w, fcntl.F_SETFL, 0)
began = time.time()
rc = subprocess.call([sys.argv[1], '-f', '-', '--timeout', '1s', '-o', 'json'], stdin=subprocess.PIPE, stdout=w, stderr=w)
print(rc, time.time() - began < 6)
";
    let done = Command::new("python3")
        .args(["-c", script])
        .arg(bin("check-reqs"))
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(
        out.trim(),
        "75 True",
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn a_server_whose_queue_is_full_is_not_waited_for() {
    let host = harness::scratch();
    let socket = host.path().join("app.sock");
    let mut server = helper(WEDGED, &socket);
    let began = Instant::now();
    let done = tool("check-reqs")
        .arg(format!("tcp:{}", socket.display()))
        .args(["--timeout", "2s"])
        .run();
    let took = began.elapsed();
    end(&mut server);
    assert!(took < MOST, "{took:?}");
    assert!(done.code() > 0, "{}", done.out());
    let status = &done.json()["items"][0]["status"];
    assert_ne!(status, "met", "{}", done.out());
}
