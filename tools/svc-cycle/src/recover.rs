//! Bringing back what a killed run left down: the guardian does it at once, `recover` later, both with this code.
//!
//! It is idempotent. What runs again already is left alone, a start that is still in flight is waited for, and what
//! is left of COMMAND is ended first, because it was promised that nothing runs while it does.

use std::time::Duration;

use base::clock::Deadline;
use base::report::{Report, Status};
use base::tool::Context;
use base::{Error, Exit, Result};
use proc::Snapshot;
use proc::{Identity, Process};
use rustix::process::Signal;

use crate::act::{self, Hands, Task};
use crate::backend;
use crate::cycle::{GRACE, grace};
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::lock;
use crate::plan::Intent;
use crate::report::{Cycle, Outcome, StepReport};
use crate::set::Set;

/// How long to wait for the locks of a run that is just ending.
const LOCKS: Duration = Duration::from_secs(30);

/// The command.
///
/// # Errors
/// A lock is held; the journals can't be read.
pub fn run(context: &Context) -> Result<Report<Cycle>> {
    let interrupt = Interrupt::begin()?;
    let (now, past) = Journal::owed()?;
    let mut body = Cycle {
        action: "recover".to_owned(),
        ..Cycle::default()
    };
    let (mut warnings, mut error) = (Vec::new(), None);
    for journal in &past {
        warnings.push(format!(
            "{}: from before the last boot, forgotten",
            journal.name()
        ));
        if !context.dry_run {
            journal.end()?;
        }
    }
    for journal in now {
        let set = journal.entry().origin.set()?;
        let _locks = if context.dry_run {
            Vec::new()
        } else {
            lock::acquire(&set.services, context.lock_wait)?
        };
        if !context.dry_run {
            end_command(journal.entry().command.as_ref())?;
        }
        let mut tasks = tasks(&journal, &set)?;
        if !context.dry_run {
            bring_back(&journal, &set, &mut tasks, &interrupt, context.progress);
        }
        for task in tasks {
            warnings.extend(task.warnings);
            error = error.or(task.error);
            let mut report = task.report;
            if context.dry_run {
                report.changed = !task.intent.start.is_empty();
                for (op, detail) in task.intent.steps() {
                    report.steps.push(StepReport {
                        op: op.to_owned(),
                        ms: 0,
                        ok: true,
                        detail: Some(detail),
                    });
                }
            }
            body.services.push(report);
        }
    }
    let changed = body.services.iter().any(|service| service.changed);
    body.outcome = match (&error, changed, context.dry_run) {
        (Some(_), ..) => Outcome::LeftDown,
        (None, true, true) => Outcome::Planned,
        (None, true, false) => Outcome::Done,
        (None, false, _) => Outcome::Unchanged,
    };
    body.restored = Some(error.is_none() && !(changed && context.dry_run));
    let names: Vec<&str> = body
        .services
        .iter()
        .filter(|service| service.changed)
        .map(|service| service.name.as_str())
        .collect();
    let msg = match body.outcome {
        Outcome::Unchanged => "nothing is owed".to_owned(),
        Outcome::Planned => format!("would start {}", names.join(", ")),
        Outcome::LeftDown => "something is still down".to_owned(),
        _ => format!("started {}", names.join(", ")),
    };
    let status = if body.outcome == Outcome::Planned {
        Status::No
    } else {
        Status::Ok
    };
    let diff = body.difference();
    let report = Report::new(status, msg, body)
        .changed(changed)
        .warnings(warnings)
        .diff(diff);
    Ok(match error {
        Some(error) => report.error(error),
        None => report,
    })
}

/// The guardian's work: the journal it was given, once the run is no more.
#[must_use]
pub fn as_guardian(payload: &[u8]) -> Exit {
    let restored = std::str::from_utf8(payload)
        .map_err(|_| Error::failed("not a journal's name"))
        .and_then(restore);
    match restored {
        Ok(()) => Exit::Ok,
        Err(error) => {
            base::tool::complain("svc-cycle", &error.hint("svc-cycle recover tries again"));
            Exit::Failed
        }
    }
}

