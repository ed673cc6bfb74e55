//! Environment files, read as systemd reads `EnvironmentFile=` (systemd.exec(5)): quotes,
//! continuations, comments, and which assignments do not count.

use crate::error::{Error, Kind, Result};
use crate::source;
use crate::trust::Rights;
use std::path::Path;

/// The variables of an environment file.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Names and values, in the file's order; a name stands once.
    pub variables: Vec<(String, String)>,
    /// What systemd ignores with a warning: the names that are none, such as `export X`.
    pub ignored: Vec<String>,
    rights: Rights,
    file: String,
}

impl Environment {
    /// Reads the file; from now on every value is a secret ([`crate::mask`]).
    ///
    /// # Errors
    /// `Kind::Input` where the file cannot be read, or where systemd would refuse to start the
    /// unit.
    pub fn read(path: &Path) -> Result<Environment> {
        let (bytes, rights) = source::read_judged(path)?;
        let file = path.display().to_string();
        let (variables, ignored) = parse(&bytes, comment_goes_on()).map_err(|(line, what)| {
            Error::new(
                Kind::Input,
                format!("{}:{line}: {what}", crate::terminal::escape(&file)),
            )
        })?;
        for (name, value) in &variables {
            crate::mask::register_variable(name, value);
        }
        Ok(Environment {
            variables,
            ignored,
            rights,
            file,
        })
    }

    /// Refuses to give the variables to a program of the user `uid`, where the file is less trusted
    /// than that user: a variable such as LD_PRELOAD runs code.
    ///
    /// # Errors
    /// `Kind::Input`, naming the user who can change the file.
    pub fn require_user(&self, uid: u32) -> Result<()> {
        if self.rights.allow(uid) {
            Ok(())
        } else {
            Err(self
                .rights
                .refusal(&self.file, "a variable for a program of another user"))
        }
    }
}

/// Before version 254 systemd took the line after a comment that ends with a backslash for more of
/// that comment.
fn comment_goes_on() -> bool {
    let version = ["/usr/lib/systemd", "/lib/systemd", "/usr/lib64/systemd"]
        .iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flat_map(|dir| dir.flatten())
        .find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix("libsystemd-shared-")?;
            let digits = version.find(|c: char| !c.is_ascii_digit())?;
            version[..digits].parse::<u32>().ok()
        });
    version.is_some_and(|version| version < 254)
}

/// What stands in an environment file: variables and ignored names, or the line (from 1) at which
/// systemd refuses the file.
type Parsed = std::result::Result<(Vec<(String, String)>, Vec<String>), (usize, String)>;

#[derive(Clone, Copy)]
enum State {
    BeforeKey,
    Key,
    BeforeValue,
    Value,
    ValueEscape,
    Single,
    Double,
    DoubleEscape,
    Comment,
    CommentEscape,
}

/// One assignment as it is read: the length up to which a key or a value stands without white space
/// at its end.
#[derive(Default)]
struct Assignment {
    key: Vec<u8>,
    key_end: usize,
    value: Vec<u8>,
    value_end: usize,
}

impl Assignment {
    fn push_value(&mut self, byte: u8, counts: bool) {
        self.value.push(byte);
        if counts {
            self.value_end = self.value.len();
        }
    }
}

