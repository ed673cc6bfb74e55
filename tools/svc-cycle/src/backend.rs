//! Who runs a service. Each backend has a file of its own and one line in [`ALL`]; whatever it is asked, it answers
//! with what it could see, not with what it was told.

pub mod command;
pub mod compose;
pub mod pidfile;
pub mod spawn;
pub mod supervisor;
pub mod systemd;
pub mod sysv;

use std::path::Path;
use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::Identity;

use crate::set::Service;

/// The backends, each a line.
pub const ALL: &[Backend] = &[
    systemd::BACKEND,
    supervisor::BACKEND,
    sysv::BACKEND,
    pidfile::BACKEND,
    command::BACKEND,
    compose::BACKEND,
];

/// What a backend can do. All of it is about one service, but for `observe`, which is asked about many at once.
#[derive(Debug)]
pub struct Backend {
    /// Its name in set files and before the colon.
    pub name: &'static str,
    /// Whether the service is written so that it could work; touches nothing.
    pub check: fn(&Service) -> Result<()>,
    /// What is so now.
    pub observe: fn(&[&Service]) -> Vec<Result<State>>,
    /// Asks for these members to be started; returns when the backend took it as done, which proves nothing.
    pub start: fn(&Service, &[String], Deadline) -> Result<Done>,
    /// Asks for these members to be stopped.
    pub stop: fn(&Service, &State, &[String], Deadline) -> Result<Done>,
    /// Asks for a reload.
    pub reload: fn(&Service, &State, Deadline) -> Result<Done>,
    /// Processes that belong to it besides the trees of its main ones: those of its cgroup. Asked before a stop and after it.
    pub processes: fn(&State) -> Vec<i32>,
    /// How long after a start it may still look as if nothing had been started: a pid file comes late.
    pub late: Duration,
    /// Waits for a start that another run of ours left in flight.
    pub settle: fn(&Service, Deadline),
    /// What speaks for readiness when the set names no probe.
    pub vouches: fn(&Service, &State) -> bool,
}

/// Two backends are the same when they are called the same.
impl PartialEq for Backend {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a step did, for the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// In words, where there is something to say.
    pub detail: Option<String>,
    /// What a person should know although it worked.
    pub warnings: Vec<String>,
    /// It was started, has done its work and is gone again: there is nothing to wait for.
    pub finished: bool,
}

/// How a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Each process or unit of it; one, but for groups.
    pub members: Vec<Member>,
    /// What a person should know about it.
    pub warnings: Vec<String>,
}

/// One process of a group, or the one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the backend calls it.
    pub name: String,
    /// In our words.
    pub run: Run,
    /// In the backend's words.
    pub word: String,
    /// The main process.
    pub pid: Option<i32>,
    /// What must not change while it stays up: pid with start time, invocation, number of restarts.
    pub generation: String,
    /// Why it is as it is.
    pub detail: Option<String>,
    /// How often the backend has brought it back since it was last started on purpose.
    pub restarts: u32,
    /// systemd: the control group, below /sys/fs/cgroup.
    pub cgroup: Option<String>,
}

/// How a member is, in the words of all backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Up.
    Running,
    /// On its way up, or between two tries.
    Starting,
    /// On its way down.
    Stopping,
    /// Down, and nobody minds.
    Stopped,
    /// Down, and it shouldn't be.
    Failed,
    /// Done what it had to do: a one-shot that ended well.
    Finished,
}

impl Run {
    /// One word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }

    /// Up, or about to be: a stop has something to do.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stopping)
    }
}

impl Member {
    /// A member with its main process, whose start time makes the generation.
    #[must_use]
    pub fn of_process(name: &str, identity: Option<&Identity>) -> Self {
        Self {
            name: name.to_owned(),
            run: if identity.is_some() {
                Run::Running
            } else {
                Run::Stopped
            },
            word: if identity.is_some() {
                "running"
            } else {
                "not running"
            }
            .to_owned(),
            pid: identity.map(|identity| identity.pid),
            generation: identity
                .map(|identity| format!("{}@{}", identity.pid, identity.start))
                .unwrap_or_default(),
            detail: None,
            restarts: 0,
            cgroup: None,
        }
    }
}

