//! Times in the form that reports have.

use std::time::{Duration, Instant, SystemTime};

/// `time` as RFC 3339 in UTC, to the second: `2026-11-20T23:05:34Z`.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Whole milliseconds, saturating.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A moment after which nothing more is waited for. No deadline at all is a deadline that never
/// comes.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Never.
    pub const NEVER: Deadline = Deadline(None);

    /// `after` from now; `None` is never. A time too far to be counted is never, too.
    pub fn after(after: Option<Duration>) -> Deadline {
        Deadline(after.and_then(|d| Instant::now().checked_add(d)))
    }

    /// What is left; `None` where there is no deadline. Zero once it has passed.
    pub fn left(self) -> Option<Duration> {
        self.0
            .map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// The earlier of this one and `after` from now.
    #[must_use]
    pub fn or_after(self, after: Duration) -> Deadline {
        match (self.0, Deadline::after(Some(after)).0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (a, b) => Deadline(a.or(b)),
        }
    }

    /// The time left, at most `most`: for one step of a loop of waits.
    pub fn slice(self, most: Duration) -> Duration {
        self.left().map_or(most, |left| left.min(most))
    }
}
