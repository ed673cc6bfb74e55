//! Other programs, run by their argument vector and never through a shell of ours: in a process group of their own, with a deadline that
//! ends the whole group, an environment that is known, and an output that cannot fill the memory. [`Run`] captures what a program says;
//! [`Foreground`] is for the COMMAND that a user put after `--`.

mod captured;
mod foreground;
mod identity;

pub use captured::{Finished, Run};
pub use foreground::{Foreground, Outcome};
pub use identity::{Identity, own_session};

use crate::error::{Error, Kind};
use rustix::process::{Pid, Signal as Kill};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

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
pub(crate) fn not_started(program: &OsStr, error: &std::io::Error) -> Error {
    let shown = crate::terminal::escape_bytes(program.as_encoded_bytes());
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => Kind::CommandNotFound,
        _ => Kind::CommandNotExecutable,
    };
    Error::new(kind, format!("cannot run {shown}: {}", crate::error::plain(error)))
}

/// Sends a signal to a whole process group; nobody left in it is no error.
pub fn signal_group(leader: u32, signal: Kill) {
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}
