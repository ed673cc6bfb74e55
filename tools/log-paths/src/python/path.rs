//! Paths that settings put together: `BASE_DIR / "logs" / "x.log"`, `os.path.join(BASE_DIR,
//! "x.log")`, `f"{BASE_DIR}/x.log"`.
//!
//! What is understood is what says the same wherever and whenever it is run: texts, `__file__`, the
//! functions of os.path and pathlib that take paths apart and put them together, and names that
//! stand for such. Everything else (environment, working directory, functions of the project) has
//! no value here. A wrong path would be worse than none.

use pysource::Token;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A `str`.
    Text(Vec<u8>),
    /// A `pathlib.Path`.
    Path(Vec<u8>),
    /// A module or function of the standard library, by its full name.
    Known(String),
}

/// What the names of a module stand for, and where paths really lead.
pub trait Names {
    /// The value of a name where the expression stands.
    fn value(&self, name: &str) -> Option<Value>;
    /// An absolute path with its symbolic links followed.
    fn real(&self, path: &Path) -> Option<PathBuf>;
}

/// The path that an expression comes to; `None` where that is not known.
pub fn evaluate(tokens: &[Token], names: &dyn Names) -> Option<Value> {
    let mut reader = Reader {
        tokens,
        at: 0,
        depth: 0,
        names,
    };
    let value = reader.sum()?;
    (reader.at == tokens.len() && !matches!(value, Value::Known(_))).then_some(value)
}

impl Value {
    /// Its bytes, as `os.fspath` has them.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(bytes) | Self::Path(bytes) => Some(bytes),
            Self::Known(_) => None,
        }
    }
}

/// Parentheses and calls may go this deep.
const DEPTH: usize = 32;

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    names: &'a dyn Names,
}

