//! When a job really starts, change of time included, by the daemon's own rules.
//!
//! Cron counts local minutes. It keeps a virtual minute that only ever grows: at every wake-up it
//! compares the clock with it and decides by the size of the jump (cron.c, the loop in `main`):
//!
//! - 1 to 5 minutes ahead: it was late; every missed minute is run now, for all jobs.
//! - up to 3 hours ahead (spring): wildcard jobs run for the minute it is now; fixed jobs run for
//!   every missed minute, all of them now.
//! - up to 3 hours back (autumn): wildcard jobs follow the clock; fixed jobs wait until the clock
//!   has passed the virtual minute.
//! - more than that: the virtual minute becomes the clock's, and nothing is made up for.
//!
//! Minutes are never tried one by one: months, days and hours that cannot match are skipped.

use crate::calendar::{self, DAY};
use crate::schedule::{Kind, Schedule};
use crate::zone::{Stretch, Zone};

/// The clock and the virtual minute may part by this much (`3*MINUTE_COUNT`).
pub const FAR: i64 = 180;
/// Up to this many minutes late is an ordinary late wake-up.
const LATE: i64 = 5;
/// No schedule that runs at all pauses longer than 29 February on one weekday across 2100.
const LONGEST_PAUSE: i64 = 41 * 366 * DAY;

/// A local minute that never comes, far enough from the end of the numbers to count on.
const FOREVER: i64 = i64::MAX / 4;

/// What the change of time did to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dst {
    /// The clock does not change.
    Plain,
    /// Its local minute (given) does not exist that day; it runs right after the gap.
    Skipped(i64),
    /// Its hour comes twice; this is the first time, and a fixed job's only one.
    First,
    /// Its hour comes twice; this is the second time.
    Second,
}

/// One start of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Seconds since 1970.
    pub utc: i64,
    /// Seconds east of UTC at that moment.
    pub offset: i32,
    /// What the change of time did to it.
    pub dst: Dst,
}

impl Run {
    /// The local minute the clock shows.
    pub fn local_minute(&self) -> i64 {
        (self.utc + i64::from(self.offset)).div_euclid(60)
    }
}

/// The runs of one schedule from a moment on, in order, without end.
pub struct Runs<'a> {
    schedule: &'a Schedule,
    zone: &'a Zone,
    wildcard: bool,
    from: i64,
    stretch: Stretch,
    /// The daemon's virtual minute when this stretch began.
    virtual_minute: i64,
    /// The first local minute of this stretch that is not tried yet.
    cursor: i64,
    /// The last local minute of this stretch.
    last: i64,
    /// Minutes of the gap still to be made up for, at the stretch's first second.
    missed: Option<(i64, i64)>,
    /// Local minutes above this come again after the stretch.
    comes_again: i64,
    barren_since: i64,
    /// Whether what comes a second time is left out.
    once: bool,
}

impl<'a> Runs<'a> {
    /// Runs at or after `from` (seconds since 1970), for a daemon that has been up all along.
    pub fn new(schedule: &'a Schedule, zone: &'a Zone, from: i64) -> Runs<'a> {
        // A day before, no change of time can still be felt at `from` (the longest jump there was
        // is 24 hours, and it re-bases).
        let warm_up = from - 86_400;
        let stretch = zone.stretch(warm_up);
        let minute = stretch.minute_of(warm_up);
        let mut runs = Runs {
            schedule,
            zone,
            wildcard: schedule.kind() == Kind::Wildcard,
            from,
            stretch,
            virtual_minute: minute - 1,
            cursor: minute,
            last: 0,
            missed: None,
            comes_again: FOREVER,
            barren_since: minute,
            once: false,
        };
        runs.measure();
        // Nothing before `from` is wanted: where this stretch reaches it, begin there.
        let start = stretch.minute_of(from).min(runs.last + 1);
        runs.cursor = runs.cursor.max(start);
        runs
    }

    /// For a job that follows the clock whatever its fields say, as cronie's do under a
    /// `CRON_TZ`: cron.c asks for the local time of each minute and no more.
    #[must_use]
    pub fn following(mut self, follows: bool) -> Self {
        self.wildcard |= follows;
        self
    }

    /// For a timer of systemd, whose calendar knows each local time once: what falls into a gap is
    /// left out, and what comes twice runs the first time.
    #[must_use]
    pub fn by_calendar(mut self, calendar: bool) -> Self {
        self.wildcard |= calendar;
        self.once = calendar;
        self
    }

    /// Finds this stretch's last minute, and which of its minutes come again.
    fn measure(&mut self) {
        if self.stretch.end == i64::MAX {
            self.last = FOREVER;
            self.comes_again = FOREVER;
            return;
        }
        self.last = self.stretch.minute_of(self.stretch.end - 1);
        self.comes_again = match self.zone.after(&self.stretch) {
            Some(next) if next.offset < self.stretch.offset => next.minute_of(next.start) - 1,
            _ => FOREVER,
        };
    }

    /// Goes over to the next stretch as the daemon does at its first wake-up there.
    fn turn(&mut self) -> bool {
        let Some(next) = self.zone.after(&self.stretch) else {
            return false;
        };
        let behind = self.virtual_minute.max(self.last);
        let first = next.minute_of(next.start);
        let jump = first - behind;
        self.stretch = next;
        self.virtual_minute = behind;
        self.missed = None;
        self.cursor = first;
        if jump > FAR || jump <= -FAR {
            self.virtual_minute = first - 1;
        } else if jump > 1 {
            if !self.once && (!self.wildcard || jump <= LATE) {
                self.missed = Some((behind + 1, first - 1));
            }
        } else if !self.wildcard {
            self.cursor = behind + 1;
        }
        self.measure();
        true
    }

    fn run(&self, minute: i64) -> Run {
        let dst = if minute > self.comes_again {
            Dst::First
        } else if minute <= self.virtual_minute {
            Dst::Second
        } else {
            Dst::Plain
        };
        Run {
            utc: self.stretch.second_of(minute).max(self.stretch.start),
            offset: self.stretch.offset,
            dst,
        }
    }
}

