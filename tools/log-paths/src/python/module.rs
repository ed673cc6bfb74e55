//! What a name stands for at one place of a module: its last binding before it.
//!
//! Only what is bound once and for all is believed. A name that a loop, a condition, a tuple or
//! anything else out of the ordinary may have bound since is not known; bodies of functions and
//! classes are not looked at.

use super::literal::Literal;
use pysource::{Line, Token};

/// A module's lines outside functions and classes.
pub struct Module {
    lines: Vec<Line>,
}

/// What bound a name, and on which line (an index).
#[derive(Debug, PartialEq)]
pub enum Binding {
    /// `name = …`
    Value(usize, Literal),
    /// `import MODULE` (as a name)
    Import(String),
    /// `from MODULE import NAME`
    From(String, String),
    /// `from MODULE import *`, which may have bound it.
    Star(usize, String),
    /// Something that cannot be told.
    Unclear(usize, String),
}

impl Module {
    /// Reads a source.
    ///
    /// # Errors
    /// The line on which a text or a bracket is not closed.
    pub fn read(source: &[u8]) -> Result<Self, usize> {
        let mut lines = Vec::new();
        let mut hidden: Option<usize> = None;
        for line in pysource::lines(source)? {
            if hidden.is_some_and(|indent| line.indent > indent) {
                continue;
            }
            hidden =
                matches!(line.keyword(), Some("def" | "class" | "async")).then_some(line.indent);
            lines.push(line);
        }
        Ok(Self { lines })
    }

    /// Where a name is used that the whole module may have bound.
    pub fn end(&self) -> usize {
        self.lines.len()
    }

    /// The last binding of a name before a line.
    pub fn binding(&self, name: &str, before: usize) -> Option<Binding> {
        self.lines
            .get(..before)?
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, line)| self.bound(at, line, name))
    }

    fn bound(&self, at: usize, line: &Line, name: &str) -> Option<Binding> {
        let unclear = || Some(Binding::Unclear(at, line.text()));
        let sure = line.indent == 0 || self.is_tried(at);
        if let Some((module, names)) = from_import(&line.tokens) {
            if names == [Token::Mark(b'*')] {
                return if sure {
                    Some(Binding::Star(at, module))
                } else {
                    unclear()
                };
            }
            let (_, original) = imported(names).find(|(bound, _)| *bound == name)?;
            return if line.indent == 0 {
                Some(Binding::From(module, original.to_owned()))
            } else {
                unclear()
            };
        }
        if line.keyword() == Some("import") {
            let module = imports(&line.tokens[1..])
                .into_iter()
                .find(|(bound, _)| bound == name)?
                .1;
            return if line.indent == 0 {
                Some(Binding::Import(module))
            } else {
                unclear()
            };
        }
        if let Some((_, value)) = super::assigned(line)
            .into_iter()
            .find(|(bound, _)| bound == name)
        {
            return Some(Binding::Value(
                at,
                if line.indent > 0 {
                    super::code(line)
                } else {
                    value
                },
            ));
        }
        let mentions = |tokens: &[Token]| {
            tokens
                .iter()
                .any(|token| matches!(token, Token::Name(word) if word == name))
        };
        let binds = match line.keyword() {
            Some(
                "for" | "with" | "def" | "class" | "async" | "del" | "except" | "global" | "match"
                | "case",
            ) => mentions(&line.tokens),
            _ => targets(&line.tokens).is_some_and(mentions),
        };
        if binds { unclear() } else { None }
    }

    /// Is the line the body of a `try`? What is imported there is there, or it is not.
    fn is_tried(&self, at: usize) -> bool {
        let indent = self.lines[at].indent;
        let outer = self.lines[..at]
            .iter()
            .rev()
            .find(|line| line.indent < indent);
        outer.is_some_and(|line| line.indent == 0 && line.keyword() == Some("try"))
    }
}

/// What stands left of the last `=` that assigns, or of a `:=` anywhere.
fn targets(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 0usize;
    let mut last = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark(b'(' | b'[' | b'{') => depth += 1,
            Token::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Token::Mark(b'=') if depth == 0 || at > 0 && tokens[at - 1] == Token::Mark(b':') => {
                last = Some(at);
            }
            _ => {}
        }
    }
    last.map(|at| &tokens[..at])
}

/// `from a.b import …`: the module with its dots, and what follows `import`.
fn from_import(tokens: &[Token]) -> Option<(String, &[Token])> {
    let [Token::Name(from), rest @ ..] = tokens else {
        return None;
    };
    let import = rest
        .iter()
        .position(|token| matches!(token, Token::Name(word) if word == "import"))?;
    (from == "from").then(|| (dotted(&rest[..import]), &rest[import + 1..]))
}

fn dotted(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::Name(word) => word.clone(),
            Token::Mark(mark) => char::from(*mark).to_string(),
            _ => String::new(),
        })
        .collect()
}

/// `a, b as c`, in parentheses or not: the names that are bound, and what they were called.
fn imported(tokens: &[Token]) -> impl Iterator<Item = (&str, &str)> {
    let parts = tokens.split(|token| *token == Token::Mark(b','));
    parts.filter_map(|part| {
        let words: Vec<&str> = part
            .iter()
            .filter_map(|token| {
                if let Token::Name(word) = token {
                    Some(word.as_str())
                } else {
                    None
                }
            })
            .collect();
        match words.as_slice() {
            [name] => Some((*name, *name)),
            [name, "as", bound] => Some((*bound, *name)),
            _ => None,
        }
    })
}

/// `import a.b, c as d`: the names that are bound, and the modules they stand for; `import a.b`
/// binds `a`.
fn imports(tokens: &[Token]) -> Vec<(String, String)> {
    let part = |part: &[Token]| {
        let at = part
            .iter()
            .position(|token| matches!(token, Token::Name(word) if word == "as"));
        match at {
            Some(at) => (dotted(&part[at + 1..]), dotted(&part[..at])),
            None => {
                let first = dotted(&part[..part.len().min(1)]);
                (first.clone(), first)
            }
        }
    };
    tokens
        .split(|token| *token == Token::Mark(b','))
        .map(part)
        .collect()
}
