//! `on` and `wait`: the page goes up now, or when its start has come.

use super::{disproved, prove, remarks, report};
use crate::change::{self, Wish};
use crate::clues;
use crate::hold::{Hold, State};
use crate::layout::Layout;
use crate::person::Seat;
use crate::report::{Item, Maintenance};
use crate::request::Proof;
use crate::settle::{Settled, Settling};
use crate::template;
use crate::wait::{self, Waited};
use crate::when;
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;
use base::{Error, Result};
use jiff::Timestamp;
use std::path::PathBuf;

/// What `on` was asked.
#[derive(Debug)]
pub struct On {
    pub layout: Layout,
    /// The hold.
    pub wish: Wish,
    /// The template's directory.
    pub template: Option<PathBuf>,
    /// Whether to wait for the start.
    pub wait: bool,
    /// Whether to rename what is foreign.
    pub force: bool,
    /// Where to prove it.
    pub proof: Proof,
}

/// `maint-page on`.
pub fn run(on: &On, context: &Context) -> Result<Report<Maintenance>> {
    let mut settled = begin(on, context)?;
    let mut items = std::mem::take(&mut settled.items);
    let mine = settled.holds.iter().find(|hold| hold.id == on.wish.id);
    let to_come = mine.is_some_and(|hold| hold.state(settled.now) == State::Announced);
    if settled.error.is_none() && on.wait && !context.dry_run && to_come {
        let watch = Watch::begin()?;
        match wait::until_up(&on.layout, Some(&on.wish.id), on.force, context, &watch)? {
            Waited::Up(later) => {
                items.extend(later.items.iter().cloned());
                settled = *later;
            }
            other => return Ok(not_up(&on.layout, other, items, context)),
        }
    }
    Ok(finish(
        "on",
        &on.layout,
        Some(&on.wish.id),
        settled,
        items,
        &on.proof,
        context,
    ))
}

/// Makes the hold, and raises the page if its start has come.
pub fn begin(on: &On, context: &Context) -> Result<Settled> {
    let template = on.template.as_deref().map(template::read).transpose()?;
    let mut wish = on.wish.clone();
    wish.template = template.as_ref().map(|template| template.name.clone());
    let wrong = |why: String| Error::usage(why).hint("maint-page status says what is planned");
    if !on.layout.dir().exists() {
        // Wrong times are refused before anything is made for them.
        change::on(&mut Vec::new(), &wish, Timestamp::now()).map_err(wrong)?;
    }
    let settling = Settling {
        template: template.as_ref(),
        force: on.force,
        makes: true,
        ..Settling::new(&on.layout, context)
    };
    let mut settled = settling.run(|holds, _, now| {
        if let Some(hold) = change::anothers(holds, &wish).filter(|_| !on.force) {
            return Err(held(hold));
        }
        change::on(holds, &wish, now).map_err(wrong)
    })?;
    settled.warnings.extend(warnings(on, &settled));
    Ok(settled)
}

/// Somebody else holds the page under the same name.
fn held(hold: &Hold) -> Error {
    let seat = hold.seat.as_ref().map(Seat::shown).unwrap_or_default();
    Error::locked(format!(
        "the hold '{}' is somebody else's: {} took it at {}{seat}",
        hold.id,
        hold.created_by,
        when::rfc3339(hold.created_at, &hold.zone()),
    ))
    .hint("give --id NAME for a hold of your own, or --force to change theirs")
}

fn warnings(on: &On, settled: &Settled) -> Vec<String> {
    let link = clues::link_on_the_way(&on.layout.flag_path()).map(|path| {
        format!("{path} is a symbolic link on the way to the page: when it is turned elsewhere, the server no longer sees the flag")
    });
    let closed = if settled.error.is_none() {
        clues::closed_to_the_server(&on.layout)
    } else {
        None
    };
    [clues::single_file_warning(&on.layout), link, closed]
        .into_iter()
        .flatten()
        .collect()
}

/// `maint-page wait`.
pub fn wait(
    layout: &Layout,
    id: Option<&str>,
    force: bool,
    proof: &Proof,
    context: &Context,
) -> Result<Report<Maintenance>> {
    let watch = Watch::begin()?;
    match wait::until_up(layout, id, force, context, &watch)? {
        Waited::Up(mut settled) => {
            let items = std::mem::take(&mut settled.items);
            Ok(finish("wait", layout, id, *settled, items, proof, context))
        }
        other => Ok(not_up(layout, other, Vec::new(), context)),
    }
}

