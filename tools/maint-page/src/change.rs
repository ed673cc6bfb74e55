//! What a command does to the holds. Pure: holds in, holds out.
//!
//! Files are nobody's business here; `plan` compares the holds' consequences with the disk.

use crate::hold::{Asked, Hold, SCHEMA, State};
use crate::person::{Run, Seat};
use crate::when::{self, When};
use crate::words;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::time::Duration;

/// What `on` was asked; what was not said keeps its value in a hold that exists.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whose hold.
    pub id: String,
    /// For visitors, cleaned.
    pub message: Option<String>,
    /// The heading, cleaned.
    pub title: Option<String>,
    /// The page's languages, the message's own first.
    pub langs: Vec<String>,
    /// The zone for clock times.
    pub tz: Option<String>,
    /// `--start`, and as typed.
    pub start: Option<(When, String)>,
    /// `--until`, and as typed.
    pub until: Option<(When, String)>,
    /// `--for`.
    pub lasting: Option<Duration>,
    /// `--warn`.
    pub warn: Option<Duration>,
    /// `--auto-off`.
    pub auto_off: bool,
    /// The copied template's directory name.
    pub template: Option<String>,
    /// Who asks.
    pub by: String,
    /// Where they sit.
    pub seat: Option<Seat>,
    /// Whether the id is the caller's name and not one that was given.
    pub implied: bool,
    /// The run of `during`.
    pub run: Option<Run>,
    /// For a hold that is new.
    pub token: String,
}

impl Wish {
    fn asked(&self) -> Asked {
        Asked {
            start: self.start.as_ref().map(|(_, typed)| typed.clone()),
            until: self.until.as_ref().map(|(_, typed)| typed.clone()),
            for_s: self.lasting.map(|length| length.as_secs()),
            warn_s: self.warn.map(|length| length.as_secs()),
        }
    }
}

/// Adds the wished hold, or brings the one with its id to what was wished.
/// An error is a sentence about the times asked for.
pub fn on(holds: &mut Vec<Hold>, wish: &Wish, now: Timestamp) -> Result<(), String> {
    let zone = when::zone(wish.tz.as_deref())?;
    match holds.iter_mut().find(|hold| hold.id == wish.id) {
        Some(hold) => update(hold, wish, now, &zone),
        None => {
            let hold = begin(wish, now, &zone)?;
            holds.push(hold);
            Ok(())
        }
    }
}

/// The hold that the wish would change although another person made it: both go by the caller's
/// name.
pub fn anothers<'a>(holds: &'a [Hold], wish: &Wish) -> Option<&'a Hold> {
    let hold = holds
        .iter()
        .find(|hold| wish.implied && hold.id == wish.id)?;
    let (there, here) = (hold.seat.as_ref()?, wish.seat.as_ref()?);
    there.is_anothers(here).then_some(hold)
}

fn begin(wish: &Wish, now: Timestamp, zone: &TimeZone) -> Result<Hold, String> {
    let starts_at = match &wish.start {
        Some((start, _)) => when::resolve(start, now, zone)?,
        None => now,
    };
    let lang = wish
        .langs
        .first()
        .cloned()
        .unwrap_or_else(|| "en".to_owned());
    let words = words::of(&lang);
    let mut hold = Hold {
        schema: SCHEMA,
        id: wish.id.clone(),
        token: wish.token.clone(),
        message: wish
            .message
            .clone()
            .unwrap_or_else(|| words.message.to_owned()),
        title: wish.title.clone().unwrap_or_else(|| words.title.to_owned()),
        lang,
        more_langs: wish.langs.iter().skip(1).cloned().collect(),
        tz: wish
            .tz
            .clone()
            .or_else(|| zone.iana_name().map(str::to_owned)),
        created_by: wish.by.clone(),
        seat: wish.seat.clone(),
        run: wish.run.clone(),
        created_at: now,
        asked: wish.asked(),
        starts_at,
        ends_at: None,
        warn_from: now,
        activated_at: (starts_at <= now).then_some(now),
        auto_off: wish.auto_off,
        template: wish.template.clone(),
        overdue_since: None,
    };
    set_end(&mut hold, wish, now, zone)?;
    set_warning(&mut hold, wish, now)?;
    Ok(hold)
}

