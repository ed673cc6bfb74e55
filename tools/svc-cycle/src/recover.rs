//! Bringing back what an interrupted run left down: the guardian does it at once, `recover` later,
//! both with this code.
//!
//! It is idempotent, and it goes service by service: one that cannot be started keeps no other from
//! being started. What runs again already is left alone, a start that is still in flight is waited
//! for, what was told to stop is waited for, and what is left of COMMAND is ended first, because it
//! was promised that nothing runs while it does. What was left down on purpose is started only by
//! name.

mod guardian;

pub use guardian::as_guardian;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use base::clock::Deadline;
use base::report::{Report, Status};
use base::tool::Context;
use base::{Error, Exit, Result};
use proc::Process;
use proc::Snapshot;
use rustix::process::Signal;

use crate::act::{self, Executor};
use crate::backend;
use crate::change::bare;
use crate::id::ServiceId;
use crate::interrupt::Interrupt;
use crate::journal::{Journal, Owed, Stop};
use crate::lock::Locks;
use crate::plan::Intent;
use crate::report::{Cycle, Outcome, StepReport};
use crate::request::{Origin, Request};
use crate::service::Service;
use crate::set::Set;
use crate::state::{Run, State};
use crate::task::Task;

/// How long to wait for the locks of a run that is just ending.
const LOCKS: Duration = Duration::from_secs(30);

/// As long as COMMAND's group is given to end after a killed run, before it is killed too.
const GRACE: Duration = Duration::from_secs(2);

/// Which services a recovery is about.
struct Selection {
    /// Only these; None for all.
    only: Option<BTreeSet<ServiceId>>,
    /// Services that were named one by one: what was left down on purpose is started for them.
    named: BTreeSet<ServiceId>,
    /// Only runs for this site; None for all runs.
    site: Option<String>,
}

impl Selection {
    fn of(request: &Request) -> Result<Self> {
        let site = request.origin.site.clone();
        if request.origin.is_empty() {
            return Ok(Self {
                only: None,
                named: BTreeSet::new(),
                site,
            });
        }
        let set = Set::of_origin(&request.origin)?;
        let named = set
            .services
            .iter()
            .filter(|service| set.named.contains(&service.name) && !request.origin.listed);
        Ok(Self {
            named: named.map(backend::id).collect(),
            only: Some(set.services.iter().map(backend::id).collect()),
            site,
        })
    }

    /// Whether the recovery is about this service of an interrupted run. A run for the same site
    /// counts as a whole, whatever has become of the set since; a run for another site does not
    /// count, even where both sites use the service.
    fn wants(&self, journal: &Journal, id: &ServiceId) -> bool {
        let selected = || self.only.as_ref().is_none_or(|only| only.contains(id));
        match (&self.site, &journal.entry().origin.site) {
            (Some(mine), Some(theirs)) if mine != theirs => false,
            (Some(_), Some(_)) => self.named.is_empty() || selected(),
            // A run without a site file belongs to the site whose set has the service.
            (Some(_), None) => self.only.is_some() && selected(),
            (None, _) => selected(),
        }
    }
}

/// The command.
///
/// # Errors
/// The journals cannot be read, or the selection is wrong.
pub fn run(request: &Request, context: &Context) -> Result<Report<Cycle>> {
    let selection = Selection::of(request)?;
    let interrupt = Interrupt::begin()?;
    let (journals, broken) = Journal::interrupted()?;
    let mut body = Cycle {
        action: "recover".to_owned(),
        ..Cycle::default()
    };
    let mut warnings: Vec<String> = broken.iter().map(Error::whole).collect();
    let mut error = broken.into_iter().next();
    for mut journal in journals {
        let chosen = chosen(&journal, &selection, &mut warnings);
        if chosen.is_empty() {
            continue;
        }
        match one(&mut journal, &chosen, &interrupt, context) {
            Ok(tasks) => {
                for mut task in tasks {
                    if context.dry_run {
                        plan(&mut task);
                    }
                    warnings.extend(task.warnings);
                    error = error.or(task.error);
                    body.services.push(task.report);
                }
            }
            // One journal's trouble is no reason to leave the others' services down.
            Err(wrong) => {
                warnings.push(wrong.whole());
                error = error.or(Some(wrong));
            }
        }
    }
    Ok(report(body, warnings, error, context.dry_run))
}

/// The services of a journal that this recovery is about.
fn chosen(journal: &Journal, selection: &Selection, warnings: &mut Vec<String>) -> Vec<Owed> {
    let mut chosen = Vec::new();
    for owed in &journal.entry().owed {
        if !selection.wants(journal, &owed.id) {
            continue;
        }
        if journal.entry().left && !selection.named.contains(&owed.id) {
            warnings.push(format!(
                "{}: left down on purpose after COMMAND failed; `{}` starts the service",
                owed.name,
                by_name(&journal.entry().origin, owed)
            ));
            continue;
        }
        if journal.is_past() {
            warnings.push(format!(
                "{}: was stopped by a run that a reboot interrupted",
                owed.name
            ));
        }
        chosen.push(owed.clone());
    }
    chosen
}

