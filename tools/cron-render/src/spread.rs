//! Jobs of one site that would start together are moved apart, each to a minute of its own.
//!
//! Where a job goes depends on the site's name and its own id, not on its neighbours, so adding a
//! job leaves the others where they are unless it wants one of their minutes. A job never leaves
//! its day, and runs as often as before; what begins with `*` in its minute field is never moved.

use std::collections::HashSet;
use std::time::Duration;

use crate::field::Field;
use crate::hashed::Seed;
use crate::schedule::Schedule;
use crate::template::Job;

/// Where a job is after spreading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// When it runs now.
    pub schedule: Schedule,
    /// How that is written.
    pub when: String,
    /// How it was written, if it was moved.
    pub moved_from: Option<String>,
}

/// Places every job. `site` names the site, `window` is the site's own.
pub fn place(jobs: &[Job], site: &str, window: Option<Duration>) -> Vec<Placed> {
    let mut placed: Vec<Placed> = jobs.iter().map(as_written).collect();
    let windows: Vec<u32> = jobs
        .iter()
        .map(|job| minutes(job.spread.or(window)))
        .collect();
    if windows.iter().all(|w| *w < 2) {
        return placed;
    }
    let mut table = Table::default();
    for (index, job) in placed.iter().enumerate() {
        table.add(index, &job.schedule);
    }
    let crowded: Vec<usize> = (0..jobs.len())
        .filter(|i| {
            windows[*i] >= 2
                && !jobs[*i].written.is_random()
                && table.is_taken(&placed, &placed[*i].schedule, Some(*i))
        })
        .filter(|i| shifted(&placed[*i].schedule, 0).is_some())
        .collect();
    for index in &crowded {
        table.remove(*index, &placed[*index].schedule);
    }
    let mut order: Vec<(u64, usize)> = crowded
        .iter()
        .map(|i| (seed(site, &jobs[*i]).number("order"), *i))
        .collect();
    order.sort_unstable();
    for (_, index) in order {
        let wanted = seed(site, &jobs[index]).number("spread");
        let window = windows[index];
        let first = (wanted % u64::from(window)) as u32;
        let choices = || (0..window).map(|step| (first + step) % window);
        let fits = |delta: u32| shifted(&placed[index].schedule, delta);
        let free = choices().find_map(|d| {
            fits(d)
                .filter(|s| !table.is_taken(&placed, s, Some(index)))
                .map(|s| (d, s))
        });
        let chosen = free.or_else(|| choices().find_map(|d| fits(d).map(|s| (d, s))));
        if let Some((delta, schedule)) = chosen {
            if delta > 0 {
                let from = std::mem::take(&mut placed[index].when);
                placed[index].when = rewritten(&jobs[index], &schedule);
                placed[index].moved_from = Some(from);
                placed[index].schedule = schedule;
            }
        }
        let schedule = placed[index].schedule.clone();
        table.add(index, &schedule);
    }
    placed
}

fn seed<'a>(site: &'a str, job: &'a Job) -> Seed<'a> {
    Seed { site, job: &job.id }
}

fn minutes(window: Option<Duration>) -> u32 {
    window.map_or(0, |w| (w.as_secs() / 60).min(1440) as u32)
}

/// As it is written, with numbers for `H`.
fn as_written(job: &Job) -> Placed {
    let schedule = job.written.schedule.clone();
    let when = if job.written.is_hashed() {
        rewritten(job, &schedule)
    } else {
        job.when()
    };
    Placed {
        schedule,
        when,
        moved_from: None,
    }
}

/// The schedule `delta` minutes later, if it stays in its days and as frequent; `None` otherwise.
fn shifted(schedule: &Schedule, delta: u32) -> Option<Schedule> {
    if schedule.minute_star || schedule.reboot || schedule.minute == 0 {
        return None;
    }
    let mut moved = schedule.clone();
    let last = 63 - schedule.minute.leading_zeros();
    if last + delta < 60 {
        moved.minute <<= delta;
        return Some(moved);
    }
    let hours = (last + delta) / 60;
    let last_hour = 63u32.checked_sub(schedule.hour.leading_zeros())?;
    if schedule.minute.count_ones() > 1 || schedule.hour_star || last_hour + hours > 23 {
        return None;
    }
    moved.minute = 1 << ((last + delta) % 60);
    moved.hour <<= hours;
    Some(moved)
}

