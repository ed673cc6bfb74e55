//! apply and prepare: is there anything to do? If so, build a release or take the prepared one, let
//! it go live, clear up.

mod outcome;
mod scene;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use base::error::{Error, Kind, Result};
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;

use crate::act::Locked;
use crate::assess::{self, Assessment, assess};
use crate::build::{Built, Failed, Work};
use crate::describe::Description;
use crate::difference;
use crate::journal::{Command, Led};
use crate::manifest::{Manifest, Prepared};
use crate::plan::Plan;
use crate::releases::{self, State, Store};
use crate::report::{Body, Change};
use crate::request::{Build, Depth, Goal};
use crate::requirements::Requirements;
use crate::users::{self, Seen};
use outcome::{changes, count};
use scene::{Scene, minor};

/// A run of apply or prepare.
pub struct Run<'a> {
    /// What was asked for.
    pub goal: &'a Goal,
    /// How to build it.
    pub build: &'a Build,
    /// Whether the release is built and not flipped to.
    pub prepare: bool,
    /// The common options.
    pub context: &'a Context,
    /// Processes that somebody else knows to use a release.
    pub told: &'a Seen,
}

impl Run<'_> {
    /// The whole command.
    pub fn run(&self) -> Result<Report<Body>> {
        let requirements = assess::requirements(self.goal)?;
        let store = Store::beside(&self.goal.venv)?;
        let scene = match self.look(&requirements, &store) {
            Err(error) if self.context.dry_run && error.kind == Kind::Failed => {
                return self.planned_refusal(&requirements, &store, error);
            }
            scene => scene?,
        };
        if self.context.dry_run {
            return self.planned(&store, scene);
        }
        if scene.plan == Plan::Nothing {
            return self.unchanged(&store, scene);
        }
        let watch = Arc::new(Watch::begin()?);
        let locked = Locked::take(&store, self.context.lock_wait)?;
        locked.sweep()?;
        // Whoever held the lock before may have done it all.
        let scene = self.look(&requirements, &store)?;
        match scene.plan.clone() {
            Plan::Nothing => self.unchanged(&store, scene),
            Plan::IsPrepared(id) => self.is_prepared(&store, scene, id),
            Plan::Flip(id) => self.flip(&store, &locked, scene, &id),
            Plan::Build => self.build(&requirements, &store, &locked, scene, watch),
        }
    }

    fn build(
        &self,
        requirements: &Requirements,
        store: &Store,
        locked: &Locked<'_>,
        scene: Scene,
        watch: Arc<Watch>,
    ) -> Result<Report<Body>> {
        for id in &scene.unfit {
            locked.remove(id)?;
        }
        if let (Some((id, _)), true) = (&scene.prepared, self.build.is_forced()) {
            locked.remove(id)?;
        }
        let id = releases::new_id(SystemTime::now())?;
        let nothing = Description::default();
        let described = scene.described.as_ref().unwrap_or(&nothing);
        let work = Work {
            goal: self.goal,
            build: self.build,
            requirements,
            store,
            locked,
            context: self.context,
            watch,
            found: &scene.found,
            described,
            python: scene.python.clone(),
        };
        let prepared = self.prepare.then(|| Prepared {
            key: scene.key.clone(),
            post_checks: self.build.post_checks.clone(),
        });
        let built = match work.release(&id, prepared) {
            Ok(built) => built,
            Err(Failed { error, findings }) => {
                let _ = locked.remove(&id);
                return Ok(self.failed(store, scene, error, findings));
            }
        };
        let changes = changes(&scene.found, &built.found);
        let is_only_upgrade = !self.build.rebuild
            && scene.found.in_sync()
            && !scene.python.1
            && changes.is_empty()
            && self.build.drop.is_empty();
        if is_only_upgrade && self.build.is_forced() {
            locked.remove(&id)?;
            return self.unchanged(store, scene);
        }
        if self.prepare {
            return self.prepared(store, scene, &id, built, changes);
        }
        self.go_live(store, locked, scene, &id, built, changes)
    }

    /// Takes the prepared release.
    fn flip(
        &self,
        store: &Store,
        locked: &Locked<'_>,
        scene: Scene,
        id: &str,
    ) -> Result<Report<Body>> {
        let requirements = assess::requirements(self.goal)?;
        let found = assess(&store.release(id), &requirements, self.goal, Depth::None)?;
        let changes = changes(&scene.found, &found);
        let built = Built {
            found,
            manifest: Manifest::read(&store.release(id)),
            installer: "prepared before".to_owned(),
        };
        self.go_live(store, locked, scene, id, built, changes)
    }

    fn go_live(
        &self,
        store: &Store,
        locked: &Locked<'_>,
        scene: Scene,
        id: &str,
        built: Built,
        changes: Vec<Change>,
    ) -> Result<Report<Body>> {
        let before = difference::as_is(&self.goal.venv, &scene.found.findings);
        let previous = match locked.go_live(id, &scene.state, Command::Apply) {
            Ok(previous) => previous,
            Err(error) => return self.not_sure(store, locked, id, scene, built, error),
        };
        let mut warnings = built.found.warnings.clone();
        if built.manifest.prepared.is_some() {
            let manifest = Manifest {
                prepared: None,
                ..built.manifest.clone()
            };
            if let Err(error) = locked.note(id, &manifest) {
                warnings.push(error.message);
            }
        }
        let seen = self.seen(store, &built.found);
        let mut spare = BTreeSet::from([id.to_owned()]);
        if let (Some(Led::Release(previous)), true) = (&previous, self.build.keep > 1) {
            spare.insert(previous.clone());
        }
        match locked.prune(self.build.keep, &spare, &seen, id) {
            Ok(kept) => warnings.extend(kept),
            // The release is live: what cannot be removed is no failure of that.
            Err(error) => warnings.push(error.message),
        }
        let mut body = built.found.body;
        body.set_findings(built.found.findings);
        body.in_sync = Some(true);
        body.live = Some(store.release(id).display().to_string());
        body.release = Some(id.to_owned());
        body.previous = previous.map(|previous| previous.text().to_owned());
        body.installer = Some(built.installer);
        body.carried = built.manifest.carried.keys().cloned().collect();
        body.changes = changes;
        if let Some(interpreter) = &mut body.interpreter {
            interpreter.path = store.venv.join("bin/python").display().to_string();
        }
        users::report(&mut body, store, &seen);
        let msg = format!(
            "'{}' is {id} now: {} installed, {}",
            store.venv.display(),
            body.counts.installed,
            count(&body.changes)
        );
        let diff = difference::between(
            (body.previous.clone().unwrap_or_default(), before),
            id,
            &store.release(id),
        );
        Ok(Report::new(Status::Ok, msg, body)
            .changed(true)
            .warnings(warnings)
            .diff(Some(diff)))
    }

    fn seen(&self, store: &Store, found: &Assessment) -> Seen {
        let mut seen = users::observe(store, minor(found).as_deref());
        seen.users.extend_from_slice(&self.told.users);
        seen
    }

    /// Going live failed. If only the last sync did, the link leads to the new release all the
    /// same, and that must stay.
    fn not_sure(
        &self,
        store: &Store,
        locked: &Locked<'_>,
        id: &str,
        scene: Scene,
        built: Built,
        error: Error,
    ) -> Result<Report<Body>> {
        if store.state()? != State::Release(id.to_owned()) {
            if built.manifest.prepared.is_none() {
                let _ = locked.remove(id);
            }
            return Ok(self.failed(store, scene, error, Vec::new()));
        }
        let scene = Scene {
            state: State::Release(id.to_owned()),
            found: built.found,
            ..scene
        };
        let mut report = self.failed(store, scene, error, Vec::new());
        report.msg = format!(
            "'{}' is {id} now, but a power cut might undo that",
            store.venv.display()
        );
        report.body.in_sync = Some(true);
        Ok(report.changed(true))
    }
}
