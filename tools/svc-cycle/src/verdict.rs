//! From what happened to the report: outcome, message, status and exit code, for every action,
//! decided here and nowhere else.

use base::child::Ending;
use base::report::{Report, Status};
use base::{Error, Exit, Kind};

use crate::change::{Changed, interrupted};
use crate::report::{Cycle, Outcome, ServiceReport, StepReport};
use crate::request::{Action, Request};
use crate::task::Task;

/// The report of a run that changes something, or would.
#[must_use]
pub fn of_change(request: &Request, changed: Changed) -> Report<Cycle> {
    if changed.refused {
        refused(request, changed)
    } else if changed.planned {
        planned(request, changed.tasks)
    } else {
        finished(request, changed)
    }
}

/// Something speaks against it, and nothing was changed.
fn refused(request: &Request, changed: Changed) -> Report<Cycle> {
    let (services, warnings, error) = collected(changed.tasks);
    let error = changed.facts.failure.or(error);
    let body = Cycle {
        action: request.action.name().to_owned(),
        outcome: Outcome::Refused,
        services,
        ..Cycle::default()
    };
    let exit = match &error {
        Some(error)
            if matches!(
                error.kind,
                Kind::CommandNotFound | Kind::CommandNotExecutable
            ) =>
        {
            error.exit()
        }
        _ => around(request),
    };
    let msg = format!(
        "{}: a check failed, nothing was changed",
        request.action.name()
    );
    let report = Report::new(Status::Failed, msg, body).warnings(warnings);
    match error {
        Some(error) => report.error(error),
        None => report,
    }
    .exit(exit)
}

fn collected(tasks: Vec<Task>) -> (Vec<ServiceReport>, Vec<String>, Option<Error>) {
    let (mut services, mut warnings, mut error) = (Vec::new(), Vec::new(), None);
    for task in tasks {
        warnings.extend(task.warnings);
        error = error.or(task.error);
        services.push(task.report);
    }
    (services, warnings, error)
}

/// A dry run: what would be done, in the order in which it would be.
fn planned(request: &Request, tasks: Vec<Task>) -> Report<Cycle> {
    let changes =
        tasks.iter().any(|task| !task.intent.is_nothing()) || request.action == Action::Cycle;
    let mut words = Vec::new();
    let name = |task: &Task| match &task.report.because {
        Some(because) => format!("{} ({because})", task.report.name),
        None => task.report.name.clone(),
    };
    if request.rolling {
        words.extend(
            tasks
                .iter()
                .filter(|task| !task.intent.is_nothing())
                .map(|task| format!("restart {}", name(task))),
        );
    } else {
        let stops = tasks
            .iter()
            .rev()
            .filter(|task| !task.intent.stop.is_empty());
        words.extend(stops.map(|task| format!("stop {}", name(task))));
        if request.action == Action::Cycle {
            words.push("run COMMAND".to_owned());
        }
        let starts = tasks.iter().filter(|task| !task.intent.start.is_empty());
        words.extend(starts.map(|task| format!("start {}", name(task))));
        let reloads = tasks.iter().filter(|task| task.intent.reload);
        words.extend(reloads.map(|task| format!("reload {}", name(task))));
    }
    let mut warnings = Vec::new();
    let services = tasks
        .into_iter()
        .map(|mut task| {
            task.report.changed = !task.intent.is_nothing();
            warnings.extend(task.warnings);
            for (op, detail) in task.intent.steps() {
                task.report.steps.push(StepReport {
                    op: op.to_owned(),
                    ms: 0,
                    ok: true,
                    detail: (!detail.is_empty()).then_some(detail),
                });
            }
            task.report
        })
        .collect();
    let (outcome, status) = if changes {
        (Outcome::Planned, Status::No)
    } else {
        (Outcome::Unchanged, Status::Ok)
    };
    let body = Cycle {
        action: request.action.name().to_owned(),
        outcome,
        services,
        ..Cycle::default()
    };
    let msg = if words.is_empty() {
        "nothing to do".to_owned()
    } else {
        format!("would {}", words.join(", "))
    };
    let diff = body.difference();
    Report::new(status, msg, body)
        .changed(changes)
        .warnings(warnings)
        .diff(diff)
}

