//! From what is asked for and what was read to what is to be done, and what will stand in the way of it: a pure function. The order of
//! the checks is the server's own, so that what is foreseen is what a real run would be told.

use std::collections::BTreeSet;

use crate::catalog::{Available, Control, Database, Depth, Installed, Server};
use crate::cli::Policy;
use crate::explain::Cause;
use crate::report::Action;
use crate::sql;
use crate::want::{State, Version, Want};

/// What is to be done for one extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was asked for.
    pub want: Want,
    /// What is to be done.
    pub action: Action,
    /// How.
    pub sql: Vec<String>,
    /// What has to be created with it.
    pub requires: Vec<String>,
    /// Whether the version is trusted.
    pub trusted: Option<bool>,
    /// The version it will have.
    pub version: Option<String>,
    /// The schema it will be in.
    pub schema: Option<String>,
    /// It is in another schema than the one asked for, and stays there.
    pub drifted: bool,
    /// What will stand in the way.
    pub cause: Option<Cause>,
    /// The role may not do it, whatever else stands in the way.
    pub beyond: bool,
}

impl Step {
    fn nothing(want: &Want) -> Step {
        Step {
            want: want.clone(),
            action: Action::None,
            sql: Vec::new(),
            requires: Vec::new(),
            trusted: None,
            version: None,
            schema: None,
            drifted: false,
            cause: None,
            beyond: false,
        }
    }

    /// Something is to be done, or cannot be.
    pub fn is_work(&self) -> bool {
        self.action != Action::None
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
            version && (!drifted(want, found) || !policy.fix_schema)
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

/// The steps for one database, as one role would take them, in an order in which what is required comes first.
pub fn steps(
    server: &Server,
    database: &Database,
    wants: &[Want],
    policy: &Policy,
    owner: Option<&str>,
) -> Vec<Step> {
    let planner = Planner {
        server,
        database,
        wants,
        policy,
        owner,
    };
    let mut steps: Vec<Step> = planner
        .in_order()
        .into_iter()
        .map(|want| planner.step(want))
        .collect();
    // What is required and cannot be had takes down what requires it.
    let mut lost: BTreeSet<String> = BTreeSet::new();
    for step in &mut steps {
        step.beyond = step.cause.as_ref().is_some_and(Cause::is_privilege);
        let missing: Vec<String> = planner
            .required_of(&step.want)
            .into_iter()
            .filter(|name| lost.contains(name))
            .collect();
        // The server looks for what is required before it asks who may create.
        if (step.cause.is_none() || step.beyond)
            && step.action == Action::Create
            && !missing.is_empty()
        {
            step.cause = Some(Cause::Requires(missing));
        }
        if step.cause.is_some() && step.want.state == State::Present {
            lost.insert(step.want.name.clone());
        }
    }
    steps
}

struct Planner<'a> {
    server: &'a Server,
    database: &'a Database,
    wants: &'a [Want],
    policy: &'a Policy,
    /// Who shall own a schema that is created, where that is not the role itself.
    owner: Option<&'a str>,
}

impl<'a> Planner<'a> {
    fn depth(&self) -> Option<&'a Depth> {
        self.database.depth.as_ref()
    }

