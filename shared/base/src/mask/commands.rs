//! Secrets on command lines: the word after an option that takes one.

use super::patterns::is_secret;
use std::ops::Range;

/// How an option of a program takes a secret.
#[derive(Clone, Copy)]
enum Takes {
    /// `user:secret`; only what follows the colon is secret.
    UserAndSecret,
    /// The whole word.
    Secret,
    /// The rest of the same word.
    Attached,
}

/// Options whose names say nothing, by program.
const OPTIONS: &[(&str, &[&str], Takes)] = &[
    (
        "curl",
        &["-u", "--user", "-U", "--proxy-user"],
        Takes::UserAndSecret,
    ),
    ("http", &["-a", "--auth"], Takes::UserAndSecret),
    ("https", &["-a", "--auth"], Takes::UserAndSecret),
    ("ab", &["-A", "-P"], Takes::UserAndSecret),
    ("siege", &["-a"], Takes::UserAndSecret),
    ("redis-cli", &["-a", "--pass"], Takes::Secret),
    ("sshpass", &["-p"], Takes::Secret),
    ("ldapsearch", &["-w"], Takes::Secret),
    ("mysql", &["-p"], Takes::Attached),
    ("mysqldump", &["-p"], Takes::Attached),
    ("mariadb", &["-p"], Takes::Attached),
];

/// Words that follow an option's name in a sentence about that option.
const PROSE: &[&str] = &[
    "is", "are", "was", "has", "needs", "takes", "must", "may", "can", "cannot", "and", "or",
    "not", "given", "in", "for", "to", "on", "of", "with", "twice", "holds", "without",
];

/// Adds where the secrets stand in a text that may hold command lines, such as a shell's trace.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    if !text.contains('-') {
        return;
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.contains('-') {
            let at: Vec<usize> = places(line).collect();
            let words: Vec<&str> = at.iter().map(|at| word_at(line, *at)).collect();
            for (at, hidden) in at.iter().zip(hidden(&words, false)) {
                found.extend(hidden.map(|range| start + at + range.start..start + at + range.end));
            }
        }
        start += line.len();
    }
}

/// Where the words of a line begin, quotes before them left out.
fn places(line: &str) -> impl Iterator<Item = usize> + '_ {
    line.split_whitespace().map(move |word| {
        let bare = word.trim_start_matches(['"', '\'', '`', '‘', '“', '(', '[', '{']);
        bare.as_ptr() as usize - line.as_ptr() as usize
    })
}

fn word_at(line: &str, at: usize) -> &str {
    line[at..]
        .split(char::is_whitespace)
        .next()
        .unwrap_or("")
        .trim_end_matches(['"', '\'', '`', '’', '”', ',', ';'])
}

/// What is secret in each word. `strict` for an argument vector; in prose the word after an option
/// is often no value.
pub(super) fn hidden(words: &[&str], strict: bool) -> Vec<Option<Range<usize>>> {
    let mut programs: Vec<&'static str> = Vec::new();
    let mut next = None;
    let mut ranges = Vec::with_capacity(words.len());
    for word in words {
        let range = match next.take() {
            Some(Takes::UserAndSecret) => of_user(word),
            Some(_) if strict || !PROSE.contains(word) => Some(0..word.len()),
            _ => attached(word, &programs),
        };
        ranges.push(range);
        let base = word.rsplit('/').next().unwrap_or(word);
        if let Some((name, ..)) = OPTIONS.iter().find(|(name, ..)| *name == base) {
            programs.push(name);
        }
        next = takes(word, &programs);
    }
    ranges
}

/// What the word after this one is.
fn takes(word: &str, programs: &[&str]) -> Option<Takes> {
    if !word.starts_with('-') {
        return None;
    }
    let known = OPTIONS.iter().find(|(name, options, takes)| {
        programs.contains(name) && options.contains(&word) && !matches!(takes, Takes::Attached)
    });
    if let Some((.., takes)) = known {
        return Some(*takes);
    }
    let named = word.starts_with("--") && !word.contains('=');
    (named && is_secret(word.trim_start_matches('-'))).then_some(Takes::Secret)
}

/// A secret in the same word as its option: `-uuser:x`, `--user=user:x`, `mysql -px`.
fn attached(word: &str, programs: &[&str]) -> Option<Range<usize>> {
    for (name, options, takes) in OPTIONS {
        if !programs.contains(name) {
            continue;
        }
        for option in *options {
            let Some(rest) = word.strip_prefix(option) else {
                continue;
            };
            let rest = match option.starts_with("--") {
                true => match rest.strip_prefix('=') {
                    Some(rest) => rest,
                    None => continue,
                },
                false => rest,
            };
            let start = word.len() - rest.len();
            return match takes {
                Takes::UserAndSecret => {
                    of_user(rest).map(|range| start + range.start..start + range.end)
                }
                Takes::Secret | Takes::Attached => (!rest.is_empty()).then_some(start..word.len()),
            };
        }
    }
    None
}

fn of_user(word: &str) -> Option<Range<usize>> {
    let colon = word.find(':')?;
    (colon + 1 < word.len()).then_some(colon + 1..word.len())
}
