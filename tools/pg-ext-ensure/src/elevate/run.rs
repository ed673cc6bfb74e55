//! One elevation, from the request to the report.

use std::ffi::OsString;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use base::child::{Foreground, Outcome};
use base::clock::{Deadline, rfc3339};
use base::error::{Error, Kind, Result};
use base::exit::Exit;
use base::guardian::Guardian;
use base::report::{Diff, Report, Status};
use base::signals::Watch;
use base::terminal::escape;
use base::tool::Context;
use pgconn::Resolved;
use postgres::Client;

use super::aftermath::{self, Snapshot};
use super::guardian::{self, Ward};
use super::journal::Journal;
use super::place::Place;
use super::right::{self, Facts, Grant};
use super::take_back::{Revocation, take_back};
use crate::connect::{refused, resolved};
use crate::report::{Body, Command, Elevation};
use crate::request::Elevate;

/// How long the tool itself tries to take the right back before it leaves that to the guardian: a
/// server may be restarting.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs COMMAND with the role elevated.
///
/// # Errors
/// `Kind::Usage` for a wrong connection string.
pub fn run(request: &Elevate, context: &Context) -> Result<Report<Body>> {
    let admin = resolved(&request.admin, context.deadline)?;
    // Before any thread is: they inherit the mask.
    let watch = Watch::begin()?;
    let mut warnings = Vec::new();
    let prepared = if context.dry_run {
        foresee(request, &admin, &mut warnings).map(Prepared::Foreseen)
    } else {
        prepare(request, &admin, context, &mut warnings).map(Prepared::Ready)
    };
    match prepared {
        Ok(Prepared::Foreseen(report)) => Ok(*report),
        Ok(Prepared::Ready(ready)) => ready.carry_out(request, context, &watch, warnings),
        Err(error) => {
            let exit = not_run(&error);
            Ok(
                Report::new(Status::Failed, "nobody was elevated", Body::default())
                    .warnings(warnings)
                    .error(error)
                    .exit(exit),
            )
        }
    }
}

/// Around a COMMAND, our own failures are 125.
fn around(report: Report<Body>) -> Report<Body> {
    report.exit(Exit::AroundCommand)
}

enum Prepared {
    /// A dry run ends here.
    Foreseen(Box<Report<Body>>),
    /// Everything is in place but the right itself.
    Ready(Box<Ready>),
}

/// Journal written, guardian waiting, the transaction that gives the right open.
struct Ready {
    admin: Resolved,
    client: Client,
    grant: Grant,
    name: String,
    place: Place,
    guardian: Guardian,
    before: Snapshot,
}

fn connect(admin: &Resolved, warnings: &mut Vec<String>) -> Result<Client> {
    let connected = admin.connect().map_err(|error| refused(&error))?;
    warnings.extend(connected.warnings);
    Ok(connected.client)
}

/// What a real run would do.
fn foresee(
    request: &Elevate,
    admin: &Resolved,
    warnings: &mut Vec<String>,
) -> Result<Box<Report<Body>>> {
    let mut client = connect(admin, warnings)?;
    let subject = right::subject(&mut client, &request.role)?;
    let left = Place::look(&subject)?.left()?;
    let (_, facts) = right::begin(&mut client, &subject)?;
    right::give_up(&mut client);
    match &left {
        Some(journal) => warnings.push(format!(
            "an elevation of role '{}' by process {} was not finished: a real run finishes it first",
            escape(&request.role),
            journal.pid
        )),
        None => facts.refuse_unfit()?,
    }
    warn_of_sessions(&request.role, &facts, warnings);
    let body = Body {
        elevation: Some(Elevation::planned(&request.role, &masked(&request.command))),
        ..Body::default()
    };
    let msg = format!("'{}' would be a superuser while COMMAND runs", request.role);
    Ok(Box::new(
        Report::new(Status::No, msg, body)
            .changed(true)
            .warnings(std::mem::take(warnings))
            .diff(difference(&request.role)),
    ))
}

fn prepare(
    request: &Elevate,
    admin: &Resolved,
    context: &Context,
    warnings: &mut Vec<String>,
) -> Result<Box<Ready>> {
    let mut client = connect(admin, warnings)?;
    let subject = right::subject(&mut client, &request.role)?;
    find_program(&request.command)?;
    let place = Place::claim(&subject, context.lock_wait)?;
    finish_earlier(&place, &mut client, admin, &request.role, warnings)?;
    let (grant, facts) = right::begin(&mut client, &subject)?;
    let begun = begin(request, &mut client, &place, &grant, &facts);
    let (guardian, before) = begun.inspect_err(|_| right::give_up(&mut client))?;
    warn_of_sessions(&request.role, &facts, warnings);
    Ok(Box::new(Ready {
        admin: admin.clone(),
        client,
        grant,
        name: facts.name,
        place,
        guardian,
        before,
    }))
}

