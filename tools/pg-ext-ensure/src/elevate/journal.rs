//! What is written down before a role is elevated, so that even after a power cut somebody knows that the right has to be taken back. A
//! journal never holds a connection string.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base::clock::rfc3339;
use base::error::{Error, Result};
use serde::{Deserialize, Serialize};

use super::place::Place;
use super::right::{Giver, Grant, Subject};
use crate::request::Connection;

/// One elevation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The role's name then.
    pub role: String,
    /// The role.
    pub oid: u32,
    /// The cluster.
    pub system: String,
    /// The server process that gives the right.
    pub backend_pid: i64,
    /// When that process began.
    pub backend_start: i64,
    /// When the transaction that gives the right began.
    #[serde(default)]
    pub transaction_start: i64,
    /// The server's clock before.
    pub since: i64,
    /// When, by this machine's clock.
    pub written_at: String,
    /// The tool's process.
    pub pid: u32,
    /// COMMAND, without its secrets.
    pub command: Vec<String>,
}

impl Journal {
    /// Of an elevation that is about to begin.
    pub fn of(grant: &Grant, role: &str, command: &[String]) -> Journal {
        Journal {
            role: role.to_string(),
            oid: grant.subject.oid,
            system: grant.subject.system.clone(),
            backend_pid: grant.giver.pid,
            backend_start: grant.giver.process_start,
            transaction_start: grant.giver.transaction_start,
            since: grant.since,
            written_at: rfc3339(SystemTime::now()),
            pid: std::process::id(),
            command: command.to_vec(),
        }
    }

    /// What it takes to undo the elevation.
    pub fn grant(&self) -> Grant {
        Grant {
            subject: Subject {
                system: self.system.clone(),
                oid: self.oid,
            },
            giver: Giver {
                pid: self.backend_pid,
                process_start: self.backend_start,
                transaction_start: self.transaction_start,
            },
            since: self.since,
            transaction: None,
        }
    }
}

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