/// The text of a schedule whose minutes or hours are not those of the template.
fn rewritten(job: &Job, schedule: &Schedule) -> String {
    let source = &job.written.schedule;
    let values = [
        schedule.minute,
        schedule.hour,
        schedule.day,
        schedule.month,
        schedule.weekday,
    ];
    let before = [
        source.minute,
        source.hour,
        source.day,
        source.month,
        source.weekday,
    ];
    let mut words = Vec::with_capacity(5);
    for (index, field) in Field::ALL.into_iter().enumerate() {
        let written = job.written.fields().get(index);
        let keep = written.filter(|w| !w.hashed && before[index] == values[index]);
        words.push(match keep {
            Some(field) => String::from_utf8_lossy(&job.text[field.span.clone()]).into_owned(),
            None if written.is_none() && every(field, values[index]) => "*".to_owned(),
            None => set_text(values[index]),
        });
    }
    let minus = if job.text.get(job.written.span.start) == Some(&b'-') {
        "-"
    } else {
        ""
    };
    format!("{minus}{}", words.join(" "))
}

fn every(field: Field, set: u64) -> bool {
    set == if field == Field::Weekday {
        crate::schedule::WEEK
    } else {
        field.full()
    }
}

/// A set as cron reads it: one number, a list, or a range with a step. Never `*`, which is a flag.
pub fn set_text(set: u64) -> String {
    let values: Vec<u32> = (0..64).filter(|n| set >> n & 1 == 1).collect();
    if let [first, second, .., last] = values[..] {
        let step = second - first;
        let even = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        if even && values.len() > 2 {
            return if step == 1 {
                format!("{first}-{last}")
            } else {
                format!("{first}-{last}/{step}")
            };
        }
    }
    values
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// Which jobs start at which minute of a day. Jobs whose minute field begins with `*` are not in
/// it: they are everywhere, and nothing could be moved out of their way.
#[derive(Default)]
pub struct Table {
    slots: Vec<Vec<usize>>,
}

impl Table {
    /// Puts a job in.
    pub fn add(&mut self, index: usize, schedule: &Schedule) {
        self.slots.resize(1440, Vec::new());
        starts(schedule, |slot| self.slots[slot].push(index));
    }

    fn remove(&mut self, index: usize, schedule: &Schedule) {
        starts(schedule, |slot| self.slots[slot].retain(|i| *i != index));
    }

    fn is_taken(&self, placed: &[Placed], schedule: &Schedule, except: Option<usize>) -> bool {
        let mut taken = false;
        starts(schedule, |slot| {
            taken = taken
                || self.slots.get(slot).is_some_and(|jobs| {
                    jobs.iter()
                        .any(|j| Some(*j) != except && placed[*j].schedule.shares_a_day(schedule))
                });
        });
        taken
    }

    /// The groups of jobs that start together on some day, each once, with the minute of the day.
    /// A group is a job and all that share a day with it at that minute.
    pub fn groups(&self, schedules: &[&Schedule]) -> Vec<(usize, Vec<usize>)> {
        let mut seen: HashSet<Vec<usize>> = HashSet::new();
        let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
        for (slot, jobs) in self.slots.iter().enumerate() {
            let mut of_slot: Vec<Vec<usize>> = Vec::new();
            for job in jobs.iter().filter(|_| jobs.len() > 1) {
                // A job that stands in a group of this minute is spoken of already.
                if of_slot.iter().any(|group| group.contains(job)) {
                    continue;
                }
                let same = |other: &&usize| {
                    **other == *job || schedules[**other].shares_a_day(schedules[*job])
                };
                let group: Vec<usize> = jobs.iter().filter(same).copied().collect();
                if group.len() > 1 {
                    of_slot.push(group);
                }
            }
            for group in of_slot {
                if seen.insert(group.clone()) {
                    groups.push((slot, group));
                }
            }
        }
        groups
    }
}

fn starts(schedule: &Schedule, mut each: impl FnMut(usize)) {
    if schedule.minute_star {
        return;
    }
    let mut hours = schedule.hour;
    while hours != 0 {
        let hour = hours.trailing_zeros() as usize;
        hours &= hours - 1;
        let mut minutes = schedule.minute;
        while minutes != 0 {
            each(hour * 60 + minutes.trailing_zeros() as usize);
            minutes &= minutes - 1;
        }
    }
}
