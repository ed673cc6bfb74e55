//! The report's own part, and how it is set for a person.

use std::collections::HashMap;

use base::report::{Body, Diff, Mark, Text};
use schemars::JsonSchema;
use serde::Serialize;

use crate::calendar;
use crate::field::WEEKDAYS;
use crate::finding::Finding;
use crate::runs::{Dst, Run};
use crate::schedule::Kind;
use crate::trial::Attempt;
use crate::unified::unified;

/// A moment as RFC 3339, in place: `next` makes hundreds of thousands of them.
#[derive(Clone, Copy)]
pub struct Stamp {
    bytes: [u8; 25],
    length: u8,
}

impl Stamp {
    /// A local minute, `offset` seconds east of UTC; `Z` without one.
    pub fn new(minute: i64, offset: Option<i32>) -> Stamp {
        let mut bytes = [0; 25];
        let length = calendar::write_minute(&mut bytes, minute, offset);
        Stamp { bytes, length }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl std::fmt::Debug for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Stamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl JsonSchema for Stamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// One start of a job.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Start {
    /// What the clock on the wall shows (RFC 3339).
    pub local: Stamp,
    /// The same moment in UTC.
    pub utc: Stamp,
    /// The day of the week of the local time.
    pub weekday: &'static str,
    /// What a change of the clock did to the start; null on every other day.
    pub dst: Option<String>,
    /// The last moment of the range in which cronie picks the start; `local` is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<Stamp>,
}

impl Start {
    /// For a person and a program.
    pub fn new(run: &Run) -> Start {
        let minute = run.local_minute();
        let clock = |minute: i64| {
            format!(
                "{:02}:{:02}",
                minute.rem_euclid(1440) / 60,
                minute.rem_euclid(60)
            )
        };
        let dst = match run.dst {
            Dst::Plain => None,
            Dst::Skipped(missed) => Some(format!(
                "{} does not exist that day: runs at {}",
                clock(missed),
                clock(minute)
            )),
            Dst::First => Some(format!(
                "{} comes twice that day: this is the first",
                clock(minute)
            )),
            Dst::Second => Some(format!(
                "{} comes twice that day: this is the second",
                clock(minute)
            )),
        };
        Start {
            local: Stamp::new(minute, Some(run.offset)),
            utc: Stamp::new(run.utc.div_euclid(60), None),
            weekday: WEEKDAYS[calendar::weekday(minute.div_euclid(calendar::DAY)) as usize % 7],
            dst,
            latest: None,
        }
    }

    /// A start that cronie picks between this one and `last`.
    #[must_use]
    pub fn until(mut self, last: &Run) -> Start {
        self.latest = Some(Stamp::new(last.local_minute(), Some(last.offset)));
        self
    }
}

/// One run in the list of all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Upcoming {
    /// The time of the run.
    #[serde(flatten)]
    pub start: Start,
    /// The job's id.
    pub id: String,
    /// The file of the job.
    pub source: String,
    /// The line of the job in the file.
    pub line: usize,
    /// The user that runs the job.
    pub user: Option<String>,
}

/// One job.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Item {
    /// The id of the job.
    pub id: String,
    /// The line of the job in the template; 0 for an expression of `-e`.
    pub line: usize,
    /// The schedule, as cron reads the schedule.
    pub schedule: String,
    /// The rendered line, or the rendered units.
    pub rendered: Option<String>,
    /// How cron treats the job when the clock changes.
    pub kind: Kind,
    /// The next runs of the job.
    pub next: Vec<Start>,
    /// The schedule before `--spread` moved the job; null where the job was not moved.
    pub moved_from: Option<String>,
    /// The user that runs the job, where the template or the command line names a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The schedule in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// What is installed, or would be.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Target {
    /// The file, or the directory of the units.
    pub path: String,
    /// The SHA-256 of the file before; null where there was no file.
    pub sha_before: Option<String>,
    /// The SHA-256 of the file after; null where there is no file.
    pub sha_after: Option<String>,
    /// The copy of the file as it was before.
    pub backup: Option<String>,
}

