//! What every command that reads a template begins with: facts, cron, template, findings.

use std::path::Path;

use base::child::Identity;
use base::error::{Error, Result};
use base::tool::Context;
use base::trust::Rights;

use crate::choice;
use crate::command::Place;
use crate::crontab::Form;
use crate::finding::{Code, Finding};
use crate::format::Owner;
use crate::host::{self, Cron, Program};
use crate::judge;
use crate::lint;
use crate::observe;
use crate::registry;
use crate::render;
use crate::report::Item;
use crate::request::{Asked, Request};
use crate::site::{Facts, Site};
use crate::spread::{self, Placed};
use crate::template::{Draft, Template};

/// A template with its site, looked at.
#[derive(Debug)]
pub struct Work {
    /// The site.
    pub site: Site,
    /// The template.
    pub template: Template,
    /// Where each job is after spreading.
    pub placed: Vec<Placed>,
    /// The cron of this host; [`Cron::MISSING`] where the command does not depend on it.
    pub cron: Cron,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What a person should know about the run.
    pub warnings: Vec<String>,
    /// The input files and whose rights each has.
    inputs: Vec<(String, Rights)>,
}

impl Work {
    /// Reads the template and the facts, asks the machine, and judges.
    ///
    /// # Errors
    /// A usage error for facts that cannot be, `Kind::Input` for a file that cannot be read.
    pub fn new(request: &Request, context: &Context) -> Result<Work> {
        let path = request
            .template
            .as_deref()
            .ok_or_else(|| Error::usage("TEMPLATE is missing"))?;
        Work::of_draft(Draft::read(path)?, request, context)
    }

    /// The same, of a template that was read.
    ///
    /// # Errors
    /// As [`Work::new`].
    pub fn of_draft(draft: Draft, request: &Request, context: &Context) -> Result<Work> {
        let inputs = vec![(draft.name.clone(), draft.rights.clone())];
        let mut facts = request.facts.clone().over(draft.facts());
        let form = request
            .form
            .unwrap_or_else(|| draft.form(observe::is_plainly_a_user));
        // What names users stays what names users, unless something else is asked for.
        if form == Form::System {
            let named = facts.format.take();
            facts.format = named.or_else(|| registry::for_all_users().map(str::to_owned));
        }
        let here = request.asked.depends_on_this_host();
        let (cron, dialect) = match (here, facts.dialect) {
            (true, _) => {
                let cron = found(&facts, context)?;
                let dialect = cron.dialect().unwrap_or_default();
                (cron, dialect)
            }
            (false, Some(dialect)) => (Cron::MISSING, dialect),
            (false, None) => (Cron::MISSING, host::usual(context.deadline)),
        };
        let format = draft.format(&facts, registry::format)?;
        let (site, mut findings) = Site::new(facts, format, dialect)?;
        let mut template = draft.resolve(form, &site);
        let mut warnings = Vec::new();
        if form == Form::System && site.format.owner == Owner::User {
            warnings.extend(keep_users_own(&mut template, &site)?);
        }
        refuse_places_without_directory(&template, &site)?;
        if let Asked::Try(job) = &request.asked {
            if !(template.jobs.is_empty() && request.template.is_none()) {
                choice::keep(&mut template, job)?;
            }
        }
        let placed = spread::place(&template.jobs, site.name(), site.facts.spread);
        let mut facts = observe::facts(&template, &site);
        if here || is_here(&site) {
            let cron = Some(&cron).filter(|c| here && c.program != Program::Missing);
            observe::here(&template, &site, cron, context.deadline, &mut facts)?;
        }
        if site.format.by_cron() {
            // A command that this cron cannot be told stops the rendering itself.
            if let Ok(jobs) = render::jobs(&template, &site, &placed) {
                facts
                    .result
                    .extend(judge::result(&template, &site, &placed, &jobs));
            }
        }
        findings.extend(lint::all(&template, &site, &placed, &facts));
        Ok(Work {
            site,
            template,
            placed,
            cron,
            findings,
            warnings,
            inputs,
        })
    }

    /// Refuses what an input file of another user may not ask for: that user's own crontab is
    /// theirs to shape, everything else is root's.
    ///
    /// # Errors
    /// `Kind::Input`, naming the user who can change the file.
    pub fn demand_rights(&self) -> Result<()> {
        let user = self.site.facts.user.as_deref();
        for (file, rights) in &self.inputs {
            if rights.are_callers() {
                continue;
            }
            let uid = user.and_then(|user| Identity::of_name(user).ok().map(|i| i.uid));
            let own = uid.is_some_and(|uid| rights.allow(uid));
            if own && self.site.format.owner == Owner::User {
                continue;
            }
            return Err(rights.refusal(file, &self.site.format.of(user)));
        }
        Ok(())
    }

