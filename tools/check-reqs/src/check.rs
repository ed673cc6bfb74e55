//! What a check is: a table of keys that becomes an expectation, and a look at the host that gives a finding. One file per type, one
//! line each in [`TYPES`]. A check only looks; it says unmet when it has seen that something is missing, and unknown whenever it could
//! not see: no permission, no service manager, no time left.

pub mod command;
pub mod crontab;
pub mod disk;
pub mod dist;
pub mod django;
pub mod dns;
pub mod extension;
pub mod file;
pub mod group;
pub mod http;
pub mod memory;
pub mod noindex;
pub mod package;
pub mod port;
pub mod postgres;
pub mod python;
pub mod robots;
pub mod service;
pub mod service_env;
pub mod smtp;
pub mod tcp;
pub mod tls;
pub mod user;
pub mod writable;

use crate::document::Fields;
use crate::fix::Fix;
use crate::scene::Scene;
use base::Result;
use base::clock::Deadline;
use std::time::Duration;

/// One requirement, ready to be looked at.
pub trait Check: Send + Sync {
    /// What it is about, for the id of a table that names none: `/srv`, `setuptools`.
    fn subject(&self) -> String;

    /// What is wanted, in a few words.
    fn expected(&self) -> String;

    /// How it is found out, for `--explain`.
    fn how(&self) -> String;

    /// How long one look may take where nobody says otherwise.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Looks, and is back before the deadline.
    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding;
}

/// A type of check.
pub struct Type {
    /// Its name in `type = "…"`.
    pub name: &'static str,
    /// What it checks, for manuals.
    pub about: &'static str,
    /// Its own keys and what each is for.
    pub keys: &'static [(&'static str, &'static str)],
    /// Reads its keys.
    pub read: fn(&mut Fields<'_>) -> Result<Box<dyn Check>>,
}

/// Every type there is.
pub const TYPES: &[&Type] = &[
    &python::TYPE,
    &dist::TYPE,
    &command::TYPE,
    &package::TYPE,
    &postgres::TYPE,
    &extension::TYPE,
    &memory::TYPE,
    &disk::TYPE,
    &port::TYPE,
    &tcp::TYPE,
    &smtp::TYPE,
    &dns::TYPE,
    &file::TYPE,
    &writable::TYPE,
    &user::TYPE,
    &group::TYPE,
    &service::TYPE,
    &service_env::TYPE,
    &crontab::TYPE,
    &http::TYPE,
    &noindex::TYPE,
    &robots::TYPE,
    &tls::TYPE,
    &django::TYPE,
];

/// What was seen of one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Met,
    /// It is not so.
    Unmet,
    /// It could not be seen.
    Unknown,
}

/// The answer of one look.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The answer.
    pub verdict: Verdict,
    /// What is there.
    pub found: Option<String>,
    /// One word for programs: `missing`, `version`, `timeout`.
    pub reason: Option<&'static str>,
    /// A sentence for people.
    pub msg: String,
    /// How to close the gap.
    pub fix: Option<Fix>,
    /// What the answer rests on: a path, the end of a command's output.
    pub evidence: Option<String>,
}

impl Finding {
    /// It is so.
    pub fn met(found: impl Into<String>, msg: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Met,
            found: Some(found.into()),
            reason: None,
            msg: msg.into(),
            fix: None,
            evidence: None,
        }
    }

    /// It is not so.
    pub fn unmet(reason: &'static str, msg: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Unmet,
            found: None,
            reason: Some(reason),
            msg: msg.into(),
            fix: None,
            evidence: None,
        }
    }

    /// It could not be seen.
    pub fn unknown(reason: &'static str, msg: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Unknown,
            found: None,
            reason: Some(reason),
            msg: msg.into(),
            fix: None,
            evidence: None,
        }
    }

    /// The time was up.
    pub fn timeout(what: impl std::fmt::Display) -> Finding {
        Finding::unknown("timeout", format!("{what}: no answer in time"))
    }

    /// Unmet where nothing is there, unknown where it could not be looked at.
    pub fn io(what: impl std::fmt::Display, error: &std::io::Error) -> Finding {
        let msg = format!("{what}: {}", base::error::plain(error));
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Finding::unmet("missing", msg)
            }
            std::io::ErrorKind::PermissionDenied => Finding::unknown("permission", msg),
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                Finding::unknown("timeout", msg)
            }
            _ => Finding::unknown("error", msg),
        }
    }

    /// With what is there.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Finding {
        self.found = Some(found.into());
        self
    }

    /// With a way to close the gap.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Finding {
        self.fix = Some(fix);
        self
    }

    /// With what it rests on; an empty text says nothing.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Into<String>) -> Finding {
        self.evidence = Some(evidence.into()).filter(|text| !text.is_empty());
        self
    }
}

/// The last lines of an output, as evidence: at most 2 KiB, cut where a character begins.
pub fn tail(text: &str) -> String {
    let text = text.trim_end();
    let mut start = text.len().saturating_sub(2048);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_string()
}

/// Bytes for people, powers of 1024: `128M`, `1.5G`.
pub fn size(bytes: u64) -> String {
    for (unit, shift) in [("T", 40), ("G", 30), ("M", 20), ("K", 10)] {
        if bytes >> shift > 0 {
            let whole = bytes >> shift;
            let tenth = ((u128::from(bytes) * 10) >> shift) % 10;
            return match tenth > 0 && whole < 100 {
                true => format!("{whole}.{tenth}{unit}"),
                false => format!("{whole}{unit}"),
            };
        }
    }
    format!("{bytes}B")
}

/// A size as a key has it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    base::cli::parse_size(text).map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1536, "1.5K"),
            (128 << 20, "128M"),
            (5 << 30, "5G"),
            (u64::MAX, "16777215T"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn every_type_has_its_own_name() {
        let mut names: Vec<_> = TYPES.iter().map(|t| t.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TYPES.len());
    }
}
