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

/// The longest time for a stop where neither the set nor the backend has a limit.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A service: its name, its service manager, and the conditions for its states.
#[derive(Debug, Clone)]
pub struct Service {
    /// The name in the set file, or on the command line.
    pub name: String,
    /// The service manager: a name in the registry of backends.
    pub backend: &'static str,
    /// The name that the backend knows the service by: a process, a unit, a script, a file, a
    /// program.
    pub unit: String,
    /// The directory that relative paths and commands start from.
    pub directory: PathBuf,
    /// The other keys, as the set file has them.
    pub spec: Spec,
    /// The reason why the service is part of the run.
    pub role: Role,
    /// Who can change the set file, where that is neither root nor the caller: what the file starts
    /// and checks runs as that user.
    pub owner: Option<(u32, u32)>,
}

/// Why a service is in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    /// The caller named the service.
    #[default]
    Asked,
    /// The service manager stops the service together with a named one.
    Dependent,
    /// A socket, path or timer unit that starts a named service.
    Trigger,
}

/// A service as a set file writes it; every key has a default.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// The service manager: systemd, supervisor, sysv, compose, pidfile or command.
    pub backend: Option<String>,
    /// The name that the service manager knows the service by (default: NAME).
    pub name: Option<String>,
    /// supervisor: the configuration file of supervisord. compose: the compose file, or a list of
    /// files, each overriding the ones before.
    pub config: Option<Files>,
    /// compose: the name of the project (default: the name that docker compose makes of the
    /// directory).
    pub project: Option<String>,
    /// The user whose own service manager has the unit (systemd-user), who starts the service
    /// (pidfile, command), and who runs the preflight (default: the caller).
    pub user: Option<String>,
    /// The services that have to be ready before this one starts, and that stop after this one.
    pub after: Vec<String>,
    /// Whether a run over the whole set stops the service.
    pub policy: Policy,
    /// Whether the service does its work and exits; a finished service then counts as running.
    pub oneshot: bool,
    /// The probes that have to succeed before the service counts as ready.
    #[schemars(with = "Vec<ReadyKeys>")]
    pub ready: Vec<Ready>,
    /// How long the service then has to stay the same process (default: 1s without a probe, else a
    /// moment).
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub stable: Option<Duration>,
    /// The longest time for a start (default: 60s).
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub start_timeout: Option<Duration>,
    /// The longest time for a stop (default: the limit of the unit or of supervisord's program,
    /// else 30s).
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub stop_timeout: Option<Duration>,
    /// What to do with a process that does not end at a stop.
    pub kill: KillPolicy,
    /// The conditions that have to hold after a stop.
    #[schemars(with = "Vec<StoppedKeys>")]
    pub stopped: Vec<Stopped>,
    /// A program and its arguments; the program has to exit with 0 before the first stop, and again
    /// before a start (default: the configuration check of a running nginx, apache2, gunicorn or
    /// caddy). [] means no preflight.
    pub preflight: Option<Vec<String>>,
    /// What the running process has to be.
    pub expect: Expect,
    /// pidfile, command: the program that starts the service, and its arguments.
    pub start: Option<Vec<String>>,
    /// command: a text in the command line of the process, where several processes have the name of
    /// the program.
    #[serde(rename = "match")]
    pub matching: Option<String>,
    /// pidfile, command: the signal that makes the service reload (default: HUP).
    pub reload_signal: Option<String>,
    /// pidfile, command: the signal that stops the service (default: TERM).
    pub stop_signal: Option<String>,
    /// command: the file that gets the output (default: no file).
    pub log: Option<PathBuf>,
    /// pidfile: the pid file (default: the key name). sysv, command: the pid file, where several
    /// processes have the name of the program.
    pub pidfile: Option<PathBuf>,
    /// command: the working directory (default: the directory of the set file).
    pub directory: Option<PathBuf>,
    /// command: variables that are added to the environment of the service.
    pub environment: BTreeMap<String, String>,
}

/// One file, or several in order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Files {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

impl Files {
    #[must_use]
    pub fn all(&self) -> &[PathBuf] {
        match self {
            Self::One(file) => std::slice::from_ref(file),
            Self::Several(files) => files,
        }
    }

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

/// Whether a run over the whole set stops the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// A run over the whole set stops and starts the service (the default).
    #[default]
    Cycle,
    /// A run starts the service if the service is down, and stops the service only when the command
    /// line names it.
    Ensure,
}

/// What to do with a process that does not end at a stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KillPolicy {
    /// Report the process, and fail (the default).
    #[default]
    Report,
    /// Send KILL, through the pidfd of the process.
    Escalate,
}

/// A probe, and the processes whose answer counts.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The probe.
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

/// A condition that has to hold after a stop.
#[derive(Debug, Clone)]
pub enum Stopped {
    /// The old process tree is gone (true, the default), or may stay (false).
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

/// What the running process has to be. Values are compared, never printed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The variables that the environment has to hold: NAME=VALUE, NAME (set to any value), or
    /// !NAME (not set).
    pub env: Vec<String>,
    /// The user that the process runs as.
    pub user: Option<String>,
    /// The path of the executable; * and ? stand for any characters.
    pub exe: Option<String>,
}

impl Expect {
    /// Whether no condition is given.
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

/// A probe that says when the service is ready; it names exactly one of port, socket, http,
/// pidfile, file, log and command.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "described, not read: see Ready's Deserialize")]
pub struct ReadyKeys {
    #[serde(flatten)]
    probe: probe::Written,
    /// The processes whose answer counts: service (the default), the service's own processes; any,
    /// every process, for a server in front of the service.
    holder: Option<String>,
}

/// A probe that no longer answers once the service is down (a command, on the contrary, has to
/// succeed), or tree alone.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "described, not read: see Stopped's Deserialize")]
pub struct StoppedKeys {
    /// Whether every process of the service has to be gone (default: true).
    tree: Option<bool>,
    #[serde(flatten)]
    probe: probe::Written,
}

impl Service {
    /// The user that starts the service, runs the preflight and writes the log: the user in the set
    /// file, else the owner of the set file, else the caller (None).
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

    /// The user who can change the set file, where that is not the caller. What the set file asks
    /// for is done with the rights of that user.
    #[must_use]
    pub fn rights(&self) -> Option<User> {
        let (uid, gid) = self.owner?;
        // Without an answer of the user database: the user without other groups, never the caller.
        Some(User::of_uid(uid, gid).unwrap_or_else(|_| User::bare(uid, gid)))
    }

    /// Opens or reads what the set file names, with the file rights of the user who can change the
    /// set file.
    ///
    /// # Errors
    /// Those of `work`; the kernel refuses the change of rights.
    pub fn with_rights<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.rights() {
            Some(user) => base::trust::with_rights_of(&user, work)?,
            None => work(),
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

    /// The longest time for a start: 60 s where the set file has no limit.
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
