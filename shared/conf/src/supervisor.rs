//! `supervisord.conf` as supervisord itself would understand it: includes, `%(…)s` in every form,
//! groups, numbered processes, where each process's output goes, and how to reach the daemon.
//!
//! Read from supervisor 4.2.5's `options.py` and `datatypes.py`, and compared with it in the tests.
//! Supervisord stops at the first mistake; this reader says what it found and lists the mistakes,
//! since a site's log paths are wanted most when something is wrong. It never imports a plug-in,
//! resolves an event handler or looks up a host.

mod processes;
mod reader;
mod values;

pub use processes::auto_prefix;

use crate::configparser::ConfigParser;
use crate::files::Files;
use crate::{Error, Source};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// What supervisord takes from its surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment that `%(ENV_X)s` is filled from: the running supervisord's, or what it would
    /// be started with.
    pub env: BTreeMap<OsString, OsString>,
    /// The directory that relative names start from.
    pub cwd: PathBuf,
    /// `%(host_node_name)s`.
    pub host: String,
    /// Where AUTO logs go when `childlogdir` is not set; `/tmp` unless TMPDIR says otherwise.
    pub tmp: PathBuf,
}

impl Surroundings {
    /// This process's own.
    #[must_use]
    pub fn own() -> Self {
        let env: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Self {
            env,
            cwd: std::env::current_dir().unwrap_or_default(),
            host,
            tmp: std::env::temp_dir(),
        }
    }
}

/// A password, which shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The password itself, for the wire.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Everything a supervisord.conf says that the tools here ask for.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// The main file.
    pub file: PathBuf,
    /// Its directory: what `%(here)s` stands for.
    pub here: PathBuf,
    /// `[supervisord]`.
    pub daemon: Daemon,
    /// `[unix_http_server]` and `[inet_http_server]`, in supervisord's order: network sockets
    /// first.
    pub servers: Vec<Server>,
    /// `[supervisorctl]`, where the main file has one.
    pub control: Option<Control>,
    /// The groups, by priority, as supervisord starts them.
    pub groups: Vec<Group>,
    /// The files read beside the main one.
    pub included: Vec<PathBuf>,
    /// Patterns of `[include]` that matched nothing.
    pub unmatched: Vec<(PathBuf, Source)>,
    /// What supervisord would refuse, and what could not be read.
    pub errors: Vec<Error>,
}

/// `[supervisord]`.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Where the section stands; the whole main file when it is missing.
    pub source: Source,
    /// The daemon's own log, and its place; `$CWD/supervisord.log` unless set.
    pub logfile: Log,
    /// Where `logfile` is said, when it is.
    pub logfile_source: Option<Source>,
    /// The size at which it is rotated, in bytes; 0 is never.
    pub logfile_maxbytes: u64,
    /// How many old ones are kept.
    pub logfile_backups: u64,
    /// Where AUTO logs are made.
    pub childlogdir: PathBuf,
    /// The pid file.
    pub pidfile: PathBuf,
    /// The name that AUTO logs carry; `supervisor` unless set.
    pub identifier: String,
    /// The user it becomes.
    pub user: Option<String>,
    /// The directory it changes to when it becomes a daemon.
    pub directory: Option<PathBuf>,
}

/// One socket that supervisord listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The address that the server listens on.
    pub address: Address,
    /// The user name that is asked for.
    pub username: Option<String>,
    /// The password that is asked for; it may be a `{SHA}` digest.
    pub password: Option<Secret>,
    /// Where the section stands.
    pub source: Source,
}

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A port; the host is empty when it is every address.
    Inet {
        /// The host, in lower case.
        host: String,
        /// The port.
        port: u16,
    },
}

/// `[supervisorctl]`: how the administrator's own client gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// `http://localhost:9001` unless set; `unix://` with a normal path.
    pub serverurl: String,
    /// The user name to give.
    pub username: Option<String>,
    /// The password to give.
    pub password: Option<Secret>,
    /// Where the section stands.
    pub source: Source,
}

/// A `[group:…]`, or a program standing for itself.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name of the program, group or process.
    pub name: String,
    /// 999 unless set.
    pub priority: i64,
    /// The processes, by priority.
    pub processes: Vec<Process>,
    /// Where the section stands.
    pub source: Source,
}

/// What sort of section a process comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `[program:…]`.
    Program,
    /// `[eventlistener:…]`.
    EventListener,
    /// `[fcgi-program:…]`.
    FastCgi,
}

/// One process that supervisord keeps.
#[derive(Clone, Debug)]
pub struct Process {
    /// The group it is in.
    pub group: String,
    /// Its own name, numbered where numprocs says so.
    pub name: String,
    /// The program it is made from.
    pub program: String,
    /// What sort of section that is.
    pub role: Role,
    /// The command line, filled in.
    pub command: String,
    /// The directory it runs in.
    pub directory: Option<PathBuf>,
    /// The user it runs as.
    pub user: Option<String>,
    /// 999 unless set.
    pub priority: i64,
    /// Started with supervisord?
    pub autostart: bool,
    /// Seconds it must live to count as started.
    pub startsecs: u64,
    /// Seconds it is given to stop.
    pub stopwaitsecs: u64,
    /// Its environment: supervisord's `environment=`, then its own.
    pub environment: Vec<(String, OsString)>,
    /// Is standard error sent where standard output goes?
    pub redirect_stderr: bool,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
    /// Where the section stands.
    pub source: Source,
}

impl Process {
    /// The name that `supervisorctl` uses: `group:name`, or one of them when they are the same.
    #[must_use]
    pub fn namespec(&self) -> String {
        if self.group == self.name {
            self.name.clone()
        } else {
            format!("{}:{}", self.group, self.name)
        }
    }
}

/// Where one of a process's outputs goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The file.
    pub log: Log,
    /// Sent to syslog too?
    pub syslog: bool,
    /// The size at which supervisord rotates it, in bytes; 0 is never.
    pub maxbytes: u64,
    /// How many old ones are kept.
    pub backups: u64,
    /// Where it is said; where the section stands when it is not.
    pub source: Source,
    /// Is it said at all?
    pub explicit: bool,
}

/// What a log file name means to supervisord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// This file.
    File(PathBuf),
    /// A file of supervisord's own choosing in `childlogdir`, removed when it starts again.
    Auto,
    /// Nothing is kept.
    None,
    /// Syslog, for the daemon's own log.
    Syslog,
}

impl Supervisor {
    /// Reads a configuration and all it includes.
    ///
    /// # Errors
    /// Only when the main file itself cannot be read; everything else is in [`Supervisor::errors`].
    pub fn read(files: &Files, file: &Path, surroundings: &Surroundings) -> Result<Self, Error> {
        let bytes = files.read(file)?;
        let mut parser = ConfigParser::default();
        let errors = parser.read(file, &bytes);
        Ok(reader::Reader::new(files, file, surroundings, parser, errors).read())
    }

    /// The first of supervisord's usual places that has a configuration, as `supervisorctl` looks
    /// for it.
    #[must_use]
    pub fn usual(files: &Files) -> Option<PathBuf> {
        let places = ["/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];
        places
            .iter()
            .map(PathBuf::from)
            .find(|path| files.stat(path).is_ok())
    }
}

#[cfg(test)]
mod tests;
