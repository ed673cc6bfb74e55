//! Who runs a service. Each backend is whole in its file and has one line in [`ALL`]; whatever it
//! is asked, it answers with what it could see, not with what it was told.

pub mod command;
pub mod compose;
pub mod pidfile;
pub mod row;
pub mod spawn;
pub mod supervisor;
pub mod systemd;
pub mod sysv;

use std::path::Path;

use base::{Error, Result};

use crate::id::ServiceId;
use crate::service::Service;
use crate::state::State;
use row::{Backend, Related};

/// The backends, each a line.
pub const ALL: &[&Backend] = &[
    &systemd::BACKEND,
    &systemd::USER_BACKEND,
    &supervisor::BACKEND,
    &sysv::BACKEND,
    &pidfile::BACKEND,
    &command::BACKEND,
    &compose::BACKEND,
];

/// The backend of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Backend> {
    ALL.iter().copied().find(|backend| backend.name == name)
}

/// The backend of a service. A set is only read with known names, so the first row is never the
/// answer for another.
#[must_use]
pub fn of(service: &Service) -> &'static Backend {
    named(service.backend).unwrap_or(ALL[0])
}

/// All their names.
#[must_use]
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|backend| backend.name).collect()
}

/// The identity of a service.
#[must_use]
pub fn id(service: &Service) -> ServiceId {
    (of(service).id)(service)
}

/// Who runs a service that was named without its backend: the first backend that keeps services of
/// such a name here.
///
/// # Errors
/// Usage: nobody here knows the name.
pub fn of_this_machine(name: &str) -> Result<&'static Backend> {
    ALL.iter()
        .copied()
        .find(|backend| (backend.keeps)(name))
        .ok_or_else(|| {
            Error::usage(format!(
                "'{name}': systemd is not running here and /etc/init.d/{name} does not exist"
            ))
            .hint(format!(
                "name the backend: supervisor:{name}, pidfile:/run/{name}.pid, command:{name}"
            ))
        })
}

/// Observes services of any backends, each backend asked once.
#[must_use]
pub fn observe(services: &[&Service]) -> Vec<Result<State>> {
    let mut answers: Vec<Option<Result<State>>> = services.iter().map(|_| None).collect();
    for backend in ALL {
        let mine: Vec<usize> = (0..services.len())
            .filter(|at| services[*at].backend == backend.name)
            .collect();
        if mine.is_empty() {
            continue;
        }
        let asked: Vec<&Service> = mine.iter().map(|at| services[*at]).collect();
        for (at, answer) in mine.into_iter().zip((backend.observe)(&asked)) {
            answers[at] = Some(answer);
        }
    }
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|| Err(Error::failed("the backend gave no answer"))))
        .collect()
}

/// Observes one.
///
/// # Errors
/// What the backend said.
pub fn observe_one(service: &Service) -> Result<State> {
    observe(&[service])
        .pop()
        .unwrap_or_else(|| Err(Error::failed("the backend gave no answer")))
}

/// What the managers of these services stop together with them, and what starts them again.
///
/// # Errors
/// A manager does not answer.
pub fn related(services: &[&Service]) -> Result<Vec<Related>> {
    let mut found = Vec::new();
    for backend in ALL {
        let mine: Vec<&Service> = services
            .iter()
            .copied()
            .filter(|service| service.backend == backend.name)
            .collect();
        if let (Some(related), false) = (backend.related, mine.is_empty()) {
            found.extend(related(&mine)?);
        }
    }
    Ok(found)
}

/// Has the managers of these services read what changed on disk.
///
/// # Errors
/// A manager refuses.
pub fn reread(services: &[Service]) -> Result<()> {
    for backend in ALL {
        let mine: Vec<&Service> = services
            .iter()
            .filter(|service| service.backend == backend.name)
            .collect();
        if let (Some(reread), false) = (backend.reread, mine.is_empty()) {
            reread(&mine)?;
        }
    }
    Ok(())
}

/// Pairs of places in `services`: the first of a pair starts before the second.
///
/// # Errors
/// A manager does not answer.
pub fn order(services: &[&Service]) -> Result<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    for backend in ALL {
        let places: Vec<usize> = (0..services.len())
            .filter(|at| services[*at].backend == backend.name)
            .collect();
        let mine: Vec<&Service> = places.iter().map(|at| services[*at]).collect();
        if let (Some(order), false) = (backend.order, mine.is_empty()) {
            let found = order(&mine)?;
            pairs.extend(found.into_iter().map(|(a, b)| (places[a], places[b])));
        }
    }
    Ok(pairs)
}

/// The names of everything that a configuration has, with the backend in front.
///
/// # Errors
/// It is no configuration of a backend that keeps one.
pub fn everything(config: &Path) -> Result<Vec<String>> {
    let mut refusal = Error::usage("no service is selected");
    for backend in ALL {
        let Some(everything) = backend.everything else {
            continue;
        };
        match everything(config) {
            Ok(names) => {
                let whole = names.iter().map(|name| format!("{}:{name}", backend.name));
                return Ok(whole.collect());
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}
