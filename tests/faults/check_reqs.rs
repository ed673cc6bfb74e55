//! A system call that fails must never turn into a requirement that is met: each kind of look, with
//! errors put in at every call in turn.

use harness::{bin, full_sweep, need, scratch};
use std::path::Path;
use std::process::Command;

/// What a run under strace came to: its exit code and output.
fn injected(
    strace: &Path,
    calls: &str,
    error: &str,
    nth: usize,
    args: &[&str],
) -> (Option<i32>, String) {
    let done = Command::new(strace)
        .args([
            "-f",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={calls}"),
            "-e",
            &format!("inject={calls}:error={error}:when={nth}"),
        ])
        .arg(bin("check-reqs"))
        .args(args)
        .output()
        .unwrap();
    (
        done.status.code(),
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
    )
}

/// How often a run makes these calls.
fn count(strace: &Path, calls: &str, args: &[&str]) -> usize {
    let dir = scratch();
    let log = dir.path().join("log");
    let status = Command::new(strace)
        .args(["-f", "-e", &format!("trace={calls}"), "-o"])
        .arg(&log)
        .arg(bin("check-reqs"))
        .args(args)
        .output()
        .unwrap();
    assert!(status.status.code().is_some());
    let text = std::fs::read_to_string(log).unwrap();
    text.lines()
        .filter(|line| line.contains('(') && !line.contains("resumed"))
        .count()
}

#[test]
fn an_error_of_the_system_is_never_a_requirement_that_is_met() {
    let Some(strace) = need("strace") else { return };
    let dir = scratch();
    let path = dir.path().display().to_string();
    let unmet = [
        format!("file:{path}/not-there"),
        format!("disk:{path}:100000T"),
        "memory:4000T".to_string(),
        "pkg:no-such-package".to_string(),
        "cmd:no-such-program".to_string(),
        "user:no-such-user".to_string(),
        "group:no-such-group".to_string(),
        "no-such-dist".to_string(),
    ];
    let args: Vec<&str> = ["-j", "1"]
        .into_iter()
        .chain(unmet.iter().map(String::as_str))
        .collect();
    for (calls, error) in [
        ("openat", "EIO"),
        ("openat", "EACCES"),
        ("read", "EIO"),
        ("statx,newfstatat,fstat", "EIO"),
        ("statfs", "EIO"),
    ] {
        let total = count(&strace, calls, &args);
        // The short form tries a dozen calls of each kind, spread over the run.
        let step = if full_sweep() { 1 } else { (total / 12).max(1) };
        for nth in (1..=total).step_by(step) {
            let (code, said) = injected(&strace, calls, error, nth, &args);
            assert!(
                !said.contains("panicked") && !said.contains("internal error"),
                "{calls} {error} {nth}: {said}"
            );
            // The dynamic loader may fail before we begin: 127. Everything else is ours, and none
            // of it is met.
            match code {
                Some(127) => {}
                Some(1 | 3) => assert!(
                    !said.contains("\"status\":\"met\""),
                    "{calls} {error} {nth}: {said}"
                ),
                Some(2) => {}
                other => panic!("{calls} {error} {nth}: {other:?} {said}"),
            }
        }
    }
}

#[test]
fn what_was_collected_is_gone_when_the_run_is_killed_or_not() {
    // The scratch directory of collectstatic is the only thing that is ever written: its name says
    // whose it is, and it is the user's own.
    let dir = scratch();
    let manage = dir.path().join("manage.py");
    std::fs::write(&manage, "import time; time.sleep(60)\n").unwrap();
    let file = format!(
        "[[check]]\ntype = \"django\"\ndirectory = \"{}\"\nvenv = \"{}\"\nchecks = \"collectstatic\"\ntimeout = \"500ms\"\n",
        dir.path().display(),
        harness::test_venv().display()
    );
    harness::tool("check-reqs")
        .args(["-f", "-"])
        .env("TMPDIR", dir.path())
        .input(file)
        .run()
        .expect_code(3);
    let left = std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("check-reqs-"))
        .count();
    assert_eq!(left, 0);
}
