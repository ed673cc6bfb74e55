//! Test Anything Protocol 13, as `prove` reads it. A warning is a TODO (it may fail), what was not
//! looked at is a SKIP.

use super::whole::Whole;
use crate::plan::Status;
use base::terminal::escape;

/// A `#` would begin a directive.
fn plain(text: &str) -> String {
    escape(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A text as a YAML string in double quotes, which takes JSON's escapes.
fn yaml(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".into())
}

/// The document.
pub fn text(whole: &Whole<'_>) -> String {
    let mut out = format!("TAP version 13\n1..{}\n", whole.items.len());
    for (i, item) in whole.items.iter().enumerate() {
        let (ok, directive) = match item.status {
            Status::Met => ("ok", String::new()),
            Status::Unmet | Status::Unknown => ("not ok", String::new()),
            Status::Warn => ("not ok", format!(" # TODO warning: {}", plain(&item.msg))),
            Status::Skipped => ("ok", format!(" # SKIP {}", plain(&item.msg))),
        };
        out += &format!("{ok} {} - {}{directive}\n", i + 1, plain(&item.id));
        if matches!(item.status, Status::Unmet | Status::Warn | Status::Unknown) {
            out += &format!(
                "  ---\n  message: {}\n  expected: {}\n",
                yaml(&item.msg),
                yaml(&item.expected)
            );
            if let Some(found) = &item.found {
                out += &format!("  found: {}\n", yaml(found));
            }
            if let Some(fix) = &item.fix {
                out += &format!("  fix: {}\n", yaml(&fix.summary));
            }
            out += "  ...\n";
        }
    }
    out
}
