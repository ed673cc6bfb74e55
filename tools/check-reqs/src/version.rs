//! Versions, each in the order of those who number them: Python's (PEP 440), dpkg's, rpm's,
//! Alpine's, PostgreSQL's, and the plain dotted numbers that commands print. `1.10` is newer than
//! `1.9`, `2.0~rc1` is older than `2.0`, and a string comparison gets both wrong. Nothing here runs
//! a program; the differential tests do.

pub mod alpine;
pub mod dpkg;
pub mod plain;
pub mod python;
pub mod rpm;

use pep440_rs::{Version, VersionSpecifiers};
use std::cmp::Ordering;
use std::str::FromStr;

/// Whose order two versions are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// PEP 440, of Python and its distributions.
    Python,
    /// PostgreSQL's own numbers, `15.4 (Debian 15.4-1)` and `16beta1` among them.
    Postgres,
    /// What commands print.
    Plain,
    /// Debian's.
    Dpkg,
    /// rpm's; pacman's `vercmp` descends from it.
    Rpm,
    /// Alpine's.
    Alpine,
}

/// A wanted version: alternatives (`||` in text, several strings in a file) of clauses that hold
/// together (`,`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    text: String,
    alternatives: Vec<String>,
}

/// One `>=1.2` of a distribution's version.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause<'t> {
    op: &'t str,
    version: &'t str,
}

impl Wanted {
    /// Takes alternatives as written, and refuses what no order could read.
    pub fn new(texts: &[String], order: Order) -> Result<Wanted, String> {
        let alternatives: Vec<String> = texts
            .iter()
            .flat_map(|text| text.split("||"))
            .map(|text| text.trim().to_string())
            .filter(|t| !t.is_empty())
            .collect();
        if alternatives.is_empty() {
            return match texts.is_empty() {
                true => Ok(Wanted::default()),
                false => Err("the version is empty".into()),
            };
        }
        let wanted = Wanted {
            text: alternatives.join(" || "),
            alternatives,
        };
        for alternative in &wanted.alternatives {
            match order {
                Order::Python | Order::Postgres | Order::Plain => {
                    drop(specifiers(alternative, order)?);
                }
                Order::Dpkg | Order::Rpm | Order::Alpine => drop(clauses(alternative)?),
            }
        }
        Ok(wanted)
    }

    /// Whether any version will do.
    pub fn is_any(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// As written, for reports.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `found` is wanted; `None` where `found` is no version in this order.
    pub fn admits(&self, found: &str, order: Order) -> Option<bool> {
        if self.is_any() {
            return Some(true);
        }
        let pep440 = match order {
            Order::Python => Some(Version::from_str(found.trim()).ok()?),
            Order::Postgres => Some(postgres(found)?),
            Order::Plain => Some(plain::version(found)?),
            Order::Dpkg | Order::Rpm | Order::Alpine => None,
        };
        Some(self.alternatives.iter().any(|alternative| {
            match &pep440 {
                Some(version) => specifiers(alternative, order)
                    .is_ok_and(|s| s.iter().all(|clause| python::admits(clause, version))),
                None => clauses(alternative)
                    .is_ok_and(|clauses| clauses.iter().all(|c| c.admits(found, order))),
            }
        }))
    }
}

fn specifiers(text: &str, order: Order) -> Result<VersionSpecifiers, String> {
    let text = match order {
        Order::Plain => plain::specifiers(text)?,
        // Packages write `=`, Python `==`; both are meant.
        _ => text
            .split(',')
            .map(|clause| single_equals(clause.trim()))
            .collect::<Vec<_>>()
            .join(","),
    };
    VersionSpecifiers::from_str(&text)
        .map_err(|_| format!("'{text}' is not a version specifier such as >=3.10,<4"))
}

fn single_equals(clause: &str) -> String {
    match clause.strip_prefix('=') {
        Some(rest) if !rest.starts_with('=') => format!("=={rest}"),
        _ => clause.to_string(),
    }
}

/// The comparisons a distribution's version may have, longest first.
const OPERATORS: &[&str] = &[">=", "<=", "==", "!=", ">>", "<<", ">", "<", "="];

fn clauses(text: &str) -> Result<Vec<Clause<'_>>, String> {
    text.split(',')
        .map(str::trim)
        .map(|clause| {
            let op = OPERATORS.iter().find(|op| clause.starts_with(**op));
            let op = op.ok_or_else(|| {
                format!("'{clause}' has no comparison: write >=, >, <=, <, = or !=")
            })?;
            let version = clause[op.len()..].trim();
            match version.is_empty() || version.contains(char::is_whitespace) {
                true => Err(format!("'{clause}' names no version")),
                false => Ok(Clause { op, version }),
            }
        })
        .collect()
}

