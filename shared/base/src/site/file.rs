//! The site file's own table, `[site]`, and the tables of the tools.

use super::environment::Environment;
use crate::error::{Error, Result};
use crate::source::tree::{Key, Node, Step, Value};
use crate::source::{Source, read_tree};
use crate::spelling::nearest;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A key of `[site]`.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// The key.
    pub name: &'static str,
    /// How a manual writes the value.
    pub value: &'static str,
    /// What the key means.
    pub text: &'static str,
    /// Whether the value is a path, or a list of paths: a relative one starts at the site file.
    pub is_path: bool,
    /// Whether the value is a list.
    pub many: bool,
}

const fn fact(
    name: &'static str,
    value: &'static str,
    is_path: bool,
    many: bool,
    text: &'static str,
) -> Fact {
    Fact {
        name,
        value,
        text,
        is_path,
        many,
    }
}

/// Every key of `[site]`.
#[rustfmt::skip]
pub const FACTS: &[Fact] = &[
    fact("name", "\"NAME\"", false, false, "The site's name: lower-case letters, digits and dashes. The key is required."),
    fact("user", "\"USER\"", false, false, "The user that the site's own code runs as."),
    fact("dir", "\"DIR\"", true, false, "The site's directory, where manage.py is."),
    fact("venv", "\"DIR\"", true, false, "The site's virtual environment."),
    fact("env_file", "\"FILE\"", true, false, "NAME=VALUE lines as in systemd's EnvironmentFile=. Every value is a secret."),
    fact("requirements", "[\"FILE\", ...]", true, true, "The site's requirements files."),
    fact("urls", "[\"URL\", ...]", false, true, "The addresses that the site answers at."),
];

/// The tools that a site file has tables for.
const TOOLS: [&str; 7] = [
    "check-reqs",
    "pg-ext-ensure",
    "venv-sync",
    "maint-page",
    "svc-cycle",
    "cron-render",
    "log-paths",
];

/// A site file that was read.
#[derive(Clone, Debug)]
pub struct Site {
    path: PathBuf,
    source: Source,
    facts: Vec<(&'static str, Vec<String>)>,
    tables: Vec<(Key, Node)>,
}

impl Site {
    /// Reads the file. The names in the file are public from now on, and the values of its
    /// environment file secret.
    ///
    /// # Errors
    /// `Kind::Input`, with line and column; also for root, where another user can change the file.
    pub fn read(path: &Path) -> Result<Site> {
        let source = Source::read(path)?;
        source.require_root_for("a site file for root")?;
        let root = read_tree(&source.text)
            .map_err(|(at, what)| source.wrong(source.position(at), &what))?;
        let Value::Table(tables) = root.value else {
            return Err(source.wrong(source.position(0), "a site file is a table"));
        };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut site = Site {
            path,
            source,
            facts: Vec::new(),
            tables,
        };
        site.check_tables()?;
        site.facts = site.read_facts()?;
        site.name_secrets();
        Ok(site)
    }

    fn check_tables(&self) -> Result<()> {
        for (key, node) in &self.tables {
            if key.name != "site" && !TOOLS.contains(&key.name.as_str()) {
                let near = nearest(&key.name, &TOOLS);
                return Err(self.unknown(&[], key, near, "[site] and a table for each tool"));
            }
            if !matches!(node.value, Value::Table(_)) {
                let words = format!("'{}' is a table, not {}", key.name, node.value.kind());
                return Err(self.wrong(&[&key.name], &words));
            }
        }
        Ok(())
    }

    fn read_facts(&self) -> Result<Vec<(&'static str, Vec<String>)>> {
        let mut facts = Vec::new();
        for (key, node) in self.table("site") {
            let Some(fact) = FACTS.iter().find(|fact| fact.name == key.name) else {
                let names: Vec<&str> = FACTS.iter().map(|fact| fact.name).collect();
                let near = nearest(&key.name, &names);
                return Err(self.unknown(&["site"], key, near, &names.join(", ")));
            };
            let items: Option<Vec<String>> = match (&node.value, fact.many) {
                (Value::Text(text), false) => Some(vec![text.clone()]),
                (Value::List(list), true) => list
                    .iter()
                    .map(|item| match &item.value {
                        Value::Text(text) => Some(text.clone()),
                        _ => None,
                    })
                    .collect(),
                _ => None,
            };
            let Some(items) = items.filter(|items| items.iter().all(|item| !item.is_empty()))
            else {
                let words = format!("'{}' is written {} = {}", key.name, key.name, fact.value);
                return Err(self.wrong(&["site", &key.name], &words));
            };
            let items = match fact.is_path {
                true => items.iter().map(|item| self.absolute(item)).collect(),
                false => items,
            };
            facts.push((fact.name, items));
        }
        let name = facts.iter().find(|(name, _)| *name == "name");
        match name.and_then(|(_, items)| items.first()) {
            Some(name) if super::is_name(name) => Ok(facts),
            Some(name) => Err(self
                .wrong(
                    &["site", "name"],
                    &format!("'{}' is no name for a site", crate::terminal::escape(name)),
                )
                .hint("a name has lower-case letters, digits and dashes")),
            None => Err(self
                .wrong(&["site"], "the site has no name")
                .hint("write name = \"NAME\" in the table [site]")),
        }
    }

