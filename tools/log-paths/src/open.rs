//! Which logs processes really hold open: a walk over /proc/PID/fd that opens nothing but directories.
//!
//! Each descriptor costs one lstat, whose mode says whether it was opened for writing; the few that were, and are regular files, cost
//! more. Whether a file was deleted, renamed or replaced is told by device and inode. Memory files, O_TMPFILE and devices are no logs.

use crate::process::{Process, contents, in_parts};
use crate::rotation::Rotated;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One descriptor that writes to a file.
#[derive(Clone, Debug)]
pub struct Open {
    /// The process.
    pub pid: u32,
    /// The descriptor.
    pub fd: u32,
    /// The flags it was opened with (fcntl.h); 0 where they could not be read.
    pub flags: u32,
    /// The kernel's name for the file, without what it adds to a deleted one.
    pub path: PathBuf,
    /// The file itself.
    pub stat: Stat,
    /// Does the name still lead to this file, in the file system of the process?
    pub in_place: bool,
    /// Does the name lead to the file only in a file system of the process' own?
    pub foreign: bool,
    /// What is known of the log's rotation, where no configuration names the log.
    pub rotation: Option<Rotated>,
}

impl Open {
    /// Has the file no name left?
    #[must_use]
    pub fn deleted(&self) -> bool {
        self.stat.st_nlink == 0
    }

    /// Is it open for appending?
    #[must_use]
    pub fn appends(&self) -> bool {
        self.flags & O_APPEND != 0
    }

    /// Is it called as logs are?
    #[must_use]
    pub fn named_like_a_log(&self) -> bool {
        named_like_a_log(&self.path)
    }

    /// Device and inode.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }
}

/// What the walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// The descriptors.
    pub open: Vec<Open>,
    /// Processes whose descriptors may not be listed.
    pub closed: Vec<u32>,
    /// Processes whose output goes to the journal, and by which descriptors.
    pub journal: Vec<(u32, Vec<u32>)>,
    /// How many processes were looked at.
    pub total: usize,
}

/// Looks at these processes. Files in `wanted` (device and inode) count as logs whatever their names.
#[must_use]
pub fn walk(processes: &[&Process], wanted: &HashSet<(u64, u64)>) -> Walk {
    let own = std::fs::read_link("/proc/self/ns/mnt").ok();
    let parts = in_parts(processes, 64, |processes| {
        part(processes, wanted, own.as_deref())
    });
    let mut whole = Walk::default();
    for part in parts {
        whole.open.extend(part.open);
        whole.closed.extend(part.closed);
        whole.journal.extend(part.journal);
        whole.total += part.total;
    }
    whole
}

fn part(processes: &[&Process], wanted: &HashSet<(u64, u64)>, own: Option<&Path>) -> Walk {
    let mut walk = Walk::default();
    let mut buffer = Vec::with_capacity(32 * 1024);
    for process in processes {
        one(process, wanted, own, &mut buffer, &mut walk);
    }
    walk
}

fn one(
    process: &Process,
    wanted: &HashSet<(u64, u64)>,
    own: Option<&Path>,
    buffer: &mut Vec<u8>,
    walk: &mut Walk,
) {
    let pid = process.pid;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = match rustix::fs::openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::SRCH) => return,
        Err(_) => {
            walk.total += 1;
            walk.closed.push(pid);
            return;
        }
    };
    walk.total += 1;
    let first = walk.open.len();
    let mut socket = false;
    let mut entries = rustix::fs::RawDir::new(&dir, buffer.spare_capacity_mut());
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        let Some(fd) = name.to_str().ok().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(link) = rustix::fs::statat(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        if link.st_mode & 0o200 == 0 {
            continue;
        }
        let Ok(text) = rustix::fs::readlinkat(dir.as_fd(), name, Vec::new()) else {
            continue;
        };
        let text = text.into_bytes();
        socket |= (fd == 1 || fd == 2) && text.starts_with(b"socket:");
        if text.starts_with(b"/") {
            walk.open
                .extend(descriptor(dir.as_fd(), name, text, process, fd, wanted));
        }
    }
    if walk.open.len() > first {
        let theirs = std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        if theirs.is_some() && theirs.as_deref() != own {
            for open in &mut walk.open[first..] {
                inside(open);
            }
        }
    }
    if socket {
        let fds = in_journal(pid);
        walk.journal.extend((!fds.is_empty()).then_some((pid, fds)));
    }
}

/// Looks for a name in the file system of its process. Of a private namespace most names are the host's all the same.
fn inside(open: &mut Open) {
    let theirs = format!("/proc/{}/root", open.pid);
    let name = open.path.strip_prefix("/").unwrap_or(&open.path);
    let here = open.in_place;
    open.in_place = rustix::fs::stat(Path::new(&theirs).join(name))
        .is_ok_and(|found| (found.st_dev, found.st_ino) == open.identity());
    open.foreign = open.in_place && !here;
}

