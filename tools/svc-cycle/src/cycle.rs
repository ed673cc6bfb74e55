//! Stop, COMMAND, start: and the start comes whatever happens.
//!
//! Before the first stop there are a synced journal and a guardian process. From then on no path
//! leads out of [`run`] but through [`restore`]; signals are held back and looked at, COMMAND gets
//! them, and a panic or a KILL leaves the guardian to do the same with the same code. A service
//! whose stop was asked for counts as interrupted until its new process is ready: where that is not
//! so when the run ends, the guardian goes on.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::child::{Ending, Foreground};
use base::clock::millis;
use base::guardian;
use base::{Error, Result};

use crate::act::{self, Executor};
use crate::backend;
use crate::id::ServiceId;
use crate::interrupt::Interrupt;
use crate::journal::{Journal, Owed, Stop};
use crate::plan;
use crate::report::CommandReport;
use crate::request::{Action, Request};
use crate::service::{Role, Service};
use crate::set::Set;
use crate::state::State;
use crate::task::Task;

/// What a run over stopped services came to, besides its tasks.
#[derive(Debug, Default)]
pub struct Facts {
    /// COMMAND, where it ran.
    pub command: Option<CommandReport>,
    /// Why COMMAND counts as failed.
    pub failure: Option<Error>,
    /// Whether everything that ran before runs again.
    pub restored: Option<bool>,
    /// From the first stop to the last service ready again.
    pub downtime_ms: Option<u64>,
    /// The services were left down because the caller wanted it so.
    pub left: bool,
    /// The guardian is still at work.
    pub guarded: bool,
}

/// The whole of restart and cycle. Its errors come before anything was touched; later ones are in
/// the tasks.
///
/// # Errors
/// The journal cannot be written or the guardian not started: then nothing was stopped.
pub fn run(
    request: &Request,
    set: &Set,
    interrupt: &Interrupt,
    (deadline, progress): (base::clock::Deadline, bool),
    tasks: &mut [Task],
) -> Result<Facts> {
    let journal = Journal::begin(&request.origin, owes(set, tasks))?;
    let guardian = match guardian::start("restore", journal.name().as_bytes()) {
        Ok(guardian) => guardian,
        Err(error) => {
            journal.end()?;
            return Err(error);
        }
    };
    let journal = Mutex::new(journal);
    let exec = Executor {
        set,
        interrupt,
        deadline,
        progress,
        journal: Some(&journal),
        revival: request.action == Action::Restart,
    };
    let began = Instant::now();
    let mut facts = Facts::default();
    if request.rolling {
        rolling(&exec, tasks);
    } else {
        stop_all(&exec, tasks);
        let stopped = tasks.iter().all(|task| task.error.is_none());
        if request.action == Action::Cycle && stopped && interrupt.seen().is_none() {
            match command(request, &exec, &journal) {
                Ok(report) => {
                    facts.failure = failed(&report);
                    facts.command = Some(report);
                }
                Err(error) => facts.failure = Some(error),
            }
        }
        facts.left = request.leave_down && facts.failure.is_some();
        if !facts.left {
            restore(&exec, tasks);
        }
    }
    let touched: Vec<&Task> = tasks.iter().filter(|task| task.touched).collect();
    let down = !request.rolling && touched.iter().any(|task| !task.revived);
    facts.downtime_ms = down.then(|| millis(began.elapsed()));
    let missing = missing(tasks);
    facts.restored = Some(missing.is_empty());
    facts.guarded = !facts.left && needs_guardian(tasks);
    let mut journal = journal.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let (Err(error), Some(task)) = (journal.keep(&missing, facts.left), tasks.first_mut()) {
        task.warnings.push(error.message);
    }
    if facts.guarded {
        guardian.leave();
    } else {
        guardian.disarm();
    }
    Ok(facts)
}

/// The services that have to run again: those that this run stops, and those that an interrupted
/// run left down.
fn owes(set: &Set, tasks: &[Task]) -> Vec<Owed> {
    let services = set.services.iter().zip(tasks);
    services
        .filter(|(_, task)| !task.intent.stop.is_empty() && !task.intent.start.is_empty())
        .map(|(service, task)| Owed {
            id: task.report.id.clone(),
            name: service.name.clone(),
            members: task.intent.start.clone(),
            after: service.spec.after.clone(),
            before: task.before.generation(),
            old: proc::identities(&task.before.pids()).unwrap_or_default(),
            stop: Stop::No,
        })
        .collect()
}

