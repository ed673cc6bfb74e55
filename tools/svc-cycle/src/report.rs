//! What svc-cycle reports: each service before and after, each step with its time, and whether all
//! is back.

use base::Fix;
use base::report::{Body, Diff, Mark, Text};
use schemars::JsonSchema;
use serde::Serialize;

use crate::id::ServiceId;

/// The tool's part of the report.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Cycle {
    /// The verb: start, stop, restart, reload, status, check, cycle, recover or snapshot.
    pub action: String,
    /// The result of the run.
    pub outcome: Outcome,
    /// The time from the first stop until the last service was ready again, in milliseconds; null
    /// where no service was stopped and started.
    pub downtime_ms: Option<u64>,
    /// The services of the run, in starting order.
    pub services: Vec<ServiceReport>,
    /// What COMMAND did; null where no COMMAND ran.
    pub command: Option<CommandReport>,
    /// Whether every service that ran before runs again; null where no service was stopped to be
    /// started again.
    pub restored: Option<bool>,
    /// The processes that still ran after their service was stopped.
    pub leftovers: Vec<i32>,
    /// The set file that snapshot wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
}

/// The result of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every service was in the requested state already.
    #[default]
    Unchanged,
    /// Every service is in the requested state.
    Done,
    /// Dry run: no changes were made.
    Planned,
    /// status, check: a service is not up.
    NotRunning,
    /// status, check: nothing shows whether a service runs.
    Unknown,
    /// check: a service is up, but is not what was expected.
    Drifted,
    /// A check before the first change failed: nothing was changed.
    Refused,
    /// A service was started, and was not ready in time or not for long.
    NotReady,
    /// A service did not stop, or another process holds its port, socket or pid file.
    NotStopped,
    /// A service did not take the reload.
    NotReloaded,
    /// COMMAND failed; the services are back.
    CommandFailed,
    /// A service that ran before is down.
    LeftDown,
}

/// One service.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct ServiceReport {
    /// The name of the service in the set, or as typed.
    pub name: String,
    /// The identity of the service: the same in every set that names the service.
    pub id: ServiceId,
    /// The service manager that runs the service.
    pub backend: String,
    /// The reason why the service is part of the run although the caller did not name it; null for
    /// a service that the caller named.
    pub because: Option<String>,
    /// The state before the run: running, stopped, failed, starting, stopping, finished, partly
    /// running, unknown.
    pub before: String,
    /// The state after the run.
    pub after: String,
    /// The main processes after the run.
    pub pids: Vec<i32>,
    /// Whether the run stopped, started or reloaded the service; in a dry run: whether a real run
    /// would.
    pub changed: bool,
    /// The probes that show whether the service is ready.
    pub ready: Vec<ReadyReport>,
    /// The expectations about the main process.
    pub expect: Vec<ExpectReport>,
    /// The steps of the run, in order.
    pub steps: Vec<StepReport>,
    /// The last lines that the service wrote to its log, where it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What closes the gap that a warning names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// A probe.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadyReport {
    /// What the probe asked.
    pub probe: String,
    /// Whether the probe was answered by the service itself.
    pub ok: bool,
    /// The time until the answer, or until the tool gave up, in milliseconds.
    pub ms: u64,
    /// The number of times that the probe asked.
    pub attempts: u32,
    /// The last refusal; null after an answer.
    pub last_error: Option<String>,
}

/// An expectation; its value is compared and never printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExpectReport {
    /// `env NAME`, `user` or `exe`.
    pub key: String,
    /// Whether the process meets it; null where the process cannot be looked into.
    pub ok: Option<bool>,
}

/// A step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StepReport {
    /// preflight, stop, kill, start, ready, expect, reload.
    pub op: String,
    /// The duration of the step in milliseconds.
    pub ms: u64,
    /// Whether the step succeeded; in a dry run: true, the step would be tried.
    pub ok: bool,
    /// A remark, such as the signal that was sent, or the error.
    pub detail: Option<String>,
}

/// COMMAND.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CommandReport {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The exit status of COMMAND; null where a signal ended COMMAND, or COMMAND could not be
    /// executed.
    pub exit: Option<i32>,
    /// The number of the signal that ended COMMAND; null after an exit.
    pub signal: Option<i32>,
    /// The duration of COMMAND in milliseconds.
    pub ms: u64,
    /// The last 4 KiB of COMMAND's output, where COMMAND failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

