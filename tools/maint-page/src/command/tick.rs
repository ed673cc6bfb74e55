//! `tick`: does what is due at this time. cron runs `tick`, so a run that changes nothing prints
//! nothing.

use super::report;
use crate::change::Event;
use crate::layout::Layout;
use crate::report::Maintenance;
use crate::settle::Settling;
use base::Result;
use base::report::Report;
use base::tool::Context;

/// `maint-page tick`.
pub fn run(
    layout: &Layout,
    id: Option<&str>,
    force: bool,
    context: &Context,
) -> Result<Report<Maintenance>> {
    let settling = Settling {
        only: id,
        force,
        ..Settling::new(layout, context)
    };
    settling.must_exist()?;
    let settled = settling.run(|_, _, _| Ok(()))?;
    let body = settled.body("tick", layout);
    let mut warnings = settled.warnings.clone();
    let mut said = Vec::new();
    for event in &settled.events {
        match event {
            Event::Began(id) => said.push(format!("up for {id}")),
            Event::Ended(id) => said.push(format!("{id} ended")),
            Event::Abandoned(id) => warnings.push(format!(
                "the run of '{id}' ended without releasing its hold: the hold is released"
            )),
            Event::Lapsed(id) => warnings.push(format!(
                "{id} is over before the page was put up for it; tick did not run in between"
            )),
            Event::Overdue(id) => warnings.push(format!(
                "{id} is overdue: its end has passed and the page is still up"
            )),
        }
    }
    let msg = if said.is_empty() {
        settled.state().word().to_owned()
    } else {
        said.join(", ")
    };
    let report = report(body, msg, settled.changed(), context)
        .warnings(warnings)
        .diff(settled.diff);
    Ok(match settled.error {
        Some(error) => report.error(error),
        None => report,
    })
}
