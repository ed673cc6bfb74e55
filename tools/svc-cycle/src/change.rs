//! start, stop, restart, reload and cycle: locked, observed, planned, done, reported.

use std::collections::BTreeMap;
use std::time::Instant;

use base::report::{Report, Status};
use base::tool::Context;
use base::{Error, Exit, Result};

use crate::act::{Hands, Task};
use crate::backend::{self, Done, State};
use crate::cli::{Action, Request};
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::ready::{self, Watchers};
use crate::report::{Cycle, Outcome, StepReport};
use crate::set::{Service, Set};
use crate::{cycle, lock, plan, reload};

/// The whole run.
///
/// # Errors
/// What is wrong before anything was touched: usage, a held lock, a supervisord that doesn't answer.
pub fn run(request: &Request, set: &Set, context: &Context) -> Result<Report<Cycle>> {
    let interrupt = Interrupt::begin()?;
    let _locks = if context.dry_run {
        Vec::new()
    } else {
        lock::acquire(&set.services, context.lock_wait)?
    };
    let services: Vec<&Service> = set.services.iter().collect();
    let states: Vec<State> = backend::observe(&services)
        .into_iter()
        .collect::<Result<_>>()?;
    let (owed, past) = owed(set)?;
    let intents = plan::make(request.action, set, &states, &owed);
    for (service, intent) in set.services.iter().zip(&intents) {
        startable(service, !intent.start.is_empty())?;
    }
    let mut tasks: Vec<Task> = set
        .services
        .iter()
        .zip(states)
        .zip(intents)
        .map(|((service, state), intent)| Task::new(service, state, intent))
        .collect();
    if context.dry_run {
        return Ok(planned(request, tasks));
    }
    let hands = Hands {
        set,
        interrupt: &interrupt,
        deadline: context.deadline,
        progress: context.progress,
    };
    let mut report = match request.action {
        Action::Restart | Action::Cycle => cycle::run(request, &hands, &mut tasks)?,
        action => {
            simple(action, &hands, &mut tasks);
            Cycle::default()
        }
    };
    forgive(&past, &tasks);
    report.action = request.action.name().to_owned();
    Ok(finish(request, report, tasks, &interrupt))
}

/// A service that is to be started and can't be is found out before anything is stopped.
fn startable(service: &Service, wanted: bool) -> Result<()> {
    let needs = service.backend.name == "pidfile" && service.spec.start.is_none();
    if wanted && needs {
        Err(backend::pidfile::no_start(service))
    } else {
        Ok(())
    }
}

/// What runs that were killed left down, of the services in hand.
type Owed = BTreeMap<String, Vec<String>>;

fn owed(set: &Set) -> Result<(Owed, Vec<Journal>)> {
    let (now, _) = Journal::owed()?;
    let mut owed: Owed = BTreeMap::new();
    for journal in &now {
        let Ok(theirs) = journal.entry().origin.set() else {
            continue;
        };
        for (name, members) in &journal.entry().up {
            let Some(their) = theirs.services.iter().find(|service| &service.name == name) else {
                continue;
            };
            if let Some(mine) = set
                .services
                .iter()
                .find(|service| service.backend == their.backend && service.unit == their.unit)
            {
                owed.entry(mine.name.clone())
                    .or_default()
                    .extend(members.iter().cloned());
            }
        }
    }
    Ok((owed, now))
}

/// A journal whose services this run has brought up again owes nothing any more.
fn forgive(journals: &[Journal], tasks: &[Task]) {
    for journal in journals {
        let Ok(theirs) = journal.entry().origin.set() else {
            continue;
        };
        let back = journal.entry().up.keys().all(|name| {
            let unit = theirs
                .services
                .iter()
                .find(|service| &service.name == name)
                .map(|service| (service.backend.name, service.name.clone()));
            unit.is_some_and(|(backend, _)| {
                tasks.iter().any(|task| {
                    task.up && task.report.name == *name && task.report.backend == backend
                })
            })
        });
        if back {
            // Failing that, the next run finds it and sees that all is up.
            let _ = journal.end();
        }
    }
}

