//! Where journals are, and the lock on each. Journals outlast a reboot, as the right does: they are
//! not in /run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::atomic::{Access, Dir};
use base::error::{Error, Result};
use base::lock::{Lock, private_directory};

use super::journal::Journal;
use super::right::Subject;

/// Where one role's journal is, and the lock on the journal.
#[derive(Debug)]
pub struct Place {
    directory: PathBuf,
    name: String,
    _lock: Option<Lock>,
}

const SUFFIX: &str = ".elevation";

/// Temporaries that are older than this belong to no run.
const STALE: Duration = Duration::from_secs(3600);

fn name(subject: &Subject) -> String {
    format!("{}-{}{SUFFIX}", subject.system, subject.oid)
}

impl Place {
    /// Takes the lock of this role on this cluster; nobody else elevates the role from this machine
    /// then.
    ///
    /// # Errors
    /// `Kind::Locked` where an elevation is under way.
    pub fn claim(subject: &Subject, wait: Duration) -> Result<Place> {
        let place = Place::claim_in(directory()?, subject, wait)?;
        let _ = Dir::open(&place.directory)?.sweep_older(STALE);
        Ok(place)
    }

    /// As [`Place::claim`], in a known directory.
    ///
    /// # Errors
    /// As [`Place::claim`].
    pub fn claim_in(directory: PathBuf, subject: &Subject, wait: Duration) -> Result<Place> {
        let name = name(subject);
        let lock = Lock::acquire(&directory.join(format!("{name}.lock")), wait)?;
        Ok(Place {
            directory,
            name,
            _lock: Some(lock),
        })
    }

    /// The place, without making or locking anything.
    ///
    /// # Errors
    /// `Kind::Locked` where an elevation is under way.
    pub fn look(subject: &Subject) -> Result<Place> {
        let directory = path()?;
        let name = name(subject);
        if directory.exists() {
            Lock::look(&directory.join(format!("{name}.lock")))?;
        }
        Ok(Place {
            directory,
            name,
            _lock: None,
        })
    }

    /// What an elevation that was not finished left here.
    ///
    /// # Errors
    /// `Kind::Io`; `Kind::Failed` for a file that is no journal.
    pub fn left(&self) -> Result<Option<Journal>> {
        if !self.directory.exists() {
            return Ok(None);
        }
        let Some(text) = Dir::open(&self.directory)?.read(&self.name, 1 << 20)? else {
            return Ok(None);
        };
        let shown = self.directory.join(&self.name);
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Error::failed(format!("{} is no journal: {error}", shown.display())))
    }

    /// Whether this is the journal that is here.
    pub fn has(&self, journal: &Journal) -> bool {
        matches!(self.left(), Ok(Some(found)) if found == *journal)
    }

    /// The journal's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
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

    /// The right is gone, and the journal with it. A journal that cannot be removed is found by
    /// `recover`, which does no harm.
    pub fn forget(&self) {
        if let Ok(dir) = Dir::open(&self.directory) {
            let _ = dir.remove(&self.name);
        }
    }
}

/// A journal with its place, or why it could not be read.
pub type Found = Result<(Journal, Place)>;

/// The journals of elevations that were not finished, without making or locking anything: for a dry
/// run.
///
/// # Errors
/// `Kind::Permission` where the directory is not its owner's alone.
pub fn seen() -> Result<Vec<Found>> {
    let directory = path()?;
    if !directory.exists() {
        return Ok(Vec::new());
    }
    private_directory(&directory)?;
    let look = |name: String| -> Result<Option<(Journal, Place)>> {
        Lock::look(&directory.join(format!("{name}.lock")))?;
        with_journal(Place {
            directory: directory.clone(),
            name,
            _lock: None,
        })
    };
    let names = names(&Dir::open(&directory)?)?;
    Ok(names
        .into_iter()
        .filter_map(|n| look(n).transpose())
        .collect())
}

/// All journals, each with its place and lock; elevations that are under way are waited for.
///
/// # Errors
/// `Kind::Permission` where the directory is not its owner's alone.
pub fn all(wait: Duration) -> Result<Vec<Found>> {
    let directory = directory()?;
    let dir = Dir::open(&directory)?;
    let _ = dir.sweep_older(STALE);
    let claim = |name: String| -> Result<Option<(Journal, Place)>> {
        let lock = Lock::acquire(&directory.join(format!("{name}.lock")), wait)?;
        with_journal(Place {
            directory: directory.clone(),
            name,
            _lock: Some(lock),
        })
    };
    let names = names(&dir)?;
    Ok(names
        .into_iter()
        .filter_map(|n| claim(n).transpose())
        .collect())
}

/// Whoever held the lock may have finished meanwhile.
fn with_journal(place: Place) -> Result<Option<(Journal, Place)>> {
    Ok(place.left()?.map(|journal| (journal, place)))
}

fn names(dir: &Dir) -> Result<Vec<String>> {
    let mut names: Vec<String> = dir
        .names()?
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(SUFFIX))
        .collect();
    names.sort();
    Ok(names)
}

/// Where journals are: `$STATE_DIRECTORY` (systemd's), `/var/lib/runbook-tools` for root,
/// `$XDG_STATE_HOME/runbook-tools` or `~/.local/state/runbook-tools` for others.
///
/// # Errors
/// `Kind::Permission` where others could write there.
fn directory() -> Result<PathBuf> {
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
