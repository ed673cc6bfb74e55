//! The walk: one component at a time, by descriptors, links followed by hand. Nothing is opened but
//! with O_PATH, which has no effect on FIFOs and devices.

use super::writers::{self, Found};
use super::{Because, How, Owner, Trust};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// As many symbolic links as the kernel follows.
const LINKS: usize = 40;
/// More components than any path has that the kernel would take, links included.
const STEPS: usize = 8192;
/// statfs(2)'s f_type of /proc.
const PROC: u64 = 0x9fa0;
/// That of FUSE.
const FUSE: u64 = 0x6573_5546;

const DIRECTORY: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const ANYTHING: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

enum Step {
    Root,
    Name(OsString),
}

struct Walk {
    todo: Vec<Step>,
    at: OwnedFd,
    stat: Stat,
    path: PathBuf,
    entry: Option<(OwnedFd, OsString)>,
    owner: Owner,
    way: Owner,
    because: Option<Because>,
    /// Others can make names in `at`.
    shared: bool,
    /// A link was followed that somebody else could have made.
    linked: bool,
    links: usize,
}

pub(super) fn walk(path: &Path, follow: bool) -> Result<Trust, Errno> {
    if path.as_os_str().is_empty() {
        return Err(Errno::NOENT);
    }
    let mut walk = if path.is_absolute() {
        Walk::from_root()?
    } else {
        Walk::from_here()?
    };
    walk.push(path.as_os_str().as_bytes());
    walk.through(follow)?;
    Ok(Trust {
        owner: walk.owner,
        way: walk.way,
        because: walk.because,
        path: walk.path,
        stat: walk.stat,
        fd: walk.at,
        entry: walk.entry,
        shared: walk.shared,
        linked: walk.linked,
    })
}

impl Walk {
    fn begin(at: OwnedFd, path: PathBuf) -> Result<Walk, Errno> {
        let stat = rustix::fs::fstat(&at)?;
        let mut walk = Walk {
            todo: Vec::new(),
            at,
            stat,
            path,
            entry: None,
            owner: Owner::Root,
            way: Owner::Root,
            because: None,
            shared: false,
            linked: false,
            links: 0,
        };
        walk.judge()?;
        Ok(walk)
    }

    fn from_root() -> Result<Walk, Errno> {
        let root = rustix::fs::openat(CWD, "/", DIRECTORY, Mode::empty())?;
        Walk::begin(root, PathBuf::from("/"))
    }

    /// The working directory, with all that is above it: who can move a directory above decides
    /// where the caller stood.
    fn from_here() -> Result<Walk, Errno> {
        let here = rustix::fs::stat(".")?;
        let name = rustix::process::getcwd(Vec::new())?.into_bytes();
        if name.first() == Some(&b'/') {
            let mut walk = Walk::from_root()?;
            walk.push(&name);
            if walk.through(true).is_ok() && same(&walk.stat, &here) {
                return Ok(walk);
            }
        }
        // Removed, or out of reach below this root: the directories above, by their own
        // descriptors.
        let open =
            |at: BorrowedFd<'_>, name: &str| rustix::fs::openat(at, name, DIRECTORY, Mode::empty());
        let mut walk = Walk::begin(open(CWD, ".")?, PathBuf::from("."))?;
        let mut above = open(walk.at.as_fd(), "..");
        for _ in 0..STEPS {
            let Ok(up) = above else { break };
            let stat = rustix::fs::fstat(&up)?;
            walk.count(&stat, &up)?;
            let next = open(up.as_fd(), "..");
            if next
                .as_ref()
                .is_ok_and(|next| rustix::fs::fstat(next).is_ok_and(|n| same(&n, &stat)))
            {
                break;
            }
            above = next;
        }
        Ok(walk)
    }

    /// Puts the components of a path before what is still to do.
    fn push(&mut self, path: &[u8]) {
        // A slash at the end asks for a directory, as `.` does.
        if path.ends_with(b"/") {
            self.todo.push(Step::Name(".".into()));
        }
        let names = path.split(|byte| *byte == b'/').rev();
        self.todo.extend(
            names
                .filter(|name| !name.is_empty())
                .map(|name| Step::Name(OsStr::from_bytes(name).to_os_string())),
        );
        if path.starts_with(b"/") {
            self.todo.push(Step::Root);
        }
    }

    fn through(&mut self, follow: bool) -> Result<(), Errno> {
        let mut steps = 0;
        while let Some(step) = self.todo.pop() {
            steps += 1;
            if steps > STEPS {
                return Err(Errno::LOOP);
            }
            match step {
                Step::Root => {
                    let root = rustix::fs::openat(CWD, "/", DIRECTORY, Mode::empty())?;
                    self.path = PathBuf::from("/");
                    self.enter(root, None)?;
                }
                Step::Name(name) if name == "." => self.directory()?,
                Step::Name(name) if name == ".." => {
                    let up = rustix::fs::openat(&self.at, "..", DIRECTORY, Mode::empty())?;
                    self.path.pop();
                    self.enter(up, None)?;
                }
                Step::Name(name) => self.name(name, follow)?,
            }
        }
        Ok(())
    }