/// Sockets and timers first: they would start their service again as soon as it is down.
fn stop_all(exec: &Executor<'_>, tasks: &mut [Task]) {
    let go_on = |tasks: &[Task]| {
        tasks.iter().all(|task| task.error.is_none()) && exec.interrupt.seen().is_none()
    };
    let stop = |exec: &Executor<'_>, service: &Service, task: &mut Task| {
        let members = task.intent.stop.clone();
        if !members.is_empty() && !task.touched {
            exec.stop(service, task, &members);
        }
    };
    if go_on(tasks) {
        let services = &exec.set.services;
        exec.at_once(tasks, |at| services[at].role == Role::Trigger, &stop);
    }
    exec.waves(tasks, true, go_on, stop);
}

/// What bringing one service back may take beside its start.
const PER_SERVICE: Duration = Duration::from_secs(30);

/// Starts everything that is to run, in order, without asking anybody. What runs already although
/// it was stopped was started by something else while COMMAND ran, perhaps with the code of before
/// COMMAND: it is started anew.
fn restore(exec: &Executor<'_>, tasks: &mut [Task]) {
    let services: Vec<&Service> = exec.set.services.iter().collect();
    // Bringing services back is not cut short by --timeout: it may take what the services
    // themselves may.
    let most = services
        .iter()
        .map(|service| service.start_timeout() + PER_SERVICE)
        .sum();
    base::watchdog::winding_up(most);
    let seen = backend::observe(&services);
    for (task, state) in tasks.iter_mut().zip(seen) {
        let up = |state: &State| !state.only(&task.intent.start).is_down();
        let revived = task.down && state.as_ref().is_ok_and(up);
        task.revived = revived && !exec.revival;
    }
    exec.waves(
        tasks,
        false,
        |_| true,
        |exec, service, task| {
            if task.intent.start.is_empty() {
                return;
            }
            if task.revived && service.role != Role::Trigger {
                anew(exec, service, task);
                return;
            }
            bring_up(exec, service, task);
        },
    );
}

fn anew(exec: &Executor<'_>, service: &Service, task: &mut Task) {
    task.warnings.push(format!(
        "{}: something started it while COMMAND ran, so it was not down; it is started anew",
        service.name
    ));
    let before = backend::observe_one(service);
    if let Ok(state) = before {
        task.before = state;
    }
    let members = task.before.only(&task.intent.start).up();
    let revival = Executor {
        revival: true,
        ..*exec
    };
    revival.stop(service, task, &members);
    bring_up(&revival, service, task);
}

fn bring_up(exec: &Executor<'_>, service: &Service, task: &mut Task) {
    let wanted = task.intent.start.clone();
    let members = match act::settled(service) {
        // The system had no descriptor or process left for the stop: it was never told, and runs
        // on.
        Ok(state) if never_told(task) && is_old(task, &state) => {
            task.saw(&state);
            task.up = service.is_up(&state);
            return;
        }
        // Told to stop and still there: it cannot be started before it is gone, and the guardian
        // waits for that.
        Ok(state) if task.touched && !task.down && is_old(task, &state) => {
            task.saw(&state);
            task.stuck = true;
            return;
        }
        Ok(state) => {
            let state = state.only(&wanted);
            // Up without a stop that succeeded: never asked, or started again by its own manager.
            if !task.down && !task.touched && state.is_running() {
                task.saw(&state);
                task.up = true;
                return;
            }
            wanted
        }
        Err(_) => wanted,
    };
    exec.start(service, task, &members, true);
}

/// Whether the stop failed for want of a descriptor or a process, before anybody was told.
fn never_told(task: &Task) -> bool {
    task.touched && !task.down && task.error.as_ref().is_some_and(act::is_shortage)
}

/// Whether it is still the process that was told to stop.
fn is_old(task: &Task, state: &State) -> bool {
    state.holds_one_of(&task.before.generation())
}

