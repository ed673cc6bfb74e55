//! A variable in the environment that a running process really has: what stands in a unit, an init
//! script or a shell's profile may never have reached it, and what uwsgi's `--env` sets is not in
//! what it was started with. Said is whether it is set and how long it is, never the value.

use crate::accounts;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::running::{self, Found, Whose};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use proc::live::{self, Live};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// `type = "service_env"`.
pub const TYPE: Type = Type {
    name: "service_env",
    about: "a variable in a running process's own environment: set or not, and its length",
    keys: &[
        ("process", "the name of the process"),
        ("pid_file", "a file with the pid, in place of process"),
        ("user", "the user that the process runs as (any)"),
        ("variable", "the name of the variable"),
        ("set", "false: the variable must not be set"),
        ("filled", "true: the variable must not be empty"),
    ],
    short: Short {
        words: &["env", "service_env"],
        colon: true,
        forms: &["env:PROCESS:VARIABLE"],
        example: "env:uwsgi:PRODUCTION",
        read: read_short,
    },
    read,
};

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    match rest.rsplit_once(':') {
        Some((process, variable)) => Ok(vec![
            ("process", short::text(process)),
            ("variable", short::text(variable)),
        ]),
        None => Err("the variable is missing".into()),
    }
}

enum Which {
    Name(String),
    PidFile(String),
}

struct ServiceEnv {
    which: Which,
    user: Option<String>,
    variable: String,
    set: bool,
    filled: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let which = match (fields.text("process")?, fields.text("pid_file")?) {
        (Some(name), None) => Which::Name(name),
        (None, Some(file)) => Which::PidFile(file),
        _ => return Err(fields.error("process", "either process or pid_file is needed")),
    };
    let variable = fields.required("variable")?;
    Ok(Box::new(ServiceEnv {
        which,
        user: fields.text("user")?,
        variable,
        set: fields.flag("set")?.unwrap_or(true),
        filled: fields.flag("filled")?.unwrap_or(false),
    }))
}

/// The longest pid file that is read, in bytes.
const LONGEST: u64 = 4096;

/// The text of a pid file, which another user may have put there.
fn pid_file(file: &str) -> Result<String, Box<Finding>> {
    let path = std::path::Path::new(file);
    match base::trust::read_regular(path, LONGEST, Deadline::NEVER) {
        Ok((bytes, _)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind == base::Kind::NotFound => {
            let error = std::io::ErrorKind::NotFound.into();
            Err(Box::new(Finding::io(file, &error)))
        }
        Err(error) if error.kind == base::Kind::Permission => {
            Err(Box::new(Finding::unknown("permission", error.message)))
        }
        Err(error) => Err(Box::new(Finding::unknown("error", error.message))),
    }
}

impl ServiceEnv {
    fn who(&self) -> &str {
        match &self.which {
            Which::Name(name) => name,
            Which::PidFile(file) => file,
        }
    }

    fn whose(&self) -> Result<Whose, Box<Finding>> {
        let Some(name) = &self.user else {
            return Ok(Whose::Anybody);
        };
        match accounts::user(name) {
            Ok(Some(user)) => Ok(Whose::User(user.uid.as_raw())),
            Ok(None) => {
                Err(Box::new(
                    Finding::unmet("no_user", format!("there is no user '{name}'"))
                        .fix(fix::creation(name, &[], None)),
                ))
            }
            Err(why) => Err(Box::new(Finding::unknown("error", why))),
        }
    }

    fn processes(&self) -> Result<Vec<Found>, Box<Finding>> {
        let start = Fix::advice(format!("start {}", self.who()));
        let hidden = |why| Box::new(Finding::unknown("permission", why));
        let found = match &self.which {
            Which::Name(name) => running::called(name, self.whose()?).map_err(hidden)?,
            Which::PidFile(file) => {
                let text = pid_file(file).map_err(|finding| {
                    Box::new(if finding.verdict == crate::finding::Verdict::Unmet {
                        finding.fix(start.clone())
                    } else {
                        *finding
                    })
                })?;
                let pid = text
                    .split_whitespace()
                    .next()
                    .and_then(|word| word.parse().ok());
                let evidence = running::evidence().map_err(hidden)?;
                let whose = self.whose()?;
                pid.and_then(|pid| evidence.of_pid(pid))
                    .filter(|found| whose.admits(found.view.identity.uid))
                    .into_iter()
                    .collect()
            }
        };
        match found.is_empty() {
            true => Err(Box::new(
                Finding::unmet("not_running", format!("{} does not run", self.who())).fix(start),
            )),
            false => Ok(found),
        }
    }

    /// How long the variable is, if it is set: as the process has it now, or, where its memory may
    /// not be read, as it was started.
    fn length(&self, pid: i32) -> std::io::Result<Option<usize>> {
        match live::variable(pid, &self.variable) {
            Live::Set(length) => return Ok(Some(length)),
            Live::NotSet => return Ok(None),
            Live::Hidden => {}
        }
        let started = proc::environment(pid)?;
        let found = started
            .iter()
            .find(|(key, _)| key == OsStr::new(&self.variable))
            .map(|(_, value)| value.as_bytes().len());
        match found {
            Some(length) => Ok(Some(length)),
            None => Err(std::io::Error::other(
                "not set at the start of the process; only root can see the variables that were set later",
            )),
        }
    }

    fn wrong(&self, length: Option<usize>) -> Option<&'static str> {
        match (length, self.set) {
            (None, true) => Some("not_set"),
            (Some(_), false) => Some("set"),
            (Some(0), true) if self.filled => Some("empty"),
            _ => None,
        }
    }
}

