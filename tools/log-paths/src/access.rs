//! May this account write there? Answered from modes, owners, groups and ACLs on the whole way
//! down, never by trying, and never by access(2), which answers for root only.

use crate::users::Account;
use conf::files::Files;
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

const WRITE: u32 = 2;
const SEARCH: u32 = 1;
/// As many links as the kernel follows.
const LINKS: usize = 40;

/// The answer, and what stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Yes,
    /// No: this directory or file forbids it.
    No(PathBuf),
    /// No: this directory does not exist.
    Missing(PathBuf),
    /// It could not be told.
    Unknown,
}

impl Access {
    /// For reports: `None` where it could not be told.
    #[must_use]
    pub fn verdict(&self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No(_) | Self::Missing(_) => Some(false),
            Self::Unknown => None,
        }
    }
}

/// Answers, and remembers what it found about directories.
pub struct Judge<'a> {
    files: &'a Files,
    known: RefCell<HashMap<OsString, Vec<(u32, Access)>>>,
    directories: RefCell<HashMap<OsString, Option<Stat>>>,
}

impl<'a> Judge<'a> {
    /// A judge with nothing in mind yet.
    #[must_use]
    pub fn new(files: &'a Files) -> Self {
        Self {
            files,
            known: RefCell::default(),
            directories: RefCell::default(),
        }
    }

    /// What a directory is, asked once.
    #[must_use]
    pub fn directory(&self, dir: &Path) -> Option<Stat> {
        if let Some(known) = self.directories.borrow().get(dir.as_os_str()) {
            return *known;
        }
        let found = self.files.stat(dir).ok();
        self.directories
            .borrow_mut()
            .insert(dir.as_os_str().to_owned(), found);
        found
    }

    /// May `account` open this file for appending, creating it where it does not exist? `own` is
    /// what the name itself is, if that is known.
    #[must_use]
    pub fn may_append(&self, account: &Account, path: &Path, own: Option<&Stat>) -> Access {
        if let (Some(stat), Some(dir)) = (
            own.filter(|stat| FileType::from_raw_mode(stat.st_mode) != FileType::Symlink),
            path.parent(),
        ) {
            return match self.may_enter(account, dir) {
                Access::Yes => self.granted(account, path, stat, WRITE),
                other => other,
            };
        }
        let mut path = path.to_path_buf();
        for _ in 0..LINKS {
            let (Some(dir), Some(_)) = (path.parent(), path.file_name()) else {
                return Access::Unknown;
            };
            match self.may_enter(account, dir) {
                Access::Yes => {}
                other => return other,
            }
            match self.files.lstat(&path) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                    match self.files.link(&path) {
                        Some(target) => path = dir.join(target),
                        None => return Access::Unknown,
                    }
                }
                Ok(stat) => return self.granted(account, &path, &stat, WRITE),
                Err(Errno::NOENT) => return self.may_create(account, dir),
                Err(_) => return Access::Unknown,
            }
        }
        Access::Unknown
    }

    /// May `account` make a file in this directory, as far as the directory itself goes?
    #[must_use]
    pub fn may_create(&self, account: &Account, dir: &Path) -> Access {
        match self.files.stat(dir) {
            Ok(stat) => self.granted(account, dir, &stat, WRITE | SEARCH),
            Err(Errno::NOENT) => Access::Missing(dir.to_path_buf()),
            Err(_) => Access::Unknown,
        }
    }

    /// May `account` reach what is in this directory, by name?
    #[must_use]
    pub fn may_enter(&self, account: &Account, dir: &Path) -> Access {
        // Logs come by directories: the same one is asked for again and again.
        let known = self
            .known
            .borrow()
            .get(dir.as_os_str())
            .and_then(|known| known.iter().find(|(uid, _)| *uid == account.uid).cloned());
        if let Some((_, access)) = known {
            return access;
        }
        let found = self.walk(account, dir, 0);
        self.known
            .borrow_mut()
            .entry(dir.as_os_str().to_owned())
            .or_default()
            .push((account.uid, found.clone()));
        found
    }

    /// May `account` write a file of this owner, group and mode?
    #[must_use]
    pub fn may_write(&self, account: &Account, file: &Stat) -> bool {
        account.uid == 0 || allowed(account, file, None, WRITE)
    }

    fn walk(&self, account: &Account, dir: &Path, links: usize) -> Access {
        if links > LINKS {
            return Access::Unknown;
        }
        let mut at = PathBuf::from("/");
        let parts: Vec<Component<'_>> = dir.components().collect();
        for (index, part) in parts.iter().enumerate() {
            match part {
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
                Component::ParentDir => drop(at.pop()),
                Component::Normal(name) => at.push(name),
            }
            let stat = match self.files.lstat(&at) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => return Access::Missing(at),
                Err(_) => return Access::Unknown,
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                let Some(target) = self.files.link(&at) else {
                    return Access::Unknown;
                };
                let base = at.parent().unwrap_or(Path::new("/")).join(target);
                let whole = parts[index + 1..]
                    .iter()
                    .fold(base, |path, part| path.join(part));
                return self.walk(account, &whole, links + 1);
            }
            match self.granted(account, &at, &stat, SEARCH) {
                Access::Yes => {}
                other => return other,
            }
        }
        Access::Yes
    }

    fn granted(&self, account: &Account, path: &Path, stat: &Stat, wanted: u32) -> Access {
        if account.uid == 0 || allowed(account, stat, self.acl(path, stat), wanted) {
            Access::Yes
        } else {
            Access::No(path.to_path_buf())
        }
    }

    /// An extended ACL; the mode's group bits are its mask then, so it is asked for only where they
    /// allow something.
    fn acl(&self, path: &Path, stat: &Stat) -> Option<Vec<Entry>> {
        if stat.st_mode & 0o070 == 0 {
            return None;
        }
        let mut buffer = vec![0u8; 1024];
        let length = if self.files.is_rooted() {
            let fd = self.files.open(path, OFlags::PATH | OFlags::CLOEXEC).ok()?;
            let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
            rustix::fs::getxattr(link, ACL, &mut buffer).ok()?
        } else {
            rustix::fs::getxattr(path.as_os_str().as_bytes(), ACL, &mut buffer).ok()?
        };
        entries(&buffer[..length])
    }
}

