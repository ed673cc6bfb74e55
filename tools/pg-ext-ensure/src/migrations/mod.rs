//! `--from-migrations DIR`: which extensions the migrations of a Django site create, read without
//! running Python. What a migration does not say is named as unknown, with its file and line.

mod files;
mod operations;
mod project;
mod python;
mod reader;
mod sql;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base::error::{Error, Result};
use base::terminal::escape_bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::want::{State, Version, Want};
use reader::What;

/// What the migrations say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Migrations {
    /// How many files were read.
    pub files: usize,
    /// The places that create the wanted extensions.
    pub creates: Vec<Created>,
    /// Places that may create an extension that the tool cannot name.
    pub unknown: Vec<Place>,
    /// Places that run code or SQL that was not read and that shows no sign of an extension.
    pub unread: Vec<Place>,
    /// Files that another user can change.
    #[serde(skip)]
    #[schemars(skip)]
    pub foreign: Vec<PathBuf>,
}

/// A place that creates an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Created {
    /// The extension.
    pub name: String,
    /// The schema that the migration names, or null.
    pub schema: Option<String>,
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The operation.
    pub by: String,
}

/// A place in a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line; null where the file or directory was not read.
    pub line: Option<usize>,
    /// What stands there.
    pub what: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// One `CREATE EXTENSION` or `DROP EXTENSION`, where it stands in the order of an application's
/// migrations.
struct Event {
    created: Option<Created>,
    directory: PathBuf,
    file: String,
    line: usize,
}

/// Reads the migrations below directories.
///
/// # Errors
/// `Kind::Input` where a directory does not exist or holds no migration.
pub fn read(tops: &[&Path]) -> Result<Migrations> {
    let mut all = Migrations::default();
    let mut events: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    let project = project::Project::default();
    let mut seen = BTreeSet::new();
    for top in tops {
        let input = |error: Error| Error {
            kind: base::Kind::Input,
            ..error
        };
        let found = files::below(top).map_err(input)?;
        if found.files.is_empty() {
            let shown = escape_bytes(top.as_os_str().as_encoded_bytes());
            return Err(Error::input(format!("'{shown}' holds no migrations"))
                .hint("name the directory of manage.py, of an application, or of its migrations"));
        }
        for (path, what) in found.skipped {
            all.unread.push(place(&path, None, what));
        }
        for file in found.files {
            if seen.insert(file.path.clone()) {
                all.files += 1;
                all.file(file, &project, &mut events);
            }
        }
    }
    for (name, events) in events {
        all.settle(&name, events);
    }
    all.creates
        .sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(all)
}

fn place(path: &Path, line: Option<usize>, what: String) -> Place {
    Place {
        file: path.display().to_string(),
        line,
        what,
    }
}

impl Migrations {
    fn file(
        &mut self,
        file: files::Migration,
        project: &project::Project,
        events: &mut BTreeMap<String, Vec<Event>>,
    ) {
        let path = &file.path;
        if file.foreign {
            self.foreign.push(path.clone());
        }
        let source = match file.source {
            Ok(source) => source,
            Err(error) => {
                self.unknown.push(place(path, None, error.message));
                return;
            }
        };
        for finding in reader::read(&source, path, project) {
            let line = finding.line;
            match finding.what {
                What::Creates { name, by, .. } if !file.own => {
                    let what =
                        format!("{by} creates '{name}', if the site installs this application");
                    self.unread.push(place(path, Some(line), what));
                }
                What::Unknown(what) if !file.own => {
                    let what = format!("{what}, if the site installs this application");
                    self.unread.push(place(path, Some(line), what));
                }
                // What libraries run beside that is theirs.
                What::Unread(_) | What::Drops(_) if !file.own => {}
                What::Unknown(what) => self.unknown.push(place(path, Some(line), what)),
                What::Unread(what) => self.unread.push(place(path, Some(line), what)),
                What::Drops(name) => events.entry(name).or_default().push(Event {
                    created: None,
                    directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
                    file: path.display().to_string(),
                    line,
                }),
                What::Creates { name, schema, by } => {
                    let created = Created {
                        name: name.clone(),
                        schema,
                        file: path.display().to_string(),
                        line,
                        by,
                    };
                    events.entry(name).or_default().push(Event {
                        directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
                        file: created.file.clone(),
                        line,
                        created: Some(created),
                    });
                }
            }
        }
    }

    /// An extension that an application's later migration drops again is not wanted. Migrations of
    /// one application run in the order of their names; between applications the order is not known
    /// here.
    fn settle(&mut self, name: &str, events: Vec<Event>) {
        let mut last: BTreeMap<&Path, &Event> = BTreeMap::new();
        for event in &events {
            last.insert(&event.directory, event);
        }
        let drops: Vec<&&Event> = last
            .values()
            .filter(|event| event.created.is_none())
            .collect();
        let created: Vec<&Created> = events
            .iter()
            .filter_map(|event| event.created.as_ref())
            .collect();
        let Some(dropped) = drops.first() else {
            self.creates.extend(created.into_iter().cloned());
            return;
        };
        let mut note = |event: &Event, what: String, unknown: bool| {
            let place = place(Path::new(&event.file), Some(event.line), what);
            match unknown {
                true => self.unknown.push(place),
                false => self.unread.push(place),
            }
        };
        if created.is_empty() || last.len() == drops.len() {
            note(
                dropped,
                format!("drops '{name}': the extension is not ensured"),
                false,
            );
        } else {
            note(
                dropped,
                format!("drops '{name}', which a migration of another application creates"),
                true,
            );
        }
    }

    /// What is wanted: each extension once, in the schema that all places agree on.
    pub fn wants(&self) -> Vec<Want> {
        let mut wants: Vec<Want> = Vec::new();
        for created in &self.creates {
            match wants.iter_mut().find(|want| want.name == created.name) {
                Some(want) if want.schema != created.schema => want.schema = None,
                Some(_) => {}
                None => wants.push(Want {
                    name: created.name.clone(),
                    state: State::Present,
                    version: Version::Any,
                    schema: created.schema.clone(),
                }),
            }
        }
        wants
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
