//! Which services there are: a set file (TOML or JSON), or names on the command line.
//!
//! A name without a file carries its backend in front (`supervisor:gunicorn`, `systemd:uwsgi.service`,
//! `pidfile:/run/x.pid`); a bare name is looked for where this machine keeps its services. Everything that can be
//! wrong in a set is found here, before anything is touched: unknown keys, unknown names in `after`, circles.

pub mod document;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use base::source::Source;
use base::source::tree::Step;
use base::{Error, Result};
use probe::Probe;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::backend::{self, Backend};

/// A service: what it is called here, who runs it, and what has to be true of it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in the set, or as typed.
    pub name: String,
    /// Who runs it.
    pub backend: &'static Backend,
    /// What the backend calls it: a process, a unit, a script, a file, a program.
    pub unit: String,
    /// Where relative paths and commands start from.
    pub directory: PathBuf,
    /// All the rest, as written.
    pub spec: Spec,
    /// supervisor: how its daemon is reached, once its configuration has been read.
    pub connection: OnceLock<backend::supervisor::Connection>,
}

/// A service as a set file writes it; every key has a default.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Who runs it: systemd, supervisor, sysv, compose, pidfile or command.
    pub backend: Option<String>,
    /// What the backend calls it; the service's own name unless given.
    pub name: Option<String>,
    /// supervisor: its configuration file. compose: the compose file.
    pub config: Option<PathBuf>,
    /// Services that have to be ready before this one starts, and are stopped after it.
    pub after: Vec<String>,
    /// Whether a run over the whole set stops it.
    pub policy: Policy,
    /// It does its work and ends: finished is as good as running.
    pub oneshot: bool,
    /// What has to answer before the service counts as ready.
    #[schemars(with = "Vec<document::ReadyKeys>")]
    pub ready: Vec<Ready>,
    /// How long it has to stay the same process after that; a moment unless given, 1s where no probe speaks for it.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub stable: Option<Duration>,
    /// How long a start may take; 60s unless given.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub start_timeout: Option<Duration>,
    /// How long a stop may take; 30s unless given.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub stop_timeout: Option<Duration>,
    /// What to do with a process that outlives its stop.
    pub kill: KillPolicy,
    /// What has to be true after a stop, besides that the process tree is gone.
    #[schemars(with = "Vec<document::StoppedKeys>")]
    pub stopped: Vec<Stopped>,
    /// A program and its arguments: has to exit 0 before a start or reload is tried.
    pub preflight: Option<Vec<String>>,
    /// What the running process must be.
    pub expect: Expect,
    /// pidfile, command: how to start it, a program and its arguments.
    pub start: Option<Vec<String>>,
    /// command: text that the command line of its process holds, where the program's name isn't enough.
    #[serde(rename = "match")]
    pub matching: Option<String>,
    /// pidfile, command: the signal that reloads it; HUP unless given.
    pub reload_signal: Option<String>,
    /// pidfile, command: the signal that stops it; TERM unless given.
    pub stop_signal: Option<String>,
    /// command: where its output goes; nowhere unless given.
    pub log: Option<PathBuf>,
    /// pidfile: the file, unless `name` is it. sysv, command: a file with its pid, where the program's name isn't enough.
    pub pidfile: Option<PathBuf>,
    /// command: where it is started; the set file's directory unless given.
    pub directory: Option<PathBuf>,
    /// command: variables added to the environment it is started with.
    pub environment: BTreeMap<String, String>,
}

impl Spec {
    /// Paths in probes are meant from where the set file is.
    fn resolve(&mut self, directory: &Path) {
        for ready in &mut self.ready {
            ready.probe = ready.probe.clone().within(directory);
        }
        for stopped in &mut self.stopped {
            if let Stopped::Silent(probe) = stopped {
                *probe = probe.clone().within(directory);
            }
        }
    }
}

/// Whether a run over the whole set stops it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Stopped and started with the others, unless told otherwise.
    #[default]
    Cycle,
    /// Started only if it isn't running, stopped only when it is named.
    Ensure,
}

/// What to do with a process that outlives its stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KillPolicy {
    /// Say so, and fail, unless told otherwise.
    #[default]
    Report,
    /// KILL it, through its pidfd.
    Escalate,
}

