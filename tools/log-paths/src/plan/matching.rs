//! What an open file is to the configured logs: theirs, one that had their name before, or none of
//! them.

use super::names::could_be;
use crate::log::Sink;
use crate::observed::{Observed, Seen};
use crate::open::Open;
use crate::process::Process;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What an open file is to the configured logs.
pub enum Match {
    /// The file of these.
    Own(Vec<usize>),
    /// A file that had the name of these before.
    Away(Vec<usize>),
    /// A file that no configured log explains.
    None,
}

pub fn matches(observed: &Observed, by_file: &ByFile, by_name: &ByName<'_>, open: &Open) -> Match {
    if let Some(found) = by_file.get(&open.identity()) {
        return Match::Own(found.clone());
    }
    let process = observed.processes.get(&open.pid);
    let service = process.and_then(|process| process.service);
    let root = process.and_then(|process| process.root);
    // A name in another file system is another name, unless the log is one of the same service
    // there.
    let same = |at: &usize| {
        observed.logs.get(*at).is_some_and(|seen| {
            seen.target.root == root && (!open.foreign || Some(seen.target.service) == service)
        })
    };
    let named: Vec<usize> = by_name
        .get(open.path.as_os_str())
        .into_iter()
        .flatten()
        .copied()
        .filter(same)
        .collect();
    let leaving = process.is_some_and(|process| process.title().ends_with(b"is shutting down"));
    match named {
        named if !named.is_empty() => Match::Away(named),
        _ if leaving => Match::None,
        _ => match renamed(observed, open, service) {
            found if found.is_empty() => Match::None,
            found => Match::Away(found),
        },
    }
}

/// The process that a service's process descends from; itself where it is of no service.
pub fn master(observed: &Observed, pid: u32) -> u32 {
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

pub type ByFile = HashMap<(u64, u64), Vec<usize>>;
pub type ByName<'a> = HashMap<&'a OsStr, Vec<usize>>;

pub fn index(observed: &Observed) -> ByFile {
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

pub fn by_name(observed: &Observed) -> ByName<'_> {
    let mut names = ByName::new();
    for (at, seen) in observed.logs.iter().enumerate() {
        if let Sink::File(path) = &seen.target.sink {
            names.entry(path.as_os_str()).or_default().push(at);
        }
    }
    names
}

/// Of several logs with one file, those of the process's own service, or all where none is.
pub fn best(observed: &Observed, found: Vec<usize>, service: Option<&'static str>) -> Vec<usize> {
    let own: Vec<usize> = found
        .iter()
        .copied()
        .filter(|at| Some(observed.logs[*at].target.service) == service)
        .collect();
    if own.is_empty() { found } else { own }
}

/// `access.log.1`, `access.log-20261121`: what a rotation makes of `access.log`, still written by
/// the same service.
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
pub fn template(observed: &Observed, open: &Open, service: &str) -> Option<usize> {
    observed.logs.iter().position(|seen| {
        let fits = seen.target.service == service && seen.target.doubt.is_none();
        fits && matches!(&seen.target.sink, Sink::Template(template) if could_be(template, open.path.as_os_str().as_bytes()))
    })
}

/// The logs that go where this standard stream of a process leads: those of its own configuration,
/// or of the only one there is.
pub fn streams(observed: &Observed, process: &Process, fd: u32) -> Vec<usize> {
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

/// Are these logs of one instance?
pub fn same_writer(one: &Seen, other: &Seen) -> bool {
    (one.target.service, &one.target.instance) == (other.target.service, &other.target.instance)
}
