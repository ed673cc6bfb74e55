//! Every report that any test sees is checked against its tool's installed JSON Schema.

use serde_json::Value;

/// Fails the test where the report does not follow the schema.
pub fn check(tool: &str, report: &Value, shown: &str) {
    let path = crate::source_root().join(format!("shared/schemas/{tool}.schema.json"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        panic!("{} is missing: `make docs` writes it", path.display());
    };
    let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|e| format!("{}: {e}", e.instance_path))
        .collect();
    assert!(
        errors.is_empty(),
        "{shown}\nthe report breaks its schema:\n{}\n{report}",
        errors.join("\n")
    );
}
