//! Stop, COMMAND, start: and the start comes whatever happens.
//!
//! Before the first stop there are a synced journal and a guardian process. From then on no path leads out of
//! [`run`] but through [`restore`]; signals are held back and looked at, COMMAND gets them, and a panic or a KILL
//! leaves the guardian to do the same with the same code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use base::child::{Ending, Foreground};
use base::clock::{Deadline, millis};
use base::guardian;
use base::{Error, Exit, Kind, Result};

use crate::act::{self, Hands, Task};
use crate::change::around;
use crate::cli::{Action, Request};
use crate::journal::Journal;
use crate::report::{CommandReport, Cycle, Outcome};

/// The whole of restart and cycle. Its errors come before anything was touched; later ones are in the tasks.
///
/// # Errors
/// The journal can't be written or the guardian not started: then nothing was stopped.
pub fn run(request: &Request, hands: &Hands<'_>, tasks: &mut [Task]) -> Result<Cycle> {
    let mut journal = Journal::begin(&request.origin, owes(tasks))?;
    let guardian = match guardian::start("restore", journal.name().as_bytes()) {
        Ok(guardian) => guardian,
        Err(error) => {
            journal.end()?;
            return Err(error);
        }
    };
    let began = Instant::now();
    let mut body = Cycle::default();
    let mut failure = None;
    if request.rolling {
        rolling(hands, tasks);
    } else {
        stop_all(hands, tasks);
        let stopped = tasks.iter().all(|task| task.error.is_none());
        if request.action == Action::Cycle && stopped && hands.interrupt.seen().is_none() {
            let ran = command(request, hands, &mut journal);
            body.command = ran.as_ref().ok().cloned();
            failure = ran.err().or_else(|| body.command.as_ref().and_then(failed));
        }
        let leave = request.leave_down && failure.is_some();
        if !leave {
            restore(hands, tasks);
        }
    }
    let touched = tasks.iter().any(|task| task.touched);
    body.downtime_ms = touched.then(|| millis(began.elapsed()));
    let missing = missing(tasks);
    body.restored = Some(missing.is_empty());
    settle_accounts(&mut journal, missing, tasks);
    guardian.disarm();
    if let Some(error) = failure {
        if let Some(task) = tasks.first_mut() {
            task.error.get_or_insert(error);
        }
        body.outcome = Outcome::CommandFailed;
    }
    if hands.interrupt.seen().is_some()
        && body.command.is_none()
        && body.outcome == Outcome::Unchanged
        && request.action == Action::Cycle
    {
        body.outcome = Outcome::NotStopped;
    }
    if body.restored == Some(false) {
        body.outcome = Outcome::LeftDown;
    }
    Ok(body)
}

/// What has to run again: everything that is about to be stopped, and what an earlier run owes.
fn owes(tasks: &[Task]) -> BTreeMap<String, Vec<String>> {
    let owed = |task: &&Task| !task.intent.stop.is_empty();
    tasks
        .iter()
        .filter(owed)
        .map(|task| (task.report.name.clone(), task.intent.start.clone()))
        .collect()
}

fn stop_all(hands: &Hands<'_>, tasks: &mut [Task]) {
    let go_on = |tasks: &[Task]| {
        tasks.iter().all(|task| task.error.is_none()) && hands.interrupt.seen().is_none()
    };
    hands.waves(tasks, true, go_on, |hands, service, task| {
        let members = task.intent.stop.clone();
        if !members.is_empty() {
            hands.stop(service, task, &members);
        }
    });
}

/// Starts everything that is to run and doesn't, in order, without asking anybody.
fn restore(hands: &Hands<'_>, tasks: &mut [Task]) {
    hands.waves(
        tasks,
        false,
        |_| true,
        |hands, service, task| {
            if task.intent.start.is_empty() {
                return;
            }
            // After a stop that failed, or was never begun, it may well be up: started again it would run twice.
            let look = (!task.down).then(|| act::settled(service));
            let members = match look {
                Some(Ok(state)) => {
                    task.saw(&state);
                    state.only(&task.intent.start).down()
                }
                Some(Err(_)) | None => task.intent.start.clone(),
            };
            if members.is_empty() {
                task.up = true;
                return;
            }
            hands.start(service, task, &members, true);
        },
    );
}

