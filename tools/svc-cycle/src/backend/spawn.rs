//! Starting a program that outlives us: an init script, a command that daemonizes, or the daemon itself.
//!
//! The new process gets a session of its own, standard input from /dev/null, and a memory file for its output: never
//! a pipe, because a daemon inherits it and whoever reads until the end waits for ever. When the command has ended
//! the memory file is sealed against growing, so a daemon that keeps it can't fill the memory: its writes fail, and
//! no SIGPIPE ends it. What the command says is only for the report; its exit code is only a hint.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::Process;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::process::Signal;

use crate::service::Service;
use crate::state::Done;

/// The most of a command's output that is kept, in bytes.
const KEPT: u64 = 4 << 10;

/// A program about to be started.
#[derive(Debug)]
pub struct Launch {
    name: String,
    argv: Vec<String>,
    directory: PathBuf,
    environment: Environment,
    log: Option<PathBuf>,
}

/// What the program finds in its environment.
#[derive(Debug)]
enum Environment {
    /// Ours, and these.
    With(BTreeMap<String, String>),
    /// These alone.
    Only(Vec<(String, String)>),
}

impl Launch {
    /// The start command of a set file, in the set's directory or the one it names.
    #[must_use]
    pub fn of(service: &Service, argv: &[String]) -> Self {
        let directory = service.spec.directory.as_ref().map_or_else(
            || service.directory.clone(),
            |directory| service.path(directory),
        );
        Self {
            name: service.name.clone(),
            argv: argv.to_vec(),
            directory,
            environment: Environment::With(service.spec.environment.clone()),
            log: service.spec.log.as_ref().map(|log| service.path(log)),
        }
    }

    /// A command with exactly this environment, in this directory.
    #[must_use]
    pub fn clean(
        name: &str,
        argv: &[String],
        directory: &str,
        environment: Vec<(String, String)>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            argv: argv.to_vec(),
            directory: directory.into(),
            environment: Environment::Only(environment),
            log: None,
        }
    }

    fn spawn(&self) -> Result<(Child, Output)> {
        let (program, arguments) = self
            .argv
            .split_first()
            .ok_or_else(|| Error::input(format!("{}: the command is empty", self.name)))?;
        let output = Output::new(self.log.as_ref())?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command.stdout(output.stream()?).stderr(output.stream()?);
        match &self.environment {
            Environment::With(more) => command.envs(more),
            Environment::Only(these) => command
                .env_clear()
                .envs(these.iter().map(|(name, value)| (name, value))),
        };
        base::child::own_session(&mut command);
        let child = command
            .spawn()
            .map_err(|error| Error::io(format!("{}: cannot run {program}", self.name), &error))?;
        Ok((child, output))
    }

    /// Starts a command that is to come back, and waits for it. A failure is a warning: what counts is what runs afterwards.
    ///
    /// # Errors
    /// It can't be started, or hasn't come back at the deadline.
    pub fn and_wait(&self, deadline: Deadline) -> Result<Done> {
        let (mut child, output) = self.spawn()?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        if let Ok(process) = Process::open(pid) {
            let left = deadline.left().unwrap_or(Duration::from_secs(3600));
            if !process.wait(left).unwrap_or(false) {
                base::child::signal_group(child.id(), Signal::KILL);
                let _ = child.wait();
                return Err(Error::failed(format!(
                    "{}: {} has not come back",
                    self.name,
                    self.argv.join(" ")
                ))
                .hint(output.last_line()));
            }
        }
        let status = child.wait().map_err(|error| {
            Error::io(format!("{}: {}", self.name, self.argv.join(" ")), &error)
        })?;
        output.seal();
        let mut done = Done::default();
        if !status.success() {
            let words = output.last_line();
            done.warnings.push(format!(
                "{}: {} said {status}{}{words}",
                self.name,
                self.argv.join(" "),
                if words.is_empty() { "" } else { ": " }
            ));
        }
        Ok(done)
    }

    /// Starts a program that is the service itself; it is left to run.
    ///
    /// # Errors
    /// It can't be started.
    pub fn and_leave(&self) -> Result<i32> {
        let (child, output) = self.spawn()?;
        output.seal_later();
        // Collected by init once we are gone; until then a zombie counts as ended everywhere here.
        i32::try_from(child.id()).map_err(|_| Error::failed("a process has no pid"))
    }
}

/// Where a started program writes.
enum Output {
    Memory(File),
    Log(File),
    Nowhere,
}

impl Output {
    fn new(log: Option<&PathBuf>) -> Result<Self> {
        if let Some(path) = log {
            let file = File::options().append(true).create(true).open(path);
            return file
                .map(Self::Log)
                .map_err(|error| Error::io(path.display(), &error));
        }
        // Without memory files (a kernel of before 3.17) the words are lost, not the start.
        Ok(
            memfd_create("output", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
                .map_or(Self::Nowhere, |fd| Self::Memory(File::from(fd))),
        )
    }

    fn stream(&self) -> Result<Stdio> {
        match self {
            Self::Memory(file) | Self::Log(file) => file
                .try_clone()
                .map(Stdio::from)
                .map_err(|error| Error::io("cannot give the command its output", &error)),
            Self::Nowhere => Ok(Stdio::null()),
        }
    }

    fn seal(&self) {
        if let Self::Memory(file) = self {
            let _ = fcntl_add_seals(file, SealFlags::GROW | SealFlags::SHRINK);
        }
    }

    /// A daemon started directly writes to nowhere unless it has a log: what it says in its first moments isn't waited for.
    fn seal_later(&self) {
        self.seal();
    }

    fn last_line(&self) -> String {
        let Self::Memory(file) = self else {
            return String::new();
        };
        let mut text = Vec::new();
        let Ok(mut file) = file.try_clone() else {
            return String::new();
        };
        let from = file
            .metadata()
            .map_or(0, |meta| meta.len().saturating_sub(KEPT));
        if file.seek(std::io::SeekFrom::Start(from)).is_err()
            || file.take(KEPT).read_to_end(&mut text).is_err()
        {
            return String::new();
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or_default()
            .to_owned()
    }
}

/// A signal by its name, with or without SIG.
///
/// # Errors
/// Usage: there is no such signal that a service is told to stop or reload with.
pub fn signal_named(name: &str) -> Result<Signal> {
    match name.trim_start_matches("SIG") {
        "TERM" => Ok(Signal::TERM),
        "INT" => Ok(Signal::INT),
        "QUIT" => Ok(Signal::QUIT),
        "HUP" => Ok(Signal::HUP),
        "USR1" => Ok(Signal::USR1),
        "USR2" => Ok(Signal::USR2),
        "WINCH" => Ok(Signal::WINCH),
        "KILL" => Ok(Signal::KILL),
        _ => Err(
            Error::usage(format!("{name:?} is not a signal that services know"))
                .hint("TERM, INT, QUIT, HUP, USR1, USR2, WINCH or KILL"),
        ),
    }
}