/// A descriptor open for writing, if what it writes to is a log.
fn descriptor(
    dir: BorrowedFd<'_>,
    name: &std::ffi::CStr,
    text: Vec<u8>,
    process: &Process,
    fd: u32,
    wanted: &HashSet<(u64, u64)>,
) -> Option<Open> {
    if text.starts_with(b"/memfd:") || text.starts_with(b"/dev/") || text.starts_with(b"/SYSV") {
        return None;
    }
    let stat = rustix::fs::statat(dir, name, AtFlags::empty()).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let (path, in_place) = place(text, &stat);
    let known = wanted.contains(&(stat.st_dev, stat.st_ino));
    if !known && unlikely(&path) {
        return None;
    }
    let pid = process.pid;
    let flags = flags(pid, fd);
    // Where anybody's shell sends its output is no log of a site; where a service's goes, is.
    let output = (fd == 1 || fd == 2) && process.service.is_some();
    let is_log = known
        || flags & O_TMPFILE == 0 && (flags & O_APPEND != 0 || output || named_like_a_log(&path));
    is_log.then_some(Open {
        pid,
        fd,
        flags,
        path,
        stat,
        in_place,
        foreign: false,
        rotation: None,
    })
}

/// The name, and whether it leads to this very file. ` (deleted)` is only taken off where the name as it stands does not.
fn place(text: Vec<u8>, stat: &Stat) -> (PathBuf, bool) {
    let leads = |path: &Path| {
        rustix::fs::stat(path)
            .is_ok_and(|found| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino))
    };
    let path = PathBuf::from(OsString::from_vec(text));
    if stat.st_nlink > 0 && leads(&path) {
        return (path, true);
    }
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(name) => (PathBuf::from(OsString::from_vec(name.to_vec())), false),
        None => (path, false),
    }
}

/// Files that are appended to, and are no logs all the same.
fn unlikely(path: &Path) -> bool {
    let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    let ending = |text: &str| name.ends_with(text.as_bytes());
    [
        ".journal", ".aof", ".pid", ".lock", "-wal", "-journal", ".sqlite", ".db", ".rdb", ".tmp",
    ]
    .into_iter()
    .any(ending)
        || name.starts_with(b"#")
}

fn named_like_a_log(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    bytes.starts_with(b"/var/log/")
        || name.ends_with(b".log")
        || name.windows(5).any(|part| part == b".log.")
        || name.windows(5).any(|part| part == b".log-")
}

const O_APPEND: u32 = 0o2000;
/// Without the O_DIRECTORY that belongs to it (asm-generic/fcntl.h).
const O_TMPFILE: u32 = 0o20_000_000;

fn flags(pid: u32, fd: u32) -> u32 {
    let text = contents(Path::new(&format!("/proc/{pid}/fdinfo/{fd}"))).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find_map(|line| line.strip_prefix("flags:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
        .unwrap_or(0)
}

/// Names for the flags that matter to a log.
#[must_use]
pub fn flag_names(flags: u32) -> Vec<&'static str> {
    let access = match flags & 0o3 {
        0 => "O_RDONLY",
        1 => "O_WRONLY",
        _ => "O_RDWR",
    };
    let others = [
        (O_APPEND, "O_APPEND"),
        (0o4000, "O_NONBLOCK"),
        (0o10_000, "O_DSYNC"),
        (0o2_000_000, "O_CLOEXEC"),
    ];
    std::iter::once(access)
        .chain(
            others
                .into_iter()
                .filter(|(bit, _)| flags & bit != 0)
                .map(|(_, name)| name),
        )
        .collect()
}

/// `JOURNAL_STREAM` names the device and inode of the socket that systemd gave; it counts while descriptor 1 or 2 still is that.
fn in_journal(pid: u32) -> Vec<u32> {
    let stream = |fd: u32| {
        let path = format!("/proc/{pid}/fd/{fd}");
        let is_socket = std::fs::read_link(&path)
            .ok()?
            .as_os_str()
            .as_bytes()
            .starts_with(b"socket:");
        let stat = rustix::fs::stat(&path).ok().filter(|_| is_socket)?;
        Some((
            fd,
            format!("JOURNAL_STREAM={}:{}", stat.st_dev, stat.st_ino).into_bytes(),
        ))
    };
    let streams: Vec<(u32, Vec<u8>)> = [1, 2].into_iter().filter_map(stream).collect();
    if streams.is_empty() {
        return Vec::new();
    }
    let environment = contents(Path::new(&format!("/proc/{pid}/environ"))).unwrap_or_default();
    let named = |stream: &[u8]| {
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == stream)
    };
    streams
        .into_iter()
        .filter(|(_, stream)| named(stream))
        .map(|(fd, _)| fd)
        .collect()
}