impl Reader<'_> {
    fn eat(&mut self, mark: u8) -> bool {
        let found = self.tokens.get(self.at) == Some(&Token::Mark(mark));
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> Option<String> {
        let Some(Token::Name(word)) = self.tokens.get(self.at) else {
            return None;
        };
        self.at += 1;
        Some(word.clone())
    }

    /// `a + b`: texts.
    fn sum(&mut self) -> Option<Value> {
        self.depth += 1;
        let mut value = (self.depth < DEPTH).then(|| self.quotient())??;
        while self.eat(b'+') {
            let (Value::Text(mut left), Value::Text(right)) = (value, self.quotient()?) else {
                return None;
            };
            left.extend(right);
            value = Value::Text(left);
        }
        self.depth -= 1;
        Some(value)
    }

    /// `a / b`: one of them a path.
    fn quotient(&mut self) -> Option<Value> {
        let mut value = self.postfix()?;
        while self.eat(b'/') {
            let right = self.postfix()?;
            if !matches!(value, Value::Path(_)) && !matches!(right, Value::Path(_)) {
                return None;
            }
            value = pure(&[value.bytes()?, right.bytes()?])?;
        }
        Some(value)
    }

    fn postfix(&mut self) -> Option<Value> {
        let mut value = self.primary()?;
        loop {
            value = if self.eat(b'.') {
                let name = self.word()?;
                match value {
                    Value::Known(module) => Value::Known(format!("{module}.{name}")),
                    Value::Path(path) => self.of_path(path, &name)?,
                    Value::Text(_) => return None,
                }
            } else if self.eat(b'(') {
                let Value::Known(function) = value else {
                    return None;
                };
                let values = self.arguments()?;
                self.call(&function, &values)?
            } else if matches!(self.tokens.get(self.at), Some(Token::Mark(b'['))) {
                return None;
            } else {
                return Some(value);
            };
        }
    }

    fn primary(&mut self) -> Option<Value> {
        if self.eat(b'(') {
            let value = self.sum()?;
            return self.eat(b')').then_some(value);
        }
        if let Some(name) = self.word() {
            return self.names.value(&name);
        }
        let start = self.at;
        let mut out = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Text(text) => out.extend_from_slice(text),
                Token::Formatted(text) => out.extend(self.formatted(text)?),
                _ => break,
            }
            self.at += 1;
        }
        (self.at > start).then_some(Value::Text(out))
    }

    /// `{name}` in an f-string, and nothing more than names.
    fn formatted(&self, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.extend_from_slice(&rest.as_bytes()[..at]);
            let mark = &rest[at..at + 1];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(mark) {
                out.extend_from_slice(mark.as_bytes());
                rest = after;
            } else {
                let (name, after) = rest.split_once('}').filter(|_| mark == "{")?;
                out.extend_from_slice(self.names.value(name.trim())?.bytes()?);
                rest = after;
            }
        }
        out.extend_from_slice(rest.as_bytes());
        Some(out)
    }

    /// Arguments up to the closing parenthesis, all by position.
    fn arguments(&mut self) -> Option<Vec<Value>> {
        let mut values = Vec::new();
        while !self.eat(b')') {
            values.push(self.sum()?);
            if !self.eat(b',') {
                return self.eat(b')').then_some(values);
            }
        }
        Some(values)
    }

    fn call(&self, function: &str, values: &[Value]) -> Option<Value> {
        let parts = values
            .iter()
            .map(Value::bytes)
            .collect::<Option<Vec<_>>>()?;
        let text = |bytes: Vec<u8>| Some(Value::Text(bytes));
        match (function, parts.as_slice()) {
            ("pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath", parts)
                if !parts.is_empty() =>
            {
                pure(parts)
            }
            ("os.path.join", [_, ..]) => text(joined(&parts)),
            ("str" | "os.fspath", [only]) => text(only.to_vec()),
            ("os.path.dirname", [only]) => text(dirname(only).to_vec()),
            ("os.path.abspath" | "os.path.normpath", [only]) if only.starts_with(b"/") => {
                text(bytes(crate::site::normal(path(only))))
            }
            ("os.path.realpath", [only]) if only.starts_with(b"/") => {
                text(bytes(self.names.real(path(only))?))
            }
            _ => None,
        }
    }

    fn of_path(&mut self, of: Vec<u8>, name: &str) -> Option<Value> {
        if name == "parent" {
            return Some(Value::Path(parent(&of)));
        }
        if name == "parents" {
            let [Token::Mark(b'['), Token::Number(number), Token::Mark(b']')] =
                self.tokens.get(self.at..self.at + 3)?
            else {
                return None;
            };
            self.at += 3;
            return (0..=number.parse::<u8>().ok()?)
                .try_fold(of, |of, _| (of != b"/").then(|| parent(&of)))
                .map(Value::Path);
        }
        let strict = [Token::Name("strict".to_owned()), Token::Mark(b'=')];
        if !self.eat(b'(') {
            return None;
        }
        if name == "resolve"
            && self
                .tokens
                .get(self.at..)
                .is_some_and(|rest| rest.starts_with(&strict))
        {
            self.at += 3;
        }
        let values = self.arguments()?;
        let parts = values
            .iter()
            .map(Value::bytes)
            .collect::<Option<Vec<_>>>()?;
        match (name, parts.as_slice()) {
            ("resolve", []) if of.starts_with(b"/") => {
                Some(Value::Path(bytes(self.names.real(path(&of))?)))
            }
            ("absolute", []) if of.starts_with(b"/") => Some(Value::Path(of)),
            ("joinpath", parts) => pure(&[&[of.as_slice()], parts].concat()),
            ("as_posix" | "__str__", []) => Some(Value::Text(of)),
            _ => None,
        }
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn bytes(path: PathBuf) -> Vec<u8> {
    OsString::from(path).into_vec()
}

/// As `os.path.join`: an absolute part begins anew.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        if index == 0 || part.starts_with(b"/") {
            out.clear();
        } else if !out.is_empty() && !out.ends_with(b"/") {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    out
}

/// As `pathlib` joins: `.` and doubled slashes go, `..` stays.
fn pure(parts: &[&[u8]]) -> Option<Value> {
    let whole = joined(parts);
    let kept: Vec<&[u8]> = whole
        .split(|byte| *byte == b'/')
        .filter(|part| !matches!(part, [] | [b'.']))
        .collect();
    let inner = kept.join(&b'/');
    let out = if whole.starts_with(b"/") {
        [b"/", inner.as_slice()].concat()
    } else {
        inner
    };
    Some(Value::Path(if out.is_empty() {
        b".".to_vec()
    } else {
        out
    }))
}

fn dirname(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    let head = &path[..end];
    let trimmed = head
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |at| at + 1);
    if trimmed == 0 { head } else { &head[..trimmed] }
}

fn parent(path: &[u8]) -> Vec<u8> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => b"/".to_vec(),
        Some(at) => path[..at].to_vec(),
        None => b".".to_vec(),
    }
}
