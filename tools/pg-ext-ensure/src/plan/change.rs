//! Changing an installed extension: its version and its schema.

use super::{Planner, Right, Step};
use crate::catalog::Installed;
use crate::cause::Cause;
use crate::report::Action;
use crate::sql::Statement;
use crate::want::Want;

impl Planner<'_> {
    pub(super) fn change(&self, want: &Want, found: &Installed) -> Step {
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

    /// The schema of PostGIS 3 and its default version: from that version on, PostGIS updates its
    /// extensions with a function of its own.
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
}

/// The extensions that `postgis_extensions_upgrade()` updates.
const POSTGIS: &[&str] = &[
    "postgis",
    "postgis_raster",
    "postgis_sfcgal",
    "postgis_tiger_geocoder",
    "postgis_topology",
];
