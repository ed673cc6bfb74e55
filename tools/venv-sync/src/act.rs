//! The side effects: building a release, letting the link lead to it, and clearing away what is no
//! longer needed.
//!
//! The order is what makes it all or nothing. A release holds `.incomplete` from before its first
//! file until after its last one is on the disk; the link changes by one rename, after that; and
//! nothing is removed that is live, that somebody runs, or that is not below `VENV.d/releases`.

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

use crate::carry;
use crate::journal::{Command, Journal, Led};
use crate::manifest::Manifest;
use crate::releases::{INCOMPLETE, State, Store};
use crate::users::Seen;

/// The store, locked, for whoever is about to change it.
#[derive(Debug)]
pub struct Locked<'a> {
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
        parent
            .make(store.store_name(), 0o755)
            .map_err(|error| no_right(store, error))?;
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

    /// A descriptor that children inherit, so that the lock is held for as long as any of them
    /// works, even if this process is killed.
    pub fn inherited(&self) -> Result<OwnedFd> {
        rustix::io::dup(&self.lock)
            .map_err(|errno| Error::io("cannot share the lock", &errno.into()))
    }

    /// Removes what killed runs left: unfinished releases, and links of ours that never got their
    /// name.
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

    /// Removes a release, whatever state it is in. It is marked as unfinished before anything else
    /// goes, and the mark goes last, so that half of one is never taken for whole.
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

    /// A directory below VENV.d for what installers keep between builds.
    pub fn cache(&self) -> Result<PathBuf> {
        let path = self.store.path().join("cache");
        Dir::open(&self.store.path())?.make("cache", 0o700)?;
        Ok(path)
    }

    /// Writes what a release knows of itself.
    pub fn note(&self, id: &str, manifest: &Manifest) -> Result<()> {
        manifest.write(&self.releases.below(id)?)
    }

    /// Lets the environment lead to a release. A plain directory, if it may be taken over, becomes
    /// a release in the same instant. What was live before comes back.
    pub fn go_live(&self, id: &str, state: &State, by: Command) -> Result<Option<Led>> {
        let mut journal = Journal::read(self.store);
        let dir = self.parent.below(self.store.store_name())?;
        let to = Led::Release(id.to_owned());
        let target = self.store.target(id);
        if *state != State::Directory {
            let from = Led::of(state);
            journal.record(&dir, by, from.clone(), to)?;
            self.parent.symlink(&target, &self.store.name)?;
            return Ok(from);
        }
        let adopted = format!(
            "{}-adopted",
            crate::releases::new_id(std::time::SystemTime::UNIX_EPOCH)?
        );
        let from = Led::Release(adopted.clone());
        journal.record(&dir, by, Some(from.clone()), to)?;
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
                .hint("a mount point cannot become a link: unmount the file system, or choose another VENV"));
        }
        self.releases.sync()?;
        self.parent.sync()?;
        Ok(Some(from))
    }

    /// Lets the environment lead to where somebody's own link led.
    pub fn go_back_to_link(&self, target: &str, state: &State) -> Result<()> {
        let mut journal = Journal::read(self.store);
        let dir = self.parent.below(self.store.store_name())?;
        let to = Led::Link(target.to_owned());
        journal.record(&dir, Command::Rollback, Led::of(state), to)?;
        self.parent.symlink(Path::new(target), &self.store.name)
    }

    /// Removes the oldest releases beyond `keep`: never one that is live, was live just now, is
    /// prepared, that a process uses, or that holds something of the user's that the live release
    /// does not have. What stays for the last reason is named.
    pub fn prune(
        &self,
        keep: usize,
        spare: &BTreeSet<String>,
        seen: &Seen,
        live: &str,
    ) -> Result<Vec<String>> {
        let ids = self.store.complete()?;
        let mut excess = ids.len().saturating_sub(keep);
        let live = self.store.release(live);
        let mut warnings = Vec::new();
        for id in ids {
            if excess == 0 {
                break;
            }
            let release = self.store.release(&id);
            let is_prepared = Manifest::read(&release).prepared.is_some();
            if spare.contains(&id) || seen.in_use(&id) || is_prepared {
                continue;
            }
            let own = carry::unsaved(&release, Some(&live)).map_err(|error| {
                Error::io(format!("cannot look into '{}'", release.display()), &error)
            })?;
            if own.is_empty() {
                self.remove(&id)?;
                excess -= 1;
                continue;
            }
            warnings.push(kept(&release, &own));
        }
        Ok(warnings)
    }
}

/// Why a release stays beyond `--keep`.
fn kept(release: &Path, own: &[PathBuf]) -> String {
    let mut names: Vec<String> = own
        .iter()
        .take(3)
        .map(|path| format!("'{}'", path.display()))
        .collect();
    if own.len() > 3 {
        names.push(format!("{} more", own.len() - 3));
    }
    format!(
        "the old release '{}' is kept: it holds files that no distribution installed and no other release has: {}",
        release.display(),
        names.join(", ")
    )
}

/// The directory that VENV stands in belongs to somebody else.
fn no_right(store: &Store, error: Error) -> Error {
    if error.kind != base::Kind::Permission {
        return error;
    }
    let me = rustix::process::geteuid().as_raw();
    let owner = std::fs::metadata(&store.parent).map_or(0, |meta| meta.uid());
    let name = |uid: u32| {
        base::child::Identity::of_uid(uid, uid)
            .ok()
            .and_then(|identity| identity.name)
            .unwrap_or_else(|| uid.to_string())
    };
    let parent = store.parent.display();
    Error::new(
        base::Kind::Permission,
        format!(
            "'{}' is for {}, and releases beside it need a directory that {} may write: '{parent}' belongs to {}",
            store.venv.display(),
            name(me),
            name(me),
            name(owner)
        ),
    )
    .hint(format!(
        "name an environment one directory deeper: install -d -o {} {}",
        name(me),
        crate::request::quoted(&store.parent.join("site"))
    ))
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
        return Err(Error::new(base::Kind::Permission, message)
            .hint("run venv-sync as the owner or as root"));
    }
    dir.refuse_shared()
}
