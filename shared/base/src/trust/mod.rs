//! Who decides what a path leads to. A path is as trusted as the least trusted user who can change
//! any of its components: who owns a directory on the way can put another file in place, who owns
//! the file can write it. [`inspect`] walks a path by descriptors, one component at a time, follows
//! symbolic links by hand, and returns the object that it reached together with that user.
//!
//! Two facts follow, and the rest of the house relies on both. Where the owner is root, nobody else
//! can change the path meanwhile. Where the owner is another user, whatever is done with the path
//! has to be done with the rights of that user, and no more.

mod append;
mod assume;
mod open;
mod rights;
mod walk;
mod writers;

pub use append::open_append;
pub use assume::with_rights_of;
pub(crate) use open::read_all;
pub use open::{open_dir, open_regular, open_with_its_rights, read_regular};
pub use rights::Rights;
pub(crate) use rights::{believe, rights_of};

use crate::child::Identity;
use crate::error::{Error, Kind, Result};
use rustix::fs::{FileType, Stat};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The least trusted user who can change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Root alone.
    Root,
    /// This user, beside root and whoever runs the tool.
    Uid(u32),
    /// More than one other user, or users that cannot be found out.
    Anybody,
}

impl Owner {
    /// The owner that is this user.
    pub fn of(uid: u32) -> Owner {
        if uid == 0 {
            Owner::Root
        } else {
            Owner::Uid(uid)
        }
    }

    /// The user who runs the tool.
    pub fn caller() -> Owner {
        Owner::of(rustix::process::geteuid().as_raw())
    }

    /// The least trusted of both. The user who runs the tool is trusted by the tool; two other
    /// users are more than one.
    #[must_use]
    pub fn and(self, other: Owner) -> Owner {
        let caller = Owner::caller();
        match (self, other) {
            (a, b) if a == b => a,
            (Owner::Anybody, _) | (_, Owner::Anybody) => Owner::Anybody,
            (Owner::Root, other) | (other, Owner::Root) => other,
            (a, b) if a == caller => b,
            (a, b) if b == caller => a,
            _ => Owner::Anybody,
        }
    }

    /// Whether a process of `uid` may believe what this owner wrote: the owner is root or that
    /// user.
    pub fn trusted_by(self, uid: u32) -> bool {
        self == Owner::Root || self == Owner::Uid(uid)
    }
}

/// `root`, `user 'dep'`, `more than one user`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Root => f.write_str("root"),
            Owner::Uid(uid) => match nix::unistd::User::from_uid((*uid).into()) {
                Ok(Some(user)) => write!(f, "user '{}'", crate::terminal::escape(&user.name)),
                _ => write!(f, "uid {uid}"),
            },
            Owner::Anybody => f.write_str("more than one user"),
        }
    }
}

/// What gives a user the right to change a path: the component, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// The component, links resolved.
    pub path: PathBuf,
    /// How the user can change it.
    pub how: How,
}

/// How a user can change a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As its owner.
    Owns(u32),
    /// As a member of a group that may write it.
    Group(u32),
    /// By an access control list.
    List,
    /// As anybody.
    World,
    /// As the one who mounted the file system (FUSE).
    Mounted,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = crate::terminal::escape_bytes(self.path.as_os_str().as_encoded_bytes());
        match self.how {
            How::Owns(uid) => write!(f, "'{path}' belongs to {}", Owner::of(uid)),
            How::Group(gid) => match nix::unistd::Group::from_gid(gid.into()) {
                Ok(Some(group)) => write!(
                    f,
                    "group '{}' can write '{path}'",
                    crate::terminal::escape(&group.name)
                ),
                _ => write!(f, "gid {gid} can write '{path}'"),
            },
            How::List => write!(f, "an access control list lets others write '{path}'"),
            How::World => write!(f, "everybody can write '{path}'"),
            How::Mounted => write!(f, "a user mounted the file system of '{path}'"),
        }
    }
}

/// Where a path leads, opened, and who can change that.
#[derive(Debug)]
pub struct Trust {
    /// The least trusted user over all components.
    pub owner: Owner,
    /// The least trusted user over the way to the object: who can put another in its place, whoever
    /// may write the object itself.
    pub way: Owner,
    /// The component that this owner can change; `None` where the owner is root.
    pub because: Option<Because>,
    /// The path with every link resolved.
    pub path: PathBuf,
    /// What stands there.
    pub stat: Stat,
    /// The object itself, opened with O_PATH.
    fd: OwnedFd,
    /// The directory that holds the object, and the object's name there; `None` for a directory
    /// reached without a name and for what only a link in /proc leads to.
    entry: Option<(OwnedFd, OsString)>,
    /// Users other than the directory's owner can make new names in this directory.
    shared: bool,
    /// A link was followed that a user other than root and the caller could have put there.
    linked: bool,
}

