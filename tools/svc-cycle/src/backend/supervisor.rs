//! Programs under supervisord, through its own socket.
//!
//! The configuration file says where the socket is; the `supervisorctl` client is never run. Calls for the processes
//! of a group go out in one exchange and do not wait there: the processes themselves are watched, so that an exit is
//! seen when it happens and not when supervisord's loop comes round. There is no restartProcess in the protocol, and
//! `startProcess` says yes to a program that dies a second later: the states afterwards are what counts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use conf::files::Files;
use conf::supervisor::{Address, Supervisor, Surroundings};
use proc::{Identity, Process, wait_any};

use super::row::Backend;
use crate::id::ServiceId;
use crate::service::Service;
use crate::state::{Done, Member, Run, State};
use crate::xmlrpc::{ALREADY_STARTED, Answer, Answered, BAD_NAME, Client, NOT_RUNNING, Value};

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "supervisor",
    check,
    id,
    locks,
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

/// One exchange with supervisord takes a millisecond or two; it is single-threaded, so it can be held up by its own work.
const EXCHANGE: Duration = Duration::from_secs(10);

/// A supervisord: how to reach it, and what its configuration says of its processes.
#[derive(Debug, Clone)]
struct Connection {
    client: Client,
    file: PathBuf,
    processes: Vec<conf::supervisor::Process>,
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

/// The configurations that were read in this run, by path.
static KNOWN: Mutex<Option<HashMap<PathBuf, Arc<Connection>>>> = Mutex::new(None);

fn known(file: &PathBuf) -> Option<Arc<Connection>> {
    let guard = KNOWN.lock().ok()?;
    guard.as_ref()?.get(file).cloned()
}

fn file(service: &Service) -> Result<PathBuf> {
    match &service.spec.config {
        Some(file) => Ok(service.path(file.first())),
        None => Supervisor::usual(&Files::new()).ok_or_else(|| {
            Error::input("supervisord has no configuration in its usual places")
                .hint("config = \"FILE\" in the set, or --config FILE, names the file")
        }),
    }
}

/// Reads the configuration, once in each run.
fn connection(service: &Service) -> Result<Arc<Connection>> {
    let file = file(service)?;
    if let Some(known) = known(&file) {
        return Ok(known);
    }
    let connection = Arc::new(read(&file)?);
    if let Ok(mut guard) = KNOWN.lock() {
        let table = guard.get_or_insert_with(HashMap::new);
        table.insert(file, Arc::clone(&connection));
    }
    Ok(connection)
}

fn read(file: &std::path::Path) -> Result<Connection> {
    let files = Files::new();
    let read = Supervisor::read(&files, file, &Surroundings::own()).map_err(|error| {
        Error::input(format!("{error}")).hint("config is supervisord's own configuration file")
    })?;
    let client = client(&read).ok_or_else(|| {
        Error::input(format!(
            "{}: neither [unix_http_server] nor [inet_http_server]: supervisord cannot be asked",
            file.display()
        ))
    })?;
    let groups = read.groups.into_iter();
    Ok(Connection {
        client,
        file: file.to_path_buf(),
        processes: groups.flat_map(|group| group.processes).collect(),
    })
}

fn id(service: &Service) -> ServiceId {
    let file = file(service).ok();
    let config = file.map(|file| file.canonicalize().unwrap_or(file));
    ServiceId {
        config,
        ..ServiceId::system(BACKEND.name, spelled(&service.unit))
    }
}

/// `web:web` is `web`, and `web:` is all of the group.
fn spelled(unit: &str) -> String {
    match unit.split_once(':') {
        Some((group, name)) if group == name => group.to_owned(),
        Some((group, "" | "*")) => format!("{group}:*"),
        _ => unit.to_owned(),
    }
}

/// The processes that the configuration has under this name, so that a group and its member exclude each other.
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

fn namespec_of(group: &str, name: &str) -> String {
    if group == name {
        name.to_owned()
    } else {
        format!("{group}:{name}")
    }
}

/// The processes that a name means, as supervisorctl reads it: `NAME` is the process NAME of the group NAME, and only where there is
/// no such process all of the group.
fn selected(unit: &str, all: &[(String, String)]) -> Vec<(String, String)> {
    let unit = spelled(unit);
    let exact: Vec<(String, String)> = all
        .iter()
        .filter(|(group, name)| namespec_of(group, name) == unit)
        .cloned()
        .collect();
    if !exact.is_empty() {
        return exact;
    }
    let group = unit.strip_suffix(":*").unwrap_or(&unit);
    all.iter()
        .filter(|(each, _)| each == group)
        .cloned()
        .collect()
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
                answered: Answered::default(),
            },
            None => Client {
                socket: None,
                url: Some(url.trim_end_matches('/').to_owned()),
                login: controls,
                answered: Answered::default(),
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
            answered: Answered::default(),
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
                answered: Answered::default(),
            }
        }
    })
}

