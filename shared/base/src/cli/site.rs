//! Options from the site file: the tool's own table, read as Ansible's options are, and the facts
//! of `[site]` that stand for an option. The command line wins.

use super::ansible::{is_for_modules, take, words};
use super::{Builder, COMMON, CommandLine, Opt};
use crate::error::Result;
use crate::site::{Site, named};
use crate::source::tree::{Node, Value as Tree};
use serde_json::Value as Json;
use std::ffi::OsString;
use std::path::PathBuf;

/// Whether a table may hold the option. What a file may not decide: which site file is read, and
/// whom root trusts.
fn is_for_tables(opt: &Opt) -> bool {
    is_for_modules(opt) && !["site", "trust"].contains(&opt.long)
}

/// The keys that the tool's table may hold, whichever subcommand is meant.
#[must_use]
pub fn table_keys(line: &'static CommandLine) -> Vec<String> {
    let commands = line.commands.iter();
    let options = commands
        .clone()
        .flat_map(|c| c.options.iter().copied().flatten());
    let places = commands.flat_map(|c| c.positionals).chain(line.positionals);
    let mut keys: Vec<String> = line
        .options
        .iter()
        .chain(COMMON)
        .chain(options)
        .filter(|opt| is_for_tables(opt))
        .map(Opt::key)
        .chain(places.map(|place| place.name.to_ascii_lowercase()))
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

impl Builder<'static> {
    /// Reads the site file, if one is named, for what was not typed.
    ///
    /// # Errors
    /// `Kind::Input`, with line and column in the site file.
    pub(super) fn add_site(&mut self) -> Result<()> {
        if self.parsed.site.is_some() {
            return Ok(());
        }
        let Some(path) = named(self.parsed.os("site")) else {
            return Ok(());
        };
        let trusted: Vec<PathBuf> = self
            .parsed
            .paths("trust")
            .iter()
            .map(PathBuf::from)
            .collect();
        crate::trust::believe(&trusted)?;
        let site = Site::read(&path)?;
        let tool = self.scope.line.name;
        let known = table_keys(self.scope.line);
        let table = site.table(tool);
        if let Some((key, _)) = table.iter().find(|(key, _)| !known.contains(&key.name)) {
            return Err(site.unknown_key(key, &known));
        }
        for opt in self.scope.all().filter(|opt| is_for_tables(opt)) {
            if self.has(opt) || self.parsed.flag(opt.long) {
                continue;
            }
            let key = opt.key();
            match table.iter().find(|(name, _)| name.name == key) {
                Some((_, node)) => {
                    let json = json(&site, opt.value, node);
                    take(self, opt, &key, &json).map_err(|e| site.wrong_value(tool, &key, e))?;
                }
                None if !opt.fact.is_empty() => {
                    for value in site.arguments(opt.fact) {
                        self.value(opt, value)?;
                    }
                }
                None => {}
            }
        }
        self.add_places(&site)?;
        self.parsed.site = Some(std::sync::Arc::new(site));
        Ok(())
    }

    /// What stands by its place: those places that were not typed, up to the first that the file
    /// does not give.
    fn add_places(&mut self, site: &Site) -> Result<()> {
        let tool = self.scope.line.name;
        let typed = self.parsed.positionals.len();
        for place in self.scope.positionals().iter().skip(typed) {
            let key = place.name.to_ascii_lowercase();
            let node = site.table(tool).iter().find(|(name, _)| name.name == key);
            let values: Vec<OsString> = match node {
                Some((_, node)) => words(
                    &key,
                    &json(site, Some(place.value), node),
                    place.value,
                    place.many,
                )
                .map_err(|e| site.wrong_value(tool, &key, e))?,
                None if place.fact.is_empty() => Vec::new(),
                None => site.arguments(place.fact),
            };
            if values.is_empty() {
                break;
            }
            self.parsed.places_of_site = typed == 0;
            for value in values {
                self.positional(value)
                    .map_err(|e| site.wrong_value(tool, &key, e.about(place.name, &key)))?;
            }
        }
        Ok(())
    }
}

/// The value as a playbook would give it; a relative path starts at the site file.
fn json(site: &Site, kind: Option<super::Value>, node: &Node) -> Json {
    let is_path = matches!(kind, Some(super::Value::File(_) | super::Value::Dir(_)));
    match &node.value {
        Tree::Text(text) if is_path => site.absolute(text).into(),
        Tree::Text(text) => text.clone().into(),
        Tree::Whole(n) => (*n).into(),
        Tree::Decimal(n) => (*n).into(),
        Tree::Flag(b) => (*b).into(),
        Tree::List(list) => list.iter().map(|item| json(site, kind, item)).collect(),
        Tree::Table(pairs) => pairs
            .iter()
            .map(|(key, node)| (key.name.clone(), json(site, kind, node)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
