//! `explain` read back: a reader of its English that shares nothing with the tool, over generated
//! schedules. A sentence is true when its reader would start the job at the same minutes of the
//! same days as the five fields do.

use harness::tool;
use std::collections::BTreeSet;

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
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

type Numbers = BTreeSet<u32>;

/// The minutes of a day at which a job starts.
type Times = BTreeSet<(u32, u32)>;

/// On which days: a date counts, a weekday counts, or both have to.
#[derive(Debug, Default)]
struct Days {
    months: Option<Numbers>,
    dates: Option<Numbers>,
    weekdays: Option<Numbers>,
    both: bool,
}

impl Days {
    fn hold(&self, month: u32, day: u32, weekday: u32) -> bool {
        if self
            .months
            .as_ref()
            .is_some_and(|months| !months.contains(&month))
        {
            return false;
        }
        let date = self.dates.as_ref().map(|dates| dates.contains(&day));
        let week = self.weekdays.as_ref().map(|days| days.contains(&weekday));
        match (date, week) {
            (None, None) => true,
            (Some(one), None) | (None, Some(one)) => one,
            (Some(date), Some(week)) if self.both => date && week,
            (Some(date), Some(week)) => date || week,
        }
    }
}

fn number(word: &str) -> Option<u32> {
    word.parse().ok()
}

fn ordinal(word: &str) -> Option<u32> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let number: u32 = digits.parse().ok()?;
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    (word[digits.len()..] == *ending).then_some(number)
}

fn clock(word: &str) -> Option<(u32, u32)> {
    let (hour, minute) = word.split_once(':')?;
    (hour.len() == 2 && minute.len() == 2).then(|| Some((number(hour)?, number(minute)?)))?
}

/// `A`, `A and B`, `A, B and C`.
fn list<T>(text: &str, one: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let (first, last) = match text.rsplit_once(" and ") {
        Some((first, last)) => (Some(first), last),
        None => (None, text),
    };
    first
        .into_iter()
        .flat_map(|first| first.split(", "))
        .chain([last])
        .map(one)
        .collect()
}

fn name(names: &'static [&'static str]) -> impl Fn(&str) -> Option<u32> {
    move |word| u32::try_from(names.iter().position(|name| *name == word)?).ok()
}

/// `Monday to Friday`, or a list; a range may go over the end of the week.
fn names(text: &str, names: &'static [&'static str]) -> Option<Numbers> {
    if let Some((from, to)) = text.split_once(" to ") {
        let (from, to) = (name(names)(from)?, name(names)(to)?);
        let count = u32::try_from(names.len()).ok()?;
        let length = (to + count - from) % count;
        return Some((0..=length).map(|step| (from + step) % count).collect());
    }
    Some(list(text, name(names))?.into_iter().collect())
}

fn months(text: &str) -> Option<Numbers> {
    Some(
        names(text, &MONTHS)?
            .into_iter()
            .map(|month| month + 1)
            .collect(),
    )
}

/// `the 1st and 15th of every month`, `29 February`: dates and months.
fn dates(text: &str) -> Option<(Numbers, Option<Numbers>)> {
    if let Some((day, month)) = text.split_once(' ') {
        if let (Some(day), Some(month)) = (number(day), name(&MONTHS)(month)) {
            return Some(([day].into(), Some([month + 1].into())));
        }
    }
    let (which, of) = text.split_once(" of ")?;
    let of = match of {
        "every month" => None,
        of => Some(months(of)?),
    };
    let all = 1..=31u32;
    let days = match which.strip_prefix("the ") {
        Some("odd days") => all.filter(|day| day % 2 == 1).collect(),
        Some("even days") => all.filter(|day| day % 2 == 0).collect(),
        Some(rest) => match rest.split_once(" to the ") {
            Some((from, to)) => (ordinal(from)?..=ordinal(to)?).collect(),
            None => list(rest, ordinal)?.into_iter().collect(),
        },
        None => {
            let step = ordinal(
                which
                    .strip_prefix("every ")?
                    .strip_suffix(" day, from the 1st,")?,
            )?;
            all.step_by(step as usize).collect()
        }
    };
    Some((days, of))
}

