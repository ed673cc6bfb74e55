//! Are the files that RECORD lists there, and are they what was installed?
//!
//! Every path is looked up from the environment's own directory, opened once, and one that would
//! climb out of it is not looked at at all: RECORD is a file that anybody who can install can
//! write. The work is spread over the processors by distribution.

mod claims;
mod look;
mod place;
pub mod programs;
mod twice;

use std::sync::atomic::{AtomicUsize, Ordering};

use pydist::Form;

use look::{Look, Part};
use twice::claimed_twice;

use crate::compare::Policy;
use crate::findings::{Finding, Kind};
use crate::observe::{self, Installed, Observed};
use crate::request::Depth;

pub use place::below;

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Verified {
    /// Files that are not as they were.
    pub findings: Vec<Finding>,
    /// What is worth a word.
    pub warnings: Vec<String>,
    /// How many files were looked at.
    pub files: usize,
}

/// Looks at the files of every distribution of the environment's own.
pub fn verify(observed: &Observed, depth: Depth, policy: &Policy) -> std::io::Result<Verified> {
    let mut out = Verified::default();
    programs::look(observed, policy, &mut out.findings);
    if depth == Depth::None {
        return Ok(out);
    }
    let dists: Vec<&Installed> = observed
        .installed
        .iter()
        .filter(|i| i.place == observe::Place::Own && i.dist.form == Form::DistInfo && i.has_record)
        .collect();
    let look = Look::new(observed, depth, policy)?;
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
        .min(dists.len().max(1));
    let work = || {
        let mut mine = Part::default();
        let mut buffer = vec![0; 64 << 10];
        while let Some(dist) = dists.get(next.fetch_add(1, Ordering::Relaxed)) {
            let index = mine.dists.len();
            mine.dists.push(dist);
            look.distribution(dist, index, &mut mine, &mut buffer);
        }
        mine
    };
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| base::threads::help(scope, work))
            .collect();
        let mut parts = vec![work()];
        parts.extend(others.into_iter().filter_map(base::threads::Helper::join));
        parts
    });
    let twice = claimed_twice(&parts, &look);
    let is_twice = |finding: &Finding| {
        finding.kind == Kind::FileModified && twice.iter().any(|t| t.path == finding.path)
    };
    for part in parts {
        out.findings.extend(
            part.findings
                .into_iter()
                .filter(|finding| !is_twice(finding)),
        );
        out.warnings.extend(part.warnings);
        out.files += part.claims.len();
    }
    out.findings.extend(twice);
    out.findings
        .sort_by(|a, b| (a.kind, &a.name, &a.path).cmp(&(b.kind, &b.name, &b.path)));
    Ok(out)
}
