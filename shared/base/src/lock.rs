//! One lock for each thing that is changed: flock(2) on a file beside it, or in the state
//! directory. The kernel releases the lock when the process ends, whatever ends the process, so no
//! lock is ever stale. The file stays: two processes could hold the lock of a file that was removed
//! and made again.

use crate::atomic::Dir;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: std::fs::File,
    path: PathBuf,
}

/// A duplicate of the descriptor that a child inherits keeps the lock held until that child has
/// ended, too.
impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Lock {
    /// Takes the lock, waiting for `wait` at the most.
    ///
    /// # Errors
    /// `Kind::Locked` (exit 75) with the holder's pid; `Kind::Permission` where the file is
    /// somebody else's or others may write it.
    pub fn acquire(path: &Path, wait: Duration) -> Result<Lock> {
        Lock::opened_at(rustix::fs::CWD, path, path, wait)
    }

    /// As [`Lock::acquire`], for a lock in a directory that is open already: a path swapped
    /// meanwhile leads nowhere else.
    ///
    /// # Errors
    /// As [`Lock::acquire`].
    pub fn acquire_in(dir: &Dir, name: &str, wait: Duration) -> Result<Lock> {
        Lock::opened_at(dir, Path::new(name), &dir.path().join(name), wait)
    }

    fn opened_at(at: impl AsFd, name: &Path, path: &Path, wait: Duration) -> Result<Lock> {
        let named = |e: rustix::io::Errno| {
            Error::io(
                format!("cannot open the lock {}", path.display()),
                &e.into(),
            )
        };
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(at, name, flags, Mode::from_raw_mode(0o600)).map_err(named)?;
        let lock = Lock {
            file: fd.into(),
            path: path.to_path_buf(),
        };
        lock.trusted()?;
        match wait_for(&lock.file, Deadline::after(Some(wait))) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(lock.held()),
            Err(e) => return Err(named(e)),
        }
        lock.sign()
    }

    /// Locks a directory itself, without a file in it: for what two users change, who share no
    /// directory that both may write. `None` where the directory is missing or may not be read.
    ///
    /// # Errors
    /// `Kind::Locked` where another process holds it.
    pub fn directory(path: &Path, wait: Duration) -> Result<Option<Lock>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let Ok(fd) = rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty()) else {
            return Ok(None);
        };
        let lock = Lock {
            file: fd.into(),
            path: path.to_path_buf(),
        };
        match wait_for(&lock.file, Deadline::after(Some(wait))) {
            Ok(()) => Ok(Some(lock)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(lock.held()),
            Err(e) => Err(Error::io(
                format!("cannot lock {}", path.display()),
                &e.into(),
            )),
        }
    }

    /// Whether somebody holds it: an error as [`Lock::acquire`] gives if so. Nothing is made or
    /// written, for dry runs.
    ///
    /// # Errors
    /// `Kind::Locked` with the holder's pid.
    pub fn look(path: &Path) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match rustix::fs::openat(rustix::fs::CWD, path, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(e) => {
                return Err(Error::io(
                    format!("cannot open the lock {}", path.display()),
                    &e.into(),
                ));
            }
        };
        let lock = Lock {
            file: fd.into(),
            path: path.to_path_buf(),
        };
        match rustix::fs::flock(&lock.file, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => Err(lock.held()),
            _ => Ok(()),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A lock that another user could hold or replace protects nothing.
    fn trusted(&self) -> Result<()> {
        let refuse = |why: &str| {
            Err(Error::new(
                Kind::Permission,
                format!("the lock {} {why}", self.path.display()),
            )
            .hint("find out who made the file, and remove the file"))
        };
        let meta = self
            .file
            .metadata()
            .map_err(|e| Error::io(format!("cannot look at {}", self.path.display()), &e))?;
        let me = rustix::process::geteuid().as_raw();
        if !meta.is_file() {
            return refuse("is not a regular file");
        }
        if meta.uid() != me && meta.uid() != 0 && me != 0 {
            return refuse(&format!("belongs to uid {}", meta.uid()));
        }
        // The holder's pid is written into it: under a second name that would be another file's
        // content.
        if meta.nlink() > 1 {
            return refuse("has a second name elsewhere (a hard link)");
        }
        if meta.mode() & 0o022 != 0 {
            return refuse(&format!(
                "can be written by others (mode {:04o})",
                meta.mode() & 0o7777
            ));
        }
        Ok(())
    }

    fn held(mut self) -> Error {
        let mut text = String::new();
        let _ = self.file.rewind();
        let _ = (&mut self.file).take(64).read_to_string(&mut text);
        let by = match text.trim().parse::<u32>() {
            Ok(pid) => format!("pid {pid}{}", program(pid)),
            Err(_) => "another process".to_string(),
        };
        Error::locked(format!("{} is locked by {by}", self.path.display()))
            .hint("wait until that process ends, or give --lock-wait 5m")
    }

    fn sign(mut self) -> Result<Lock> {
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| writeln!(self.file, "{}", std::process::id()));
        // A full disk does not make the lock less held: only its message is poorer.
        let _ = written;
        Ok(self)
    }
}

