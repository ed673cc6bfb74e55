//! Is the running process what it was meant to be?
//!
//! A variable set in the administrator's shell, in a unit, in an init script: whether it reached
//! the daemon is seen in the daemon alone. The environment that counts is the one which the process
//! has now (`proc::live`): uwsgi's and gunicorn's `--env` and a program's own os.environ come after
//! exec, and /proc/PID/environ never shows them. Where a program keeps no table that can be read (a
//! static Go binary), what exec was given is all there is to know.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use base::{Error, Kind, Result};
use nix::unistd::User;
use proc::{Identity, Snapshot, arguments, environment, live};

use crate::report::ExpectReport;
use crate::service::Expect;

/// Compares these processes with what is expected of them. No process at all meets no expectation.
#[must_use]
pub fn compare(expect: &Expect, pids: &[i32]) -> Vec<ExpectReport> {
    let mut reports = Vec::new();
    let mut report = |key: String, ok: Option<bool>| {
        let ok = if pids.is_empty() { Some(false) } else { ok };
        reports.push(ExpectReport { key, ok });
    };
    let found: Vec<Option<Variables>> = if expect.env.is_empty() {
        Vec::new()
    } else {
        pids.iter().map(|pid| variables(*pid)).collect()
    };
    for wanted in &expect.env {
        let name = wanted
            .trim_start_matches('!')
            .split('=')
            .next()
            .unwrap_or_default();
        let each = found
            .iter()
            .zip(pids)
            .map(|(found, pid)| Some(holds(wanted, found.as_ref()?) || workers_hold(wanted, *pid)));
        report(format!("env {name}"), all(each));
    }
    if let Some(user) = &expect.user {
        let uid = uid_of(user);
        let each = pids
            .iter()
            .map(|pid| Some(Identity::of(*pid).is_ok_and(|found| Some(found.uid) == uid)));
        report("user".to_owned(), all(each));
    }
    if let Some(pattern) = &expect.exe {
        let pattern = glob::Pattern::new(pattern).ok();
        let fits = |path: &Path| {
            pattern
                .as_ref()
                .is_some_and(|pattern| pattern.matches_path(path))
        };
        let each = pids.iter().map(|pid| {
            let found = executables(*pid);
            (!found.is_empty()).then(|| found.iter().any(|path| fits(path)))
        });
        report("exe".to_owned(), all(each));
    }
    reports
}

/// All of them; None where one cannot be told and none is false.
fn all(each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = each.collect();
    if answers.contains(&Some(false)) {
        Some(false)
    } else if answers.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// The error for expectations that are not met, or that cannot be told.
///
/// # Errors
/// One is not met.
pub fn verdict(name: &str, found: &[ExpectReport]) -> Result<()> {
    let keys = |ok: Option<bool>| -> Vec<&str> {
        let found = found.iter().filter(|each| each.ok == ok);
        found.map(|each| each.key.as_str()).collect()
    };
    let (wrong, hidden) = (keys(Some(false)), keys(None));
    if !wrong.is_empty() {
        return Err(Error::failed(format!(
            "{name}: the running process is not what was expected: {}",
            wrong.join(", ")
        ))
        .hint(
            "what is set in a shell does not reach a daemon: set it where the daemon is started",
        ));
    }
    if hidden.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Unknown,
        format!(
            "{name}: the running process cannot be looked into: {}",
            hidden.join(", ")
        ),
    )
    .hint("root may look into every process"))
}

fn uid_of(user: &str) -> Option<u32> {
    match user.parse() {
        Ok(uid) => Some(uid),
        Err(_) => User::from_name(user)
            .ok()
            .flatten()
            .map(|user| user.uid.as_raw()),
    }
}

/// The executable itself and, since a venv's python is a link to the system's, the name it was
/// started by.
fn executables(pid: i32) -> Vec<std::path::PathBuf> {
    let mut found: Vec<std::path::PathBuf> = proc::executable(pid).into_iter().collect();
    let words = arguments(pid).unwrap_or_default();
    found.extend(
        words
            .iter()
            .take(2)
            .map(std::path::PathBuf::from)
            .filter(|path| path.is_absolute()),
    );
    found
}

fn holds(wanted: &str, found: &[(OsString, OsString)]) -> bool {
    let of = |name: &str| {
        found
            .iter()
            .rev()
            .find(|(each, _)| each == name)
            .map(|(_, value)| value)
    };
    if let Some(name) = wanted.strip_prefix('!') {
        return of(name).is_none();
    }
    match wanted.split_once('=') {
        Some((name, value)) => of(name).is_some_and(|found| found == OsStr::new(value)),
        None => of(wanted).is_some(),
    }
}

type Variables = Vec<(OsString, OsString)>;

fn variables(pid: i32) -> Option<Variables> {
    live::environment(pid).or_else(|| environment(pid).ok())
}

/// A worker imports the application; a master that does not preload it never sees what the
/// application sets.
fn workers_hold(wanted: &str, pid: i32) -> bool {
    if wanted.starts_with('!') {
        return false;
    }
    let Ok(snapshot) = Snapshot::take() else {
        return false;
    };
    let workers = snapshot.children(pid);
    !workers.is_empty()
        && workers
            .iter()
            .all(|worker| variables(*worker).is_some_and(|found| holds(wanted, &found)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn found(text: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        text.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn set_set_to_and_not_set() {
        let running = found(&[("PRODUCTION", ""), ("A", "1")]);
        for (wanted, is) in [
            ("PRODUCTION", true),
            ("PRODUCTION=", true),
            ("PRODUCTION=1", false),
            ("A=1", true),
            ("!B", true),
            ("!A", false),
        ] {
            assert_eq!(holds(wanted, &running), is, "{wanted}");
        }
    }

    #[test]
    fn one_unknown_is_no_yes_and_one_no_is_no() {
        let of = |each: &[Option<bool>]| all(each.iter().copied());
        assert_eq!(of(&[Some(true), Some(true)]), Some(true));
        assert_eq!(of(&[Some(true), None]), None);
        assert_eq!(of(&[None, Some(false)]), Some(false));
        let hidden = [ExpectReport {
            key: "exe".into(),
            ok: None,
        }];
        assert_eq!(verdict("a", &hidden).unwrap_err().kind, Kind::Unknown);
    }

    #[test]
    fn this_process_is_itself() {
        let me = [i32::try_from(std::process::id()).unwrap()];
        let expect = Expect {
            env: vec!["!NO_SUCH_VARIABLE_HERE".into()],
            user: Some(rustix::process::geteuid().as_raw().to_string()),
            exe: Some("/*".into()),
        };
        assert!(
            compare(&expect, &me)
                .iter()
                .all(|each| each.ok == Some(true))
        );
        assert!(
            compare(&expect, &[])
                .iter()
                .all(|each| each.ok == Some(false))
        );
        let wrong = Expect {
            exe: Some("/no/such/*".into()),
            ..Expect::default()
        };
        assert_eq!(
            compare(&wrong, &me),
            [ExpectReport {
                key: "exe".into(),
                ok: Some(false)
            }]
        );
    }
}
