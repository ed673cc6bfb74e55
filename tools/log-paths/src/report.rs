//! The report: its types, which are the JSON, and its text for a terminal.

use crate::log::{Evidence, Kind, Opener};
use crate::problem::{Code, Problem};
use base::Fix;
use base::report::{Body, Mark, Text};
use schemars::JsonSchema;
use serde::Serialize;

/// The tool's own part of the report.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Logs {
    /// The logs, by service.
    pub items: Vec<Item>,
    /// How many processes could be looked into.
    pub coverage: Coverage,
    /// The configurations that could not be read, or only in part.
    pub errors: Vec<Fault>,
    /// With `--create-dirs`: the directories that were missing, and what was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directories: Option<Vec<Directory>>,
}

/// Where a log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinkName {
    /// A file.
    File,
    /// Syslog.
    Syslog,
    /// The systemd journal.
    Journal,
    /// A standard stream.
    Stdio,
    /// A program.
    Pipe,
    /// The network.
    Net,
    /// Memory.
    Memory,
    /// Nowhere.
    Discard,
    /// A name that only the service knows, when it writes.
    Template,
}

/// One log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Item {
    /// The file, or the template of its name; null for other sinks.
    pub path: Option<String>,
    /// The exact name in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// The kind of sink that the service writes to.
    pub sink: SinkName,
    /// The name of a sink that is no file: an address, a command, a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The service.
    pub service: String,
    /// The instance of the service: its configuration file, unit or program.
    pub instance: String,
    /// access, error or app.
    pub kind: Kind,
    /// The place in the configuration that names the log.
    pub source: Option<Place>,
    /// The evidence: configuration, an open file, or both.
    pub evidence: Vec<Evidence>,
    /// Whether the service writes the log only under a condition.
    pub conditional: bool,
    /// Whether the file exists; null for a sink that is no file.
    pub exists: Option<bool>,
    /// The type of the file.
    #[serde(rename = "type")]
    pub file_type: Option<&'static str>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// The time of the last write (RFC 3339).
    pub mtime: Option<String>,
    /// Device.
    pub dev: Option<u64>,
    /// Inode.
    pub ino: Option<u64>,
    /// Owner.
    pub owner: Option<String>,
    /// Group.
    pub group: Option<String>,
    /// Permissions, octal.
    pub mode: Option<String>,
    /// The unit that starts the service, where that is known.
    pub unit: Option<String>,
    /// The directory that the path is below, for a process with a file system of its own; null for
    /// this host's.
    pub root: Option<String>,
    /// The user that the service, or its worker, runs as.
    pub service_user: Option<String>,
    /// Which process of the service opens the log.
    pub opener: Opener,
    /// Whether the process that opens the log may write the log; null where the tool cannot tell.
    pub writable: Option<bool>,
    /// Whether the service may open the log again after a rotation; null where the tool cannot
    /// tell.
    pub reopenable: Option<bool>,
    /// The processes that hold the log open.
    pub open_by: Vec<Holder>,
    /// What rotates the log; null where nothing does.
    pub rotated_by: Option<Rotator>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// A place in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1; null where the whole file is meant.
    pub line: Option<usize>,
}

impl From<&conf::Source> for Place {
    fn from(source: &conf::Source) -> Self {
        Self {
            file: base::bytes::lossy(source.file.as_os_str()),
            line: (source.line > 0).then_some(source.line),
        }
    }
}

/// A process that has a log open.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The descriptor.
    pub fd: u32,
    /// The flags of open(2).
    pub flags: Vec<&'static str>,
    /// Whether the open file was deleted or replaced.
    pub deleted: bool,
}

/// What rotates a log.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rotator {
    /// Who rotates: logrotate, or the service itself.
    pub tool: &'static str,
    /// The configuration file of the rotation.
    pub file: Option<String>,
    /// The line.
    pub line: Option<usize>,
    /// `create`'s mode, owner and group, as written.
    pub create: Option<String>,
    /// `su`'s user and group.
    pub su: Option<String>,
    /// Whether logrotate copies and empties the file instead of renaming the file.
    pub copytruncate: bool,
    /// Whether the service writes the new file after the rotation; null where the tool does not
    /// understand a command of the script.
    pub reopened: Option<bool>,
}

