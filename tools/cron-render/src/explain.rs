//! A schedule in plain English, as one would say it on the telephone.
//!
//! The text says what the schedule amounts to, not how it is written: `0,30` and `*/30` are both
//! every 30 minutes. "Every N" is said only where the gap is N every time: where N divides the hour
//! or the day. Only where the daemon's own rules decide (either day field, or both) does the way of
//! writing show.

use crate::field::Field;
use crate::schedule::{Schedule, WEEK, Written};

/// In English, a sentence without its full stop.
pub fn english(schedule: &Schedule) -> String {
    if schedule.reboot {
        return "Once, when the machine starts".to_owned();
    }
    if !schedule.ever() {
        let s = schedule;
        let empty = [s.minute, s.hour, s.month].contains(&0)
            || (s.needs_both_days() && (s.day == 0 || s.weekday == 0))
            || (s.day == 0 && s.weekday == 0);
        return if empty {
            "Never: a field selects nothing".to_owned()
        } else {
            "Never: there is no such date".to_owned()
        };
    }
    match times(schedule) {
        Times::At(list) => match days(schedule) {
            None => format!("Every day at {list}"),
            Some(days) => format!("{} at {list}", capital(&days.alone())),
        },
        Times::Every(phrase) => match days(schedule) {
            None => capital(&phrase),
            Some(days) => format!("{}{}", capital(&phrase), days.after()),
        },
    }
}

/// In English, cronie's random values included.
pub fn written(written: &Written) -> String {
    let mut picks = Vec::new();
    let mut note = |field: Field, low: i32, high: i32| {
        picks.push(format!("the {} between {low} and {high}", field.name()));
        low
    };
    let schedule = written.picked(&mut note);
    let text = english(&schedule);
    if picks.is_empty() {
        return text;
    }
    format!(
        "{text}, but with {}, which cronie picks whenever it loads the file",
        and(&picks)
    )
}

/// When within a day.
enum Times {
    /// A few times, listed.
    At(String),
    /// A rhythm.
    Every(String),
}

fn times(s: &Schedule) -> Times {
    let (minutes, hours) = (
        Set::of(s.minute, 60, Gaps::Divide),
        Set::of(s.hour, 24, Gaps::Divide),
    );
    let few = minutes.values.len() * hours.values.len() <= 6;
    let rhythm = minutes.is_rhythm(3)
        || hours.is_rhythm(4)
        || matches!(hours.shape, Shape::Range(from, to) if to - from > 2);
    if few && !rhythm {
        let each = hours
            .values
            .iter()
            .flat_map(|h| minutes.values.iter().map(move |m| clock(*h, *m)));
        return Times::At(and(&each.collect::<Vec<_>>()));
    }
    Times::Every(match (&minutes.shape, &hours.shape) {
        (Shape::One(m), _) => hourly(*m, &hours),
        (Shape::Every(step), Shape::Every(1)) => every_minutes(*step),
        (Shape::Steps(first, step), Shape::Every(1)) => {
            format!("every {step} minutes, from {} past the hour", past(*first))
        }
        (Shape::Every(step), Shape::Range(from, to)) => {
            format!(
                "{} from {} to {}",
                every_minutes(*step),
                clock(*from, 0),
                clock(*to, minutes.last())
            )
        }
        (Shape::Every(step), Shape::One(hour)) => {
            format!(
                "{} from {} to {}",
                every_minutes(*step),
                clock(*hour, 0),
                clock(*hour, minutes.last())
            )
        }
        (Shape::Range(from, to), Shape::One(hour)) => format!(
            "every minute from {} to {}",
            clock(*hour, *from),
            clock(*hour, *to)
        ),
        (Shape::Range(from, to), Shape::Every(1)) => {
            format!("every minute from {from} to {to} minutes past every hour")
        }
        (Shape::Every(step), _) => format!("{} {}", every_minutes(*step), in_hours(&hours)),
        (_, Shape::Every(1)) => format!("at {} minutes past every hour", and(&minutes.texts())),
        _ => format!(
            "at {} minutes past the hour {}",
            minutes.list(),
            in_hours(&hours)
        ),
    })
}

fn every_minutes(step: u32) -> String {
    if step == 1 {
        "every minute".to_owned()
    } else {
        format!("every {step} minutes")
    }
}

fn past(minute: u32) -> String {
    if minute == 1 {
        "1 minute".to_owned()
    } else {
        format!("{minute} minutes")
    }
}

