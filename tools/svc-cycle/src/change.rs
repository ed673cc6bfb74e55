//! start, stop, restart, reload and cycle: locked, observed, planned, checked, done.

use std::time::Instant;

use base::clock::Deadline;
use base::tool::Context;
use base::{Error, Kind, Result};

use crate::act::Executor;
use crate::backend::{self, row::Related};
use crate::cycle::{self, Facts};
use crate::id::ServiceId;
use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::lock::Locks;
use crate::plan::{self, Intent};
use crate::ready::{self, Watchers};
use crate::request::{Action, Request};
use crate::service::{Role, Service, Spec};
use crate::set::Set;
use crate::state::{Done, State};
use crate::task::Task;
use crate::{preflight, reload};

/// What a run came to, for the verdict.
#[derive(Debug)]
pub struct Changed {
    /// Each service of the run.
    pub tasks: Vec<Task>,
    /// What happened around COMMAND.
    pub facts: Facts,
    /// Dry run: nothing was done.
    pub planned: bool,
    /// A check before the first change failed.
    pub refused: bool,
    /// The signal that cut the run short.
    pub interrupted: Option<nix::sys::signal::Signal>,
}

/// The whole run.
///
/// # Errors
/// What is wrong before anything was touched: usage, a held lock, a supervisord that does not
/// answer.
pub fn run(request: &Request, set: Set, context: &Context) -> Result<Changed> {
    let interrupt = Interrupt::begin()?;
    let mut locks = Locks::default();
    if !context.dry_run {
        locks.acquire(&set.services, context.lock_wait)?;
    }
    if request.reload_units && !context.dry_run {
        backend::reread(&set.services)?;
    }
    let (set, along) = with_related(request.action, set)?;
    if !context.dry_run {
        let mut related = set.services.clone();
        related.retain(|service| service.role != Role::Asked);
        locks.acquire(&related, context.lock_wait)?;
    }
    let services: Vec<&Service> = set.services.iter().collect();
    let states: Vec<State> = backend::observe(&services)
        .into_iter()
        .collect::<Result<_>>()?;
    let ids: Vec<ServiceId> = services
        .iter()
        .map(|service| backend::id(service))
        .collect();
    let (journals, broken) = Journal::interrupted()?;
    let owed = cycle::owed_by(&journals);
    let mut intents = plan::make(request.action, &set, &ids, &states, &owed);
    if matches!(
        request.action,
        Action::Restart | Action::Cycle | Action::Stop
    ) {
        plan::bring_along(&mut intents, &states, &places(&ids, &along));
    }
    for (service, intent) in set.services.iter().zip(&intents) {
        if !intent.start.is_empty() {
            (backend::of(service).startable)(service)?;
        }
    }
    let mut tasks = tasks(&set, states, intents, &along);
    if let Some(first) = tasks.first_mut() {
        first
            .warnings
            .extend(broken.into_iter().map(|error| error.whole()));
    }
    let mut changed = Changed {
        tasks: Vec::new(),
        facts: Facts::default(),
        planned: context.dry_run,
        refused: false,
        interrupted: None,
    };
    changed.refused = !checked(
        request,
        &set,
        &mut tasks,
        &mut changed.facts,
        context.deadline,
    );
    if !changed.refused && !context.dry_run {
        let how = (context.deadline, context.progress);
        match request.action {
            Action::Restart | Action::Cycle => {
                changed.facts = cycle::run(request, &set, &interrupt, how, &mut tasks)?;
            }
            action => {
                let exec = Executor {
                    set: &set,
                    interrupt: &interrupt,
                    deadline: context.deadline,
                    progress: context.progress,
                    journal: None,
                    revival: false,
                };
                simple(action, &exec, &mut tasks);
            }
        }
        forgive(journals, &tasks);
        changed.interrupted = interrupt.seen();
    }
    changed.tasks = tasks;
    Ok(changed)
}

