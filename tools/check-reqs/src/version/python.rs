//! What a PEP 440 clause admits. Parsing and order are `pep440_rs`'s. The meaning of `<`, `>` and
//! `.*` is `packaging`'s, which pip has: `pep440_rs` 0.7 refuses 2.0a1 in `<2.0rc1` and 2.0.post1
//! in `>2.0rc1`, and takes 2 for a 2.1.*; a test compares.

use pep440_rs::{Operator, Version, VersionSpecifier};
use std::str::FromStr;

/// Whether a version is in a clause. Pre-releases count, as in `SpecifierSet.contains(…,
/// prereleases=True)`: what is installed is judged.
pub fn admits(clause: &VersionSpecifier, found: &Version) -> bool {
    let wanted = clause.version();
    let public = || found.clone().without_local();
    match clause.operator() {
        Operator::Equal => same(wanted, found),
        Operator::NotEqual => !same(wanted, found),
        Operator::EqualStar => begins(wanted, found, wanted.release().len()),
        Operator::NotEqualStar => !begins(wanted, found, wanted.release().len()),
        Operator::TildeEqual => {
            found >= wanted && begins(wanted, found, wanted.release().len().saturating_sub(1))
        }
        Operator::GreaterThanEqual => found >= wanted,
        Operator::LessThanEqual => public() <= *wanted,
        Operator::GreaterThan => newer(wanted, found),
        Operator::LessThan => found < &first(wanted),
        _ => found.to_string() == wanted.to_string(),
    }
}

/// A local version (`+x`) is ignored unless the clause names one.
fn same(wanted: &Version, found: &Version) -> bool {
    match wanted.is_local() {
        true => wanted == found,
        false => *wanted == found.clone().without_local(),
    }
}

/// Whether the first `count` numbers are the same; missing ones are 0.
fn begins(wanted: &Version, found: &Version, count: usize) -> bool {
    let number = |version: &Version, i: usize| version.release().get(i).copied().unwrap_or(0);
    wanted.epoch() == found.epoch() && (0..count).all(|i| number(wanted, i) == number(found, i))
}

/// `<V` excludes the pre-releases of V, unless V is one.
fn first(wanted: &Version) -> Version {
    match wanted.any_prerelease() {
        true => wanted.clone(),
        false => Version::from_str(&format!("{}.dev0", wanted.clone().without_local()))
            .unwrap_or_else(|_| wanted.clone()),
    }
}

/// `>V` excludes V's own local and post-releases, unless V is one.
fn newer(wanted: &Version, found: &Version) -> bool {
    let text = wanted.clone().without_local().to_string();
    let least = match (wanted.dev(), wanted.post()) {
        (Some(dev), _) => text
            .rsplit_once(".dev")
            .map(|(head, _)| format!("{head}.dev{}", dev.saturating_add(1))),
        (None, Some(post)) => text
            .rsplit_once(".post")
            .map(|(head, _)| format!("{head}.post{}.dev0", post.saturating_add(1))),
        (None, None) => None,
    };
    match least.and_then(|least| Version::from_str(&least).ok()) {
        Some(least) => *found >= least,
        None => {
            let longest = wanted.release().len().max(found.release().len());
            found > wanted && !(begins(wanted, found, longest) && wanted.pre() == found.pre())
        }
    }
}
