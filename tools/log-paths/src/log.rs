//! The words of this tool: what a log is, who opens it, and how it became known. Everything else
//! reads or fills these.

use crate::process::{Process, Program, Root};
use crate::site::Site;
use crate::start::Start;
use conf::Source;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// Where a configuration sends a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sink {
    /// A file of this name.
    File(PathBuf),
    /// A name that is only known when something is logged: it holds variables or dates.
    Template(Vec<u8>),
    /// Syslog, with its address where one is given.
    Syslog(String),
    /// The systemd journal.
    Journal,
    /// A standard stream of the process, which somebody else keeps.
    Stdio(&'static str),
    /// A program that reads it.
    Pipe(String),
    /// An address on the network.
    Net(String),
    /// A buffer in memory.
    Memory,
    /// Thrown away.
    Discard,
}

/// The sort of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One line for each request.
    Access,
    /// What the server says about itself.
    Error,
    /// What programs print.
    App,
}

impl Kind {
    /// The words of `--kind`.
    pub const NAMES: &[&str] = &["access", "error", "app"];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Error => "error",
            Self::App => "app",
        }
    }

    /// The kind that a word names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Access, Self::Error, Self::App]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Which process opens the file, and with whose rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Opener {
    /// Root at the start, the worker's user when logs are reopened.
    RootThenWorker,
    /// The worker, whenever it logs.
    Worker,
    /// The service, as the user it runs as.
    Service,
}

/// How a log became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// A configuration names it.
    Config,
    /// A process holds it open.
    Open,
    /// Nothing names it, and the program uses it then.
    Default,
}

/// A service that rotates its own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRotation {
    pub by: &'static str,
    /// How its rotation is switched off, as advice.
    pub off: &'static str,
    /// Where it is said.
    pub source: Option<Source>,
}

/// One log that a configuration (or its silence) stands for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it goes.
    pub sink: Sink,
    /// The service.
    pub service: &'static str,
    /// Which one of that service: a configuration file, a program, a cluster.
    pub instance: String,
    /// The sort of log.
    pub kind: Kind,
    /// Where it is said; for a default, the file whose silence it follows from.
    pub source: Option<Source>,
    /// Said, or the default.
    pub evidence: Evidence,
    /// Written only under a condition.
    pub conditional: bool,
    /// Who opens it.
    pub opener: Opener,
    /// The user that the service (or its worker) runs as.
    pub user: Option<String>,
    /// Who opens it, where that is somebody else than `user`.
    pub by: Option<String>,
    /// The process whose configuration says so, where it is one's own.
    pub pid: Option<u32>,
    /// Does the service keep it open, so that a rotation needs a signal?
    pub held: bool,
    /// Does the writer look whether the name still leads to its file, and open it again?
    pub watched: bool,
    /// Is it open from the start of the service on?
    pub at_start: bool,
    /// Whether it is opened for appending; `None` where the configuration does not decide that.
    pub appends: Option<bool>,
    /// How deep in the configuration it stands: what stands deeper takes its lines.
    pub depth: u8,
    /// The file in which the service keeps its process number.
    pub pid_file: Option<PathBuf>,
    /// The unit that starts the service, where that is known.
    pub unit: Option<String>,
    /// The file system that the path is in, where that is a container's.
    pub root: Option<Root>,
    /// Is a process alone, by its command line or its environment, the authority for the path?
    pub claimed: bool,
    /// Does the service rotate it?
    pub rotates: Option<OwnRotation>,
    /// The path is code, or holds a name without a value: what the text was, and why.
    pub doubt: Option<Doubt>,
}

/// Why a path is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Only running the configuration would tell.
    Dynamic(String),
    /// A variable has no value here.
    Unresolved(String),
}

impl Target {
    /// A log that a configuration names, opened by the service itself; the rest is filled in by
    /// whoever knows better.
    #[must_use]
    pub fn new(service: &'static str, instance: impl Into<String>, kind: Kind, sink: Sink) -> Self {
        Self {
            sink,
            service,
            instance: instance.into(),
            kind,
            source: None,
            evidence: Evidence::Config,
            conditional: false,
            opener: Opener::Service,
            user: None,
            by: None,
            pid: None,
            held: true,
            watched: false,
            at_start: true,
            appends: None,
            depth: 0,
            pid_file: None,
            unit: None,
            root: None,
            claimed: false,
            rotates: None,
            doubt: None,
        }
    }
}

