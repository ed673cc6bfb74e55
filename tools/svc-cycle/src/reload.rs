//! Reload, and the proof that it took: the same main process, other workers, and both still there a
//! moment later.
//!
//! A HUP is a signal and says nothing. gunicorn given broken code by one loses its master within
//! the second; nginx given a broken configuration keeps its old workers and its old behaviour. Both
//! look like success to `kill`.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base::clock::Deadline;
use base::{Error, Result};
use proc::Identity;
use proc::Snapshot;

use crate::act::Executor;
use crate::backend;
use crate::ready::{self, Watchers};
use crate::service::Service;
use crate::state::{Done, State};
use crate::task::Task;

/// How long new workers have to live before the reload is believed, unless the set says `stable`.
const BELIEVED: Duration = Duration::from_secs(1);

/// How long the old workers may all stay beside the new ones: a worker ends its requests first.
const SETTLING: Duration = Duration::from_secs(10);

/// Reloads one service.
pub fn one(exec: &Executor<'_>, service: &Service, task: &mut Task) {
    let began = Instant::now();
    if !task.up {
        let why = task.before.why();
        task.keep(
            "reload",
            began,
            Err(Error::failed(format!(
                "{}: not running, so there is nothing to reload: {why}",
                service.name
            ))),
        );
        return;
    }
    let deadline = exec.deadline.or_after(service.start_timeout());
    task.report.changed = true;
    let outcome = reload(exec, service, &task.before, deadline);
    if let Ok(state) = backend::observe_one(service) {
        task.saw(&state);
        task.up = service.is_up(&state);
    }
    if !task.keep("reload", began, outcome) {
        return;
    }
    let mut watchers = Watchers::look(service);
    let began = Instant::now();
    let asked = backend::observe_one(service)
        .and_then(|state| ready::once(service, &state, &mut watchers).map(|()| state));
    task.report.ready = watchers.reports();
    let state = asked.as_ref().ok().cloned();
    if task.keep("ready", began, asked.map(|_| Done::default())) {
        if let Some(state) = state {
            exec.expect(service, task, &state);
        }
    }
}

fn reload(
    exec: &Executor<'_>,
    service: &Service,
    before: &State,
    deadline: Deadline,
) -> Result<Done> {
    let old = workers(before)?;
    let replaces = state_replaces(before);
    let mut done = (backend::of(service).reload)(service, before, deadline)?;
    let believed = service.spec.stable.unwrap_or(BELIEVED);
    let began = Instant::now();
    let mut new: Option<(BTreeSet<Identity>, Instant)> = None;
    loop {
        let state = backend::observe_one(service)?;
        if !service.is_up(&state) || masters(&state) != masters(before) {
            return Err(Error::failed(format!("{}: the reload ended its main process: {}", service.name, state.why()))
                .hint("a preflight command (gunicorn --check-config, nginx -t) finds broken code before the reload"));
        }
        let fresh: BTreeSet<Identity> = workers(&state)?.difference(&old).cloned().collect();
        match &new {
            // Without workers, all that can be seen is that it survived.
            _ if old.is_empty() && fresh.is_empty() => {
                let since = new.get_or_insert((BTreeSet::new(), Instant::now())).1;
                if since.elapsed() >= believed {
                    done.warnings.push(format!(
                        "{}: it has no workers, so nothing shows that the reload took",
                        service.name
                    ));
                    return Ok(done);
                }
            }
            Some((seen, since)) if *seen == fresh && !fresh.is_empty() => {
                if since.elapsed() >= believed {
                    second_master(service, before, &fresh)?;
                    // A second main process has no workers of its own for a while, and tells none
                    // of the old ones to go.
                    let leave = old.is_empty() || old.iter().any(is_leaving);
                    if leave || !replaces {
                        return Ok(done);
                    }
                    if since.elapsed() >= SETTLING.max(believed) {
                        done.warnings.push(format!(
                            "{}: new workers are there, and none of the old workers has left yet",
                            service.name
                        ));
                        return Ok(done);
                    }
                }
            }
            // PostgreSQL's processes read the new values and stay.
            _ if fresh.is_empty() && !replaces && began.elapsed() >= believed => {
                done.warnings.push(format!(
                    "{}: its processes stayed, so nothing shows that the reload took",
                    service.name
                ));
                return Ok(done);
            }
            _ if fresh.is_empty() => new = None,
            _ => new = Some((fresh, Instant::now())),
        }
        if deadline.passed() {
            return Err(Error::failed(format!(
                "{}: the workers are still the ones from before: nothing was reloaded",
                service.name
            )));
        }
        exec.interrupt.check()?;
        sleep(Duration::from_millis(10));
    }
}

/// Programs whose master replaces its workers on a reload, so that old workers mean that the reload
/// did not take.
const REPLACING: &[&str] = &[
    "nginx",
    "uwsgi",
    "uwsgi-core",
    "apache2",
    "httpd",
    "gunicorn",
    "haproxy",
];

fn state_replaces(state: &State) -> bool {
    state.pids().iter().any(|pid| {
        let exe = proc::executable(*pid);
        let script = proc::arguments(*pid)
            .ok()
            .and_then(|words| words.get(1).cloned());
        let title = proc::arguments(*pid)
            .ok()
            .and_then(|words| words.first().cloned());
        let named = |name: &std::ffi::OsStr| REPLACING.iter().any(|each| name == *each);
        exe.as_deref()
            .and_then(std::path::Path::file_name)
            .is_some_and(named)
            || script
                .as_deref()
                .map(std::path::Path::new)
                .and_then(std::path::Path::file_name)
                .is_some_and(named)
            || title.is_some_and(|title| title.to_string_lossy().starts_with("gunicorn: master"))
    })
}

/// Whether an old worker is gone, or says in its title that it is about to go, as nginx's do while
/// connections last.
fn is_leaving(worker: &Identity) -> bool {
    let says_so = || {
        proc::arguments(worker.pid).is_ok_and(|words| {
            let title = words.first().map(|word| word.to_string_lossy());
            title.is_some_and(|title| title.contains("is shutting down"))
        })
    };
    !worker.lives() || says_so()
}

/// A new child that is the same program and has workers of its own is a second master: USR2 of
/// gunicorn and nginx leaves both up.
fn second_master(service: &Service, before: &State, fresh: &BTreeSet<Identity>) -> Result<()> {
    let snapshot = Snapshot::take().map_err(|error| Error::io("/proc", &error))?;
    let exe = before.pids().first().and_then(|pid| proc::executable(*pid));
    let second = fresh.iter().find(|identity| {
        identity.exe.is_some() && identity.exe == exe && !snapshot.children(identity.pid).is_empty()
    });
    match second {
        Some(second) => Err(Error::failed(format!(
            "{}: the reload started a second main process ({}) beside the old one, and both answer",
            service.name, second.pid
        ))
        .hint("reload_signal = \"HUP\" reloads in place; after USR2 the old main process has to be told to QUIT")),
        None => Ok(()),
    }
}

/// The main processes by pid and start time: a restart in disguise is not a reload.
fn masters(state: &State) -> Vec<Option<(i32, u64)>> {
    state
        .pids()
        .iter()
        .map(|pid| {
            Identity::of(*pid)
                .ok()
                .map(|identity| (identity.pid, identity.start))
        })
        .collect()
}

fn workers(state: &State) -> Result<BTreeSet<Identity>> {
    let snapshot = Snapshot::take().map_err(|error| Error::io("/proc", &error))?;
    let children = state
        .pids()
        .into_iter()
        .flat_map(|pid| snapshot.children(pid));
    Ok(children.filter_map(|pid| Identity::of(pid).ok()).collect())
}
