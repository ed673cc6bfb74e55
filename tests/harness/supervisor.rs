//! A real supervisord in a temporary directory, spoken to over its unix socket, ended by its pid.
//!
//!     let supervisor = Supervisor::start("[program:web]\ncommand = /bin/sleep 600\n");
//!     supervisor.ctl(&["status"]);
//!
//! `%(here)s` in the programs is the directory, as supervisord itself has it; logs go there too.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Whether the server is there; where it is not the test fails, unless SKIP_SERVERS=1 allows it to
/// be left out.
pub fn available() -> bool {
    crate::need("supervisord").is_some()
}

/// A running supervisord; dropping it ends it and everything it started.
#[derive(Debug)]
pub struct Supervisor {
    dir: TempDir,
    daemon: Child,
}

impl Supervisor {
    /// Starts one with these `[program:…]`, `[group:…]` or other sections, and waits until it
    /// answers.
    ///
    /// # Panics
    /// It does not answer within 20 s; its log is shown.
    pub fn start(sections: &str) -> Self {
        Self::start_in(TempDir::new().expect("a temporary directory"), sections)
    }

    /// The same in a directory that the test has prepared (applications, scripts).
    ///
    /// # Panics
    /// As [`Supervisor::start`].
    pub fn start_in(dir: TempDir, sections: &str) -> Self {
        let text = format!(
            "[unix_http_server]\nfile = %(here)s/supervisor.sock\n\n\
             [supervisord]\nlogfile = %(here)s/supervisord.log\npidfile = %(here)s/supervisord.pid\nchildlogdir = %(here)s\n{user}\n\
             [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\n\
             [supervisorctl]\nserverurl = unix://%(here)s/supervisor.sock\n\n{sections}",
            user = if nix::unistd::geteuid().is_root() {
                "user = root\n"
            } else {
                ""
            },
        );
        fs::write(dir.path().join("supervisor.conf"), text).expect("write supervisor.conf");
        let daemon = launch(dir.path());
        let supervisor = Self { dir, daemon };
        supervisor.wait_until_up();
        supervisor
    }

    /// The temporary directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("supervisor.conf")
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("supervisor.sock")
    }

    /// Its own pid.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.daemon.id()).expect("a pid")
    }

    /// The real client with these arguments.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        Command::new("/usr/bin/supervisorctl")
            .arg("-c")
            .arg(self.config())
            .args(arguments)
            .output()
            .expect("run supervisorctl")
    }

    /// The pid the real client gives for a process; None when it does not run.
    pub fn pid_of(&self, process: &str) -> Option<i32> {
        let output = self.ctl(&["pid", process]);
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .ok()
            .filter(|pid| *pid > 0)
    }

    /// The state by the real client: `RUNNING`, `STOPPED`, …
    pub fn state_of(&self, process: &str) -> String {
        let output = self.ctl(&["status", process]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_ascii_whitespace()
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until each of these runs.
    ///
    /// # Panics
    /// One does not within 30 s.
    pub fn wait_running(&self, processes: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        for process in processes {
            while self.state_of(process) != "RUNNING" {
                assert!(
                    Instant::now() < deadline,
                    "{process} never ran:\n{}\n{}",
                    self.show(),
                    self.log()
                );
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Kills supervisord itself, as a crash would: what it started lives on as orphans.
    ///
    /// # Panics
    /// It cannot be killed.
    pub fn crash(&mut self) {
        self.daemon.kill().expect("kill supervisord");
        self.daemon.wait().expect("collect supervisord");
    }

    /// Starts supervisord again after a [`Supervisor::crash`].
    ///
    /// # Panics
    /// As [`Supervisor::start`].
    pub fn start_again(&mut self) {
        self.daemon = launch(self.dir.path());
        self.wait_until_up();
    }

    /// Its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("supervisord.log")).unwrap_or_default()
    }

    fn show(&self) -> String {
        String::from_utf8_lossy(&self.ctl(&["status"]).stdout).into_owned()
    }

    fn wait_until_up(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(self.socket()).is_err() {
            assert!(
                Instant::now() < deadline,
                "supervisord does not answer:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn launch(dir: &Path) -> Child {
    Command::new("/usr/bin/supervisord")
        .arg("--nodaemon")
        .arg("--configuration")
        .arg(dir.join("supervisor.conf"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("start supervisord")
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.pid());
        let children = descendants(self.pid());
        let _ = kill(pid, Signal::SIGTERM);
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if matches!(self.daemon.try_wait(), Ok(Some(_)) | Err(_)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        // What outlived it (a test may have crashed supervisord, or made a process that ignores
        // TERM) is ended too, if it is still that one.
        for (child, start) in children.into_iter().chain(orphans(self.dir.path())) {
            if start_of(child) == Some(start) {
                let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
            }
        }
    }
}

fn stat(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}

fn start_of(pid: i32) -> Option<u64> {
    stat(pid)?.get(19)?.parse().ok()
}

fn processes() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Every process below `root`, with its start time.
fn descendants(root: i32) -> Vec<(i32, u64)> {
    let all: Vec<(i32, i32, u64)> = processes()
        .into_iter()
        .filter_map(|pid| {
            let fields = stat(pid)?;
            Some((
                pid,
                fields.get(1)?.parse().ok()?,
                fields.get(19)?.parse().ok()?,
            ))
        })
        .collect();
    let mut found: Vec<(i32, u64)> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, of, start) in &all {
            if *of == parent && !found.contains(&(*pid, *start)) {
                found.push((*pid, *start));
                parents.push(*pid);
            }
        }
    }
    found
}

/// Processes that carry this supervisord's address in their environment: it gives it to whatever it
/// starts.
fn orphans(dir: &Path) -> Vec<(i32, u64)> {
    let mark = format!(
        "SUPERVISOR_SERVER_URL=unix://{}/supervisor.sock",
        dir.display()
    );
    processes()
        .into_iter()
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == mark.as_bytes())
            })
        })
        .filter_map(|pid| Some((pid, start_of(pid)?)))
        .collect()
}