impl AsFd for Trust {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Judges a path; links are followed, the last one too.
///
/// # Errors
/// `Kind::NotFound`, `Kind::Permission` or `Kind::Io`, naming the path.
pub fn inspect(path: &Path) -> Result<Trust> {
    walk::walk(path, true).map_err(|e| failed("look at", path, e))
}

/// As [`inspect`], but a link at the end is itself the object.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_link(path: &Path) -> Result<Trust> {
    walk::walk(path, false).map_err(|e| failed("look at", path, e))
}

/// Judges the directory that a path's last component stands in, or would stand in: what is to be
/// asked before something is made there. Links are followed but for the last component, whose name
/// is returned.
///
/// # Errors
/// As [`inspect`]; `Kind::Failed` where the path ends with `..` or is `/`.
pub fn inspect_parent(path: &Path) -> Result<(Trust, OsString)> {
    let (parent, name) = parent_and_name(path)?;
    Ok((inspect(parent)?, name.to_os_string()))
}

fn parent_and_name(path: &Path) -> Result<(&Path, &OsStr)> {
    let Some(name) = path.file_name() else {
        let shown = crate::terminal::escape_bytes(path.as_os_str().as_encoded_bytes());
        return Err(Error::failed(format!("'{shown}' does not end with a name")));
    };
    Ok(match path.parent() {
        Some(parent) if parent != Path::new("") => (parent, name),
        _ => (Path::new("."), name),
    })
}

/// As whom a program, a script or a directory of code may be used: the least trusted user over the
/// path's components, where the tool runs as root; the caller, where it does not. `None` means as
/// the caller.
///
/// # Errors
/// As [`inspect`]; `Kind::Permission` where more than one user can change the path.
pub fn executor(path: &Path) -> Result<Option<Identity>> {
    inspect(path)?.executor()
}

impl Trust {
    /// Whether a process of `uid` may believe what stands there.
    pub fn trusted_by(&self, uid: u32) -> bool {
        self.owner.trusted_by(uid)
    }

    /// Refuses what users other than root and `uid` can change.
    ///
    /// # Errors
    /// `Kind::Permission`, naming the user and the component.
    pub fn require(&self, uid: u32) -> Result<()> {
        if self.trusted_by(uid) {
            Ok(())
        } else {
            Err(self.refusal())
        }
    }

    /// The error for a path that the wrong user can change.
    pub fn refusal(&self) -> Error {
        let shown = crate::terminal::escape_bytes(self.path.as_os_str().as_encoded_bytes());
        let why = self
            .because
            .as_ref()
            .map_or(String::new(), |because| format!(": {because}"));
        let error = Error::new(
            Kind::Permission,
            format!("{} can change '{shown}'{why}", self.owner),
        );
        match self.because.as_ref().and_then(Because::remedy) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// As [`executor`], of what is opened already.
    ///
    /// # Errors
    /// `Kind::Permission` where more than one user can change the path.
    pub fn executor(&self) -> Result<Option<Identity>> {
        self.as_whom(self.owner)
    }

    fn as_whom(&self, owner: Owner) -> Result<Option<Identity>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        match owner {
            Owner::Root => Ok(None),
            Owner::Uid(uid) => Identity::of_uid(uid, self.gid_of(uid)).map(Some),
            Owner::Anybody => Err(self.refusal()),
        }
    }

    /// The group of a user without a name: the object's, if the object is that user's.
    fn gid_of(&self, uid: u32) -> u32 {
        if self.stat.st_uid == uid {
            self.stat.st_gid
        } else {
            // Without an entry in the user database, a group of the same number is the convention.
            uid
        }
    }

    /// What sort of file the object is.
    pub fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Device and inode.
    pub fn identity(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }

    /// Whether users other than the directory's owner can make new names in it: /tmp, which the
    /// sticky bit protects otherwise.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether the walk followed a link that a user other than root and the caller could have put
    /// there: what is reached then may be anything on the host.
    pub fn is_linked(&self) -> bool {
        self.linked
    }
}

impl Because {
    fn remedy(&self) -> Option<String> {
        let path = crate::shell::quoted(self.path.to_str()?);
        match self.how {
            How::Group(_) => Some(format!("chmod g-w {path}")),
            How::World => Some(format!("chmod o-w {path}")),
            How::List => Some(format!("setfacl -b {path}")),
            How::Owns(_) | How::Mounted => None,
        }
    }
}

fn failed(what: &str, path: &Path, error: rustix::io::Errno) -> Error {
    let shown = crate::terminal::escape_bytes(path.as_os_str().as_encoded_bytes());
    Error::io(format!("cannot {what} '{shown}'"), &error.into())
}

#[cfg(test)]
mod tests;
