//! The envelope that every tool reports in, and how it is set for a person.

use crate::error::Error;
use crate::exit::Exit;
use crate::terminal::escape_lines;
use anstyle::{AnsiColor, Style};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// The schema's number: keys are only ever added within one.
pub const SCHEMA: u32 = 2;

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is so now.
    Ok,
    /// The answer is no.
    No,
    /// Tried and failed, or could not tell.
    Failed,
    /// Try again.
    Retry,
}

impl Status {
    /// The exit code it means by itself.
    pub const fn exit(self) -> Exit {
        match self {
            Status::Ok => Exit::Ok,
            Status::No => Exit::No,
            Status::Failed => Exit::Failed,
            Status::Retry => Exit::Retry,
        }
    }
}

/// A tool's own part of the report: its keys stand in the envelope beside the common ones.
pub trait Body: Serialize + JsonSchema {
    /// Sets it for a person; the summary line is added by the envelope.
    fn text(&self, out: &mut Text);
}

/// A report, before it is dressed with names and times.
#[derive(Debug)]
pub struct Report<B> {
    /// The verdict.
    pub status: Status,
    /// Something was changed, or would be in a dry run.
    pub changed: bool,
    /// The summary, one line.
    pub msg: String,
    /// The tool's own keys.
    pub body: B,
    /// What a person should know although it went well.
    pub warnings: Vec<String>,
    /// What went wrong.
    pub error: Option<Error>,
    /// What changes, for `--diff`.
    pub diff: Option<Diff>,
    /// The exit code where the status does not decide it: around a COMMAND.
    pub exit: Option<Exit>,
    /// What to print in place of the report.
    pub raw: Option<Raw>,
}

/// Output that is not the envelope.
#[derive(Debug)]
pub enum Raw {
    /// Whatever the format: a list of names, another program's format.
    Always(Vec<u8>),
    /// Where text is asked for: a finished schedule, a configuration snippet.
    AsText(Vec<u8>),
}

/// What changes, as Ansible's `--diff` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// What the thing before the change is called.
    pub before_header: String,
    /// The text before.
    pub before: String,
    /// What the thing after the change is called.
    pub after_header: String,
    /// The text after.
    pub after: String,
}

impl Diff {
    /// Of one thing's text; none where nothing differs.
    pub fn of(
        name: impl Into<String>,
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Option<Diff> {
        let (name, before, after) = (name.into(), before.into(), after.into());
        (before != after).then(|| Diff {
            before_header: name.clone(),
            before,
            after_header: name,
            after,
        })
    }

    /// Fit to be shown: without secrets, and without control bytes, since Ansible prints it as it is.
    #[must_use]
    pub fn shown(&self) -> Diff {
        // Tabs are text in a crontab.
        let clean = |text: &str| {
            crate::mask::text(text)
                .split('\t')
                .map(escape_lines)
                .collect::<Vec<_>>()
                .join("\t")
        };
        Diff {
            before_header: clean(&self.before_header),
            before: clean(&self.before),
            after_header: clean(&self.after_header),
            after: clean(&self.after),
        }
    }
}

impl<B> Report<B> {
    /// A report with this verdict.
    pub fn new(status: Status, msg: impl Into<String>, body: B) -> Report<B> {
        Report {
            status,
            changed: false,
            msg: msg.into(),
            body,
            warnings: Vec::new(),
            error: None,
            diff: None,
            exit: None,
            raw: None,
        }
    }

    /// Something was (or would be) changed.
    #[must_use]
    pub fn changed(mut self, changed: bool) -> Report<B> {
        self.changed = changed;
        self
    }

    /// With an error, whose kind decides between failed and retry.
    #[must_use]
    pub fn error(mut self, error: Error) -> Report<B> {
        self.status = match error.exit() {
            Exit::Retry => Status::Retry,
            _ => Status::Failed,
        };
        self.error = Some(error);
        self
    }

    /// With warnings.
    #[must_use]
    pub fn warnings(mut self, warnings: Vec<String>) -> Report<B> {
        self.warnings = warnings;
        self
    }

    /// With an exit code of its own.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Report<B> {
        self.exit = Some(exit);
        self
    }

    /// With something else to print in its place.
    #[must_use]
    pub fn raw(mut self, raw: Raw) -> Report<B> {
        self.raw = Some(raw);
        self
    }

    /// With what changes.
    #[must_use]
    pub fn diff(mut self, diff: Option<Diff>) -> Report<B> {
        self.diff = diff;
        self
    }

    /// The exit code.
    pub fn rc(&self) -> Exit {
        self.exit.unwrap_or_else(|| self.status.exit())
    }
}

