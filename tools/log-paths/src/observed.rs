//! What was seen: configured logs, open files, processes, logrotate. [`crate::observe`] fills it,
//! [`crate::plan`] judges it.

use crate::access::Access;
use crate::log::{Fault, Target};
use crate::open::Walk;
use crate::process::Process;
use crate::rotation::{Rotated, Schedule};
use crate::users::Users;
use rustix::fs::{FileType, Stat};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

/// All that was seen.
pub struct Observed {
    /// What configurations name.
    pub logs: Vec<Seen>,
    /// What could not be read.
    pub faults: Vec<Fault>,
    /// Services asked for that have no configuration here.
    pub unfound: Vec<&'static str>,
    /// What processes have open; `None` where nobody was to look.
    pub walk: Option<Walk>,
    /// The processes that could hold a log that is asked for, by number.
    pub processes: BTreeMap<u32, Process>,
    /// Those of them that may be another instance than the one asked for.
    pub doubtful: BTreeSet<u32>,
    /// logrotate itself, without its stanzas.
    pub logrotate: Logrotate,
    /// Names of owners.
    pub names: Names,
}

/// logrotate on this host.
pub struct Logrotate {
    /// Its main file.
    pub main: PathBuf,
    /// A directory whose files it reads.
    pub directory: Option<PathBuf>,
    /// The names that are taken in that directory.
    pub taken: BTreeSet<OsString>,
    /// Is it installed?
    pub installed: bool,
    /// The words before a package that is to be installed.
    pub install: Vec<String>,
    /// Does anything run it?
    pub schedule: Option<Schedule>,
}

/// Owners' names, for reports.
#[derive(Default)]
pub struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    /// Keeps the names of a file's owner and group.
    pub fn note(&mut self, users: &Users, stat: &Stat) {
        self.users
            .entry(stat.st_uid)
            .or_insert_with(|| users.user_name(stat.st_uid));
        self.groups
            .entry(stat.st_gid)
            .or_insert_with(|| users.group_name(stat.st_gid));
    }

    /// A user's name.
    #[must_use]
    pub fn user(&self, uid: u32) -> String {
        self.users
            .get(&uid)
            .cloned()
            .unwrap_or_else(|| uid.to_string())
    }

    /// A group's name.
    #[must_use]
    pub fn group(&self, gid: u32) -> String {
        self.groups
            .get(&gid)
            .cloned()
            .unwrap_or_else(|| gid.to_string())
    }
}

/// One configured log, and what is there.
pub struct Seen {
    /// What the configuration says.
    pub target: Target,
    /// The name itself.
    pub own: Option<Stat>,
    /// What it leads to.
    pub file: Option<Stat>,
    /// Where it leads, for a symbolic link.
    pub link: Option<PathBuf>,
    /// Its directory.
    pub dir: Option<Stat>,
    /// May whoever opens it write it?
    pub writable: Access,
    /// May whoever opens it again write it?
    pub reopenable: Access,
    /// What logrotate does.
    pub rotation: Rotated,
    /// The owner and the group of the log, or of whoever would make it.
    pub owner: Option<(String, String)>,
    /// Could the name be looked at?
    pub looked: bool,
    /// Was the configuration written after the service was started?
    pub newer: bool,
}

impl Seen {
    /// Whether it is a regular file; what is not there yet will be one.
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.own
            .as_ref()
            .is_none_or(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }
}
