//! Services of compose files, through `docker compose`.
//!
//! States come from `ps --all --format json`, which older versions print as one array and newer
//! ones as a line for each container; when a container was started, how often the engine restarted
//! it and which process it is come from `inspect`, because a container that dies and comes back
//! every two seconds is called running. `up --wait` fails when a one-shot (a migration) has done
//! its work and gone: a service with `oneshot = true` counts as finished then, and any other as
//! down. How long a stop may take is the file's own stop_grace_period.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use base::child::{Finished, Run as Child};
use base::clock::Deadline;
use base::{Error, Kind, Result};
use serde::Deserialize;

use super::row::{Backend, can_write};
use crate::id::ServiceId;
use crate::service::{KillPolicy, Service};
use crate::state::{Done, Member, Remarks, Run, State};

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "compose",
    about: "A service of docker compose; config names the compose file or files.",
    example: r#"
[service.web]
backend = "compose"
config = ["docker-compose.yml", "docker/docker-compose.prod.yml"]
"#,
    keeps: |_| false,
    unit: |_| None,
    refuses_others: |_| true,
    startable: |_| Ok(()),
    check,
    id,
    locks,
    may_touch: |_, peer| can_write(peer.uid, Path::new(SOCKET)),
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::ZERO,
    settle: |_, _| {},
    vouches: |_, _| false,
    allowed: |_, _| Ok(Remarks::default()),
    related: None,
    reread: None,
    order: None,
    everything: None,
    shows_stopping: true,
    log,
};

/// Where the engine listens on a host with one; whoever can write there can start and stop every
/// container.
const SOCKET: &str = "/run/docker.sock";

/// `ps` talks to the engine and may have to wait for it.
const ASKING: Duration = Duration::from_secs(30);

/// What docker gives a container to stop where the file says nothing.
const GRACE: Duration = Duration::from_secs(10);

/// For the engine's own work around a stop.
const MARGIN: Duration = Duration::from_secs(15);

fn check(service: &Service) -> Result<()> {
    if service.unit.is_empty() || service.unit.starts_with('-') {
        return Err(Error::usage(format!(
            "'{}' is not a compose service",
            service.unit
        )));
    }
    Ok(())
}

fn files(service: &Service) -> Vec<PathBuf> {
    let files = service.spec.config.iter().flat_map(|files| files.all());
    files.map(|file| service.path(file)).collect()
}

/// The names that docker compose looks for, the preferred one first.
const NAMES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

/// The file that docker compose finds by itself: in the directory, or in one above.
fn usual(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .flat_map(|above| NAMES.iter().map(|name| above.join(name)))
        .find(|file| file.is_file())
}

fn id(service: &Service) -> ServiceId {
    let first = files(service).into_iter().next();
    let place = first
        .or_else(|| usual(&service.directory))
        .unwrap_or_else(|| service.directory.clone());
    ServiceId {
        config: Some(place.canonicalize().unwrap_or(place)),
        matching: service.spec.project.clone(),
        ..ServiceId::system(BACKEND.name, &service.unit)
    }
}

/// A project name that is written out and the same name as docker compose makes it are one service,
/// so the lock does not tell them apart.
fn locks(service: &Service) -> Vec<ServiceId> {
    vec![ServiceId {
        matching: None,
        ..id(service)
    }]
}

fn compose(service: &Service, arguments: &[&str], deadline: Deadline) -> Result<Finished> {
    let mut child = Child::new("docker").arg("compose");
    for file in files(service) {
        child = child.arg("--file").arg(file);
    }
    if let Some(project) = &service.spec.project {
        child = child.arg("--project-name").arg(project);
    }
    let done = child
        .args(arguments)
        .dir(&service.directory)
        .deadline(deadline)
        .run()
        .map_err(|error| match error.kind {
            Kind::CommandNotFound => Error::failed("'docker' is not on PATH")
                .hint("apt-get install docker.io; the compose backend runs `docker compose`"),
            _ => error,
        })?;
    // docker without the plugin takes the words for its own.
    let said = done.err();
    let missing = !done.success()
        && [
            "is not a docker command",
            "unknown docker command",
            "unknown flag: --file",
            "unknown flag: --project-name",
            "unknown shorthand flag: 'f' in -f",
        ]
        .iter()
        .any(|words| said.contains(words));
    if missing {
        return Err(Error::failed("docker has no compose plugin").hint(
            "apt-get install docker-compose-plugin (docker.com), docker-compose-v2 (Ubuntu) or docker-compose (Debian 13)",
        ));
    }
    Ok(done)
}

