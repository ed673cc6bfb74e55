//! Whether a log's rotation is true: logrotate accepts the stanza, something runs logrotate, and no
//! line is lost.

use super::advice::{self, Way};
use super::holding::Holding;
use crate::log::{Reopen, Service};
use crate::observed::{Observed, Seen};
use crate::open::Open;
use crate::problem::{Code, Problem, shown};
use crate::rotation::{Action, Mend, Refusal, Rotated, Schedule, Skip, Stanza, Verb, Whom};
use crate::service::{self, SERVICES};
use base::Fix;
use base::shell::quoted;
use std::path::Path;

/// What is wrong with a log's rotation.
pub fn problems(
    observed: &Observed,
    seen: &Seen,
    path: &Path,
    holding: &Holding<'_>,
) -> Vec<Problem> {
    let mut found = Vec::new();
    let rotation = &seen.rotation;
    if let Some((stanza, why)) = &rotation.skipped {
        found.push(skipped(seen, stanza, why, path));
    }
    if let Some(stanza) = &rotation.by {
        found.extend(owner(seen, stanza, path));
        found.extend(loses(seen, stanza, path, holding));
        found.extend(never(observed, path));
    }
    found.extend(twice(seen, path));
    let by_nobody = rotation.by.is_none() && rotation.skipped.is_none();
    if by_nobody && seen.target.rotates.is_none() && seen.is_regular() {
        let shown = shown(path);
        let message = if observed.logrotate.installed {
            format!("nothing rotates {shown}")
        } else {
            format!("logrotate is not installed, and nothing rotates {shown}")
        };
        let fix = advice::new_stanza(observed, seen, path, holding);
        found.push(Problem::new(Code::NotRotated, message, fix));
    }
    found
}

/// What is wrong with the rotation of a log that only its processes know of.
pub fn loose(observed: &Observed, open: &Open, rotation: &Rotated) -> Vec<Problem> {
    let mut found = Vec::new();
    if rotation.by.is_some() {
        found.extend(never(observed, &open.path));
    } else if let Some((stanza, Skip::Refused(refusal))) = &rotation.skipped {
        let message = format!(
            "logrotate skips the stanza at {} that names {}: {}: {}",
            stanza.source,
            shown(&open.path),
            refusal.source,
            refusal.message
        );
        let fix = Fix::advice(format!("correct {}", refusal.source));
        found.push(Problem::new(Code::RotationRefused, message, fix));
    }
    found
}

/// The new file belongs to somebody else.
fn owner(seen: &Seen, stanza: &Stanza, path: &Path) -> Option<Problem> {
    let (owner, group, mode) = seen.rotation.unwritable_after.as_ref()?;
    let user = match (&seen.target.by, &seen.target.user) {
        (Some(user), _) | (None, Some(user)) => user.as_str(),
        _ => "the service",
    };
    let message = format!(
        "after a rotation {} belongs to {owner}:{group} with mode {mode:04o}, and {user} may not write the file",
        shown(path)
    );
    let line = format!("    create 0640 {user} {group}");
    let fix = Fix::advice(format!("let logrotate make the new file for {user}"));
    Some(Problem::new(
        Code::CreateOwnerMismatch,
        message,
        add(fix, stanza, &[&line]),
    ))
}

/// Two rotate the log.
fn twice(seen: &Seen, path: &Path) -> Option<Problem> {
    let stanza = seen.rotation.by.as_ref()?;
    if let Some(second) = &seen.rotation.second {
        let message = format!("{} and {second} both name {}", stanza.source, shown(path));
        let fix =
            "take the log out of one of them: logrotate reports an error and drops what follows";
        return Some(Problem::new(Code::RotatedTwice, message, Fix::advice(fix)));
    }
    let own = seen.target.rotates.as_ref()?;
    let message = format!(
        "{} rotates {} by itself, and so does logrotate ({})",
        own.by,
        shown(path),
        stanza.source
    );
    let fix = format!(
        "{}, or take the log out of logrotate's configuration",
        own.off
    );
    Some(Problem::new(Code::RotatedTwice, message, Fix::advice(fix)))
}

/// Nothing runs logrotate.
fn never(observed: &Observed, path: &Path) -> Option<Problem> {
    use crate::rotation::Remedy;
    let Some(Schedule::Never(why, remedy)) = &observed.logrotate.schedule else {
        return None;
    };
    let message = format!(
        "logrotate does not run, and leaves {} as it is: {why}",
        shown(path)
    );
    let fix = match remedy {
        Remedy::Timer => Fix::advice("enable the timer")
            .shell("root", "systemctl unmask logrotate.timer")
            .shell("root", "systemctl enable --now logrotate.timer"),
        Remedy::Cron => Fix::advice("start the cron daemon").shell("root", "service cron start"),
        Remedy::Look => Fix::advice("run logrotate by hand, and see what it says")
            .shell("root", "logrotate -v /etc/logrotate.conf"),
    };
    Some(Problem::new(Code::RotationNeverRuns, message, fix))
}

