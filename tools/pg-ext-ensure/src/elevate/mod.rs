//! `elevate`: a role is a superuser for as long as one COMMAND runs, and never longer. The better way is to need it not: extensions can
//! be created with `--admin` beforehand.
//!
//! The order is what makes it safe: the journal is on the disk and the guardian waits before the right is given; the guardian goes only
//! after the catalog says that the right is gone. Whatever dies in between, something is left that takes the right back: this process, its
//! guardian, or the journal and [`recover`].

pub mod aftermath;
pub mod journal;
pub mod recover;
pub mod right;

use std::ffi::OsString;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use base::child::{Foreground, Outcome};
use base::clock::{Deadline, rfc3339};
use base::error::{Error, Kind, Result};
use base::exit::Exit;
use base::guardian::{self, Guardian};
use base::report::{Diff, Report, Status};
use base::signals::Watch;
use base::tool::Context;
use pgconn::{Environment, Resolved, resolve};

use crate::cli::Connection;
use crate::fleet::refused;
use crate::report::{Body, Command, Elevation};
use journal::{Journal, Place};
use right::{Grant, Revocation};

/// What guardians of this tool are for.
pub const GUARDIAN: &str = "revoke";

/// How long the tool itself tries to take the right back before it leaves that to the guardian: a server may be restarting.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a guardian tries before it leaves it to `recover`.
const GUARDIAN_PATIENCE: Duration = Duration::from_secs(900);

/// What is asked for.
#[derive(Debug)]
pub struct Elevate {
    /// Whom to elevate.
    pub role: String,
    /// Who does it.
    pub admin: Connection,
    /// The longest that it may last.
    pub max: Duration,
    /// What is run meanwhile.
    pub command: Vec<OsString>,
}

/// Runs COMMAND with the role elevated.
///
/// # Errors
/// `Kind::Usage` for a wrong connection string.
pub fn run(request: &Elevate, context: &Context) -> Result<Report<Body>> {
    let admin = admin(&request.admin, context.deadline)?;
    // Before any thread is: they inherit the mask.
    let watch = Watch::begin()?;
    match prepare(request, &admin, context) {
        Ok(Prepared::Foreseen(report)) => Ok(*report),
        Ok(Prepared::Ready(ready)) => ready.carry_out(request, context, &watch),
        Err(error) => {
            let exit = not_run(&error);
            Ok(
                Report::new(Status::Failed, "nobody was elevated", Body::default())
                    .error(error)
                    .exit(exit),
            )
        }
    }
}

/// The administrator's connection.
///
/// # Errors
/// `Kind::Usage`.
pub fn admin(connection: &Connection, deadline: Deadline) -> Result<Resolved> {
    let mut request = connection.request();
    if let Some(left) = deadline.left() {
        request = request.within(left);
    }
    resolve(&request, &Environment::process()).map_err(|error| refused(&error))
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

/// Journal written, guardian waiting, right not yet given.
struct Ready {
    admin: Resolved,
    client: postgres::Client,
    grant: Grant,
    place: Place,
    guardian: Guardian,
    before: Vec<String>,
    warnings: Vec<String>,
}

fn prepare(request: &Elevate, admin: &Resolved, context: &Context) -> Result<Prepared> {
    let mut connected = admin.connect().map_err(|error| refused(&error))?;
    let mut warnings = std::mem::take(&mut connected.warnings);
    let mut client = connected.client;
    let grant = right::look(&mut client, &request.role)?;
    grant.refuse_unfit(&request.role)?;
    if !grant.sessions.is_empty() {
        let pids: Vec<String> = grant.sessions.iter().map(ToString::to_string).collect();
        warnings.push(format!(
            "role \"{}\" has open sessions, which are superusers meanwhile: server processes {}",
            request.role,
            pids.join(", ")
        ));
    }
    let argv = masked(&request.command);
    let elevation = Elevation::planned(&request.role, &argv);
    if context.dry_run {
        let body = Body {
            elevation: Some(elevation),
            ..Body::default()
        };
        let report = Report::new(
            Status::No,
            format!(
                "\"{}\" would be a superuser while COMMAND runs",
                request.role
            ),
            body,
        );
        return Ok(Prepared::Foreseen(Box::new(
            report
                .changed(true)
                .warnings(warnings)
                .diff(difference(&request.role)),
        )));
    }
    find_program(&request.command)?;
    let place = Place::claim(&grant.system, grant.oid, context.lock_wait)?;
    clear(&place, &mut client)?;
    let before = aftermath::superusers(&mut client).map_err(|error| right::failed(&error))?;
    let journal = Journal::of(&grant, &request.role, &argv);
    place.write(&journal)?;
    let guard = || {
        guardian::start(
            GUARDIAN,
            &Journal::payload(&journal, &place, &request.admin)?,
        )
    };
    let guardian = guard().inspect_err(|_| place.forget())?;
    Ok(Prepared::Ready(Box::new(Ready {
        admin: admin.clone(),
        client,
        grant,
        place,
        guardian,
        before,
        warnings,
    })))
}

/// What `--diff` shows: before, and while COMMAND runs.
fn difference(role: &str) -> Option<Diff> {
    Diff::of(
        "roles",
        format!("{role}: no superuser\n"),
        format!("{role}: superuser while COMMAND runs, then no superuser\n"),
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
            format!("cannot run {shown}: no such program"),
        ))
    }
}

