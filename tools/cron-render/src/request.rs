//! What one run is asked for, as plain data: cli.rs makes it, every other module takes it.

use std::path::PathBuf;

use crate::crontab::Form;
use crate::site::Facts;

/// What is asked for.
#[derive(Debug)]
pub enum Asked {
    /// `render`.
    Render,
    /// `lint`.
    Lint,
    /// `next`.
    Next(Window),
    /// `explain`, of these schedules if there are any.
    Explain(Vec<String>),
    /// `diff`.
    Diff,
    /// `install`.
    Install,
    /// `remove`.
    Remove,
    /// `try`, of this job.
    Try(String),
}

/// Which runs `next` lists. Times are as typed: the zone is not known yet.
#[derive(Debug, Default)]
pub struct Window {
    /// How many of each job, at most.
    pub count: Option<u64>,
    /// The first moment.
    pub from: Option<String>,
    /// The moment after the last.
    pub until: Option<String>,
    /// All jobs in one list, in the order of time.
    pub merged: bool,
    /// Schedules in place of a template.
    pub expressions: Vec<String>,
}

/// The request.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub asked: Asked,
    /// The template.
    pub template: Option<PathBuf>,
    /// Facts of the command line.
    pub facts: Facts,
    /// Whether the template's lines name a user, where that was said.
    pub form: Option<Form>,
    /// `--force`.
    pub force: bool,
}

impl Asked {
    /// Whether the answer is about this host: its cron, its files.
    pub fn depends_on_this_host(&self) -> bool {
        matches!(
            self,
            Asked::Diff | Asked::Install | Asked::Remove | Asked::Try(_)
        )
    }
}
