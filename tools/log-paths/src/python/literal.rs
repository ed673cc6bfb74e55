//! Values that say what they are: texts, numbers, None, lists, dictionaries. Everything else stays
//! code.

use pysource::{Line, Token};

/// How deep lists and dictionaries may nest.
const DEPTH: usize = 64;

/// A value, and the line it starts on.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub shape: Shape,
    /// Its tokens, where it is code that stands there as it is.
    pub tokens: Vec<Token>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A text.
    Text(Vec<u8>),
    /// A number, as written.
    Number(String),
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A list, tuple or set.
    List(Vec<Literal>),
    /// A dictionary.
    Dict(Vec<(Literal, Literal)>),
    /// Something that would have to be run; its text.
    Code(String),
}

impl Literal {
    /// The name, where it is nothing else.
    pub fn name(&self) -> Option<&str> {
        if let [Token::Name(name)] = self.tokens.as_slice() {
            Some(name)
        } else {
            None
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&[u8]> {
        if let Shape::Text(bytes) = &self.shape {
            Some(bytes)
        } else {
            None
        }
    }

    /// The value of a key, where this is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Literal> {
        let Shape::Dict(entries) = &self.shape else {
            return None;
        };
        entries
            .iter()
            .rev()
            .find(|(name, _)| name.text() == Some(key.as_bytes()))
            .map(|(_, value)| value)
    }
}

/// The value of the tokens that follow a `=` on a line.
pub fn read(line: &Line, tokens: &[Token]) -> Literal {
    let first = line.tokens.len() - tokens.len();
    let mut reader = Reader { line, at: first };
    let start = reader.number();
    match reader.value(0) {
        Some(value) if reader.at == line.tokens.len() => value,
        _ => Literal {
            line: start,
            shape: Shape::Code(shown(tokens)),
            tokens: tokens.to_vec(),
        },
    }
}

struct Reader<'a> {
    line: &'a Line,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.line.tokens.get(self.at)
    }

    fn number(&self) -> usize {
        self.line
            .numbers
            .get(self.at)
            .copied()
            .unwrap_or(self.line.number)
    }

    fn eat(&mut self, mark: u8) -> bool {
        let found = self.peek() == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Option<Literal> {
        if depth > DEPTH {
            return None;
        }
        let line = self.number();
        let shape = match self.peek()?.clone() {
            Token::Text(_) => self.texts(),
            Token::Number(number) => self.word(Shape::Number(number)),
            Token::Name(name) => match name.as_str() {
                "None" => self.word(Shape::None),
                "True" => self.word(Shape::Bool(true)),
                "False" => self.word(Shape::Bool(false)),
                _ => return None,
            },
            Token::Mark(b'[') => Shape::List(self.items(b']', depth)?),
            Token::Mark(b'(') => self.parentheses(depth)?,
            Token::Mark(b'{') => self.braces(depth)?,
            _ => return None,
        };
        Some(Literal {
            line,
            shape,
            tokens: Vec::new(),
        })
    }

    /// A value within a list or dictionary, up to its comma or bracket; what cannot be read is
    /// code, and the rest goes on.
    fn element(&mut self, depth: usize) -> Literal {
        let (start, line) = (self.at, self.number());
        let end = |token: Option<&Token>| {
            matches!(
                token,
                None | Some(Token::Mark(b',' | b']' | b')' | b'}' | b':'))
            )
        };
        if let Some(value) = self.value(depth) {
            if end(self.peek()) {
                return value;
            }
        }
        self.at = start;
        let mut open = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::Mark(b'(' | b'[' | b'{') => open += 1,
                Token::Mark(b')' | b']' | b'}') if open > 0 => open -= 1,
                token if open == 0 && end(Some(token)) => break,
                _ => {}
            }
            self.at += 1;
        }
        let tokens = &self.line.tokens[start..self.at];
        Literal {
            line,
            shape: Shape::Code(shown(tokens)),
            tokens: tokens.to_vec(),
        }
    }

    fn word(&mut self, shape: Shape) -> Shape {
        self.at += 1;
        shape
    }

    /// Texts side by side are one.
    fn texts(&mut self) -> Shape {
        let mut out = Vec::new();
        while let Some(Token::Text(bytes)) = self.peek() {
            out.extend_from_slice(bytes);
            self.at += 1;
        }
        Shape::Text(out)
    }

    fn items(&mut self, close: u8, depth: usize) -> Option<Vec<Literal>> {
        self.at += 1;
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(self.element(depth + 1));
            if !self.eat(b',') {
                return self.eat(close).then_some(items);
            }
        }
        Some(items)
    }

    /// One value in parentheses is that value; with a comma it is a tuple.
    fn parentheses(&mut self, depth: usize) -> Option<Shape> {
        let start = self.at;
        let mut items = self.items(b')', depth)?;
        let comma = matches!(
            self.line.tokens.get(start + 1..self.at - 1),
            Some([.., Token::Mark(b',')])
        );
        if items.len() == 1 && !comma {
            items.pop().map(|item| item.shape)
        } else {
            Some(Shape::List(items))
        }
    }

    fn braces(&mut self, depth: usize) -> Option<Shape> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut items = Vec::new();
        while !self.eat(b'}') {
            let key = self.element(depth + 1);
            if self.eat(b':') {
                entries.push((key, self.element(depth + 1)));
            } else {
                items.push(key);
            }
            if !self.eat(b',') && self.peek() != Some(&Token::Mark(b'}')) {
                return None;
            }
        }
        // `**other` in a dictionary, or a set: what it holds is not known.
        Some(if items.is_empty() || !entries.is_empty() {
            Shape::Dict(entries)
        } else {
            Shape::List(items)
        })
    }
}

fn shown(tokens: &[Token]) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Name(word) | Token::Number(word) => {
                if out.ends_with(|char: char| char.is_alphanumeric()) {
                    out.push(' ');
                }
                out.push_str(word);
            }
            Token::Text(bytes) => out.push_str(&format!("{:?}", String::from_utf8_lossy(bytes))),
            Token::Formatted(text) => out.push_str(&format!("f{text:?}")),
            Token::Mark(mark) => out.push(char::from(*mark)),
        }
    }
    out.chars().take(100).collect()
}
