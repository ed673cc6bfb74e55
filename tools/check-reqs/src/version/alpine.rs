//! Alpine's order of versions: `digits{.digits}[letter]{_suffix[digits]}[-rN]`, where `_alpha`,
//! `_beta`, `_pre` and `_rc` come before the release and `_cvs`, `_svn`, `_git`, `_hg`, `_p` after
//! it (apk-package(5)).

use super::dpkg::number;
use std::cmp::Ordering;

/// Compares two versions.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a.trim()), Parts::of(b.trim()));
    numbers(&a.numbers, &b.numbers)
        .then_with(|| a.letter.cmp(&b.letter))
        .then_with(|| suffixes(&a.suffixes, &b.suffixes))
        .then_with(|| number(a.revision, b.revision))
}

struct Parts<'t> {
    numbers: Vec<&'t str>,
    letter: Option<u8>,
    suffixes: Vec<(i8, &'t str)>,
    revision: &'t str,
}

/// Suffixes from oldest to newest; a version without one stands at 0.
const SUFFIXES: &[(&str, i8)] = &[
    ("alpha", -4),
    ("beta", -3),
    ("pre", -2),
    ("rc", -1),
    ("cvs", 1),
    ("svn", 2),
    ("git", 3),
    ("hg", 4),
    ("p", 5),
];

impl Parts<'_> {
    fn of(text: &str) -> Parts<'_> {
        let (text, revision) = match text.rsplit_once("-r") {
            Some((head, tail)) if tail.bytes().all(|c| c.is_ascii_digit()) => (head, tail),
            _ => (text, ""),
        };
        let mut words = text.split('_');
        let head = words.next().unwrap_or("");
        let letter = head.bytes().last().filter(u8::is_ascii_lowercase);
        let head = &head[..head.len() - usize::from(letter.is_some())];
        let suffixes = words
            .map(|word| {
                let end = word
                    .find(|c: char| c.is_ascii_digit())
                    .unwrap_or(word.len());
                let rank = SUFFIXES
                    .iter()
                    .find(|(name, _)| *name == &word[..end])
                    .map_or(0, |(_, rank)| *rank);
                (rank, &word[end..])
            })
            .collect();
        Parts {
            numbers: head.split('.').collect(),
            letter,
            suffixes,
            revision,
        }
    }
}

/// The first number counts as a number; a later one that begins with 0 is compared as text, as apk
/// does.
fn numbers(a: &[&str], b: &[&str]) -> Ordering {
    for i in 0..a.len().max(b.len()) {
        let ordering = match (a.get(i), b.get(i)) {
            (Some(x), Some(y)) if i > 0 && (x.starts_with('0') || y.starts_with('0')) => x.cmp(y),
            (Some(x), Some(y)) => number(x, y),
            (Some(_), None) => Ordering::Greater,
            (None, _) => Ordering::Less,
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

fn suffixes(a: &[(i8, &str)], b: &[(i8, &str)]) -> Ordering {
    for i in 0..a.len().max(b.len()) {
        let (x, y) = (a.get(i).unwrap_or(&(0, "")), b.get(i).unwrap_or(&(0, "")));
        let ordering = x.0.cmp(&y.0).then_with(|| number(x.1, y.1));
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_manual() {
        let sorted = [
            "1.0_alpha",
            "1.0_alpha2",
            "1.0_beta1",
            "1.0_rc1",
            "1.0",
            "1.0-r1",
            "1.0-r10",
            "1.0_p1",
            "1.0a",
            "1.0.1",
            "1.10",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
    }
}
