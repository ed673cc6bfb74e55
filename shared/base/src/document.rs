//! The files that a tool reads, as its manual and `--help` describe them: which tables there are,
//! which keys, what each means. Said where the file is read (the doc comments of the types that
//! serde fills), so that a key cannot be accepted and go unmentioned.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// One kind of input file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The section's title: `The set file`.
    pub title: &'static str,
    /// What it is, a paragraph each.
    pub text: Vec<String>,
    /// Its tables, in the order in which a reader needs them.
    pub tables: Vec<Table>,
    /// A whole file, such as somebody would write it; the tool's own tests read it.
    pub example: &'static str,
}

/// A table of such a file.
#[derive(Clone, Debug)]
pub struct Table {
    /// How it is written: `[service.NAME]`; empty for keys that stand in no table.
    pub heading: String,
    /// What it is for.
    pub text: String,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The name of the key.
    pub name: String,
    /// What may stand there, as TOML writes it: `"…"`, `true|false`.
    pub value: String,
    /// What it means.
    pub text: String,
}

impl Document {
    /// The document that serde reads into `T`, described by the doc comments of `T`.
    #[must_use]
    pub fn of<T: JsonSchema>(
        title: &'static str,
        text: &[&str],
        example: &'static str,
    ) -> Document {
        let schema = SchemaSettings::draft2020_12()
            .for_deserialize()
            .into_generator()
            .into_root_schema_for::<T>();
        let reader = Reader {
            definitions: definitions(&schema),
        };
        let mut tables = Vec::new();
        reader.table(&mut tables, String::new(), "", schema.as_value(), true);
        say_once(&mut tables);
        Document {
            title,
            text: text.iter().map(ToString::to_string).collect(),
            tables,
            example,
        }
    }
}

fn definitions(schema: &Schema) -> Map<String, Value> {
    schema
        .get("$defs")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// JSON Schema, as far as schemars writes it for types that serde reads.
struct Reader {
    definitions: Map<String, Value>,
}

/// What a value is.
enum Shape<'a> {
    /// Something that is written on one line.
    Plain(String),
    /// A table.
    Table(&'a Value),
    /// Tables in a list.
    Tables(&'a Value),
    /// Tables with names of the writer's choice.
    Named(&'a Value),
}

impl Reader {
    /// Puts a table, and those inside of it, at the end of `out`.
    fn table(&self, out: &mut Vec<Table>, heading: String, text: &str, schema: &Value, root: bool) {
        let mut keys = Vec::new();
        let mut inner = Vec::new();
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let text = self.description(property);
            let (heading, value, table) = match self.shape(property) {
                Shape::Plain(value) => {
                    keys.push(Key {
                        name: name.clone(),
                        value,
                        text,
                    });
                    continue;
                }
                Shape::Table(table) if root => (format!("[{name}]"), "", table),
                Shape::Tables(table) if root => (format!("[[{name}]]"), "", table),
                Shape::Named(table) if root => (format!("[{name}.NAME]"), "", table),
                Shape::Table(table) => (format!("{name} = {{ … }}"), "{ … }", table),
                Shape::Tables(table) => (format!("{name} = [{{ … }}]"), "[{ … }]", table),
                Shape::Named(table) => (
                    format!("{name} = {{ NAME = {{ … }} }}"),
                    "{ NAME = { … } }",
                    table,
                ),
            };
            if !root {
                keys.push(Key {
                    name: name.clone(),
                    value: value.to_owned(),
                    text: format!("{text} The keys are below."),
                });
            }
            self.table(&mut inner, heading, &text, table, false);
        }
        if !keys.is_empty() {
            out.push(Table {
                heading,
                text: text.to_owned(),
                keys,
            });
        }
        out.append(&mut inner);
    }

    fn shape<'a>(&'a self, schema: &'a Value) -> Shape<'a> {
        let schema = self.resolved(schema);
        let object = |schema: &Value| schema.get("properties").is_some();
        if object(schema) {
            return Shape::Table(schema);
        }
        if let Some(each) = schema
            .get("items")
            .map(|items| self.resolved(items))
            .filter(|each| object(each))
        {
            return Shape::Tables(each);
        }
        if let Some(each) = schema
            .get("additionalProperties")
            .map(|each| self.resolved(each))
            .filter(|each| object(each))
        {
            return Shape::Named(each);
        }
        Shape::Plain(self.written(schema))
    }

    /// What a reference stands for; of a value that may be missing, the value.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return self
                .definitions
                .get(name.trim_start_matches("#/$defs/"))
                .map_or(schema, |found| self.resolved(found));
        }
        let null = |each: &&Value| each.get("type").and_then(Value::as_str) != Some("null");
        match schema
            .get("anyOf")
            .and_then(Value::as_array)
            .map(|any| any.iter().filter(null).collect::<Vec<_>>())
        {
            Some(any) if any.len() == 1 => self.resolved(any[0]),
            _ => schema,
        }
    }

    /// A plain value, as TOML writes it.
    fn written(&self, schema: &Value) -> String {
        let schema = self.resolved(schema);
        if let Some(words) = words(schema) {
            return words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect::<Vec<_>>()
                .join("|");
        }
        if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
            return any
                .iter()
                .map(|each| self.written(each))
                .collect::<Vec<_>>()
                .join(" or ");
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(some)) => some
                .iter()
                .filter_map(Value::as_str)
                .filter(|each| *each != "null")
                .collect(),
            _ => Vec::new(),
        };
        let one = |name: &&str| match *name {
            "boolean" => "true|false".to_owned(),
            "integer" | "number" => "N".to_owned(),
            "array" => format!(
                "[{}, …]",
                schema
                    .get("items")
                    .map_or_else(|| "…".to_owned(), |items| self.written(items))
            ),
            "object" => "{ NAME = \"…\" }".to_owned(),
            _ => "\"…\"".to_owned(),
        };
        types.iter().map(one).collect::<Vec<_>>().join(" or ")
    }

    /// What the key means: its own words, and those of each word it may be.
    fn description(&self, schema: &Value) -> String {
        let own = schema
            .get("description")
            .or_else(|| self.resolved(schema).get("description"))
            .and_then(Value::as_str);
        let mut text = own
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .replace('`', "");
        for (word, meaning) in words(self.resolved(schema))
            .into_iter()
            .flatten()
            .filter(|(_, meaning)| !meaning.is_empty())
        {
            let _ = write!(text, " {word}: {}", meaning.replace('`', ""));
        }
        text
    }
}

