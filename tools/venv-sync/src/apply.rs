//! apply: is it so already? If not, build a release, look at it as closely as can be, let it go live, clear up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use base::child::Run;
use base::error::{Error, Result};
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;

use crate::act::Locked;
use crate::assess::{self, Assessment, assess, summary};
use crate::cli::{Build, Wanted};
use crate::difference;
use crate::findings::{Finding, Kind};
use crate::installer::{How, Installer, Job};
use crate::processes::{self, User};
use crate::progress::Progress;
use crate::releases::{self, State, Store};
use crate::report::Body;
use crate::requirements::Requirements;
use crate::scrub;
use crate::secrets::Secrets;
use crate::verify::Depth;

/// The whole command. `in_use` are releases that somebody else knows to be in use.
pub fn apply(
    wanted: &Wanted,
    build: &Build,
    context: &Context,
    in_use: &[User],
) -> Result<Report<Body>> {
    let requirements = assess::requirements(wanted)?;
    let store = Store::beside(&wanted.venv)?;
    let state = store.state()?;
    let mut found = assess(&wanted.venv, &requirements, wanted, wanted.verify)?;
    if found.in_sync() {
        return unchanged(&store, &state, found);
    }
    if context.dry_run {
        return planned(&store, &state, build, found);
    }
    let installer = Installer::choose(build.installer.as_deref())?;
    refuse_to_take_over(&store, &state, build)?;
    let watch = Arc::new(Watch::begin()?);
    let locked = Locked::take(&store, context.lock_wait)?;
    locked.sweep()?;
    // Whoever held the lock before may have done it all.
    let state = store.state()?;
    refuse_to_take_over(&store, &state, build)?;
    found = assess(&wanted.venv, &requirements, wanted, wanted.verify)?;
    if found.in_sync() {
        return unchanged(&store, &state, found);
    }
    let work = Work {
        wanted,
        build,
        requirements: &requirements,
        store: &store,
        locked: &locked,
        context,
        installer,
        watch,
    };
    let id = releases::new_id(SystemTime::now())?;
    let before = difference::as_is(&wanted.venv, &found.findings);
    match work.release(&id) {
        Ok(built) => work.go_live(&id, (&state, before), built, in_use),
        Err(Failed { error, findings }) => {
            let _ = locked.remove(&id);
            Ok(failed(&store, &state, found, error, findings))
        }
    }
}

struct Work<'a> {
    wanted: &'a Wanted,
    build: &'a Build,
    requirements: &'a Requirements,
    store: &'a Store,
    locked: &'a Locked<'a>,
    context: &'a Context,
    installer: Installer,
    watch: Arc<Watch>,
}

/// Why there is no new release, and what was wrong with it.
struct Failed {
    error: Error,
    findings: Vec<Finding>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed {
            error,
            findings: Vec::new(),
        }
    }
}

