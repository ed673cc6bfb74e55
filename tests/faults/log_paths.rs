//! `--create-dirs` killed at each system call, and failed at each: what has the directory's name is
//! whole, and the next run mends.

use harness::{Output, TempDir, bin, full_sweep, scratch, tool};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

/// The calls that change something, and those between them.
const CALLS: &[&str] = &[
    "mkdirat",
    "openat",
    "fchown",
    "fchmod",
    "renameat2",
    "fsync",
    "fstat",
    "flock",
    "getrandom",
];

struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let dir = scratch();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let text = format!(
            "[supervisord]\nlogfile={}/a/b/s.log\nuser=www-data\n",
            dir.path().display()
        );
        fs::write(dir.path().join("supervisord.conf"), text).unwrap();
        Self { dir }
    }

    fn words(&self) -> Vec<String> {
        let conf = format!(
            "--conf=supervisor={}/supervisord.conf",
            self.dir.path().display()
        );
        vec!["--config-only".to_owned(), "--create-dirs".to_owned(), conf]
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("a/b")
    }

    fn run(&self) -> Output {
        tool("log-paths").args(self.words()).run()
    }

    /// The tool under strace, with this done to the n-th of these calls; did the call come at all?
    fn injected(&self, call: &str, what: &str, when: usize) -> std::process::Output {
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={call}:{what}:when={when}"),
        ]);
        command
            .arg(bin("log-paths"))
            .args(self.words())
            .output()
            .expect("strace (tests/setup.sh installs it)")
    }

    /// What has the name is whole, whatever happened.
    fn is_whole(&self, when: &str) {
        if let Ok(data) = fs::metadata(self.target()) {
            assert_eq!(data.mode() & 0o7777, 0o755, "{when}");
            if nix::unistd::geteuid().is_root() {
                assert_eq!((data.uid(), data.gid()), (33, 33), "{when}");
            }
        }
        if let Ok(data) = fs::metadata(self.dir.path().join("a")) {
            assert_eq!(
                (data.mode() & 0o7777, data.uid()),
                (0o755, nix::unistd::geteuid().as_raw()),
                "{when}"
            );
        }
    }

    /// The next run makes it so, and leaves nothing behind.
    fn mends(&self, when: &str) {
        self.run().expect_code(0);
        self.is_whole(when);
        assert!(self.target().is_dir(), "{when}");
        for dir in [
            self.dir.path().to_path_buf(),
            self.dir.path().join("a"),
            self.target(),
        ] {
            let stray: Vec<_> = fs::read_dir(&dir)
                .unwrap()
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'))
                .collect();
            assert!(stray.is_empty(), "{when}: {stray:?}");
        }
        assert_eq!(self.run().expect_code(0).json()["changed"], false, "{when}");
    }
}

#[test]
fn killed_at_each_call() {
    for call in CALLS {
        let mut killed = 0;
        // Most files are opened long before anything is made: the short form takes every sixth of
        // those.
        let step = if matches!(*call, "openat" | "fstat") && !full_sweep() {
            6
        } else {
            1
        };
        for when in (1..200).step_by(step) {
            let site = Site::new();
            let done = site.injected(call, "signal=KILL", when);
            let shown = format!("killed at {call} {when}");
            site.is_whole(&shown);
            // A report that was finished was no lie.
            if done.status.code() == Some(0) {
                assert!(site.target().is_dir(), "{shown}");
                break;
            }
            killed += 1;
            site.mends(&shown);
        }
        assert!(killed > 0 || *call == "fstat", "{call} never came");
    }
}

#[test]
fn failed_at_each_call() {
    for call in ["mkdirat", "fchown", "fchmod", "renameat2", "fsync"] {
        for error in ["EIO", "ENOSPC", "EACCES"] {
            for when in 1..20 {
                let site = Site::new();
                let done = site.injected(call, &format!("error={error}"), when);
                let shown = format!(
                    "{error} at {call} {when}: {}",
                    String::from_utf8_lossy(&done.stderr)
                );
                site.is_whole(&shown);
                if done.status.code() == Some(0) {
                    assert!(site.target().is_dir(), "{shown}");
                    break;
                }
                assert_eq!(done.status.code(), Some(3), "{shown}");
                assert!(!done.stderr.is_empty(), "{shown}");
                site.mends(&shown);
            }
        }
    }
}

/// Many at once: one makes it, nobody damages it.
#[test]
fn many_at_once() {
    let site = Site::new();
    let children: Vec<_> = (0..40)
        .map(|_| {
            Command::new(bin("log-paths"))
                .args(site.words())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        let code = child.wait().unwrap().code();
        // Whoever finds that another was quicker says so.
        assert!(matches!(code, Some(0 | 3)), "{code:?}");
    }
    site.is_whole("after all");
    site.mends("after all");
}
