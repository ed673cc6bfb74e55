//! The Caddyfile's tokens: words, quotations of two kinds, comments, heredocs, and variables put in
//! before anything else.

use super::heredoc;
use conf::{Error, Kind, Source};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// One token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Without quotation marks.
    pub text: Vec<u8>,
    /// Where it starts.
    pub source: Source,
    /// Was it quoted? Then it opens and names nothing.
    quoted: bool,
    /// Lines that end within it, or before the next by `\`.
    spans: usize,
}

impl Token {
    /// Is it this word, not quoted?
    pub fn is(&self, word: &str) -> bool {
        !self.quoted && self.text == word.as_bytes()
    }

    /// Does it begin a line?
    pub fn first_of_line(&self, tokens: &[Token], at: usize) -> bool {
        let Some(before) = at.checked_sub(1).and_then(|at| tokens.get(at)) else {
            return true;
        };
        before.source.file != self.source.file
            || before.source.line + before.spans != self.source.line
    }

    /// Is it a brace that opens a block: the last word of its line?
    pub fn opens(&self, tokens: &[Token], at: usize) -> bool {
        self.is("{")
            && tokens
                .get(at + 1)
                .is_none_or(|next| next.first_of_line(tokens, at + 1))
    }

    /// The name of a snippet, `(NAME)`.
    pub fn snippet(&self) -> Option<Vec<u8>> {
        let inner = self.text.strip_prefix(b"(")?.strip_suffix(b")")?;
        (!self.quoted).then(|| inner.to_vec())
    }

    /// With the arguments of an import put in: `{args[0]}`, `{args.0}`, `{args[:]}`.
    pub fn with(&self, arguments: &[&[u8]]) -> Self {
        if !self.text.windows(5).any(|part| part == b"{args") {
            return self.clone();
        }
        let mut text = String::from_utf8_lossy(&self.text).into_owned();
        for (index, argument) in arguments.iter().enumerate() {
            let argument = String::from_utf8_lossy(argument);
            text = text
                .replace(&format!("{{args[{index}]}}"), &argument)
                .replace(&format!("{{args.{index}}}"), &argument);
        }
        let all: Vec<_> = arguments
            .iter()
            .map(|argument| String::from_utf8_lossy(argument))
            .collect();
        Self {
            text: text.replace("{args[:]}", &all.join(" ")).into_bytes(),
            ..self.clone()
        }
    }
}

/// Cuts a file into tokens.
pub fn tokens(
    file: &Arc<Path>,
    bytes: &[u8],
    env: &BTreeMap<OsString, OsString>,
) -> Result<Vec<Token>, Error> {
    let bytes = variables(bytes, env);
    let mut tokens: Vec<Token> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\n' => {
                line += 1;
                at += 1;
            }
            b'\\' if matches!(&bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]) => {
                at += if bytes[at + 1] == b'\r' { 3 } else { 2 };
                line += 1;
                if let Some(last) = tokens.last_mut() {
                    last.spans += 1;
                }
            }
            _ if byte.is_ascii_whitespace() => at += 1,
            b'#' => {
                at += bytes[at..]
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(bytes.len() - at);
            }
            b'"' | b'`' => {
                let source = Source::new(file, line);
                let (text, width, lines) = quoted(&bytes[at..], *byte)
                    .ok_or_else(|| Error::at(Kind::Syntax, &source, "a quotation is not closed"))?;
                tokens.push(Token {
                    text,
                    source,
                    quoted: true,
                    spans: lines,
                });
                at += width;
                line += lines;
            }
            b'<' if bytes[at..].starts_with(b"<<") && heredoc::opens(&bytes[at..]) => {
                let source = Source::new(file, line);
                let heredoc = heredoc::read(&bytes[at..])
                    .map_err(|why| Error::at(Kind::Syntax, &source, why))?;
                tokens.push(Token {
                    text: heredoc.text,
                    source,
                    quoted: true,
                    spans: heredoc.lines,
                });
                at += heredoc.width;
                line += heredoc.lines;
            }
            _ => {
                let end = bytes[at..]
                    .iter()
                    .position(u8::is_ascii_whitespace)
                    .map_or(bytes.len(), |end| at + end);
                let source = Source::new(file, line);
                tokens.push(Token {
                    text: heredoc::unescaped(&bytes[at..end]),
                    source,
                    quoted: false,
                    spans: 0,
                });
                at = end;
            }
        }
    }
    Ok(tokens)
}

/// A backslash escapes the mark within `"`; within backticks nothing is escaped.
fn quoted(text: &[u8], mark: u8) -> Option<(Vec<u8>, usize, usize)> {
    let mut out = Vec::new();
    let (mut at, mut lines) = (1, 0);
    loop {
        match *text.get(at)? {
            b'\\' if mark == b'"' && text.get(at + 1) == Some(&b'"') => {
                out.push(b'"');
                at += 2;
            }
            byte if byte == mark => return Some((out, at + 1, lines)),
            byte => {
                lines += usize::from(byte == b'\n');
                out.push(byte);
                at += 1;
            }
        }
    }
}

/// `{$NAME}` and `{$NAME:default}`, in the text itself.
fn variables(bytes: &[u8], env: &BTreeMap<OsString, OsString>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"{$") {
        out.extend_from_slice(&rest[..at]);
        let inner = &rest[at + 2..];
        let Some(end) = inner.iter().position(|byte| *byte == b'}') else {
            rest = &rest[at..];
            break;
        };
        let colon = inner[..end]
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(end);
        let default = inner[..end].get(colon + 1..).unwrap_or_default();
        let value = env
            .get(OsStr::from_bytes(&inner[..colon]))
            .map(|value| value.as_bytes())
            .filter(|value| !value.is_empty());
        out.extend_from_slice(value.unwrap_or(default));
        rest = &inner[end + 1..];
    }
    out.extend_from_slice(rest);
    out
}
