//! Init scripts and OpenRC. What a script's `status` says is only its word: many exit 0 with
//! nothing running. The script names the program and the pid file; a process of that program proves
//! the rest.

use super::state::State;
use crate::running::{Evidence, Found, Program, Whose};
use base::child::{Ending, Finished};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// What a script says about its daemon.
#[derive(Debug, Default, PartialEq)]
struct Daemon {
    programs: Vec<String>,
    pid_files: Vec<String>,
}

/// Variables that name the program, in init scripts and in OpenRC's.
const PROGRAMS: &[&str] = &[
    "DAEMON", "EXEC", "PROG", "prog", "command", "daemon", "exec",
];
const PID_FILES: &[&str] = &["PIDFILE", "PID", "PID_FILE", "pidfile", "pid_file"];

impl Daemon {
    /// Reads the assignments of a script: `NAME=value`, with `$NAME` and `${NAME}` of earlier ones.
    fn parse(text: &str) -> Daemon {
        let mut variables: HashMap<&str, String> = HashMap::new();
        let mut daemon = Daemon::default();
        for line in text.lines().map(str::trim) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if key.is_empty() || !key.chars().all(is_name) {
                continue;
            }
            let Some(value) = expanded(value, &variables) else {
                continue;
            };
            if value.starts_with('/') {
                if PROGRAMS.contains(&key) {
                    daemon.programs.push(value.clone());
                } else if PID_FILES.contains(&key) {
                    daemon.pid_files.push(value.clone());
                }
            }
            variables.insert(key, value);
        }
        daemon
    }
}

/// The value of a plain assignment; none where only a shell could tell.
fn expanded(value: &str, variables: &HashMap<&str, String>) -> Option<String> {
    let value = value.split(" #").next()?.trim();
    let value = match value.as_bytes().first() {
        Some(quote @ (b'"' | b'\'')) => value[1..].split(char::from(*quote)).next()?,
        _ => value.split([' ', ';']).next()?,
    };
    if value.contains(['`', '(', '*']) {
        return None;
    }
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, tail) = match after.strip_prefix('{') {
            Some(inner) => inner.split_once('}')?,
            None => {
                let end = after
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(after.len());
                after.split_at(end)
            }
        };
        // OpenRC sets the service's own name.
        out.push_str(variables.get(name)?);
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

/// What the script's exit code says: the Linux Standard Base has 0 for running, 1 and 2 for dead
/// with leftovers, 3 for stopped, 4 for unknown.
enum Word {
    Running,
    Stopped,
    Nothing,
    Unclear,
}

fn word(finished: &Finished) -> Word {
    let text = finished.out() + &finished.err();
    match finished.ending {
        Ending::Exit(0) => Word::Running,
        // A script without `status` prints how it is used.
        Ending::Exit(1..=3) if text.to_ascii_lowercase().contains("usage:") => Word::Nothing,
        Ending::Exit(1..=3) => Word::Stopped,
        _ => Word::Unclear,
    }
}

/// The state of service `name`, from its script, the script's word and the processes.
pub fn state(
    name: &str,
    text: &str,
    finished: &Finished,
    enabled: Option<bool>,
    user: Option<u32>,
    evidence: &Evidence,
) -> State {
    let words = finished.last_words();
    let said = word(finished);
    if matches!(said, Word::Unclear) {
        return State::Unclear("unclear", words);
    }
    let daemon = Daemon::parse(text);
    let mut programs: Vec<Program> = daemon.programs.iter().map(|p| Program::named(p)).collect();
    programs.push(Program::named(distro::command::daemon_of(name)));
    let whose = user.map_or(Whose::System, Whose::User);
    let processes = processes(&programs, &daemon, whose, evidence);
    let shown = || programs.first().map_or_else(String::new, Program::shown);
    match (said, processes.is_empty()) {
        (Word::Running | Word::Nothing, false) => State::Running {
            enabled,
            words,
            processes,
        },
        (Word::Stopped, true) => State::stopped(words),
        (Word::Stopped, false) => State::Unclear(
            "contradiction",
            format!(
                "the init script says that the service is stopped, but {} runs",
                list(&processes)
            ),
        ),
        (Word::Unclear, false) => State::Unclear("unclear", words),
        (_, true) => {
            let others = of_anybody(&programs, evidence);
            if !others.is_empty() {
                return State::Unclear(
                    "other_user",
                    format!(
                        "{} runs, but not as root or a system account; user = \"NAME\" says whose \
                         process the service is",
                        list(&others)
                    ),
                );
            }
            let known = programs.iter().any(Program::is_here);
            let root = nix::unistd::geteuid().is_root();
            match (known, root) {
                (true, true) => State::stopped(format!(
                    "no process executes {} (the init script: {words})",
                    shown()
                )),
                (true, false) => State::Unclear(
                    "permission",
                    format!("only root can tell which process executes {}", shown()),
                ),
                (false, _) => State::Unclear(
                    "no_process",
                    format!(
                        "no process can be tied to the service; the init script's own word does not \
                         prove that the service runs: {words}"
                    ),
                ),
            }
        }
    }
}

fn list(processes: &[Found]) -> String {
    let shown: Vec<String> = processes.iter().take(3).map(Found::shown).collect();
    shown.join(", ")
}

fn of_anybody(programs: &[Program], evidence: &Evidence) -> Vec<Found> {
    let of = |program| evidence.of_program(program, Whose::Anybody);
    programs.iter().flat_map(of).collect()
}

/// The processes of the programs; those of people only where root's pid file names the process.
fn processes(
    programs: &[Program],
    daemon: &Daemon,
    whose: Whose,
    evidence: &Evidence,
) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let named: Vec<i32> = daemon.pid_files.iter().filter_map(|f| pid_of(f)).collect();
    for found in of_anybody(programs, evidence) {
        let pid = found.view.pid();
        let admitted = match whose {
            Whose::System => named.contains(&pid) || found.view.identity.uid < 1000,
            Whose::User(uid) => found.view.identity.uid == uid,
            Whose::Root | Whose::Anybody => true,
        };
        if admitted && all.iter().all(|known| known.view.pid() != pid) {
            all.push(found);
        }
    }
    all
}

/// The pid in a pid file that only root can write.
fn pid_of(path: &str) -> Option<i32> {
    let meta = fs::symlink_metadata(path).ok()?;
    let trusted = meta.is_file() && meta.uid() == 0 && meta.mode() & 0o022 == 0;
    if !trusted || meta.len() > 64 {
        return None;
    }
    fs::read_to_string(path)
        .ok()?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_name_their_program_and_pid_file() {
        let text = "#!/bin/sh\nNAME=uwsgi\nDAEMON=\"/usr/bin/$NAME\" # the server\n\
                    PIDFILE=/run/${NAME}.pid\nSCRIPTNAME=/etc/init.d/$NAME\nX=`id`\n";
        assert_eq!(
            Daemon::parse(text),
            Daemon {
                programs: vec!["/usr/bin/uwsgi".into()],
                pid_files: vec!["/run/uwsgi.pid".into()]
            }
        );
        let openrc = "command=\"/usr/sbin/nginx\"\npidfile=\"/run/nginx/nginx.pid\"\n";
        assert_eq!(Daemon::parse(openrc).programs, ["/usr/sbin/nginx"]);
    }
}
