//! The envelope: the keys that every report of every tool has, whichever way the run ends. One
//! function makes each of them, for a finished run, a run that was stopped, a call that Ansible is
//! refused and a module that was killed.

use crate::cli::CommandLine;
use crate::clock::{millis, rfc3339};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::{Body, Diff, Report, SCHEMA, Status, Text};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::time::{Instant, SystemTime};

/// What every report has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Envelope<'a, B> {
    /// The number of the report's schema; within a number keys are only added.
    pub schema: u32,
    /// The name of the tool.
    pub tool: &'a str,
    /// The version of the tool.
    pub version: &'a str,
    /// The verdict.
    pub status: Status,
    /// Whether the run changed something, or in a dry run would change something.
    pub changed: bool,
    /// Whether the run counts as failed for Ansible: the status is failed or retry, or the status
    /// is no and a real run would not change that.
    pub failed: bool,
    /// The exit status.
    pub rc: u8,
    /// Whether the run was a dry run: no changes were made.
    pub dry_run: bool,
    /// The summary.
    pub msg: &'a str,
    /// The same text as msg, under the key that Salt reads.
    pub comment: &'a str,
    /// The tool's own keys; absent where a run could not begin.
    #[serde(flatten)]
    pub body: Option<&'a B>,
    /// What the caller should know although the run succeeded.
    pub warnings: &'a [String],
    /// The error that ended the run, or null.
    pub error: Option<&'a Error>,
    /// The changes, before and after, without secrets; present with --diff where something changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<&'a Diff>,
    /// When the run began (RFC 3339).
    pub started_at: String,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
}

/// What the envelope says about the run itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub tool: &'static str,
    pub version: &'static str,
    pub dry_run: bool,
    pub diff: bool,
    pub ansible: bool,
    pub started: (SystemTime, Instant),
}

impl About {
    /// The whole report as one line of JSON, without secrets.
    ///
    /// # Errors
    /// `Kind::Failed` where a key of the tool cannot be written as JSON.
    pub(crate) fn dress<B: Body>(self, report: &Report<B>, body: Option<&B>) -> Result<String> {
        let rc = report.rc();
        let diff = report.diff.as_ref().filter(|_| self.diff).map(Diff::shown);
        // Ansible shows the message first, and often nothing else.
        let msg = match report.error.as_ref().filter(|_| self.ansible) {
            Some(error) if report.msg.contains(&error.message) => {
                report.msg.replace(&error.message, &error.whole())
            }
            Some(error) => format!("{}: {}", report.msg, error.whole()),
            None => report.msg.clone(),
        };
        let envelope = Envelope {
            schema: SCHEMA,
            tool: self.tool,
            version: self.version,
            status: report.status,
            changed: report.changed,
            failed: failed(report.status, self.dry_run, report.changed) && rc != Exit::Ok,
            rc: rc.code(),
            dry_run: self.dry_run,
            msg: &msg,
            comment: &msg,
            body,
            warnings: &report.warnings,
            error: report.error.as_ref(),
            diff: diff.as_ref(),
            started_at: rfc3339(self.started.0),
            elapsed_ms: millis(self.started.1.elapsed()),
        };
        crate::mask::json(&envelope)
            .map(|json| json + "\n")
            .map_err(|e| Error::failed(format!("cannot write the report as JSON: {e}")))
    }
}

/// Whether Ansible counts the run as failed.
fn failed(status: Status, dry_run: bool, changed: bool) -> bool {
    match status {
        Status::Ok => false,
        Status::No => !(dry_run && changed),
        Status::Failed | Status::Retry => true,
    }
}

/// The body of a report without keys of the tool's own.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Nothing {}

impl Body for Nothing {
    fn text(&self, _: &mut Text) {}
}

/// The report of a run that an error ended before there was anything to report.
pub(crate) fn stop(error: Error) -> Report<Nothing> {
    let exit = error.exit();
    Report::new(Status::Failed, error.message.clone(), Nothing {})
        .error(error)
        .exit(exit)
}

/// One line of JSON for a call that Ansible is refused, or for a module that ended without a
/// report.
pub(crate) fn refusal(line: &'static CommandLine, error: &Error, exit: Exit) -> Vec<u8> {
    let about = About {
        tool: line.name,
        version: line.version,
        dry_run: false,
        diff: false,
        ansible: true,
        started: (SystemTime::now(), Instant::now()),
    };
    let report = stop(error.clone()).exit(exit);
    // The keys of an empty body are always JSON.
    about.dress(&report, None).unwrap_or_default().into_bytes()
}

/// A report of the same tool that another process wrote, to be passed on.
///
/// # Errors
/// What is wrong with the text.
pub fn read<B: DeserializeOwned>(json: &[u8]) -> Result<Passed<B>> {
    serde_json::from_slice(json).map_err(|e| Error::failed(format!("not a report: {e}")))
}

/// A report that was read back.
#[derive(Debug, Deserialize)]
pub struct Passed<B> {
    status: Status,
    changed: bool,
    rc: u8,
    msg: String,
    /// The tool's own keys; `None` where the run could not begin.
    #[serde(flatten)]
    pub body: Option<B>,
    warnings: Vec<String>,
    error: Option<Error>,
    #[serde(default)]
    diff: Option<Diff>,
}

impl<B: Body> Passed<B> {
    /// The report, with the verdict and the exit code that the other process gave.
    ///
    /// # Errors
    /// The other process's own error, where the run could not begin.
    pub fn into_report(self) -> Result<Report<B>> {
        let Some(body) = self.body else {
            return Err(self
                .error
                .unwrap_or_else(|| Error::failed("the report has no keys of the tool's own")));
        };
        let mut report = Report::new(self.status, self.msg, body)
            .changed(self.changed)
            .warnings(self.warnings)
            .diff(self.diff);
        report.error = self.error;
        if self.rc != report.rc().code() {
            report.exit = Some(Exit::Command(self.rc));
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::Kind;

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Own {
        items: Vec<u32>,
        note: Option<String>,
    }

    impl Body for Own {
        fn text(&self, _: &mut Text) {}
    }

    fn about() -> About {
        About {
            tool: "x",
            version: "1",
            dry_run: false,
            diff: true,
            ansible: false,
            started: (SystemTime::UNIX_EPOCH, Instant::now()),
        }
    }

    #[test]
    fn a_report_that_is_passed_on_stays_the_same() {
        let own = Own {
            items: vec![1, 2],
            note: None,
        };
        let mut report = Report::new(Status::No, "two", own)
            .changed(true)
            .warnings(vec!["w".into()])
            .diff(Diff::of("f", "a", "b"))
            .error(Error::new(Kind::Deadline, "late").hint("more"));
        report.exit = Some(Exit::Command(42));
        let line = about().dress(&report, Some(&report.body)).unwrap();
        let passed = read::<Own>(line.as_bytes()).unwrap().into_report().unwrap();
        assert_eq!(about().dress(&passed, Some(&passed.body)).unwrap(), line);
        assert_eq!(passed.rc(), Exit::Command(42));
    }

    #[test]
    fn an_error_that_is_passed_on_keeps_its_kind() {
        let error = Error::locked("held by 7").hint("wait");
        let line = about().dress(&stop(error.clone()), None).unwrap();
        let passed = read::<Own>(line.as_bytes()).unwrap();
        assert_eq!(passed.into_report().unwrap_err(), error);
    }
}