    /// Stops where the template has errors.
    ///
    /// # Errors
    /// `Kind::Input`, every error on a line of its own.
    pub fn demand(&self, stops: impl Fn(Code) -> bool) -> Result<()> {
        let errors: Vec<&Finding> = self
            .findings
            .iter()
            .filter(|f| f.is_error() && stops(f.code))
            .collect();
        if errors.is_empty() {
            return Ok(());
        }
        let lines = errors.iter().map(|f| {
            let place = if f.line == 0 {
                "site".to_owned()
            } else {
                format!("{}:{}:{}", self.template.name, f.line, f.column)
            };
            format!(
                "{place}: {} {} ({})",
                f.code.name(),
                f.message,
                f.fix.summary
            )
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        Err(Error::input(text).hint(format!("cron-render lint {} -o text", self.template.name)))
    }

    /// The finished jobs, a text each, and the finished text of all.
    ///
    /// # Errors
    /// `Kind::Input` for a command this cron cannot be told.
    pub fn finished(&self) -> Result<(Vec<String>, Vec<u8>)> {
        let row = registry::row(self.site.format);
        (row.finished)(&self.template, &self.site, &self.placed)
    }

    /// The jobs as reports list them.
    pub fn items(&self, finished: Option<&[String]>) -> Vec<Item> {
        let each = self.template.jobs.iter().zip(&self.placed).enumerate().map(
            |(index, (job, placed))| Item {
                id: job.id.clone(),
                line: job.line,
                schedule: placed.when.clone(),
                rendered: finished.and_then(|f| f.get(index)).cloned(),
                kind: placed.schedule.kind(),
                moved_from: placed.moved_from.clone(),
                user: job.user.clone(),
                ..Item::default()
            },
        );
        each.collect()
    }
}

/// Whether the site is on this host: its directory is.
fn is_here(site: &Site) -> bool {
    site.facts
        .dir
        .as_deref()
        .is_some_and(|dir| Path::new(dir).is_dir())
}

/// A user's crontab does not name users: of a template that does, only the jobs of `--user` belong
/// in it.
fn keep_users_own(template: &mut Template, site: &Site) -> Result<Option<String>> {
    let mut users: Vec<&str> = template
        .jobs
        .iter()
        .filter_map(|j| j.user.as_deref())
        .collect();
    users.sort_unstable();
    users.dedup();
    let names = users.join(", ");
    let Some(user) = site.facts.user.as_deref() else {
        return Err(Error::usage(format!(
            "--format crontab: the lines of '{}' name the users {names}, and a crontab belongs to one user",
            template.name
        ))
        .hint("--format cron.d, --user USER for the jobs of that user alone, or --form user if the lines name none"));
    };
    let all = template.jobs.len();
    template
        .jobs
        .retain(|job| job.user.as_deref() == Some(user));
    match template.jobs.len() {
        0 if all > 0 => Err(Error::usage(format!(
            "--user {user}: no line of '{}' names that user; its users are {names}",
            template.name
        ))),
        kept if kept < all => Ok(Some(format!(
            "{} of other users were left out",
            count(all - kept, "job")
        ))),
        _ => Ok(None),
    }
}

/// `lock = true` needs a directory. A file of a fixed name in /tmp would be anybody's.
fn refuse_places_without_directory(template: &Template, site: &Site) -> Result<()> {
    for job in &template.jobs {
        let rows = [
            ("lock", &job.extras.lock, &site.facts.lock_dir),
            ("log", &job.extras.log, &site.facts.log_dir),
        ];
        for (key, place, dir) in rows {
            if *place == Some(Place::Switch(true)) && dir.is_none() {
                return Err(Error::input(format!(
                    "{}:{}: job '{}' has {key} = true, and the site has no {key}_dir",
                    template.name, job.line, job.id
                ))
                .hint(format!("{key}_dir = \"/var/lib/SITE\" in [site], --{key}-dir DIR, or {key} = \"/a/path\"")));
            }
        }
    }
    Ok(())
}

/// The cron of this host, whose rules are those that were asked for.
///
/// # Errors
/// `Kind::Usage` for another `--dialect`, `Kind::Failed` for a cron without known rules.
pub fn found(facts: &Facts, context: &Context) -> Result<Cron> {
    let format = registry::format(facts.format.as_deref())?;
    if !format.by_cron() {
        return Ok(Cron::MISSING);
    }
    let cron = Cron::find(context.deadline)?;
    // What no crontab(1) installs may wait for its cron, as in an image that is being built.
    if format.owner == Owner::Host && cron == Cron::MISSING {
        return Ok(cron);
    }
    cron.agree(facts.dialect, format.name)?;
    Ok(cron)
}

/// `3 jobs`, `1 job`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}