impl Check for ServiceEnv {
    fn subject(&self) -> String {
        format!("{}:{}", self.who(), self.variable)
    }

    fn expected(&self) -> String {
        let state = match (self.set, self.filled) {
            (false, _) => "not set",
            (true, true) => "set and not empty",
            (true, false) => "set",
        };
        format!("{} {state} in {}", self.variable, self.who())
    }

    fn how(&self) -> String {
        "the C library's environ in the process's memory: what it was started with, and what it has set since".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let processes = match self.processes() {
            Ok(processes) => processes,
            Err(finding) => return *finding,
        };
        let (who, variable) = (self.who(), &self.variable);
        let mut seen = None;
        let mut denied = None;
        for process in &processes {
            let length = match self.length(process.view.pid()) {
                Ok(length) => length,
                // It ended meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    denied = Some((process.view.pid(), base::error::plain(&error)));
                    continue;
                }
            };
            if let Some(reason) = self.wrong(length) {
                let is = length.map_or("not set".to_string(), |length| {
                    format!("set, {length} bytes")
                });
                let text = format!(
                    "set {variable} where {who} is started (its unit, init script, uwsgi's --env or supervisor's environment=), and restart {who}"
                );
                let text = if self.set {
                    text
                } else {
                    format!("remove {variable} where {who} is started, and restart {who}")
                };
                return Finding::unmet(
                    reason,
                    format!("{variable} is {is} in {who} (pid {})", process.view.pid()),
                )
                .found(is)
                .fix(Fix::advice(text));
            }
            seen = Some(length.map_or("not set".to_string(), |length| {
                format!("set, {length} bytes")
            }));
        }
        match (seen, denied) {
            (Some(found), None) => {
                let shown: Vec<String> = processes.iter().take(3).map(Found::shown).collect();
                Finding::met(found.clone(), format!("{variable} is {found} in {who}"))
                    .evidence(shown.join(", "))
            }
            (_, Some((pid, error))) => Finding::unknown(
                "permission",
                format!("the environment of {who} (pid {pid}): {error}"),
            ),
            (None, None) => Finding::unmet("not_running", format!("{who} does not run"))
                .fix(Fix::advice(format!("start {who}"))),
        }
    }
}