/// A container as `ps` prints it; other keys vary with the version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    #[serde(default, rename = "ID")]
    id: String,
    name: String,
    state: String,
    #[serde(default)]
    health: String,
    #[serde(default)]
    exit_code: i32,
    #[serde(skip)]
    seen: Inspected,
}

/// What `ps` does not tell of it.
#[derive(Debug, Default, Clone)]
struct Inspected {
    started: String,
    restarts: String,
    pid: Option<i32>,
}

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    services.iter().map(|service| state(service)).collect()
}

fn state(service: &Service) -> Result<State> {
    let done = compose(
        service,
        &["ps", "--all", "--format", "json", &service.unit],
        Deadline::after(Some(ASKING)),
    )?;
    if !done.success() {
        let words = done.last_words();
        return Err(if words.contains("no such service") {
            Error::usage(format!(
                "'{}': the compose file has no such service",
                service.unit
            ))
        } else {
            Error::unreachable(format!("docker compose ps: {words}"))
        });
    }
    let mut containers =
        parse(&done.out()).map_err(|error| Error::failed(format!("docker compose ps: {error}")))?;
    inspect(&mut containers)?;
    let grace = grace(service);
    let mut whole = if containers.is_empty() {
        Member {
            word: "no container".to_owned(),
            ..Member::of_process(&service.unit, None)
        }
    } else {
        let members = containers
            .into_iter()
            .map(|each| member(each, service.spec.oneshot));
        whole(&service.unit, members.collect())
    };
    whole.stop_time = Some(grace.saturating_add(MARGIN));
    Ok(State::one(whole))
}

/// Since when each container runs, how often the engine restarted it, and its first process.
fn inspect(containers: &mut [Container]) -> Result<()> {
    if containers.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = containers.iter().map(|each| each.id.as_str()).collect();
    let done = Child::new("docker")
        .args(["inspect", "--type", "container", "--format"])
        .arg("{{.Id}} {{.State.StartedAt}} {{.RestartCount}} {{.State.Pid}}")
        .args(&ids)
        .timeout(ASKING)
        .run()?;
    if !done.success() {
        return Err(Error::unreachable(format!(
            "docker inspect: {}",
            done.last_words()
        )));
    }
    for line in done.out().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [id, started, restarts, pid] = words[..] else {
            continue;
        };
        let mine = containers
            .iter_mut()
            .find(|each| !each.id.is_empty() && id.starts_with(each.id.as_str()));
        if let Some(container) = mine {
            container.seen = Inspected {
                started: started.to_owned(),
                restarts: restarts.to_owned(),
                pid: pid.parse().ok().filter(|pid| is_in_container(*pid, id)),
            };
        }
    }
    Ok(())
}

/// Whether the number is that of a process here: an engine on another machine counts its own.
fn is_in_container(pid: i32, id: &str) -> bool {
    pid > 0
        && proc::View::of(pid)
            .and_then(|view| view.cgroup())
            .is_ok_and(|group| group.is_some_and(|group| group.to_string_lossy().contains(id)))
}

type Place = (Vec<PathBuf>, Option<String>, PathBuf);

/// The grace periods of the files that were read in this run, by service.
static GRACES: Mutex<Option<HashMap<Place, HashMap<String, Duration>>>> = Mutex::new(None);

