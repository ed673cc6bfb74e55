//! Which open files belong to which configured log: by device and inode first, then by name, then by the name a rotation would give.

use crate::log::Sink;
use crate::observe::{Observed, Seen};
use crate::open::Open;
use crate::process::Process;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The join.
pub struct Joined<'a> {
    /// For each configured log, who holds it.
    pub held: Vec<Vec<&'a Open>>,
    /// For each configured log: is it a standard stream, and known where that leads?
    pub followed: Vec<bool>,
    /// Files that belong to no configured log.
    pub loose: Vec<Loose<'a>>,
    /// Services whose output goes to the journal.
    pub journal: Vec<Loose<'a>>,
}

/// One file, or the journal of one service, that only processes know of.
pub struct Loose<'a> {
    /// The service.
    pub service: &'static str,
    /// Which one of it.
    pub instance: String,
    /// The descriptors; none for the journal.
    pub opens: Vec<&'a Open>,
    /// The template its name comes from, or the standard stream that leads there.
    pub template: Option<&'a Seen>,
}

/// Joins open files with configured logs.
pub fn join(observed: &Observed) -> Joined<'_> {
    let none = || observed.logs.iter().map(|_| Vec::new()).collect();
    let mut joined = Joined {
        held: none(),
        followed: vec![false; observed.logs.len()],
        loose: Vec::new(),
        journal: Vec::new(),
    };
    let Some(walk) = &observed.walk else {
        return joined;
    };
    let (by_file, by_name) = (index(observed), names(observed));
    let found: Vec<Vec<usize>> = walk
        .open
        .iter()
        .map(|open| matches(observed, &by_file, &by_name, open))
        .collect();
    // A process that may be another instance than the one asked for is that one if it holds one of its logs.
    let holders: HashSet<u32> = walk
        .open
        .iter()
        .zip(&found)
        .filter(|(_, found)| !found.is_empty())
        .map(|(open, _)| master(observed, open.pid))
        .collect();
    let foreign =
        |pid: u32| observed.doubtful.contains(&pid) && !holders.contains(&master(observed, pid));
    let mut loose: HashMap<(u64, u64), usize> = HashMap::new();
    for (open, found) in walk.open.iter().zip(found) {
        let process = observed.processes.get(&open.pid);
        if !found.is_empty() {
            for at in best(observed, found, process.and_then(|process| process.service)) {
                joined.held[at].push(open);
            }
        } else if !foreign(open.pid) {
            let next = joined.loose.len();
            let at = *loose.entry(open.identity()).or_insert(next);
            if at == next {
                let (service, instance) =
                    process.map_or(("process", open.pid.to_string()), belongs);
                joined.loose.push(Loose {
                    service,
                    instance,
                    opens: Vec::new(),
                    template: None,
                });
            }
            let streams = process
                .map(|process| streams(observed, process, open.fd))
                .unwrap_or_default();
            let template = streams
                .first()
                .copied()
                .or_else(|| template(observed, open, joined.loose[at].service));
            follow(&mut joined.followed, &streams);
            let group = &mut joined.loose[at];
            group.template = group.template.or_else(|| observed.logs.get(template?));
            group.opens.push(open);
        }
    }
    for (pid, fds) in walk.journal.iter().filter(|(pid, _)| !foreign(*pid)) {
        let Some(process) = observed.processes.get(pid) else {
            continue;
        };
        let streams: Vec<usize> = fds
            .iter()
            .flat_map(|fd| streams(observed, process, *fd))
            .collect();
        follow(&mut joined.followed, &streams);
        let (service, instance) = belongs(process);
        let template = streams.first().and_then(|at| observed.logs.get(*at));
        match joined
            .journal
            .iter_mut()
            .find(|known| (known.service, &known.instance) == (service, &instance))
        {
            Some(known) => known.template = known.template.or(template),
            None => joined.journal.push(Loose {
                service,
                instance,
                opens: Vec::new(),
                template,
            }),
        }
    }
    joined
}

