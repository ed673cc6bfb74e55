//! `-h` and `--help`, for every tool the same.

use super::value::shown;
use super::{CommandLine, Opt, Positional, Scope, Trailing};
use crate::document::Document;
use crate::exit;
use std::fmt::Write as _;

/// How much help was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// `-h`: a screen.
    Short,
    /// `--help`: everything but the manual's last sections.
    Whole,
}

/// How wide help is set, in columns.
const WIDTH: usize = 80;

/// The usage lines of a scope, without "Usage:".
pub fn usage(scope: Scope<'_>) -> Vec<String> {
    if scope.command.is_none() && !scope.line.commands.is_empty() {
        return scope
            .line
            .commands
            .iter()
            .map(|c| {
                usage_line(Scope {
                    line: scope.line,
                    command: Some(c),
                })
            })
            .collect();
    }
    vec![usage_line(scope)]
}

fn usage_line(scope: Scope<'_>) -> String {
    let mut out = scope.title();
    for opt in scope.own().filter(|o| o.required) {
        let _ = write!(
            out,
            " --{} {}",
            opt.long,
            opt.value.map_or("", super::Value::name)
        );
    }
    out.push_str(" [OPTION…]");
    for place in scope.positionals() {
        let dots = if place.many { "…" } else { "" };
        let _ = if place.required {
            write!(out, " {}{dots}", place.name)
        } else {
            write!(out, " [{}{dots}]", place.name)
        };
    }
    if scope.trailing() == Trailing::Required {
        out.push_str(" -- COMMAND…");
    }
    out
}

/// The help text of the command line, or of the subcommand named.
pub fn render(
    line: &CommandLine,
    documents: fn() -> Vec<Document>,
    command: Option<&str>,
    length: Length,
) -> String {
    let asked = Scope::of(line, command);
    let scope = asked.or_default();
    let mut out = String::new();
    let about = asked.command.map_or(line.about, |c| c.about);
    let _ = writeln!(out, "{}: {about}", asked.title());
    out.push_str("\nUsage:\n");
    for text in usage(asked) {
        let _ = writeln!(out, "  {text}");
    }
    if length == Length::Whole {
        for text in asked.command.map_or(line.description, |c| c.description) {
            out.push('\n');
            wrap(&mut out, text, 0);
        }
    }
    if asked.command.is_none() && !line.commands.is_empty() {
        out.push_str("\nCommands:\n");
        for c in line.commands.iter().filter(|c| !c.default) {
            entry(&mut out, c.name, c.about);
        }
        let _ = writeln!(
            out,
            "\n`{} COMMAND -h` lists the options of a command.",
            line.name
        );
    }
    positionals(&mut out, scope.positionals());
    let mut own = scope.own().peekable();
    if own.peek().is_some() {
        out.push_str("\nOptions:\n");
        own.for_each(|o| option(&mut out, o, length));
    }
    out.push_str("\nCommon options:\n");
    let common = super::COMMON
        .iter()
        .filter(|c| !scope.own().any(|o| o.long == c.long));
    common.for_each(|o| option(&mut out, o, length));
    if length == Length::Whole {
        if asked.command.is_none() {
            documents().iter().for_each(|d| document(&mut out, d));
        }
        rest(&mut out, asked);
    } else {
        let _ = writeln!(
            out,
            "\n--help prints more; {}({}) is the manual.",
            line.name, line.section
        );
    }
    out
}

fn positionals(out: &mut String, places: &[Positional]) {
    if !places.is_empty() {
        out.push_str("\nArguments:\n");
    }
    for place in places {
        entry(out, place.name, place.help);
    }
}

fn option(out: &mut String, opt: &Opt, length: Length) {
    let letter = opt.short.map_or("    ".to_string(), |c| format!("-{c}, "));
    let value = opt
        .value
        .map_or(String::new(), |v| format!(" {}", shown(v)));
    let dots = if opt.many { "…" } else { "" };
    let text = match length {
        Length::Whole if !opt.more.is_empty() => {
            format!("{}. {}", opt.help.trim_end_matches('.'), opt.more)
        }
        _ => opt.help.to_string(),
    };
    entry(out, &format!("{letter}--{}{value}{dots}", opt.long), &text);
}

/// A name, and its text beside or below it.
fn entry(out: &mut String, name: &str, text: &str) {
    const COLUMN: usize = 30;
    let _ = write!(out, "  {name}");
    let used = 2 + name.chars().count();
    if used + 2 > COLUMN {
        out.push('\n');
        out.push_str(&" ".repeat(COLUMN));
    } else {
        out.push_str(&" ".repeat(COLUMN - used));
    }
    wrap_from(out, text, COLUMN, COLUMN);
}

/// A file that the tool reads: its tables and their keys.
fn document(out: &mut String, document: &Document) {
    let _ = writeln!(out, "\n{}:", document.title);
    for text in &document.text {
        out.push_str("  ");
        wrap_from(out, text, 2, 2);
    }
    for table in &document.tables {
        if !table.heading.is_empty() {
            let _ = writeln!(out, "\n  {}", table.heading);
        }
        if !table.text.is_empty() {
            out.push_str("  ");
            wrap_from(out, &table.text, 2, 2);
        }
        table.keys.iter().for_each(|key| {
            entry(
                out,
                &format!("  {}{}", key.name, equals(&key.value)),
                &key.text,
            );
        });
    }
}

fn equals(value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!(" = {value}")
    }
}

fn rest(out: &mut String, scope: Scope<'_>) {
    out.push_str("\nExit status:\n");
    let rows = exit::table(scope.line.exit, scope.trailing() == Trailing::Required);
    rows.iter()
        .for_each(|(code, meaning)| entry(out, code, meaning));
    if scope.command.is_none() && !scope.line.examples.is_empty() {
        out.push_str("\nExamples:\n");
        for example in scope.line.examples {
            let _ = writeln!(
                out,
                "  {}\n      {}",
                example.text,
                example.command.replace('\n', "\n      ")
            );
        }
    }
    let _ = writeln!(
        out,
        "\nThe manual is {}({}).",
        scope.line.name, scope.line.section
    );
}

fn wrap(out: &mut String, text: &str, indent: usize) {
    out.push_str(&" ".repeat(indent));
    wrap_from(out, text, indent, indent);
}

/// Sets `text` in lines of [`WIDTH`], the first beginning at column `at`, the others at `indent`.
fn wrap_from(out: &mut String, text: &str, at: usize, indent: usize) {
    let mut column = at;
    let mut first = true;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if !first && column + 1 + len > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
            first = true;
        }
        if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += len;
        first = false;
    }
    out.push('\n');
}
