//! Version specifiers (PEP 440) as pip reads them: `>=1.0,<2`, and `===` as a string.
//!
//! The parsing and the order of versions are `pep440_rs`'s; what a clause means is here, because
//! its `contains` differs from pip's in small things (`1` is not `==1.4.*`; `2.0a1` is `<2.0rc1`),
//! and because an installed pre-release counts like any other version and `===` compares text, so
//! that `1.0.0` is not `===1.0`.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier};

/// An installed version: its text, and what it means where it has a meaning.
#[derive(Debug, Clone)]
pub struct InstalledVersion {
    text: String,
    parsed: Option<Version>,
}

impl InstalledVersion {
    /// Reads a version as a `dist-info` directory's name has it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let parsed = Version::from_str(text)
            .or_else(|_| Version::from_str(&text.replace('_', "-")))
            .ok();
        InstalledVersion {
            text: text.to_owned(),
            parsed,
        }
    }

    /// Whether it is a version by PEP 440. One that is not satisfies only `===`.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.parsed.is_some()
    }

    /// Whether two texts mean the same version: `1.0` and `1.0.0` do.
    #[must_use]
    pub fn same(&self, other: &str) -> bool {
        match (&self.parsed, Version::from_str(other)) {
            (Some(mine), Ok(other)) => *mine == other,
            _ => self.text == other,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Clause {
    Ordered(VersionSpecifier),
    Arbitrary(String),
}

/// A set of clauses that must all hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Specifiers {
    clauses: Vec<Clause>,
}

impl Specifiers {
    /// Reads `>=1.0,<2`. Empty clauses, as behind a last comma, are let pass, as pip lets them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let clauses = text
            .split(',')
            .map(str::trim)
            .filter(|clause| !clause.is_empty())
            .map(clause)
            .collect::<Result<_, _>>()?;
        Ok(Specifiers { clauses })
    }

    /// Whether there is no clause, so that every version will do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Whether one version alone will do: `==1.0` or `===1.0`.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.clauses.iter().any(|clause| match clause {
            Clause::Arbitrary(_) => true,
            Clause::Ordered(specifier) => *specifier.operator() == Operator::Equal,
        })
    }

    /// Whether the installed version satisfies every clause.
    #[must_use]
    pub fn allow(&self, version: &InstalledVersion) -> bool {
        self.clauses.iter().all(|clause| match clause {
            Clause::Arbitrary(text) => {
                let normal = version.parsed.as_ref().map(ToString::to_string);
                text.eq_ignore_ascii_case(normal.as_deref().unwrap_or(&version.text))
            }
            Clause::Ordered(specifier) => version
                .parsed
                .as_ref()
                .is_some_and(|version| contains(specifier, version)),
        })
    }
}

impl fmt::Display for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, clause) in self.clauses.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match clause {
                Clause::Arbitrary(text) => write!(f, "==={text}")?,
                Clause::Ordered(specifier) => {
                    write!(f, "{}", specifier.to_string().replace(' ', ""))?;
                }
            }
        }
        Ok(())
    }
}

fn clause(text: &str) -> Result<Clause, String> {
    if let Some(version) = text.strip_prefix("===") {
        let version = version.trim();
        if version.contains(|c: char| c.is_whitespace() || c == ')') {
            return Err(format!("'{text}' is not a version specifier"));
        }
        return Ok(Clause::Arbitrary(version.to_owned()));
    }
    VersionSpecifier::from_str(text)
        .map(Clause::Ordered)
        .map_err(|error| format!("'{text}' is not a version specifier: {error}"))
}

/// Whether a version satisfies a clause, by PEP 440 as pip has it.
fn contains(specifier: &VersionSpecifier, version: &Version) -> bool {
    let wanted = specifier.version();
    let public = version.clone().without_local();
    let same_base = || version.epoch() == wanted.epoch() && same_release(version, wanted);
    match specifier.operator() {
        Operator::Equal | Operator::ExactEqual if wanted.is_local() => version == wanted,
        Operator::Equal | Operator::ExactEqual => public == *wanted,
        Operator::NotEqual if wanted.is_local() => version != wanted,
        Operator::NotEqual => public != *wanted,
        Operator::EqualStar => begins_with(version, wanted, wanted.release().len()),
        Operator::NotEqualStar => !begins_with(version, wanted, wanted.release().len()),
        Operator::TildeEqual => {
            public >= *wanted
                && begins_with(version, wanted, wanted.release().len().saturating_sub(1))
        }
        Operator::LessThanEqual => public <= *wanted,
        Operator::GreaterThanEqual => public >= *wanted,
        Operator::LessThan => {
            version < wanted
                && (wanted.any_prerelease() || !version.any_prerelease() || !same_base())
        }
        Operator::GreaterThan => {
            version > wanted
                && (wanted.is_post() || !version.is_post() || !same_base())
                && (!version.is_local() || !same_base())
        }
    }
}

/// Whether the releases are the same, zeros at the end aside.
fn same_release(one: &Version, other: &Version) -> bool {
    let length = one.release().len().max(other.release().len());
    begins_with(one, other, length)
}

/// Whether the first `length` numbers of the releases are the same; what is not written is 0.
fn begins_with(version: &Version, wanted: &Version, length: usize) -> bool {
    let at = |version: &Version, index: usize| version.release().get(index).copied().unwrap_or(0);
    version.epoch() == wanted.epoch()
        && (0..length).all(|index| at(version, index) == at(wanted, index))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{InstalledVersion, Specifiers};

    fn allows(specifiers: &str, version: &str) -> bool {
        let specifiers = Specifiers::parse(specifiers).unwrap();
        specifiers.allow(&InstalledVersion::new(version))
    }

    #[test]
    fn the_cases_that_readers_disagree_on() {
        assert!(!allows("===1.0", "1.0.0"));
        assert!(!allows(">1.7", "1.7.post1"));
        assert!(!allows("<2.0", "2.0rc1"));
        assert!(allows(">=1.0", "2.0rc1"));
        assert!(allows("==1.0", "1.0+local1"));
        assert!(!allows("==1.0+local2", "1.0+local1"));
        assert!(allows("<=1.0", "1.0+local1"));
        assert!(!allows(">1.0", "1.0+local1"));
        assert!(allows(">=1.0,", "1.0"));
        assert!(allows("==1.*", "1.5.dev1"));
        assert!(allows("===Custom", "custom"));
        assert!(!allows(">=0", "custom"));
    }

    #[test]
    fn what_is_no_specifier_is_refused() {
        for text in [">=1.0.*", "~=1", "=1.0", "1.0", "=>1", ">=1.0 <2"] {
            assert!(Specifiers::parse(text).is_err(), "{text}");
        }
    }
}
