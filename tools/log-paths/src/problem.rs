//! What may be wrong with a log, each with a code for programs and a message that says what to do.

use base::Fix;
use base::terminal::escape;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// The codes; what each means is in the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The directory does not exist.
    MissingDir,
    /// The service runs, and the file does not exist.
    MissingFile,
    /// Whoever opens the file may not write it.
    NotWritable,
    /// Whoever opens it again after a rotation may not.
    ReopenBlocked,
    /// It is written after it was deleted.
    DeletedOpen,
    /// It is written under another name.
    RenamedOpen,
    /// Another file has its name.
    PathReplaced,
    /// It has been open for long, and nothing was written.
    OpenedNeverWritten,
    /// Its name looks like a word that was meant otherwise.
    SuspectName,
    /// Nothing rotates it.
    NotRotated,
    /// Two rotate it.
    RotatedTwice,
    /// logrotate passes it over.
    RotationSkipped,
    /// logrotate ignores the configuration that names it.
    RotationConfigIgnored,
    /// logrotate refuses the stanza that names it.
    RotationRefused,
    /// After a rotation its writer writes the old file, or leaves a hole in the new one.
    RotationLosesLines,
    /// A stanza of logrotate's names it, and nothing runs logrotate.
    RotationNeverRuns,
    /// logrotate makes the new file for somebody else.
    CreateOwnerMismatch,
    /// Two services write it.
    SharedFile,
    /// It is a symbolic link.
    Symlink,
    /// It is a FIFO.
    Fifo,
    /// A variable in its path has no value.
    UnresolvedVariable,
    /// Its path is computed by code.
    DynamicConfig,
    /// A file includes itself.
    IncludeLoop,
    /// An included file is missing.
    IncludeMissing,
    /// A configuration is too large, or there are too many.
    ConfigTooLarge,
    /// A configuration could not be read.
    ConfigUnreadable,
    /// A configuration makes no sense.
    ConfigInvalid,
    /// The process has another file system.
    OtherNamespace,
    /// Everybody may write the directory.
    WorldWritableDir,
}

/// One problem of one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// What it is.
    pub code: Code,
    /// What is wrong, naming the thing.
    pub message: String,
    /// What to do.
    pub fix: Fix,
    /// How many bytes a deleted file holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Problem {
    /// A problem, and what to do about it.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, fix: Fix) -> Self {
        Self {
            code,
            message: message.into(),
            fix,
            bytes: None,
        }
    }

    /// With the space that is held.
    #[must_use]
    pub fn holding(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }
}

impl Code {
    /// The code as programs read it.
    #[must_use]
    pub fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// What an unreadable configuration is.
    #[must_use]
    pub fn of(error: &conf::Error) -> Self {
        match error.kind {
            conf::Kind::Missing => Self::IncludeMissing,
            conf::Kind::Unreadable => Self::ConfigUnreadable,
            conf::Kind::TooLarge => Self::ConfigTooLarge,
            conf::Kind::Loop => Self::IncludeLoop,
            conf::Kind::Syntax => Self::ConfigInvalid,
            conf::Kind::Unresolved => Self::UnresolvedVariable,
        }
    }

    /// What to do about a configuration.
    #[must_use]
    pub fn config_fix(self, error: &conf::Error) -> Fix {
        let file = error.file.display();
        Fix::advice(match self {
            Self::IncludeMissing => {
                format!("make the file that {file} names, or take the line out of {file}")
            }
            Self::ConfigUnreadable if error.message.starts_with("is ") => {
                format!("{file} is no configuration file: name another with --conf")
            }
            Self::ConfigUnreadable => format!("run log-paths as a user who may read {file}"),
            Self::ConfigTooLarge => format!("{file} is too large: name the right file with --conf"),
            Self::IncludeLoop => format!("take one of the includes out of {file}"),
            Self::UnresolvedVariable => {
                format!("set the variable where {file} is read, and for log-paths")
            }
            _ if error.line > 0 => format!("correct line {} of {file}", error.line),
            _ => format!("correct {file}"),
        })
    }
}

/// A path as messages show it.
#[must_use]
pub fn shown(path: &Path) -> String {
    match path.to_str() {
        Some(text) => escape(text),
        None => escape(&path.to_string_lossy()),
    }
}