fn not_up(
    layout: &Layout,
    waited: Waited,
    items: Vec<Item>,
    context: &Context,
) -> Report<Maintenance> {
    let changed = !items.is_empty();
    let settled = Settling {
        dry_run: true,
        ..Settling::new(layout, context)
    }
    .run(|_, _, _| Ok(()));
    let mut body = settled
        .map(|settled| settled.body("wait", layout))
        .unwrap_or_default();
    body.items = items;
    match waited {
        Waited::Interrupted(signal) => {
            let code = u8::try_from(128 + signal as i32).unwrap_or(u8::MAX);
            let msg = format!("interrupted by {signal}; the announcement stands");
            Report::new(Status::Failed, msg, body)
                .changed(changed)
                .exit(base::Exit::Command(code))
        }
        Waited::Late => {
            let error = Error::deadline("the start has not come in the time given")
                .hint("the announcement stands; `maint-page tick` or `wait` go on from here");
            Report::new(Status::Retry, "not yet: the announcement stands", body)
                .changed(changed)
                .error(error)
        }
        Waited::Nothing | Waited::Up(_) => {
            Report::new(Status::No, "nothing is announced", body).changed(changed)
        }
        Waited::Gone => Report::new(
            Status::No,
            "the announcement was taken back meanwhile",
            body,
        )
        .changed(changed),
    }
}

/// Proves what was done, and reports it.
fn finish(
    command: &str,
    layout: &Layout,
    id: Option<&str>,
    settled: Settled,
    items: Vec<Item>,
    proof: &Proof,
    context: &Context,
) -> Report<Maintenance> {
    let mut body = settled.body(command, layout);
    let changed = !items.is_empty();
    body.items = items;
    let mut error = settled.error.clone();
    if error.is_none() && body.up && !context.dry_run {
        let tokens: Vec<String> = settled
            .holds
            .iter()
            .map(|hold| hold.token.clone())
            .collect();
        body.verified = prove(proof, true, &tokens, Some(layout), context);
        error = disproved(&body.verified, true);
    }
    let warnings = settled
        .warnings
        .iter()
        .cloned()
        .chain(remarks(&body.verified))
        .collect();
    let msg = match (&settled.error, &error) {
        (Some(error), _) => error.message.clone(),
        (None, Some(_)) => format!(
            "{}; not proved over HTTP",
            message(&settled, &body, id, context.dry_run)
        ),
        (None, None) => message(&settled, &body, id, context.dry_run),
    };
    let report = report(body, msg, changed, context)
        .warnings(warnings)
        .diff(settled.diff);
    match error {
        Some(error) => report.error(error),
        None => report,
    }
}

/// Says first what became of the hold that was asked about.
fn message(settled: &Settled, body: &Maintenance, id: Option<&str>, dry_run: bool) -> String {
    let mine = body.holds.iter().find(|hold| id == Some(hold.id.as_str()));
    let others: Vec<&str> = body
        .holds
        .iter()
        .filter(|hold| hold.state.is_up() && id != Some(hold.id.as_str()))
        .map(|hold| hold.id.as_str())
        .collect();
    let (state, starts, ends) = match mine {
        Some(hold) => (hold.state, Some(&hold.starts_at), hold.ends_at.as_ref()),
        None => (
            settled.state(),
            body.starts_at.as_ref(),
            body.ends_at.as_ref(),
        ),
    };
    let until = ends.map_or(String::new(), |end| format!(" until {end}"));
    let also = if others.is_empty() {
        String::new()
    } else {
        format!("; up for {}", others.join(", "))
    };
    match state {
        State::Announced => format!(
            "announced for {}{until}{also}",
            starts.map_or("later", String::as_str)
        ),
        State::Off => "off".to_owned(),
        State::Overdue => format!(
            "up and overdue since {}{also}",
            ends.map_or("its end", String::as_str)
        ),
        State::Active if dry_run => format!("would be up{until}{also}"),
        State::Active => format!("up{until}{}", also.replace("; up for", "; also for")),
    }
}
