//! What is wrong with a log, from what was seen of it: its place, its rights, its kind, its
//! writers, its rotation.

use super::holding::{self, Holding};
use super::rotate;
use crate::access::Access;
use crate::log::{Doubt, Opener, Sink};
use crate::observed::{Observed, Seen};
use crate::problem::{Code, Problem, shown};
use base::Fix;
use base::shell::quoted;
use rustix::fs::FileType;
use std::path::Path;

/// The problems of one configured log.
pub fn problems(
    observed: &Observed,
    seen: &Seen,
    holding: &Holding<'_>,
    shared: Option<&Seen>,
) -> Vec<Problem> {
    let mut found: Vec<Problem> = doubt(seen).into_iter().collect();
    let Sink::File(path) = &seen.target.sink else {
        return found;
    };
    found.extend(suspect_name(path));
    found.extend(missing_dir(seen, path));
    found.extend(rights(seen, path));
    found.extend(kind_of_file(seen, path));
    found.extend(holding::problems(seen, path, holding));
    found.extend(rotate::problems(observed, seen, path, holding));
    found.extend(shared.map(|other| sharing(seen, other, path)));
    found
}

fn doubt(seen: &Seen) -> Option<Problem> {
    Some(match seen.target.doubt.as_ref()? {
        Doubt::Dynamic(code) => Problem::new(
            Code::DynamicConfig,
            format!("only running the configuration would tell the path: {code}"),
            Fix::advice(
                "write the path out in the configuration, or see what the processes have open",
            )
            .shell("root", "log-paths --open-only"),
        ),
        Doubt::Unresolved(name) => Problem::new(
            Code::UnresolvedVariable,
            format!("'{name}' has no value here"),
            Fix::advice(format!(
                "set {name} where the service is started, and for log-paths"
            )),
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
        let message = format!("the log is a file called '{name}': {}", shown(path));
        let fix = if name == "off" {
            "nginx has no `error_log off`: write `error_log /dev/null crit;`"
        } else {
            "write the path that was meant"
        };
        Problem::new(Code::SuspectName, message, Fix::advice(fix))
    })
}

fn missing_dir(seen: &Seen, path: &Path) -> Option<Problem> {
    let dir = path.parent()?;
    // A directory that may not be looked into is not missing.
    if seen.dir.is_some() || seen.own.is_some() || !seen.looked {
        return None;
    }
    let user = seen
        .target
        .user
        .as_deref()
        .filter(|_| seen.target.opener != Opener::RootThenWorker)
        .unwrap_or("root");
    let fix = Fix::advice(format!("make the directory for {user}")).command(
        "root",
        &["install", "-d", "-o", user, &dir.to_string_lossy()],
    );
    Some(Problem::new(
        Code::MissingDir,
        format!("the directory does not exist: {}", shown(dir)),
        fix,
    ))
}

fn rights(seen: &Seen, path: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let user = seen.target.user.as_deref().unwrap_or("the service's user");
    let writer = match (&seen.target.by, seen.target.opener) {
        (_, Opener::RootThenWorker) => "root",
        (Some(by), _) => by,
        (None, _) => user,
    };
    if let Access::No(at) = &seen.writable {
        let message = format!(
            "{writer} may not write {}: {} forbids it",
            shown(path),
            shown(at)
        );
        let bits = if at == path { "rw" } else { "rwx" };
        let bits = if path.parent() == Some(at) || at == path {
            bits
        } else {
            "x"
        };
        let fix = Fix::advice(format!("let {writer} write the log")).command(
            "root",
            &[
                "setfacl",
                "-m",
                &format!("u:{writer}:{bits}"),
                &at.to_string_lossy(),
            ],
        );
        found.push(Problem::new(Code::NotWritable, message, fix));
    }
    if let (Access::No(at), Opener::RootThenWorker, true) =
        (&seen.reopenable, seen.target.opener, seen.target.held)
    {
        let message = format!(
            "{user} may not enter {}: after a rotation the workers go on writing the old file",
            shown(at)
        );
        let fix = Fix::advice(format!("let {user} enter the directory")).command(
            "root",
            &[
                "setfacl",
                "-m",
                &format!("u:{user}:x"),
                &at.to_string_lossy(),
            ],
        );
        found.push(Problem::new(Code::ReopenBlocked, message, fix));
    }
    if let Some(dir) = seen.dir.as_ref().filter(|stat| stat.st_mode & 0o002 != 0) {
        let at = path.parent().unwrap_or(path);
        let mode = dir.st_mode & 0o7777;
        let (message, fix) = if mode & 0o1000 == 0 {
            (
                format!(
                    "everybody may write {} (mode {mode:04o}), and put a link in the log's place",
                    shown(at)
                ),
                Fix::advice("take the right to write from others").shell(
                    "root",
                    format!("chmod o-w {}", quoted(&at.to_string_lossy())),
                ),
            )
        } else {
            let message = format!(
                "everybody may make files in {} (mode {mode:04o}), and take the log's name first",
                shown(at)
            );
            (
                message,
                Fix::advice("log to a directory that only the service writes"),
            )
        };
        found.push(Problem::new(Code::WorldWritableDir, message, fix));
    }
    found
}

fn kind_of_file(seen: &Seen, path: &Path) -> Option<Problem> {
    if let Some(target) = &seen.link {
        let message = format!("a symbolic link to {}: {}", shown(target), shown(path));
        let fix = "name the file itself in the configuration: logrotate passes links over";
        return Some(Problem::new(Code::Symlink, message, Fix::advice(fix)));
    }
    let stat = seen.own.as_ref()?;
    (FileType::from_raw_mode(stat.st_mode) == FileType::Fifo).then(|| {
        let message = format!(
            "a FIFO: {}; whoever writes it waits for a reader",
            shown(path)
        );
        let fix = "remove the FIFO and let the service make a file";
        Problem::new(Code::Fifo, message, Fix::advice(fix))
    })
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
    let fix =
        "give each a file of its own: one of them rotates or truncates what the other still writes";
    Problem::new(Code::SharedFile, message, Fix::advice(fix))
}
