//! `recover`: finishes what a power cut, a dead server or a killed guardian left, from the journals
//! on this machine.

use std::time::{Duration, SystemTime};

use base::clock::{Deadline, rfc3339};
use base::error::{Error, Kind, Result};
use base::report::{Diff, Report, Status};
use base::tool::Context;
use pgconn::Resolved;

use super::journal::Journal;
use super::place::{self, Place};
use super::right;
use super::take_back::take_back;
use crate::cause::count;
use crate::connect::{refused, resolved};
use crate::observe;
use crate::report::{Body, Elevation};
use crate::request::Connection;

/// How long one role may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes back what the journals of this server say was given.
///
/// # Errors
/// `Kind::Usage` for a wrong connection string.
pub fn run(connection: &Connection, context: &Context) -> Result<Report<Body>> {
    let admin = resolved(connection, context.deadline)?;
    let found = if context.dry_run {
        place::seen()?
    } else {
        place::all(context.lock_wait)?
    };
    let mut connected = match admin.connect() {
        Ok(connected) => connected,
        Err(error) => {
            return Ok(
                Report::new(Status::Retry, "the server was not reached", Body::default())
                    .error(refused(&error)),
            );
        }
    };
    let system = match observe::system(&mut connected.client) {
        Ok(system) => system,
        Err(error) => {
            return Ok(
                Report::new(Status::Failed, "nothing was recovered", Body::default())
                    .error(right::failed(&error)),
            );
        }
    };
    let mut run = Run {
        admin,
        dry_run: context.dry_run,
        warnings: connected.warnings,
        body: Body::default(),
        errors: Vec::new(),
    };
    for found in found {
        match found {
            Ok((journal, place)) if journal.system == system => run.finish(&journal, &place),
            Ok((journal, _)) => run.elsewhere(&journal),
            Err(error) => run.errors.push(error),
        }
    }
    Ok(run.report())
}

/// What one run has done so far. One journal that cannot be read, or whose elevation is under way,
/// does not stop the others.
struct Run {
    admin: Resolved,
    dry_run: bool,
    warnings: Vec<String>,
    body: Body,
    errors: Vec<Error>,
}

impl Run {
    fn elsewhere(&mut self, journal: &Journal) {
        self.warnings.push(format!(
            "an elevation of '{}' on another server (system identifier {}) is still open",
            base::terminal::escape(&journal.role),
            journal.system
        ));
    }

    fn finish(&mut self, journal: &Journal, place: &Place) {
        let mut elevation = Elevation::planned(&journal.role, &journal.command);
        elevation.granted_at = Some(journal.written_at.clone());
        if !self.dry_run {
            let until = Deadline::after(Some(PATIENCE));
            let revocation = take_back(None, &self.admin, &journal.grant(), until);
            elevation.revoke_verified = Some(revocation.verified);
            self.warnings.extend(revocation.warnings());
            if revocation.verified {
                elevation.revoked_at = Some(rfc3339(SystemTime::now()));
                place.forget();
            } else {
                self.errors
                    .push(still(&journal.role, revocation.failure.unwrap_or_default()));
            }
        }
        self.body.recovered.push(elevation);
    }

    /// Status, message and error are decided here.
    fn report(mut self) -> Report<Body> {
        let all = self.body.recovered.len();
        let changed = all > 0;
        let (status, msg) = match (changed, self.dry_run) {
            (false, _) => (Status::Ok, "no interrupted run to recover".to_string()),
            (true, true) => (
                Status::No,
                format!("{} to be recovered", count(all, "role")),
            ),
            (true, false) => (Status::Ok, format!("{} recovered", count(all, "role"))),
        };
        let roles = |state: &str| {
            let each = self.body.recovered.iter();
            each.map(|elevation| format!("{}: {state}\n", elevation.role))
                .collect::<String>()
        };
        let diff = Diff::of(
            "roles",
            roles("superuser, left by an interrupted run"),
            roles("not a superuser"),
        );
        // What trying again would not mend is said first.
        self.errors.sort_by_key(|error| error.kind == Kind::Locked);
        let mut errors = self.errors.into_iter();
        let first = errors.next();
        self.warnings.extend(errors.map(|error| error.message));
        let report = Report::new(status, msg, self.body)
            .changed(changed)
            .warnings(self.warnings)
            .diff(diff.filter(|_| first.is_none()));
        match first {
            Some(error) => report.error(error),
            None => report,
        }
    }
}

/// The right could not be taken back.
fn still(role: &str, why: String) -> Error {
    let statement = format!("ALTER ROLE {} NOSUPERUSER", crate::sql::identifier(role));
    Error::failed(format!(
        "role '{}' may still be a superuser: {why}",
        base::terminal::escape(role)
    ))
    .hint(format!(
        "run as another superuser, and look at pg_roles: {statement};"
    ))
}