/// Member by member: stopped, started and ready before the next is touched. The first that fails ends it.
fn rolling(hands: &Hands<'_>, tasks: &mut [Task]) {
    let order: Vec<usize> = hands.set.waves.iter().flatten().copied().collect();
    for at in order {
        let service = &hands.set.services[at];
        let task = &mut tasks[at];
        for member in task.intent.start.clone() {
            let member = std::slice::from_ref(&member);
            let was_up = task.intent.stop.contains(&member[0]);
            // A stop that failed is still followed by the start: what ran has to run.
            let stopped = !was_up || hands.stop(service, task, member);
            let started = hands.start(service, task, member, true);
            if !(stopped && started) {
                task.up = false;
                return;
            }
            if hands.interrupt.seen().is_some() {
                return;
            }
        }
    }
}

/// COMMAND, as whoever called us, with the signals handed on to it.
fn command(request: &Request, hands: &Hands<'_>, journal: &mut Journal) -> Result<CommandReport> {
    let deadline = match request.command_timeout {
        Some(time) => hands.deadline.or_after(time),
        None => hands.deadline,
    };
    let noted = std::cell::RefCell::new(journal);
    let note = |pid: u32| noted.borrow_mut().note_command(pid);
    let outcome = request
        .run_as
        .foreground(Foreground::new(&request.command))
        .deadline(deadline)
        .grace(Duration::from_secs(10))
        .started(&note)
        .run(hands.interrupt.watch())?;
    let (exit, signal) = match outcome.ending {
        Ending::Exit(code) => (Some(code), None),
        Ending::Signal(number) => (None, Some(number)),
    };
    let bad = exit != Some(0);
    let tail = bad
        .then(|| base::mask::text(&outcome.tail))
        .filter(|tail| !tail.is_empty());
    Ok(CommandReport {
        argv: shown(&request.command),
        exit,
        signal,
        ms: millis(outcome.elapsed),
        tail,
    })
}

fn shown(argv: &[OsString]) -> Vec<String> {
    base::mask::argv(
        &argv
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>(),
    )
}

fn failed(command: &CommandReport) -> Option<Error> {
    let name = command.argv.first().cloned().unwrap_or_default();
    match (command.exit, command.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(Error::failed(format!("{name}: exit status {code}"))),
        (None, Some(number)) => Some(Error::failed(format!("{name}: {}", Ending::Signal(number)))),
        (None, None) => Some(Error::failed(format!("{name}: it didn't run"))),
    }
}

/// What ran before and doesn't run now, by service.
fn missing(tasks: &[Task]) -> BTreeMap<String, Vec<String>> {
    let down = |task: &&Task| {
        !task.intent.stop.is_empty()
            && !matches!(task.report.after.as_str(), "running" | "finished")
    };
    tasks
        .iter()
        .filter(down)
        .map(|task| (task.report.name.clone(), task.intent.start.clone()))
        .collect()
}

fn settle_accounts(
    journal: &mut Journal,
    missing: BTreeMap<String, Vec<String>>,
    tasks: &mut [Task],
) {
    let written = if missing.is_empty() {
        journal.end()
    } else {
        journal.owe(missing)
    };
    if let (Err(error), Some(task)) = (written, tasks.first_mut()) {
        task.warnings.push(error.message);
    }
}

/// The exit code around a COMMAND: its own, unless something of ours failed.
#[must_use]
pub fn exit(request: &Request, body: &Cycle, error: Option<&Error>) -> Option<Exit> {
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

/// As long as COMMAND's group is given to end after a killed run, before it is killed too.
pub const GRACE: Duration = Duration::from_secs(2);

/// A deadline of that length.
#[must_use]
pub fn grace() -> Deadline {
    Deadline::after(Some(GRACE))
}