fn follow(followed: &mut [bool], streams: &[usize]) {
    for at in streams {
        followed[*at] = true;
    }
}

fn matches(observed: &Observed, by_file: &ByFile, by_name: &ByName<'_>, open: &Open) -> Vec<usize> {
    if let Some(found) = by_file.get(&open.identity()) {
        return found.clone();
    }
    if open.elsewhere {
        return Vec::new();
    }
    let service = observed
        .processes
        .get(&open.pid)
        .and_then(|process| process.service);
    by_name
        .get(open.path.as_os_str())
        .cloned()
        .unwrap_or_else(|| renamed(observed, open, service))
}

/// The process that a service's process descends from; itself where it is of no service.
fn master(observed: &Observed, pid: u32) -> u32 {
    let mut at = pid;
    // A parent is older than its child, as far as this was one moment; a count ends what was not.
    for _ in 0..64 {
        let Some(process) = observed.processes.get(&at) else {
            break;
        };
        match observed.processes.get(&process.parent) {
            Some(parent) if process.service.is_some() && parent.service == process.service => {
                at = parent.pid;
            }
            _ => break,
        }
    }
    at
}

type ByFile = HashMap<(u64, u64), Vec<usize>>;
type ByName<'a> = HashMap<&'a OsStr, Vec<usize>>;

fn index(observed: &Observed) -> ByFile {
    let mut index = ByFile::new();
    for (at, seen) in observed.logs.iter().enumerate() {
        if let Some(stat) = &seen.file {
            index
                .entry((stat.st_dev, stat.st_ino))
                .or_default()
                .push(at);
        }
    }
    index
}

fn names(observed: &Observed) -> ByName<'_> {
    let mut names = ByName::new();
    for (at, seen) in observed.logs.iter().enumerate() {
        if let Sink::File(path) = &seen.target.sink {
            names.entry(path.as_os_str()).or_default().push(at);
        }
    }
    names
}

/// Of several logs with one file, those of the process's own service, or all where none is.
fn best(observed: &Observed, found: Vec<usize>, service: Option<&'static str>) -> Vec<usize> {
    let own: Vec<usize> = found
        .iter()
        .copied()
        .filter(|at| Some(observed.logs[*at].target.service) == service)
        .collect();
    if own.is_empty() { found } else { own }
}

/// `access.log.1`, `access.log-20261121`: what a rotation makes of `access.log`, still written by the same service.
fn renamed(observed: &Observed, open: &Open, service: Option<&'static str>) -> Vec<usize> {
    let name = open.path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    let fits = |seen: &Seen| {
        let Sink::File(path) = &seen.target.sink else {
            return false;
        };
        let base = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
        Some(seen.target.service) == service
            && seen.target.held
            && matches!(name.strip_prefix(base), Some([b'.' | b'-', rest @ ..]) if rest.first().is_some_and(u8::is_ascii_digit))
            && (path.parent() == open.path.parent()
                || open.path.parent().and_then(Path::parent) == path.parent())
    };
    observed
        .logs
        .iter()
        .enumerate()
        .filter(|(_, seen)| fits(seen))
        .map(|(at, _)| at)
        .collect()
}

/// The log of the same service whose name could be this one.
fn template(observed: &Observed, open: &Open, service: &str) -> Option<usize> {
    observed.logs.iter().position(|seen| {
        let fits = seen.target.service == service && seen.target.doubt.is_none();
        fits && matches!(&seen.target.sink, Sink::Template(template) if could_be(template, open.path.as_os_str().as_bytes()))
    })
}