fn plan(task: &mut Task) {
    task.report.changed = !task.intent.start.is_empty();
    for (op, detail) in task.intent.steps() {
        task.report.steps.push(StepReport {
            op: op.to_owned(),
            ms: 0,
            ok: true,
            detail: Some(detail),
        });
    }
}

fn report(
    mut body: Cycle,
    warnings: Vec<String>,
    error: Option<Error>,
    dry_run: bool,
) -> Report<Cycle> {
    let changed = body.services.iter().any(|service| service.changed);
    body.outcome = match (&error, changed, dry_run) {
        (Some(_), ..) => Outcome::LeftDown,
        (None, true, true) => Outcome::Planned,
        (None, true, false) => Outcome::Done,
        (None, false, _) => Outcome::Unchanged,
    };
    body.restored = Some(error.is_none() && !(changed && dry_run));
    let names: Vec<&str> = body
        .services
        .iter()
        .filter(|service| service.changed)
        .map(|service| service.name.as_str())
        .collect();
    let msg = match body.outcome {
        Outcome::Unchanged => "no interrupted run to recover".to_owned(),
        Outcome::Planned => format!("would start {}", names.join(", ")),
        Outcome::LeftDown => "a service is still down".to_owned(),
        _ => format!("started {}", names.join(", ")),
    };
    let status = if body.outcome == Outcome::Planned {
        Status::No
    } else {
        Status::Ok
    };
    let diff = body.difference();
    let report = Report::new(status, msg, body)
        .changed(changed)
        .warnings(warnings)
        .diff(diff);
    match error {
        Some(error) => report.error(error),
        None => report,
    }
}

/// The services of one journal.
fn one(
    journal: &mut Journal,
    chosen: &[Owed],
    interrupt: &Interrupt,
    context: &Context,
) -> Result<Vec<Task>> {
    let set = set(journal, chosen)?;
    let mut locks = Locks::default();
    if !context.dry_run {
        locks.acquire(&set.services, context.lock_wait)?;
        end_command(journal)?;
    }
    let mut tasks = tasks(chosen, &set, journal.is_past());
    if !context.dry_run {
        bring_back(&set, chosen, &mut tasks, interrupt, context.progress);
        settle_accounts(journal, &mut tasks);
    }
    Ok(tasks)
}

/// Takes the services that run again out of the journal.
fn settle_accounts(journal: &mut Journal, tasks: &mut [Task]) {
    let back: Vec<ServiceId> = tasks
        .iter()
        .filter(|task| task.error.is_none())
        .map(|task| task.report.id.clone())
        .collect();
    let owed = journal.entry().owed.iter().map(|owed| owed.id.clone());
    let still: Vec<ServiceId> = owed.filter(|id| !back.contains(id)).collect();
    if let (Err(error), Some(task)) = (journal.keep(&still, false), tasks.first_mut()) {
        task.warnings.push(error.message);
    }
}

/// The interrupted services as a set: as the set file in the journal describes them, else by their
/// identity alone.
fn set(journal: &Journal, chosen: &[Owed]) -> Result<Set> {
    let origin = &journal.entry().origin;
    let described = Set::recall(origin);
    let services = chosen.iter().map(|owed| {
        let known = described
            .iter()
            .find(|service| backend::id(service) == owed.id);
        let mut service = known.cloned().unwrap_or_else(|| bare(&owed.id, &owed.name));
        service.name.clone_from(&owed.name);
        service.spec.after.clone_from(&owed.after);
        service.owner = origin.owner;
        service
    });
    Set::of(services.collect())
}

/// The command line that recovers this one service, from anywhere.
#[must_use]
pub fn by_name(origin: &Origin, owed: &Owed) -> String {
    let mut words = vec!["svc-cycle".to_owned(), "recover".to_owned()];
    let described = Set::recall(origin);
    let known = described.iter().any(|each| each.name == owed.name);
    let absolute = |file: &Path| origin.directory.join(file).display().to_string();
    match (&origin.file, &owed.id.config) {
        (Some((name, _)), _) if known && name != "-" => {
            // The directory of the set file is where the file's own paths start.
            let file = Path::new(name)
                .file_name()
                .map_or(Path::new(name), Path::new);
            words.extend(["-f".to_owned(), absolute(file), owed.name.clone()]);
        }
        (_, Some(config)) => {
            words.extend(["-c".to_owned(), config.display().to_string()]);
            words.push(owed.id.to_string());
        }
        _ => words.push(owed.id.to_string()),
    }
    base::shell::line(&words)
}

