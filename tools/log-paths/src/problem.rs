//! What may be wrong with a log, each with a code for programs and a message that says what to do.

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
    pub hint: String,
    /// How many bytes a deleted file holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Problem {
    /// A problem, and what to do about it.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
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
    pub fn config_hint(self, service: &str) -> &'static str {
        match self {
            Self::IncludeMissing => "make the file, or take the include out",
            Self::ConfigUnreadable => "run as root, or name a readable file with --conf",
            Self::ConfigTooLarge => {
                "a configuration of that size is a mistake; name the right file with --conf"
            }
            Self::IncludeLoop => "take one of the includes out",
            Self::UnresolvedVariable => {
                "set the variable where the service is started, and run this with it set"
            }
            _ if service == "nginx" => "nginx would refuse it, too: mend that line",
            _ => "mend that line",
        }
    }
}

/// How a service is told to open its logs again.
#[must_use]
pub fn reopen_hint(service: &str, pid: Option<u32>) -> String {
    let pid = pid.map_or_else(|| "PID".to_owned(), |pid| pid.to_string());
    match service {
        "nginx" => "nginx -s reopen (or kill -USR1 of the master)".to_owned(),
        "apache" => "apachectl graceful".to_owned(),
        "gunicorn" => format!("kill -USR1 {pid}"),
        "supervisor" => format!("kill -USR2 {pid}"),
        "postgresql" => "psql -c 'SELECT pg_rotate_logfile()', or restart it where the collector is off".to_owned(),
        "uwsgi" => "restart uwsgi; after touch-logreopen or a reload some of its processes keep the old file open".to_owned(),
        "celery" => "restart celery: it does not open its logs again".to_owned(),
        "caddy" => "systemctl restart caddy".to_owned(),
        _ => format!("restart what runs as pid {pid}"),
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
