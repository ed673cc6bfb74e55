//! Reading configuration files without disturbing or trusting them.
//!
//! A configuration may name a FIFO, a device, a directory, itself, or fifteen megabytes of noise. A
//! file is looked at before it is opened, opened without blocking, read only when it is regular and
//! at most [`LIMIT`] bytes long. With a root, every name (and every symbolic link) is resolved
//! inside that directory, by the kernel.

use crate::pattern::{self, Pattern};
use crate::{Error, Kind};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that one file may hold, in bytes.
pub const LIMIT: u64 = 4 * 1024 * 1024;
/// The most that all files of one run may hold, in bytes.
pub const TOTAL: usize = 32 * 1024 * 1024;
/// The most files that one run reads.
pub const MOST: usize = 4_000;
/// As many symbolic links as the kernel follows.
const LINKS: usize = 40;
/// How deep includes may go.
pub const DEPTH: usize = 16;

/// The file system that configurations are read from: the machine's own, or one below a directory.
#[derive(Debug, Default)]
pub struct Files {
    root: Option<OwnedFd>,
    read: AtomicUsize,
    bytes: AtomicUsize,
}

impl Files {
    /// The machine's own files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything below `root`, as a process chrooted there would see it.
    ///
    /// # Errors
    /// When `root` is no directory that can be opened.
    pub fn below(root: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, root, flags, Mode::empty())
            .map_err(|why| failure(root, why))?;
        Ok(Self {
            root: Some(fd),
            read: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        })
    }

    /// Is there a root other than the machine's?
    #[must_use]
    pub fn is_rooted(&self) -> bool {
        self.root.is_some()
    }

    /// The whole of one regular file.
    ///
    /// # Errors
    /// When it is missing, unreadable, not a regular file, too large, or more than [`MOST`] files
    /// or [`TOTAL`] bytes were read before.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, Error> {
        if self.read.fetch_add(1, Ordering::Relaxed) >= MOST {
            let message = format!("not read: {MOST} files were read before it");
            return Err(Error::new(Kind::TooLarge, path, 0, message));
        }
        regular(path, &self.stat(path).map_err(|why| failure(path, why))?)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = self.open(path, flags).map_err(|why| failure(path, why))?;
        let stat = rustix::fs::fstat(&fd).map_err(|why| failure(path, why))?;
        regular(path, &stat)?;
        let bytes = whole(&fd, usize::try_from(stat.st_size).unwrap_or(0));
        let bytes = bytes.map_err(|why| {
            Error::new(
                Kind::Unreadable,
                path,
                0,
                format!("cannot be read: {}", base::error::plain(&why.into())),
            )
        })?;
        if bytes.len() as u64 > LIMIT {
            return Err(too_large(path, bytes.len() as u64));
        }
        if self.bytes.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > TOTAL {
            let message = format!("not read: {TOTAL} bytes were read before it");
            return Err(Error::new(Kind::TooLarge, path, 0, message));
        }
        Ok(bytes)
    }

    /// What a path leads to, links followed.
    ///
    /// # Errors
    /// As stat(2).
    pub fn stat(&self, path: &Path) -> Result<Stat, Errno> {
        match &self.root {
            None => rustix::fs::stat(path),
            Some(_) => rustix::fs::fstat(self.open(path, OFlags::PATH | OFlags::CLOEXEC)?),
        }
    }

    /// What a path is itself.
    ///
    /// # Errors
    /// As lstat(2).
    pub fn lstat(&self, path: &Path) -> Result<Stat, Errno> {
        match &self.root {
            None => rustix::fs::lstat(path),
            Some(_) => rustix::fs::fstat(
                self.open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?,
            ),
        }
    }

    /// Opens a path with these flags, inside the root where there is one.
    ///
    /// # Errors
    /// As open(2).
    pub fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match &self.root {
            None => rustix::fs::openat(CWD, path, flags, Mode::empty()),
            Some(root) => {
                rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
            }
        }
    }

    /// Where a symbolic link points; `None` when it is none.
    #[must_use]
    pub fn link(&self, path: &Path) -> Option<PathBuf> {
        let target = match &self.root {
            None => rustix::fs::readlink(path, Vec::new()).ok()?,
            Some(_) => {
                let fd = self
                    .open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)
                    .ok()?;
                rustix::fs::readlinkat(fd, "", Vec::new()).ok()?
            }
        };
        Some(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// An absolute path with every symbolic link in it followed, as realpath(3) does; what does not
    /// exist stays as it is.
    #[must_use]
    pub fn real(&self, path: &Path) -> Option<PathBuf> {
        let mut left: Vec<OsString> = path.iter().rev().map(OsStr::to_owned).collect();
        let (mut out, mut links) = (PathBuf::from("/"), 0);
        while let Some(name) = left.pop() {
            match name.as_bytes() {
                b"/" | b"." => {}
                b".." => drop(out.pop()),
                _ => match self.link(&out.join(&name)) {
                    Some(target) => {
                        links += 1;
                        if target.is_absolute() {
                            out = PathBuf::from("/");
                        }
                        left.extend(target.iter().rev().map(OsStr::to_owned));
                    }
                    None => out.push(&name),
                },
            }
            if links > LINKS {
                return None;
            }
        }
        Some(out)
    }

    /// The names in a directory, sorted by byte; `.` and `..` left out.
    ///
    /// # Errors
    /// As open(2) and getdents(2).
    pub fn list(&self, path: &Path) -> Result<Vec<OsString>, Errno> {
        let fd = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(fd.as_fd())? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The existing paths a pattern stands for, sorted by byte, a component at a time.
    #[must_use]
    pub fn glob(&self, path: &Path) -> Vec<PathBuf> {
        let bytes = path.as_os_str().as_bytes();
        if !pattern::is_pattern(bytes) {
            return if self.lstat(path).is_ok() {
                vec![path.to_path_buf()]
            } else {
                Vec::new()
            };
        }
        let mut found: Vec<PathBuf> = vec![if bytes.starts_with(b"/") {
            PathBuf::from("/")
        } else {
            PathBuf::new()
        }];
        let mut components = bytes
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
            .peekable();
        while let Some(component) = components.next() {
            let last = components.peek().is_none();
            found = self.step(&found, &Pattern::new(component), last);
        }
        found
    }

    fn step(&self, parents: &[PathBuf], component: &Pattern, last: bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for parent in parents {
            if let Some(literal) = component.literal() {
                let path = parent.join(OsStr::from_bytes(literal));
                if !last || self.lstat(&path).is_ok() {
                    found.push(path);
                }
                continue;
            }
            let listed = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            let names = self.list(listed).unwrap_or_default();
            found.extend(
                names
                    .into_iter()
                    .filter(|name| component.matches(name.as_bytes()))
                    .map(|name| parent.join(name)),
            );
            if found.len() > MOST {
                break;
            }
        }
        found
    }
}

/// `fstatat` with the flags that never follow, for callers that hold a directory.
///
/// # Errors
/// As fstatat(2).
pub fn lstat_at(dir: impl AsFd, name: &OsStr) -> Result<Stat, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// The contents, in one read where the file stays as long as it was: a short read of a regular file
/// is its end.
fn whole(fd: &OwnedFd, size: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes: Vec<u8> = Vec::with_capacity(size + 1);
    loop {
        if bytes.capacity() == bytes.len() {
            bytes.reserve(bytes.len().max(4096));
        }
        let room = bytes.capacity() - bytes.len();
        let read = match rustix::io::read(fd, rustix::buffer::spare_capacity(&mut bytes)) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        if read < room || bytes.len() as u64 > LIMIT {
            return Ok(bytes);
        }
    }
}

fn regular(path: &Path, stat: &Stat) -> Result<(), Error> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    let what = match kind {
        FileType::RegularFile => {
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            return if size > LIMIT {
                Err(too_large(path, size))
            } else {
                Ok(())
            };
        }
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "not a regular file",
    };
    Err(Error::new(
        Kind::Unreadable,
        path,
        0,
        format!("is {what}, not a configuration file"),
    ))
}

fn too_large(path: &Path, size: u64) -> Error {
    Error::new(
        Kind::TooLarge,
        path,
        0,
        format!("is {size} bytes long; {LIMIT} is the most that is read"),
    )
}

fn failure(path: &Path, why: Errno) -> Error {
    let kind = if matches!(why, Errno::NOENT | Errno::NOTDIR) {
        Kind::Missing
    } else {
        Kind::Unreadable
    };
    Error::new(kind, path, 0, base::error::plain(&why.into()))
}
