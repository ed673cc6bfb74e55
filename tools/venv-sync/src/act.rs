//! The side effects: building a release, letting the link lead to it, and clearing away what is no longer needed.
//!
//! The order is what makes it all or nothing. A release holds `.incomplete` from before its first file until after its last one is on
//! the disk; the link changes by one rename, after that; and nothing is removed that is live, that somebody runs, or that is not below
//! `VENV.d/releases`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::atomic::{Access, Dir, TEMPORARY};
use base::error::{Error, Result};
use base::lock::Lock;
use rustix::fd::OwnedFd;
use rustix::fs::RenameFlags;

use crate::processes::User;
use crate::releases::{INCOMPLETE, State, Store};

/// The store, locked, for whoever is about to change it.
#[derive(Debug)]
pub struct Locked<'a> {
    /// Which.
    pub store: &'a Store,
    parent: Dir,
    releases: Dir,
    lock: Lock,
}

impl<'a> Locked<'a> {
    /// Makes the store if need be, and takes its lock.
    pub fn take(store: &'a Store, wait: Duration) -> Result<Locked<'a>> {
        let parent = Dir::open(&store.parent)?;
        // As open as the environment itself will be: workers of other users read it.
        parent.make(store.store_name(), 0o755)?;
        let path = parent.below(store.store_name())?;
        owned_by_us(&path)?;
        let lock = Lock::acquire(&store.path().join("lock"), wait)?;
        path.make("releases", 0o755)?;
        let releases = path.below("releases")?;
        owned_by_us(&releases)?;
        Ok(Locked {
            store,
            parent,
            releases,
            lock,
        })
    }

    /// A descriptor that children inherit, so that the lock is held for as long as any of them works, even if this process is killed.
    pub fn inherited(&self) -> Result<OwnedFd> {
        rustix::io::dup(&self.lock)
            .map_err(|errno| Error::io("cannot share the lock", &errno.into()))
    }

    /// Removes what killed runs left: unfinished releases, and links of ours that never got their name.
    pub fn sweep(&self) -> Result<()> {
        for id in self.store.ids()? {
            if !self.store.is_complete(&id)? {
                self.remove(&id)?;
            }
        }
        let ours = Path::new(&self.store.store_name()).join("releases");
        for name in self
            .parent
            .names()?
            .iter()
            .filter(|name| name.as_bytes().starts_with(TEMPORARY.as_bytes()))
        {
            let target = rustix::fs::readlinkat(&self.parent, name.as_os_str(), Vec::new());
            let is_ours = target.is_ok_and(|target| {
                Path::new(OsStr::from_bytes(target.to_bytes())).starts_with(&ours)
            });
            if is_ours {
                self.parent.remove(name)?;
            }
        }
        Ok(())
    }

    /// Begins a release: from now on it is there, and unfinished.
    pub fn begin(&self, id: &str) -> Result<PathBuf> {
        self.releases.make(id, 0o755)?;
        let release = self.releases.below(id)?;
        release.create(
            INCOMPLETE,
            std::process::id().to_string().as_bytes(),
            Access::mode(0o644),
        )?;
        Ok(self.store.release(id))
    }

    /// Ends it: everything is on the disk before the mark goes.
    pub fn finish(&self, id: &str) -> Result<()> {
        let release = self.releases.below(id)?;
        nix::unistd::syncfs(&release).map_err(|errno| {
            Error::io(
                format!("cannot sync {}", release.path().display()),
                &errno.into(),
            )
        })?;
        release.remove(INCOMPLETE)?;
        self.releases.sync()
    }

    /// Removes a release, whatever state it is in. It is marked as unfinished before anything else goes, and the mark goes last, so that
    /// half of one is never taken for whole.
    pub fn remove(&self, id: &str) -> Result<()> {
        let release = self.releases.below(id)?;
        if self.store.is_complete(id)? {
            release.create(INCOMPLETE, b"", Access::mode(0o644))?;
        }
        let failed = |error: &std::io::Error| {
            let path = release.path().display();
            Error::io(format!("cannot remove {path}"), error).hint(format!("rm -rf '{path}'"))
        };
        for name in release.names()?.iter().filter(|name| *name != INCOMPLETE) {
            let path = release.path().join(name);
            let is_dir = path
                .symlink_metadata()
                .map_err(|error| failed(&error))?
                .is_dir();
            if is_dir {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            }
            .map_err(|error| failed(&error))?;
        }
        release.sync()?;
        std::fs::remove_dir_all(release.path()).map_err(|error| failed(&error))?;
        self.releases.sync()
    }

    /// Lets the environment lead to a release. A plain directory, if it may be taken over, becomes a release in the same instant.
    pub fn go_live(&self, id: &str, state: &State) -> Result<Option<String>> {
        let target = self.store.target(id);
        if *state != State::Directory {
            self.parent.symlink(&target, &self.store.name)?;
            return Ok(None);
        }
        let adopted = format!(
            "{}-adopted",
            crate::releases::new_id(std::time::SystemTime::UNIX_EPOCH)?
        );
        self.releases.symlink(&target, &adopted)?;
        // One exchange: the link takes the directory's place, the directory the link's.
        let swapped = rustix::fs::renameat_with(
            &self.parent,
            &self.store.name,
            &self.releases,
            adopted.as_str(),
            RenameFlags::EXCHANGE,
        );
        if let Err(errno) = swapped {
            let _ = self.releases.remove(&adopted);
            let what = format!(
                "cannot put a link in the place of {}",
                self.store.venv.display()
            );
            return Err(Error::io(what, &errno.into())
                .hint("a mount point can't be taken over: unmount it, or choose another VENV"));
        }
        self.releases.sync()?;
        self.parent.sync()?;
        Ok(Some(adopted))
    }

    /// Removes the oldest releases beyond `keep`, never one that is live, was live just now, or that somebody runs.
    pub fn prune(
        &self,
        keep: usize,
        spare: &BTreeSet<String>,
        users: &[User],
    ) -> Result<Vec<String>> {
        let ids = self.store.complete()?;
        let excess = ids.len().saturating_sub(keep);
        let in_use = |id: &String| {
            spare.contains(id) || users.iter().any(|user| user.release.as_ref() == Some(id))
        };
        let doomed: Vec<String> = ids
            .into_iter()
            .filter(|id| !in_use(id))
            .take(excess)
            .collect();
        for id in &doomed {
            self.remove(id)?;
        }
        Ok(doomed)
    }
}

/// Another user's directory could be swapped under our hands.
fn owned_by_us(dir: &Dir) -> Result<()> {
    let me = rustix::process::geteuid().as_raw();
    let owner = std::fs::symlink_metadata(dir.path())
        .map(|meta| meta.uid())
        .unwrap_or(u32::MAX);
    if owner != me {
        let message = format!(
            "{} belongs to uid {owner}, and this is uid {me}",
            dir.path().display()
        );
        return Err(
            Error::new(base::Kind::Permission, message).hint("run it as its owner or as root")
        );
    }
    dir.refuse_shared()
}