/// Reads the bytes of an environment file. `comment_goes_on` as systemd before version 254 had it.
pub fn parse(bytes: &[u8], comment_goes_on: bool) -> Parsed {
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err((line, "a NUL byte".to_owned()));
    }
    let mut reader = Reader::default();
    let mut state = State::BeforeKey;
    let mut now = Assignment::default();
    for byte in bytes {
        let (byte, newline) = (*byte, matches!(byte, b'\n' | b'\r'));
        let space = newline || matches!(byte, b' ' | b'\t');
        state = match state {
            State::BeforeKey if matches!(byte, b'#' | b';') => State::Comment,
            State::BeforeKey if space => State::BeforeKey,
            State::Key if newline => {
                now = Assignment::default();
                State::BeforeKey
            }
            State::Key if byte == b'=' => State::BeforeValue,
            State::BeforeKey | State::Key => {
                now.key.push(byte);
                if !space {
                    now.key_end = now.key.len();
                }
                State::Key
            }
            State::BeforeValue | State::Value if newline => {
                reader.take(std::mem::take(&mut now))?;
                State::BeforeKey
            }
            State::BeforeValue if byte == b'\'' => State::Single,
            State::BeforeValue if byte == b'"' => State::Double,
            State::BeforeValue | State::Value if byte == b'\\' => State::ValueEscape,
            State::BeforeValue if space => State::BeforeValue,
            State::BeforeValue | State::Value => {
                now.push_value(byte, !space);
                State::Value
            }
            State::ValueEscape => {
                if !newline {
                    now.push_value(byte, true);
                }
                State::Value
            }
            State::Single if byte == b'\'' => State::BeforeValue,
            State::Double if byte == b'"' => State::BeforeValue,
            State::Double if byte == b'\\' => State::DoubleEscape,
            State::Single => {
                now.push_value(byte, true);
                State::Single
            }
            State::Double => {
                now.push_value(byte, true);
                State::Double
            }
            State::DoubleEscape => {
                if matches!(byte, b'"' | b'\\' | b'`' | b'$') {
                    now.push_value(byte, true);
                } else if byte != b'\n' {
                    now.push_value(b'\\', true);
                    now.push_value(byte, true);
                }
                State::Double
            }
            State::Comment if byte == b'\\' => State::CommentEscape,
            State::CommentEscape if comment_goes_on || !newline => State::Comment,
            State::Comment | State::CommentEscape if newline => State::BeforeKey,
            State::Comment | State::CommentEscape => State::Comment,
        };
        if byte == b'\n' {
            reader.line += 1;
        }
    }
    if matches!(
        state,
        State::BeforeValue
            | State::Value
            | State::ValueEscape
            | State::Single
            | State::Double
            | State::DoubleEscape
    ) {
        reader.take(now)?;
    }
    Ok((reader.variables, reader.ignored))
}

#[derive(Default)]
struct Reader {
    line: usize,
    variables: Vec<(String, String)>,
    ignored: Vec<String>,
}

impl Reader {
    fn take(&mut self, mut one: Assignment) -> std::result::Result<(), (usize, String)> {
        one.key.truncate(one.key_end);
        one.value.truncate(one.value_end);
        let line = self.line + 1;
        let name = String::from_utf8(one.key)
            .map_err(|_| (line, "the name of a variable is not UTF-8".to_owned()))?;
        let value = String::from_utf8(one.value).map_err(|_| {
            let shown = crate::terminal::escape(&name);
            (line, format!("the value of '{shown}' is not UTF-8"))
        })?;
        let valid = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if !valid {
            self.ignored.push(name);
            return Ok(());
        }
        // The last one counts.
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_systemd_reads_them() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("A=b\nC = d e \n", &[("A", "b"), ("C", "d e")]),
            ("# A=1\n; B=2\n C=3#4 ;5\n", &[("C", "3#4 ;5")]),
            ("A='b c'\"d\"e\n", &[("A", "b cde")]),
            ("A=b'c'\n", &[("A", "b'c'")]),
            ("A=\"a\\\"b\\$c\\d\\\ne\"\n", &[("A", "a\"b$c\\de")]),
            ("A=a\\\nb\\ c \n", &[("A", "ab c")]),
            ("A=x\\ \n", &[("A", "x ")]),
            ("A='two\nlines'\n", &[("A", "two\nlines")]),
            ("export A=1\nB=2\n1C=3\n", &[("B", "2")]),
            ("A=1\nA=2\n", &[("A", "2")]),
            ("A\nB=\n", &[("B", "")]),
            ("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]),
            ("A='open", &[("A", "open")]),
            ("A='q'  \nB=\"\" x\n", &[("A", "q"), ("B", "x")]),
        ];
        for (text, wanted) in cases {
            let (variables, _) = parse(text.as_bytes(), false).unwrap_or_default();
            let found: Vec<(&str, &str)> = variables
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(found, *wanted, "{text:?}");
        }
        assert!(parse(b"A=1\nB=\xff\n", false).is_err_and(|(line, _)| line == 2));
        assert!(parse(b"A=1\0", false).is_err());
        let comment = b"# x\\\nA=1\n";
        assert_eq!(parse(comment, true).unwrap_or_default().0.len(), 0);
        assert_eq!(parse(comment, false).unwrap_or_default().0.len(), 1);
    }
}
