//! What is wrong with a log, from what was seen of it.

use super::{Open, type_name};
use crate::access::Access;
use crate::log::{Doubt, Evidence, Opener, Sink};
use crate::observe::{Observed, Seen};
use crate::problem::{Code, Problem, reopen_hint, shown};
use crate::rotation::Skip;
use rustix::fs::{FileType, Stat};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// An empty log that nobody wrote for this long, in seconds, is worth a look.
const LONG: i64 = 24 * 60 * 60;

/// The problems of one configured log.
pub fn problems(
    observed: &Observed,
    seen: &Seen,
    held: &[&Open],
    shared: Option<&Seen>,
) -> Vec<Problem> {
    let mut found: Vec<Problem> = doubt(seen).into_iter().collect();
    let Sink::File(path) = &seen.target.sink else {
        return found;
    };
    found.extend(suspect_name(path));
    found.extend(place(observed, seen, path, held));
    found.extend(rights(seen, path));
    found.extend(kind_of_file(seen, path));
    found.extend(open_files(seen, path, held));
    found.extend(rotation(observed, seen, path));
    found.extend(shared.map(|other| sharing(seen, other, path)));
    found
}

fn doubt(seen: &Seen) -> Option<Problem> {
    Some(match seen.target.doubt.as_ref()? {
        Doubt::Dynamic(code) => Problem::new(
            Code::DynamicConfig,
            format!("only running the configuration would tell: {code}"),
            "see what its processes have open: log-paths --open-only, or write the path out in the configuration",
        ),
        Doubt::Unresolved(name) => Problem::new(
            Code::UnresolvedVariable,
            format!("{name} has no value here"),
            "run this with the environment that the service is started with",
        ),
    })
}

/// Words that are switches elsewhere, and file names here.
fn suspect_name(path: &Path) -> Option<Problem> {
    let name = path.file_name()?.to_str()?;
    [
        "off", "on", "none", "no", "yes", "true", "false", "stdout", "stderr", "null", "syslog",
    ]
    .contains(&name)
    .then(|| {
        let message = format!("the log is a file called {name:?}: {}", shown(path));
        let hint = if name == "off" {
            "nginx has no `error_log off`; write `error_log /dev/null crit;`"
        } else {
            "write the path that was meant"
        };
        Problem::new(Code::SuspectName, message, hint)
    })
}

fn place(observed: &Observed, seen: &Seen, path: &Path, held: &[&Open]) -> Option<Problem> {
    let dir = path.parent()?;
    let user = seen
        .target
        .user
        .as_deref()
        .filter(|_| seen.target.opener != Opener::RootThenWorker)
        .unwrap_or("root");
    if seen.dir.is_none() {
        // A directory that may not be looked into is not missing.
        if !matches!(seen.writable, Access::Missing(_) | Access::Unknown) || seen.own.is_some() {
            return None;
        }
        let hint = format!(
            "log-paths --create-dirs {}, or: install -d -o {user} {}",
            seen.target.service,
            shown(dir)
        );
        return Some(Problem::new(
            Code::MissingDir,
            format!("the directory does not exist: {}", shown(dir)),
            hint,
        ));
    }
    let running = observed.walk.is_some()
        && observed
            .processes
            .values()
            .any(|process| process.service == Some(seen.target.service));
    let expected = seen.target.held && seen.target.evidence == Evidence::Config;
    (seen.file.is_none() && seen.link.is_none() && running && expected && held.is_empty()).then(
        || {
            let message = format!(
                "{} runs, and the file does not exist: {}",
                seen.target.service,
                shown(path)
            );
            Problem::new(
                Code::MissingFile,
                message,
                format!(
                    "reload {} so that it opens what its configuration names",
                    seen.target.service
                ),
            )
        },
    )
}

