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

/// Every mark and its meaning, for the manual.
pub const MARKS: [(Mark, &str); 5] = [
    (Mark::Good, "The thing is as it should be."),
    (
        Mark::Changed,
        "The run changed the thing; a dry run would change the thing.",
    ),
    (Mark::Warn, "A warning."),
    (
        Mark::Bad,
        "The thing is not as it should be, or a step failed.",
    ),
    (
        Mark::Unknown,
        "The tool could not find out, or left the thing out.",
    ),
];

impl Mark {
    /// The mark as a character.
    #[must_use]
    pub const fn shown(self) -> &'static str {
        self.sign().0
    }

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

/// Text for a terminal. Everything that goes in is escaped on the way: a name cannot drive the
/// terminal.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
    color: bool,
    verbose: bool,
    columns: Option<usize>,
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

    /// Breaks prose between words where a line would be wider than the terminal. Steps and lines
    /// stay whole, to be copied.
    #[must_use]
    pub fn within(mut self, columns: Option<usize>) -> Text {
        self.columns = columns;
        self
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

    /// Prose below a row, indented.
    pub fn note(&mut self, text: impl AsRef<str>) {
        self.flush();
        for line in shown(text.as_ref()).lines() {
            for (i, part) in self.broken(line, 4, 6).iter().enumerate() {
                let indent = if i == 0 { "    " } else { "      " };
                let _ = writeln!(self.out, "{indent}{}", self.dim(part));
            }
        }
    }

    /// A step of a fix below a row, to be copied as it stands: never broken.
    pub fn step(&mut self, text: impl AsRef<str>) {
        self.flush();
        for line in shown(text.as_ref()).lines() {
            let _ = writeln!(self.out, "      {}", self.dim(line));
        }
    }

    /// The lines of a text that begins at column `at` and goes on at column `indent`.
    fn broken(&self, text: &str, at: usize, indent: usize) -> Vec<String> {
        let Some(columns) = self.columns.filter(|columns| *columns >= indent + 20) else {
            return vec![text.to_owned()];
        };
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used = at;
        for (i, word) in text.split(' ').enumerate() {
            let wide = word.chars().count();
            if i > 0 && used + 1 + wide > columns && !line.trim().is_empty() {
                lines.push(std::mem::take(&mut line));
                used = indent;
            } else if i > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += wide;
        }
        lines.push(line);
        lines
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

    /// The last cell of a row: its further lines stand below its first one, or nearer to the margin
    /// where that leaves little room.
    fn last_cell(&self, line: &mut String, cell: &str, at: usize) {
        let is_narrow = self.columns.is_some_and(|columns| at + 30 > columns);
        let indent = if is_narrow { 6 } else { at };
        let parts = self.broken(cell, at, indent);
        line.push_str(&parts.join(&format!("\n{}", " ".repeat(indent))));
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
            // The column that the next cell begins at; the mark is one wide.
            let mut at = 1;
            for (i, cell) in cells.iter().enumerate() {
                line.push(' ');
                at += 1;
                if i + 1 < cells.len() {
                    line.push_str(cell);
                    let long = cell.chars().count();
                    let wide = widths.get(i).copied().unwrap_or(0).max(long) + 1;
                    line.push_str(&" ".repeat(wide - long));
                    at += wide;
                } else {
                    self.last_cell(&mut line, cell, at);
                }
            }
            let _ = writeln!(self.out, "{}", line.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(columns: Option<usize>) -> String {
        let mut text = Text::new(false, false).within(columns);
        text.row(Mark::Good, &["a", "met"]);
        text.row(
            Mark::Bad,
            &[
                "service:nginx",
                "nginx does not run: no process of nginx exists",
            ],
        );
        text.note("fix: start nginx, and enable the unit for the next boot");
        text.step("(as root) systemctl enable --now nginx.service && echo done, at last");
        text.line("1 unmet, and this last line stays as long as it is, to be copied");
        text.finish()
    }

    #[test]
    fn prose_is_broken_at_the_width_of_the_terminal() {
        let set = text(Some(50));
        assert_eq!(
            set,
            "\
✓ a              met
✗ service:nginx  nginx does not run: no process of
                 nginx exists
    fix: start nginx, and enable the unit for the
      next boot
      (as root) systemctl enable --now nginx.service && echo done, at last
1 unmet, and this last line stays as long as it is, to be copied
"
        );
        assert_eq!(text(None).lines().count(), 5);
        // Where the last column begins late, it goes on near the margin.
        let narrow = text(Some(40));
        assert!(
            narrow.contains("\n      process of nginx exists\n"),
            "{narrow}"
        );
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole() {
        let mut text = Text::new(false, false).within(Some(40));
        let path = format!("/{}", "x".repeat(60));
        text.row(Mark::Good, &["log", &path]);
        text.note(&path);
        assert_eq!(text.finish(), format!("✓ log  {path}\n    {path}\n"));
    }
}
