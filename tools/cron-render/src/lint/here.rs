//! Findings about this host: what the jobs need and do not get, the daemon that is to run them, and
//! files of other users that they depend on.

use base::Fix;

use crate::finding::{Code, Finding};
use crate::host::Daemon;
use crate::lint::Facts;
use crate::look::{Answer, Unmet};
use crate::needs::{HOME, Use};
use crate::registry;
use crate::site::Site;
use crate::template::Template;

pub fn look(template: &Template, site: &Site, facts: &Facts, found: &mut Vec<Finding>) {
    for unmet in &facts.unmet {
        found.push(of(template, site, unmet));
    }
    for (user, why) in &facts.accounts {
        found.push(Finding::of_site(
            Code::E14,
            format!("cron does not run jobs of '{user}': {why}"),
            Fix::advice("give the account a date and password that are in force").shell(
                "root",
                format!(
                    "chage -E -1 -M -1 -d \"$(date +%F)\" {}",
                    base::shell::quoted(user)
                ),
            ),
        ));
    }
    for path in &facts.shared {
        found.push(Finding::of_site(
            Code::W27,
            format!(
                "'{path}' can be written by every user: another user can hold the lock, or put a link in place of the file"
            ),
            "a directory that the jobs' user alone may write",
        ));
    }
    if let Some((daemon, service)) = facts.daemon.filter(|_| site.format.by_cron()) {
        let start = || {
            Fix::advice("start the daemon, now and at every boot")
                .command("root", &["systemctl", "enable", "--now", service])
        };
        match daemon {
            Daemon::Running | Daemon::Unknown => {}
            Daemon::Stopped => found.push(Finding::of_site(
                Code::W23,
                format!("no process of {} runs on this host", site.dialect.name()),
                start(),
            )),
            Daemon::Foreign => found.push(Finding::of_site(
                Code::W23,
                format!(
                    "another cron than {} runs on this host",
                    site.dialect.name()
                ),
                start(),
            )),
        }
    }
}

fn of(template: &Template, site: &Site, unmet: &Unmet) -> Finding {
    let Unmet {
        user,
        need,
        answer,
        lines,
    } = unmet;
    let path = &need.path;
    let who = user.as_deref().unwrap_or("the user of the jobs");
    let code = match (need.guessed, answer) {
        (false, Answer::Unknown) | (true, _) => Code::W22,
        _ => Code::E14,
    };
    let what = need.what;
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let problem = match answer {
        Answer::Missing if !path.contains('/') => {
            format!(
                "{what} '{path}' is not on the PATH of the job, {}",
                need.search
            )
        }
        Answer::Missing => format!("{what} '{path}' does not exist"),
        Answer::WrongKind if need.how == Use::Enter => {
            format!("{what} '{path}' is not a directory")
        }
        Answer::WrongKind => format!("{what} '{path}' is not a file"),
        Answer::Denied => format!("'{who}' may not {} {what} '{path}'", verb(need.how)),
        Answer::NoInterpreter => {
            format!("the first line of {what} '{path}' names an interpreter that does not exist")
        }
        Answer::NoDirectory => {
            format!("the directory of {what} '{path}' does not exist")
        }
        Answer::DirectoryDenied => {
            format!("'{who}' may not make {what} '{path}' in its directory")
        }
        Answer::Unknown | Answer::Good => {
            format!("whether '{who}' can use {what} '{path}' cannot be told by this user")
        }
    };
    let fix = match (answer, user.as_deref()) {
        (Answer::Missing, Some(user)) if what == HOME => Fix::advice(format!(
            "make the home directory of '{user}', or HOME=DIR in the template"
        ))
        .command("root", &["install", "-d", "-o", user, "-m", "0750", path]),
        (Answer::NoInterpreter, _) => {
            Fix::advice("install the interpreter, or mend the first line of the file")
        }
        (Answer::NoDirectory, Some(user)) => Fix::advice(format!("make '{dir}' for '{user}'"))
            .command("root", &["install", "-d", "-o", user, "-m", "0750", dir]),
        (Answer::NoDirectory, None) => {
            Fix::advice(format!("make '{dir}'")).command("root", &["mkdir", "-p", dir])
        }
        (Answer::DirectoryDenied, _) => Fix::advice(format!("a directory that '{who}' may write")),
        (Answer::Unknown, _) => Fix::advice("run cron-render as root or as that user"),
        _ if what == "the interpreter" => {
            Fix::advice("--venv DIR, where DIR/bin/python is, or make the environment")
        }
        _ if what == "the directory" || what == "manage.py" => {
            Fix::advice("--dir DIR, the directory with manage.py")
        }
        _ => Fix::advice(format!(
            "make it, or name another, before the jobs of '{}' run",
            site.name()
        )),
    };
    let problem = match (what, code) {
        (HOME, Code::W22) => format!(
            "{problem}; {} then starts the job elsewhere",
            registry::row(site.format).daemon(site)
        ),
        _ => problem,
    };
    let many = if lines.len() > 1 {
        format!(" ({} jobs)", lines.len())
    } else {
        String::new()
    };
    let line = lines.first().copied().unwrap_or(0);
    let column = template
        .jobs
        .iter()
        .find(|job| job.line == line)
        .map_or(0, |job| job.place(job.command_at).1);
    Finding::at(code, (line, column), format!("{problem}{many}"), fix)
}

fn verb(how: Use) -> &'static str {
    match how {
        Use::Enter => "enter",
        Use::Execute => "execute",
        Use::Read => "read",
        Use::Append => "write",
    }
}