impl Schedule {
    /// The first matching local minute in `from..=to`.
    pub fn matching(&self, from: i64, to: i64) -> Option<i64> {
        let s = self;
        let (mut day, mut of_day) = (from.div_euclid(DAY), from.rem_euclid(DAY) as u32);
        let last_day = to.div_euclid(DAY);
        let (mut year, mut month, mut date) = calendar::date(day);
        while day <= last_day {
            if s.month >> month & 1 == 0 {
                day += i64::from(calendar::month_length(year, month) - date + 1);
                (year, month) = if month == 12 {
                    (year + 1, 1)
                } else {
                    (year, month + 1)
                };
                (date, of_day) = (1, 0);
                continue;
            }
            if s.on_day(date, calendar::weekday(day)) {
                if let Some(found) = s.minute_from(of_day) {
                    let minute = day * DAY + i64::from(found);
                    return (minute <= to).then_some(minute);
                }
            }
            day += 1;
            date += 1;
            of_day = 0;
            if date > calendar::month_length(year, month) {
                date = 1;
                (year, month) = if month == 12 {
                    (year + 1, 1)
                } else {
                    (year, month + 1)
                };
            }
        }
        None
    }

    /// How many local minutes in `from..to` match.
    pub fn count_within(&self, from: i64, to: i64) -> usize {
        let mut at = from;
        let next = || {
            let minute = self.matching(at, to - 1)?;
            at = minute + 1;
            Some(minute)
        };
        std::iter::from_fn(next).count()
    }

