//! Users and groups: names to numbers and back, from the files of the system that is looked at, and
//! from the name service of this one where it is the same.

use conf::files::Files;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the kernel goes by when it decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Main group.
    pub gid: u32,
    /// All groups, the main one among them.
    pub groups: Vec<u32>,
}

/// One line of /etc/passwd.
struct Entry {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

/// The users and groups of one system.
pub struct Users {
    passwd: Vec<Entry>,
    group: Vec<(String, u32, Vec<String>)>,
    rooted: bool,
    accounts: RefCell<BTreeMap<String, Option<Account>>>,
}

impl Users {
    /// Reads the files.
    #[must_use]
    pub fn read(files: &Files) -> Self {
        let lines = |path: &str| {
            String::from_utf8_lossy(&files.read(Path::new(path)).unwrap_or_default()).into_owned()
        };
        let passwd = lines("/etc/passwd").lines().filter_map(user).collect();
        let group = lines("/etc/group").lines().filter_map(group).collect();
        Self {
            passwd,
            group,
            rooted: files.is_rooted(),
            accounts: RefCell::default(),
        }
    }

    /// The account of a name, or of a number written as one.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<Account> {
        if let Some(known) = self.accounts.borrow().get(name) {
            return known.clone();
        }
        let account = self.look_up(name);
        self.accounts
            .borrow_mut()
            .insert(name.to_owned(), account.clone());
        account
    }

    fn look_up(&self, name: &str) -> Option<Account> {
        let number = name.parse::<u32>().ok();
        let known = self
            .passwd
            .iter()
            .find(|entry| entry.name == name || Some(entry.uid) == number);
        let (name, uid, gid) = match known {
            Some(entry) => (entry.name.clone(), entry.uid, entry.gid),
            None if self.rooted => return None,
            None => {
                let found = match number {
                    Some(uid) => nix::unistd::User::from_uid(uid.into()),
                    None => nix::unistd::User::from_name(name),
                };
                let user = found.ok().flatten()?;
                (user.name, user.uid.as_raw(), user.gid.as_raw())
            }
        };
        let mut groups = vec![gid];
        groups.extend(
            self.group
                .iter()
                .filter(|(_, _, members)| members.contains(&name))
                .map(|(_, gid, _)| *gid),
        );
        Some(Account { uid, gid, groups })
    }

    /// A user's home.
    #[must_use]
    pub fn home(&self, name: &str) -> Option<PathBuf> {
        self.passwd
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| entry.home.clone())
    }

    /// The number of a group's name.
    #[must_use]
    pub fn gid(&self, name: &str) -> Option<u32> {
        let listed = self
            .group
            .iter()
            .find(|(known, _, _)| known == name)
            .map(|(_, gid, _)| *gid);
        listed.or_else(|| name.parse().ok()).or_else(|| {
            let found = if self.rooted {
                None
            } else {
                nix::unistd::Group::from_name(name).ok().flatten()
            };
            found.map(|group| group.gid.as_raw())
        })
    }

    /// The number of a group that exists, by its name or its number.
    #[must_use]
    pub fn known_gid(&self, name: &str) -> Option<u32> {
        let number = name.parse::<u32>().ok();
        let listed = self
            .group
            .iter()
            .find(|(known, gid, _)| known == name || Some(*gid) == number)
            .map(|(_, gid, _)| *gid);
        listed.or_else(|| {
            if self.rooted {
                return None;
            }
            let found = match number {
                Some(gid) => nix::unistd::Group::from_gid(gid.into()),
                None => nix::unistd::Group::from_name(name),
            };
            found.ok().flatten().map(|group| group.gid.as_raw())
        })
    }

    /// A user's name; the number where there is none.
    #[must_use]
    pub fn user_name(&self, uid: u32) -> String {
        let listed = self
            .passwd
            .iter()
            .find(|entry| entry.uid == uid)
            .map(|entry| entry.name.clone());
        listed.unwrap_or_else(|| {
            let found = if self.rooted {
                None
            } else {
                nix::unistd::User::from_uid(uid.into()).ok().flatten()
            };
            found.map_or_else(|| uid.to_string(), |user| user.name)
        })
    }

    /// A group's name; the number where there is none.
    #[must_use]
    pub fn group_name(&self, gid: u32) -> String {
        let listed = self
            .group
            .iter()
            .find(|(_, known, _)| *known == gid)
            .map(|(name, _, _)| name.clone());
        listed.unwrap_or_else(|| {
            let found = if self.rooted {
                None
            } else {
                nix::unistd::Group::from_gid(gid.into()).ok().flatten()
            };
            found.map_or_else(|| gid.to_string(), |group| group.name)
        })
    }
}

fn user(line: &str) -> Option<Entry> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(Entry {
        name: (*fields.first()?).to_owned(),
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
        home: PathBuf::from(fields.get(5).copied().unwrap_or("/")),
    })
}

fn group(line: &str) -> Option<(String, u32, Vec<String>)> {
    let fields: Vec<&str> = line.split(':').collect();
    let members = fields
        .get(3)?
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    Some((
        (*fields.first()?).to_owned(),
        fields.get(2)?.parse().ok()?,
        members,
    ))
}
