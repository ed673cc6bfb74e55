//! One run of one job: the command, its environment and the result. Plain data.

use std::sync::Arc;
use std::time::Duration;

use base::Fix;
use base::child::Ending;
use base::clock::Deadline;
use base::mask;
use base::report::{Mark, Text};
use base::signals::Watch;
use schemars::JsonSchema;
use serde::Serialize;

use crate::crontab::Form;
use crate::host::Cron;
use crate::site::Site;

/// How much of a job's output is kept: the last part is cut off.
pub const OUTPUT: usize = 1 << 20;

/// A job that is about to run.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The site.
    pub site: &'a Site,
    /// The cron of this host.
    pub cron: &'a Cron,
    /// The whole text that the daemon reads.
    pub text: &'a [u8],
    /// The job in it: its line, or the name of its service.
    pub job: &'a [u8],
    /// Whether the lines name a user.
    pub form: Form,
    /// Whether nothing is run.
    pub dry_run: bool,
    /// The end of the whole run.
    pub deadline: Deadline,
    /// Signals that ask this process to end.
    pub watch: Option<Arc<Watch>>,
}

/// The environment that the daemon gives the job, and the result of the run.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Attempt {
    /// The user that the job runs as.
    pub user: String,
    /// The shell that reads the command; null for a program that systemd starts itself.
    pub shell: Option<String>,
    /// The command.
    pub command: String,
    /// The directory that the job starts in.
    pub directory: String,
    /// The environment, NAME=VALUE; empty where systemd makes it.
    pub environment: Vec<String>,
    /// Whether the job was started.
    pub started: bool,
    /// Why the daemon does not start the job; null where the job was started.
    pub refusal: Option<String>,
    /// The exit status of the job; null where a signal ended it, or nothing was started.
    pub exit: Option<i32>,
    /// The signal that ended the job.
    pub signal: Option<i32>,
    /// How long the job ran.
    pub elapsed_ms: Option<u64>,
    /// Both outputs, as they came.
    pub output: String,
    /// Whether the job printed more than the report holds.
    pub truncated: bool,
    /// What the job looked for and did not find.
    pub lacked: Vec<Lack>,
    /// What the daemon does and `try` does not.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

impl Attempt {
    /// Takes over how the job ended.
    pub fn ended(&mut self, ending: Ending, elapsed: Duration) {
        self.started = true;
        self.elapsed_ms = Some(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        match ending {
            Ending::Exit(code) => self.exit = Some(code),
            Ending::Signal(number) => self.signal = Some(number),
        }
    }

    /// Takes over what the job printed, without secrets.
    pub fn printed(&mut self, bytes: &[u8], truncated: bool) {
        self.output = mask::text(&String::from_utf8_lossy(bytes));
        self.truncated = truncated;
    }

    /// For a person: the place, the output as it came, and what was missing.
    pub fn text(&self, out: &mut Text) {
        let shell = match &self.shell {
            Some(shell) => format!("{shell} -c "),
            None => String::new(),
        };
        out.heading(format!("{}: {shell}{}", self.user, self.command));
        if !self.started || out.verbose() {
            out.note(format!("in {}", self.directory));
            for variable in &self.environment {
                out.note(variable);
            }
        }
        for line in self.output.lines() {
            out.line(format!("  {line}"));
        }
        if self.truncated {
            out.note("the job printed more");
        }
        for lack in &self.lacked {
            out.row(Mark::Warn, &[&lack.message]);
            lack.fix.text(out);
        }
    }

    /// How the job ended; `None` where the job was not started.
    pub fn ending(&self) -> Option<Ending> {
        self.exit
            .map(Ending::Exit)
            .or(self.signal.map(Ending::Signal))
    }
}

/// Something that the job looked for and that cron does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Lack {
    /// The kind of thing.
    pub kind: LackKind,
    pub name: String,
    /// The sentence for a person.
    pub message: String,
    /// The change that gives it.
    pub fix: Fix,
}

/// Kinds of things that an environment lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LackKind {
    /// A variable.
    Variable,
    /// A program that is not on PATH.
    Program,
}
