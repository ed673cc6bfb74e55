//! `--spec FILE`: which extensions which databases need, as TOML or JSON. The strings in it are written as on the command line.

use std::path::Path;

use base::document::Document;
use base::error::Result;
use base::source::Source;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::want::Want;

/// The whole file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// Databases that need the same; the connection's own where neither this nor --db names one.
    #[serde(default)]
    databases: Vec<String>,
    /// What shall be in each of those databases, written as EXT is.
    #[serde(default)]
    extensions: Vec<String>,
    /// What shall be in none of them.
    #[serde(default)]
    absent: Vec<String>,
    /// A database with needs of its own.
    #[serde(default)]
    database: Vec<Database>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Database {
    /// Its name.
    name: String,
    /// What shall be in it besides, written as EXT is.
    #[serde(default)]
    extensions: Vec<String>,
    /// What shall not be in it.
    #[serde(default)]
    absent: Vec<String>,
}

/// A spec file, whole; a test reads it.
const EXAMPLE: &str = r#"databases = ["forum", "shop"]
extensions = ["btree_gin", "hstore@1.8"]

[[database]]
name = "maps"
extensions = ["postgis:gis"]
absent = ["hstore"]
"#;

/// The manual's description of the file of `--spec`.
pub fn document() -> Document {
    let text =
        ["What --spec reads, TOML or JSON: what several databases need, said in one place. Unknown keys are errors, with line and column."];
    Document::of::<File>("Spec file", &text, EXAMPLE)
}

/// What a spec file says.
#[derive(Debug, Default)]
pub struct Spec {
    /// The databases that all of `wants` goes for.
    pub databases: Vec<String>,
    /// What each of them needs.
    pub wants: Vec<Want>,
    /// What single databases need besides.
    pub own: Vec<(String, Vec<Want>)>,
}

/// Reads the file.
///
/// # Errors
/// `Kind::Input`, with line and column or the text that is wrong.
pub fn read(path: &Path) -> Result<Spec> {
    let source = Source::read(path)?;
    let file: File = source.parse()?;
    let wants = |present: &[String], absent: &[String]| -> Result<Vec<Want>> {
        let present = present.iter().map(|text| Want::parse(text));
        present.chain(absent.iter().map(|text| Want::parse_absent(text))).collect::<Result<_>>().map_err(|error| base::Error {
            kind: base::Kind::Input,
            message: format!("{}: {}", source.name, error.message),
            ..error
        })
    };
    let mut spec = Spec { databases: file.databases, wants: wants(&file.extensions, &file.absent)?, own: Vec::new() };
    for database in &file.database {
        spec.own.push((database.name.clone(), wants(&database.extensions, &database.absent)?));
    }
    Ok(spec)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_example_is_a_spec_file() {
        let file: File = Source::new("spec.toml", EXAMPLE.to_owned()).parse().unwrap();
        let texts = file.extensions.iter().chain(&file.database[0].extensions);
        assert_eq!(texts.filter(|text| Want::parse(text).is_ok()).count(), 3);
    }
}