/// The same request again changes nothing, unless the hold is overdue: then it is a longer one.
fn update(hold: &mut Hold, wish: &Wish, now: Timestamp, zone: &TimeZone) -> Result<(), String> {
    let say = |to: &mut String, new: &Option<String>| {
        if let Some(new) = new {
            to.clone_from(new);
        }
    };
    say(&mut hold.message, &wish.message);
    say(&mut hold.title, &wish.title);
    if let Some((first, more)) = wish.langs.split_first() {
        relabel(hold, first);
        hold.more_langs = more.to_vec();
    }
    if wish.tz.is_some() {
        hold.tz.clone_from(&wish.tz);
    }
    if wish.template.is_some() {
        hold.template.clone_from(&wish.template);
    }
    hold.auto_off |= wish.auto_off;
    let asked = wish.asked();
    let repeated = asked == hold.asked && hold.state(now) != State::Overdue;
    if repeated || asked == Asked::default() && hold.activated_at.is_some() {
        return Ok(());
    }
    match &wish.start {
        Some((start, _)) => {
            let starts_at = when::resolve(start, now, zone)?;
            if hold.activated_at.is_some() && starts_at > now {
                return Err("the page is up already for this hold; take it off before announcing a new start".to_owned());
            }
            hold.starts_at = starts_at;
        }
        None if asked == Asked::default() => hold.starts_at = now,
        None => {}
    }
    if hold.starts_at <= now && hold.activated_at.is_none() {
        hold.activated_at = Some(now);
    }
    hold.asked = asked;
    hold.overdue_since = None;
    set_end(hold, wish, now, zone)?;
    set_warning(hold, wish, now)
}

/// The hold in another language; a message or title that nobody typed is said in that language.
fn relabel(hold: &mut Hold, lang: &str) {
    let (old, new) = (words::of(&hold.lang), words::of(lang));
    if hold.message == old.message {
        hold.message = new.message.to_owned();
    }
    if hold.title == old.title {
        hold.title = new.title.to_owned();
    }
    hold.lang = lang.to_owned();
}

/// How far in the past a start may lie that no end follows: a script takes the time before it
/// calls.
const SLACK_SECONDS: i64 = 60;

fn set_end(hold: &mut Hold, wish: &Wish, now: Timestamp, zone: &TimeZone) -> Result<(), String> {
    let typed = matches!(wish.start, Some((When::At(_) | When::Local(_), _)));
    // A start that was typed in full is where the window begins, also when it has passed.
    let from = if typed {
        hold.starts_at
    } else {
        hold.starts_at.max(now)
    };
    let past = now.duration_since(hold.starts_at).as_secs() > SLACK_SECONDS;
    if typed && past && wish.until.is_none() && wish.lasting.is_none() {
        return Err(format!(
            "the start {} is in the past",
            when::rfc3339(hold.starts_at, zone)
        ));
    }
    let end = match (&wish.until, wish.lasting) {
        (Some((until, _)), _) => Some(when::resolve(until, from, zone)?),
        (None, Some(length)) => Some(when::plus(from, length)?),
        (None, None) => return Ok(()),
    };
    if end.is_some_and(|end| end <= from) {
        return Err("the end is not after the start".to_owned());
    }
    if let Some(end) = end.filter(|end| *end <= now) {
        return Err(format!(
            "the window is over: it ended at {}",
            when::rfc3339(end, zone)
        ));
    }
    hold.ends_at = end;
    Ok(())
}

fn set_warning(hold: &mut Hold, wish: &Wish, now: Timestamp) -> Result<(), String> {
    hold.warn_from = match wish.warn {
        Some(ahead) => when::minus(hold.starts_at, ahead)?,
        None => hold
            .warn_from
            .min(hold.starts_at)
            .min(now.max(hold.created_at)),
    };
    Ok(())
}

