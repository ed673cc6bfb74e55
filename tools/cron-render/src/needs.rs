//! What the jobs need on the host that runs them: directories, programs, files, each for the user
//! who runs the job. Pure: [`crate::observe`] looks.

use std::collections::BTreeMap;

use crate::around::{self, Around};
use crate::command::{self, Action, OwnWay, Shape};
use crate::render;
use crate::settings::{self, Settings};
use crate::site::Site;
use crate::template::{Job, Template};

/// How a path is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// To change into.
    Enter,
    /// To execute.
    Execute,
    /// To read.
    Read,
    /// To append to, made if it is missing.
    Append,
}

impl Use {
    /// The word of the script that looks.
    pub fn word(self) -> &'static str {
        match self {
            Use::Enter => "enter",
            Use::Execute => "execute",
            Use::Read => "read",
            Use::Append => "append",
        }
    }
}

/// One thing that a job needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub how: Use,
    /// Where; a name without a slash is looked for on [`Need::search`].
    pub path: String,
    /// The PATH of the job.
    pub search: String,
    /// What it is, for a person.
    pub what: &'static str,
    /// Whether it was read out of the administrator's own command: then it may be wrong.
    pub guessed: bool,
}

/// What HOME is called in findings.
pub const HOME: &str = "HOME";

/// Who needs what, with the lines of the jobs.
pub type Needs = BTreeMap<(Option<String>, Need), Vec<usize>>;

/// Everything the jobs need.
///
/// `home_of` is the home directory of a user; of the caller without one.
pub fn of_jobs(
    template: &Template,
    site: &Site,
    home_of: &dyn Fn(Option<&str>) -> Option<String>,
) -> Needs {
    let mut needs = Needs::new();
    let settings = settings::of_jobs(template, site);
    for (job, settings) in template.jobs.iter().zip(&settings) {
        let user = site.facts.user.clone().or_else(|| job.user.clone());
        let home = settings::value(settings, "HOME").map(str::to_owned);
        let home = home.or_else(|| home_of(user.as_deref()));
        for need in of_job(job, site, settings, home) {
            let lines = needs.entry((user.clone(), need)).or_default();
            if lines.last() != Some(&job.line) {
                lines.push(job.line);
            }
        }
    }
    needs
}

fn of_job(job: &Job, site: &Site, settings: &Settings, home: Option<String>) -> Vec<Need> {
    let search = settings::value(settings, "PATH").unwrap_or(site.dialect.path());
    let need = |how, path: String, what| Need {
        how,
        path,
        search: search.to_owned(),
        what,
        guessed: false,
    };
    let mut all = vec![need(
        Use::Execute,
        settings::value(settings, "SHELL")
            .unwrap_or("/bin/sh")
            .to_owned(),
        "the shell",
    )];
    let around = render::around(job, site, settings);
    let leaves = render::is_ours(job, site) && around.dir.is_some();
    // Debian's cron goes on without it, and so does a service that has a directory of its own.
    let goes_on = site.dialect.runs_without_home();
    let by_systemd = !site.format.by_cron();
    if let Some(home) = home.filter(|_| !(leaves && (goes_on || by_systemd))) {
        let home = match home.strip_prefix('~') {
            Some(_) => None,
            None => Some(home),
        };
        all.extend(home.map(|home| Need {
            guessed: goes_on,
            ..need(Use::Enter, home, HOME)
        }));
    }
    if let Some(file) = &around.env_file {
        all.push(need(Use::Read, file.clone(), "the environment file"));
    }
    if !render::is_ours(job, site) {
        if let Some(raw) = job.raw() {
            all.extend(of_raw(raw, job.shape, search));
        }
        return all;
    }
    all.extend(of_around(&around, site, &need));
    let manages = matches!(job.action, Action::Raw(_) | Action::Manage(_));
    let base = around.dir.as_deref();
    if manages {
        let python = below(base, &around::interpreter(site));
        all.push(need(Use::Execute, python, "the interpreter"));
        if let Some(dir) = base {
            let manage = below(Some(dir), "manage.py");
            all.push(need(Use::Read, manage, "manage.py"));
        }
    } else if let Action::Argv(argv) = &job.action {
        if let Some(program) = argv
            .first()
            .filter(|p| base.is_some() || !p.contains('/') || p.starts_with('/'))
        {
            let path = if program.contains('/') {
                below(base, program)
            } else {
                program.clone()
            };
            all.push(need(Use::Execute, path, "the program"));
        }
    }
    all
}

