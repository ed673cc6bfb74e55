//! A service, as its own manager sees it: systemd, OpenRC, init scripts, or supervisor. Where no manager is there to ask, the answer is
//! unknown, not unmet.

use super::{Check, Finding, Type, tail};
use crate::document::Fields;
use crate::fix::Fix;
use crate::programs;
use crate::scene::Scene;
use crate::shell::shell;
use base::Result;
use base::child::{Finished, Run};
use base::clock::Deadline;
use std::fs;
use std::path::Path;

/// `type = "service"`.
pub const TYPE: Type = Type {
    name: "service",
    about: "a service that runs, under systemd, OpenRC, init scripts or supervisor",
    keys: &[
        ("name", "the service"),
        (
            "manager",
            "systemd, openrc, sysv or supervisor (what this host has)",
        ),
        ("conf", "supervisor's configuration"),
        ("enabled", "true: it has to be started at boot"),
    ],
    read,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Manager {
    Systemd,
    OpenRc,
    SysV,
    Supervisor,
}

struct Service {
    name: String,
    manager: Option<Manager>,
    conf: Option<String>,
    enabled: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let manager = fields
        .choice("manager", &["systemd", "openrc", "sysv", "supervisor"])?
        .map(|word| match word.as_str() {
            "systemd" => Manager::Systemd,
            "openrc" => Manager::OpenRc,
            "sysv" => Manager::SysV,
            _ => Manager::Supervisor,
        });
    let conf = fields.text("conf")?;
    let manager = manager.or(conf.as_ref().map(|_| Manager::Supervisor));
    Ok(Box::new(Service {
        name: fields.required("name")?,
        manager,
        conf,
        enabled: fields.flag("enabled")?.unwrap_or(false),
    }))
}

/// The names of the services that this host's manager knows and that may run.
pub fn names(deadline: Deadline) -> Vec<String> {
    if Path::new("/run/systemd/system").is_dir() {
        let words = [
            "systemctl",
            "list-units",
            "--type=service",
            "--state=running",
            "--plain",
            "--no-legend",
        ];
        let finished = Run::argv(&words)
            .env("LC_ALL", "C")
            .deadline(deadline)
            .run();
        let out = finished.map(|finished| finished.out()).unwrap_or_default();
        let first = out
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        return first
            .map(|unit| unit.trim_end_matches(".service").to_string())
            .collect();
    }
    let entries = fs::read_dir("/etc/init.d").into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|e| programs::executable(&e.path()))
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// What a manager says of a service.
enum State {
    Running {
        enabled: Option<bool>,
        words: String,
    },
    Stopped {
        words: String,
    },
    Absent,
    Unclear(String),
}

impl Service {
    fn manager(&self) -> Option<Manager> {
        self.manager.or_else(|| {
            // sd_booted(3): this directory is there if systemd is the init system.
            if Path::new("/run/systemd/system").is_dir() {
                Some(Manager::Systemd)
            } else if Path::new("/run/openrc").is_dir() {
                Some(Manager::OpenRc)
            } else {
                Path::new("/etc/init.d")
                    .join(&self.name)
                    .exists()
                    .then_some(Manager::SysV)
            }
        })
    }

    fn run(&self, words: &[&str], deadline: Deadline) -> Result<Finished, State> {
        let run = Run::argv(words)
            .clean()
            .env("PATH", programs::SYSTEM_PATH)
            .env("LC_ALL", "C")
            .deadline(deadline)
            .run();
        match run {
            Ok(finished) if finished.timed_out => Err(State::Unclear(format!(
                "{}: no answer in time",
                words.join(" ")
            ))),
            Ok(finished) => Ok(finished),
            Err(error) => Err(State::Unclear(error.message)),
        }
    }

    fn state(&self, manager: Manager, deadline: Deadline) -> Result<State, State> {
        let name = self.name.as_str();
        Ok(match manager {
            Manager::Systemd => {
                let wanted = "--property=LoadState,ActiveState,SubState,UnitFileState";
                let finished = self.run(&["systemctl", "show", wanted, "--", name], deadline)?;
                if !finished.success() {
                    return Err(State::Unclear(finished.last_words()));
                }
                systemd(&finished.out())
            }
            Manager::OpenRc => {
                by_exit_code(&self.run(&["rc-service", name, "status"], deadline)?, None)
            }
            Manager::SysV => {
                let script = Path::new("/etc/init.d").join(name);
                if !script.exists() {
                    return Ok(State::Absent);
                }
                let script = script.display().to_string();
                by_exit_code(
                    &self.run(&[&script, "status"], deadline)?,
                    Some(starts_at_boot(name)),
                )
            }
            Manager::Supervisor => {
                let mut words = vec!["supervisorctl"];
                if let Some(conf) = &self.conf {
                    words.extend(["-c", conf]);
                }
                words.extend(["status", name]);
                supervisor(&self.run(&words, deadline)?)
            }
        })
    }

    fn command(&self, manager: Manager, verb: &str) -> String {
        let name = self.name.as_str();
        match manager {
            Manager::Systemd => shell(&["systemctl", verb, name]),
            Manager::OpenRc if verb == "enable" => shell(&["rc-update", "add", name]),
            Manager::OpenRc => shell(&["rc-service", name, verb]),
            Manager::SysV if verb == "enable" => shell(&["update-rc.d", name, "defaults"]),
            Manager::SysV => shell(&["service", name, verb]),
            Manager::Supervisor => match &self.conf {
                Some(conf) => shell(&["supervisorctl", "-c", conf, verb, name]),
                None => shell(&["supervisorctl", verb, name]),
            },
        }
    }
}

fn systemd(output: &str) -> State {
    let value = |key: &str| {
        output
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .unwrap_or("")
    };
    let words = format!("{} ({})", value("ActiveState"), value("SubState"));
    match (value("LoadState"), value("ActiveState")) {
        ("not-found", _) => State::Absent,
        (_, "active" | "reloading") => {
            let enabled = match value("UnitFileState") {
                "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" | "generated" => {
                    Some(true)
                }
                "disabled" | "masked" => Some(false),
                _ => None,
            };
            State::Running { enabled, words }
        }
        (_, "activating") => State::Unclear(words),
        _ => State::Stopped { words },
    }
}

/// The Linux Standard Base's codes for `status`: 0 running, 1 and 2 dead with leftovers, 3 stopped, 4 unknown.
fn by_exit_code(finished: &Finished, enabled: Option<bool>) -> State {
    let words = finished.last_words();
    match finished.ending {
        base::child::Ending::Exit(0) => State::Running { enabled, words },
        base::child::Ending::Exit(1..=3) => State::Stopped { words },
        _ => State::Unclear(words),
    }
}

/// Links of the form `S01nginx` in any multi-user runlevel.
fn starts_at_boot(name: &str) -> bool {
    (2..=5).any(|level| {
        let entries = fs::read_dir(format!("/etc/rc{level}.d"));
        entries.is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                let file = entry.file_name();
                let file = file.to_str().unwrap_or("");
                file.starts_with('S') && file.get(3..) == Some(name)
            })
        })
    })
}

