//! svc-cycle: stop, start, restart, reload or inspect a set of services in order, and tell the
//! truth about the result.
//!
//! A run reads the request, observes every service, makes a plan, checks what can be checked, and
//! acts; `cycle` and `restart` keep a journal and a guardian meanwhile, so that what ran before
//! runs again whatever happens. This tool refuses to believe exit codes, pid files and its own
//! success: each of them is looked at again afterwards.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod act;
mod backend;
mod change;
mod cli;
mod cycle;
mod expect;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod fuzz;
mod id;
mod inspect;
mod interrupt;
mod journal;
mod lock;
mod order;
mod plan;
mod preflight;
#[doc(hidden)]
pub mod readers;
mod ready;
mod recover;
mod reload;
mod report;
mod request;
mod service;
mod set;
mod snapshot;
mod state;
mod task;
mod verdict;
mod xmlrpc;

use std::ffi::OsString;

use base::cli::{Asked, CommandLine, Parsed};
use base::document::Document;
use base::report::Report;
use base::tool::{Context, Tool};
use base::{Exit, Result};

use request::Action;
use set::Set;

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
        let request = cli::request(parsed)?;
        match request.action {
            Action::Recover => recover::run(&request, context),
            Action::Status | Action::Check => {
                let set = Set::of_origin(&request.origin)?;
                inspect::run(&request, &set)
            }
            Action::Snapshot => snapshot::run(&request, &Set::of_origin(&request.origin)?, context),
            _ => {
                let set = Set::of_origin(&request.origin)?;
                let changed = change::run(&request, set, context)?;
                Ok(verdict::of_change(&request, changed))
            }
        }
    }

    fn guardian(_: &str, payload: &[u8]) -> Exit {
        recover::as_guardian(payload)
    }
}
