//! `H` in a template's field: a value that is the same on every run and differs from site to site.
//!
//! As in Jenkins: `H` any one value, `H(0-29)` one within, `H/15` a step whose first value is
//! hashed. It is template language: cron never sees it, the rendered line holds plain numbers.

use sha2::{Digest, Sha256};

use crate::field::{Cursor, Field};

/// What makes one job's hash differ from another's.
#[derive(Clone, Copy, Debug)]
pub struct Seed<'a> {
    /// The site's name.
    pub site: &'a str,
    /// The job's id.
    pub job: &'a str,
}

impl Seed<'_> {
    /// A number that depends on site, job and `purpose` alone, the same on every machine and in
    /// every release (SHA-256, not the standard library's hash, which may change).
    pub fn number(&self, purpose: &str) -> u64 {
        let mut hash = Sha256::new();
        for part in [self.site, self.job, purpose] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        digest.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
    }
}

/// Reads `H`, `H(a-b)`, `H/n` or `H(a-b)/n`; `None` if it is none of them.
///
/// Days of the month reach to 28 only, so that a hashed monthly job runs every month.
pub fn read(cursor: &mut Cursor<'_>, field: Field, seed: Seed<'_>) -> Option<u64> {
    if !cursor.take(b'H') {
        return None;
    }
    let (mut low, mut high) = (field.low(), field.high());
    match field {
        Field::Day => high = 28,
        Field::Weekday => high = 6,
        _ => {}
    }
    if cursor.take(b'(') {
        (low, high) = (cursor.plain_number()?, 0);
        if !cursor.take(b'-') {
            return None;
        }
        high = high.max(cursor.plain_number()?);
        if !cursor.take(b')') || low > high || low < field.low() || high > field.high() {
            return None;
        }
    }
    let number = seed.number(field.name());
    let width = (high - low + 1) as u64;
    if !cursor.take(b'/') {
        return Some(1 << (low as u64 + number % width));
    }
    let step = cursor.plain_number()?;
    if step < 1 || step as u64 > width {
        return None;
    }
    let mut value = low + (number % step as u64) as i32;
    let mut set = 0;
    while value <= high {
        set |= 1 << value;
        value += step;
    }
    Some(set)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn set(text: &str, field: Field) -> Option<u64> {
        let seed = Seed {
            site: "forum",
            job: "clearsessions",
        };
        read(&mut Cursor::new(text.as_bytes(), 0), field, seed)
    }

    #[test]
    fn one_value_within_and_always_the_same() {
        let first = set("H(10-19)", Field::Minute);
        assert_eq!(first, set("H(10-19)", Field::Minute));
        assert!(
            first.is_some_and(|s| s.count_ones() == 1 && (10..20).contains(&s.trailing_zeros()))
        );
        assert_eq!(set("H/15", Field::Minute).map(u64::count_ones), Some(4));
        assert_eq!(set("H(40-10)", Field::Minute), None);
        assert_eq!(set("H(40-70)", Field::Minute), None);
    }
}
