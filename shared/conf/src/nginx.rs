//! nginx's configuration syntax, byte for byte: words, quotations, escapes, comments, blocks, and
//! Lua blocks skipped whole.
//!
//! The rules are those of nginx 1.22's `ngx_conf_read_token`, found by trying the real program and
//! compared with `crossplane` in the tests. Meanings (includes, contexts, what a directive does)
//! are not here: this only says what statements a file has.

mod lua;

use crate::{Error, Kind};
use std::borrow::Cow;
use std::path::Path;

/// How a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `;`
    Semicolon,
    /// `{`: statements of a block follow, until [`End::Close`].
    Open,
    /// A Lua block: it is over, and nothing in it was read.
    Lua,
    /// `}`: the statement has no words.
    Close,
}

/// One directive, or the end of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The directive's name; empty at the end of a block.
    pub name: Cow<'a, [u8]>,
    /// Its arguments, unquoted and unescaped.
    pub arguments: Vec<Cow<'a, [u8]>>,
    /// The line its first word starts on.
    pub line: usize,
    /// What ends it.
    pub end: End,
}

/// The statements of one file.
pub struct Statements<'a> {
    keep: fn(&[u8]) -> bool,
    file: &'a Path,
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

/// Bytes that need a look in a word that is not quoted; everything else belongs to it.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut rest: &[u8] = b" \t\r\n;{\\";
    while let Some((byte, more)) = rest.split_first() {
        stops[*byte as usize] = true;
        rest = more;
    }
    stops
};

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Statements<'a> {
    /// Starts at the top of a file, whose name is used in errors only.
    #[must_use]
    pub fn new(file: &'a Path, bytes: &'a [u8]) -> Self {
        Self {
            keep: |_| true,
            file,
            bytes,
            at: 0,
            line: 1,
        }
    }

    /// Keeps the arguments of these directives only; the others are checked, and come by name.
    #[must_use]
    pub fn keeping(mut self, keep: fn(&[u8]) -> bool) -> Self {
        self.keep = keep;
        self
    }

    fn statement(&mut self) -> Result<Option<Statement<'a>>, Error> {
        self.skip_blank();
        let line = self.line;
        let name = match self.peek() {
            None => return Ok(None),
            Some(b'}') => {
                self.at += 1;
                return Ok(Some(Statement {
                    name: Cow::Borrowed(b""),
                    arguments: Vec::new(),
                    line,
                    end: End::Close,
                }));
            }
            Some(byte @ (b';' | b'{')) => return Err(self.unexpected(byte)),
            Some(byte) => unescape(self.any_word(byte)?),
        };
        let keep = (self.keep)(&name);
        let mut arguments = Vec::new();
        loop {
            self.skip_blank();
            match self.peek() {
                None => return Err(self.unfinished()),
                Some(b'}') => return Err(self.unexpected(b'}')),
                Some(b';') => {
                    self.at += 1;
                    return Ok(Some(Statement {
                        name,
                        arguments,
                        line,
                        end: End::Semicolon,
                    }));
                }
                Some(b'{') => {
                    return self
                        .open(Statement {
                            name,
                            arguments,
                            line,
                            end: End::Open,
                        })
                        .map(Some);
                }
                Some(byte) => {
                    let word = self.any_word(byte)?;
                    if keep {
                        arguments.push(unescape(word));
                    }
                }
            }
        }
    }

    fn open(&mut self, mut statement: Statement<'a>) -> Result<Statement<'a>, Error> {
        self.at += 1;
        if statement.name.ends_with(b"_by_lua_block") {
            let length = lua::block(&self.bytes[self.at..]).ok_or_else(|| {
                Error::new(
                    Kind::Syntax,
                    self.file,
                    statement.line,
                    "a Lua block that is not closed",
                )
            })?;
            self.line += count_lines(&self.bytes[self.at..self.at + length]);
            self.at += length;
            statement.end = End::Lua;
        }
        Ok(statement)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b'#' => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest
                        .iter()
                        .position(|byte| *byte == b'\n')
                        .unwrap_or(rest.len());
                    continue;
                }
                _ if is_blank(byte) => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn any_word(&mut self, first: u8) -> Result<&'a [u8], Error> {
        if matches!(first, b'"' | b'\'') {
            self.quoted(first)
        } else {
            self.word()
        }
    }

    /// A quotation runs to its own mark over any number of lines, and a blank, `;`, `{` or `)` must
    /// follow it.
    fn quoted(&mut self, mark: u8) -> Result<&'a [u8], Error> {
        let opened = self.line;
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                None => {
                    let message = format!(
                        "a quotation that is not closed; {} is missing",
                        char::from(mark)
                    );
                    return Err(Error::new(Kind::Syntax, self.file, opened, message));
                }
                Some(b'\\') => self.escape(),
                Some(byte) if byte == mark => break,
                Some(byte) => {
                    self.line += usize::from(byte == b'\n');
                    self.at += 1;
                }
            }
        }
        let word = &self.bytes[start..self.at];
        self.at += 1;
        match self.peek() {
            Some(b')') => self.at += 1,
            Some(byte) if !is_blank(byte) && !matches!(byte, b';' | b'{') => {
                return Err(self.unexpected(byte));
            }
            _ => {}
        }
        Ok(word)
    }

    fn word(&mut self) -> Result<&'a [u8], Error> {
        let start = self.at;
        // Where the bytes begin that no backslash reaches: `${` there is a variable's brace.
        let mut plain = start;
        loop {
            let rest = &self.bytes[self.at..];
            self.at += rest
                .iter()
                .position(|byte| STOPS[usize::from(*byte)])
                .ok_or_else(|| self.unfinished())?;
            match self.bytes[self.at] {
                b'\\' => {
                    self.escape();
                    plain = self.at;
                }
                b'{' if self.bytes[plain..self.at].last() == Some(&b'$') => self.at += 1,
                _ => return Ok(&self.bytes[start..self.at]),
            }
        }
    }

    /// A backslash and whatever follows it.
    fn escape(&mut self) {
        self.line += usize::from(self.bytes.get(self.at + 1) == Some(&b'\n'));
        self.at = (self.at + 2).min(self.bytes.len());
    }

    fn unexpected(&self, byte: u8) -> Error {
        let message = format!("unexpected {:?}", char::from(byte));
        Error::new(Kind::Syntax, self.file, self.line, message)
    }

    fn unfinished(&self) -> Error {
        Error::new(
            Kind::Syntax,
            self.file,
            self.line,
            "the file ends in the middle of a directive; a ; or } is missing",
        )
    }
}

/// An error is where nginx would refuse the file; nothing comes after it, since the rest cannot be
/// trusted.
impl<'a> Iterator for Statements<'a> {
    type Item = Result<Statement<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let statement = self.statement().transpose();
        if matches!(statement, Some(Err(_))) {
            self.at = self.bytes.len();
        }
        statement
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// `\"`, `\'`, `\\`, `\t`, `\r`, `\n`; a backslash before anything else stays.
fn unescape(word: &[u8]) -> Cow<'_, [u8]> {
    if !word.contains(&b'\\') {
        return Cow::Borrowed(word);
    }
    let mut out = Vec::with_capacity(word.len());
    let mut bytes = word.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = match (byte, bytes.peek()) {
            (b'\\', Some(next @ (b'"' | b'\'' | b'\\'))) => *next,
            (b'\\', Some(b't')) => b'\t',
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b'n')) => b'\n',
            _ => {
                out.push(byte);
                continue;
            }
        };
        bytes.next();
        out.push(escaped);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
