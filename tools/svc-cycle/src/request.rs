//! What was asked for, as plain data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start what is down.
    Start,
    /// Stop what is up.
    Stop,
    /// Stop, then start.
    Restart,
    /// Read the configuration anew.
    Reload,
    /// Look.
    Status,
    /// Look closely.
    Check,
    /// Stop, COMMAND, start.
    Cycle,
    /// Start what an interrupted run left down.
    Recover,
    /// Write a set file from what runs.
    Snapshot,
}

impl Action {
    /// The actions by name.
    pub const ALL: &[(&'static str, Action)] = &[
        ("start", Action::Start),
        ("stop", Action::Stop),
        ("restart", Action::Restart),
        ("reload", Action::Reload),
        ("status", Action::Status),
        ("check", Action::Check),
        ("cycle", Action::Cycle),
        ("recover", Action::Recover),
        ("snapshot", Action::Snapshot),
    ];

    /// As typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, action)| *action == self)
            .map_or("", |(name, _)| name)
    }
}

/// Where the services of a run come from: enough to read the same set again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The set file's name and text.
    pub file: Option<(String, String)>,
    /// Where its paths start.
    pub directory: PathBuf,
    /// supervisord's or compose's configuration for services named without a file.
    pub config: Option<PathBuf>,
    /// The services that were named.
    pub names: Vec<String>,
    /// The names are a list in the site file: nobody typed them one by one.
    #[serde(default)]
    pub listed: bool,
    /// The pattern that the names have to match.
    pub only: Option<String>,
    /// Who can change the file, where that is neither root nor the caller: user and group.
    #[serde(default)]
    pub owner: Option<(u32, u32)>,
    /// The name of the site whose file was read.
    #[serde(default)]
    pub site: Option<String>,
}

impl Origin {
    /// Whether it selects no service at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.names.is_empty() && self.only.is_none()
    }
}

/// The command line, understood.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is to be done.
    pub action: Action,
    /// With which services.
    pub origin: Origin,
    /// One member after another.
    pub rolling: bool,
    /// Unit files that changed on disk are read first.
    pub reload_units: bool,
    /// Services stay down when COMMAND fails.
    pub leave_down: bool,
    /// The longest that COMMAND may run.
    pub command_timeout: Option<Duration>,
    /// COMMAND.
    pub command: Vec<OsString>,
    /// As whom COMMAND runs, and with what.
    pub run_as: base::RunAs,
}
