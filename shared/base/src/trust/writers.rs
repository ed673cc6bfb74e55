//! Who, beside its owner, may write a file or directory: by its mode, by its group's members, by an
//! access control list.

use super::{How, Owner};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Mutex;

/// Who, and by what right.
pub(super) struct Found {
    pub(super) owner: Owner,
    pub(super) how: How,
}

/// `None` where its owner (and root) alone can write it.
pub(super) fn of(stat: &Stat, fd: &OwnedFd) -> Option<Found> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Symlink {
        return None;
    }
    if stat.st_mode & 0o002 != 0 {
        let world = How::World;
        return Some(Found {
            owner: Owner::Anybody,
            how: world,
        });
    }
    // With an access control list the group's bits are the list's mask (acl(5)): without them
    // nobody named there can write.
    if stat.st_mode & 0o020 == 0 {
        return None;
    }
    let mut all = Vec::new();
    match list(fd) {
        List::None => all.push(Entry::Group(stat.st_gid)),
        List::Unknown => {
            return Some(Found {
                owner: Owner::Anybody,
                how: How::List,
            });
        }
        List::Entries(entries) => all = entries.into_iter().map(|e| e.of(stat.st_gid)).collect(),
    }
    let mut found: Option<Found> = None;
    for entry in all {
        let (owner, how) = match entry {
            Entry::User(uid) => (Owner::of(uid), How::List),
            Entry::Group(gid) => (group(gid, stat.st_uid), How::Group(gid)),
            Entry::OwnGroup => continue,
        };
        if owner == Owner::Root || owner == Owner::of(stat.st_uid) {
            continue;
        }
        found = Some(match found {
            Some(before) => Found {
                owner: before.owner.and(owner),
                how: before.how,
            },
            None => Found { owner, how },
        });
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    User(u32),
    Group(u32),
    OwnGroup,
}

impl Entry {
    fn of(self, own: u32) -> Entry {
        match self {
            Entry::OwnGroup => Entry::Group(own),
            other => other,
        }
    }
}

enum List {
    None,
    Entries(Vec<Entry>),
    Unknown,
}

/// Who the access control list lets write. The attribute is read through /proc: fgetxattr(2) takes
/// no descriptor that was opened with O_PATH.
fn list(fd: &OwnedFd) -> List {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let mut bytes = vec![0u8; 4096];
    match rustix::fs::getxattr(&path, "system.posix_acl_access", &mut bytes[..]) {
        Ok(length) => match entries(&bytes[..length]) {
            Some(entries) => List::Entries(entries),
            None => List::Unknown,
        },
        // No list, or a file system without lists.
        Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => List::None,
        Err(_) => List::Unknown,
    }
}

/// The layout is the kernel's (linux/posix_acl_xattr.h): a version, then tag, permissions and
/// number of each entry, little-endian.
fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    const USER: u16 = 0x02;
    const GROUP_OBJ: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    let (version, rest) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*version) != 2 || rest.len() % 8 != 0 {
        return None;
    }
    let mut found = Vec::new();
    for entry in rest.chunks_exact(8) {
        let tag = u16::from_le_bytes([entry[0], entry[1]]);
        let writes = entry[2] & 2 != 0;
        let id = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]);
        match tag {
            MASK if !writes => return Some(Vec::new()),
            USER if writes => found.push(Entry::User(id)),
            GROUP if writes => found.push(Entry::Group(id)),
            GROUP_OBJ if writes => found.push(Entry::OwnGroup),
            _ => {}
        }
    }
    Some(found)
}

/// Whose processes have this group, beside root and `owner`: nobody's (`Root`), one user's, or
/// more.
fn group(gid: u32, owner: u32) -> Owner {
    match members(gid) {
        Some(members) => {
            let mut others = members.iter().filter(|uid| **uid != 0 && **uid != owner);
            match (others.next(), others.next()) {
                (None, _) => Owner::Root,
                (Some(one), None) => Owner::Uid(*one),
                _ => Owner::Anybody,
            }
        }
        None => Owner::Anybody,
    }
}

type Known = Vec<(u32, Option<BTreeSet<u32>>)>;

static KNOWN: Mutex<Known> = Mutex::new(Vec::new());

/// The users in a group: those that the group database names, and those of /etc/passwd whose own
/// group it is. `None` where the group is not known or the databases cannot be read.
fn members(gid: u32) -> Option<BTreeSet<u32>> {
    if let Ok(known) = KNOWN.lock() {
        if let Some((_, members)) = known.iter().find(|(known, _)| *known == gid) {
            return members.clone();
        }
    }
    let members = look_up(gid);
    if let Ok(mut known) = KNOWN.lock() {
        known.push((gid, members.clone()));
    }
    members
}

fn look_up(gid: u32) -> Option<BTreeSet<u32>> {
    let group = nix::unistd::Group::from_gid(gid.into()).ok()??;
    let mut members = BTreeSet::new();
    for name in &group.mem {
        match nix::unistd::User::from_name(name) {
            Ok(Some(user)) => drop(members.insert(user.uid.as_raw())),
            // A name without a user has no processes.
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    let passwd = std::fs::read("/etc/passwd").ok()?;
    for line in passwd.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':').skip(2);
        let mut number = || {
            std::str::from_utf8(fields.next()?)
                .ok()?
                .parse::<u32>()
                .ok()
        };
        if let (Some(uid), Some(own)) = (number(), number()) {
            if own == gid {
                members.insert(uid);
            }
        }
    }
    Some(members)
}

/// Who mounted the FUSE file system with this device number: the kernel shows the user's number as
/// an option in mountinfo (proc(5)).
pub(super) fn mounted_by(device: u64) -> Owner {
    let wanted = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let line = table
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(&wanted));
    let options = line.and_then(|line| line.rsplit(' ').next());
    options
        .and_then(|options| {
            let user = options
                .split(',')
                .find_map(|option| option.strip_prefix("user_id="))?;
            user.parse().ok()
        })
        .map_or(Owner::Anybody, Owner::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(parts: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in parts {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn an_access_control_list_names_who_writes() {
        let (all, read) = (7, 5);
        let none = u32::MAX;
        let bytes = acl(&[(1, all, none), (2, all, 1000), (2, read, 1001)]);
        assert_eq!(entries(&bytes), Some(vec![Entry::User(1000)]));
        let masked = acl(&[(2, all, 1000), (4, all, none), (16, read, none)]);
        assert_eq!(entries(&masked), Some(Vec::new()));
        let groups = acl(&[(4, all, none), (8, all, 50), (16, all, none)]);
        assert_eq!(
            entries(&groups),
            Some(vec![Entry::OwnGroup, Entry::Group(50)])
        );
        assert_eq!(entries(&bytes[..9]), None);
        assert_eq!(entries(&[]), None);
    }
}
