//! `recover`: finishes what a power cut, a dead server or a killed guardian left, from the journals on this machine.

use std::time::{Duration, SystemTime};

use base::clock::{Deadline, rfc3339};
use base::error::{Error, Result};
use base::report::{Diff, Report, Status};
use base::tool::Context;

use super::{admin, journal, right};
use crate::cli::Connection;
use crate::fleet::refused;
use crate::observe;
use crate::report::{Body, Elevation};

/// How long one role may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes back what the journals of this server say was given.
///
/// # Errors
/// `Kind::Usage` for a wrong connection string; `Kind::Locked` where an elevation is under way.
pub fn run(connection: &Connection, context: &Context) -> Result<Report<Body>> {
    let admin = admin(connection, context.deadline)?;
    let journals = if context.dry_run {
        journal::seen()?
    } else {
        journal::all(context.lock_wait)?
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
    let mut warnings = connected.warnings;
    let (here, elsewhere): (Vec<_>, Vec<_>) = journals
        .into_iter()
        .partition(|(journal, _)| journal.system == system);
    for (journal, _) in &elsewhere {
        warnings.push(format!(
            "an elevation of \"{}\" on another server (system identifier {}) is still open",
            journal.role, journal.system
        ));
    }
    let mut body = Body::default();
    let mut failure = None;
    for (journal, place) in &here {
        let mut elevation = Elevation::planned(&journal.role, &journal.command);
        elevation.granted_at = Some(journal.written_at.clone());
        if !context.dry_run {
            let revocation = right::take_back(
                None,
                &admin,
                &journal.grant(),
                Deadline::after(Some(PATIENCE)),
            );
            elevation.revoke_verified = Some(revocation.verified);
            warnings.extend(revocation.warnings());
            if revocation.verified {
                elevation.revoked_at = Some(rfc3339(SystemTime::now()));
                place.forget();
            } else {
                let why = revocation.failure.unwrap_or_default();
                failure = Some(Error::failed(format!(
                    "role \"{}\" may still be a superuser: {why}",
                    journal.role
                )));
            }
        }
        body.recovered.push(elevation);
    }
    let changed = !here.is_empty();
    let (status, msg) = match (changed, context.dry_run) {
        (false, _) => (Status::Ok, "nothing to recover".to_string()),
        (true, true) => (Status::No, format!("{} to be recovered", here.len())),
        (true, false) => (Status::Ok, format!("{} recovered", here.len())),
    };
    let roles = |state: &str| {
        here.iter()
            .map(|(journal, _)| format!("{}: {state}\n", journal.role))
            .collect::<String>()
    };
    let diff = Diff::of(
        "roles",
        roles("superuser, left by a run that was ended"),
        roles("no superuser"),
    );
    let report = Report::new(status, msg, body)
        .changed(changed)
        .warnings(warnings)
        .diff(diff.filter(|_| failure.is_none()));
    Ok(match failure {
        Some(error) => {
            report.error(error.hint("ALTER ROLE … NOSUPERUSER, by hand, and look at pg_roles"))
        }
        None => report,
    })
}
