//! cron-render: a schedule that is right, and stays installed without touching anyone else's lines.
//!
//! The story: a request (command line, facts, template), a look at the machine, findings and a
//! rendered schedule (pure), and for `install` and `remove` one change under a lock.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod act;
mod around;
mod attempt;
mod block;
mod calendar;
mod cli;
mod command;
mod crontab;
mod dialect;
mod envfile;
mod environment;
mod escape;
mod explain;
mod field;
mod finding;
mod hashed;
mod host;
mod identity;
mod judge;
mod lint;
mod look;
mod needs;
mod observe;
mod piece;
mod plan;
mod registry;
mod render;
mod report;
mod request;
mod runs;
mod schedule;
mod settings;
mod site;
mod spread;
mod target;
mod template;
mod unified;
mod upcoming;
mod verbs;
mod work;
mod zone;

use std::ffi::OsString;

use base::cli::{CommandLine, Parsed};
use base::document::Document;
use base::error::Result;
use base::report::Report;
use base::tool::{Context, Tool};

use crate::report::CronReport;
use crate::request::Asked;
use crate::work::Work;

/// The program.
#[derive(Debug)]
pub struct CronRender;

impl Tool for CronRender {
    const COMMAND_LINE: &'static CommandLine = &cli::COMMAND_LINE;
    type Body = CronReport;

    fn parse(args: Vec<OsString>) -> Result<base::cli::Asked> {
        subcommands::parse(Self::COMMAND_LINE, args)
    }

    fn documents() -> Vec<Document> {
        template::documents()
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<CronReport>> {
        let request = cli::request(parsed)?;
        match &request.asked {
            Asked::Remove => act::remove(&request, context),
            Asked::Try(job) => attempt::attempt(job, &request, context),
            Asked::Explain(expressions) if !expressions.is_empty() => {
                verbs::explain_expressions(expressions, &request, context)
            }
            Asked::Next(window) if !window.expressions.is_empty() => {
                upcoming::of_expressions(&window.expressions, window, &request, context)
            }
            Asked::Next(window) if window.merged && request.template.is_none() => {
                upcoming::of_this_host(window, &request, context)
            }
            _ => {
                let work = Work::new(&request, context)?;
                match &request.asked {
                    Asked::Render => work.render(context),
                    Asked::Lint => work.lint(),
                    Asked::Next(window) => work.next(window),
                    Asked::Diff => act::diff(work, context),
                    Asked::Install => act::install(work, &request, context),
                    Asked::Explain(_) | Asked::Remove | Asked::Try(_) => work.explain(),
                }
            }
        }
    }
}
