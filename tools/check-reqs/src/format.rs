//! Other programs' formats: monitoring plugins, test harnesses, build servers, Prometheus. One file
//! each; every one is read back by a real consumer in the tests.

mod junit;
mod nagios;
mod ndjson;
mod prometheus;
mod tap;
mod whole;

use crate::report::Requirements;
use base::report::{Raw, Report};
use base::tool::{Context, Format};
use whole::Whole;

/// Puts the format that was asked for in the report's place; json and text need nothing.
pub fn dress(mut report: Report<Requirements>, context: &Context) -> Report<Requirements> {
    let Format::Other(name) = &context.format else {
        return report;
    };
    let whole = Whole {
        items: &report.body.items,
        msg: &report.msg,
        elapsed: context.elapsed(),
    };
    let text = match name.as_str() {
        "ndjson" => ndjson::text(&whole),
        "nagios" => nagios::text(&whole),
        "tap" => tap::text(&whole),
        "junit" => junit::text(&whole),
        _ => prometheus::text(&whole),
    };
    if name == "nagios" {
        let state = nagios::state(&whole);
        report = report.exit(state);
    }
    report.raw(Raw::Always(text.into_bytes()))
}
