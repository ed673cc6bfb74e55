//! The commands: each file has what differs from the common pipeline in [`crate::settle`].

pub mod bypass;
pub mod during;
pub mod off;
pub mod on;
pub mod snippet;
pub mod status;
pub mod tick;
pub mod verify;

use crate::layout::Layout;
use crate::report::{Maintenance, Verified};
use crate::verify::Claim;
use base::report::{Report, Status};
use base::tool::Context;
use base::{Error, Kind};

/// Asks every URL of `proof`.
fn prove(
    proof: &crate::request::Proof,
    on: bool,
    tokens: &[String],
    layout: Option<&Layout>,
    context: &Context,
) -> Vec<Verified> {
    let claim = Claim { on, tokens, layout };
    proof
        .urls
        .iter()
        .map(|url| crate::verify::url(url, claim, &proof.expectation, context.deadline))
        .collect()
}

/// The error that URLs which are not as they should be amount to.
fn disproved(verified: &[Verified], on: bool) -> Option<Error> {
    let wrong: Vec<&Verified> = verified.iter().filter(|one| !one.ok).collect();
    let first = wrong.first()?;
    let more = if wrong.len() > 1 {
        format!(" (and {} more)", wrong.len() - 1)
    } else {
        String::new()
    };
    let kind = if wrong.iter().all(|one| one.status.is_none()) {
        Kind::Unreachable
    } else {
        Kind::Failed
    };
    Some(Error::new(kind, format!("{}{more}", reason(first, on))))
}

/// `URL is not on: 404: …`; what could not be reached says its URL itself.
fn reason(one: &Verified, on: bool) -> String {
    let side = if on { "on" } else { "off" };
    match (&one.why, one.status) {
        (Some(why), None) => format!("not {side}: {why}"),
        (why, _) => format!(
            "{} is not {side}: {}",
            one.url,
            why.as_deref().unwrap_or("no reason found")
        ),
    }
}

/// What was seen over HTTP and deserves a word although it went well.
fn remarks(verified: &[Verified]) -> Vec<String> {
    let remark = |one: &Verified| {
        one.why
            .as_ref()
            .filter(|_| one.ok)
            .map(|why| format!("{}: {why}", one.url))
    };
    verified.iter().filter_map(remark).collect()
}

/// A report on what was settled.
fn report(body: Maintenance, msg: String, changed: bool, context: &Context) -> Report<Maintenance> {
    let status = if context.dry_run && changed {
        Status::No
    } else {
        Status::Ok
    };
    let msg = if status == Status::No && !msg.contains("would") {
        format!("would change: {msg}")
    } else {
        msg
    };
    Report::new(status, msg, body).changed(changed)
}
