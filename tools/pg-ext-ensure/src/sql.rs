//! SQL text: every name is quoted and every value a literal, whatever is in it. Statements go over
//! the simple protocol, many in one round trip, so there are no parameters.

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

/// One statement of a plan. The same statement reads differently for somebody who acts for the
/// application's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `CREATE SCHEMA`.
    CreateSchema(String),
    /// `CREATE EXTENSION`; without a schema only where the control file decides the schema.
    Create {
        /// The extension.
        name: String,
        /// The schema.
        schema: Option<String>,
        /// The version.
        version: Option<String>,
    },
    /// `ALTER EXTENSION … UPDATE`.
    Update {
        /// The extension.
        name: String,
        /// The version.
        to: String,
    },
    /// PostGIS' own function, which updates all of its extensions that are installed.
    UpdatePostgis {
        /// The schema of the function.
        schema: String,
    },
    /// `ALTER EXTENSION … SET SCHEMA`.
    SetSchema {
        /// The extension.
        name: String,
        /// The schema.
        schema: String,
    },
    /// `DROP EXTENSION`.
    Drop {
        /// The extension.
        name: String,
        /// Dependents are dropped, too.
        cascade: bool,
    },
}

impl Statement {
    /// The text. `owner` is the role that a new schema shall belong to, where somebody else runs
    /// the statement.
    pub fn text(&self, owner: Option<&str>) -> String {
        match self {
            Statement::CreateSchema(name) => {
                let owner = owner.map(|owner| format!(" AUTHORIZATION {}", identifier(owner)));
                let owner = owner.unwrap_or_default();
                format!("CREATE SCHEMA IF NOT EXISTS {}{owner}", identifier(name))
            }
            Statement::Create {
                name,
                schema,
                version,
            } => {
                let mut text = format!("CREATE EXTENSION {}", identifier(name));
                if let Some(schema) = schema {
                    let _ = write!(text, " SCHEMA {}", identifier(schema));
                }
                if let Some(version) = version {
                    let _ = write!(text, " VERSION {}", identifier(version));
                }
                text
            }
            Statement::Update { name, to } => format!(
                "ALTER EXTENSION {} UPDATE TO {}",
                identifier(name),
                identifier(to)
            ),
            Statement::UpdatePostgis { schema } => {
                format!("SELECT {}.postgis_extensions_upgrade()", identifier(schema))
            }
            Statement::SetSchema { name, schema } => format!(
                "ALTER EXTENSION {} SET SCHEMA {}",
                identifier(name),
                identifier(schema)
            ),
            Statement::Drop { name, cascade } => format!(
                "DROP EXTENSION {} {}",
                identifier(name),
                if *cascade { "CASCADE" } else { "RESTRICT" }
            ),
        }
    }

    /// Whether the statement has to be the first of its session.
    pub fn is_update(&self) -> bool {
        matches!(
            self,
            Statement::Update { .. } | Statement::UpdatePostgis { .. }
        )
    }
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
        let create = Statement::Create {
            name: "hstore".into(),
            schema: Some("s".into()),
            version: Some("1.8".into()),
        };
        assert_eq!(
            create.text(None),
            "CREATE EXTENSION \"hstore\" SCHEMA \"s\" VERSION \"1.8\""
        );
        assert_eq!(
            Statement::CreateSchema("s".into()).text(Some("o\"p")),
            "CREATE SCHEMA IF NOT EXISTS \"s\" AUTHORIZATION \"o\"\"p\""
        );
    }
}
