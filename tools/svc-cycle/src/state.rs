//! What a backend sees of a service: its members, each with its state, in the words of all
//! backends.

use std::time::Duration;

use base::Fix;
use proc::Identity;

/// What a step did, for the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// In words, where there is something to say.
    pub detail: Option<String>,
    /// What a person should know although the step succeeded.
    pub warnings: Vec<String>,
    /// The service did its work and ended: there is nothing to wait for.
    pub finished: bool,
    /// The processes that the start left behind, where nothing else names them.
    pub left: Vec<Identity>,
}

impl Done {
    /// A step with something to say.
    #[must_use]
    pub fn saying(detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::default()
        }
    }
}

/// How a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Each process or unit of the service; one, but for groups and umbrella units.
    pub members: Vec<Member>,
    /// What a person should know about the service.
    pub warnings: Vec<String>,
    /// What closes the gap that the warnings name.
    pub fix: Option<Fix>,
}

/// What a person should know before a service is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// In words.
    pub warnings: Vec<String>,
    /// What closes the gap that the warnings name.
    pub fix: Option<Fix>,
}

/// One process of a group, or one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What the backend calls it.
    pub name: String,
    /// The state in our words.
    pub run: Run,
    /// The state in the backend's words.
    pub word: String,
    /// The main process.
    pub pid: Option<i32>,
    /// What must not change while the member stays up: pid with start time, invocation, number of
    /// restarts.
    pub generation: String,
    /// Why the member is in this state.
    pub detail: Option<String>,
    /// How often the backend restarted the member since the last start on purpose.
    pub restarts: u32,
    /// systemd: the control group, below /sys/fs/cgroup.
    pub cgroup: Option<String>,
    /// How long the backend itself gives a stop before it kills; `Duration::MAX` for no limit.
    pub stop_time: Option<Duration>,
    /// The backend starts the member again by itself, but not soon.
    pub dormant: bool,
    /// Why the backend lets nobody start or stop the member by hand.
    pub refusal: Option<String>,
}

/// The state of a member, in the words of all backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Up.
    Running,
    /// On its way up, or between two tries.
    Starting,
    /// On its way down.
    Stopping,
    /// Down, as intended.
    Stopped,
    /// Down, and it should not be.
    Failed,
    /// A one-shot that ended well.
    Finished,
    /// No process and no pid file shows whether the member runs.
    Unknown,
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
            Self::Unknown => "unknown",
        }
    }

    /// Up, or about to be, or on its way down.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stopping)
    }
}

impl Member {
    /// A member with its main process, whose start time makes the generation.
    #[must_use]
    pub fn of_process(name: &str, identity: Option<&Identity>) -> Self {
        let (run, word) = match identity {
            Some(_) => (Run::Running, "running"),
            None => (Run::Stopped, "not running"),
        };
        Self {
            name: name.to_owned(),
            run,
            word: word.to_owned(),
            pid: identity.map(|identity| identity.pid),
            generation: identity
                .map(|identity| format!("{}@{}", identity.pid, identity.start))
                .unwrap_or_default(),
            detail: None,
            restarts: 0,
            cgroup: None,
            stop_time: None,
            dormant: false,
            refusal: None,
        }
    }

    fn in_words(&self) -> String {
        match &self.detail {
            Some(detail) if !detail.is_empty() => {
                format!("{}: {} ({detail})", self.name, self.word)
            }
            _ => format!("{}: {}", self.name, self.word),
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
            fix: None,
        }
    }

    /// The whole in one word; `partly running` where the members differ.
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
            several if several.contains(&Run::Unknown) => "unknown",
            _ => "stopped",
        }
    }

    /// Every member is up.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.members.is_empty() && self.members.iter().all(|member| member.run == Run::Running)
    }

    /// Every member is up, or did its work and ended.
    #[must_use]
    pub fn is_done_or_running(&self) -> bool {
        !self.members.is_empty()
            && self
                .members
                .iter()
                .all(|member| matches!(member.run, Run::Running | Run::Finished))
    }

    /// Whether the backend had to start a member again since somebody started the member on
    /// purpose.
    #[must_use]
    pub fn was_restarted(&self) -> bool {
        self.members.iter().any(|member| member.restarts > 0)
    }

    /// No member is known to be up.
    #[must_use]
    pub fn is_down(&self) -> bool {
        !self.members.iter().any(|member| member.run.is_up())
    }

    /// Whether nothing shows if a member runs.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.members.iter().any(|member| member.run == Run::Unknown)
    }

    /// The main processes.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        self.members
            .iter()
            .filter_map(|member| member.pid)
            .collect()
    }

    /// The members for which a stop has something to do: those that are up, and those of which
    /// nobody knows.
    #[must_use]
    pub fn up(&self) -> Vec<String> {
        self.names(|member| member.run.is_up() || member.run == Run::Unknown)
    }

    /// The members that are not up.
    #[must_use]
    pub fn down(&self) -> Vec<String> {
        self.names(|member| !member.run.is_up())
    }

    /// The names of the members that fit.
    pub fn names(&self, fits: impl Fn(&Member) -> bool) -> Vec<String> {
        let members = self.members.iter().filter(|member| fits(member));
        members.map(|member| member.name.clone()).collect()
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
            fix: self.fix.clone(),
        }
    }

    /// What must stay the same while the service stays up.
    #[must_use]
    pub fn generation(&self) -> Vec<(String, String)> {
        self.members
            .iter()
            .map(|member| (member.name.clone(), member.generation.clone()))
            .collect()
    }

    /// Whether a member that is up is still the one of `before`.
    #[must_use]
    pub fn holds_one_of(&self, before: &[(String, String)]) -> bool {
        self.members.iter().any(|member| {
            member.run.is_up()
                && !member.generation.is_empty()
                && before.iter().any(|(name, generation)| {
                    *name == member.name && *generation == member.generation
                })
        })
    }

    /// The longest time that the backend gives a stop.
    #[must_use]
    pub fn stop_time(&self) -> Option<Duration> {
        self.members
            .iter()
            .filter_map(|member| member.stop_time)
            .max()
    }

    /// Why the service is not running, as the backend says.
    #[must_use]
    pub fn why(&self) -> String {
        let down = self
            .members
            .iter()
            .filter(|member| !matches!(member.run, Run::Running | Run::Finished));
        let words: Vec<String> = down.map(Member::in_words).collect();
        if !words.is_empty() {
            return words.join("; ");
        }
        let finished = self.names(|member| member.run == Run::Finished);
        if finished.is_empty() {
            "running".to_owned()
        } else {
            format!(
                "{}: did its work and exited with status 0 (oneshot = true in a set file counts that as up)",
                finished.join(", ")
            )
        }
    }
}