/// Member by member: stopped, started and ready before the next is touched. The first that fails
/// ends it. What systemd stops with a service is stopped before and started after it.
fn rolling(exec: &Executor<'_>, tasks: &mut [Task]) {
    let order: Vec<usize> = exec.set.waves.iter().flatten().copied().collect();
    let role = |at: usize| exec.set.services[at].role;
    let along: Vec<usize> = order
        .iter()
        .copied()
        .filter(|at| role(*at) == Role::Dependent)
        .collect();
    let mut stopped_along = false;
    for at in order {
        if role(at) != Role::Asked {
            continue;
        }
        let service = &exec.set.services[at];
        for member in tasks[at].intent.start.clone() {
            let member = std::slice::from_ref(&member);
            if !stopped_along {
                stopped_along = true;
                each(exec, tasks, &along, true);
            }
            let task = &mut tasks[at];
            let was_up = task.intent.stop.contains(&member[0]);
            // A stop that failed is still followed by the start: what ran has to run.
            let stopped = !was_up || exec.stop(service, task, member);
            let old = !stopped
                && act::settled(service).is_ok_and(|state| is_old(task, &state.only(member)));
            task.stuck = old && !never_told(task);
            let started = !old && exec.start(service, task, member, true);
            if !(stopped && started) {
                task.up = false;
                each(exec, tasks, &along, false);
                return;
            }
            if exec.interrupt.seen().is_some() {
                each(exec, tasks, &along, false);
                return;
            }
        }
    }
    each(exec, tasks, &along, false);
}

fn each(exec: &Executor<'_>, tasks: &mut [Task], places: &[usize], stop: bool) {
    let mut places = places.to_vec();
    if stop {
        places.reverse();
    }
    for at in places {
        let (service, task) = (&exec.set.services[at], &mut tasks[at]);
        let members = if stop {
            task.intent.stop.clone()
        } else {
            task.intent.start.clone()
        };
        if members.is_empty() || !stop && !task.touched {
            continue;
        }
        if stop {
            exec.stop(service, task, &members);
        } else {
            exec.start(service, task, &members, true);
        }
    }
}

/// COMMAND, as whoever called us, with the signals handed on to it.
fn command(
    request: &Request,
    exec: &Executor<'_>,
    journal: &Mutex<Journal>,
) -> Result<CommandReport> {
    let deadline = match request.command_timeout {
        Some(time) => exec.deadline.or_after(time),
        None => exec.deadline,
    };
    let note = |pid: u32| {
        if let Ok(mut journal) = journal.lock() {
            journal.note_command(pid);
        }
    };
    let outcome = request
        .run_as
        .foreground(Foreground::new(&request.command))
        .deadline(deadline)
        .grace(Duration::from_secs(10))
        .started(&note)
        .run(exec.interrupt.watch())?;
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
    let words: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
    base::mask::argv(&words)
}

fn failed(command: &CommandReport) -> Option<Error> {
    let name = command.argv.first().cloned().unwrap_or_default();
    match (command.exit, command.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(Error::failed(format!("{name}: exit status {code}"))),
        (None, Some(number)) => Some(Error::failed(format!("{name}: {}", Ending::Signal(number)))),
        (None, None) => Some(Error::failed(format!("{name}: it did not run"))),
    }
}

/// What ran before and does not run now, or only as the process that was told to stop.
fn missing(tasks: &[Task]) -> Vec<ServiceId> {
    let owed = |task: &&Task| {
        let runs = matches!(task.report.after.as_str(), "running" | "finished") && !task.stuck;
        !task.intent.stop.is_empty() && !task.intent.start.is_empty() && !task.ready && !runs
    };
    let found = tasks.iter().filter(owed);
    found.map(|task| task.report.id.clone()).collect()
}

/// Whether somebody has to go on after the run: a stop is under way, or the system had no room for
/// a start.
fn needs_guardian(tasks: &[Task]) -> bool {
    tasks.iter().any(|task| {
        let owed = !task.intent.start.is_empty() && task.touched && !task.ready;
        let stopping = task.stuck
            || !task.down && !never_told(task) && task.old.iter().any(proc::Identity::lives);
        owed && (stopping || task.error.as_ref().is_some_and(act::is_shortage))
    })
}

/// The members that interrupted runs left down, by identity, for the plan of another run over the
/// same services.
#[must_use]
pub fn owed_by(journals: &[Journal]) -> plan::Owed {
    let mut owed = plan::Owed::new();
    for each in journals.iter().flat_map(|journal| &journal.entry().owed) {
        let members = owed.entry(each.id.clone()).or_default();
        members.extend(each.members.iter().cloned());
    }
    owed
}
