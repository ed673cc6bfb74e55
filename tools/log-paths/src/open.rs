//! Which logs processes really hold open, by their descriptors as the crate `proc` shows them. No
//! log is opened.
//!
//! Only descriptors that were opened for writing are looked at, and of them the regular files.
//! Device and inode show whether a file was deleted, renamed or replaced. Memory files, O_TMPFILE
//! and devices are no logs.

use crate::parts::in_parts;
use crate::process::{Process, number};
use crate::rotation::Rotated;
use proc::{Descriptor, Namespace, View};
use rustix::fs::{FileType, Stat};
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
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

/// Looks at these processes. Files in `wanted` (device and inode) count as logs whatever their
/// names.
#[must_use]
pub fn walk(processes: &[&Process], wanted: &HashSet<(u64, u64)>) -> Walk {
    let parts = in_parts(processes, 64, |processes| part(processes, wanted));
    let mut whole = Walk::default();
    for part in parts {
        whole.open.extend(part.open);
        whole.closed.extend(part.closed);
        whole.journal.extend(part.journal);
        whole.total += part.total;
    }
    whole
}

fn part(processes: &[&Process], wanted: &HashSet<(u64, u64)>) -> Walk {
    let mut walk = Walk::default();
    let mut buffer = Vec::new();
    for process in processes {
        look_at(process, wanted, &mut buffer, &mut walk);
    }
    walk
}

fn look_at(process: &Process, wanted: &HashSet<(u64, u64)>, buffer: &mut Vec<u8>, walk: &mut Walk) {
    let view = process.view();
    let descriptors = match view.descriptors() {
        Ok(descriptors) => descriptors,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(_) => {
            walk.total += 1;
            walk.closed.push(process.pid);
            return;
        }
    };
    walk.total += 1;
    let first = walk.open.len();
    let mut streams: Vec<(u32, Stat)> = Vec::new();
    descriptors.each(buffer, |descriptor| {
        if !descriptor.writable {
            return;
        }
        let Some(target) = descriptor.target() else {
            return;
        };
        if target.is_absolute() {
            walk.open
                .extend(log_of(descriptor, target, process, wanted));
        } else if matches!(descriptor.fd, 1 | 2)
            && target.as_os_str().as_bytes().starts_with(b"socket:")
        {
            streams.extend(descriptor.stat().ok().map(|stat| (descriptor.fd, stat)));
        }
    });
    if walk.open.len() > first && view.shares(Namespace::Mount) == Some(false) {
        for open in &mut walk.open[first..] {
            inside(&view, open);
        }
    }
    let fds = in_journal(process.pid, &streams);
    walk.journal
        .extend((!fds.is_empty()).then_some((process.pid, fds)));
}

/// Looks for a name in the file system of its process. Of a private namespace most names are the
/// host's all the same.
fn inside(view: &View, open: &mut Open) {
    let here = open.in_place;
    open.in_place = rustix::fs::stat(view.inside(&open.path))
        .is_ok_and(|found| (found.st_dev, found.st_ino) == open.identity());
    open.foreign = open.in_place && !here;
}

/// A descriptor open for writing, if what it writes to is a log.
fn log_of(
    descriptor: &Descriptor<'_>,
    target: PathBuf,
    process: &Process,
    wanted: &HashSet<(u64, u64)>,
) -> Option<Open> {
    let text = target.as_os_str().as_bytes();
    if text.starts_with(b"/memfd:") || text.starts_with(b"/dev/") || text.starts_with(b"/SYSV") {
        return None;
    }
    let fd = descriptor.fd;
    let stat = descriptor.stat().ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let (path, in_place) = place(target, &stat);
    let known = wanted.contains(&(stat.st_dev, stat.st_ino));
    if !known && unlikely(&path) {
        return None;
    }
    let pid = process.pid;
    let flags = descriptor.flags().unwrap_or(0);
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

/// The name, and whether it leads to this very file. ` (deleted)` is only taken off where the name
/// as it stands does not.
fn place(path: PathBuf, stat: &Stat) -> (PathBuf, bool) {
    let leads = |path: &Path| {
        rustix::fs::stat(path)
            .is_ok_and(|found| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino))
    };
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

/// `JOURNAL_STREAM` names the device and inode of the socket that systemd gave; it counts while
/// descriptor 1 or 2 still is that.
fn in_journal(pid: u32, streams: &[(u32, Stat)]) -> Vec<u32> {
    if streams.is_empty() {
        return Vec::new();
    }
    let environment = proc::environment(number(pid)).unwrap_or_default();
    let named = |stat: &Stat| {
        let stream = format!("{}:{}", stat.st_dev, stat.st_ino);
        environment
            .iter()
            .any(|(name, value)| name == "JOURNAL_STREAM" && value.as_os_str() == stream.as_str())
    };
    streams
        .iter()
        .filter(|(_, stat)| named(stat))
        .map(|(fd, _)| *fd)
        .collect()
}
