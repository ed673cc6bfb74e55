//! The work of the guardian: takes the right back after the tool has ended.

use std::path::PathBuf;
use std::time::Duration;

use base::clock::Deadline;
use base::error::{Error, Result};
use base::exit::Exit;
use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::place::Place;
use super::take_back::take_back;
use crate::connect::resolved;
use crate::request::Connection;

/// What guardians of this tool are for.
pub const KIND: &str = "revoke";

/// How long a guardian tries before it leaves the rest to `recover`.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// What a guardian watches over.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ward {
    /// The elevation.
    pub journal: Journal,
    /// Who takes the right back.
    pub admin: Connection,
    /// Where the tool was called.
    pub directory: PathBuf,
    /// Where the journal is.
    pub state: PathBuf,
}

impl Ward {
    /// What the guardian reads from its pipe: there a connection string is private.
    ///
    /// # Errors
    /// `Kind::Failed`.
    pub fn payload(journal: &Journal, place: &Place, admin: &Connection) -> Result<Vec<u8>> {
        let ward = Ward {
            journal: journal.clone(),
            admin: admin.clone(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            state: place.directory().to_path_buf(),
        };
        serde_json::to_vec(&ward)
            .map_err(|error| Error::failed(format!("cannot tell the guardian what to do: {error}")))
    }

    /// The journal's place, with its lock, which the tool has let go of.
    ///
    /// # Errors
    /// `Kind::Locked`, `Kind::Io`.
    pub fn place(&self, wait: Duration) -> Result<Place> {
        Place::claim_in(self.state.clone(), &self.journal.grant().subject, wait)
    }
}

/// Takes the right back.
pub fn guard(payload: &[u8]) -> Exit {
    let Ok(ward) = serde_json::from_slice::<Ward>(payload) else {
        return Exit::Usage;
    };
    // Connection strings may name files relative to where the tool was called.
    let _ = std::env::set_current_dir(&ward.directory);
    let Ok(admin) = resolved(&ward.admin, Deadline::NEVER) else {
        return Exit::Failed;
    };
    // A later elevation that holds the lock has finished this one before it began.
    let place = ward.place(PATIENCE);
    match &place {
        Ok(place) if !place.has(&ward.journal) => return Exit::Ok,
        _ => {}
    }
    let until = Deadline::after(Some(PATIENCE));
    while !until.passed() {
        let grant = ward.journal.grant();
        let revocation = take_back(None, &admin, &grant, Deadline::after(Some(ATTEMPT)));
        if revocation.verified {
            if let Ok(place) = &place {
                place.forget();
            }
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