    fn name_secrets(&self) {
        for fact in ["name", "user"] {
            if let Some(word) = self.fact(fact) {
                crate::mask::public(word);
            }
        }
        // Whoever may not read the file has none of its values to show.
        if let Some(file) = self.path_of("env_file") {
            let _ = Environment::read(&file);
        }
    }

    fn wrong(&self, keys: &[&str], words: &str) -> Error {
        let steps: Vec<Step<'_>> = keys.iter().map(|key| Step::Key(key)).collect();
        self.source.wrong_at(&steps, words)
    }

    fn unknown(&self, _above: &[&str], key: &Key, near: Option<&str>, known: &str) -> Error {
        let place = self.source.position(key.at.unwrap_or(0));
        let words = format!("unknown key '{}'", crate::terminal::escape(&key.name));
        self.source.wrong(place, &words).hint(match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the keys are: {known}"),
        })
    }

    /// The error for a key of a tool's table that the tool does not know.
    pub(crate) fn unknown_key(&self, key: &Key, known: &[String]) -> Error {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        self.unknown(&[], key, nearest(&key.name, &names), &names.join(", "))
    }

    /// The error for a value of a tool's table.
    pub(crate) fn wrong_value(&self, tool: &str, key: &str, error: Error) -> Error {
        let placed = self.wrong(&[tool, key], &error.message);
        Error {
            hint: error.hint,
            ..placed
        }
    }

    /// The path, from the site file's directory where it is relative.
    pub(crate) fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') || path == "-" {
            return path.to_owned();
        }
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        dir.join(path).display().to_string()
    }

    /// A tool's own table.
    pub(crate) fn table(&self, tool: &str) -> &[(Key, Node)] {
        let node = self.tables.iter().find(|(key, _)| key.name == tool);
        match node.map(|(_, node)| &node.value) {
            Some(Value::Table(pairs)) => pairs,
            _ => &[],
        }
    }

    /// What the file says of a fact, as arguments.
    pub(crate) fn arguments(&self, fact: &str) -> Vec<OsString> {
        self.list(fact).iter().map(OsString::from).collect()
    }

    fn list(&self, fact: &str) -> &[String] {
        let found = self.facts.iter().find(|(name, _)| *name == fact);
        found.map_or(&[], |(_, items)| items.as_slice())
    }

    fn fact(&self, fact: &str) -> Option<&str> {
        self.list(fact).first().map(String::as_str)
    }

    fn path_of(&self, fact: &str) -> Option<PathBuf> {
        self.fact(fact).map(PathBuf::from)
    }

    /// The file itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The site's name: journals, holds, locks and cron blocks of a site carry the name.
    pub fn name(&self) -> &str {
        self.fact("name").unwrap_or_default()
    }

    /// The user that the site's own code runs as.
    pub fn user(&self) -> Option<&str> {
        self.fact("user")
    }

    /// The site's directory.
    pub fn dir(&self) -> Option<PathBuf> {
        self.path_of("dir")
    }

    /// The site's virtual environment.
    pub fn venv(&self) -> Option<PathBuf> {
        self.path_of("venv")
    }

    /// The site's environment file.
    pub fn env_file(&self) -> Option<PathBuf> {
        self.path_of("env_file")
    }

    /// The site's requirements files.
    pub fn requirements(&self) -> Vec<PathBuf> {
        self.list("requirements")
            .iter()
            .map(PathBuf::from)
            .collect()
    }

    /// The addresses that the site answers at.
    pub fn urls(&self) -> Vec<String> {
        self.list("urls").to_vec()
    }
}
