//! From what is asked for and what was read to the steps that are to be taken: a pure function. A step says which statements do it, which
//! rights the statements need (`rights` judges them for a role) and which cause stops it whoever takes it.

use crate::catalog::{Available, Control, Database, Dependent, Depth, Installed, Server};
use crate::cause::Cause;
use crate::preload;
use crate::report::Action;
use crate::request::Policy;
use crate::sql::Statement;
use crate::want::{State, Version, Want};

mod order;

/// What is to be done for one extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was asked for.
    pub want: Want,
    /// What is to be done.
    pub action: Action,
    /// How.
    pub statements: Vec<Statement>,
    /// The rights that the statements need, in the order in which the server asks for them.
    pub needs: Vec<Need>,
    /// Extensions that have to be created with this one.
    pub requires: Vec<String>,
    /// Whether the version is trusted.
    pub trusted: Option<bool>,
    /// The version that the extension will have.
    pub version: Option<String>,
    /// The schema that the extension will be in.
    pub schema: Option<String>,
    /// The extension is in another schema than the one asked for, and stays there.
    pub drifted: bool,
    /// What a drop takes along.
    pub lost: Vec<Dependent>,
    /// The library that the extension needs, and whether the server has loaded the library.
    pub library: Option<(String, Option<bool>)>,
    /// What stops the step, whoever takes it.
    pub cause: Option<Cause>,
}

/// A right that a statement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The right.
    pub right: Right,
    /// The extension whose script the right is for: a whitelist may waive the right then.
    pub script: Option<String>,
}

/// What a role may have to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// To run the script of an extension that is not trusted.
    Superuser,
    /// To create in the database: a schema, or a trusted extension.
    CreateOnDatabase,
    /// To create in a schema that exists.
    CreateOnSchema(String),
    /// The rights of the extension's owner.
    Own,
    /// The rights of the owners of all members.
    OwnMembers,
}

impl Step {
    /// A step that does nothing.
    pub fn nothing(want: &Want) -> Step {
        Step {
            want: want.clone(),
            action: Action::None,
            statements: Vec::new(),
            needs: Vec::new(),
            requires: Vec::new(),
            trusted: None,
            version: None,
            schema: None,
            drifted: false,
            lost: Vec::new(),
            library: None,
            cause: None,
        }
    }

    /// Something is to be done, or cannot be.
    pub fn is_work(&self) -> bool {
        self.action != Action::None
    }

    fn need(&mut self, right: Right) {
        self.needs.push(Need {
            right,
            script: None,
        });
    }

    fn need_for(&mut self, extension: &str, right: Right) {
        self.needs.push(Need {
            right,
            script: Some(extension.to_string()),
        });
    }

