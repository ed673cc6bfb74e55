//! Short forms: what a type of check reads on the command line. A short form is another way to
//! write a `[[check]]` table. Each type brings its own reader; the pieces that several readers need
//! are here.

use crate::document::{Key, Node, Value};

/// The keys that a short form stands for.
pub type Pairs = Vec<(&'static str, Value)>;

/// The short forms of one type.
pub struct Short {
    /// The words that begin the form. The manual shows the first one.
    pub words: &'static [&'static str],
    /// Whether the form needs a colon after the word: `cmd:git`, but `python>=3.10`.
    pub colon: bool,
    /// The forms, for manuals and messages.
    pub forms: &'static [&'static str],
    /// One requirement in short form; a test reads every one.
    pub example: &'static str,
    /// Reads what follows the word, without the colon. The first argument is the word.
    pub read: fn(&str, &str) -> Result<Pairs, String>,
}

/// A string.
pub fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

/// A list of strings, separated by commas.
pub fn list(words: &str) -> Value {
    let node = |word: &str| Node {
        at: None,
        value: text(word),
    };
    Value::List(words.split(',').map(node).collect())
}

/// A `[[check]]` table of these keys.
pub fn table(pairs: Pairs) -> Node {
    let pairs = pairs.into_iter().map(|(name, value)| {
        let key = Key {
            at: None,
            name: name.into(),
        };
        (key, Node { at: None, value })
    });
    Node {
        at: None,
        value: Value::Table(pairs.collect()),
    }
}

/// Everything after the word is the value of one key.
pub fn whole(key: &'static str, rest: &str) -> Result<Pairs, String> {
    Ok(vec![(key, text(rest))])
}

/// A name at the beginning, a version after it, and a place after `@`.
pub fn split_version(text: &str) -> (&str, &str, Option<&str>) {
    let (head, place) = match text.split_once('@') {
        Some((head, place)) => (head, Some(place)),
        None => (text, None),
    };
    let (name, version) = split_comparison(head);
    (name, version, place)
}

fn split_comparison(text: &str) -> (&str, &str) {
    let at = text.find(['<', '>', '=', '!', '~']).unwrap_or(text.len());
    (text[..at].trim(), text[at..].trim())
}

/// `NAME>=1.2`, and after `@` a place, where `place` names the key for one. Names of packages and
/// commands may hold anything but a comparison (`g++`).
pub fn versioned(rest: &str, place: Option<&'static str>) -> Result<Pairs, String> {
    let (name, version, at) = match place {
        Some(_) => split_version(rest),
        None => {
            let (name, version) = split_comparison(rest);
            (name, version, None)
        }
    };
    if name.is_empty() {
        return Err("the name is missing".into());
    }
    let mut pairs = vec![("name", text(name))];
    if !version.is_empty() {
        pairs.push(("version", text(version)));
    }
    if let (Some(key), Some(at)) = (place, at) {
        pairs.push((key, text(at)));
    }
    Ok(pairs)
}

/// A version and a place, where the word itself is the name: `python>=3.10@/srv/venv`.
pub fn version_and_place(rest: &str, place: &'static str) -> Result<Pairs, String> {
    let (name, version, at) = split_version(rest);
    if !name.is_empty() {
        return Err(format!("'{name}' was not expected here"));
    }
    let mut pairs = Vec::new();
    if !version.is_empty() {
        pairs.push(("version", text(version)));
    }
    pairs.extend(at.map(|at| (place, text(at))));
    Ok(pairs)
}

/// A subject and, after the last `between`, one more value.
pub fn subject(rest: &str, between: char, first: &'static str, second: &'static str) -> Pairs {
    match rest.rsplit_once(between) {
        Some((a, b)) if !b.is_empty() && !a.is_empty() => vec![(first, text(a)), (second, text(b))],
        _ => vec![(first, text(rest))],
    }
}

/// A name and, after a colon, a list.
pub fn members(rest: &str, key: &'static str) -> Pairs {
    match rest.split_once(':') {
        Some((name, words)) => vec![("name", text(name)), (key, list(words))],
        None => vec![("name", text(rest))],
    }
}

/// `HOST:PORT`, with brackets where the host is an IPv6 address.
pub fn host_port(rest: &str) -> Option<(&str, &str)> {
    let (host, port) = rest.rsplit_once(':')?;
    let port_fits = !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    (port_fits && !host.is_empty()).then_some((host.trim_matches(['[', ']']), port))
}

/// `HOST` or `HOST:PORT` as the keys `host` and `port`.
pub fn server(place: &str) -> Pairs {
    match host_port(place) {
        Some((host, port)) => vec![("host", text(host)), ("port", text(port))],
        None => vec![("host", text(place.trim_matches(['[', ']'])))],
    }
}

/// A URL and, after `=`, one more value, unless the URL has a query.
pub fn url(rest: &str, key: &'static str) -> Pairs {
    match rest.rsplit_once('=') {
        Some((url, value)) if !url.contains('?') && !value.is_empty() => {
            vec![("url", text(url)), (key, text(value))]
        }
        _ => vec![("url", text(rest))],
    }
}
