//! Opening what a walk reached. The object that was judged is the one that is opened; if another
//! stands in its place by then, the walk is repeated.

use super::{Trust, failed, walk};
use crate::atomic::Dir;
use crate::clock::Deadline;
use crate::error::{Error, Result};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// How often a walk is repeated when somebody exchanges what stands there.
const ROUNDS: usize = 8;

/// Opens a regular file for reading, links followed. Never waits: a FIFO, a socket, a device or a
/// directory is an error.
///
/// # Errors
/// `Kind::NotFound`, `Kind::Permission`, `Kind::Io`; `Kind::Failed` for what is no regular file.
pub fn open_regular(path: &Path) -> Result<(File, Trust)> {
    let (fd, trust) = opened(path, OFlags::RDONLY, |trust| match trust.file_type() {
        FileType::RegularFile => Ok(()),
        other => Err(Error::failed(format!(
            "cannot read '{}': it is {}, not a regular file",
            crate::terminal::escape_bytes(path.as_os_str().as_encoded_bytes()),
            crate::trust::open::words(other)
        ))),
    })?;
    Ok((File::from(fd), trust))
}

/// As [`open_regular`], with the rights of the user who can change the path: what that user cannot
/// read is not read for a report. A file that stands where its name says, with no second name, is
/// read all the same: root put it there.
///
/// # Errors
/// As [`open_regular`]; `Kind::Permission` where more than one user can change the path.
pub fn open_with_its_rights(path: &Path) -> Result<(File, Trust)> {
    let trust = super::inspect(path)?;
    let Some(user) = trust.executor()? else {
        return open_regular(path);
    };
    let opened = super::with_rights_of(&user, || open_regular(path))?;
    let own = !trust.is_linked() && trust.stat.st_nlink == 1;
    match opened {
        Err(error) if error.kind == crate::Kind::Permission && own => {
            let fd = trust
                .reopen(OFlags::RDONLY)
                .map_err(|e| failed("read", path, e))?;
            match trust.file_type() {
                FileType::RegularFile => Ok((File::from(fd), trust)),
                _ => Err(error),
            }
        }
        other => other,
    }
}

/// The whole of a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open_regular`]; `Kind::Failed` where the file is larger; `Kind::Deadline` where the time is
/// up before the end.
pub fn read_regular(path: &Path, limit: u64, deadline: Deadline) -> Result<(Vec<u8>, Trust)> {
    let (file, trust) = open_regular(path)?;
    let bytes = read_all(file, path, limit, deadline)?;
    Ok((bytes, trust))
}

pub(crate) fn read_all(
    mut file: impl Read,
    path: &Path,
    limit: u64,
    deadline: Deadline,
) -> Result<Vec<u8>> {
    let shown = || crate::terminal::escape_bytes(path.as_os_str().as_encoded_bytes());
    let mut bytes = Vec::new();
    loop {
        if deadline.passed() {
            return Err(Error::deadline(format!(
                "cannot read '{}': the time is up",
                shown()
            )));
        }
        let most = (limit + 1).saturating_sub(bytes.len() as u64).min(1 << 20);
        let read = (&mut file)
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|e| Error::io(format!("cannot read '{}'", shown()), &e))?;
        if bytes.len() as u64 > limit {
            return Err(Error::failed(format!(
                "'{}' is larger than {}",
                shown(),
                size(limit)
            )));
        }
        if (read as u64) < most {
            return Ok(bytes);
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 20 && b % (1 << 20) == 0 => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b % (1 << 10) == 0 => format!("{} KiB", b >> 10),
        b => format!("{b} bytes"),
    }
}

/// Opens a directory, links followed.
///
/// # Errors
/// `Kind::NotFound`, `Kind::Permission`, `Kind::Io`.
pub fn open_dir(path: &Path) -> Result<(Dir, Trust)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let (fd, trust) = opened(path, flags, |trust| match trust.file_type() {
        FileType::Directory => Ok(()),
        _ => Err(failed("open the directory", path, Errno::NOTDIR)),
    })?;
    Ok((Dir::of(fd, path), trust))
}

fn opened(
    path: &Path,
    flags: OFlags,
    fits: impl Fn(&Trust) -> Result<()>,
) -> Result<(OwnedFd, Trust)> {
    let what = if flags.contains(OFlags::DIRECTORY) {
        "open the directory"
    } else {
        "read"
    };
    let mut last = Errno::AGAIN;
    for _ in 0..ROUNDS {
        let trust = walk::walk(path, true).map_err(|e| failed(what, path, e))?;
        fits(&trust)?;
        match trust.reopen(flags) {
            Ok(fd) => return Ok((fd, trust)),
            Err(e @ (Errno::STALE | Errno::LOOP | Errno::NOENT)) => last = e,
            Err(e) => return Err(failed(what, path, e)),
        }
    }
    Err(failed(what, path, last))
}

impl Trust {
    /// Opens the object itself with these flags. Never follows a link, never waits for a FIFO's
    /// other end.
    ///
    /// # Errors
    /// As open(2); `ESTALE` where another object stands in its place.
    pub fn reopen(&self, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
        let careful =
            flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let fd = match (&self.entry, self.file_type()) {
            (_, FileType::Directory) if !flags.intersects(OFlags::WRONLY | OFlags::RDWR) => {
                rustix::fs::openat(&self.fd, ".", careful | OFlags::DIRECTORY, Mode::empty())?
            }
            (Some((dir, name)), _) => rustix::fs::openat(dir, name, careful, Mode::empty())?,
            (None, _) => {
                let path = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
                let flags = careful.difference(OFlags::NOFOLLOW);
                rustix::fs::open(path, flags, Mode::empty())?
            }
        };
        let stat = rustix::fs::fstat(&fd)?;
        if (stat.st_dev, stat.st_ino) == self.identity() {
            Ok(fd)
        } else {
            Err(Errno::STALE)
        }
    }

    /// Whether the object's name still leads to the object.
    pub fn in_place(&self) -> bool {
        match &self.entry {
            Some((dir, name)) => walk::still(dir, name, &self.stat),
            None => true,
        }
    }
}

/// What a file is that is not regular.
pub(crate) fn words(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Symlink => "a symbolic link",
        _ => "something else",
    }
}
