//! Reads TOML and JSON into one tree. TOML goes through the `toml` crate; JSON has a reader of its
//! own, because `serde_json` keeps no positions.

use super::json;
use super::tree::{Key, Node, Value, Wrong};
use toml::de::{DeTable, DeValue};

/// Reads a document: JSON if its first character is `{` (no TOML document begins with it), TOML
/// otherwise. A byte order mark is passed over.
///
/// # Errors
/// What is wrong first, and where.
pub fn document(text: &str) -> Result<Node, Wrong> {
    super::bounded(text).map_err(|what| (0, what))?;
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let shift = text.len() - bare.len();
    let node = if bare.trim_start().starts_with('{') {
        json::read(bare)
    } else {
        read_toml(bare)
    };
    node.map(|node| moved(node, shift))
        .map_err(|(at, what)| (at + shift, what))
}

fn moved(mut node: Node, shift: usize) -> Node {
    if shift > 0 {
        node.at = node.at.map(|at| at + shift);
        node.value = match node.value {
            Value::List(list) => Value::List(list.into_iter().map(|n| moved(n, shift)).collect()),
            Value::Table(table) => Value::Table(
                table
                    .into_iter()
                    .map(|(key, n)| {
                        (
                            Key {
                                at: key.at.map(|at| at + shift),
                                name: key.name,
                            },
                            moved(n, shift),
                        )
                    })
                    .collect(),
            ),
            other => other,
        };
    }
    node
}

fn read_toml(text: &str) -> Result<Node, Wrong> {
    let table = DeTable::parse(text)
        .map_err(|e| (e.span().map_or(0, |s| s.start), e.message().to_string()))?;
    let at = table.span().start;
    Ok(Node {
        at: Some(at),
        value: from_table(table.get_ref())?,
    })
}

fn from_table(table: &DeTable<'_>) -> Result<Value, Wrong> {
    let mut pairs = Vec::with_capacity(table.len());
    for (key, value) in table.iter() {
        let node = Node {
            at: Some(value.span().start),
            value: from_value(value.get_ref(), value.span().start)?,
        };
        pairs.push((
            Key {
                at: Some(key.span().start),
                name: key.get_ref().to_string(),
            },
            node,
        ));
    }
    Ok(Value::Table(pairs))
}

fn from_value(value: &DeValue<'_>, at: usize) -> Result<Value, Wrong> {
    Ok(match value {
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(n) => {
            let digits = n.as_str().replace('_', "");
            let whole = i64::from_str_radix(&digits, n.radix())
                .map_err(|_| (at, format!("{digits} is too large")))?;
            Value::Whole(whole)
        }
        DeValue::Float(f) => Value::Decimal(
            f.as_str()
                .replace('_', "")
                .parse()
                .map_err(|_| (at, format!("{f} is not a number")))?,
        ),
        DeValue::Boolean(b) => Value::Flag(*b),
        DeValue::Datetime(d) => Value::Text(d.to_string()),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|v| {
                    Ok(Node {
                        at: Some(v.span().start),
                        value: from_value(v.get_ref(), v.span().start)?,
                    })
                })
                .collect::<Result<_, Wrong>>()?,
        ),
        DeValue::Table(table) => from_table(table)?,
    })
}