impl Clause<'_> {
    fn admits(&self, found: &str, order: Order) -> bool {
        let ordering = compare(found, self.version, order);
        match self.op {
            ">=" => ordering != Ordering::Less,
            "<=" => ordering != Ordering::Greater,
            ">" | ">>" => ordering == Ordering::Greater,
            "<" | "<<" => ordering == Ordering::Less,
            "!=" => ordering != Ordering::Equal,
            _ => ordering == Ordering::Equal,
        }
    }
}

/// Compares an installed version with a wanted one.
fn compare(found: &str, wanted: &str, order: Order) -> Ordering {
    match order {
        Order::Rpm => rpm::compare_loosely(found, wanted),
        Order::Alpine => alpine::compare(found, wanted),
        _ => dpkg::compare(found, wanted),
    }
}

/// PostgreSQL's version as PEP 440 orders it: `15.4 (Debian 15.4-1.pgdg120+1)` is 15.4, `16beta1`
/// is 16b1, `17devel` is older than every beta of 17.
pub fn postgres(text: &str) -> Option<Version> {
    let text = text.trim();
    let word = text.split([' ', '(']).find(|w| !w.is_empty())?;
    let end = word
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(word.len());
    let (numbers, rest) = word.split_at(end);
    let stage = ["beta", "rc", "alpha"].iter().find_map(|stage| {
        let digits = rest.strip_prefix(stage)?;
        let digits = &digits[..digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len())];
        Some(format!(
            "{stage}{}",
            if digits.is_empty() { "0" } else { digits }
        ))
    });
    let stage = match rest.starts_with("devel") {
        true => ".dev0".to_string(),
        false => stage.unwrap_or_default(),
    };
    Version::from_str(&format!("{}{stage}", numbers.trim_end_matches('.'))).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn admits(wanted: &str, found: &str, order: Order) -> Option<bool> {
        Wanted::new(&[wanted.to_string()], order)
            .unwrap()
            .admits(found, order)
    }

    #[test]
    fn postgres_numbers_as_the_server_says_them() {
        for (wanted, found, answer) in [
            (">=13", "15.4 (Debian 15.4-1.pgdg120+1)", true),
            (">=9.4", "9.6.24", true),
            (">=9.4", "10.1", true),
            (">=16", "16beta1", false),
            (">=16b1", "16beta1", true),
            (">=17a1", "17devel", false),
            (">=13,<18", "18rc1", false),
            (">=13,<18", "18.0", false),
            ("=15.*", "15.4", true),
        ] {
            assert_eq!(
                admits(wanted, found, Order::Postgres),
                Some(answer),
                "{found} in {wanted}"
            );
        }
        assert_eq!(admits(">=13", "not a server", Order::Postgres), None);
    }

    #[test]
    fn alternatives_are_joined_by_or_and_clauses_by_and() {
        let misago = "==2.7.*||>=3.4,<3.7";
        for (found, answer) in [
            ("2.7.18", true),
            ("3.3.7", false),
            ("3.6.15", true),
            ("3.11.2", false),
        ] {
            assert_eq!(
                admits(misago, found, Order::Python),
                Some(answer),
                "{found}"
            );
        }
    }

    #[test]
    fn distribution_versions_need_a_comparison() {
        assert_eq!(
            admits(">=1.18", "1.22.1-9+deb12u3", Order::Dpkg),
            Some(true)
        );
        assert_eq!(admits("<<2:1", "1:9", Order::Dpkg), Some(true));
        assert_eq!(admits("=1.20.1", "1.20.1-14.el9", Order::Rpm), Some(true));
        assert!(Wanted::new(&["1.18".into()], Order::Dpkg).is_err());
        assert!(Wanted::new(&["".into()], Order::Dpkg).is_err());
    }
}
