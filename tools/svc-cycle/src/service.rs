//! A service: what a set calls it, who runs it, and what has to be true of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::child::Identity as User;
use base::{Error, Result};
use probe::Probe;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::state::State;

/// How long a stop may take where neither the set nor the backend says.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A service: what it is called here, who runs it, and what has to be true of it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in the set, or as typed.
    pub name: String,
    /// Who runs it: a name of the registry of backends.
    pub backend: &'static str,
    /// What the backend calls it: a process, a unit, a script, a file, a program.
    pub unit: String,
    /// Where relative paths and commands start from.
    pub directory: PathBuf,
    /// All the rest, as written.
    pub spec: Spec,
    /// Why it is in the run.
    pub role: Role,
    /// Who can change the set file, where that is neither root nor the caller: what the file starts and checks runs as that user.
    pub owner: Option<(u32, u32)>,
}

/// Why a service is in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// It was asked for.
    #[default]
    Asked,
    /// Its manager stops it together with one that was asked for.
    Dependent,
    /// A socket, path or timer unit that starts one that was asked for.
    Trigger,
}

/// A service as a set file writes it; every key has a default.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Who runs it: systemd, supervisor, sysv, compose, pidfile or command.
    pub backend: Option<String>,
    /// What the backend calls it; the service's own name unless given.
    pub name: Option<String>,
    /// supervisor: its configuration file. compose: the compose file, or a list of files, each overriding the ones before.
    pub config: Option<Files>,
    /// compose: the project's name; what docker compose makes of the directory unless given.
    pub project: Option<String>,
    /// The user whose own manager has the unit (systemd-user), who starts the service (pidfile, command) and as whom preflight runs; the
    /// caller unless given.
    pub user: Option<String>,
    /// Services that have to be ready before this one starts, and are stopped after it.
    pub after: Vec<String>,
    /// Whether a run over the whole set stops it.
    pub policy: Policy,
    /// It does its work and ends: finished is as good as running.
    pub oneshot: bool,
    /// What has to answer before the service counts as ready.
    #[schemars(with = "Vec<ReadyKeys>")]
    pub ready: Vec<Ready>,
    /// How long it has to stay the same process after that; unless given, 1s where no probe speaks for it, else a moment.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub stable: Option<Duration>,
    /// How long a start may take; 60s unless given.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub start_timeout: Option<Duration>,
    /// How long a stop may take; unless given, as long as the unit or the program of supervisord allows, else 30s.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub stop_timeout: Option<Duration>,
    /// What to do with a process that outlives its stop.
    pub kill: KillPolicy,
    /// What has to be true after a stop, besides that the process tree is gone.
    #[schemars(with = "Vec<StoppedKeys>")]
    pub stopped: Vec<Stopped>,
    /// A program and its arguments: has to exit 0 before anything is stopped, and again before a start. Unless given, the check that a
    /// running nginx, apache2, gunicorn or caddy is known for; [] for none.
    pub preflight: Option<Vec<String>>,
    /// What the running process must be.
    pub expect: Expect,
    /// pidfile, command: how to start it, a program and its arguments.
    pub start: Option<Vec<String>>,
    /// command: text that the command line of its process holds, where the program's name is not enough.
    #[serde(rename = "match")]
    pub matching: Option<String>,
    /// pidfile, command: the signal that reloads it; HUP unless given.
    pub reload_signal: Option<String>,
    /// pidfile, command: the signal that stops it; TERM unless given.
    pub stop_signal: Option<String>,
    /// command: where its output goes; nowhere unless given.
    pub log: Option<PathBuf>,
    /// pidfile: the file, unless `name` is it. sysv, command: a file with its pid, where the program's name is not enough.
    pub pidfile: Option<PathBuf>,
    /// command: where it is started; the set file's directory unless given.
    pub directory: Option<PathBuf>,
    /// command: variables added to the environment it is started with.
    pub environment: BTreeMap<String, String>,
}

/// One file, or several in order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Files {
    /// One.
    One(PathBuf),
    /// Several.
    Several(Vec<PathBuf>),
}

impl Files {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[PathBuf] {
        match self {
            Self::One(file) => std::slice::from_ref(file),
            Self::Several(files) => files,
        }
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> &Path {
        self.all().first().map_or(Path::new(""), PathBuf::as_path)
    }
}

impl Spec {
    /// Paths in probes are meant from where the set file is.
    pub(crate) fn resolve(&mut self, directory: &Path) {
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
    /// Started only if it is not running, stopped only when it is named.
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

/// A probe that says when the service is ready; it names exactly one of port, socket, http, pidfile, file, log and command.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "described, not read: see Ready's Deserialize")]
pub struct ReadyKeys {
    #[serde(flatten)]
    probe: probe::Written,
    /// Whose answer counts: service, the service's own processes, unless told otherwise; any, anybody's, for what stands in front of it.
    holder: Option<String>,
}

/// A probe that no longer answers once the service is down (a command, on the contrary, has to succeed), or tree alone.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "described, not read: see Stopped's Deserialize")]
pub struct StoppedKeys {
    /// Whether every process that the service had has to be gone; true unless told otherwise.
    tree: Option<bool>,
    #[serde(flatten)]
    probe: probe::Written,
}

impl Service {
    /// As whom its start, its preflight and its log are done: the user that the set names, else the owner of the set file, else the
    /// caller (None).
    ///
    /// # Errors
    /// There is no such user, or the set file may not name that user.
    pub fn runs_as(&self) -> Result<Option<User>> {
        let named = self.spec.user.as_deref().map(User::of_name).transpose()?;
        match (named, self.owner) {
            (Some(user), Some((uid, _))) if user.uid != uid => Err(Error::input(format!(
                "{}: user = '{}' is refused: uid {uid} can change the set file",
                self.name,
                self.spec.user.as_deref().unwrap_or_default()
            ))
            .hint("read the file, then give --trust FILE, or make root the owner of the file and of the directories above it")),
            (Some(user), _) => Ok(Some(user)),
            (None, Some((uid, gid))) => User::of_uid(uid, gid).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Whose service manager a unit of systemd-user belongs to.
    #[must_use]
    pub fn runs_as_manager_of(&self) -> Option<u32> {
        let own = || Some(rustix::process::geteuid().as_raw());
        match &self.spec.user {
            Some(name) => User::of_name(name).ok().map(|user| user.uid),
            None => own(),
        }
    }

    /// How long a start may take; 60 s unless told.
    #[must_use]
    pub fn start_timeout(&self) -> Duration {
        self.spec.start_timeout.unwrap_or(Duration::from_secs(60))
    }

    /// How long a stop may take: as the set says, else as long as the backend gives it, else 30 s.
    #[must_use]
    pub fn stop_timeout(&self, state: &State) -> Duration {
        let backend = || state.stop_time().unwrap_or(STOP_TIMEOUT);
        self.spec.stop_timeout.unwrap_or_else(backend)
    }

    /// A path of the set file, from the directory the file is in.
    #[must_use]
    pub fn path(&self, written: &Path) -> PathBuf {
        self.directory.join(written)
    }

    /// Whether it is as it should be when it is up.
    #[must_use]
    pub fn is_up(&self, state: &State) -> bool {
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
