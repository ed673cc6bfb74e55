//! The stanza to write for a log that nothing rotates, and the lines that mend one that is wrong:
//! such as logrotate accepts, and such as make this log's writer write the new file.

use super::holding::Holding;
use crate::log::{Reopen, Sink};
use crate::observed::{Observed, Seen};
use crate::service;
use base::Fix;
use base::shell::quoted;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How the log's writer comes to the new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By itself: it opens the file for each line, or looks whether the name still leads to its
    /// file.
    Itself,
    /// A command after the rotation.
    Command(String),
    /// The file stays: it is copied and emptied.
    CopyTruncate,
    /// Only a restart helps; why.
    Restart(String),
}

/// The best way for a log.
pub fn way(seen: &Seen, holding: &Holding<'_>) -> Way {
    let target = &seen.target;
    if !target.held || target.watched {
        return Way::Itself;
    }
    let how: &Reopen =
        service::named(target.service).map_or(&Reopen::RESTART, |service| &service.reopen);
    // As another user than root the script could not send the signal.
    if let (Some(signal), false) = (how.signals.first(), seen.rotation.insecure) {
        if let Some(file) = &target.pid_file {
            let file = quoted(&file.to_string_lossy());
            return Way::Command(format!(
                "[ ! -f {file} ] || kill -{signal} \"$(cat {file})\""
            ));
        }
        if let Some(unit) = &target.unit {
            let unit = quoted(unit);
            return Way::Command(format!(
                "systemctl kill --kill-who=main --signal={signal} {unit}"
            ));
        }
    }
    match appends(seen, holding) {
        Some(false) => Way::Restart(format!(
            "{} writes the log at an offset of its own, not at the end: copytruncate leaves a hole",
            target.service
        )),
        _ => Way::CopyTruncate,
    }
}

/// Is the log open for appending?
pub fn appends(seen: &Seen, holding: &Holding<'_>) -> Option<bool> {
    let mut flags = holding.held.iter().map(|open| open.appends());
    match flags.next() {
        Some(first) => Some(first && flags.all(|appends| appends)),
        None => seen.target.appends,
    }
}

/// A log that no stanza names: a file of its own for logrotate.
pub fn new_stanza(observed: &Observed, seen: &Seen, path: &Path, holding: &Holding<'_>) -> Fix {
    let logrotate = &observed.logrotate;
    let way = way(seen, holding);
    if let Way::Restart(why) = &way {
        return Fix::advice(format!(
            "let the writer append, or rotate the log by itself: {why}"
        ));
    }
    if seen.rotation.insecure && seen.rotation.su.is_none() {
        let dir = path.parent().unwrap_or(path).display();
        return Fix::advice(format!(
            "take the right to write {dir} from its group and others, then ask again: logrotate rotates nothing there"
        ));
    }
    let mut fix = Fix::advice(match &way {
        Way::CopyTruncate => "rotate the log: logrotate copies the file and empties it",
        _ => "rotate the log: logrotate renames the file, and the writer opens a new one",
    });
    if !logrotate.installed {
        if logrotate.install.is_empty() {
            return Fix::advice("install logrotate, then ask again");
        }
        fix = fix.shell("root", format!("{} logrotate", logrotate.install.join(" ")));
    }
    let lines = stanza(seen, path, &way);
    let file = match &logrotate.directory {
        Some(dir) => dir.join(file_name(observed, path)),
        None if !logrotate.installed => {
            Path::new("/etc/logrotate.d").join(file_name(observed, path))
        }
        None => logrotate.main.clone(),
    };
    // A file that is there already is never overwritten.
    let open = if file == logrotate.main { ">>" } else { ">" };
    let name = quoted(&file.to_string_lossy());
    let words: Vec<&str> = lines.iter().map(String::as_str).collect();
    let text = base::shell::line(&words);
    fix.shell(
        "root",
        format!("umask 022; set -C; printf '%s\\n' {text} {open}{name}"),
    )
}

