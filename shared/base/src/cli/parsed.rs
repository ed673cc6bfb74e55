//! What was typed, checked: every value already is what the definition says it is, so the getters
//! cannot fail.

use super::value::{check, masked, parse_duration, parse_size};
use super::{CommandLine, Opt, Scope, Trailing, Value};
use crate::error::{Error, Result};
use crate::site::Site;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What the command line asks for first of all.
#[derive(Debug)]
pub enum Asked {
    /// To work.
    Run(Box<Parsed>),
    /// For help on the scope named, `-h` or `--help`.
    Help(Option<String>, super::Length),
    /// For the version.
    Version,
    /// To take everything from this file, as Ansible's modules do.
    Ansible(PathBuf),
}

/// A checked command line.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    command: Option<String>,
    flags: HashMap<&'static str, usize>,
    values: HashMap<&'static str, Vec<OsString>>,
    pub(super) positionals: Vec<OsString>,
    trailing: Option<Vec<OsString>>,
    modes: super::Modes,
    pub(super) site: Option<Arc<Site>>,
    pub(super) places_of_site: bool,
}

impl Parsed {
    /// The subcommand.
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// Whether the flag was given.
    pub fn flag(&self, long: &str) -> bool {
        self.times(long) > 0
    }

    /// How often the flag was given.
    pub fn times(&self, long: &str) -> usize {
        self.flags.get(long).copied().unwrap_or(0)
    }

    /// The option's value as it was typed; the last, where there are several.
    pub fn os(&self, long: &str) -> Option<&OsStr> {
        self.values
            .get(long)
            .and_then(|v| v.last())
            .map(OsString::as_os_str)
    }

    /// The option's value as text.
    pub fn text(&self, long: &str) -> Option<&str> {
        self.os(long).and_then(OsStr::to_str)
    }

    /// Every value of the option as text, in order.
    pub fn texts(&self, long: &str) -> Vec<&str> {
        self.all_os(long)
            .iter()
            .filter_map(|v| v.to_str())
            .collect()
    }

    /// Every value of the option, in order.
    pub fn all_os(&self, long: &str) -> &[OsString] {
        self.values.get(long).map_or(&[], Vec::as_slice)
    }

    /// The option's value as a path.
    pub fn path(&self, long: &str) -> Option<&Path> {
        self.os(long).map(Path::new)
    }

    /// Every value of the option as a path, in order.
    pub fn paths(&self, long: &str) -> Vec<&Path> {
        self.all_os(long).iter().map(Path::new).collect()
    }

    /// The option's value as a duration.
    pub fn duration(&self, long: &str) -> Option<Duration> {
        self.text(long).and_then(|t| parse_duration(t).ok())
    }

    /// The option's value as a size in bytes.
    pub fn size(&self, long: &str) -> Option<u64> {
        self.text(long).and_then(|t| parse_size(t).ok())
    }

    /// The option's value as a whole number.
    pub fn count(&self, long: &str) -> Option<u64> {
        self.text(long).and_then(|t| t.parse().ok())
    }

    /// What was given by its place, in order.
    pub fn positionals(&self) -> &[OsString] {
        &self.positionals
    }

    /// What was given by its place, as text (paths that are not UTF-8 are left out: ask
    /// [`Parsed::positionals`] for those).
    pub fn positional_texts(&self) -> Vec<&str> {
        self.positionals.iter().filter_map(|v| v.to_str()).collect()
    }

    /// Whether the positional arguments are the site file's: nobody typed one.
    pub fn positionals_are_the_site_s(&self) -> bool {
        self.places_of_site
    }

    /// The command after `--`.
    pub fn trailing(&self) -> Option<&[OsString]> {
        self.trailing.as_deref()
    }

    /// The site file that the options were read from, too.
    pub fn site(&self) -> Option<&Site> {
        self.site.as_deref()
    }

    /// What Ansible asked for beside the options.
    pub fn modes(&self) -> super::Modes {
        self.modes
    }
}

/// Takes what a parser finds, one thing after another, and checks it against the definition.
#[derive(Debug)]
pub struct Builder<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) parsed: Parsed,
}