fn restore(name: &str) -> Result<()> {
    let interrupt = Interrupt::begin()?;
    let Some(journal) = Journal::named(name)? else {
        return Ok(());
    };
    // The pipe closes a moment before the process is gone, and its locks with it.
    if let Ok(process) = Process::reopen(&journal.entry().run) {
        let _ = process.wait(LOCKS);
    }
    let set = journal.entry().origin.set()?;
    let _locks = lock::acquire(&set.services, LOCKS)?;
    // Somebody else may have brought everything back, and the journal may be gone, while the locks were waited for.
    let Some(journal) = Journal::named(name)? else {
        return Ok(());
    };
    end_command(journal.entry().command.as_ref())?;
    let mut tasks = tasks(&journal, &set)?;
    bring_back(&journal, &set, &mut tasks, &interrupt, false);
    match tasks.into_iter().find_map(|task| task.error) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// What is still down of what the journal says was up.
fn tasks(journal: &Journal, set: &Set) -> Result<Vec<Task>> {
    let owed = |name: &str| journal.entry().up.get(name).cloned().unwrap_or_default();
    set.services
        .iter()
        .map(|service| {
            let members = owed(&service.name);
            if !members.is_empty() {
                (service.backend.settle)(service, Deadline::after(Some(service.start_timeout())));
            }
            let state = match backend::observe_one(service) {
                Ok(state) => state,
                Err(error) if members.is_empty() || error.exit() != Exit::Retry => {
                    return Err(error);
                }
                // The start itself waits for a supervisord that doesn't answer.
                Err(_) => backend::State {
                    members: members
                        .iter()
                        .map(|name| backend::Member::of_process(name, None))
                        .collect(),
                    warnings: Vec::new(),
                },
            };
            let start: Vec<String> = state
                .only(&members)
                .members
                .iter()
                .filter(|member| !is_coming(member.run))
                .map(|member| member.name.clone())
                .collect();
            Ok(Task::new(
                service,
                state,
                Intent {
                    start,
                    ..Intent::default()
                },
            ))
        })
        .collect()
}

/// Running, or on its way there without us.
fn is_coming(run: backend::Run) -> bool {
    matches!(
        run,
        backend::Run::Running | backend::Run::Starting | backend::Run::Finished
    )
}

fn bring_back(
    journal: &Journal,
    set: &Set,
    tasks: &mut [Task],
    interrupt: &Interrupt,
    progress: bool,
) {
    let hands = Hands {
        set,
        interrupt,
        deadline: Deadline::NEVER,
        progress,
    };
    hands.waves(
        tasks,
        false,
        |_| true,
        |hands, service, task| {
            let mut members = task.intent.start.clone();
            // A stop that the run had asked for may still be under way.
            if task
                .before
                .members
                .iter()
                .any(|member| member.run == backend::Run::Stopping)
            {
                if let Ok(state) = act::settled(service) {
                    let owed = journal
                        .entry()
                        .up
                        .get(&service.name)
                        .cloned()
                        .unwrap_or_default();
                    members = state.only(&owed).down();
                    task.before = state;
                }
            }
            if !members.is_empty() {
                hands.start(service, task, &members, true);
            }
        },
    );
    if tasks.iter().all(|task| task.error.is_none()) {
        if let (Err(error), Some(task)) = (journal.end(), tasks.first_mut()) {
            task.warnings.push(error.message);
        }
    }
}

/// Ends what is left of COMMAND: its whole process group, each member through its pidfd.
fn end_command(command: Option<&Identity>) -> Result<()> {
    let Some(command) = command else {
        return Ok(());
    };
    let members = || -> Result<Vec<Process>> {
        let snapshot = Snapshot::take().map_err(|error| Error::io("/proc", &error))?;
        let mine = snapshot.iter().filter(|stat| {
            !stat.is_dead() && stat.group == command.pid && stat.start >= command.start
        });
        Ok(mine
            .filter_map(|stat| Process::open(stat.pid).ok())
            .collect())
    };
    let until = grace();
    let tell = |held: &[Process], signal: Signal| {
        held.iter().for_each(|process| {
            let _ = process.signal(signal);
        });
    };
    tell(&members()?, Signal::TERM);
    loop {
        let held = members()?;
        if held.is_empty() {
            return Ok(());
        }
        if until.passed() {
            tell(&held, Signal::KILL);
        }
        let _ = proc::wait_any(
            &held.iter().collect::<Vec<_>>(),
            until.slice(GRACE).max(Duration::from_millis(10)),
        );
    }
}
