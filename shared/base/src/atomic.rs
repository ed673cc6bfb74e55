//! Files that are replaced whole or not at all. The directory is opened once; everything in it is
//! done relative to that descriptor and never through a symbolic link, so a path swapped meanwhile
//! cannot lead elsewhere.

use crate::error::{Error, Kind, Result};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What begins the name of a temporary file of ours; random letters follow.
pub const TEMPORARY: &str = ".rbt-";

/// Who may read a file that is written, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The permission bits, whatever the umask says.
    pub mode: u32,
    /// User and group, where they are not the writer's.
    pub owner: Option<(u32, u32)>,
}

impl Access {
    /// The writer's own, with these permission bits.
    pub const fn mode(mode: u32) -> Access {
        Access { mode, owner: None }
    }
}

/// A directory, opened once.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    /// Opens a directory; its last component may not be a symbolic link.
    ///
    /// # Errors
    /// `Kind::NotFound`, `Kind::Permission` or `Kind::Io`, naming the path.
    pub fn open(path: &Path) -> Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(|e| match e {
            Errno::LOOP | Errno::NOTDIR if path.is_symlink() => {
                Error::failed(format!("{} is a symbolic link", path.display()))
                    .hint("name the directory it leads to")
            }
            e => Error::io(
                format!("cannot open the directory {}", path.display()),
                &e.into(),
            ),
        })?;
        Ok(Dir {
            fd,
            path: path.to_path_buf(),
        })
    }

    /// A directory that is open already.
    pub(crate) fn of(fd: OwnedFd, path: &Path) -> Dir {
        Dir {
            fd,
            path: path.to_path_buf(),
        }
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn named(&self, what: &str, name: impl AsRef<OsStr>, errno: Errno) -> Error {
        Error::io(
            format!("cannot {what} {}", self.path.join(name.as_ref()).display()),
            &errno.into(),
        )
    }

    /// What stands under `name`, not followed; `None` if nothing does.
    ///
    /// # Errors
    /// `Kind::Io` or `Kind::Permission`.
    pub fn stat(&self, name: impl AsRef<OsStr>) -> Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(self.named("look at", name, e)),
        }
    }

    /// The directory's own status.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn own_stat(&self) -> Result<Stat> {
        rustix::fs::fstat(&self.fd).map_err(|e| self.named("look at", "", e))
    }

    /// The content of a regular file, at most `limit` bytes; `None` if there is none. Never follows
    /// a link, never waits for a FIFO.
    ///
    /// # Errors
    /// `Kind::Io`, or `Kind::Failed` for what is no regular file or too large.
    pub fn read(&self, name: impl AsRef<OsStr>, limit: u64) -> Result<Option<Vec<u8>>> {
        let name = name.as_ref();
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.named("read", name, e)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|e| self.named("read", name, e))?;
        let shown = self.path.join(name);
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::failed(format!(
                "{} is not a regular file",
                shown.display()
            )));
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::from(fd)
            .take(limit + 1)
            .read_to_end(&mut bytes);
        read.map_err(|e| Error::io(format!("cannot read {}", shown.display()), &e))?;
        if bytes.len() as u64 > limit {
            return Err(Error::failed(format!(
                "{} is larger than {limit} bytes",
                shown.display()
            )));
        }
        Ok(Some(bytes))
    }

    /// Puts a file under `name`, in place of whatever file stood there: temporary file, explicit
    /// mode and owner, fsync, rename, fsync of the directory. Whoever opens `name` at any moment
    /// finds the old content or the new, whole.
    ///
    /// # Errors
    /// `Kind::Io` or `Kind::Permission`; what stood there still does.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8], access: Access) -> Result<()> {
        self.place(name.as_ref(), bytes, access, RenameFlags::empty())
    }

    /// As [`Dir::write`], but refuses where something stands there already.
    ///
    /// # Errors
    /// As [`Dir::write`]; `Kind::Failed` where `name` exists.
    pub fn create(&self, name: impl AsRef<OsStr>, bytes: &[u8], access: Access) -> Result<()> {
        self.place(name.as_ref(), bytes, access, RenameFlags::NOREPLACE)
    }

    fn place(&self, name: &OsStr, bytes: &[u8], access: Access, how: RenameFlags) -> Result<()> {
        let (temporary, fd) = self.temporary(name)?;
        let undo = |error: Error| {
            let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
            error
        };
        let mut file = std::fs::File::from(fd);
        let failed = |e: &std::io::Error| {
            Error::io(
                format!("cannot write {}", self.path.join(name).display()),
                e,
            )
        };
        file.write_all(bytes).map_err(|e| undo(failed(&e)))?;
        if let Some((uid, gid)) = access.owner {
            let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            rustix::fs::fchown(&file, owner.0, owner.1)
                .map_err(|e| undo(self.named("give away", name, e)))?;
        }
        rustix::fs::fchmod(&file, Mode::from_raw_mode(access.mode))
            .map_err(|e| undo(self.named("set the mode of", name, e)))?;
        file.sync_all().map_err(|e| undo(failed(&e)))?;
        drop(file);
        rustix::fs::renameat_with(&self.fd, &temporary, &self.fd, name, how).map_err(|e| {
            undo(match e {
                Errno::EXIST => {
                    Error::failed(format!("{} exists already", self.path.join(name).display()))
                }
                e => self.named("put in place", name, e),
            })
        })?;
        self.sync()
    }

    fn temporary(&self, name: &OsStr) -> Result<(String, OwnedFd)> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..16 {
            let temporary = random_name()?;
            match rustix::fs::openat(&self.fd, &temporary, flags, Mode::from_raw_mode(0o600)) {
                Ok(fd) => return Ok((temporary, fd)),
                Err(Errno::EXIST) => {}
                Err(e) => return Err(self.named("write", name, e)),
            }
        }
        Err(self.named("write", name, Errno::EXIST))
    }

    /// Puts a symbolic link under `name`, in place of whatever stood there, by one rename.
    ///
    /// # Errors
    /// `Kind::Io`; what stood there still does.
    pub fn symlink(&self, target: &Path, name: impl AsRef<OsStr>) -> Result<()> {
        let name = name.as_ref();
        let temporary = random_name()?;
        rustix::fs::symlinkat(target, &self.fd, &temporary)
            .map_err(|e| self.named("make the link", name, e))?;
        rustix::fs::renameat(&self.fd, &temporary, &self.fd, name).map_err(|e| {
            let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
            self.named("put in place", name, e)
        })?;
        self.sync()
    }

    /// Removes a file or link; false if there was none.
    ///
    /// # Errors
    /// `Kind::Io` or `Kind::Permission`.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> Result<bool> {
        match rustix::fs::unlinkat(&self.fd, name.as_ref(), AtFlags::empty()) {
            Ok(()) => self.sync().map(|()| true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(self.named("remove", name, e)),
        }
    }

    /// Renames within the directory; refuses where `to` exists, unless `replace`.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn rename(
        &self,
        from: impl AsRef<OsStr>,
        to: impl AsRef<OsStr>,
        replace: bool,
    ) -> Result<()> {
        let how = if replace {
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        rustix::fs::renameat_with(&self.fd, from.as_ref(), &self.fd, to.as_ref(), how)
            .map_err(|e| self.named("rename", from, e))?;
        self.sync()
    }

    /// Makes a directory below, with this mode whatever the umask; true if it was not there.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn make(&self, name: impl AsRef<OsStr>, mode: u32) -> Result<bool> {
        let name = name.as_ref();
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(e) => return Err(self.named("make", name, e)),
        }
        let dir = self.below(name)?;
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode))
            .map_err(|e| self.named("set the mode of", name, e))?;
        self.sync().map(|()| true)
    }

    /// Opens a directory below; not through a link.
    ///
    /// # Errors
    /// As [`Dir::open`].
    pub fn below(&self, name: impl AsRef<OsStr>) -> Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name.as_ref(), flags, Mode::empty())
            .map_err(|e| self.named("open the directory", name.as_ref(), e))?;
        Ok(Dir {
            fd,
            path: self.path.join(name.as_ref()),
        })
    }

    /// The names in it, sorted, without `.` and `..`.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn names(&self) -> Result<Vec<std::ffi::OsString>> {
        let read = rustix::fs::Dir::read_from(&self.fd).map_err(|e| self.named("list", "", e))?;
        let mut names = Vec::new();
        for entry in read {
            let entry = entry.map_err(|e| self.named("list", "", e))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_os_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Makes what was done to the directory last a power cut.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn sync(&self) -> Result<()> {
        match rustix::fs::fsync(&self.fd) {
            // Some file systems (FUSE, 9p) cannot sync a directory.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(e) => Err(self.named("sync", "", e)),
        }
    }

    /// As [`Dir::sweep`], for a directory in which others may be writing just now: only temporaries
    /// that were last written longer ago than `age`, by the file system's clock.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn sweep_older(&self, age: std::time::Duration) -> Result<usize> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let mut gone = 0;
        for name in self
            .names()?
            .iter()
            .filter(|n| n.as_bytes().starts_with(TEMPORARY.as_bytes()))
        {
            let written = self.stat(name)?.map(|stat| stat.st_mtime);
            if written.is_some_and(|written| now.saturating_sub(written) > age) {
                gone += usize::from(self.remove(name)?);
            }
        }
        Ok(gone)
    }

    /// Removes what killed runs of ours left. Only under the lock of what is written here.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn sweep(&self) -> Result<usize> {
        let mut gone = 0;
        for name in self
            .names()?
            .iter()
            .filter(|n| n.as_bytes().starts_with(TEMPORARY.as_bytes()))
        {
            gone += usize::from(self.remove(name)?);
        }
        Ok(gone)
    }

    /// Whether somebody beside its owner and root could put something else in place of what is
    /// written here: a directory that others may write, without the sticky bit.
    ///
    /// # Errors
    /// `Kind::Permission`, naming the mode.
    pub fn refuse_shared(&self) -> Result<()> {
        let stat = self.own_stat()?;
        if stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0 {
            let text = format!(
                "{} can be written by others (mode {:04o})",
                self.path.display(),
                stat.st_mode & 0o7777
            );
            return Err(Error::new(Kind::Permission, text)
                .hint(format!("chmod go-w {}", self.path.display())));
        }
        Ok(())
    }
}

