//! `try`: runs one job now as the daemon would run it, and reports the result.
//!
//! The daemon's own view decides: the schedule is put where it would stand (or read from where it
//! stands), the job's line is found there by the daemon's rules, and what those rules give (user,
//! shell, directory, environment, standard input) is what the job gets.

pub mod by_cron;
mod lacks;
mod launch;
mod pam;

use std::sync::Arc;

use base::error::{Error, Kind, Result};
use base::exit::Exit;
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;

use crate::act;
use crate::crontab::Form;
use crate::finding::Code;
use crate::registry;
use crate::report::{CronReport, Voice};
use crate::request::Request;
use crate::template::Draft;
use crate::trial::{Attempt, Trial};
use crate::work::Work;

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
        form: work.site.format.form.unwrap_or(Form::User),
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
    let (_, mut text) = work.finished()?;
    let row = registry::row(work.site.format);
    let marks = (row.marks)(&work.template, &work.site, &work.placed)?;
    let Some(job) = marks.into_iter().next() else {
        return Err(none("the template has no jobs"));
    };
    // The block in its crontab: settings of the lines above hold for the job, too.
    if row.format.by_cron() && work.site.facts.name.is_some() {
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
    let row = registry::row(registry::format(request.facts.format.as_deref())?);
    request.form = row.format.form;
    let probe = Work::of_draft(
        Draft::of_crontab(String::new(), Vec::new()),
        &request,
        context,
    )?;
    let Some(name) = probe.site.facts.name.clone() else {
        return Err(
            Error::usage("--name is missing: try needs the name of an installed schedule")
                .hint("give --name ID, or a TEMPLATE"),
        );
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
    if let Some(listed) = row.listed {
        let mut jobs = listed(&name, &text);
        let ids = jobs.iter().map(|(id, _)| (id.as_str(), 0, None));
        let at = crate::choice::choose(wanted, ids)?;
        return Ok((probe, text, jobs.swap_remove(at).1));
    }
    let draft = Draft::of_crontab(place.path(), installed);
    let work = Work::of_draft(draft, &request, context)?;
    let job = work.template.jobs.first().map(|job| job.text.to_vec());
    let job = job.ok_or_else(|| none("no job is installed"))?;
    Ok((work, text, job))
}

fn none(what: &str) -> Error {
    Error::usage(what.to_owned()).hint("cron-render try JOB TEMPLATE")
}
