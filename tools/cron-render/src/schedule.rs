//! When a job runs, as five sets and the daemon's flags.
//!
//! The flags are what the first byte of a field was, not what the field amounts to: `*/2` sets them
//! and `0-59` does not. That is how cron decides whether day of month and day of week are both
//! needed or either is enough, and whether a job follows the clock through a change of time.

use std::ops::Range;

use serde::Serialize;

use crate::field::{self, CronField, Cursor, Field, FieldError, Note, Reading};

/// How the daemon treats a job when the clock changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    /// Neither minute nor hour begins with `*`: not lost in a gap, not repeated in an overlap.
    Fixed,
    /// Minute or hour begins with `*`: follows the clock.
    Wildcard,
    /// `@reboot`.
    Reboot,
}

/// Five sets and the flags. Bit n of a set is value n; Sunday is bit 0 alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Minutes, 0 to 59.
    pub minute: u64,
    /// Hours, 0 to 23.
    pub hour: u64,
    /// Days of the month, 1 to 31.
    pub day: u64,
    /// Months, 1 to 12.
    pub month: u64,
    /// Days of the week, 0 to 6.
    pub weekday: u64,
    /// The minute field begins with `*`.
    pub minute_star: bool,
    /// The hour field begins with `*`, or `@hourly`.
    pub hour_star: bool,
    /// The day-of-month field begins with `*`.
    pub day_star: bool,
    /// The day-of-week field begins with `*`.
    pub weekday_star: bool,
    /// `@reboot`.
    pub reboot: bool,
}

/// Every day of the week.
pub const WEEK: u64 = 0x7f;

/// The `@` words.
pub const NICKNAMES: [&str; 8] = [
    "reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly",
];

/// Why a schedule could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScheduleError {
    /// A field.
    Field(FieldError),
    /// `@fortnightly`: not a word cron knows.
    Nickname(Range<usize>),
    /// Text after a schedule that is not followed by a command.
    Rest(Range<usize>),
}

/// A schedule as it stands in a line.
#[derive(Clone, Debug)]
pub struct Written {
    /// What it means.
    pub schedule: Schedule,
    /// The five fields, or nothing for an `@` word.
    pub fields: Option<[CronField; 5]>,
    /// What was accepted but is doubtful.
    pub notes: Vec<Note>,
    /// All of it, without the blanks after.
    pub span: Range<usize>,
    /// Where what follows begins.
    pub rest: usize,
}

impl Written {
    /// The five fields; none for an `@` word.
    pub fn fields(&self) -> &[CronField] {
        self.fields.as_ref().map_or(&[], |fields| fields)
    }

    /// Whether cronie picks a value of it when it loads the file.
    pub fn is_random(&self) -> bool {
        self.fields().iter().any(|field| !field.random.is_empty())
    }

    /// The schedule with `pick` of each random range, in place of the lowest value.
    pub fn picked(&self, mut pick: impl FnMut(Field, i32, i32) -> i32) -> Schedule {
        let mut schedule = self.schedule.clone();
        for (field, kind) in self.fields().iter().zip(Field::ALL) {
            // The lowest value may stand in the field by itself, too: sets cannot tell.
            for (low, high) in &field.random {
                let value = pick(kind, *low, *high);
                schedule.replace(kind, *low, value);
            }
        }
        schedule
    }

    /// Whether an `H` stands in it.
    pub fn is_hashed(&self) -> bool {
        self.fields().iter().any(|field| field.hashed)
    }
}

impl Schedule {
    fn replace(&mut self, field: Field, old: i32, new: i32) {
        let set = match field {
            Field::Minute => &mut self.minute,
            Field::Hour => &mut self.hour,
            Field::Day => &mut self.day,
            Field::Month => &mut self.month,
            Field::Weekday => &mut self.weekday,
        };
        *set = *set & !(1 << old) | 1 << new;
        if field == Field::Weekday {
            *set = (*set | *set >> 7) & WEEK;
        }
    }

