//! The text of a report, for people.

use crate::terminal::escape_lines;
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

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