/// Months at the end: ` in June`, ` from June to August`.
fn with_months(text: &str) -> Option<(&str, Option<Numbers>)> {
    for word in [" in ", " from "] {
        if let Some((rest, of)) = text.rsplit_once(word) {
            if let Some(found) = months(of) {
                return Some((rest, Some(found)));
            }
        }
    }
    Some((text, None))
}

/// A sentence's days: `Every Monday in May`, `on the 13th of every month and also every Friday`.
fn days(text: &str) -> Option<Days> {
    let text = &text
        .replacen("Every ", "every ", 1)
        .replacen("On ", "on ", 1)
        .replacen("From ", "from ", 1);
    if let Some((week, of)) = text.split_once(" that falls on ") {
        let (dates, months) = dates(of)?;
        let weekdays = Some(names(week.strip_prefix("every ")?, &WEEKDAYS)?);
        return Some(Days {
            months,
            dates: Some(dates),
            weekdays,
            both: true,
        });
    }
    if let Some((of, week)) = text.split_once(" and also every ") {
        let (dates, months) = dates(of.strip_prefix("on ")?)?;
        let (week, again) = with_months(week)?;
        assert_eq!(months, again, "{text}");
        let weekdays = Some(names(week, &WEEKDAYS)?);
        return Some(Days {
            months,
            dates: Some(dates),
            weekdays,
            both: false,
        });
    }
    if let Some(of) = text.strip_prefix("on ").or(text
        .strip_prefix("from ")
        .filter(|of| of.starts_with("the ")))
    {
        if let Some((dates, months)) = dates(of) {
            return Some(Days {
                months,
                dates: Some(dates),
                ..Days::default()
            });
        }
    }
    let (week, months) = with_months(text)?;
    let weekdays = match week {
        "every day" => None,
        week => Some(names(
            week.strip_prefix("every ").unwrap_or(week),
            &WEEKDAYS,
        )?),
    };
    Some(Days {
        months,
        weekdays,
        ..Days::default()
    })
}

fn each(minutes: impl Iterator<Item = u32> + Clone, hours: impl Iterator<Item = u32>) -> Times {
    hours
        .flat_map(|hour| minutes.clone().map(move |minute| (hour, minute)))
        .collect()
}

/// `from 09:00 to 17:59 and from 22:00 to 22:59`, `in every 2nd hour, from 00:00`.
fn hours(text: &str) -> Option<Numbers> {
    if let Some(step) = text
        .strip_prefix("in every ")
        .and_then(|rest| rest.strip_suffix(" hour, from 00:00"))
    {
        return Some((0..24).step_by(ordinal(step)? as usize).collect());
    }
    let spans = list(text, |span| {
        let (from, to) = span.strip_prefix("from ")?.split_once(" to ")?;
        let (from, to) = (clock(from)?, clock(to)?);
        (from.1 == 0).then_some(from.0..=to.0)
    })?;
    Some(spans.into_iter().flatten().collect())
}

/// `1 minute`, `5 minutes`.
fn minutes_past(text: &str) -> Option<u32> {
    match text.split_once(' ')? {
        ("1", "minute") => Some(1),
        (count, "minutes") => number(count).filter(|count| *count != 1),
        _ => None,
    }
}