/// A probe, and whose answer counts.
#[derive(Debug, Clone)]
pub struct Ready {
    /// What to ask.
    pub probe: Probe,
    /// Anybody's answer counts: something stands in front of the service.
    pub anybody: bool,
}

impl<'de> Deserialize<'de> for Ready {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (anybody, probe) = split(deserializer, "holder", |value| match value {
            toml::Value::String(word) if word == "any" => Ok(true),
            toml::Value::String(word) if word == "service" => Ok(false),
            _ => Err("holder is \"service\" or \"any\"".to_owned()),
        })?;
        Ok(Self {
            probe: probe.try_into().map_err(serde::de::Error::custom)?,
            anybody: anybody.unwrap_or(false),
        })
    }
}

/// Something that has to be so after a stop.
#[derive(Debug, Clone)]
pub enum Stopped {
    /// The old process tree is gone (true, and so unless said), or may stay (false).
    Tree(bool),
    /// What the probe asks no longer answers; a command, on the contrary, has to succeed.
    Silent(Probe),
}

impl<'de> Deserialize<'de> for Stopped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (tree, rest) = split(deserializer, "tree", |value| {
            value
                .as_bool()
                .ok_or_else(|| "tree is true or false".to_owned())
        })?;
        match tree {
            Some(tree) if rest.as_table().is_some_and(toml::Table::is_empty) => {
                Ok(Self::Tree(tree))
            }
            Some(_) => Err(serde::de::Error::custom("tree stands alone in its table")),
            None => rest
                .try_into()
                .map(Self::Silent)
                .map_err(serde::de::Error::custom),
        }
    }
}

/// One key taken out of a table; the rest is somebody else's to read.
fn split<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    key: &str,
    read: impl Fn(&toml::Value) -> std::result::Result<T, String>,
) -> std::result::Result<(Option<T>, toml::Value), D::Error> {
    let mut table = toml::Table::deserialize(deserializer)?;
    let taken = match table.remove(key) {
        Some(value) => Some(read(&value).map_err(serde::de::Error::custom)?),
        None => None,
    };
    Ok((taken, toml::Value::Table(table)))
}

/// What the running process must be. Values are compared, never printed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// What its environment has to hold: NAME=VALUE, NAME (set to whatever), or !NAME (not set).
    pub env: Vec<String>,
    /// The user it runs as.
    pub user: Option<String>,
    /// The path of its executable; * and ? stand for anything.
    pub exe: Option<String>,
}

impl Expect {
    /// Nothing is expected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.env.is_empty() && self.user.is_none() && self.exe.is_none()
    }
}

fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    base::cli::parse_duration(&text)
        .map(Some)
        .map_err(|error| serde::de::Error::custom(error.message))
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Written {
    /// A service, by the name that the command line and after call it.
    service: BTreeMap<String, Spec>,
}

/// The services of one run, in the order they start.
#[derive(Debug, Clone)]
pub struct Set {
    /// In starting order.
    pub services: Vec<Service>,
    /// By wave: the services in one have nothing to wait for in each other.
    pub waves: Vec<Vec<usize>>,
    /// Those that the command line named one by one: `ensure` doesn't hold for them.
    pub named: Vec<String>,
}

impl Set {
    /// From a set file, or without one from names alone.
    ///
    /// # Errors
    /// Usage for an unknown name, input for a wrong file; both before anything was touched.
    pub fn read(
        source: Option<&Source>,
        directory: &Path,
        config: Option<&Path>,
        names: &[String],
        only: Option<&str>,
    ) -> Result<Self> {
        let mut services = match source {
            Some(source) => from_source(source, directory)?,
            None => from_names(names, directory, config)?,
        };
        let known: Vec<String> = services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        for service in &services {
            for each in &service.spec.after {
                if !known.contains(each) {
                    let words = format!(
                        "service {}: after = {each:?}: no such service",
                        service.name
                    );
                    return Err(at_key(source, &service.name, "after", &words)
                        .hint(format!("the set has {}", known.join(", "))));
                }
            }
        }
        // The circle is looked for in the whole set: a selection must not hide it.
        crate::order::waves(&services)?;
        if source.is_some() {
            select(&mut services, names, &known)?;
        }
        if let Some(pattern) = only {
            let pattern = glob::Pattern::new(pattern)
                .map_err(|error| Error::usage(format!("--only {pattern}: {error}")))?;
            services.retain(|service| pattern.matches(&service.name));
        }
        if services.is_empty() {
            return Err(
                Error::usage("no service is selected").hint("name one, or give a set file with -f")
            );
        }
        // In starting order from here on, so that reports read in it and the first error is the one that others follow from.
        let order: Vec<usize> = crate::order::waves(&services)?
            .into_iter()
            .flatten()
            .collect();
        let services: Vec<Service> = order.into_iter().map(|at| services[at].clone()).collect();
        let waves = crate::order::waves(&services)?;
        let named = names.to_vec();
        Ok(Self {
            services,
            waves,
            named,
        })
    }

