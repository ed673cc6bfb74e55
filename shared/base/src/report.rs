//! What a tool reports: a verdict, a summary, keys of its own, and what went wrong.

use crate::error::Error;
use crate::exit::Exit;
use crate::terminal::escape_lines;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::text::{MARKS, Mark, Text};

/// The schema's number: keys are only ever added within one.
pub const SCHEMA: u32 = 2;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The host is in the requested state, or the answer is yes.
    Ok,
    /// The answer is no: something is unmet, drifted or not found, or a dry run would change
    /// something.
    No,
    /// The tool tried and failed, or could not tell.
    Failed,
    /// The tool could not begin or finish now: a lock is held, a server is unreachable, the
    /// deadline passed.
    Retry,
}

impl Status {
    /// The exit code it means by itself.
    pub const fn exit(self) -> Exit {
        match self {
            Status::Ok => Exit::Ok,
            Status::No => Exit::No,
            Status::Failed => Exit::Failed,
            Status::Retry => Exit::Retry,
        }
    }
}

/// A tool's own part of the report: its keys stand in the envelope beside the common ones.
pub trait Body: Serialize + JsonSchema {
    /// Sets it for a person; the summary line is added by the envelope.
    fn text(&self, out: &mut Text);

    /// Whether that text holds all that the report's error says. Where report and errors reach the
    /// same terminal, the error is not written a second time then.
    fn shows_error(&self) -> bool {
        false
    }
}

/// A report, before it is dressed with names and times.
#[derive(Debug)]
pub struct Report<B> {
    /// The verdict.
    pub status: Status,
    /// Something was changed, or would be in a dry run.
    pub changed: bool,
    /// The summary, one line.
    pub msg: String,
    /// The tool's own keys.
    pub body: B,
    /// What a person should know although it went well.
    pub warnings: Vec<String>,
    /// What went wrong.
    pub error: Option<Error>,
    /// What changes, for `--diff`.
    pub diff: Option<Diff>,
    /// The exit code where the status does not decide it: around a COMMAND.
    pub exit: Option<Exit>,
    /// What to print in place of the report.
    pub raw: Option<Raw>,
    /// Secrets that standard output shows once, to the caller alone: `--journal` has `***` in
    /// their place.
    pub private: Vec<String>,
}

/// Output that is not the envelope.
#[derive(Debug)]
pub enum Raw {
    /// Whatever the format: a list of names, another program's format.
    Always(Vec<u8>),
    /// Where text is asked for: a finished schedule, a configuration snippet.
    AsText(Vec<u8>),
}

/// What changes, as Ansible's `--diff` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// What the thing before the change is called.
    pub before_header: String,
    /// The text before.
    pub before: String,
    /// What the thing after the change is called.
    pub after_header: String,
    /// The text after.
    pub after: String,
}

impl Diff {
    /// Of one thing's text; none where nothing differs.
    pub fn of(
        name: impl Into<String>,
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Option<Diff> {
        let (name, before, after) = (name.into(), before.into(), after.into());
        (before != after).then(|| Diff {
            before_header: name.clone(),
            before,
            after_header: name,
            after,
        })
    }

    /// Fit to be shown: without secrets, and without control bytes, since Ansible prints it as it
    /// is.
    #[must_use]
    pub fn shown(&self) -> Diff {
        // Tabs are text in a crontab.
        let clean = |text: &str| {
            crate::mask::text(text)
                .split('\t')
                .map(escape_lines)
                .collect::<Vec<_>>()
                .join("\t")
        };
        Diff {
            before_header: clean(&self.before_header),
            before: clean(&self.before),
            after_header: clean(&self.after_header),
            after: clean(&self.after),
        }
    }
}

impl<B> Report<B> {
    /// A report with this verdict.
    pub fn new(status: Status, msg: impl Into<String>, body: B) -> Report<B> {
        Report {
            status,
            changed: false,
            msg: msg.into(),
            body,
            warnings: Vec::new(),
            error: None,
            diff: None,
            exit: None,
            raw: None,
            private: Vec::new(),
        }
    }

    /// Something was (or would be) changed.
    #[must_use]
    pub fn changed(mut self, changed: bool) -> Report<B> {
        self.changed = changed;
        self
    }

    /// With an error, whose kind decides between failed and retry.
    #[must_use]
    pub fn error(mut self, error: Error) -> Report<B> {
        self.status = match error.exit() {
            Exit::Retry => Status::Retry,
            _ => Status::Failed,
        };
        self.error = Some(error);
        self
    }

    /// With warnings.
    #[must_use]
    pub fn warnings(mut self, warnings: Vec<String>) -> Report<B> {
        self.warnings = warnings;
        self
    }

    /// With secrets that a journal does not keep.
    #[must_use]
    pub fn private(mut self, secrets: Vec<String>) -> Report<B> {
        self.private = secrets;
        self
    }

    /// With an exit code of its own.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Report<B> {
        self.exit = Some(exit);
        self
    }

    /// With something else to print in its place.
    #[must_use]
    pub fn raw(mut self, raw: Raw) -> Report<B> {
        self.raw = Some(raw);
        self
    }

    /// With what changes.
    #[must_use]
    pub fn diff(mut self, diff: Option<Diff>) -> Report<B> {
        self.diff = diff;
        self
    }

    /// The exit code.
    pub fn rc(&self) -> Exit {
        self.exit.unwrap_or_else(|| self.status.exit())
    }
}
