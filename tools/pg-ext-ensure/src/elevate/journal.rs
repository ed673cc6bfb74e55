//! What is written down before a role is elevated, so that even after a power cut somebody knows that the right has to be taken back. It
//! outlasts a reboot, as the right does: not in /run. It never holds a connection string.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base::atomic::{Access, Dir};
use base::clock::rfc3339;
use base::error::{Error, Result};
use base::lock::{Lock, private_directory};
use serde::{Deserialize, Serialize};

use super::right::{Backend, Grant};
use crate::cli::Connection;

/// One elevation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The role's name then.
    pub role: String,
    /// The role.
    pub oid: u32,
    /// The cluster.
    pub system: String,
    /// The server process that gave the right ...
    pub backend_pid: i64,
    /// ... and when it began.
    pub backend_start: i64,
    /// The server's clock before.
    pub since: i64,
    /// When, by this machine's clock.
    pub written_at: String,
    /// The tool's process.
    pub pid: u32,
    /// COMMAND, without its secrets.
    pub command: Vec<String>,
}

impl Journal {
    /// Of an elevation that is about to begin.
    pub fn of(grant: &Grant, role: &str, command: &[String]) -> Journal {
        Journal {
            role: role.to_string(),
            oid: grant.oid,
            system: grant.system.clone(),
            backend_pid: grant.backend.pid,
            backend_start: grant.backend.start,
            since: grant.since,
            written_at: rfc3339(SystemTime::now()),
            pid: std::process::id(),
            command: command.to_vec(),
        }
    }

    /// What it takes to undo it.
    pub fn grant(&self) -> Grant {
        let backend = Backend {
            pid: self.backend_pid,
            start: self.backend_start,
        };
        Grant::recorded(self.system.clone(), self.oid, backend, self.since)
    }

    /// What the guardian is told, through its pipe: there a connection string is private.
    ///
    /// # Errors
    /// `Kind::Failed`.
    pub fn payload(journal: &Journal, place: &Place, admin: &Connection) -> Result<Vec<u8>> {
        let ward = Ward {
            journal: journal.clone(),
            admin: admin.clone(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            state: place.directory.clone(),
        };
        serde_json::to_vec(&ward)
            .map_err(|error| Error::failed(format!("cannot tell the guardian what to do: {error}")))
    }
}

/// What a guardian watches over.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ward {
    /// The elevation.
    pub journal: Journal,
    /// Who takes it back.
    pub admin: Connection,
    /// Where the tool was called.
    pub directory: PathBuf,
    /// Where the journal is.
    pub state: PathBuf,
}

impl Ward {
    /// The journal's place. The lock was the tool's, and went with it.
    pub fn place(&self) -> Place {
        Place {
            directory: self.state.clone(),
            name: name(&self.journal.system, self.journal.oid),
            _lock: None,
        }
    }
}

/// Where one role's journal is, and the lock on it.
#[derive(Debug)]
pub struct Place {
    directory: PathBuf,
    name: String,
    _lock: Option<Lock>,
}

const SUFFIX: &str = ".elevation";

fn name(system: &str, oid: u32) -> String {
    format!("{system}-{oid}{SUFFIX}")
}

impl Place {
    /// Takes the lock of this role on this cluster; nobody else elevates it from this machine then.
    ///
    /// # Errors
    /// `Kind::Locked` where an elevation is under way.
    pub fn claim(system: &str, oid: u32, wait: Duration) -> Result<Place> {
        let directory = directory()?;
        let name = name(system, oid);
        let lock = Lock::acquire(&directory.join(format!("{name}.lock")), wait)?;
        Ok(Place {
            directory,
            name,
            _lock: Some(lock),
        })
    }

    /// What an elevation that was not finished left here.
    ///
    /// # Errors
    /// `Kind::Io`; `Kind::Failed` for a file that is no journal.
    pub fn left(&self) -> Result<Option<Journal>> {
        let Some(text) = Dir::open(&self.directory)?.read(&self.name, 1 << 20)? else {
            return Ok(None);
        };
        let shown = self.directory.join(&self.name);
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::failed(format!("{} is no journal: {error}", shown.display())))
    }

    /// Where the journal is.
    pub fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// Puts the journal on the disk.
    ///
    /// # Errors
    /// `Kind::Io`; then nothing may be begun.
    pub fn write(&self, journal: &Journal) -> Result<()> {
        let text = serde_json::to_vec(journal)
            .map_err(|error| Error::failed(format!("cannot write the journal: {error}")))?;
        Dir::open(&self.directory)?.create(&self.name, &text, Access::mode(0o600))
    }

    /// The right is gone: so is the journal. One that cannot be removed is found by `recover`, which does no harm.
    pub fn forget(&self) {
        if let Ok(dir) = Dir::open(&self.directory) {
            let _ = dir.remove(&self.name);
        }
    }
}

/// The journals of elevations that were not finished, without making or locking anything: for a dry run.
///
/// # Errors
/// `Kind::Locked` where an elevation is under way.
pub fn seen() -> Result<Vec<(Journal, Place)>> {
    let directory = path()?;
    if !directory.exists() {
        return Ok(Vec::new());
    }
    private_directory(&directory)?;
    let mut found = Vec::new();
    for name in names(&Dir::open(&directory)?)? {
        Lock::look(&directory.join(format!("{name}.lock")))?;
        let place = Place {
            directory: directory.clone(),
            name,
            _lock: None,
        };
        if let Some(journal) = place.left()? {
            found.push((journal, place));
        }
    }
    Ok(found)
}

fn names(dir: &Dir) -> Result<Vec<String>> {
    Ok(dir
        .names()?
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(SUFFIX))
        .collect())
}

/// All journals there are, each with its place and lock; those under way are waited for.
///
/// # Errors
/// `Kind::Locked` where an elevation is under way.
pub fn all(wait: Duration) -> Result<Vec<(Journal, Place)>> {
    let directory = directory()?;
    let dir = Dir::open(&directory)?;
    let mut found = Vec::new();
    for name in names(&dir)? {
        let lock = Lock::acquire(&directory.join(format!("{name}.lock")), wait)?;
        let place = Place {
            directory: directory.clone(),
            name,
            _lock: Some(lock),
        };
        // Whoever held the lock may have finished meanwhile.
        if let Some(journal) = place.left()? {
            found.push((journal, place));
        }
    }
    Ok(found)
}

/// Where journals are: `$STATE_DIRECTORY` (systemd's), `/var/lib/runbook-tools` for root, `$XDG_STATE_HOME/runbook-tools` or
/// `~/.local/state/runbook-tools` for others.
///
/// # Errors
/// `Kind::Permission` where others could write there.
pub fn directory() -> Result<PathBuf> {
    let path = path()?;
    private_directory(&path)?;
    Ok(path)
}

fn path() -> Result<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let path = if let Some(state) = variable("STATE_DIRECTORY") {
        state
    } else if nix::unistd::geteuid().is_root() {
        Path::new("/var/lib/runbook-tools").to_path_buf()
    } else if let Some(state) = variable("XDG_STATE_HOME") {
        state.join("runbook-tools")
    } else if let Some(home) = variable("HOME") {
        home.join(".local/state/runbook-tools")
    } else {
        return Err(Error::failed(
            "there is no place for the journal: neither STATE_DIRECTORY nor HOME is set",
        ));
    };
    Ok(path)
}
