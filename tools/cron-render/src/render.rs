//! The finished schedule: the template's lines with what the site needs, written for one cron.
//!
//! Whatever is not a job stays as it stands. A job that needs no change keeps its bytes, too.

use base::error::{Error, Result};

use crate::around::{self, Around};
use crate::command::{Action, Shape};
use crate::crontab::What;
use crate::environment;
use crate::escape::{encode, shell_word};
use crate::settings;
use crate::site::Site;
use crate::spread::Placed;
use crate::template::{Job, Template};

/// A job as it will be installed.
#[derive(Clone, Debug)]
pub struct RenderedJob {
    /// When, as written.
    pub when: String,
    /// Who, where lines name a user.
    pub user: Option<String>,
    /// The command as it stands in a crontab.
    pub command: Vec<u8>,
}

impl RenderedJob {
    /// Its line, without the newline.
    pub fn line(&self) -> Vec<u8> {
        let mut line = self.when.clone().into_bytes();
        if let Some(user) = &self.user {
            line.push(b' ');
            line.extend_from_slice(user.as_bytes());
        }
        line.push(b' ');
        line.extend_from_slice(&self.command);
        line
    }
}

/// Renders every job, in order.
///
/// # Errors
/// `Kind::Input` for a command that this cron cannot be told.
pub fn jobs(template: &Template, site: &Site, placed: &[Placed]) -> Result<Vec<RenderedJob>> {
    let user = |job: &Job| {
        let named = site.facts.user.clone().or_else(|| job.user.clone());
        named.filter(|_| site.format.names_users())
    };
    let settings = settings::of_jobs(template, site);
    let each = template.jobs.iter().zip(placed).zip(&settings);
    each.map(|((job, placed), settings)| {
        let around = around(job, site, settings);
        Ok(RenderedJob {
            when: placed.when.clone(),
            user: user(job),
            command: command_text(job, site, &around)?,
        })
    })
    .collect()
}

/// What stands around a job in a crontab.
pub fn around(job: &Job, site: &Site, settings: &[(String, String)]) -> Around {
    let env = if around::carries_environment(site) {
        let carried = settings
            .iter()
            .filter(|(n, _)| !settings::is_daemons_own(n));
        carried.cloned().collect()
    } else {
        Vec::new()
    };
    Around::new(site, &job.id, &job.extras, env)
}

/// An argument vector as a shell reads it.
pub fn words(argv: &[String]) -> String {
    argv.iter()
        .map(|word| shell_word(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether the site gives `python manage.py` a place to run in.
pub fn rewrites(site: &Site) -> bool {
    site.facts.dir.is_some() || site.facts.venv.is_some()
}

/// Whether a job is written by us rather than taken over as it stands.
pub fn is_ours(job: &Job, site: &Site) -> bool {
    match &job.action {
        Action::Raw(_) => matches!(job.shape, Shape::Manage { .. }) && rewrites(site),
        _ => true,
    }
}

fn command_text(job: &Job, site: &Site, around: &Around) -> Result<Vec<u8>> {
    let encoded = |text: &str| {
        encode(text.as_bytes(), site.dialect).ok_or_else(|| {
            let what = format!(
                "line {}, job {}: cronie cannot be told an odd number of backslashes before a %",
                job.line, job.id
            );
            Error::input(what).hint("put the command into a script and run that")
        })
    };
    match (&job.action, job.shape) {
        (Action::Raw(raw), Shape::Manage { python_end }) if rewrites(site) => {
            let (head, body, tail, note) =
                around.split(raw, python_end, &around::interpreter(site));
            Ok([&encoded(&head)?[..], body, &encoded(&tail)?, note].concat())
        }
        (Action::Raw(raw), _) => Ok([&encoded(&around.exports())?[..], raw].concat()),
        (action, _) => encoded(&around.wrap(&inner(action, site))),
    }
}

/// The command of a job that is no crontab text, as a shell reads it.
pub fn inner(action: &Action, site: &Site) -> String {
    match action {
        Action::Raw(raw) => String::from_utf8_lossy(raw).into_owned(),
        Action::Manage(words) => {
            let python = shell_word(&around::interpreter(site));
            format!("{python} manage.py {words}")
        }
        Action::Argv(argv) => words(argv),
        Action::Shell(text) => text.clone(),
    }
}

/// The setting lines that the site's facts give: those that the daemon reads, and in a file of our
/// own all others, too.
fn setting_lines(site: &Site) -> Vec<(&str, String)> {
    settings::of_site(site)
        .filter(|(name, _)| keeps_line(name, site))
        .filter_map(|(name, value)| Some((name, environment::write(name, value)?)))
        .collect()
}

/// Whether a setting of this name stands on a line of its own.
fn keeps_line(name: &str, site: &Site) -> bool {
    !around::carries_environment(site) || settings::is_daemons_own(name)
}

/// Each job's line, and the finished text of all.
///
/// # Errors
/// As [`jobs`].
pub fn finished(
    template: &Template,
    site: &Site,
    placed: &[Placed],
) -> Result<(Vec<String>, Vec<u8>)> {
    let jobs = jobs(template, site, placed)?;
    let text = text(template, site, &jobs);
    let lines = jobs
        .iter()
        .map(|job| String::from_utf8_lossy(&job.line()).into_owned());
    Ok((lines.collect(), text))
}

/// Each job's line as it stands in the finished text.
///
/// # Errors
/// As [`jobs`].
pub fn marks(template: &Template, site: &Site, placed: &[Placed]) -> Result<Vec<Vec<u8>>> {
    let jobs = jobs(template, site, placed)?;
    let text = text(template, site, &jobs);
    let each = jobs.iter().map(|job| {
        // A line that only its command changes keeps its blanks.
        let ends =
            |line: &&[u8]| line.ends_with(&job.command) && line.starts_with(job.when.as_bytes());
        let found = text.split(|b| *b == b'\n').find(ends);
        found.map_or_else(|| job.line(), <[u8]>::to_vec)
    });
    Ok(each.collect())
}

/// The whole text: settings, the template's other lines, the jobs.
pub fn text(template: &Template, site: &Site, jobs: &[RenderedJob]) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.bytes.len() + 256);
    let mut push = |line: &[u8]| {
        out.extend_from_slice(line);
        out.push(b'\n');
    };
    let settings = setting_lines(site);
    settings.iter().for_each(|(_, line)| push(line.as_bytes()));
    let mut of_line = template.jobs.iter().zip(jobs).peekable();
    for (index, line) in template.lines.iter().enumerate() {
        let bytes = &template.bytes[line.span.clone()];
        match &line.what {
            What::Listed => {
                if let Some((job, rendered)) =
                    of_line.next_if(|(job, _)| job.of_line == Some(index))
                {
                    push(&job_line(job, rendered, bytes));
                }
            }
            What::Setting(setting) => {
                let name = String::from_utf8_lossy(&setting.name);
                // The command line wins: a later line of the same name would undo it.
                let given = settings.iter().any(|(n, _)| *n == name);
                if !given && keeps_line(&name, site) {
                    push(bytes);
                }
            }
            _ => push(bytes),
        }
    }
    for (_, rendered) in of_line {
        push(&rendered.line());
    }
    out
}

fn job_line(job: &Job, rendered: &RenderedJob, written: &[u8]) -> Vec<u8> {
    let same = rendered.when == job.when() && rendered.user == job.user;
    if !same {
        return rendered.line();
    }
    let mut line = written[..job.command_at].to_vec();
    line.extend_from_slice(&rendered.command);
    line
}