impl Builder<'static> {
    /// For the command line, or for one of its subcommands.
    pub fn new(line: &'static CommandLine, command: Option<&str>) -> Builder<'static> {
        let scope = Scope::of(line, command);
        let command = scope.command.map(|c| c.name.to_string());
        Builder {
            scope,
            parsed: Parsed {
                command,
                ..Parsed::default()
            },
        }
    }

    /// The scope it checks against.
    pub fn scope(&self) -> Scope<'static> {
        self.scope
    }

    /// The flag was given once more.
    pub fn flag(&mut self, opt: &'static Opt) {
        *self.parsed.flags.entry(opt.long).or_insert(0) += 1;
    }

    /// The option was given with this value.
    ///
    /// # Errors
    /// `Kind::Usage` where the value is none, or a second one where one is allowed.
    pub fn value(&mut self, opt: &'static Opt, given: OsString) -> Result<()> {
        let name = format!("--{}", opt.long);
        let kind = opt.value.unwrap_or(Value::Text("VALUE"));
        check(&name, kind, &given)?;
        let values = self.parsed.values.entry(opt.long).or_default();
        if !opt.many && !values.is_empty() {
            let first = masked(opt.value, &values[0]);
            let second = masked(opt.value, &given);
            return Err(Error::usage(format!(
                "{name} is given twice: '{first}' and '{second}'"
            )));
        }
        values.push(given);
        Ok(())
    }

    /// Something stood there by its place.
    ///
    /// # Errors
    /// `Kind::Usage` where nothing more may stand there.
    pub fn positional(&mut self, given: OsString) -> Result<()> {
        let places = self.scope.positionals();
        let at = self.parsed.positionals.len();
        let place = places.get(at).or_else(|| places.last().filter(|p| p.many));
        let Some(place) = place else {
            let shown = crate::terminal::escape_bytes(given.as_encoded_bytes());
            return Err(
                Error::usage(format!("unexpected argument '{shown}'")).hint(self.try_help())
            );
        };
        check(place.name, place.value, &given)?;
        self.parsed.positionals.push(given);
        Ok(())
    }

    /// A command stood after `--`.
    ///
    /// # Errors
    /// `Kind::Usage` where no command may stand there.
    pub fn trailing(&mut self, words: Vec<OsString>) -> Result<()> {
        if self.scope.trailing() == Trailing::None {
            for word in words {
                self.positional(word)?;
            }
            return Ok(());
        }
        if !words.is_empty() {
            self.parsed.trailing = Some(words);
        }
        Ok(())
    }

    /// Whether the option has a value already.
    pub(super) fn has(&self, opt: &Opt) -> bool {
        self.parsed.values.contains_key(opt.long)
    }

    /// How much stands by its place already.
    pub(super) fn places(&self) -> usize {
        self.parsed.positionals.len()
    }

    /// Whether a command stood after `--`.
    pub(super) fn has_trailing(&self) -> bool {
        self.parsed.trailing.is_some()
    }

    /// What Ansible asks for.
    pub fn modes(&mut self, modes: super::Modes) {
        self.parsed.modes = modes;
    }

    /// Everything was given: is anything missing?
    ///
    /// # Errors
    /// `Kind::Usage`, naming what is missing.
    pub fn finish(mut self) -> Result<Parsed> {
        self.add_site()?;
        let needed =
            |what: String| Error::usage(format!("{what} is missing")).hint(self.try_help());
        if self.scope.command.is_none() && !self.scope.line.commands.is_empty() {
            let names: Vec<_> = self.scope.line.commands.iter().map(|c| c.name).collect();
            return Err(needed("a command".into()).hint(format!("one of: {}", names.join(", "))));
        }
        for opt in self.scope.own().filter(|o| o.required) {
            if !self.parsed.values.contains_key(opt.long) {
                return Err(needed(format!(
                    "--{} {}",
                    opt.long,
                    opt.value.map_or("", Value::name)
                )));
            }
        }
        let given = self.parsed.positionals.len();
        if let Some(place) = self
            .scope
            .positionals()
            .iter()
            .enumerate()
            .find(|(i, p)| p.required && *i >= given)
        {
            return Err(needed(place.1.name.to_string()));
        }
        if self.scope.trailing() == Trailing::Required && self.parsed.trailing.is_none() {
            return Err(Error::usage("the command to run is missing")
                .hint(format!("{} … -- COMMAND [ARGUMENT…]", self.scope.title())));
        }
        Ok(self.parsed)
    }

    fn try_help(&self) -> String {
        format!("{} -h lists the arguments", self.scope.title())
    }
}