    /// The first minute of the day at or after `of_day` that the minute and hour fields name.
    #[inline]
    pub fn minute_from(&self, of_day: u32) -> Option<u32> {
        let (hour, minute) = (of_day / 60, of_day % 60);
        if self.hour >> hour & 1 == 1 {
            let left = self.minute >> minute;
            if left != 0 {
                return Some(of_day + left.trailing_zeros());
            }
        }
        let later = self.hour >> (hour + 1);
        if later == 0 || self.minute == 0 {
            return None;
        }
        Some((hour + 1 + later.trailing_zeros()) * 60 + self.minute.trailing_zeros())
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        loop {
            if let Some((from, to)) = self.missed {
                match self.schedule.matching(from, to) {
                    Some(minute) => {
                        self.missed = Some((minute + 1, to));
                        let run = Run {
                            utc: self.stretch.start,
                            offset: self.stretch.offset,
                            dst: Dst::Skipped(minute),
                        };
                        if run.utc >= self.from {
                            self.barren_since = minute;
                            return Some(run);
                        }
                        continue;
                    }
                    None => self.missed = None,
                }
            }
            let horizon = self
                .last
                .min(self.barren_since.saturating_add(LONGEST_PAUSE));
            match self.schedule.matching(self.cursor, horizon) {
                Some(minute) => {
                    self.cursor = minute + 1;
                    let run = self.run(minute);
                    let again = self.once && run.dst == Dst::Second;
                    if run.utc >= self.from && !again {
                        self.barren_since = minute;
                        return Some(run);
                    }
                }
                None if horizon < self.last || !self.turn() => return None,
                None => {}
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::field::Reading;

    /// The daemon's loop as it is, a minute at a time: what `Runs` must agree with.
    fn by_brute_force(schedule: &Schedule, zone: &Zone, from: i64, until: i64) -> Vec<i64> {
        let mut out = Vec::new();
        let mut second = from - 2 * 86_400;
        let mut stretch = zone.stretch(second);
        let mut virtual_minute = stretch.minute_of(second) - 1;
        let wild = schedule.kind() == Kind::Wildcard;
        let matches = |minute: i64| {
            let (_, month, date) = calendar::date(minute.div_euclid(DAY));
            let of_day = minute.rem_euclid(DAY);
            schedule.minute >> (of_day % 60) & 1 == 1
                && schedule.hour >> (of_day / 60) & 1 == 1
                && schedule.month >> month & 1 == 1
                && schedule.on_day(date, calendar::weekday(minute.div_euclid(DAY)))
        };
        while second < until {
            if second >= stretch.end {
                stretch = zone.stretch(second);
            }
            let now = stretch.minute_of(second);
            let jump = now - virtual_minute;
            let mut fire = |minute: i64| {
                if matches(minute) && second >= from {
                    out.push(second);
                }
            };
            if (1..=5).contains(&jump) {
                while virtual_minute < now {
                    virtual_minute += 1;
                    fire(virtual_minute);
                }
            } else if (6..=180).contains(&jump) {
                if wild {
                    fire(now);
                }
                while virtual_minute < now {
                    virtual_minute += 1;
                    if !wild {
                        fire(virtual_minute);
                    }
                }
            } else if jump > -180 && jump <= 0 {
                if wild {
                    fire(now);
                }
            } else {
                virtual_minute = now;
                fire(now);
            }
            second += 60;
        }
        out
    }

    fn schedule(text: &str) -> Schedule {
        let reading = Reading {
            dialect: Dialect::Debian,
            seed: None,
        };
        match crate::schedule::read(text.as_bytes(), 0, reading) {
            Ok(written) => written.schedule,
            Err(e) => panic!("{text}: {e:?}"),
        }
    }

    #[test]
    fn agrees_with_the_daemons_loop_minute_by_minute() {
        let texts = [
            "* * * * *",
            "*/5 * * * *",
            "0-59 2 * * *",
            "30 2 * * *",
            "*/20 1-3 * * *",
            "15,45 1,2 * * *",
            "0 0 * * *",
            "@hourly",
            "@daily",
            "59 1 * * *",
            "0 3 * * *",
            "0 0 1 * *",
            "10 0 */2 * 1",
            "0 12 13 * 5",
            "0 0 29 2 *",
            "*/7 0 * * 0",
            "5 * * * *",
            "0 1-23/2 * * sat,sun",
        ];
        for zone in [
            "America/New_York",
            "Africa/Cairo",
            "Australia/Lord_Howe",
            "Antarctica/Troll",
            "UTC",
        ] {
            let zone = Zone::named(zone).unwrap();
            // 2025-01-01 and a year and a bit, so that both changes are in.
            let (from, until) = (1_735_689_600, 1_735_689_600 + 400 * 86_400);
            for text in texts {
                let s = schedule(text);
                let ours: Vec<i64> = Runs::new(&s, &zone, from)
                    .take_while(|r| r.utc < until)
                    .map(|r| r.utc)
                    .collect();
                assert_eq!(
                    ours,
                    by_brute_force(&s, &zone, from, until),
                    "{text} in {}",
                    zone.name()
                );
            }
        }
    }

    #[test]
    fn a_jump_over_three_hours_makes_up_for_nothing() {
        // Samoa left out 2011-12-30 altogether.
        let zone = Zone::named("Pacific/Apia").unwrap();
        let (from, until) = (1_324_944_000, 1_325_721_600);
        for text in ["0 2 * * *", "*/30 * * * *", "0 0 30 12 *"] {
            let s = schedule(text);
            let ours: Vec<i64> = Runs::new(&s, &zone, from)
                .take_while(|r| r.utc < until)
                .map(|r| r.utc)
                .collect();
            assert_eq!(ours, by_brute_force(&s, &zone, from, until), "{text}");
        }
    }

    #[test]
    fn sixty_fixed_runs_at_three() {
        let zone = Zone::named("America/New_York").unwrap();
        let s = schedule("0-59 2 * * *");
        let change = 1_741_503_600; // 2025-03-09 07:00 UTC
        let burst = Runs::new(&s, &zone, change)
            .take_while(|r| r.utc == change)
            .count();
        assert_eq!(burst, 60);
    }

    #[test]
    fn starting_anywhere_gives_the_same_tail() {
        let zone = Zone::named("Australia/Lord_Howe").unwrap();
        for text in ["*/10 1,2 * * *", "45 1 * * *"] {
            let s = schedule(text);
            let base = 1_743_811_200; // a day before 2025-04-06, clocks go back half an hour
            let all: Vec<i64> = Runs::new(&s, &zone, base).take(60).map(|r| r.utc).collect();
            for from in (base..base + 3 * 86_400).step_by(600) {
                let tail: Vec<i64> = all
                    .iter()
                    .copied()
                    .filter(|u| *u >= from)
                    .take(20)
                    .collect();
                let ours: Vec<i64> = Runs::new(&s, &zone, from)
                    .take(tail.len())
                    .map(|r| r.utc)
                    .collect();
                assert_eq!(ours, tail, "{text} from {from}");
            }
        }
    }
}