impl Work<'_> {
    /// Builds a release and checks it. When this returns it is whole and on the disk.
    fn release(&self, id: &str) -> Result<Assessment, Failed> {
        let release = self.locked.begin(id)?;
        let secrets = Secrets::known(&self.requirements.addresses);
        let name = self.store.name.to_string_lossy().into_owned();
        let job = Job {
            release: &release,
            prompt: name,
            python: self.build.python.clone().or_else(|| self.python()),
            requirements: &self.wanted.requirements,
            constraints: &self.wanted.constraints,
            wheelhouse: self.build.wheelhouse.as_deref(),
            deadline: self.context.deadline,
            watch: Arc::clone(&self.watch),
            secrets: &secrets,
            variables: &self.requirements.variables,
            addresses: &self.requirements.addresses,
        };
        let held = self.locked.inherited()?;
        let progress = Progress::begin(
            self.context,
            format!("building {id} with {}", self.installer.name()),
        );
        self.installer.make(&job)?;
        let built = self.install(&job)?;
        progress.say("post-checks");
        self.post_checks(&job)?;
        progress.say("writing to the disk");
        drop(held);
        self.locked.finish(id)?;
        Ok(built)
    }

    /// Installs, and looks at the result: a file that isn't what RECORD says may be a cache gone bad, and is worth one more try.
    fn install(&self, job: &Job<'_>) -> Result<Assessment, Failed> {
        let locked = self.requirements.is_locked();
        self.installer.install(
            job,
            How {
                locked,
                fresh: false,
            },
        )?;
        let mut built = self.look_at(job)?;
        if locked
            && built
                .findings
                .iter()
                .any(|finding| matches!(finding.kind, Kind::DepMissing | Kind::DepConflict))
        {
            self.installer.install(
                job,
                How {
                    locked: false,
                    fresh: false,
                },
            )?;
            built = self.look_at(job)?;
        }
        if built
            .findings
            .iter()
            .any(|finding| matches!(finding.kind, Kind::FileModified | Kind::FileMissing))
        {
            self.installer.install(
                job,
                How {
                    locked: false,
                    fresh: true,
                },
            )?;
            built = self.look_at(job)?;
        }
        if built.in_sync() {
            return Ok(built);
        }
        let mut body = Body::default();
        body.set_findings(built.findings.clone());
        let error = Error::failed(format!(
            "the new release is not what was asked for: {}",
            summary(&body)
        ))
        .hint("the items say what is wrong with it; the environment itself has not changed");
        Err(Failed {
            error,
            findings: built.findings,
        })
    }

    fn look_at(&self, job: &Job<'_>) -> Result<Assessment> {
        scrub::direct_urls(job.release)?;
        // Seen as the new release, not as what the environment still is.
        assess(job.release, self.requirements, self.wanted, Depth::Hash)
    }

    /// The interpreter that the environment has now.
    fn python(&self) -> Option<PathBuf> {
        let interpreter = assess::python_of(&self.wanted.venv)?;
        let home = pydist::Environment::open(&self.wanted.venv)
            .ok()?
            .config
            .home?;
        // The name below `home` outlives the file that it leads to today (3.11.2, 3.11.3).
        let named = interpreter
            .named
            .map(|version| home.join(format!("python{}", version.minor_text())));
        named.filter(|path| path.exists()).or(interpreter.real)
    }

    fn post_checks(&self, job: &Job<'_>) -> Result<()> {
        let bin = job.release.join("bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths(std::iter::once(bin.clone()).chain(std::env::split_paths(&path)))
                .unwrap_or(path);
        for check in &self.build.post_checks {
            let words: Vec<&str> = check.split_whitespace().collect();
            let is_module = words.len() == 1
                && check.split('.').all(|part| {
                    !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_')
                });
            let run = match words[..] {
                _ if is_module && !bin.join(check).exists() => {
                    Run::new(bin.join("python")).args(["-c", &format!("import {check}")])
                }
                [program, ..] if bin.join(program).exists() => {
                    Run::new(bin.join(program)).args(&words[1..])
                }
                [program, ..] => Run::new(program).args(&words[1..]),
                [] => continue,
            };
            let done = job.run(run.env("VIRTUAL_ENV", job.release).env("PATH", &path))?;
            if !done.success() {
                return Err(job.failure(
                    &format!("the post-check `{check}` failed in the new release"),
                    &done,
                ));
            }
        }
        Ok(())
    }

    fn go_live(
        &self,
        id: &str,
        (state, before): (&State, String),
        built: Assessment,
        in_use: &[User],
    ) -> Result<Report<Body>> {
        let adopted = match self.locked.go_live(id, state) {
            Ok(adopted) => adopted,
            Err(error) => return self.not_sure(id, state, built, error),
        };
        let previous = match state {
            State::Release(previous) => Some(previous.clone()),
            State::Directory => adopted,
            State::ForeignLink(target) => Some(target.to_string_lossy().into_owned()),
            State::Absent | State::Other => None,
        };
        let mut users = processes::users(self.store);
        users.extend_from_slice(in_use);
        let spare = [
            Some(id.to_owned()),
            previous.clone().filter(|_| self.build.keep > 1),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut warnings = built.warnings.clone();
        if let Err(error) = self.locked.prune(self.build.keep, &spare, &users) {
            // It is live: what can't be removed is no failure of that.
            warnings.push(error.message);
        }
        let mut body = built.body;
        body.set_findings(Vec::new());
        body.in_sync = Some(true);
        body.live = self
            .store
            .live(&State::Release(id.to_owned()))
            .map(|path| path.display().to_string());
        body.release = Some(id.to_owned());
        body.previous = previous;
        if let Some(interpreter) = &mut body.interpreter {
            interpreter.path = self.store.venv.join("bin/python").display().to_string();
        }
        body.stale_processes = processes::stale(&users, Some(id), self.store.link_changed());
        body.restart_required = Some(!body.stale_processes.is_empty());
        let msg = format!(
            "{} is {id} now: {} installed",
            self.store.venv.display(),
            body.counts.installed
        );
        let diff = difference::between(
            (body.previous.clone().unwrap_or_default(), before),
            id,
            &self.store.release(id),
        );
        Ok(Report::new(Status::Ok, msg, body)
            .changed(true)
            .warnings(warnings)
            .diff(Some(diff)))
    }
}

impl Work<'_> {
    /// Going live failed. If only the last sync did, the link leads to the new release all the same, and that must stay.
    fn not_sure(
        &self,
        id: &str,
        before: &State,
        built: Assessment,
        error: Error,
    ) -> Result<Report<Body>> {
        if self.store.state()? != State::Release(id.to_owned()) {
            let _ = self.locked.remove(id);
            return Ok(failed(self.store, before, built, error, Vec::new()));
        }
        let mut report = failed(
            self.store,
            &State::Release(id.to_owned()),
            built,
            error,
            Vec::new(),
        );
        report.msg = format!(
            "{} is {id} now, but a power cut might undo that",
            self.store.venv.display()
        );
        report.body.in_sync = Some(true);
        Ok(report.changed(true))
    }
}

