//! Everything that is read: configurations, the files they name, the processes, logrotate. Nothing here judges; [`crate::plan`] does.

use crate::access::{Access, Judge};
use crate::instance::{self, Wanted};
use crate::log::{Fault, Opener, Sink, Target};
use crate::open::{self, Open, Walk};
use crate::parts::in_parts;
use crate::process::{Process, Root};
use crate::request::{Look, Request};
use crate::rotation::{self, Action, Fate, Rotated, Rotation, Schedule, Stanza};
use crate::service;
use crate::site::Site;
use crate::users::{Account, Users};
use conf::files::Files;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// Looks at everything a request asks for.
#[must_use]
pub fn observe(request: &Request, site: &Site) -> Observed {
    let mut faults = Vec::new();
    let mut targets = Vec::new();
    let mut unfound = Vec::new();
    let mut containers: Vec<(Site, Root)> = Vec::new();
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
        containers = inside(request, site);
        for (inner, root) in &containers {
            let services = service::SERVICES.iter().filter(|service| {
                request.wants(service.name) && inner.running(service.name).next().is_some()
            });
            for service in services {
                let configured = (service.read)(inner);
                faults.extend(configured.faults);
                unfound.retain(|name| *name != service.name);
                let within = |target: Target| Target {
                    root: Some(*root),
                    ..settle(target)
                };
                targets.extend(configured.targets.into_iter().map(within));
            }
        }
    }
    targets.retain(|target| request.kinds.is_empty() || request.kinds.contains(&target.kind));
    let rotation = Rotation::read(site);
    faults.extend(rotation.errors.iter().cloned().map(|error| Fault {
        service: "logrotate",
        error,
        incomplete: false,
    }));
    units(site, &mut targets);
    let judge = Judge::new(&site.files);
    let mut names = Names::default();
    let own = stats(site, &targets);
    let mut views = Views::default();
    let mut logs: Vec<Seen> = targets
        .into_iter()
        .zip(own)
        .map(|(target, own)| match target.root {
            Some(root) => {
                let inner = containers.iter().find(|(_, known)| *known == root);
                let place = inner.map_or(site, |(inner, _)| inner);
                let place = Place {
                    site: place,
                    files: &place.files,
                    judge: &Judge::new(&place.files),
                    rotation: None,
                };
                see(&place, target, None, &mut names)
            }
            None => match views.of(site, &target) {
                Some(files) => {
                    let judge = &Judge::new(files);
                    let rotation = Some(&rotation);
                    let place = Place {
                        site,
                        files,
                        judge,
                        rotation,
                    };
                    see(&place, target, None, &mut names)
                }
                None => {
                    let place = Place {
                        site,
                        files: &site.files,
                        judge: &judge,
                        rotation: Some(&rotation),
                    };
                    see(&place, target, Some(own), &mut names)
                }
            },
        })
        .collect();
    newer(site, &mut logs);
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
    let mut walk = (request.look != Look::Config && !site.files.is_rooted()).then(|| {
        let wanted: HashSet<(u64, u64)> = logs
            .iter()
            .filter_map(|log| log.file.as_ref())
            .map(|stat| (stat.st_dev, stat.st_ino))
            .collect();
        open::walk(&relevant, &wanted)
    });
    let known: HashSet<(u64, u64)> = logs
        .iter()
        .filter_map(|log| log.file.as_ref())
        .map(|stat| (stat.st_dev, stat.st_ino))
        .collect();
    for open in walk.iter_mut().flat_map(|walk| &mut walk.open) {
        names.note(&site.users, &open.stat);
        // With --open-only no configuration is read, logrotate's neither.
        if request.look == Look::Both && !known.contains(&open.identity()) {
            open.rotation = unconfigured(site, &rotation, open);
        }
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
        logrotate: Logrotate {
            install: if rotation.installed {
                Vec::new()
            } else {
                install(site)
            },
            main: rotation.main,
            taken: rotation
                .directory
                .as_ref()
                .and_then(|dir| site.files.list(dir).ok())
                .unwrap_or_default()
                .into_iter()
                .collect(),
            directory: rotation.directory,
            installed: rotation.installed,
            schedule: rotation.schedule,
        },
        names,
    }
}

