//! `--snapshot`: the requirements that this host meets, as a file for the next one. Versions are
//! pinned as tightly as a guide would: Python and PostgreSQL by their release series, distributions
//! exactly, packages and commands from here on upwards (security updates must not make the file
//! wrong).

mod lists;
mod site;
mod tables;

use crate::finding::Verdict;
use crate::request::Request;
use crate::scene::Scene;
use base::clock::Deadline;
use base::{Error, Result};
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::time::Duration;
use tables::{Table, look, table};

/// What one kind is asked for: `dist:django@/srv/venv`.
struct Wanted<'k> {
    kind: &'k str,
    name: Option<&'k str>,
    place: Option<&'k str>,
}

impl Wanted<'_> {
    fn parse(text: &str) -> Wanted<'_> {
        let (head, place) = match text.split_once('@') {
            Some((head, place)) => (head, Some(place)),
            None => (text, None),
        };
        match head.split_once(':') {
            Some((kind, name)) => Wanted {
                kind,
                name: Some(name),
                place,
            },
            None => Wanted {
                kind: head,
                name: None,
                place,
            },
        }
    }
}

/// The kinds, for messages.
const KINDS: &[&str] = &[
    "python",
    "dist",
    "package",
    "command",
    "postgres",
    "extension",
    "user",
    "group",
    "service",
    "port",
    "crontab",
    "directory",
    "memory",
    "site",
];

/// What was written, in words, and the text: requirements, or a site file.
pub fn written(
    kinds: &[String],
    as_json: bool,
    request: &Request,
    deadline: Deadline,
) -> Result<(String, String)> {
    let wanted: Vec<Wanted<'_>> = kinds.iter().map(|text| Wanted::parse(text)).collect();
    if let Some(site) = wanted.iter().find(|wanted| wanted.kind == "site") {
        if wanted.len() > 1 || site.name.is_some() {
            return Err(
                Error::usage("--snapshot: site is a file of its own and stands alone")
                    .hint("write --snapshot site, or --snapshot site@DIR where several sites run"),
            );
        }
        let text = site::file(site.place, as_json, deadline)?;
        return Ok(("1 site file written".to_owned(), text));
    }
    let tables = tables(kinds, request, deadline)?;
    let msg = format!("{} requirements written", tables.len());
    Ok((msg, document(&tables, as_json)?))
}

/// The tables of all kinds that are asked for.
fn tables(kinds: &[String], request: &Request, deadline: Deadline) -> Result<Vec<Table>> {
    let scene = Scene::here();
    let mut tables = Vec::new();
    let mut ids = HashSet::new();
    for text in kinds {
        let wanted = Wanted::parse(text);
        let deadline = deadline.or_after(request.each.unwrap_or(Duration::from_secs(30)));
        for table in of_kind(&wanted, &scene, deadline)? {
            if ids.insert(Json::Object(table.clone()).to_string()) {
                tables.push(table);
            }
        }
    }
    if tables.is_empty() {
        return Err(Error::failed(format!(
            "there is nothing of {} on this host",
            kinds.join(", ")
        )));
    }
    Ok(tables)
}

/// The document, as TOML or JSON.
fn document(tables: &[Table], as_json: bool) -> Result<String> {
    let whole = json!({ "check": tables });
    let wrong = |error: String| Error::failed(format!("cannot write the requirements: {error}"));
    match as_json {
        true => serde_json::to_string_pretty(&whole)
            .map(|text| text + "\n")
            .map_err(|error| wrong(error.to_string())),
        false => toml::to_string(&whole).map_err(|error| wrong(error.to_string())),
    }
}

fn of_kind(wanted: &Wanted<'_>, scene: &Scene, deadline: Deadline) -> Result<Vec<Table>> {
    let one = |table: Table, pin: fn(&str) -> String| {
        pinned(table, pin, scene, deadline).map(|table| vec![table])
    };
    match (wanted.kind, wanted.name) {
        ("python", None) => one(table("python", &[("interpreter", wanted.place)]), |v| {
            format!("=={}.*", series(v))
        }),
        ("dist", Some(name)) => one(
            table("dist", &[("name", Some(name)), ("venv", wanted.place)]),
            |v| format!("=={v}"),
        ),
        ("dist", None) => lists::dists(scene, wanted.place, deadline),
        ("package", Some(name)) => one(table("package", &[("name", Some(name))]), lists::at_least),
        ("package", None) => lists::packages(scene),
        ("command", Some(name)) => one(
            table("command", &[("name", Some(name)), ("version", Some(">=0"))]),
            lists::at_least,
        ),
        ("postgres", None) => one(table("postgres", &[("connection", wanted.place)]), |v| {
            format!("=={}.*", postgres_series(v))
        }),
        ("extension", name) => lists::extensions(name, wanted.place, scene, deadline),
        ("user", Some(name)) => lists::user(name).map(|table| vec![table]),
        ("user", None) => lists::users(),
        ("group", Some(name)) => lists::group(name).map(|table| vec![table]),
        ("service", Some(name)) => {
            one(table("service", &[("name", Some(name))]), |_| String::new())
        }
        ("service", None) => Ok(lists::services(scene, deadline)),
        ("port", None) => Ok(lists::ports()),
        ("crontab", user) => one(table("crontab", &[("user", user)]), |_| String::new()),
        ("directory", Some(path)) => lists::directory(path).map(|table| vec![table]),
        ("memory", Some(size)) => one(table("memory", &[("free", Some(size))]), |_| String::new()),
        (kind, _) if KINDS.contains(&kind) => Err(Error::usage(format!(
            "--snapshot: {kind} takes {} name",
            if wanted.name.is_some() { "no" } else { "a" }
        ))),
        (kind, _) => {
            let error = Error::usage(format!("--snapshot: '{kind}' is not a kind"));
            Err(match base::spelling::nearest(kind, KINDS) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error.hint(format!("the kinds are: {}", KINDS.join(", "))),
            })
        }
    }
}

/// Looks at a requirement, and pins it to the version that is found; what is not met cannot be
/// written down.
fn pinned(
    mut table: Table,
    pin: fn(&str) -> String,
    scene: &Scene,
    deadline: Deadline,
) -> Result<Table> {
    let finding = look(&table, scene, deadline)?;
    match (finding.verdict, finding.found) {
        (Verdict::Met, Some(found)) => {
            let version = pin(found.split(' ').next().unwrap_or(&found));
            if !version.is_empty() {
                table.insert("version".into(), json!(version));
            }
            Ok(table)
        }
        _ => Err(Error::failed(crate::secret::masked(&finding.msg)).hint(
            "a snapshot holds what this host has: leave this kind out, or repair the host first",
        )),
    }
}

/// `3.11` of `3.11.2`, `2.7` of `2.7.18rc1`.
fn series(version: &str) -> String {
    let mut parts = version.split('.');
    let digits = |part: Option<&str>| {
        part.unwrap_or("0")
            .chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    format!("{}.{}", digits(parts.next()), digits(parts.next()))
}

/// From 10 on a PostgreSQL series is one number, before that it is two.
fn postgres_series(version: &str) -> String {
    let two = series(version);
    let major = two.split('.').next().unwrap_or("0").to_string();
    if major.parse::<u32>().is_ok_and(|major| major >= 10) {
        major
    } else {
        two
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_versions() {
        assert_eq!(series("3.11.2"), "3.11");
        assert_eq!(postgres_series("15.4 (Debian)"), "15");
        assert_eq!(postgres_series("9.6.24"), "9.6");
        assert_eq!(postgres_series("16beta1"), "16");
    }
}
