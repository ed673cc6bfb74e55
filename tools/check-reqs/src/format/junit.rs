//! JUnit's XML, as build servers read it: unmet is a failure, unknown an error, a warning passes
//! with its words on system-err.

use super::whole::Whole;
use crate::plan::Status;
use crate::report;

/// XML 1.0 has no way at all to write most control characters (2.2 Char).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' => out += "&#10;",
            '\t' => out += "&#9;",
            '\0'..='\x1f' | '\x7f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The document.
pub fn text(whole: &Whole<'_>) -> String {
    let counts = report::counts(whole.items);
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        whole.items.len(),
        counts.unmet,
        counts.unknown,
        counts.skipped,
        whole.elapsed.as_secs_f64()
    );
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n  <testsuite name=\"check-reqs\" {totals}>\n"
    );
    for item in whole.items {
        let seconds = item.elapsed_ms as f64 / 1000.0;
        out += &format!(
            "    <testcase classname=\"check-reqs.{}\" name=\"{}\" time=\"{seconds:.3}\"",
            item.kind,
            escaped(&item.id)
        );
        let (msg, reason) = (escaped(&item.msg), escaped(item.reason.unwrap_or("unmet")));
        let fix = item
            .fix
            .as_ref()
            .map(|fix| {
                let steps = fix.steps.iter().map(|step| step.text.as_str());
                let lines = std::iter::once(fix.summary.as_str()).chain(steps);
                lines.collect::<Vec<_>>().join("\n")
            })
            .unwrap_or_default();
        match item.status {
            Status::Met => out += "/>\n",
            Status::Unmet => {
                out += &format!(
                    "><failure message=\"{msg}\" type=\"{reason}\">{}</failure></testcase>\n",
                    escaped(&fix)
                );
            }
            Status::Unknown => {
                out += &format!("><error message=\"{msg}\" type=\"{reason}\"/></testcase>\n");
            }
            Status::Skipped => out += &format!("><skipped message=\"{msg}\"/></testcase>\n"),
            Status::Warn => out += &format!("><system-err>{msg}</system-err></testcase>\n"),
        }
    }
    out + "  </testsuite>\n</testsuites>\n"
}
