//! check-reqs compares this host with what a site needs.
//!
//! Pipeline: [`cli`] turns arguments and files into requirements, [`plan`] chooses and orders them,
//! [`observe`] looks at the host side by side, [`plan`] adds the answers up, [`report`] and
//! [`format`] say them. Nothing is changed, so there is no `act`.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod accounts;
mod any;
mod check;
mod cli;
mod document;
mod finding;
mod fix;
mod format;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod fuzz;
mod kind;
mod manual;
mod need;
mod net;
mod observe;
mod package_db;
mod plan;
mod programs;
mod report;
mod request;
mod requirement;
mod running;
mod scene;
mod secret;
mod short;
mod size;
mod snapshot;
mod starttls;
pub mod version;
mod when;

use base::cli::{CommandLine, Parsed};
use base::report::{Raw, Report, Status};
use base::tool::{Context, Tool};
use base::{Error, Result};
use plan::Order;
use report::{Item, Listed, Requirements};
use request::{Action, Manner, Request, Source};
use requirement::{List, Requirement};
use std::sync::Arc;

/// The program.
#[derive(Debug)]
pub struct CheckReqs;

impl Tool for CheckReqs {
    const COMMAND_LINE: &'static CommandLine = &cli::COMMAND_LINE;

    type Body = Requirements;

    fn documents() -> Vec<base::document::Document> {
        manual::documents()
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Requirements>> {
        let request = cli::request(parsed)?;
        match &request.action {
            Action::Look => look(&request, context),
            Action::List => listed(requirements(&request)?, None),
            Action::Explain(id) => listed(requirements(&request)?, Some(id)),
            Action::Snapshot(kinds) => {
                let as_json = parsed.text("output") == Some("json");
                let (msg, text) = snapshot::written(kinds, as_json, &request, context.deadline)?;
                let report = Report::new(Status::Ok, msg, Requirements::default());
                Ok(report.raw(Raw::Always(text.into_bytes())))
            }
        }
    }
}

fn look(request: &Request, context: &Context) -> Result<Report<Requirements>> {
    let requirements = Arc::new(requirements(request)?);
    let order = Order::of(&requirements)?;
    let manner = Manner {
        jobs: request.jobs,
        each: request.each,
        deadline: context.deadline,
        wait: request.wait,
    };
    let outcomes = observe::look_at(&requirements, &order, manner);
    let items: Vec<Item> = requirements
        .iter()
        .zip(outcomes)
        .map(|(requirement, outcome)| Item::of(requirement, outcome))
        .collect();
    let counts = report::counts(&items);
    let report = Report::new(
        counts.verdict(request.fail_on),
        counts.text(),
        Requirements {
            items,
            listed: Vec::new(),
        },
    );
    Ok(format::dress(report, context))
}

/// Reads everything that was given, and keeps what was chosen.
fn requirements(request: &Request) -> Result<Vec<Requirement>> {
    let facts = scene::facts(&request.settings);
    let mut list = List::default();
    for source in &request.sources {
        match source {
            Source::File(origin) => list.add_file(origin, &request.settings, &facts)?,
            Source::Need(text) => list.add_need(text, &request.settings, &facts)?,
        }
    }
    if list.requirements.is_empty() {
        return Err(Error::usage("the list of requirements is empty")
            .hint("a list without requirements would always be met"));
    }
    // Wrong needs are wrong whatever is chosen.
    Order::of(&list.requirements)?;
    let (only, tags): (Vec<&str>, Vec<&str>) = (
        request.only.iter().map(String::as_str).collect(),
        request.tags.iter().map(String::as_str).collect(),
    );
    plan::chosen(list.requirements, &only, &tags)
}

fn listed(requirements: Vec<Requirement>, only: Option<&str>) -> Result<Report<Requirements>> {
    let listed: Vec<Listed> = requirements
        .iter()
        .filter(|requirement| only.is_none_or(|id| requirement.id == id))
        .map(Listed::of)
        .collect();
    if listed.is_empty() {
        let names: Vec<&str> = requirements
            .iter()
            .map(|requirement| requirement.id.as_str())
            .collect();
        let id = only.unwrap_or_default();
        let error = Error::usage(format!("--explain: there is no requirement '{id}'"));
        return Err(match base::spelling::nearest(id, &names) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint(format!("there are {}", names.join(", "))),
        });
    }
    let msg = match listed.len() {
        1 => "1 requirement, not looked at".to_string(),
        n => format!("{n} requirements, none looked at"),
    };
    Ok(Report::new(
        Status::Ok,
        msg,
        Requirements {
            items: Vec::new(),
            listed,
        },
    ))
}
