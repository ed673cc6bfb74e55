//! Makes the items of the report of the observations: each configured log joined with the processes
//! that hold it, then the logs that only processes know of. Pure: nothing is read here.

mod advice;
mod health;
mod holding;
mod join;
mod loose;
mod matching;
mod names;
mod rotate;

use crate::log::{Evidence, Opener, OwnRotation, Sink, Target};
use crate::observed::{Observed, Seen};
use crate::open::{Open, flag_names};
use crate::problem::Code;
use crate::report::{Coverage, Fault, Holder, Item, Logs, Place, Rotator, SinkName};
use crate::request::Request;
use crate::rotation::Rotated;
use base::bytes::{exact, lossy};
use base::clock::rfc3339;
use holding::Holding;
use rustix::fs::{FileType, Stat};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// What is said, and what could be done.
pub struct Plan {
    /// The report.
    pub logs: Logs,
    /// Directories that are missing, and who should own them.
    pub missing: Vec<MissingDir>,
    /// Processes that could not be looked at.
    pub closed: usize,
    /// Names for `-0` and `--plain`: existing regular files, each once.
    pub names: Vec<PathBuf>,
}

/// A directory that a log needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingDir {
    /// The directory.
    pub path: PathBuf,
    /// Who asks for it, one after the other.
    pub claims: Vec<Claim>,
}

/// A configuration that names a log in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who opens the log.
    pub user: Option<String>,
    /// The file that names it.
    pub file: Option<PathBuf>,
    /// The process that says which file that is.
    pub pid: Option<u32>,
}

/// Judges everything that was seen.
#[must_use]
pub fn plan(request: &Request, observed: &Observed) -> Plan {
    let joined = join::join(observed);
    let mut items: Vec<Item> = Vec::new();
    let mut names = Names::default();
    let shared = join::shared(observed);
    for (((seen, held), followed), shared) in observed
        .logs
        .iter()
        .zip(&joined.holding)
        .zip(&joined.followed)
        .zip(shared)
    {
        // What a standard stream leads to is the log.
        if *followed {
            continue;
        }
        items.push(configured(observed, seen, held, shared));
        if let (Sink::File(path), Some(stat)) = (&seen.target.sink, &seen.file) {
            names.add(path, stat);
        }
    }
    for group in &joined.loose {
        let item = loose::file(observed, group);
        if !request.kinds.is_empty() && !request.kinds.contains(&item.kind) {
            continue;
        }
        if let Some(open) = group.opens.iter().find(|open| open.in_place) {
            names.add(&open.path, &open.stat);
        }
        items.push(item);
    }
    items.extend(
        joined
            .journal
            .iter()
            .map(loose::journal)
            .filter(|item| request.kinds.is_empty() || request.kinds.contains(&item.kind)),
    );
    let walk = observed.walk.as_ref();
    let coverage = walk.map_or_else(Coverage::default, |walk| Coverage {
        procs_total: walk.total,
        procs_readable: walk.total - walk.closed.len(),
    });
    let logs = Logs {
        items,
        coverage,
        errors: observed.faults.iter().map(fault).collect(),
        directories: None,
    };
    Plan {
        logs,
        missing: missing(observed),
        closed: walk.map_or(0, |walk| walk.closed.len()),
        names: names.paths,
    }
}

/// Names of distinct files, in order.
#[derive(Default)]
struct Names {
    seen: std::collections::HashSet<(u64, u64)>,
    paths: Vec<PathBuf>,
}

impl Names {
    fn add(&mut self, path: &Path, stat: &Stat) {
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if regular && self.seen.insert((stat.st_dev, stat.st_ino)) {
            self.paths.push(path.to_path_buf());
        }
    }
}

fn missing(observed: &Observed) -> Vec<MissingDir> {
    let mut missing: Vec<MissingDir> = Vec::new();
    for seen in &observed.logs {
        let (Sink::File(path), None) = (&seen.target.sink, &seen.dir) else {
            continue;
        };
        let Some(dir) = path.parent().filter(|_| seen.target.root.is_none()) else {
            continue;
        };
        let user = if seen.target.opener == Opener::RootThenWorker {
            None
        } else {
            seen.target.user.clone()
        };
        let claim = Claim {
            user,
            file: seen
                .target
                .source
                .as_ref()
                .map(|source| source.file.to_path_buf()),
            pid: seen.target.pid.filter(|_| seen.target.claimed),
        };
        match missing.iter_mut().find(|known| known.path == dir) {
            Some(known) => known.claims.push(claim),
            None => missing.push(MissingDir {
                path: dir.to_path_buf(),
                claims: vec![claim],
            }),
        }
    }
    missing
}

fn fault(fault: &crate::log::Fault) -> Fault {
    let code = Code::of(&fault.error);
    Fault {
        service: fault.service.to_owned(),
        code,
        file: lossy(fault.error.file.as_os_str()),
        line: (fault.error.line > 0).then_some(fault.error.line),
        message: fault.error.message.clone(),
        fix: code.config_fix(&fault.error),
        incomplete: fault.incomplete,
    }
}

