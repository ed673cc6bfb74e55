//! The tool's own part of the report.

use crate::hold::{Hold, State};
use crate::when;
use base::Fix;
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
    /// Whether the flag or the file that makes the web server show the page is in place, and was
    /// put there by this tool.
    pub up: bool,
    /// Who put up what stands in the flag's place.
    pub flag: FlagShown,
    /// The maintenance directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// The same exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir_b64: Option<String>,
    /// The page's file, in single-file mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The same exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_b64: Option<String>,
    /// When the maintenance begins or began (RFC 3339).
    pub starts_at: Option<String>,
    /// When the maintenance is expected to end (RFC 3339).
    pub ends_at: Option<String>,
    /// The value of Retry-After in seconds; null when the page is not up.
    pub retry_after: Option<u64>,
    /// The holds.
    pub holds: Vec<HoldShown>,
    /// The changes of files, in order; in a dry run the changes that a real run would make.
    pub items: Vec<Item>,
    /// The answers over HTTP, for each URL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Verified>,
    /// The bypass keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<KeyShown>>,
    /// What COMMAND did; null where no COMMAND ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ran: Option<Ran>,
}

/// What stands in the flag's place, or the one file's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagShown {
    /// The flag does not exist.
    #[default]
    Absent,
    /// This tool.
    Ours,
    /// Somebody else: the tool never touches it.
    Foreign,
}

/// One hold, as it is shown.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HoldShown {
    /// The id of the hold.
    pub id: String,
    /// The state of the hold.
    pub state: State,
    /// The message to visitors.
    pub message: String,
    /// The person who made the hold.
    pub created_by: String,
    /// When the hold begins (RFC 3339).
    pub starts_at: String,
    /// The announced end (RFC 3339); null where the hold has no end.
    pub ends_at: Option<String>,
    /// When the page went up for the hold (RFC 3339).
    pub activated_at: Option<String>,
    /// Whether the hold ends by itself at its end.
    pub auto_off: bool,
    /// The mark in the page that shows over HTTP that visitors get the page of this hold.
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

/// One change of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Item {
    /// `flag`, `page`, `hold`, …
    pub what: String,
    /// `write`, `remove`, `make` or `rename_aside`.
    pub action: String,
    /// The path.
    pub path: String,
    /// The same exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// Whether the change was made.
    pub did: Did,
}

/// The result of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Did {
    /// The change was made.
    Done,
    /// Dry run: a real run would make the change.
    Planned,
    /// The change failed.
    Failed,
}

/// What one URL answered.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Verified {
    /// The URL.
    pub url: String,
    /// Whether the answer is the expected one.
    pub ok: bool,
    /// The cause as one word, for programs; null where the answer is the expected one.
    pub cause: Option<String>,
    /// The cause in a sentence.
    pub why: Option<String>,
    /// What closes the gap, where the files on this machine tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The HTTP status of the last answer; null for no answer.
    pub status: Option<u16>,
    /// The HTTP method of the last request.
    pub method: Option<String>,
    /// The number of requests.
    pub requests: u64,
    /// The time until the expected answer, or until the tool gave up, in milliseconds.
    pub took_ms: u64,
}

/// A bypass key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyShown {
    /// The first eight digits of the key.
    pub key: String,
    /// RFC 3339.
    pub expires_at: String,
    /// The person who made the key.
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
    /// The exit status of COMMAND; null where a signal ended COMMAND.
    pub exit: Option<i32>,
    /// The number of the signal that ended COMMAND; null after an exit.
    pub signal: Option<i32>,
    /// The duration of COMMAND in milliseconds.
    pub ms: u64,
    /// How COMMAND ended.
    pub ending: String,
    /// Its exit code, 128+N for signal N.
    pub code: u8,
    /// The signal that was passed on to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// The last 4 KiB of COMMAND's output, where COMMAND failed.
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
                .map_or("no end given".to_owned(), |end| format!("until {end}"));
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
            if let Some(fix) = &verified.fix {
                fix.text(out);
            }
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
