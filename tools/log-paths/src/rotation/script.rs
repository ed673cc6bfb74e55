//! What a script of logrotate's does, as far as its commands are the usual ones: which unit is
//! reloaded, which process gets which signal.
//!
//! A service says by itself which of these make it open its log again; a command that nobody
//! understands leaves the answer open.

use crate::shell::{self, Part, Simple, Variables, Word};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a script asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read the configuration again.
    Reload,
    /// Stop and start.
    Restart,
    /// Open the logs again (Debian's `invoke-rc.d nginx rotate`).
    Rotate,
}

/// Which process a signal is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The one whose number is in this file.
    PidFile(PathBuf),
    /// The one with this number.
    Pid(u32),
    /// Those of this name.
    Name(String),
    /// Those of this unit.
    Unit(String),
}

/// One thing that a script does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A service manager is asked for something: the verb and the unit, without `.service`.
    Unit(Verb, String),
    /// A signal, by its name without SIG.
    Signal(String, Whom),
    /// A program that says by its name what it does: the words, the program without its directory.
    Program(Vec<String>),
    /// A command that is not understood.
    Unknown(String),
}

/// What a script does, in order. Commands that open no log (`test`, `echo`) are left out.
#[must_use]
pub fn actions(text: &[u8]) -> Vec<Action> {
    let mut variables = Variables::new();
    let mut found = Vec::new();
    for command in shell::commands(text) {
        for (name, value) in &command.assignments {
            if let Ok(value) = value.expand(&variables) {
                variables.insert(name.clone().into_bytes(), value);
            } else if let [Part::Text(empty), Part::Command(inner)] = value.parts.as_slice() {
                // `pid=$(cat FILE)`: the variable stands for the file.
                if let (true, Some(file)) = (empty.is_empty(), pid_file(inner, &variables)) {
                    let mark = [b"\0file:", file.as_os_str().as_bytes()].concat();
                    variables.insert(name.clone().into_bytes(), mark);
                }
            }
        }
        if !command.words.is_empty() {
            found.extend(action(&command, &variables));
        }
    }
    found
}

const HARMLESS: &[&str] = &[
    "[", "test", "echo", "printf", "true", ":", "exit", "return", "set", "which", "command", "cat",
    "sleep", "logger", "umask", "cd", "grep", "pgrep", "pidof", "chown", "chmod", "mkdir", "gzip",
    "xz", "rm", "find", "date", "export", "break", "continue", "ls", "stat",
];

fn action(command: &Simple, variables: &Variables) -> Option<Action> {
    let words: Vec<String> = command
        .words
        .iter()
        .map(|word| {
            let bytes = word.expand(variables).unwrap_or_else(|_| word.source());
            String::from_utf8_lossy(&bytes).into_owned()
        })
        .collect();
    let mut rest: &[String] = &words;
    let mut offset = 0;
    while let Some(first) = rest.first() {
        let name = base(first);
        if !matches!(name, "exec" | "sudo" | "nice" | "ionice" | "eval" | "env") {
            break;
        }
        offset += 1;
        rest = &rest[1..];
    }
    let name = base(rest.first()?).to_owned();
    let plain: Vec<&str> = rest[1..]
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let unit = |text: &str| text.trim_end_matches(".service").to_owned();
    let unknown = || Action::Unknown(words.join(" "));
    Some(match name.as_str() {
        name if HARMLESS.contains(&name) => return None,
        "systemctl" => match plain.as_slice() {
            ["kill", units @ ..] => {
                let signal = signal_option(rest).unwrap_or_else(|| "TERM".to_owned());
                let named = units
                    .iter()
                    .find(|word| signal_name(word) != signal && !is_who(word));
                match named {
                    Some(name) => Action::Signal(signal, Whom::Unit(unit(name))),
                    None => unknown(),
                }
            }
            [word, name, ..] => match verb(word) {
                Some(verb) => Action::Unit(verb, unit(name)),
                None => unknown(),
            },
            _ => unknown(),
        },
        "invoke-rc.d" | "service" | "rc-service" => match plain.as_slice() {
            [name, word, ..] if verb(word).is_some() => {
                Action::Unit(verb(word).unwrap_or(Verb::Reload), unit(name))
            }
            _ => unknown(),
        },
        "kill" => {
            let signal = signal_option(rest).unwrap_or_else(|| "TERM".to_owned());
            match whom(&command.words[offset + 1..], variables) {
                Some(whom) => Action::Signal(signal, whom),
                None => unknown(),
            }
        }
        "pkill" | "killall" => {
            let signal = signal_option(rest).unwrap_or_else(|| "TERM".to_owned());
            match plain.iter().rev().find(|word| signal_name(word) != signal) {
                Some(name) => Action::Signal(signal, Whom::Name((*name).to_owned())),
                None => unknown(),
            }
        }
        name if rest[0].starts_with("/etc/init.d/") || rest[0].starts_with("/etc/rc.d/") => {
            match plain.first().and_then(|word| verb(word)) {
                Some(verb) => Action::Unit(verb, unit(name)),
                None => unknown(),
            }
        }
        _ => {
            let mut program = vec![name];
            program.extend_from_slice(&rest[1..]);
            Action::Program(program)
        }
    })
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn verb(word: &str) -> Option<Verb> {
    Some(match word {
        "reload" | "force-reload" | "reload-or-restart" | "try-reload-or-restart" | "graceful" => {
            Verb::Reload
        }
        "restart" | "try-restart" | "condrestart" => Verb::Restart,
        "rotate" | "reopen" | "reopen-logs" | "flush-logs" => Verb::Rotate,
        _ => return None,
    })
}

fn is_who(word: &str) -> bool {
    matches!(word, "main" | "all" | "control")
}

/// `-USR1`, `-s USR1`, `--signal=SIGUSR1`, `-10`.
fn signal_option(words: &[String]) -> Option<String> {
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let value = match word.as_str() {
            "-s" | "--signal" => words.next()?.as_str(),
            other => match other
                .strip_prefix("--signal=")
                .or_else(|| other.strip_prefix("-s"))
            {
                Some(value) => value,
                None => match other.strip_prefix('-') {
                    Some(value) if is_signal(&signal_name(value)) => value,
                    _ => continue,
                },
            },
        };
        return Some(signal_name(value));
    }
    None
}

