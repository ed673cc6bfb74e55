//! Prometheus's text format, for the node exporter's textfile collector.

use super::whole::Whole;
use crate::plan::Status;
use crate::report::{self, Item};
use std::time::SystemTime;

/// A label's value: backslash, quote and newline are escaped, all else is allowed.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn labels(item: &Item) -> String {
    let severity = match item.severity {
        crate::requirement::Severity::Fail => "fail",
        crate::requirement::Severity::Warn => "warn",
    };
    format!(
        "id=\"{}\",severity=\"{severity}\",type=\"{}\"",
        label(&item.id),
        item.kind
    )
}

fn head(out: &mut String, name: &str, help: &str) {
    *out += &format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
}

/// The samples.
pub fn text(whole: &Whole<'_>) -> String {
    let mut out = String::new();
    let seen = || {
        whole
            .items
            .iter()
            .filter(|item| item.status != Status::Skipped)
    };
    head(
        &mut out,
        "check_reqs_met",
        "1 if the requirement is met, 0 if the requirement is unmet or unknown.",
    );
    for item in seen() {
        out += &format!(
            "check_reqs_met{{{}}} {}\n",
            labels(item),
            u8::from(item.status == Status::Met)
        );
    }
    head(
        &mut out,
        "check_reqs_unknown",
        "1 if the requirement is unknown.",
    );
    for item in seen() {
        out += &format!(
            "check_reqs_unknown{{{}}} {}\n",
            labels(item),
            u8::from(item.status == Status::Unknown)
        );
    }
    head(
        &mut out,
        "check_reqs_look_seconds",
        "The duration of the last check of the requirement.",
    );
    for item in seen() {
        out += &format!(
            "check_reqs_look_seconds{{{}}} {}\n",
            labels(item),
            item.elapsed_ms as f64 / 1000.0
        );
    }
    let counts = report::counts(whole.items);
    head(
        &mut out,
        "check_reqs_requirements",
        "The number of requirements with each result.",
    );
    for (word, n) in [
        ("met", counts.met),
        ("unmet", counts.unmet),
        ("warn", counts.warn),
        ("unknown", counts.unknown),
        ("skipped", counts.skipped),
    ] {
        out += &format!("check_reqs_requirements{{status=\"{word}\"}} {n}\n");
    }
    head(
        &mut out,
        "check_reqs_last_run_timestamp_seconds",
        "The time of the last check of the requirements.",
    );
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    out + &format!("check_reqs_last_run_timestamp_seconds {now}\n")
}
