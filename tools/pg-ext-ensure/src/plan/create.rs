//! Creating an extension, and with it what the extension requires.

use super::{Planner, Right, Step};
use crate::catalog::Control;
use crate::cause::Cause;
use crate::report::Action;
use crate::sql::Statement;
use crate::want::{State, Version, Want};

impl Planner<'_> {
    pub(super) fn create(&self, want: &Want) -> Step {
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

    pub(super) fn make_schema(&self, schema: &str, step: &mut Step, causes: &mut Vec<Cause>) {
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
}
