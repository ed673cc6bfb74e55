//! A time zone as cron sees it: stretches of time with one offset each.
//!
//! The daemon knows only "the offset now"; everything it does at a change of time follows from the
//! jump between two stretches. The database is the system's, read by jiff.

use base::error::{Error, Result};
use jiff::{Timestamp, tz::TimeZone};
use std::path::Path;

/// Where the database is on every Linux.
const DATABASE: &str = "/usr/share/zoneinfo";

/// A zone.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
}

/// Time between two changes of offset, in seconds since 1970, end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First second.
    pub start: i64,
    /// First second after; `i64::MAX` if nothing changes any more.
    pub end: i64,
    /// Seconds east of UTC.
    pub offset: i32,
}

impl Stretch {
    /// The local minute of a second.
    pub fn minute_of(&self, second: i64) -> i64 {
        (second + i64::from(self.offset)).div_euclid(60)
    }

    /// The second at which a local minute begins.
    pub fn second_of(&self, minute: i64) -> i64 {
        minute * 60 - i64::from(self.offset)
    }
}

impl Zone {
    /// The zone of that name in the database.
    ///
    /// # Errors
    /// A usage error if there is none.
    pub fn named(name: &str) -> Result<Zone> {
        let plain = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
        };
        let known = name
            .split('/')
            .all(plain)
            .then(|| read(name, &Path::new(DATABASE).join(name)))
            .flatten();
        known.or_else(|| (name == "UTC").then(Zone::utc)).ok_or_else(|| {
            Error::usage(format!("{}: no such time zone", base::terminal::escape(name)))
                .hint("use a name from the tz database (package tzdata), such as Europe/Warsaw or UTC")
        })
    }

    /// The machine's own, whatever TZ says here: the daemon does not see that.
    pub fn system() -> Zone {
        let local = Path::new("/etc/localtime");
        let link = std::fs::canonicalize(local).ok();
        let name = link
            .as_deref()
            .and_then(|l| l.strip_prefix(DATABASE).ok())
            .and_then(Path::to_str);
        read(name.unwrap_or("local time"), local).unwrap_or_else(Zone::utc)
    }

    fn utc() -> Zone {
        Zone {
            zone: TimeZone::UTC,
        }
    }

    /// Its name, if it has one.
    pub fn name(&self) -> &str {
        self.zone.iana_name().unwrap_or("local time")
    }

    /// The moment that `text` means, given for `--option`: with an offset, or local here.
    ///
    /// # Errors
    /// A usage error.
    pub fn moment(&self, text: &str, option: &str) -> Result<i64> {
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(moment.as_second());
        }
        let local = text
            .parse::<jiff::civil::DateTime>()
            .or_else(|_| text.parse::<jiff::civil::Date>().map(|d| d.at(0, 0, 0, 0)));
        let zoned = local.ok().and_then(|l| l.to_zoned(self.zone.clone()).ok());
        zoned.map(|z| z.timestamp().as_second()).ok_or_else(|| {
            Error::usage(format!("--{option} {text}: not a time"))
                .hint("2026-03-29T02:30:00+01:00, 2026-03-29 02:30 or 2026-03-29")
        })
    }

    /// The stretch that holds `second`.
    pub fn stretch(&self, second: i64) -> Stretch {
        let Ok(now) = Timestamp::from_second(second) else {
            return Stretch {
                start: i64::MIN / 2,
                end: i64::MAX,
                offset: 0,
            };
        };
        let offset = self.zone.to_offset(now).seconds();
        // A transition may change the name or the flag only; those are no change to cron.
        let changed = |t: &jiff::tz::TimeZoneTransition<'_>| t.offset().seconds() != offset;
        let end = self
            .zone
            .following(now)
            .find(changed)
            .map_or(i64::MAX, |t| t.timestamp().as_second());
        let mut start = i64::MIN / 2;
        let after = now
            .checked_add(jiff::SignedDuration::from_secs(1))
            .unwrap_or(now);
        let mut earlier = self.zone.preceding(after).peekable();
        while let Some(transition) = earlier.next() {
            let before = earlier.peek().map(|t| t.offset().seconds());
            if before != Some(offset) {
                start = transition.timestamp().as_second();
                break;
            }
        }
        Stretch { start, end, offset }
    }

    /// Whether both show the same time for the years from `second` on (`UTC` and `Etc/UTC` do).
    pub fn agrees(&self, other: &Zone, second: i64) -> bool {
        let (mut ours, mut theirs) = (self.stretch(second), other.stretch(second));
        for _ in 0..8 {
            if (ours.end, ours.offset) != (theirs.end, theirs.offset) {
                return false;
            }
            match (self.after(&ours), other.after(&theirs)) {
                (Some(a), Some(b)) => (ours, theirs) = (a, b),
                (a, b) => return a.is_none() && b.is_none(),
            }
        }
        true
    }

    /// The stretch after this one.
    pub fn after(&self, stretch: &Stretch) -> Option<Stretch> {
        if stretch.end == i64::MAX {
            return None;
        }
        let now = Timestamp::from_second(stretch.end).ok()?;
        let offset = self.zone.to_offset(now).seconds();
        let end = self
            .zone
            .following(now)
            .find(|t| t.offset().seconds() != offset)
            .map_or(i64::MAX, |t| t.timestamp().as_second());
        Some(Stretch {
            start: stretch.end,
            end,
            offset,
        })
    }
}

fn read(name: &str, path: &Path) -> Option<Zone> {
    let bytes = std::fs::read(path).ok()?;
    TimeZone::tzif(name, &bytes).ok().map(|zone| Zone { zone })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn stretches_join() {
        for name in [
            "America/New_York",
            "Africa/Cairo",
            "Australia/Lord_Howe",
            "UTC",
            "Europe/London",
        ] {
            let zone = Zone::named(name).unwrap();
            let mut stretch = zone.stretch(1_700_000_000);
            assert!(stretch.start <= 1_700_000_000 && 1_700_000_000 < stretch.end);
            for _ in 0..6 {
                let Some(next) = zone.after(&stretch) else {
                    break;
                };
                assert_eq!(next.start, stretch.end);
                assert_ne!(next.offset, stretch.offset, "{name}");
                assert_eq!(zone.stretch(next.start), next, "{name}");
                stretch = next;
            }
        }
    }
}
