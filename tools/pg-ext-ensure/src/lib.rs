//! `pg-ext-ensure`: PostgreSQL extensions, in every database that needs them, with the least
//! privilege and a straight answer where that cannot be. Request ([`cli`]), observe, plan, act,
//! report, database by database ([`ensure`], [`fleet`]). And, for commands that insist on one, a
//! superuser for the length of a command ([`elevate`]).
//!
//! What it refuses to do: drop and create again, guess from the words of an error message, use an
//! administrator's rights for what the application may do itself.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod act;
mod call;
mod catalog;
mod cause;
mod cli;
mod connect;
mod diagnose;
mod elevate;
mod ensure;
mod fix;
mod fleet;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod fuzz;
mod items;
mod migrations;
mod observe;
mod package;
mod packager;
mod plan;
mod preload;
mod report;
mod request;
mod rights;
mod session;
mod spec;
mod sql;
mod verdict;
mod want;

use base::cli::{Asked, CommandLine, Parsed};
use base::document::Document;
use base::error::Result;
use base::exit::Exit;
use base::report::Report;
use base::tool::{Context, Tool};
use request::Request;
use std::ffi::OsString;

/// The program.
#[derive(Debug)]
pub struct PgExtEnsure;

impl Tool for PgExtEnsure {
    const COMMAND_LINE: &'static CommandLine = &cli::COMMAND_LINE;

    type Body = report::Body;

    fn parse(args: Vec<OsString>) -> Result<Asked> {
        subcommands::parse(Self::COMMAND_LINE, args)
    }

    fn documents() -> Vec<Document> {
        vec![spec::document()]
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Self::Body>> {
        match cli::request(parsed)? {
            Request::Ensure(request) => {
                let outcomes = fleet::run(&request, context)?;
                Ok(verdict::report(
                    outcomes,
                    request.migrations,
                    context.dry_run,
                ))
            }
            Request::Elevate(request) => elevate::run::run(&request, context),
            Request::Recover(admin) => elevate::recover::run(&admin, context),
        }
    }

    fn guardian(kind: &str, payload: &[u8]) -> Exit {
        match kind {
            elevate::guardian::KIND => elevate::guardian::guard(payload),
            _ => Exit::Usage,
        }
    }
}
