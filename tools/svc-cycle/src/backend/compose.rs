//! Services of a compose file, through `docker compose`.
//!
//! `up --wait` fails when a one-shot (a migration) has done its work and gone; here such a service counts as
//! finished. States come from `ps --all --format json`, which older versions print as one array and newer ones
//! as a line for each container.

use std::time::Duration;

use base::child::{Finished, Run as Child};
use base::clock::Deadline;
use base::{Error, Kind, Result};
use serde::Deserialize;

use super::{Backend, Done, Member, Run, State};
use crate::set::Service;

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "compose",
    check,
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::ZERO,
    settle: |_, _| {},
    vouches: |_, _| false,
};

/// `ps` talks to the engine and may have to wait for it.
const ASKING: Duration = Duration::from_secs(30);

fn check(service: &Service) -> Result<()> {
    if service.unit.is_empty() || service.unit.starts_with('-') {
        return Err(Error::usage(format!(
            "{:?} is not a compose service",
            service.unit
        )));
    }
    Ok(())
}

fn compose(service: &Service, arguments: &[&str], deadline: Deadline) -> Result<Finished> {
    let mut child = Child::new("docker").arg("compose");
    if let Some(file) = &service.spec.config {
        child = child.arg("--file").arg(service.path(file));
    }
    let run = child
        .args(arguments)
        .dir(&service.directory)
        .deadline(deadline)
        .run();
    run.map_err(|error| match error.kind {
        Kind::CommandNotFound => {
            Error::failed("docker is not on PATH").hint("the compose backend runs `docker compose`")
        }
        _ => error,
    })
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
                "{}: the compose file has no such service",
                service.unit
            ))
        } else {
            Error::unreachable(format!("docker compose ps: {words}"))
        });
    }
    let containers =
        parse(&done.out()).map_err(|error| Error::failed(format!("docker compose ps: {error}")))?;
    if containers.is_empty() {
        let mut member = Member::of_process(&service.unit, None);
        member.word = "no container".to_owned();
        return Ok(State::one(member));
    }
    Ok(State::one(whole(
        &service.unit,
        containers.into_iter().map(member).collect(),
    )))
}

/// The containers of a service as one: compose starts and stops them together, and names them anew as it likes.
fn whole(unit: &str, containers: Vec<Member>) -> Member {
    let worst = containers
        .iter()
        .max_by_key(|container| match container.run {
            Run::Finished => 0,
            Run::Running => 1,
            Run::Starting => 2,
            Run::Stopping => 3,
            Run::Stopped => 4,
            Run::Failed => 5,
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

fn member(container: Container) -> Member {
    let run = match (container.state.as_str(), container.health.as_str()) {
        ("running", "unhealthy") => Run::Failed,
        ("running", "starting") | ("restarting" | "created", _) => Run::Starting,
        ("running", _) => Run::Running,
        ("exited", _) if container.exit_code == 0 => Run::Finished,
        // 143 and 137: ended by the stop itself.
        ("exited", _) if matches!(container.exit_code, 137 | 143) => Run::Stopped,
        ("exited" | "dead", _) => Run::Failed,
        ("removing" | "paused", _) => Run::Stopping,
        _ => Run::Stopped,
    };
    let word = if container.health.is_empty() {
        container.state
    } else {
        format!("{} ({})", container.state, container.health)
    };
    let detail = (run == Run::Failed && container.exit_code != 0)
        .then(|| format!("exit status {}", container.exit_code));
    Member {
        name: container.name,
        run,
        word,
        pid: None,
        generation: container.id,
        detail,
        restarts: 0,
        cgroup: None,
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
        if !state.is_done_or_running() {
            return Err(Error::failed(format!(
                "{}: {}; docker compose up: {}",
                service.name,
                state.why(),
                done.last_words()
            )));
        }
        answer.detail = Some("it has ended, and well".to_owned());
        answer.finished = !state.is_running();
    }
    Ok(answer)
}

fn stop(service: &Service, _: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    let seconds = service.stop_timeout().as_secs().to_string();
    let done = compose(
        service,
        &["stop", "--timeout", &seconds, &service.unit],
        deadline,
    )?;
    if !done.success() {
        return Err(Error::failed(format!(
            "{}: docker compose stop: {}",
            service.name,
            done.last_words()
        )));
    }
    Ok(Done::default())
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
    Ok(Done {
        detail: Some(format!("signal {signal}")),
        ..Done::default()
    })
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
        let runs = |text: &str| {
            parse(text)
                .unwrap()
                .into_iter()
                .map(|each| member(each).run)
                .collect::<Vec<_>>()
        };
        assert_eq!(runs(lines), [Run::Running, Run::Finished]);
        assert_eq!(runs(array), [Run::Failed]);
        assert_eq!(runs(""), []);
    }
}