/// One minute of many hours.
fn hourly(minute: u32, hours: &Set) -> String {
    let at = if minute == 0 {
        String::new()
    } else {
        format!(" at {} past", past(minute))
    };
    match &hours.shape {
        Shape::Every(1) if minute == 0 => "every hour, on the hour".to_owned(),
        Shape::Every(1) => format!("every hour{at}"),
        Shape::Every(step) if at.is_empty() => format!("every {step} hours"),
        Shape::Every(step) => format!("every {step} hours,{at} the hour"),
        Shape::Range(from, to) => format!(
            "every hour from {} to {}",
            clock(*from, minute),
            clock(*to, minute)
        ),
        Shape::Steps(first, step) => format!(
            "every {step} hours from {} to {}",
            clock(*first, minute),
            clock(hours.last(), minute)
        ),
        Shape::List if hours.even().is_some() => format!(
            "every {} hours from {} to {}",
            hours.even().unwrap_or(1),
            clock(hours.values[0], minute),
            clock(hours.last(), minute)
        ),
        _ => {
            let each: Vec<String> = hours.values.iter().map(|h| clock(*h, minute)).collect();
            format!("at {}", and(&each))
        }
    }
}

fn in_hours(hours: &Set) -> String {
    if let Shape::Every(step) = hours.shape {
        return format!("in every {} hour, from 00:00", ordinal(step));
    }
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for hour in &hours.values {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *hour => *last = *hour,
            _ => runs.push((*hour, *hour)),
        }
    }
    and(&runs
        .iter()
        .map(|(from, to)| format!("from {} to {}", clock(*from, 0), clock(*to, 59)))
        .collect::<Vec<_>>())
}

fn clock(hour: u32, minute: u32) -> String {
    format!("{hour:02}:{minute:02}")
}

/// On which days, if not on all.
struct Days {
    /// `the 1st of every month`, `1 January`.
    dates: Option<String>,
    /// `Sunday`, `Monday to Friday`.
    weekdays: Option<String>,
    /// ` in June`, where no date says it.
    months: String,
    both: bool,
    /// One weekday: "every Sunday" rather than a list.
    one_weekday: bool,
}

impl Days {
    /// Before `at 01:00`.
    fn alone(&self) -> String {
        match (&self.dates, &self.weekdays) {
            (Some(dates), Some(weekdays)) if self.both => {
                format!("every {weekdays} that falls on {dates}")
            }
            (Some(dates), Some(weekdays)) => {
                format!("on {dates} and also every {weekdays}{}", self.months)
            }
            (Some(dates), None) if dates.contains(" to the ") => format!("from {dates}"),
            (Some(dates), None) => format!("on {dates}"),
            (None, Some(weekdays)) if self.one_weekday => {
                format!("every {weekdays}{}", self.months)
            }
            (None, Some(weekdays)) => format!("{weekdays}{}", self.months),
            (None, None) => format!("every day{}", self.months),
        }
    }

    /// After `every 5 minutes`.
    fn after(&self) -> String {
        match (&self.dates, &self.weekdays) {
            (None, Some(weekdays)) if self.one_weekday => format!(" on {weekdays}s{}", self.months),
            (None, Some(weekdays)) => format!(", {weekdays}{}", self.months),
            (None, None) => self.months.clone(),
            _ => format!(", {}", self.alone()),
        }
    }
}

fn days(s: &Schedule) -> Option<Days> {
    let every_day = s.day == Field::Day.full();
    let every_weekday = s.weekday == WEEK;
    let every_month = s.month == Field::Month.full();
    let either = !s.needs_both_days();
    // Where either is enough and one is every day, the other says nothing.
    let dated = s.day != 0 && !(every_day || either && every_weekday);
    let weekly = s.weekday != 0 && !(every_weekday || either && every_day);
    if !dated && !weekly && every_month {
        return None;
    }
    let months = match (every_month, month_list(s.month)) {
        (true, _) => String::new(),
        (_, list) if list.contains(" to ") => format!(" from {list}"),
        (_, list) => format!(" in {list}"),
    };
    Some(Days {
        dates: dated.then(|| dates(s, every_month)),
        weekdays: weekly.then(|| weekday_list(s.weekday)),
        months,
        both: !either,
        one_weekday: s.weekday.count_ones() == 1,
    })
}

