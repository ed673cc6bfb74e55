//! What logrotate would do to a file, from its configuration alone: it is never run, nor are its
//! scripts.
//!
//! Rules and refusals are those of logrotate 3.21 and 3.22, compared with `logrotate -d` in the
//! tests.

mod cursor;
mod directive;
mod machine;
mod names;
mod reader;
mod schedule;
mod script;
mod stanza;

use crate::site::Site;
use conf::files::Files;
use conf::{Error, Source};
use directive::Dialect;
use names::components;
use rustix::fs::{FileType, Stat};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use schedule::{Remedy, Schedule};
pub use script::{Action, Verb, Whom, actions};
pub use stanza::{Mend, Refusal, Stanza};

/// The main file, where nobody names another.
const MAIN: &str = "/etc/logrotate.conf";
const PROGRAMS: &[&str] = &[
    "/usr/sbin/logrotate",
    "/sbin/logrotate",
    "/usr/bin/logrotate",
];

/// The whole configuration, and which stanza has which existing file.
pub struct Rotation {
    stanzas: Vec<Arc<Stanza>>,
    owners: HashMap<OsString, usize>,
    dropped: HashMap<OsString, (usize, PathBuf)>,
    /// The main file.
    pub main: PathBuf,
    /// A directory whose files logrotate reads.
    pub directory: Option<PathBuf>,
    /// Whether there is a logrotate that reads it.
    pub installed: bool,
    /// Whether something runs logrotate; `None` where the configuration is not the host's own.
    pub schedule: Option<Schedule>,
    /// What could not be read.
    pub errors: Vec<Error>,
}

