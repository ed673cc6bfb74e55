//! Looking at the host as the user who runs the jobs: permissions, access lists and mounts answer
//! that user, not root. Nothing is changed or made.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base::child::{Identity, Run};
use base::clock::Deadline;
use base::error::Result;
use rustix::process::geteuid;

use crate::needs::{Need, Needs};

/// Prints a line for each triple of arguments: `ok`, or what is wrong.
const SCRIPT: &str = r#"
# Whether the interpreter in a script's first line exists; $2 is the PATH of the job.
starts() {
  first=
  [ ! -r "$1" ] || IFS= read -r first <"$1" || :
  case $first in '#!'*) ;; *) return 0 ;; esac
  set -f
  search=$2
  set -- ${first#'#!'}
  set +f
  case $1 in /*) ;; *) return 1 ;; esac
  [ -x "$1" ] || return 1
  case $1 in */env) ;; *) return 0 ;; esac
  case $2 in '' | -* | *=* | */*) return 0 ;; esac
  old=$IFS IFS=:
  for dir in $search; do
    if [ -x "$dir/$2" ]; then IFS=$old; return 0; fi
  done
  IFS=$old
  return 1
}
while [ $# -gt 2 ]; do
  how=$1 path=$2 search=$3
  shift 3
  said=ok
  case $how in
  enter)
    if [ ! -e "$path" ]; then said=missing
    elif [ ! -d "$path" ]; then said=kind
    elif [ ! -x "$path" ]; then said=denied
    fi ;;
  execute)
    case $path in
    */*) ;;
    *)
      found=
      old=$IFS IFS=:
      for dir in $search; do
        if [ -f "$dir/$path" ] && [ -x "$dir/$path" ]; then found=$dir/$path; break; fi
      done
      IFS=$old
      path=${found:-/nonexistent/$path} ;;
    esac
    if [ ! -e "$path" ]; then said=missing
    elif [ ! -f "$path" ]; then said=kind
    elif [ ! -x "$path" ]; then said=denied
    elif ! starts "$path" "$search"; then said=interpreter
    fi ;;
  read)
    if [ ! -e "$path" ]; then said=missing
    elif [ -d "$path" ]; then said=kind
    elif [ ! -r "$path" ]; then said=denied
    fi ;;
  append)
    dir=${path%/*}
    if [ -d "$path" ]; then said=kind
    elif [ -e "$path" ]; then [ -w "$path" ] || said=denied
    elif [ ! -d "${dir:-/}" ]; then said=nodir
    elif [ ! -w "${dir:-/}" ] || [ ! -x "${dir:-/}" ]; then said=dirdenied
    fi ;;
  esac
  echo "$said"
done
"#;

/// What was found of one need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is as it has to be.
    Good,
    /// There is no such file.
    Missing,
    /// It is a directory where a file is needed, or the other way round.
    WrongKind,
    /// The user may not use it that way.
    Denied,
    /// The first line of the script names an interpreter that does not exist.
    NoInterpreter,
    /// The directory that the file would be made in does not exist.
    NoDirectory,
    /// The user may not make files in that directory.
    DirectoryDenied,
    /// This user cannot look as that user.
    Unknown,
}

impl Answer {
    fn of(word: &str) -> Answer {
        match word {
            "ok" => Answer::Good,
            "missing" => Answer::Missing,
            "kind" => Answer::WrongKind,
            "denied" => Answer::Denied,
            "interpreter" => Answer::NoInterpreter,
            "nodir" => Answer::NoDirectory,
            "dirdenied" => Answer::DirectoryDenied,
            _ => Answer::Unknown,
        }
    }
}

/// Something that a user's jobs need and do not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// Whose jobs.
    pub user: Option<String>,
    pub need: Need,
    pub answer: Answer,
    /// The lines of the jobs.
    pub lines: Vec<usize>,
}

/// Looks at every need; those that are met are left out.
///
/// # Errors
/// `Kind::Deadline` where the run's time is up.
pub fn at(needs: Needs, deadline: Deadline) -> Result<Vec<Unmet>> {
    let mut of_user: BTreeMap<Option<String>, Vec<(Need, Vec<usize>)>> = BTreeMap::new();
    for ((user, need), lines) in needs {
        of_user.entry(user).or_default().push((need, lines));
    }
    let mut unmet = Vec::new();
    for (user, list) in of_user {
        let answers = answers(user.as_deref(), &list, deadline)?;
        for ((need, lines), answer) in list.into_iter().zip(answers) {
            if answer != Answer::Good {
                unmet.push(Unmet {
                    user: user.clone(),
                    need,
                    answer,
                    lines,
                });
            }
        }
    }
    Ok(unmet)
}

fn answers(
    user: Option<&str>,
    list: &[(Need, Vec<usize>)],
    deadline: Deadline,
) -> Result<Vec<Answer>> {
    let identity = match user.map(Identity::of_name).transpose() {
        Ok(identity) => identity,
        // That there is no such user is a finding of its own.
        Err(_) => return Ok(vec![Answer::Good; list.len()]),
    };
    let me = geteuid();
    let other = identity.filter(|i| i.uid != me.as_raw());
    if other.is_some() && !me.is_root() {
        return Ok(vec![Answer::Unknown; list.len()]);
    }
    let mut all = Vec::with_capacity(list.len());
    // A command line has a limit.
    for part in list.chunks(500) {
        let words = part
            .iter()
            .flat_map(|(need, _)| [need.how.word(), &need.path, &need.search]);
        let done = Run::new("/bin/sh")
            .args(["-c", SCRIPT, "sh"])
            .args(words)
            .clean()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin")
            .dir("/")
            .user(other.clone())
            .cap(1 << 20)
            .deadline(deadline)
            .run()?;
        let said = done.out();
        let mut lines = said.lines();
        all.extend(
            part.iter()
                .map(|_| lines.next().map_or(Answer::Unknown, Answer::of)),
        );
    }
    Ok(all)
}

/// Why cron's own check of the account (PAM's `account` stack) refuses to run a user's jobs, as far
/// as /etc/shadow says; `None` where nothing is known against it.
pub fn account(user: &str) -> Option<&'static str> {
    let text = std::fs::read_to_string("/etc/shadow").ok()?;
    let line = text.lines().find(|l| l.split(':').next() == Some(user))?;
    let today = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() / 86_400;
    refused(line, i64::try_from(today).ok()?)
}

fn refused(line: &str, today: i64) -> Option<&'static str> {
    let fields: Vec<&str> = line.split(':').collect();
    let days = |n: usize| fields.get(n).and_then(|f| f.parse::<i64>().ok());
    if days(7).is_some_and(|expires| today >= expires) {
        return Some("the account has expired");
    }
    if days(2) == Some(0) {
        return Some("the password has to be changed at the next login");
    }
    match (days(2), days(4)) {
        (Some(changed), Some(most)) if most >= 0 && today > changed + most => {
            Some("the password has expired")
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::needs::Use;

    #[test]
    fn every_answer() {
        let dir = std::env::temp_dir().join(format!("look-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("d")).unwrap();
        std::fs::write(dir.join("f"), "").unwrap();
        let path = |name: &str| dir.join(name).display().to_string();
        for (name, text) in [
            ("good", "#! /bin/sh -e\n"),
            ("gone", "#!/nowhere/python\n"),
            ("dos", "#!/bin/sh\r\n"),
            ("by-env", "#!/usr/bin/env sh\n"),
            ("no-env", "#!/usr/bin/env nowhere\n"),
        ] {
            std::fs::write(dir.join(name), text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(dir.join(name), mode).unwrap();
        }
        let rows = [
            (Use::Execute, path("good"), Answer::Good),
            (Use::Execute, path("gone"), Answer::NoInterpreter),
            (Use::Execute, path("dos"), Answer::NoInterpreter),
            (Use::Execute, path("by-env"), Answer::Good),
            (Use::Execute, path("no-env"), Answer::NoInterpreter),
            (Use::Enter, path("d"), Answer::Good),
            (Use::Enter, path("x"), Answer::Missing),
            (Use::Enter, path("f"), Answer::WrongKind),
            (Use::Execute, "sh".to_owned(), Answer::Good),
            (Use::Execute, "no-such-program".to_owned(), Answer::Missing),
            (Use::Execute, path("f"), Answer::Denied),
            (Use::Read, path("f"), Answer::Good),
            (Use::Read, path("d"), Answer::WrongKind),
            (Use::Append, path("f"), Answer::Good),
            (Use::Append, path("d/new"), Answer::Good),
            (Use::Append, path("x/new"), Answer::NoDirectory),
            (Use::Append, path("d"), Answer::WrongKind),
        ];
        let list: Vec<(Need, Vec<usize>)> = rows
            .iter()
            .map(|(how, path, _)| {
                let need = Need {
                    how: *how,
                    path: path.clone(),
                    search: "/usr/bin:/bin".to_owned(),
                    what: "it",
                    guessed: false,
                };
                (need, vec![1])
            })
            .collect();
        let got = answers(None, &list, Deadline::NEVER).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        for ((how, path, wanted), got) in rows.iter().zip(got) {
            assert_eq!(got, *wanted, "{how:?} {path}");
        }
    }

    #[test]
    fn accounts_that_pam_refuses() {
        assert_eq!(refused("a:*:19000:0:99999:7:::", 20_000), None);
        assert!(refused("a:*:19000:0:99999:7::1:", 20_000).is_some());
        assert!(refused("a:*:0:0:99999:7:::", 20_000).is_some());
        assert!(refused("a:*:19000:0:90:7:::", 20_000).is_some());
        assert_eq!(refused("a:*::::::", 20_000), None);
    }
}
