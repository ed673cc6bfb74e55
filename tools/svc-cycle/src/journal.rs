//! What a run has taken down, written where a killed run's successor finds it.
//!
//! The file is written and synced before the first stop and removed after the last start, in a directory that only its
//! owner can enter. It holds the whole set as it was then: what `git pull` makes of the set file in between must not
//! change what is brought back. It is keyed by the boot: after a reboot the init has started what it starts.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use base::atomic::{Access, Dir};
use base::source::Source;
use base::{Error, Result};
use proc::Identity;
use serde::{Deserialize, Serialize};

use crate::set::Set;

/// Where the services of a run came from: enough to read the same set again.
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
    /// The pattern they had to match.
    pub only: Option<String>,
}

impl Origin {
    /// The set.
    ///
    /// # Errors
    /// As [`Set::read`].
    pub fn set(&self) -> Result<Set> {
        let source = self
            .file
            .as_ref()
            .map(|(name, text)| Source::new(name.clone(), text.clone()));
        Set::read(
            source.as_ref(),
            &self.directory,
            self.config.as_deref(),
            &self.names,
            self.only.as_deref(),
        )
    }
}

/// What was up, and who is to be waited for or ended before it is brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The boot it belongs to.
    pub boot: String,
    /// The run.
    pub run: Identity,
    /// The services.
    pub origin: Origin,
    /// The members that have to run again, by service.
    pub up: BTreeMap<String, Vec<String>>,
    /// COMMAND, once it runs: the leader of its process group.
    pub command: Option<Identity>,
}

/// An entry on disk.
#[derive(Debug)]
pub struct Journal {
    directory: Dir,
    name: String,
    entry: Entry,
}

const PREFIX: &str = "svc-cycle.";
const SUFFIX: &str = ".journal";

impl Journal {
    /// Writes it, synced. Nothing may be stopped before this has succeeded.
    ///
    /// # Errors
    /// It can't be written.
    pub fn begin(origin: &Origin, up: BTreeMap<String, Vec<String>>) -> Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let run = Identity::of(pid).map_err(|error| Error::io("/proc", &error))?;
        let directory = Dir::open(&crate::lock::directory()?)?;
        let name = format!("{PREFIX}{}-{}{SUFFIX}", run.pid, run.start);
        let journal = Self {
            directory,
            name,
            entry: Entry {
                boot: boot()?,
                run,
                origin: origin.clone(),
                up,
                command: None,
            },
        };
        journal.write().map(|()| journal)
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.entry)
            .map_err(|error| Error::failed(format!("cannot write the journal: {error}")))?;
        self.directory.write(&self.name, &text, Access::mode(0o600))
    }

    /// Notes COMMAND. Failing that, a successor can't end it, which is no reason not to go on.
    pub fn note_command(&mut self, pid: u32) {
        self.entry.command = i32::try_from(pid)
            .ok()
            .and_then(|pid| Identity::of(pid).ok());
        let _ = self.write();
    }

    /// Only these are still owed.
    ///
    /// # Errors
    /// It can't be written.
    pub fn owe(&mut self, up: BTreeMap<String, Vec<String>>) -> Result<()> {
        self.entry.up = up;
        self.entry.command = None;
        self.write()
    }

    /// Its file name, for the guardian.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// All is back.
    ///
    /// # Errors
    /// It can't be removed: the next run would think it still owes something.
    pub fn end(&self) -> Result<()> {
        self.directory.remove(&self.name).map(|_| ())
    }

    /// The one of this name.
    ///
    /// # Errors
    /// It is gone, or nonsense.
    pub fn named(name: &str) -> Result<Option<Self>> {
        let directory = Dir::open(&crate::lock::directory()?)?;
        Self::load(directory, name)
    }

    fn load(directory: Dir, name: &str) -> Result<Option<Self>> {
        let Some(bytes) = directory.read(name, 16 << 20)? else {
            return Ok(None);
        };
        let path = directory.path().join(name);
        let entry = serde_json::from_slice(&bytes).map_err(|error| {
            Error::failed(format!(
                "{}: not a journal of svc-cycle: {error}",
                path.display()
            ))
            .hint("look into it, and remove it")
        })?;
        Ok(Some(Self {
            directory,
            name: name.to_owned(),
            entry,
        }))
    }

    /// Everything that is owed by runs which are no more: those of this boot, and those of an earlier one.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn owed() -> Result<(Vec<Self>, Vec<Self>)> {
        let (mut now, mut past) = (Vec::new(), Vec::new());
        let Some(path) = base::lock::existing_state_directory()? else {
            return Ok((now, past));
        };
        let boot = boot()?;
        for name in names(&path)? {
            let Some(journal) = Self::load(Dir::open(&path)?, &name)? else {
                continue;
            };
            if journal.entry.boot != boot {
                past.push(journal);
            } else if !journal.entry.run.lives() {
                now.push(journal);
            }
        }
        Ok((now, past))
    }
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = Dir::open(directory)?
        .names()?
        .iter()
        .filter_map(|name| OsStr::to_str(name).map(str::to_owned))
        .filter(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
        .collect();
    names.sort();
    Ok(names)
}

fn boot() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|error| Error::io(path, &error))
}
