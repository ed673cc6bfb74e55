//! Where a schedule is installed. Each place has its file: how it is read, checked and written.

pub mod cron_d;
pub mod crontab;
pub mod systemd;

use std::path::PathBuf;

use base::atomic::{Access, Dir};
use base::child::{Finished, Run};
use base::error::{Error, Kind, Result};
use base::lock;

use crate::block;

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

/// What was read before is not what is there now.
pub fn changed_meanwhile(what: &str) -> Error {
    Error::failed(format!(
        "{what} was changed by somebody else meanwhile; nothing was installed"
    ))
    .hint("run it again")
}

/// What was written is not what can be read back.
pub fn not_as_written(what: &str) -> Error {
    Error::failed(format!(
        "{what} is not what was installed: somebody else wrote at the same time"
    ))
    .hint("run it again; the crontab as it was before is in the backup")
}
