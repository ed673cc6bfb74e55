//! A NEED: the short form of a requirement, for one line of a runbook or a crontab. Which words
//! begin a form, and how the rest is read, stands in the row of each type; this file only finds the
//! row.
//!
//! A word that is not known is never taken for a Python distribution where it looks like a
//! misspelled requirement: `posgres>=13` would name a package that anybody may have uploaded.

use crate::check::{TYPES, dist};
use crate::document::Node;
use crate::kind::Type;
use crate::short::{Pairs, table, text};

/// Turns a NEED into the table that the NEED stands for; the error says what the form looks like.
pub fn read(need: &str) -> Result<Node, String> {
    let (kind, mut pairs) = parse(need)?;
    pairs.push(("type", text(kind)));
    pairs.push(("id", text(need)));
    Ok(table(pairs))
}

/// The alternatives of `cmd:nginx|cmd:apache2`. A double bar belongs to a version: `>=2.7||>=3.4`.
pub fn alternatives(need: &str) -> Vec<&str> {
    let bytes = need.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'|', Some(b'|')) => at += 2,
            (b'|', _) => {
                parts.push(&need[start..at]);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    parts.push(&need[start..]);
    parts
}

/// The word that a NEED begins with, and what follows.
fn head(need: &str) -> (&str, &str) {
    let end = need
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.'))
        .unwrap_or(need.len());
    need.split_at(end)
}

fn parse(need: &str) -> Result<(&'static str, Pairs), String> {
    let (word, rest) = head(need);
    let colon = rest.starts_with(':');
    let row = TYPES
        .iter()
        .find(|kind| kind.short.words.contains(&word) && (colon || !kind.short.colon));
    let Some(row) = row else {
        return unknown(need, word, rest);
    };
    let rest = match (colon, row.short.colon) {
        (true, _) if rest.len() == 1 => return Err(wanted(row, "nothing follows the colon")),
        (true, true) => &rest[1..],
        (true, false) if row.short.forms.iter().any(|form| form.contains("[:")) => &rest[1..],
        (true, false) => return Err(wanted(row, "no colon follows this word")),
        (false, _) => rest,
    };
    match (row.short.read)(word, rest) {
        Ok(pairs) => Ok((row.name, pairs)),
        Err(what) => Err(wanted(row, &what)),
    }
}

/// What begins with no word of any type: a Python distribution, or a misspelling.
fn unknown(need: &str, word: &str, rest: &str) -> Result<(&'static str, Pairs), String> {
    if need.starts_with("http://") || need.starts_with("https://") {
        return Err(format!("to ask for a page, write http:{need}"));
    }
    let words = || TYPES.iter().flat_map(|kind| kind.short.words).copied();
    if rest.starts_with(':') {
        let known: Vec<&str> = words().collect();
        return Err(match base::spelling::nearest(word, &known) {
            Some(near) => {
                format!("unknown requirement type '{word}:'; did you mean '{near}:'?")
            }
            None => format!("unknown requirement type '{word}:'"),
        });
    }
    if let Some(row) = TYPES
        .iter()
        .find(|kind| kind.short.words.contains(&word) && !also_named(word))
    {
        return Err(wanted(row, &format!("'{word}' alone says too little")));
    }
    if let Some((near, row)) = misspelled(word).filter(|_| !also_named(word)) {
        let form = if row.short.colon { ":" } else { "" };
        return Err(format!(
            "unknown requirement '{word}'; did you mean '{near}{form}'? A Python distribution of \
             that name is written dist:{need}"
        ));
    }
    match (dist::TYPE.short.read)("dist", need) {
        Ok(pairs) => Ok((dist::TYPE.name, pairs)),
        Err(_) => Err(format!(
            "'{need}' is not a requirement; a Python distribution is written {}",
            dist::TYPE.short.forms.join(" or ")
        )),
    }
}

