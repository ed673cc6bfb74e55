//! What a change means to those outside, for `--diff`: whether visitors see the page, and what the site's own code is told. Pure.

use crate::layout::{Layout, Place};
use crate::observe::{Found, Observed};
use crate::plan::Step;
use base::report::Diff;
use serde_json::Value;

/// The difference that these steps make; none where it is none to anybody outside.
pub fn difference(layout: &Layout, observed: &Observed, steps: &[Step]) -> Option<Diff> {
    let before = told(matches!(observed.flag, Found::Ours(_)), observed.notice.bytes());
    let after = told(flag_after(observed, steps), notice_after(observed, steps));
    let header = layout.notice_path().display().to_string();
    (before != after).then(|| Diff { before_header: header.clone(), before, after_header: header, after })
}

fn flag_after(observed: &Observed, steps: &[Step]) -> bool {
    let step = steps.iter().rev().find_map(|step| match step {
        Step::Write(Place::Flag, _) => Some(true),
        Step::Remove(Place::Flag) => Some(false),
        _ => None,
    });
    step.unwrap_or(matches!(observed.flag, Found::Ours(_)))
}

fn notice_after<'a>(observed: &'a Observed, steps: &'a [Step]) -> Option<&'a [u8]> {
    let step = steps.iter().rev().find_map(|step| match step {
        Step::Write(Place::Notice, bytes) => Some(Some(bytes.as_slice())),
        Step::Remove(Place::Notice) => Some(None),
        _ => None,
    });
    step.unwrap_or_else(|| observed.notice.bytes())
}

/// A line for the page, a line for each key of the notice.
fn told(up: bool, notice: Option<&[u8]>) -> String {
    let mut text = format!("page: {}\n", if up { "up" } else { "down" });
    let notice = notice.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    for (key, value) in notice.iter().filter_map(Value::as_object).flatten() {
        text.push_str(&format!("{key}: {value}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    #[test]
    fn it_says_what_visitors_and_the_site_notice() {
        let layout = Layout::flag(Path::new("/srv/m"));
        let steps = [Step::Write(Place::Flag, Vec::new()), Step::Write(Place::Notice, b"{\"state\":\"active\"}".to_vec())];
        let made = difference(&layout, &Observed::default(), &steps).unwrap();
        assert_eq!((made.before.as_str(), made.after.as_str()), ("page: down\n", "page: up\nstate: \"active\"\n"));
        assert!(difference(&layout, &Observed::default(), &[Step::Write(Place::Html, Vec::new())]).is_none());
    }
}
