//! apply and prepare: is there anything to do? If so, build a release or take the prepared one, let it go live, clear up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use base::error::{Error, Kind, Result};
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;
use pydist::Environment;
use sha2::{Digest, Sha256};

use crate::act::Locked;
use crate::assess::{self, Assessment, assess, summary};
use crate::build::{Built, Failed, Work};
use crate::describe::Description;
use crate::difference;
use crate::findings::Finding;
use crate::journal::{Command, Led};
use crate::manifest::{Manifest, Prepared, hex};
use crate::observe::Place;
use crate::plan::{self, Facts, Plan};
use crate::releases::{self, State, Store};
use crate::report::{Body, Change};
use crate::request::{Build, Depth, Goal};
use crate::requirements::Requirements;
use crate::users::{self, Seen};

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

/// What a run finds before it changes anything.
struct Scene {
    state: State,
    found: Assessment,
    /// The environment beyond its distributions, without what is dropped.
    described: Option<Description>,
    python: (PathBuf, bool),
    /// The key of a release that would be built now, and the prepared release that has it.
    key: String,
    prepared: Option<(String, Prepared)>,
    /// Prepared releases that do not fit.
    unfit: Vec<String>,
    plan: Plan,
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

    /// Looks at everything and decides.
    fn look(&self, requirements: &Requirements, store: &Store) -> Result<Scene> {
        let state = store.state()?;
        let found = assess(&self.goal.venv, requirements, self.goal, self.goal.verify)?;
        let python = self.python(&found)?;
        let waiting = store.prepared()?;
        let mut facts = Facts {
            state: &state,
            in_sync: found.in_sync(),
            other_python: python.1,
            drops: false,
            prepared: None,
            prepare: self.prepare,
        };
        let venv = self.goal.venv.display().to_string();
        let mut described = None;
        let mut key = String::new();
        let mut prepared = None;
        let mut unfit = Vec::new();
        let is_quiet = facts.in_sync
            && !facts.other_python
            && !self.build.is_forced()
            && self.build.drop.is_empty()
            && waiting.is_empty();
        if !is_quiet {
            let whole = found
                .observed
                .as_ref()
                .map(|observed| Description::of(&observed.environment))
                .transpose()?;
            let kept = whole.clone().map(|whole| whole.without(&self.build.drop));
            facts.drops = whole != kept;
            key = self.key(requirements, &state, kept.as_ref(), &found, &python);
            for (id, have) in waiting {
                let passed = |check: &String| have.post_checks.contains(check);
                let fits = have.key == key && self.build.post_checks.iter().all(passed);
                match fits {
                    true => prepared = Some((id, have)),
                    false => unfit.push(id),
                }
            }
            described = kept;
        }
        // A prepared release is looked at again: somebody may have changed it meanwhile.
        if let Some((id, _)) = &prepared {
            let release = store.release(id);
            if !assess(&release, requirements, self.goal, Depth::None)?.in_sync() {
                unfit.push(id.clone());
                prepared = None;
            }
        }
        facts.prepared = prepared.as_ref().map(|(id, _)| id.as_str());
        let plan = plan::decide(&venv, &facts, self.build)?;
        Ok(Scene {
            plan,
            state,
            found,
            described,
            python,
            key,
            prepared,
            unfit,
        })
    }

    /// The interpreter to build with, and whether it is another than the environment's.
    fn python(&self, found: &Assessment) -> Result<(PathBuf, bool)> {
        let environment = found
            .observed
            .as_ref()
            .map(|observed| &observed.environment);
        let Some(asked) = &self.build.python else {
            return Ok((default_python(&self.goal.venv, environment), false));
        };
        let path = found_on_path(asked).ok_or_else(|| {
            Error::failed(format!(
                "--python: there is no program '{}'",
                asked.display()
            ))
            .hint("name an interpreter that exists, such as /usr/bin/python3")
        })?;
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let own = environment.and_then(|environment| environment.interpreter.as_ref());
        let other = own.is_some_and(|own| own.real.as_ref() != Some(&real));
        Ok((path, other))
    }