/// A journal without a tool: of one that was killed. Where nothing came of it (the role is no superuser, as was checked before, and the
/// session that was to make it one is gone) it is done with.
fn clear(place: &Place, client: &mut postgres::Client) -> Result<()> {
    let Some(left) = place.left()? else {
        return Ok(());
    };
    if right::is_over(client, &left.grant())? {
        place.forget();
        return Ok(());
    }
    Err(Error::failed(format!(
        "an elevation of this role was not finished: {}",
        place.path().display()
    ))
    .hint("pg-ext-ensure recover --admin DSN"))
}

impl Ready {
    fn carry_out(
        mut self,
        request: &Elevate,
        context: &Context,
        watch: &Watch,
    ) -> Result<Report<Body>> {
        let argv = masked(&request.command);
        let mut elevation = Elevation::planned(&request.role, &argv);
        if let Err(error) = right::give(&mut self.client, &mut self.grant) {
            return Ok(self.abandon(error, elevation));
        }
        elevation.granted_at = Some(rfc3339(SystemTime::now()));
        self.warnings.push(
            "extensions alone need no superuser: `pg-ext-ensure --admin DSN EXT…` before COMMAND creates them and elevates nobody"
                .to_string(),
        );
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
        self.warnings.extend(revocation.warnings());
        self.report(request, outcome, revocation, elevation)
    }

    /// The right was not given, or may not have been: it is taken back as if it was.
    fn abandon(mut self, error: Error, mut elevation: Elevation) -> Report<Body> {
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
                .warnings(self.warnings),
        )
    }

    fn take_back(&mut self) -> Revocation {
        right::take_back(
            Some(&mut self.client),
            &self.admin,
            &self.grant,
            Deadline::after(Some(PATIENCE)),
        )
    }

    fn report(
        mut self,
        request: &Elevate,
        outcome: Result<Outcome>,
        revocation: Revocation,
        mut elevation: Elevation,
    ) -> Result<Report<Body>> {
        let role = &request.role;
        if !revocation.verified {
            // The guardian goes on as soon as we are gone, and the journal stays for `recover`.
            let why = revocation.failure.unwrap_or_default();
            let error = Error::failed(format!("role \"{role}\" may still be a superuser: {why}"))
                .hint("pg-ext-ensure recover --admin DSN, as soon as the server answers; or: ALTER ROLE … NOSUPERUSER");
            let body = Body {
                elevation: Some(elevation),
                ..Body::default()
            };
            return Ok(around(
                Report::new(Status::Failed, "the right could not be taken back", body)
                    .error(error)
                    .changed(true),
            )
            .warnings(self.warnings));
        }
        self.guardian.disarm();
        self.place.forget();
        aftermath::look(
            &self.admin,
            &self.grant,
            &self.before,
            &mut elevation,
            &mut self.warnings,
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
            None => format!("\"{role}\" was a superuser while COMMAND ran, and is none"),
            Some(_) => format!("\"{role}\" is no superuser; COMMAND failed"),
        };
        let body = Body {
            elevation: Some(elevation),
            ..Body::default()
        };
        let report = Report::new(status, msg, body)
            .changed(true)
            .warnings(self.warnings)
            .diff(difference(role));
        let report = match error {
            Some(error) => report.error(error),
            None => report,
        };
        Ok(report.exit(exit))
    }
}

/// 126 and 127 as `env` has them; anything else that kept COMMAND from running is our own failure.
fn not_run(error: &Error) -> Exit {
    match error.kind {
        Kind::CommandNotFound => Exit::NotFound,
        Kind::CommandNotExecutable => Exit::NotExecutable,
        _ => Exit::AroundCommand,
    }
}

fn announce(role: &str) {
    let role = base::terminal::escape(role);
    base::tool::say(&format!(
        "pg-ext-ensure: \"{role}\" and all its sessions are superusers until COMMAND ends\n"
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
            let revocation =
                right::take_back(None, &admin, &grant, Deadline::after(Some(PATIENCE)));
            revocation.verified.then(SystemTime::now)
        };
        Alarm {
            off,
            thread: std::thread::Builder::new().spawn(ring).ok(),
        }
    }

    /// Turns it off; when it rang before, the time at which it had taken the right back.
    fn off(mut self) -> Option<SystemTime> {
        drop(self.off);
        self.thread.take()?.join().ok()?
    }
}

/// A guardian's work: the tool is gone, the right may be there.
pub fn guard(payload: &[u8]) -> Exit {
    let Ok(ward) = serde_json::from_slice::<journal::Ward>(payload) else {
        return Exit::Usage;
    };
    // Connection strings may name files relative to where the tool was called.
    let _ = std::env::set_current_dir(&ward.directory);
    let until = Deadline::after(Some(GUARDIAN_PATIENCE));
    while !until.passed() {
        let revocation = match admin(&ward.admin, Deadline::NEVER) {
            Ok(admin) => right::take_back(
                None,
                &admin,
                &ward.journal.grant(),
                Deadline::after(Some(PATIENCE)),
            ),
            Err(_) => return Exit::Failed,
        };
        if revocation.verified {
            ward.place().forget();
            return Exit::Ok;
        }
        // Whoever waits for the end of our standard error has waited long enough.
        quiet();
    }
    Exit::Failed
}

fn quiet() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stderr(&null);
        let _ = nix::unistd::dup2_stdout(&null);
    }
}
