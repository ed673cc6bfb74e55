//! Which processes are those of the configurations that `--conf` names.
//!
//! A process that names its configuration is easy. One that names none uses the usual one, or it
//! has set a title that hides what it was started with; and other users' processes hide more. Where
//! this module cannot decide, the logs that the process holds decide.

use crate::process::{Process, option};
use crate::request::Request;
use crate::service;
use crate::site::{Site, normal};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// May a process hold a log that is asked for?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// No: another service's, or of another configuration.
    No,
    /// It does not say which configuration it has.
    Maybe,
    /// Yes.
    Yes,
}

/// Whether a process is one of those that are asked for.
#[must_use]
pub fn wanted(request: &Request, site: &Site, process: &Process) -> Wanted {
    let Some(service) = process.service else {
        return if request.wants(service::UNITS) {
            Wanted::Yes
        } else {
            Wanted::No
        };
    };
    if !request.wants(service) {
        return Wanted::No;
    }
    let asked = site.asked(service);
    let each = asked.iter().map(|conf| {
        of(
            site,
            process,
            service,
            &std::path::absolute(conf).unwrap_or_else(|_| conf.clone()),
        )
    });
    each.max().unwrap_or(Wanted::Yes)
}

fn of(site: &Site, process: &Process, service: &'static str, conf: &Path) -> Wanted {
    if names(process, conf) {
        return Wanted::Yes;
    }
    if let Some(parent) = site
        .processes()
        .iter()
        .find(|other| other.pid == process.parent && other.service == Some(service))
    {
        return of(site, parent, service, conf);
    }
    if names_another(process) || process.elsewhere() == Some(true) {
        return Wanted::No;
    }
    match service::usual(site, process, service) {
        Some(usual) if usual.iter().any(|place| place == conf) => Wanted::Yes,
        Some(_) => Wanted::No,
        None => Wanted::Maybe,
    }
}

/// Does a command line name this file, or the directory it is in, as a server's data directory?
fn names(process: &Process, conf: &Path) -> bool {
    let cwd = process.cwd().unwrap_or_else(|| PathBuf::from("/"));
    let title = process.title();
    let words = title
        .split(|byte| matches!(byte, b' ' | b'='))
        .map(|word| word.strip_prefix(b"-c").unwrap_or(word));
    words.filter(|word| !word.is_empty()).any(|word| {
        let path = normal(&cwd.join(OsStr::from_bytes(word)));
        path == conf || Some(path.as_path()) == conf.parent()
    })
}

/// Does a command line name some configuration, or data directory?
fn names_another(process: &Process) -> bool {
    const ENDINGS: &[&str] = &[".ini", ".xml", ".yaml", ".yml", ".json", ".conf", ".cfg"];
    let words = process.words();
    let file = |word: &Vec<u8>| {
        word.split(|byte| *byte == b':').next().is_some_and(|name| {
            ENDINGS
                .iter()
                .any(|ending| name.ends_with(ending.as_bytes()))
        })
    };
    option(
        &words,
        &["-c", "--conf", "--configuration", "--config", "-D"],
    )
    .is_some()
        || words.iter().skip(1).any(file)
}
