//! The releases beside an environment: `VENV` is a link to `VENV.d/releases/ID`.
//!
//! A release is built where it will stay, because the scripts in it name their interpreter by its
//! path; so going live is one rename of a link, and nothing else moves. Reading only; what changes
//! them is in `act`.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use base::error::{Error, Result};

use crate::manifest::{Manifest, Prepared};

/// What a release holds until it is finished.
pub const INCOMPLETE: &str = ".incomplete";

/// What VENV is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing is there.
    Absent,
    /// A link to this release.
    Release(String),
    /// A link that leads elsewhere.
    ForeignLink(PathBuf),
    /// A plain directory.
    Directory,
    /// A file, or worse.
    Other,
}

/// The store of one environment's releases.
#[derive(Clone, Debug)]
pub struct Store {
    /// The environment as it was named.
    pub venv: PathBuf,
    /// The directory that it stands in, absolute, links followed.
    pub parent: PathBuf,
    /// Its own name.
    pub name: OsString,
}

impl Store {
    /// The store beside `venv`, there or not.
    pub fn beside(venv: &Path) -> Result<Store> {
        let name = venv
            .file_name()
            .ok_or_else(|| Error::usage(format!("{} has no name", venv.display())))?;
        let parent = match venv.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize().map_err(|error| {
            Error::io(format!("cannot look into {}", parent.display()), &error)
                .hint("the directory that VENV stands in has to be there")
        })?;
        Ok(Store {
            venv: venv.to_owned(),
            parent,
            name: name.to_owned(),
        })
    }

    /// VENV itself, absolute.
    pub fn link(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// The name of VENV.d.
    pub fn store_name(&self) -> OsString {
        let mut name = self.name.clone();
        name.push(".d");
        name
    }

    /// VENV.d.
    pub fn path(&self) -> PathBuf {
        self.parent.join(self.store_name())
    }

    /// VENV.d/releases.
    pub fn releases(&self) -> PathBuf {
        self.path().join("releases")
    }

    /// VENV.d/releases/ID.
    pub fn release(&self, id: &str) -> PathBuf {
        self.releases().join(id)
    }

    /// What the link has to hold to lead to a release: a relative path, so that a whole directory
    /// can be moved or mounted elsewhere.
    pub fn target(&self, id: &str) -> PathBuf {
        Path::new(&self.store_name()).join("releases").join(id)
    }

    /// What VENV is now.
    pub fn state(&self) -> Result<State> {
        let link = self.link();
        let kind = match link.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(State::Absent),
            Err(error) => {
                return Err(Error::io(
                    format!("cannot look at {}", self.venv.display()),
                    &error,
                ));
            }
            Ok(meta) => meta.file_type(),
        };
        if kind.is_dir() {
            return Ok(State::Directory);
        }
        if !kind.is_symlink() {
            return Ok(State::Other);
        }
        let target = std::fs::read_link(&link)
            .map_err(|error| Error::io(format!("cannot read {}", self.venv.display()), &error))?;
        let whole = self.parent.join(&target);
        match (
            whole.parent(),
            whole.file_name().and_then(|name| name.to_str()),
        ) {
            (Some(parent), Some(id)) if parent == self.releases() => {
                Ok(State::Release(id.to_owned()))
            }
            _ => Ok(State::ForeignLink(target)),
        }
    }

