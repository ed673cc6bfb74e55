//! Pure decisions: which requirements are looked at, in which order, and what the answers add up
//! to.

use crate::request::FailOn;
use crate::requirement::{Requirement, Severity};
use base::{Error, Result};
use std::collections::{HashMap, HashSet};

/// What one requirement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The condition holds.
    Met,
    /// It is not so.
    Unmet,
    /// It is not so, and only a warning.
    Warn,
    /// It could not be seen.
    Unknown,
    /// It was not looked at: it does not concern this host, or what it needs is not met.
    Skipped,
}

/// Which requirement waits for which others, by position.
#[derive(Debug, Default)]
pub struct Order {
    /// For each, those it waits for.
    pub needs: Vec<Vec<usize>>,
}

impl Order {
    /// Finds every id that is waited for; an unknown id and a circle are errors.
    pub fn of(requirements: &[Requirement]) -> Result<Order> {
        let ids: HashMap<&str, usize> = requirements
            .iter()
            .enumerate()
            .map(|(i, r)| (r.id.as_str(), i))
            .collect();
        let needs = requirements
            .iter()
            .map(|r| {
                r.needs
                    .iter()
                    .map(|need| {
                        ids.get(need.as_str()).copied().ok_or_else(|| {
                            let names: Vec<&str> = ids.keys().copied().collect();
                            let error = Error::input(format!(
                                "{}: '{}' needs '{need}', and there is no such id",
                                r.origin, r.id
                            ));
                            match base::spelling::nearest(need, &names) {
                                Some(near) => error.hint(format!("did you mean '{near}'?")),
                                None => error,
                            }
                        })
                    })
                    .collect::<Result<Vec<usize>>>()
            })
            .collect::<Result<Vec<_>>>()?;
        let order = Order { needs };
        match order.circle() {
            Some(circle) => {
                let names: Vec<&str> = circle
                    .iter()
                    .filter_map(|i| requirements.get(*i))
                    .map(|r| r.id.as_str())
                    .collect();
                Err(Error::input(format!(
                    "these need each other in a circle: {}",
                    names.join(" -> ")
                )))
            }
            None => Ok(order),
        }
    }

    /// A circle of needs, if there is one. Iterative: a chain may be as long as the file.
    fn circle(&self) -> Option<Vec<usize>> {
        let mut done: HashSet<usize> = HashSet::new();
        for start in 0..self.needs.len() {
            let mut path: Vec<(usize, usize)> = vec![(start, 0)];
            let mut on_path: HashSet<usize> = HashSet::from([start]);
            while let Some((at, next)) = path.last_mut() {
                let at = *at;
                match self.needs[at].get(*next) {
                    _ if done.contains(&at) => {
                        on_path.remove(&at);
                        path.pop();
                    }
                    None => {
                        done.insert(at);
                    }
                    Some(&need) => {
                        *next += 1;
                        if on_path.contains(&need) {
                            let from = path.iter().position(|(i, _)| *i == need).unwrap_or(0);
                            return Some(
                                path[from..].iter().map(|(i, _)| *i).chain([need]).collect(),
                            );
                        }
                        if !done.contains(&need) {
                            on_path.insert(need);
                            path.push((need, 0));
                        }
                    }
                }
            }
        }
        None
    }
}

/// Keeps what `--only` and `--tag` choose, and what that needs.
pub fn chosen(
    requirements: Vec<Requirement>,
    only: &[&str],
    tags: &[&str],
) -> Result<Vec<Requirement>> {
    if only.is_empty() && tags.is_empty() {
        return Ok(requirements);
    }
    let ids: HashMap<String, usize> = requirements
        .iter()
        .enumerate()
        .map(|(i, r)| (r.id.clone(), i))
        .collect();
    for id in only {
        if !ids.contains_key(*id) {
            let names: Vec<&str> = ids.keys().map(String::as_str).collect();
            let error = Error::usage(format!("--only: there is no requirement '{id}'"));
            return Err(match base::spelling::nearest(id, &names) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error.hint("--list lists the requirements"),
            });
        }
    }
    let mut keep: HashSet<usize> = HashSet::new();
    let mut todo: Vec<usize> = requirements
        .iter()
        .enumerate()
        .filter(|(_, r)| {
            only.contains(&r.id.as_str()) || r.tags.iter().any(|tag| tags.contains(&tag.as_str()))
        })
        .map(|(i, _)| i)
        .collect();
    if todo.is_empty() {
        return Err(Error::usage(format!(
            "--tag: no requirement has the tag {}",
            tags.join(" or ")
        ))
        .hint("--list shows the tags"));
    }
    while let Some(i) = todo.pop() {
        if keep.insert(i) {
            todo.extend(
                requirements[i]
                    .needs
                    .iter()
                    .filter_map(|need| ids.get(need)),
            );
        }
    }
    Ok(requirements
        .into_iter()
        .enumerate()
        .filter(|(i, _)| keep.contains(i))
        .map(|(_, r)| r)
        .collect())
}

