//! A table read key by key: each key once, by what it has to be, and nothing left over at the end.

use super::filling::Settings;
use super::origin::Origin;
use base::source::tree::{Key, Node, Value};
use base::{Error, Result};

/// A table being read key by key; what nobody asked for is an error at [`Fields::finish`].
pub struct Fields<'a> {
    origin: &'a Origin,
    settings: &'a Settings,
    at: Option<usize>,
    pairs: Vec<(&'a Key, &'a Node, bool)>,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Begins to read a table.
    pub fn new(origin: &'a Origin, settings: &'a Settings, node: &'a Node) -> Result<Fields<'a>> {
        match &node.value {
            Value::Table(pairs) => Ok(Fields {
                origin,
                settings,
                at: node.at,
                pairs: pairs.iter().map(|(key, node)| (key, node, false)).collect(),
                asked: Vec::new(),
            }),
            other => Err(origin.error(
                node.at,
                format!("a table was expected, not {}", other.kind()),
            )),
        }
    }

    /// Where the table's first key stands: where a reader looks for it.
    pub fn first_key(&self) -> Option<usize> {
        self.pairs
            .iter()
            .filter_map(|(key, ..)| key.at)
            .min()
            .or(self.at)
    }

    /// An error at the value of `key`, or at the table.
    pub fn error(&self, key: &str, what: impl std::fmt::Display) -> Error {
        let at = self
            .pairs
            .iter()
            .find(|(k, ..)| k.name == key)
            .map_or(self.at, |(_, node, _)| node.at);
        self.origin.error(at, what)
    }

    /// The raw value of a key.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        let pair = self.pairs.iter_mut().find(|(k, ..)| k.name == key)?;
        pair.2 = true;
        Some(pair.1)
    }

    fn wrong(&self, key: &str, node: &Node, wanted: &str) -> Error {
        self.origin.error(
            node.at,
            format!("{key} must be {wanted}, not {}", node.value.kind()),
        )
    }

    /// A string, with `${name}` filled in; a number is taken as its text.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        let Some(node) = self.take(key) else {
            return Ok(None);
        };
        match &node.value {
            Value::Text(text) => self.filled(node, text).map(Some),
            Value::Whole(n) => Ok(Some(n.to_string())),
            _ => Err(self.wrong(key, node, "a string")),
        }
    }

    /// The setting of this name, for a key that the table does not give.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings.get(name).cloned()
    }

    /// A string that has to be there.
    pub fn required(&mut self, key: &'static str) -> Result<String> {
        match self.text(key)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(self.error(key, format!("{key} is empty"))),
            None => Err(self
                .origin
                .error(self.first_key(), format!("{key} is missing"))),
        }
    }

    /// A string or a list of strings.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<String>> {
        let Some(node) = self.take(key) else {
            return Ok(Vec::new());
        };
        match &node.value {
            Value::Text(text) => Ok(vec![self.filled(node, text)?]),
            Value::List(list) => list
                .iter()
                .map(|node| match &node.value {
                    Value::Text(text) => self.filled(node, text),
                    Value::Whole(n) => Ok(n.to_string()),
                    _ => Err(self.wrong(key, node, "a list of strings")),
                })
                .collect(),
            Value::Whole(n) => Ok(vec![n.to_string()]),
            _ => Err(self.wrong(key, node, "a string or a list of strings")),
        }
    }

    /// A table of strings.
    pub fn map(&mut self, key: &'static str) -> Result<Vec<(String, String)>> {
        let Some(node) = self.take(key) else {
            return Ok(Vec::new());
        };
        let Value::Table(pairs) = &node.value else {
            return Err(self.wrong(key, node, "a table of strings"));
        };
        pairs
            .iter()
            .map(|(name, node)| match &node.value {
                Value::Text(text) => Ok((name.name.clone(), self.filled(node, text)?)),
                Value::Whole(n) => Ok((name.name.clone(), n.to_string())),
                _ => Err(self.wrong(&name.name, node, "a string")),
            })
            .collect()
    }

    /// true or false.
    pub fn flag(&mut self, key: &'static str) -> Result<Option<bool>> {
        let Some(node) = self.take(key) else {
            return Ok(None);
        };
        match &node.value {
            Value::Flag(flag) => Ok(Some(*flag)),
            _ => Err(self.wrong(key, node, "true or false")),
        }
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, key: &'static str) -> Result<Option<u64>> {
        let Some(node) = self.take(key) else {
            return Ok(None);
        };
        let number = match &node.value {
            Value::Whole(n) => u64::try_from(*n).ok(),
            Value::Text(text) => self.filled(node, text)?.parse().ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| {
            self.origin
                .error(node.at, format!("{key} must be a whole number"))
        })
    }

    /// Anything written as text that `parse` understands; `parse` says what is wrong with it.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
        match self.text(key)? {
            Some(text) => parse(&text).map(Some).map_err(|what| self.error(key, what)),
            None => Ok(None),
        }
    }

    /// One word of several.
    pub fn choice(&mut self, key: &'static str, words: &[&str]) -> Result<Option<String>> {
        self.parsed(key, |text| match words.contains(&text) {
            true => Ok(text.to_string()),
            false => Err(format!(
                "{key} must be one of {}, not '{text}'",
                words.join(", ")
            )),
        })
    }

    fn filled(&self, node: &Node, text: &str) -> Result<String> {
        self.origin.fill(text, self.settings).map_err(|what| {
            self.origin
                .error(node.at, what)
                .hint("give it with --set NAME=VALUE, or in a [set] table of the file")
        })
    }

    /// Refuses every key that is not one of these, before anything else is said: a misspelled key
    /// is why another one is missing.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        match self
            .pairs
            .iter()
            .find(|(key, ..)| !known.contains(&key.name.as_str()))
        {
            Some((key, ..)) => Err(self.unknown(key, known)),
            None => Ok(()),
        }
    }

    fn unknown(&self, key: &Key, known: &[&str]) -> Error {
        let error = self
            .origin
            .error(key.at, format!("unknown key '{}'", key.name));
        match base::spelling::nearest(&key.name, known) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint(format!("the keys here are: {}", known.join(", "))),
        }
    }

    /// Refuses what nobody asked for.
    pub fn finish(self) -> Result<()> {
        let Some((key, ..)) = self.pairs.iter().find(|(.., taken)| !taken) else {
            return Ok(());
        };
        Err(self.unknown(key, &self.asked))
    }
}
