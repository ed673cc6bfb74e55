//! Words, operators and redirections of the shell (POSIX, with bash's `&>`), over bytes.

use super::Variables;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes that stand for themselves.
    Text(Vec<u8>),
    /// `$NAME` or `${NAME}`, and the default of `${NAME:-default}`.
    Variable(String, Option<Vec<u8>>),
    /// `$(…)` or a pair of backquotes: the command inside.
    Command(Vec<u8>),
    /// An unquoted `*`, `?`, `[` or leading `~`, which the shell replaces.
    Pattern(u8),
    /// Another expansion, as it is written.
    Other(Vec<u8>),
}

/// A word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The pieces, in order.
    pub parts: Vec<Part>,
    /// Whether a part of the word is quoted: a quoted word is no keyword.
    pub quoted: bool,
}

impl Word {
    /// The bytes of the word with these variables.
    ///
    /// # Errors
    /// The first piece that has no value here, as it is written.
    pub fn expand(&self, variables: &Variables) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Text(bytes) => out.extend_from_slice(bytes),
                Part::Variable(name, default) => {
                    let value = variables.get(name.as_bytes());
                    let value = match default {
                        Some(default) => value.filter(|value| !value.is_empty()).or(Some(default)),
                        None => value,
                    };
                    out.extend_from_slice(value.ok_or_else(|| format!("${{{name}}}"))?);
                }
                Part::Pattern(b'~') if out.is_empty() && variables.contains_key(&b"HOME"[..]) => {
                    out.extend_from_slice(&variables[&b"HOME"[..]]);
                }
                other => return Err(String::from_utf8_lossy(&other.source()).into_owned()),
            }
        }
        Ok(out)
    }

    /// The word as it is written, without its quotations.
    #[must_use]
    pub fn source(&self) -> Vec<u8> {
        self.parts.iter().flat_map(Part::source).collect()
    }

    /// The bytes, where nothing in the word is expanded.
    #[must_use]
    pub fn fixed(&self) -> Option<Vec<u8>> {
        self.expand(&Variables::new()).ok()
    }
}

impl Part {
    fn source(&self) -> Vec<u8> {
        match self {
            Self::Text(bytes) | Self::Other(bytes) => bytes.clone(),
            Self::Variable(name, None) => [b"${", name.as_bytes(), b"}"].concat(),
            Self::Variable(name, Some(default)) => {
                [b"${", name.as_bytes(), b":-", default, b"}"].concat()
            }
            Self::Command(text) => [b"$(", text.as_slice(), b")"].concat(),
            Self::Pattern(byte) => vec![*byte],
        }
    }
}

/// A token of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// `>`, `>>`, `2>`, `&>` and the like: descriptor, and whether it appends. The target follows
    /// as a word.
    Output(u32, bool),
    /// `&>`: both streams.
    Both(bool),
    /// `2>&1`, `<file`, `<<EOF`: a redirection that names no output file; its word is left out.
    Joined(u32, u32),
    /// `<`: input from a file that follows.
    Input,
    /// `|`.
    Pipe,
    /// `&&`, `||`, `;`, `&`, a line's end, `(` and `)`.
    End(u8),
}

