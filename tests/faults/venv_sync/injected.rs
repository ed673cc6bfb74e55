//! apply and rollback with one system call after the other killed or failed, by strace, in the tool
//! alone and not in what it starts.
//!
//! In the short form, the calls that change something, a few points of each. In the long form every
//! one of those, and the calls that only read at some points spread over all of them: there are
//! hundreds, alike.

use super::{all_whole, mends, other, start, whole};
use harness::full_sweep;
use harness::venvs::Venvs;
use std::collections::BTreeMap;

/// The calls by which anything changes.
const CHANGES: [&str; 15] = [
    "mkdir",
    "mkdirat",
    "openat",
    "write",
    "rename",
    "renameat",
    "renameat2",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "fsync",
    "syncfs",
    "flock",
    "fchmod",
];

/// Calls whose failure says nothing of us: the loader and the runtime end the process before
/// `main`, and what Linux never refuses.
const UNREAL: [&str; 16] = [
    "arch_prctl",
    "brk",
    "close",
    "execve",
    "exit",
    "exit_group",
    "futex",
    "mmap",
    "mprotect",
    "munmap",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "set_tid_address",
    "sigaltstack",
];

const FAILURES: [&str; 4] = ["error=EIO", "error=ENOSPC", "error=EACCES", "error=EINTR"];

fn strace(venvs: &Venvs, options: &[&str], words: &[&str]) -> std::process::Output {
    let mut strace = venvs.command("strace");
    strace
        .arg("-qq")
        .args(options)
        .arg(harness::bin("venv-sync"))
        .args(words)
        .output()
        .unwrap()
}

fn injected(
    venvs: &Venvs,
    words: &[&str],
    call: &str,
    fault: &str,
    when: usize,
) -> std::process::Output {
    let (trace, inject) = (
        format!("trace={call}"),
        format!("inject={call}:{fault}:when={when}"),
    );
    strace(
        venvs,
        &["-o", "/dev/null", "-e", &trace, "-e", &inject],
        words,
    )
}

/// How often an untouched run makes each call that is worth a fault.
fn calls(venvs: &Venvs, words: &[&str]) -> BTreeMap<String, usize> {
    let done = strace(venvs, &["-o", "trace"], words);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let mut count = BTreeMap::new();
    for line in std::fs::read_to_string(venvs.path().join("trace"))
        .unwrap()
        .lines()
    {
        let Some((name, _)) = line.split_once('(') else {
            continue;
        };
        let wanted = CHANGES.contains(&name) || (full_sweep() && !UNREAL.contains(&name));
        if wanted && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            *count.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    assert!(count.len() > 5, "{count:?}");
    count
}

/// Every point of a call that changes something, or some that are spread over all.
fn points(call: &str, count: usize) -> Vec<usize> {
    let few = match (full_sweep(), CHANGES.contains(&call) && call != "openat") {
        (false, _) => 3,
        (true, false) => 20,
        (true, true) => count,
    };
    if count <= few {
        (1..=count).collect()
    } else {
        (0..few).map(|i| 1 + i * (count - 1) / (few - 1)).collect()
    }
}

/// With so few kept that an older release is removed, too.
const APPLY: [&str; 12] = [
    "apply",
    "venv",
    "-r",
    "requirements.txt",
    "--wheelhouse",
    "wheels",
    "--python",
    "/usr/bin/python3",
    "--lock-wait",
    "60s",
    "--keep",
    "1",
];

fn sweep_apply(faults: &[&str]) {
    let venvs = start();
    venvs.requirements("alpha==2.0\n");
    let mut version = "2.0".to_owned();
    for (call, count) in calls(&venvs, &APPLY) {
        for when in points(&call, count) {
            for fault in faults {
                let target = other(&version);
                venvs.requirements(&format!("alpha=={target}\n"));
                let done = injected(&venvs, &APPLY, &call, fault, when);
                let what = format!(
                    "{call} {when} of {count}: {fault}, exit {:?}",
                    done.status.code()
                );
                let now = whole(&venvs, &what);
                all_whole(&venvs, &what);
                if done.status.success() {
                    assert_eq!(now, target, "{what}: success is said only where it is so");
                }
                mends(&venvs, target, &what);
                version = target.to_owned();
            }
        }
    }
}

fn sweep_rollback(faults: &[&str]) {
    let venvs = start();
    venvs.requirements("alpha==2.0\n");
    venvs.apply(&[]).run().expect_code(0);
    let list = venvs.tool(&["list", "venv"]).run().json();
    let ids: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    let id_of = |version: &str| if version == "1.0" { &ids[0] } else { &ids[1] };
    let mut version = "1.0";
    for (call, count) in calls(&venvs, &["rollback", "venv", "--to", id_of("1.0")]) {
        for when in points(&call, count) {
            for fault in faults {
                let target = other(version);
                let words = [
                    "rollback",
                    "venv",
                    "--to",
                    id_of(target),
                    "--lock-wait",
                    "60s",
                ];
                let done = injected(&venvs, &words, &call, fault, when);
                let what = format!(
                    "rollback: {call} {when} of {count}: {fault}, exit {:?}",
                    done.status.code()
                );
                let now = whole(&venvs, &what);
                if done.status.success() {
                    assert_eq!(now, target, "{what}: success is said only where it is so");
                }
                all_whole(&venvs, &what);
                venvs.tool(&words).run().expect_code(0);
                assert_eq!(
                    whole(&venvs, &what),
                    target,
                    "{what}: the next run brings it about"
                );
                version = target;
            }
        }
    }
}

fn failures() -> &'static [&'static str] {
    if full_sweep() {
        &FAILURES
    } else {
        &FAILURES[..1]
    }
}

#[test]
fn apply_killed_at_every_call() {
    sweep_apply(&["signal=KILL"]);
}

#[test]
fn apply_failed_at_every_call() {
    sweep_apply(failures());
}

#[test]
fn rollback_killed_at_every_call() {
    sweep_rollback(&["signal=KILL"]);
}

#[test]
fn rollback_failed_at_every_call() {
    sweep_rollback(failures());
}