/// What is still down of what the journal says was up.
fn tasks(chosen: &[Owed], set: &Set, past: bool) -> Vec<Task> {
    set.services
        .iter()
        .map(|service| {
            let owed = chosen.iter().find(|owed| owed.name == service.name);
            let members = owed.map(|owed| owed.members.clone()).unwrap_or_default();
            (backend::of(service).settle)(service, Deadline::after(Some(service.start_timeout())));
            let began = Instant::now();
            let (state, error) = match backend::observe_one(service) {
                Ok(state) => (state, None),
                // The start itself waits for a supervisord that does not answer.
                Err(error) if error.exit() == Exit::Retry => (absent(&members), None),
                Err(error) => (State::default(), Some(error)),
            };
            let stopping = owed.is_some_and(|owed| {
                owed.stop != Stop::No && !past && state.holds_one_of(&owed.before)
            });
            let start = state.only(&members).names(|member| {
                stopping || !matches!(member.run, Run::Running | Run::Starting | Run::Finished)
            });
            let intent = Intent {
                start,
                ..Intent::default()
            };
            let mut task = Task::new(service, state, intent);
            task.stuck = stopping;
            if let Some(error) = error {
                task.keep("observe", began, Err(error));
            }
            task
        })
        .collect()
}

fn absent(members: &[String]) -> State {
    State {
        members: members
            .iter()
            .map(|name| crate::state::Member::of_process(name, None))
            .collect(),
        warnings: Vec::new(),
        fix: None,
    }
}

fn bring_back(
    set: &Set,
    chosen: &[Owed],
    tasks: &mut [Task],
    interrupt: &Interrupt,
    progress: bool,
) {
    let exec = Executor {
        set,
        interrupt,
        deadline: Deadline::NEVER,
        progress,
        journal: None,
        revival: true,
    };
    exec.waves(
        tasks,
        false,
        |_| true,
        |exec, service, task| {
            let owed = chosen.iter().find(|owed| owed.name == service.name);
            if let Some(owed) = owed.filter(|_| task.error.is_none()) {
                bring_up(exec, service, task, owed);
            }
        },
    );
}

fn bring_up(exec: &Executor<'_>, service: &Service, task: &mut Task, owed: &Owed) {
    let mut members = task.intent.start.clone();
    if task.stuck && owed.stop == Stop::Begun {
        let up = task.before.only(&owed.members).up();
        if !exec.stop(service, task, &up) {
            return;
        }
    } else if task.stuck {
        let began = Instant::now();
        let time = Deadline::after(Some(service.stop_timeout(&task.before)));
        if !act::gone(&owed.old, time) {
            let error = Error::failed(format!(
                "{}: a stop is under way, and the old process still runs",
                service.name
            ))
            .hint("svc-cycle recover starts the service as soon as that process is gone");
            task.keep("start", began, Err(error));
            return;
        }
    }
    // A stop that the run had asked for may still be under way.
    let stopping = |member: &crate::state::Member| member.run == Run::Stopping;
    if task.stuck || task.before.members.iter().any(stopping) {
        let began = Instant::now();
        match act::settled(service) {
            Ok(state) if state.members.iter().any(stopping) => {
                let error = Error::failed(format!("{}: its stop is still under way", service.name));
                task.keep("start", began, Err(error));
                return;
            }
            Ok(state) => {
                members = state.only(&owed.members).down();
                task.before = state;
            }
            Err(_) => {}
        }
    }
    if members.is_empty() && is_another(&task.before.only(&owed.members), owed) {
        // Something else starts the service, its own manager for one, which also does so again and
        // again: that is no start yet.
        exec.await_start(service, task);
        if !task.up {
            task.error = None;
            members.clone_from(&owed.members);
        }
    }
    if !members.is_empty() {
        exec.start(service, task, &members, true);
    }
}

/// Whether some of it is up, or about to be, and not as the run found it.
fn is_another(state: &State, owed: &Owed) -> bool {
    state.members.iter().any(|member| {
        member.run.is_up()
            && !owed
                .before
                .iter()
                .any(|(name, generation)| *name == member.name && *generation == member.generation)
    })
}

/// Ends what is left of COMMAND: its whole process group, each member through its pidfd. After a
/// reboot nothing is left of it.
fn end_command(journal: &Journal) -> Result<()> {
    let Some(command) = journal.entry().command.as_ref() else {
        return Ok(());
    };
    if journal.is_past() {
        return Ok(());
    }
    let members = || -> Result<Vec<Process>> {
        let snapshot = Snapshot::take().map_err(|error| Error::io("/proc", &error))?;
        let mine = snapshot.iter().filter(|stat| {
            !stat.is_dead() && stat.group == command.pid && stat.start >= command.start
        });
        Ok(mine
            .filter_map(|stat| Process::open(stat.pid).ok())
            .collect())
    };
    let until = Deadline::after(Some(GRACE));
    let tell = |held: &[Process], signal: Signal| {
        held.iter().for_each(|process| {
            let _ = process.signal(signal);
        });
    };
    tell(&members()?, Signal::TERM);
    loop {
        let held = members()?;
        if held.is_empty() {
            return Ok(());
        }
        if until.passed() {
            tell(&held, Signal::KILL);
        }
        let _ = proc::wait_any(
            &held.iter().collect::<Vec<_>>(),
            until.slice(GRACE).max(Duration::from_millis(10)),
        );
    }
}
