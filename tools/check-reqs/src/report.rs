//! The report: an item for each requirement, in the order of the file, and how it is set for a
//! person.

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
    /// The requirements and their results, in the order in which they were given.
    pub items: Vec<Item>,
    /// With `--list` and `--explain`: the requirements, without results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<Listed>,
}

/// The result of one requirement.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Item {
    /// The id of the requirement.
    pub id: String,
    /// The type of check.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether the requirement is met.
    pub status: Status,
    /// What an unmet requirement means for the verdict.
    pub severity: Severity,
    /// What the requirement asks for.
    pub expected: String,
    /// What the host has; null where the tool found nothing.
    pub found: Option<String>,
    /// The reason as one word, for programs; null where the requirement is met.
    pub reason: Option<&'static str>,
    /// The result in one sentence.
    pub msg: String,
    /// The steps that meet the requirement; null where the tool knows none.
    pub fix: Option<Fix>,
    /// The evidence: a path, or the end of a command's output.
    pub evidence: Option<String>,
    /// The duration of the last check in milliseconds.
    pub elapsed_ms: u64,
    /// The number of checks (with `--wait` more than 1).
    pub attempts: u32,
    /// The ids of the requirements that had to be met first.
    pub needs: Vec<String>,
}

/// A requirement that was only listed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Listed {
    /// The id of the requirement.
    pub id: String,
    /// The type of check.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What the requirement asks for.
    pub expected: String,
    /// How the tool checks the requirement.
    pub how: String,
    /// What an unmet requirement means for the verdict.
    pub severity: Severity,
    /// The ids of the requirements that have to be met first.
    pub needs: Vec<String>,
    /// The words that `--tag` selects the requirement by.
    pub tags: Vec<String>,
    /// Why the requirement does not concern this host; null where it does.
    pub skipped: Option<String>,
    /// The file and line, or the argument, that asks for the requirement.
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

/// The number of requirements with each result.
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