    /// Whether the extension is, or will be, unusable because the server has not loaded its library.
    pub fn is_unloaded(&self) -> bool {
        matches!(&self.library, Some((_, Some(false))))
    }
}

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

    /// The extension will be there without anything that its requirement adds: it is installed and stays, or it is wanted.
    fn stays(&self, name: &str) -> bool {
        self.wanted(name, State::Absent).is_none()
            && (self.installed(name).is_some() || self.wanted(name, State::Present).is_some())
    }

    /// The update of an installed extension gets rid of the need for another one, which shall be absent.
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

    /// A library that has to be loaded at the server's start, and a cause where nothing works without the library.
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

    fn create(&self, want: &Want) -> Step {
        let mut step = Step {
            action: Action::Create,
            schema: want.schema.clone(),
            ..Step::nothing(want)
        };
        let version = match &want.version {
            Version::Exactly(version) => Some(version.as_str()),
            _ => None,
        };
        let statement = |schema: Option<&str>| Statement::Create {
            name: want.name.clone(),
            schema: schema.map(str::to_string),
            version: version.map(str::to_string),
        };
        let Some(available) = self.available(&want.name) else {
            step.statements.push(statement(want.schema.as_deref()));
            step.cause = Some(Cause::Unavailable(want.name.clone()));
            return step;
        };
        step.version = version
            .map(str::to_string)
            .or_else(|| available.default_version.clone());
        let Some(control) = available.control(version) else {
            step.statements.push(statement(want.schema.as_deref()));
            step.cause = Some(Cause::Version {
                asked: step.version.clone().unwrap_or_default(),
                offered: available.versions.keys().cloned().collect(),
                default: available.default_version.clone(),
            });
            return step;
        };
        step.trusted = Some(control.trusted);
        let mut causes = Vec::new();
        let target = self.place(want, control, &mut step, &mut causes);
        step.schema = target.clone().or_else(|| control.schema.clone());
        self.requirements(&control.requires, target.as_deref(), &mut step, &mut causes);
        let schema = step.schema.clone();
        self.may_create(&want.name, control, schema.as_deref(), &mut step);
        step.statements.push(statement(target.as_deref()));
        step.cause = causes.into_iter().next();
        step
    }

    /// The schema to name in `CREATE EXTENSION`; none where the control file decides.
    fn place(
        &self,
        want: &Want,
        control: &Control,
        step: &mut Step,
        causes: &mut Vec<Cause>,
    ) -> Option<String> {
        if let Some(schema) = want.schema.as_ref() {
            self.make_schema(schema, step, causes);
        }
        match (&want.schema, &control.schema) {
            (Some(asked), Some(fixed)) if asked != fixed => {
                causes.push(Cause::FixedSchema(fixed.clone()));
                Some(asked.clone())
            }
            (Some(asked), _) => Some(asked.clone()),
            (None, Some(_)) => None,
            (None, None) => self.current_schema(causes),
        }
    }

    fn current_schema(&self, causes: &mut Vec<Cause>) -> Option<String> {
        if self.database.current_schema.is_none() {
            causes.push(Cause::NoCurrentSchema(self.schema_exists("public")));
        }
        self.database.current_schema.clone()
    }

    fn make_schema(&self, schema: &str, step: &mut Step, causes: &mut Vec<Cause>) {
        if self.schema_exists(schema) {
            return;
        }
        if self.policy.create_schema {
            step.statements
                .push(Statement::CreateSchema(schema.to_string()));
            // No whitelist speaks of schemas.
            step.need(Right::CreateOnDatabase);
        } else {
            causes.push(Cause::Schema(schema.to_string()));
        }
    }

    /// What is required and neither there nor asked for: created with the extension, or in the way.
    fn requirements(
        &self,
        requires: &[String],
        schema: Option<&str>,
        step: &mut Step,
        causes: &mut Vec<Cause>,
    ) {
        if let Some(name) = requires
            .iter()
            .find(|name| self.wanted(name, State::Absent).is_some())
        {
            causes.push(Cause::Contradiction {
                present: step.want.name.clone(),
                absent: name.clone(),
            });
            return;
        }
        let missing = |name: &&String| !self.stays(name) && !step.requires.contains(name);
        let missing: Vec<String> = requires.iter().filter(missing).cloned().collect();
        let unknown = missing.iter().find(|name| {
            let found = self.available(name);
            found.and_then(|found| found.control(None)).is_none()
        });
        if let Some(name) = unknown {
            causes.push(Cause::Unavailable(name.clone()));
        } else if !missing.is_empty() && !self.policy.create_cascade {
            causes.push(Cause::Requires(missing));
        } else {
            for name in missing {
                self.requirement(&name, schema, step, causes);
            }
        }
    }

    fn requirement(
        &self,
        name: &str,
        schema: Option<&str>,
        step: &mut Step,
        causes: &mut Vec<Cause>,
    ) {
        let Some(control) = self.available(name).and_then(|found| found.control(None)) else {
            return;
        };
        // Before the recursion, which ends a circle of requirements here.
        step.requires.push(name.to_string());
        self.requirements(&control.requires, schema, step, causes);
        let target = match (&control.schema, schema) {
            (Some(_), _) => None,
            (None, Some(schema)) => Some(schema.to_string()),
            (None, None) => self.current_schema(causes),
        };
        let place = target.clone().or_else(|| control.schema.clone());
        self.may_create(name, control, place.as_deref(), step);
        step.statements.push(Statement::Create {
            name: name.to_string(),
            schema: target,
            version: None,
        });
    }

    fn change(&self, want: &Want, found: &Installed) -> Step {
        let mut step = Step {
            version: Some(found.version.clone()),
            schema: Some(found.schema.clone()),
            ..Step::nothing(want)
        };
        let mut causes: Vec<Cause> = Vec::new();
        if let Some(to) = self.target(want, found) {
            step.action = Action::Update;
            self.update(want, found, &to, &mut step, &mut causes);
            step.version = Some(to);
        }
        if let Some(schema) = want
            .schema
            .as_ref()
            .filter(|schema| **schema != found.schema)
        {
            if self.policy.fix_schema {
                self.set_schema(want, found, schema, &mut step, &mut causes);
            } else {
                step.drifted = true;
            }
        }
        step.cause = causes.into_iter().next();
        step
    }

    fn update(
        &self,
        want: &Want,
        found: &Installed,
        to: &str,
        step: &mut Step,
        causes: &mut Vec<Cause>,
    ) {
        let postgis = self.postgis().filter(|(_, default)| {
            POSTGIS.contains(&want.name.as_str()) && default.as_deref() == Some(to)
        });
        step.statements.push(match postgis {
            Some((schema, _)) => Statement::UpdatePostgis { schema },
            None => Statement::Update {
                name: want.name.clone(),
                to: to.to_string(),
            },
        });
        step.need_for(&want.name, Right::Own);
        let Some(available) = self.available(&want.name) else {
            causes.push(Cause::Unavailable(want.name.clone()));
            return;
        };
        let reachable = self
            .depth()
            .and_then(|depth| depth.reachable.get(&want.name))
            .cloned()
            .unwrap_or_default();
        if !reachable.iter().any(|version| version == to) {
            causes.push(Cause::UpdatePath {
                from: found.version.clone(),
                to: to.to_string(),
                reachable,
                default: available.default_version.clone(),
            });
            return;
        }
        let control = available
            .control(Some(to))
            .or_else(|| available.control(None));
        if let Some(control) = control {
            step.trusted = Some(control.trusted);
            self.may_create(&want.name, control, Some(&found.schema), step);
        }
    }

    /// The schema of PostGIS 3 and its default version: from that version on, PostGIS updates its extensions with a function of its own.
    fn postgis(&self) -> Option<(String, Option<String>)> {
        let found = self.installed("postgis")?;
        let major: u32 = found.version.split('.').next()?.parse().ok()?;
        let default = self.available("postgis")?.default_version.clone();
        (major >= 3).then(|| (found.schema.clone(), default))
    }

    fn set_schema(
        &self,
        want: &Want,
        found: &Installed,
        schema: &str,
        step: &mut Step,
        causes: &mut Vec<Cause>,
    ) {
        if step.action == Action::None {
            step.action = Action::SetSchema;
        }
        step.schema = Some(schema.to_string());
        if self.schema_exists(schema) {
            // No whitelist speaks of moving an extension.
            step.need(Right::CreateOnSchema(schema.to_string()));
        } else {
            self.make_schema(schema, step, causes);
        }
        step.need(Right::Own);
        let scattered = self
            .depth()
            .and_then(|depth| depth.scattered.get(&want.name));
        if !found.relocatable {
            causes.push(Cause::NotRelocatable(found.schema.clone()));
        } else if let Some(moves) = scattered.filter(|moves| !moves.is_empty()) {
            causes.push(Cause::Scattered(moves.clone()));
        }
        if found.foreign_members {
            step.need(Right::OwnMembers);
        }
        step.statements.push(Statement::SetSchema {
            name: want.name.clone(),
            schema: schema.to_string(),
        });
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

/// The extensions that `postgis_extensions_upgrade()` updates.
const POSTGIS: &[&str] = &[
    "postgis",
    "postgis_raster",
    "postgis_sfcgal",
    "postgis_tiger_geocoder",
    "postgis_topology",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