impl Body for Cycle {
    fn text(&self, out: &mut Text) {
        for service in &self.services {
            let change = if service.before == service.after {
                service.after.clone()
            } else {
                format!("{} → {}", service.before, service.after)
            };
            let pids: Vec<String> = service.pids.iter().map(ToString::to_string).collect();
            let pids = if pids.is_empty() {
                String::new()
            } else {
                format!("pid {}", pids.join(" "))
            };
            let steps: Vec<String> = service.steps.iter().map(StepReport::brief).collect();
            out.row(
                service.mark(&self.action),
                &[
                    service.name.as_str(),
                    change.as_str(),
                    pids.as_str(),
                    steps.join(", ").as_str(),
                ],
            );
        }
        for service in &self.services {
            service.notes(out);
        }
        if let Some(command) = &self.command {
            let ending = match (command.exit, command.signal) {
                (Some(code), _) => format!("exit status {code}"),
                (None, Some(signal)) => format!("ended by signal {signal}"),
                (None, None) => "did not run".to_owned(),
            };
            let mark = if command.exit == Some(0) {
                Mark::Good
            } else {
                Mark::Bad
            };
            out.row(
                mark,
                &[
                    command.argv.join(" ").as_str(),
                    ending.as_str(),
                    format!("{} ms", command.ms).as_str(),
                ],
            );
        }
        if let Some(ms) = self.downtime_ms {
            out.line(format!("down for {:.1} s", ms as f64 / 1000.0));
        }
    }
}

impl Cycle {
    /// What `--diff` shows: a line for each service, as it was and as it is, or in a dry run would
    /// be.
    #[must_use]
    pub fn difference(&self) -> Option<Diff> {
        let lines = |state: fn(&ServiceReport) -> String| -> String {
            self.services
                .iter()
                .map(|service| format!("{}: {}\n", service.name, state(service)))
                .collect()
        };
        let command = if self.action == "cycle" && self.command.is_some() {
            "COMMAND ran\n"
        } else {
            ""
        };
        let command = if self.action == "cycle" && self.outcome == Outcome::Planned {
            "COMMAND would run\n"
        } else {
            command
        };
        Diff::of(
            "services",
            lines(|service| service.before.clone()),
            lines(ServiceReport::in_the_end) + command,
        )
    }
}

impl ServiceReport {
    fn in_the_end(&self) -> String {
        let did = |op: &str| self.steps.iter().any(|step| step.op == op);
        let planned = self.changed
            && self.before == self.after
            && self.steps.iter().all(|step| step.ms == 0 && step.ok);
        match (did("stop"), did("start"), did("reload")) {
            (true, true, _) => format!(
                "{}, restarted",
                if planned { "running" } else { &self.after }
            ),
            (true, false, _) if planned => "stopped".to_owned(),
            (false, true, _) if planned => "running".to_owned(),
            (_, _, true) => format!("{}, reloaded", self.after),
            _ => self.after.clone(),
        }
    }

    /// Whether it runs, as a process that was not told to stop.
    pub(crate) fn is_back(&self) -> bool {
        matches!(self.after.as_str(), "running" | "finished")
            && self
                .steps
                .last()
                .is_none_or(|step| step.ok || step.op == "expect")
    }

    fn failed(&self) -> bool {
        let bad = |ok: bool| !ok;
        self.steps.iter().any(|step| bad(step.ok))
            || self.ready.iter().any(|each| bad(each.ok))
            || self.expect.iter().any(|each| each.ok != Some(true))
    }

    fn mark(&self, action: &str) -> Mark {
        let up = matches!(self.after.as_str(), "running" | "finished");
        match (self.failed(), self.changed) {
            (true, _) => Mark::Bad,
            (false, true) => Mark::Changed,
            (false, false) if up || action == "stop" => Mark::Good,
            _ => Mark::Bad,
        }
    }

    fn notes(&self, out: &mut Text) {
        let verbose = out.verbose();
        for step in self.steps.iter().filter(|step| verbose || !step.ok) {
            out.note(format!(
                "{}: {} {}",
                self.name,
                step.op,
                step.detail
                    .as_deref()
                    .unwrap_or(if step.ok { "done" } else { "failed" })
            ));
        }
        for each in self.ready.iter().filter(|each| verbose || !each.ok) {
            let why = each
                .last_error
                .as_deref()
                .filter(|_| !each.ok)
                .map(|why| format!(": {why}"))
                .unwrap_or_default();
            out.note(format!(
                "{}: {} {}{why}",
                self.name,
                each.probe,
                if each.ok { "answers" } else { "is not ready" }
            ));
        }
        for each in self
            .expect
            .iter()
            .filter(|each| verbose || each.ok != Some(true))
        {
            out.note(format!(
                "{}: {} {}",
                self.name,
                each.key,
                match each.ok {
                    Some(true) => "is as expected",
                    Some(false) => "is not as expected",
                    None => "cannot be looked at",
                }
            ));
        }
        for line in &self.log {
            out.note(format!("{}: log: {line}", self.name));
        }
        if let Some(fix) = &self.fix {
            fix.text(out);
        }
    }
}

impl StepReport {
    fn brief(&self) -> String {
        format!(
            "{} {} ms{}",
            self.op,
            self.ms,
            if self.ok { "" } else { " failed" }
        )
    }
}
