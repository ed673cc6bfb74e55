//! Python source without running it: logical lines with brackets and backslashes joined, comments
//! gone, and strings whole. Implicit concatenation stays as tokens side by side, because a
//! formatted string may stand among them.

/// A word, a text, a number, or a mark.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// An identifier or keyword.
    Name(String),
    /// A text that is what it says.
    Text(Vec<u8>),
    /// A text that is computed: an f-string.
    Formatted(String),
    /// A number, as written.
    Number(String),
    /// One character of punctuation.
    Mark(u8),
}

/// One logical line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its first line's number.
    pub number: usize,
    /// How far it is indented.
    pub indent: usize,
    /// What is on it.
    pub tokens: Vec<Token>,
    /// The line number of each token.
    pub numbers: Vec<usize>,
    source: String,
}

impl Line {
    /// The word it begins with.
    pub fn keyword(&self) -> Option<&str> {
        if let Some(Token::Name(word)) = self.tokens.first() {
            Some(word)
        } else {
            None
        }
    }

    /// The text, on one line and not too long.
    pub fn text(&self) -> String {
        let joined: Vec<&str> = self.source.split_whitespace().collect();
        let text = joined.join(" ");
        if text.chars().count() > 100 {
            text.chars().take(99).chain(['…']).collect()
        } else {
            text
        }
    }
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    number: usize,
    depth: usize,
}

