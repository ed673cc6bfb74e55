//! A requirement file as values that remember where they stood, so that every complaint names line
//! and column. A misspelled key in a list of requirements is a requirement that nobody checks; that
//! is why nothing here is skipped in silence.

mod fields;
mod filling;
mod origin;

pub use base::source::tree::{Key, Node, Value};
pub use fields::Fields;
pub use filling::{Settings, fill};
pub use origin::Origin;

use base::Result;

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
