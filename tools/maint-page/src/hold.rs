//! A hold: one party's wish that the site be down for maintenance.
//!
//! The page is up while at least one hold is active, so two operators, or a deploy inside a
//! longer maintenance, never undo each other. A hold says only what was asked and what has
//! happened to it; what the site shows for all holds together is `standing`'s affair.

use crate::person::{Run, Seat};
use crate::when;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The version of every file this tool leaves behind.
pub const SCHEMA: u32 = 1;

/// The longest message taken, in bytes: a page is read by people in a hurry.
pub const MESSAGE_MAX: usize = 4096;

/// Where a hold is in its life.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No hold.
    #[default]
    Off,
    /// It has a start that has not come yet.
    Announced,
    /// The page is up for it.
    Active,
    /// The page is up and its announced end has passed.
    Overdue,
}

impl State {
    /// As it is written in reports and files.
    pub fn word(self) -> &'static str {
        match self {
            State::Off => "off",
            State::Announced => "announced",
            State::Active => "active",
            State::Overdue => "overdue",
        }
    }

    /// Whether visitors should see the page in this state.
    pub fn is_up(self) -> bool {
        matches!(self, State::Active | State::Overdue)
    }
}

/// One hold, as it is kept in `holds/ID.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Version of this file's form.
    pub schema: u32,
    /// Whose hold it is; the file's name without `.json`.
    pub id: String,
    /// 16 hex digits that the page carries, so that `verify` knows it from another's.
    pub token: String,
    /// The message for visitors. Plain text.
    pub message: String,
    /// The page's heading.
    pub title: String,
    /// The language `message` is written in (BCP 47), and of the page's own words.
    pub lang: String,
    /// Further languages in which the page repeats its own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_langs: Vec<String>,
    /// The zone in which times are shown. Kept by name, because the page must read the same whoever
    /// looks at it next; a system zone without a name is shown as UTC.
    #[serde(default)]
    pub tz: Option<String>,
    /// Who asked, as the system names them.
    pub created_by: String,
    /// Where they sat: tells two people apart who are both root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seat: Option<Seat>,
    /// The run of `during` that made the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// When the hold was made.
    #[serde(with = "instant")]
    pub created_at: Timestamp,
    /// The times as they were typed: the same request again changes nothing.
    pub asked: Asked,
    /// When the page is to go up.
    #[serde(with = "instant")]
    pub starts_at: Timestamp,
    /// When it is expected to be over.
    #[serde(with = "maybe_instant")]
    pub ends_at: Option<Timestamp>,
    /// From when users are to be warned.
    #[serde(with = "instant")]
    pub warn_from: Timestamp,
    /// When the page went up for this hold. Once up it stays up, whatever the clock does.
    #[serde(with = "maybe_instant", default)]
    pub activated_at: Option<Timestamp>,
    /// Whether `tick` and `wait` may release it at its end.
    #[serde(default)]
    pub auto_off: bool,
    /// The copied template's directory name below `page/`.
    #[serde(default)]
    pub template: Option<String>,
    /// When `tick` first said that it is overdue, so that it says it once.
    #[serde(with = "maybe_instant", default)]
    pub overdue_since: Option<Timestamp>,
}

/// The times as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `--start`.
    pub start: Option<String>,
    /// `--until`.
    pub until: Option<String>,
    /// `--for`, in seconds.
    pub for_s: Option<u64>,
    /// `--warn`, in seconds.
    pub warn_s: Option<u64>,
}

impl Hold {
    /// Where the hold is at `now`.
    pub fn state(&self, now: Timestamp) -> State {
        match self.activated_at {
            None => State::Announced,
            Some(_) if self.ends_at.is_some_and(|end| now >= end) => State::Overdue,
            Some(_) => State::Active,
        }
    }

    /// Whether its start has come and the page is not up for it yet.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.activated_at.is_none() && now >= self.starts_at
    }

    /// Whether it asked to be released at its end, and that has come.
    pub fn is_spent(&self, now: Timestamp) -> bool {
        self.auto_off && self.ends_at.is_some_and(|end| now >= end)
    }

    /// The zone its times are shown in.
    pub fn zone(&self) -> TimeZone {
        self.tz
            .as_deref()
            .and_then(|name| when::zone(Some(name)).ok())
            .unwrap_or(TimeZone::UTC)
    }
}

/// Whether `id` can be a file's name and a word in a report: letters, digits, `.`, `_`, `@`,
/// `-`, not beginning with a dot or dash, at most 64 bytes.
pub fn valid_id(id: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@');
    !id.is_empty() && id.len() <= 64 && !id.starts_with(['.', '-']) && id.bytes().all(plain)
}

/// A time in these files is RFC 3339 in UTC, to the second or finer.
mod instant {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(instant: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(instant)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod maybe_instant {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(instant: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        instant.map(|instant| instant.to_string()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        match Option::<String>::deserialize(from)? {
            Some(text) => text.parse().map(Some).map_err(D::Error::custom),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used, missing_docs)]
    use super::*;

    /// A hold that began at 22:00 and ends at 22:30.
    pub fn hold(id: &str) -> Hold {
        let start: Timestamp = "2026-11-21T22:00:00Z".parse().unwrap();
        Hold {
            schema: SCHEMA,
            id: id.to_owned(),
            token: "0123456789abcdef".to_owned(),
            message: "Back soon.".to_owned(),
            title: "Down for maintenance".to_owned(),
            lang: "en".to_owned(),
            more_langs: Vec::new(),
            tz: Some("UTC".to_owned()),
            created_by: "root".to_owned(),
            seat: None,
            run: None,
            created_at: start,
            asked: Asked::default(),
            starts_at: start,
            ends_at: Some("2026-11-21T22:30:00Z".parse().unwrap()),
            warn_from: start,
            activated_at: None,
            auto_off: false,
            template: None,
            overdue_since: None,
        }
    }

    #[test]
    fn a_hold_goes_from_announced_to_active_to_overdue() {
        let mut hold = hold("a");
        let before = "2026-11-21T21:59:59Z".parse().unwrap();
        let during = "2026-11-21T22:10:00Z".parse().unwrap();
        let after = "2026-11-21T22:30:00Z".parse().unwrap();
        assert_eq!(hold.state(before), State::Announced);
        assert!(!hold.is_due(before) && hold.is_due(during));
        hold.activated_at = Some(during);
        assert_eq!(hold.state(during), State::Active);
        assert_eq!(hold.state(after), State::Overdue);
        assert_eq!(
            hold.state(before),
            State::Active,
            "a clock put back does not take it down"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let hold = hold("a");
        let text = serde_json::to_string(&hold).unwrap();
        assert_eq!(serde_json::from_str::<Hold>(&text).unwrap(), hold);
    }

    #[test]
    fn ids_are_file_names_and_nothing_more() {
        for good in ["a", "deploy-12", "alice@host", "v1.2_x"] {
            assert!(valid_id(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            ".x",
            "-x",
            "a/b",
            "a b",
            "é",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(!valid_id(bad), "{bad:?}");
        }
    }
}