/// What every report has; `body` is the tool's own part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Envelope<'a, B> {
    /// The schema's number.
    pub schema: u32,
    /// The tool's name.
    pub tool: &'a str,
    /// The tool's version.
    pub version: &'a str,
    /// The verdict.
    pub status: Status,
    /// Something was changed, or would be in a dry run.
    pub changed: bool,
    /// For Ansible: true unless it is so, or a dry run would make it so.
    pub failed: bool,
    /// The exit status.
    pub rc: u8,
    /// Nothing was done, only said.
    pub dry_run: bool,
    /// The summary.
    pub msg: &'a str,
    /// The summary again, where Salt looks for it.
    pub comment: &'a str,
    /// The tool's own keys; none where a run could not begin.
    #[serde(flatten)]
    pub body: Option<&'a B>,
    /// What a person should know although it went well.
    pub warnings: &'a [String],
    /// What went wrong.
    pub error: Option<&'a Error>,
    /// What changes; only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<&'a Diff>,
    /// When the run began (RFC 3339).
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// Whether Ansible is to take it for a failure.
pub fn failed(status: Status, dry_run: bool, changed: bool) -> bool {
    match status {
        Status::Ok => false,
        Status::No => !(dry_run && changed),
        Status::Failed | Status::Retry => true,
    }
}

/// The mark before a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Good,
    /// Changed just now, or would be.
    Changed,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Could not be told, or was left out.
    Unknown,
    /// Nothing to say about it.
    Plain,
}

impl Mark {
    const fn sign(self) -> (&'static str, Option<AnsiColor>) {
        match self {
            Mark::Good => ("✓", Some(AnsiColor::Green)),
            Mark::Changed => ("+", Some(AnsiColor::Cyan)),
            Mark::Warn => ("!", Some(AnsiColor::Yellow)),
            Mark::Bad => ("✗", Some(AnsiColor::Red)),
            Mark::Unknown => ("?", Some(AnsiColor::Magenta)),
            Mark::Plain => (" ", None),
        }
    }
}

/// Text as a terminal may show it: without secrets, and without bytes that drive the terminal.
fn shown(text: &str) -> String {
    escape_lines(&crate::mask::shown(text))
}

/// Text for a terminal. Everything that goes in is escaped on the way: a name cannot drive the terminal.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
    color: bool,
    verbose: bool,
    rows: Vec<(Mark, Vec<String>)>,
}

impl Text {
    /// Empty, with or without colour.
    pub fn new(color: bool, verbose: bool) -> Text {
        Text {
            color,
            verbose,
            ..Text::default()
        }
    }

    /// Whether `-v` was given.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// A row of a table; rows in a row are set in columns. A last cell may be long.
    pub fn row<S: AsRef<str>>(&mut self, mark: Mark, cells: &[S]) {
        let cells = cells
            .iter()
            .map(|c| shown(c.as_ref()).replace('\n', " "))
            .collect();
        self.rows.push((mark, cells));
    }

    /// A line by itself, indented below a row.
    pub fn note(&mut self, text: impl AsRef<str>) {
        self.flush();
        for line in shown(text.as_ref()).lines() {
            let _ = writeln!(self.out, "    {}", self.dim(line));
        }
    }

    /// A line by itself.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.flush();
        let _ = writeln!(self.out, "{}", shown(text.as_ref()));
    }

    /// A heading.
    pub fn heading(&mut self, text: impl AsRef<str>) {
        self.flush();
        let text = shown(text.as_ref());
        let set = self.styled(Style::new().bold(), &text);
        let _ = writeln!(self.out, "{set}");
    }

    /// The finished text.
    pub fn finish(mut self) -> String {
        self.flush();
        self.out
    }

    fn dim(&self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }

    fn flush(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let mut widths: Vec<usize> = Vec::new();
        for (_, cells) in &rows {
            for (i, cell) in cells.iter().enumerate().take(cells.len().saturating_sub(1)) {
                let wide = cell.chars().count().min(48);
                match widths.get_mut(i) {
                    Some(w) => *w = (*w).max(wide),
                    None => widths.push(wide),
                }
            }
        }
        for (mark, cells) in rows {
            let (sign, color) = mark.sign();
            let mut line = match color {
                Some(color) => self.styled(Style::new().fg_color(Some(color.into())), sign),
                None => sign.to_string(),
            };
            for (i, cell) in cells.iter().enumerate() {
                line.push(' ');
                line.push_str(cell);
                if i + 1 < cells.len() {
                    let wide = widths.get(i).copied().unwrap_or(0);
                    line.push_str(&" ".repeat((wide + 1).saturating_sub(cell.chars().count())));
                }
            }
            let _ = writeln!(self.out, "{}", line.trim_end());
        }
    }
}
