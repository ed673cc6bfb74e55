//! rollback and list: what the releases beside an environment are, and going back to one.

use std::path::Path;

use base::error::{Error, Result};
use base::report::{Diff, Report, Status};
use base::tool::Context;

use crate::act::Locked;
use crate::difference;
use crate::journal::{Command, Journal, Led};
use crate::manifest::Manifest;
use crate::releases::{self, State, Store};
use crate::report::{Body, Item, Release};
use crate::request::quoted;
use crate::users::{self, By, Seen};

/// Lets the environment lead to what was live before.
pub fn rollback(
    venv: &Path,
    to: Option<&str>,
    context: &Context,
    told: &Seen,
) -> Result<Report<Body>> {
    let store = Store::beside(venv)?;
    if context.dry_run {
        let (state, to) = destination(&store, to)?;
        let changed = Led::of(&state).as_ref() != Some(&to);
        let body = body(&store, &state);
        let (status, msg) = match changed {
            true => (Status::No, format!("would go back to {}", to.text())),
            false => (Status::Ok, format!("{} is live already", to.text())),
        };
        return Ok(Report::new(status, msg, body)
            .changed(changed)
            .diff(changed.then(|| difference_to(&store, &state, &to))));
    }
    destination(&store, to)?;
    let locked = Locked::take(&store, context.lock_wait)?;
    locked.sweep()?;
    let (state, to) = destination(&store, to)?;
    if Led::of(&state).as_ref() == Some(&to) {
        let msg = format!("{} is live already", to.text());
        return Ok(Report::new(Status::Ok, msg, body(&store, &state)));
    }
    let diff = difference_to(&store, &state, &to);
    match &to {
        Led::Release(id) => drop(locked.go_live(id, &state, Command::Rollback)?),
        Led::Link(target) => locked.go_back_to_link(target, &state)?,
    }
    let mut out = body(&store, &store.state()?);
    out.previous = Led::of(&state).map(|led| led.text().to_owned());
    let mut seen = users::observe(&store, None);
    seen.users.extend_from_slice(&told.users);
    users::report(&mut out, &store, &seen);
    let msg = format!("'{}' is {} again", store.venv.display(), to.text());
    Ok(Report::new(Status::Ok, msg, out)
        .changed(true)
        .diff(Some(diff)))
}

/// What `--diff` shows.
fn difference_to(store: &Store, state: &State, to: &Led) -> Diff {
    let live = Led::of(state).map_or_else(String::new, |led| led.text().to_owned());
    let path = match to {
        Led::Release(id) => store.release(id),
        Led::Link(target) => store.parent.join(target),
    };
    difference::between(
        (live, difference::as_is(&store.venv, &[])),
        to.text(),
        &path,
    )
}

/// What is live, and where to go back to.
fn destination(store: &Store, to: Option<&str>) -> Result<(State, Led)> {
    let state = store.state()?;
    let live = match (&state, to) {
        (State::Release(live), _) => live.clone(),
        (State::ForeignLink(_), Some(_)) => String::new(),
        _ => {
            let error = Error::failed(format!(
                "'{}' is not a link to a release",
                store.venv.display()
            ));
            return Err(error.hint("venv-sync apply --adopt makes the path one"));
        }
    };
    let ids = store.complete()?;
    let usable = |id: &String| Manifest::read(&store.release(id)).prepared.is_none() || *id == live;
    let to = match to {
        Some(id) => ids
            .into_iter()
            .find(|have| have == id)
            .map(Led::Release)
            .ok_or_else(|| {
                Error::failed(format!("there is no release '{id}'")).hint(format!(
                    "venv-sync list {} shows the releases",
                    quoted(&store.venv)
                ))
            })?,
        None => before(store, &live, &ids).ok_or_else(|| {
            let others = ids.iter().any(|id| *id != live && usable(id));
            let error = Error::failed(format!("there is no release before {live}"));
            match others {
                true => error.hint(format!(
                    "rollback --to ID goes to another release: venv-sync list {} shows the releases",
                    quoted(&store.venv)
                )),
                false => error,
            }
        })?,
    };
    match &to {
        Led::Release(id) => can_run(&store.release(id), id)?,
        Led::Link(target) => can_run(&store.parent.join(target), target)?,
    }
    Ok((state, to))
}