/// Keys that mean the same in an earlier table are only named in a later one.
fn say_once(tables: &mut [Table]) {
    for i in 1..tables.len() {
        let (earlier, later) = tables.split_at_mut(i);
        let table = &mut later[0];
        for before in earlier.iter() {
            let same = |key: &Key| {
                before
                    .keys
                    .iter()
                    .any(|other| (&other.name, &other.text) == (&key.name, &key.text))
            };
            let (repeated, own): (Vec<Key>, Vec<Key>) = table.keys.drain(..).partition(same);
            table.keys = own;
            if repeated.is_empty() {
                continue;
            }
            let names = repeated
                .iter()
                .map(|key| key.name.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            let heading = before.heading.split(' ').next().unwrap_or_default();
            table.text = format!("{} As in {heading}: {names}.", table.text);
        }
    }
}

/// The words that a value may be, with what each means.
fn words(schema: &Value) -> Option<Vec<(&str, &str)>> {
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return list
            .iter()
            .map(|word| word.as_str().map(|word| (word, "")))
            .collect();
    }
    let word = |each| -> Option<(&str, &str)> {
        let each: &Value = each;
        Some((
            each.get("const")?.as_str()?,
            each.get("description")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        ))
    };
    schema
        .get("oneOf")
        .and_then(Value::as_array)?
        .iter()
        .map(word)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A site.
    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Whole {
        /// How many.
        count: Option<u32>,
        /// The parts.
        part: std::collections::BTreeMap<String, Part>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Part {
        /// When it goes.
        policy: Policy,
        /// What it needs.
        needs: Vec<String>,
        /// Where it is asked.
        ready: Vec<Probe>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Policy {
        /// Always.
        Always,
        /// When it is named.
        IfNamed,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Probe {
        /// A port.
        port: u16,
    }

    #[test]
    fn every_key_of_every_table_is_described() {
        let document = Document::of::<Whole>("The site", &[], "");
        let shown: Vec<String> = document
            .tables
            .iter()
            .flat_map(|t| {
                t.keys
                    .iter()
                    .map(|k| format!("{} {} {}: {}", t.heading, k.name, k.value, k.text))
            })
            .collect();
        assert_eq!(
            shown,
            [
                " count N: How many.",
                "[part.NAME] policy \"always\"|\"if-named\": When it goes. always: Always. if-named: When it is named.",
                "[part.NAME] needs [\"…\", …]: What it needs.",
                "[part.NAME] ready [{ … }]: Where it is asked. The keys are below.",
                "ready = [{ … }] port N: A port.",
            ]
        );
    }
}