/// A name for a temporary file, from the kernel's random numbers.
///
/// # Errors
/// `Kind::Io` where there are none.
pub fn random_name() -> Result<String> {
    let mut name = TEMPORARY.to_string();
    for byte in random::<8>()? {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

/// Random bytes from the kernel.
///
/// # Errors
/// `Kind::Io` where there are none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0u8; N];
    let mut filled = 0;
    while filled < N {
        match rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => filled += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(Error::io("the kernel gives no random numbers", &e.into())),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn scratch() -> PathBuf {
        let path = std::env::temp_dir().join(format!(
            "atomic-{}{}",
            std::process::id(),
            random_name().unwrap()
        ));
        std::fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_over() {
        let path = scratch();
        let dir = Dir::open(&path).unwrap();
        dir.write("a", b"one", Access::mode(0o644)).unwrap();
        dir.write("a", b"two", Access::mode(0o640)).unwrap();
        assert_eq!(dir.read("a", 10).unwrap().unwrap(), b"two");
        assert_eq!(
            std::fs::metadata(path.join("a"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o640
        );
        assert!(dir.create("a", b"three", Access::mode(0o600)).is_err());
        assert_eq!(dir.names().unwrap(), ["a"]);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn links_are_not_followed_and_stale_temporaries_are_swept() {
        let path = scratch();
        std::fs::write(path.join("target"), "kept").unwrap();
        std::os::unix::fs::symlink(path.join("target"), path.join("link")).unwrap();
        std::fs::write(path.join(format!("{TEMPORARY}0011")), "stale").unwrap();
        let dir = Dir::open(&path).unwrap();
        assert!(dir.read("link", 10).is_err());
        dir.write("link", b"new", Access::mode(0o644)).unwrap();
        assert_eq!(
            std::fs::read_to_string(path.join("target")).unwrap(),
            "kept"
        );
        assert_eq!(dir.sweep().unwrap(), 1);
        std::os::unix::fs::symlink(&path, path.join("d")).unwrap();
        assert!(
            Dir::open(&path.join("d"))
                .unwrap_err()
                .message
                .contains("symbolic link")
        );
        std::fs::remove_dir_all(path).unwrap();
    }
}
