//! Configuration readers that two tools need.
//!
//! A reader here imitates one program's own reading of its own files, and says for each value which
//! file and line it came from. It only ever reads: no reader runs the program, follows a
//! configuration into code, or opens anything but regular files.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod configparser;
pub mod files;
pub mod format;
pub mod nginx;
pub mod pattern;
pub mod shlex;
pub mod supervisor;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a value stands: a file and a line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The file, as the program that reads it would name it.
    pub file: Arc<Path>,
    /// The line; 0 when the whole file is meant.
    pub line: usize,
}

impl Source {
    /// A place in a file.
    #[must_use]
    pub fn new(file: &Arc<Path>, line: usize) -> Self {
        Self {
            file: Arc::clone(file),
            line,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}", self.file.display()),
            line => write!(out, "{}:{line}", self.file.display()),
        }
    }
}

/// What sort of thing went wrong, for those who must tell one from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such file.
    Missing,
    /// It is there, but may not be read, or is no regular file.
    Unreadable,
    /// It is larger than [`files::LIMIT`].
    TooLarge,
    /// A file includes itself, or includes go too deep, or there are too many.
    Loop,
    /// It is read, and makes no sense.
    Syntax,
    /// A name in it has no value here.
    Unresolved,
}

/// One thing that could not be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What sort of trouble.
    pub kind: Kind,
    /// The file it is in, or that could not be read.
    pub file: PathBuf,
    /// The line; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong, naming the value.
    pub message: String,
}

impl Error {
    /// An error about a file or a line of it.
    #[must_use]
    pub fn new(kind: Kind, file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self {
            kind,
            file: file.to_path_buf(),
            line,
            message: message.into(),
        }
    }

    /// The same, at a [`Source`].
    #[must_use]
    pub fn at(kind: Kind, source: &Source, message: impl Into<String>) -> Self {
        Self::new(kind, &source.file, source.line, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.file.display(), self.message),
            line => write!(out, "{}:{line}: {}", self.file.display(), self.message),
        }
    }
}

impl std::error::Error for Error {}