/// The word of a type that was probably meant. Distributions have names like the words of types
/// (Cython, httpx), so only a word that begins alike and is one letter off, or two in a long word,
/// counts as a misspelling.
fn misspelled(word: &str) -> Option<(&'static str, &'static Type)> {
    let word = word.to_ascii_lowercase();
    let known = TYPES
        .iter()
        .flat_map(|kind| kind.short.words.iter().map(move |known| (*known, *kind)));
    known
        .filter(|(known, _)| {
            known.len() >= 6 && known.as_bytes().first() == word.as_bytes().first()
        })
        .map(|(known, kind)| (base::spelling::distance(&word, known), known, kind))
        .filter(|(distance, known, _)| *distance <= if known.len() > 6 { 2 } else { 1 })
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, known, kind)| (known, kind))
}

fn also_named(word: &str) -> bool {
    dist::IS_ALSO_NAMED
        .iter()
        .any(|name| name.eq_ignore_ascii_case(word))
}

fn wanted(row: &Type, what: &str) -> String {
    format!("{what}; the form is {}", row.short.forms.join(" or "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::document::Value;

    fn shown(need: &str) -> String {
        let node = read(need).unwrap();
        let Value::Table(pairs) = node.value else {
            unreachable!()
        };
        let mut words: Vec<String> = Vec::new();
        for (key, node) in pairs {
            match (key.name.as_str(), node.value) {
                ("id", _) => {}
                ("type", Value::Text(kind)) => words.insert(0, kind),
                (key, Value::Text(text)) => words.push(format!("{key}={text}")),
                (key, other) => words.push(format!("{key}={}", other.kind())),
            }
        }
        words.join(" ")
    }

    #[test]
    fn every_short_form_is_a_table() {
        for (need, table) in [
            ("python>=3.10", "python version=>=3.10"),
            (
                "python>=3.10@/srv/venv",
                "python version=>=3.10 interpreter=/srv/venv",
            ),
            (
                "python>=2.7,<2.8||>=3.4",
                "python version=>=2.7,<2.8||>=3.4",
            ),
            (
                "setuptools>=8.0@/srv/venv",
                "dist name=setuptools version=>=8.0 venv=/srv/venv",
            ),
            ("Django", "dist name=Django"),
            ("dist:python-dateutil", "dist name=python-dateutil"),
            ("postgres>=13", "postgres version=>=13"),
            (
                "postgres>=13@postgres://u@h:5432/db",
                "postgres version=>=13 connection=postgres://u@h:5432/db",
            ),
            ("ext:hstore", "extension name=hstore"),
            (
                "extension:hstore>=1.4@dbname=site",
                "extension name=hstore version=>=1.4 connection=dbname=site",
            ),
            ("memory:128M", "memory free=128M"),
            ("disk:/srv:2G", "disk path=/srv free=2G"),
            ("disk:/srv/a:b:10%", "disk path=/srv/a:b free=10%"),
            ("disk:/srv:5000inodes", "disk path=/srv inodes=5000"),
            ("cmd:nginx", "command name=nginx"),
            ("cmd:git>=2.30", "command name=git version=>=2.30"),
            ("pkg:g++>=4:12", "package name=g++ version=>=4:12"),
            ("port:8000:free", "port port=8000 state=free"),
            ("port:127.0.0.1:8000", "port address=127.0.0.1 port=8000"),
            (
                "port:[::1]:80:listening",
                "port address=::1 port=80 state=listening",
            ),
            ("tcp:localhost:5432", "tcp host=localhost port=5432"),
            ("tcp:[::1]:5432", "tcp host=::1 port=5432"),
            ("tcp:/run/redis.sock", "tcp socket=/run/redis.sock"),
            ("smtp:localhost:25", "smtp host=localhost port=25"),
            (
                "smtp:mail.example.org:587:starttls",
                "smtp host=mail.example.org port=587 starttls=true or false",
            ),
            ("smtp:localhost", "smtp host=localhost"),
            ("dns:example.org", "dns name=example.org"),
            (
                "dns:example.org=192.0.2.1",
                "dns name=example.org address=192.0.2.1",
            ),
            ("user:deployer", "user name=deployer"),
            (
                "user:deployer:www-data,adm",
                "user name=deployer groups=a list",
            ),
            (
                "writable:/srv/media:deployer",
                "writable path=/srv/media user=deployer",
            ),
            ("writable:/srv/media", "writable path=/srv/media"),
            (
                "dir:/srv/media:deployer:2775",
                "file path=/srv/media owner=deployer mode=2775 kind=directory",
            ),
            ("file:/etc/hosts", "file path=/etc/hosts"),
            ("crontab", "crontab"),
            ("crontab:deployer", "crontab user=deployer"),
            ("http:http://127.0.0.1/", "http url=http://127.0.0.1/"),
            (
                "http:http://127.0.0.1:80/old=301",
                "http url=http://127.0.0.1:80/old status=301",
            ),
            (
                "http:http://127.0.0.1/?a=b",
                "http url=http://127.0.0.1/?a=b",
            ),
            (
                "noindex:http://127.0.0.1/media/",
                "noindex url=http://127.0.0.1/media/",
            ),
            (
                "tls:example.org:443:30d",
                "tls host=example.org port=443 left=30d",
            ),
            ("tls:example.org", "tls host=example.org"),
            (
                "env:uwsgi:PRODUCTION",
                "service_env process=uwsgi variable=PRODUCTION",
            ),
            (
                "django:/srv/site@/srv/venv",
                "django directory=/srv/site venv=/srv/venv",
            ),
            ("service:nginx", "service name=nginx"),
        ] {
            assert_eq!(shown(need), table, "{need}");
        }
    }

    #[test]
    fn what_is_no_requirement_says_so() {
        for (need, what) in [
            ("", "not a requirement"),
            ("disk:/srv", "the amount is missing"),
            ("prot:80", "did you mean 'port:'"),
            ("tcp:localhost", "host and port"),
            ("cmd:", "nothing follows"),
            ("cmd:>=2", "name is missing"),
            ("http://127.0.0.1/", "write http:http://127.0.0.1/"),
            ("/srv/venv", "not a requirement"),
            ("python:3", "no colon"),
            ("posgres>=13", "did you mean 'postgres'"),
            ("posgres>=13", "dist:posgres>=13"),
            ("crontb", "did you mean 'crontab'"),
            ("pyhton>=3.9", "did you mean 'python'"),
            ("Pyhton>=3.9", "did you mean 'python'"),
            ("memroy", "did you mean 'memory:'"),
            ("memory", "the form is memory:SIZE"),
            ("service", "the form is service:NAME"),
        ] {
            let error = read(need).unwrap_err();
            assert!(error.contains(what), "{need}: {error}");
        }
    }

    #[test]
    fn names_of_distributions_that_look_like_types_stay_distributions() {
        for name in [
            "Cython",
            "httpx",
            "packaging",
            "redis",
            "Django",
            "django>=4",
            "six",
        ] {
            assert!(shown(name).starts_with("dist "), "{name}");
        }
    }

    #[test]
    fn alternatives_are_apart_from_versions() {
        assert_eq!(
            alternatives("cmd:nginx|cmd:apache2"),
            ["cmd:nginx", "cmd:apache2"]
        );
        assert_eq!(
            alternatives("python>=2.7,<2.8||>=3.4"),
            ["python>=2.7,<2.8||>=3.4"]
        );
    }

    #[test]
    fn the_example_of_every_row_is_a_requirement_of_that_row() {
        for kind in TYPES {
            let shown = shown(kind.short.example);
            assert_eq!(shown.split(' ').next(), Some(kind.name));
            assert!(kind.short.forms.iter().all(|form| !form.is_empty()));
        }
    }
}