fn planned(request: &Request, tasks: Vec<Task>) -> Report<Cycle> {
    let changes =
        tasks.iter().any(|task| !task.intent.is_nothing()) || request.action == Action::Cycle;
    let mut names = Vec::new();
    let services = tasks
        .into_iter()
        .map(|mut task| {
            task.report.changed = !task.intent.is_nothing();
            for (op, detail) in task.intent.steps() {
                names.push(format!("{op} {}", task.report.name));
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
    let outcome = if changes {
        Outcome::Planned
    } else {
        Outcome::Unchanged
    };
    let body = Cycle {
        action: request.action.name().to_owned(),
        outcome,
        services,
        ..Cycle::default()
    };
    let msg = if names.is_empty() {
        "nothing to do".to_owned()
    } else {
        format!("would {}", names.join(", "))
    };
    let diff = body.difference();
    Report::new(if changes { Status::No } else { Status::Ok }, msg, body)
        .changed(changes)
        .diff(diff)
}

/// start, stop and reload: one wave after another, in one direction.
fn simple(action: Action, hands: &Hands<'_>, tasks: &mut [Task]) {
    let uninterrupted = |_: &[Task]| hands.interrupt.seen().is_none();
    match action {
        Action::Stop => hands.waves(tasks, true, uninterrupted, |hands, service, task| {
            let members = task.intent.stop.clone();
            if !members.is_empty() {
                hands.stop(service, task, &members);
            }
        }),
        Action::Reload => hands.waves(tasks, false, uninterrupted, |hands, service, task| {
            if task.intent.reload {
                reload::one(hands, service, task);
            }
        }),
        _ => start(hands, tasks),
    }
}

/// What waits for a service that isn't ready isn't started.
fn start(hands: &Hands<'_>, tasks: &mut [Task]) {
    for wave in &hands.set.waves {
        for at in wave {
            let after = &hands.set.services[*at].spec.after;
            let missing = tasks
                .iter()
                .find(|task| after.contains(&task.report.name) && !task.up)
                .map(|task| task.report.name.clone());
            if let Some(name) = missing.filter(|_| !tasks[*at].intent.start.is_empty()) {
                let error = Error::failed(format!(
                    "{}: not started: {name} isn't ready",
                    tasks[*at].report.name
                ));
                tasks[*at].keep("start", Instant::now(), Err(error));
                tasks[*at].intent.start.clear();
            }
        }
        // One wave of the whole: the others have nothing to do in it.
        let only = |task: &Task| {
            wave.iter()
                .any(|at| hands.set.services[*at].name == task.report.name)
        };
        std::thread::scope(|scope| {
            for (at, task) in tasks.iter_mut().enumerate().filter(|(_, task)| only(task)) {
                let service = &hands.set.services[at];
                scope.spawn(move || bring_up(hands, service, task));
            }
        });
    }
}

fn bring_up(hands: &Hands<'_>, service: &Service, task: &mut Task) {
    let members = task.intent.start.clone();
    if !members.is_empty() {
        hands.start(service, task, &members, false);
    } else if task.up {
        let began = Instant::now();
        let mut watchers = Watchers::look(service);
        let asked = ready::once(service, &task.before, &mut watchers);
        task.report.ready = watchers.reports();
        let before = task.before.clone();
        task.up = task.keep("ready", began, asked.map(|()| Done::default()))
            && hands.expect(service, task, &before);
    } else if !task.before.up().is_empty() {
        hands.await_start(service, task);
    }
}

/// Puts the tasks into the report, and the worst of them into its verdict.
fn finish(
    request: &Request,
    mut body: Cycle,
    tasks: Vec<Task>,
    interrupt: &Interrupt,
) -> Report<Cycle> {
    let mut warnings = Vec::new();
    let mut error = None;
    for task in tasks {
        warnings.extend(task.warnings);
        body.leftovers.extend(task.leftovers);
        // What cycle found stands; otherwise one failure outweighs any number of successes.
        if matches!(body.outcome, Outcome::Unchanged | Outcome::Done) {
            let drifted = task.report.expect.iter().any(|each| !each.ok);
            let this = if drifted {
                Outcome::Drifted
            } else {
                outcome(request.action, &task.error, task.report.changed)
            };
            if this != Outcome::Unchanged {
                body.outcome = this;
            }
        }
        error = error.or(task.error);
        body.services.push(task.report);
    }
    if let (Some(signal), true) = (interrupt.seen(), error.is_none() && body.command.is_none()) {
        error = Some(Error::new(
            base::Kind::Deadline,
            format!("interrupted by {signal}"),
        ));
    }
    let changed = body.services.iter().any(|service| service.changed);
    let failed = error.is_some()
        || matches!(
            body.outcome,
            Outcome::LeftDown | Outcome::NotReady | Outcome::NotStopped | Outcome::CommandFailed
        );
    let exit = cycle::exit(request, &body, error.as_ref());
    let msg = summary(&body);
    let status = if failed { Status::Failed } else { Status::Ok };
    let diff = body.difference();
    let report = Report::new(status, msg, body)
        .changed(changed)
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

fn outcome(action: Action, error: &Option<Error>, changed: bool) -> Outcome {
    match (error.is_some(), action) {
        (true, Action::Stop) => Outcome::NotStopped,
        (true, Action::Reload) => Outcome::NotReloaded,
        (true, _) => Outcome::NotReady,
        (false, _) if changed => Outcome::Done,
        (false, _) => Outcome::Unchanged,
    }
}

fn summary(body: &Cycle) -> String {
    let names = |wanted: bool| -> String {
        let found: Vec<&str> = body
            .services
            .iter()
            .filter(|service| service.changed == wanted)
            .map(|service| service.name.as_str())
            .collect();
        found.join(", ")
    };
    match body.outcome {
        Outcome::Unchanged => format!("{}: nothing to do", body.action),
        Outcome::Done => match body.downtime_ms {
            Some(ms) => format!(
                "{}: {} down for {:.1} s",
                body.action,
                names(true),
                ms as f64 / 1000.0
            ),
            None => format!("{}: {}", body.action, names(true)),
        },
        Outcome::CommandFailed => "COMMAND failed; the services are back".to_owned(),
        Outcome::LeftDown => {
            let down: Vec<&str> = body
                .services
                .iter()
                .filter(|service| !matches!(service.after.as_str(), "running" | "finished"))
                .map(|service| service.name.as_str())
                .collect();
            format!("left down: {}", down.join(", "))
        }
        Outcome::NotReady => "not ready".to_owned(),
        Outcome::NotStopped => "not stopped".to_owned(),
        Outcome::NotReloaded => "not reloaded".to_owned(),
        Outcome::Drifted => "not what was expected".to_owned(),
        Outcome::Planned | Outcome::NotRunning => String::new(),
    }
}

/// Whether an error means that the tool's own work around a COMMAND failed.
#[must_use]
pub fn around(request: &Request) -> Exit {
    if request.action == Action::Cycle {
        Exit::AroundCommand
    } else {
        Exit::Failed
    }
}
