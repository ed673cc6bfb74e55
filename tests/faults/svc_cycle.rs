//! svc-cycle killed or failed at each system call of a restart: the service runs afterwards, once,
//! and nothing is owed. The short form takes a sample of the calls that change something;
//! RUNBOOK_SWEEP=full takes every one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::{TempDir, bin, full_sweep, need, scratch};

/// What changes something: the disk, a process, the guardian's pipe.
const CHANGING: [&str; 12] = [
    "write",
    "fsync",
    "renameat2",
    "unlinkat",
    "openat",
    "flock",
    "pidfd_send_signal",
    "pidfd_open",
    "poll",
    "wait4",
    "waitid",
    "clone3",
];

/// What can fail for the disk's reasons.
const FAILING: [(&str, &str); 6] = [
    ("write", "ENOSPC"),
    ("fsync", "EIO"),
    ("renameat2", "ENOSPC"),
    ("unlinkat", "EIO"),
    ("openat", "EMFILE"),
    ("flock", "EINTR"),
];

/// A daemon with a mark in its command line, so that a second one would be seen.
struct Ward {
    top: TempDir,
    mark: String,
}

impl Ward {
    fn new() -> Ward {
        let ward = Ward {
            top: scratch(),
            mark: format!("600.{}{:03}", std::process::id(), fastish()),
        };
        for (name, mode) in [("state", 0o700), ("site", 0o755)] {
            fs::create_dir(ward.top.path().join(name)).unwrap();
            fs::set_permissions(ward.top.path().join(name), fs::Permissions::from_mode(mode))
                .unwrap();
        }
        let start = format!(
            "setsid sleep {} </dev/null >/dev/null 2>&1 & echo $! > idle.pid",
            ward.mark
        );
        let text = format!(
            "[service.idle]\nbackend = \"pidfile\"\nname = \"idle.pid\"\nstart = [\"sh\", \"-c\", \"{start}\"]\nstable = \"10ms\"\nstart_timeout = \"5s\"\n"
        );
        fs::write(ward.site().join("set.toml"), text).unwrap();
        assert!(ward.run(&[], &["start"]).status.success());
        ward
    }

    fn site(&self) -> std::path::PathBuf {
        self.top.path().join("site")
    }

    /// svc-cycle over the ward's set, under strace where words for it are given, with a state
    /// directory of its own.
    fn run(&self, strace: &[&str], words: &[&str]) -> Output {
        let state = self.top.path().join("state");
        let mut command = if nix::unistd::geteuid().is_root() {
            let script = "for dir in run var/lib; do mkdir -p -m 700 /$dir/runbook-tools && mount --bind \"$0\" /$dir/runbook-tools || exit; done; exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script]).arg(state);
            command
        } else {
            let mut command = Command::new("env");
            command.arg(format!("XDG_RUNTIME_DIR={}", state.display()));
            command
        };
        if !strace.is_empty() {
            command
                .arg(need("strace").unwrap())
                .args(["-qq"])
                .args(strace);
        }
        command.arg(bin("svc-cycle")).args(words);
        if words != ["recover"] {
            command.args(["-f", "set.toml"]);
        }
        command
            .current_dir(self.site())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn daemons(&self) -> usize {
        let running = |path: &Path| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line) == format!("sleep\0{}\0", self.mark)
        };
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| running(&entry.path()))
            .count()
    }

    /// One daemon, and nothing owed, within 5 s.
    fn must_be_well(&self, after: &str) {
        let began = Instant::now();
        loop {
            let owed = self.run(&[], &["recover"]);
            let well = owed.status.success()
                && self.daemons() == 1
                && self.run(&[], &["status"]).status.success();
            if well {
                return;
            }
            let told = String::from_utf8_lossy(&owed.stdout).into_owned()
                + &String::from_utf8_lossy(&owed.stderr);
            assert!(
                began.elapsed() < Duration::from_secs(15),
                "after {after}: {} daemons; recover: {told}",
                self.daemons()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How often a restart makes each call.
    fn calls(&self) -> BTreeMap<String, usize> {
        let trace = self.top.path().join("trace");
        let done = self.run(&["-o", trace.to_str().unwrap()], &["restart"]);
        assert!(done.status.success(), "{done:?}");
        let mut counted = BTreeMap::new();
        for line in fs::read_to_string(&trace).unwrap().lines() {
            if let Some((name, _)) = line.split_once('(') {
                *counted.entry(name.to_owned()).or_default() += 1;
            }
        }
        counted.remove("execve");
        counted.remove("exit_group");
        counted
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        self.run(&[], &["stop"]);
    }
}

fn fastish() -> u32 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos()
        % 1000
}

/// The numbers of the calls that are tried: all, or a few spread over them.
fn sample(count: usize) -> Vec<usize> {
    if full_sweep() || count <= 3 {
        (1..=count).collect()
    } else {
        vec![1, count / 2, count]
    }
}

#[test]
fn killed_at_each_call() {
    if need("strace").is_none() {
        return;
    }
    let ward = Ward::new();
    for (call, count) in ward.calls() {
        if !full_sweep() && !CHANGING.contains(&call.as_str()) {
            continue;
        }
        for number in sample(count) {
            let inject = format!("inject={call}:signal=KILL:when={number}");
            ward.run(
                &[
                    "-o",
                    "/dev/null",
                    "-e",
                    &format!("trace={call}"),
                    "-e",
                    &inject,
                ],
                &["restart"],
            );
            ward.must_be_well(&inject);
        }
    }
}

#[test]
fn failed_at_each_call() {
    if need("strace").is_none() {
        return;
    }
    let ward = Ward::new();
    let calls = ward.calls();
    for (call, error) in FAILING {
        for number in sample(calls.get(call).copied().unwrap_or(0)) {
            let inject = format!("inject={call}:error={error}:when={number}");
            let done = ward.run(
                &[
                    "-o",
                    "/dev/null",
                    "-e",
                    &format!("trace={call}"),
                    "-e",
                    &inject,
                ],
                &["restart"],
            );
            let code = done.status.code();
            // 1 and 127 are the loader's, when it cannot open a library.
            assert!(
                matches!(code, Some(0 | 1 | 2 | 3 | 75 | 127)),
                "{inject}: {done:?}"
            );
            ward.must_be_well(&inject);
        }
    }
}
