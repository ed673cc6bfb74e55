//! rpm's order of versions: `[epoch:]version[-release]`, each part compared in turns of digits and
//! letters, everything else only separating; `~` sorts before the end, `^` after it but before
//! anything longer (rpm-version(7)).

use super::dpkg::number;
use std::cmp::Ordering;

/// Compares two whole versions, as rpm sorts packages.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    number(a.0, b.0)
        .then_with(|| part(a.1, b.1))
        .then_with(|| part(a.2.unwrap_or(""), b.2.unwrap_or("")))
}

/// Compares as a dependency does: a release counts only where both have one.
pub fn compare_loosely(a: &str, b: &str) -> Ordering {
    let (a, b) = (parts(a), parts(b));
    let releases = match (a.2, b.2) {
        (Some(x), Some(y)) => part(x, y),
        _ => Ordering::Equal,
    };
    number(a.0, b.0).then_with(|| part(a.1, b.1)).then(releases)
}

fn parts(text: &str) -> (&str, &str, Option<&str>) {
    let text = text.trim();
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|c| c.is_ascii_digit()) => (epoch, rest),
        _ => ("0", text),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

/// One part: the algorithm of rpm's `rpmvercmp`.
pub fn part(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        (a, b) = (separators_off(a), separators_off(b));
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), Some(b'^')) => (a, b) = (&a[1..], &b[1..]),
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(_)) => {
                let numeric = x.is_ascii_digit();
                let (x, y) = (run(a, numeric), run(b, numeric));
                if y.is_empty() {
                    // Digits are newer than letters.
                    return if numeric {
                        Ordering::Greater
                    } else {
                        Ordering::Less
                    };
                }
                let ordering = if numeric { number(x, y) } else { x.cmp(y) };
                if ordering != Ordering::Equal {
                    return ordering;
                }
                (a, b) = (&a[x.len()..], &b[y.len()..]);
            }
        }
    }
}

fn separators_off(bytes: &[u8]) -> &[u8] {
    let start = bytes
        .iter()
        .position(|c| c.is_ascii_alphanumeric() || matches!(c, b'~' | b'^'))
        .unwrap_or(bytes.len());
    &bytes[start..]
}

fn run(bytes: &[u8], numeric: bool) -> &str {
    let same = |c: &u8| {
        if numeric {
            c.is_ascii_digit()
        } else {
            c.is_ascii_alphabetic()
        }
    };
    let end = bytes.iter().position(|c| !same(c)).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_manual() {
        let sorted = [
            "1.0~rc1",
            "1.0~rc1^git1",
            "1.0",
            "1.0^git1",
            "1.0a",
            "1.0.1",
            "1.9",
            "1.10",
            "1:0.1",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("1_0", "1.0"), Ordering::Equal);
        assert_eq!(compare_loosely("1.0-5.el9", "1.0"), Ordering::Equal);
    }
}
