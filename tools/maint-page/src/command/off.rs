//! `off`: a hold is released, and with the last one the page goes.

use super::{disproved, prove, remarks, report};
use crate::change;
use crate::hold::Hold;
use crate::layout::Layout;
use crate::person::Seat;
use crate::report::Maintenance;
use crate::request::{Proof, Whose};
use crate::settle::{Settled, Settling};
use base::report::{Report, Status};
use base::tool::Context;
use base::{Error, Result};

/// `maint-page off`.
pub fn run(
    layout: &Layout,
    whose: &Whose,
    force: bool,
    proof: &Proof,
    context: &Context,
) -> Result<Report<Maintenance>> {
    let settling = Settling {
        force,
        ..Settling::new(layout, context)
    };
    settling.must_exist()?;
    let mut gone = Vec::new();
    let settled = settling.run_if(|holds, _, now| {
        let ids: Vec<String> = match whose {
            Whose::Id(id) => vec![id.clone()],
            Whose::Own(id) => holds
                .iter()
                .filter(|hold| hold.id == *id && (force || !is_anothers(hold)))
                .map(|hold| hold.id.clone())
                .collect(),
            Whose::All => holds.iter().map(|hold| hold.id.clone()).collect(),
        };
        gone = change::release(holds, &ids);
        // Where others keep the page up and nothing goes, it is theirs to keep up to date, or
        // tick's.
        Ok(!gone.is_empty() || !holds.iter().any(|hold| hold.state(now).is_up()))
    })?;
    Ok(finish(layout, settled, whose, &gone, proof, context))
}

/// Whether another person of the same name made it: two people are both root.
fn is_anothers(hold: &Hold) -> bool {
    let here = Seat::here();
    let both = hold.seat.as_ref().zip(here.as_ref());
    both.is_some_and(|(there, here)| there.is_anothers(here))
}

/// Proves it, and reports it.
fn finish(
    layout: &Layout,
    settled: Settled,
    whose: &Whose,
    gone: &[String],
    proof: &Proof,
    context: &Context,
) -> Report<Maintenance> {
    let mut body = settled.body("off", layout);
    let changed = settled.changed();
    let left = settled.state().is_up();
    let mut error = settled.error.clone();
    if error.is_none() && !left && !context.dry_run {
        body.verified = prove(proof, false, &[], Some(layout), context);
        error = disproved(&body.verified, false);
    }
    // Whoever keeps it up, or, when it is down, whoever has announced it.
    let kept = settled
        .holds
        .iter()
        .filter(|hold| hold.state(settled.now).is_up() == left);
    let others: Vec<&str> = kept.map(|hold| hold.id.as_str()).collect();
    let mut warnings: Vec<String> = settled
        .warnings
        .iter()
        .cloned()
        .chain(remarks(&body.verified))
        .collect();
    if left && !gone.is_empty() {
        warnings.push(format!(
            "the page stays up: {} still {} it",
            others.join(", "),
            if others.len() == 1 { "holds" } else { "hold" }
        ));
    }
    let msg = match (&error, gone.is_empty(), left) {
        (Some(error), _, _) => error.message.clone(),
        (None, false, true) => format!(
            "released {}; still up for {}",
            gone.join(", "),
            others.join(", ")
        ),
        (None, true, true) => format!("nothing of yours to release; up for {}", others.join(", ")),
        (None, _, false) if context.dry_run && changed => "would be off".to_owned(),
        (None, _, false) if others.is_empty() => "off".to_owned(),
        (None, _, false) => format!("off; announced for {}", others.join(", ")),
    };
    let not_mine = left && gone.is_empty() && matches!(whose, Whose::Own(_) | Whose::All);
    let report = report(body, msg, changed, context)
        .warnings(warnings)
        .diff(settled.diff.clone());
    match error {
        Some(error) => report.error(error),
        None if not_mine => Report {
            status: Status::No,
            error: Some(whose_hint(&others)),
            ..report
        },
        None => report,
    }
}

fn whose_hint(others: &[&str]) -> Error {
    let first = others.first().copied().unwrap_or("ID");
    Error::failed(format!("the page is held by {}", others.join(", "))).hint(format!(
        "maint-page off --id {first}, or --all, releases what is not yours"
    ))
}
