//! `try`: one job, run now as its daemon would run it, and what came of it.
//!
//! The daemon's own view decides: the schedule is put where it would stand (or read from where it
//! stands), the job's line is found there by the daemon's rules, and what those rules give (user,
//! shell, directory, environment, standard input) is what the job gets.

mod by_cron;
mod lacks;
mod launch;
mod pam;

use std::sync::Arc;
use std::time::Duration;

use base::child::Ending;
use base::clock::Deadline;
use base::error::{Error, Kind, Result};
use base::exit::Exit;
use base::mask;
use base::report::{Mark, Report, Status, Text};
use base::signals::Watch;
use base::tool::Context;
use schemars::JsonSchema;
use serde::Serialize;

use crate::act;
use crate::finding::Code;
use crate::host::Cron;
use crate::registry;
use crate::report::{CronReport, Voice};
use crate::request::Request;
use crate::site::Site;
use crate::target;
use crate::template::{Draft, Template};
use crate::work::Work;

pub use by_cron::run as by_cron;
pub use lacks::Lack;

/// How much of a job's output is kept: the last part is cut off.
pub const OUTPUT: usize = 1 << 20;

/// A job that is about to run.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The site.
    pub site: &'a Site,
    /// The cron of this host.
    pub cron: &'a Cron,
    /// The whole text that the daemon reads.
    pub text: &'a [u8],
    /// The job in it: its line, or the name of its service.
    pub job: &'a [u8],
    /// Whether nothing is run.
    pub dry_run: bool,
    /// The end of the whole run.
    pub deadline: Deadline,
    /// Signals that ask this process to end.
    pub watch: Option<Arc<Watch>>,
}

/// What the daemon gives the job, and what came of it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Attempt {
    /// The user that the job runs as.
    pub user: String,
    /// The shell that reads the command; null for a program that systemd starts itself.
    pub shell: Option<String>,
    /// The command.
    pub command: String,
    /// The directory that the job starts in.
    pub directory: String,
    /// The environment, NAME=VALUE; empty where systemd makes it.
    pub environment: Vec<String>,
    /// Whether the job was started.
    pub started: bool,
    /// Why the daemon does not start the job; null where the job was started.
    pub refusal: Option<String>,
    /// The exit status of the job; null where a signal ended it, or nothing was started.
    pub exit: Option<i32>,
    /// The signal that ended the job.
    pub signal: Option<i32>,
    /// How long the job ran.
    pub elapsed_ms: Option<u64>,
    /// Both outputs, as they came.
    pub output: String,
    /// Whether the job printed more than the report holds.
    pub truncated: bool,
    /// What the job looked for and did not find.
    pub lacked: Vec<Lack>,
    /// What the daemon does and `try` does not.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