/// How many processes could be looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Coverage {
    /// The number of processes that could hold a log of the services.
    pub procs_total: usize,
    /// The number of those whose open files could be listed.
    pub procs_readable: usize,
}

/// A configuration that could not be read.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// The service.
    pub service: String,
    /// The code.
    pub code: Code,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub fix: Fix,
    /// Whether logs may be missing from the list for that reason.
    pub incomplete: bool,
}

/// A directory that a log needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Directory {
    /// The path of the directory.
    pub path: String,
    /// The exact name in base64, where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// created, would_create or refused.
    pub state: &'static str,
    /// The owner of the directory.
    pub owner: Option<String>,
    /// The group of the directory.
    pub group: Option<String>,
    /// The permissions of the directory, octal.
    pub mode: Option<String>,
    /// Why the directory was refused.
    pub reason: Option<String>,
}

impl Item {
    /// How a terminal shows where it goes.
    fn place(&self) -> String {
        match (&self.path, &self.target) {
            (Some(path), _) => path.clone(),
            (None, Some(target)) if !target.is_empty() => format!("({target})"),
            _ => {
                format!(
                    "({})",
                    serde_json::to_value(self.sink)
                        .ok()
                        .and_then(|name| name.as_str().map(str::to_owned))
                        .unwrap_or_default()
                )
            }
        }
    }

    fn row(&self) -> (Mark, [String; 5]) {
        let mark = match (self.problems.is_empty(), self.sink) {
            (false, _) => Mark::Bad,
            (true, SinkName::File) => Mark::Good,
            (true, _) => Mark::Plain,
        };
        let size = match (self.exists, self.size) {
            (Some(true), Some(size)) => human(size),
            (Some(false), _) => "none".to_owned(),
            _ => "-".to_owned(),
        };
        let open = match self.open_by.len() {
            0 => "not open".to_owned(),
            _ => {
                let mut pids: Vec<u32> = self.open_by.iter().map(|holder| holder.pid).collect();
                pids.dedup();
                format!("{} open", pids.len())
            }
        };
        (
            mark,
            [
                self.service.clone(),
                self.kind.name().to_owned(),
                size,
                open,
                self.place(),
            ],
        )
    }
}

fn human(size: u64) -> String {
    let (mut value, mut unit) = (size as f64, "B");
    for next in ["K", "M", "G", "T"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" {
        format!("{size}B")
    } else {
        format!("{value:.1}{unit}")
    }
}

impl Body for Logs {
    fn text(&self, out: &mut Text) {
        // A person reads the problems first.
        let (sick, well): (Vec<&Item>, Vec<&Item>) = self
            .items
            .iter()
            .partition(|item| !item.problems.is_empty());
        for item in sick.into_iter().chain(well) {
            let (mark, cells) = item.row();
            out.row(mark, &cells);
            if out.verbose() {
                if let Some(source) = &item.source {
                    let line = source
                        .line
                        .map_or_else(String::new, |line| format!(":{line}"));
                    out.note(format!("{}{line}", source.file));
                }
            }
            for problem in &item.problems {
                out.note(format!("{}: {}", problem.code.name(), problem.message));
                problem.fix.text(out);
            }
        }
        for fault in &self.errors {
            let line = fault
                .line
                .map_or_else(String::new, |line| format!(":{line}"));
            out.row(
                if fault.incomplete {
                    Mark::Bad
                } else {
                    Mark::Warn
                },
                &[format!("{}{line}", fault.file), fault.message.clone()],
            );
            fault.fix.text(out);
        }
        for directory in self.directories.iter().flatten() {
            let mark = if directory.state == "refused" {
                Mark::Bad
            } else {
                Mark::Changed
            };
            let why = directory.reason.as_deref().unwrap_or_default();
            out.row(mark, &[directory.state, &directory.path, why]);
        }
    }
}
