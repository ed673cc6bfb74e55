//! A program that nobody supervises: started from a shell, found among the running processes.
//!
//! What `ps cax | grep redis-server` was after, without its mistakes: the program is recognised by
//! what it is (its executable, its own name in front of its title, or the script an interpreter
//! runs), not by a word anywhere in a line. Where several unrelated ones run, `match` or `pidfile`
//! says which is meant; nothing is signalled as long as it is not clear.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::Snapshot;
use proc::{Identity, arguments, executable, is_of_this_machine};

use super::pidfile;
use super::row::{Backend, itself, owns};
use super::spawn::{self, Launch, signal_named};
use crate::id::ServiceId;
use crate::service::Service;
use crate::state::{Done, Member, Run, State};

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "command",
    about: "A program that start runs in the background; match tells its process from others of the same name.",
    example: r#"
[service.worker]
backend = "command"
name = "celery"
match = "celery -A reef worker"
start = ["/srv/reef/venv/bin/celery", "-A", "reef", "worker"]
"#,
    keeps: |_| false,
    unit: |_| None,
    refuses_others: |_| false,
    startable: |_| Ok(()),
    check,
    id,
    locks: |service| itself(id(service)),
    may_touch: |service, peer| {
        service.runs_as_manager_of() == Some(peer.uid) || owns(peer.uid, &service.directory)
    },
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    // A slow program sets its title late, and `match` does not find the process until then.
    late: Duration::from_secs(5),
    settle: |_, _| {},
    vouches: |_, _| false,
    allowed: |service, _| spawn::allowed(service),
    related: None,
    reread: None,
    order: None,
    everything: None,
    shows_stopping: false,
    log: |service, _| spawn::log_of(service),
};

fn check(service: &Service) -> Result<()> {
    for signal in [&service.spec.reload_signal, &service.spec.stop_signal]
        .into_iter()
        .flatten()
    {
        signal_named(signal)?;
    }
    if program(service).is_empty() {
        Err(Error::usage("command: no program is named"))
    } else {
        Ok(())
    }
}

/// The program's own name: the last part of what the service names.
fn program(service: &Service) -> &str {
    let named = Path::new(&service.unit).file_name().and_then(OsStr::to_str);
    named.unwrap_or(&service.unit)
}

/// How it is started: as the set says, or the program alone.
fn argv(service: &Service) -> Vec<String> {
    service
        .spec
        .start
        .clone()
        .unwrap_or_else(|| vec![service.unit.clone()])
}

fn id(service: &Service) -> ServiceId {
    let file = service.spec.pidfile.as_ref();
    let file = file.map(|file| service.path(file).display().to_string());
    ServiceId {
        matching: service.spec.matching.clone().or(file),
        ..ServiceId::system(BACKEND.name, program(service))
    }
}

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    let snapshot = Snapshot::take().map_err(|error| Error::io("/proc", &error));
    services
        .iter()
        .map(|service| {
            snapshot
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|snapshot| state(service, snapshot))
        })
        .collect()
}

fn state(service: &Service, snapshot: &Snapshot) -> Result<State> {
    if let Some(file) = &service.spec.pidfile {
        let proof = pidfile::Proof::of(service);
        let found = service.with_rights(|| pidfile::read(&service.path(file), &proof))?;
        return Ok(State::one(Member::of_process(
            &service.unit,
            found.identity.as_ref(),
        )));
    }
    let roots = roots(service, snapshot).map_err(|error| Error::io("/proc", &error))?;
    let identities: Vec<Identity> = roots
        .iter()
        .filter_map(|pid| Identity::of(*pid).ok())
        .collect();
    let mut state = State::one(Member::of_process(&service.unit, identities.first()));
    if identities.len() > 1 {
        let pids: Vec<String> = identities
            .iter()
            .map(|identity| identity.pid.to_string())
            .collect();
        state.members[0].detail = Some(format!("several: {}", pids.join(", ")));
        state.warnings.push(format!(
            "{}: several run ({}); say match = \"TEXT\" or pidfile = \"FILE\" to mean one",
            service.name,
            pids.join(", ")
        ));
    }
    Ok(state)
}

/// The processes of the program whose parent is not one: masters, not workers.
fn roots(service: &Service, snapshot: &Snapshot) -> io::Result<Vec<i32>> {
    // Not our descendants: a copy that COMMAND or the start just made is one of them, and is what
    // is looked for.
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    let own = rustix::process::geteuid();
    let only = match service.owner {
        Some((uid, _)) => Some(uid),
        None if own.is_root() => None,
        None => Some(own.as_raw()),
    };
    let mut mine = Vec::new();
    for stat in snapshot
        .iter()
        .filter(|stat| !stat.is_dead() && stat.pid != me)
    {
        let ours =
            only.is_none_or(|uid| Identity::of(stat.pid).is_ok_and(|process| process.uid == uid));
        if ours
            && is_program(stat.pid, program(service), service.spec.matching.as_deref())?
            && is_of_this_machine(stat.pid)
        {
            mine.push(stat.pid);
        }
    }
    let parent = |pid: &i32| snapshot.get(*pid).map(|stat| stat.parent);
    Ok(mine
        .iter()
        .filter(|pid| parent(pid).is_none_or(|parent| !mine.contains(&parent)))
        .copied()
        .collect())
}

fn is_program(pid: i32, program: &str, matching: Option<&str>) -> io::Result<bool> {
    let arguments = match arguments(pid) {
        Ok(arguments) => arguments,
        // Ended meanwhile (ESRCH while it is read); any other error hides a process that may be the
        // one.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3) =>
        {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let Some(first) = words.first() else {
        return Ok(false);
    };
    if matching.is_some_and(|text| !words.join(" ").contains(text)) {
        return Ok(false);
    }
    // A title set by the program itself (`redis-server *:6379`, `nginx: master process`) begins
    // with its name.
    let title = first.split([' ', ':']).next().unwrap_or_default();
    let named = |word: &str| Path::new(word).file_name() == Some(OsStr::new(program));
    let executable = executable(pid);
    if named(title)
        || executable
            .as_ref()
            .is_some_and(|path| named(&path.to_string_lossy()))
    {
        return Ok(true);
    }
    let interpreter = executable
        .as_ref()
        .and_then(|path| path.file_name())
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let interprets = [
        "python", "ruby", "perl", "node", "sh", "bash", "dash", "php",
    ]
    .iter()
    .any(|known| interpreter.starts_with(known));
    Ok(interprets
        && words
            .iter()
            .skip(1)
            .find(|word| !word.starts_with('-'))
            .is_some_and(|script| named(script)))
}

fn start(service: &Service, _: &[String], _: Deadline) -> Result<Done> {
    let pid = Launch::of(service, &argv(service)).and_leave()?;
    Ok(Done {
        detail: Some(format!("pid {pid}")),
        ..Done::default()
    })
}

fn stop(service: &Service, state: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    pidfile::terminate(service, &one(service, state)?, deadline)
}

fn reload(service: &Service, state: &State, _: Deadline) -> Result<Done> {
    pidfile::signal_all(service, &one(service, state)?)
}

/// The one process that is meant.
fn one(service: &Service, state: &State) -> Result<Vec<i32>> {
    match state
        .members
        .iter()
        .find(|member| member.run == Run::Running)
        .and_then(|member| member.detail.as_ref())
    {
        Some(several) => Err(Error::failed(format!(
            "{}: it is not clear which is meant: {several}",
            service.name
        ))
        .hint("say match = \"TEXT\" or pidfile = \"FILE\" in the set")),
        None => Ok(state.pids()),
    }
}