/// How many came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Counts {
    /// Met.
    pub met: usize,
    /// Unmet.
    pub unmet: usize,
    /// Unmet, and only a warning.
    pub warn: usize,
    /// Not to be seen.
    pub unknown: usize,
    /// Not looked at.
    pub skipped: usize,
}

impl Counts {
    /// Counts them.
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Counts {
        let mut counts = Counts::default();
        for status in statuses {
            *match status {
                Status::Met => &mut counts.met,
                Status::Unmet => &mut counts.unmet,
                Status::Warn => &mut counts.warn,
                Status::Unknown => &mut counts.unknown,
                Status::Skipped => &mut counts.skipped,
            } += 1;
        }
        counts
    }

    /// The verdict of all together.
    pub fn verdict(self, fail_on: FailOn) -> base::report::Status {
        let no = self.unmet > 0
            || (fail_on >= FailOn::Warn && self.warn > 0)
            || (fail_on >= FailOn::Unknown && self.unknown > 0);
        match (no, self.unknown) {
            (true, _) => base::report::Status::No,
            (false, 0) => base::report::Status::Ok,
            (false, _) => base::report::Status::Failed,
        }
    }

    /// `9 met, 1 unmet`.
    pub fn text(self) -> String {
        let parts = [
            (self.unmet, "unmet"),
            (self.unknown, "unknown"),
            (self.warn, "warned"),
            (self.skipped, "skipped"),
            (self.met, "met"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        parts.join(", ")
    }
}

/// What a verdict means under a severity.
pub fn status(verdict: crate::finding::Verdict, severity: Severity) -> Status {
    match (verdict, severity) {
        (crate::finding::Verdict::Met, _) => Status::Met,
        (crate::finding::Verdict::Unknown, _) => Status::Unknown,
        (crate::finding::Verdict::Unmet, Severity::Fail) => Status::Unmet,
        (crate::finding::Verdict::Unmet, Severity::Warn) => Status::Warn,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base::report::Status as Whole;

    #[test]
    fn circles_are_found_and_long_chains_are_none() {
        let chain = Order {
            needs: (0..5000usize)
                .map(|i| if i == 0 { vec![] } else { vec![i - 1] })
                .collect(),
        };
        assert_eq!(chain.circle(), None);
        let diamond = Order {
            needs: vec![vec![], vec![0], vec![0], vec![1, 2]],
        };
        assert_eq!(diamond.circle(), None);
        let circle = Order {
            needs: vec![vec![1], vec![2], vec![1]],
        };
        assert_eq!(circle.circle().unwrap(), [1, 2, 1]);
        let itself = Order {
            needs: vec![vec![0]],
        };
        assert_eq!(itself.circle().unwrap(), [0, 0]);
    }

    #[test]
    fn the_whole_is_as_good_as_its_worst_part() {
        use Status::*;
        for (statuses, fail, warn, unknown) in [
            (vec![Met, Met], Whole::Ok, Whole::Ok, Whole::Ok),
            (vec![Met, Skipped], Whole::Ok, Whole::Ok, Whole::Ok),
            (vec![Met, Warn], Whole::Ok, Whole::No, Whole::No),
            (vec![Met, Unknown], Whole::Failed, Whole::Failed, Whole::No),
            (vec![Unmet, Unknown], Whole::No, Whole::No, Whole::No),
        ] {
            let counts = Counts::of(statuses.clone());
            let verdicts =
                [FailOn::Fail, FailOn::Warn, FailOn::Unknown].map(|on| counts.verdict(on));
            assert_eq!(verdicts, [fail, warn, unknown], "{statuses:?}");
        }
    }
}
