//! Other programs, run by their argument vector and never through a shell of ours: in a process
//! group of their own, with a deadline that ends the whole group, an environment that is known, and
//! an output that cannot fill the memory. [`Run`] captures what a program says; [`Foreground`] is
//! for the COMMAND that a user put after `--`.

mod captured;
mod foreground;
mod identity;
mod streams;

pub use captured::{Finished, Run};
pub use foreground::{Foreground, Outcome};
pub use identity::{Identity, own_session};

use crate::clock::Deadline;
use crate::error::{Error, Kind};
use rustix::process::{Pid, Signal as Kill};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

impl Ending {
    /// From the system's status.
    pub fn of(status: ExitStatus) -> Ending {
        match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exit(code),
            (None, signal) => Ending::Signal(signal.unwrap_or(0)),
        }
    }

    /// Exit code 0.
    pub fn success(self) -> bool {
        self == Ending::Exit(0)
    }

    /// The code a shell would show: 128+N for a signal.
    pub fn shell_code(self) -> u8 {
        let code = match self {
            Ending::Exit(code) => code,
            Ending::Signal(signal) => 128 + signal,
        };
        u8::try_from(code & 0xff).unwrap_or(u8::MAX)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exit(code) => write!(f, "exit status {code}"),
            Ending::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "ended by {signal}"),
                Err(_) => write!(f, "ended by signal {number}"),
            },
        }
    }
}

/// Why a program could not be started, told apart as `env(1)` does: 127 not found, 126 found.
/// execvp(3) says EACCES, too, where a directory on PATH may not be searched and the program is in
/// none of the others: then it was not found.
pub(crate) fn not_started(program: &OsStr, error: &std::io::Error) -> Error {
    let shown = crate::terminal::escape_bytes(program.as_encoded_bytes());
    let by_name = !program.as_encoded_bytes().contains(&b'/');
    if is_shortage(error) {
        return Error::new(
            Kind::Unknown,
            format!("cannot run '{shown}': {}", crate::error::plain(error)),
        )
        .hint(crate::error::SHORTAGE);
    }
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied
            if by_name && !on_path(program) =>
        {
            Error::new(
                Kind::CommandNotFound,
                format!("cannot run {shown}: it is not on PATH"),
            )
        }
        std::io::ErrorKind::NotFound => Error::new(
            Kind::CommandNotFound,
            format!("cannot run {shown}: {}", crate::error::plain(error)),
        ),
        _ if is_about_the_file(error) => Error::new(
            Kind::CommandNotExecutable,
            format!("cannot run {shown}: {}", crate::error::plain(error)),
        ),
        _ => Error::io(format!("cannot run {shown}"), error),
    }
}

/// Whether execve(2) refused the file itself; any other error says nothing about the file.
fn is_about_the_file(error: &std::io::Error) -> bool {
    use nix::errno::Errno;
    let about = [
        Errno::EACCES,
        Errno::EPERM,
        Errno::ENOEXEC,
        Errno::EISDIR,
        Errno::ENOTDIR,
        Errno::ELOOP,
        Errno::ETXTBSY,
        Errno::E2BIG,
        Errno::ENAMETOOLONG,
        Errno::EINVAL,
        Errno::ELIBBAD,
    ];
    error
        .raw_os_error()
        .is_none_or(|number| about.contains(&Errno::from_raw(number)))
}

fn on_path(program: &OsStr) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// How long a fork that the system refuses for want of processes or memory is tried again.
const FORK_PATIENCE: Duration = Duration::from_secs(2);

/// Starts a command. Where the system has no process or memory to spare just now (`EAGAIN`,
/// `ENOMEM`), the start is tried again for two seconds, but not beyond the deadline. A thread that
/// has another user's rights ([`Identity::assumed`]) starts programs as that user.
///
/// # Errors
/// As [`std::process::Command::spawn`].
#[allow(clippy::disallowed_methods)] // the one place
pub fn spawn(command: &mut Command, deadline: Deadline) -> std::io::Result<Child> {
    if let Some(user) = Identity::assumed() {
        identity::at_least(command, &user);
    }
    let until = deadline.or_after(FORK_PATIENCE);
    let mut pause = Duration::from_millis(10);
    loop {
        match command.spawn() {
            Err(e) if is_shortage(&e) && !until.passed() => {
                std::thread::sleep(until.slice(pause));
                pause = (pause * 2).min(Duration::from_millis(250));
            }
            other => return other,
        }
    }
}

pub use crate::error::is_shortage;

/// Sends a signal to a whole process group; nobody left in it is no error.
pub fn signal_group(leader: u32, signal: Kill) {
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}