/// The words that install a package on this host.
fn install(site: &Site) -> Vec<String> {
    let text = site
        .files
        .read(Path::new("/etc/os-release"))
        .unwrap_or_default();
    let distro = distro::Distro::parse(&String::from_utf8_lossy(&text));
    let Some(manager) = distro.manager() else {
        return Vec::new();
    };
    let words = manager.install().iter().chain(manager.unasked());
    words.map(|word| (*word).to_owned()).collect()
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

/// The units of the main processes: those that systemd started itself. What supervisord started is in its unit, and is another program.
fn units(site: &Site, targets: &mut [Target]) {
    let mut known: BTreeMap<u32, Option<String>> = BTreeMap::new();
    for target in targets.iter_mut().filter(|target| target.unit.is_none()) {
        let Some(pid) = target.pid else { continue };
        let find = || {
            let process = site.processes().iter().find(|process| process.pid == pid)?;
            (process.parent == 1).then(|| process.find_unit()).flatten()
        };
        target.unit = known.entry(pid).or_insert_with(find).clone();
    }
}

/// Which configurations were written after their service had started: the service does not know them yet.
fn newer(site: &Site, logs: &mut [Seen]) {
    let mut known: BTreeMap<(u32, PathBuf), bool> = BTreeMap::new();
    for seen in logs.iter_mut() {
        let (Some(pid), Some(source)) = (seen.target.pid, &seen.target.source) else {
            continue;
        };
        let is_newer = || {
            let process = site.processes().iter().find(|process| process.pid == pid)?;
            let stat = site.files.stat(&source.file).ok()?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            let seconds = u64::try_from(stat.st_mtime).ok()?;
            let written = Duration::new(seconds, u32::try_from(stat.st_mtime_nsec).ok()?);
            let age = now.checked_sub(written)?;
            // A process' start is known to a hundredth of a second.
            Some(age + Duration::from_millis(15) < process.age()?)
        };
        let key = (pid, source.file.to_path_buf());
        seen.newer = *known
            .entry(key)
            .or_insert_with(|| is_newer().unwrap_or(false));
    }
}

/// The containers whose processes belong to services that are asked for; none where a configuration is named.
fn inside(request: &Request, site: &Site) -> Vec<(Site, Root)> {
    if site.files.is_rooted() || !request.conf.is_empty() || request.look == Look::Config {
        return Vec::new();
    }
    let open = |root: Root| Some((site.inside(root).ok()?, root));
    site.roots().into_iter().filter_map(open).collect()
}

/// The rotation of a log that only its processes know of.
fn unconfigured(site: &Site, rotation: &Rotation, open: &Open) -> Option<Rotated> {
    if !open.in_place || open.foreign {
        return None;
    }
    let mut rotated = Rotated::default();
    match rotation.fate(&site.files, &open.path, Some(&open.stat)) {
        Fate::Rotated(stanza) => {
            rotated.actions = scripts(stanza);
            rotated.by = Some(Arc::clone(stanza));
        }
        Fate::Skipped(stanza, why) => rotated.skipped = Some((Arc::clone(stanza), why)),
        Fate::Unnamed => {}
    }
    Some(rotated)
}

/// What each name itself is; many are asked for by several threads. The outer `None` stands for what may not be looked at.
fn stats(site: &Site, targets: &[Target]) -> Vec<Option<Option<Stat>>> {
    let files = &site.files;
    let stat = |target: &Target| match &target.sink {
        Sink::File(path) if target.root.is_none() => looked(files.lstat(path)),
        _ => None,
    };
    in_parts(targets, 1000, |targets| {
        targets.iter().map(stat).collect::<Vec<_>>()
    })
    .concat()
}

/// A stat that was answered, by a file or by its absence.
fn looked(stat: Result<Stat, Errno>) -> Option<Option<Stat>> {
    match stat {
        Ok(stat) => Some(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Some(None),
        Err(_) => None,
    }
}

/// The file systems of processes with a mount namespace of their own (PrivateTmp=), each opened once.
#[derive(Default)]
struct Views {
    known: BTreeMap<u32, Option<Files>>,
}

impl Views {
    /// The file system that a log's process sees, where that is not ours.
    fn of(&mut self, site: &Site, target: &Target) -> Option<&Files> {
        if !matches!(target.sink, Sink::File(_)) {
            return None;
        }
        let pid = target.pid?;
        let open = || {
            let process = site.processes().iter().find(|process| process.pid == pid)?;
            let elsewhere = process.elsewhere() == Some(true);
            let root = format!("/proc/{pid}/root");
            elsewhere
                .then(|| Files::below(Path::new(&root)).ok())
                .flatten()
        };
        self.known.entry(pid).or_insert_with(open).as_ref()
    }
}

/// Where a log is looked at.
struct Place<'a> {
    site: &'a Site,
    files: &'a Files,
    judge: &'a Judge<'a>,
    /// The host's logrotate; a container's logs are not its.
    rotation: Option<&'a Rotation>,
}

fn see(
    place: &Place<'_>,
    mut target: Target,
    own: Option<Option<Option<Stat>>>,
    names: &mut Names,
) -> Seen {
    let (site, judge, files) = (place.site, place.judge, place.files);
    let unseen = |target| Seen {
        target,
        looked: false,
        own: None,
        file: None,
        link: None,
        dir: None,
        writable: Access::Unknown,
        reopenable: Access::Unknown,
        rotation: Rotated::default(),
        owner: None,
        newer: false,
    };
    let Sink::File(path) = target.sink.clone() else {
        return unseen(target);
    };
    let own = own.unwrap_or_else(|| looked(files.lstat(&path)));
    let looked = own.is_some();
    let own = own.flatten();
    let is_link =
        own.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    let link = if is_link { files.link(&path) } else { None };
    // The official images link their logs to the standard streams.
    if let Some(stream) = link.as_deref().and_then(stream) {
        target.sink = Sink::Stdio(stream);
        return unseen(target);
    }
    let file = if is_link { files.stat(&path).ok() } else { own };
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
    let ask = |account: Option<&Account>| match account {
        Some(account) if looked => judge.may_append(account, &path, own.as_ref()),
        _ => Access::Unknown,
    };
    let writable = ask(first);
    let reopenable = match target.opener {
        // The master makes the file and gives it to the worker, who must only be able to get there.
        Opener::RootThenWorker => account.as_ref().map_or(Access::Unknown, |account| {
            judge.may_enter(account, path.parent().unwrap_or(&path))
        }),
        Opener::Worker | Opener::Service => writable.clone(),
    };
    let rotated = place.rotation.map_or_else(Rotated::default, |rotation| {
        rotated(
            site,
            judge,
            rotation,
            &path,
            (own.as_ref(), file.as_ref()),
            &target,
            account.as_ref(),
        )
    });
    let owner = match (&file, first) {
        (Some(stat), _) => Some((
            site.users.user_name(stat.st_uid),
            site.users.group_name(stat.st_gid),
        )),
        (None, Some(account)) => Some((
            site.users.user_name(account.uid),
            site.users.group_name(account.gid),
        )),
        _ => None,
    };
    Seen {
        own,
        file,
        link,
        dir: path.parent().and_then(|dir| judge.directory(dir)),
        writable,
        reopenable,
        rotation: rotated,
        owner,
        looked,
        newer: false,
        target,
    }
}

/// The standard stream that a link leads to.
fn stream(target: &Path) -> Option<&'static str> {
    match target.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some("stdout"),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some("stderr"),
        _ => None,
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
            rotated.actions = scripts(stanza);
            rotated.by = Some(Arc::clone(stanza));
        }
        Fate::Skipped(stanza, why) => rotated.skipped = Some((Arc::clone(stanza), why)),
        Fate::Unnamed => {}
    }
    let dir = path.parent().unwrap_or(path);
    if let Some(stat) = judge.directory(dir).filter(rotation::insecure) {
        rotated.insecure = true;
        rotated.su = su(site, judge, dir, &stat, file, account);
    }
    rotated
}