/// Which command speaks, for the text form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// `render`, `diff`, `install`, `remove`.
    #[default]
    Plain,
    /// `lint`.
    Lint,
    /// `next`.
    Next,
    /// `explain`.
    Explain,
    /// `try`.
    Try,
}

/// The tool's own keys.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct CronReport {
    /// The jobs.
    pub items: Vec<Item>,
    /// The findings: errors and warnings.
    pub findings: Vec<Finding>,
    /// What is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The runs of all jobs in the order of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upcoming: Option<Vec<Upcoming>>,
    /// The finished schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// `rendered` exactly, in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendered_b64: Option<String>,
    /// The job that `try` ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// What differs; for `diff`, which is asked for nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// Which command speaks.
    #[serde(skip)]
    pub voice: Voice,
}

impl Body for CronReport {
    fn text(&self, out: &mut Text) {
        match self.voice {
            Voice::Next if self.upcoming.is_some() => {
                for run in self.upcoming.iter().flatten() {
                    let start = &run.start;
                    let place = format!("{}:{}", run.source, run.line);
                    let user = run.user.as_deref().unwrap_or_default();
                    let dst = start.dst.as_deref().unwrap_or_default();
                    let local = start.local.as_str().replace('T', " ");
                    out.row(
                        Mark::Plain,
                        &[start.weekday, &local, user, &run.id, &place, dst],
                    );
                }
            }
            Voice::Next => {
                for item in &self.items {
                    out.heading(format!("{}  {}", item.schedule, item.id));
                    for start in &item.next {
                        let note = start.dst.as_deref().unwrap_or_default();
                        out.row(
                            Mark::Plain,
                            &[
                                start.weekday,
                                start.local.as_str().replace('T', " ").as_str(),
                                start.utc.as_str(),
                                &match &start.latest {
                                    Some(latest) => {
                                        format!("to {}, as cronie picks", latest.as_str())
                                    }
                                    None => note.to_owned(),
                                },
                            ],
                        );
                    }
                }
            }
            Voice::Explain => {
                for item in &self.items {
                    let id = if item.line > 0 { item.id.as_str() } else { "" };
                    out.row(
                        Mark::Plain,
                        &[
                            item.schedule.as_str(),
                            item.explanation.as_deref().unwrap_or_default(),
                            id,
                        ],
                    );
                }
            }
            Voice::Try => {
                if let Some(attempt) = &self.attempt {
                    attempt.text(out);
                }
            }
            Voice::Lint | Voice::Plain => {}
        }
        if matches!(self.voice, Voice::Lint | Voice::Plain | Voice::Try) {
            for group in grouped(&self.findings) {
                let finding = group[0];
                let mark = if finding.is_error() {
                    Mark::Bad
                } else {
                    Mark::Warn
                };
                let place = match finding.line {
                    0 => "site".to_owned(),
                    line => format!("{line}:{}", finding.column),
                };
                out.row(mark, &[finding.code.name(), &place, &finding.message]);
                finding.fix.text(out);
                if group.len() > 1 {
                    let lines: Vec<String> =
                        group[1..].iter().map(|f| f.line.to_string()).collect();
                    out.note(format!("the same on lines {}", lines.join(", ")));
                }
            }
        }
        if let Some(diff) = &self.diff {
            out.line(unified(diff).trim_end());
        }
    }
}

/// Findings that say the same of several lines, together, in the order of their first lines.
fn grouped(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut of: HashMap<(&str, &str, &str), usize> = HashMap::new();
    for finding in findings {
        let key = (
            finding.code.name(),
            finding.message.as_str(),
            finding.fix.summary.as_str(),
        );
        match of.get(&key) {
            Some(at) if finding.line > 0 => groups[*at].push(finding),
            _ => {
                of.insert(key, groups.len());
                groups.push(vec![finding]);
            }
        }
    }
    groups
}
