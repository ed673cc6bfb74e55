//! Reads configurations, the files they name, the processes, logrotate. Nothing here judges;
//! [`crate::plan`] does.

mod one;
mod rotated;

use crate::access::Judge;
use crate::instance::{self, Wanted};
use crate::log::{Configured, Fault, MOST, Sink, Target};
use crate::observed::{Logrotate, Names, Observed, Seen};
use crate::open;
use crate::parts::in_parts;
use crate::process::{Process, Root};
use crate::request::{Look, Request};
use crate::rotation::Rotation;
use crate::service;
use crate::site::Site;
use one::{Place, Views, looked, see};
use rotated::unconfigured;
use rustix::fs::Stat;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Leaves out what a configuration without measure would fill the report with, and says that it is
/// left out.
fn bound(service: &'static str, configured: &mut Configured) {
    configured.faults.truncate(MOST);
    let Some(first) = configured.targets.get(MOST) else {
        return;
    };
    let message = format!("more than {MOST} logs: the rest is left out");
    let error = match &first.source {
        Some(source) => conf::Error::at(conf::Kind::TooLarge, source, message),
        None => conf::Error::new(conf::Kind::TooLarge, Path::new("/proc"), 0, message),
    };
    configured.targets.truncate(MOST);
    configured.faults.push(Fault {
        service,
        error,
        incomplete: true,
    });
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
            let mut configured = (service.read)(site);
            bound(service.name, &mut configured);
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
                let mut configured = (service.read)(inner);
                bound(service.name, &mut configured);
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

/// Names that are no files: the standard streams and /dev/null, however a configuration spells
/// them.
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

/// The units of the main processes: those that systemd started itself. What supervisord started is
/// in its unit, and is another program.
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

/// Which configurations were written after their service had started: the service does not know
/// them yet.
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

/// The containers whose processes belong to services that are asked for; none where a configuration
/// is named.
fn inside(request: &Request, site: &Site) -> Vec<(Site, Root)> {
    if site.files.is_rooted() || !request.conf.is_empty() || request.look == Look::Config {
        return Vec::new();
    }
    let open = |root: Root| Some((site.inside(root).ok()?, root));
    site.roots().into_iter().filter_map(open).collect()
}

/// What each name itself is; many are asked for by several threads. The outer `None` stands for
/// what may not be looked at.
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
