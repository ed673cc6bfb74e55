//! The REPORT section of a manual: the keys of a tool's report, their types and their words, from
//! the types that the report is made of.

use crate::Described;
use crate::sentence::sentence;
use roff::{Roff, bold, roman};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A key's type and meaning, as people read them.
pub struct Shown {
    /// `string`, `list of objects`, `string or null`.
    pub kind: String,
    /// The description, and the words that the value can be.
    pub text: String,
    /// The schema of the object, or of each object in the list.
    object: Option<(Option<String>, Value)>,
}

/// Writes the section.
pub fn section(roff: &mut Roff, tool: &Described) {
    let body = (tool.body)();
    let schema = body.as_value();
    let none = Map::new();
    let definitions = schema
        .get("$defs")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    roff.control("SH", ["REPORT"]);
    roff.text([
        roman("The report is one JSON object. Beside the keys of every report, which "),
        bold("runbook-tools"),
        roman("(7) lists, it has:"),
    ]);
    let mut seen = BTreeSet::new();
    let mut next = keys(roff, schema, definitions, "", &mut seen);
    while !next.is_empty() {
        for (path, object) in std::mem::take(&mut next) {
            roff.control("SS", [format!("Keys of {path}").as_str()]);
            next.extend(keys(roff, &object, definitions, &path, &mut seen));
        }
    }
}

/// Writes the keys of one object; gives the objects among them that were not described yet.
fn keys(
    roff: &mut Roff,
    object: &Value,
    definitions: &Map<String, Value>,
    path: &str,
    seen: &mut BTreeSet<String>,
) -> Vec<(String, Value)> {
    let mut inner = Vec::new();
    // An object of several forms has the keys of all of them.
    let forms = ["oneOf", "anyOf"]
        .iter()
        .filter_map(|key| object.get(*key)?.as_array());
    let mut told = BTreeSet::new();
    for form in std::iter::once(object).chain(forms.flatten()) {
        for (key, about) in form
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if !told.insert(key.clone()) {
                continue;
            }
            let shown = shown(about, definitions);
            roff.control("TP", []);
            roff.text([bold(key.as_str()), roman(format!(" ({})", shown.kind))]);
            roff.text([roman(shown.text)]);
            if let Some((name, object)) = shown.object {
                let many = if shown.kind.starts_with("list") {
                    "[]"
                } else {
                    ""
                };
                let dot = if path.is_empty() { "" } else { "." };
                if name.is_none_or(|name| seen.insert(name)) {
                    inner.push((format!("{path}{dot}{key}{many}"), object));
                }
            }
        }
    }
    inner
}

/// How a key is shown.
pub fn shown(about: &Value, definitions: &Map<String, Value>) -> Shown {
    let text = about
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let found = resolve(about, definitions);
    let mut words = found.words;
    words.dedup();
    let mut text = sentence(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if !words.is_empty() {
        let sep = if text.is_empty() { "" } else { " " };
        text = format!("{text}{sep}One of: {}.", words.join(", "));
    }
    Shown {
        kind: format!("{}{}", found.kind, if found.null { " or null" } else { "" }),
        text,
        object: found.object,
    }
}

/// What a schema comes to once its references are followed.
#[derive(Default)]
pub struct Resolved {
    /// `string`, `list of strings`, `object`, …
    pub kind: String,
    /// The words of an enumeration.
    pub words: Vec<String>,
    null: bool,
    object: Option<(Option<String>, Value)>,
}

/// Follows references.
pub fn resolve(about: &Value, definitions: &Map<String, Value>) -> Resolved {
    if let Some(name) = about
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/$defs/"))
    {
        let mut found = resolve(definitions.get(name).unwrap_or(&Value::Null), definitions);
        if let Some((of, _)) = &mut found.object {
            of.get_or_insert_with(|| name.to_owned());
        }
        return found;
    }
    if let Some(word) = about.get("const").and_then(Value::as_str) {
        return Resolved {
            kind: "string".into(),
            words: vec![word.to_owned()],
            ..Resolved::default()
        };
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(forms) = about.get(key).and_then(Value::as_array) {
            return any_of(about, forms, definitions);
        }
    }
    let words = about
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let words: Vec<String> = words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    let names: Vec<&str> = match about.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if !words.is_empty() => vec!["string"],
        _ if about.get("properties").is_some() => vec!["object"],
        _ => vec!["any value"],
    };
    let null = names.contains(&"null");
    let name = names
        .iter()
        .copied()
        .find(|name| *name != "null")
        .unwrap_or("null");
    let mut found = Resolved {
        kind: name.to_owned(),
        words,
        null,
        object: None,
    };
    match name {
        "object" if about.get("properties").is_some() => found.object = Some((None, about.clone())),
        "array" => {
            let item = resolve(about.get("items").unwrap_or(&Value::Null), definitions);
            found.kind = match item.kind.as_str() {
                "any value" => "list".to_owned(),
                kind => format!("list of {kind}s"),
            };
            found.words = item.words;
            found.object = item.object;
        }
        _ => {}
    }
    found
}

/// One of several forms: an enumeration, a value or null, an object of several forms.
fn any_of(about: &Value, forms: &[Value], definitions: &Map<String, Value>) -> Resolved {
    let mut whole = Resolved::default();
    let mut objects = 0;
    for form in forms {
        let found = resolve(form, definitions);
        if found.kind == "null" {
            whole.null = true;
            continue;
        }
        whole.null |= found.null;
        whole.words.extend(found.words);
        if whole.kind.is_empty() {
            whole.kind = found.kind;
        } else if whole.kind != found.kind {
            whole.kind = format!("{} or {}", whole.kind, found.kind);
        }
        objects += usize::from(found.object.is_some());
        whole.object = whole.object.or(found.object);
    }
    if objects > 1 {
        whole.object = Some((None, about.clone()));
    }
    whole
}
