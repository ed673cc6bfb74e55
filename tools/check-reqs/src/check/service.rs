//! A service that runs: systemd, OpenRC, init scripts or supervisor say so, and a process proves
//! it. Where no manager is there to ask, or no process can be tied to the service, the answer is
//! unknown.

mod script;
mod state;
mod supervisor;
mod systemd;

use crate::accounts;
use crate::document::Fields;
use crate::finding::{Finding, tail};
use crate::fix::{self, Fix, shell};
use crate::kind::{Check, Type};
use crate::programs;
use crate::running::{self, Found};
use crate::scene::Scene;
use crate::short::{self, Short};
use base::Result;
use base::child::{Identity, Run};
use base::clock::Deadline;
use state::State;
use std::fs;
use std::path::Path;

/// `type = "service"`.
pub const TYPE: Type = Type {
    name: "service",
    about: "a service that runs under systemd, OpenRC, an init script or supervisor, proved by a process",
    keys: &[
        (
            "name",
            "the service; for supervisor a program or a group, all of whose processes have to run",
        ),
        (
            "manager",
            "systemd, openrc, sysv or supervisor (what this host has)",
        ),
        ("conf", "supervisor's configuration"),
        ("enabled", "true: the service has to be started at boot"),
        (
            "user",
            "the user that the process has to run as (root or a system account)",
        ),
        (
            "user_unit",
            "true: a unit of the user's own systemd (systemctl --user)",
        ),
    ],
    short: Short {
        words: &["service"],
        colon: true,
        forms: &["service:NAME"],
        example: "service:nginx",
        read: |_, rest| short::whole("name", rest),
    },
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
    user: Option<String>,
    user_unit: bool,
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
    let service = Service {
        name: fields.required("name")?,
        manager,
        conf,
        enabled: fields.flag("enabled")?.unwrap_or(false),
        user: fields.text("user")?,
        user_unit: fields.flag("user_unit")?.unwrap_or(false),
    };
    if service.name.contains('/') || service.name.starts_with('-') {
        return Err(fields.error("name", format!("'{}' is not a service", service.name)));
    }
    if service.user_unit && service.user.is_none() {
        return Err(fields.error("user_unit", "user_unit needs user"));
    }
    Ok(Box::new(service))
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

impl Service {
    fn manager(&self) -> Option<Manager> {
        self.manager.or_else(|| {
            // sd_booted(3): this directory is there if systemd is the init system.
            if self.user_unit || Path::new("/run/systemd/system").is_dir() {
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

    /// The account of `user`.
    fn identity(&self) -> Result<Option<Identity>, Box<Finding>> {
        let Some(name) = &self.user else {
            return Ok(None);
        };
        match accounts::user(name) {
            Ok(Some(_)) => Identity::of_name(name)
                .map(Some)
                .map_err(|error| Box::new(Finding::unknown("error", error.message))),
            Ok(None) => {
                Err(Box::new(
                    Finding::unmet("no_user", format!("there is no user '{name}'"))
                        .fix(fix::creation(name, &[], None)),
                ))
            }
            Err(why) => Err(Box::new(Finding::unknown("error", why))),
        }
    }

    fn state(
        &self,
        manager: Manager,
        user: Option<&Identity>,
        deadline: Deadline,
    ) -> Result<State, Box<Finding>> {
        let evidence =
            running::evidence().map_err(|why| Box::new(Finding::unknown("permission", why)))?;
        let uid = user.map(|user| user.uid);
        let name = self.name.as_str();
        Ok(match manager {
            Manager::Systemd => {
                let own = user.filter(|_| self.user_unit);
                if let Some(user) = own {
                    systemd::of_user(user)?;
                }
                systemd::state(name, own, &evidence, deadline)
            }
            Manager::Supervisor => {
                supervisor::state(name, self.conf.as_deref(), uid, &evidence, deadline)
            }
            Manager::OpenRc | Manager::SysV => {
                let script = Path::new("/etc/init.d").join(name);
                let Ok(text) = fs::read(&script) else {
                    return Ok(State::Absent);
                };
                let shown = script.display().to_string();
                let (words, enabled): (&[&str], _) = match manager {
                    Manager::OpenRc => (&["rc-service", name, "status"], None),
                    _ => (&[&shown, "status"], Some(starts_at_boot(name))),
                };
                let finished = match Run::argv(words)
                    .clean()
                    .env("PATH", programs::SYSTEM_PATH)
                    .env("LC_ALL", "C")
                    .user(programs::runner(&script)?)
                    .deadline(deadline)
                    .run()
                {
                    Ok(finished) if finished.timed_out => return Ok(State::timeout(&shown)),
                    Ok(finished) => finished,
                    Err(error) => return Ok(State::Unclear("unclear", error.message)),
                };
                let text = String::from_utf8_lossy(&text);
                // The script's own children are gone now: what runs is the service's.
                let evidence = running::evidence()
                    .map_err(|why| Box::new(Finding::unknown("permission", why)))?;
                script::state(name, &text, &finished, enabled, uid, &evidence)
            }
        })
    }

    fn command(&self, manager: Manager, verb: &str, user: Option<&Identity>) -> String {
        self.command_for(&self.name, manager, verb, user)
    }

    fn command_for(
        &self,
        name: &str,
        manager: Manager,
        verb: &str,
        user: Option<&Identity>,
    ) -> String {
        match manager {
            Manager::Systemd => match (user.filter(|_| self.user_unit), &self.user) {
                (Some(identity), Some(user)) => {
                    let dir = format!("XDG_RUNTIME_DIR=/run/user/{}", identity.uid);
                    fix::as_user(user, &["env", &dir, "systemctl", "--user", verb, name])
                }
                _ => shell(&["systemctl", verb, name]),
            },
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

    fn judge(
        &self,
        scene: &Scene,
        manager: Manager,
        user: Option<&Identity>,
        state: State,
    ) -> Finding {
        let name = &self.name;
        match state {
            State::Running { processes, .. }
                if other_user(&processes, user).is_some() =>
            {
                let other = other_user(&processes, user).map(Found::shown).unwrap_or_default();
                let wanted = self.user.as_deref().unwrap_or_default();
                Finding::unmet("user", format!("{name} runs as another user than {wanted}: {other}"))
                    .found(other)
                    .fix(Fix::advice(format!(
                        "let the service {name} run as {wanted} (User= of its unit, user= of supervisor's program), and restart the service"
                    )))
            }
            State::Running {
                enabled: Some(false),
                words,
                ..
            } if self.enabled => Finding::unmet(
                "not_enabled",
                format!("{name} runs, but is not started at boot"),
            )
            .found(tail(&words))
            .fix(fix::root(
                format!("start {name} at boot"),
                vec![self.command(manager, "enable", user)],
            )),
            State::Running {
                words, processes, ..
            } => {
                let shown: Vec<String> = processes.iter().take(3).map(Found::shown).collect();
                let evidence = match shown.is_empty() {
                    true => words,
                    false => shown.join(", "),
                };
                Finding::met("running", format!("{name} runs")).evidence(tail(&evidence))
            }
            State::Stopped { words, parts } => {
                let start = |name: &str| self.command_for(name, manager, "start", user);
                let mut commands: Vec<String> = match parts.is_empty() {
                    true => vec![start(name)],
                    false => parts.iter().map(|part| start(part)).collect(),
                };
                if self.enabled && manager != Manager::Supervisor {
                    commands.push(self.command(manager, "enable", user));
                }
                Finding::unmet("stopped", format!("{name} does not run: {}", tail(&words)))
                    .found(tail(&words))
                    .fix(fix::root(format!("start {name}"), commands))
            }
            State::Absent => Finding::unmet("missing", format!("there is no service {name}")).fix(
                match manager {
                    Manager::Supervisor => Fix::advice(format!(
                        "add [program:{name}] to supervisor's configuration, then run supervisorctl update"
                    )),
                    _ => fix::install_of_service(scene, name),
                },
            ),
            State::Unclear(reason, words) => Finding::unknown(reason, format!("{name}: {words}")),
        }
    }
}

fn other_user<'f>(processes: &'f [Found], user: Option<&Identity>) -> Option<&'f Found> {
    let user = user?;
    processes
        .iter()
        .find(|found| found.view.identity.uid != user.uid)
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

impl Check for Service {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        let user = self.user.as_ref().map(|user| format!(" as {user}"));
        format!(
            "service {} running{}{}",
            self.name,
            user.unwrap_or_default(),
            match self.enabled {
                true => ", and started at boot",
                false => "",
            }
        )
    }

    fn how(&self) -> String {
        let asked = match self.manager() {
            Some(Manager::Systemd) => "systemctl show".to_string(),
            Some(Manager::OpenRc) => "rc-service status".to_string(),
            Some(Manager::SysV) => {
                format!("/etc/init.d/{} status, in an empty environment", self.name)
            }
            Some(Manager::Supervisor) => "supervisorctl status".to_string(),
            None => return "no service manager is known on this host".into(),
        };
        format!("{asked}; a process of the right file and user has to prove the answer")
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let name = &self.name;
        let Some(manager) = self.manager() else {
            // Debian keeps init scripts where they are without systemd: a missing script says that
            // the service is not installed.
            return match Path::new("/etc/init.d").is_dir() {
                true => Finding::unmet(
                    "missing",
                    format!(
                        "there is no service {name}: no systemd runs, and /etc/init.d has no {name}"
                    ),
                )
                .fix(fix::install_of_service(scene, name)),
                false => Finding::unknown(
                    "no_service_manager",
                    format!("no service manager is here to ask about {name}"),
                ),
            };
        };
        let user = match self.identity() {
            Ok(user) => user,
            Err(finding) => return *finding,
        };
        match self.state(manager, user.as_ref(), deadline) {
            Ok(state) => self.judge(scene, manager, user.as_ref(), state),
            Err(finding) => *finding,
        }
    }
}