/// The writer goes on writing the old file, or leaves a hole in the new one.
fn loses(seen: &Seen, stanza: &Stanza, path: &Path, holding: &Holding<'_>) -> Option<Problem> {
    let target = &seen.target;
    if stanza.copy_truncate {
        let hole = advice::appends(seen, holding) == Some(false) && target.held;
        return hole.then(|| {
            let message = format!(
                "{} empties {} under a writer that does not append: the writer goes on at its old place, and leaves a hole",
                stanza.source,
                shown(path)
            );
            let fix = "let the writer open the log for appending (>> for >, append: for file:)";
            Problem::new(Code::RotationLosesLines, message, Fix::advice(fix))
        });
    }
    if !stanza.renames() || reopened(seen) != Some(false) {
        return None;
    }
    let what = if seen.rotation.actions.is_empty() {
        "has no postrotate script"
    } else {
        "has a postrotate script for something else"
    };
    let message = format!(
        "after a rotation {} goes on writing the renamed file: the stanza at {} {what}",
        target.service, stanza.source
    );
    let fix = match advice::way(seen, holding) {
        Way::Command(command) if seen.rotation.actions.is_empty() => {
            let fix = Fix::advice(format!("make {} open the new file", target.service));
            let line = format!("        {}", command.replace('\\', "\\\\"));
            add(fix, stanza, &["    postrotate", &line, "    endscript"])
        }
        Way::Restart(why) => Fix::advice(format!("let the writer append: {why}")),
        _ => add(
            Fix::advice("let logrotate copy the log and empty it"),
            stanza,
            &["    copytruncate"],
        ),
    };
    Some(Problem::new(Code::RotationLosesLines, message, fix))
}