/// `every 5 minutes from 09:00 to 17:55`, `at 04:00 and 16:00`.
fn times(text: &str) -> Option<Times> {
    let text = &text
        .replacen("Every ", "every ", 1)
        .replacen("At ", "at ", 1);
    if let Some(at) = text.strip_prefix("at ") {
        if let Some(list) = list(at, clock) {
            return Some(list.into_iter().collect());
        }
        let (minutes, of) = at.split_once(" minutes past ")?;
        let minutes: Numbers = match minutes.split_once(" to ") {
            Some((from, to)) => (number(from)?..=number(to)?).collect(),
            None => list(minutes, number)?.into_iter().collect(),
        };
        let hours = match of {
            "every hour" => (0..24).collect(),
            of => hours(of.strip_prefix("the hour ")?)?,
        };
        return Some(each(
            minutes.into_iter().collect::<Vec<_>>().into_iter(),
            hours.into_iter(),
        ));
    }
    let rest = text.strip_prefix("every ")?;
    if rest == "hour, on the hour" {
        return Some(each(0..1, 0..24));
    }
    if let Some(at) = rest.strip_prefix("hour at ") {
        let at = minutes_past(at.strip_suffix(" past")?)?;
        return Some(each(at..at + 1, 0..24));
    }
    let (step, unit) = match rest.split_once(' ') {
        Some((step, unit)) if number(step).is_some() => (number(step)?, unit),
        _ => (1, rest),
    };
    let plural = |unit: &str| {
        let one = unit
            .strip_prefix("minutes")
            .map(|tail| format!("minute{tail}"));
        one.or_else(|| unit.strip_prefix("hours").map(|tail| format!("hour{tail}")))
    };
    let unit = plural(unit).unwrap_or_else(|| unit.to_owned());
    let within = |span: &str| {
        let (from, to) = span.split_once(" to ")?;
        Some((clock(from)?, clock(to)?))
    };
    if let Some(tail) = unit.strip_prefix("hour") {
        if tail.is_empty() {
            return Some(each(0..1, (0..24).step_by(step as usize)));
        }
        if let Some(at) = tail.strip_prefix(", at ") {
            let at = minutes_past(at.strip_suffix(" past the hour")?)?;
            return Some(each(at..at + 1, (0..24).step_by(step as usize)));
        }
        let (from, to) = within(tail.strip_prefix(" from ")?)?;
        assert_eq!(from.1, to.1, "{text}");
        return Some(each(
            from.1..=from.1,
            (from.0..=to.0).step_by(step as usize),
        ));
    }
    let tail = unit.strip_prefix("minute")?;
    if tail.is_empty() {
        return Some(each((0..60).step_by(step as usize), 0..24));
    }
    if let Some(at) = tail.strip_prefix(", from ") {
        let at = minutes_past(at.strip_suffix(" past the hour")?)?;
        return Some(each((at..60).step_by(step as usize), 0..24));
    }
    if let Some(span) = tail
        .strip_prefix(" from ")
        .and_then(|tail| tail.strip_suffix(" minutes past every hour"))
    {
        let (from, to) = span.split_once(" to ")?;
        return Some(each(number(from)?..=number(to)?, 0..24));
    }
    // One span of clock times, or several of whole hours.
    if let Some((from, to)) = tail.strip_prefix(" from ").and_then(within) {
        let all = each((0..60).step_by(step as usize), 0..24);
        // From 09:10 means from then on, a minute each.
        return match step {
            1 => Some(
                each(0..60, 0..24)
                    .into_iter()
                    .filter(|time| (from..=to).contains(time))
                    .collect(),
            ),
            _ => Some(
                all.into_iter()
                    .filter(|time| (from..=to).contains(time))
                    .collect(),
            ),
        };
    }
    Some(each(
        (0..60).step_by(step as usize),
        hours(tail.strip_prefix(' ')?)?.into_iter(),
    ))
}

/// A whole sentence.
fn read(text: &str) -> Option<(Times, Days)> {
    if text.starts_with("Never: ") {
        return Some((Times::new(), Days::default()));
    }
    // Days, then times.
    for (at, _) in text.match_indices(" at ") {
        let (before, after) = (&text[..at], &text[at + 1..]);
        if let (Some(days), Some(times)) = (days(before), times(after)) {
            return Some((times, days));
        }
    }
    if let Some(times) = times(text) {
        return Some((times, Days::default()));
    }
    // Times, then days.
    for (at, _) in text.match_indices(' ') {
        let Some(times) = times(text[..at].trim_end_matches(',')) else {
            continue;
        };
        let rest = &text[at + 1..];
        let comma = text[..at].ends_with(',');
        let found = match rest
            .strip_prefix("on ")
            .and_then(|day| day.strip_suffix('s'))
        {
            Some(day) if !comma && WEEKDAYS.contains(&day) => days(day),
            _ => match rest.split_once("s in ").or(rest.split_once("s from ")) {
                Some((day, _))
                    if !comma && WEEKDAYS.contains(&day.strip_prefix("on ").unwrap_or(day)) =>
                {
                    days(
                        &rest
                            .replacen("on ", "", 1)
                            .replacen("s in ", " in ", 1)
                            .replacen("s from ", " from ", 1),
                    )
                }
                _ if comma => days(rest),
                _ => days(&format!("every day {rest}")),
            },
        };
        if let Some(days) = found {
            return Some((times, days));
        }
    }
    None
}