/// What the scripts of a stanza do, in the order in which they run.
fn scripts(stanza: &Stanza) -> Vec<Action> {
    let scripts = &stanza.scripts;
    [&scripts.first, &scripts.pre, &scripts.post, &scripts.last]
        .into_iter()
        .flatten()
        .flat_map(|text| rotation::actions(text))
        .collect()
}

/// Who could rotate in a directory that others can write: somebody who may write the directory and the log.
fn su(
    site: &Site,
    judge: &Judge<'_>,
    dir: &Path,
    stat: &Stat,
    file: Option<&Stat>,
    account: Option<&Account>,
) -> Option<(String, String)> {
    let file_owner = file.map(|file| file.st_uid);
    let uids = [
        account.map(|account| account.uid),
        file_owner,
        Some(stat.st_uid),
    ];
    uids.into_iter()
        .flatten()
        .filter(|uid| *uid != 0)
        .find_map(|uid| {
            let name = site.users.user_name(uid);
            let account = site.users.account(&name)?;
            let group = if account.groups.contains(&stat.st_gid) {
                stat.st_gid
            } else {
                account.gid
            };
            let may = judge.may_create(&account, dir) == Access::Yes
                && file.is_none_or(|file| judge.may_write(&account, file));
            may.then(|| (name, site.users.group_name(group)))
        })
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
    let gives = target.opener == Opener::RootThenWorker
        && service::named(target.service).is_some_and(|service| service.reopen.gives);
    if gives || account.uid == 0 {
        return None;
    }
    let (uid, gid, mode) = stanza.created(&site.users, old)?;
    let mut new = *old;
    (new.st_uid, new.st_gid, new.st_mode) = (uid, gid, old.st_mode & 0o170_000 | mode);
    (!judge.may_write(account, &new))
        .then(|| (site.users.user_name(uid), site.users.group_name(gid), mode))
}
