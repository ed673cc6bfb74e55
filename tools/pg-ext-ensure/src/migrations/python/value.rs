//! The values of expressions, as far as the source says them.

use pysource::Token;

use super::super::sql;
use super::tokens::{closing, is_dotted, length, split, texts, words};
use super::{DEPTH, Module, Span};

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A list, tuple or set.
    List(Vec<Value>),
    /// `None`, `RunSQL.noop`.
    Nothing,
    /// Something that only running the module would tell.
    Unknown(Hint),
}

/// What an expression that cannot be told still shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Its strings speak of extensions.
    Extension,
    /// Its strings begin as SQL does, and speak of no extension.
    OtherSql,
    /// No operation that could create an extension.
    Nothing,
}

/// The longest text that is put together, in bytes.
const TEXT: usize = 1 << 20;

impl Module {
    /// What an expression comes to. Its strings count as seen from now on.
    pub fn value(&self, span: Span) -> Value {
        self.value_within(span, DEPTH)
    }

    fn value_within(&self, span: Span, depth: usize) -> Value {
        let unknown = || Value::Unknown(self.hint(span, depth));
        let tokens = self.tokens(span);
        if depth == 0 || tokens.is_empty() || !self.spend(length(tokens)) {
            return unknown();
        }
        self.see(span);
        if tokens.iter().all(|token| matches!(token, Token::Text(_))) {
            return Value::Text(texts(tokens));
        }
        let inner = |from: usize, to: usize| Span {
            line: span.line,
            from: span.from + from,
            to: span.from + to,
        };
        let last = tokens.len() - 1;
        if let Token::Mark(mark @ (b'(' | b'[' | b'{')) = tokens[0] {
            if closing(tokens, 0) == Some(last) {
                let parts = split(tokens, 1, last, b',');
                let comma = tokens.get(last - 1) == Some(&Token::Mark(b','));
                if mark == b'(' && parts.len() == 1 && !comma {
                    return self.value_within(inner(1, last), depth - 1);
                }
                let parts = parts
                    .into_iter()
                    .map(|(from, to)| self.value_within(inner(from, to), depth - 1));
                return Value::List(parts.collect());
            }
        }
        let sum = split(tokens, 0, tokens.len(), b'+');
        if sum.len() > 1 {
            let parts = sum
                .into_iter()
                .map(|(from, to)| self.value_within(inner(from, to), depth - 1));
            return joined(parts.collect()).unwrap_or_else(unknown);
        }
        if is_dotted(tokens) {
            return self
                .named(&words(tokens), span, depth)
                .unwrap_or_else(unknown);
        }
        self.trimmed(span, depth).unwrap_or_else(unknown)
    }

    fn named(&self, path: &[String], span: Span, depth: usize) -> Option<Value> {
        match path {
            [one] if one == "None" => Some(Value::Nothing),
            [.., last] if last == "noop" => Some(Value::Nothing),
            [one] => {
                let bound = self.binding(one, span.line)?;
                (bound != span).then(|| self.value_within(bound, depth - 1))
            }
            _ => None,
        }
    }

    /// `dedent(X)`, and `X.strip()`, which leave the statements as they are.
    fn trimmed(&self, span: Span, depth: usize) -> Option<Value> {
        let tokens = self.tokens(span);
        let last = tokens.len() - 1;
        let part = |from: usize, to: usize| Span {
            line: span.line,
            from: span.from + from,
            to: span.from + to,
        };
        if let Some(open) = tokens.iter().position(|token| *token == Token::Mark(b'(')) {
            let is_call =
                open > 0 && is_dotted(&tokens[..open]) && closing(tokens, open) == Some(last);
            let callee = words(&tokens[..open]);
            if is_call
                && matches!(
                    callee.last().map(String::as_str),
                    Some("dedent" | "cleandoc" | "str" | "SQL")
                )
            {
                return Some(self.value_within(part(open + 1, last), depth - 1));
            }
            if let ([function], true) = (callee.as_slice(), is_call) {
                return self.returned(function, depth);
            }
        }
        match tokens {
            [
                receiver @ ..,
                Token::Mark(b'.'),
                Token::Name(method),
                Token::Mark(b'('),
                Token::Mark(b')'),
            ] if matches!(method.as_str(), "strip" | "lstrip" | "rstrip")
                && !receiver.is_empty() =>
            {
                Some(self.value_within(part(0, receiver.len()), depth - 1))
            }
            _ => None,
        }
    }

    /// All that a function of the module may return.
    fn returned(&self, function: &str, depth: usize) -> Option<Value> {
        let block = self.block(function, false)?;
        let mut values = Vec::new();
        for line in block.head + 1..block.end {
            if self.lines[line].keyword() == Some("return") {
                let to = self.lines[line].tokens.len();
                values.push(self.value_within(Span { line, from: 1, to }, depth - 1));
            }
        }
        match values.len() {
            0 => None,
            1 => values.pop(),
            _ => Some(Value::List(values)),
        }
    }

    /// What the strings of an expression show, and those of the names in it.
    fn hint(&self, span: Span, depth: usize) -> Hint {
        self.see(span);
        if !self.spend(length(self.tokens(span))) {
            return Hint::Extension;
        }
        let mut hint = Hint::Nothing;
        for (at, token) in self.tokens(span).iter().enumerate() {
            let text = match token {
                Token::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Token::Formatted(text) => text.clone(),
                Token::Name(name) if depth > 0 => {
                    let attribute = at > 0 && self.tokens(span)[at - 1] == Token::Mark(b'.');
                    let bound = self
                        .binding(name, span.line)
                        .filter(|bound| !attribute && *bound != span);
                    match bound.map(|bound| self.hint(bound, depth - 1)) {
                        Some(Hint::Extension) => return Hint::Extension,
                        Some(Hint::OtherSql) => hint = Hint::OtherSql,
                        _ => {}
                    }
                    continue;
                }
                _ => continue,
            };
            if sql::speaks_of_extensions(&text) {
                return Hint::Extension;
            }
            if sql::begins_a_statement(&text) {
                hint = Hint::OtherSql;
            }
        }
        hint
    }

    /// Remembers that the strings of a span were looked at.
    pub fn see(&self, span: Span) {
        let mut seen = self.seen.borrow_mut();
        seen.extend((span.from..span.to).map(|at| (span.line, at)));
    }

    /// Whether a token was looked at.
    pub fn is_seen(&self, line: usize, token: usize) -> bool {
        self.seen.borrow().contains(&(line, token))
    }
}

fn joined(parts: Vec<Value>) -> Option<Value> {
    let mut text = String::new();
    let mut list = Vec::new();
    for part in &parts {
        match part {
            Value::Text(more) if text.len() + more.len() <= TEXT => text += more,
            Value::List(more) => list.extend(more.iter().cloned()),
            _ => return None,
        }
    }
    match (text.is_empty(), list.is_empty()) {
        (_, true) => Some(Value::Text(text)),
        (true, false) => Some(Value::List(list)),
        (false, false) => None,
    }
}
