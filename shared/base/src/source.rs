//! Structured input: TOML or JSON, from a file or standard input. What is wrong in it is named with
//! line and column.

mod json;
mod read;
pub mod tree;

pub use read::document as read_tree;

use crate::child::Identity;
use crate::clock::Deadline;
use crate::error::{Error, Kind, Result};
use crate::spelling::nearest;
use crate::trust::{self, Rights};
use serde::de::DeserializeOwned;
use std::path::Path;

/// The largest input that is read, in bytes.
pub const LIMIT: u64 = 4 << 20;

/// The most values that a structured input may hold, counted by the characters that separate them.
const MOST_VALUES: usize = 200_000;

/// Refuses a text of TOML or JSON with more values than memory can hold as a tree.
///
/// # Errors
/// What is wrong, for a message that names the input.
pub fn bounded(text: &str) -> std::result::Result<(), String> {
    let separates = |byte: &u8| matches!(byte, b',' | b'[' | b'{' | b'=' | b'\n' | b'"' | b'\'');
    let values = text.bytes().filter(|b| separates(b)).count() / 2;
    let dots = text.bytes().filter(|byte| *byte == b'.').count() / 8;
    if values + dots > MOST_VALUES {
        return Err(format!("more than {MOST_VALUES} values"));
    }
    Ok(())
}

/// An input that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What messages call it.
    pub name: String,
    /// Its text.
    pub text: String,
    json: bool,
    rights: Rights,
}

/// Where something stands, counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The line and column of a byte offset.
pub fn position(text: &str, offset: usize) -> Position {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |i| i + 1);
    Position {
        line,
        column: String::from_utf8_lossy(&before[start..]).chars().count() + 1,
    }
}

/// The bytes of a regular file, or of standard input for `-`; at most [`LIMIT`]. Never waits for a
/// FIFO's writer.
///
/// # Errors
/// `Kind::Input`, naming the path.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    read_judged(path).map(|(bytes, _)| bytes)
}

/// As [`read_bytes`], with the rights that the input has ([`Rights`]).
///
/// # Errors
/// As [`read_bytes`].
pub fn read_judged(path: &Path) -> Result<(Vec<u8>, Rights)> {
    let read = if path == Path::new("-") {
        trust::read_all(
            std::io::stdin(),
            Path::new("standard input"),
            LIMIT,
            Deadline::NEVER,
        )
        .map(|bytes| (bytes, Rights::caller()))
    } else {
        trust::read_regular(path, LIMIT, Deadline::NEVER)
            .map(|(bytes, trust)| (bytes, trust::rights_of(&trust)))
    };
    read.map_err(|e| match e.kind {
        // The host's state, not the file's.
        Kind::Unknown | Kind::Deadline => e,
        _ => Error {
            kind: Kind::Input,
            ..e
        },
    })
}

/// As [`read_bytes`], as text.
///
/// # Errors
/// `Kind::Input`, with the place of the first byte that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    text_of(path, read_bytes(path)?)
}

fn text_of(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let good = String::from_utf8_lossy(&e.as_bytes()[..at]).into_owned();
        let place = position(&good, at);
        let shown = crate::terminal::escape_bytes(path.as_os_str().as_encoded_bytes());
        Error::input(format!(
            "{shown}:{place}: byte 0x{:02x} is not UTF-8",
            e.as_bytes()[at]
        ))
    })
}

impl Source {
    /// Reads FILE, or standard input for `-`. JSON is what is called `.json` or begins with `{`;
    /// the rest is TOML.
    ///
    /// # Errors
    /// `Kind::Input`.
    pub fn read(path: &Path) -> Result<Source> {
        let (bytes, rights) = read_judged(path)?;
        let text = text_of(path, bytes)?;
        let name = if path == Path::new("-") {
            "standard input".to_string()
        } else {
            path.display().to_string()
        };
        Ok(Source {
            rights,
            ..Source::new(name, text)
        })
    }