fn rights(seen: &Seen, path: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let user = seen.target.user.as_deref().unwrap_or("the service's user");
    let writer = if seen.target.opener == Opener::RootThenWorker {
        "root"
    } else {
        user
    };
    if let Access::No(at) = &seen.writable {
        let message = format!(
            "{writer} may not write {}: {} forbids it",
            shown(path),
            shown(at)
        );
        let hint = if at == path {
            format!("chown {writer} {}", shown(path))
        } else {
            format!("give {writer} the right to enter and write {}", shown(at))
        };
        found.push(Problem::new(Code::NotWritable, message, hint));
    }
    if let (Access::No(at), Opener::RootThenWorker, true) =
        (&seen.reopenable, seen.target.opener, seen.target.held)
    {
        let message = format!(
            "{user} may not enter {}: after a rotation it goes on writing the old file",
            shown(at)
        );
        found.push(Problem::new(
            Code::ReopenBlocked,
            message,
            format!("setfacl -m u:{user}:x {}, or chmod o+x", shown(at)),
        ));
    }
    if let Some(dir) = seen.dir.as_ref().filter(|stat| stat.st_mode & 0o002 != 0) {
        let at = path.parent().unwrap_or(path);
        let mode = dir.st_mode & 0o7777;
        let (message, hint) = if mode & 0o1000 == 0 {
            (
                format!(
                    "everybody may write {} (mode {mode:04o}), and put a link in the log's place",
                    shown(at)
                ),
                format!("chmod o-w {}", shown(at)),
            )
        } else {
            let message = format!(
                "everybody may make files in {} (mode {mode:04o}), and take the log's name first",
                shown(at)
            );
            (
                message,
                "log to a directory that only the service writes".to_owned(),
            )
        };
        found.push(Problem::new(Code::WorldWritableDir, message, hint));
    }
    found
}

fn kind_of_file(seen: &Seen, path: &Path) -> Option<Problem> {
    if let Some(target) = &seen.link {
        let message = format!("a symbolic link to {}: {}", shown(target), shown(path));
        return Some(Problem::new(
            Code::Symlink,
            message,
            "name the file itself in the configuration; logrotate passes links over",
        ));
    }
    let stat = seen.own.as_ref()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::Fifo).then(|| {
        let message = format!(
            "a FIFO: {}; whoever writes it waits for a reader",
            shown(path)
        );
        Problem::new(
            Code::Fifo,
            message,
            "remove it and let the service make a file, or log to a pipe on purpose",
        )
    })
}

fn open_files(seen: &Seen, path: &Path, held: &[&Open]) -> Vec<Problem> {
    let mut found = Vec::new();
    let service = seen.target.service;
    let own = seen.file.as_ref().map(|stat| (stat.st_dev, stat.st_ino));
    let away: Vec<&&Open> = held
        .iter()
        .filter(|open| Some(open.identity()) != own)
        .collect();
    if let Some(open) = away.iter().find(|open| open.deleted()) {
        found.push(deleted(service, path, open));
    }
    if let Some(open) = away.iter().find(|open| !open.deleted()) {
        let message = format!(
            "pid {} still writes the file that is now called {}",
            open.pid,
            shown(&open.path)
        );
        found.push(Problem::new(
            Code::RenamedOpen,
            message,
            reopen_hint(service, Some(open.pid)),
        ));
    }
    if let (Some(open), Some(_)) = (away.first(), own) {
        let message = format!(
            "the file at {} is not the one that pid {} writes",
            shown(path),
            open.pid
        );
        found.push(Problem::new(
            Code::PathReplaced,
            message,
            reopen_hint(service, Some(open.pid)),
        ));
    }
    found.extend(
        seen.file
            .as_ref()
            .filter(|_| away.is_empty() && !held.is_empty())
            .and_then(|stat| never_written(path, stat)),
    );
    found
}

fn never_written(path: &Path, stat: &Stat) -> Option<Problem> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|now| i64::try_from(now.as_secs()).ok())?;
    let age = now - stat.st_mtime;
    (stat.st_size == 0 && age > LONG).then(|| {
        let message = format!("open, empty, and not written for {} hours: {}", age / 3600, shown(path));
        Problem::new(
            Code::OpenedNeverWritten,
            message,
            "see whether another log is in use: a more specific one in the configuration takes all lines",
        )
    })
}

fn deleted(service: &str, path: &Path, open: &Open) -> Problem {
    let bytes = u64::try_from(open.stat.st_blocks).unwrap_or(0) * 512;
    let size = open.stat.st_size;
    let message = format!(
        "deleted, and pid {} still writes it: {} ({size} bytes, {bytes} held on the disk)",
        open.pid,
        shown(path)
    );
    Problem::new(
        Code::DeletedOpen,
        message,
        reopen_hint(service, Some(open.pid)),
    )
    .holding(bytes)
}

