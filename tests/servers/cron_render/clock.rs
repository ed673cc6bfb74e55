//! When jobs start, against a second implementation of the daemon's loop that tries every minute,
//! with the changes of time as zdump(8) tells them.

use harness::{full_sweep, tool};
use std::process::Command;

/// A change of time: the second, and the offset from then on.
fn changes(zone: &str) -> Vec<(i64, i64)> {
    let out = Command::new("zdump")
        .args(["-i", "-c", "2009,2040", zone])
        .output()
        .expect("zdump, of libc-bin");
    let text = String::from_utf8(out.stdout).unwrap();
    let mut all = Vec::new();
    for line in text
        .lines()
        .filter(|l| l.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
    {
        let words: Vec<&str> = line.split('\t').collect();
        if words[0] == "-" {
            all.push((i64::MIN, offset(words[2])));
            continue;
        }
        // The local date and time right after the change, which is a second of UTC once the offset
        // is taken off.
        let (date, time) = (words[0], words[1]);
        let d: Vec<i64> = date.split('-').map(|p| p.parse().unwrap()).collect();
        let mut t: Vec<i64> = time.split(':').map(|p| p.parse().unwrap()).collect();
        t.resize(3, 0);
        let after = offset(words[2]);
        let days =
            days_before(d[0]) + (1..d[1]).map(|m| month_days(d[0], m)).sum::<i64>() + d[2] - 1;
        all.push((
            days * 86_400 + t[0] * 3600 + t[1] * 60 + t[2] - after,
            after,
        ));
    }
    all
}

/// `-05`, `+1030`, `+013412`.
fn offset(text: &str) -> i64 {
    let (sign, digits) = text.split_at(1);
    let part = |n: usize| {
        digits
            .get(n..n + 2)
            .map_or(0, |p| p.parse::<i64>().unwrap())
    };
    let seconds = part(0) * 3600 + part(2) * 60 + part(4);
    if sign == "-" { -seconds } else { seconds }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_before(year: i64) -> i64 {
    (1970..year).map(|y| 365 + i64::from(leap(y))).sum()
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A field as sets of values, read the plain way: no tricks are in the schedules below.
fn set(text: &str, low: i64, high: i64) -> Vec<bool> {
    let mut set = vec![false; 64];
    for part in text.split(',') {
        let (range, step) = part
            .split_once('/')
            .map_or((part, 1), |(r, s)| (r, s.parse::<i64>().unwrap()));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((a, b)) => (a.parse().unwrap(), b.parse().unwrap()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        (from..=to)
            .step_by(step as usize)
            .for_each(|v| set[v as usize] = true);
    }
    set
}

/// The days of the years in question: year, month, day, weekday for each local day number.
struct Days {
    first: i64,
    days: Vec<(usize, usize, usize)>,
}

impl Days {
    fn new(from: i64, until: i64) -> Days {
        let first = from.div_euclid(86_400) - 3;
        let last = until.div_euclid(86_400) + 3;
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let mut days = Vec::new();
        for n in 0..=last {
            if n >= first {
                days.push((month as usize, day as usize, ((n + 4) % 7) as usize));
            }
            day += 1;
            if day > month_days(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        Days { first, days }
    }
}

/// Every start in `from..until`, in seconds since 1970.
fn reference(schedule: &str, changes: &[(i64, i64)], from: i64, until: i64) -> Vec<i64> {
    let fields: Vec<&str> = schedule.split(' ').collect();
    let (minute, hour) = (set(fields[0], 0, 59), set(fields[1], 0, 23));
    let (date, month) = (set(fields[2], 1, 31), set(fields[3], 1, 12));
    let mut weekday = set(fields[4], 0, 7);
    weekday[0] |= weekday[7];
    let both = fields[2].starts_with('*') || fields[4].starts_with('*');
    let wild = fields[0].starts_with('*') || fields[1].starts_with('*');
    let days = Days::new(from, until);
    let matches = |local: i64| {
        let (month_, date_, weekday_) = days.days[(local.div_euclid(1440) - days.first) as usize];
        let of_day = local.rem_euclid(1440) as usize;
        let (d, w) = (date[date_], weekday[weekday_]);
        minute[of_day % 60]
            && hour[of_day / 60]
            && month[month_]
            && if both { d && w } else { d || w }
    };
    let mut starts = Vec::new();
    let mut at = 0;
    let mut virtual_minute = None;
    let mut second = from - 2 * 86_400;
    while second < until {
        while at + 1 < changes.len() && changes[at + 1].0 <= second {
            at += 1;
        }
        let clock = (second + changes[at].1).div_euclid(60);
        let mut behind = virtual_minute.unwrap_or(clock - 1);
        let mut fire = |local: i64, of_kind: bool| {
            if of_kind && second >= from && matches(local) {
                starts.push(second);
            }
        };
        let jump = clock - behind;
        if jump > 180 || jump <= -180 {
            behind = clock;
            fire(clock, true);
        } else if jump > 5 {
            fire(clock, wild);
            while behind < clock {
                behind += 1;
                fire(behind, !wild);
            }
        } else if jump > 0 {
            while behind < clock {
                behind += 1;
                fire(behind, true);
            }
        } else {
            fire(clock, wild);
        }
        virtual_minute = Some(behind);
        second += 60;
    }
    starts
}

/// Few starts a day: compared over whole years.
const SPARSE: [&str; 21] = [
    "30 2 * * *",
    "30 1 * * *",
    "0 0 * * *",
    "59 23 * * *",
    "15 0 * * *",
    "15,45 1,2 * * *",
    "0 3 * * 0",
    "0 0 1 * *",
    "30 2 * * 0,6",
    "0 12 13 * 5",
    "0 0 */2 * 1",
    "10 0 1-7 * */7",
    "0 0 29 2 *",
    "0 0 31 * *",
    "0 1 * * *",
    "0 2 * * *",
    "0 0 * 4,10 5",
    "45 1 * * 0",
    "0 0-3 * * 5",
    "0 0 30 4 *",
    "20 4 1,* * 1",
];

/// Many: compared around the changes of time.
const DENSE: [&str; 16] = [
    "* * * * *",
    "*/5 * * * *",
    "*/7 * * * *",
    "0-59 2 * * *",
    "0-59 1 * * *",
    "*/20 1-3 * * *",
    "0 */2 * * *",
    "5 * * * *",
    "5 0-23 * * *",
    "*/10 2 * * *",
    "*/10 1 * * *",
    "* 2 * 3,4,10,11 *",
    "1-59/2 1,2 * * *",
    "0,30 * * * *",
    "*/30 * * * *",
    "0-59/3 0 * * *",
];

fn agree(schedules: &[&str], zone: &str, dialect: &str, from: i64, until: i64) {
    let template: String = schedules.iter().map(|s| format!("{s} true\n")).collect();
    let words = [
        "next",
        "-",
        "--tz",
        zone,
        "--dialect",
        dialect,
        "--from",
        &stamp(from),
        "--until",
        &stamp(until),
    ];
    let changes = changes(zone);
    assert!(changes.len() > 10, "zdump knows few changes of {zone}");
    let report = tool("cron-render")
        .args(words)
        .input(template)
        .run()
        .expect_code(0)
        .json();
    for (item, schedule) in report["items"].as_array().unwrap().iter().zip(schedules) {
        let ours: Vec<&str> = item["next"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["utc"].as_str().unwrap())
            .collect();
        let theirs: Vec<String> = reference(schedule, &changes, from, until)
            .into_iter()
            .map(stamp)
            .collect();
        let differs = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        assert!(
            differs.is_none() && ours.len() == theirs.len(),
            "{schedule} in {zone}: {differs:?}, {} and {}",
            ours.len(),
            theirs.len()
        );
    }
}

/// Two years (with `RUNBOOK_SWEEP=full`, ten) of the sparse ones; two days around each change of
/// all.
fn agree_over_years(zone: &str) {
    let years = if full_sweep() { 10 } else { 2 };
    let until = START + years * 365 * 86_400;
    agree(&SPARSE, zone, "debian", START, until);
    for (second, _) in changes(zone)
        .into_iter()
        .filter(|c| (START..until).contains(&c.0))
    {
        for dialect in ["debian", "cronie"] {
            agree(
                &DENSE,
                zone,
                dialect,
                second - 20 * 3600,
                second + 28 * 3600,
            );
            agree(
                &SPARSE,
                zone,
                dialect,
                second - 20 * 3600,
                second + 28 * 3600,
            );
        }
    }
}

/// A second as RFC 3339 in UTC.
fn stamp(second: i64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(second as u64);
    base::clock::rfc3339(time)
}

/// 2026-01-01.
const START: i64 = 1_767_225_600;

#[test]
fn new_york() {
    agree_over_years("America/New_York");
}

#[test]
fn cairo_changes_at_midnight() {
    agree_over_years("Africa/Cairo");
}

#[test]
fn lord_howe_changes_by_half_an_hour() {
    agree_over_years("Australia/Lord_Howe");
}

#[test]
fn troll_by_two_hours_and_samoa_by_a_day() {
    agree_over_years("Antarctica/Troll");
    agree(
        &DENSE,
        "Pacific/Apia",
        "debian",
        1_324_944_000,
        1_325_462_400,
    );
    agree(
        &SPARSE,
        "Pacific/Apia",
        "debian",
        1_324_944_000,
        1_325_462_400,
    );
}