fn supervisor(finished: &Finished) -> State {
    let out = finished.out();
    let line = out.lines().next().unwrap_or("").trim().to_string();
    match line.split_whitespace().nth(1) {
        Some("RUNNING") => State::Running {
            enabled: None,
            words: line,
        },
        Some("STOPPED" | "EXITED" | "FATAL" | "BACKOFF" | "STOPPING") => {
            State::Stopped { words: line }
        }
        Some("ERROR") => State::Absent,
        _ if line.contains("no such process") => State::Absent,
        _ => State::Unclear(if line.is_empty() {
            finished.last_words()
        } else {
            line
        }),
    }
}

impl Check for Service {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        format!(
            "service {} running{}",
            self.name,
            if self.enabled {
                ", and started at boot"
            } else {
                ""
            }
        )
    }

    fn how(&self) -> String {
        match self.manager() {
            Some(Manager::Systemd) => "systemctl show".into(),
            Some(Manager::OpenRc) => "rc-service status".into(),
            Some(Manager::SysV) => {
                format!("/etc/init.d/{} status, in an empty environment", self.name)
            }
            Some(Manager::Supervisor) => "supervisorctl status".into(),
            None => "no service manager is known on this host".into(),
        }
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let name = &self.name;
        let Some(manager) = self.manager() else {
            // Debian keeps init scripts where they are without systemd, so a missing one says that the service is not installed.
            return match Path::new("/etc/init.d/README").exists()
                || Path::new("/etc/init.d/cron").exists()
            {
                true => Finding::unmet(
                    "missing",
                    format!(
                        "there is no service {name}: no systemd runs, and /etc/init.d has no {name}"
                    ),
                )
                .fix(crate::fix::install_of_command(&scene.distro, name)),
                false => Finding::unknown(
                    "no_service_manager",
                    format!("no service manager is here to ask about {name}"),
                ),
            };
        };
        match self.state(manager, deadline).unwrap_or_else(|state| state) {
            State::Running { enabled: Some(false), words } if self.enabled => {
                Finding::unmet("not_enabled", format!("{name} runs, but is not started at boot"))
                    .found(tail(&words))
                    .fix(Fix::root(format!("start {name} at boot"), vec![self.command(manager, "enable")]))
            }
            State::Running { words, .. } => Finding::met("running", format!("{name} runs")).evidence(tail(&words)),
            State::Stopped { words } => {
                let mut commands = vec![self.command(manager, "start")];
                if self.enabled && manager != Manager::Supervisor {
                    commands.push(self.command(manager, "enable"));
                }
                Finding::unmet("stopped", format!("{name} does not run"))
                    .found(tail(&words))
                    .fix(Fix::root(format!("start {name}"), commands))
            }
            State::Absent => Finding::unmet("missing", format!("there is no service {name}")).fix(match manager {
                Manager::Supervisor => {
                    Fix::advice(format!("add [program:{name}] to supervisor's configuration, then supervisorctl update"))
                }
                _ => crate::fix::install_of_command(&scene.distro, name),
            }),
            State::Unclear(words) => Finding::unknown("unclear", format!("{name}: {words}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_properties_are_read() {
        let shown = |load: &str, active: &str| {
            systemd(&format!(
                "LoadState={load}\nActiveState={active}\nSubState=x\nUnitFileState=disabled\n"
            ))
        };
        assert!(matches!(
            shown("loaded", "active"),
            State::Running {
                enabled: Some(false),
                ..
            }
        ));
        assert!(matches!(shown("loaded", "failed"), State::Stopped { .. }));
        assert!(matches!(shown("not-found", "inactive"), State::Absent));
        assert!(matches!(shown("loaded", "activating"), State::Unclear(_)));
    }
}