/// One service: everything that this tool knows of it begins here.
pub struct Service {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// Is a process that calls itself so one of the service's?
    pub owns: fn(&Program<'_>) -> bool,
    /// How its logs are opened again.
    pub reopen: Reopen,
    /// Its configurations: those asked for, those of its processes, or the usual one.
    pub read: fn(&Site) -> Configured,
    /// A configuration that names a log; a test reads every one.
    pub example: Example,
    /// The configurations that a process has that names none, where a process always shows the one
    /// that it names.
    pub usual: Option<fn(&Site, &Process) -> Vec<PathBuf>>,
    /// The commands that it starts for others.
    pub starts: Option<fn(&Site) -> Vec<Start>>,
    /// Whether a child that has the same kernel name is the service's, too.
    pub children: bool,
    /// Whether its processes run a site's Python code, in whose directory a project may stand.
    pub runs_python: bool,
}

/// A configuration of a service.
pub struct Example {
    /// The file's usual name.
    pub file: &'static str,
    /// The text.
    pub text: &'static str,
}

impl Service {
    /// What most rows have.
    pub const PLAIN: Self = Self {
        name: "",
        owns: |_| false,
        reopen: Reopen::RESTART,
        read: |_| Configured::default(),
        example: Example { file: "", text: "" },
        usual: None,
        starts: None,
        children: true,
        runs_python: false,
    };
}

/// How the writer of a service's logs is made to open them again.
pub struct Reopen {
    /// The names of its units, init scripts and processes.
    pub names: &'static [&'static str],
    /// The signals of the main process that do; the first is the one to send.
    pub signals: &'static [&'static str],
    /// Whether a reload of the service does.
    pub reload: bool,
    /// Whether a command of its own does, given as words.
    pub command: fn(&[String]) -> bool,
    /// Whether the main process stays root and gives a new file to its workers.
    pub gives: bool,
}

impl Reopen {
    /// A service that opens its logs once: only a restart opens them again.
    pub const RESTART: Self = Self {
        names: &[],
        signals: &[],
        reload: false,
        command: |_| false,
        gives: false,
    };
}

/// The most logs of one service that are reported.
pub const MOST: usize = 5_000;

/// All that one service's configurations said.
#[derive(Debug, Default)]
pub struct Configured {
    /// The logs.
    pub targets: Vec<Target>,
    /// What could not be read or understood.
    pub faults: Vec<Fault>,
    /// Was there a configuration at all?
    pub found: bool,
    /// Where a log is in the list, by what makes it the same: a thousand servers may name as many.
    known: HashMap<u64, Vec<usize>>,
}

/// A configuration that could not be read, or a part of it, with the problem it makes.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The service that would read it.
    pub service: &'static str,
    /// What the reader said.
    pub error: conf::Error,
    /// Is the list of logs less than whole because of it?
    pub incomplete: bool,
}

impl Configured {
    /// Adds a fault that leaves the list less than whole.
    pub fn fault(&mut self, service: &'static str, error: conf::Error) {
        let incomplete = error.kind != conf::Kind::Missing || error.line == 0;
        self.faults.push(Fault {
            service,
            error,
            incomplete,
        });
    }

    /// Adds a fault that a person should know of, and that hides no log.
    pub fn remark(&mut self, service: &'static str, error: conf::Error) {
        self.faults.push(Fault {
            service,
            error,
            incomplete: false,
        });
    }

    /// Adds a log, unless the same one is known: its first mention counts.
    pub fn add(&mut self, target: Target) {
        let mut hasher = DefaultHasher::new();
        match &target.sink {
            // As bytes: a path's own hash takes it apart first.
            Sink::File(path) => path.as_os_str().hash(&mut hasher),
            other => other.hash(&mut hasher),
        }
        target.kind.hash(&mut hasher);
        let places = self.known.entry(hasher.finish()).or_default();
        let same = |old: &Target| {
            old.sink == target.sink
                && old.kind == target.kind
                && old.service == target.service
                && old.instance == target.instance
        };
        match places
            .iter()
            .copied()
            .find(|at| self.targets.get(*at).is_some_and(same))
        {
            Some(at) => self.targets[at].conditional &= target.conditional,
            // One more than are reported, so that it shows that there are more.
            None if self.targets.len() > MOST => {}
            None => {
                places.push(self.targets.len());
                self.targets.push(target);
            }
        }
    }
}