impl State {
    /// A state of one member.
    #[must_use]
    pub fn one(member: Member) -> Self {
        Self {
            members: vec![member],
            warnings: Vec::new(),
        }
    }

    /// The whole in one word; `partly running` where its members differ.
    #[must_use]
    pub fn word(&self) -> &'static str {
        let mut runs: Vec<Run> = self.members.iter().map(|member| member.run).collect();
        runs.dedup();
        match runs.as_slice() {
            [] => "unknown",
            [one] => one.word(),
            _ if self.is_running() => "running",
            several if several.iter().any(|run| run.is_up()) => "partly running",
            several if several.contains(&Run::Failed) => "failed",
            _ => "stopped",
        }
    }

    /// Everything of it is up.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.members.is_empty() && self.members.iter().all(|member| member.run == Run::Running)
    }

    /// Everything of it is up, or was started and has done its work.
    #[must_use]
    pub fn is_done_or_running(&self) -> bool {
        !self.members.is_empty()
            && self
                .members
                .iter()
                .all(|member| matches!(member.run, Run::Running | Run::Finished))
    }

    /// Nothing of it is up.
    #[must_use]
    pub fn is_down(&self) -> bool {
        !self.members.iter().any(|member| member.run.is_up())
    }

    /// The main processes.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.members
            .iter()
            .filter_map(|member| member.pid)
            .collect()
    }

    /// The members that are up.
    #[must_use]
    pub fn up(&self) -> Vec<String> {
        self.members
            .iter()
            .filter(|member| member.run.is_up())
            .map(|member| member.name.clone())
            .collect()
    }

    /// The members that are not.
    #[must_use]
    pub fn down(&self) -> Vec<String> {
        self.members
            .iter()
            .filter(|member| !member.run.is_up())
            .map(|member| member.name.clone())
            .collect()
    }

    /// Only these members.
    #[must_use]
    pub fn only(&self, names: &[String]) -> Self {
        Self {
            members: self
                .members
                .iter()
                .filter(|member| names.contains(&member.name))
                .cloned()
                .collect(),
            warnings: self.warnings.clone(),
        }
    }

    /// What must stay the same while it stays up.
    #[must_use]
    pub fn generation(&self) -> Vec<(String, String)> {
        self.members
            .iter()
            .map(|member| (member.name.clone(), member.generation.clone()))
            .collect()
    }

    /// Why it isn't running, as the backend says.
    #[must_use]
    pub fn why(&self) -> String {
        let down = self
            .members
            .iter()
            .filter(|member| !matches!(member.run, Run::Running | Run::Finished));
        let words: Vec<String> = down
            .map(|member| match &member.detail {
                Some(detail) if !detail.is_empty() => {
                    format!("{}: {} ({detail})", member.name, member.word)
                }
                _ => format!("{}: {}", member.name, member.word),
            })
            .collect();
        if words.is_empty() {
            "running".to_owned()
        } else {
            words.join("; ")
        }
    }
}

/// The backend of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Backend> {
    ALL.iter().find(|backend| backend.name == name)
}

/// All their names.
#[must_use]
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|backend| backend.name).collect()
}

/// Who runs a service that was named without its backend: systemd where it is this machine's init, else an init script.
///
/// # Errors
/// Usage: nobody here knows the name.
pub fn of_this_machine(name: &str) -> Result<&'static Backend> {
    let script = Path::new("/etc/init.d").join(name);
    let known = if Path::new("/run/systemd/system").is_dir() {
        Some(&systemd::BACKEND)
    } else if !name.contains('/') && script.is_file() {
        Some(&sysv::BACKEND)
    } else {
        None
    };
    known
        .and_then(|backend| named(backend.name))
        .ok_or_else(|| {
            Error::usage(format!(
                "{name}: no systemd runs here and there is no /etc/init.d/{name}"
            ))
            .hint(format!(
                "say who runs it: supervisor:{name}, pidfile:/run/{name}.pid, command:{name}"
            ))
        })
}

/// Observes services of any backends, each backend asked once.
#[must_use]
pub fn observe(services: &[&Service]) -> Vec<Result<State>> {
    let mut answers: Vec<Option<Result<State>>> = services.iter().map(|_| None).collect();
    for backend in ALL {
        let mine: Vec<usize> = (0..services.len())
            .filter(|at| services[*at].backend == backend)
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
