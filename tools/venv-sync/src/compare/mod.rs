//! Compares the environment with the requirements. Pure: everything was read before.
//!
//! The reading is pip's throughout. Beyond pip's it goes in three things: the dependencies of
//! extras count, what nobody asked for counts, and so does the way in which an environment leaks.

mod dependencies;
mod places;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use pydist::PythonVersion;
use pydist::marker::MarkerValues;

use base::Fix;

use crate::findings::{Finding, Kind};
use crate::observe::{Installed, Observed, Place};
use crate::request::{Goal, Level};
use crate::requirements::Requirements;

/// What an environment has without being asked, unless uv made it bare.
const SEEDS: [&str; 5] = ["pip", "setuptools", "wheel", "pkg-resources", "uv"];

/// What the caller thinks of as drift.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What nobody asked for.
    pub extraneous: Level,
    /// Normalized names that may be there, or come from the system.
    pub allow: BTreeSet<String>,
    /// Directories outside the environment that belong to the site.
    pub vendor: Vec<std::path::PathBuf>,
    /// The command that mends drift.
    pub apply: Fix,
    /// The account that runs it.
    pub actor: String,
    /// The request, for fixes with further options.
    pub goal: Goal,
    /// Options that `apply` needs here.
    pub more: Vec<&'static str>,
}

impl Policy {
    /// The command that mends drift, with a further option.
    pub fn apply_with(&self, summary: &str, option: &str, value: &str) -> Fix {
        let mut more = self.more.clone();
        more.extend([option, value]);
        self.goal.apply(summary, &self.actor, &more)
    }
}

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The drift.
    pub findings: Vec<Finding>,
    /// What is worth a word and no drift.
    pub warnings: Vec<String>,
    /// How many requirements count here, constraints left out.
    pub required: usize,
    /// What is asked for, directly or by a dependency.
    pub reached: BTreeSet<String>,
}

/// Compares.
pub fn compare(requirements: &Requirements, observed: &Observed, policy: &Policy) -> Comparison {
    let values = requirements.values(python(observed), implementation(observed));
    let mut work = Work::new(observed, policy, values);
    if let Some(why) = requirements.unfit(&work.values) {
        let finding = Finding::new(Kind::RequiresPython, why);
        work.found(finding.installed(&work.values.python_full_version));
    }
    work.interpreter();
    work.requirements(requirements);
    work.dependencies();
    work.constraints(requirements);
    work.extraneous();
    work.condition();
    work.leaks();
    work.out.reached = work.reached.keys().cloned().collect();
    work.out
        .findings
        .sort_by(|a, b| (a.kind, &a.name, &a.path).cmp(&(b.kind, &b.name, &b.path)));
    work.out
}

struct Work<'a> {
    observed: &'a Observed,
    policy: &'a Policy,
    values: MarkerValues,
    /// The distribution that an import would find, by name: the environment's own first.
    index: BTreeMap<&'a str, &'a Installed>,
    /// What is asked for, directly or by a dependency, with the extras asked of it.
    reached: BTreeMap<String, BTreeSet<String>>,
    /// Names that were reported missing.
    missing: BTreeSet<String>,
    out: Comparison,
}

impl<'a> Work<'a> {
    fn new(observed: &'a Observed, policy: &'a Policy, values: MarkerValues) -> Self {
        let mut index = BTreeMap::new();
        for place in [Place::Own, Place::Vendor, Place::System] {
            let (whole, rest): (Vec<_>, Vec<_>) = observed
                .installed
                .iter()
                .filter(|i| i.place == place)
                .partition(|i| i.is_whole());
            // Of two in one place, which one is imported depends on the file system; what is whole
            // is likelier.
            for installed in whole.into_iter().chain(rest) {
                index
                    .entry(installed.dist.key.as_str())
                    .or_insert(installed);
            }
        }
        Work {
            values,
            observed,
            policy,
            index,
            reached: BTreeMap::new(),
            missing: BTreeSet::new(),
            out: Comparison::default(),
        }
    }

    fn found(&mut self, finding: Finding) {
        self.out.findings.push(finding);
    }

    /// Notes that `key` is asked for with these extras.
    fn reach(&mut self, key: &str, extras: &[String]) {
        let have = self.reached.entry(key.to_owned()).or_default();
        have.extend(extras.iter().cloned());
    }

    /// What is there and reached by nothing.
    fn extraneous(&mut self) {
        let bare = self.observed.environment.config.unseeded;
        let own = self
            .observed
            .installed
            .iter()
            .filter(|i| i.place == Place::Own);
        for installed in own {
            let dist = &installed.dist;
            let seed = !bare && SEEDS.contains(&dist.key.as_str());
            if seed || self.reached.contains_key(&dist.key) || self.policy.allow.contains(&dist.key)
            {
                continue;
            }
            let msg = format!(
                "{} {} is installed and nothing asks for it",
                dist.name, dist.version
            );
            match self.policy.extraneous {
                Level::Ignore => {}
                Level::Warn => self.out.warnings.push(msg),
                Level::Fail => self.out.findings.push(
                    Finding::new(Kind::Extraneous, msg)
                        .name(&dist.name)
                        .installed(&dist.version)
                        .path(&dist.path)
                        .fix(self.policy.apply.clone().or(self.policy.apply_with(
                            "keep the distribution",
                            "--allow",
                            &dist.name,
                        ))),
                ),
            }
        }
    }
}

/// The Python that runs here: the environment's, or where nothing tells, the oldest that still has
/// users.
pub fn python(observed: &Observed) -> PythonVersion {
    let environment = &observed.environment;
    let named = environment
        .interpreter
        .as_ref()
        .and_then(|interpreter| interpreter.named);
    environment
        .python
        .or(environment.config.version)
        .or(named)
        .unwrap_or(PythonVersion {
            major: 3,
            minor: 8,
            patch: None,
        })
}

/// Which implementation of Python that is.
pub fn implementation(observed: &Observed) -> &str {
    observed
        .environment
        .config
        .implementation
        .as_deref()
        .unwrap_or("CPython")
}

#[cfg(test)]
mod tests;