/// The logs that go where this standard stream of a process leads: those of its own configuration, or of the only one there is.
fn streams(observed: &Observed, process: &Process, fd: u32) -> Vec<usize> {
    let name = match fd {
        1 => "stdout",
        2 => "stderr",
        _ => return Vec::new(),
    };
    let fits = |seen: &Seen| {
        Some(seen.target.service) == process.service && seen.target.sink == Sink::Stdio(name)
    };
    let all: Vec<(usize, &Seen)> = observed
        .logs
        .iter()
        .enumerate()
        .filter(|(_, seen)| fits(seen))
        .collect();
    let first = master(observed, process.pid);
    let own = |seen: &Seen| {
        seen.target
            .pid
            .is_some_and(|pid| pid == process.pid || pid == first)
    };
    let only = all
        .iter()
        .all(|(_, seen)| seen.target.pid.is_none() && same_writer(all[0].1, seen));
    all.iter()
        .filter(|(_, seen)| only || own(seen))
        .map(|(at, _)| *at)
        .collect()
}

/// Do the fixed parts of a template stand in a name, in order, the first and the last at its ends?
fn could_be(template: &[u8], name: &[u8]) -> bool {
    let parts = fixed(template);
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    let Some(mut rest) = name.strip_prefix(first.as_slice()) else {
        return false;
    };
    for part in &parts[1..] {
        let Some(at) = rest
            .windows(part.len().max(1))
            .position(|window| window.starts_with(part))
        else {
            return part.is_empty();
        };
        rest = &rest[at + part.len()..];
    }
    parts.len() > 1 && name.ends_with(last)
}

/// What stays the same of a template: `$variable`, `${variable}`, `%Y` and `?` are taken out.
fn fixed(template: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut at = 0;
    while let Some(byte) = template.get(at) {
        let rest = &template[at + 1..];
        let width = match byte {
            b'$' if rest.first() == Some(&b'{') => rest
                .iter()
                .position(|byte| *byte == b'}')
                .map_or(0, |end| end + 1),
            b'$' => rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count(),
            b'%' if rest.first() != Some(&b'%') => 1,
            b'?' => 0,
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(*byte);
                }
                at += 1;
                continue;
            }
        };
        parts.push(Vec::new());
        at += 1 + width;
    }
    parts
}

fn same_writer(one: &Seen, other: &Seen) -> bool {
    (one.target.service, &one.target.instance) == (other.target.service, &other.target.instance)
}

/// For each configured log, another service or another instance that writes the same file.
pub fn shared(observed: &Observed) -> Vec<Option<&Seen>> {
    if observed
        .logs
        .windows(2)
        .all(|pair| same_writer(&pair[0], &pair[1]))
    {
        return vec![None; observed.logs.len()];
    }
    let by_file = index(observed);
    let by_name = names(observed);
    let other = |seen: &Seen| {
        let same = match (&seen.file, &seen.target.sink) {
            (Some(stat), _) => by_file.get(&(stat.st_dev, stat.st_ino)),
            (None, Sink::File(path)) => by_name.get(path.as_os_str()),
            _ => None,
        };
        let apart = |other: &&Seen| !same_writer(other, seen);
        same.into_iter()
            .flatten()
            .filter_map(|at| observed.logs.get(*at))
            .find(apart)
    };
    observed.logs.iter().map(other).collect()
}

/// The service a process belongs to, or the unit that systemd has it in, or its own name.
pub fn belongs(process: &Process) -> (&'static str, String) {
    let name = String::from_utf8_lossy(&process.comm).into_owned();
    match (process.service, &process.unit) {
        (Some(service), _) => (service, name),
        (None, Some(unit)) => ("systemd", unit.clone()),
        (None, None) => ("process", name),
    }
}

#[cfg(test)]
mod tests {
    use super::could_be;

    #[test]
    fn templates_and_names() {
        assert!(could_be(
            b"/l/$host.access.log",
            b"/l/example.org.access.log"
        ));
        assert!(could_be(b"/l/pg-%Y-%m-%d.log", b"/l/pg-2026-11-21.log"));
        assert!(could_be(b"/l/${a}x$b", b"/l/1x2"));
        assert!(!could_be(b"/l/$host.log", b"/m/a.log"));
        assert!(!could_be(b"/l/$host.log", b"/l/a.txt"));
    }
}