    /// What an `@` word stands for, without the `@`.
    pub fn nickname(word: &str) -> Option<Schedule> {
        let mut s = Schedule {
            minute: 1,
            hour: 1,
            day: Field::Day.full(),
            month: Field::Month.full(),
            weekday: WEEK,
            minute_star: false,
            hour_star: false,
            day_star: false,
            weekday_star: false,
            reboot: false,
        };
        match word {
            "reboot" => {
                (s.minute, s.hour, s.day, s.month, s.weekday, s.reboot) = (0, 0, 0, 0, 0, true);
            }
            "yearly" | "annually" => (s.day, s.month, s.weekday_star) = (2, 2, true),
            "monthly" => (s.day, s.weekday_star) = (2, true),
            "weekly" => (s.weekday, s.day_star) = (1, true),
            "daily" | "midnight" => {}
            "hourly" => (s.hour, s.hour_star) = (Field::Hour.full(), true),
            _ => return None,
        }
        Some(s)
    }

    /// Whether both start at the same times, those at a change of time included, however they are
    /// written.
    pub fn same_times(&self, other: &Schedule) -> bool {
        let sets = |s: &Schedule| (s.minute, s.hour, s.day, s.month, s.weekday);
        let every_day = self.day == Field::Day.full() && self.weekday == WEEK;
        sets(self) == sets(other)
            && self.kind() == other.kind()
            && (every_day || self.needs_both_days() == other.needs_both_days())
    }

    /// Fixed, wildcard or reboot.
    pub fn kind(&self) -> Kind {
        match (self.reboot, self.minute_star || self.hour_star) {
            (true, _) => Kind::Reboot,
            (false, true) => Kind::Wildcard,
            (false, false) => Kind::Fixed,
        }
    }

    /// Whether both day fields must agree.
    pub fn needs_both_days(&self) -> bool {
        self.day_star || self.weekday_star
    }

    /// Whether the job runs on this day (1 to 31) and weekday (0 to 6) of a month it runs in.
    #[inline]
    pub fn on_day(&self, day: u32, weekday: u32) -> bool {
        let (d, w) = (self.day >> day & 1 == 1, self.weekday >> weekday & 1 == 1);
        if self.needs_both_days() {
            d && w
        } else {
            d || w
        }
    }

    /// Whether there is any day at all on which it runs: false for `0 0 31 2 *`.
    pub fn ever(&self) -> bool {
        if self.minute == 0 || self.hour == 0 || self.month == 0 {
            return false;
        }
        let dated = (1..=12u32).any(|m| self.month >> m & 1 == 1 && self.day & days_of(m) != 0);
        if self.needs_both_days() {
            dated && self.weekday != 0
        } else {
            dated || self.weekday != 0
        }
    }

    /// Whether some day is a day of both.
    pub fn shares_a_day(&self, other: &Schedule) -> bool {
        let months = self.month & other.month;
        let days = (1..=12u32)
            .filter(|m| months >> m & 1 == 1)
            .fold(0, |days, m| days | days_of(m));
        // Every date falls on every weekday in some year, so the two may be told apart.
        let (ours, theirs) = (self.day & days, other.day & days);
        let (dates, weekdays) = (ours & theirs != 0, self.weekday & other.weekday != 0);
        match (self.needs_both_days(), other.needs_both_days()) {
            (true, true) => dates && weekdays,
            (true, false) => (dates && self.weekday != 0) || (weekdays && ours != 0),
            (false, true) => (dates && other.weekday != 0) || (weekdays && theirs != 0),
            (false, false) => {
                let crossed =
                    (ours != 0 && other.weekday != 0) || (theirs != 0 && self.weekday != 0);
                days != 0 && (dates || weekdays || crossed)
            }
        }
    }
}

/// The days a month can have; February has 29.
fn days_of(month: u32) -> u64 {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    ((1u64 << (last + 1)) - 1) & !1
}

/// Reads the schedule at `at` of a line without its newline.
pub fn read(line: &[u8], at: usize, reading: Reading<'_>) -> Result<Written, ScheduleError> {
    if line.get(at) == Some(&b'@') {
        return read_nickname(line, at);
    }
    let mut cursor = Cursor::new(line, at);
    let mut notes = Vec::new();
    let mut next =
        |field| field::read(&mut cursor, field, reading, &mut notes).map_err(ScheduleError::Field);
    let (minute, hour, day) = (next(Field::Minute)?, next(Field::Hour)?, next(Field::Day)?);
    let (month, weekday) = (next(Field::Month)?, next(Field::Weekday)?);
    let schedule = Schedule {
        minute: minute.set,
        hour: hour.set,
        day: day.set,
        month: month.set,
        weekday: (weekday.set | weekday.set >> 7) & WEEK,
        minute_star: minute.star,
        hour_star: hour.star,
        day_star: day.star,
        weekday_star: weekday.star,
        reboot: false,
    };
    let span = at..weekday.span.end;
    let fields = Some([minute, hour, day, month, weekday]);
    Ok(Written {
        schedule,
        fields,
        notes,
        span,
        rest: cursor.at(),
    })
}