    /// A text that is there already, as trusted as the command line.
    pub fn new(name: impl Into<String>, text: String) -> Source {
        let name = name.into();
        let json = match Path::new(&name).extension().and_then(|e| e.to_str()) {
            Some("json") => true,
            Some("toml") => false,
            _ => text.trim_start().starts_with('{'),
        };
        Source {
            name,
            text,
            json,
            rights: Rights::caller(),
        }
    }

    /// Whose rights the input has: those of the least trusted user who can change the file.
    /// `--trust FILE` lends a file the caller's.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Refuses `what` (`user = "root"`), which only the caller may ask for.
    ///
    /// # Errors
    /// `Kind::Input` (exit 2), naming the user who can change the file.
    pub fn require_root_for(&self, what: &str) -> Result<()> {
        if self.rights.are_callers() {
            Ok(())
        } else {
            Err(self.rights.refusal(&self.name, what))
        }
    }

    /// Refuses `what`, to be done as the user `uid`, where the file's users may not act as that
    /// user.
    ///
    /// # Errors
    /// As [`Source::require_root_for`].
    pub fn require_user_for(&self, uid: u32, what: &str) -> Result<()> {
        if self.rights.allow(uid) {
            Ok(())
        } else {
            Err(self.rights.refusal(&self.name, what))
        }
    }

    /// As whom to run what the input asks for: `None` means as the caller.
    ///
    /// # Errors
    /// `Kind::Input` where more than one user can change the file.
    pub fn executor(&self) -> Result<Option<Identity>> {
        self.rights.executor(&self.name)
    }

    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Reads it into `T`, which says with `deny_unknown_fields` which keys there are.
    ///
    /// # Errors
    /// `Kind::Input`, with line and column.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        bounded(&self.text).map_err(|what| self.wrong(position("", 0), &what))?;
        if self.json {
            serde_json::from_str(&self.text).map_err(|e| {
                let text = e.to_string();
                let words = text
                    .rfind(" at line ")
                    .map_or(text.as_str(), |at| &text[..at]);
                self.wrong(
                    Position {
                        line: e.line(),
                        column: e.column(),
                    },
                    words,
                )
            })
        } else {
            toml::from_str(&self.text).map_err(|e| {
                let at = e.span().map_or(self.text.len(), |s| s.start);
                self.wrong(position(&self.text, at), e.message())
            })
        }
        .map_err(plainly)
    }

    /// The error for something wrong with the value at the end of these steps; it names the place,
    /// if the value is there.
    #[must_use]
    pub fn wrong_at(&self, steps: &[tree::Step<'_>], words: &str) -> Error {
        let found = read::document(&self.text)
            .ok()
            .and_then(|root| root.at(steps).and_then(|node| node.at));
        match found {
            Some(at) => self.wrong(position(&self.text, at), words),
            None => Error::new(
                Kind::Input,
                format!(
                    "{}: {}",
                    crate::terminal::escape(&self.name),
                    crate::terminal::escape_lines(words)
                ),
            ),
        }
    }

    /// The place of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        position(&self.text, offset)
    }

    /// The error for something wrong at a place.
    pub fn wrong(&self, place: Position, words: &str) -> Error {
        Error::new(
            Kind::Input,
            format!(
                "{}:{place}: {}",
                crate::terminal::escape(&self.name),
                crate::terminal::escape_lines(words)
            ),
        )
    }
}

/// serde's way of naming an unknown key, said for people: not all the keys there are, but the one
/// that was meant.
fn plainly(error: Error) -> Error {
    let message = error.message.trim_end();
    let Some((before, rest)) = message.split_once("unknown field `") else {
        return Error {
            message: message.to_owned(),
            ..error
        };
    };
    let mut words = rest.split('`').step_by(2);
    let key = words.next().unwrap_or_default();
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let hint = match nearest(key, &known) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("the keys are: {}", known.join(", ")),
    };
    Error {
        message: format!("{before}unknown key '{key}'"),
        ..error
    }
    .hint(hint)
}
