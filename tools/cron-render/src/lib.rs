//! cron-render: a schedule that is right, and stays installed without touching anyone else's lines.
//!
//! The story: a request (command line, facts, template), a look at the machine, findings and a
//! rendered schedule (pure), and for `install` and `remove` one change under a lock.

pub mod act;
pub mod backend;
pub mod block;
pub mod calendar;
pub mod cli;
pub mod command;
pub mod crontab;
pub mod dialect;
pub mod environment;
pub mod escape;
pub mod explain;
pub mod field;
pub mod finding;
pub mod hashed;
pub mod lint;
pub mod observe;
pub mod piece;
pub mod plan;
pub mod render;
pub mod report;
pub mod runs;
pub mod schedule;
pub mod site;
pub mod spread;
pub mod systemd;
pub mod template;
pub mod unified;
pub mod verbs;
pub mod zone;

use std::ffi::OsString;

use base::cli::{CommandLine, Parsed};
use base::document::Document;
use base::error::Result;
use base::report::Report;
use base::tool::{Context, Tool};

use crate::cli::{Asked, Request};
use crate::report::CronReport;
use crate::verbs::Work;

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
        let request = Request::new(parsed)?;
        match &request.asked {
            Asked::Remove => act::remove(&request, context),
            Asked::Explain(expressions) if !expressions.is_empty() => {
                verbs::explain_expressions(expressions, &request)
            }
            _ => {
                let work = Work::new(&request)?;
                match &request.asked {
                    Asked::Render => work.render(context),
                    Asked::Lint => work.lint(),
                    Asked::Next(window) => work.next(window),
                    Asked::Diff => act::diff(work, context),
                    Asked::Install => act::install(work, &request, context),
                    Asked::Explain(_) | Asked::Remove => work.explain(),
                }
            }
        }
    }
}
