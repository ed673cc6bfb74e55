//! The tool's own part of the report.

use crate::hold::{Hold, State};
use crate::when;
use base::report::{Body, Mark, Text};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// What maint-page reports.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Maintenance {
    /// `on`, `off`, `status`, …
    pub command: String,
    /// The state of all holds together.
    pub state: State,
    /// Whether the web server is told to show the page: flag or file are in place, and ours.
    pub up: bool,
    /// What stands in the flag's place.
    pub flag: FlagShown,
    /// The layout's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// The same exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir_b64: Option<String>,
    /// The one file, in single-file mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The same exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_b64: Option<String>,
    /// When it begins or began (RFC 3339).
    pub starts_at: Option<String>,
    /// When it is expected to be over.
    pub ends_at: Option<String>,
    /// What Retry-After says, in seconds; null when the page is not up.
    pub retry_after: Option<u64>,
    /// Every hold.
    pub holds: Vec<HoldShown>,
    /// What was done to the files, in order; in a dry run what would be.
    pub items: Vec<Item>,
    /// What was found over HTTP, for each URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Verified>,
    /// The bypass keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<KeyShown>>,
    /// What became of COMMAND.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<Ran>,
}

/// What stands in the flag's place, or the one file's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagShown {
    /// Nothing.
    #[default]
    Absent,
    /// This tool's own.
    Ours,
    /// Somebody else's: never touched.
    Foreign,
}

/// One hold, as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HoldShown {
    /// Whose it is.
    pub id: String,
    /// Where it is in its life.
    pub state: State,
    /// What visitors are told.
    pub message: String,
    /// Who asked.
    pub created_by: String,
    /// RFC 3339.
    pub starts_at: String,
    /// RFC 3339; null where no end was said.
    pub ends_at: Option<String>,
    /// RFC 3339; when the page went up for it.
    pub activated_at: Option<String>,
    /// Whether the clock may release it.
    pub auto_off: bool,
    /// What the page carries for it.
    pub token: String,
}

impl HoldShown {
    /// As it is at `now`.
    pub fn new(hold: &Hold, now: Timestamp) -> HoldShown {
        let zone = hold.zone();
        HoldShown {
            id: hold.id.clone(),
            state: hold.state(now),
            message: hold.message.clone(),
            created_by: hold.created_by.clone(),
            starts_at: when::rfc3339(hold.starts_at, &zone),
            ends_at: hold.ends_at.map(|end| when::rfc3339(end, &zone)),
            activated_at: hold.activated_at.map(|at| when::rfc3339(at, &zone)),
            auto_off: hold.auto_off,
            token: hold.token.clone(),
        }
    }
}

/// One thing done to the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Item {
    /// `flag`, `page`, `hold`, …
    pub what: String,
    /// `write`, `remove`, `make` or `rename_aside`.
    pub action: String,
    /// Where.
    pub path: String,
    /// The same exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// Whether it was.
    pub did: Did,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// It was done.
    Done,
    /// It would be.
    Planned,
    /// It was tried, and did not work.
    Failed,
}

/// What one URL answered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Verified {
    /// The URL.
    pub url: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// A word for the cause, where it is not.
    pub cause: Option<String>,
    /// The cause in a sentence.
    pub why: Option<String>,
    /// The status last answered; null for no answer.
    pub status: Option<u16>,
    /// The method that was answered so.
    pub method: Option<String>,
    /// How many requests were made.
    pub requests: u64,
    /// How long it took until the answer was as it should be, or was given up.
    pub took_ms: u64,
}

/// A bypass key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyShown {
    /// Its first eight digits.
    pub key: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Who made it.
    pub created_by: String,
    /// The path that sets it as a cookie; only for a key just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The cookie; only for a key just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
}

/// What became of COMMAND.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Ran {
    /// The program and its arguments, without secrets.
    pub argv: Vec<String>,
    /// Its exit status; null when a signal ended it.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How long it ran, in milliseconds.
    pub ms: u64,
    /// How it ended.
    pub ending: String,
    /// Its exit code, 128+N for signal N.
    pub code: u8,
    /// The signal that was passed on to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// Its last words, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

impl Body for Maintenance {
    fn text(&self, out: &mut Text) {
        for hold in &self.holds {
            let mark = match hold.state {
                State::Active => Mark::Good,
                State::Overdue => Mark::Bad,
                _ => Mark::Plain,
            };
            let until = hold
                .ends_at
                .as_deref()
                .map_or("no end said".to_owned(), |end| format!("until {end}"));
            out.row(
                mark,
                &[
                    hold.id.as_str(),
                    hold.state.word(),
                    &format!("from {}", hold.starts_at),
                    &until,
                    &hold.message,
                ],
            );
        }
        self.items_text(out);
        if !self.verified.is_empty() {
            out.heading("Over HTTP");
        }
        for verified in &self.verified {
            let mark = if verified.ok { Mark::Good } else { Mark::Bad };
            let status = verified
                .status
                .map_or("no answer".to_owned(), |status| status.to_string());
            let why = verified.why.as_deref().unwrap_or("");
            out.row(
                mark,
                &[
                    verified.url.as_str(),
                    status.as_str(),
                    format!("{} requests, {} ms", verified.requests, verified.took_ms).as_str(),
                    why,
                ],
            );
        }
        let keys = self.keys.as_deref().unwrap_or_default();
        if !keys.is_empty() {
            out.heading("Bypass keys");
        }
        for key in keys {
            out.row(
                Mark::Plain,
                &[
                    key.key.as_str(),
                    &format!("until {}", key.expires_at),
                    &key.created_by,
                    key.path.as_deref().unwrap_or(""),
                ],
            );
        }
    }
}

impl Maintenance {
    /// What was done is for those who ask for more; what would be done or failed is for all.
    fn items_text(&self, out: &mut Text) {
        let shown: Vec<(Mark, &Item)> = self
            .items
            .iter()
            .filter_map(|item| match item.did {
                Did::Done => out.verbose().then_some((Mark::Changed, item)),
                Did::Planned => Some((Mark::Changed, item)),
                Did::Failed => Some((Mark::Bad, item)),
            })
            .collect();
        if !shown.is_empty() && !self.holds.is_empty() {
            out.heading("Files");
        }
        for (mark, item) in shown {
            out.row(mark, &[&item.action, &item.path]);
        }
    }
}
