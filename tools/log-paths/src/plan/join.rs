//! Which open files belong to which configured log: by device and inode first, then by name, then by the name a rotation would give.

use crate::log::Sink;
use crate::observe::{Observed, Seen};
use crate::open::Open;
use crate::process::Process;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The join.
pub struct Joined<'a> {
    /// For each configured log, who holds it.
    pub held: Vec<Vec<&'a Open>>,
    /// Files that belong to no configured log.
    pub loose: Vec<Loose<'a>>,
}

/// One file that only processes know of.
pub struct Loose<'a> {
    /// The service.
    pub service: &'static str,
    /// Which one of it.
    pub instance: String,
    /// The descriptors.
    pub opens: Vec<&'a Open>,
    /// The template its name comes from.
    pub template: Option<&'a Seen>,
}

/// Joins open files with configured logs.
pub fn join(observed: &Observed) -> Joined<'_> {
    let mut joined = Joined { held: observed.logs.iter().map(|_| Vec::new()).collect(), loose: Vec::new() };
    let Some(walk) = &observed.walk else { return joined };
    let by_file = index(observed);
    let by_name = names(observed);
    let mut loose: HashMap<(u64, u64), usize> = HashMap::new();
    for open in &walk.open {
        let process = observed.processes.get(&open.pid);
        let service = process.and_then(|process| process.service);
        let found = by_file.get(&open.identity()).cloned().unwrap_or_default();
        let found =
            if found.is_empty() && !open.elsewhere { by_name.get(open.path.as_os_str()).cloned().unwrap_or_default() } else { found };
        let found = if found.is_empty() && !open.elsewhere { renamed(observed, open, service) } else { found };
        if !found.is_empty() {
            for at in best(observed, found, service) {
                joined.held[at].push(open);
            }
            continue;
        }
        let next = joined.loose.len();
        let at = *loose.entry(open.identity()).or_insert(next);
        if at == next {
            let (service, instance) = process.map_or(("process", open.pid.to_string()), belongs);
            joined.loose.push(Loose { service, instance, opens: Vec::new(), template: None });
        }
        let known = joined.loose[at].service;
        joined.loose[at].template = joined.loose[at].template.or_else(|| template(observed, open, known));
        joined.loose[at].opens.push(open);
    }
    joined
}

fn index(observed: &Observed) -> HashMap<(u64, u64), Vec<usize>> {
    let mut index: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    for (at, seen) in observed.logs.iter().enumerate() {
        if let Some(stat) = &seen.file {
            index.entry((stat.st_dev, stat.st_ino)).or_default().push(at);
        }
    }
    index
}

fn names(observed: &Observed) -> HashMap<&OsStr, Vec<usize>> {
    let mut names: HashMap<&OsStr, Vec<usize>> = HashMap::new();
    for (at, seen) in observed.logs.iter().enumerate() {
        if let Sink::File(path) = &seen.target.sink {
            names.entry(path.as_os_str()).or_default().push(at);
        }
    }
    names
}

/// Of several logs with one file, those of the process's own service, or all where none is.
fn best(observed: &Observed, found: Vec<usize>, service: Option<&'static str>) -> Vec<usize> {
    let own: Vec<usize> = found.iter().copied().filter(|at| Some(observed.logs[*at].target.service) == service).collect();
    if own.is_empty() { found } else { own }
}

/// `access.log.1`, `access.log-20261121`: what a rotation makes of `access.log`, still written by the same service.
fn renamed(observed: &Observed, open: &Open, service: Option<&'static str>) -> Vec<usize> {
    let name = open.path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
    let fits = |seen: &Seen| {
        let Sink::File(path) = &seen.target.sink else { return false };
        let base = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
        Some(seen.target.service) == service
            && seen.target.held
            && matches!(name.strip_prefix(base), Some([b'.' | b'-', rest @ ..]) if rest.first().is_some_and(u8::is_ascii_digit))
            && (path.parent() == open.path.parent() || open.path.parent().and_then(Path::parent) == path.parent())
    };
    observed.logs.iter().enumerate().filter(|(_, seen)| fits(seen)).map(|(at, _)| at).collect()
}

/// The log of the same service that could be this file: a template of its name, or the standard stream that somebody made a file.
fn template<'a>(observed: &'a Observed, open: &Open, service: &str) -> Option<&'a Seen> {
    observed.logs.iter().filter(|seen| seen.target.service == service && seen.target.doubt.is_none()).find(|seen| match &seen.target.sink {
        Sink::Template(template) => could_be(template, open.path.as_os_str().as_bytes()),
        Sink::Stdio(stream) => open.fd == if *stream == "stdout" { 1 } else { 2 },
        _ => false,
    })
}

/// Do the fixed parts of a template stand in a name, in order, the first and the last at its ends?
fn could_be(template: &[u8], name: &[u8]) -> bool {
    let parts = fixed(template);
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    let Some(mut rest) = name.strip_prefix(first.as_slice()) else { return false };
    for part in &parts[1..] {
        let Some(at) = rest.windows(part.len().max(1)).position(|window| window.starts_with(part)) else { return part.is_empty() };
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
            b'$' if rest.first() == Some(&b'{') => rest.iter().position(|byte| *byte == b'}').map_or(0, |end| end + 1),
            b'$' => rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count(),
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
    if observed.logs.windows(2).all(|pair| same_writer(&pair[0], &pair[1])) {
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
        same.into_iter().flatten().filter_map(|at| observed.logs.get(*at)).find(apart)
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
        assert!(could_be(b"/l/$host.access.log", b"/l/example.org.access.log"));
        assert!(could_be(b"/l/pg-%Y-%m-%d.log", b"/l/pg-2026-11-21.log"));
        assert!(could_be(b"/l/${a}x$b", b"/l/1x2"));
        assert!(!could_be(b"/l/$host.log", b"/m/a.log"));
        assert!(!could_be(b"/l/$host.log", b"/l/a.txt"));
    }
}
