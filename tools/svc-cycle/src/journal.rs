//! What a run has taken down, written where its successor finds it: after a kill, and after a power
//! cut.
//!
//! The file is written and synced before the first stop and removed after the last start, in a
//! directory that only its owner can enter and that outlives a reboot. It holds the whole set as it
//! was then: what `git pull` makes of the set file in between must not change what is brought back.
//! Every service stands in it by its own identity, so that it is recovered by itself, and a set of
//! another site that calls its service by the same name never touches it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use base::atomic::{Access, Dir};
use base::{Error, Result};
use proc::Identity;
use serde::{Deserialize, Serialize};

use crate::id::ServiceId;
use crate::request::Origin;

/// A service that has to run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    pub id: ServiceId,
    /// What the run called it.
    pub name: String,
    /// The members that ran.
    pub members: Vec<String>,
    /// The names of the services that start before it.
    pub after: Vec<String>,
    /// What each member was before: its invocation, or its pid with its start time.
    pub before: Vec<(String, String)>,
    /// The processes it had.
    pub old: Vec<Identity>,
    /// How far its stop came, where its backend does not show that.
    pub stop: Stop,
}

/// How far a stop came that the backend does not show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Not begun.
    #[default]
    No,
    /// About to be told, or just told: to tell it once more does no harm.
    Begun,
    /// Told, and still there when the time was up: it takes its time.
    Asked,
}

/// What was up, and who is to be waited for or ended before it is brought back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The boot it belongs to.
    pub boot: String,
    /// The run.
    pub run: Identity,
    /// Where the services came from.
    pub origin: Origin,
    /// What has to run again.
    pub owed: Vec<Owed>,
    /// COMMAND, once it runs: the leader of its process group.
    pub command: Option<Identity>,
    /// COMMAND failed and the services were left down on purpose.
    #[serde(default)]
    pub left: bool,
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
    /// It cannot be written.
    pub fn begin(origin: &Origin, owed: Vec<Owed>) -> Result<Self> {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let run = Identity::of(pid).map_err(|error| Error::io("/proc", &error))?;
        let directory = Dir::open(&base::lock::lasting_directory()?)?;
        let boot = boot()?;
        let first = boot.split('-').next().unwrap_or_default();
        let name = format!("{PREFIX}{first}-{}-{}{SUFFIX}", run.pid, run.start);
        let journal = Self {
            directory,
            name,
            entry: Entry {
                boot,
                run,
                origin: origin.clone(),
                owed,
                command: None,
                left: false,
            },
        };
        journal.write().map(|()| journal)
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.entry)
            .map_err(|error| Error::failed(format!("cannot write the journal: {error}")))?;
        self.directory.write(&self.name, &text, Access::mode(0o600))
    }

    /// Notes COMMAND. Failing that, a successor cannot end it, which is no reason not to go on.
    pub fn note_command(&mut self, pid: u32) {
        self.entry.command = i32::try_from(pid)
            .ok()
            .and_then(|pid| Identity::of(pid).ok());
        let _ = self.write();
    }

    /// Notes that a service is about to be told to stop. Failing that, a successor takes an old
    /// process for one that stays.
    pub fn note_stop(&mut self, id: &ServiceId) {
        for owed in self.entry.owed.iter_mut().filter(|owed| owed.id == *id) {
            owed.stop = Stop::Begun;
        }
        let _ = self.write();
    }

    /// Keeps only these services in the journal.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&mut self, still: &[ServiceId], left: bool) -> Result<()> {
        self.entry.owed.retain(|owed| still.contains(&owed.id));
        for owed in &mut self.entry.owed {
            if owed.stop == Stop::Begun {
                owed.stop = Stop::Asked;
            }
        }
        self.entry.command = None;
        self.entry.left |= left;
        if self.entry.owed.is_empty() {
            self.end()
        } else {
            self.write()
        }
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

    /// Whether it is from before the last boot.
    #[must_use]
    pub fn is_past(&self) -> bool {
        boot().is_ok_and(|boot| boot != self.entry.boot)
    }

    /// All is back.
    ///
    /// # Errors
    /// The journal cannot be removed: the next run would take the services for interrupted ones.
    pub fn end(&self) -> Result<()> {
        self.directory.remove(&self.name).map(|_| ())
    }

    /// The one of this name.
    ///
    /// # Errors
    /// It is nonsense.
    pub fn named(name: &str) -> Result<Option<Self>> {
        match base::lock::existing_lasting_directory()? {
            Some(path) => Self::load(&path, name),
            None => Ok(None),
        }
    }

    fn load(path: &Path, name: &str) -> Result<Option<Self>> {
        let directory = Dir::open(path)?;
        let Some(bytes) = directory.read(name, 16 << 20)? else {
            return Ok(None);
        };
        let entry = serde_json::from_slice(&bytes).map_err(|error| {
            Error::failed(format!(
                "{}: not a journal of this svc-cycle: {error}",
                path.join(name).display()
            ))
            .hint(format!(
                "read the journal, start the services that it names, and: rm {}",
                base::shell::quoted(&path.join(name).display().to_string())
            ))
        })?;
        Ok(Some(Self {
            directory,
            name: name.to_owned(),
            entry,
        }))
    }

    /// Every journal whose run is over, and what is wrong with those that cannot be read.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn interrupted() -> Result<(Vec<Self>, Vec<Error>)> {
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        let Some(path) = base::lock::existing_lasting_directory()? else {
            return Ok((found, wrong));
        };
        for name in names(&path)? {
            match Self::load(&path, &name) {
                Ok(Some(journal)) => {
                    if journal.is_past() || !journal.entry.run.lives() {
                        found.push(journal);
                    }
                }
                Ok(None) => {}
                Err(error) => wrong.push(error),
            }
        }
        Ok((found, wrong))
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
