//! `--spec FILE`: which extensions which databases need, as TOML or JSON. The strings in it are written as on the command line.

use std::path::Path;

use base::error::Result;
use base::source::Source;
use serde::Deserialize;

use crate::want::Want;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Where no database is named on the command line either: the connection's own.
    #[serde(default)]
    databases: Vec<String>,
    /// For each of those databases.
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
    /// Databases with needs of their own.
    #[serde(default)]
    database: Vec<Database>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    name: String,
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
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
