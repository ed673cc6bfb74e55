//! A command that something would start: a unit, a supervisor's program, a line of a crontab. Plain
//! data.

use conf::Source;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// By whose rules a command is cut into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// systemd.service(5): quotations, and variables of the unit.
    Systemd,
    /// Quotations only, as supervisor has them.
    Words,
    /// A shell.
    Shell,
}

/// A command, and what it finds when it starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// The command as it is written.
    pub command: Vec<u8>,
    /// The rules for it.
    pub language: Language,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Its environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Who runs it.
    pub user: Option<String>,
    /// The unit.
    pub unit: Option<String>,
    /// Where it is said.
    pub source: Source,
}
