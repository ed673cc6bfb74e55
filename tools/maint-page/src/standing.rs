//! What the site says for all holds together.
//!
//! One page can tell visitors one thing. It speaks for the hold that lasts longest: one
//! without an end before one with, then the later end, then the earlier start. Anything else
//! would promise visitors an end at which the site is still down.

use crate::hold::{Hold, State};
use jiff::Timestamp;
use std::cmp::Reverse;

/// The seconds a `Retry-After` may say. Each is a file beside the flag, because a header
/// that changes must not need a reload of the server.
pub const BUCKETS: [u64; 9] = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/// What is said where nothing better is known: no end, or an end that has passed.
pub const RETRY_DEFAULT: u64 = 120;

/// The holds, seen together at one instant.
#[derive(Debug, Clone)]
pub struct Standing<'a> {
    /// The state the site is in.
    pub state: State,
    /// The hold that the page speaks for; none when off.
    pub speaker: Option<&'a Hold>,
    /// The tokens of every hold in that state, oldest first.
    pub tokens: Vec<&'a str>,
    /// Seconds after which a client may ask again; one of [`BUCKETS`].
    pub retry_after: u64,
}

/// Judges all holds at `now`.
pub fn standing(holds: &[Hold], now: Timestamp) -> Standing<'_> {
    let up: Vec<&Hold> = holds
        .iter()
        .filter(|hold| hold.state(now).is_up())
        .collect();
    let (group, announced) = if up.is_empty() {
        (holds.iter().collect(), true)
    } else {
        (up, false)
    };
    let speaker = if announced {
        // Of what is only announced, the one that comes first is news.
        group
            .iter()
            .min_by_key(|hold| (hold.starts_at, &hold.id))
            .copied()
    } else {
        group.iter().max_by_key(|hold| lasts(hold)).copied()
    };
    let mut ordered: Vec<&Hold> = group;
    ordered.sort_by_key(|hold| (hold.created_at, hold.id.clone()));
    Standing {
        state: speaker.map_or(State::Off, |hold| hold.state(now)),
        speaker,
        tokens: ordered.iter().map(|hold| hold.token.as_str()).collect(),
        retry_after: retry_after(speaker, now),
    }
}

/// The order of "lasts longest": no end is the latest end.
fn lasts(hold: &Hold) -> (bool, Option<Timestamp>, Reverse<Timestamp>, Reverse<&str>) {
    (
        hold.ends_at.is_none(),
        hold.ends_at,
        Reverse(hold.starts_at),
        Reverse(&hold.id),
    )
}

/// The largest bucket that is over by the announced end.
fn retry_after(speaker: Option<&Hold>, now: Timestamp) -> u64 {
    let Some(end) = speaker.and_then(|hold| hold.ends_at) else {
        return RETRY_DEFAULT;
    };
    let left = end.duration_since(now).as_secs();
    if left <= 0 {
        return RETRY_DEFAULT;
    }
    let left = left.unsigned_abs();
    BUCKETS
        .into_iter()
        .rev()
        .find(|&bucket| bucket <= left)
        .unwrap_or(BUCKETS[0])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hold::tests::hold;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn active(id: &str, ends: Option<&str>) -> Hold {
        let mut hold = hold(id);
        hold.activated_at = Some(hold.starts_at);
        hold.ends_at = ends.map(at);
        hold
    }

    #[test]
    fn no_holds_is_off() {
        let now = at("2026-11-21T22:10:00Z");
        let none = standing(&[], now);
        assert_eq!(
            (none.state, none.speaker, none.tokens.len()),
            (State::Off, None, 0)
        );
    }

    #[test]
    fn the_page_speaks_for_the_hold_that_lasts_longest() {
        let now = at("2026-11-21T22:10:00Z");
        let short = active("a", Some("2026-11-21T22:15:00Z"));
        let long = active("b", Some("2026-11-21T23:00:00Z"));
        let open = active("c", None);
        let holds = [short.clone(), long.clone()];
        assert_eq!(standing(&holds, now).speaker.unwrap().id, "b");
        let holds = [short, long, open];
        let all = standing(&holds, now);
        assert_eq!(all.speaker.unwrap().id, "c");
        assert_eq!(all.tokens.len(), 3);
    }

    #[test]
    fn an_overdue_hold_beside_a_running_one_is_not_overdue_for_visitors() {
        let now = at("2026-11-21T22:40:00Z");
        let holds = [
            active("a", Some("2026-11-21T22:30:00Z")),
            active("b", Some("2026-11-21T23:00:00Z")),
        ];
        assert_eq!(standing(&holds, now).state, State::Active);
        assert_eq!(standing(&holds[..1], now).state, State::Overdue);
    }

    #[test]
    fn what_is_announced_is_silent_while_something_is_active() {
        let now = at("2026-11-21T22:10:00Z");
        let holds = [hold("soon"), active("now", None)];
        let both = standing(&holds, now);
        assert_eq!((both.state, both.tokens.len()), (State::Active, 1));
        assert_eq!(standing(&holds[..1], now).state, State::Announced);
    }

    #[test]
    fn retry_after_never_reaches_beyond_the_end() {
        let hold = active("a", Some("2026-11-21T22:30:00Z"));
        let holds = [hold];
        for (now, seconds) in [
            ("2026-11-21T21:00:00Z", 3600),
            ("2026-11-21T22:00:00Z", 1800),
            ("2026-11-21T22:29:00Z", 60),
            ("2026-11-21T22:29:55Z", 10),
            ("2026-11-21T22:45:00Z", RETRY_DEFAULT),
        ] {
            assert_eq!(standing(&holds, at(now)).retry_after, seconds, "{now}");
        }
    }
}
