//! What was asked for, as plain data: [`crate::cli`] makes it, everything else takes it.

use crate::log::Kind;
use std::path::PathBuf;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Configurations and processes.
    Both,
    /// Configurations.
    Config,
    /// Processes.
    Open,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Print {
    /// The report.
    Report,
    /// Names, ended by NUL.
    Nul,
    /// Names, one a line.
    Lines,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The services; empty means all.
    pub services: Vec<&'static str>,
    /// The kinds; empty means all.
    pub kinds: Vec<Kind>,
    /// `--conf`.
    pub conf: Vec<(String, PathBuf)>,
    /// `--root`.
    pub root: Option<PathBuf>,
    /// What is looked at.
    pub look: Look,
    /// What is printed.
    pub print: Print,
    /// `--check`.
    pub check: bool,
    /// `--create-dirs`.
    pub create_dirs: bool,
    /// `--problems`.
    pub problems: bool,
}

impl Request {
    /// Is this service asked for?
    #[must_use]
    pub fn wants(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.contains(&service)
    }
}
