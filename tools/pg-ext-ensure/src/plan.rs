//! From what is asked for and what was read to the steps that are to be taken: a pure function. A
//! step says which statements do it, which rights the statements need (`rights` judges them for a
//! role) and which cause stops it whoever takes it.

use crate::catalog::{Available, Control, Database, Depth, Installed, Server};
use crate::cause::Cause;
use crate::preload;
use crate::report::Action;
use crate::request::Policy;
use crate::sql::Statement;
use crate::want::{State, Version, Want};

mod change;
mod create;
mod order;
mod step;

pub use step::{Need, Right, Step};

/// Whether the first look is enough to say that nothing is to be done.
pub fn is_settled(want: &Want, database: &Database, policy: &Policy) -> bool {
    match (want.state, database.installed.get(&want.name)) {
        (State::Absent, found) => found.is_none(),
        (State::Present, None) => false,
        (State::Present, Some(found)) => {
            let version = match &want.version {
                Version::Any => !policy.update,
                Version::Latest => false,
                Version::Exactly(version) => *version == found.version,
            };
            version
                && (!drifted(want, found) || !policy.fix_schema)
                && preload::of(&want.name).is_none()
        }
    }
}

fn drifted(want: &Want, found: &Installed) -> bool {
    want.schema
        .as_ref()
        .is_some_and(|schema| *schema != found.schema)
}

/// Whether what was asked for is so, but for a schema that may not be changed.
pub fn is_so(want: &Want, found: Option<&Installed>, step: &Step, policy: &Policy) -> bool {
    match (want.state, found) {
        (State::Absent, found) => found.is_none(),
        (State::Present, None) => false,
        (State::Present, Some(found)) => {
            let version = step
                .version
                .as_ref()
                .is_none_or(|version| *version == found.version);
            version && (!drifted(want, found) || !policy.fix_schema)
        }
    }
}

/// The steps for one database, in an order in which every step finds what it needs.
pub fn steps(server: &Server, database: &Database, wants: &[Want], policy: &Policy) -> Vec<Step> {
    let planner = Planner {
        server,
        database,
        wants,
        policy,
    };
    let order = order::of(wants, &planner);
    order.into_iter().map(|want| planner.step(want)).collect()
}

/// The libraries of a step as another role sees them: an administrator knows settings that the
/// application does not.
pub fn see_library(step: &mut Step, server: &Server, database: &Database, policy: &Policy) {
    let planner = Planner {
        server,
        database,
        wants: &[],
        policy,
    };
    planner.library(step);
}

struct Planner<'a> {
    server: &'a Server,
    database: &'a Database,
    wants: &'a [Want],
    policy: &'a Policy,
}

