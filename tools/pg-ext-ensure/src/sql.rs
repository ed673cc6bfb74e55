//! SQL text: every name is quoted and every value a literal, whatever is in it. Statements go over the simple protocol, many in one
//! round trip, so there are no parameters.

pub use base::sql::{identifier, literal};
use std::fmt::Write as _;

/// An array of text.
pub fn array<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = "ARRAY[".to_string();
    for (i, value) in values.into_iter().enumerate() {
        let _ = write!(text, "{}{}", if i > 0 { "," } else { "" }, literal(value));
    }
    text + "]::text[]"
}

/// `CREATE EXTENSION`; without a schema only where the control file decides it.
pub fn create(name: &str, schema: Option<&str>, version: Option<&str>) -> String {
    let mut text = format!("CREATE EXTENSION {}", identifier(name));
    if let Some(schema) = schema {
        let _ = write!(text, " SCHEMA {}", identifier(schema));
    }
    if let Some(version) = version {
        let _ = write!(text, " VERSION {}", identifier(version));
    }
    text
}

/// `ALTER EXTENSION … UPDATE`, to the default version where none is named.
pub fn update(name: &str, version: Option<&str>) -> String {
    let to = version
        .map(|version| format!(" TO {}", identifier(version)))
        .unwrap_or_default();
    format!("ALTER EXTENSION {} UPDATE{to}", identifier(name))
}

/// `ALTER EXTENSION … SET SCHEMA`.
pub fn set_schema(name: &str, schema: &str) -> String {
    format!(
        "ALTER EXTENSION {} SET SCHEMA {}",
        identifier(name),
        identifier(schema)
    )
}

/// `DROP EXTENSION`.
pub fn drop_extension(name: &str, cascade: bool) -> String {
    format!(
        "DROP EXTENSION {} {}",
        identifier(name),
        if cascade { "CASCADE" } else { "RESTRICT" }
    )
}

/// `CREATE SCHEMA`, owned by `owner` where somebody else creates it.
pub fn create_schema(name: &str, owner: Option<&str>) -> String {
    let owner = owner
        .map(|owner| format!(" AUTHORIZATION {}", identifier(owner)))
        .unwrap_or_default();
    format!("CREATE SCHEMA IF NOT EXISTS {}{owner}", identifier(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        assert_eq!(
            identifier("a\"; DROP TABLE x; --"),
            "\"a\"\"; DROP TABLE x; --\""
        );
        assert_eq!(literal("o'b"), "'o''b'");
        assert_eq!(literal("a\\'b"), " E'a\\\\''b'");
        assert_eq!(array(["a", "b'"]), "ARRAY['a','b''']::text[]");
        assert_eq!(
            create("hstore", Some("s"), Some("1.8")),
            "CREATE EXTENSION \"hstore\" SCHEMA \"s\" VERSION \"1.8\""
        );
    }
}
