//! Which services there are: a set file (TOML or JSON), or names on the command line.
//!
//! A name without a file carries its backend in front (`supervisor:gunicorn`,
//! `systemd:uwsgi.service`, `pidfile:/run/x.pid`); a bare name is looked for where this machine
//! keeps its services. Everything that can be wrong in a set is found here, before anything is
//! touched: unknown keys, unknown names in `after`, circles.

pub mod document;

use std::collections::BTreeMap;
use std::path::Path;

use base::source::Source;
use base::source::tree::Step;
use base::{Error, Result};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend;
use crate::request::Origin;
use crate::service::{Files, Policy, Role, Service, Spec};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Written {
    /// A service, by the name that the command line and after call it.
    service: BTreeMap<String, Spec>,
}

/// The services of one run, in the order they start.
#[derive(Debug, Clone, Default)]
pub struct Set {
    /// In starting order.
    pub services: Vec<Service>,
    /// By wave: the services in one have nothing to wait for in each other.
    pub waves: Vec<Vec<usize>>,
    /// Those that the command line named one by one: `ensure` does not hold for them.
    pub named: Vec<String>,
    /// Services of the file that the command line did not select.
    pub others: Vec<Service>,
}

impl Set {
    /// From a set file, or without one from names alone; `owner` is the user, with a group, who can
    /// change the file.
    ///
    /// # Errors
    /// Usage for an unknown name, input for a wrong file; both before anything was touched.
    pub fn read(
        owner: Option<(u32, u32)>,
        source: Option<&Source>,
        directory: &Path,
        config: Option<&Path>,
        names: &[String],
        only: Option<&str>,
    ) -> Result<Self> {
        let mut services = match source {
            Some(source) => from_source(source, directory)?,
            None => match config {
                // A configuration without names means all that it has.
                Some(file) if names.is_empty() => {
                    let names = backend::everything(&directory.join(file))?;
                    let mut services = from_names(&names, directory, config)?;
                    services.iter_mut().for_each(|each| each.spec.after.clear());
                    services
                }
                _ => from_names(names, directory, config)?,
            },
        };
        for service in &mut services {
            service.owner = owner;
            may_ask(service, source)?;
            (backend::of(service).check)(service).map_err(|error| match source {
                Some(source) => wrong(source, &service.name, error),
                None => error,
            })?;
        }
        Self::selected(services, source, names, only)
    }

    /// The set of a request.
    ///
    /// # Errors
    /// As [`Set::read`].
    pub fn of_origin(origin: &Origin) -> Result<Self> {
        let source = origin
            .file
            .as_ref()
            .map(|(name, text)| Source::new(name.clone(), text.clone()));
        Self::read(
            origin.owner,
            source.as_ref(),
            &origin.directory,
            origin.config.as_deref(),
            &origin.names,
            origin.only.as_deref(),
        )
    }

    /// The services of an interrupted run as they were described then, as far as that can still be
    /// read: a script that is gone must not keep the others from being recovered.
    #[must_use]
    pub fn recall(origin: &Origin) -> Vec<Service> {
        if let Some((name, text)) = &origin.file {
            let source = Source::new(name.clone(), text.clone());
            return from_source(&source, &origin.directory).unwrap_or_default();
        }
        let config = origin.config.as_deref();
        let each = origin.names.iter().filter_map(|name| {
            from_names(std::slice::from_ref(name), &origin.directory, config).ok()
        });
        each.flatten().collect()
    }

    fn selected(
        mut services: Vec<Service>,
        source: Option<&Source>,
        names: &[String],
        only: Option<&str>,
    ) -> Result<Self> {
        let known: Vec<String> = services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        for service in &services {
            for each in &service.spec.after {
                if !known.contains(each) {
                    let words = format!(
                        "service {}: after = '{each}': no such service",
                        service.name
                    );
                    return Err(at_key(source, &service.name, "after", &words)
                        .hint(format!("the set has {}", known.join(", "))));
                }
            }
        }
        // The circle is looked for in the whole set: a selection must not hide it.
        crate::order::waves(&services)?;
        let all = services.clone();
        if source.is_some() {
            select(&mut services, names, &known)?;
        }
        if let Some(pattern) = only {
            let pattern = glob::Pattern::new(pattern)
                .map_err(|error| Error::usage(format!("--only {pattern}: {error}")))?;
            services.retain(|service| pattern.matches(&service.name));
        }
        if services.is_empty() {
            return Err(Error::usage("no service is selected")
                .hint("name services, or give a set file with -f"));
        }
        let selected = |service: &Service| services.iter().any(|each| each.name == service.name);
        let others = all.into_iter().filter(|each| !selected(each)).collect();
        Self {
            named: names.to_vec(),
            others,
            ..Self::default()
        }
        .with(services)
    }

    /// These services of no file, in their own order.
    ///
    /// # Errors
    /// `after` goes in a circle.
    pub fn of(services: Vec<Service>) -> Result<Self> {
        Self::default().with(services)
    }

