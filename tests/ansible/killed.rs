//! A module that is killed, at either of its two processes: the one that Ansible started, and the
//! one that does the work.

use crate::host::Ground;
use harness::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// One object whatever happens, with the signal in it.
pub fn leaves_one_object(ground: &Ground) {
    // The inner one is killed: the outer one says so.
    let (said, code) = killed(ground, Signal::SIGKILL, "exe");
    assert_eq!(
        (code, &said["rc"], &said["failed"], &said["changed"]),
        (137, &json!(137), &json!(true), &json!(false)),
        "{said}"
    );
    assert!(said["msg"].as_str().unwrap().contains("SIGKILL"), "{said}");
    // The outer one is asked to end: it hands that on, and the inner one says what it has seen so
    // far.
    let (said, code) = killed(ground, Signal::SIGTERM, "check-reqs");
    // How far it has come decides what that is: a look that found nothing, no look yet, or not even
    // a handler. None of them is a success.
    assert!([1, 3, 143].contains(&code), "{said}");
    assert_eq!(
        (&said["rc"], &said["failed"]),
        (&json!(code), &json!(true)),
        "{said}"
    );
    assert!(
        !said["msg"].as_str().unwrap().is_empty() && said["changed"] == false,
        "{said}"
    );
}

fn killed(ground: &Ground, signal: Signal, name: &str) -> (Value, i32) {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            ground.module(
                "check_reqs",
                &json!({"need": ["tcp:127.0.0.1:9"], "wait": "60s"}),
            )
        });
        // The outer process has the name it was called by, the inner one that of its own
        // executable's link.
        let found = || {
            let called = |argv: &[String]| {
                argv[0].ends_with(name) && argv.iter().any(|word| word == "--ansible-args")
            };
            ground
                .host()
                .processes()
                .into_iter()
                .find(|(_, argv)| called(argv))
                .map(|(pid, _)| pid)
        };
        let both = || {
            ground
                .host()
                .processes()
                .iter()
                .filter(|(_, argv)| argv.iter().any(|word| word == "--ansible-args"))
                .count()
                == 2
        };
        wait_until("the tool runs", || both() && found().is_some());
        // Nothing tells from outside that the inner one looks at the network already; its handler
        // for signals it has before.
        wait_until("it handles signals", || {
            signal == Signal::SIGKILL || handles(found().unwrap(), signal)
        });
        kill(Pid::from_raw(found().unwrap()), signal).unwrap();
        run.join().unwrap()
    })
}

/// Whether the process holds the signal back to look at it (`SigBlk` in /proc), as the outer one
/// does once its child runs.
fn handles(pid: i32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigBlk:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal as i32 - 1)) != 0)
}
