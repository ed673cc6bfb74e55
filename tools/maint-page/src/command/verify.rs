//! `verify`: what the web server says, and why.

use super::{prove, reason, remarks};
use crate::layout::Layout;
use crate::observe::{self, Opened};
use crate::report::Maintenance;
use crate::request::Proof;
use crate::settle;
use base::report::{Report, Status};
use base::tool::Context;
use base::{Error, Result};
use jiff::Timestamp;

/// `maint-page verify`.
pub fn run(
    layout: Option<&Layout>,
    id: Option<&str>,
    on: bool,
    proof: &Proof,
    context: &Context,
) -> Result<Report<Maintenance>> {
    let mut body = Maintenance {
        command: "verify".to_owned(),
        ..Maintenance::default()
    };
    let mut tokens = Vec::new();
    if let Some(layout) = layout {
        let observed = observe::observe(layout, &Opened::new(layout)?)?;
        body = settle::body(
            "verify",
            layout,
            &observed.holds,
            &observed.flag,
            Timestamp::now(),
            Vec::new(),
        );
        let wanted = observed
            .holds
            .iter()
            .filter(|hold| id.is_none_or(|id| hold.id == id));
        tokens = wanted.map(|hold| hold.token.clone()).collect();
        if on && tokens.is_empty() {
            let whose = id.map_or("no hold".to_owned(), |id| format!("no hold '{id}'"));
            let error = Error::failed(format!("there is {whose} in {}", layout.dir().display()))
                .hint("maint-page status lists the holds");
            return Ok(Report {
                status: Status::No,
                error: Some(error),
                ..Report::new(Status::No, "nothing to verify", body)
            });
        }
    }
    body.verified = prove(proof, on, &tokens, layout, context);
    let side = if on { "on" } else { "off" };
    let wrong: Vec<_> = body.verified.iter().filter(|one| !one.ok).collect();
    let status = match wrong.len() {
        0 => Status::Ok,
        n if n == body.verified.len() && wrong.iter().all(|one| one.status.is_none()) => {
            Status::Retry
        }
        _ => Status::No,
    };
    let msg = match wrong.first() {
        None => format!("{side}, at {}", count(body.verified.len())),
        Some(first) => reason(first, on),
    };
    let warnings = remarks(&body.verified);
    Ok(Report::new(status, msg, body).warnings(warnings))
}

fn count(urls: usize) -> String {
    if urls == 1 {
        "1 URL".to_owned()
    } else {
        format!("{urls} URLs")
    }
}
