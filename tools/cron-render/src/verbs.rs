//! The commands that only read: render, lint, next, explain. Also what all commands begin with.

use std::path::Path;

use base::error::{Error, Result};
use base::report::{Raw, Report, Status};
use base::source::Source;
use base::tool::{Context, Format as Output};

use crate::act;
use crate::command::Place;
use crate::crontab::{Form, What};
use crate::explain;
use crate::field::Reading;
use crate::finding::{Code, Finding};
use crate::hashed::Seed;
use crate::host::{self, Cron, Program};
use crate::judge;
use crate::lint;
use crate::observe;
use crate::render;
use crate::report::{CronReport, Item, Start, Voice};
use crate::request::{Request, Window};
use crate::runs::Runs;
use crate::schedule;
use crate::site::{Facts, Format, Site};
use crate::spread::{self, Placed};
use crate::target::systemd::{self, units};
use crate::template::{BadSchedule, Draft, Template};
use crate::zone::Zone;

/// How many runs of a job `next` lists unless told otherwise.
const COUNT: usize = 5;
/// And how many it lists at the most: a million runs are not read by anybody.
const MOST: u64 = 1_000_000;
/// The year 10000, which RFC 3339 cannot write.
const END_OF_TIME: i64 = 253_402_300_800 - 86_400;

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
}