/// Cuts a text into tokens. A quotation that is not closed ends with the text.
pub fn tokens(text: &[u8]) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0 };
    let mut out = Vec::new();
    while let Some(token) = lexer.next() {
        out.push(token);
    }
    out
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.rest() {
                [b' ' | b'\t' | b'\r', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                [b'#', ..] => {
                    let line = self.rest().iter().take_while(|byte| **byte != b'\n');
                    self.at += line.count();
                }
                [] => return None,
                _ => break,
            }
        }
        let digits = self
            .rest()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let number = std::str::from_utf8(&self.rest()[..digits])
            .ok()
            .and_then(|digits| digits.parse().ok());
        if let Some(token) = self.redirection(digits, number) {
            return Some(token);
        }
        let (token, width) = match self.rest() {
            [b'|', b'|', ..] => (Token::End(b'|'), 2),
            [b'|', b'&', ..] => (Token::Pipe, 2),
            [b'|', ..] => (Token::Pipe, 1),
            [b'&', b'&', ..] => (Token::End(b'&'), 2),
            [b';', b';', ..] => (Token::End(b';'), 2),
            [mark @ (b'&' | b';' | b'\n' | b'(' | b')'), ..] => (Token::End(*mark), 1),
            _ => return Some(Token::Word(self.word())),
        };
        self.at += width;
        Some(token)
    }

    fn redirection(&mut self, digits: usize, number: Option<u32>) -> Option<Token> {
        let after = self.rest().get(digits..)?;
        let fd = number.unwrap_or(1);
        let (token, width) = match after {
            [b'&', b'>', b'>', ..] if digits == 0 => (Token::Both(true), 3),
            [b'&', b'>', ..] if digits == 0 => (Token::Both(false), 2),
            [b'>', b'&', number, ..] if number.is_ascii_digit() || *number == b'-' => {
                (Token::Joined(fd, u32::from(number.saturating_sub(b'0'))), 3)
            }
            [b'>', b'&', ..] => (Token::Both(false), 2),
            [b'>', b'>', ..] => (Token::Output(fd, true), 2),
            [b'>', b'|', ..] => (Token::Output(fd, false), 2),
            [b'>', ..] => (Token::Output(fd, false), 1),
            [b'<', b'&', number, ..] if number.is_ascii_digit() || *number == b'-' => {
                (Token::Joined(0, 0), 3)
            }
            [b'<', b'<', b'<', ..] => (Token::Input, 3),
            [b'<', b'<', b'-', ..] => (Token::Input, 3),
            [b'<', b'<', ..] => (Token::Input, 2),
            [b'<', ..] => (Token::Input, 1),
            _ => return None,
        };
        self.at += digits + width;
        Some(token)
    }

    fn word(&mut self) -> Word {
        let mut word = Word::default();
        let mut double = false;
        while let Some(byte) = self.rest().first().copied() {
            match byte {
                b'\'' if !double => {
                    self.at += 1;
                    let width = self.rest().iter().take_while(|b| **b != b'\'').count();
                    text(&mut word, &self.text[self.at..self.at + width]);
                    self.at += width + 1;
                    word.quoted = true;
                }
                b'"' => {
                    double = !double;
                    self.at += 1;
                    text(&mut word, b"");
                    word.quoted = true;
                }
                b'\\' => self.backslash(double, &mut word),
                b'$' => self.dollar(&mut word),
                b'`' => {
                    self.at += 1;
                    let width = self.rest().iter().take_while(|b| **b != b'`').count();
                    let inner = self.text[self.at..self.at + width].to_vec();
                    word.parts.push(Part::Command(inner));
                    self.at += width + 1;
                }
                b'*' | b'?' | b'[' if !double => {
                    word.parts.push(Part::Pattern(byte));
                    self.at += 1;
                }
                b'~' if !double && word.parts.is_empty() => {
                    word.parts.push(Part::Pattern(byte));
                    self.at += 1;
                }
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')'
                    if !double =>
                {
                    break;
                }
                other => {
                    text(&mut word, &[other]);
                    self.at += 1;
                }
            }
        }
        word
    }

    fn backslash(&mut self, double: bool, word: &mut Word) {
        let next = self.rest().get(1).copied();
        self.at += 2;
        match next {
            Some(b'\n') | None => {}
            Some(next) if double && !matches!(next, b'$' | b'`' | b'"' | b'\\') => {
                text(word, &[b'\\', next]);
            }
            Some(next) => {
                text(word, &[next]);
                word.quoted = true;
            }
        }
    }

    fn dollar(&mut self, word: &mut Word) {
        let rest = &self.text[self.at + 1..];
        let name = |bytes: &[u8]| {
            bytes
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count()
        };
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (part, width) = match rest.first() {
            Some(b'(') => {
                let end = closing(rest, b'(', b')');
                (Part::Command(rest[1..end].to_vec()), end + 1)
            }
            Some(b'{') => {
                let end = closing(rest, b'{', b'}');
                let inner = &rest[1..end];
                let width = name(inner);
                let part = match &inner[width..] {
                    _ if width == 0 => {
                        Part::Other([b"$", &rest[..(end + 1).min(rest.len())]].concat())
                    }
                    [] => Part::Variable(shown(&inner[..width]), None),
                    [b':', b'-' | b'=', default @ ..] | [b'-' | b'=', default @ ..] => {
                        Part::Variable(shown(&inner[..width]), Some(default.to_vec()))
                    }
                    _ => Part::Other([b"$", &rest[..(end + 1).min(rest.len())]].concat()),
                };
                (part, end + 1)
            }
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
                let width = name(rest);
                (Part::Variable(shown(&rest[..width]), None), width)
            }
            Some(byte @ (b'$' | b'?' | b'!' | b'@' | b'*' | b'#' | b'0'..=b'9')) => {
                (Part::Other(vec![b'$', *byte]), 1)
            }
            _ => (Part::Text(b"$".to_vec()), 0),
        };
        self.at = (self.at + 1 + width).min(self.text.len());
        match part {
            Part::Text(bytes) => text(word, &bytes),
            part => word.parts.push(part),
        }
    }
}

/// Where the bracket that opens a text is closed; the text's length where it is not.
fn closing(text: &[u8], open: u8, close: u8) -> usize {
    let mut depth = 0usize;
    for (at, byte) in text.iter().enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len()
}

fn text(word: &mut Word, bytes: &[u8]) {
    match word.parts.last_mut() {
        Some(Part::Text(last)) => last.extend_from_slice(bytes),
        _ => word.parts.push(Part::Text(bytes.to_vec())),
    }
}