/// The set with what the managers of its services stop together with them and what starts them
/// again, and the identities of all that comes along.
fn with_related(action: Action, set: Set) -> Result<(Set, Vec<Related>)> {
    if !matches!(
        action,
        Action::Start | Action::Stop | Action::Restart | Action::Cycle
    ) {
        return Ok((set, Vec::new()));
    }
    let touched: Vec<&Service> = set
        .services
        .iter()
        .filter(|service| action == Action::Start || !set.only_ensures(service))
        .collect();
    let mut related = backend::related(&touched)?;
    related.retain(|each| match (action, each.role) {
        (Action::Start, Role::Trigger) => {
            each.enabled && !each.up && each.id.unit.ends_with(".socket")
        }
        (Action::Start, _) | (Action::Restart, Role::Trigger) => false,
        _ => each.up,
    });
    let known: Vec<ServiceId> = set.services.iter().map(backend::id).collect();
    let mut more = Vec::new();
    for each in related.iter().filter(|each| !known.contains(&each.id)) {
        more.push(service_of(each, &set));
    }
    let mut set = set;
    for trigger in related.iter().filter(|each| each.role == Role::Trigger) {
        // The socket is there before the service that wants to inherit it.
        let name = more
            .iter()
            .find(|service| backend::id(service) == trigger.id);
        if let Some(name) = name.map(|service| service.name.clone()) {
            for service in set
                .services
                .iter_mut()
                .filter(|each| trigger.of.contains(&each.name))
            {
                service.spec.after.push(name.clone());
            }
        }
    }
    Ok((set.with(more)?, related))
}

/// The service of the file where the file has it, else the bare unit.
fn service_of(related: &Related, set: &Set) -> Service {
    let described = set
        .others
        .iter()
        .find(|service| backend::id(service) == related.id);
    let mut service = described
        .cloned()
        .unwrap_or_else(|| bare(&related.id, &related.id.unit));
    service.role = related.role;
    if related.role == Role::Dependent {
        service.spec.after.extend(related.of.iter().cloned());
    }
    service
}

/// A service of which nothing is known but its identity.
#[must_use]
pub fn bare(id: &ServiceId, name: &str) -> Service {
    let backend = backend::named(&id.backend).unwrap_or(backend::ALL[0]);
    let uid = id
        .manager
        .strip_prefix("user:")
        .and_then(|uid| uid.parse().ok());
    let user = uid.and_then(|uid: u32| base::child::Identity::of_uid(uid, uid).ok()?.name);
    Service {
        name: name.to_owned(),
        backend: backend.name,
        unit: id.unit.clone(),
        directory: "/".into(),
        spec: Spec {
            config: id.config.clone().map(crate::service::Files::One),
            user,
            ..Spec::default()
        },
        role: Role::Asked,
        owner: None,
    }
}

fn places(ids: &[ServiceId], along: &[Related]) -> Vec<usize> {
    let comes = |id: &ServiceId| {
        along
            .iter()
            .any(|each| each.id == *id && each.role == Role::Dependent)
    };
    (0..ids.len()).filter(|at| comes(&ids[*at])).collect()
}

fn tasks(set: &Set, states: Vec<State>, intents: Vec<Intent>, along: &[Related]) -> Vec<Task> {
    set.services
        .iter()
        .zip(states)
        .zip(intents)
        .map(|((service, state), intent)| {
            let mut task = Task::new(service, state, intent);
            let because = along.iter().find(|each| each.id == task.report.id);
            task.report.because = because.map(|each| each.because.clone());
            task
        })
        .collect()
}

