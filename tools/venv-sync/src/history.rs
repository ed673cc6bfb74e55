//! rollback and list: what the releases beside an environment are, and going back to one.

use base::error::{Error, Result};
use base::report::{Diff, Report, Status};
use base::tool::Context;

use std::path::Path;

use crate::act::Locked;
use crate::difference;
use crate::processes::{self, User};
use crate::releases::{self, State, Store};
use crate::report::{Body, Item, Release};

/// Lets the environment lead to an earlier release.
pub fn rollback(
    venv: &Path,
    to: Option<&str>,
    context: &Context,
    in_use: &[User],
) -> Result<Report<Body>> {
    let store = Store::beside(venv)?;
    if context.dry_run {
        let (state, id) = destination(&store, to)?;
        let changed = state != State::Release(id.clone());
        let body = body(&store, &state);
        let (status, msg) = match changed {
            true => (Status::No, format!("would go back to {id}")),
            false => (Status::Ok, format!("{id} is live already")),
        };
        return Ok(Report::new(status, msg, body)
            .changed(changed)
            .diff(changed.then(|| to_release(&store, &state, &id))));
    }
    destination(&store, to)?;
    let locked = Locked::take(&store, context.lock_wait)?;
    locked.sweep()?;
    let (state, id) = destination(&store, to)?;
    if state == State::Release(id.clone()) {
        return Ok(Report::new(
            Status::Ok,
            format!("{id} is live already"),
            body(&store, &state),
        ));
    }
    let diff = to_release(&store, &state, &id);
    locked.go_live(&id, &state)?;
    let mut out = body(&store, &State::Release(id.clone()));
    if let State::Release(previous) = state {
        out.previous = Some(previous);
    }
    look_for_stale(&mut out, &store, &id, in_use);
    let msg = format!("{} is {id} again", store.venv.display());
    Ok(Report::new(Status::Ok, msg, out)
        .changed(true)
        .diff(Some(diff)))
}

/// What `--diff` shows.
fn to_release(store: &Store, state: &State, id: &str) -> Diff {
    let live = if let State::Release(live) = state {
        live.clone()
    } else {
        String::new()
    };
    difference::between(
        (live, difference::as_is(&store.venv, &[])),
        id,
        &store.release(id),
    )
}

/// What is live, and where to go back to.
fn destination(store: &Store, to: Option<&str>) -> Result<(State, String)> {
    let state = store.state()?;
    let live = match &state {
        State::Release(live) => live.clone(),
        _ => {
            let error = Error::failed(format!(
                "{} is not a link to a release",
                store.venv.display()
            ));
            return Err(error.hint("venv-sync apply --adopt makes it one"));
        }
    };
    let ids = store.complete()?;
    let id = match to {
        Some(id) => ids.into_iter().find(|have| have == id).ok_or_else(|| {
            Error::failed(format!("there is no release {id}")).hint(format!(
                "venv-sync list {} shows them",
                store.venv.display()
            ))
        })?,
        None => ids.into_iter().rfind(|id| *id < live).ok_or_else(|| {
            Error::failed(format!("there is no release before {live}"))
                .hint("rollback --to ID goes to a later one")
        })?,
    };
    let environment = pydist::Environment::open(store.release(&id)).ok();
    if !environment
        .and_then(|environment| environment.interpreter)
        .is_some_and(|interpreter| interpreter.executable)
    {
        return Err(
            Error::failed(format!("the release {id} has no interpreter that works"))
                .hint("venv-sync list shows the others"),
        );
    }
    Ok((state, id))
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

fn look_for_stale(body: &mut Body, store: &Store, id: &str, in_use: &[User]) -> Vec<User> {
    let mut users = processes::users(store);
    users.extend_from_slice(in_use);
    body.stale_processes = processes::stale(&users, Some(id), store.link_changed());
    body.restart_required = Some(!body.stale_processes.is_empty());
    users
}

/// The releases, and who runs them.
pub fn list(venv: &Path) -> Result<Report<Body>> {
    let store = Store::beside(venv)?;
    let state = store.state()?;
    let mut out = body(&store, &state);
    let live = out.release.clone();
    let users = look_for_stale(&mut out, &store, live.as_deref().unwrap_or_default(), &[]);
    let ids = store.ids()?;
    if ids.is_empty() && state == State::Absent {
        return Err(Error::failed(format!(
            "{}: there is no environment, and no release",
            venv.display()
        ))
        .hint("venv-sync apply makes one"));
    }
    out.items = ids
        .iter()
        .map(|id| -> Result<Item> {
            let path = store.release(id);
            let installed = pydist::Environment::open(&path)
                .ok()
                .and_then(|environment| environment.distributions().ok());
            Ok(Item::Release(Release {
                id: id.clone(),
                path: path.display().to_string(),
                live: live.as_ref() == Some(id),
                complete: store.is_complete(id)?,
                created_at: releases::created_at(id),
                installed: installed.map_or(0, |dists| dists.len()),
                pids: users
                    .iter()
                    .filter(|user| user.release.as_ref() == Some(id))
                    .map(|user| user.pid)
                    .collect(),
            }))
        })
        .collect::<Result<_>>()?;
    let msg = match (&live, ids.len()) {
        (Some(live), count) => format!("{count} releases, {live} is live"),
        (None, count) => format!(
            "{count} releases, none is live: {} is not a link to one",
            venv.display()
        ),
    };
    Ok(Report::new(Status::Ok, msg, out))
}
