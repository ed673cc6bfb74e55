//! What supervisord says of a program, a group or the processes of numprocs. Each process that
//! supervisord calls RUNNING has to be there, as a child of that supervisord.

use super::state::State;
use crate::programs;
use crate::running::{Evidence, Found};
use base::child::{Finished, Run};
use base::clock::Deadline;
use std::io::Write;
use std::path::Path;

/// The most address space, in bytes, that supervisorctl may take: whoever listens at the address
/// may answer without an end, which supervisorctl reads whole.
const MOST: u64 = 192 << 20;

/// One line of `supervisorctl status`: `web:web_00  RUNNING  pid 812, uptime 0:10:00`.
#[derive(Debug, PartialEq)]
struct Line<'o> {
    name: &'o str,
    state: &'o str,
    pid: Option<i32>,
}

impl<'o> Line<'o> {
    fn parse(line: &'o str) -> Option<Line<'o>> {
        let mut words = line.split_whitespace();
        let (name, state) = (words.next()?, words.next()?);
        let known = [
            "RUNNING", "STARTING", "STOPPED", "STOPPING", "EXITED", "FATAL", "BACKOFF", "UNKNOWN",
        ];
        if !known.contains(&state) {
            return None;
        }
        let rest: Vec<&str> = words.collect();
        let pid = match rest.as_slice() {
            ["pid", pid, ..] => pid.trim_end_matches(',').parse().ok(),
            _ => None,
        };
        Some(Line { name, state, pid })
    }
}

/// Asks supervisord. `conf` is its configuration.
pub fn state(
    name: &str,
    conf: Option<&str>,
    user: Option<u32>,
    evidence: &Evidence,
    deadline: Deadline,
) -> State {
    let ask = |words: &[&str]| ask(conf, words, deadline);
    // A group, and a program of several processes, are asked for by `NAME:*`.
    let all = format!("{name}:*");
    let words: &[&str] = match name.contains(':') {
        true => &["status", name],
        false => &["status", name, &all],
    };
    let finished = match ask(words) {
        Ok(finished) => finished,
        Err(state) => return state,
    };
    let out = finished.out();
    let mut lines: Vec<Line<'_>> = Vec::new();
    for line in out.lines().filter_map(Line::parse) {
        if lines.iter().all(|known| known.name != line.name) {
            lines.push(line);
        }
    }
    if lines.is_empty() && is_absent(&finished) {
        return State::Absent;
    }
    if lines.is_empty() {
        let mut words = complaint(&finished);
        if conf.is_none() {
            words += "; conf = \"FILE\" names supervisor's configuration";
        }
        return State::Unclear("unclear", words);
    }
    let text = |of: &dyn Fn(&&Line<'_>) -> bool| {
        let chosen = lines.iter().filter(|line| of(line));
        let words = chosen.map(|line| format!("{} is {}", line.name, line.state));
        words.collect::<Vec<_>>().join(", ")
    };
    let down = text(&|line| !matches!(line.state, "RUNNING" | "STARTING" | "UNKNOWN"));
    if !down.is_empty() {
        let is_down = |line: &&Line<'_>| !matches!(line.state, "RUNNING" | "STARTING" | "UNKNOWN");
        let parts = lines.iter().filter(is_down);
        return State::Stopped {
            words: down,
            parts: parts.map(|line| line.name.to_owned()).collect(),
        };
    }
    let unsure = text(&|line| line.state != "RUNNING");
    if !unsure.is_empty() {
        return State::Unclear("starting", unsure);
    }
    match proven(&lines, evidence) {
        Ok(processes) => match processes
            .iter()
            .find(|found| user.is_some_and(|uid| uid != found.view.identity.uid))
        {
            Some(other) => State::Unclear(
                "other_user",
                format!("{} belongs to another user", other.shown()),
            ),
            None => State::Running {
                enabled: None,
                words: text(&|_| true),
                processes,
            },
        },
        Err(why) => State::Unclear("no_process", why),
    }
}

fn proven(lines: &[Line<'_>], evidence: &Evidence) -> Result<Vec<Found>, String> {
    let has_master = |pid: i32| {
        let parent = proc::Stat::of(pid).and_then(|stat| proc::Stat::of(stat.parent));
        parent.is_ok_and(|parent| parent.comm.starts_with("supervisor"))
    };
    let each = lines.iter().map(|line| {
        let found = line.pid.and_then(|pid| evidence.of_pid(pid));
        found
            .filter(|found| has_master(found.view.pid()))
            .ok_or_else(|| {
                format!(
                    "supervisord says that {} runs, but no child of supervisord proves that",
                    line.name
                )
            })
    });
    each.collect()
}

/// A configuration for supervisorctl that holds the address and the login of `conf` and nothing
/// else; none where `conf` cannot be read or names no address.
fn address_alone(conf: &Path) -> Option<tempfile::NamedTempFile> {
    let files = conf::files::Files::new();
    let surroundings = conf::supervisor::Surroundings::own();
    let read = conf::supervisor::Supervisor::read(&files, conf, &surroundings).ok()?;
    let control = read.control?;
    // A percent sign begins an expansion; a line break would begin another setting.
    let value = |text: &str| {
        let plain = !text.contains(['\n', '\r']);
        plain.then(|| text.replace('%', "%%"))
    };
    let mut text = format!(
        "[supervisorctl]\nserverurl={}\n",
        value(&control.serverurl)?
    );
    if let Some(username) = &control.username {
        text += &format!("username={}\n", value(username)?);
    }
    if let Some(password) = &control.password {
        text += &format!("password={}\n", value(password.reveal())?);
    }
    let mut file = tempfile::NamedTempFile::new().ok()?;
    file.write_all(text.as_bytes()).ok()?;
    Some(file)
}

fn ask(conf: Option<&str>, words: &[&str], deadline: Deadline) -> Result<Finished, State> {
    // A configuration names code that supervisorctl loads: its owner runs supervisorctl. The owner
    // may be refused at the socket of root's supervisord: root asks with the address alone.
    let mut user = match conf {
        Some(conf) => programs::runner(Path::new(conf)).map_err(|finding| {
            State::Unclear(finding.reason.unwrap_or("untrusted"), finding.msg)
        })?,
        None => None,
    };
    let address = conf
        .filter(|_| user.is_some())
        .and_then(|conf| address_alone(Path::new(conf)));
    let file = match &address {
        Some(file) => {
            user = None;
            file.path().to_str()
        }
        None => conf,
    };
    let mut argv = vec!["supervisorctl"];
    if let Some(file) = file {
        argv.extend(["-c", file]);
    }
    argv.extend(words);
    let run = Run::argv(&argv)
        .clean()
        .env("PATH", programs::SYSTEM_PATH)
        .env("LC_ALL", "C")
        .user(user)
        .memory(MOST)
        .deadline(deadline)
        .run();
    match run {
        Ok(finished) if finished.timed_out => Err(State::timeout("supervisorctl")),
        Ok(finished) => Ok(finished),
        Err(error) => Err(State::Unclear("unclear", error.message)),
    }
}

fn is_absent(finished: &Finished) -> bool {
    let out = finished.out();
    let mut lines = out.lines();
    lines.next().is_some_and(|line| {
        line.contains("ERROR (no such")
            || line.contains("no such process")
            || line.contains("no such group")
    })
}

/// supervisorctl's own complaint: the last line only says how to get help.
fn complaint(finished: &Finished) -> String {
    let text = finished.err() + &finished.out();
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Error:") || line.starts_with("error:"));
    match first {
        Some(line) => line.to_owned(),
        None => finished.last_words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_status() {
        let line = Line::parse("web:web_00      RUNNING   pid 812, uptime 0:10:00");
        let wanted = Line {
            name: "web:web_00",
            state: "RUNNING",
            pid: Some(812),
        };
        assert_eq!(line, Some(wanted));
        let fatal = Line::parse("x    FATAL     Exited too quickly (process log may have details)");
        assert_eq!(
            fatal.map(|line| (line.state, line.pid)),
            Some(("FATAL", None))
        );
        assert_eq!(Line::parse("unix:///x.sock no such file"), None);
    }
}
