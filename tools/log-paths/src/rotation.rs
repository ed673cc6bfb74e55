//! What logrotate would do to a file, from its configuration alone: it is never run, nor are its scripts.
//!
//! Rules and refusals are those of logrotate 3.21, compared with `logrotate -d` in the tests.

mod reader;

use crate::users::Users;
use conf::files::Files;
use conf::pattern::Pattern;
use conf::{Error, Source};
use rustix::fs::{FileType, Stat};
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use reader::{Create, Stanza};

/// The whole configuration, and which stanza has which existing file.
pub struct Rotation {
    stanzas: Vec<Arc<Stanza>>,
    owners: HashMap<OsString, usize>,
    dropped: HashMap<OsString, (usize, PathBuf)>,
    /// Was there a configuration at all?
    pub found: bool,
    /// What could not be read.
    pub errors: Vec<Error>,
}

/// What logrotate makes of one log.
pub enum Fate<'a> {
    /// This stanza rotates it.
    Rotated(&'a Arc<Stanza>),
    /// This stanza names it, and logrotate passes it over; why.
    Skipped(&'a Stanza, Skip),
    /// No stanza names it.
    Unnamed,
}

/// Why logrotate passes a log over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The file that holds the stanza is ignored; why.
    Ignored(String),
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
}

impl Rotation {
    /// Reads a configuration file and all it includes.
    #[must_use]
    pub fn read(files: &Files, main: &Path) -> Self {
        let reading = reader::read(files, main);
        Self {
            stanzas: reading.stanzas.into_iter().map(Arc::new).collect(),
            owners: reading.owners,
            dropped: reading.dropped,
            found: reading.found,
            errors: reading.errors,
        }
    }

    /// What becomes of this file, `own` being what its name itself is.
    #[must_use]
    pub fn fate(&self, files: &Files, path: &Path, own: Option<&Stat>) -> Fate<'_> {
        if let Some(stanza) = self
            .owners
            .get(path.as_os_str())
            .and_then(|index| self.stanzas.get(*index))
        {
            return match refusal(files, stanza, path, own) {
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
        let names = |stanza: &&Arc<Stanza>| stanza.names(&parts);
        if let Some(stanza) = self
            .stanzas
            .iter()
            .filter(|stanza| stanza.ignored.is_none())
            .find(names)
        {
            return Fate::Rotated(stanza);
        }
        match self.stanzas.iter().find(names) {
            Some(stanza) => Fate::Skipped(
                stanza,
                Skip::Ignored(stanza.ignored.clone().unwrap_or_default()),
            ),
            None => Fate::Unnamed,
        }
    }

    /// Another stanza, that logrotate refuses to apply to this file a second time.
    #[must_use]
    pub fn second(&self, path: &Path) -> Option<&Stanza> {
        let owner = self.owners.get(path.as_os_str())?;
        let parts = components(path);
        let others = self
            .stanzas
            .iter()
            .enumerate()
            .filter(|(index, stanza)| index != owner && stanza.ignored.is_none());
        let names = |stanza: &Stanza| stanza.names(&parts);
        others
            .map(|(_, stanza)| stanza.as_ref())
            .find(|stanza| names(stanza))
    }

    fn owner_of(&self, path: &Path) -> Option<&Stanza> {
        self.stanzas
            .get(*self.owners.get(path.as_os_str())?)
            .map(Arc::as_ref)
    }
}

/// The parts of an absolute path, as those of a pattern are: the first is empty.
fn components(path: &Path) -> Vec<&[u8]> {
    let bytes = path.as_os_str().as_bytes();
    bytes
        .split(|byte| *byte == b'/')
        .enumerate()
        .filter(|(index, part)| *index == 0 || !matches!(part, [] | [b'.']))
        .map(|(_, part)| part)
        .collect()
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

fn insecure(dir: &Stat) -> bool {
    dir.st_mode & 0o002 != 0 || dir.st_mode & 0o020 != 0 && dir.st_gid != 0
}

impl Stanza {
    /// Does one of its patterns stand for this path, given in components? As glob(3) would find it.
    fn names(&self, parts: &[&[u8]]) -> bool {
        let matches = |pattern: &Vec<Pattern>| {
            pattern.len() == parts.len()
                && pattern
                    .iter()
                    .zip(parts)
                    .all(|(wanted, name)| wanted.matches(name))
        };
        self.compiled.iter().any(matches)
    }

    /// Owner, group and mode of the file that logrotate makes in place of `old`; `None` where it makes none.
    #[must_use]
    pub fn created(&self, users: &Users, old: &Stat) -> Option<(u32, u32, u32)> {
        if self.copy_truncate {
            return None;
        }
        let create = self.create.as_ref()?;
        let su = self
            .su
            .as_ref()
            .and_then(|(user, group)| Some((users.account(user)?.uid, users.gid(group)?)));
        let uid = match &create.owner {
            Some(name) => users.account(name)?.uid,
            None => su.map_or(old.st_uid, |(uid, _)| uid),
        };
        let gid = match &create.group {
            Some(name) => users.gid(name)?,
            None => su.map_or(old.st_gid, |(_, gid)| gid),
        };
        Some((uid, gid, create.mode.unwrap_or(old.st_mode & 0o7777)))
    }
}
