//! `next`: when jobs run, of a template, of single schedules, or of everything on this host.

use std::path::{Path, PathBuf};

use base::error::{Error, Result};
use base::report::{Report, Status};
use base::tool::Context;

use crate::crontab::{Form, What};
use crate::finding::Code;
use crate::host::{self, Cron};
use crate::observe;
use crate::registry;
use crate::report::{CronReport, Item, Start, Upcoming, Voice};
use crate::request::{Request, Window};
use crate::runs::{Run, Runs};
use crate::schedule::{Schedule, Written};
use crate::site::{Facts, Site};
use crate::spread;
use crate::target;
use crate::template::Draft;
use crate::verbs;
use crate::work::{Work, count};
use crate::zone::Zone;

/// The number of runs of a job that `next` lists without `--count`.
const COUNT: usize = 5;
/// And how many it lists at the most: a million runs are not read by anybody.
const MOST: u64 = 1_000_000;
/// The year 10000, which RFC 3339 cannot write.
const END_OF_TIME: i64 = 253_402_300_800 - 86_400;

/// Which runs are listed.
struct Bounds {
    from: i64,
    end: i64,
    most: usize,
}

impl Bounds {
    fn of(window: &Window, zone: &Zone) -> Result<Bounds> {
        let moment = |text: &Option<String>, option| {
            text.as_deref().map(|t| zone.moment(t, option)).transpose()
        };
        let from = moment(&window.from, "from")?.unwrap_or_else(|| observe::now() / 60 * 60 + 60);
        let until = moment(&window.until, "until")?;
        let most = match window.count {
            Some(n) if n > MOST => {
                return Err(Error::usage(format!("--count {n}: at most {MOST}")));
            }
            Some(n) => usize::try_from(n).unwrap_or(COUNT),
            None if until.is_some() => usize::try_from(MOST).unwrap_or(COUNT),
            None => COUNT,
        };
        Ok(Bounds {
            from,
            end: until.unwrap_or(END_OF_TIME).min(END_OF_TIME),
            most,
        })
    }
}

/// How the daemon treats a job when the clock changes.
#[derive(Clone, Copy, Default)]
struct Manner {
    /// Under a CRON_TZ of cronie's.
    following: bool,
    /// As a timer of systemd.
    calendar: bool,
}

fn runs(schedule: &Schedule, zone: &Zone, manner: Manner, bounds: &Bounds) -> Vec<Run> {
    Runs::new(schedule, zone, bounds.from)
        .following(manner.following)
        .by_calendar(manner.calendar)
        .take(bounds.most)
        .take_while(|run| run.utc < bounds.end)
        .collect()
}

/// The starts of a schedule. Of one with cronie's random values each start is a range.
fn starts(
    schedule: &Schedule,
    written: &Written,
    zone: &Zone,
    manner: Manner,
    bounds: &Bounds,
) -> Vec<Start> {
    if !written.is_random() {
        let all = runs(schedule, zone, manner, bounds);
        return all.iter().map(Start::new).collect();
    }
    let earliest = runs(&written.picked(|_, low, _| low), zone, manner, bounds);
    let latest = runs(&written.picked(|_, _, high| high), zone, manner, bounds);
    let each = earliest.iter().zip(&latest);
    each.map(|(first, last)| Start::new(first).until(last))
        .collect()
}

