//! The finished schedule: the template's lines with what the site needs, written for one cron.
//!
//! Whatever is not a job stays as it stands. A job that needs no change keeps its bytes, too.

use base::error::{Error, Result};

use crate::command::{self, Action, Around, Shape};
use crate::crontab::What;
use crate::environment;
use crate::escape::{encode, shell_word};
use crate::site::{Format, Site};
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
    let user = |job: &Job| match site.format {
        Format::CronD => site.facts.user.clone().or_else(|| job.user.clone()),
        _ => None,
    };
    let each = template.jobs.iter().zip(placed).map(|(job, placed)| {
        Ok(RenderedJob {
            when: placed.when.clone(),
            user: user(job),
            command: command_text(job, site)?,
        })
    });
    each.collect()
}

/// What the shell is to run, before it is written for cron; `None` for a crontab's own command,
/// which is written already.
pub fn shell_text(job: &Job, site: &Site) -> Option<String> {
    let around = Around::new(site, &job.id, &job.extras);
    match &job.action {
        Action::Raw(_) => None,
        Action::Manage(words) => {
            Some(around.wrap(&format!("{} manage.py {words}", command::interpreter(site))))
        }
        Action::Argv(argv) => Some(around.wrap(&words(argv))),
        Action::Shell(text) => Some(around.wrap(text)),
    }
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

fn command_text(job: &Job, site: &Site) -> Result<Vec<u8>> {
    let encoded = |text: &str| {
        encode(text.as_bytes(), site.dialect).ok_or_else(|| {
            let what = format!(
                "line {}, job {}: cronie cannot be told an odd number of backslashes before a %",
                job.line, job.id
            );
            Error::input(what).hint("put the command into a script and run that")
        })
    };
    let Action::Raw(raw) = &job.action else {
        return encoded(&shell_text(job, site).unwrap_or_default());
    };
    let Shape::Manage { python_end } = job.shape else {
        return Ok(raw.to_vec());
    };
    if !rewrites(site) {
        return Ok(raw.to_vec());
    }
    let around = Around::new(site, &job.id, &job.extras);
    let mut out = encoded(&format!(
        "{}{}",
        around.prefix(),
        shell_word(&command::interpreter(site))
    ))?;
    out.extend_from_slice(&raw[python_end..]);
    if !command::is_redirected(raw) {
        out.extend_from_slice(&encoded(&around.suffix())?);
    }
    Ok(out)
}

/// The site's environment lines: name and line.
pub fn settings(site: &Site) -> Vec<(String, String)> {
    let named = [
        ("SHELL", &site.facts.shell),
        ("PATH", &site.facts.path),
        ("MAILTO", &site.facts.mailto),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let all = named.chain(site.facts.env.iter().cloned());
    all.filter_map(|(name, value)| environment::write(&name, &value).map(|line| (name, line)))
        .collect()
}

/// The whole text: settings, the template's other lines, the jobs.
pub fn text(template: &Template, site: &Site, jobs: &[RenderedJob]) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.bytes.len() + 256);
    let mut push = |line: &[u8]| {
        out.extend_from_slice(line);
        out.push(b'\n');
    };
    let settings = settings(site);
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
            // The command line wins: a later line of the same name would undo it.
            What::Setting(setting)
                if settings
                    .iter()
                    .any(|(name, _)| name.as_bytes() == setting.name) => {}
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
