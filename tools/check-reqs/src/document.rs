//! A requirement file as values that remember where they stood, so that every complaint names line and column. A misspelled key in a
//! list of requirements is a requirement that nobody checks; that is why nothing here is skipped in silence.

mod fields;

pub use base::source::tree::{Key, Node, Value};
pub use fields::{Fields, Settings, fill};

use base::{Error, Result};
use std::sync::OnceLock;

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
        Origin {
            name: name.into(),
            text: text.into(),
            lines: OnceLock::new(),
        }
    }

    /// Line and column of a byte, both from 1, columns in characters.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let lines = self.lines.get_or_init(|| {
            std::iter::once(0)
                .chain(self.text.match_indices('\n').map(|(i, _)| i + 1))
                .collect()
        });
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

/// Reads a document: JSON if its first character is `{`, TOML otherwise.
pub fn read(origin: &Origin) -> Result<Node> {
    base::source::read_tree(&origin.text).map_err(|(at, what)| origin.error(Some(at), what))
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
                    format!(
                        "{{{}}}",
                        t.iter()
                            .map(|(k, n)| format!("{}:{}", k.name, bare(n)))
                            .collect::<Vec<_>>()
                            .join(",")
                    )
                }
                other => format!("{other:?}"),
            }
        }
        assert_eq!(bare(&read(&toml).unwrap()), bare(&read(&json).unwrap()));
    }
}