/// The release that was live when the live one was applied, or the one before that where it is
/// gone.
fn before(store: &Store, live: &str, ids: &[String]) -> Option<Led> {
    let journal = Journal::read(store);
    let current = Led::Release(live.to_owned());
    let mut known = journal.before(&current).into_iter();
    let found = known.find(|led| match led {
        Led::Release(id) => ids.contains(id),
        Led::Link(target) => store.parent.join(target).is_dir(),
    });
    if found.is_some() || journal.current(&current).is_some() {
        return found;
    }
    // A store of version 0.1, which remembered nothing: the names are in the order of time.
    let earlier = ids.iter().rfind(|id| id.as_str() < live);
    earlier.map(|id| Led::Release(id.clone()))
}

fn can_run(path: &Path, name: &str) -> Result<()> {
    let environment = pydist::Environment::open(path).ok();
    let works = environment
        .and_then(|environment| environment.interpreter)
        .is_some_and(|interpreter| interpreter.executable);
    match works {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "the release '{name}' has no interpreter that works"
        ))
        .hint("venv-sync list shows the others")),
    }
}

fn body(store: &Store, state: &State) -> Body {
    Body {
        live: store.live(state).map(|path| path.display().to_string()),
        release: match state {
            State::Release(id) => Some(id.clone()),
            _ => None,
        },
        ..Body::default()
    }
}

/// The releases, and who runs them.
pub fn list(venv: &Path) -> Result<Report<Body>> {
    let store = Store::beside(venv)?;
    let state = store.state()?;
    let mut out = body(&store, &state);
    let live = out.release.clone();
    let ids = store.ids()?;
    if ids.is_empty() && state == State::Absent {
        return Err(Error::failed(format!(
            "'{}': there is no environment, and no release",
            venv.display()
        ))
        .hint("venv-sync apply makes the environment"));
    }
    let seen = users::observe(&store, None);
    users::report(&mut out, &store, &seen);
    out.history = Journal::read(&store).flips;
    out.items = ids
        .iter()
        .map(|id| release(&store, id, live.as_ref(), &seen).map(Item::Release))
        .collect::<Result<_>>()?;
    let mut waiting = store.prepared()?.into_iter().map(|(id, _)| id);
    out.prepared = waiting.rfind(|id| Some(id) != live.as_ref());
    let count = match ids.len() {
        1 => "1 release".to_owned(),
        count => format!("{count} releases"),
    };
    let msg = match &live {
        Some(live) => format!("{count}, {live} is live"),
        None => format!(
            "{count}, none is live: '{}' is not a link to one",
            venv.display()
        ),
    };
    Ok(Report::new(Status::Ok, msg, out))
}

fn release(store: &Store, id: &str, live: Option<&String>, seen: &Seen) -> Result<Release> {
    let path = store.release(id);
    let installed = pydist::Environment::open(&path)
        .ok()
        .and_then(|environment| environment.distributions().ok());
    let is_live = live.is_some_and(|live| live == id);
    let uses = |by: &By| matches!(by, By::Release(have) if have == id);
    Ok(Release {
        id: id.to_owned(),
        live: is_live,
        complete: store.is_complete(id)?,
        prepared: !is_live && Manifest::read(&path).prepared.is_some(),
        created_at: releases::created_at(id),
        installed: installed.map_or(0, |dists| dists.len()),
        pids: seen
            .users
            .iter()
            .filter(|user| uses(&user.by))
            .map(|user| user.pid)
            .collect(),
        path: path.display().to_string(),
    })
}
