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
    /// Whether the environment is what the files ask for; null for a command that compares nothing.
    pub in_sync: Option<bool>,
    /// The path of the live environment: a release, or a directory that venv-sync did not make.
    pub live: Option<String>,
    /// The name of the live release.
    pub release: Option<String>,
    /// The release that was live before, or the target of a link that venv-sync did not make.
    pub previous: Option<String>,
    /// The name of the release that the next apply makes live.
    pub prepared: Option<String>,
    /// The installer (uv or pip), and the reason where it is not the usual one.
    pub installer: Option<String>,
    /// The distributions that differ between the old and the new live release.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// The user's own files that the new release took over, relative to the environment.
    #[serde(default)]
    pub carried: Vec<String>,
    /// For list: every change of the live release, the oldest first.
    #[serde(default)]
    pub history: Vec<Flip>,
    /// The environment's interpreter.
    pub interpreter: Option<Interpreter>,
    /// The requirements files and constraints files that were read.
    pub inputs: Vec<Input>,
    /// Counts of what was compared, and of the findings.
    pub counts: Counts,
    /// The findings; for list the releases.
    pub items: Vec<Item>,
    /// Whether a process still runs a release that is no longer live; null where the tool did not
    /// look, or where a Python process does not show its environment.
    pub restart_required: Option<bool>,
    /// The processes that still run a release that is no longer live.
    pub stale_processes: Vec<StaleProcess>,
}

/// The environment's interpreter, as its links and pyvenv.cfg show it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Interpreter {
    /// The path of the interpreter in the environment.
    pub path: String,
    /// The version of Python.
    pub version: Option<String>,
    /// The source of the version: `pyvenv.cfg`, `name` or `lib`.
    pub source: String,
    /// Whether the interpreter exists and can be executed.
    pub ok: bool,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// The path, as the caller gave it.
    pub path: String,
    /// The SHA-256 of the file.
    pub sha256: String,
}

/// Counts of what was compared, and of the findings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// The number of requirements that apply to this environment.
    pub required: usize,
    /// The number of installed distributions.
    pub installed: usize,
    /// The number of files that were compared with their RECORD.
    pub files: usize,
    /// The number of findings.
    pub drift: usize,
    /// The number of findings of each kind.
    pub kinds: BTreeMap<Kind, usize>,
}

/// A distribution in two releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The name.
    pub name: String,
    /// The version before; null where the distribution was not installed.
    pub before: Option<String>,
    /// The version after; null where the distribution is not installed any more.
    pub after: Option<String>,
}

/// A finding, or a release.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Item {
    /// A finding of check or apply.
    Finding(Finding),
    /// A release, for list.
    Release(Release),
}

/// A release.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The name of the release, below VENV.d/releases.
    pub id: String,
    /// The path of the release.
    pub path: String,
    /// Whether the release is live.
    pub live: bool,
    /// Whether the build of the release was finished.
    pub complete: bool,
    /// Whether the next apply makes the release live.
    #[serde(default)]
    pub prepared: bool,
    /// When the release was built (RFC 3339), where its name tells.
    pub created_at: Option<String>,
    /// The number of distributions in the release.
    pub installed: usize,
    /// The processes that run the release.
    pub pids: Vec<u32>,
}

/// A process that runs a release that is no longer live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StaleProcess {
    /// The process's number.
    pub pid: u32,
    /// The release that the process has in memory; null where the process was started through the
    /// link, before the link last changed.
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

/// Beyond this many findings of a kind, a person wants the number, not the list; `-v` gives the
/// list.
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
            out.row(Mark::Changed, &[change.text()]);
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
