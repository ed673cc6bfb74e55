//! Say whether a virtual environment is exactly what its requirements files ask for, and make it so, all or nothing.
//!
//! check reads the files as pip does (`requirements`), looks at the environment without starting Python (`observe`), compares
//! (`compare`) and verifies files (`verify`). apply builds a release beside the live one (`installer`), checks it the same way, and
//! lets a link lead to it (`act`). rollback and list are `history`.

pub mod act;
pub mod apply;
pub mod assess;
pub mod cli;
pub mod compare;
pub mod delegate;
pub mod difference;
pub mod findings;
pub mod history;
pub mod installer;
pub mod observe;
pub mod processes;
pub mod progress;
pub mod releases;
pub mod report;
pub mod requirements;
pub mod scrub;
pub mod secrets;
pub mod unreachable;
pub mod verify;

use base::cli::{Asked, CommandLine, Parsed};
use base::error::Result;
use base::report::{Report, Status};
use base::tool::{Context, Tool};

use cli::{Request, Wanted};
use report::Body;

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
        if let Some(report) = delegate::to_owner(&request, context)? {
            return Ok(report);
        }
        let in_use = delegate::told();
        match &request {
            Request::Check(wanted) => check(wanted),
            Request::Apply(wanted, build) => apply::apply(wanted, build, context, &in_use),
            Request::Rollback { venv, to } => {
                history::rollback(venv, to.as_deref(), context, &in_use)
            }
            Request::List { venv } => history::list(venv),
        }
    }
}

fn check(wanted: &Wanted) -> Result<Report<Body>> {
    let requirements = assess::requirements(wanted)?;
    let found = assess::assess(&wanted.venv, &requirements, wanted, wanted.verify)?;
    let mut body = found.body;
    body.set_findings(found.findings);
    let in_sync = body.items.is_empty();
    body.in_sync = Some(in_sync);
    if let Ok(store) = releases::Store::beside(&wanted.venv) {
        let state = store.state()?;
        body.live = store.live(&state).map(|path| path.display().to_string());
        if let releases::State::Release(id) = state {
            body.release = Some(id);
        }
    }
    let status = if in_sync { Status::Ok } else { Status::No };
    Ok(Report::new(status, assess::summary(&body), body).warnings(found.warnings))
}
