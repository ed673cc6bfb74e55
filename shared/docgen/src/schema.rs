//! JSON Schemas, from the types that the reports are made of.

use crate::{Described, Page};

/// The schema of a tool's report.
pub fn page(tool: &Described) -> Page {
    let mut schema = (tool.schema)();
    schema.insert("title".into(), format!("The report of {}", tool.line.name).into());
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    Page { path: format!("shared/schemas/{}.schema.json", tool.line.name), text: text + "\n" }
}
