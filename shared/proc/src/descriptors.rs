//! The descriptors of a process: a walk over /proc/PID/fd that opens nothing but the directory.
//!
//! Each descriptor costs one lstat, whose mode says how the descriptor was opened; everything else
//! is read when it is asked for.

use crate::process::contents;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The open descriptors of one process.
#[derive(Debug)]
pub struct Descriptors {
    pid: i32,
    dir: OwnedFd,
}

/// One descriptor of a process.
#[derive(Debug)]
pub struct Descriptor<'a> {
    /// The number.
    pub fd: u32,
    /// Whether the descriptor was opened for writing: proc(5), the mode of the link.
    pub writable: bool,
    pid: i32,
    dir: BorrowedFd<'a>,
    name: &'a CStr,
}

impl Descriptors {
    /// Those of process `pid`.
    ///
    /// # Errors
    /// PermissionDenied for another user's process; NotFound when the process has ended.
    pub fn open(pid: i32) -> io::Result<Descriptors> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = format!("/proc/{pid}/fd");
        match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(dir) => Ok(Descriptors { pid, dir }),
            Err(rustix::io::Errno::SRCH) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "no such process"))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Shows each descriptor; one that is closed meanwhile is left out. `buffer` is room for the
    /// names of the directory, and can be used for the next process again.
    pub fn each(&self, buffer: &mut Vec<u8>, mut show: impl FnMut(&Descriptor<'_>)) {
        buffer.reserve(32 * 1024);
        let mut entries = rustix::fs::RawDir::new(&self.dir, buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            let Some(fd) = name.to_str().ok().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let dir = self.dir.as_fd();
            let Ok(link) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            show(&Descriptor {
                fd,
                writable: link.st_mode & 0o200 != 0,
                pid: self.pid,
                dir,
                name,
            });
        }
    }
}

impl Descriptor<'_> {
    /// What the kernel calls the file, ` (deleted)` included: a path, or `socket:[1]`, `pipe:[2]`,
    /// `anon_inode:x`.
    #[must_use]
    pub fn target(&self) -> Option<PathBuf> {
        let text = rustix::fs::readlinkat(self.dir, self.name, Vec::new()).ok()?;
        Some(PathBuf::from(OsString::from_vec(text.into_bytes())))
    }

    /// The file itself, whatever its name leads to by now.
    ///
    /// # Errors
    /// NotFound when the descriptor was closed.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::statat(self.dir, self.name, AtFlags::empty())?)
    }

    /// The flags that the descriptor has (fcntl.h); `None` where they cannot be read.
    #[must_use]
    pub fn flags(&self) -> Option<u32> {
        let text = contents(&format!("/proc/{}/fdinfo/{}", self.pid, self.fd)).ok()?;
        let text = String::from_utf8_lossy(&text);
        let octal = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(octal.trim(), 8).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_descriptor_is_what_it_was_opened_as() {
        let path = std::env::temp_dir().join(format!("proc-descriptors-{}", std::process::id()));
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let mut seen = Vec::new();
        let me = i32::try_from(std::process::id()).unwrap();
        Descriptors::open(me).unwrap().each(&mut Vec::new(), |one| {
            let number = i32::try_from(one.fd).unwrap();
            if number == file.as_raw_fd() {
                assert_eq!(one.target(), Some(path.clone()));
                assert_eq!(one.stat().unwrap().st_size, 0);
                assert_eq!(one.flags().unwrap() & 0o2000, 0o2000);
                seen.push(one.writable);
            } else if number == reader.as_raw_fd() {
                assert!(
                    one.target().unwrap().to_string_lossy().starts_with("pipe:"),
                    "{:?}",
                    one.target()
                );
                seen.push(one.writable);
            }
        });
        std::fs::remove_file(&path).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [false, true]);
    }

    #[test]
    fn a_process_that_has_ended_is_not_found() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        let error = Descriptors::open(pid).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
