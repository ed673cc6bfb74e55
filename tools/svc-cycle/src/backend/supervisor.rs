//! Programs under supervisord, through its own socket.
//!
//! The configuration file says where the socket is; the `supervisorctl` client is never run. Calls
//! for the processes of a group go out in one exchange and do not wait there: the processes
//! themselves are watched, so that an exit is seen when it happens and not when supervisord's loop
//! comes round. There is no restartProcess in the protocol, and `startProcess` says yes to a
//! program that dies a second later: the states afterwards are what counts.

mod act;
mod connection;
mod names;
mod server;
mod state;

use std::path::Path;
use std::time::Duration;

use base::connect::Peer;
use base::{Error, Fix, Result};

use super::row::{Backend, can_write};
use crate::id::ServiceId;
use crate::service::Service;
use crate::state::{Remarks, Run, State};
use crate::xmlrpc::Value;
use act::{reload, start, stop};
use connection::{EXCHANGE, connection, file, read};
use names::{namespec, namespec_of, selected, spelled};
use state::observe;

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "supervisor",
    about: "A program or group of supervisord: gunicorn, GROUP:PROCESS. config names supervisord's configuration where it is not in a usual place.",
    example: r#"
[service.worker]
backend = "supervisor"
name = "celery:celery_00"
config = "/srv/reef/supervisord.conf"
"#,
    keeps: |_| false,
    unit: |_| None,
    refuses_others: |_| false,
    startable: |_| Ok(()),
    check,
    id,
    locks,
    may_touch,
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::ZERO,
    settle: |_, _| {},
    vouches,
    allowed,
    related: None,
    reread: None,
    order: Some(order),
    everything: Some(groups_of),
    shows_stopping: true,
    log,
};

fn check(service: &Service) -> Result<()> {
    if service.unit.is_empty() || service.unit.starts_with(':') {
        return Err(
            Error::usage(format!("{}: not a process of supervisord", service.unit))
                .hint("say PROCESS, GROUP:PROCESS or GROUP:*"),
        );
    }
    Ok(())
}

fn id(service: &Service) -> ServiceId {
    let file = file(service).ok();
    let config = file.map(|file| file.canonicalize().unwrap_or(file));
    ServiceId {
        config,
        ..ServiceId::system(BACKEND.name, spelled(&service.unit))
    }
}

/// The processes that the configuration has under this name, so that a group and its member exclude
/// each other.
fn locks(service: &Service) -> Vec<ServiceId> {
    let whole = id(service);
    let Ok(connection) = connection(service) else {
        return vec![whole];
    };
    let names: Vec<(String, String)> = connection
        .processes
        .iter()
        .map(|process| (process.group.clone(), process.name.clone()))
        .collect();
    let mut found: Vec<ServiceId> = selected(&service.unit, &names)
        .into_iter()
        .map(|(group, name)| ServiceId {
            unit: namespec_of(&group, &name),
            ..whole.clone()
        })
        .collect();
    if found.is_empty() {
        found.push(whole);
    }
    found
}

/// Whoever can write to supervisord's socket can start and stop its programs.
fn may_touch(service: &Service, peer: Peer) -> bool {
    connection(service).is_ok_and(|connection| {
        let socket = connection.client.socket.as_ref();
        socket.is_some_and(|socket| can_write(peer.uid, socket))
    })
}

/// RUNNING means that it stayed up for `startsecs`; with `startsecs = 0` it means nothing.
fn vouches(service: &Service, state: &State) -> bool {
    connection(service).is_ok_and(|connection| {
        state.members.iter().all(|member| {
            connection
                .processes
                .iter()
                .any(|process| process.namespec() == member.name && process.startsecs > 0)
        })
    })
}

/// By priority, as supervisord itself starts its programs.
fn order(services: &[&Service]) -> Result<Vec<(usize, usize)>> {
    let mut priorities = Vec::new();
    for service in services {
        let connection = connection(service)?;
        let ids = locks(service);
        let named = |process: &&conf::supervisor::Process| {
            ids.iter().any(|id| id.unit == process.namespec())
        };
        let least = connection
            .processes
            .iter()
            .filter(named)
            .map(|each| each.priority);
        priorities.push((connection.file.clone(), least.min().unwrap_or(999)));
    }
    let mut pairs = Vec::new();
    for (a, (file, before)) in priorities.iter().enumerate() {
        for (b, (other, after)) in priorities.iter().enumerate() {
            if file == other && before < after {
                pairs.push((a, b));
            }
        }
    }
    Ok(pairs)
}

/// Every group of the configuration.
fn groups_of(file: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for process in read(file)?.processes {
        let name = if process.group == process.name {
            process.name
        } else {
            format!("{}:*", process.group)
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// What the file says and supervisord has not read yet: a restart would start the old command.
fn allowed(service: &Service, state: &State) -> Result<Remarks> {
    let connection = connection(service)?;
    let Ok(Value::Array(running)) =
        connection
            .client
            .call("supervisor.getAllConfigInfo", &[], EXCHANGE)?
    else {
        // An older supervisord does not tell.
        return Ok(Remarks::default());
    };
    let mut remarks = Remarks::default();
    for member in &state.members {
        let theirs = running
            .iter()
            .find(|info| namespec(info).as_deref() == Some(&member.name));
        let ours = connection
            .processes
            .iter()
            .find(|process| process.namespec() == member.name);
        let changed = match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs
                .get("command")
                .and_then(Value::text)
                .is_some_and(|command| command != ours.command),
            (Some(_), None) => true,
            _ => false,
        };
        if changed {
            let file = connection.file.display().to_string();
            let group = member.name.split(':').next().unwrap_or_default();
            remarks.warnings.push(format!(
                "{}: '{file}' says another command than the one that supervisord has read",
                member.name
            ));
            let fix = remarks.fix.take().unwrap_or_else(|| {
                Fix::advice(
                    "have supervisord read its configuration: it starts the changed programs anew",
                )
            });
            remarks.fix =
                Some(fix.command("root", &["supervisorctl", "-c", &file, "update", group]));
        }
    }
    Ok(remarks)
}

/// The last lines of the program's own log: standard error first.
fn log(service: &Service, state: &State) -> Vec<String> {
    let Ok(connection) = connection(service) else {
        return Vec::new();
    };
    let failed = state
        .members
        .iter()
        .find(|member| member.run != Run::Running)
        .or(state.members.first());
    let Some(member) = failed else {
        return Vec::new();
    };
    for method in [
        "supervisor.tailProcessStderrLog",
        "supervisor.tailProcessStdoutLog",
    ] {
        let arguments = [
            Value::Text(member.name.clone()),
            Value::Int(0),
            Value::Int(4096),
        ];
        let Ok(Ok(Value::Array(answer))) = connection.client.call(method, &arguments, EXCHANGE)
        else {
            continue;
        };
        let text = answer.first().and_then(Value::text).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(10)..];
        if !last.is_empty() {
            return last.iter().map(|line| (*line).to_owned()).collect();
        }
    }
    Vec::new()
}