fn look(service: &Service) -> Result<State> {
    observe(&[service])
        .pop()
        .unwrap_or_else(|| Err(Error::failed("supervisord gave no answer")))
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
                .and_then(|processes| state(service, &connection, processes))
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
    })
}

fn pair(info: &Value) -> Option<(String, String)> {
    let group = info.get("group")?.text()?;
    let name = info.get("name")?.text()?;
    Some((group.to_owned(), name.to_owned()))
}

fn namespec(info: &Value) -> Option<String> {
    pair(info).map(|(group, name)| namespec_of(&group, &name))
}

/// Who answers at the socket: a pid is believed only from root, or where it is the server's own.
enum Server {
    Root,
    User(u32),
    Unseen,
}

impl Server {
    fn of(client: &Client) -> Server {
        let uid = match (&client.socket, client.port()) {
            (Some(path), _) => match client.answered.users().as_slice() {
                [] => peer(path),
                [uid] => Some(*uid),
                _ => None,
            },
            (None, Some(port)) => match probe::port::holders(port) {
                Ok(probe::port::Holders::Processes(pids)) => pids
                    .first()
                    .and_then(|pid| Identity::of(*pid).ok())
                    .map(|identity| identity.uid),
                _ => None,
            },
            (None, None) => None,
        };
        match uid {
            Some(0) => Server::Root,
            Some(uid) => Server::User(uid),
            None => Server::Unseen,
        }
    }

    /// A server of an ordinary user that names another user's process would have root signal that process.
    fn owns(&self, client: &Client, pid: i32) -> Result<()> {
        let uid = match self {
            Server::Root => return Ok(()),
            Server::User(uid) => *uid,
            Server::Unseen if !rustix::process::geteuid().is_root() => return Ok(()),
            Server::Unseen => {
                return Err(Error::new(
                    base::Kind::Permission,
                    format!("supervisord at {}: its user cannot be seen, so the processes that it names are not believed", client.place()),
                )
                .hint("give it a [unix_http_server]"));
            }
        };
        let parent = proc::Stat::of(pid).map(|stat| stat.parent).unwrap_or(0);
        let of = |pid: i32| Identity::of(pid).map(|identity| identity.uid).ok();
        if of(pid).is_none() || of(pid) == Some(uid) || of(parent) == Some(uid) {
            return Ok(());
        }
        Err(Error::new(
            base::Kind::Permission,
            format!(
                "supervisord at {}: it belongs to uid {uid} and names process {pid}, which is neither its child nor its user's",
                client.place()
            ),
        )
        .hint("whoever runs that server chooses which process is signalled"))
    }
}

/// The user of the process that listens at a unix socket (unix(7): SO_PEERCRED).
fn peer(path: &std::path::Path) -> Option<u32> {
    let soon = base::clock::Deadline::after(Some(std::time::Duration::from_secs(2)));
    let stream = base::connect::unix(path, soon).ok()?;
    base::connect::peer(&stream).ok().map(|peer| peer.uid)
}

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
        detail: reason(info, run, exit),
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
fn groups_of(file: &std::path::Path) -> Result<Vec<String>> {
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
fn allowed(service: &Service, state: &State) -> Result<Vec<String>> {
    let connection = connection(service)?;
    let Ok(Value::Array(running)) =
        connection
            .client
            .call("supervisor.getAllConfigInfo", &[], EXCHANGE)?
    else {
        // An older supervisord does not tell.
        return Ok(Vec::new());
    };
    let mut warnings = Vec::new();
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
            warnings.push(format!(
                "{}: {} says another command than the one that supervisord has read: supervisorctl -c {} update {}",
                member.name,
                connection.file.display(),
                base::shell::quoted(&connection.file.display().to_string()),
                base::shell::quoted(member.name.split(':').next().unwrap_or_default())
            ));
        }
    }
    Ok(warnings)
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
        let all = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(group, name)| ((*group).to_owned(), (*name).to_owned()))
                .collect()
        };
        let workers = all(&[("web", "web_0"), ("web", "web_1"), ("db", "db")]);
        // A group whose first program has the group's name: supervisorctl means that program alone.
        let site = all(&[("site", "site"), ("site", "worker")]);
        for (unit, known, expected) in [
            ("db", &workers, 1),
            ("db:db", &workers, 1),
            ("web", &workers, 2),
            ("web:*", &workers, 2),
            ("web:", &workers, 2),
            ("web:web_0", &workers, 1),
            ("web:web_2", &workers, 0),
            ("we", &workers, 0),
            ("site", &site, 1),
            ("site:site", &site, 1),
            ("site:*", &site, 2),
        ] {
            assert_eq!(selected(unit, known).len(), expected, "{unit}");
        }
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
        assert_eq!(of(true, 100, 0).run, Run::Finished);
        let failed = of(false, 200, 3);
        assert_eq!(
            failed.detail.as_deref(),
            Some("exit status 3; its log is /var/log/x")
        );
    }
}