fn is_signal(name: &str) -> bool {
    matches!(
        name,
        "HUP" | "USR1" | "USR2" | "TERM" | "WINCH" | "INT" | "QUIT" | "KILL" | "CONT" | "0"
    )
}

fn signal_name(word: &str) -> String {
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    match name {
        "1" => "HUP",
        "10" => "USR1",
        "12" => "USR2",
        "15" => "TERM",
        other => other,
    }
    .to_owned()
}

/// Whom `kill` is for, from the words after it.
fn whom(words: &[Word], variables: &Variables) -> Option<Whom> {
    let last = words.last()?;
    if let [Part::Command(inner)] = without_empty(last).as_slice() {
        return match pid_file(inner, variables) {
            Some(file) => Some(Whom::PidFile(file)),
            None => named(inner),
        };
    }
    let value = last.expand(variables).ok()?;
    if let Some(file) = value.strip_prefix(b"\0file:") {
        return Some(Whom::PidFile(PathBuf::from(OsStr::from_bytes(file))));
    }
    String::from_utf8(value).ok()?.parse().ok().map(Whom::Pid)
}

fn without_empty(word: &Word) -> Vec<Part> {
    let keep = |part: &&Part| !matches!(part, Part::Text(text) if text.is_empty());
    word.parts.iter().filter(keep).cloned().collect()
}

/// `cat FILE`, `head -1 FILE`, `< FILE`.
fn pid_file(command: &[u8], variables: &Variables) -> Option<PathBuf> {
    if let Some(file) = command.trim_ascii().strip_prefix(b"<") {
        return Some(PathBuf::from(OsStr::from_bytes(file.trim_ascii())));
    }
    let command = shell::commands(command).into_iter().next()?;
    let words: Vec<Vec<u8>> = command
        .words
        .iter()
        .filter_map(|word| word.expand(variables).ok())
        .collect();
    let reads = matches!(
        words.first()?.as_slice(),
        b"cat" | b"/bin/cat" | b"head" | b"/usr/bin/cat"
    );
    let file = words
        .iter()
        .skip(1)
        .rev()
        .find(|word| !word.starts_with(b"-"))?;
    reads.then(|| PathBuf::from(OsStr::from_bytes(file)))
}

/// `pgrep NAME`, `pidof NAME`.
fn named(command: &[u8]) -> Option<Whom> {
    let command = shell::commands(command).into_iter().next()?;
    let words: Vec<Vec<u8>> = command.words.iter().filter_map(Word::fixed).collect();
    let finds = matches!(
        words.first()?.as_slice(),
        b"pgrep" | b"pidof" | b"/bin/pidof"
    );
    let name = words
        .iter()
        .skip(1)
        .rev()
        .find(|word| !word.starts_with(b"-"))?;
    finds.then(|| Whom::Name(String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Action, Verb, Whom, actions};

    fn signal(name: &str, whom: Whom) -> Action {
        Action::Signal(name.to_owned(), whom)
    }

    #[test]
    fn the_usual_scripts() {
        let file = |path: &str| Whom::PidFile(path.into());
        let unit = |verb, name: &str| Action::Unit(verb, name.to_owned());
        for (text, found) in [
            (
                "invoke-rc.d nginx rotate >/dev/null 2>&1",
                vec![unit(Verb::Rotate, "nginx")],
            ),
            (
                "if invoke-rc.d apache2 status > /dev/null 2>&1; then \\\n invoke-rc.d apache2 reload > /dev/null 2>&1; \\\nfi;",
                vec![
                    Action::Unknown("invoke-rc.d apache2 status".to_owned()),
                    unit(Verb::Reload, "apache2"),
                ],
            ),
            (
                "[ ! -f /run/nginx.pid ] || kill -USR1 `cat /run/nginx.pid`",
                vec![signal("USR1", file("/run/nginx.pid"))],
            ),
            (
                "PID=$(cat /run/a.pid)\nkill -s SIGUSR1 \"$PID\"",
                vec![signal("USR1", file("/run/a.pid"))],
            ),
            (
                "/bin/kill -HUP `cat /run/syslogd.pid 2> /dev/null` 2>/dev/null || true",
                vec![signal("HUP", file("/run/syslogd.pid"))],
            ),
            (
                "systemctl kill --kill-whom=main -s USR1 gunicorn.service",
                vec![signal("USR1", Whom::Unit("gunicorn".to_owned()))],
            ),
            (
                "systemctl reload httpd.service > /dev/null 2>/dev/null || true",
                vec![unit(Verb::Reload, "httpd")],
            ),
            (
                "pkill -USR1 -x gunicorn",
                vec![signal("USR1", Whom::Name("gunicorn".to_owned()))],
            ),
            (
                "/etc/init.d/celeryd restart",
                vec![unit(Verb::Restart, "celeryd")],
            ),
            (
                "/usr/lib/rsyslog/rsyslog-rotate",
                vec![Action::Program(vec!["rsyslog-rotate".to_owned()])],
            ),
            ("echo done; true", vec![]),
            (
                "/srv/app/rotate.sh",
                vec![Action::Program(vec!["rotate.sh".to_owned()])],
            ),
        ] {
            assert_eq!(actions(text.as_bytes()), found, "{text}");
        }
    }
}
