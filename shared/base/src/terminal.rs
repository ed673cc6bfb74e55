//! What may reach a person's terminal: text without a byte that could drive it.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// `text` with every control, format and bidi character written as an escape (`\n`, `\x1b`,
/// `\u{202e}`), so that a name from a file system or a server cannot move the cursor, change
/// colours or reorder what stands beside it.
pub fn escape(text: &str) -> String {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if steers(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// As [`escape`], of bytes; what is not UTF-8 comes as `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&escape(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// As [`escape`], but lines stay lines: for messages of several lines.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// `text` without the sequences that drive a terminal (ECMA-48: ESC [ … letter, and ESC ] … BEL),
/// which many a program writes into a log.
pub fn without_sequences(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        out.push_str(before);
        rest = if let Some(control) = after.strip_prefix('[') {
            let end = control.find(|c: char| ('\x40'..='\x7e').contains(&c));
            end.map_or("", |at| &control[at + 1..])
        } else if let Some(command) = after.strip_prefix(']') {
            command.split_once('\x07').map_or("", |(_, rest)| rest)
        } else {
            after
        };
    }
    out.push_str(rest);
    out
}

/// C1 controls, and Unicode's format characters that change the order or the visibility of others
/// (UAX #9, Trojan Source).
fn steers(c: char) -> bool {
    matches!(c as u32, 0x80..=0x9f | 0x061c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x2069 | 0xfeff | 0xe0000..=0xe007f)
}

/// The variable by which a tool tells the tools in its COMMAND that a person watches: the pipes
/// that lead to the person's terminal.
const WATCHED: &str = "RUNBOOK_TOOLS_WATCHED";

/// A pipe by device and inode, which both of its ends share.
fn name_of_pipe(end: impl AsFd) -> Option<String> {
    let stat = rustix::fs::fstat(end).ok()?;
    let is_pipe = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_fifo();
    is_pipe.then(|| format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// The variable for a COMMAND whose output goes through these pipes to our standard error; `None`
/// where nobody watches that.
pub fn watched(pipes: &[impl AsFd]) -> Option<(&'static str, String)> {
    let names: Vec<String> = pipes.iter().filter_map(name_of_pipe).collect();
    stderr_is_terminal().then(|| (WATCHED, names.join(" ")))
}

/// Whether it is one of the pipes that lead to a person's terminal. Another pipe within COMMAND
/// leads to a program.
fn is_watched(end: impl AsFd) -> bool {
    let Some(names) = std::env::var(WATCHED).ok() else {
        return false;
    };
    name_of_pipe(end).is_some_and(|name| names.split(' ').any(|each| each == name))
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether a person reads standard output: a terminal, or the way to one out of COMMAND.
pub fn stdout_is_for_a_person() -> bool {
    stdout_is_terminal() || is_watched(std::io::stdout())
}

/// The width of the terminal that standard output is, in columns; `None` where standard output is
/// no terminal, or the terminal does not know its width.
pub fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Whether a person reads standard error: a terminal, or the way to one out of COMMAND.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal() || is_watched(std::io::stderr())
}

/// Whether colour is wanted where nobody said so: a terminal that is not dumb, and no `NO_COLOR`
/// (<https://no-color.org>).
pub fn color_wanted(is_terminal: bool) -> bool {
    is_terminal
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb" && !term.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_gets_through() {
        assert_eq!(
            escape("a\x1b[31mb\u{9b}c\u{202e}d\n\t\x7f"),
            "a\\x1b[31mb\\u{9b}c\\u{202e}d\\n\\t\\x7f"
        );
        assert_eq!(escape_bytes(b"caf\xe9 \xc3\xa9"), "caf\\xe9 é");
        assert_eq!(escape_lines("a\nb\x07"), "a\nb\\x07");
    }

    #[test]
    fn a_log_line_without_its_colours() {
        for (text, expected) in [
            ("plain é", "plain é"),
            ("\x1b[2Kno", "no"),
            ("\x1b[1;31mred\x1b[0m rest", "red rest"),
            ("\x1b]0;title\x07text", "text"),
            ("cut \x1b[31", "cut "),
            ("\x1bM", "M"),
        ] {
            assert_eq!(without_sequences(text), expected, "{text:?}");
        }
    }
}
