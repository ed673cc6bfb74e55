//! What a name is bound to where it is used: the one assignment of its scope, or nothing.

use pysource::Token;

use super::tokens::targets;
use super::{Module, Span};

/// What a line does to a name.
enum Assigned {
    No,
    To(Span),
    Otherwise,
}

impl Module {
    /// The one expression that a name is bound to where it is used.
    pub fn binding(&self, name: &str, at: usize) -> Option<Span> {
        let lines = self.names.get(name)?;
        let mut scope = self.scopes.get(at).copied().flatten();
        loop {
            if scope.is_some_and(|block| self.is_parameter(self.blocks[block].head, name)) {
                return None;
            }
            let mut found = None;
            for line in lines.iter().filter(|line| self.scopes[**line] == scope) {
                if !self.spend(0) {
                    return None;
                }
                match (self.assigned(*line, name), found) {
                    (Assigned::No, _) => {}
                    (Assigned::To(span), None) => found = Some(span),
                    _ => return None,
                }
            }
            match (found, scope) {
                (Some(span), _) => return Some(span),
                (None, None) => return None,
                // The definition stands in the scope around the function.
                (None, Some(block)) => scope = self.scopes[self.blocks[block].head],
            }
        }
    }

    fn is_parameter(&self, line: usize, name: &str) -> bool {
        let tokens = &self.lines[line].tokens;
        let named = |token: &Token| matches!(token, Token::Name(word) if word == name);
        tokens.iter().skip(2).any(named)
    }

    fn assigned(&self, at: usize, name: &str) -> Assigned {
        let line = &self.lines[at];
        let tokens = &line.tokens;
        let named = |token: &Token| matches!(token, Token::Name(word) if word == name);
        let end = tokens.len();
        let from = |from: usize| Span {
            line: at,
            from,
            to: end,
        };
        match tokens.as_slice() {
            [first, Token::Mark(b'='), second, ..]
                if named(first) && *second != Token::Mark(b'=') =>
            {
                return Assigned::To(from(2));
            }
            [first, Token::Mark(b':'), rest @ ..] if named(first) => {
                return match rest.iter().position(|token| *token == Token::Mark(b'=')) {
                    Some(equals) => Assigned::To(from(equals + 3)),
                    None => Assigned::No,
                };
            }
            [
                first,
                Token::Mark(b'+' | b'%' | b'|'),
                Token::Mark(b'='),
                ..,
            ] if named(first) => {
                return Assigned::Otherwise;
            }
            [
                first,
                Token::Mark(b'.'),
                Token::Name(method),
                Token::Mark(b'('),
                ..,
            ] if named(first) && matches!(method.as_str(), "append" | "extend" | "insert") => {
                return Assigned::Otherwise;
            }
            _ => {}
        }
        let binds = match line.keyword() {
            Some("for" | "async") => tokens
                .iter()
                .take_while(|token| !matches!(token, Token::Name(word) if word == "in"))
                .any(named),
            Some("with" | "except") => tokens.windows(2).any(|pair| {
                matches!(&pair[0], Token::Name(word) if word == "as") && named(&pair[1])
            }),
            Some("global" | "nonlocal") => tokens.iter().any(named),
            // `a = b = c` and `a, b = …`
            _ => targets(tokens).is_some_and(|targets| targets.iter().any(named)),
        };
        if binds {
            Assigned::Otherwise
        } else {
            Assigned::No
        }
    }
}
