//! Whether a role may take a step: foreseen from the catalogs, by the server's own rules. A server
//! may decide otherwise (a whitelist, a managed service), so a real run tries all the same.

use std::collections::BTreeSet;

use crate::catalog::Database;
use crate::cause::Cause;
use crate::plan::{Need, Right, Step};
use crate::report::{Action, Via};
use crate::want::State;

/// A step, who takes it, and what that role lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The step.
    pub step: Step,
    /// Whose rights.
    pub via: Via,
    /// What the role lacks.
    pub denied: Option<Cause>,
}

impl Assigned {
    /// What stands in the way: a cause that stops everybody, then a missing right.
    pub fn cause(&self) -> Option<&Cause> {
        self.step.cause.as_ref().or(self.denied.as_ref())
    }
}

/// What a role lacks to take a step.
pub fn denied(step: &Step, view: &Database) -> Option<Cause> {
    if !step.is_work() || view.role.superuser {
        return None;
    }
    let missing = step.needs.iter().find_map(|need| lacks(step, need, view))?;
    let provider = view
        .depth
        .as_ref()
        .and_then(|d| d.settings.provider.clone());
    Some(provider.map_or(missing, Cause::Provider))
}

fn lacks(step: &Step, need: &Need, view: &Database) -> Option<Cause> {
    let depth = view.depth.as_ref();
    let listed = depth.and_then(|depth| depth.settings.whitelist.as_ref());
    if let (Some(name), Some(listed)) = (&need.script, listed) {
        if listed.contains(name) {
            return None;
        }
    }
    let found = view.installed.get(&step.want.name);
    match &need.right {
        Right::Superuser => Some(Cause::Superuser),
        Right::CreateOnDatabase => (!view.role.creates).then_some(Cause::CreateOnDatabase),
        Right::CreateOnSchema(name) => {
            let may = depth.and_then(|depth| depth.schemas.get(name));
            (!may.is_some_and(|schema| schema.creates)).then(|| Cause::CreateOnSchema(name.clone()))
        }
        Right::Own => {
            let found = found.filter(|found| !found.owned)?;
            Some(Cause::Owner(found.owner.clone()))
        }
        Right::OwnMembers => found
            .filter(|found| found.foreign_members)
            .map(|_| Cause::Superuser),
    }
}

/// Who takes which step: the application's role whatever it may, the administrator the rest.
pub fn assign(steps: Vec<Step>, app: &Database, admin: Option<&Database>) -> Vec<Assigned> {
    let mut lost: BTreeSet<String> = BTreeSet::new();
    let mut assigned = Vec::with_capacity(steps.len());
    for mut step in steps {
        let own = denied(&step, app);
        let (via, lacking) = match (own, admin) {
            (Some(_), Some(admin)) if step.cause.is_none() => (Via::Admin, denied(&step, admin)),
            (own, _) => (Via::App, own),
        };
        stop_after_lost(&mut step, app, &lost);
        if step.is_work() && (step.cause.is_some() || lacking.is_some()) {
            lost.insert(step.want.name.clone());
        }
        assigned.push(Assigned {
            step,
            via,
            denied: lacking,
        });
    }
    assigned
}

/// What a lost step was to bring, or to take away, is missing for those after it.
pub fn stop_after_lost(step: &mut Step, view: &Database, lost: &BTreeSet<String>) {
    if step.cause.is_some() || lost.is_empty() {
        return;
    }
    let depth = view.depth.as_ref();
    match (step.action, step.want.state) {
        (Action::Create, State::Present) => {
            let version = match &step.want.version {
                crate::want::Version::Exactly(version) => Some(version.as_str()),
                _ => None,
            };
            let control = depth
                .and_then(|depth| depth.available.get(&step.want.name))
                .and_then(|available| available.control(version));
            let required = control.map_or(&[][..], |control| &control.requires);
            let missing: Vec<String> = required
                .iter()
                .filter(|name| lost.contains(*name))
                .cloned()
                .collect();
            // The server looks for what is required before it asks who may create.
            if !missing.is_empty() {
                step.cause = Some(Cause::Requires(missing));
            }
        }
        (Action::Drop, State::Absent) => {
            let dependents = depth.and_then(|depth| depth.dependents.get(&step.want.name));
            let staying: Vec<_> = dependents
                .into_iter()
                .flatten()
                .filter(|dependent| {
                    dependent
                        .extension
                        .as_ref()
                        .is_some_and(|e| lost.contains(e))
                })
                .cloned()
                .collect();
            if !staying.is_empty() {
                step.cause = Some(Cause::Dependents(staying));
            }
        }
        _ => {}
    }
}
