//! Places where a schedule is installed. A place is whole in its file: how its text is rendered,
//! read, judged, checked, planned and written. registry.rs lists them.

pub mod cron_d;
pub mod crontab;
pub mod systemd;

use std::path::PathBuf;
use std::time::Duration;

use base::atomic::{Access, Dir};
use base::child::{Finished, Run};
use base::error::{Error, Kind, Result};
use base::lock::{self, Lock};
use base::tool::Context;

use crate::block;
use crate::format::Format;
use crate::host::Cron;
use crate::plan::Plan;
use crate::site::Site;
use crate::spread::Placed;
use crate::template::Template;
use crate::trial::{Attempt, Trial};

/// One place where a schedule is installed.
pub trait Target {
    /// The file, for reports.
    fn path(&self) -> String;

    /// Holds other runs off.
    ///
    /// # Errors
    /// `Kind::Locked`.
    fn lock(&self, wait: Duration) -> Result<Vec<Lock>>;

    /// Its bytes; `None` if there is nothing, for certain.
    ///
    /// # Errors
    /// `Kind::Io`, `Kind::Failed` where it cannot be read exactly.
    fn read(&self) -> Result<Option<Vec<u8>>>;

    /// The change that puts `body` in place.
    ///
    /// # Errors
    /// `Kind::Failed` for what was edited or is somebody else's, unless `force`.
    fn plan(&self, before: Option<Vec<u8>>, body: &[u8], force: bool) -> Result<Plan>;

    /// The change that removes what was installed.
    ///
    /// # Errors
    /// As [`Target::plan`].
    fn plan_removal(&self, before: Option<Vec<u8>>, force: bool) -> Result<Plan>;

    /// Our part of what is there: the block's lines, or all of it. Empty where nothing is
    /// installed.
    ///
    /// # Errors
    /// `Kind::Failed` for broken markers.
    fn installed(&self, text: &[u8]) -> Result<Vec<u8>> {
        Ok(text.to_vec())
    }

    /// Whether what holds the schedule is as the daemon wants it, whatever is in it.
    ///
    /// # Errors
    /// `Kind::Io`.
    fn sound(&self, plan: &Plan) -> Result<bool>;

    /// Asks the daemon's own checker; what it only warns of comes back.
    ///
    /// # Errors
    /// `Kind::Failed` with the checker's words.
    fn check(&self, plan: &Plan) -> Result<Vec<String>>;

    /// Keeps a copy of what is there.
    ///
    /// # Errors
    /// `Kind::Io`.
    fn back_up(&self, bytes: &[u8]) -> Result<String>;

    /// Carries the plan out and reads the result back.
    ///
    /// # Errors
    /// `Kind::Failed`; the old state stands, unless the message says otherwise.
    fn write(&self, plan: &Plan) -> Result<Vec<String>>;
}

/// What is made of a template: its jobs with the facts of the site, at the times that were found
/// for them.
pub type Of<T> = fn(&Template, &Site, &[Placed]) -> Result<T>;

/// What the daemon knows a job by.
pub type Mark = Vec<u8>;

/// Finds the jobs of a site, by id and mark, in what is installed.
pub type Listing = fn(&str, &[u8]) -> Vec<(String, Mark)>;

/// A row of the registry.
#[derive(Debug)]
pub struct Row {
    /// Its properties.
    pub format: &'static Format,
    /// What becomes of the lines of `clearsessions` that a test renders: the text, or the part of
    /// it that matters.
    pub example: &'static str,
    /// Opens the place of a site.
    pub open: fn(&Site, &Cron, &Context) -> Result<Box<dyn Target>>,
    /// A text of each job, and the finished text of all.
    pub finished: Of<(Vec<String>, Vec<u8>)>,
    /// What the daemon knows each job by: its line in the finished text, or the name of its
    /// service.
    pub marks: Of<Vec<Mark>>,
    /// The jobs of an installed text of this site, by id and mark; `None` where the text is a
    /// crontab.
    pub listed: Option<Listing>,
    /// Runs one job as its daemon would.
    pub attempt: fn(&Trial<'_>) -> Result<Attempt>,
}

impl Row {
    /// The daemon in messages.
    pub fn daemon(&self, site: &Site) -> &'static str {
        if self.format.by_cron() {
            site.dialect.name()
        } else {
            "systemd"
        }
    }
}

/// The directory for what is on its way into a crontab: for us alone, emptied at reboot.
///
/// # Errors
/// `Kind::Permission` where it is not ours alone.
pub fn workroom() -> Result<Dir> {
    Dir::open(&lock::state_directory()?)
}

/// Keeps `bytes` as a backup for its owner's eyes alone, and says where. The name carries the
/// content's hash, so the same content is kept once.
///
/// # Errors
/// `Kind::Io`.
pub fn keep(what: &str, bytes: &[u8]) -> Result<String> {
    let directory = match (
        rustix::process::geteuid().is_root(),
        std::env::var_os("HOME").map(PathBuf::from),
    ) {
        (true, _) => PathBuf::from("/var/backups/runbook-tools"),
        (false, Some(home)) if home.is_absolute() => home.join(".local/state/runbook-tools"),
        _ => lock::state_directory()?,
    };
    lock::private_directory(&directory)?;
    let hash = block::sha256(bytes);
    let name = format!("{what}.{}", hash.get(..16).unwrap_or(&hash));
    Dir::open(&directory)?.write(&name, bytes, Access::mode(0o600))?;
    Ok(directory.join(name).display().to_string())
}

/// Runs a program of cron's or systemd's. 126 and 127 are for a COMMAND of the user's: here it is a
/// failure of our own.
///
/// # Errors
/// `Kind::Failed` where it cannot be started, `Kind::Deadline` where it took too long.
pub fn run(program: &Run, what: &str) -> Result<Finished> {
    let done = program.run().map_err(|e| match e.kind {
        Kind::CommandNotFound | Kind::CommandNotExecutable => Error::failed(e.message),
        _ => e,
    })?;
    if done.timed_out {
        Err(Error::deadline(format!("{what} took too long")))
    } else {
        Ok(done)
    }
}

/// As [`run`], for a program that may take long: its caller looks at the time.
///
/// # Errors
/// `Kind::Failed` where it cannot be started.
pub fn run_to_its_end(program: &Run) -> Result<Finished> {
    program.run().map_err(|e| match e.kind {
        Kind::CommandNotFound | Kind::CommandNotExecutable => Error::failed(e.message),
        _ => e,
    })
}

/// What was read before is not what is there now.
pub fn changed_meanwhile(what: &str) -> Error {
    Error::failed(format!(
        "another process changed {what} meanwhile; nothing was installed"
    ))
    .hint("run it again")
}

/// What was written is not what can be read back.
pub fn not_as_written(what: &str) -> Error {
    Error::failed(format!(
        "{what} differs from the schedule that was installed: another process wrote at the same time"
    ))
    .hint("run it again")
}