/// stop_grace_period as docker compose reads the files.
fn grace(service: &Service) -> Duration {
    let place = (
        files(service),
        service.spec.project.clone(),
        service.directory.clone(),
    );
    let Ok(mut known) = GRACES.lock() else {
        return GRACE;
    };
    let known = known.get_or_insert_with(HashMap::new);
    let graces = known
        .entry(place)
        .or_insert_with(|| graces(service).unwrap_or_default());
    graces.get(&service.unit).copied().unwrap_or(GRACE)
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    services: HashMap<String, ConfiguredService>,
}

#[derive(Debug, Deserialize)]
struct ConfiguredService {
    stop_grace_period: Option<String>,
}

fn graces(service: &Service) -> Result<HashMap<String, Duration>> {
    let done = compose(
        service,
        &["config", "--format", "json"],
        Deadline::after(Some(ASKING)),
    )?;
    let config: Config = serde_json::from_slice(&done.stdout)
        .map_err(|error| Error::failed(format!("docker compose config: {error}")))?;
    Ok(config
        .services
        .into_iter()
        .filter_map(|(name, service)| Some((name, go_duration(&service.stop_grace_period?)?)))
        .collect())
}

/// `2m0s`, as Go prints durations: humantime's form without blanks.
fn go_duration(text: &str) -> Option<Duration> {
    base::cli::parse_duration(text).ok()
}

/// The containers of a service as one: compose starts and stops them together, and names them anew
/// as it likes.
fn whole(unit: &str, containers: Vec<Member>) -> Member {
    let worst = containers
        .iter()
        .max_by_key(|container| match container.run {
            Run::Finished => 0,
            Run::Running => 1,
            Run::Starting => 2,
            Run::Stopping => 3,
            Run::Stopped => 4,
            Run::Unknown => 5,
            Run::Failed => 6,
        });
    let generation: Vec<String> = containers
        .iter()
        .map(|container| container.generation.clone())
        .collect();
    match worst {
        Some(worst) => Member {
            name: unit.to_owned(),
            generation: generation.join(" "),
            ..worst.clone()
        },
        None => Member::of_process(unit, None),
    }
}

fn parse(text: &str) -> std::result::Result<Vec<Container>, serde_json::Error> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(serde_json::from_str)
        .collect()
}

fn member(container: Container, oneshot: bool) -> Member {
    let run = match (container.state.as_str(), container.health.as_str()) {
        ("running", "unhealthy") => Run::Failed,
        ("running", "starting") | ("restarting" | "created", _) => Run::Starting,
        // A one-shot is done when it has ended, and not before.
        ("running", _) if oneshot => Run::Starting,
        ("running", _) => Run::Running,
        ("exited", _) if container.exit_code == 0 && oneshot => Run::Finished,
        // 143 and 137: ended by the stop itself.
        ("exited", _) if matches!(container.exit_code, 0 | 137 | 143) => Run::Stopped,
        ("exited" | "dead", _) => Run::Failed,
        ("removing" | "paused", _) => Run::Stopping,
        _ => Run::Stopped,
    };
    let word = if container.health.is_empty() {
        container.state.clone()
    } else {
        format!("{} ({})", container.state, container.health)
    };
    let ended = container.state == "exited" && !oneshot || run == Run::Failed;
    let detail = ended.then(|| format!("exit status {}", container.exit_code));
    let seen = container.seen;
    Member {
        run,
        word,
        pid: seen.pid.filter(|_| run.is_up() || run == Run::Failed),
        generation: format!("{}@{}/{}", container.id, seen.started, seen.restarts),
        detail,
        ..Member::of_process(&container.name, None)
    }
}