impl Attempt {
    /// Takes over how the job ended.
    pub fn ended(&mut self, ending: Ending, elapsed: Duration) {
        self.started = true;
        self.elapsed_ms = Some(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        match ending {
            Ending::Exit(code) => self.exit = Some(code),
            Ending::Signal(number) => self.signal = Some(number),
        }
    }

    /// Takes over what the job printed, without secrets.
    pub fn printed(&mut self, bytes: &[u8], truncated: bool) {
        self.output = mask::text(&String::from_utf8_lossy(bytes));
        self.truncated = truncated;
    }

    /// For a person: the place, the output as it came, and what was missing.
    pub fn text(&self, out: &mut Text) {
        let shell = match &self.shell {
            Some(shell) => format!("{shell} -c "),
            None => String::new(),
        };
        out.heading(format!("{}: {shell}{}", self.user, self.command));
        if !self.started || out.verbose() {
            out.note(format!("in {}", self.directory));
            for variable in &self.environment {
                out.note(variable);
            }
        }
        for line in self.output.lines() {
            out.line(format!("  {line}"));
        }
        if self.truncated {
            out.note("the job printed more");
        }
        for lack in &self.lacked {
            out.row(Mark::Warn, &[&lack.message]);
            lack.fix.text(out);
        }
    }

    fn ending(&self) -> Option<Ending> {
        self.exit
            .map(Ending::Exit)
            .or(self.signal.map(Ending::Signal))
    }
}

/// `try JOB`, of a template or of what is installed.
///
/// # Errors
/// As `install`, up to the point where it would write; `Kind::Deadline` where the time is up.
pub fn attempt(wanted: &str, request: &Request, context: &Context) -> Result<Report<CronReport>> {
    let (work, text, job) = match &request.template {
        Some(_) => of_template(request, context)?,
        None => of_installed(wanted, request, context)?,
    };
    if let Some(file) = &work.site.facts.env_file {
        // Registers the values as secrets; what is wrong with the file is a finding.
        let _ = base::site::Environment::read(std::path::Path::new(file));
    }
    let barred = work
        .findings
        .iter()
        .find(|f| f.code == Code::E14 && f.line == 0)
        .map(|f| f.message.clone());
    let trial = Trial {
        site: &work.site,
        cron: &work.cron,
        text: &text,
        job: &job,
        dry_run: context.dry_run || barred.is_some(),
        deadline: context.deadline,
        watch: Some(Arc::new(Watch::begin()?)),
    };
    let mut attempt = (registry::row(work.site.format).attempt)(&trial)?;
    attempt.refusal = attempt.refusal.or(barred);
    Ok(report(work, attempt, wanted, context))
}

fn report(work: Work, attempt: Attempt, wanted: &str, context: &Context) -> Report<CronReport> {
    let left_out = attempt.left_out.clone();
    let daemon = registry::row(work.site.format).daemon(&work.site);
    let (status, exit, msg) = match (attempt.ending(), &attempt.refusal) {
        (_, Some(why)) => (
            Status::No,
            Some(Exit::AroundCommand),
            format!("{daemon} does not start '{wanted}': {why}"),
        ),
        (None, None) => (Status::No, None, format!("'{wanted}': to run")),
        (Some(ending), None) => {
            let seconds = attempt.elapsed_ms.unwrap_or_default() as f64 / 1000.0;
            let status = if ending.success() {
                Status::Ok
            } else {
                Status::No
            };
            (
                status,
                Some(Exit::Command(ending.shell_code())),
                format!("'{wanted}': {ending} after {seconds:.1} s"),
            )
        }
    };
    debug_assert!(!context.dry_run || !attempt.started);
    let mut warnings = work.warnings;
    if !left_out.is_empty() {
        warnings.push(format!(
            "{daemon} also gives its jobs {}, which 'try' leaves out",
            left_out.join(", ")
        ));
    }
    let changed = attempt.refusal.is_none();
    let body = CronReport {
        findings: work.findings,
        attempt: Some(attempt),
        voice: Voice::Try,
        ..CronReport::default()
    };
    let report = Report::new(status, msg, body)
        .changed(changed)
        .warnings(warnings);
    match exit {
        Some(exit) => report.exit(exit),
        None => report,
    }
}

/// The template's job in the text that an install would write.
fn of_template(request: &Request, context: &Context) -> Result<(Work, Vec<u8>, Vec<u8>)> {
    let work = Work::new(request, context)?;
    work.demand_rights()?;
    work.demand(|code| code != Code::E14)?;
    act::demand_user(&work)?;
    let (jobs, mut text) = work.finished()?;
    let row = registry::row(work.site.format);
    let job = match (row.by_cron, work.template.jobs.first()) {
        (false, Some(job)) => format!("{}-{}.service", work.site.name(), job.id).into_bytes(),
        (true, Some(_)) => work.lines()?.into_iter().next().unwrap_or_default(),
        (_, None) => return Err(none("the template has no jobs", &jobs)),
    };
    // The block in its crontab: settings of the lines above hold for the job, too.
    if row.by_cron && work.site.facts.name.is_some() {
        let place = act::open(&work.site, &work.cron, context)?;
        text = place
            .plan(place.read()?, &text, true)?
            .after
            .unwrap_or(text);
    }
    Ok((work, text, job))
}

/// The job among what is installed under `--name`.
fn of_installed(
    wanted: &str,
    request: &Request,
    context: &Context,
) -> Result<(Work, Vec<u8>, Vec<u8>)> {
    let mut request = Request {
        asked: crate::request::Asked::Try(wanted.to_owned()),
        facts: request.facts.clone(),
        template: None,
        form: None,
        force: false,
    };
    let row = registry::row(request.facts.format.unwrap_or_default());
    request.form = row.form;
    let probe = Work::of_draft(
        Draft::of_crontab(String::new(), Vec::new()),
        &request,
        context,
    )?;
    let Some(name) = probe.site.facts.name.clone() else {
        return Err(Error::usage("--name is missing: whose job is tried?")
            .hint("--name ID of what is installed, or a TEMPLATE"));
    };
    let place = act::open(&probe.site, &probe.cron, context)?;
    let text = place.read()?.unwrap_or_default();
    let installed = place.installed(&text)?;
    if installed.is_empty() {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "{}: nothing is installed under the name '{name}'",
                place.path()
            ),
        )
        .hint("cron-render install, or try JOB TEMPLATE"));
    }
    if !row.by_cron {
        let services = target::systemd::services(&text);
        let stem = format!("{name}-");
        let ids: Vec<(String, Vec<u8>)> = services
            .into_iter()
            .map(|unit| {
                let id = unit.trim_end_matches(".service").trim_start_matches(&stem);
                (id.to_owned(), unit.clone().into_bytes())
            })
            .collect();
        let at = choose(wanted, ids.iter().map(|(id, _)| (id.as_str(), 0, None)))?;
        let job = ids[at].1.clone();
        return Ok((probe, text, job));
    }
    let draft = Draft::of_crontab(place.path(), installed);
    let work = Work::of_draft(draft, &request, context)?;
    let job = work.template.jobs.first().map(|job| job.text.to_vec());
    let job = job.ok_or_else(|| none("no job is installed", &[]))?;
    Ok((work, text, job))
}

