//! Programs under supervisord, through its own socket.
//!
//! The configuration file says where the socket is; the `supervisorctl` client is never run. Calls for the processes
//! of a group go out in one exchange and don't wait there: the processes themselves are watched, so that an exit is
//! seen when it happens and not when supervisord's loop comes round. There is no restartProcess in the protocol, and
//! `startProcess` says yes to a program that dies a second later: the states afterwards are what counts.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use conf::files::Files;
use conf::supervisor::{Address, Supervisor, Surroundings};
use proc::{Identity, Process, wait_any};

use super::{Backend, Done, Member, Run, State};
use crate::set::Service;
use crate::xmlrpc::{ALREADY_STARTED, Answer, BAD_NAME, Client, NOT_RUNNING, Value};

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "supervisor",
    check,
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::ZERO,
    settle: |_, _| {},
    vouches,
};

/// One exchange with supervisord takes a millisecond or two; it is single-threaded, so it can be held up by its own work.
const EXCHANGE: Duration = Duration::from_secs(10);

/// A supervisord: how to reach it, and what its configuration says of its processes.
#[derive(Debug, Clone)]
pub struct Connection {
    client: Client,
    file: PathBuf,
    startsecs: Vec<(String, u64)>,
}

fn check(service: &Service) -> Result<()> {
    if service.unit.is_empty() || service.unit.starts_with(':') {
        return Err(
            Error::usage(format!("{}: not a process of supervisord", service.unit))
                .hint("say PROCESS, GROUP:PROCESS or GROUP:*"),
        );
    }
    Ok(())
}

/// Reads the configuration once for each service.
fn connection(service: &Service) -> Result<&Connection> {
    if let Some(known) = service.connection.get() {
        return Ok(known);
    }
    let files = Files::new();
    let file = match &service.spec.config {
        Some(file) => service.path(file),
        None => Supervisor::usual(&files).ok_or_else(|| {
            Error::input("supervisord has no configuration in its usual places")
                .hint("say config = \"FILE\" in the set, or --config FILE")
        })?,
    };
    let read = Supervisor::read(&files, &file, &Surroundings::own()).map_err(|error| {
        Error::input(format!("{error}")).hint("config is supervisord's own configuration file")
    })?;
    let startsecs = read
        .groups
        .iter()
        .flat_map(|group| &group.processes)
        .map(|process| (process.namespec(), process.startsecs))
        .collect();
    let client = client(&read).ok_or_else(|| {
        Error::input(format!(
            "{}: neither [unix_http_server] nor [inet_http_server]: supervisord can't be spoken to",
            file.display()
        ))
    })?;
    Ok(service.connection.get_or_init(|| Connection {
        client,
        file,
        startsecs,
    }))
}

/// The unix socket before a port; the login that the administrator's own client has before the server's, whose password may be a digest.
fn client(read: &Supervisor) -> Option<Client> {
    let control = read.control.as_ref();
    let unix = read
        .servers
        .iter()
        .find(|server| matches!(server.address, Address::Unix(_)));
    let server = unix.or_else(|| read.servers.first());
    let login = |user: Option<&String>, password: Option<&conf::supervisor::Secret>| {
        user.map(|user| {
            (
                user.clone(),
                password
                    .map(|secret| secret.reveal().to_owned())
                    .unwrap_or_default(),
            )
        })
    };
    let controls =
        control.and_then(|control| login(control.username.as_ref(), control.password.as_ref()));
    let Some(server) = server else {
        let url = &control?.serverurl;
        return Some(match url.strip_prefix("unix://") {
            Some(path) => Client {
                socket: Some(path.into()),
                url: None,
                login: controls,
            },
            None => Client {
                socket: None,
                url: Some(url.trim_end_matches('/').to_owned()),
                login: controls,
            },
        });
    };
    let login = server
        .username
        .as_ref()
        .and_then(|user| controls.or_else(|| login(Some(user), server.password.as_ref())));
    Some(match &server.address {
        Address::Unix(path) => Client {
            socket: Some(path.clone()),
            url: None,
            login,
        },
        Address::Inet { host, port } => {
            let host = if host.is_empty() || host == "*" {
                "127.0.0.1"
            } else {
                host
            };
            Client {
                socket: None,
                url: Some(format!("http://{host}:{port}")),
                login,
            }
        }
    })
}

