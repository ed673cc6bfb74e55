//! systemd units: `StandardOutput=` and `StandardError=` that name files. What goes to the journal
//! is read from the processes that really are connected to it.

mod unit;

use crate::log::{Configured, Doubt, Example, Kind, Reopen, Service, Sink, Target};
use crate::site::Site;
use crate::start::{Language, Start};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use unit::Unit;

const NAME: &str = "systemd";

/// Where units stand, the strongest first.
const PLACES: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |_| false,
    reopen: Reopen::RESTART,
    read,
    example: Example {
        file: "site.service",
        text: "[Service]\nExecStart=/srv/site/run\nStandardOutput=append:/var/log/site/run.log\n",
    },
    starts: Some(starts),
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for unit in units(site, &mut configured) {
        configured.found = true;
        one(&unit, &mut configured);
    }
    configured
}

/// The commands of every unit.
fn starts(site: &Site) -> Vec<Start> {
    let mut ignored = Configured::default();
    let started = units(site, &mut ignored).into_iter().flat_map(|unit| {
        let commands = unit.commands();
        if commands.is_empty() {
            return Vec::new();
        }
        let env = unit.environment(site);
        let cwd = unit.text("WorkingDirectory").map_or_else(
            || PathBuf::from("/"),
            |dir| PathBuf::from(dir.trim_start_matches('-')),
        );
        let start = |(command, source): (Vec<u8>, conf::Source)| Start {
            command,
            language: Language::Systemd,
            cwd: cwd.clone(),
            env: env.clone(),
            user: unit.text("User"),
            unit: Some(unit.name.clone()),
            source,
        };
        commands.into_iter().map(start).collect::<Vec<_>>()
    });
    started.collect()
}

/// Every service that is installed; instances of a template by the links that enable them.
fn units(site: &Site, out: &mut Configured) -> Vec<Unit> {
    let asked = site.asked(NAME);
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in &asked {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        found.insert(
            file.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            file,
        );
    }
    if asked.is_empty() {
        for place in PLACES {
            for name in site.files.list(Path::new(place)).unwrap_or_default() {
                let text = name.to_string_lossy().into_owned();
                if text.ends_with(".service") {
                    found
                        .entry(text)
                        .or_insert_with(|| Path::new(place).join(name));
                }
            }
        }
        for link in site
            .files
            .glob(Path::new("/etc/systemd/system/*.wants/*@*.service"))
        {
            let name = link
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let template = name
                .split_once('@')
                .map(|(stem, _)| format!("{stem}@.service"))
                .unwrap_or_default();
            if let Some(file) = found.get(&template).cloned() {
                found.insert(name, file);
            }
        }
    }
    let named = found
        .into_iter()
        .filter(|(name, _)| !name.ends_with("@.service"));
    named
        .filter_map(|(name, file)| Unit::read(site, PLACES, &name, &file, out))
        .collect()
}

fn one(unit: &Unit, out: &mut Configured) {
    let user = unit.text("User").unwrap_or_else(|| "root".to_owned());
    let error = unit.last("StandardError");
    for (name, setting) in [
        ("StandardOutput", unit.last("StandardOutput")),
        ("StandardError", error),
    ] {
        let Some((value, source)) = setting else {
            continue;
        };
        let (path, appends) = match value.split_once(':') {
            Some(("append", path)) => (path, true),
            Some(("file" | "truncate", path)) => (path, false),
            _ => continue,
        };
        let expanded = unit.expand(path);
        let (sink, doubt) = match expanded {
            // systemd ignores a name that is not absolute.
            Ok(path) if !path.starts_with('/') => continue,
            Ok(path) => (Sink::File(crate::site::normal(Path::new(&path))), None),
            Err(unknown) => (
                Sink::Template(path.as_bytes().to_vec()),
                Some(Doubt::Unresolved(unknown)),
            ),
        };
        let kind = if name == "StandardError" {
            Kind::Error
        } else {
            Kind::App
        };
        // The manager opens it, before the unit's user is taken; nobody opens it again while the
        // service runs.
        let target = Target::new(NAME, unit.name.clone(), kind, sink);
        out.add(Target {
            source: Some(source),
            user: Some(user.clone()),
            by: Some("root".to_owned()),
            appends: Some(appends),
            unit: Some(unit.name.clone()),
            doubt,
            ..target
        });
    }
}
