//! One error type: a kind (which decides the exit code), a message that names the thing and its
//! value, and a hint that says what to type next.

use crate::exit::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// A result with the house's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for programs to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The command line is wrong (exit status 2).
    Usage,
    /// An input file is wrong (exit status 2).
    Input,
    /// The tool tried and failed (exit status 3).
    Failed,
    /// A file, user or program that has to exist does not exist (exit status 3).
    NotFound,
    /// The system refused the access (exit status 3).
    Permission,
    /// Reading or writing failed (exit status 3).
    Io,
    /// The tool could not find out (exit status 3).
    Unknown,
    /// Another process holds the lock (exit status 75).
    Locked,
    /// A server does not answer (exit status 75).
    Unreachable,
    /// The deadline passed (exit status 75).
    Deadline,
    /// COMMAND exists but could not be executed (exit status 126).
    CommandNotExecutable,
    /// COMMAND does not exist (exit status 127).
    CommandNotFound,
}

impl Kind {
    /// The exit code that an error of this kind ends a tool with.
    pub const fn exit(self) -> Exit {
        match self {
            Kind::Usage | Kind::Input => Exit::Usage,
            Kind::Failed | Kind::NotFound | Kind::Permission | Kind::Io | Kind::Unknown => {
                Exit::Failed
            }
            Kind::Locked | Kind::Unreachable | Kind::Deadline => Exit::Retry,
            Kind::CommandNotExecutable => Exit::NotExecutable,
            Kind::CommandNotFound => Exit::NotFound,
        }
    }
}

/// An error as reports and terminals show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Error {
    /// The kind of error.
    pub kind: Kind,
    /// The thing that is wrong and what is wrong with that thing.
    pub message: String,
    /// What to do or type next, or null.
    pub hint: Option<String>,
}

impl Error {
    /// An error of any kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// The command line is wrong (exit 2).
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// An input file is wrong (exit 2).
    pub fn input(message: impl Into<String>) -> Error {
        Error::new(Kind::Input, message)
    }

    /// It was tried and failed (exit 3).
    pub fn failed(message: impl Into<String>) -> Error {
        Error::new(Kind::Failed, message)
    }

    /// A lock is held (exit 75).
    pub fn locked(message: impl Into<String>) -> Error {
        Error::new(Kind::Locked, message)
    }

    /// A server does not answer (exit 75).
    pub fn unreachable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unreachable, message)
    }

    /// The time was up (exit 75).
    pub fn deadline(message: impl Into<String>) -> Error {
        Error::new(Kind::Deadline, message)
    }

    /// What an operating system call said of `what` (exit 3): `cannot open /etc/x: Permission
    /// denied`. A host that is short of descriptors or memory says nothing about `what`: the kind
    /// is [`Kind::Unknown`].
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            io::ErrorKind::PermissionDenied => Kind::Permission,
            _ if is_shortage(error) => {
                return Error::new(Kind::Unknown, format!("{what}: {}", plain(error)))
                    .hint(SHORTAGE);
            }
            _ => Kind::Io,
        };
        Error::new(kind, format!("{what}: {}", plain(error)))
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// The same error of a thing that goes by another name here: of an option's key in place of the
    /// option.
    #[must_use]
    pub fn about(mut self, name: &str, here: &str) -> Error {
        if let Some(rest) = self.message.strip_prefix(name) {
            self.message = format!("{here}{rest}");
        }
        self
    }

    /// The whole of it in one line: the message, and what to do.
    pub fn whole(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} ({hint})", self.message),
            None => self.message.clone(),
        }
    }

    /// The exit code it ends a tool with.
    pub const fn exit(&self) -> Exit {
        self.kind.exit()
    }
}

/// What to do about a shortage.
pub const SHORTAGE: &str =
    "raise the limits on processes, memory and open files (ulimit -u, -v, -n)";

/// Whether the system was short of processes, memory or descriptors: nothing is known about the
/// thing then.
pub fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        number,
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE)
    )
}

/// The system's words without Rust's ` (os error 2)`.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_string(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<nix::errno::Errno> for Error {
    fn from(errno: nix::errno::Errno) -> Error {
        Error::new(Kind::Io, errno.desc())
    }
}