/// One question for each supervisord, however many services it has.
fn observe(services: &[&Service]) -> Vec<Result<State>> {
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
                .and_then(|processes| state(service, connection, processes))
        });
        states.push(state);
    }
    states
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
    let members: Vec<Member> = processes
        .iter()
        .filter_map(|info| member(&service.unit, info))
        .collect();
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
    })
}

fn namespec(info: &Value) -> Option<String> {
    let group = info.get("group")?.text()?;
    let name = info.get("name")?.text()?;
    Some(if group == name {
        name.to_owned()
    } else {
        format!("{group}:{name}")
    })
}

/// The process, if it belongs to what the service names: itself, its group, `GROUP:*`.
fn member(unit: &str, info: &Value) -> Option<Member> {
    let name = namespec(info)?;
    let group = info.get("group")?.text()?;
    if !(unit == name
        || unit == group
        || unit.strip_suffix(":*") == Some(group)
        || unit == format!("{group}:{name}"))
    {
        return None;
    }
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
        20 => Run::Running,
        10 | 30 => Run::Starting,
        40 => Run::Stopping,
        0 => Run::Stopped,
        100 if exit == 0 => Run::Stopped,
        _ => Run::Failed,
    };
    let generation = pid
        .and_then(|pid| Identity::of(pid).ok())
        .map(|identity| format!("{}@{}", identity.pid, identity.start))
        .unwrap_or_else(|| pid.map(|pid| pid.to_string()).unwrap_or_default());
    Some(Member {
        name,
        run,
        word,
        pid,
        generation,
        detail: reason(info, run, exit),
        restarts: 0,
        cgroup: None,
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

fn start(service: &Service, members: &[String], deadline: Deadline) -> Result<Done> {
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

fn stop(service: &Service, _: &State, members: &[String], deadline: Deadline) -> Result<Done> {
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
        let state = super::observe_one(service)?.only(members);
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
fn reload(service: &Service, state: &State, deadline: Deadline) -> Result<Done> {
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

/// The first fault that isn't the harmless one.
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

/// RUNNING means that it stayed up for `startsecs`; with `startsecs = 0` it means nothing.
fn vouches(service: &Service, state: &State) -> bool {
    service.connection.get().is_some_and(|connection| {
        state.members.iter().all(|member| {
            connection
                .startsecs
                .iter()
                .any(|(name, seconds)| name == &member.name && *seconds > 0)
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

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
    fn a_service_names_a_process_a_group_or_all_of_one() {
        for (unit, group, name, expected) in [
            ("web", "web", "web", Some("web")),
            ("web", "web", "web_0", Some("web:web_0")),
            ("web:*", "web", "web_0", Some("web:web_0")),
            ("web:web_0", "web", "web_0", Some("web:web_0")),
            ("web:web_1", "web", "web_0", None),
            ("web:web", "web", "web", Some("web")),
            ("we", "web", "web", None),
        ] {
            assert_eq!(
                member(unit, &info(group, name, 20, 0))
                    .map(|member| member.name)
                    .as_deref(),
                expected,
                "{unit}"
            );
        }
    }

    #[test]
    fn the_states_by_name() {
        let run = |state, exit| member("a", &info("a", "a", state, exit)).unwrap().run;
        assert_eq!(run(20, 0), Run::Running);
        assert_eq!(run(30, 1), Run::Starting);
        assert_eq!(run(100, 0), Run::Stopped);
        assert_eq!(run(100, 3), Run::Failed);
        assert_eq!(run(200, 0), Run::Failed);
        let failed = member("a", &info("a", "a", 200, 3)).unwrap();
        assert_eq!(
            failed.detail.as_deref(),
            Some("exit status 3; its log is /var/log/x")
        );
    }
}
