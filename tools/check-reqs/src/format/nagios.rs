//! A monitoring plugin's answer (Monitoring Plugins Development Guidelines): one line for the
//! pager, performance data after a bar, more lines for the page; the exit status is the state.

use super::whole::Whole;
use crate::plan::{Counts, Status};
use crate::report;
use base::Exit;
use base::terminal::escape;

/// OK, WARNING, CRITICAL or UNKNOWN: a plugin's exit status has its own meaning, 2 is critical
/// there.
pub fn state(whole: &Whole<'_>) -> Exit {
    Exit::Command(number(report::counts(whole.items)))
}

fn number(counts: Counts) -> u8 {
    match counts {
        Counts { unmet: 1.., .. } => 2,
        Counts { unknown: 1.., .. } => 3,
        Counts { warn: 1.., .. } => 1,
        _ => 0,
    }
}

/// A bar would begin performance data.
fn plain(text: &str) -> String {
    escape(text).replace('|', "/")
}

/// The answer.
pub fn text(whole: &Whole<'_>) -> String {
    let counts = report::counts(whole.items);
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(number(counts))];
    let bad: Vec<String> = whole
        .items
        .iter()
        .filter(|item| matches!(item.status, Status::Unmet | Status::Warn | Status::Unknown))
        .take(5)
        .map(|item| plain(&item.msg))
        .collect();
    let more = if bad.is_empty() {
        String::new()
    } else {
        format!(": {}", bad.join("; "))
    };
    let data = format!(
        "met={} unmet={};;0 warn={};0 unknown={} skipped={} time={:.3}s",
        counts.met,
        counts.unmet,
        counts.warn,
        counts.unknown,
        counts.skipped,
        whole.elapsed.as_secs_f64()
    );
    let mut out = format!("REQS {word} - {}{more} | {data}\n", plain(whole.msg));
    for item in whole.items {
        let word = match item.status {
            Status::Met => "met",
            Status::Unmet => "UNMET",
            Status::Warn => "warn",
            Status::Unknown => "unknown",
            Status::Skipped => "skipped",
        };
        out += &format!("{word}: {}: {}\n", plain(&item.id), plain(&item.msg));
    }
    out
}
