//! A schedule in plain English, as one would say it on the telephone.
//!
//! It speaks of what the schedule amounts to, not of how it is written: `0,30` and `*/30` are both
//! every 30 minutes. Only where the daemon's own rules decide (either day field, or both) does the
//! way of writing show.

use crate::field::Field;
use crate::schedule::{Schedule, WEEK};

/// In English, a sentence without its full stop.
pub fn english(schedule: &Schedule) -> String {
    if schedule.reboot {
        return "Once, when the machine starts".to_owned();
    }
    if !schedule.ever() {
        return "Never: there is no such date".to_owned();
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

/// When within a day.
enum Times {
    /// A few times, listed.
    At(String),
    /// A rhythm.
    Every(String),
}

fn times(s: &Schedule) -> Times {
    let (minutes, hours) = (Set::of(s.minute, 60), Set::of(s.hour, 24));
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
        _ => {
            let each: Vec<String> = hours.values.iter().map(|h| clock(*h, minute)).collect();
            format!("at {}", and(&each))
        }
    }
}

fn in_hours(hours: &Set) -> String {
    if let Shape::Every(step) = hours.shape {
        return format!("in every {} hour", ordinal(step));
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
    let days = Set::of(s.day >> 1, 31);
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
    let set = Set::of(months >> 1, 12);
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
        let set = Set::of(bits, 7);
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

impl Set {
    /// Of `count` values from 0.
    fn of(bits: u64, count: u32) -> Set {
        let values: Vec<u32> = (0..count).filter(|n| bits >> n & 1 == 1).collect();
        let shape = match values[..] {
            [one] => Shape::One(one),
            [first, second, ..] => {
                let step = second - first;
                let even = values.windows(2).all(|p| p[1] - p[0] == step);
                let last = values.last().copied().unwrap_or(first);
                let to_the_end = last + step >= count;
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