/// The facts of `--site FACTS`.
fn facts_of(path: Option<&Path>) -> Result<Facts> {
    path.map_or_else(|| Ok(Facts::default()), |p| Source::read(p)?.parse())
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
        let draft = Draft::read(path)?;
        let given = facts_of(request.site.as_deref())?.over(draft.facts());
        let mut facts = request.facts.clone().over(given);
        let form = request
            .form
            .unwrap_or_else(|| draft.form(observe::is_plainly_a_user));
        // What names users stays what names users, unless something else is asked for.
        if form == Form::System {
            facts.format = facts.format.or(Some(Format::CronD));
        }
        let here = request.asked.depends_on_this_host();
        let (cron, dialect) = match (here, facts.dialect) {
            (true, _) => {
                let cron = act::found(&facts, context)?;
                let dialect = cron.dialect().unwrap_or_default();
                (cron, dialect)
            }
            (false, Some(dialect)) => (Cron::MISSING, dialect),
            (false, None) => (Cron::MISSING, host::usual(context.deadline)),
        };
        let (site, mut findings) = Site::new(facts, dialect)?;
        let mut template = draft.resolve(form, &site);
        let mut warnings = Vec::new();
        if form == Form::System && site.format == Format::Crontab {
            warnings.extend(keep_users_own(&mut template, &site)?);
        }
        refuse_places_without_directory(&template, &site)?;
        let placed = spread::place(&template.jobs, site.name(), site.facts.spread);
        let mut facts = observe::facts(&template, &site);
        if here || is_here(&site) {
            let cron = Some(&cron).filter(|c| here && c.program != Program::Missing);
            observe::here(&template, &site, cron, context.deadline, &mut facts)?;
        }
        if site.format != Format::Systemd {
            // A command that this cron cannot be told stops the rendering itself.
            if let Ok(jobs) = render::jobs(&template, &site, &placed) {
                facts.result = judge::result(&template, &site, &placed, &jobs);
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
        })
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
        if self.site.format == Format::Systemd {
            let units = units::units(&self.template, &self.site, &self.placed);
            let jobs = units.iter().map(|units| {
                let texts = units.iter().map(|unit| unit.text.as_str());
                texts.collect::<Vec<_>>().join("\n")
            });
            let jobs = jobs.collect();
            let text = systemd::text(self.site.name(), &units.concat());
            return Ok((jobs, text.into_bytes()));
        }
        let jobs = render::jobs(&self.template, &self.site, &self.placed)?;
        let text = render::text(&self.template, &self.site, &jobs);
        let lines = jobs
            .iter()
            .map(|job| String::from_utf8_lossy(&job.line()).into_owned());
        Ok((lines.collect(), text))
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
                next: Vec::new(),
                moved_from: placed.moved_from.clone(),
                explanation: None,
            },
        );
        each.collect()
    }

    /// `render`.
    ///
    /// # Errors
    /// `Kind::Input` for a template with errors.
    pub fn render(self, context: &Context) -> Result<Report<CronReport>> {
        // Whether user and file exist is asked where it is installed.
        self.demand(|code| !matches!(code, Code::E10 | Code::E12 | Code::E14))?;
        let (jobs, text) = self.finished()?;
        if context.format == Output::Text {
            self.mention();
        }
        let moved = self
            .placed
            .iter()
            .filter(|p| p.moved_from.is_some())
            .count();
        let mut msg = format!("{} rendered", count(jobs.len(), "job"));
        if moved > 0 {
            msg += &format!(", {moved} moved");
        }
        let body = CronReport {
            items: self.items(Some(&jobs)),
            rendered: Some(String::from_utf8_lossy(&text).into_owned()),
            rendered_b64: base::bytes::exact_bytes(&text),
            findings: self.findings,
            ..CronReport::default()
        };
        Ok(Report::new(Status::Ok, msg, body)
            .warnings(self.warnings)
            .raw(Raw::AsText(text)))
    }

    /// Findings for a person who asked for the text alone: on standard error.
    fn mention(&self) {
        for f in &self.findings {
            let place = if f.line == 0 {
                "site".to_owned()
            } else {
                format!("{}:{}:{}", self.template.name, f.line, f.column)
            };
            base::tool::say(&base::terminal::escape_lines(&format!(
                "{place}: {} {}",
                f.code.name(),
                f.message
            )));
            base::tool::say("\n");
        }
    }

    /// `lint`.
    ///
    /// # Errors
    /// None so far.
    pub fn lint(self) -> Result<Report<CronReport>> {
        let errors = self.findings.iter().filter(|f| f.is_error()).count();
        let warnings = self.findings.len() - errors;
        let status = if errors > 0 { Status::No } else { Status::Ok };
        let msg = format!(
            "{}: {}, {}",
            count(self.template.jobs.len() + self.template.bad.len(), "job"),
            count(errors, "error"),
            count(warnings, "warning")
        );
        let body = CronReport {
            findings: self.findings,
            voice: Voice::Lint,
            ..CronReport::default()
        };
        Ok(Report::new(status, msg, body))
    }

    /// `next`.
    ///
    /// # Errors
    /// A usage error for a time that is none, `Kind::Input` for a schedule that is none.
    pub fn next(self, window: &Window) -> Result<Report<CronReport>> {
        self.demand(|code| matches!(code, Code::E01 | Code::E02))?;
        let moment = |text: &Option<String>, option| {
            text.as_deref()
                .map(|t| self.site.zone.moment(t, option))
                .transpose()
        };
        let from = moment(&window.from, "from")?.unwrap_or_else(|| observe::now() / 60 * 60 + 60);
        let until = moment(&window.until, "until")?;
        let end = until.unwrap_or(END_OF_TIME).min(END_OF_TIME);
        let most = match window.count {
            Some(n) if n > MOST => {
                return Err(Error::usage(format!("--count {n}: at most {MOST}")));
            }
            Some(n) => usize::try_from(n).unwrap_or(COUNT),
            None if until.is_some() => usize::try_from(MOST).unwrap_or(COUNT),
            None => COUNT,
        };
        let mut items = self.items(None);
        let mut total = 0;
        for (item, placed) in items.iter_mut().zip(&self.placed) {
            let own = self.own_zone(item.line);
            let runs = Runs::new(
                &placed.schedule,
                own.as_ref().unwrap_or(&self.site.zone),
                from,
            )
            .following(own.is_some())
            .take(most);
            item.next = runs
                .take_while(|run| run.utc < end)
                .map(|run| Start::new(&run))
                .collect();
            total += item.next.len();
        }
        let msg = format!(
            "{} of {} in {}",
            count(total, "run"),
            count(items.len(), "job"),
            self.site.zone.name()
        );
        let body = CronReport {
            items,
            findings: self.findings,
            voice: Voice::Next,
            ..CronReport::default()
        };
        Ok(Report::new(Status::Ok, msg, body))
    }

    /// The zone that a `CRON_TZ` gives the job on that line, where the daemon knows it.
    fn own_zone(&self, line: usize) -> Option<Zone> {
        if !self.site.dialect.has_zones() {
            return None;
        }
        let settings = self
            .template
            .lines
            .iter()
            .take_while(|l| l.number < line)
            .filter_map(|l| match &l.what {
                What::Setting(setting) if setting.name == b"CRON_TZ" => {
                    std::str::from_utf8(&setting.value).ok()
                }
                _ => None,
            });
        let mut given = self
            .site
            .facts
            .env
            .iter()
            .filter(|(name, _)| name == "CRON_TZ")
            .map(|(_, value)| value.as_str());
        given
            .next_back()
            .or_else(|| settings.last())
            .and_then(|name| Zone::named(name).ok())
    }

    /// `explain`.
    ///
    /// # Errors
    /// `Kind::Input` for a schedule that is none.
    pub fn explain(self) -> Result<Report<CronReport>> {
        self.demand(|code| matches!(code, Code::E01 | Code::E02))?;
        let mut items = self.items(None);
        for (item, placed) in items.iter_mut().zip(&self.placed) {
            item.explanation = Some(explain::english(&placed.schedule));
        }
        let msg = count(items.len(), "schedule");
        let body = CronReport {
            items,
            findings: self.findings,
            voice: Voice::Explain,
            ..CronReport::default()
        };
        Ok(Report::new(Status::Ok, msg, body))
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

/// `explain -e EXPR`.
///
/// # Errors
/// `Kind::Input` for a schedule that is none.
pub fn explain_expressions(
    expressions: &[String],
    request: &Request,
    context: &Context,
) -> Result<Report<CronReport>> {
    let dialect = request
        .facts
        .dialect
        .unwrap_or_else(|| host::usual(context.deadline));
    let name = request.facts.name.as_deref().unwrap_or("site");
    let mut items = Vec::new();
    for text in expressions {
        let reading = Reading {
            dialect,
            seed: Some(Seed {
                site: name,
                job: "",
            }),
        };
        let text = text.trim();
        let written = schedule::read_alone(text.as_bytes(), reading).map_err(|error| {
            let bad = BadSchedule::alone(text, error);
            let (_, message, fix) = lint::refusal(&bad);
            Error::usage(format!("-e '{text}': {message}")).hint(fix.summary)
        })?;
        items.push(Item {
            id: String::new(),
            line: 0,
            schedule: text.to_owned(),
            rendered: None,
            kind: written.schedule.kind(),
            next: Vec::new(),
            moved_from: None,
            explanation: Some(explain::english(&written.schedule)),
        });
    }
    let msg = count(items.len(), "schedule");
    Ok(Report::new(
        Status::Ok,
        msg,
        CronReport {
            items,
            voice: Voice::Explain,
            ..CronReport::default()
        },
    ))
}

/// `3 jobs`, `1 job`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}
