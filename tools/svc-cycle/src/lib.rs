//! svc-cycle: stop, start, restart, reload or inspect a set of services in order, and tell the truth about the result.
//!
//! A run reads the request, observes every service, makes a plan, and acts on it; `cycle` and `restart` keep a journal
//! and a guardian meanwhile, so that what ran before runs again whatever happens. This tool refuses to believe exit
//! codes, pid files and its own success: each of them is looked at again afterwards.

pub mod act;
pub mod backend;
pub mod change;
pub mod cli;
pub mod cycle;
pub mod expect;
pub mod inspect;
pub mod interrupt;
pub mod journal;
pub mod lock;
pub mod order;
pub mod plan;
pub mod ready;
pub mod recover;
pub mod reload;
pub mod report;
pub mod set;
pub mod xmlrpc;

use std::ffi::OsString;

use base::cli::{Asked, CommandLine, Parsed};
use base::document::Document;
use base::report::Report;
use base::tool::{Context, Tool};
use base::{Exit, Result};

use cli::{Action, Request};

/// The program.
#[derive(Debug)]
pub struct SvcCycle;

impl Tool for SvcCycle {
    const COMMAND_LINE: &'static CommandLine = &cli::COMMAND_LINE;
    type Body = report::Cycle;

    fn parse(args: Vec<OsString>) -> Result<Asked> {
        subcommands::parse(Self::COMMAND_LINE, args)
    }

    fn documents() -> Vec<Document> {
        vec![set::document::document()]
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Self::Body>> {
        let request = Request::read(parsed)?;
        if request.action == Action::Recover {
            return recover::run(context);
        }
        let set = request.origin.set()?;
        match request.action {
            Action::Status | Action::Check => inspect::run(&request, &set),
            _ => change::run(&request, &set, context),
        }
    }

    fn guardian(_: &str, payload: &[u8]) -> Exit {
        recover::as_guardian(payload)
    }
}