const ACL: &str = "system.posix_acl_access";

struct Entry {
    tag: u16,
    bits: u32,
    id: u32,
}

/// The kernel's form: a version, then tag, permissions and id, little endian
/// (linux/posix_acl_xattr.h).
fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (version, rest) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != 2 {
        return None;
    }
    let entry = |chunk: &[u8]| {
        Some(Entry {
            tag: u16::from_le_bytes(chunk.get(..2)?.try_into().ok()?),
            bits: u32::from(u16::from_le_bytes(chunk.get(2..4)?.try_into().ok()?)),
            id: u32::from_le_bytes(chunk.get(4..8)?.try_into().ok()?),
        })
    };
    rest.chunks_exact(8).map(entry).collect()
}

const USER: u16 = 2;
const GROUP_OBJECT: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;

/// Whether an account has the wanted permissions, by the algorithm of acl(5).
fn allowed(account: &Account, stat: &Stat, acl: Option<Vec<Entry>>, wanted: u32) -> bool {
    let mode = stat.st_mode;
    let has = |bits: u32| bits & wanted == wanted;
    if account.uid == stat.st_uid {
        return has(mode >> 6);
    }
    let in_group = |gid: u32| account.gid == gid || account.groups.contains(&gid);
    let Some(acl) = acl else {
        return if in_group(stat.st_gid) {
            has(mode >> 3)
        } else {
            has(mode)
        };
    };
    let mask = acl
        .iter()
        .find(|entry| entry.tag == MASK)
        .map_or(7, |entry| entry.bits);
    if let Some(entry) = acl
        .iter()
        .find(|entry| entry.tag == USER && entry.id == account.uid)
    {
        return has(entry.bits & mask);
    }
    let groups: Vec<&Entry> = acl
        .iter()
        .filter(|entry| {
            entry.tag == GROUP_OBJECT && in_group(stat.st_gid)
                || entry.tag == GROUP && in_group(entry.id)
        })
        .collect();
    if groups.is_empty() {
        has(mode)
    } else {
        groups.iter().any(|entry| has(entry.bits & mask))
    }
}