/// Reads a schedule that stands alone: `schedule = "…"` and `-e`.
///
/// # Errors
/// Also for text after it, which no daemon would see.
pub fn read_alone(text: &[u8], reading: Reading<'_>) -> Result<Written, ScheduleError> {
    let indent = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let end = text.trim_ascii_end().len().max(indent);
    let written = read(&text[..end], indent, reading)?;
    if written.rest < end {
        return Err(ScheduleError::Rest(written.rest..end));
    }
    Ok(written)
}

fn read_nickname(line: &[u8], at: usize) -> Result<Written, ScheduleError> {
    let word = &line[at + 1..];
    let length = word
        .iter()
        .position(|b| matches!(b, b' ' | b'\t'))
        .unwrap_or(word.len());
    let span = at..at + 1 + length;
    let schedule = std::str::from_utf8(&word[..length])
        .ok()
        .and_then(Schedule::nickname)
        .ok_or_else(|| ScheduleError::Nickname(span.clone()))?;
    let mut cursor = Cursor::new(line, span.end);
    cursor.skip_blanks();
    Ok(Written {
        schedule,
        fields: None,
        notes: Vec::new(),
        span,
        rest: cursor.at(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn schedule(text: &str) -> Schedule {
        let reading = Reading {
            dialect: Dialect::Debian,
            seed: None,
        };
        match read(text.as_bytes(), 0, reading) {
            Ok(w) => w.schedule,
            Err(e) => panic!("{text}: {e:?}"),
        }
    }

    #[test]
    fn the_first_byte_decides_between_and_and_or() {
        assert!(schedule("0 0 */2 * 1").needs_both_days());
        assert!(!schedule("5 0 1,* * 1").needs_both_days());
        assert!(!schedule("0 0 13 * 5").needs_both_days());
        assert!(schedule("@monthly").needs_both_days());
    }

    #[test]
    fn sunday_has_two_numbers() {
        assert_eq!(
            schedule("0 0 * * 7").weekday,
            schedule("0 0 * * sun").weekday
        );
        assert_eq!(schedule("0 0 * * 5-7").weekday, 0b1100001);
    }

    #[test]
    fn wildcard_or_fixed() {
        assert_eq!(schedule("*/5 2 * * *").kind(), Kind::Wildcard);
        assert_eq!(schedule("0-59 2 * * *").kind(), Kind::Fixed);
        assert_eq!(schedule("@hourly").kind(), Kind::Wildcard);
        assert_eq!(schedule("@daily").kind(), Kind::Fixed);
    }

    #[test]
    fn sharing_a_day_is_what_trying_every_day_says() {
        let texts = [
            "* * * * *",
            "0 0 1 * *",
            "0 0 * * 1",
            "0 0 1 * 1",
            "0 0 31 2,4 *",
            "0 0 */2 6 3",
            "0 0 31 4 2",
            "0 0 30-31 1-2 *",
            "@weekly",
            "0 0 5 7 *",
        ];
        for a in texts {
            for b in texts {
                let (x, y) = (schedule(a), schedule(b));
                let tried = (1..=12u32).any(|m| {
                    (x.month & y.month) >> m & 1 == 1
                        && (1..=31u32)
                            .filter(|d| days_of(m) >> d & 1 == 1)
                            .any(|d| (0..7).any(|w| x.on_day(d, w) && y.on_day(d, w)))
                });
                assert_eq!(x.shares_a_day(&y), tried, "{a} and {b}");
            }
        }
    }

    #[test]
    fn impossible_dates() {
        assert!(!schedule("0 0 31 2 *").ever());
        assert!(!schedule("0 0 30,31 2 *").ever());
        assert!(schedule("0 0 29 2 *").ever());
        assert!(schedule("0 0 31 2 1").ever(), "either is enough");
        assert!(!schedule("0 0 1 * fri-sun").ever() || schedule("0 0 1 * fri-sun").weekday == 0);
    }
}
