//! The report: an item for each requirement, in the order of the file, and how it is set for a person.

use crate::observe::{Outcome, Seen};
use crate::plan::{self, Counts, Status};
use crate::requirement::{Requirement, Severity};
use crate::secret::{self, masked};
use base::Fix;
use base::clock::millis;
use base::report::{Body, Mark, Text};
use schemars::JsonSchema;
use serde::Serialize;

/// The tool's own part of the report.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Requirements {
    /// One for each requirement, in the order in which they were given.
    pub items: Vec<Item>,
    /// With `--list` and `--explain`: what would be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Listed>,
}

/// What one requirement came to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Item {
    /// Its name.
    pub id: String,
    /// The type of check.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it came to.
    pub status: Status,
    /// What its failing means.
    pub severity: Severity,
    /// What is wanted.
    pub expected: String,
    /// What is there.
    pub found: Option<String>,
    /// One word for programs.
    pub reason: Option<&'static str>,
    /// A sentence for people.
    pub msg: String,
    /// How to close the gap.
    pub fix: Option<Fix>,
    /// What the answer rests on.
    pub evidence: Option<String>,
    /// How long the last look took, in milliseconds.
    pub elapsed_ms: u64,
    /// How often it was looked at.
    pub attempts: u32,
    /// The ids it waited for.
    pub needs: Vec<String>,
}

/// A requirement that was only listed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Listed {
    /// Its name.
    pub id: String,
    /// The type of check.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What is wanted.
    pub expected: String,
    /// How it would be found out.
    pub how: String,
    /// What its failing means.
    pub severity: Severity,
    /// The ids it waits for.
    pub needs: Vec<String>,
    /// Words it can be chosen by.
    pub tags: Vec<String>,
    /// Why it does not concern this host, if so.
    pub skipped: Option<String>,
    /// Where it was written.
    pub origin: String,
}

impl Item {
    /// Of a requirement and its outcome; nothing secret gets in.
    pub fn of(requirement: &Requirement, outcome: Outcome) -> Item {
        let mut item = Item {
            id: requirement.id.clone(),
            kind: requirement.kind,
            status: Status::Skipped,
            severity: requirement.severity,
            expected: masked(&requirement.check.expected()),
            found: None,
            reason: None,
            msg: String::new(),
            fix: None,
            evidence: None,
            elapsed_ms: millis(outcome.elapsed),
            attempts: outcome.attempts,
            needs: requirement.needs.clone(),
        };
        match outcome.seen {
            Seen::Skipped(reason, msg) => {
                item.reason = Some(reason);
                item.msg = masked(&msg);
            }
            Seen::Found(finding) => {
                item.status = plan::status(finding.verdict, requirement.severity);
                item.found = finding.found.map(|text| masked(&text));
                item.reason = finding.reason;
                item.msg = masked(&finding.msg);
                item.evidence = finding.evidence.map(|text| masked(&text));
                let gap = matches!(item.status, Status::Unmet | Status::Warn);
                let last_resort = || Fix::advice(format!("bring about: {}", item.expected));
                item.fix = gap.then(|| {
                    requirement
                        .fix
                        .clone()
                        .or(finding.fix)
                        .map_or_else(last_resort, secret::fix)
                });
            }
        }
        item
    }

    fn mark(&self) -> Mark {
        match self.status {
            Status::Met => Mark::Good,
            Status::Unmet => Mark::Bad,
            Status::Warn => Mark::Warn,
            Status::Unknown | Status::Skipped => Mark::Unknown,
        }
    }
}

impl Listed {
    /// Of a requirement.
    pub fn of(requirement: &Requirement) -> Listed {
        Listed {
            id: requirement.id.clone(),
            kind: requirement.kind,
            expected: masked(&requirement.check.expected()),
            how: masked(&requirement.check.how()),
            severity: requirement.severity,
            needs: requirement.needs.clone(),
            tags: requirement.tags.clone(),
            skipped: requirement.skipped.clone(),
            origin: requirement.origin.clone(),
        }
    }
}

/// How many came to what.
pub fn counts(items: &[Item]) -> Counts {
    Counts::of(items.iter().map(|item| item.status))
}

impl Body for Requirements {
    fn text(&self, out: &mut Text) {
        for item in &self.items {
            out.row(item.mark(), &[item.id.as_str(), item.msg.as_str()]);
        }
        let gaps: Vec<&Item> = self
            .items
            .iter()
            .filter(|item| item.fix.is_some())
            .collect();
        if !gaps.is_empty() {
            out.line("");
            out.heading("To fix");
        }
        for item in gaps {
            let Some(fix) = &item.fix else { continue };
            out.line(item.id.as_str());
            fix.text(out);
            if out.verbose() {
                out.note(item.evidence.as_deref().unwrap_or_default());
            }
        }
        for listed in &self.listed {
            out.row(
                Mark::Plain,
                &[listed.id.as_str(), listed.kind, listed.expected.as_str()],
            );
        }
        if let [only] = self.listed.as_slice() {
            out.note(format!("how: {}", only.how));
            out.note(format!("from: {}", only.origin));
            for (name, list) in [("needs", &only.needs), ("tags", &only.tags)] {
                if !list.is_empty() {
                    out.note(format!("{name}: {}", list.join(", ")));
                }
            }
            out.note(only.skipped.as_deref().unwrap_or_default());
        }
    }
}
