//! The states of supervisord's processes, as its own answers have them.

use std::time::Duration;

use base::{Error, Result};
use proc::Identity;

use super::connection::{Connection, EXCHANGE, connection};
use super::names::{namespec, pair, selected};
use super::server::Server;
use crate::service::Service;
use crate::state::{Member, Run, State};
use crate::xmlrpc::{Client, Value};

/// One question for each supervisord, however many services it has.
pub fn observe(services: &[&Service]) -> Vec<Result<State>> {
    let mut asked: Vec<(Client, Result<Vec<Value>>)> = Vec::new();
    let mut states = Vec::new();
    for service in services {
        let state = connection(service).and_then(|connection| {
            let known = asked
                .iter()
                .position(|(client, _)| client == &connection.client);
            let at = known.unwrap_or_else(|| {
                asked.push((connection.client.clone(), everything(&connection.client)));
                asked.len() - 1
            });
            let (_, answer) = &asked[at];
            answer
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|processes| state(service, &connection, processes))
        });
        states.push(state);
    }
    states
}

pub fn look(service: &Service) -> Result<State> {
    observe(&[service])
        .pop()
        .unwrap_or_else(|| Err(Error::failed("supervisord gave no answer")))
}

fn everything(client: &Client) -> Result<Vec<Value>> {
    match client.call("supervisor.getAllProcessInfo", &[], EXCHANGE)? {
        Ok(Value::Array(processes)) => Ok(processes),
        Ok(_) => Err(Error::failed(format!(
            "supervisord at {}: getAllProcessInfo gave no list",
            client.place()
        ))),
        Err(fault) => Err(Error::unreachable(format!(
            "supervisord at {}: {}",
            client.place(),
            fault.text
        ))),
    }
}

fn state(service: &Service, connection: &Connection, processes: &[Value]) -> Result<State> {
    let pairs: Vec<(String, String)> = processes.iter().filter_map(pair).collect();
    let wanted = selected(&service.unit, &pairs);
    let server = Server::of(&connection.client);
    let mut members = Vec::new();
    for info in processes {
        if pair(info).is_some_and(|pair| wanted.contains(&pair)) {
            members.extend(member(service, connection, info));
        }
    }
    for pid in members.iter().filter_map(|member| member.pid) {
        server.owns(&connection.client, pid)?;
    }
    if members.is_empty() {
        let mut known: Vec<String> = processes.iter().filter_map(namespec).collect();
        known.sort();
        return Err(Error::usage(format!(
            "{}: supervisord at {} has no such process",
            service.unit,
            connection.client.place()
        ))
        .hint(format!(
            "it has {}; after a change of {} it wants `supervisorctl update`",
            if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            },
            connection.file.display()
        )));
    }
    Ok(State {
        members,
        warnings: Vec::new(),
        fix: None,
    })
}

/// What supervisord makes of a one-shot that ends well within startsecs.
const TOO_SOON: &str = "exit status 0, and supervisord takes an exit within startsecs for a failed start: a one-shot needs startsecs = 0 and autorestart = false";

/// The process as a member.
fn member(service: &Service, connection: &Connection, info: &Value) -> Option<Member> {
    let name = namespec(info)?;
    let code = info.get("state")?.int()?;
    let word = info
        .get("statename")
        .and_then(Value::text)
        .unwrap_or("UNKNOWN")
        .to_owned();
    let pid = info
        .get("pid")
        .and_then(Value::int)
        .and_then(|pid| i32::try_from(pid).ok())
        .filter(|pid| *pid > 0);
    let exit = info.get("exitstatus").and_then(Value::int).unwrap_or(0);
    let run = match code {
        // A one-shot is done when it has ended, and not before.
        20 if service.spec.oneshot => Run::Starting,
        20 => Run::Running,
        10 | 30 => Run::Starting,
        40 => Run::Stopping,
        0 => Run::Stopped,
        100 if exit == 0 && service.spec.oneshot => Run::Finished,
        100 if exit == 0 => Run::Stopped,
        _ => Run::Failed,
    };
    let known = connection
        .processes
        .iter()
        .find(|process| process.namespec() == name);
    let generation = pid
        .and_then(|pid| Identity::of(pid).ok())
        .map(|identity| format!("{}@{}", identity.pid, identity.start))
        .unwrap_or_else(|| pid.map(|pid| pid.to_string()).unwrap_or_default());
    Some(Member {
        run,
        word,
        pid,
        generation,
        detail: if run == Run::Failed && exit == 0 && service.spec.oneshot {
            Some(TOO_SOON.to_owned())
        } else {
            reason(info, run, exit)
        },
        // After stopwaitsecs supervisord kills, and notices that within a second or two.
        stop_time: known.map(|process| Duration::from_secs(process.stopwaitsecs.saturating_add(5))),
        ..Member::of_process(&name, None)
    })
}

/// Why a process is down: supervisord's own words, its exit status, and where its last words are.
fn reason(info: &Value, run: Run, exit: i64) -> Option<String> {
    if matches!(run, Run::Running | Run::Stopped) {
        return None;
    }
    let error = info
        .get("spawnerr")
        .and_then(Value::text)
        .filter(|text| !text.is_empty())
        .map(str::to_owned);
    let status = (exit != 0).then(|| format!("exit status {exit}"));
    let log = ["stderr_logfile", "stdout_logfile"]
        .iter()
        .find_map(|key| info.get(key)?.text().filter(|text| !text.is_empty()));
    let log = log
        .filter(|_| run == Run::Failed)
        .map(|path| format!("its log is {path}"));
    let words: Vec<String> = [error, status, log].into_iter().flatten().collect();
    if words.is_empty() {
        None
    } else {
        Some(words.join("; "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::xmlrpc::Answered;

    fn info(group: &str, name: &str, state: i64, exit: i64) -> Value {
        Value::Struct(vec![
            ("name".into(), Value::Text(name.into())),
            ("group".into(), Value::Text(group.into())),
            ("state".into(), Value::Int(state)),
            ("exitstatus".into(), Value::Int(exit)),
            ("pid".into(), Value::Int(0)),
            ("stderr_logfile".into(), Value::Text("/var/log/x".into())),
        ])
    }
    #[test]
    fn the_states_by_name() {
        let set = |oneshot: bool| Service {
            name: "a".into(),
            backend: "supervisor",
            unit: "a".into(),
            directory: "/".into(),
            spec: crate::service::Spec {
                oneshot,
                ..crate::service::Spec::default()
            },
            role: crate::service::Role::Asked,
            owner: None,
        };
        let connection = Connection {
            client: Client {
                socket: None,
                url: None,
                login: None,
                answered: Answered::default(),
                rights: None,
            },
            file: "/x".into(),
            processes: Vec::new(),
        };
        let of = |oneshot, state, exit| {
            member(&set(oneshot), &connection, &info("a", "a", state, exit)).unwrap()
        };
        let run = |state, exit| of(false, state, exit).run;
        assert_eq!(run(20, 0), Run::Running);
        assert_eq!(run(30, 1), Run::Starting);
        assert_eq!(run(100, 0), Run::Stopped);
        assert_eq!(run(100, 3), Run::Failed);
        assert_eq!(run(200, 0), Run::Failed);
        assert_eq!(of(true, 20, 0).run, Run::Starting);
        assert_eq!(of(true, 100, 0).run, Run::Finished);
        let soon = of(true, 200, 0);
        assert!(soon.detail.is_some_and(|why| why.contains("startsecs = 0")));
        let failed = of(false, 200, 3);
        assert_eq!(
            failed.detail.as_deref(),
            Some("exit status 3; its log is /var/log/x")
        );
    }
}
