//! Times as an operator types them, and what they mean.
//!
//! Three spellings: a full RFC 3339 time, `HH:MM` (the next time the clock shows that, in the
//! operator's zone) and `+15m`. Nothing else: a date in the site's own habit would be read one
//! way here and another way there. Clock times go through the time-zone database, so a night
//! in which the clock is put back or forward gives the instant people's clocks show.

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use std::time::Duration;

/// A time as typed, before anybody asked what it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// One instant, said in full.
    At(Timestamp),
    /// A date and time on clocks in the operator's zone.
    Local(DateTime),
    /// The next time the clock shows this.
    Clock(Time),
    /// So long from the reference time.
    In(Duration),
}

/// Reads one of the three spellings; the error says what was expected.
pub fn parse(text: &str) -> Result<When, String> {
    if let Some(rest) = text.strip_prefix('+') {
        return base::cli::parse_duration(rest)
            .map(When::In)
            .map_err(|why| why.message);
    }
    let clock = text
        .split_once(':')
        .and_then(|(hours, minutes)| clock_part(hours).zip(clock_part(minutes)));
    if let Some((hour, minute)) = clock {
        return Time::new(hour, minute, 0, 0)
            .map(When::Clock)
            .map_err(|_| "no such time of day: hours go to 23, minutes to 59".to_owned());
    }
    let wrong = |_| {
        "expected 2026-11-21T22:00:00+01:00 (RFC 3339), 2026-11-21T22:00 (on clocks in --tz), 22:00 (the next one) or +15m"
            .to_owned()
    };
    text.parse::<Timestamp>()
        .map(When::At)
        .or_else(|_| local(text).map(When::Local))
        .map_err(wrong)
}

/// `2026-11-21T22:00`, with a blank for the T, with or without seconds.
fn local(text: &str) -> Result<DateTime, jiff::Error> {
    let text = text.trim();
    DateTime::strptime("%Y-%m-%dT%H:%M", text)
        .or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M", text))
        .or_else(|_| DateTime::strptime("%Y-%m-%dT%H:%M:%S", text))
        .or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M:%S", text))
}

fn clock_part(digits: &str) -> Option<i8> {
    let plain = matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// The instant meant, seen from `reference`, in `zone`.
pub fn resolve(when: &When, reference: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    match when {
        When::At(instant) => Ok(*instant),
        When::Local(time) => zone
            .to_ambiguous_zoned(*time)
            .compatible()
            .map(|shown| shown.timestamp())
            .map_err(|_| "that is beyond the calendar".to_owned()),
        When::In(duration) => plus(reference, *duration),
        When::Clock(time) => next_clock(*time, reference, zone),
    }
}

/// `reference` and `duration` later; refuses what lies beyond the calendar.
pub fn plus(reference: Timestamp, duration: Duration) -> Result<Timestamp, String> {
    let signed = SignedDuration::try_from(duration).map_err(|why| why.to_string())?;
    reference
        .checked_add(signed)
        .map_err(|_| "that is beyond the calendar".to_owned())
}

/// `reference` and `duration` earlier.
pub fn minus(reference: Timestamp, duration: Duration) -> Result<Timestamp, String> {
    let signed = SignedDuration::try_from(duration).map_err(|why| why.to_string())?;
    reference
        .checked_sub(signed)
        .map_err(|_| "that is before the calendar".to_owned())
}

/// The first instant after `reference` at which clocks in `zone` show `time`.
///
/// A time shown twice (clocks go back) is met at whichever showing comes next; a time that is
/// skipped (clocks go forward) is taken as far after the gap as it lies inside it, which is
/// what `date -d` and cron do.
fn next_clock(time: Time, reference: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let today = reference.to_zoned(zone.clone()).date();
    for days in 0..=2 {
        let date = today
            .checked_add(days.days())
            .map_err(|_| "that is beyond the calendar".to_owned())?;
        let shown = zone.to_ambiguous_zoned(date.to_datetime(time));
        let both = matches!(shown.offset(), AmbiguousOffset::Fold { .. });
        let showings = if both {
            vec![shown.clone().earlier(), shown.later()]
        } else {
            vec![shown.compatible()]
        };
        for showing in showings.into_iter().flatten() {
            if showing.timestamp() > reference {
                return Ok(showing.timestamp());
            }
        }
    }
    Err("no such time in the next two days".to_owned())
}

/// The zone to read and show clock times in: the one named, or the system's.
pub fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        Some(name) => {
            TimeZone::get(name).map_err(|_| format!("{name}: no such time zone on this system"))
        }
        None => Ok(TimeZone::system()),
    }
}

