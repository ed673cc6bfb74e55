//! Starting a program that outlives us: an init script, a command that daemonizes, or the daemon
//! itself.
//!
//! The new process gets a session of its own and standard input from /dev/null. Its output goes to
//! its log; without one, that of the daemon itself goes to /dev/null, and that of a command which
//! comes back to a memory file: never to a pipe, because a daemon inherits it and whoever reads
//! until the end waits for ever. When the command has ended the memory file is sealed against
//! growing, so a daemon that keeps it cannot fill the memory. What the command says is only for the
//! report; its exit code is only a hint.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base::child::Identity as User;
use base::clock::Deadline;
use base::trust::Trust;
use base::{Error, Kind, Result};
use proc::Process;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::process::Signal;

use crate::service::Service;
use crate::state::{Done, Remarks};

/// The most of a command's output that is kept, in bytes.
const KEPT: u64 = 4 << 10;

/// A program about to be started.
#[derive(Debug)]
pub struct Launch {
    name: String,
    argv: Vec<String>,
    directory: PathBuf,
    environment: Environment,
    log: Option<Log>,
    user: Result<Option<User>>,
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
            log: service.spec.log.as_ref().map(|log| Log {
                path: service.path(log),
                owner: service.rights(),
            }),
            user: service.runs_as(),
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
            user: Ok(None),
        }
    }

    fn spawn(&self, comes_back: bool) -> Result<(Child, Output)> {
        let (program, arguments) = self
            .argv
            .split_first()
            .ok_or_else(|| Error::input(format!("{}: the command is empty", self.name)))?;
        let user = self.user.clone()?.filter(|user| !user.is_current());
        let output = Output::new(self.log.as_ref(), user.as_ref(), comes_back)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        match &user {
            Some(user) => user.isolate(&mut command, Some(&self.directory))?,
            None => {
                command.current_dir(&self.directory);
                base::child::own_session(&mut command);
            }
        }
        command.stdout(output.stream()?).stderr(output.stream()?);
        match &self.environment {
            Environment::With(more) => command.envs(more),
            Environment::Only(these) => command
                .env_clear()
                .envs(these.iter().map(|(name, value)| (name, value))),
        };
        // A fork that fails for want of processes or memory is tried again: a service may be down
        // meanwhile.
        let child = base::child::spawn(&mut command, Deadline::NEVER)
            .map_err(|error| Error::io(format!("{}: cannot run {program}", self.name), &error))?;
        Ok((child, output))
    }

    /// Starts a command that is to come back, and waits for it. A failure is a warning: what counts
    /// is what runs afterwards.
    ///
    /// # Errors
    /// It cannot be started, or has not come back at the deadline.
    pub fn and_wait(&self, deadline: Deadline) -> Result<Done> {
        let (mut child, output) = self.spawn(true)?;
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
    /// It cannot be started.
    pub fn and_leave(&self) -> Result<i32> {
        let (child, _) = self.spawn(false)?;
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
    fn new(log: Option<&Log>, user: Option<&User>, comes_back: bool) -> Result<Self> {
        if let Some(log) = log {
            return log.open(user).map(Self::Log);
        }
        if !comes_back {
            return Ok(Self::Nowhere);
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

/// A log to append to. Whoever can change the path decides where it leads, so nothing of root's may
/// be reached that way: no link is followed at its end, a FIFO is not waited for, a file with a
/// second name is refused. With whose rights the log is opened, or made: those of the user who can
/// change the set file, else those of the user who can change the log's directory, else the
/// caller's.
#[derive(Debug, Clone)]
struct Log {
    path: PathBuf,
    /// Who can change the set file, where that is not the caller.
    owner: Option<User>,
}

impl Log {
    fn refused(&self, why: &str) -> Error {
        Error::new(Kind::Permission, format!("{}: {why}", self.path.display()))
    }

    fn named(&self, errno: rustix::io::Errno) -> Error {
        Error::io(self.path.display(), &errno.into())
    }

    /// The directory, the name in the directory, and with whose rights the log is opened there
    /// where not with the caller's.
    fn place(&self) -> Result<(Trust, OsString, Option<User>)> {
        let (dir, name) = base::trust::inspect_parent(&self.path)?;
        let other = match &self.owner {
            Some(owner) => Some(owner.clone()),
            None => dir.executor()?,
        };
        Ok((dir, name, other))
    }

    /// What is known before the start: whether what stands there can be a log.
    fn judge(&self) -> Result<()> {
        let (dir, name, _) = self.place()?;
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        match rustix::fs::statat(&dir, &name, flags) {
            Ok(stat) => self.fits(&stat),
            Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.named(errno)),
        }
    }

    fn fits(&self, stat: &rustix::fs::Stat) -> Result<()> {
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => {}
            rustix::fs::FileType::Symlink => {
                return Err(self.refused("the log is a symbolic link"));
            }
            _ => return Err(self.refused("the log is not a regular file")),
        }
        if stat.st_nlink > 1 {
            return Err(self.refused("the log has a second name (hard link)"));
        }
        Ok(())
    }

    fn open(&self, user: Option<&User>) -> Result<File> {
        let (dir, name, other) = self.place()?;
        let open = |flags: OFlags| {
            let flags = flags
                | OFlags::WRONLY
                | OFlags::APPEND
                | OFlags::NOFOLLOW
                | OFlags::NONBLOCK
                | OFlags::NOCTTY
                | OFlags::CLOEXEC;
            rustix::fs::openat(&dir, &name, flags, Mode::from_raw_mode(0o640))
        };
        let make = || open(OFlags::CREATE | OFlags::EXCL);
        let made = match &other {
            Some(other) => base::trust::with_rights_of(other, make)?,
            None => make(),
        };
        let opened = match (made, &other) {
            // Made just now, for a service of another user: that user's own.
            (Ok(fd), None) => self.give(&fd, user).map(|()| Ok(fd))?,
            (Ok(fd), Some(_)) => Ok(fd),
            (Err(rustix::io::Errno::EXIST), Some(other)) => {
                match base::trust::with_rights_of(other, || open(OFlags::empty()))? {
                    // A file that root made in that directory: it is where its name says.
                    Err(rustix::io::Errno::ACCESS) if self.owner.is_none() => open(OFlags::empty()),
                    other => other,
                }
            }
            (Err(rustix::io::Errno::EXIST), None) => open(OFlags::empty()),
            (Err(errno), _) => Err(errno),
        };
        let fd = opened.map_err(|errno| match errno {
            rustix::io::Errno::LOOP => self.refused("the log is a symbolic link"),
            rustix::io::Errno::NXIO => self.refused("the log is a FIFO that nobody reads"),
            _ => self.named(errno),
        })?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| self.named(errno))?;
        self.fits(&stat)?;
        // In /tmp anybody could have put a log there before.
        let me = rustix::process::geteuid().as_raw();
        let known = [0, me, user.map_or(me, |user| user.uid)];
        if dir.is_shared() && !known.contains(&stat.st_uid) {
            let uid = stat.st_uid;
            return Err(self.refused(&format!("the log belongs to uid {uid}")));
        }
        Ok(File::from(fd))
    }

    fn give(&self, fd: &OwnedFd, user: Option<&User>) -> Result<()> {
        let Some(user) = user else {
            return Ok(());
        };
        let (uid, gid) = (
            rustix::fs::Uid::from_raw(user.uid),
            rustix::fs::Gid::from_raw(user.gid),
        );
        rustix::fs::fchown(fd, Some(uid), Some(gid)).map_err(|errno| self.named(errno))
    }
}

/// What a person should know before a service is stopped that is started here: what the start would
/// fail with, and what root would run that another user can change.
///
/// # Errors
/// Permission: the log cannot be opened as a log may be.
pub fn allowed(service: &Service) -> Result<Remarks> {
    let log = service.spec.log.as_ref().map(|log| Log {
        path: service.path(log),
        owner: service.rights(),
    });
    log.map_or(Ok(()), |log| log.judge())?;
    let mut remarks = Remarks::default();
    if rustix::process::geteuid().is_root() && service.runs_as()?.is_none_or(|user| user.uid == 0) {
        let commands = [&service.spec.start, &service.spec.preflight];
        for program in commands
            .into_iter()
            .flatten()
            .filter_map(|argv| argv.first())
        {
            let judged = match program.contains('/') {
                true => base::trust::inspect(&service.path(Path::new(program))).ok(),
                false => None,
            };
            let Some(owner) = judged.map(|trust| trust.owner) else {
                continue;
            };
            if owner != base::trust::Owner::Root {
                remarks.warnings.push(format!(
                    "{}: root runs {program}, and {owner} can change that file; user = NAME in the set runs the file as that user",
                    service.name
                ));
            }
        }
    }
    remarks.warnings.dedup();
    Ok(remarks)
}

/// The last lines of the log that the set names.
#[must_use]
pub fn log_of(service: &Service) -> Vec<String> {
    let Some(log) = service.spec.log.as_ref().map(|log| service.path(log)) else {
        return Vec::new();
    };
    let opened = match service.rights() {
        Some(_) => service.with_rights(|| base::trust::open_regular(&log)),
        None => base::trust::open_with_its_rights(&log),
    };
    let Ok((mut file, _)) = opened else {
        return Vec::new();
    };
    let from = file
        .metadata()
        .map_or(0, |meta| meta.len().saturating_sub(KEPT));
    let mut text = Vec::new();
    if file.seek(std::io::SeekFrom::Start(from)).is_err()
        || file.take(KEPT).read_to_end(&mut text).is_err()
    {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(10)..];
    last.iter().map(|line| (*line).to_owned()).collect()
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
            Error::usage(format!("'{name}' is not a signal that services know"))
                .hint("give one of TERM, INT, QUIT, HUP, USR1, USR2, WINCH, KILL"),
        ),
    }
}
