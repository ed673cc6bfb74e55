//! File name patterns over bytes.
//!
//! Names are bytes and the `glob` crate's are text, so each byte is handed to it as the character
//! of the same number: that is how a program in the C locale (nginx, logrotate) matches, and it
//! loses no name. `*` never matches a leading dot.

use std::borrow::Cow;

/// One component of a pattern, ready to match names with.
#[derive(Clone, Debug)]
pub struct Pattern {
    kind: Match,
}

#[derive(Clone, Debug)]
enum Match {
    Literal(Vec<u8>),
    /// `*` and what a name ends with: most patterns of configurations.
    Ending(Vec<u8>),
    Pattern {
        pattern: glob::Pattern,
        dot: bool,
    },
}

impl Pattern {
    /// Reads one path component of a pattern; a malformed one stands for itself, as in glob(3).
    #[must_use]
    pub fn new(component: &[u8]) -> Self {
        if !is_pattern(component) {
            return Self {
                kind: Match::Literal(component.to_vec()),
            };
        }
        if let Some(ending) = ending(component) {
            return Self {
                kind: Match::Ending(ending.to_vec()),
            };
        }
        let kind = match glob::Pattern::new(&latin1(&collapse(component))) {
            Ok(pattern) => Match::Pattern {
                pattern,
                dot: component.starts_with(b"."),
            },
            Err(_) => Match::Literal(component.to_vec()),
        };
        Self { kind }
    }

    /// Does this name match?
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        match &self.kind {
            Match::Literal(literal) => literal == name,
            Match::Ending(ending) => !name.starts_with(b".") && name.ends_with(ending),
            Match::Pattern { dot: false, .. } if name.starts_with(b".") => false,
            Match::Pattern { pattern, .. } => pattern.matches(&latin1(name)),
        }
    }

    /// The name itself, where nothing in it is a wildcard.
    #[must_use]
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.kind {
            Match::Literal(literal) => Some(literal),
            Match::Ending(_) | Match::Pattern { .. } => None,
        }
    }
}

/// Does this hold a wildcard?
#[must_use]
pub fn is_pattern(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Does a whole name, with no regard for dots or slashes, match a pattern, as fnmatch(3) without
/// flags has it?
#[must_use]
pub fn fnmatch(pattern: &[u8], name: &[u8]) -> bool {
    if let Some(ending) = ending(pattern) {
        return name.ends_with(ending);
    }
    match glob::Pattern::new(&latin1(&collapse(pattern))) {
        Ok(pattern) => pattern.matches(&latin1(name)),
        Err(_) => pattern == name,
    }
}

fn ending(pattern: &[u8]) -> Option<&[u8]> {
    pattern.strip_prefix(b"*").filter(|rest| !is_pattern(rest))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// `**` means to the crate what `*` means to everybody else here.
fn collapse(pattern: &[u8]) -> Cow<'_, [u8]> {
    if !pattern.windows(2).any(|pair| pair == b"**") {
        return Cow::Borrowed(pattern);
    }
    let mut out = pattern.to_vec();
    out.dedup_by(|after, before| *after == b'*' && *before == b'*');
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, fnmatch};

    #[test]
    fn stars_leave_hidden_names_alone() {
        assert!(Pattern::new(b"*.conf").matches(b"a.conf"));
        assert!(!Pattern::new(b"*.conf").matches(b".a.conf"));
        assert!(Pattern::new(b".*.conf").matches(b".a.conf"));
        assert!(!Pattern::new(b"[!a]*").matches(b"abc"));
        assert!(!Pattern::new(b"*").matches(b".a"));
        assert!(Pattern::new(b"*").matches(b"a"));
    }

    #[test]
    fn names_need_not_be_text() {
        assert!(Pattern::new(b"?\xff*").matches(b"a\xff.conf"));
        assert!(Pattern::new(b"a\xff").matches(b"a\xff"));
    }

    #[test]
    fn what_is_no_pattern_stands_for_itself() {
        assert!(Pattern::new(b"[a").matches(b"[a"));
        assert!(Pattern::new(b"**").matches(b"abc"));
        assert!(fnmatch(b"*,v", b"passwd,v"));
    }
}