/// RFC 3339 with the offset of `zone`, to the second; `Z` where that is none. The same instant
/// in the same zone is the same text, however the zone was found.
pub fn rfc3339(instant: Timestamp, zone: &TimeZone) -> String {
    let shown = instant.to_zoned(zone.clone());
    let format = if shown.offset().is_zero() {
        "%Y-%m-%dT%H:%M:%SZ"
    } else {
        "%Y-%m-%dT%H:%M:%S%:z"
    };
    shown.strftime(format).to_string()
}

/// For people: `Saturday 21 November 2026, 22:00 CET`.
pub fn for_people(instant: Timestamp, zone: &TimeZone) -> String {
    let shown: Zoned = instant.to_zoned(zone.clone());
    shown.strftime("%A %-d %B %Y, %H:%M %Z").to_string()
}

/// In every language: `2026-11-21, 22:00 CET`.
pub fn in_digits(instant: Timestamp, zone: &TimeZone) -> String {
    let shown: Zoned = instant.to_zoned(zone.clone());
    shown.strftime("%Y-%m-%d, %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(clock: &str, from: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let instant = resolve(&parse(clock).unwrap(), at(from), &zone).unwrap();
        rfc3339(instant, &zone)
    }

    #[test]
    fn the_three_spellings_and_no_others() {
        assert_eq!(parse("+15m"), Ok(When::In(Duration::from_secs(900))));
        assert_eq!(parse("22:05"), Ok(When::Clock(Time::constant(22, 5, 0, 0))));
        assert_eq!(
            parse("2026-11-21T22:00:00+01:00"),
            Ok(When::At(at("2026-11-21T21:00:00Z")))
        );
        for wrong in [
            "",
            "24:00",
            "7",
            "22:5:1",
            "tomorrow",
            "+",
            "+x",
            "2026-11-21",
            "1 2:00",
            "-5m",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn a_clock_time_is_the_next_one() {
        assert_eq!(
            next("22:00", "2026-11-21T20:00:00Z", "Europe/Berlin"),
            "2026-11-21T22:00:00+01:00"
        );
        assert_eq!(
            next("20:00", "2026-11-21T20:00:00Z", "Europe/Berlin"),
            "2026-11-22T20:00:00+01:00"
        );
    }

    #[test]
    fn when_clocks_go_back_both_showings_count() {
        // 25 October 2026: 03:00 CEST becomes 02:00 CET.
        let zone = "Europe/Berlin";
        assert_eq!(
            next("02:30", "2026-10-24T23:00:00Z", zone),
            "2026-10-25T02:30:00+02:00"
        );
        assert_eq!(
            next("02:30", "2026-10-25T00:45:00Z", zone),
            "2026-10-25T02:30:00+01:00"
        );
        assert_eq!(
            next("02:30", "2026-10-25T01:45:00Z", zone),
            "2026-10-26T02:30:00+01:00"
        );
    }

    #[test]
    fn when_clocks_go_forward_a_skipped_time_is_met_after_the_gap() {
        // 29 March 2026: 02:00 CET becomes 03:00 CEST.
        assert_eq!(
            next("02:30", "2026-03-28T23:00:00Z", "Europe/Berlin"),
            "2026-03-29T03:30:00+02:00"
        );
    }
}
