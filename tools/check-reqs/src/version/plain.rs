//! The versions that commands print: `git version 2.39.5`, `nginx version: nginx/1.22.1`,
//! `OpenSSH_9.2p1`, `OpenSSL 1.1.1w`. They are put into PEP 440's words, so that one order and one
//! set of operators serve: a letter at the end is one more number (`1.1.1w` is `1.1.1.23`), `p1` is
//! a post-release.

use pep440_rs::Version;
use std::str::FromStr;

/// The first version in a command's output.
pub fn find(output: &str) -> Option<&str> {
    output.lines().take(40).find_map(|line| {
        let dotted = candidates(line).find(|word| word.contains('.'));
        dotted.or_else(|| candidates(line).find(|_| line.to_ascii_lowercase().contains("version")))
    })
}

/// Every run of version characters that begins with a digit at the edge of a word (`v1.2` and
/// `nginx/1.2` have one, `sha1` has none).
fn candidates(line: &str) -> impl Iterator<Item = &str> {
    let bytes = line.as_bytes();
    let edge = move |i: usize| {
        let before = |n: usize| i.checked_sub(n).and_then(|j| bytes.get(j)).copied();
        match before(1) {
            None => true,
            Some(b'v' | b'V') => before(2).is_none_or(|c| !c.is_ascii_alphanumeric()),
            Some(c) => !(c.is_ascii_alphanumeric() || c == b'.'),
        }
    };
    (0..bytes.len())
        .filter(move |i| bytes[*i].is_ascii_digit() && edge(*i))
        .map(move |start| {
            let rest = &line[start..];
            let end = rest
                .find(|c: char| {
                    !(c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '~' | '_' | '-'))
                })
                .unwrap_or(rest.len());
            rest[..end].trim_end_matches(['.', '-', '_', '+', '~'])
        })
}

/// A version as PEP 440 orders it.
pub fn version(text: &str) -> Option<Version> {
    Version::from_str(&translated(text.trim().trim_start_matches(['v', 'V']))?).ok()
}

/// `text` in PEP 440's words: numbers, and what is known of what follows them.
fn translated(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let numbers = text[..end].trim_end_matches('.');
    if !numbers.starts_with(|c: char| c.is_ascii_digit()) || numbers.contains("..") {
        return None;
    }
    let rest = text[numbers.len()..].trim_start_matches(['.', '-', '_', '~']);
    let letters = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (word, tail) = rest.split_at(letters);
    let tail = tail.trim_start_matches(['.', '-']);
    let digits = &tail[..tail
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(tail.len())];
    let digits = if digits.is_empty() { "0" } else { digits };
    Some(match word.to_ascii_lowercase().as_str() {
        stage @ ("a" | "alpha" | "b" | "beta" | "rc" | "pre" | "preview")
            if tail.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            format!("{numbers}{stage}{digits}")
        }
        stage @ ("alpha" | "beta" | "rc" | "pre") => format!("{numbers}{stage}0"),
        "dev" | "devel" | "snapshot" => format!("{numbers}.dev{digits}"),
        "p" | "patch" | "pl" | "post" => format!("{numbers}.post{digits}"),
        letter if letter.len() == 1 => {
            let nth = letter.bytes().next().map_or(0, |c| c - b'a' + 1);
            format!("{numbers}.{nth}")
        }
        _ => numbers.to_string(),
    })
}

/// Specifiers whose versions are commands' versions.
pub fn specifiers(text: &str) -> Result<String, String> {
    let translate = |clause: &str| {
        let clause = clause.trim();
        let start = clause
            .find(|c: char| c.is_ascii_alphanumeric())
            .unwrap_or(clause.len());
        let (op, version) = clause.split_at(start);
        let op = match op.trim() {
            "=" => "==",
            op => op,
        };
        match version.strip_suffix(".*") {
            Some(_) => Some(format!("{op}{version}")),
            None => Some(format!("{op}{}", translated(version)?)),
        }
    };
    let clauses: Option<Vec<String>> = text.split(',').map(translate).collect();
    clauses
        .map(|clauses| clauses.join(","))
        .ok_or_else(|| format!("'{text}' is not a version specifier such as >=2.30"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::version::{Order, Wanted};

    #[test]
    fn what_real_commands_print() {
        for (output, found) in [
            ("git version 2.39.5", "2.39.5"),
            ("nginx version: nginx/1.22.1\n", "1.22.1"),
            (
                "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15 3 Sep 2024",
                "9.2p1",
            ),
            ("OpenSSL 1.1.1w  11 Sep 2023", "1.1.1w"),
            ("Python 3.11.2", "3.11.2"),
            ("psql (PostgreSQL) 16beta1 (Debian)\npsql version 16", "16"),
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
                "15.14",
            ),
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
                "7.0.15",
            ),
            ("curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1", "7.88.1"),
            ("jq-1.6", "1.6"),
            ("v2.6.2 h1:abc=", "2.6.2"),
            ("uWSGI 2.0.21-debian", "2.0.21-debian"),
            ("openjdk version \"17.0.9\" 2023-10-17", "17.0.9"),
            ("GNU Make 4.3\nBuilt for x86_64", "4.3"),
            (
                "less 590 (GNU regular expressions)\nless version 590",
                "590",
            ),
        ] {
            assert_eq!(find(output), Some(found), "{output}");
        }
    }

    #[test]
    fn letters_and_patches_have_their_place() {
        let order = Order::Plain;
        for (wanted, found, answer) in [
            (">=1.1.1k", "1.1.1w", true),
            (">=1.1.1x", "1.1.1w", false),
            (">=9.2", "9.2p1", true),
            (">=9.3", "9.2p1", false),
            (">=2.0", "2.0-rc1", false),
            (">=2.0.20", "2.0.21-debian", true),
            ("=1.22.*", "1.22.1", true),
        ] {
            let wanted = Wanted::new(&[wanted.to_string()], order).unwrap();
            assert_eq!(
                wanted.admits(found, order),
                Some(answer),
                "{found} {wanted:?}"
            );
        }
    }
}
