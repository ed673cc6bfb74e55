//! Which process should hold a log, and which file the process holds instead.

use crate::log::{Evidence, Kind, Reopen, Sink};
use crate::observed::{Observed, Seen};
use crate::open::Open;
use crate::problem::{Code, Problem, shown};
use crate::service;
use base::Fix;
use rustix::fs::Stat;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// An empty log that nobody wrote for this long, in seconds, is worth a look.
const LONG: i64 = 24 * 60 * 60;

/// The writers of one configured log.
#[derive(Clone, Debug, Default)]
pub struct Holding<'a> {
    /// Descriptors of the log's own file.
    pub held: Vec<&'a Open>,
    /// Descriptors of files that were the log before: deleted, renamed or replaced.
    pub away: Vec<&'a Open>,
    /// The main process of a service that runs, whose files could all be seen, and that should hold
    /// the log.
    pub expected: Option<u32>,
    /// Another log of the same configuration, deeper in it, that was written while this one was
    /// not.
    pub shadowed: bool,
}

/// What is wrong with the writers of a log. One cause is one problem: the deleted file before the
/// renamed one before the missing one.
pub fn problems(seen: &Seen, path: &Path, holding: &Holding<'_>) -> Option<Problem> {
    let service = seen.target.service;
    if let Some(open) = holding.away.iter().find(|open| open.deleted()) {
        return Some(deleted(service, seen.target.pid, path, open));
    }
    let own = seen.file.as_ref().map(|stat| (stat.st_dev, stat.st_ino));
    if let Some(open) = holding.away.first() {
        let message = format!(
            "pid {} still writes the file that is now called {}",
            open.pid,
            shown(&open.path)
        );
        let code = if open.path == path && own.is_some() {
            Code::PathReplaced
        } else {
            Code::RenamedOpen
        };
        return Some(Problem::new(
            code,
            message,
            reopen(service, seen.target.pid, open.pid),
        ));
    }
    if let (Some(pid), true) = (holding.expected, holding.held.is_empty()) {
        if seen.dir.is_none() && seen.looked {
            return None;
        }
        let (code, message) = if seen.file.is_none() {
            let what = "runs, and the file does not exist";
            (
                Code::MissingFile,
                format!("{service} (pid {pid}) {what}: {}", shown(path)),
            )
        } else {
            let what = "runs, and does not have its log open";
            (
                Code::PathReplaced,
                format!("{service} (pid {pid}) {what}: {}", shown(path)),
            )
        };
        let fix = if seen.newer {
            reload(seen, pid)
        } else {
            reopen(service, Some(pid), pid)
        };
        return Some(Problem::new(code, message, fix));
    }
    let stat = seen
        .file
        .as_ref()
        .filter(|_| !holding.held.is_empty() && holding.shadowed)?;
    never_written(path, stat)
}

/// A log that is open, empty, and old.
fn never_written(path: &Path, stat: &Stat) -> Option<Problem> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let age = i64::try_from(now.as_secs()).ok()? - stat.st_mtime;
    (stat.st_size == 0 && age > LONG).then(|| {
        let message = format!(
            "open, empty, and not written for {} hours, while a log deeper in the configuration is: {}",
            age / 3600,
            shown(path)
        );
        let fix = "take the log out, or the more specific one that takes all lines";
        Problem::new(Code::OpenedNeverWritten, message, Fix::advice(fix))
    })
}

/// Is a log of the same file of the configuration, deeper in it, the one that is written?
pub fn shadowed(observed: &Observed, seen: &Seen) -> bool {
    let Some(stat) = seen.file.as_ref().filter(|stat| stat.st_size == 0) else {
        return false;
    };
    let file = seen.target.source.as_ref().map(|source| &source.file);
    seen.target.kind == Kind::Access
        && seen.target.evidence == Evidence::Config
        && observed.logs.iter().any(|other| {
            other.target.service == seen.target.service
                && other.target.instance == seen.target.instance
                && other.target.kind == Kind::Access
                && other.target.depth > seen.target.depth
                && other.target.source.as_ref().map(|source| &source.file) == file
                && matches!(other.target.sink, Sink::File(_))
                && other
                    .file
                    .as_ref()
                    .is_some_and(|written| written.st_size > 0 && written.st_mtime > stat.st_mtime)
        })
}

/// A file without a name that is still written.
pub fn deleted(service: &str, main: Option<u32>, path: &Path, open: &Open) -> Problem {
    let bytes = u64::try_from(open.stat.st_blocks).unwrap_or(0) * 512;
    let size = open.stat.st_size;
    let message = format!(
        "deleted, and pid {} still writes the file: {} ({size} bytes, {bytes} held on the disk)",
        open.pid,
        shown(path)
    );
    Problem::new(Code::DeletedOpen, message, reopen(service, main, open.pid)).holding(bytes)
}

/// How a service that runs is made to open its logs again.
pub fn reopen(service: &str, main: Option<u32>, writer: u32) -> Fix {
    let row = service::named(service);
    let how: &Reopen = row.map_or(&Reopen::RESTART, |row| &row.reopen);
    let pid = main.unwrap_or(writer);
    match how.signals.first() {
        Some(signal) => Fix::advice(format!("make {service} open its logs again"))
            .shell("root", format!("kill -{signal} {pid}")),
        None => Fix::advice(format!(
            "restart the program that runs as pid {pid}: it opens its logs only when it starts"
        )),
    }
}

/// How a service that runs is made to read its configuration.
fn reload(seen: &Seen, pid: u32) -> Fix {
    let service = seen.target.service;
    let row = service::named(service);
    let how: &Reopen = row.map_or(&Reopen::RESTART, |row| &row.reopen);
    let fix = Fix::advice(format!(
        "{service} was started before its configuration was written: let it read the configuration"
    ));
    match &seen.target.unit {
        Some(unit) if how.reload => fix.command("root", &["systemctl", "reload", unit]),
        Some(unit) => fix.command("root", &["systemctl", "restart", unit]),
        None if how.signals.contains(&"HUP") => fix.shell("root", format!("kill -HUP {pid}")),
        None => Fix::advice(format!(
            "restart {service}: it was started before its configuration was written"
        )),
    }
}

/// The problems of a file that only processes know of.
pub fn loose(observed: &Observed, opens: &[&Open]) -> Vec<Problem> {
    let mut found = Vec::new();
    let Some(open) = opens.first() else {
        return found;
    };
    let service = observed
        .processes
        .get(&open.pid)
        .and_then(|process| process.service)
        .unwrap_or("process");
    if open.deleted() {
        found.push(deleted(service, None, &open.path, open));
    } else if open.foreign {
        let message = format!(
            "pid {} has a file system of its own; {} is a name in that",
            open.pid,
            shown(&open.path)
        );
        let inside = format!("/proc/{}/root{}", open.pid, open.path.to_string_lossy());
        let fix = Fix::advice("look at the file in the file system of the process")
            .command("root", &["ls", "-l", &inside]);
        found.push(Problem::new(Code::OtherNamespace, message, fix));
    } else if !open.in_place {
        let message = format!(
            "the file at {} is not the one that pid {} writes",
            shown(&open.path),
            open.pid
        );
        let fix = reopen(service, None, open.pid);
        found.push(Problem::new(Code::PathReplaced, message, fix));
    }
    found
}
