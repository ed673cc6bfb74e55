//! An environment line, `NAME = value`, told from a job exactly as the daemon tells it.
//!
//! Cron tries every line as an environment setting first, with a small state machine of its own
//! (env.c, `load_env`), so quoting works but `$VAR`, `export` and trailing `# notes` do not.

use std::ops::Range;

use crate::dialect::Dialect;

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name, without quotes.
    pub name: Vec<u8>,
    /// The value as jobs get it.
    pub value: Vec<u8>,
    /// Where the value stands in the line, quotes included.
    pub value_span: Range<usize>,
    /// Whether the value stood in quotes.
    pub quoted: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Name,
    BeforeEquals,
    BeforeValue,
    Value,
    Finished,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Reads a line (from its first non-blank byte) as a setting; `None` if the daemon would take it
/// for a job.
pub fn read(whole: &[u8], start: usize, dialect: Dialect) -> Option<Setting> {
    let end = whole.len().min(start + dialect.environment_limit());
    let line = &whole[..end];
    let (mut name, mut value) = (Vec::new(), Vec::new());
    let mut at = start;
    let mut quote = None;
    let mut state = State::Name;
    let mut value_start = start;
    let mut quoted = false;
    if let Some(&byte @ (b'"' | b'\'')) = line.get(at) {
        quote = Some(byte);
        at += 1;
    }
    while let Some(&byte) = line.get(at) {
        match state {
            State::Name => match quote {
                Some(q) if byte == q => state = State::BeforeEquals,
                Some(_) if byte == b'=' => return None,
                None if is_space(byte) => state = State::BeforeEquals,
                None if byte == b'=' => {
                    state = State::BeforeEquals;
                    continue;
                }
                _ => name.push(byte),
            },
            State::BeforeEquals => {
                if byte == b'=' {
                    state = State::BeforeValue;
                    quote = None;
                } else if !is_space(byte) {
                    return None;
                }
            }
            State::BeforeValue => {
                if !is_space(byte) {
                    value_start = at;
                    state = State::Value;
                    if matches!(byte, b'"' | b'\'') {
                        quote = Some(byte);
                        quoted = true;
                    } else {
                        value.push(byte);
                    }
                }
            }
            State::Value => {
                if quote == Some(byte) {
                    state = State::Finished;
                } else {
                    value.push(byte);
                }
            }
            State::Finished => {
                if !is_space(byte) {
                    return None;
                }
            }
        }
        at += 1;
    }
    match state {
        State::Finished => {}
        State::Value if quote.is_none() => {
            while value.last().is_some_and(|b| is_space(*b)) {
                value.pop();
            }
        }
        // The older Debian wants `NAME=""` for an empty value.
        State::BeforeValue if dialect.takes_empty_values() => value_start = end,
        _ => return None,
    }
    let mut stop = end;
    while stop > value_start && is_space(line[stop - 1]) {
        stop -= 1;
    }
    if !dialect.is_cronie() {
        strip_again(&mut value);
    }
    Some(Setting {
        name,
        value,
        value_span: value_start..stop,
        quoted,
    })
}

/// Debian takes a second pair of quotes off: `"'x'"` is x.
fn strip_again(value: &mut Vec<u8>) {
    if let [first @ (b'"' | b'\''), .., last] = value[..] {
        if first == last {
            value.pop();
            value.remove(0);
        }
    }
}

/// The line that gives jobs exactly `value`, or `None` if no line can (a value with both kinds of
/// quotes where quotes are needed).
pub fn write(name: &str, value: &str) -> Option<String> {
    let plain = !value.is_empty()
        && !value.starts_with(is_edge)
        && !value.ends_with(is_edge)
        && !value.contains(['"', '\'']);
    if plain {
        return Some(format!("{name}={value}"));
    }
    let quote = ['"', '\''].into_iter().find(|q| !value.contains(*q))?;
    // Debian would strip a second pair.
    let other = if quote == '"' { '\'' } else { '"' };
    if value.len() >= 2 && value.starts_with(other) && value.ends_with(other) {
        return None;
    }
    Some(format!("{name}={quote}{value}{quote}"))
}

fn is_edge(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn value(line: &str) -> Option<String> {
        read(line.as_bytes(), 0, Dialect::Debian)
            .map(|s| String::from_utf8_lossy(&s.value).into_owned())
    }

    #[test]
    fn what_is_a_setting() {
        assert_eq!(value("A=b").as_deref(), Some("b"));
        assert_eq!(value("A = b c  ").as_deref(), Some("b c"));
        assert_eq!(value("'A' = \"b \"").as_deref(), Some("b "));
        assert_eq!(value("A=\"\"").as_deref(), Some(""));
        assert_eq!(value("A="), None);
        assert_eq!(value("A='b"), None);
        assert_eq!(value("A='b' # c"), None);
        assert_eq!(value("export A=b"), None);
        assert_eq!(value("0 5 * * * X=1 cmd"), None);
        assert_eq!(value("=x").as_deref(), Some("x"));
        assert_eq!(
            read(b"A=", 0, Dialect::Cronie).map(|s| s.value),
            Some(vec![])
        );
    }

    #[test]
    fn written_lines_give_the_value_back() {
        for text in [
            "x",
            "",
            " x",
            "x ",
            "a'b",
            "a\"b",
            "$HOME/bin:/bin",
            "a # b",
            "'q",
            "\"",
            "'",
        ] {
            let line = write("N", text).unwrap();
            assert_eq!(value(&line).as_deref(), Some(text), "{line}");
        }
        assert_eq!(write("N", "'a' \"b\""), None);
        assert_eq!(write("N", "'a'"), None);
    }
}