fn finished(request: &Request, changed: Changed) -> Report<Cycle> {
    let Changed {
        mut tasks,
        facts,
        interrupted: signal,
        ..
    } = changed;
    let outcome = outcome(request, &tasks, &facts, signal.is_some());
    let leftovers = tasks
        .iter_mut()
        .flat_map(|task| std::mem::take(&mut task.leftovers))
        .collect();
    let (services, warnings, error) = collected(tasks);
    let mut error = error.or(facts.failure);
    if let (Some(signal), true) = (signal, error.is_none() && facts.command.is_none()) {
        error = Some(interrupted(signal));
    }
    let body = Cycle {
        action: request.action.name().to_owned(),
        outcome,
        downtime_ms: facts.downtime_ms,
        services,
        command: facts.command,
        restored: facts.restored,
        leftovers,
        set: None,
    };
    let failed = error.is_some()
        || matches!(
            outcome,
            Outcome::LeftDown | Outcome::NotReady | Outcome::NotStopped | Outcome::CommandFailed
        );
    let changes = body.services.iter().any(|service| service.changed);
    let exit = exit(request, &body, error.as_ref());
    let mut msg = summary(&body);
    if facts.guarded {
        msg.push_str("; a guardian process starts them as soon as their old processes are gone");
    }
    let status = if failed { Status::Failed } else { Status::Ok };
    let diff = body.difference();
    let report = Report::new(status, msg, body)
        .changed(changes)
        .warnings(warnings)
        .diff(diff);
    let report = match error {
        Some(error) => report.error(error),
        None => report,
    };
    match exit {
        Some(exit) => report.exit(exit),
        None => report,
    }
}

fn outcome(
    request: &Request,
    tasks: &[Task],
    facts: &crate::cycle::Facts,
    signal: bool,
) -> Outcome {
    if facts.restored == Some(false) {
        return Outcome::LeftDown;
    }
    if facts.failure.is_some() {
        return Outcome::CommandFailed;
    }
    if signal && facts.command.is_none() && request.action == Action::Cycle {
        return Outcome::NotStopped;
    }
    // One failure outweighs any number of successes.
    let each = tasks.iter().map(|task| {
        let drifted = task.report.expect.iter().any(|each| each.ok != Some(true));
        match (&task.error, request.action) {
            _ if drifted => Outcome::Drifted,
            (Some(_), Action::Stop) => Outcome::NotStopped,
            (Some(_), Action::Reload) => Outcome::NotReloaded,
            (Some(_), _) => Outcome::NotReady,
            (None, _) if task.report.changed => Outcome::Done,
            (None, _) => Outcome::Unchanged,
        }
    });
    let mut worst = Outcome::Unchanged;
    for this in each {
        if matches!(worst, Outcome::Unchanged | Outcome::Done) && this != Outcome::Unchanged {
            worst = this;
        }
    }
    worst
}

fn summary(body: &Cycle) -> String {
    let changed: Vec<&str> = body
        .services
        .iter()
        .filter(|service| service.changed)
        .map(|service| service.name.as_str())
        .collect();
    let changed = changed.join(", ");
    match body.outcome {
        Outcome::Unchanged => format!("{}: nothing to do", body.action),
        Outcome::Done => match body.downtime_ms {
            Some(ms) => format!(
                "{}: {changed} down for {:.1} s",
                body.action,
                ms as f64 / 1000.0
            ),
            None => format!("{}: {changed}", body.action),
        },
        Outcome::CommandFailed => "COMMAND failed; the services are back".to_owned(),
        Outcome::LeftDown => {
            let down: Vec<&str> = body
                .services
                .iter()
                .filter(|service| service.changed && !service.is_back())
                .map(|service| service.name.as_str())
                .collect();
            format!("left down: {}", down.join(", "))
        }
        Outcome::NotReady => "not ready".to_owned(),
        Outcome::NotStopped => "not stopped".to_owned(),
        Outcome::NotReloaded => "not reloaded".to_owned(),
        Outcome::Drifted => "not what was expected".to_owned(),
        Outcome::Planned | Outcome::NotRunning | Outcome::Unknown | Outcome::Refused => {
            String::new()
        }
    }
}

/// Where the tool's own work around a COMMAND failed.
fn around(request: &Request) -> Exit {
    if request.action == Action::Cycle {
        Exit::AroundCommand
    } else {
        Exit::Failed
    }
}

/// The exit code around a COMMAND: its own, unless something of ours failed.
fn exit(request: &Request, body: &Cycle, error: Option<&Error>) -> Option<Exit> {
    if body.outcome == Outcome::LeftDown {
        return Some(around(request));
    }
    if request.action != Action::Cycle {
        return None;
    }
    match (&body.command, body.outcome, error) {
        (Some(command), Outcome::CommandFailed, _) => {
            let ours = body
                .services
                .iter()
                .any(|service| service.steps.iter().any(|step| !step.ok));
            let ending = command
                .exit
                .map(Ending::Exit)
                .or(command.signal.map(Ending::Signal))
                .unwrap_or(Ending::Exit(1));
            Some(if ours {
                Exit::AroundCommand
            } else {
                Exit::Command(ending.shell_code())
            })
        }
        (None, Outcome::CommandFailed, Some(error))
            if matches!(
                error.kind,
                Kind::CommandNotFound | Kind::CommandNotExecutable
            ) =>
        {
            Some(error.exit())
        }
        (_, _, Some(_)) => Some(Exit::AroundCommand),
        (_, _, None) => None,
    }
}
