//! Say whether a virtual environment is exactly what its requirements files ask for, and make it
//! so, all or nothing.
//!
//! check reads the files as pip does (`requirements`), looks at the environment without starting
//! Python (`observe`), compares (`compare`) and verifies files (`verify`). apply describes the
//! environment (`describe`), decides (`plan`), builds a release beside the live one (`build`),
//! checks it the same way, and lets a link lead to it (`act`). rollback and list are `history`.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod act;
mod apply;
mod assess;
mod build;
mod canonical;
mod carry;
mod checkout;
mod cli;
mod compare;
mod compile;
mod delegate;
mod describe;
mod difference;
mod environ;
mod findings;
mod foreign;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod fuzz;
mod history;
mod installer;
mod journal;
mod manifest;
mod observe;
mod pipconf;
mod plan;
mod post_checks;
mod progress;
mod releases;
mod report;
mod request;
pub mod requirements;
mod reuse;
mod rights;
mod scrub;
mod secrets;
mod shebang;
mod unreachable;
mod users;
mod verify;

use base::cli::{Asked, CommandLine, Parsed};
use base::error::Result;
use base::report::{Report, Status};
use base::tool::{Context, Tool};

use report::Body;
use request::{Goal, Request};

/// The program.
#[derive(Debug)]
pub struct VenvSync;

impl Tool for VenvSync {
    const COMMAND_LINE: &'static CommandLine = &cli::LINE;
    type Body = Body;

    fn parse(args: Vec<std::ffi::OsString>) -> Result<Asked> {
        subcommands::parse(&cli::LINE, args)
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Body>> {
        let request = cli::request(parsed)?;
        // Whatever the caller's umask is: services of other users read a release.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        if let Request::Prepare(goal, build) | Request::Apply(goal, build) = &request {
            rights::demand(goal, build)?;
        }
        if let Some(report) = delegate::to_owner(&request, context)? {
            return Ok(report);
        }
        let told = &delegate::told();
        let apply = |goal, build, prepare| {
            let run = apply::Run {
                goal,
                build,
                prepare,
                context,
                told,
            };
            run.run()
        };
        match &request {
            Request::Check(goal) => check(goal),
            Request::Prepare(goal, build) => apply(goal, build, true),
            Request::Apply(goal, build) => apply(goal, build, false),
            Request::Rollback { venv, to } => history::rollback(venv, to.as_deref(), context, told),
            Request::List { venv } => history::list(venv),
        }
    }
}

fn check(goal: &Goal) -> Result<Report<Body>> {
    let requirements = assess::requirements(goal)?;
    let found = assess::assess(&goal.venv, &requirements, goal, goal.verify)?;
    let mut body = found.body;
    body.set_findings(found.findings);
    let in_sync = body.items.is_empty();
    body.in_sync = Some(in_sync);
    if let Ok(store) = releases::Store::beside(&goal.venv) {
        let state = store.state()?;
        body.live = store.live(&state).map(|path| path.display().to_string());
        if let releases::State::Release(id) = state {
            body.release = Some(id);
        }
    }
    let status = if in_sync { Status::Ok } else { Status::No };
    Ok(Report::new(status, assess::summary(&body), body).warnings(found.warnings))
}
