//! What a change means, for `--diff`: whether visitors see the page, what maintenance.json says,
//! whose holds exist, and how many keys, which are secrets. Pure.

use crate::layout::{Layout, Place};
use crate::observe::{Found, Observed};
use crate::plan::Step;
use base::report::Diff;
use serde_json::Value;
use std::collections::BTreeSet;

/// The difference that these steps make; none where it is none to anybody outside.
pub fn difference(layout: &Layout, observed: &Observed, steps: &[Step]) -> Option<Diff> {
    let before = told(
        matches!(observed.flag, Found::Ours(_)),
        observed.notice.bytes(),
    ) + &kept(observed, &[]);
    let after =
        told(flag_after(observed, steps), notice_after(observed, steps)) + &kept(observed, steps);
    Diff::of(layout.notice_path().display().to_string(), before, after)
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

/// The holds by name, the keys by their number.
fn kept(observed: &Observed, steps: &[Step]) -> String {
    let mut holds: BTreeSet<&str> = observed.holds.iter().map(|hold| hold.id.as_str()).collect();
    let mut keys: BTreeSet<&str> = observed.keys.iter().map(|key| key.name.as_str()).collect();
    for step in steps {
        let _ = match step {
            Step::Write(Place::Hold(id), _) => holds.insert(id),
            Step::Remove(Place::Hold(id)) => holds.remove(id.as_str()),
            Step::Write(Place::Key(name), _) => keys.insert(name),
            Step::Remove(Place::Key(name)) => keys.remove(name.as_str()),
            _ => false,
        };
    }
    let mut text: String = holds.iter().map(|id| format!("hold: {id}\n")).collect();
    if !keys.is_empty() {
        text.push_str(&format!("bypass keys: {}\n", keys.len()));
    }
    text
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
        let steps = [
            Step::Write(Place::Flag, Vec::new()),
            Step::Write(Place::Notice, b"{\"state\":\"active\"}".to_vec()),
        ];
        let made = difference(&layout, &Observed::default(), &steps).unwrap();
        assert_eq!(
            (made.before.as_str(), made.after.as_str()),
            ("page: down\n", "page: up\nstate: \"active\"\n")
        );
        assert!(
            difference(
                &layout,
                &Observed::default(),
                &[Step::Write(Place::Html, Vec::new())]
            )
            .is_none()
        );
    }
}