fn rotation(observed: &Observed, seen: &Seen, path: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let rotation = &seen.rotation;
    if let Some((source, why)) = &rotation.skipped {
        found.push(skipped(&source.to_string(), why, path));
    }
    if let Some((owner, group, mode)) = &rotation.unwritable_after {
        let user = seen.target.user.as_deref().unwrap_or("the service");
        let stanza = rotation
            .by
            .as_ref()
            .map(|stanza| stanza.source.to_string())
            .unwrap_or_default();
        let message = format!(
            "after a rotation {} belongs to {owner}:{group} with mode {mode:04o}, and {user} may not write it",
            shown(path)
        );
        found.push(Problem::new(
            Code::CreateOwnerMismatch,
            message,
            format!("in {stanza} write: create 0640 {user} {group}"),
        ));
    }
    match (&rotation.by, &rotation.second, &seen.target.rotates) {
        (Some(stanza), Some(second), _) => {
            let message = format!("{} and {second} both name {}", stanza.source, shown(path));
            found.push(Problem::new(
                Code::RotatedTwice,
                message,
                "take it out of one of them: logrotate reports an error and drops what follows it",
            ));
        }
        (Some(stanza), None, Some(own)) => {
            let message = format!(
                "{} rotates {} by itself, and so does logrotate ({})",
                own.by,
                shown(path),
                stanza.source
            );
            let hint = if own.by == "supervisor" {
                "set the program's logfile_maxbytes to 0, or take it out of logrotate's configuration"
            } else {
                "leave it to one of them"
            };
            found.push(Problem::new(Code::RotatedTwice, message, hint));
        }
        (None, _, None)
            if rotation.skipped.is_none() && observed.rotation_found && regular(seen) =>
        {
            let path = shown(path);
            let hint = format!(
                "add it to a file in /etc/logrotate.d: {path} {{ weekly rotate 8 missingok }}"
            );
            found.push(Problem::new(
                Code::NotRotated,
                format!("nothing rotates {path}"),
                hint,
            ));
        }
        _ => {}
    }
    found
}

/// What is not there yet will be a regular file.
fn regular(seen: &Seen) -> bool {
    seen.own
        .as_ref()
        .is_none_or(|stat| type_name(stat.st_mode) == "file")
}

fn skipped(source: &str, why: &Skip, path: &Path) -> Problem {
    let path = shown(path);
    match why {
        Skip::Ignored(reason) => Problem::new(
            Code::RotationConfigIgnored,
            format!("{source} names {path}, and logrotate ignores the file: {reason}"),
            format!(
                "chown root:root and chmod 0644 {}",
                source.rsplit_once(':').map_or(source, |(file, _)| file)
            ),
        ),
        Skip::Duplicate {
            path: duplicate,
            first,
        } => Problem::new(
            Code::RotationConfigIgnored,
            format!(
                "{source} would rotate {path}, but stops at {}, which {first} has already",
                shown(duplicate)
            ),
            format!("take {} out of one of them", shown(duplicate)),
        ),
        Skip::Link => Problem::new(
            Code::RotationSkipped,
            format!("logrotate does not rotate a symbolic link: {path} ({source})"),
            "name the file it leads to",
        ),
        Skip::HardLinks(count) => Problem::new(
            Code::RotationSkipped,
            format!("logrotate does not rotate a file with {count} names: {path} ({source})"),
            "remove the other names, or write allowhardlink",
        ),
        Skip::Insecure(dir) => Problem::new(
            Code::RotationSkipped,
            format!(
                "logrotate passes {path} over, because others can write {} ({source})",
                shown(dir)
            ),
            format!(
                "in {source} write: su USER GROUP, or chmod g-w,o-w {}",
                shown(dir)
            ),
        ),
        Skip::Irregular => Problem::new(
            Code::RotationSkipped,
            format!("logrotate rotates regular files only: {path} ({source})"),
            "make it a regular file",
        ),
    }
}

fn sharing(seen: &Seen, other: &Seen, path: &Path) -> Problem {
    let message = format!(
        "{} ({}) and {} ({}) both write {}",
        seen.target.service,
        seen.target.instance,
        other.target.service,
        other.target.instance,
        shown(path)
    );
    Problem::new(
        Code::SharedFile,
        message,
        "give each a file of its own: one of them rotates or truncates what the other still writes",
    )
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
    if open.elsewhere {
        let message = format!(
            "pid {} has a file system of its own; {} is a name in that",
            open.pid,
            shown(&open.path)
        );
        let hint = format!("look at /proc/{}/root{}", open.pid, shown(&open.path));
        found.push(Problem::new(Code::OtherNamespace, message, hint));
    }
    if open.deleted() {
        found.push(deleted(service, &open.path, open));
    } else if !open.in_place && !open.elsewhere {
        let message = format!(
            "the file at {} is not the one that pid {} writes",
            shown(&open.path),
            open.pid
        );
        found.push(Problem::new(
            Code::PathReplaced,
            message,
            reopen_hint(service, Some(open.pid)),
        ));
    } else if open.in_place {
        found.extend(never_written(&open.path, &open.stat));
    }
    found
}