/// In the open transaction: the last checks, the journal, the guardian.
fn begin(
    request: &Elevate,
    client: &mut Client,
    place: &Place,
    grant: &Grant,
    facts: &Facts,
) -> Result<(Guardian, Snapshot)> {
    facts.refuse_unfit()?;
    let before = aftermath::snapshot(client).map_err(|error| right::failed(&error))?;
    let journal = Journal::of(grant, &request.role, &masked(&request.command));
    place.write(&journal)?;
    let start = || {
        let payload = Ward::payload(&journal, place, &request.admin)?;
        base::guardian::start(guardian::KIND, &payload)
    };
    let guardian = start().inspect_err(|_| place.forget())?;
    Ok((guardian, before))
}

/// A journal whose lock is free is that of a run that was killed: what that run gave is taken back
/// before anything else.
fn finish_earlier(
    place: &Place,
    client: &mut Client,
    admin: &Resolved,
    role: &str,
    warnings: &mut Vec<String>,
) -> Result<()> {
    let Some(journal) = place.left()? else {
        return Ok(());
    };
    let until = Deadline::after(Some(PATIENCE));
    let revocation = take_back(Some(client), admin, &journal.grant(), until);
    let role = escape(role);
    if !revocation.verified {
        let why = revocation.failure.unwrap_or_default();
        return Err(Error::failed(format!(
            "an earlier elevation of role '{role}' was not finished, and role '{role}' may still be a superuser: {why}"
        ))
        .hint("pg-ext-ensure recover, with the same --admin, as soon as the server answers"));
    }
    warnings.extend(revocation.warnings());
    warnings.push(format!(
        "an elevation of role '{role}' by process {} was not finished: the right was taken back first",
        journal.pid
    ));
    place.forget();
    Ok(())
}

fn warn_of_sessions(role: &str, facts: &Facts, warnings: &mut Vec<String>) {
    if !facts.sessions.is_empty() {
        let pids: Vec<String> = facts.sessions.iter().map(ToString::to_string).collect();
        warnings.push(format!(
            "role '{}' has open sessions, which are a superuser's while COMMAND runs: server processes {}",
            escape(role),
            pids.join(", ")
        ));
    }
}

/// What `--diff` shows: before, and while COMMAND runs.
fn difference(role: &str) -> Option<Diff> {
    Diff::of(
        "roles",
        format!("{role}: not a superuser\n"),
        format!("{role}: superuser while COMMAND runs, then not a superuser\n"),
    )
}

/// A COMMAND that does not exist is no reason to elevate anybody.
fn find_program(command: &[OsString]) -> Result<()> {
    let program = command
        .first()
        .map(std::path::Path::new)
        .unwrap_or(std::path::Path::new(""));
    let found = if program.components().count() > 1 {
        program.exists()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        std::env::split_paths(&path).any(|directory| directory.join(program).exists())
    };
    let shown = base::terminal::escape_bytes(program.as_os_str().as_encoded_bytes());
    if found {
        Ok(())
    } else {
        Err(Error::new(
            Kind::CommandNotFound,
            format!("cannot run '{shown}': no such program"),
        ))
    }
}

impl Ready {
    fn carry_out(
        mut self,
        request: &Elevate,
        context: &Context,
        watch: &Watch,
        mut warnings: Vec<String>,
    ) -> Result<Report<Body>> {
        let argv = masked(&request.command);
        let mut elevation = Elevation::planned(&request.role, &argv);
        if let Err(error) = right::give(&mut self.client, &mut self.grant, &self.name) {
            return Ok(self.abandon(error, elevation, warnings));
        }
        elevation.granted_at = Some(rfc3339(SystemTime::now()));
        if context.progress {
            announce(&request.role);
        }
        let alarm = Alarm::set(&self.admin, &self.grant, request.max);
        let outcome = Foreground::new(&request.command)
            .deadline(context.deadline.or_after(request.max))
            .run(watch);
        let rung = alarm.off();
        let revocation = self.take_back();
        elevation.revoke_verified = Some(revocation.verified);
        if revocation.verified {
            elevation.revoked_at = Some(rfc3339(rung.unwrap_or_else(SystemTime::now)));
        }
        warnings.extend(revocation.warnings());
        Ok(self.report(&request.role, outcome, revocation, elevation, warnings))
    }

