//! One service in the course of a run: what is to be done, what was done, what went wrong.

use std::time::Instant;

use base::clock::millis;
use base::{Error, Result};
use proc::Identity;

use crate::plan::Intent;
use crate::report::{ServiceReport, StepReport};
use crate::service::Service;
use crate::state::{Done, State};

/// One service in the course of a run.
#[derive(Debug)]
pub struct Task {
    /// What is to be done.
    pub intent: Intent,
    /// The state when the run began.
    pub before: State,
    /// What is reported of it.
    pub report: ServiceReport,
    /// What a person should know although it worked.
    pub warnings: Vec<String>,
    /// The processes it had, written down before its stop.
    pub old: Vec<Identity>,
    /// Those of them that outlived it.
    pub leftovers: Vec<i32>,
    /// The first thing that went wrong.
    pub error: Option<Error>,
    /// A stop was asked for: the service counts as interrupted until its new process is ready.
    pub touched: bool,
    /// It was started and is ready, or was up all along.
    pub up: bool,
    /// It was started and its new process is ready, whatever was expected of it besides.
    pub ready: bool,
    /// It was told to stop and its old process is still there.
    pub stuck: bool,
    /// Its last stop succeeded.
    pub down: bool,
    /// Something else started it while COMMAND ran.
    pub revived: bool,
}

impl Task {
    /// A service as it was found.
    #[must_use]
    pub fn new(service: &Service, before: State, intent: Intent) -> Self {
        let report = ServiceReport {
            name: service.name.clone(),
            id: crate::backend::id(service),
            backend: service.backend.to_owned(),
            before: before.word().to_owned(),
            after: before.word().to_owned(),
            pids: before.pids(),
            fix: before.fix.clone(),
            ..ServiceReport::default()
        };
        let up = service.is_up(&before);
        let warnings = before.warnings.clone();
        Self {
            intent,
            before,
            report,
            warnings,
            old: Vec::new(),
            leftovers: Vec::new(),
            error: None,
            touched: false,
            up,
            ready: false,
            stuck: false,
            down: false,
            revived: false,
        }
    }

    fn step(&mut self, op: &str, began: Instant, outcome: &Result<Done>) {
        let (ok, detail) = match outcome {
            Ok(done) => (true, done.detail.clone()),
            Err(error) => (false, Some(error.message.clone())),
        };
        self.report.steps.push(StepReport {
            op: op.to_owned(),
            ms: millis(began.elapsed()),
            ok,
            detail,
        });
    }

    /// Keeps the outcome of a step: in the report, its warnings, its error. True if it succeeded.
    pub fn keep(&mut self, op: &str, began: Instant, outcome: Result<Done>) -> bool {
        self.step(op, began, &outcome);
        match outcome {
            Ok(done) => {
                self.warnings.extend(done.warnings);
                true
            }
            Err(error) => {
                self.error.get_or_insert(error);
                false
            }
        }
    }

    /// Keeps the state in the end.
    pub fn saw(&mut self, state: &State) {
        self.report.after = state.word().to_owned();
        self.report.pids = state.pids();
    }

    /// Keeps the last lines of the service's own log.
    pub fn log(&mut self, lines: Vec<String>) {
        if self.report.log.is_empty() {
            let plain = |line: &String| base::terminal::without_sequences(line);
            let lines = lines.iter().map(plain);
            self.report.log = lines.map(|line| base::mask::text(&line)).collect();
        }
    }
}