/// Lines for a stanza: typed where its brace ends a line, else told.
fn add(fix: Fix, stanza: &Stanza, lines: &[&str]) -> Fix {
    let file = &stanza.source.file;
    if stanza.closed.is_some_and(|closed| closed > stanza.opened) {
        return advice::insert(fix, file, stanza.opened, lines);
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    fix.edit(
        "root",
        format!("{}: add, a line each: {}", stanza.source, lines.join("; ")),
    )
}

/// Does the stanza's script make the log's writer open the new file? `None` where a command is not
/// understood.
pub fn reopened(seen: &Seen) -> Option<bool> {
    let target = &seen.target;
    if !target.held || target.watched {
        return Some(true);
    }
    let service = service::named(target.service);
    let mut unknown = false;
    for action in &seen.rotation.actions {
        match effect(seen, service, action) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    if unknown { None } else { Some(false) }
}

/// What one command of a script does to the log's writer.
fn effect(seen: &Seen, service: Option<&Service>, action: &Action) -> Option<bool> {
    let how: &Reopen = service.map_or(&Reopen::RESTART, |service| &service.reopen);
    let unit = seen
        .target
        .unit
        .as_deref()
        .map(|unit| unit.trim_end_matches(".service"));
    // Is a name the service's own, another's, or unknown?
    let own = |name: &str| {
        let name = name.trim_end_matches(".service");
        if how.names.contains(&name) || unit == Some(name) {
            Some(true)
        } else if unit.is_some() || others(how, name) {
            Some(false)
        } else {
            None
        }
    };
    match action {
        Action::Unknown(_) => None,
        Action::Program(words) => {
            if (how.command)(words) {
                return Some(true);
            }
            let name = words.first().map_or("", String::as_str);
            if name == "rsyslog-rotate" || others(how, name) {
                Some(false)
            } else {
                None
            }
        }
        Action::Unit(verb, name) => match own(name)? {
            true => Some(*verb != Verb::Reload || how.reload),
            false => Some(false),
        },
        Action::Signal(signal, whom) => {
            let ours = match whom {
                Whom::PidFile(file) => {
                    if seen.target.pid_file.as_ref() == Some(file) {
                        Some(true)
                    } else {
                        let stem = file.file_stem().map(|stem| stem.to_string_lossy());
                        stem.and_then(|stem| own(&stem))
                    }
                }
                Whom::Pid(pid) => seen.target.pid.map(|own| own == *pid),
                Whom::Name(name) | Whom::Unit(name) => own(name),
            };
            match ours? {
                true => Some(how.signals.contains(&signal.as_str())),
                false => Some(false),
            }
        }
    }
}

/// Is this a name of another service that is known here?
fn others(how: &Reopen, name: &str) -> bool {
    SERVICES
        .iter()
        .any(|service| service.reopen.names.contains(&name) && !how.names.contains(&name))
}

fn skipped(seen: &Seen, stanza: &Stanza, why: &Skip, path: &Path) -> Problem {
    let source = &stanza.source;
    let file = source.file.to_string_lossy().into_owned();
    let path = shown(path);
    match why {
        Skip::Refused(refusal) => refused(seen, stanza, refusal, &path),
        Skip::Ignored(reason) => Problem::new(
            Code::RotationConfigIgnored,
            format!("{source} names {path}, and logrotate ignores the file: {reason}"),
            Fix::advice("give the file to root alone")
                .command("root", &["chown", "root:root", &file])
                .command("root", &["chmod", "0644", &file]),
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
            Fix::advice(format!("take {} out of one of them", shown(duplicate))),
        ),
        Skip::Link => Problem::new(
            Code::RotationSkipped,
            format!("logrotate does not rotate a symbolic link: {path} ({source})"),
            Fix::advice("name the file that the link leads to"),
        ),
        Skip::HardLinks(count) => Problem::new(
            Code::RotationSkipped,
            format!("logrotate does not rotate a file with {count} names: {path} ({source})"),
            add(
                Fix::advice("remove the other names, or allow them"),
                stanza,
                &["    allowhardlink"],
            ),
        ),
        Skip::Insecure(dir) => {
            let message = format!(
                "logrotate passes {path} over, because others can write {} ({source})",
                shown(dir)
            );
            let dir = quoted(&dir.to_string_lossy());
            let chmod =
                Fix::advice("take the right to write the directory from its group and others")
                    .shell("root", format!("chmod g-w,o-w {dir}"));
            let fix = match &seen.rotation.su {
                Some((user, group)) => add(
                    Fix::advice(format!("let logrotate rotate as {user}")),
                    stanza,
                    &[&format!("    su {user} {group}")],
                )
                .or(chmod),
                None => chmod,
            };
            Problem::new(Code::RotationSkipped, message, fix)
        }
        Skip::Irregular => Problem::new(
            Code::RotationSkipped,
            format!("logrotate rotates regular files only: {path} ({source})"),
            Fix::advice("make the log a regular file"),
        ),
        Skip::Set(other, what) => Problem::new(
            Code::RotationSkipped,
            format!(
                "logrotate rotates no file of {source}, because of {}: {what}, and the stanza has sharedscripts",
                shown(other)
            ),
            if *what == "it does not exist" {
                add(
                    Fix::advice("let the file be missing"),
                    stanza,
                    &["    missingok"],
                )
            } else {
                Fix::advice(format!(
                    "put {} into a stanza of its own, with su",
                    shown(other)
                ))
            },
        ),
    }
}

/// logrotate's own refusal.
fn refused(seen: &Seen, stanza: &Stanza, refusal: &Refusal, path: &str) -> Problem {
    let what = if refusal.whole_file {
        "the rest of the file"
    } else {
        "the stanza"
    };
    let message = format!(
        "logrotate skips {what} that names {path} ({}): {}: {}",
        stanza.source, refusal.source, refusal.message
    );
    let (file, line) = (&*refusal.source.file, refusal.source.line);
    let advice = Fix::advice(format!("correct line {line} of {}", file.display()));
    let fix = match &refusal.mend {
        Some(Mend::Replace(lines)) => {
            let lines: Vec<String> = lines
                .iter()
                .map(|line| line.replace('\\', "\\\\"))
                .collect();
            advice::replace(advice, file, line, &lines)
        }
        Some(Mend::Before(text)) => advice::before(advice, file, line, text),
        Some(Mend::Directory(dir)) => Fix::advice("make the directory for the old logs")
            .command("root", &["install", "-d", &dir.to_string_lossy()]),
        Some(Mend::CopyTruncate) => add(
            Fix::advice("let logrotate copy the log: the old logs are on another device"),
            stanza,
            &["    copytruncate"],
        ),
        Some(Mend::Account(directive)) => account(seen, advice, file, line, directive),
        None => advice.edit("root", format!("{}: {}", refusal.source, refusal.message)),
    };
    Problem::new(Code::RotationRefused, message, fix)
}

/// `create` or `su` names an account that is not there: the log's own owner is.
fn account(seen: &Seen, fix: Fix, file: &Path, line: usize, directive: &str) -> Fix {
    let owner = seen.owner.clone().filter(|_| directive != "createolddir");
    let Some((user, group)) = owner else {
        return fix.edit(
            "root",
            format!("{}:{line}: name an account that exists", file.display()),
        );
    };
    let text = if directive == "su" {
        format!("    su {user} {group}")
    } else {
        format!("    create 0640 {user} {group}")
    };
    advice::replace(fix, file, line, &[text])
}