impl<'a> Planner<'a> {
    fn depth(&self) -> Option<&'a Depth> {
        self.database.depth.as_ref()
    }

    fn available(&self, name: &str) -> Option<&'a Available> {
        self.depth()?.available.get(name)
    }

    fn wanted(&self, name: &str, state: State) -> Option<&'a Want> {
        let mut wants = self.wants.iter();
        wants.find(|want| want.name == name && want.state == state)
    }

    fn installed(&self, name: &str) -> Option<&'a Installed> {
        self.database.installed.get(name)
    }

    /// The extension is installed and shall be absent.
    fn goes(&self, name: &str) -> bool {
        self.installed(name).is_some() && self.wanted(name, State::Absent).is_some()
    }

    /// The extension will be there without anything that its requirement adds: it is installed and
    /// stays, or it is wanted.
    fn stays(&self, name: &str) -> bool {
        self.wanted(name, State::Absent).is_none()
            && (self.installed(name).is_some() || self.wanted(name, State::Present).is_some())
    }

    /// The update of an installed extension gets rid of the need for another one, which shall be
    /// absent.
    fn outgrows(&self, want: &Want, absent: &str) -> bool {
        let Some(found) = self.installed(&want.name) else {
            return false;
        };
        let Some(to) = self.target(want, found) else {
            return false;
        };
        let control = self
            .available(&want.name)
            .and_then(|a| a.control(Some(&to)));
        control.is_some_and(|control| !control.requires.iter().any(|name| name == absent))
    }

    /// The version that an installed extension is to be updated to, if any.
    fn target(&self, want: &Want, found: &Installed) -> Option<String> {
        let default = || self.available(&want.name)?.default_version.clone();
        let to = match &want.version {
            Version::Any if !self.policy.update => None,
            Version::Any | Version::Latest => default(),
            Version::Exactly(version) => Some(version.clone()),
        };
        to.filter(|to| self.depth().is_some() && *to != found.version)
    }

    /// What a wanted extension requires in the version that will be installed.
    fn required_of(&self, want: &Want) -> &'a [String] {
        let version = match &want.version {
            Version::Exactly(version) => Some(version.as_str()),
            _ => None,
        };
        let control = self.available(&want.name).and_then(|a| a.control(version));
        control.map_or(&[], |control| &control.requires)
    }

    fn step(&self, want: &Want) -> Step {
        let mut step = match (want.state, self.installed(&want.name)) {
            (State::Absent, None) => Step::nothing(want),
            (State::Absent, Some(_)) => self.drop(want),
            (State::Present, None) => self.create(want),
            (State::Present, Some(found)) => self.change(want, found),
        };
        if want.state == State::Present {
            self.library(&mut step);
        }
        if step.is_work() && self.database.read_only {
            step.cause = Some(if self.server.recovery {
                Cause::Standby
            } else {
                Cause::ReadOnly
            });
        }
        step
    }

    /// A library that has to be loaded at the server's start, and a cause where nothing works
    /// without the library.
    fn library(&self, step: &mut Step) {
        let (Some(row), Some(depth)) = (preload::of(&step.want.name), self.depth()) else {
            return;
        };
        let loaded = row.is_loaded(&depth.settings);
        step.library = Some((row.library.to_string(), loaded));
        if step.action != Action::Create || step.cause.is_some() {
            return;
        }
        if loaded == Some(false) && row.to_create {
            step.cause = Some(Cause::Preload(row.library.to_string()));
        }
        let elsewhere = depth.settings.cron_database.as_ref();
        if let Some(configured) = elsewhere.filter(|name| {
            step.want.name == "pg_cron" && loaded == Some(true) && **name != self.database.name
        }) {
            step.cause = Some(Cause::CronDatabase(configured.clone()));
        }
    }

    fn drop(&self, want: &Want) -> Step {
        let mut step = Step {
            action: Action::Drop,
            ..Step::nothing(want)
        };
        let dependents = self.depth().and_then(|d| d.dependents.get(&want.name));
        for dependent in dependents.into_iter().flatten() {
            if let Some(name) = &dependent.extension {
                let kept = self.wanted(name, State::Present);
                if self.goes(name) || kept.is_some_and(|kept| self.outgrows(kept, &want.name)) {
                    continue;
                }
                if kept.is_some() && step.cause.is_none() {
                    step.cause = Some(Cause::Contradiction {
                        present: name.clone(),
                        absent: want.name.clone(),
                    });
                }
            }
            step.lost.push(dependent.clone());
        }
        let cascade = self.policy.drop_cascade && !step.lost.is_empty();
        if step.cause.is_none() && !step.lost.is_empty() && !cascade {
            step.cause = Some(Cause::Dependents(step.lost.clone()));
        }
        step.need_for(&want.name, Right::Own);
        step.statements.push(Statement::Drop {
            name: want.name.clone(),
            cascade,
        });
        step
    }

    /// The rights that running the script takes.
    fn may_create(&self, name: &str, control: &Control, schema: Option<&str>, step: &mut Step) {
        if !control.superuser {
            if let Some(schema) = schema.filter(|schema| self.schema_exists(schema)) {
                step.need_for(name, Right::CreateOnSchema(schema.to_string()));
            }
        } else if control.trusted {
            step.need_for(name, Right::CreateOnDatabase);
        } else {
            step.need_for(name, Right::Superuser);
        }
    }

    fn schema_exists(&self, schema: &str) -> bool {
        self.depth()
            .is_none_or(|depth| depth.schemas.contains_key(schema))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