    /// The set with these services, too.
    ///
    /// # Errors
    /// `after` goes in a circle.
    pub fn with(mut self, more: Vec<Service>) -> Result<Self> {
        let mut services = std::mem::take(&mut self.services);
        services.extend(more);
        // In starting order, so that reports read in it and the first error is the one that others
        // follow from.
        let order: Vec<usize> = crate::order::waves(&services)?
            .into_iter()
            .flatten()
            .collect();
        self.services = order.into_iter().map(|at| services[at].clone()).collect();
        self.waves = crate::order::waves(&self.services)?;
        Ok(self)
    }

    /// Whether a run leaves it up: `ensure`, and not named.
    #[must_use]
    pub fn only_ensures(&self, service: &Service) -> bool {
        service.spec.policy == Policy::Ensure && !self.named.contains(&service.name)
    }
}

/// A set file of another user may describe that user's own services; what only root may do is
/// root's to ask for.
fn may_ask(service: &Service, source: Option<&Source>) -> Result<()> {
    service.runs_as()?;
    let only_root = (backend::of(service).refuses_others)(service);
    let (Some((uid, _)), true) = (service.owner, only_root) else {
        return Ok(());
    };
    let file = source.map_or("the set file", |source| source.name.as_str());
    Err(Error::input(format!(
        "{file}: service {}: backend = '{}' is refused: uid {uid} can change the file",
        service.name, service.backend
    ))
    .hint(format!(
        "read the file, then give --trust {}, or make root the owner of the file and of the directories above it",
        base::shell::quoted(file)
    )))
}

/// What a backend says of a service, at its place in the file.
fn wrong(source: &Source, name: &str, error: Error) -> Error {
    let placed = source.wrong_at(
        &[Step::Key("service"), Step::Key(name)],
        &format!("service {name}: {}", error.message),
    );
    Error {
        message: placed.message,
        kind: base::Kind::Input,
        ..error
    }
}

/// What is wrong with a key of a service.
fn at_key(source: Option<&Source>, service: &str, key: &str, words: &str) -> Error {
    let steps = [Step::Key("service"), Step::Key(service), Step::Key(key)];
    source.map_or_else(
        || Error::input(words),
        |source| source.wrong_at(&steps, words),
    )
}

fn select(services: &mut Vec<Service>, names: &[String], known: &[String]) -> Result<()> {
    for name in names {
        if !known.contains(name) {
            return Err(Error::usage(format!("{name}: the set has no such service"))
                .hint(format!("it has {}", known.join(", "))));
        }
    }
    if !names.is_empty() {
        services.retain(|service| names.contains(&service.name));
    }
    Ok(())
}

/// The most services of a set.
const MOST: usize = 1000;

fn from_source(source: &Source, directory: &Path) -> Result<Vec<Service>> {
    let written: Written = source.parse()?;
    if written.service.len() > MOST {
        let words = format!("{}: more than {MOST} services", source.name);
        return Err(Error::input(words));
    }
    if written.service.is_empty() {
        return Err(Error::input(format!(
            "{}: no [service.NAME] in it",
            source.name
        )));
    }
    let mut services = Vec::new();
    for (name, mut spec) in written.service {
        spec.resolve(directory);
        for (variable, value) in &spec.environment {
            base::mask::register_variable(variable, value);
        }
        let kind = spec.backend.clone().unwrap_or_default();
        let backend = backend::named(&kind).ok_or_else(|| {
            at_key(
                Some(source),
                &name,
                "backend",
                &format!("service {name}: backend = '{kind}': unknown"),
            )
            .hint(format!("backends: {}", backend::names().join(", ")))
        })?;
        let unit = spec.name.clone().or_else(|| (backend.unit)(&spec));
        let unit = unit.unwrap_or_else(|| name.clone());
        let service = Service {
            name: name.clone(),
            backend: backend.name,
            unit,
            directory: directory.to_path_buf(),
            spec,
            role: Role::Asked,
            owner: None,
        };
        services.push(service);
    }
    Ok(services)
}

/// Each in the order typed, after the one before it: that is what somebody who types `uwsgi nginx`
/// means.
fn from_names(names: &[String], directory: &Path, config: Option<&Path>) -> Result<Vec<Service>> {
    let mut services: Vec<Service> = Vec::new();
    for name in names {
        if services.iter().any(|service| &service.name == name) {
            return Err(Error::usage(format!("{name}: named twice")));
        }
        let (backend, unit) = match name.split_once(':') {
            Some((kind, unit)) if !unit.is_empty() => {
                let backend = backend::named(kind).ok_or_else(|| {
                    Error::usage(format!("{name}: no backend '{kind}'"))
                        .hint(format!("backends: {}", backend::names().join(", ")))
                })?;
                (backend, unit.to_owned())
            }
            _ => (backend::of_this_machine(name)?, name.clone()),
        };
        let after = services
            .last()
            .map(|service| vec![service.name.clone()])
            .unwrap_or_default();
        let spec = Spec {
            after,
            config: config.map(|file| Files::One(file.to_path_buf())),
            ..Spec::default()
        };
        let service = Service {
            name: name.clone(),
            backend: backend.name,
            unit,
            directory: directory.to_path_buf(),
            spec,
            role: Role::Asked,
            owner: None,
        };
        services.push(service);
    }
    Ok(services)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