/// Cuts a source into logical lines; `;` ends one, too.
///
/// # Errors
/// The number of the line on which a string or a bracket that is never closed begins.
pub fn lines(bytes: &[u8]) -> Result<Vec<Line>, usize> {
    let mut lexer = Lexer {
        bytes: bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
        at: 0,
        number: 1,
        depth: 0,
    };
    let mut lines = Vec::new();
    let mut outer: Option<usize> = None;
    while lexer.at < lexer.bytes.len() {
        let line = lexer.line()?;
        let more = lexer.bytes.get(lexer.at - 1) == Some(&b';');
        // What follows a `;` is as deep as what stands before it.
        let indent = outer.or(line.as_ref().map(|line| line.indent));
        outer = indent.filter(|_| more);
        lines.extend(line.map(|line| Line {
            indent: indent.unwrap_or(line.indent),
            ..line
        }));
    }
    Ok(lines)
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn line(&mut self) -> Result<Option<Line>, usize> {
        let indent = self.bytes[self.at..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0c'))
            .count();
        self.at += indent;
        let (number, start) = (self.number, self.at);
        let (mut tokens, mut numbers) = (Vec::new(), Vec::new());
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.number += 1;
                    if self.depth == 0 {
                        break;
                    }
                    self.at += 1;
                }
                b';' if self.depth == 0 => break,
                b'#' => {
                    self.at += self.bytes[self.at..]
                        .iter()
                        .position(|byte| *byte == b'\n')
                        .unwrap_or(self.bytes.len() - self.at);
                }
                b'\\' if matches!(self.bytes.get(self.at + 1), Some(b'\n' | b'\r')) => {
                    self.at += if self.bytes[self.at..].starts_with(b"\\\r\n") {
                        3
                    } else {
                        2
                    };
                    self.number += 1;
                }
                b' ' | b'\t' | b'\r' | b'\x0c' => self.at += 1,
                _ => {
                    numbers.push(self.number);
                    tokens.push(self.token(byte)?);
                }
            }
        }
        if self.at >= self.bytes.len() && self.depth > 0 {
            return Err(number);
        }
        let source = String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned();
        self.at += 1;
        Ok((!tokens.is_empty()).then_some(Line {
            number,
            indent,
            tokens,
            numbers,
            source,
        }))
    }

    fn token(&mut self, byte: u8) -> Result<Token, usize> {
        match byte {
            b'"' | b'\'' => self.text(""),
            b'0'..=b'9' => Ok(Token::Number(self.run())),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => {
                let word = self.run();
                let quote = matches!(self.peek(), Some(b'"' | b'\''));
                let prefix =
                    word.len() <= 2 && word.bytes().all(|byte| b"rRbBuUfFtT".contains(&byte));
                if quote && prefix {
                    self.text(&word.to_ascii_lowercase())
                } else {
                    Ok(Token::Name(word))
                }
            }
            _ => {
                match byte {
                    b'(' | b'[' | b'{' => self.depth += 1,
                    b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                self.at += 1;
                Ok(Token::Mark(byte))
            }
        }
    }

    fn run(&mut self) -> String {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80)
        {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[start..self.at]).into_owned()
    }

    fn text(&mut self, prefix: &str) -> Result<Token, usize> {
        let opened = self.number;
        let mark = self.bytes[self.at];
        let triple = self.bytes[self.at..].starts_with(&[mark; 3]);
        let width = if triple { 3 } else { 1 };
        let raw = prefix.contains('r');
        self.at += width;
        let mut out = Vec::new();
        loop {
            let byte = self.peek().ok_or(opened)?;
            if self.bytes[self.at..].starts_with(&[mark; 3][..width]) {
                self.at += width;
                break;
            }
            match byte {
                b'\n' if !triple => return Err(opened),
                b'\\' => self.escape(raw, &mut out),
                _ => {
                    self.number += usize::from(byte == b'\n');
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        if prefix.contains(['f', 't']) {
            Ok(Token::Formatted(String::from_utf8_lossy(&out).into_owned()))
        } else {
            Ok(Token::Text(out))
        }
    }

    fn escape(&mut self, raw: bool, out: &mut Vec<u8>) {
        let next = self.bytes.get(self.at + 1).copied().unwrap_or(b'\\');
        self.number += usize::from(next == b'\n');
        self.at += 2;
        if raw {
            out.extend([b'\\', next]);
            return;
        }
        match next {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => out.push(next),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' => out.push(0x07),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'v' => out.push(0x0b),
            b'0'..=b'7' => self.octal(next, out),
            b'x' | b'u' | b'U' => self.code_point(next, out),
            _ => out.extend([b'\\', next]),
        }
    }

    /// Up to three octal digits; the first was read.
    fn octal(&mut self, first: u8, out: &mut Vec<u8>) {
        let mut value = u32::from(first - b'0');
        for _ in 0..2 {
            let Some(digit @ b'0'..=b'7') = self.peek() else {
                break;
            };
            value = value * 8 + u32::from(digit - b'0');
            self.at += 1;
        }
        if let Some(char) = char::from_u32(value) {
            out.extend(char.to_string().into_bytes());
        }
    }

    fn code_point(&mut self, kind: u8, out: &mut Vec<u8>) {
        let width = match kind {
            b'x' => 2,
            b'u' => 4,
            _ => 8,
        };
        let digits = self
            .bytes
            .get(self.at..self.at + width)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let char = digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        match char {
            Some(char) => {
                out.extend(char.to_string().into_bytes());
                self.at += width;
            }
            None => out.extend([b'\\', kind]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<String> {
        let lines = lines(source.as_bytes()).unwrap();
        let tokens = lines.into_iter().flat_map(|line| line.tokens);
        tokens
            .filter_map(|token| match token {
                Token::Text(bytes) => Some(String::from_utf8(bytes).unwrap()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn strings_are_what_python_makes_of_them() {
        assert_eq!(texts(r#"a = "x\"y\n" 'b' # "no""#), ["x\"y\n", "b"]);
        assert_eq!(
            texts("r'\\d' b'\\101\\x41\\u0041' \"\"\"two\nlines\"\"\""),
            ["\\d", "AAA", "two\nlines"]
        );
        assert_eq!(texts("f'{x}' rb'raw'"), ["raw"]);
    }

    #[test]
    fn logical_lines_have_numbers_and_indents() {
        let lines =
            lines(b"class A:\n    x = [\n  1,  # one\n  2]; y = 3\n\nz = \\\n  4\n").unwrap();
        let seen: Vec<(usize, usize, usize)> = lines
            .iter()
            .map(|line| (line.number, line.indent, line.tokens.len()))
            .collect();
        assert_eq!(seen, [(1, 0, 3), (2, 4, 7), (4, 4, 3), (6, 0, 3)]);
        assert_eq!(lines[1].numbers, [2, 2, 2, 3, 3, 4, 4]);
        assert_eq!(super::lines(b"a = (1,\nb").unwrap_err(), 1);
        assert_eq!(super::lines(b"a\nb = 'x\n").unwrap_err(), 2);
    }
}