/// The text of a stanza, a directive a line.
fn stanza(seen: &Seen, path: &Path, way: &Way) -> Vec<String> {
    let mut lines: Vec<String> = ["weekly", "rotate 8", "missingok", "notifempty", "compress"]
        .map(str::to_owned)
        .to_vec();
    if let Some((user, group)) = seen.rotation.su.as_ref().filter(|_| seen.rotation.insecure) {
        lines.push(format!("su {user} {group}"));
    }
    match way {
        Way::CopyTruncate | Way::Restart(_) => lines.push("copytruncate".to_owned()),
        Way::Itself => lines.extend(["delaycompress".to_owned(), "create".to_owned()]),
        Way::Command(command) => {
            lines.extend(["delaycompress".to_owned(), "create".to_owned()]);
            lines.push("postrotate".to_owned());
            lines.push(format!("    {command}"));
            lines.push("endscript".to_owned());
        }
    }
    let body = lines.iter().map(|line| format!("    {line}"));
    std::iter::once(format!("{} {{", name(path)))
        .chain(body)
        .chain(["}".to_owned()])
        .collect()
}

/// A path as logrotate reads it back: quoted where that is needed, with what is special to glob(3)
/// masked.
pub fn name(path: &Path) -> String {
    let mut out = String::new();
    let mut special = false;
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'*' | b'?' | b'[' | b']' | b'\\' => {
                special = true;
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'"' => {
                special = true;
                out.push_str("\\\"");
            }
            // A brace would end the names, whatever stands around it.
            b'{' | b'}' => out.push('?'),
            byte if byte.is_ascii_graphic() => {
                special |= matches!(byte, b'\'' | b'#');
                out.push(char::from(*byte));
            }
            b' ' => {
                special = true;
                out.push(' ');
            }
            _ => out.push('?'),
        }
    }
    if special { format!("\"{out}\"") } else { out }
}

/// A file name that no other log and no other file has: as much of the log's path as that takes.
fn file_name(observed: &Observed, path: &Path) -> String {
    let depth = path.components().count();
    let others = |slug: &str, count: usize| {
        observed.logs.iter().any(|seen| match &seen.target.sink {
            Sink::File(other) => other != path && self::slug(other, count) == slug,
            _ => false,
        })
    };
    let free = |count: &usize| {
        let slug = slug(path, *count);
        !others(&slug, *count) && !observed.logrotate.taken.contains(OsStr::new(&slug))
    };
    slug(path, (2..depth).find(free).unwrap_or(depth))
}

/// The last components of a path in letters that logrotate does not leave out.
fn slug(path: &Path, count: usize) -> String {
    let parts: Vec<String> = path
        .iter()
        .rev()
        .take(count)
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let whole: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
    let text: String = whole
        .join("/")
        .trim_start_matches('/')
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || char == '_' {
                char
            } else {
                '-'
            }
        })
        .collect();
    text.trim_matches('-').to_owned()
}

/// Puts a line into a stanza, after the line of its brace.
pub fn insert(fix: Fix, file: &Path, opened: usize, lines: &[&str]) -> Fix {
    let text = lines.join("\\n");
    let script = format!("{opened}a\\{text}");
    let file = file.to_string_lossy().into_owned();
    let words = ["sed", "-i", "--follow-symlinks", &script, &file];
    fix.command("root", &words)
}

/// Puts lines in place of one line.
pub fn replace(fix: Fix, file: &Path, line: usize, lines: &[String]) -> Fix {
    let text = lines.join("\\n");
    let script = format!("{line}c\\{text}");
    let file = file.to_string_lossy().into_owned();
    fix.command("root", &["sed", "-i", "--follow-symlinks", &script, &file])
}

/// Puts a line before one line.
pub fn before(fix: Fix, file: &Path, line: usize, text: &str) -> Fix {
    let script = format!("{line}i\\{text}");
    let file = file.to_string_lossy().into_owned();
    fix.command("root", &["sed", "-i", "--follow-symlinks", &script, &file])
}

#[cfg(test)]
mod tests {
    use super::{name, slug};
    use std::path::Path;

    #[test]
    fn names_for_logrotate() {
        for (path, text) in [
            ("/var/log/app/a.log", "/var/log/app/a.log"),
            ("/l/a b.log", "\"/l/a b.log\""),
            ("/l/a[1].log", "\"/l/a\\[1\\].log\""),
            ("/l/a\"b", "\"/l/a\\\"b\""),
            ("/l/a{b}", "/l/a?b?"),
        ] {
            assert_eq!(name(Path::new(path)), text);
        }
        assert_eq!(slug(Path::new("/srv/site/logs/a.log~"), 2), "logs-a-log");
        assert_eq!(
            slug(Path::new("/srv/site/logs/a.log"), 9),
            "srv-site-logs-a-log"
        );
    }
}
