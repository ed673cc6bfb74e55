//! JSON Schemas, from the types that the reports are made of.

use crate::{Described, Page};
use schemars::Schema;
use serde_json::json;

/// The schema of a tool's report.
pub fn page(tool: &Described) -> Page {
    let mut schema = (tool.schema)();
    schema.insert(
        "title".into(),
        format!("The report of {}", tool.line.name).into(),
    );
    own_keys(&mut schema, &(tool.body)());
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    Page {
        path: format!("shared/schemas/{}.schema.json", tool.line.name),
        text: text + "\n",
    }
}

/// The tool's own keys are always there, unless the run could not begin and there is an error in
/// their place.
fn own_keys(schema: &mut Schema, body: &Schema) {
    let required = body.get("required").cloned().unwrap_or_else(|| json!([]));
    schema.insert(
        "if".into(),
        json!({ "properties": { "error": { "type": "null" } } }),
    );
    schema.insert("then".into(), json!({ "required": required }));
}
