//! `maintenance.json`: what the site's own code reads to warn its users.
//!
//! `timestamp` (Unix seconds) and `message` are the two keys that CoralNet's application has
//! always read from its own file, so its notice works unmodified; the rest is for those who
//! want more. The file is there from `warn_from` on and gone when nothing is planned: an
//! application that only asks whether the file exists is answered rightly too.

use crate::hold::{SCHEMA, State};
use crate::plain;
use crate::standing::Standing;
use crate::when;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Notice {
    /// Version of this form.
    pub schema: u32,
    /// The hold that it speaks for.
    pub id: String,
    /// `announced`, `active` or `overdue`.
    pub state: String,
    /// Plain text.
    pub message: String,
    /// The same, escaped, with `<br>` for line ends.
    pub message_html: String,
    /// `starts_at` as Unix seconds.
    pub timestamp: i64,
    /// RFC 3339.
    pub starts_at: String,
    /// RFC 3339; null where no end was said.
    pub ends_at: Option<String>,
    /// RFC 3339.
    pub warn_from: String,
    /// Seconds.
    pub retry_after: u64,
    /// RFC 3339; when this file last said something new.
    pub updated_at: String,
}

/// What the file should say at `now`; none when it should not be there.
pub fn notice(standing: &Standing, now: Timestamp) -> Option<Notice> {
    let hold = standing.speaker?;
    if standing.state == State::Announced && now < hold.warn_from {
        return None;
    }
    let zone = hold.zone();
    Some(Notice {
        schema: SCHEMA,
        id: hold.id.clone(),
        state: standing.state.word().to_owned(),
        message: hold.message.clone(),
        message_html: plain::html_lines(&hold.message),
        timestamp: hold.starts_at.as_second(),
        starts_at: when::rfc3339(hold.starts_at, &zone),
        ends_at: hold.ends_at.map(|end| when::rfc3339(end, &zone)),
        warn_from: when::rfc3339(hold.warn_from, &zone),
        retry_after: standing.retry_after,
        updated_at: when::rfc3339(now, &zone),
    })
}

/// Whether the two say the same, whenever they were written.
pub fn same(one: &Notice, other: &Notice) -> bool {
    let mut other = other.clone();
    other.updated_at.clone_from(&one.updated_at);
    *one == other
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hold::tests::hold;
    use crate::standing::standing;

    #[test]
    fn it_has_the_two_keys_coralnet_reads_and_appears_when_users_are_to_be_warned() {
        let mut hold = hold("a");
        hold.message = "Back <soon>\nor later".into();
        hold.warn_from = "2026-11-21T21:30:00Z".parse().unwrap();
        let holds = [hold];
        let early = "2026-11-21T21:00:00Z".parse().unwrap();
        assert_eq!(notice(&standing(&holds, early), early), None);
        let now = "2026-11-21T21:30:00Z".parse().unwrap();
        let notice = notice(&standing(&holds, now), now).unwrap();
        assert_eq!(notice.timestamp, 1_795_298_400);
        assert_eq!(notice.message, "Back <soon>\nor later");
        assert_eq!(notice.message_html, "Back &lt;soon&gt;<br>or later");
        assert_eq!(
            (notice.state.as_str(), notice.starts_at.as_str()),
            ("announced", "2026-11-21T22:00:00Z")
        );
    }
}
