//! What a run of apply or prepare reports.

use std::collections::{BTreeMap, BTreeSet};

use base::error::{Error, Result};
use base::report::{Report, Status};

use super::Run;
use super::scene::{Scene, minor};
use crate::assess::{Assessment, assess, summary};
use crate::build::Built;
use crate::difference;
use crate::findings::Finding;
use crate::observe::Place;
use crate::plan::{self, Plan};
use crate::releases::{State, Store};
use crate::report::{Body, Change};
use crate::requirements::Requirements;
use crate::users;

impl Run<'_> {
    pub(super) fn prepared(
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

    pub(super) fn is_prepared(
        &self,
        store: &Store,
        scene: Scene,
        id: String,
    ) -> Result<Report<Body>> {
        let mut body = scene.found.body;
        live(&mut body, store, &scene.state);
        body.in_sync = Some(false);
        let msg = format!("{id} is prepared already; apply flips to it");
        body.prepared = Some(id);
        Ok(Report::new(Status::Ok, msg, body).warnings(scene.found.warnings))
    }

    /// Nothing has drifted. Whether somebody still runs an older release is asked only where there
    /// is one.
    pub(super) fn unchanged(&self, store: &Store, scene: Scene) -> Result<Report<Body>> {
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

    pub(super) fn planned(&self, store: &Store, scene: Scene) -> Result<Report<Body>> {
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
    pub(super) fn planned_refusal(
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
    pub(super) fn failed(
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
pub fn changes(before: &Assessment, after: &Assessment) -> Vec<Change> {
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

pub fn count(changes: &[Change]) -> String {
    match changes.len() {
        0 => "no distribution changed".to_owned(),
        1 => "1 distribution changed".to_owned(),
        count => format!("{count} distributions changed"),
    }
}