    /// Whether a run leaves it up: `ensure`, and not named.
    #[must_use]
    pub fn only_ensures(&self, service: &Service) -> bool {
        service.spec.policy == Policy::Ensure && !self.named.contains(&service.name)
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

fn from_source(source: &Source, directory: &Path) -> Result<Vec<Service>> {
    let written: Written = source.parse()?;
    if written.service.is_empty() {
        return Err(Error::input(format!(
            "{}: no [service.NAME] in it",
            source.name
        )));
    }
    let wrong = |name: &str, error: Error| {
        let placed = source.wrong_at(
            &[Step::Key("service"), Step::Key(name)],
            &format!("service {name}: {}", error.message),
        );
        Error {
            message: placed.message,
            kind: base::Kind::Input,
            ..error
        }
    };
    let mut services = Vec::new();
    for (name, mut spec) in written.service {
        spec.resolve(directory);
        let kind = spec.backend.clone().unwrap_or_default();
        let backend = backend::named(&kind).ok_or_else(|| {
            at_key(
                Some(source),
                &name,
                "backend",
                &format!("service {name}: backend = {kind:?}: unknown"),
            )
            .hint(format!("backends: {}", backend::names().join(", ")))
        })?;
        // The backend pidfile calls a service by its file, which may stand under the key that the others have it under.
        let file = spec
            .pidfile
            .as_ref()
            .filter(|_| backend.name == "pidfile")
            .map(|p| p.to_string_lossy().into_owned());
        let unit = spec.name.clone().or(file).unwrap_or_else(|| name.clone());
        let service = Service {
            name: name.clone(),
            backend,
            unit,
            directory: directory.to_path_buf(),
            spec,
            connection: OnceLock::new(),
        };
        (backend.check)(&service).map_err(|error| wrong(&name, error))?;
        services.push(service);
    }
    Ok(services)
}

/// Each in the order typed, after the one before it: that is what somebody who types `uwsgi nginx` means.
fn from_names(names: &[String], directory: &Path, config: Option<&Path>) -> Result<Vec<Service>> {
    let mut services: Vec<Service> = Vec::new();
    for name in names {
        if services.iter().any(|service| &service.name == name) {
            return Err(Error::usage(format!("{name}: named twice")));
        }
        let (backend, unit) = match name.split_once(':') {
            Some((kind, unit)) if !unit.is_empty() => {
                let backend = backend::named(kind).ok_or_else(|| {
                    Error::usage(format!("{name}: no backend {kind:?}"))
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
            config: config.map(Path::to_path_buf),
            ..Spec::default()
        };
        let service = Service {
            name: name.clone(),
            backend,
            unit,
            directory: directory.to_path_buf(),
            spec,
            connection: OnceLock::new(),
        };
        (backend.check)(&service)?;
        services.push(service);
    }
    Ok(services)
}

impl Service {
    /// How long a start may take; 60 s unless told.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        self.spec.start_timeout.unwrap_or(Duration::from_secs(60))
    }

    /// How long a stop may take; 30 s unless told.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        self.spec.stop_timeout.unwrap_or(Duration::from_secs(30))
    }

    /// A path of the set file, from the directory the file is in.
    #[must_use]
    pub fn path(&self, written: &Path) -> PathBuf {
        self.directory.join(written)
    }

    /// Whether it is as it should be when it is up.
    #[must_use]
    pub fn is_up(&self, state: &backend::State) -> bool {
        if self.spec.oneshot {
            state.is_done_or_running()
        } else {
            state.is_running()
        }
    }

    /// Whether the whole old tree has to be gone after a stop.
    #[must_use]
    pub fn checks_tree(&self) -> bool {
        !self
            .spec
            .stopped
            .iter()
            .any(|stopped| matches!(stopped, Stopped::Tree(false)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