fn none(what: &str, _: &[String]) -> Error {
    Error::usage(what.to_owned()).hint("cron-render try JOB TEMPLATE")
}

/// Leaves the job that `wanted` names: by its id, by its id without the hash, by its line, or by a
/// word of its command.
///
/// # Errors
/// `Kind::Usage`, with the ids that there are.
pub fn keep(template: &mut Template, wanted: &str) -> Result<()> {
    let rows = template.jobs.iter().map(|job| {
        let command = job.raw().map(String::from_utf8_lossy);
        (job.id.as_str(), job.line, command)
    });
    let at = choose(wanted, rows)?;
    let job = template.jobs.swap_remove(at);
    template.jobs = vec![job];
    Ok(())
}

type Row<'a> = (&'a str, usize, Option<std::borrow::Cow<'a, str>>);

fn choose<'a>(wanted: &str, rows: impl Iterator<Item = Row<'a>>) -> Result<usize> {
    let rows: Vec<Row<'a>> = rows.collect();
    let is_hash = |end: &str| end.len() == 6 && end.bytes().all(|b| b.is_ascii_hexdigit());
    let stem = |id: &str| {
        id.rsplit_once('-')
            .is_some_and(|(stem, end)| stem == wanted && is_hash(end))
    };
    let word = |command: &str| {
        command
            .split(|c: char| !(c.is_ascii_alphanumeric() || "_.-/".contains(c)))
            .any(|word| word == wanted)
    };
    let ways: [&dyn Fn(&Row<'_>) -> bool; 4] = [
        &|row| row.0 == wanted,
        &|row| row.1 > 0 && row.1.to_string() == wanted,
        &|row| stem(row.0),
        &|row| row.2.as_deref().is_some_and(word),
    ];
    for way in ways {
        let found: Vec<usize> = (0..rows.len()).filter(|at| way(&rows[*at])).collect();
        match found[..] {
            [] => {}
            [one] => return Ok(one),
            _ => {
                let ids: Vec<&str> = found.iter().map(|at| rows[*at].0).collect();
                return Err(Error::usage(format!("'{wanted}' is more than one job"))
                    .hint(format!("one of: {}", ids.join(", "))));
            }
        }
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.0).collect();
    Err(Error::usage(format!("there is no job '{wanted}'"))
        .hint(format!("one of: {}", ids.join(", "))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_named_in_four_ways() {
        let rows = || {
            [
                (
                    "clear-0a1b2c",
                    3,
                    Some("cd /srv && venv/bin/python manage.py clear"),
                ),
                ("send-111111", 4, Some("send a")),
                ("send-222222", 5, Some("send b")),
                ("send", 6, Some("send")),
            ]
            .into_iter()
            .map(|(id, line, text)| (id, line, text.map(std::borrow::Cow::from)))
        };
        for (wanted, at) in [
            ("clear", 0),
            ("send-222222", 2),
            ("4", 1),
            ("send", 3),
            ("b", 2),
        ] {
            assert_eq!(choose(wanted, rows()).unwrap(), at, "{wanted}");
        }
        let error = choose("manage", rows()).unwrap_err();
        assert!(error.hint.unwrap().contains("clear-0a1b2c, send-111111"));
        assert!(choose("send", rows().take(3)).is_err());
    }
}
