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
mod choice;
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
mod format;
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
mod trial;
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
        let mut documents = template::documents();
        registry::name(&mut documents);
        documents.push(registry::document());
        documents.push(finding::document());
        documents
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use finding::{Example, LINTS, Lint};
    use std::os::unix::fs::PermissionsExt;

    /// What `lint` finds with these options in this file.
    fn codes(options: &str, file: &std::path::Path) -> Vec<&'static str> {
        let dialect = if options.contains("--dialect") {
            ""
        } else {
            "--dialect debian"
        };
        let args = ["lint"]
            .into_iter()
            .chain(options.split_whitespace())
            .chain(dialect.split_whitespace())
            .map(OsString::from)
            .chain([file.as_os_str().to_owned()]);
        let base::cli::Asked::Run(parsed) = CronRender::parse(args.collect()).unwrap() else {
            unreachable!("a run was asked for");
        };
        let request = cli::request(&parsed).unwrap();
        let work = Work::new(&request, &Context::new(&parsed)).unwrap();
        work.findings
            .iter()
            .map(|finding| {
                assert!(!finding.message.is_empty() && !finding.fix.summary.is_empty());
                finding.code.name()
            })
            .collect()
    }

    #[test]
    fn every_format_makes_its_example_of_the_one_template() {
        let dir = tempfile::tempdir().unwrap();
        let template = dir.path().join("template");
        std::fs::write(&template, registry::TEMPLATE).unwrap();
        for row in registry::ROWS {
            let args = ["render", "--format", row.format.name, "--dialect", "debian"];
            let args = args.into_iter().chain(registry::OPTIONS.split_whitespace());
            let args = args.map(OsString::from).chain([template.clone().into()]);
            let base::cli::Asked::Run(parsed) = CronRender::parse(args.collect()).unwrap() else {
                unreachable!("a run was asked for");
            };
            let request = cli::request(&parsed).unwrap();
            let work = Work::new(&request, &Context::new(&parsed)).unwrap();
            let (jobs, text) = work.finished().unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(row.example), "{}: {text}", row.format.name);
            assert_eq!(jobs.len(), 1);
            let marks = (row.marks)(&work.template, &work.site, &work.placed).unwrap();
            assert_eq!(marks.len(), 1);
            // What is installed is found again by the same mark.
            if let Some(listed) = row.listed {
                let listed = listed(work.site.name(), text.as_bytes());
                assert_eq!(listed, [("clearsessions".to_owned(), marks[0].clone())]);
            } else {
                assert!(text.as_bytes().ends_with(&[&marks[0][..], b"\n"].concat()));
            }
        }
    }

    #[test]
    fn the_example_of_every_row_is_found_by_that_row() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("cron.d")).unwrap();
        let template = dir.path().join("template");
        for Lint { code, example, .. } in LINTS {
            let found = match *example {
                Example::Lint(options, text) => {
                    std::fs::write(&template, text).unwrap();
                    codes(options, &template)
                }
                Example::Long(head, piece, times) => {
                    let text = format!("{head}{}\n", piece.repeat(times));
                    std::fs::write(&template, text).unwrap();
                    codes("", &template)
                }
                Example::CronD(mode, text) => {
                    let file = dir.path().join("cron.d/site");
                    std::fs::write(&file, text).unwrap();
                    let permissions = std::fs::Permissions::from_mode(mode);
                    std::fs::set_permissions(&file, permissions).unwrap();
                    codes("", &file)
                }
                Example::When(_) => continue,
            };
            assert!(found.contains(&code.name()), "{code:?}: {found:?}");
        }
        let never = LINTS
            .iter()
            .filter(|lint| matches!(lint.example, Example::When(_)));
        let never: Vec<&str> = never.map(|lint| lint.code.name()).collect();
        assert_eq!(never, ["E15", "W23"], "every other row has an example");
    }
}
