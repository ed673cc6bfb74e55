//! The commands that look at what is installed, and change it: diff, install, remove.
//!
//! The lock comes first, then the look; the plan is pure; the change is one step of the backend,
//! which looks once more before and reads back after.

use base::error::{Error, Result};
use base::mask;
use base::report::{Diff, Report, Status};
use base::tool::Context;

use crate::block::sha256;
use crate::crontab::refusal;
use crate::finding::Code;
use crate::format::Owner;
use crate::host::Cron;
use crate::plan::Plan;
use crate::registry;
use crate::report::{CronReport, Target};
use crate::request::Request;
use crate::site::{Facts, Site};
use crate::target::Target as Place;
use crate::work::{Work, count, found};

/// What an install needs beside a template without errors.
fn demand_target(work: &Work) -> Result<()> {
    let site = &work.site;
    if site.facts.name.is_none() {
        return Err(
            Error::usage("--name is missing: an installed schedule needs a name")
                .hint("give --name ID"),
        );
    }
    demand_user(work)
}

/// What the whole machine runs names its user.
///
/// # Errors
/// `Kind::Usage`.
pub fn demand_user(work: &Work) -> Result<()> {
    let site = &work.site;
    let named =
        site.facts.user.is_some() || work.template.jobs.iter().all(|job| job.user.is_some());
    if site.format.owner == Owner::Host && !named {
        return Err(Error::usage(
            "--user is missing: a schedule for the whole host needs the user that runs the jobs",
        )
        .hint("--user USER"));
    }
    Ok(())
}

/// `diff`.
///
/// # Errors
/// As the backends.
pub fn diff(work: Work, context: &Context) -> Result<Report<CronReport>> {
    // What is installed is compared even where it could not run: the findings say that.
    work.demand(|code| code != Code::E14)?;
    demand_target(&work)?;
    let place = open(&work.site, &work.cron, context)?;
    let place = place.as_ref();
    let (jobs, text) = work.finished()?;
    let plan = place.plan(place.read()?, &text, true)?;
    let differs = plan.changes() || !place.sound(&plan)?;
    let items = work.items(Some(&masked(&jobs)));
    let shown = difference(&plan, &place.path());
    let body = CronReport {
        items,
        findings: work.findings,
        target: Some(target(&plan, place, None)),
        diff: (differs && !context.modes.no_log).then_some(shown),
        ..CronReport::default()
    };
    let (status, msg) = if differs {
        (
            Status::No,
            format!("{} differs from what is installed", work.template.name),
        )
    } else {
        (
            Status::Ok,
            format!("{} is what is installed", work.template.name),
        )
    };
    Ok(Report::new(status, msg, body).warnings(plan.warnings))
}

/// `install`.
///
/// # Errors
/// As the backends.
pub fn install(work: Work, request: &Request, context: &Context) -> Result<Report<CronReport>> {
    work.demand_rights()?;
    work.demand(|code| code != Code::E14 || !request.force)?;
    demand_target(&work)?;
    let place = open(&work.site, &work.cron, context)?;
    let place = place.as_ref();
    let (jobs, text) = work.finished()?;
    let form = work.site.format.form;
    if let Some((line, _)) = form.and_then(|form| refusal(&text, form, work.site.dialect)) {
        return Err(Error::failed(format!(
            "{} would refuse line {line} of the finished schedule",
            work.site.dialect.name()
        ))
        .hint("cron-render render prints it"));
    }
    let _lock = if context.dry_run {
        None
    } else {
        Some(place.lock(context.lock_wait)?)
    };
    let plan = place.plan(place.read()?, &text, request.force)?;
    let body = CronReport {
        items: work.items(Some(&masked(&jobs))),
        findings: work.findings,
        ..CronReport::default()
    };
    let mut plan = plan;
    plan.warnings.extend(work.warnings);
    let what = format!(
        "{} of {}",
        count(jobs.len(), "job"),
        work.site.facts.name.as_deref().unwrap_or_default()
    );
    change(
        place,
        plan,
        body,
        context,
        &Words {
            done: "installed",
            would: "to install",
            already: "installed already".to_owned(),
        },
        &what,
    )
}