/// Releases the holds of runs that are over and were to take the page away whatever happens. A run
/// that was to keep the page after a failure did not say that it succeeded: its hold stays.
pub fn end_runs(holds: &mut Vec<Hold>, over: &[String]) -> Vec<Event> {
    let mut events = Vec::new();
    holds.retain(|hold| {
        let ends = over.contains(&hold.id) && hold.run.as_ref().is_some_and(|run| !run.keep);
        if ends {
            events.push(Event::Abandoned(hold.id.clone()));
        }
        !ends
    });
    events
}

/// Releases the holds with these ids; says which there were.
pub fn release(holds: &mut Vec<Hold>, ids: &[String]) -> Vec<String> {
    let (gone, kept) = std::mem::take(holds)
        .into_iter()
        .partition(|hold| ids.contains(&hold.id));
    *holds = kept;
    gone.into_iter().map(|hold: Hold| hold.id).collect()
}

/// What time alone has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its start came: the page goes up for it.
    Began(String),
    /// Its end came, and it had asked to be released then.
    Ended(String),
    /// Its end came and went before anybody raised the page for it.
    Lapsed(String),
    /// Its end came, and the page is still up for it.
    Overdue(String),
    /// Its run ended without releasing it, and was to take the page away.
    Abandoned(String),
}

/// Moves every hold, or the only one that is to be moved, on to `now`. Said once: a second call at
/// the same instant says nothing.
pub fn tick(holds: &mut Vec<Hold>, only: Option<&str>, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    holds.retain_mut(|hold| {
        if only.is_some_and(|id| id != hold.id) {
            return true;
        }
        let over = hold.ends_at.is_some_and(|end| now >= end);
        if hold.is_due(now) {
            if over {
                // Raising the page after the window would take the site down for nothing.
                events.push(Event::Lapsed(hold.id.clone()));
                return false;
            }
            hold.activated_at = Some(now);
            events.push(Event::Began(hold.id.clone()));
        }
        if hold.is_spent(now) {
            events.push(Event::Ended(hold.id.clone()));
            return false;
        }
        if hold.state(now) == State::Overdue && hold.overdue_since.is_none() {
            hold.overdue_since = Some(now);
            events.push(Event::Overdue(hold.id.clone()));
        }
        true
    });
    events
}

