//! A requirement file as values that remember where they stood, so that every complaint names line and column. A misspelled key in a
//! list of requirements is a requirement that nobody checks; that is why nothing here is skipped in silence. TOML goes through the
//! `toml` crate; JSON is read here, because `serde_json` keeps no positions.

mod fields;
mod json;

pub use fields::{Fields, Settings, fill, nearest};

use base::{Error, Result};
use std::sync::OnceLock;
use toml::de::{DeTable, DeValue};

/// One value and the byte at which it begins (`None` for values that came from the command line).
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Byte offset in the document.
    pub at: Option<usize>,
    /// The value itself.
    pub value: Value,
}

/// What TOML and JSON have in common.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer.
    Whole(i64),
    /// Any other number.
    Decimal(f64),
    /// true or false.
    Flag(bool),
    /// An array.
    List(Vec<Node>),
    /// A table or object, in the file's order.
    Table(Vec<(Key, Node)>),
}

/// The key of a table and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Byte offset in the document.
    pub at: Option<usize>,
    /// Its name.
    pub name: String,
}

impl Value {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Whole(_) | Value::Decimal(_) => "a number",
            Value::Flag(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// The name and text of one source of requirements, for messages.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What messages call it: a file's path, `standard input`, or the argument itself.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where its lines begin; found once, since every requirement asks for its line.
    lines: OnceLock<Vec<usize>>,
}

impl Origin {
    /// A source of this name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Origin {
        Origin { name: name.into(), text: text.into(), lines: OnceLock::new() }
    }

    /// Line and column of a byte, both from 1, columns in characters.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let lines = self.lines.get_or_init(|| std::iter::once(0).chain(self.text.match_indices('\n').map(|(i, _)| i + 1)).collect());
        let line = lines.partition_point(|start| *start <= at);
        let start = lines.get(line - 1).copied().unwrap_or(0);
        (line, self.text[start..at].chars().count() + 1)
    }

    /// An error at a place in this source: `site.toml:3:7: what`.
    pub fn error(&self, at: Option<usize>, what: impl std::fmt::Display) -> Error {
        match at {
            Some(at) => {
                let (line, column) = self.line_column(at);
                Error::input(format!("{}:{line}:{column}: {what}", self.name))
            }
            None => Error::usage(format!("{}: {what}", self.name)),
        }
    }

    /// The line of a place, for `--explain`.
    pub fn line(&self, at: Option<usize>) -> Option<usize> {
        at.map(|at| self.line_column(at).0)
    }
}

/// Reads a document: JSON if its first character is `{` or `[`, TOML otherwise (no TOML document begins with `{`, and one that begins
/// with `[` goes on with a bare key or another `[`).
pub fn read(origin: &Origin) -> Result<Node> {
    let text = origin.text.strip_prefix('\u{feff}').unwrap_or(&origin.text);
    let shift = origin.text.len() - text.len();
    if text.trim_start().starts_with('{') {
        json::read(text).map_err(|(at, what)| origin.error(Some(at + shift), what)).map(|node| moved(node, shift))
    } else {
        read_toml(text).map_err(|(at, what)| origin.error(Some(at + shift), what)).map(|node| moved(node, shift))
    }
}

fn moved(mut node: Node, shift: usize) -> Node {
    if shift > 0 {
        node.at = node.at.map(|at| at + shift);
        node.value = match node.value {
            Value::List(list) => Value::List(list.into_iter().map(|n| moved(n, shift)).collect()),
            Value::Table(table) => Value::Table(
                table.into_iter().map(|(key, n)| (Key { at: key.at.map(|at| at + shift), name: key.name }, moved(n, shift))).collect(),
            ),
            other => other,
        };
    }
    node
}

fn read_toml(text: &str) -> Result<Node, (usize, String)> {
    let table = DeTable::parse(text).map_err(|e| (e.span().map_or(0, |s| s.start), e.message().to_string()))?;
    let at = table.span().start;
    Ok(Node { at: Some(at), value: from_table(table.get_ref())? })
}

fn from_table(table: &DeTable<'_>) -> Result<Value, (usize, String)> {
    let mut pairs = Vec::with_capacity(table.len());
    for (key, value) in table.iter() {
        let node = Node { at: Some(value.span().start), value: from_value(value.get_ref(), value.span().start)? };
        pairs.push((Key { at: Some(key.span().start), name: key.get_ref().to_string() }, node));
    }
    Ok(Value::Table(pairs))
}

fn from_value(value: &DeValue<'_>, at: usize) -> Result<Value, (usize, String)> {
    Ok(match value {
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(n) => {
            let digits = n.as_str().replace('_', "");
            let whole = i64::from_str_radix(&digits, n.radix()).map_err(|_| (at, format!("{digits} is too large")))?;
            Value::Whole(whole)
        }
        DeValue::Float(f) => Value::Decimal(f.as_str().replace('_', "").parse().map_err(|_| (at, format!("{f} is not a number")))?),
        DeValue::Boolean(b) => Value::Flag(*b),
        DeValue::Datetime(d) => Value::Text(d.to_string()),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|v| Ok(Node { at: Some(v.span().start), value: from_value(v.get_ref(), v.span().start)? }))
                .collect::<Result<_, (usize, String)>>()?,
        ),
        DeValue::Table(table) => from_table(table)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::new("site.toml", text)
    }

    #[test]
    fn every_complaint_names_its_line_and_column() {
        let settings = Settings::new();
        let file = origin("id = \"é\"\nfre = 3\n");
        let node = read(&file).unwrap();
        let mut fields = Fields::new(&file, &settings, &node).unwrap();
        assert_eq!(fields.text("id").unwrap().as_deref(), Some("é"));
        assert_eq!(fields.count("free").unwrap(), None);
        let error = fields.finish().unwrap_err();
        assert_eq!(error.message, "site.toml:2:1: unknown key 'fre'");
        assert_eq!(error.hint.as_deref(), Some("did you mean 'free'?"));
    }

    #[test]
    fn toml_and_json_read_the_same() {
        let toml = origin("[[check]]\nid = \"a\"\nn = 0x10\nf = 1.5\nlist = [\"x\", true]\n");
        let json = origin(r#"{"check": [{"id": "a", "n": 16, "f": 1.5, "list": ["x", true]}]}"#);
        fn bare(node: &Node) -> String {
            match &node.value {
                Value::List(l) => format!("[{}]", l.iter().map(bare).collect::<Vec<_>>().join(",")),
                Value::Table(t) => {
                    format!("{{{}}}", t.iter().map(|(k, n)| format!("{}:{}", k.name, bare(n))).collect::<Vec<_>>().join(","))
                }
                other => format!("{other:?}"),
            }
        }
        assert_eq!(bare(&read(&toml).unwrap()), bare(&read(&json).unwrap()));
    }
}
