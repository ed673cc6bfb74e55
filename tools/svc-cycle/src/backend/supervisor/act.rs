//! Start, stop and reload: asked for in one exchange, then watched at the processes themselves.

use std::thread::sleep;
use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::{Process, wait_any};

use super::connection::{EXCHANGE, connection};
use super::state::look;
use crate::service::Service;
use crate::state::{Done, State};
use crate::xmlrpc::{ALREADY_STARTED, Answer, BAD_NAME, NOT_RUNNING, Value};

pub fn start(service: &Service, members: &[String], deadline: Deadline) -> Result<Done> {
    let connection = connection(service)?;
    let calls: Vec<(&str, Vec<Value>)> = members
        .iter()
        .map(|name| {
            (
                "supervisor.startProcess",
                vec![Value::Text(name.clone()), Value::Bool(false)],
            )
        })
        .collect();
    let answers = connection
        .client
        .call_all(&calls, deadline.slice(EXCHANGE))?;
    refused(members, &answers, ALREADY_STARTED)?;
    Ok(Done::default())
}

pub fn stop(service: &Service, _: &State, members: &[String], deadline: Deadline) -> Result<Done> {
    let connection = connection(service)?;
    let calls: Vec<(&str, Vec<Value>)> = members
        .iter()
        .map(|name| {
            (
                "supervisor.stopProcess",
                vec![Value::Text(name.clone()), Value::Bool(false)],
            )
        })
        .collect();
    let answers = connection
        .client
        .call_all(&calls, deadline.slice(EXCHANGE))?;
    refused(members, &answers, NOT_RUNNING)?;
    loop {
        let state = look(service)?.only(members);
        if state.is_down() {
            return Ok(Done::default());
        }
        if deadline.passed() {
            return Err(
                Error::failed(format!("{}: still {}", service.name, state.why())).hint(
                    "give it a longer stop_timeout, or stopasgroup and killasgroup in supervisord",
                ),
            );
        }
        let held: Vec<Process> = state
            .pids()
            .into_iter()
            .filter_map(|pid| Process::open(pid).ok())
            .collect();
        if held.is_empty() {
            sleep(deadline.slice(Duration::from_millis(5)));
        } else {
            // Woken by the exit itself; the time only covers a process that never goes.
            let _ = wait_any(
                &held.iter().collect::<Vec<_>>(),
                deadline.slice(Duration::from_millis(250)),
            );
        }
    }
}

/// supervisord has no word for it; the signal is the same that `supervisorctl signal HUP` sends.
pub fn reload(service: &Service, state: &State, deadline: Deadline) -> Result<Done> {
    let connection = connection(service)?;
    let signal = service
        .spec
        .reload_signal
        .clone()
        .unwrap_or_else(|| "HUP".to_owned());
    let members = state.up();
    let calls: Vec<(&str, Vec<Value>)> = members
        .iter()
        .map(|name| {
            (
                "supervisor.signalProcess",
                vec![Value::Text(name.clone()), Value::Text(signal.clone())],
            )
        })
        .collect();
    let answers = connection
        .client
        .call_all(&calls, deadline.slice(EXCHANGE))?;
    refused(&members, &answers, 0)?;
    Ok(Done {
        detail: Some(format!("signal {signal}")),
        ..Done::default()
    })
}

/// The first fault that is not the harmless one.
fn refused(members: &[String], answers: &[Answer], harmless: i64) -> Result<()> {
    for (name, answer) in members.iter().zip(answers) {
        if let Err(fault) = answer {
            if fault.code == BAD_NAME {
                return Err(Error::usage(format!(
                    "{name}: supervisord has no such process (BAD_NAME)"
                )));
            }
            if fault.code != harmless {
                let text = if fault.text.is_empty() {
                    fault.name().to_owned()
                } else {
                    fault.text.clone()
                };
                return Err(Error::failed(format!(
                    "{name}: supervisord refuses: {text}"
                )));
            }
        }
    }
    Ok(())
}