    /// The names of the releases, oldest first, the unfinished ones too.
    pub fn ids(&self) -> Result<Vec<String>> {
        let path = self.releases();
        let entries = match std::fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| {
                Error::io(format!("cannot look into {}", path.display()), &error)
            })?,
        };
        let directories = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut ids: Vec<String> = directories
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Whether a release was finished. A directory that was made in the instant before the power
    /// went holds nothing yet, not even the mark of what is unfinished. What cannot be looked at is
    /// neither: an unfinished release is swept away.
    pub fn is_complete(&self, id: &str) -> Result<bool> {
        let is_there = |name: &str| match self.release(id).join(name).symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(
                format!("cannot look into {}", self.release(id).display()),
                &error,
            )),
        };
        Ok(!is_there(INCOMPLETE)? && is_there("pyvenv.cfg")?)
    }

    /// The releases that were finished, oldest first.
    pub fn complete(&self) -> Result<Vec<String>> {
        let mut complete = Vec::new();
        for id in self.ids()? {
            if self.is_complete(&id)? {
                complete.push(id);
            }
        }
        Ok(complete)
    }

    /// The path of what is live, for reports.
    pub fn live(&self, state: &State) -> Option<PathBuf> {
        match state {
            State::Absent | State::Other => None,
            State::Release(id) => Some(self.release(id)),
            State::ForeignLink(target) => Some(self.parent.join(target)),
            State::Directory => Some(self.link()),
        }
    }

    /// Who may change this environment: the first that is not root of the directory that it stands
    /// in, itself, and its store.
    pub fn owner(&self) -> (u32, u32) {
        let places = [self.parent.clone(), self.link(), self.path()];
        let metas = places
            .iter()
            .filter_map(|path| path.symlink_metadata().ok());
        metas
            .map(|meta| (meta.uid(), meta.gid()))
            .find(|(uid, _)| *uid != 0)
            .unwrap_or((0, 0))
    }

    /// Prepared releases and what they were prepared for, oldest first.
    pub fn prepared(&self) -> Result<Vec<(String, Prepared)>> {
        let mut out = Vec::new();
        for id in self.complete()? {
            if let Some(prepared) = Manifest::read(&self.release(&id)).prepared {
                out.push((id, prepared));
            }
        }
        Ok(out)
    }
}

/// A name for a new release: the time to the millisecond, so that names sort as they were made,
/// also two of one second, and a few random letters.
pub fn new_id(now: SystemTime) -> Result<String> {
    let time = base::clock::rfc3339(now).replace(['-', ':'], "");
    let millis = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_millis());
    let random = base::atomic::random::<2>()?;
    Ok(format!(
        "{time}-{millis:03}{:02x}{:02x}",
        random[0], random[1]
    ))
}

/// The time in a release's name, as RFC 3339.
pub fn created_at(id: &str) -> Option<String> {
    let time = id
        .split('-')
        .next()
        .filter(|time| time.len() == 16 && time.ends_with('Z'))?;
    let digits = |range: std::ops::Range<usize>| {
        time.get(range)
            .filter(|part| part.bytes().all(|b| b.is_ascii_digit()))
    };
    let (date, clock) = (
        (digits(0..4)?, digits(4..6)?, digits(6..8)?),
        (digits(9..11)?, digits(11..13)?, digits(13..15)?),
    );
    Some(format!(
        "{}-{}-{}T{}:{}:{}Z",
        date.0, date.1, date.2, clock.0, clock.1, clock.2
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{State, Store, created_at, new_id};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_name_tells_when() {
        let id = new_id(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_216_534)).unwrap();
        assert!(id.starts_with("20261120T231534Z-"), "{id}");
        assert_eq!(created_at(&id).unwrap(), "2026-11-20T23:15:34Z");
        assert_eq!(created_at("adopted"), None);
        let made = |millis: u64| {
            new_id(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_216_534_000 + millis))
                .unwrap()
        };
        assert!(
            (0..100).all(|i| made(i * 10) < made(i * 10 + 1)),
            "two of one second sort as they were made"
        );
    }

    #[test]
    fn what_an_environment_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let venv = dir.path().join("venv");
        let store = Store::beside(&venv).unwrap();
        assert_eq!(store.state().unwrap(), State::Absent);
        std::fs::create_dir(&venv).unwrap();
        assert_eq!(store.state().unwrap(), State::Directory);
        std::fs::remove_dir(&venv).unwrap();
        std::os::unix::fs::symlink(store.target("a"), &venv).unwrap();
        assert_eq!(store.state().unwrap(), State::Release("a".to_owned()));
        std::fs::remove_file(&venv).unwrap();
        std::os::unix::fs::symlink(store.release("b"), &venv).unwrap();
        assert_eq!(store.state().unwrap(), State::Release("b".to_owned()));
        std::fs::remove_file(&venv).unwrap();
        std::os::unix::fs::symlink("/elsewhere", &venv).unwrap();
        assert_eq!(
            store.state().unwrap(),
            State::ForeignLink("/elsewhere".into())
        );
        assert_eq!(store.ids().unwrap(), Vec::<String>::new());
    }
}