impl Work {
    /// `next TEMPLATE`.
    ///
    /// # Errors
    /// A usage error for a time that is none, `Kind::Input` for a schedule that is none.
    pub fn next(self, window: &Window) -> Result<Report<CronReport>> {
        self.demand(|code| matches!(code, Code::E01 | Code::E02))?;
        let bounds = Bounds::of(window, &self.site.zone)?;
        let mut items = self.items(None);
        let mut total = 0;
        let each = items.iter_mut().zip(&self.placed).zip(&self.template.jobs);
        for ((item, placed), job) in each {
            let own = self.own_zone(item.line);
            let manner = Manner {
                following: own.is_some(),
                calendar: !self.site.format.by_cron(),
            };
            let zone = own.as_ref().unwrap_or(&self.site.zone);
            item.next = starts(&placed.schedule, &job.written, zone, manner, &bounds);
            total += item.next.len();
        }
        let msg = format!(
            "{} of {} in {}",
            count(total, "run"),
            count(items.len(), "job"),
            self.site.zone.name()
        );
        let source = self.template.name.clone();
        let mut body = CronReport {
            items,
            findings: self.findings,
            voice: Voice::Next,
            ..CronReport::default()
        };
        if window.merged {
            merge(&mut body, |item| (source.clone(), item));
        }
        Ok(Report::new(Status::Ok, msg, body).warnings(self.warnings))
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
}

/// All runs in one list, in the order of time; the items keep none.
fn merge(body: &mut CronReport, of: impl Fn(Item) -> (String, Item)) {
    let mut all = Vec::new();
    for item in &mut body.items {
        let next = std::mem::take(&mut item.next);
        let (source, shown) = of(item.clone());
        for start in next {
            all.push(Upcoming {
                start,
                id: shown.id.clone(),
                source: source.clone(),
                line: shown.line,
                user: shown.user.clone(),
            });
        }
    }
    all.sort_by(|a, b| a.start.utc.as_str().cmp(b.start.utc.as_str()));
    body.upcoming = Some(all);
}

/// `next -e EXPR`.
///
/// # Errors
/// `Kind::Usage` for a schedule that is none.
pub fn of_expressions(
    expressions: &[String],
    window: &Window,
    request: &Request,
    context: &Context,
) -> Result<Report<CronReport>> {
    let zone = match &request.facts.tz {
        Some(name) => Zone::named(name)?,
        None => Zone::system(),
    };
    let bounds = Bounds::of(window, &zone)?;
    let manner = Manner {
        following: false,
        calendar: !registry::format(request.facts.format.as_deref())?.by_cron(),
    };
    let mut items = Vec::new();
    for (text, written) in verbs::expressions_of(expressions, request, context)? {
        let next = starts(&written.schedule, &written, &zone, manner, &bounds);
        items.push(Item {
            schedule: text,
            kind: written.schedule.kind(),
            next,
            ..Item::default()
        });
    }
    let total = items.iter().map(|item| item.next.len()).sum();
    let msg = format!("{} in {}", count(total, "run"), zone.name());
    let body = CronReport {
        items,
        voice: Voice::Next,
        ..CronReport::default()
    };
    Ok(Report::new(Status::Ok, msg, body))
}

/// `next --merged` without a template: the system's table, /etc/cron.d and the crontabs of all
/// users that this user may read.
///
/// # Errors
/// `Kind::Failed` where the crontab of this user cannot be read for certain.
pub fn of_this_host(
    window: &Window,
    request: &Request,
    context: &Context,
) -> Result<Report<CronReport>> {
    let cron = Cron::find(context.deadline)?;
    let facts = Facts {
        tz: request.facts.tz.clone(),
        ..Facts::default()
    };
    let dialect = request.facts.dialect.or(cron.dialect()).unwrap_or_default();
    let (site, _) = Site::new(facts, registry::format(None)?, dialect)?;
    let bounds = Bounds::of(window, &site.zone)?;
    let (mut body, mut sources, mut warnings) = (CronReport::default(), Vec::new(), Vec::new());
    for table in tables(&cron, context, &mut warnings)? {
        let name = table.name.clone();
        let draft = Draft::of_crontab(table.name, table.bytes);
        let template = draft.resolve(table.form, &site);
        if !template.bad.is_empty() {
            let line = template.bad.first().map_or(0, |bad| bad.line);
            warnings.push(format!("{name}:{line}: cron refuses the whole file"));
            continue;
        }
        let placed = spread::place(&template.jobs, "", None);
        for (job, placed) in template.jobs.iter().zip(&placed) {
            body.items.push(Item {
                id: job.id.clone(),
                line: job.line,
                schedule: placed.when.clone(),
                kind: placed.schedule.kind(),
                user: job.user.clone().or_else(|| table.user.clone()),
                next: starts(
                    &placed.schedule,
                    &job.written,
                    &site.zone,
                    Manner::default(),
                    &bounds,
                ),
                ..Item::default()
            });
            sources.push(name.clone());
        }
    }
    let jobs = body.items.len();
    let sources = std::cell::RefCell::new(sources.into_iter());
    merge(&mut body, |item| {
        (sources.borrow_mut().next().unwrap_or_default(), item)
    });
    body.voice = Voice::Next;
    let total = body.upcoming.as_ref().map_or(0, Vec::len);
    let msg = format!(
        "{} of {} in {}",
        count(total, "run"),
        count(jobs, "job"),
        site.zone.name()
    );
    Ok(Report::new(Status::Ok, msg, body).warnings(warnings))
}

struct Table {
    name: String,
    form: Form,
    user: Option<String>,
    bytes: Vec<u8>,
}

fn tables(cron: &Cron, context: &Context, warnings: &mut Vec<String>) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    let mut paths = vec![PathBuf::from("/etc/crontab")];
    if let Ok(entries) = std::fs::read_dir("/etc/cron.d") {
        let dialect = cron.dialect().unwrap_or_default();
        let read = |path: &PathBuf| {
            let name = path.file_name().and_then(|n| n.to_str());
            name.is_some_and(|n| dialect.reads_file(n))
        };
        paths.extend(entries.flatten().map(|e| e.path()).filter(read));
    }
    paths.sort();
    for path in paths {
        match std::fs::read(&path) {
            Ok(bytes) => tables.push(Table {
                name: path.display().to_string(),
                form: Form::System,
                user: None,
                bytes,
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => warnings.push(format!("{}: {}", path.display(), base::error::plain(&e))),
        }
    }
    if cron.dialect().is_none() {
        return Ok(tables);
    }
    for user in users_with_crontabs() {
        if let Some(bytes) = target::crontab::read_of(user.as_deref(), cron, context.deadline)? {
            let name = user.clone().or_else(own_name).unwrap_or_default();
            tables.push(Table {
                name: format!("the crontab of {name}"),
                form: Form::User,
                user: Some(name),
                bytes,
            });
        }
    }
    Ok(tables)
}

/// Root asks for every crontab in the spool; every other user for the own one.
fn users_with_crontabs() -> Vec<Option<String>> {
    if !rustix::process::geteuid().is_root() {
        return vec![None];
    }
    let spools = ["/var/spool/cron/crontabs", "/var/spool/cron"];
    let names = spools
        .iter()
        .filter_map(|spool| std::fs::read_dir(Path::new(spool)).ok())
        .flatten()
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_file()))
        .filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<Option<String>> = names
        .filter(|name| !name.contains('.') && host::is_user(name))
        .map(Some)
        .collect();
    names.sort();
    names.dedup();
    names
}

fn own_name() -> Option<String> {
    let me = nix::unistd::User::from_uid(nix::unistd::getuid()).ok()??;
    Some(me.name)
}
