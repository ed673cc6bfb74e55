//! A file of our own in `/etc/cron.d`.
//!
//! Cron reads the directory by itself and is strict about what it finds there: root's, 0644, one
//! link, a name without dots. It tells a new file from an old one by whole seconds of its time.

use base::atomic::{Access, Dir};
use base::error::{Error, Result};
use base::lock::{self, Lock};
use std::path::Path;
use std::time::Duration;

use crate::backend;

const DIRECTORY: &str = "/etc/cron.d";

/// One file in the directory.
#[derive(Debug)]
pub struct CronD {
    dir: Dir,
    name: String,
}

impl CronD {
    /// The file of that name.
    ///
    /// # Errors
    /// `Kind::NotFound` where there is no `/etc/cron.d`.
    pub fn named(name: &str) -> Result<CronD> {
        Ok(CronD {
            dir: Dir::open(Path::new(DIRECTORY))?,
            name: name.to_owned(),
        })
    }

    /// Its path.
    pub fn path(&self) -> String {
        format!("{DIRECTORY}/{}", self.name)
    }

    /// Holds other runs of ours off, those for other sites too: stale temporaries are swept from the
    /// directory, which all sites share.
    ///
    /// # Errors
    /// `Kind::Locked`.
    pub fn lock(&self, wait: Duration) -> Result<Lock> {
        Lock::acquire(&lock::state_directory()?.join("cron.d.lock"), wait)
    }

    /// Its bytes, if it is there.
    ///
    /// # Errors
    /// `Kind::Io`, also for what is no regular file.
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        self.dir.read(&self.name, 16 << 20)
    }

    /// Whether cron would take the file as it stands there: owner, mode, links.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn sound(&self) -> Result<bool> {
        let stat = self.dir.stat(&self.name)?;
        Ok(stat.is_none_or(|s| s.st_uid == 0 && s.st_mode & 0o7777 == 0o644 && s.st_nlink == 1))
    }

    /// Puts it in place, if it still is what `before` says; removes it where `after` is `None`.
    ///
    /// # Errors
    /// `Kind::Io` or `Kind::Permission`; what was there still is.
    pub fn write(&self, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<()> {
        if self.read()?.as_deref() != before {
            return Err(backend::changed_meanwhile(&self.path()));
        }
        let old = self.dir.stat(&self.name)?.map(|s| s.st_mtime);
        self.dir.sweep()?;
        let Some(after) = after else {
            return self.dir.remove(&self.name).map(|_| ());
        };
        self.dir.write(
            &self.name,
            after,
            Access {
                mode: 0o644,
                owner: Some((0, 0)),
            },
        )?;
        self.newer_than(old)?;
        if self.read()?.as_deref() == Some(after) {
            Ok(())
        } else {
            Err(backend::not_as_written(&self.path()))
        }
    }

    /// A file written twice within one second would look unchanged to cron.
    fn newer_than(&self, old: Option<i64>) -> Result<()> {
        let (Some(old), Some(new)) = (old, self.dir.stat(&self.name)?.map(|s| s.st_mtime)) else {
            return Ok(());
        };
        if new > old {
            return Ok(());
        }
        let time = rustix::fs::Timespec {
            tv_sec: old + 1,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(
            &self.dir,
            &self.name,
            &times,
            rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(|e| Error::io(format!("cannot set the time of {}", self.path()), &e.into()))
    }

    /// Keeps a copy of what is there.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn back_up(&self, bytes: &[u8]) -> Result<String> {
        backend::keep(&format!("cron.d-{}", self.name), bytes)
    }
}
