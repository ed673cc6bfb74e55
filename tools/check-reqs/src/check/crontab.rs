//! Whether a user can have a crontab that is run: the command, the daemon, and the lists of who may
//! (crontab(1)).

use crate::accounts;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix;
use crate::fix::quoted;
use crate::kind::{Check, Type};
use crate::programs;
use crate::running::{self, Found, Program, Whose};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use distro::Manager;
use std::fs;
use std::io;
use std::path::Path;

/// `type = "crontab"`.
pub const TYPE: Type = Type {
    name: "crontab",
    about: "a crontab that cron runs: the command crontab, a running daemon, and a user who may have a crontab",
    keys: &[
        (
            "user",
            "the user who has to be allowed to have a crontab (the caller)",
        ),
        ("daemon", "false: the daemon need not run"),
    ],
    short: Short {
        words: &["crontab"],
        colon: false,
        forms: &["crontab[:USER]"],
        example: "crontab:deployer",
        read: read_short,
    },
    read,
};

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    match rest {
        "" => Ok(Vec::new()),
        user => short::whole("user", user),
    }
}

struct Crontab {
    user: Option<String>,
    daemon: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    Ok(Box::new(Crontab {
        user: fields.text("user")?,
        daemon: fields.flag("daemon")?.unwrap_or(true),
    }))
}

/// What the various crons call their daemon.
const DAEMONS: &[&str] = &["cron", "crond", "fcron", "bcron-sched"];

/// The lines of an allow or deny file; none if it is not there.
fn list(path: &str) -> io::Result<Option<Vec<String>>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(
            text.lines()
                .map(|line| line.trim().to_string())
                .filter(|line| !line.is_empty())
                .collect(),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Crontab {
    fn who(&self) -> String {
        self.user
            .clone()
            .unwrap_or_else(|| accounts::name_of(nix::unistd::geteuid().as_raw()))
    }

    /// The allow file decides alone if it is there; the deny file otherwise; root may always.
    fn objection(&self, who: &str, manager: Option<Manager>) -> io::Result<Option<Finding>> {
        let quoted_who = quoted(who);
        if let Some(allowed) = list("/etc/cron.allow")? {
            if !allowed.iter().any(|name| name == who) {
                let command = format!("echo {quoted_who} >> /etc/cron.allow");
                return Ok(Some(
                    Finding::unmet("not_allowed", format!("{who} is not in /etc/cron.allow")).fix(
                        fix::root(format!("let {who} have a crontab"), vec![command]),
                    ),
                ));
            }
            return Ok(None);
        }
        match list("/etc/cron.deny")? {
            Some(denied) if denied.iter().any(|name| name == who) => {
                let pattern = format!("/^{}$/d", who.replace('.', "\\."));
                let command = format!("sed -i {} /etc/cron.deny", quoted(&pattern));
                Ok(Some(
                    Finding::unmet("denied", format!("{who} is in /etc/cron.deny"))
                        .fix(fix::root(format!("let {who} have a crontab"), vec![command])),
                ))
            }
            Some(_) => Ok(None),
            // Without either file Debian lets everybody, the others only root.
            None if !matches!(manager, Some(Manager::Dnf | Manager::Pacman)) => Ok(None),
            None => Ok(Some(
                Finding::unmet(
                    "not_allowed",
                    format!("without /etc/cron.allow and /etc/cron.deny only root may have a crontab, not {who}"),
                )
                .fix(fix::root(
                    format!("let {who} have a crontab"),
                    vec![format!("echo {quoted_who} >> /etc/cron.allow")],
                )),
            )),
        }
    }
}

impl Check for Crontab {
    fn subject(&self) -> String {
        self.who()
    }

    fn expected(&self) -> String {
        format!(
            "{} may have a crontab{}",
            self.who(),
            if self.daemon { ", and cron runs" } else { "" }
        )
    }

    fn how(&self) -> String {
        "the crontab command, a cron daemon of root, /etc/cron.allow and /etc/cron.deny".into()
    }

    fn look(&self, scene: &Scene, _: Deadline) -> Finding {
        let Some(command) = programs::find("crontab") else {
            return Finding::unmet("missing", "there is no crontab command")
                .fix(fix::install_of_command(scene, "crontab"));
        };
        let who = self.who();
        match accounts::user(&who) {
            Ok(Some(_)) => {}
            Ok(None) => {
                return Finding::unmet("no_user", format!("there is no user '{who}'"))
                    .fix(fix::creation(&who, &[], None));
            }
            Err(why) => return Finding::unknown("error", why),
        }
        if who != "root" {
            match self.objection(&who, scene.distro.manager()) {
                Ok(None) => {}
                Ok(Some(finding)) => return finding,
                Err(error) => return Finding::io("/etc/cron.allow, /etc/cron.deny", &error),
            }
        }
        match (self.daemon, daemon()) {
            (false, _) => self.met(&command, String::new()),
            (true, Ok(Some(found))) => self.met(&command, found.shown()),
            (true, Err(why)) => Finding::unknown("permission", why),
            (true, Ok(None)) => {
                let name = match scene.distro.manager() {
                    Some(Manager::Apt) => "cron",
                    Some(Manager::Pacman) => "cronie",
                    _ => "crond",
                };
                Finding::unmet("not_running", "crontabs are not run: no cron daemon runs")
                    .found(command.display().to_string())
                    .fix(fix::root(
                        "start the cron daemon",
                        vec![fix::start(scene, name)],
                    ))
            }
        }
    }
}

impl Crontab {
    fn met(&self, command: &Path, evidence: String) -> Finding {
        let msg = format!("{} may have a crontab", self.who());
        Finding::met(command.display().to_string(), msg).evidence(evidence)
    }
}

/// A cron daemon of root that is not ours; an error where processes are hidden.
fn daemon() -> Result<Option<Found>, String> {
    let evidence = running::evidence()?;
    let found = |name: &str| {
        let program = Program::named(name);
        evidence
            .of_program(&program, Whose::Root)
            .into_iter()
            .next()
    };
    Ok(DAEMONS.iter().find_map(|name| found(name)))
}