    /// A fingerprint of all that shapes a release.
    fn key(
        &self,
        requirements: &Requirements,
        state: &State,
        described: Option<&Description>,
        found: &Assessment,
        python: &(PathBuf, bool),
    ) -> String {
        let mut hasher = Sha256::new();
        let mut add = |text: String| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        for input in &requirements.inputs {
            add(format!("{} {}", input.path.display(), input.sha256));
        }
        let goal = Goal {
            verify: Depth::None,
            ..self.goal.clone()
        };
        add(format!("{:?}", goal.words()));
        let build = self.build;
        add(format!(
            "{:?}",
            (
                &build.wheelhouse,
                &build.drop,
                &build.installer,
                build.link_mode
            )
        ));
        add(format!("{:?} {:?}", python, state));
        add(format!("{described:?}"));
        let prefix = found
            .observed
            .as_ref()
            .map(|observed| &observed.real_prefix);
        for foreign in described.iter().flat_map(|described| described.portable()) {
            let meta = prefix.and_then(|prefix| prefix.join(&foreign.path).symlink_metadata().ok());
            add(format!(
                "{:?}",
                meta.map(|meta| (meta.len(), meta.modified().ok()))
            ));
        }
        hex(&hasher.finalize())
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

    fn prepared(
        &self,
        store: &Store,
        scene: Scene,
        id: &str,
        built: Built,
        changes: Vec<Change>,
    ) -> Result<Report<Body>> {
        let before = difference::as_is(&self.goal.venv, &scene.found.findings);
        let mut body = scene.found.body;
        live(&mut body, store, &scene.state);
        body.in_sync = Some(false);
        body.prepared = Some(id.to_owned());
        body.installer = Some(built.installer);
        body.carried = built.manifest.carried.keys().cloned().collect();
        body.changes = changes;
        let msg = format!(
            "{id} is prepared: {}; apply flips to it",
            count(&body.changes)
        );
        let header = body.release.clone().unwrap_or_default();
        let diff = difference::between((header, before), id, &store.release(id));
        Ok(Report::new(Status::Ok, msg, body)
            .changed(true)
            .warnings(built.found.warnings)
            .diff(Some(diff)))
    }

    fn is_prepared(&self, store: &Store, scene: Scene, id: String) -> Result<Report<Body>> {
        let mut body = scene.found.body;
        live(&mut body, store, &scene.state);
        body.in_sync = Some(false);
        let msg = format!("{id} is prepared already; apply flips to it");
        body.prepared = Some(id);
        Ok(Report::new(Status::Ok, msg, body).warnings(scene.found.warnings))
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

    /// Going live failed. If only the last sync did, the link leads to the new release all the same, and that must stay.
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

    /// Nothing has drifted. Whether somebody still runs an older release is asked only where there is one.
    fn unchanged(&self, store: &Store, scene: Scene) -> Result<Report<Body>> {
        let in_sync = Body {
            counts: crate::report::Counts {
                kinds: BTreeMap::new(),
                ..scene.found.body.counts.clone()
            },
            ..Body::default()
        };
        let msg = summary(&in_sync);
        let minor = minor(&scene.found);
        let mut body = scene.found.body;
        body.set_findings(scene.found.findings);
        body.in_sync = Some(true);
        live(&mut body, store, &scene.state);
        let is_release = matches!(scene.state, State::Release(_));
        if is_release && store.ids()?.len() > 1 {
            let seen = users::observe(store, minor.as_deref());
            users::report(&mut body, store, &seen);
        }
        Ok(Report::new(Status::Ok, msg, body).warnings(scene.found.warnings))
    }

    fn planned(&self, store: &Store, scene: Scene) -> Result<Report<Body>> {
        let mut warnings = scene.found.warnings.clone();
        if let Some(described) = &scene.described {
            let stays = described.not_portable();
            if !stays.is_empty() && scene.plan == Plan::Build {
                warnings.push(crate::describe::refusal(&self.goal.venv, &stays).whole());
            }
        }
        let venv = self.goal.venv.display().to_string();
        if let Err(error) = plan::may_take_over(&venv, &scene.state, self.build) {
            warnings.push(error.whole());
        }
        let (would, changed) = match &scene.plan {
            Plan::Nothing | Plan::IsPrepared(_) => return self.unchanged(store, scene),
            Plan::Flip(id) => (format!("would flip to the prepared release {id}"), true),
            Plan::Build => ("would build a new release".to_owned(), true),
        };
        let mut body = scene.found.body;
        let diff = difference::planned(&store.venv, &scene.found.findings);
        body.set_findings(scene.found.findings);
        body.in_sync = Some(false);
        body.prepared = scene.prepared.map(|(id, _)| id);
        live(&mut body, store, &scene.state);
        let msg = match body.items.is_empty() {
            true => would,
            false => format!("{would}: {}", summary(&body)),
        };
        Ok(Report::new(Status::No, msg, body)
            .changed(changed)
            .warnings(warnings)
            .diff(diff))
    }

    /// A dry run says what would be refused, and what has drifted.
    fn planned_refusal(
        &self,
        requirements: &Requirements,
        store: &Store,
        error: Error,
    ) -> Result<Report<Body>> {
        let state = store.state()?;
        let found = assess(&self.goal.venv, requirements, self.goal, self.goal.verify)?;
        let mut warnings = found.warnings;
        warnings.push(error.whole());
        let diff = difference::planned(&store.venv, &found.findings);
        let mut body = found.body;
        body.set_findings(found.findings);
        body.in_sync = Some(false);
        live(&mut body, store, &state);
        let msg = format!("would build a new release: {}", summary(&body));
        Ok(Report::new(Status::No, msg, body)
            .changed(true)
            .warnings(warnings)
            .diff(diff))
    }

    /// What was live still is, and the report says so.
    fn failed(
        &self,
        store: &Store,
        scene: Scene,
        error: Error,
        findings: Vec<Finding>,
    ) -> Report<Body> {
        let mut body = scene.found.body;
        body.set_findings(if findings.is_empty() {
            scene.found.findings
        } else {
            findings
        });
        body.in_sync = Some(false);
        live(&mut body, store, &scene.state);
        let kept = body.live.as_deref().map_or_else(
            || "there is still no environment".to_owned(),
            |live| format!("'{live}' is still live"),
        );
        Report::new(Status::Failed, format!("nothing has changed: {kept}"), body)
            .warnings(scene.found.warnings)
            .error(error)
    }
}

fn live(body: &mut Body, store: &Store, state: &State) {
    body.live = store.live(state).map(|path| path.display().to_string());
    if let State::Release(id) = state {
        body.release = Some(id.clone());
    }
}

fn minor(found: &Assessment) -> Option<String> {
    let python = found.observed.as_ref()?.environment.python?;
    Some(python.minor_text())
}

/// The interpreter that the environment has now, by a name that outlives the file: the environment's own, or python3.
fn default_python(venv: &Path, environment: Option<&Environment>) -> PathBuf {
    let own = || {
        let environment = environment?;
        let interpreter = environment
            .interpreter
            .as_ref()
            .filter(|own| own.executable)?;
        let real = interpreter.real.clone()?;
        if venv.canonicalize().is_ok_and(|venv| real.starts_with(venv)) {
            return None;
        }
        let home = environment.config.home.as_ref()?;
        // The name below `home` outlives the file that it leads to today (3.11.2, 3.11.3).
        let named = interpreter
            .named
            .map(|version| home.join(format!("python{}", version.minor_text())));
        named.filter(|path| path.exists()).or(Some(real))
    };
    own().unwrap_or_else(|| PathBuf::from("python3"))
}

fn found_on_path(program: &Path) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if program.components().count() > 1 || program.is_absolute() {
        return is_program(program).then(|| crate::request::absolute(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|path| is_program(path))
}

/// The environment's own distributions: the version, and where it is from if not from an index.
fn installed(found: &Assessment) -> BTreeMap<String, (String, Option<String>)> {
    let all = found
        .observed
        .iter()
        .flat_map(|observed| &observed.installed);
    all.filter(|installed| installed.place == Place::Own)
        .map(|installed| {
            let origin = installed.direct_url.as_ref();
            let from = origin.map(|origin| match &origin.vcs_info {
                Some(info) => format!("{}@{}", origin.url, info.commit_id),
                None => origin.url.clone(),
            });
            // A repository below the environment moves with it.
            let from = from.filter(|from| !from.contains("/releases/"));
            let dist = &installed.dist;
            (dist.key.clone(), (dist.version.clone(), from))
        })
        .collect()
}

/// What differs between two environments.
fn changes(before: &Assessment, after: &Assessment) -> Vec<Change> {
    let (before, after) = (installed(before), installed(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| Change {
            name: name.clone(),
            before: before.get(name).map(|(version, _)| version.clone()),
            after: after.get(name).map(|(version, _)| version.clone()),
        })
        .collect()
}

fn count(changes: &[Change]) -> String {
    match changes.len() {
        0 => "no distribution changed".to_owned(),
        1 => "1 distribution changed".to_owned(),
        count => format!("{count} distributions changed"),
    }
}
