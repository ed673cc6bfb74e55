//! status and check: looks, changes nothing, locks nothing.

use std::time::Instant;

use base::report::{Report, Status};
use base::{Error, Kind, Result};

use crate::backend;
use crate::expect;
use crate::journal::{Journal, Stop};
use crate::plan::Intent;
use crate::ready::{self, Watchers};
use crate::recover;
use crate::report::{Cycle, Outcome};
use crate::request::{Action, Request};
use crate::service::Service;
use crate::set::Set;
use crate::state::{Done, State};
use crate::task::Task;

/// Looks at every service; `check` asks its probes and expectations too. What cannot be told of one
/// hides nothing of the others.
///
/// # Errors
/// A name of which nothing is known, where it is the only one.
pub fn run(request: &Request, set: &Set) -> Result<Report<Cycle>> {
    let services: Vec<&Service> = set.services.iter().collect();
    let answers = backend::observe(&services);
    let mut cycle = Cycle {
        action: request.action.name().to_owned(),
        ..Cycle::default()
    };
    let (mut warnings, mut error, mut down, mut drifted) =
        (Vec::new(), None, Vec::new(), Vec::new());
    let mut usage = None;
    for (service, answer) in set.services.iter().zip(answers) {
        let state = match answer {
            Ok(state) => state,
            Err(wrong) => {
                let mut task = Task::new(service, State::default(), Intent::default());
                task.keep("observe", Instant::now(), Err(wrong.clone()));
                cycle.services.push(task.report);
                match wrong.kind {
                    Kind::Usage | Kind::Input => usage = usage.or(Some(wrong)),
                    _ => error = error.or(Some(wrong)),
                }
                continue;
            }
        };
        let mut task = Task::new(service, state, Intent::default());
        if task.before.is_unknown() {
            let why = format!("{}: {}", service.name, task.before.why());
            error.get_or_insert(
                Error::new(Kind::Unknown, why)
                    .hint("pidfile = \"FILE\" in the set names the process"),
            );
        } else if !task.up {
            down.push(service.name.clone());
            warnings.push(format!("{}: {}", service.name, task.before.why()));
        } else if request.action == Action::Check && !closely(service, &mut task) {
            drifted.push(service.name.clone());
        }
        warnings.append(&mut task.warnings);
        cycle.services.push(task.report);
    }
    if let Some(wrong) = usage {
        // All names are wrong: that is the caller's mistake and nothing else.
        if cycle
            .services
            .iter()
            .all(|service| service.before == "unknown")
        {
            return Err(wrong);
        }
        error = error.or(Some(Error {
            kind: Kind::NotFound,
            ..wrong
        }));
    }
    warnings.extend(owed(set));
    cycle.outcome = match (error.is_some(), down.is_empty(), drifted.is_empty()) {
        (_, false, _) => Outcome::NotRunning,
        (true, ..) => Outcome::Unknown,
        (false, true, false) => Outcome::Drifted,
        (false, true, true) => Outcome::Unchanged,
    };
    let msg = match cycle.outcome {
        Outcome::NotRunning => format!("not running: {}", down.join(", ")),
        Outcome::Drifted => format!("not as expected: {}", drifted.join(", ")),
        Outcome::Unknown => "could not tell".to_owned(),
        _ => format!("{} running", set.services.len()),
    };
    let status = if cycle.outcome == Outcome::Unchanged {
        Status::Ok
    } else {
        Status::No
    };
    let report = Report::new(status, msg, cycle).warnings(warnings);
    Ok(match error {
        Some(error) => report.error(error),
        None => report,
    })
}

/// What an interrupted run stopped, of these services. Others than the owner of the journals cannot
/// see them, and get no warning.
fn owed(set: &Set) -> Vec<String> {
    let Ok((journals, _)) = Journal::interrupted() else {
        return Vec::new();
    };
    let ids: Vec<_> = set.services.iter().map(backend::id).collect();
    let mut found = Vec::new();
    for journal in &journals {
        for owed in journal
            .entry()
            .owed
            .iter()
            .filter(|owed| ids.contains(&owed.id))
        {
            if owed.stop == Stop::Asked && !journal.is_past() {
                found.push(format!(
                    "{}: a stop is under way and the old process still runs; the service is started as soon as that process is gone",
                    owed.name
                ));
                continue;
            }
            let why = match (journal.entry().left, journal.is_past()) {
                (true, _) => "was left down on purpose after COMMAND failed",
                (false, true) => "was stopped by a run that a reboot interrupted",
                (false, false) => "was stopped by a run that was interrupted",
            };
            found.push(format!(
                "{}: {why}; `{}` starts the service",
                owed.name,
                recover::by_name(&journal.entry().origin, owed)
            ));
        }
    }
    found
}

/// Probes and expectations, once each.
fn closely(service: &Service, task: &mut Task) -> bool {
    let began = Instant::now();
    let mut watchers = Watchers::look(service);
    let asked = ready::once(service, &task.before, &mut watchers);
    task.report.ready = watchers.reports();
    let answered = task.keep("ready", began, asked.map(|()| Done::default()));
    task.report.expect = expect::compare(&service.spec.expect, &task.before.pids());
    match expect::verdict(&service.name, &task.report.expect) {
        Ok(()) => answered,
        Err(error) => task.keep("expect", began, Err(error)),
    }
}
