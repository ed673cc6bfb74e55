//! Secrets stay out of reports, journals and errors.
//!
//! A secret is known in two ways. By where it comes from: whoever reads an environment file, a DSN
//! or an index's address gives its secrets to [`register`], and from then on each of them is
//! replaced wherever text leaves the process. By its form: a password in a URL, `password=x`,
//! `"password": "x"`, `Authorization: …`, `Bearer x`, `curl -u user:x`.
//!
//! The text that leaves the process is masked in one place, `base::tool`; a tool masks text itself
//! only where it cuts or compares that text first.

mod commands;
mod json;
mod patterns;
mod registry;

pub use json::to_string as json;
pub use patterns::is_secret;
pub use registry::{longest, public, register, register_in, register_variable};

use std::borrow::Cow;
use std::ops::Range;

/// What stands in a secret's place.
pub const MASK: &str = "***";

/// `text` with every secret in it replaced by [`MASK`].
#[must_use]
pub fn text(text: &str) -> String {
    shown(text).into_owned()
}

/// As [`text`], without a copy where nothing is secret.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    let mut found = registry::find(text);
    if text.bytes().any(|byte| matches!(byte, b'=' | b':' | b' ')) {
        patterns::find(text, &mut found);
        commands::find(text, &mut found);
    }
    replace(text, found)
}

/// `text` without the registered secrets; what merely has the form of a secret stays. For another
/// program's format.
#[must_use]
pub fn registered(text: &str) -> Cow<'_, str> {
    replace(text, registry::find(text))
}

/// The arguments of a command line, each masked, and the word after an option that takes a secret,
/// too.
#[must_use]
pub fn argv<S: AsRef<str>>(words: &[S]) -> Vec<String> {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let hidden = commands::hidden(&words, true);
    words
        .iter()
        .zip(hidden)
        .map(|(word, hidden)| {
            let mut found = registry::find(word);
            patterns::find(word, &mut found);
            commands::find(word, &mut found);
            found.extend(hidden);
            replace(word, found).into_owned()
        })
        .collect()
}

/// Replaces the ranges; those that touch become one.
fn replace(text: &str, mut found: Vec<Range<usize>>) -> Cow<'_, str> {
    found.retain(|range| !range.is_empty());
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_unstable_by_key(|range| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut masked_to = None;
    for range in found {
        if masked_to.is_none_or(|end| range.start > end) {
            out.push_str(&text[copied.min(range.start)..range.start]);
            out.push_str(MASK);
        }
        copied = copied.max(range.end);
        masked_to = Some(copied);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
