//! The tool's own part of the report, and how it is set for a person.

use std::collections::BTreeMap;

use base::report::{Mark, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::findings::{Finding, Kind};
use crate::journal::Flip;

/// What stands in the envelope beside the common keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    /// Whether the environment is what was asked for; null where nothing was asked for.
    pub in_sync: Option<bool>,
    /// The path of what is live now: a release, or an environment that is not in releases.
    pub live: Option<String>,
    /// The live release.
    pub release: Option<String>,
    /// What was live before: a release, or the target of a link that venv-sync did not make.
    pub previous: Option<String>,
    /// A release that is ready for the next apply.
    pub prepared: Option<String>,
    /// The installer that was used, and why not the usual one.
    pub installer: Option<String>,
    /// Distributions that differ between what was live and what is.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Files of the user's that the new release took over, below the environment.
    #[serde(default)]
    pub carried: Vec<String>,
    /// For list: every flip, oldest first.
    #[serde(default)]
    pub history: Vec<Flip>,
    /// The environment's interpreter.
    pub interpreter: Option<Interpreter>,
    /// The files that were read.
    pub inputs: Vec<Input>,
    /// How much was looked at and found.
    pub counts: Counts,
    /// The drift; for list, the releases.
    pub items: Vec<Item>,
    /// Whether a process still runs what is no longer live; null where that was not looked at, or where a process runs
    /// Python and shows no environment.
    pub restart_required: Option<bool>,
    /// Those processes.
    pub stale_processes: Vec<StaleProcess>,
}

/// The environment's interpreter, as its links and pyvenv.cfg show it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Interpreter {
    /// In the environment.
    pub path: String,
    /// Its version.
    pub version: Option<String>,
    /// Where the version is from: `pyvenv.cfg`, `name` or `lib`.
    pub source: String,
    /// Whether it is there and can be executed.
    pub ok: bool,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// As it was named.
    pub path: String,
    /// Of its bytes.
    pub sha256: String,
}

/// How much was looked at and found.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Requirements that count in this environment.
    pub required: usize,
    /// Distributions that are installed.
    pub installed: usize,
    /// Files that were compared with their RECORD.
    pub files: usize,
    /// Findings.
    pub drift: usize,
    /// Findings of each kind.
    pub kinds: BTreeMap<Kind, usize>,
}

/// A distribution in two releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The name.
    pub name: String,
    /// The version before; null where it was not there.
    pub before: Option<String>,
    /// The version after; null where it is gone.
    pub after: Option<String>,
}

/// A finding, or a release.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Item {
    /// Of check, apply.
    Finding(Finding),
    /// Of list.
    Release(Release),
}

/// A release.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Its name below VENV.d/releases.
    pub id: String,
    /// Where it is.
    pub path: String,
    /// Whether the environment leads to it.
    pub live: bool,
    /// Whether it was finished.
    pub complete: bool,
    /// Whether it waits for the next apply.
    #[serde(default)]
    pub prepared: bool,
    /// When it was made (RFC 3339), where its name tells.
    pub created_at: Option<String>,
    /// How many distributions it has.
    pub installed: usize,
    /// Processes that run it.
    pub pids: Vec<u32>,
}

/// A process that runs what is no longer live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleProcess {
    /// Its number.
    pub pid: u32,
    /// The release that it has in memory; null if it was started through the link before that last changed.
    pub release: Option<String>,
}

impl Body {
    /// Takes the findings, and counts them.
    pub fn set_findings(&mut self, findings: Vec<Finding>) {
        self.counts.drift = findings.len();
        self.counts.kinds.clear();
        for finding in &findings {
            *self.counts.kinds.entry(finding.kind).or_default() += 1;
        }
        self.items = findings.into_iter().map(Item::Finding).collect();
    }
}

/// Beyond this many findings of a kind, a person wants the number, not the list; `-v` gives the list.
const SHOWN: usize = 10;

impl base::report::Body for Body {
    fn text(&self, out: &mut Text) {
        let mut shown: BTreeMap<Kind, usize> = BTreeMap::new();
        for item in &self.items {
            match item {
                Item::Release(release) => release.text(out),
                Item::Finding(finding) => {
                    let count = shown.entry(finding.kind).or_default();
                    *count += 1;
                    if *count <= SHOWN || out.verbose() {
                        finding.text(out);
                    }
                }
            }
        }
        let verbose = out.verbose();
        for (kind, count) in shown
            .into_iter()
            .filter(|(_, count)| *count > SHOWN && !verbose)
        {
            out.row(
                Mark::Bad,
                &[
                    kind.text(),
                    format!("… and {} more (-v shows them)", count - SHOWN),
                ],
            );
        }
        if let Some(interpreter) = self.interpreter.as_ref().filter(|_| out.verbose()) {
            let version = interpreter
                .version
                .as_deref()
                .unwrap_or("of unknown version");
            out.note(format!(
                "Python {version} ({}, from {})",
                interpreter.path, interpreter.source
            ));
        }
        if let (Some(live), true) = (&self.live, out.verbose() || self.previous.is_some()) {
            out.note(format!("live: {live}"));
        }
        for change in &self.changes {
            out.row(Mark::Plain, &[change.text()]);
        }
        for path in &self.carried {
            out.note(format!("carried over: {path}"));
        }
        if let Some(id) = self.prepared.as_ref().filter(|_| out.verbose()) {
            out.note(format!("prepared: {id}"));
        }
        for flip in &self.history {
            let from = flip.from.as_ref().map_or("nothing", |from| from.text());
            out.note(format!("{}: {from} -> {}", flip.at, flip.to.text()));
        }
        for process in &self.stale_processes {
            let what = process.release.as_deref().unwrap_or("what was live before");
            out.row(
                Mark::Warn,
                &[format!(
                    "process {} still runs {what}: restart it",
                    process.pid
                )],
            );
        }
    }
}

impl Kind {
    /// As in the report: `wrong_version`.
    pub fn text(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

impl Finding {
    fn text(&self, out: &mut Text) {
        let origin = self.origin.clone().unwrap_or_default();
        out.row(Mark::Bad, &[self.kind.text(), self.msg.clone(), origin]);
        if let Some(fix) = self.fix.as_ref().filter(|_| out.verbose()) {
            fix.text(out);
        }
    }
}

impl Change {
    fn text(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before == after => {
                format!("{} {after}, anew", self.name)
            }
            (Some(before), Some(after)) => format!("{} {before} -> {after}", self.name),
            (None, Some(after)) => format!("{} {after} is new", self.name),
            (Some(before), None) => format!("{} {before} is gone", self.name),
            (None, None) => self.name.clone(),
        }
    }
}

impl Release {
    fn text(&self, out: &mut Text) {
        let mark = if self.live { Mark::Good } else { Mark::Plain };
        let state = match (self.live, self.complete) {
            (true, _) => "live",
            (false, true) if self.prepared => "prepared",
            (false, true) => "",
            (false, false) => "unfinished",
        };
        let pids: Vec<String> = self.pids.iter().map(ToString::to_string).collect();
        let running = if pids.is_empty() {
            String::new()
        } else {
            format!("pids {}", pids.join(" "))
        };
        out.row(
            mark,
            &[
                self.id.clone(),
                state.to_owned(),
                format!("{} distributions", self.installed),
                running,
            ],
        );
    }
}
