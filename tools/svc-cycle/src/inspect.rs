//! status and check: what is so, changing nothing and locking nothing.

use std::time::Instant;

use base::report::{Report, Status};
use base::{Error, Exit, Kind, Result};

use crate::act::Task;
use crate::backend::{self, Done};
use crate::cli::{Action, Request};
use crate::expect;
use crate::plan::Intent;
use crate::ready::{self, Watchers};
use crate::report::{Cycle, Outcome};
use crate::set::{Service, Set};

/// Looks at every service; `check` asks its probes and expectations too.
///
/// # Errors
/// A service that doesn't exist: usage.
pub fn run(request: &Request, set: &Set) -> Result<Report<Cycle>> {
    let services: Vec<&Service> = set.services.iter().collect();
    let answers = backend::observe(&services);
    let mut cycle = Cycle {
        action: request.action.name().to_owned(),
        ..Cycle::default()
    };
    let (mut warnings, mut error, mut down, mut drifted) =
        (Vec::new(), None, Vec::new(), Vec::new());
    for (service, answer) in set.services.iter().zip(answers) {
        let state = match answer {
            Ok(state) => state,
            Err(wrong) if wrong.exit() == Exit::Usage => return Err(wrong),
            Err(wrong) => {
                let mut task = Task::new(service, backend::State::default(), Intent::default());
                task.keep("observe", Instant::now(), Err(wrong.clone()));
                cycle.services.push(task.report);
                error.get_or_insert(wrong);
                continue;
            }
        };
        let mut task = Task::new(service, state, Intent::default());
        if !task.up {
            down.push(service.name.clone());
            warnings.push(format!("{}: {}", service.name, task.before.why()));
        } else if request.action == Action::Check && !closely(service, &mut task) {
            drifted.push(service.name.clone());
        }
        warnings.append(&mut task.warnings);
        cycle.services.push(task.report);
    }
    cycle.outcome = match (error.is_some() || !down.is_empty(), drifted.is_empty()) {
        (true, _) => Outcome::NotRunning,
        (false, false) => Outcome::Drifted,
        (false, true) => Outcome::Unchanged,
    };
    let msg = match cycle.outcome {
        _ if error.is_some() => "could not tell".to_owned(),
        Outcome::NotRunning => format!("not running: {}", down.join(", ")),
        Outcome::Drifted => format!("not as expected: {}", drifted.join(", ")),
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

/// Probes and expectations, once each.
fn closely(service: &Service, task: &mut Task) -> bool {
    let began = Instant::now();
    let mut watchers = Watchers::look(service);
    let asked = ready::once(service, &task.before, &mut watchers);
    task.report.ready = watchers.reports();
    let answered = task.keep("ready", began, asked.map(|()| Done::default()));
    task.report.expect = expect::compare(&service.spec.expect, &task.before.pids());
    let wrong: Vec<&str> = task
        .report
        .expect
        .iter()
        .filter(|each| !each.ok)
        .map(|each| each.key.as_str())
        .collect();
    if !wrong.is_empty() {
        let error = Error::new(
            Kind::Failed,
            format!(
                "{}: the running process is not what was expected: {}",
                service.name,
                wrong.join(", ")
            ),
        );
        return task.keep("expect", began, Err(error));
    }
    answered
}
