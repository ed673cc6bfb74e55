//! Python source read without running it: the module's own assignments, as far as they are
//! literals.
//!
//! gunicorn's and Django's configurations are programs. What they say outright is read; anything
//! that would have to be computed is handed back as its source text, so that the report can say so.
//! Nothing is imported, called or guessed.

mod literal;
mod module;
mod path;

pub use literal::{Literal, Shape};
pub use module::{Binding, Module};
pub use path::{Names, Value, evaluate};
pub use pysource::Token;

use pysource::Line;

/// A name's last value at the top level of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The name.
    pub name: String,
    /// What it is set to.
    pub value: Literal,
}

/// The assignments of a module: for each name its last one. A name that is also set inside `if`,
/// `for`, `try` or `with`, or changed in place, is dynamic.
///
/// # Errors
/// The line on which a text or a bracket is not closed.
pub fn assignments(source: &[u8]) -> Result<Vec<Assignment>, usize> {
    let mut found: Vec<Assignment> = Vec::new();
    let mut hidden: Option<usize> = None;
    for line in pysource::lines(source)? {
        if let Some(indent) = hidden {
            if line.indent > indent {
                continue;
            }
            hidden = None;
        }
        if matches!(line.tokens.first(), Some(Token::Name(word)) if word == "def" || word == "class" || word == "async")
        {
            hidden = Some(line.indent);
            continue;
        }
        for (name, value) in assigned(&line) {
            let value = if line.indent > 0 { code(&line) } else { value };
            found.retain(|old| old.name != name);
            found.push(Assignment { name, value });
        }
    }
    Ok(found)
}

/// The names a line sets: `a = 1`, `a = b = 1`, `a: str = "x"`, `a += x`, `a["x"] = y`,
/// `a.update(…)`.
fn assigned(line: &Line) -> Vec<(String, Literal)> {
    let tokens = line.tokens.as_slice();
    let [Token::Name(name), second, rest @ ..] = tokens else {
        return Vec::new();
    };
    match second {
        Token::Mark(b'=') if !matches!(rest.first(), Some(Token::Mark(b'='))) => {
            let mut found = assigned_more(line, rest);
            let value = found
                .last()
                .map_or_else(|| literal::read(line, rest), |(_, value)| value.clone());
            found.insert(0, (name.clone(), value));
            found
        }
        Token::Mark(b':') => match rest.iter().position(|token| *token == Token::Mark(b'=')) {
            Some(at) => vec![(name.clone(), literal::read(line, &rest[at + 1..]))],
            None => Vec::new(),
        },
        Token::Mark(b'+' | b'|' | b'.' | b'[') if is_keyword(name) => Vec::new(),
        Token::Mark(b'+' | b'|') if rest.first() == Some(&Token::Mark(b'=')) => {
            vec![(name.clone(), code(line))]
        }
        Token::Mark(b'[') if rest.contains(&Token::Mark(b'=')) => vec![(name.clone(), code(line))],
        Token::Mark(b'.') if matches!(rest.first(), Some(Token::Name(word)) if word == "update" || word == "setdefault") =>
        {
            vec![(name.clone(), code(line))]
        }
        _ => Vec::new(),
    }
}

/// What a whole line makes of a name, where that is no value that stands there.
fn code(line: &Line) -> Literal {
    Literal {
        line: line.number,
        shape: Shape::Code(line.text()),
        tokens: Vec::new(),
    }
}

/// The rest of `a = b = 1`.
fn assigned_more(line: &Line, tokens: &[Token]) -> Vec<(String, Literal)> {
    match tokens {
        [Token::Name(name), Token::Mark(b'='), rest @ ..]
            if rest.first() != Some(&Token::Mark(b'=')) =>
        {
            let mut found = assigned_more(line, rest);
            let value = found
                .last()
                .map_or_else(|| literal::read(line, rest), |(_, value)| value.clone());
            found.insert(0, (name.clone(), value));
            found
        }
        _ => Vec::new(),
    }
}

fn is_keyword(name: &str) -> bool {
    matches!(
        name,
        "import" | "from" | "return" | "print" | "del" | "assert" | "raise" | "yield"
    )
}

#[cfg(test)]
mod tests;