/// The next instant at which time alone will change something.
pub fn next_event(holds: &[Hold], now: Timestamp) -> Option<Timestamp> {
    holds
        .iter()
        .flat_map(|hold| {
            let waiting = hold.activated_at.is_none();
            [
                waiting.then_some(hold.warn_from),
                waiting.then_some(hold.starts_at),
                hold.ends_at,
            ]
        })
        .flatten()
        .filter(|&instant| instant > now)
        .min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn wish(start: Option<&str>, lasting: Option<&str>) -> Wish {
        Wish {
            id: "deploy".into(),
            tz: Some("UTC".into()),
            start: start.map(|text| (when::parse(text).unwrap(), text.to_owned())),
            lasting: lasting.map(|text| base::cli::parse_duration(text).unwrap()),
            by: "root".into(),
            token: "0123456789abcdef".into(),
            ..Wish::default()
        }
    }

    #[test]
    fn on_without_a_start_is_active_at_once() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        on(&mut holds, &wish(None, Some("15m")), now).unwrap();
        assert_eq!(holds[0].state(now), State::Active);
        assert_eq!(holds[0].ends_at, Some(at("2026-11-21T20:15:00Z")));
        assert_eq!(holds[0].message, words::of("en").message);
    }

    #[test]
    fn the_same_request_again_changes_nothing_and_another_one_does() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        on(&mut holds, &wish(None, Some("15m")), now).unwrap();
        let first = holds.clone();
        let later = at("2026-11-21T20:05:00Z");
        on(&mut holds, &wish(None, Some("15m")), later).unwrap();
        on(&mut holds, &wish(None, None), later).unwrap();
        assert_eq!(holds, first);
        on(&mut holds, &wish(None, Some("30m")), later).unwrap();
        assert_eq!(holds[0].ends_at, Some(at("2026-11-21T20:35:00Z")));
        assert_eq!((holds.len(), &holds[0].token), (1, &first[0].token));
    }

    #[test]
    fn the_same_request_when_overdue_asks_for_more_time() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        on(&mut holds, &wish(None, Some("15m")), now).unwrap();
        let late = at("2026-11-21T20:20:00Z");
        on(&mut holds, &wish(None, Some("15m")), late).unwrap();
        assert_eq!(holds[0].ends_at, Some(at("2026-11-21T20:35:00Z")));
    }

    #[test]
    fn announced_then_begun_by_the_clock_then_overdue_each_said_once() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        on(&mut holds, &wish(Some("22:00"), Some("1h")), now).unwrap();
        assert_eq!(holds[0].state(now), State::Announced);
        assert_eq!(tick(&mut holds, None, at("2026-11-21T21:59:59Z")), []);
        assert_eq!(next_event(&holds, now), Some(at("2026-11-21T22:00:00Z")));
        assert_eq!(
            tick(&mut holds, None, at("2026-11-21T22:00:00Z")),
            [Event::Began("deploy".into())]
        );
        assert_eq!(
            tick(&mut holds, None, at("2026-11-21T21:00:00Z")),
            [],
            "a clock put back"
        );
        assert_eq!(holds[0].state(at("2026-11-21T21:00:00Z")), State::Active);
        assert_eq!(
            tick(&mut holds, None, at("2026-11-21T23:00:00Z")),
            [Event::Overdue("deploy".into())]
        );
        assert_eq!(tick(&mut holds, None, at("2026-11-21T23:01:00Z")), []);
        assert_eq!(holds.len(), 1, "not released unless that was asked for");
    }

    #[test]
    fn a_window_that_passed_unseen_is_not_raised_afterwards() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        on(&mut holds, &wish(Some("22:00"), Some("1h")), now).unwrap();
        assert_eq!(
            tick(&mut holds, None, at("2026-11-22T04:00:00Z")),
            [Event::Lapsed("deploy".into())]
        );
        assert!(holds.is_empty());
    }

    #[test]
    fn auto_off_is_released_by_the_clock() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        let wish = Wish {
            auto_off: true,
            ..wish(None, Some("15m"))
        };
        on(&mut holds, &wish, now).unwrap();
        assert_eq!(
            tick(&mut holds, None, at("2026-11-21T20:15:00Z")),
            [Event::Ended("deploy".into())]
        );
        assert!(holds.is_empty());
    }

    #[test]
    fn times_that_make_no_sense_are_refused() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        let until = |text: &str| Wish {
            until: Some((when::parse(text).unwrap(), text.to_owned())),
            ..wish(None, None)
        };
        assert!(on(&mut holds, &until("2026-11-21T19:00:00Z"), now).is_err());
        assert!(on(&mut holds, &wish(None, Some("0s")), now).is_err());
        assert!(holds.is_empty());
        on(&mut holds, &wish(None, None), now).unwrap();
        assert!(on(&mut holds, &wish(Some("+1h"), None), now).is_err());
    }

    #[test]
    fn users_are_warned_from_the_announcement_or_so_long_ahead() {
        let (mut holds, now) = (Vec::new(), at("2026-11-21T20:00:00Z"));
        on(&mut holds, &wish(Some("22:00"), None), now).unwrap();
        assert_eq!(holds[0].warn_from, now);
        let ahead = Wish {
            warn: Some(Duration::from_secs(1800)),
            ..wish(Some("22:00"), None)
        };
        on(&mut holds, &ahead, now).unwrap();
        assert_eq!(holds[0].warn_from, at("2026-11-21T21:30:00Z"));
    }
}
