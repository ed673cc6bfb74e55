//! The commands that look at what is installed, and change it: diff, install, remove.
//!
//! The lock comes first, then the look; the plan is pure; the change is one step of the backend,
//! which looks once more before and reads back after.

use base::error::{Error, Result};
use base::mask;
use base::report::{Diff, Report, Status};
use base::tool::Context;

use crate::backend::cron_d::CronD;
use crate::backend::crontab::Crontab;
use crate::backend::systemd::Units;
use crate::block::sha256;
use crate::cli::Request;
use crate::plan::{self, Plan};
use crate::report::{CronReport, Target};
use crate::site::{Facts, Format, Site};
use crate::verbs::{Work, count};

/// Where it goes.
enum Place {
    Crontab(Crontab),
    CronD(CronD),
    Systemd(Units),
}

impl Place {
    fn of(site: &Site, context: &Context) -> Result<Place> {
        let user = site.facts.user.as_deref();
        Ok(match site.format {
            Format::Crontab => Place::Crontab(Crontab::of(user, site.dialect, context.deadline)?),
            Format::CronD => Place::CronD(CronD::named(site.name())?),
            Format::Systemd => Place::Systemd(Units::of(site.name(), context.deadline)?),
        })
    }

    fn path(&self) -> String {
        match self {
            Place::Crontab(crontab) => crontab.path(),
            Place::CronD(file) => file.path(),
            Place::Systemd(units) => units.path(),
        }
    }

    fn lock(&self, wait: std::time::Duration) -> Result<base::lock::Lock> {
        match self {
            Place::Crontab(crontab) => crontab.lock(wait),
            Place::CronD(file) => file.lock(wait),
            Place::Systemd(units) => units.lock(wait),
        }
    }

    fn read(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Place::Crontab(crontab) => crontab.read(),
            Place::CronD(file) => file.read(),
            Place::Systemd(units) => units.read(),
        }
    }

    /// Whether what holds the schedule is as cron (or systemd) wants it, whatever is in it.
    fn sound(&self, plan: &Plan) -> Result<bool> {
        match (self, &plan.after) {
            (Place::CronD(file), Some(_)) => file.sound(),
            (Place::Systemd(units), Some(after)) => units.sound(after),
            _ => Ok(true),
        }
    }

    fn back_up(&self, bytes: &[u8]) -> Result<String> {
        match self {
            Place::Crontab(crontab) => crontab.back_up(bytes),
            Place::CronD(file) => file.back_up(bytes),
            Place::Systemd(units) => units.back_up(bytes),
        }
    }

    fn write(&self, plan: &Plan) -> Result<Vec<String>> {
        let before = plan.before.as_deref();
        match self {
            Place::Crontab(crontab) => crontab
                .write(before, plan.after.as_deref().unwrap_or_default())
                .map(|()| Vec::new()),
            Place::CronD(file) => file
                .write(before, plan.after.as_deref())
                .map(|()| Vec::new()),
            Place::Systemd(units) => units.write(before, plan.after.as_deref()),
        }
    }
}

/// What an install needs beside a template without errors.
fn demand_target(work: &Work) -> Result<()> {
    let site = &work.site;
    if site.facts.name.is_none() {
        return Err(
            Error::usage("--name is missing: what is installed has to have a name")
                .hint("--name ID, by which it is found again"),
        );
    }
    let named =
        site.facts.user.is_some() || work.template.jobs.iter().all(|job| job.user.is_some());
    if site.format != Format::Crontab && !named {
        return Err(Error::usage(
            "--user is missing: what is installed for the whole machine has to name who runs it",
        )
        .hint("--user USER"));
    }
    Ok(())
}

fn planned(work: &Work, place: &Place, body: &[u8], force: bool) -> Result<Plan> {
    let before = place.read()?;
    match place {
        Place::Crontab(_) => plan::install_block(before, work.site.name(), body, force),
        Place::CronD(_) => plan::install_file(before, work.site.name(), body, force),
        Place::Systemd(units) => units.plan(before, body, force),
    }
}

/// `diff`.
///
/// # Errors
/// As the backends.
pub fn diff(work: Work, context: &Context) -> Result<Report<CronReport>> {
    work.demand(|_| true)?;
    demand_target(&work)?;
    let place = Place::of(&work.site, context)?;
    let (jobs, text) = work.finished()?;
    let plan = planned(&work, &place, &text, true)?;
    let differs = plan.changes() || !place.sound(&plan)?;
    let items = work.items(Some(&masked(&jobs)));
    let shown = difference(&plan, &place.path());
    let body = CronReport {
        items,
        findings: work.findings,
        target: Some(target(&plan, &place, None)),
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
    work.demand(|_| true)?;
    demand_target(&work)?;
    let place = Place::of(&work.site, context)?;
    let (jobs, text) = work.finished()?;
    let _lock = if context.dry_run {
        None
    } else {
        Some(place.lock(context.lock_wait)?)
    };
    let plan = planned(&work, &place, &text, request.force)?;
    let body = CronReport {
        items: work.items(Some(&masked(&jobs))),
        findings: work.findings,
        ..CronReport::default()
    };
    let what = format!(
        "{} of {}",
        count(jobs.len(), "job"),
        work.site.facts.name.as_deref().unwrap_or_default()
    );
    change(
        &place,
        plan,
        body,
        context,
        &Words {
            done: "installed",
            would: "to install",
            already: "installed already",
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
        format: request.facts.format,
        dialect: request.facts.dialect,
        ..Facts::default()
    };
    let (site, findings) = Site::new(facts)?;
    let place = Place::of(&site, context)?;
    let _lock = if context.dry_run {
        None
    } else {
        Some(place.lock(context.lock_wait)?)
    };
    let before = place.read()?;
    let plan = match &place {
        Place::Crontab(_) => plan::remove_block(before, site.name(), request.force)?,
        Place::CronD(_) => plan::remove_file(before, site.name(), request.force)?,
        Place::Systemd(units) => units.plan_removal(before, request.force)?,
    };
    let body = CronReport {
        findings,
        ..CronReport::default()
    };
    change(
        &place,
        plan,
        body,
        context,
        &Words {
            done: "removed",
            would: "to remove",
            already: "not installed",
        },
        site.name(),
    )
}

struct Words {
    done: &'static str,
    would: &'static str,
    already: &'static str,
}

fn change(
    place: &Place,
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
    let backup = plan
        .before
        .as_deref()
        .filter(|b| !b.is_empty())
        .map(|b| place.back_up(b))
        .transpose()?;
    if let (Place::Crontab(crontab), Some(after)) = (place, plan.after.as_deref()) {
        crontab.check(after)?;
    }
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

fn target(plan: &Plan, place: &Place, backup: Option<String>) -> Target {
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