fn start(service: &Service, _: &[String], deadline: Deadline) -> Result<Done> {
    let done = compose(
        service,
        &["up", "--detach", "--wait", "--no-deps", &service.unit],
        deadline,
    )?;
    if done.timed_out {
        return Err(Error::failed(format!(
            "{}: `docker compose up --wait` took too long",
            service.name
        )));
    }
    // A one-shot that ended makes `--wait` fail although all is well: the states decide.
    let mut answer = Done::default();
    if !done.success() {
        let state = state(service)?;
        let still = service.spec.oneshot && !state.is_down();
        if !state.is_done_or_running() && !still {
            return Err(Error::failed(format!(
                "{}: {}; docker compose up: {}",
                service.name,
                state.why(),
                done.last_words()
            )));
        }
        answer.finished = !state.is_running() && !still;
        answer.detail = answer
            .finished
            .then(|| "the container exited with status 0".to_owned());
    }
    Ok(answer)
}

fn stop(service: &Service, _: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    let mut words = vec!["stop".to_owned()];
    // The file's own grace period holds, unless the set wants a kill after its own time.
    let time = service.spec.stop_timeout;
    if let (KillPolicy::Escalate, Some(time)) = (service.spec.kill, time) {
        words.extend(["--timeout".to_owned(), time.as_secs().to_string()]);
    }
    words.push(service.unit.clone());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let margin = match service.spec.kill {
        KillPolicy::Escalate => Deadline::after(time.map(|time| time.saturating_add(MARGIN))),
        KillPolicy::Report => deadline,
    };
    let done = compose(service, &words, margin)?;
    if done.timed_out {
        return Err(Error::failed(format!(
            "{}: docker compose stop is not done in time",
            service.name
        ))
        .hint("the engine goes on with the stop; stop_grace_period in the compose file is the time until the engine kills the container"));
    }
    if !done.success() {
        return Err(Error::failed(format!(
            "{}: docker compose stop: {}",
            service.name,
            done.last_words()
        )));
    }
    let mut answer = Done::default();
    let after = state(service)?;
    if after
        .members
        .iter()
        .any(|member| member.detail.as_deref() == Some("exit status 137"))
    {
        answer.warnings.push(format!(
            "{}: did not stop in time, and docker killed the container: unfinished work is lost",
            service.name
        ));
    }
    Ok(answer)
}

fn reload(service: &Service, _: &State, deadline: Deadline) -> Result<Done> {
    let signal = service
        .spec
        .reload_signal
        .clone()
        .unwrap_or_else(|| "HUP".to_owned());
    let done = compose(
        service,
        &["kill", "--signal", &signal, &service.unit],
        deadline,
    )?;
    if !done.success() {
        return Err(Error::failed(format!(
            "{}: docker compose kill --signal {signal}: {}",
            service.name,
            done.last_words()
        )));
    }
    Ok(Done::saying(format!("signal {signal}")))
}

/// The last lines that the containers wrote.
fn log(service: &Service, _: &State) -> Vec<String> {
    let words = [
        "logs",
        "--no-color",
        "--no-log-prefix",
        "--tail",
        "10",
        &service.unit,
    ];
    compose(
        service,
        &words,
        Deadline::after(Some(Duration::from_secs(10))),
    )
    .map(|done| done.out().lines().map(str::to_owned).collect())
    .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_ps_and_a_finished_one_shot() {
        let lines = "{\"ID\":\"1\",\"Name\":\"a-web-1\",\"State\":\"running\",\"Health\":\"healthy\"}\n\
            {\"ID\":\"2\",\"Name\":\"a-migrate-1\",\"State\":\"exited\",\"ExitCode\":0}\n";
        let array = "[{\"ID\":\"3\",\"Name\":\"a-web-1\",\"State\":\"exited\",\"ExitCode\":1}]";
        let runs = |text: &str, oneshot: bool| {
            parse(text)
                .unwrap()
                .into_iter()
                .map(|each| member(each, oneshot).run)
                .collect::<Vec<_>>()
        };
        assert_eq!(runs(lines, true), [Run::Starting, Run::Finished]);
        // A server that exits 0 at once is down.
        assert_eq!(runs(lines, false), [Run::Running, Run::Stopped]);
        assert_eq!(runs(array, false), [Run::Failed]);
        assert_eq!(runs("", false), []);
        assert_eq!(go_duration("2m0s"), Some(Duration::from_secs(120)));
    }
}