/// What logrotate makes of one log.
pub enum Fate<'a> {
    /// This stanza rotates it.
    Rotated(&'a Arc<Stanza>),
    /// This stanza names it, and logrotate passes it over; why.
    Skipped(&'a Arc<Stanza>, Skip),
    /// No stanza names it.
    Unnamed,
}

/// Why logrotate passes a log over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The file that holds the stanza is ignored; why.
    Ignored(String),
    /// The stanza, or the rest of its file, is refused.
    Refused(Refusal),
    /// The stanza drops it, since another has this one already.
    Duplicate {
        /// The path that two stanzas have.
        path: PathBuf,
        /// Where it is had first.
        first: Source,
    },
    /// It is a symbolic link.
    Link,
    /// It has this many names.
    HardLinks(u64),
    /// Its directory can be written by others, and there is no `su`.
    Insecure(PathBuf),
    /// It is no regular file.
    Irregular,
    /// The stanza has `sharedscripts`, and this file of it is an error: missing, or in a directory
    /// that others can write.
    Set(PathBuf, &'static str),
}

/// What logrotate does with a log.
#[derive(Clone, Debug, Default)]
pub struct Rotated {
    /// The stanza, if it rotates it.
    pub by: Option<Arc<Stanza>>,
    /// The stanza that names it in vain, and why.
    pub skipped: Option<(Arc<Stanza>, Skip)>,
    /// A second stanza that names it.
    pub second: Option<Source>,
    /// The new file's owner, group and mode, where the service could not write it.
    pub unwritable_after: Option<(String, String, u32)>,
    /// `su`'s user and group, where logrotate wants one for the log's directory.
    pub su: Option<(String, String)>,
    /// Must there be a `su`?
    pub insecure: bool,
    /// What the stanza's scripts do.
    pub actions: Vec<Action>,
}

impl Rotation {
    /// Reads the configuration of a system and all it includes.
    #[must_use]
    pub fn read(site: &Site) -> Self {
        let asked = site.asked("logrotate").into_iter().next();
        let program = site.first(PROGRAMS);
        let installed = asked.is_some() || program.is_some();
        let main = asked.clone().unwrap_or_else(|| PathBuf::from(MAIN));
        let reading = if installed {
            let dialect = dialect(&site.files, program.as_deref());
            reader::read(&site.files, &site.users, &main, dialect, machine::read)
        } else {
            reader::Reading::default()
        };
        Self {
            stanzas: reading.stanzas.into_iter().map(Arc::new).collect(),
            owners: reading.owners,
            dropped: reading.dropped,
            directory: reading.directories.into_iter().next(),
            main,
            installed,
            schedule: (installed && asked.is_none()).then(|| Schedule::of(site)),
            errors: reading.errors,
        }
    }

    /// What becomes of this file, `own` being what its name itself is.
    #[must_use]
    pub fn fate(&self, files: &Files, path: &Path, own: Option<&Stat>) -> Fate<'_> {
        if let Some((index, stanza)) = self
            .owners
            .get(path.as_os_str())
            .and_then(|index| Some((*index, self.stanzas.get(*index)?)))
        {
            let refused = refusal(files, stanza, path, own);
            return match refused.or_else(|| self.set(files, index, stanza)) {
                Some(why) => Fate::Skipped(stanza, why),
                None => Fate::Rotated(stanza),
            };
        }
        if let Some((index, duplicate)) = self.dropped.get(path.as_os_str()) {
            if let (Some(stanza), Some(first)) =
                (self.stanzas.get(*index), self.owner_of(duplicate))
            {
                let first = first.source.clone();
                return Fate::Skipped(
                    stanza,
                    Skip::Duplicate {
                        path: duplicate.clone(),
                        first,
                    },
                );
            }
        }
        let parts = components(path);
        let mut named = self.stanzas.iter().filter(|stanza| stanza.names(&parts));
        let first = named.next();
        let accepted = |stanza: &&Arc<Stanza>| stanza.ignored.is_none() && stanza.refused.is_none();
        match first.into_iter().chain(named).find(accepted).or(first) {
            None => Fate::Unnamed,
            Some(stanza) => match (&stanza.ignored, &stanza.refused) {
                (Some(why), _) => Fate::Skipped(stanza, Skip::Ignored(why.clone())),
                (_, Some(why)) => Fate::Skipped(stanza, Skip::Refused(why.clone())),
                (None, None) => Fate::Rotated(stanza),
            },
        }
    }

    /// Another stanza, that logrotate refuses to apply to this file a second time.
    #[must_use]
    pub fn second(&self, path: &Path) -> Option<&Stanza> {
        let owner = self.owners.get(path.as_os_str())?;
        if self.stanzas.get(*owner)?.ignore_duplicates {
            return None;
        }
        let parts = components(path);
        let mut others = self
            .stanzas
            .iter()
            .enumerate()
            .filter(|(index, stanza)| {
                index != owner && stanza.ignored.is_none() && stanza.refused.is_none()
            })
            .map(|(_, stanza)| stanza.as_ref());
        others.find(|stanza| stanza.names(&parts))
    }

    fn owner_of(&self, path: &Path) -> Option<&Stanza> {
        self.stanzas
            .get(*self.owners.get(path.as_os_str())?)
            .map(Arc::as_ref)
    }

    /// With `sharedscripts` an error of one file leaves all files of the stanza as they are.
    fn set(&self, files: &Files, index: usize, stanza: &Stanza) -> Option<Skip> {
        if !stanza.shared_scripts {
            return None;
        }
        let mut members: Vec<&Path> = self
            .owners
            .iter()
            .filter(|(_, owner)| **owner == index)
            .map(|(path, _)| Path::new(path))
            .collect();
        members.sort();
        members.into_iter().find_map(|path| {
            let dir = path.parent().and_then(|dir| files.stat(dir).ok());
            if stanza.su.is_none() && dir.as_ref().is_some_and(insecure) {
                let why = "others can write its directory";
                return Some(Skip::Set(path.to_path_buf(), why));
            }
            let missing = !stanza.missing_ok && files.lstat(path).is_err();
            missing.then(|| Skip::Set(path.to_path_buf(), "it does not exist"))
        })
    }
}

/// Which rules the installed logrotate keeps, by a message that only the newer ones have.
fn dialect(files: &Files, program: Option<&Path>) -> Dialect {
    let bytes = program.and_then(|program| files.read(program).ok());
    let new = bytes.is_some_and(|bytes| crate::site::contains(&bytes, b"invalid mode '%s'"));
    if new { Dialect::V322 } else { Dialect::V321 }
}

/// What makes logrotate, run as root, leave an existing file alone.
fn refusal(files: &Files, stanza: &Stanza, path: &Path, own: Option<&Stat>) -> Option<Skip> {
    let stat = own?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => return Some(Skip::Link),
        FileType::RegularFile => {}
        _ => return Some(Skip::Irregular),
    }
    if stat.st_nlink > 1 && !stanza.allow_hard_links {
        return Some(Skip::HardLinks(u64::from(stat.st_nlink as u32)));
    }
    let dir = path.parent()?;
    let parent = files.stat(dir).ok()?;
    (stanza.su.is_none() && insecure(&parent)).then(|| Skip::Insecure(dir.to_path_buf()))
}

/// A directory in which logrotate rotates nothing without `su`.
#[must_use]
pub fn insecure(dir: &Stat) -> bool {
    dir.st_mode & 0o002 != 0 || dir.st_mode & 0o020 != 0 && dir.st_gid != 0
}