    fn available(&self, name: &str) -> Option<&'a Available> {
        self.depth()?.available.get(name)
    }

    fn wanted(&self, name: &str) -> Option<&'a Want> {
        self.wants
            .iter()
            .find(|want| want.name == name && want.state == State::Present)
    }

    fn is_installed(&self, name: &str) -> bool {
        self.database.installed.contains_key(name)
    }

    /// The direct requirements of the version that would be created.
    fn required_of(&self, want: &Want) -> Vec<String> {
        let version = match &want.version {
            Version::Exactly(version) => Some(version.as_str()),
            _ => None,
        };
        self.available(&want.name)
            .and_then(|found| found.control(version))
            .map(|c| c.requires.clone())
            .unwrap_or_default()
    }

    /// Drops first, dependents before what they depend on is not for us to know; then creations, what is required before what requires.
    fn in_order(&self) -> Vec<&'a Want> {
        let mut order: Vec<&Want> = self
            .wants
            .iter()
            .filter(|want| want.state == State::Absent)
            .collect();
        let mut placed: BTreeSet<&str> = BTreeSet::new();
        for want in self
            .wants
            .iter()
            .filter(|want| want.state == State::Present)
        {
            self.place(want, &mut placed, &mut order);
        }
        order
    }

    fn place(&self, want: &'a Want, placed: &mut BTreeSet<&'a str>, order: &mut Vec<&'a Want>) {
        if !placed.insert(&want.name) {
            return;
        }
        for name in self.required_of(want) {
            if let Some(required) = self.wanted(&name) {
                self.place(required, placed, order);
            }
        }
        order.push(want);
    }

    fn step(&self, want: &Want) -> Step {
        let found = self.database.installed.get(&want.name);
        let mut step = match (want.state, found) {
            (State::Absent, None) => Step::nothing(want),
            (State::Absent, Some(found)) => self.drop(want, found),
            (State::Present, None) => self.create(want),
            (State::Present, Some(found)) => self.change(want, found),
        };
        if step.is_work() && self.database.read_only {
            step.cause = Some(if self.server.recovery {
                Cause::Standby
            } else {
                Cause::ReadOnly
            });
        }
        step
    }

    fn drop(&self, want: &Want, found: &Installed) -> Step {
        let dependents = self
            .depth()
            .and_then(|depth| depth.dependents.get(&want.name))
            .cloned()
            .unwrap_or_default();
        let cause = if !found.owned {
            Some(Cause::Owner(found.owner.clone()))
        } else if !dependents.is_empty() && !self.policy.cascade {
            Some(Cause::Dependents(dependents))
        } else {
            None
        };
        let sql = vec![sql::drop_extension(&want.name, self.policy.cascade)];
        Step {
            action: Action::Drop,
            sql,
            cause,
            ..Step::nothing(want)
        }
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
        let Some(available) = self.available(&want.name) else {
            step.sql
                .push(sql::create(&want.name, want.schema.as_deref(), version));
            step.cause = Some(Cause::Unavailable(want.name.clone()));
            return step;
        };
        step.version = version
            .map(str::to_string)
            .or_else(|| available.default_version.clone());
        let Some(control) = available.control(version) else {
            step.sql
                .push(sql::create(&want.name, want.schema.as_deref(), version));
            let asked = step.version.clone().unwrap_or_default();
            step.cause = Some(Cause::Version(
                asked,
                available.versions.keys().cloned().collect(),
            ));
            return step;
        };
        step.trusted = Some(control.trusted);
        self.create_known(want, control, version, &mut step);
        step
    }

    fn create_known(&self, want: &Want, control: &Control, version: Option<&str>, step: &mut Step) {
        let mut causes: Vec<Cause> = Vec::new();
        if let Some(schema) = want
            .schema
            .as_ref()
            .filter(|schema| !self.schema_exists(schema))
        {
            if self.policy.create_schema {
                step.sql.push(sql::create_schema(schema, self.owner));
                causes.extend((!self.may_create_in_database()).then_some(Cause::CreateOnDatabase));
            } else {
                causes.push(Cause::Schema(schema.clone()));
            }
        }
        let target = match (&want.schema, &control.schema) {
            (Some(asked), Some(fixed)) if asked != fixed => {
                causes.push(Cause::FixedSchema(fixed.clone()));
                Some(asked.clone())
            }
            (Some(asked), _) => Some(asked.clone()),
            (None, Some(_)) => None,
            (None, None) => {
                causes.extend(
                    self.database
                        .current_schema
                        .is_none()
                        .then_some(Cause::NoCurrentSchema),
                );
                self.database.current_schema.clone()
            }
        };
        step.schema = target.clone().or_else(|| control.schema.clone());
        self.requirements(&control.requires, target.as_deref(), step, &mut causes);
        causes.extend(self.may_create(control, step.schema.as_deref()));
        step.sql
            .push(sql::create(&want.name, target.as_deref(), version));
        step.cause = causes.into_iter().next();
    }

    /// What is required and neither there nor asked for: created with it, or in the way.
    fn requirements(
        &self,
        requires: &[String],
        schema: Option<&str>,
        step: &mut Step,
        causes: &mut Vec<Cause>,
    ) {
        let missing = |name: &&String| {
            !self.is_installed(name) && self.wanted(name).is_none() && !step.requires.contains(name)
        };
        let missing: Vec<String> = requires.iter().filter(missing).cloned().collect();
        if missing.is_empty() {
            return;
        }
        if !self.policy.cascade {
            causes.push(Cause::Requires(missing));
            return;
        }
        for name in missing {
            let Some(control) = self.available(&name).and_then(|found| found.control(None)) else {
                step.sql.push(sql::create(&name, schema, None));
                causes.push(Cause::Unavailable(name));
                continue;
            };
            // Before the recursion, which ends a circle of requirements here.
            step.requires.push(name.clone());
            self.requirements(&control.requires, schema, step, causes);
            let target = if control.schema.is_some() {
                None
            } else {
                schema.or(self.database.current_schema.as_deref())
            };
            causes.extend(self.may_create(control, target));
            step.sql.push(sql::create(&name, target, None));
        }
    }

    fn change(&self, want: &Want, found: &Installed) -> Step {
        let mut step = Step {
            version: Some(found.version.clone()),
            schema: Some(found.schema.clone()),
            ..Step::nothing(want)
        };
        let available = self.available(&want.name);
        let default = available.and_then(|available| available.default_version.clone());
        let to = match &want.version {
            Version::Any if !self.policy.update => None,
            Version::Any | Version::Latest => default,
            Version::Exactly(version) => Some(version.clone()),
        };
        let mut causes: Vec<Cause> = Vec::new();
        if let Some(to) = to.filter(|to| self.depth().is_some() && *to != found.version) {
            step.action = Action::Update;
            step.sql.push(sql::update(&want.name, Some(&to)));
            step.trusted = available
                .and_then(|a| a.control(Some(&to)))
                .map(|control| control.trusted);
            causes.extend(self.may_update(want, found, &to));
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
        if !self.schema_exists(schema) && self.policy.create_schema {
            step.sql.push(sql::create_schema(schema, self.owner));
            causes.extend((!self.may_create_in_database()).then_some(Cause::CreateOnDatabase));
        } else if !self.schema_exists(schema) {
            causes.push(Cause::Schema(schema.to_string()));
        } else if !self.may_create_in_schema(schema) {
            causes.push(Cause::CreateOnSchema(schema.to_string()));
        }
        if !found.owned {
            causes.push(Cause::Owner(found.owner.clone()));
        } else if !found.relocatable {
            causes.push(Cause::NotRelocatable);
        } else if found.foreign_members && !self.database.role.superuser {
            causes.push(Cause::Superuser);
        }
        step.sql.push(sql::set_schema(&want.name, schema));
    }

    fn may_update(&self, want: &Want, found: &Installed, to: &str) -> Option<Cause> {
        if !found.owned {
            return Some(Cause::Owner(found.owner.clone()));
        }
        let Some(available) = self.available(&want.name) else {
            return Some(Cause::Unavailable(want.name.clone()));
        };
        let reachable = self
            .depth()
            .and_then(|depth| depth.reachable.get(&want.name))
            .cloned()
            .unwrap_or_default();
        if !reachable.iter().any(|version| version == to) {
            return Some(Cause::UpdatePath(
                found.version.clone(),
                to.to_string(),
                reachable,
            ));
        }
        self.may_create(
            available
                .control(Some(to))
                .or_else(|| available.control(None))?,
            Some(&found.schema),
        )
    }

    /// The rights that running the script takes.
    fn may_create(&self, control: &Control, schema: Option<&str>) -> Option<Cause> {
        if self.database.role.superuser {
            return None;
        }
        if !control.superuser {
            let missing = schema
                .filter(|schema| self.schema_exists(schema) && !self.may_create_in_schema(schema));
            return missing.map(|schema| Cause::CreateOnSchema(schema.to_string()));
        }
        match (control.trusted, self.database.role.creates) {
            (true, true) => None,
            (true, false) => Some(Cause::CreateOnDatabase),
            (false, _) => Some(Cause::Superuser),
        }
    }

    fn may_create_in_database(&self) -> bool {
        self.database.role.superuser || self.database.role.creates
    }

    fn schema_exists(&self, schema: &str) -> bool {
        self.depth()
            .is_none_or(|depth| depth.schemas.contains_key(schema))
    }

    fn may_create_in_schema(&self, schema: &str) -> bool {
        self.database.role.superuser
            || self
                .depth()
                .and_then(|depth| depth.schemas.get(schema))
                .copied()
                .unwrap_or(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
