//! `on` and `wait`: the page goes up now, or when its start has come.

use super::{disproved, prove, remarks, report};
use crate::change::{self, Wish};
use crate::clues;
use crate::hold::State;
use crate::layout::Layout;
use crate::report::{Item, Maintenance};
use crate::request::Proof;
use crate::settle::{Settled, Settling};
use crate::template;
use crate::wait::{self, Waited};
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;
use base::{Error, Result};
use std::path::PathBuf;

/// What `on` was asked.
#[derive(Debug)]
pub struct On {
    /// Where.
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
    if settled.error.is_none() && on.wait && !context.dry_run && settled.state() == State::Announced {
        let watch = Watch::begin()?;
        match wait::until_up(&on.layout, Some(&on.wish.id), context, &watch)? {
            Waited::Up(later) => {
                items.extend(later.items.iter().cloned());
                settled = *later;
            }
            other => return Ok(not_up(&on.layout, other, items, context)),
        }
    }
    Ok(finish("on", &on.layout, settled, items, &on.proof, context))
}

/// Makes the hold, and raises the page if its start has come.
pub fn begin(on: &On, context: &Context) -> Result<Settled> {
    let template = on.template.as_deref().map(template::read).transpose()?;
    let mut wish = on.wish.clone();
    wish.template = template.as_ref().map(|template| template.name.clone());
    let settling = Settling { template: template.as_ref(), force: on.force, makes: true, ..Settling::new(&on.layout, context) };
    let mut settled = settling.run(|holds, _, now| {
        change::on(holds, &wish, now).map_err(|why| Error::usage(why).hint("maint-page status says what is planned"))
    })?;
    settled.warnings.extend(warnings(on, &settled));
    Ok(settled)
}

fn warnings(on: &On, settled: &Settled) -> Vec<String> {
    let link = clues::link_on_the_way(&on.layout.flag_path()).map(|path| {
        format!("{path} is a symbolic link on the way to the page: when it is turned elsewhere, the server no longer sees the flag")
    });
    let closed = if settled.error.is_none() { clues::closed_to_the_server(&on.layout) } else { None };
    [clues::single_file_warning(&on.layout), link, closed].into_iter().flatten().collect()
}

/// `maint-page wait`.
pub fn wait(layout: &Layout, id: Option<&str>, proof: &Proof, context: &Context) -> Result<Report<Maintenance>> {
    let watch = Watch::begin()?;
    match wait::until_up(layout, id, context, &watch)? {
        Waited::Up(mut settled) => {
            let items = std::mem::take(&mut settled.items);
            Ok(finish("wait", layout, *settled, items, proof, context))
        }
        other => Ok(not_up(layout, other, Vec::new(), context)),
    }
}

fn not_up(layout: &Layout, waited: Waited, items: Vec<Item>, context: &Context) -> Report<Maintenance> {
    let changed = !items.is_empty();
    let settled = Settling { dry_run: true, ..Settling::new(layout, context) }.run(|_, _, _| Ok(()));
    let mut body = settled.map(|settled| settled.body("wait", layout)).unwrap_or_default();
    body.items = items;
    match waited {
        Waited::Interrupted(signal) => {
            let code = u8::try_from(128 + signal as i32).unwrap_or(u8::MAX);
            let msg = format!("interrupted by {signal}; the announcement stands");
            Report::new(Status::Failed, msg, body).changed(changed).exit(base::Exit::Command(code))
        }
        Waited::Late => {
            let error = Error::deadline("the start has not come in the time given")
                .hint("the announcement stands; `maint-page tick` or `wait` go on from here");
            Report::new(Status::Retry, "not yet: the announcement stands", body).changed(changed).error(error)
        }
        Waited::Nothing | Waited::Up(_) => Report::new(Status::No, "nothing is announced", body).changed(changed),
        Waited::Gone => Report::new(Status::No, "the announcement was taken back meanwhile", body).changed(changed),
    }
}

/// Proves what was done, and reports it.
pub fn finish(command: &str, layout: &Layout, settled: Settled, items: Vec<Item>, proof: &Proof, context: &Context) -> Report<Maintenance> {
    let mut body = settled.body(command, layout);
    let changed = !items.is_empty();
    body.items = items;
    let mut error = settled.error.clone();
    if error.is_none() && body.up && !context.dry_run {
        let tokens: Vec<String> = settled.holds.iter().map(|hold| hold.token.clone()).collect();
        body.verified = prove(proof, true, &tokens, Some(layout), context);
        error = disproved(&body.verified, true);
    }
    let warnings = settled.warnings.iter().cloned().chain(remarks(&body.verified)).collect();
    let msg = message(&settled, &body, context.dry_run);
    let report = report(body, msg, changed, context).warnings(warnings).diff(settled.diff);
    match error {
        Some(error) => report.error(error),
        None => report,
    }
}

fn message(settled: &Settled, body: &Maintenance, dry_run: bool) -> String {
    if let Some(error) = &settled.error {
        return error.message.clone();
    }
    let others = match settled.holds.len() {
        0 | 1 => String::new(),
        n => format!(", {n} holds"),
    };
    let until = body.ends_at.as_ref().map_or(String::new(), |end| format!(" until {end}"));
    match (settled.state(), dry_run) {
        (State::Announced, _) => format!("announced for {}{until}{others}", body.starts_at.as_deref().unwrap_or("later")),
        (State::Off, _) => "off".to_owned(),
        (State::Overdue, _) => format!("up and overdue since {}{others}", body.ends_at.as_deref().unwrap_or("its end")),
        (State::Active, true) => format!("would be up{until}{others}"),
        (State::Active, false) => format!("up{until}{others}"),
    }
}
