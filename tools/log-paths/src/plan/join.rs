//! Which open files belong to which configured log: by device and inode first, then by name, then
//! by the name a rotation would give.

use super::holding::{self, Holding};
use super::matching::{
    Match, best, by_name, index, master, matches, same_writer, streams, template,
};
use super::names::{alike, same_words};
use crate::log::Sink;
use crate::observed::{Observed, Seen};
use crate::open::{Open, Walk};
use crate::process::Process;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The join.
pub struct Joined<'a> {
    /// For each configured log, its writers.
    pub holding: Vec<Holding<'a>>,
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
    /// The unit whose journal it is.
    pub unit: Option<String>,
    /// The descriptors; none for the journal.
    pub opens: Vec<&'a Open>,
    /// The template its name comes from, or the standard stream that leads there.
    pub template: Option<&'a Seen>,
}

/// Joins open files with configured logs.
pub fn join(observed: &Observed) -> Joined<'_> {
    let mut joined = Joined {
        holding: observed.logs.iter().map(|_| Holding::default()).collect(),
        followed: vec![false; observed.logs.len()],
        loose: Vec::new(),
        journal: Vec::new(),
    };
    let Some(walk) = &observed.walk else {
        return joined;
    };
    let (by_file, by_names) = (index(observed), by_name(observed));
    let found: Vec<Match> = walk
        .open
        .iter()
        .map(|open| matches(observed, &by_file, &by_names, open))
        .collect();
    // A process that may be another instance than the one asked for is that one if it holds one of
    // its logs.
    let holders: HashSet<u32> = walk
        .open
        .iter()
        .zip(&found)
        .filter(|(_, found)| !matches!(found, Match::None))
        .map(|(open, _)| master(observed, open.pid))
        .collect();
    let foreign =
        |pid: u32| observed.doubtful.contains(&pid) && !holders.contains(&master(observed, pid));
    let mut left: Vec<&Open> = Vec::new();
    for (open, found) in walk.open.iter().zip(found) {
        let service = observed
            .processes
            .get(&open.pid)
            .and_then(|process| process.service);
        match found {
            Match::Own(found) => {
                for at in best(observed, found, service) {
                    joined.holding[at].held.push(open);
                }
            }
            Match::Away(found) => {
                for at in best(observed, found, service) {
                    joined.holding[at].away.push(open);
                }
            }
            Match::None if foreign(open.pid) => {}
            Match::None => left.push(open),
        }
    }
    expect(observed, walk, &mut joined.holding, &mut left);
    for (at, seen) in observed.logs.iter().enumerate() {
        joined.holding[at].shadowed = holding::shadowed(observed, seen);
    }
    group(observed, left, &mut joined);
    journals(observed, walk, &foreign, &mut joined);
    joined
}

/// The one rule: a service that runs should hold the logs that it opens when it starts. A log that
/// none of its processes holds is held under another name: of the files that they write and no
/// configuration names, the one that is called most alike.
fn expect<'a>(
    observed: &'a Observed,
    walk: &Walk,
    holding: &mut [Holding<'a>],
    left: &mut Vec<&'a Open>,
) {
    let closed: HashSet<u32> = walk
        .closed
        .iter()
        .map(|pid| master(observed, *pid))
        .collect();
    let mut wanting: Vec<(usize, u32, &Path)> = Vec::new();
    for (at, seen) in observed.logs.iter().enumerate() {
        let target = &seen.target;
        let (Some(pid), Sink::File(path)) = (target.pid, &target.sink) else {
            continue;
        };
        let runs = observed
            .processes
            .get(&pid)
            .is_some_and(|process| process.service.is_some());
        if !runs || !target.held || !target.at_start || closed.contains(&pid) || !seen.looked {
            continue;
        }
        holding[at].expected = Some(pid);
        if holding[at].held.is_empty() && holding[at].away.is_empty() && !seen.newer {
            wanting.push((at, pid, path));
        }
    }
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (place, open) in left.iter().enumerate() {
        let main = master(observed, open.pid);
        let service = observed
            .processes
            .get(&main)
            .and_then(|process| process.service);
        if service.is_none_or(|service| template(observed, open, service).is_some()) {
            continue;
        }
        for (at, pid, path) in &wanting {
            if main == *pid {
                pairs.push((alike(path, &open.path), *at, place));
            }
        }
    }
    pairs.sort_by(|one, other| other.0.cmp(&one.0).then(one.2.cmp(&other.2)));
    let mut given: HashMap<(u64, u64), usize> = HashMap::new();
    let mut served: HashMap<usize, (u64, u64)> = HashMap::new();
    let mut taken: HashSet<usize> = HashSet::new();
    for (_, at, place) in pairs {
        let file = left[place].identity();
        // One file was one log; each process has a descriptor of it.
        if *given.entry(file).or_insert(at) == at && *served.entry(at).or_insert(file) == file {
            holding[at].away.push(left[place]);
            taken.insert(place);
        }
    }
    let mut place = 0;
    left.retain(|_| {
        place += 1;
        !taken.contains(&(place - 1))
    });
}