    /// The right was not given, or may not have been: it is taken back as if it was.
    fn abandon(
        mut self,
        error: Error,
        mut elevation: Elevation,
        warnings: Vec<String>,
    ) -> Report<Body> {
        let revocation = self.take_back();
        elevation.revoke_verified = Some(revocation.verified);
        if revocation.verified {
            self.guardian.disarm();
            self.place.forget();
        }
        let body = Body {
            elevation: Some(elevation),
            ..Body::default()
        };
        around(
            Report::new(Status::Failed, "nobody was elevated", body)
                .error(error)
                .warnings(warnings),
        )
    }

    fn take_back(&mut self) -> Revocation {
        take_back(
            Some(&mut self.client),
            &self.admin,
            &self.grant,
            Deadline::after(Some(PATIENCE)),
        )
    }

    /// Status, message, error and exit status are decided here.
    fn report(
        self,
        role: &str,
        outcome: Result<Outcome>,
        revocation: Revocation,
        mut elevation: Elevation,
        mut warnings: Vec<String>,
    ) -> Report<Body> {
        if !revocation.verified {
            // The guardian goes on as soon as we are gone, and the journal stays for `recover`.
            return unverified(role, revocation, elevation, warnings);
        }
        self.guardian.disarm();
        self.place.forget();
        let transaction = self.grant.transaction.as_deref();
        aftermath::look(
            &self.admin,
            transaction,
            &self.before,
            &mut elevation,
            &mut warnings,
        );
        let (status, error, exit) = match &outcome {
            Ok(outcome) => {
                elevation.command = Some(Command::ended(elevation.command, outcome));
                let error = (!outcome.ending.success()).then(|| {
                    let late = if outcome.timed_out {
                        " when --max was over"
                    } else {
                        ""
                    };
                    Error::failed(format!("COMMAND failed: {}{late}", outcome.ending))
                });
                (Status::Ok, error, outcome.exit())
            }
            Err(error) => (Status::Failed, Some(error.clone()), not_run(error)),
        };
        let msg = match &error {
            None => format!("COMMAND succeeded; '{role}' is no longer a superuser"),
            Some(_) => format!("COMMAND failed; '{role}' is no longer a superuser"),
        };
        let body = Body {
            elevation: Some(elevation),
            ..Body::default()
        };
        let report = Report::new(status, msg, body)
            .changed(true)
            .warnings(warnings)
            .diff(difference(role));
        let report = match error {
            Some(error) => report.error(error),
            None => report,
        };
        report.exit(exit)
    }
}

/// The catalog did not confirm that the right is gone.
fn unverified(
    role: &str,
    revocation: Revocation,
    elevation: Elevation,
    warnings: Vec<String>,
) -> Report<Body> {
    let why = revocation.failure.unwrap_or_default();
    let role = escape(role);
    let error = Error::failed(format!("role '{role}' may still be a superuser: {why}"))
        .hint("pg-ext-ensure recover, with the same --admin, as soon as the server answers");
    let body = Body {
        elevation: Some(elevation),
        ..Body::default()
    };
    let report = Report::new(Status::Failed, "the right could not be taken back", body);
    around(report.error(error).changed(true)).warnings(warnings)
}

/// 126 and 127 as `env` has them; 75 where trying again helps; anything else that kept COMMAND from
/// running is our own failure.
fn not_run(error: &Error) -> Exit {
    match error.kind {
        Kind::CommandNotFound => Exit::NotFound,
        Kind::CommandNotExecutable => Exit::NotExecutable,
        Kind::Locked | Kind::Unreachable | Kind::Deadline => Exit::Retry,
        _ => Exit::AroundCommand,
    }
}

fn announce(role: &str) {
    let role = escape(role);
    base::tool::say(&format!(
        "pg-ext-ensure: '{role}' and all its sessions are superusers until COMMAND ends\n"
    ));
}

fn masked(argv: &[OsString]) -> Vec<String> {
    let words: Vec<String> = argv
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    base::mask::argv(&words)
}

/// Takes the right back when `--max` is over, whether COMMAND ends then or not.
struct Alarm {
    off: mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<Option<SystemTime>>>,
}

impl Alarm {
    fn set(admin: &Resolved, grant: &Grant, max: Duration) -> Alarm {
        let (off, wait) = mpsc::channel::<()>();
        let (admin, grant) = (admin.clone(), grant.clone());
        let ring = move || {
            if wait.recv_timeout(max) != Err(mpsc::RecvTimeoutError::Timeout) {
                return None;
            }
            let revocation = take_back(None, &admin, &grant, Deadline::after(Some(PATIENCE)));
            revocation.verified.then(SystemTime::now)
        };
        Alarm {
            off,
            thread: std::thread::Builder::new().spawn(ring).ok(),
        }
    }

    /// Turns the alarm off; when it rang before, the time at which it had taken the right back.
    fn off(mut self) -> Option<SystemTime> {
        drop(self.off);
        self.thread.take()?.join().ok()?
    }
}
