//! What the user asked for, as plain data.

use crate::document::{Origin, Settings};
use base::clock::Deadline;
use std::time::Duration;

/// What is to be done.
pub struct Request {
    /// Where requirements come from, in order.
    pub sources: Vec<Source>,
    /// `--set`.
    pub settings: Settings,
    /// `--only`.
    pub only: Vec<String>,
    /// `--tag`.
    pub tags: Vec<String>,
    /// What to do with them.
    pub action: Action,
    /// How many at a time.
    pub jobs: usize,
    /// `--each`.
    pub each: Option<Duration>,
    /// `--wait` and `--interval`.
    pub wait: Option<(Duration, Duration)>,
    /// `--fail-on`.
    pub fail_on: FailOn,
}

/// One source of requirements.
pub enum Source {
    /// A file's text.
    File(Origin),
    /// A short form.
    Need(String),
}

/// What to do with the requirements.
pub enum Action {
    /// Look.
    Look,
    /// List them.
    List,
    /// Explain one.
    Explain(String),
    /// Write what this host has.
    Snapshot(Vec<String>),
}

/// How to look.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// How many at a time.
    pub jobs: usize,
    /// How long one look may take, where the requirement does not say.
    pub each: Option<Duration>,
    /// The end of the whole run.
    pub deadline: Deadline,
    /// How long to look again until all is met, and how often.
    pub wait: Option<(Duration, Duration)>,
}

/// From which status on the exit status is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailOn {
    /// Unmet.
    Fail,
    /// Warnings, too.
    Warn,
    /// Whatever could not be seen, too.
    Unknown,
}