/// Takes the lock of an open file, and waits for its holder until the deadline.
pub(crate) fn wait_for(file: &std::fs::File, deadline: Deadline) -> rustix::io::Result<()> {
    let mut pause = Duration::from_millis(2);
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::WOULDBLOCK) if !deadline.passed() => {
                std::thread::sleep(deadline.slice(pause));
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

fn program(pid: u32) -> String {
    match std::fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!(" ({})", crate::terminal::escape(name.trim_end())),
        Err(_) => String::new(),
    }
}

/// The directory for locks and journals that belong to no directory of their own:
/// `/run/runbook-tools` for root, `$XDG_RUNTIME_DIR/runbook-tools` or
/// `~/.local/state/runbook-tools` for others. It is made if need be, for its owner alone.
///
/// # Errors
/// `Kind::Permission` where it is not its owner's alone.
pub fn state_directory() -> Result<PathBuf> {
    let path = state_path()?;
    private_directory(&path)?;
    Ok(path)
}

/// The same, if it is there: for whoever only looks.
///
/// # Errors
/// As [`state_directory`].
pub fn existing_state_directory() -> Result<Option<PathBuf>> {
    let path = state_path()?;
    if !path.exists() {
        return Ok(None);
    }
    private_directory(&path)?;
    Ok(Some(path))
}

/// The directory for what has to outlive a reboot: `/var/lib/runbook-tools` for root,
/// `$XDG_STATE_HOME/runbook-tools` or `~/.local/state/runbook-tools` for others; where that cannot
/// be written, the [`state_directory`].
///
/// # Errors
/// `Kind::Permission` where it is not its owner's alone.
pub fn lasting_directory() -> Result<PathBuf> {
    match lasting_path().map(|path| private_directory(&path).map(|()| path)) {
        Some(Ok(path)) => Ok(path),
        // A read-only /var, or none at all.
        Some(Err(error)) if error.kind != Kind::Permission || !lasting_exists() => {
            state_directory()
        }
        Some(Err(error)) => Err(error),
        None => state_directory(),
    }
}

/// The same, if it is there: for whoever only looks.
///
/// # Errors
/// As [`lasting_directory`].
pub fn existing_lasting_directory() -> Result<Option<PathBuf>> {
    match lasting_path().filter(|path| path.exists()) {
        Some(path) => private_directory(&path).map(|()| Some(path)),
        None => existing_state_directory(),
    }
}

fn lasting_exists() -> bool {
    lasting_path().is_some_and(|path| path.exists())
}

fn lasting_path() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/runbook-tools"));
    }
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    let state = absolute("XDG_STATE_HOME").or_else(home)?;
    Some(state.join("runbook-tools"))
}

fn state_path() -> Result<PathBuf> {
    let me = rustix::process::geteuid();
    if me.is_root() {
        return Ok(PathBuf::from("/run/runbook-tools"));
    }
    match (absolute("XDG_RUNTIME_DIR"), absolute("HOME")) {
        (Some(run), _) => Ok(run.join("runbook-tools")),
        (None, Some(home)) => Ok(home.join(".local/state/runbook-tools")),
        (None, None) => Err(Error::failed(
            "there is no place for locks: neither XDG_RUNTIME_DIR nor HOME is set",
        )),
    }
}

fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
}

fn me_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a directory (and those above it) for its owner alone, or checks the owner and the mode of
/// an existing one.
///
/// # Errors
/// `Kind::Io`, or `Kind::Permission` where somebody else owns it or may write there.
pub fn private_directory(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io(format!("cannot make {}", path.display()), &e))?;
    let meta = std::fs::symlink_metadata(path)
        .map_err(|e| Error::io(format!("cannot look at {}", path.display()), &e))?;
    // Root's directory is root's on the whole way.
    let foreign = me_root() && !crate::trust::inspect(path)?.trusted_by(0);
    if foreign
        || !meta.is_dir()
        || meta.uid() != rustix::process::geteuid().as_raw()
        || meta.mode() & 0o022 != 0
    {
        let hint = format!(
            "it has to be a directory that only uid {} can write",
            rustix::process::geteuid().as_raw()
        );
        return Err(Error::new(
            Kind::Permission,
            format!("{} cannot be trusted", path.display()),
        )
        .hint(hint));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = std::env::temp_dir().join(format!("lock-test-{}", std::process::id()));
        private_directory(&dir).unwrap();
        let path = dir.join("lock");
        let first = Lock::acquire(&path, Duration::ZERO).unwrap();
        let error = Lock::acquire(&path, Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.kind, Kind::Locked);
        assert!(
            error
                .message
                .contains(&format!("pid {}", std::process::id())),
            "{}",
            error.message
        );
        drop(first);
        Lock::acquire(&path, Duration::ZERO).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
