//! Why an environment could not be read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure to read an environment, naming the path.
#[derive(Debug)]
pub struct Error {
    /// The file or directory that could not be read.
    pub path: PathBuf,
    /// What is wrong with it, in words that follow the path: "no such directory".
    pub what: String,
    /// The system's own error, where there was one.
    pub source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(path: &Path, what: impl Into<String>) -> Self {
        Error {
            path: path.to_path_buf(),
            what: what.into(),
            source: None,
        }
    }

    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let what = match source.kind() {
            io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => source.to_string(),
        };
        Error {
            path: path.to_path_buf(),
            what,
            source: Some(source),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
