//! log-paths: where a site logs, and whether each log is healthy.
//!
//! A request is read, everything it asks for is observed, a plan judges what was seen, and it is
//! reported; only `--create-dirs` acts.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod access;
mod act;
mod cli;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod fuzz;
mod instance;
mod launch;
mod log;
mod observe;
mod observed;
mod open;
mod parts;
mod plan;
mod problem;
mod process;
mod python;
#[doc(hidden)]
pub mod readers;
mod report;
mod request;
mod rotation;
mod service;
mod shell;
mod site;
mod start;
mod users;

use base::cli::{CommandLine, Parsed};
use base::error::{Error, Result};
use base::report::{Diff, Raw, Report, Status};
use base::terminal::escape_bytes;
use base::tool::{Context, Tool};
use conf::files::Files;
use plan::Plan;
use report::Logs;
use request::{Print, Request};
use site::Site;
use std::os::unix::ffi::OsStrExt;

/// The program.
#[derive(Debug)]
pub struct LogPaths;

impl Tool for LogPaths {
    const COMMAND_LINE: &'static CommandLine = &cli::COMMAND_LINE;
    type Body = Logs;

    fn documents() -> Vec<base::document::Document> {
        service::documents()
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Logs>> {
        let request = cli::request(parsed)?;
        let site = Site::new(files(&request)?, request.conf.clone(), service::IDENTIFY)
            .starting(service::starts);
        let observed = observe::observe(&request, &site);
        let mut plan = plan::plan(&request, &observed);
        if request.create_dirs {
            plan.logs.directories = Some(act::create_dirs(&site, &plan.missing, context.dry_run));
        }
        let report = report(&request, context, plan, &observed.unfound);
        // The process ends with the report: what was observed need not be taken apart first.
        std::mem::forget(observed);
        Ok(report)
    }
}

fn files(request: &Request) -> Result<Files> {
    match &request.root {
        None => Ok(Files::new()),
        Some(root) => Files::below(root).map_err(|error| {
            Error::input(format!("--root {error}")).hint("name a directory that can be opened")
        }),
    }
}

fn report(request: &Request, context: &Context, plan: Plan, unfound: &[&str]) -> Report<Logs> {
    let Plan {
        mut logs,
        closed,
        names,
        ..
    } = plan;
    let count = logs.items.len();
    let problems = plan::problems(&logs);
    let unread = logs.errors.iter().filter(|fault| fault.incomplete).count();
    let directories = logs.directories.as_deref().unwrap_or_default();
    let directories = directories.to_vec();
    let directories = directories.as_slice();
    let diff = difference(directories);
    let changed = directories.iter().any(|dir| dir.state != "refused");
    let refused = directories
        .iter()
        .find(|dir| dir.state == "refused")
        .map(|dir| (dir.path.clone(), dir.reason.clone()));
    let status = match (count, problems) {
        (0, _) => Status::No,
        (_, 1..) if request.check => Status::No,
        _ if context.dry_run && changed => Status::No,
        _ => Status::Ok,
    };
    let first = logs
        .errors
        .iter()
        .find(|fault| fault.incomplete)
        .map(|fault| {
            (
                fault.message.clone(),
                fault.file.clone(),
                fault.fix.summary.clone(),
            )
        });
    let text = summary(count, problems, directories);
    // Mail from cron holds what is wrong, and nothing else.
    if request.problems || request.check && context.quiet {
        logs.items.retain(|item| !item.problems.is_empty());
    }
    let mut report = Report::new(status, text, logs)
        .changed(changed)
        .warnings(warnings(request, unfound))
        .diff(diff);
    if let Some((message, file, hint)) = first {
        let more = if unread > 1 {
            format!(" (and {} more)", unread - 1)
        } else {
            String::new()
        };
        report = report.error(Error::failed(format!("{file}: {message}{more}")).hint(hint));
    } else if closed > 0 {
        let what = if closed == 1 { "process" } else { "processes" };
        let message = format!("{closed} {what} could not be looked at: the list is not whole");
        report = report.error(Error::failed(message).hint("run as root, or with --config-only"));
    }
    if let Some((path, reason)) = refused {
        report = report.error(
            Error::failed(format!("{path}: {}", reason.unwrap_or_default()))
                .hint("make it by hand, once you have looked at the directories above it"),
        );
    }
    match request.print {
        Print::Report => report,
        Print::Nul => report.raw(Raw::Always(joined(&names, 0))),
        Print::Lines => lines(report, &names),
    }
}

/// What `--diff` shows: a line for each directory that is made.
fn difference(directories: &[report::Directory]) -> Option<Diff> {
    let made = directories.iter().filter(|dir| dir.state != "refused");
    let line = |dir: &report::Directory| {
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        format!(
            "{} {}:{} {}\n",
            word(&dir.mode),
            word(&dir.owner),
            word(&dir.group),
            dir.path
        )
    };
    Diff::of("directories", "", made.map(line).collect::<String>())
}

fn summary(count: usize, problems: usize, directories: &[report::Directory]) -> String {
    let plural =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut text = format!("{}, {}", plural(count, "log"), plural(problems, "problem"));
    for (state, word) in [
        ("created", "made"),
        ("would_create", "to make"),
        ("refused", "missing"),
    ] {
        match directories.iter().filter(|dir| dir.state == state).count() {
            0 => {}
            1 => text += &format!(", 1 directory {word}"),
            some => text += &format!(", {some} directories {word}"),
        }
    }
    text
}

fn warnings(request: &Request, unfound: &[&str]) -> Vec<String> {
    let asked = unfound
        .iter()
        .filter(|service| request.services.contains(service));
    asked
        .map(|service| {
            format!("{service}: no configuration was found; name it with --conf {service}=PATH")
        })
        .collect()
}

fn joined(names: &[std::path::PathBuf], end: u8) -> Vec<u8> {
    names
        .iter()
        .flat_map(|name| name.as_os_str().as_bytes().iter().copied().chain([end]))
        .collect()
}

/// One a line, which a name with control bytes in it would break.
fn lines(report: Report<Logs>, names: &[std::path::PathBuf]) -> Report<Logs> {
    let (plain, other): (Vec<_>, Vec<_>) = names
        .iter()
        .cloned()
        .partition(|name| !name.as_os_str().as_bytes().iter().any(u8::is_ascii_control));
    let report = report.raw(Raw::Always(joined(&plain, b'\n')));
    match other.first() {
        Some(name) => {
            let message = format!(
                "a name holds control bytes and was left out: {}",
                escape_bytes(name.as_os_str().as_bytes())
            );
            report.error(Error::failed(message).hint("use -0"))
        }
        None => report,
    }
}