fn of_around(
    around: &Around,
    site: &Site,
    need: &dyn Fn(Use, String, &'static str) -> Need,
) -> Vec<Need> {
    let mut all = Vec::new();
    if let Some(dir) = &around.dir {
        all.push(need(Use::Enter, dir.clone(), "the directory"));
    }
    let locks = [&around.lock, &around.turn].into_iter().flatten();
    for lock in locks {
        all.push(need(Use::Append, lock.clone(), "the lock"));
        all.push(need(Use::Execute, "flock".to_owned(), "the program"));
    }
    if let Some(log) = &around.log {
        all.push(need(Use::Append, log.clone(), "the log"));
    }
    if around.timeout.is_some() && site.format.by_cron() {
        all.push(need(Use::Execute, "timeout".to_owned(), "the program"));
    }
    if !around.env.is_empty() {
        all.push(need(Use::Execute, "env".to_owned(), "the program"));
    }
    all
}

/// What a command that stays as it is says in plain words: the directory it changes to, and the
/// files that it appends to.
fn of_raw(raw: &[u8], shape: Shape, search: &str) -> Vec<Need> {
    let need = |how, path: String, what| Need {
        how,
        path,
        search: search.to_owned(),
        what,
        guessed: true,
    };
    let mut all = Vec::new();
    let code = &raw[..command::comment(raw).unwrap_or(raw.len())];
    let words: Vec<&[u8]> = code
        .split(|b| matches!(b, b' ' | b'\t'))
        .filter(|w| !w.is_empty())
        .collect();
    let enters = matches!(shape, Shape::OwnWay(OwnWay::Cd)) || words.first() == Some(&&b"cd"[..]);
    if let Some(dir) = words.get(1).filter(|_| enters).and_then(|w| literal(w)) {
        all.push(need(Use::Enter, dir, "the directory"));
    }
    for (at, word) in words.iter().enumerate() {
        let target = match word.strip_prefix(b">>").or_else(|| word.strip_prefix(b">")) {
            Some(b"") => words.get(at + 1).copied(),
            Some(rest) => Some(rest),
            None => None,
        };
        if let Some(path) = target.and_then(literal) {
            all.push(need(Use::Append, path, "the log"));
        }
    }
    all
}

/// An absolute path without anything for a shell to do.
fn literal(word: &[u8]) -> Option<String> {
    let word = word.split(|b| b";&|".contains(b)).next()?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+:@,".contains(b);
    if !word.starts_with(b"/") || !word.iter().all(plain) {
        return None;
    }
    String::from_utf8(word.to_vec()).ok()
}

fn below(base: Option<&str>, path: &str) -> String {
    match base {
        Some(base) if !path.starts_with('/') => {
            format!("{}/{path}", base.trim_end_matches('/'))
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_of_a_command_are_needed() {
        let raw = b"cd /srv/x && ./run >>/var/log/x.log 2>&1 > /tmp/$USER # >/etc/y";
        let shape = command::shape(raw);
        let all: Vec<(Use, String)> = of_raw(raw, shape, "/bin")
            .into_iter()
            .map(|need| (need.how, need.path))
            .collect();
        assert_eq!(
            all,
            [
                (Use::Enter, "/srv/x".to_owned()),
                (Use::Append, "/var/log/x.log".to_owned())
            ]
        );
    }
}
