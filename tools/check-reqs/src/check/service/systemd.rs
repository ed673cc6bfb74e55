//! What systemd says of a unit, and the processes that prove it.

use super::state::State;
use crate::finding::Finding;
use crate::running::{Evidence, Found};
use base::child::{Identity, Run};
use base::clock::Deadline;
use std::path::Path;

const PROPERTIES: &str =
    "--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,ControlGroup,ConsistsOf";

/// The properties of one unit.
#[derive(Debug, Default)]
struct Unit {
    load: String,
    active: String,
    sub: String,
    file: String,
    main: i32,
    group: String,
    parts: Vec<String>,
}

impl Unit {
    fn parse(output: &str) -> Unit {
        let value = |key: &str| {
            let mut lines = output.lines();
            lines
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .unwrap_or("")
                .to_owned()
        };
        Unit {
            load: value("LoadState"),
            active: value("ActiveState"),
            sub: value("SubState"),
            file: value("UnitFileState"),
            main: value("MainPID").parse().unwrap_or(0),
            group: value("ControlGroup"),
            parts: value("ConsistsOf")
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }
    }

    fn words(&self) -> String {
        format!("{} ({})", self.active, self.sub)
    }

    fn enabled(&self) -> Option<bool> {
        match self.file.as_str() {
            "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" | "generated" => {
                Some(true)
            }
            "disabled" | "masked" => Some(false),
            _ => None,
        }
    }

    /// The processes of the unit: its main process, or those of its control group.
    fn processes(&self, evidence: &Evidence) -> Vec<Found> {
        let main = (self.main > 0)
            .then(|| evidence.of_pid(self.main))
            .flatten();
        match (main, self.group.len() > 1) {
            (Some(main), _) => vec![main],
            (None, true) => evidence.of_cgroup(Path::new(&self.group)),
            (None, false) => Vec::new(),
        }
    }
}

/// Asks for the unit `name`, in the system's manager or in that of a user.
pub fn state(
    name: &str,
    manager_of: Option<&Identity>,
    evidence: &Evidence,
    deadline: Deadline,
) -> State {
    let unit = match show(name, manager_of, deadline) {
        Ok(unit) => unit,
        Err(state) => return state,
    };
    match (unit.load.as_str(), unit.active.as_str()) {
        ("not-found", _) => State::Absent,
        (_, "active" | "reloading") => {
            let processes = unit.processes(evidence);
            if !processes.is_empty() {
                return State::Running {
                    enabled: unit.enabled(),
                    words: unit.words(),
                    processes,
                };
            }
            // A socket, a timer or a target has no process.
            if name.contains('.') && !name.ends_with(".service") && !name.contains('@') {
                return State::Running {
                    enabled: unit.enabled(),
                    words: unit.words(),
                    processes,
                };
            }
            parts(&unit, manager_of, evidence, deadline)
        }
        (_, "activating" | "deactivating") => State::Unclear("starting", unit.words()),
        _ => State::stopped(unit.words()),
    }
}

/// A unit that only stands for others, as Debian's postgresql.service stands for each cluster: the
/// units that stop with it have to run.
fn parts(
    unit: &Unit,
    manager_of: Option<&Identity>,
    evidence: &Evidence,
    deadline: Deadline,
) -> State {
    let mut processes = Vec::new();
    let mut down = Vec::new();
    let mut names = Vec::new();
    for name in &unit.parts {
        let part = match show(name, manager_of, deadline) {
            Ok(part) => part,
            Err(state) => return state,
        };
        match part.processes(evidence) {
            found if found.is_empty() => {
                down.push(format!("{name} is {}", part.words()));
                names.push(name.clone());
            }
            found => processes.extend(found),
        }
    }
    match (processes.is_empty(), down.is_empty()) {
        (false, true) => State::Running {
            enabled: unit.enabled(),
            words: unit.words(),
            processes,
        },
        (_, false) => State::Stopped {
            words: down.join(", "),
            parts: names,
        },
        (true, true) => State::Unclear(
            "no_process",
            format!("{}, and no process belongs to the unit", unit.words()),
        ),
    }
}

fn show(name: &str, manager_of: Option<&Identity>, deadline: Deadline) -> Result<Unit, State> {
    let mut run = match manager_of {
        Some(user) => Run::argv(&["systemctl", "--user", "show", PROPERTIES, "--", name])
            .clean()
            .env("XDG_RUNTIME_DIR", format!("/run/user/{}", user.uid))
            .user(Some(user.clone())),
        None => Run::argv(&["systemctl", "show", PROPERTIES, "--", name]).clean(),
    };
    run = run
        .env("PATH", crate::programs::SYSTEM_PATH)
        .env("LC_ALL", "C");
    match run.deadline(deadline).run() {
        Ok(finished) if finished.timed_out => Err(State::timeout("systemctl show")),
        Ok(finished) if finished.success() => Ok(Unit::parse(&finished.out())),
        Ok(finished) => Err(State::Unclear("unclear", finished.last_words())),
        Err(error) => Err(State::Unclear("unclear", error.message)),
    }
}

/// Whether the manager of a user can be asked at all.
pub fn of_user(user: &Identity) -> Result<(), Box<Finding>> {
    let bus = format!("/run/user/{}/systemd", user.uid);
    match Path::new(&bus).is_dir() {
        true => Ok(()),
        false => Err(Box::new(Finding::unknown(
            "no_service_manager",
            format!(
                "no systemd runs for the user {}",
                user.name.clone().unwrap_or_else(|| user.uid.to_string())
            ),
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read() {
        let unit = Unit::parse(
            "LoadState=loaded\nActiveState=active\nSubState=exited\nUnitFileState=disabled\n\
             MainPID=0\nControlGroup=\nConsistsOf=postgresql@15-main.service a.service\n",
        );
        assert_eq!(unit.words(), "active (exited)");
        assert_eq!(unit.enabled(), Some(false));
        assert_eq!(unit.parts, ["postgresql@15-main.service", "a.service"]);
        assert_eq!(unit.main, 0);
    }
}
