//! `status`: reads, and says whether files and holds agree.

use crate::bypass::Key;
use crate::hold::{Hold, State};
use crate::layout::{Layout, Place};
use crate::observe::{self, Found, Observed, Opened};
use crate::page;
use crate::plan::{self, Step};
use crate::report::Maintenance;
use crate::settle;
use crate::standing::standing;
use base::Result;
use base::report::{Report, Status};
use jiff::Timestamp;

/// `maint-page status`; `id` is the only hold that counts, `side` what it is asked to be.
pub fn run(layout: &Layout, id: Option<&str>, side: Option<bool>) -> Result<Report<Maintenance>> {
    let observed = observe::observe(layout, &Opened::new(layout)?)?;
    let now = Timestamp::now();
    let mut wrong = wrong(layout, &observed, id, now);
    let holds: Vec<Hold> = observed
        .holds
        .into_iter()
        .filter(|hold| id.is_none_or(|id| hold.id == id))
        .collect();
    let body = settle::body("status", layout, &holds, &observed.flag, now, Vec::new());
    if body.state == State::Overdue {
        wrong.push(format!(
            "overdue since {}",
            body.ends_at.as_deref().unwrap_or("its end")
        ));
    }
    // One hold is on while it keeps the page up; all of them, while the page is up.
    let (is_on, is_off) = match id {
        Some(_) => (body.up && body.state.is_up(), !body.state.is_up()),
        None => (body.up, observed.flag == Found::Absent),
    };
    match side {
        Some(true) if !is_on => wrong.push("the page is not on".to_owned()),
        Some(false) if !is_off => wrong.push("the page is not off".to_owned()),
        _ => {}
    }
    let state = body.state.word();
    let msg = if wrong.is_empty() {
        state.to_owned()
    } else {
        format!("{state}; {}", wrong.join("; "))
    };
    let status = if wrong.is_empty() {
        Status::Ok
    } else {
        Status::No
    };
    Ok(Report::new(status, msg, body))
}

/// Whether what was found is the page of the holds that are up.
fn speaks_for(found: &Found, holds: &[Hold], now: Timestamp) -> bool {
    let standing = standing(holds, now);
    let carried = found.bytes().and_then(page::tokens).unwrap_or_default();
    standing.state.is_up() && carried == standing.tokens
}

/// Where the files do not say what the holds say. What only time has moved is not wrong.
fn wrong(layout: &Layout, observed: &Observed, id: Option<&str>, now: Timestamp) -> Vec<String> {
    let keys: Vec<Key> = observed.keys.clone();
    let mut wrong = Vec::new();
    if let Found::Foreign(why) = &observed.flag {
        wrong.push(format!(
            "'{}' is foreign: {why}; `maint-page tick --force` renames it aside",
            layout.flag_path().display()
        ));
    }
    let counts = |hold: &&Hold| id.is_none_or(|id| hold.id == id);
    for hold in observed
        .holds
        .iter()
        .filter(counts)
        .filter(|hold| hold.is_due(now))
    {
        wrong.push(format!(
            "the start of {} has come and nobody put the page up (is `maint-page tick` in cron?)",
            hold.id
        ));
    }
    for step in plan::plan(layout, observed, &observed.holds, &keys, now, true).steps {
        let said = match step {
            // The page of these holds, whose words only time has overtaken: the next tick says
            // them.
            Step::Write(Place::Html, _) if speaks_for(&observed.html, &observed.holds, now) => {
                continue;
            }
            Step::Write(Place::Json, _) if speaks_for(&observed.json, &observed.holds, now) => {
                continue;
            }
            // Told above.
            Step::Write(Place::Flag, _) if matches!(observed.flag, Found::Foreign(_)) => continue,
            Step::Write(place @ (Place::Flag | Place::Html | Place::Json), _) => {
                format!(
                    "{} is missing or not as it should be",
                    place.path(layout).display()
                )
            }
            Step::Remove(place @ Place::Flag) => {
                format!("{} is there without a hold", place.path(layout).display())
            }
            _ => continue,
        };
        wrong.push(format!("{said}; any `maint-page tick` mends it"));
    }
    wrong
}
