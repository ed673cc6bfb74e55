//! `[[check]]` tables of a snapshot, and a look at one by the code that reads files.

use crate::check;
use crate::document::{Fields, Key, Node, Origin, Settings, Value};
use crate::finding::Finding;
use crate::scene::Scene;
use base::clock::Deadline;
use base::{Error, Result};
use serde_json::{Map, Value as Json, json};

/// A `[[check]]` table.
pub type Table = Map<String, Json>;

/// A table of a type, with those keys that have a value.
pub fn table(kind: &str, pairs: &[(&str, Option<&str>)]) -> Table {
    let mut table = Table::new();
    table.insert("type".into(), json!(kind));
    for (key, value) in pairs {
        if let Some(value) = value {
            table.insert((*key).into(), json!(value));
        }
    }
    table
}

/// One look, by the same code that a file's table goes through.
pub fn look(table: &Table, scene: &Scene, deadline: Deadline) -> Result<Finding> {
    let origin = Origin::new("--snapshot", "");
    let node = node(&Json::Object(table.clone()));
    let settings = Settings::new();
    let mut fields = Fields::new(&origin, &settings, &node)?;
    let kind = fields.required("type")?;
    let type_ = check::of_name(&kind)
        .ok_or_else(|| Error::usage(format!("--snapshot: there is no type {kind}")))?;
    Ok((type_.read)(&mut fields)?.look(scene, deadline))
}

fn node(json: &Json) -> Node {
    let value = match json {
        Json::String(text) => Value::Text(text.replace("${", "$${")),
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => number
            .as_i64()
            .map_or(Value::Decimal(number.as_f64().unwrap_or(0.0)), Value::Whole),
        Json::Array(list) => Value::List(list.iter().map(node).collect()),
        Json::Object(pairs) => Value::Table(
            pairs
                .iter()
                .map(|(k, v)| {
                    (
                        Key {
                            at: None,
                            name: k.clone(),
                        },
                        node(v),
                    )
                })
                .collect(),
        ),
        Json::Null => Value::Text(String::new()),
    };
    Node { at: None, value }
}