    fn directory(&self) -> Result<(), Errno> {
        match FileType::from_raw_mode(self.stat.st_mode) {
            FileType::Directory => Ok(()),
            _ => Err(Errno::NOTDIR),
        }
    }

    fn name(&mut self, name: OsString, follow: bool) -> Result<(), Errno> {
        self.directory()?;
        let last = self.todo.is_empty();
        if !last {
            // O_DIRECTORY lets the kernel mount what autofs has there.
            match rustix::fs::openat(&self.at, &name, DIRECTORY, Mode::empty()) {
                Ok(next) => {
                    self.path.push(&name);
                    return self.enter(next, Some(name));
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {}
                Err(e) => return Err(e),
            }
        }
        let next = rustix::fs::openat(&self.at, &name, ANYTHING, Mode::empty())?;
        let stat = rustix::fs::fstat(&next)?;
        let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        if link && (!last || follow) {
            return self.link(&name, &next, &stat);
        }
        self.path.push(&name);
        self.enter(next, Some(name))
    }

    fn link(&mut self, name: &OsStr, link: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
        self.links += 1;
        if self.links > LINKS {
            return Err(Errno::LOOP);
        }
        // What a link says cannot be changed: only who can put another in its place counts, and
        // where others can make names that is the link's owner.
        if self.shared {
            let place = self.path.join(name);
            self.least(Owner::of(stat.st_uid), How::Owns(stat.st_uid), place);
        }
        self.linked |= !self.owner.trusted_by(rustix::process::geteuid().as_raw());
        let target = rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes();
        if kind_of(link) == PROC {
            // Only the kernel can follow a link in /proc: the words are no path.
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let there = rustix::fs::openat(&self.at, name, flags, Mode::empty())?;
            self.path = PathBuf::from(OsString::from_vec(target));
            return self.enter(there, None);
        }
        self.push(&target);
        Ok(())
    }

    fn enter(&mut self, next: OwnedFd, name: Option<OsString>) -> Result<(), Errno> {
        let stat = rustix::fs::fstat(&next)?;
        let new_file_system = stat.st_dev != self.stat.st_dev;
        let in_shared = self.shared;
        let before = std::mem::replace(&mut self.at, next);
        self.entry = name.map(|name| (before, name));
        self.stat = stat;
        if new_file_system && kind_of(&self.at) == FUSE {
            let owner = writers::mounted_by(self.stat.st_dev);
            self.least(owner, How::Mounted, self.path.clone());
        }
        let regular = FileType::from_raw_mode(self.stat.st_mode) == FileType::RegularFile;
        if in_shared && regular && self.stat.st_nlink > 1 {
            // Others can give a file of root a second name here.
            self.least(Owner::Anybody, How::World, self.path.clone());
        }
        self.way = self.owner;
        if in_shared {
            self.way = self.way.and(Owner::of(self.stat.st_uid));
        }
        self.judge()
    }

    /// Counts the object that the walk stands on.
    fn judge(&mut self) -> Result<(), Errno> {
        let stat = self.stat;
        let found = writers::of(&stat, &self.at);
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let sticky = directory && stat.st_mode & 0o1000 != 0;
        self.shared = directory && found.is_some();
        self.least(
            Owner::of(stat.st_uid),
            How::Owns(stat.st_uid),
            self.path.clone(),
        );
        if let Some(Found { owner, how }) = found.filter(|_| !sticky) {
            self.least(owner, how, self.path.clone());
        }
        Ok(())
    }

    fn count(&mut self, stat: &Stat, at: &OwnedFd) -> Result<(), Errno> {
        let place = self.path.clone();
        self.least(
            Owner::of(stat.st_uid),
            How::Owns(stat.st_uid),
            place.clone(),
        );
        if stat.st_mode & 0o1000 == 0 {
            if let Some(Found { owner, how }) = writers::of(stat, at) {
                self.least(owner, how, place);
            }
        }
        Ok(())
    }

    fn least(&mut self, owner: Owner, how: How, path: PathBuf) {
        let all = self.owner.and(owner);
        if all != self.owner {
            self.owner = all;
            self.because = Some(Because { path, how });
        }
    }
}

fn same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

fn kind_of(fd: &OwnedFd) -> u64 {
    rustix::fs::fstatfs(fd).map_or(0, |stat| u64::try_from(stat.f_type).unwrap_or(0))
}

/// Whether a name in an open directory still is this object.
pub(super) fn still(dir: &OwnedFd, name: &OsStr, stat: &Stat) -> bool {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|now| same(&now, stat))
}
