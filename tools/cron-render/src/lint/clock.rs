//! Findings about when jobs run: together, and when the clock changes.

use crate::calendar;
use crate::field::Field;
use crate::finding::{Code, Finding};
use crate::lint::{Facts, push};
use crate::runs::FAR;
use crate::schedule::{Kind, Schedule};
use crate::site::Site;
use crate::spread::{Placed, Table};
use crate::template::Template;

const YEAR: i64 = 366 * 86_400;

pub fn look(
    template: &Template,
    site: &Site,
    placed: &[Placed],
    facts: &Facts,
    found: &mut Vec<Finding>,
) {
    together(template, placed, found);
    foreign_zone(site, facts, found);
    let changes = changes(site, facts.now);
    if changes.is_empty() {
        return;
    }
    for (job, placed) in template.jobs.iter().zip(placed) {
        for change in &changes {
            let found_here = if site.format.by_cron() {
                effect(&placed.schedule, change).map(|words| (Code::W14, words))
            } else {
                passed_over(&placed.schedule, change).map(|words| (Code::W20, words))
            };
            if let Some((code, (message, fix))) = found_here {
                push(found, code, job.place(job.written.span.start), message, fix);
            }
        }
    }
}

/// What systemd leaves out and cron would run: times in a gap, and the second pass of an overlap.
fn passed_over(schedule: &Schedule, change: &Change) -> Option<(String, String)> {
    let (low, high) = (
        change.would.min(change.shows),
        change.would.max(change.shows),
    );
    let wildcard = schedule.kind() == Kind::Wildcard;
    let count = if wildcard == change.gap() {
        0
    } else {
        schedule.count_within(low, high)
    };
    if schedule.kind() == Kind::Reboot || count == 0 {
        return None;
    }
    let (day, from, to) = (text_day(change.would), clock(low), clock(high));
    let message = if change.gap() {
        format!(
            "on {day} there is no {from} to {to}: {} passed over by systemd, which cron makes up for",
            starts(count)
        )
    } else {
        format!(
            "on {day} {from} to {to} comes twice: {} not repeated by systemd, which cron repeats",
            starts(count)
        )
    };
    Some((
        message,
        "times in UTC (--tz UTC), or --format crontab".to_owned(),
    ))
}

/// Debian's cron has one zone for all: the machine's.
fn foreign_zone(site: &Site, facts: &Facts, found: &mut Vec<Finding>) {
    let Some(system) = facts
        .zone
        .as_ref()
        .filter(|z| !z.agrees(&site.zone, facts.now))
    else {
        return;
    };
    if site.facts.tz.is_some() && site.format.by_cron() && !site.dialect.has_zones() {
        let (ours, theirs) = (site.zone.name(), system.name());
        let message = format!(
            "{} runs by the machine's zone ({theirs}), not by {ours}",
            site.dialect.name()
        );
        found.push(Finding::of_site(
            Code::W15,
            message,
            format!("timedatectl set-timezone {ours}"),
        ));
    }
}

/// Jobs that start at the same minute.
fn together(template: &Template, placed: &[Placed], found: &mut Vec<Finding>) {
    let mut table = Table::default();
    let schedules: Vec<&Schedule> = placed.iter().map(|p| &p.schedule).collect();
    for (index, schedule) in schedules.iter().enumerate() {
        table.add(index, schedule);
    }
    for (slot, group) in table.groups(&schedules) {
        let Some(second) = group.get(1).and_then(|i| template.jobs.get(*i)) else {
            continue;
        };
        let lines: Vec<String> = group
            .iter()
            .take(6)
            .filter_map(|i| template.jobs.get(*i))
            .map(|j| j.line.to_string())
            .collect();
        let more = if group.len() > 6 {
            format!(" and {} more", group.len() - 6)
        } else {
            String::new()
        };
        let hours = group
            .iter()
            .filter_map(|i| schedules.get(*i))
            .fold(u64::MAX, |all, s| all & s.hour);
        let when = if hours == Field::Hour.full() {
            format!("every hour at {} past", slot % 60)
        } else {
            format!("at {:02}:{:02}", slot / 60, slot % 60)
        };
        let message = format!(
            "{} jobs start {when} (lines {}{more})",
            group.len(),
            lines.join(", ")
        );
        push(
            found,
            Code::W12,
            second.place(second.written.span.start),
            message,
            "--spread 15m moves them apart",
        );
    }
}

/// A change of time.
struct Change {
    /// Local minute the clock would have shown, and the one it shows.
    would: i64,
    shows: i64,
}

impl Change {
    fn gap(&self) -> bool {
        self.shows > self.would
    }
}

fn changes(site: &Site, now: i64) -> Vec<Change> {
    let mut stretch = site.zone.stretch(now);
    let mut changes = Vec::new();
    while stretch.end < now + YEAR {
        let Some(next) = site.zone.after(&stretch) else {
            break;
        };
        changes.push(Change {
            would: stretch.minute_of(next.start),
            shows: next.minute_of(next.start),
        });
        stretch = next;
    }
    changes
}

/// What cron itself does at a change of time that an administrator may not expect.
fn effect(schedule: &Schedule, change: &Change) -> Option<(String, String)> {
    let (low, high) = (
        change.would.min(change.shows),
        change.would.max(change.shows),
    );
    let wildcard = schedule.kind() == Kind::Wildcard;
    let follows = wildcard && schedule.hour == crate::field::Field::Hour.full();
    // After a jump too far for it, cron begins anew: nothing is made up for and nothing held back.
    let far = high - low >= FAR + i64::from(!change.gap());
    let late = change.gap() && !wildcard && !far;
    let lost = change.gap() && (wildcard || far);
    let twice = !change.gap() && (wildcard || far);
    if schedule.kind() == Kind::Reboot || follows || !(late || lost || twice) {
        return None;
    }
    let count = schedule.count_within(low, high);
    if count == 0 {
        return None;
    }
    let (day, from, to) = (text_day(change.would), clock(low), clock(high));
    let (way, what, fix) = if late {
        (
            format!("goes from {from} to {to}"),
            format!("made up for at {to}"),
            "a time outside that gap",
        )
    } else if lost {
        (
            format!("goes from {from} to {to}"),
            "left out".to_owned(),
            "hours outside that gap",
        )
    } else {
        (
            format!("goes back from {to} to {from}"),
            "repeated".to_owned(),
            "minutes as numbers, which run once",
        )
    };
    Some((
        format!("on {day} the clock {way}: {} {what}", starts(count)),
        fix.to_owned(),
    ))
}

fn starts(count: usize) -> String {
    if count == 1 {
        "one start is".to_owned()
    } else {
        format!("{count} starts are")
    }
}

fn text_day(minute: i64) -> String {
    let (year, month, day) = calendar::date(minute.div_euclid(calendar::DAY));
    format!("{year}-{month:02}-{day:02}")
}

fn clock(minute: i64) -> String {
    let of_day = minute.rem_euclid(calendar::DAY);
    format!("{:02}:{:02}", of_day / 60, of_day % 60)
}
