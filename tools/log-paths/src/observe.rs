//! Everything that is read: configurations, the files they name, the processes, logrotate. Nothing here judges; [`crate::plan`] does.

use crate::access::{Access, Judge};
use crate::cli::{Look, Request};
use crate::instance::{self, Wanted};
use crate::log::{Fault, Opener, Sink, Target};
use crate::open::{self, Walk};
use crate::process::{Process, in_parts};
use crate::rotation::{Fate, Rotation, Skip, Stanza};
use crate::service;
use crate::site::Site;
use crate::users::{Account, Users};
use conf::Source;
use rustix::fs::{FileType, Stat};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    /// Is there a logrotate configuration?
    pub rotation_found: bool,
    /// Names of owners.
    pub names: Names,
}

/// Owners' names, for reports.
#[derive(Default)]
pub struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    fn note(&mut self, users: &Users, stat: &Stat) {
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
}

/// What logrotate does with a log.
#[derive(Default)]
pub struct Rotated {
    /// The stanza, if it rotates it.
    pub by: Option<Arc<Stanza>>,
    /// The stanza that names it in vain, and why.
    pub skipped: Option<(Source, Skip)>,
    /// A second stanza that names it.
    pub second: Option<Source>,
    /// The new file's owner, group and mode, where the service could not write it.
    pub unwritable_after: Option<(String, String, u32)>,
}

/// Looks at everything a request asks for.
#[must_use]
pub fn observe(request: &Request, site: &Site) -> Observed {
    let mut faults = Vec::new();
    let mut targets = Vec::new();
    let mut unfound = Vec::new();
    if request.look != Look::Open {
        for service in service::SERVICES
            .iter()
            .filter(|service| request.wants(service.name))
        {
            let configured = (service.read)(site);
            faults.extend(configured.faults);
            targets.extend(configured.targets.into_iter().map(settle));
            if !configured.found {
                unfound.push(service.name);
            }
        }
    }
    targets.retain(|target| request.kinds.is_empty() || request.kinds.contains(&target.kind));
    let rotation = Rotation::read(&site.files, &logrotate_conf(site));
    faults.extend(rotation.errors.iter().cloned().map(|error| Fault {
        service: "logrotate",
        error,
        incomplete: false,
    }));
    let judge = Judge::new(&site.files);
    let mut names = Names::default();
    let own = stats(site, &targets);
    let logs: Vec<Seen> = targets
        .into_iter()
        .zip(own)
        .map(|(target, own)| see(site, &judge, &rotation, target, own, &mut names))
        .collect();
    let processes = if request.look == Look::Config || site.files.is_rooted() {
        &[]
    } else {
        site.processes()
    };
    let wanted = |process: &Process| instance::wanted(request, site, process);
    let judged: Vec<(&Process, Wanted)> = processes
        .iter()
        .map(|process| (process, wanted(process)))
        .collect();
    let relevant: Vec<&Process> = judged
        .iter()
        .filter(|(_, wanted)| *wanted != Wanted::No)
        .map(|(process, _)| *process)
        .collect();
    let doubtful = judged
        .iter()
        .filter(|(_, wanted)| *wanted == Wanted::Maybe)
        .map(|(process, _)| process.pid)
        .collect();
    let walk = (request.look != Look::Config && !site.files.is_rooted()).then(|| {
        let wanted: HashSet<(u64, u64)> = logs
            .iter()
            .filter_map(|log| log.file.as_ref())
            .map(|stat| (stat.st_dev, stat.st_ino))
            .collect();
        open::walk(&relevant, &wanted)
    });
    for open in walk.iter().flat_map(|walk| &walk.open) {
        names.note(&site.users, &open.stat);
    }
    let mut processes: BTreeMap<u32, Process> = relevant
        .into_iter()
        .map(|process| (process.pid, process.clone()))
        .collect();
    for pid in walk.iter().flat_map(|walk| {
        walk.open
            .iter()
            .map(|open| open.pid)
            .chain(walk.journal.iter().map(|(pid, _)| *pid))
    }) {
        if let Some(process) = processes
            .get_mut(&pid)
            .filter(|process| process.service.is_none() && process.unit.is_none())
        {
            process.unit = process.find_unit();
        }
    }
    Observed {
        logs,
        faults,
        unfound,
        walk,
        processes,
        doubtful,
        rotation_found: rotation.found,
        names,
    }
}

fn logrotate_conf(site: &Site) -> PathBuf {
    site.asked("logrotate")
        .into_iter()
        .next()
        .unwrap_or_else(|| PathBuf::from("/etc/logrotate.conf"))
}

