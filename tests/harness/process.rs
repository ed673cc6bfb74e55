//! A server of the test's own: ended by its pid, with all it started, when it is dropped.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

/// A program in a process namespace of its own (and others, by options of unshare(1)), which ends
/// with all that runs there when the thread that starts it does, even if the test is killed. For
/// servers whose children outlive them. Needs root.
pub fn contained(options: &[&str], program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
        ])
        .args(options)
        .arg("--")
        .arg(program);
    command
}

/// The pid of the first process in the namespace of a server started by [`contained`].
pub fn first_contained(server: &Server) -> i32 {
    let pid = server.pid();
    let began = Instant::now();
    loop {
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        if let Some(child) = children
            .split_ascii_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
        {
            return child;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "nothing was started: {}",
            server.said()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

impl Server {
    /// Starts it in a process group of its own, with both output streams in `log`.
    pub fn start(command: &mut Command, log: &Path) -> Server {
        let file = std::fs::File::create(log).expect("a log file");
        let again = file.try_clone().expect("a log file");
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            .spawn();
        let child = child.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        Server {
            child,
            log: log.to_path_buf(),
        }
    }

    /// Its pid, which is its process group's, too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal by number.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid().try_into().expect("a pid"));
        let _ = nix::sys::signal::kill(pid, signal);
    }

    /// Ends it: TERM to the group, KILL after 5 s.
    pub fn stop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.pid().try_into().expect("a pid"));
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGTERM);
        let began = Instant::now();
        while self.runs() && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
