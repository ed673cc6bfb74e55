//! Put a site behind an honest maintenance page, and take it away again.
//!
//! Pipeline of every command: read the request ([`request`]), look at what is there ([`observe`]),
//! change the holds ([`change`]), see what the disk lacks ([`plan`]), do that ([`act`]), look
//! again. [`settle`] has the pipeline; the files in `command/` have what differs between commands.
//!
//! What this tool refuses: to touch a page or flag that it did not put there, to take a page
//! away while somebody else still holds it, and to call something on or off without having
//! looked.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod act;
mod bypass;
mod change;
mod cli;
mod clues;
mod command;
mod difference;
mod hold;
mod layout;
mod notice;
mod observe;
mod page;
mod person;
mod plain;
mod plan;
mod remedy;
mod report;
mod request;
mod settle;
mod snippet;
mod standing;
mod template;
mod verdict;
mod verify;
mod wait;
mod when;
mod words;

use base::Result;
use base::cli::{Asked, CommandLine, Parsed};
use base::exit::Exit;
use base::report::Report;
use base::tool::{Context, Tool};
use report::Maintenance;
use request::Request;
use std::ffi::OsString;

/// The program.
#[derive(Debug)]
pub struct MaintPage;

impl Tool for MaintPage {
    const COMMAND_LINE: &'static CommandLine = &cli::COMMAND_LINE;

    type Body = Maintenance;

    fn parse(args: Vec<OsString>) -> Result<Asked> {
        subcommands::parse(Self::COMMAND_LINE, args)
    }

    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Maintenance>> {
        match request::request(parsed)? {
            Request::On {
                layout,
                wish,
                template,
                wait,
                force,
                proof,
            } => command::on::run(
                &command::on::On {
                    layout,
                    wish,
                    template,
                    wait,
                    force,
                    proof,
                },
                context,
            ),
            Request::During {
                layout,
                wish,
                template,
                force,
                keep,
                drain,
                proof,
            } => {
                let on = command::on::On {
                    layout,
                    wish,
                    template,
                    wait: true,
                    force,
                    proof,
                };
                command::during::run(
                    &on,
                    keep,
                    drain,
                    parsed.trailing().unwrap_or_default(),
                    &base::RunAs::read(parsed)?,
                    context,
                )
            }
            Request::Off {
                layout,
                whose,
                force,
                proof,
            } => command::off::run(&layout, &whose, force, &proof, context),
            Request::Status { layout, id, side } => {
                command::status::run(&layout, id.as_deref(), side)
            }
            Request::Wait {
                layout,
                id,
                force,
                proof,
            } => command::on::wait(&layout, id.as_deref(), force, &proof, context),
            Request::Tick { layout, id, force } => {
                command::tick::run(&layout, id.as_deref(), force, context)
            }
            Request::Verify {
                layout,
                id,
                on,
                proof,
            } => command::verify::run(layout.as_ref(), id.as_deref(), on, &proof, context),
            Request::Snippet { server, dir, allow } => {
                Ok(command::snippet::run(&server, &dir, &allow))
            }
            Request::Bypass { layout, action } => command::bypass::run(&layout, &action, context),
        }
    }

    fn guardian(kind: &str, payload: &[u8]) -> Exit {
        command::during::guardian(kind, payload)
    }
}
