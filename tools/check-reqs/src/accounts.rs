//! Looks up users and groups by name. The C library says "there is none" where it may not read the
//! database; that is not the same.

use nix::unistd::{Gid, Group, Uid, User};
use std::fs::File;

/// The user of a name; an error where nobody can tell.
pub fn user(name: &str) -> Result<Option<User>, String> {
    let found = User::from_name(name)
        .map_err(|errno| format!("cannot look up the user {name}: {}", errno.desc()))?;
    seen(found, "/etc/passwd")
}

/// The group of a name; an error where nobody can tell.
pub fn group(name: &str) -> Result<Option<Group>, String> {
    let found = Group::from_name(name)
        .map_err(|errno| format!("cannot look up the group {name}: {}", errno.desc()))?;
    seen(found, "/etc/group")
}

/// The name of a user, or the number of a user without a name.
pub fn name_of(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

/// The name of a group, or the number of a group without a name.
pub fn group_name_of(gid: u32) -> String {
    Group::from_gid(Gid::from_raw(gid))
        .ok()
        .flatten()
        .map_or_else(|| gid.to_string(), |group| group.name)
}

fn seen<T>(found: Option<T>, file: &str) -> Result<Option<T>, String> {
    match (found, File::open(file)) {
        (None, Err(error)) => Err(format!("{file}: {}", base::error::plain(&error))),
        (found, _) => Ok(found),
    }
}