fn dates(s: &Schedule, every_month: bool) -> String {
    let days = Set::of(s.day >> 1, 31, Gaps::Reach);
    let months: Vec<u32> = (1..=12).filter(|m| s.month >> m & 1 == 1).collect();
    if let ([day], [month]) = (&days.values[..], &months[..]) {
        return format!("{} {}", day + 1, MONTHS[*month as usize - 1]);
    }
    let of = if every_month {
        "every month".to_owned()
    } else {
        month_list(s.month)
    };
    let which = match &days.shape {
        Shape::Range(from, to) => format!("the {} to the {}", ordinal(from + 1), ordinal(to + 1)),
        Shape::Every(2) => "the odd days".to_owned(),
        Shape::Steps(1, 2) => "the even days".to_owned(),
        Shape::Every(step) => format!("every {} day, from the 1st,", ordinal(*step)),
        _ => {
            let each: Vec<String> = days.values.iter().map(|d| ordinal(d + 1)).collect();
            format!("the {}", and(&each))
        }
    };
    format!("{which} of {of}")
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

fn month_list(months: u64) -> String {
    let set = Set::of(months >> 1, 12, Gaps::Reach);
    match &set.shape {
        Shape::Range(from, to) if to - from > 1 => {
            format!("{} to {}", MONTHS[*from as usize], MONTHS[*to as usize])
        }
        _ => and(&set
            .values
            .iter()
            .map(|m| MONTHS[*m as usize].to_owned())
            .collect::<Vec<_>>()),
    }
}

/// The week begins on Monday when it is spoken of, unless Sunday to Thursday is meant.
fn weekday_list(weekdays: u64) -> String {
    let named = |from_monday: bool| {
        let bits = if from_monday {
            (weekdays >> 1 | (weekdays & 1) << 6) & WEEK
        } else {
            weekdays
        };
        let set = Set::of(bits, 7, Gaps::Reach);
        let name = |d: u32| DAYS[(d as usize + usize::from(from_monday)) % 7].to_owned();
        let range = match &set.shape {
            Shape::Range(from, to) if to - from > 1 => {
                Some(format!("{} to {}", name(*from), name(*to)))
            }
            _ => None,
        };
        range.ok_or_else(|| and(&set.values.iter().map(|d| name(*d)).collect::<Vec<_>>()))
    };
    named(true)
        .or_else(|list| named(false).map_err(|_| list))
        .unwrap_or_else(|list| list)
}

/// How values lie.
enum Shape {
    One(u32),
    /// From the first possible to the last, evenly: 1 is all of them.
    Every(u32),
    /// Evenly to the end, but from a later first.
    Steps(u32, u32),
    /// All between two.
    Range(u32, u32),
    List,
}

struct Set {
    values: Vec<u32>,
    shape: Shape,
}

/// When values with equal gaps are a rhythm.
#[derive(Clone, Copy, PartialEq)]
enum Gaps {
    /// Where the last gap, over the end, is the same.
    Divide,
    /// Where no further value would fit: what comes after the end is another month.
    Reach,
}

impl Set {
    /// The gap of more than two values that lie evenly.
    fn even(&self) -> Option<u32> {
        let [first, second, _, ..] = self.values[..] else {
            return None;
        };
        let step = second - first;
        let even = self.values.windows(2).all(|p| p[1] - p[0] == step);
        even.then_some(step)
    }

    /// Of `count` values from 0.
    fn of(bits: u64, count: u32, gaps: Gaps) -> Set {
        let values: Vec<u32> = (0..count).filter(|n| bits >> n & 1 == 1).collect();
        let shape = match values[..] {
            [one] => Shape::One(one),
            [first, second, ..] => {
                let step = second - first;
                let even = values.windows(2).all(|p| p[1] - p[0] == step);
                let last = values.last().copied().unwrap_or(first);
                let to_the_end = match gaps {
                    Gaps::Divide => count % step == 0 && last + step >= count,
                    Gaps::Reach => last + step >= count,
                };
                match (even, first, to_the_end) {
                    (true, 0, true) if step == 1 || values.len() > 1 => Shape::Every(step),
                    (true, ..) if step == 1 => Shape::Range(first, last),
                    (true, _, true) if values.len() > 2 && first < step => {
                        Shape::Steps(first, step)
                    }
                    _ => Shape::List,
                }
            }
            [] => Shape::List,
        };
        Set { values, shape }
    }

    /// Even to the end, and more than `count` values.
    fn is_rhythm(&self, count: usize) -> bool {
        matches!(self.shape, Shape::Every(_)) && self.values.len() > count
    }

    fn last(&self) -> u32 {
        self.values.last().copied().unwrap_or(0)
    }

    fn texts(&self) -> Vec<String> {
        self.values.iter().map(u32::to_string).collect()
    }

    fn list(&self) -> String {
        match &self.shape {
            Shape::Range(from, to) if to - from > 1 => format!("{from} to {to}"),
            _ => and(&self.texts()),
        }
    }
}

fn and(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::field::Reading;

    fn of(text: &str) -> String {
        let reading = Reading {
            dialect: Dialect::Debian,
            seed: None,
        };
        english(
            &crate::schedule::read(text.as_bytes(), 0, reading)
                .unwrap()
                .schedule,
        )
    }

    #[test]
    fn every_n_is_said_where_the_gap_is_n_every_time() {
        for (schedule, text) in [
            ("0,45 * * * *", "At 0 and 45 minutes past every hour"),
            ("*/40 * * * *", "At 0 and 40 minutes past every hour"),
            ("*/15 * * * *", "Every 15 minutes"),
            (
                "0 */5 * * *",
                "Every day at 00:00, 05:00, 10:00, 15:00 and 20:00",
            ),
            ("0 */6 * * *", "Every day at 00:00, 06:00, 12:00 and 18:00"),
            ("0 */2 * * *", "Every 2 hours"),
            (
                "*/10 0,15 * * *",
                "Every 10 minutes from 00:00 to 00:59 and from 15:00 to 15:59",
            ),
            ("0 0 * * fri-sun", "Never: a field selects nothing"),
            ("0 0 31 2 *", "Never: there is no such date"),
            ("@reboot", "Once, when the machine starts"),
        ] {
            assert_eq!(of(schedule), text, "{schedule}");
        }
    }
}
