//! Failed connections, in four kinds that need different answers.

use std::fmt;

/// What sort of failure it is; each has its own exit code in the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The connection string, the service or a file it names is wrong: nothing was contacted.
    Settings,
    /// No server answered, or it said that it is starting up or shutting down: try again.
    Unreachable,
    /// Time ran out.
    Deadline,
    /// A server answered and said no, or its certificate is not trusted.
    Refused,
}

/// A failed connection: the attempts, their results, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Which of the four sorts.
    pub kind: Kind,
    /// Every attempt and its outcome, joined by `; `. Never holds a password.
    pub message: String,
    /// What to type or look at next.
    pub hint: Option<String>,
    /// The server's SQLSTATE, if a server answered.
    pub sqlstate: Option<String>,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            sqlstate: None,
        }
    }

    pub(crate) fn settings(message: impl Into<String>) -> Self {
        Self::new(Kind::Settings, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