/// xorshift64*: a schedule that fails comes back.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        u32::try_from((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % u64::from(bound))
            .unwrap()
    }

    /// A field and its values.
    fn field(&mut self, low: u32, high: u32) -> (String, Numbers) {
        let count = high - low + 1;
        let steps = [2, 3, 5, 6, 7, 10, 12, 15, 20, 30];
        let step = steps[self.below(10) as usize].min(count);
        let (a, b) = (low + self.below(count), low + self.below(count));
        let (from, to) = (a.min(b), a.max(b));
        match self.below(9) {
            0..=2 => ("*".to_owned(), (low..=high).collect()),
            3 => (
                format!("*/{step}"),
                (low..=high).step_by(step as usize).collect(),
            ),
            4 => (format!("{from}-{to}"), (from..=to).collect()),
            5 => (
                format!("{from}-{to}/{step}"),
                (from..=to).step_by(step as usize).collect(),
            ),
            6 => (format!("{a},{b}"), [a, b].into()),
            7 => {
                let end = (from + 2).min(high);
                let text = format!("{a},{b},{from}-{end}");
                (text, (from..=end).chain([a, b]).collect())
            }
            _ => (a.to_string(), [a].into()),
        }
    }
}

/// Days since 1970-01-01 of a Gregorian date (Hinnant, "chrono-compatible low-level date
/// algorithms").
fn weekday(year: i64, month: u32, day: u32) -> u32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    u32::try_from((days + 4).rem_euclid(7)).unwrap()
}

fn length(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

#[test]
fn what_is_explained_is_what_runs() {
    let rounds = if harness::full_sweep() { 20_000 } else { 800 };
    let mut random = Random(0x005e_ed0f_e6a1);
    let (mut wrong, mut nevers) = (Vec::new(), 0);
    let schedules: Vec<(String, [Numbers; 5], bool)> = (0..rounds)
        .map(|_| {
            let fields = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
                .map(|(low, high)| random.field(low, high));
            // crontab(5): where one of the day fields begins with a star, both have to agree.
            let both = fields[2].0.starts_with('*') || fields[4].0.starts_with('*');
            let text: Vec<&str> = fields.iter().map(|(text, _)| text.as_str()).collect();
            (
                text.join(" "),
                fields.clone().map(|(_, values)| values),
                both,
            )
        })
        .collect();
    for part in schedules.chunks(400) {
        let mut run = tool("cron-render").args(["explain", "--dialect", "debian"]);
        for (schedule, ..) in part {
            run = run.args(["-e", schedule]);
        }
        let report = run.run().expect_code(0).json();
        let items = report["items"].as_array().unwrap();
        assert_eq!(items.len(), part.len());
        for (item, (schedule, [minutes, hours, dates, months, weekdays], both)) in
            items.iter().zip(part)
        {
            let text = item["explanation"].as_str().unwrap();
            let Some((times, days)) = read(text) else {
                wrong.push(format!("{schedule}: nobody can read '{text}'"));
                continue;
            };
            let starts = each(minutes.iter().copied(), hours.iter().copied());
            let never = text.starts_with("Never: ");
            nevers += u32::from(never);
            if !never && times != starts {
                wrong.push(format!("{schedule}: other times: '{text}'"));
                continue;
            }
            let differs = (2024..2032i64)
                .flat_map(|year| (1..=12).map(move |month| (year, month)))
                .flat_map(|(year, month)| {
                    (1..=length(year, month)).map(move |day| (year, month, day))
                })
                .find(|&(year, month, day)| {
                    let weekday = weekday(year, month, day);
                    let (date, week) = (dates.contains(&day), weekdays.contains(&weekday));
                    let runs =
                        months.contains(&month) && if *both { date && week } else { date || week };
                    runs != (!never && days.hold(month, day, weekday))
                });
            if let Some(date) = differs {
                wrong.push(format!(
                    "{schedule}: other days, as on {date:?}: '{text}' {days:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {rounds}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(nevers * 20 < rounds, "{nevers} of {rounds} never run");
}
