//! Paths that distributions say are their own.
//!
//! Every path of every RECORD is noted, by a hash of it, so that a large environment costs little;
//! the few that matter are read once more for their names.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use pydist::record::Entry;
use rustix::fd::OwnedFd;

use super::place::Place;

/// A path that a distribution says is its own.
pub struct Claim {
    /// A hash of the path.
    pub path: u64,
    /// A hash of what RECORD says of the content.
    pub hash: u64,
    /// The distribution, by its place among those of the same thread.
    pub dist: usize,
}

/// Claims of one site directory, whose own path is hashed once.
pub struct Claims(DefaultHasher);

impl Claims {
    /// Of this site directory, by its path in the environment.
    pub fn below(site: &Path) -> Claims {
        let mut hasher = DefaultHasher::new();
        hasher.write(site.as_os_str().as_bytes());
        hasher.write(b"/");
        Claims(hasher)
    }

    /// What an entry of a RECORD claims.
    pub fn of(&self, place: &Place<'_>, entry: &Entry<'_>, dist: usize, root: &OwnedFd) -> Claim {
        let mut path = if std::ptr::eq(place.dir, root) {
            DefaultHasher::new()
        } else {
            self.0.clone()
        };
        path.write(place.name.as_os_str().as_bytes());
        let mut content = DefaultHasher::new();
        (entry.hash.map(|(_, digest)| digest), entry.size).hash(&mut content);
        Claim {
            path: path.finish(),
            hash: content.finish(),
            dist,
        }
    }
}
