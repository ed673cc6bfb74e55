//! `systemctl`, and what `systemctl show` says of units, many at once.

use std::collections::HashMap;
use std::time::Duration;

use base::child::{Finished, Identity as User, Run as Child};
use base::clock::Deadline;
use base::{Error, Kind, Result};

/// Which manager is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Manager {
    /// The system's.
    System,
    /// That of a user, by name.
    User(String),
}

/// What is asked of each unit.
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,Type,MainPID,ControlGroup,InvocationID,NRestarts,TriggeredBy,\
    CanReload,CanStop,RefuseManualStart,RefuseManualStop,ExecMainCode,ExecMainStatus,LoadError,Job,RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo,\
    Requires,BindsTo,Wants,TimeoutStopUSec,RestartUSec,NeedDaemonReload,UnitFileState,DropInPaths,RemainAfterExit,ConditionResult,ConditionTimestampMonotonic,AssertResult,FragmentPath";

/// A unit as systemd describes it.
#[derive(Debug, Clone, Default)]
pub struct Unit {
    properties: HashMap<String, String>,
}

impl Unit {
    /// A property; empty where systemd has none.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.properties.get(key).map_or("", String::as_str)
    }

    /// A property that is a list of units.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<String> {
        let words = self.get(key).split_ascii_whitespace();
        words.map(str::to_owned).collect()
    }

    #[must_use]
    pub fn id(&self) -> &str {
        self.get("Id")
    }

    /// Whether systemd runs the unit, or is about to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(
            self.get("ActiveState"),
            "active" | "activating" | "reloading" | "deactivating" | "refreshing"
        )
    }

    /// A time span as systemd prints it; `Duration::MAX` for `infinity`.
    #[must_use]
    pub fn span(&self, key: &str) -> Option<Duration> {
        time_span(self.get(key))
    }
}

/// `1min 30s`, `500ms`, `infinity` (systemd.time(7)).
fn time_span(text: &str) -> Option<Duration> {
    if text == "infinity" {
        return Some(Duration::MAX);
    }
    let mut total = Duration::ZERO;
    for word in text.split_ascii_whitespace() {
        let at = word.find(|each: char| !each.is_ascii_digit() && each != '.')?;
        let number: f64 = word[..at].parse().ok()?;
        let unit = match &word[at..] {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            "month" => 2_629_800.0,
            "y" => 31_557_600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number * unit).ok()?;
    }
    (!text.is_empty()).then_some(total)
}

impl Manager {
    /// The command line by which root has the manager do this.
    #[must_use]
    pub fn words(&self, verb: &str) -> Vec<String> {
        let manager = match self {
            Manager::System => Vec::new(),
            Manager::User(name) => vec!["--user".to_owned(), "-M".to_owned(), format!("{name}@")],
        };
        let mut words = vec!["systemctl".to_owned()];
        words.extend(manager);
        words.push(verb.to_owned());
        words
    }
}

/// Runs `systemctl`.
///
/// # Errors
/// It is not installed, or cannot be started.
pub fn systemctl(manager: &Manager, arguments: &[&str], deadline: Deadline) -> Result<Finished> {
    let mut child = Child::new("systemctl");
    if let Manager::User(name) = manager {
        let user = User::of_name(name)?;
        child = child
            .arg("--user")
            .env("XDG_RUNTIME_DIR", format!("/run/user/{}", user.uid));
        if !user.is_current() {
            child = child.user(Some(user));
        }
    }
    child
        .args(arguments)
        .env("SYSTEMD_PAGER", "")
        .env("LC_ALL", "C.UTF-8")
        .deadline(deadline)
        .run()
        .map_err(|error| match error.kind {
            Kind::CommandNotFound => Error::failed("systemctl is not installed")
                .hint("name the backend: supervisor:, sysv:, pidfile:, command:"),
            _ => error,
        })
}

/// How systemd describes these units, in the order asked.
///
/// # Errors
/// systemd does not answer.
pub fn show(manager: &Manager, units: &[String]) -> Result<Vec<Unit>> {
    if units.is_empty() {
        return Ok(Vec::new());
    }
    let property = format!("--property={PROPERTIES}");
    let mut arguments = vec!["show", property.as_str(), "--"];
    arguments.extend(units.iter().map(String::as_str));
    let deadline = Deadline::after(Some(Duration::from_secs(25)));
    let shown = systemctl(manager, &arguments, deadline)?;
    if !shown.success() {
        let error = Error::unreachable(format!("systemd does not answer: {}", shown.last_words()));
        return Err(match manager {
            Manager::System => error,
            Manager::User(user) => error.hint(format!(
                "loginctl enable-linger {user} starts the service manager of the user at boot"
            )),
        });
    }
    let blocks = parse(&shown.out());
    if blocks.len() != units.len() {
        return Err(Error::failed(format!(
            "systemctl show described {} units of {}",
            blocks.len(),
            units.len()
        )));
    }
    Ok(blocks)
}

/// The units after which each of these starts.
///
/// # Errors
/// systemd does not answer.
pub fn after(manager: &Manager, units: &[String]) -> Result<Vec<Vec<String>>> {
    let mut all = Vec::new();
    for unit in units {
        let deadline = Deadline::after(Some(Duration::from_secs(25)));
        let words = ["show", "--value", "--property=After", "--", unit];
        let shown = systemctl(manager, &words, deadline)?;
        all.push(
            shown
                .out()
                .split_ascii_whitespace()
                .map(str::to_owned)
                .collect(),
        );
    }
    Ok(all)
}

/// One block for each unit, in the order asked, an empty line between them.
fn parse(text: &str) -> Vec<Unit> {
    text.split("\n\n")
        .map(|block| Unit {
            properties: block
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        })
        .filter(|unit| !unit.properties.is_empty())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    pub fn units(text: &str) -> Vec<Unit> {
        parse(text)
    }

    #[test]
    fn blocks_are_told_apart() {
        let all = parse("Id=a.service\nRequiredBy=b.service c.service\n\nId=d.service\n");
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].list("RequiredBy"), ["b.service", "c.service"]);
        assert_eq!(all[1].get("RequiredBy"), "");
    }

    #[test]
    fn spans_of_time_as_systemd_prints_them() {
        for (text, expected) in [
            ("1min 30s", Some(Duration::from_secs(90))),
            ("500ms", Some(Duration::from_millis(500))),
            ("2h 5min", Some(Duration::from_secs(7500))),
            ("infinity", Some(Duration::MAX)),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(time_span(text), expected, "{text}");
        }
    }
}
