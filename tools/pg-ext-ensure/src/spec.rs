//! `--spec FILE`: which extensions which databases need, as TOML or JSON. The strings in it are
//! written as on the command line.

use std::path::Path;

use base::document::Document;
use base::error::Result;
use base::source::Source;
use base::source::tree::Step;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::want::Want;

/// The whole file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// Databases that all need the extensions of this table; the connection's own database where
    /// neither this key nor --db names one.
    #[serde(default)]
    databases: Vec<String>,
    /// The extensions that each of those databases needs, written as EXT is.
    #[serde(default)]
    extensions: Vec<String>,
    /// The extensions that none of those databases shall have.
    #[serde(default)]
    absent: Vec<String>,
    /// A database with needs of its own.
    #[serde(default)]
    database: Vec<Database>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Database {
    /// The database's name.
    name: String,
    /// The extensions that this database needs besides, written as EXT is.
    #[serde(default)]
    extensions: Vec<String>,
    /// The extensions that this database shall not have.
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
    let text = [
        "--spec FILE reads the extensions that several databases need from FILE, in TOML or JSON. Unknown keys are errors, with line and column. With --admin, root refuses a file that another user can change, unless --trust names the file.",
    ];
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

/// Reads the file. `admin`: statements may run with the rights of --admin, which only the caller
/// may lend.
///
/// # Errors
/// `Kind::Input`, with line and column or the text that is wrong.
pub fn read(path: &Path, admin: bool) -> Result<Spec> {
    let source = Source::read(path)?;
    if admin {
        source.require_root_for("a spec file for --admin")?;
    }
    let file: File = source.parse()?;
    let wants = wants(&source, &[], &file.extensions, &file.absent)?;
    let mut spec = Spec {
        databases: file.databases,
        wants,
        own: Vec::new(),
    };
    for (i, database) in file.database.iter().enumerate() {
        let at = [Step::Key("database"), Step::Index(i)];
        spec.own.push((
            database.name.clone(),
            self::wants(&source, &at, &database.extensions, &database.absent)?,
        ));
    }
    Ok(spec)
}

/// What the lists of one table ask for; `at` leads to the table.
fn wants(
    source: &Source,
    at: &[Step<'_>],
    present: &[String],
    absent: &[String],
) -> Result<Vec<Want>> {
    let read = |key: &'static str,
                texts: &[String],
                parse: fn(&str) -> Result<Want>|
     -> Result<Vec<Want>> {
        let each = |(i, text): (usize, &String)| {
            parse(text).map_err(|error| {
                let steps = [at, &[Step::Key(key), Step::Index(i)]].concat();
                base::Error {
                    message: source.wrong_at(&steps, &error.message).message,
                    kind: base::Kind::Input,
                    ..error
                }
            })
        };
        texts.iter().enumerate().map(each).collect()
    };
    Ok([
        read("extensions", present, Want::parse)?,
        read("absent", absent, Want::parse_absent)?,
    ]
    .concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_example_is_a_spec_file() {
        let file: File = Source::new("spec.toml", EXAMPLE.to_owned())
            .parse()
            .unwrap();
        let texts = file.extensions.iter().chain(&file.database[0].extensions);
        assert_eq!(texts.filter(|text| Want::parse(text).is_ok()).count(), 3);
    }
}
