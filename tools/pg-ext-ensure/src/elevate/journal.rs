//! What is written down before a role is elevated, so that even after a power cut somebody knows
//! that the right has to be taken back. A journal never holds a connection string.

use std::time::SystemTime;

use base::clock::rfc3339;
use serde::{Deserialize, Serialize};

use super::right::{Giver, Grant, Subject};

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