/// An item with what its target says, and nothing about files yet.
fn blank(target: &Target) -> Item {
    let (sink, path, text) = match &target.sink {
        Sink::File(path) => (SinkName::File, Some(path.clone()), None),
        Sink::Template(bytes) => (SinkName::Template, Some(path_of(bytes)), None),
        Sink::Syslog(address) => (SinkName::Syslog, None, Some(address.clone())),
        Sink::Journal => (SinkName::Journal, None, None),
        Sink::Stdio(stream) => (SinkName::Stdio, None, Some((*stream).to_owned())),
        Sink::Pipe(command) => (SinkName::Pipe, None, Some(command.clone())),
        Sink::Net(address) => (SinkName::Net, None, Some(address.clone())),
        Sink::Memory => (SinkName::Memory, None, None),
        Sink::Discard => (SinkName::Discard, None, None),
    };
    Item {
        path_b64: path.as_ref().and_then(|path| exact(path.as_os_str())),
        path: path.map(|path| lossy(path.as_os_str())),
        sink,
        target: text.filter(|text| !text.is_empty()),
        service: target.service.to_owned(),
        instance: target.instance.clone(),
        kind: target.kind,
        source: target.source.as_ref().map(Place::from),
        evidence: vec![target.evidence],
        conditional: target.conditional,
        exists: None,
        file_type: None,
        size: None,
        mtime: None,
        dev: None,
        ino: None,
        owner: None,
        group: None,
        mode: None,
        unit: target.unit.clone(),
        root: target.root.map(|pid| format!("/proc/{}/root", pid.0)),
        service_user: target.user.clone(),
        opener: target.opener,
        writable: None,
        reopenable: None,
        open_by: Vec::new(),
        rotated_by: None,
        problems: Vec::new(),
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn configured(
    observed: &Observed,
    seen: &Seen,
    holding: &Holding<'_>,
    shared: Option<&Seen>,
) -> Item {
    let mut item = blank(&seen.target);
    if let Sink::File(_) = seen.target.sink {
        item.exists = seen.looked.then_some(seen.file.is_some());
        item.writable = seen.writable.verdict();
        item.reopenable = if seen.target.held {
            seen.reopenable.verdict()
        } else {
            item.writable
        };
        item.rotated_by = rotator(
            &seen.rotation,
            seen.target.rotates.as_ref(),
            rotate::reopened(seen),
        );
        if let Some(stat) = seen.file.as_ref().or(seen.own.as_ref()) {
            describe(&mut item, stat, observed);
        }
        item.file_type = seen.own.as_ref().map(|stat| type_name(stat.st_mode));
    }
    item.open_by = holding
        .held
        .iter()
        .chain(&holding.away)
        .map(|open| holder(open))
        .collect();
    if !item.open_by.is_empty() {
        item.evidence.push(Evidence::Open);
    }
    item.problems = health::problems(observed, seen, holding, shared);
    item
}

fn holder(open: &Open) -> Holder {
    Holder {
        pid: open.pid,
        fd: open.fd,
        flags: flag_names(open.flags),
        deleted: open.deleted(),
    }
}

fn rotator(
    rotation: &Rotated,
    own: Option<&OwnRotation>,
    reopened: Option<bool>,
) -> Option<Rotator> {
    if let Some(stanza) = &rotation.by {
        return Some(Rotator {
            tool: "logrotate",
            file: Some(lossy(stanza.source.file.as_os_str())),
            line: Some(stanza.source.line),
            create: stanza.creation().map(|create| create.text.clone()),
            su: stanza
                .su
                .as_ref()
                .map(|(user, group)| format!("{user} {group}")),
            copytruncate: stanza.copy_truncate,
            reopened: if stanza.renames() {
                reopened
            } else {
                Some(true)
            },
        });
    }
    own.map(|own| Rotator {
        tool: own.by,
        file: own
            .source
            .as_ref()
            .map(|source| lossy(source.file.as_os_str())),
        line: own
            .source
            .as_ref()
            .filter(|source| source.line > 0)
            .map(|source| source.line),
        create: None,
        su: None,
        copytruncate: false,
        reopened: Some(true),
    })
}

fn describe(item: &mut Item, stat: &Stat, observed: &Observed) {
    item.file_type = Some(type_name(stat.st_mode));
    item.size = u64::try_from(stat.st_size).ok();
    item.mtime = time(stat);
    item.dev = Some(stat.st_dev);
    item.ino = Some(stat.st_ino);
    item.owner = Some(observed.names.user(stat.st_uid));
    item.group = Some(observed.names.group(stat.st_gid));
    item.mode = Some(format!("{:04o}", stat.st_mode & 0o7777));
}

fn time(stat: &Stat) -> Option<String> {
    let seconds = u64::try_from(stat.st_mtime).ok()?;
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .map(rfc3339)
}

fn type_name(mode: u32) -> &'static str {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "symlink",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        FileType::Unknown => "unknown",
    }
}

/// Every problem of every log.
#[must_use]
pub fn problems(logs: &Logs) -> usize {
    logs.items.iter().map(|item| item.problems.len()).sum()
}