/// It is so already. Whether somebody still runs an older release is asked only where there is one.
fn unchanged(store: &Store, state: &State, found: Assessment) -> Result<Report<Body>> {
    let mut body = found.body;
    body.set_findings(found.findings);
    body.in_sync = Some(true);
    live(&mut body, store, state);
    if let State::Release(id) = state {
        if store.ids()?.len() > 1 {
            body.stale_processes =
                processes::stale(&processes::users(store), Some(id), store.link_changed());
            body.restart_required = Some(!body.stale_processes.is_empty());
        }
    }
    let msg = summary(&Body {
        counts: crate::report::Counts {
            kinds: Default::default(),
            ..body.counts.clone()
        },
        ..Body::default()
    });
    Ok(Report::new(Status::Ok, msg, body).warnings(found.warnings))
}

fn planned(store: &Store, state: &State, build: &Build, found: Assessment) -> Result<Report<Body>> {
    let mut warnings = found.warnings;
    if let Err(error) = refuse_to_take_over(store, state, build) {
        warnings.push(format!(
            "{}; {}",
            error.message,
            error.hint.unwrap_or_default()
        ));
    }
    let mut body = found.body;
    let diff = difference::planned(&store.venv, &found.findings);
    body.set_findings(found.findings);
    body.in_sync = Some(false);
    live(&mut body, store, state);
    let msg = format!("would build a new release: {}", summary(&body));
    Ok(Report::new(Status::No, msg, body)
        .changed(true)
        .warnings(warnings)
        .diff(diff))
}

/// What was live still is, and the report says so.
fn failed(
    store: &Store,
    state: &State,
    found: Assessment,
    error: Error,
    findings: Vec<Finding>,
) -> Report<Body> {
    let mut body = found.body;
    body.set_findings(if findings.is_empty() {
        found.findings
    } else {
        findings
    });
    body.in_sync = Some(false);
    live(&mut body, store, state);
    let kept = body.live.as_deref().map_or_else(
        || "there is still no environment".to_owned(),
        |live| format!("{live} is still live"),
    );
    Report::new(Status::Failed, format!("nothing has changed: {kept}"), body)
        .warnings(found.warnings)
        .error(error)
}

fn live(body: &mut Body, store: &Store, state: &State) {
    body.live = store.live(state).map(|path| path.display().to_string());
    if let State::Release(id) = state {
        body.release = Some(id.clone());
    }
}

/// What isn't a link of ours is taken over only if that was said.
fn refuse_to_take_over(store: &Store, state: &State, build: &Build) -> Result<()> {
    let venv = store.venv.display();
    let refuse = |what: String| {
        Err(Error::failed(format!("{venv} {what}"))
            .hint("give --adopt to take it over; it becomes the first release"))
    };
    match state {
        State::Absent | State::Release(_) => Ok(()),
        _ if build.adopt && *state != State::Other => Ok(()),
        State::Directory => refuse("is a directory, not a link to a release".to_owned()),
        State::ForeignLink(target) => refuse(format!(
            "is a link to {}, which is no release",
            target.display()
        )),
        State::Other => Err(Error::failed(format!(
            "{venv} is neither a directory nor a link"
        ))),
    }
}