/// Everything that can be found out before the first change. False where something speaks against
/// it.
fn checked(
    request: &Request,
    set: &Set,
    tasks: &mut [Task],
    facts: &mut Facts,
    deadline: Deadline,
) -> bool {
    // A name that another user's PATH finds (--as-site puts the site's venv first) is only that
    // user's to look up.
    let by_name = request
        .command
        .first()
        .is_some_and(|word| !word.as_encoded_bytes().contains(&b'/'));
    let elsewhere = request.run_as != base::RunAs::default() && by_name;
    let found = if elsewhere {
        Ok(())
    } else {
        preflight::command(&request.command)
    };
    if let Err(error) = found {
        facts.failure = Some(error);
        return false;
    }
    for (service, task) in set.services.iter().zip(tasks.iter_mut()) {
        if !task.intent.is_nothing() && service.role == Role::Asked {
            preflight::check(service, task, deadline);
        }
    }
    tasks.iter().all(|task| task.error.is_none())
}

/// Takes each service that this run started again out of the journals.
fn forgive(journals: Vec<Journal>, tasks: &[Task]) {
    for mut journal in journals {
        let is_back = |id: &ServiceId| tasks.iter().any(|task| task.up && task.report.id == *id);
        let owed = &journal.entry().owed;
        let still: Vec<ServiceId> = owed
            .iter()
            .map(|owed| owed.id.clone())
            .filter(|id| !is_back(id))
            .collect();
        if still.len() < owed.len() {
            // Failing that, the next run finds it and sees that all is up.
            let _ = journal.keep(&still, false);
        }
    }
}

/// start, stop and reload: one wave after another, in one direction.
fn simple(action: Action, exec: &Executor<'_>, tasks: &mut [Task]) {
    let uninterrupted = |_: &[Task]| exec.interrupt.seen().is_none();
    match action {
        Action::Stop => stop(exec, tasks),
        Action::Reload => exec.waves(tasks, false, uninterrupted, |exec, service, task| {
            if task.intent.reload {
                reload::one(exec, service, task);
            }
        }),
        _ => start(exec, tasks),
    }
}

fn stop(exec: &Executor<'_>, tasks: &mut [Task]) {
    let work = |exec: &Executor<'_>, service: &Service, task: &mut Task| {
        let members = task.intent.stop.clone();
        if !members.is_empty() && !task.touched {
            exec.stop(service, task, &members);
        }
    };
    let services = &exec.set.services;
    exec.at_once(tasks, |at| services[at].role == Role::Trigger, &work);
    exec.waves(tasks, true, |_| exec.interrupt.seen().is_none(), work);
}

/// What waits for a service that is not ready is not started.
fn start(exec: &Executor<'_>, tasks: &mut [Task]) {
    for wave in &exec.set.waves {
        for at in wave {
            let after = &exec.set.services[*at].spec.after;
            let missing = tasks
                .iter()
                .find(|task| after.contains(&task.report.name) && !task.up)
                .map(|task| task.report.name.clone());
            if let Some(name) = missing.filter(|_| !tasks[*at].intent.start.is_empty()) {
                let error = Error::failed(format!(
                    "{}: not started: {name} is not ready",
                    tasks[*at].report.name
                ));
                tasks[*at].keep("start", Instant::now(), Err(error));
                tasks[*at].intent.start.clear();
            }
        }
        if exec.interrupt.seen().is_some() {
            return;
        }
        exec.at_once(tasks, |at| wave.contains(&at), &bring_up);
    }
}

fn bring_up(exec: &Executor<'_>, service: &Service, task: &mut Task) {
    let members = task.intent.start.clone();
    if !members.is_empty() {
        exec.start(service, task, &members, false);
    } else if task.up && !task.before.was_restarted() {
        let began = Instant::now();
        let mut watchers = Watchers::look(service);
        let asked = ready::once(service, &task.before, &mut watchers);
        task.report.ready = watchers.reports();
        let before = task.before.clone();
        task.up = task.keep("ready", began, asked.map(|()| Done::default()))
            && exec.expect(service, task, &before);
    } else if !task.before.up().is_empty() {
        exec.await_start(service, task);
    }
}

/// The error of a run that a signal cut short.
#[must_use]
pub fn interrupted(signal: nix::sys::signal::Signal) -> Error {
    Error::new(Kind::Deadline, format!("interrupted by {signal}"))
}
