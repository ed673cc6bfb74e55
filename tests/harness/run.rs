//! One of the seven programs, run as a user runs it, and fluent checks of what came of it.

use crate::schema;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The directory of this workspace's programs, as built.
pub fn tools() -> PathBuf {
    let exe = std::env::current_exe().expect("the test's own path");
    exe.ancestors()
        .find(|p| p.join("deps").is_dir())
        .expect("a target directory")
        .to_path_buf()
}

/// The path of a program of this workspace, as built.
pub fn bin(name: &str) -> PathBuf {
    let path = tools().join(name);
    assert!(
        path.is_file(),
        "{} is not built: `make build`, or `cargo build --workspace`",
        path.display()
    );
    path
}

/// A program of this workspace, about to be started as from a terminal: a shell that puts the tests
/// into the background, or nohup, has SIGINT, SIGQUIT or SIGHUP ignored in all they start, and a
/// program that ignores them cannot be tested for what they do.
pub fn program(name: &str) -> Command {
    from_a_terminal(Command::new(bin(name)))
}

/// Any other program, started likewise.
#[allow(unsafe_code)]
pub fn from_a_terminal(mut command: Command) -> Command {
    use nix::sys::signal::{SigHandler, Signal, signal};
    use std::os::unix::process::CommandExt;
    // SAFETY: signal(2) is async-signal-safe, and SIG_DFL installs no handler.
    unsafe {
        command.pre_exec(|| {
            for ending in [
                Signal::SIGINT,
                Signal::SIGQUIT,
                Signal::SIGHUP,
                Signal::SIGTERM,
            ] {
                signal(ending, SigHandler::SigDfl)?;
            }
            Ok(())
        });
    }
    command
}

/// One of the tools, about to be run.
pub fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_string(),
        command: program(name),
        input: None,
    }
}

/// Copies a program that will be executed. A process of its own writes the copy: while this process
/// has a file open for writing, a child that another thread forks has it open, too, and the file
/// cannot be executed (ETXTBSY).
pub fn copy_program(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("--").args([from, to]).status();
    assert!(
        done.is_ok_and(|status| status.success()),
        "cp {from:?} {to:?}"
    );
}

/// A copy of one of the tools in `dir`, for a user who may not enter the source tree (a clone below
/// /root).
pub fn tool_copied_to(dir: &Path, name: &str) -> Tool {
    let copy = dir.join(name);
    if !copy.exists() {
        copy_program(&bin(name), &copy);
    }
    Tool {
        name: name.to_string(),
        command: from_a_terminal(Command::new(copy)),
        input: None,
    }
}

/// A tool with its arguments.
#[derive(Debug)]
pub struct Tool {
    name: String,
    command: Command,
    input: Option<Vec<u8>>,
}

impl Tool {
    /// One argument.
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Tool {
        self.command.arg(word);
        self
    }

    /// More arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Tool {
        self.command.args(words);
        self
    }

    /// A variable.
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Tool {
        self.command.env(key, value);
        self
    }

    /// A variable less.
    pub fn env_remove(mut self, key: &str) -> Tool {
        self.command.env_remove(key);
        self
    }

    /// None of our environment.
    pub fn env_clear(mut self) -> Tool {
        self.command.env_clear();
        self
    }

    /// In this directory.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Tool {
        self.command.current_dir(dir);
        self
    }

    /// With this on standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Tool {
        self.input = Some(bytes.into());
        self
    }

    /// The command, for what these methods do not offer.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it to its end. Whatever JSON report it prints is checked against the tool's schema.
    pub fn run(mut self) -> Output {
        self.command.stdin(if self.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let shown = format!("{:?}", self.command);
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // A copy of a program cannot be executed while another thread's child, between fork and
        // exec, has the copy open for writing.
        let mut tries = 0;
        let mut child = loop {
            match self.command.spawn() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries < 200 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                started => break started.unwrap_or_else(|e| panic!("{shown}: {e}")),
            }
        };
        if let Some(input) = self.input.take() {
            let mut pipe = child.stdin.take().expect("a pipe");
            std::thread::spawn(move || pipe.write_all(&input));
        }
        let done = child.wait_with_output().expect("its end");
        let output = Output {
            shown,
            status: done.status,
            stdout: done.stdout,
            stderr: done.stderr,
        };
        if let Some(report) = output.report() {
            schema::check(&self.name, &report, &output.shown);
        }
        output
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Output {
    shown: String,
    status: std::process::ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// What any other command line came to, `shown` in the messages.
    pub fn of(shown: String, done: std::process::Output) -> Output {
        Output {
            shown,
            status: done.status,
            stdout: done.stdout,
            stderr: done.stderr,
        }
    }

    /// The exit code, 128+N for signal N.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.status
            .code()
            .unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Output {
        assert_eq!(
            self.code(),
            code,
            "{}\nstdout: {}\nstderr: {}",
            self.shown,
            self.out(),
            self.err()
        );
        self
    }

    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Fails the test unless standard error has this in it.
    #[track_caller]
    pub fn expect_err(self, part: &str) -> Output {
        assert!(
            self.err().contains(part),
            "{}\nstandard error lacks {part:?}: {}",
            self.shown,
            self.err()
        );
        self
    }

    /// Fails the test unless standard output is empty.
    #[track_caller]
    pub fn expect_silence(self) -> Output {
        assert!(
            self.stdout.is_empty(),
            "{}\nstdout: {}",
            self.shown,
            self.out()
        );
        self
    }

    /// Fails the test unless the report is the envelope alone, with the error: the run could not
    /// begin. `key` is one of the tool's own.
    #[track_caller]
    pub fn expect_no_body(self, key: &str) -> Output {
        let report = self.json();
        assert!(
            report["error"]["message"].is_string() && report.get(key).is_none(),
            "{}\n{report}",
            self.shown
        );
        self
    }

    /// The report; fails the test where standard output is anything else than exactly one JSON
    /// object on one line.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = self.out();
        assert!(
            text.ends_with('\n') && text.lines().count() == 1,
            "{}\nnot one line: {text:?}\nstderr: {}",
            self.shown,
            self.err()
        );
        let value: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}\n{e}: {text}", self.shown));
        assert_eq!(
            value["rc"],
            self.code(),
            "{}: rc is not the exit status: {text}",
            self.shown
        );
        value
    }

    fn report(&self) -> Option<Value> {
        let text = std::str::from_utf8(&self.stdout).ok()?;
        let value: Value = serde_json::from_str(text).ok()?;
        // A report of any kind, an incomplete envelope among them.
        ["schema", "tool", "rc", "failed"]
            .iter()
            .any(|key| value.get(key).is_some())
            .then_some(value)
    }
}

/// Words as an argument vector.
pub fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}