/// Files that no configuration names, each once.
fn group<'a>(observed: &'a Observed, left: Vec<&'a Open>, joined: &mut Joined<'a>) {
    let mut places: HashMap<(u64, u64), usize> = HashMap::new();
    for open in left {
        let process = observed.processes.get(&open.pid);
        let next = joined.loose.len();
        let at = *places.entry(open.identity()).or_insert(next);
        if at == next {
            let piped = process.and_then(|process| piped(observed, process));
            let (service, instance) = match (piped, process) {
                (Some(pipe), _) => (pipe.target.service, pipe.target.instance.clone()),
                (None, Some(process)) => belongs(process),
                (None, None) => ("process", open.pid.to_string()),
            };
            joined.loose.push(Loose {
                service,
                instance,
                unit: process.and_then(|process| process.unit.clone()),
                opens: Vec::new(),
                template: piped,
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
        group.template = group
            .template
            .or_else(|| template.and_then(|at| observed.logs.get(at)));
        group.opens.push(open);
    }
}

/// The pipe of a service that a process stands at the other end of: a child of the service that
/// runs the pipe's program.
fn piped<'a>(observed: &'a Observed, process: &Process) -> Option<&'a Seen> {
    if process.service.is_some() {
        return None;
    }
    let parent = observed.processes.get(&process.parent)?;
    // `|command` runs through a shell, `||command` without one.
    let main = match parent.service {
        Some(_) => parent,
        None => observed.processes.get(&parent.parent)?,
    };
    let service = main.service?;
    let words = process.words();
    let program = words
        .first()
        .map(|word| word.rsplit(|b| *b == b'/').next().unwrap_or(word))?;
    let runs = |command: &str| {
        command
            .split(|char: char| char.is_whitespace() || char == '"' || char == '\'')
            .any(|word| word.rsplit('/').next().map(str::as_bytes) == Some(program))
    };
    let pipes = observed
        .logs
        .iter()
        .filter(|seen| seen.target.service == service);
    let mut fitting =
        pipes.filter(|seen| matches!(&seen.target.sink, Sink::Pipe(command) if runs(command)));
    let first = fitting.next()?;
    // Of several pipes into one program, the one whose words the process has.
    let text = String::from_utf8_lossy(&process.title()).into_owned();
    let exact = |seen: &&Seen| matches!(&seen.target.sink, Sink::Pipe(command) if same_words(command, &text));
    std::iter::once(first)
        .chain(fitting)
        .find(exact)
        .or(Some(first))
}

fn journals<'a>(
    observed: &'a Observed,
    walk: &Walk,
    foreign: &dyn Fn(u32) -> bool,
    joined: &mut Joined<'a>,
) {
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
                unit: process.unit.clone(),
                opens: Vec::new(),
                template,
            }),
        }
    }
}

fn follow(followed: &mut [bool], streams: &[usize]) {
    for at in streams {
        followed[*at] = true;
    }
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
    let by_names = by_name(observed);
    let other = |seen: &Seen| {
        let same = match (&seen.file, &seen.target.sink) {
            (Some(stat), _) => by_file.get(&(stat.st_dev, stat.st_ino)),
            (None, Sink::File(path)) => by_names.get(path.as_os_str()),
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
        (None, Some(unit)) => (crate::service::UNITS, unit.clone()),
        (None, None) => ("process", name),
    }
}