/// Names that are no files: the standard streams and /dev/null, however a configuration spells them.
fn settle(mut target: Target) -> Target {
    if let Sink::File(path) = &target.sink {
        target.sink = match path.to_str() {
            Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Sink::Stdio("stdout"),
            Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => Sink::Stdio("stderr"),
            Some("/dev/null") => Sink::Discard,
            Some("/dev/log") => Sink::Syslog("/dev/log".to_owned()),
            _ => return target,
        };
    }
    target
}

/// What each name itself is; many are asked for by several threads.
fn stats(site: &Site, targets: &[Target]) -> Vec<Option<Stat>> {
    let files = &site.files;
    let stat = |target: &Target| {
        if let Sink::File(path) = &target.sink {
            files.lstat(path).ok()
        } else {
            None
        }
    };
    in_parts(targets, 1000, |targets| {
        targets.iter().map(stat).collect::<Vec<_>>()
    })
    .concat()
}

fn see(
    site: &Site,
    judge: &Judge<'_>,
    rotation: &Rotation,
    target: Target,
    own: Option<Stat>,
    names: &mut Names,
) -> Seen {
    let Sink::File(path) = target.sink.clone() else {
        let unknown = Access::Unknown;
        return Seen {
            target,
            own: None,
            file: None,
            link: None,
            dir: None,
            writable: unknown.clone(),
            reopenable: unknown,
            rotation: Rotated::default(),
        };
    };
    let is_link =
        own.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    let file = if is_link {
        site.files.stat(&path).ok()
    } else {
        own
    };
    if let Some(stat) = &file {
        names.note(&site.users, stat);
    }
    let account = target
        .by
        .as_deref()
        .or(target.user.as_deref())
        .and_then(|user| site.users.account(user));
    let root = Account {
        uid: 0,
        gid: 0,
        groups: vec![0],
    };
    let first = if target.opener == Opener::RootThenWorker {
        Some(&root)
    } else {
        account.as_ref()
    };
    let ask = |account: Option<&Account>| {
        account.map_or(Access::Unknown, |account| {
            judge.may_append(account, &path, own.as_ref())
        })
    };
    let writable = ask(first);
    let reopenable = match target.opener {
        // The master makes the file and gives it to the worker, who must only be able to get there.
        Opener::RootThenWorker => account.as_ref().map_or(Access::Unknown, |account| {
            judge.may_enter(account, path.parent().unwrap_or(&path))
        }),
        Opener::Worker | Opener::Service => writable.clone(),
    };
    let rotated = rotated(
        site,
        judge,
        rotation,
        &path,
        (own.as_ref(), file.as_ref()),
        &target,
        account.as_ref(),
    );
    Seen {
        own,
        file,
        link: if is_link {
            site.files.link(&path)
        } else {
            None
        },
        dir: path.parent().and_then(|dir| judge.directory(dir)),
        writable,
        reopenable,
        rotation: rotated,
        target,
    }
}

fn rotated(
    site: &Site,
    judge: &Judge<'_>,
    rotation: &Rotation,
    path: &Path,
    (own, file): (Option<&Stat>, Option<&Stat>),
    target: &Target,
    account: Option<&Account>,
) -> Rotated {
    let mut rotated = Rotated {
        second: rotation.second(path).map(|stanza| stanza.source.clone()),
        ..Rotated::default()
    };
    match rotation.fate(&site.files, path, own) {
        Fate::Rotated(stanza) => {
            if let (Some(stat), Some(account)) = (file, account) {
                rotated.unwritable_after = unwritable(site, judge, stanza, stat, target, account);
            }
            rotated.by = Some(Arc::clone(stanza));
        }
        Fate::Skipped(stanza, why) => rotated.skipped = Some((stanza.source.clone(), why)),
        Fate::Unnamed => {}
    }
    rotated
}

/// The file that logrotate would make, if whoever opens it afterwards could not write it.
fn unwritable(
    site: &Site,
    judge: &Judge<'_>,
    stanza: &Stanza,
    old: &Stat,
    target: &Target,
    account: &Account,
) -> Option<(String, String, u32)> {
    // nginx's master stays root and gives the new file to the worker itself. uwsgi's master is no longer root when it opens the file
    // again.
    let gives = target.opener == Opener::RootThenWorker && target.service == service::nginx::NAME;
    if gives || account.uid == 0 {
        return None;
    }
    let (uid, gid, mode) = stanza.created(&site.users, old)?;
    let mut new = *old;
    (new.st_uid, new.st_gid, new.st_mode) = (uid, gid, old.st_mode & 0o170_000 | mode);
    (!judge.may_write(account, &new))
        .then(|| (site.users.user_name(uid), site.users.group_name(gid), mode))
}