/// `remove`.
///
/// # Errors
/// As the backends.
pub fn remove(request: &Request, context: &Context) -> Result<Report<CronReport>> {
    let facts = Facts {
        name: request.facts.name.clone(),
        user: request.facts.user.clone(),
        format: request.facts.format.clone(),
        dialect: request.facts.dialect,
        ..Facts::default()
    };
    let cron = found(&facts, context)?;
    let format = registry::format(facts.format.as_deref())?;
    let (site, findings) = Site::new(facts, format, cron.dialect().unwrap_or_default())?;
    let place = open(&site, &cron, context)?;
    let place = place.as_ref();
    let _lock = if context.dry_run {
        None
    } else {
        Some(place.lock(context.lock_wait)?)
    };
    let plan = place.plan_removal(place.read()?, request.force)?;
    let body = CronReport {
        findings,
        ..CronReport::default()
    };
    change(
        place,
        plan,
        body,
        context,
        &Words {
            done: "removed",
            would: "to remove",
            already: format!("not installed in {}", place.path()),
        },
        site.name(),
    )
}

/// The place where the site's schedule is installed.
///
/// # Errors
/// As the place's own.
pub fn open(site: &Site, cron: &Cron, context: &Context) -> Result<Box<dyn Place>> {
    (registry::row(site.format).open)(site, cron, context)
}

struct Words {
    done: &'static str,
    would: &'static str,
    already: String,
}

fn change(
    place: &dyn Place,
    plan: Plan,
    mut body: CronReport,
    context: &Context,
    words: &Words,
    what: &str,
) -> Result<Report<CronReport>> {
    let needed = plan.changes() || !place.sound(&plan)?;
    let mut warnings = plan.warnings.clone();
    let shown = Some(difference(&plan, &place.path()));
    if !needed {
        body.target = Some(target(&plan, place, None));
        return Ok(
            Report::new(Status::Ok, format!("{what}: {}", words.already), body).warnings(warnings),
        );
    }
    if context.dry_run {
        body.target = Some(target(&plan, place, None));
        return Ok(
            Report::new(Status::No, format!("{what}: {}", words.would), body)
                .changed(true)
                .warnings(warnings)
                .diff(shown),
        );
    }
    warnings.extend(place.check(&plan)?);
    let backup = plan
        .before
        .as_deref()
        .filter(|b| !b.is_empty())
        .map(|b| place.back_up(b))
        .transpose()?;
    let written = place.write(&plan);
    body.target = Some(target(&plan, place, backup));
    match written {
        Ok(more) => {
            warnings.extend(more);
            Ok(
                Report::new(Status::Ok, format!("{what}: {}", words.done), body)
                    .changed(true)
                    .warnings(warnings)
                    .diff(shown),
            )
        }
        Err(error) => {
            let mut report = Report::new(Status::Failed, error.message.clone(), body)
                .warnings(warnings)
                .error(error);
            report.changed = place.read().ok().flatten() != plan.before;
            Ok(report)
        }
    }
}

fn masked(jobs: &[String]) -> Vec<String> {
    jobs.iter().map(|job| mask::text(job)).collect()
}

fn target(plan: &Plan, place: &dyn Place, backup: Option<String>) -> Target {
    Target {
        path: place.path(),
        sha_before: plan.before.as_deref().map(sha256),
        sha_after: plan.after.as_deref().map(sha256),
        backup,
    }
}

fn difference(plan: &Plan, path: &str) -> Diff {
    // A password in a setting is the crontab's business, not the report's.
    let text = |bytes: &Option<Vec<u8>>| {
        bytes
            .as_deref()
            .map(|b| mask::text(&String::from_utf8_lossy(b)))
            .unwrap_or_default()
    };
    Diff {
        before_header: path.to_owned(),
        before: text(&plan.before),
        after_header: format!("{path} (rendered)"),
        after: text(&plan.after),
    }
}
