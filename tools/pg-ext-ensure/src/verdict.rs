//! From the outcomes of all databases to one report: status, summary line and error are decided
//! here.

use base::error::{Error, Kind};
use base::report::{Diff, Report, Status};
use base::terminal::escape;

use crate::cause::quoted;
use crate::ensure::Outcome;
use crate::items;
use crate::migrations::Migrations;
use crate::report::{Action, Body, Found, Item, Server};
use crate::want::State;

/// The report of a run.
pub fn report(
    outcomes: Vec<Outcome>,
    migrations: Option<Migrations>,
    dry_run: bool,
) -> Report<Body> {
    let server = outcomes
        .iter()
        .find_map(|outcome| outcome.server.as_ref())
        .map(Server::from);
    let mut items = Vec::new();
    let mut warnings: Vec<String> = Vec::new();
    for outcome in outcomes {
        items.extend(outcome.items);
        for warning in outcome.warnings {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    let changed = items
        .iter()
        .any(|item| item.error.is_none() && item.action != Action::None);
    let amiss = items.iter().any(Item::is_amiss);
    let status = if amiss || (dry_run && changed) {
        Status::No
    } else {
        Status::Ok
    };
    let unknown = migrations.as_ref().and_then(unknown);
    let error = match (error(&items), unknown) {
        (Some(error), Some(unknown)) => {
            warnings.push(unknown.message);
            Some(error)
        }
        (error, unknown) => error.or(unknown),
    };
    let diff = difference(&items);
    let report = Report::new(
        status,
        match (&migrations, items.is_empty()) {
            (Some(_), true) => "the migrations create no extension".to_string(),
            _ => message(&items, dry_run),
        },
        Body {
            server,
            items,
            migrations,
            ..Body::default()
        },
    )
    .changed(changed)
    .warnings(warnings)
    .diff(diff);
    match error {
        Some(error) => report.error(error),
        None => report,
    }
}

/// Places of the migrations that may create what nobody has named: the host may lack an extension
/// although every item is met.
fn unknown(migrations: &Migrations) -> Option<Error> {
    let first = migrations.unknown.first()?;
    let others = match migrations.unknown.len() {
        1 => String::new(),
        many => format!(" ({} more)", many - 1),
    };
    let message = format!(
        "the migrations may create an extension that they do not name: {}{others}",
        escape(&first.to_string())
    );
    Some(Error::new(Kind::Unknown, message).hint(
        "read the places that the report lists under migrations.unknown; then name all extensions as EXT, without --from-migrations",
    ))
}

/// What `--diff` shows: a line for each extension that is there.
fn difference(items: &[Item]) -> Option<Diff> {
    let line = |item: &Item, found: &Option<Found>| {
        let found = found.as_ref()?;
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "?".to_string());
        Some(format!(
            "{}: {} {}, schema {}, owner {}\n",
            item.db,
            item.name,
            word(&found.version),
            word(&found.schema),
            word(&found.owner)
        ))
    };
    let before: String = items
        .iter()
        .filter_map(|item| line(item, &item.before))
        .collect();
    let after: String = items
        .iter()
        .filter_map(|item| line(item, &item.after))
        .collect();
    Diff::of("extensions", before, after)
}

fn message(items: &[Item], dry_run: bool) -> String {
    let count = |wanted: &dyn Fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
    let acted = |action: Action| move |item: &Item| item.error.is_none() && item.action == action;
    let unloaded = |item: &Item| item.is_amiss() && item.loaded == Some(false);
    let drifted = |item: &Item| item.is_amiss() && item.loaded != Some(false);
    let quiet = |state: State| {
        move |item: &Item| {
            item.error.is_none()
                && item.action == Action::None
                && item.fix.is_none()
                && item.want.state == state
        }
    };
    let to = if dry_run { "to be " } else { "" };
    let parts = [
        (count(&acted(Action::Create)), format!("{to}created")),
        (count(&acted(Action::Update)), format!("{to}updated")),
        (count(&acted(Action::SetSchema)), format!("{to}moved")),
        (count(&acted(Action::Drop)), format!("{to}dropped")),
        (count(&drifted), "in another schema".to_string()),
        (
            count(&unloaded),
            "without the library that the server has to load".to_string(),
        ),
        (count(&quiet(State::Present)), "present".to_string()),
        (count(&quiet(State::Absent)), "absent".to_string()),
        (
            count(&|item: &Item| item.error.is_some()),
            if dry_run { "would fail" } else { "failed" }.to_string(),
        ),
    ];
    let said: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    if said.is_empty() {
        "no extension was asked for".to_string()
    } else {
        said.join(", ")
    }
}

/// The first failure that trying again would not mend, or else the first; the message says how many
/// more there are.
fn error(items: &[Item]) -> Option<Error> {
    let failed: Vec<&Item> = items.iter().filter(|item| item.error.is_some()).collect();
    let lasting = failed.iter().find(|item| retry(item).is_none());
    let item = lasting.or(failed.first())?;
    let failure = item.error.as_ref()?;
    let kind = retry(item).unwrap_or(Kind::Failed);
    let others = match failed.len() {
        1 => String::new(),
        many => format!(" ({} more failed)", many - 1),
    };
    let said: Vec<String> = [&failure.detail, &failure.hint, &failure.cause]
        .into_iter()
        .flatten()
        .map(|text| format!(" ({})", escape(text)))
        .collect();
    let message = format!(
        "{} in {}: {}{}{others}",
        quoted(&item.name),
        quoted(&item.db),
        escape(&failure.message),
        said.concat()
    );
    let error = Error::new(kind, message);
    Some(match &item.fix {
        Some(fix) => error.hint(escape(&items::hint(fix))),
        None => error,
    })
}

/// What kind of trying again it is, if it is one.
fn retry(item: &Item) -> Option<Kind> {
    match item.error.as_ref()?.sqlstate.as_str() {
        "55P03" => Some(Kind::Locked),
        "57014" => Some(Kind::Deadline),
        "08001" | "08006" | "57P01" | "57P02" | "57P03" | "53300" => Some(Kind::Unreachable),
        _ => None,
    }
}
