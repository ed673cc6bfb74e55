//! Is the running process what it was meant to be?
//!
//! A variable set in the administrator's shell, in a unit, in an init script: whether it reached the daemon is seen in
//! the daemon alone. The environment a process was started with is read from /proc; uwsgi and gunicorn can be told more on
//! their command line (`--env`), which they set in themselves where /proc doesn't show it, so that counts too.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use nix::unistd::User;
use proc::{Identity, arguments, environment};

use crate::report::ExpectReport;
use crate::set::Expect;

/// Compares these processes with what is expected. No process at all meets no expectation.
#[must_use]
pub fn compare(expect: &Expect, pids: &[i32]) -> Vec<ExpectReport> {
    let mut reports = Vec::new();
    let mut say = |key: String, ok: bool| {
        reports.push(ExpectReport {
            key,
            ok: ok && !pids.is_empty(),
        });
    };
    for wanted in &expect.env {
        let name = wanted
            .trim_start_matches('!')
            .split('=')
            .next()
            .unwrap_or_default();
        say(
            format!("env {name}"),
            pids.iter()
                .all(|pid| variables(*pid).is_ok_and(|found| holds(wanted, &found))),
        );
    }
    if let Some(user) = &expect.user {
        let uid = uid_of(user);
        say(
            "user".to_owned(),
            pids.iter()
                .all(|pid| Identity::of(*pid).is_ok_and(|found| Some(found.uid) == uid)),
        );
    }
    if let Some(pattern) = &expect.exe {
        let pattern = glob::Pattern::new(pattern).ok();
        let fits = |path: &Path| {
            pattern
                .as_ref()
                .is_some_and(|pattern| pattern.matches_path(path))
        };
        say(
            "exe".to_owned(),
            pids.iter()
                .all(|pid| executables(*pid).iter().any(|path| fits(path))),
        );
    }
    reports
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

/// The executable itself and, since a venv's python is a link to the system's, the name it was started by.
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

fn variables(pid: i32) -> io::Result<Vec<(OsString, OsString)>> {
    let mut found = environment(pid)?;
    found.extend(from_arguments(&arguments(pid)?));
    Ok(found)
}

/// `--env NAME=VALUE` of uwsgi (uwsgi --help) and gunicorn (`-e`, `--env`).
fn from_arguments(arguments: &[OsString]) -> Vec<(OsString, OsString)> {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let knows = words.iter().take(2).any(|word| {
        let name = Path::new(word)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        name.starts_with("uwsgi") || name.starts_with("gunicorn")
    });
    if !knows {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let value = match word.as_str() {
            "--env" | "-e" => words.get(at + 1).map(String::as_str),
            other => other.strip_prefix("--env="),
        };
        if let Some((name, value)) = value.and_then(|value| value.split_once('=')) {
            found.push((name.into(), value.into()));
        }
    }
    found
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
    fn variables_that_servers_set_in_themselves() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            from_arguments(&words("/usr/bin/uwsgi --env PRODUCTION=1 --env=B=2")),
            found(&[("PRODUCTION", "1"), ("B", "2")])
        );
        assert_eq!(
            from_arguments(&words("/v/bin/python /v/bin/gunicorn -e A=1 app")),
            found(&[("A", "1")])
        );
        assert_eq!(from_arguments(&words("/bin/sh -e A=1")), found(&[]));
    }

    #[test]
    fn this_process_is_itself() {
        let me = [i32::try_from(std::process::id()).unwrap()];
        let expect = Expect {
            env: vec!["!NO_SUCH_VARIABLE_HERE".into()],
            user: Some(rustix::process::geteuid().as_raw().to_string()),
            exe: Some("/*".into()),
        };
        assert!(compare(&expect, &me).iter().all(|each| each.ok));
        assert!(compare(&expect, &[]).iter().all(|each| !each.ok));
        let wrong = Expect {
            exe: Some("/no/such/*".into()),
            ..Expect::default()
        };
        assert_eq!(
            compare(&wrong, &me),
            [ExpectReport {
                key: "exe".into(),
                ok: false
            }]
        );
    }
}
