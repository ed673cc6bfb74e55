//! The services: one file each, and one row in the table. Each reads its own configuration, by its
//! own rules, and runs nothing.

mod apache;
mod caddy;
mod celery;
mod cron;
mod django;
mod gunicorn;
mod nginx;
mod postgresql;
mod redis;
mod supervisor;
mod systemd;
mod uwsgi;

use crate::log::Service;
use crate::process::{Identify, Process};
use crate::site::Site;
use crate::start::Start;
use base::document::{Document, Key, Table};
use std::path::PathBuf;

/// Every service, in the order that reports keep.
pub const SERVICES: &[Service] = &[
    nginx::SERVICE,
    apache::SERVICE,
    caddy::SERVICE,
    uwsgi::SERVICE,
    gunicorn::SERVICE,
    supervisor::SERVICE,
    celery::SERVICE,
    postgresql::SERVICE,
    redis::SERVICE,
    cron::SERVICE,
    django::SERVICE,
    systemd::SERVICE,
];

/// Which processes are whose.
pub const IDENTIFY: Identify = Identify {
    owner: |program| {
        let row = SERVICES.iter().find(|service| (service.owns)(program));
        row.map(|service| service.name)
    },
    children: |name| named(name).is_some_and(|service| service.children),
};

/// The service of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The name under which processes and logs stand that belong to no other service than a unit.
pub const UNITS: &str = systemd::SERVICE.name;

/// The name of the daemons that run crontabs.
pub const CRON: &str = cron::SERVICE.name;

/// The configurations that a process of a service may have that names none, for the services that
/// always show what they name.
#[must_use]
pub fn usual(site: &Site, process: &Process, service: &str) -> Option<Vec<PathBuf>> {
    let usual = named(service)?.usual?;
    Some(usual(site, process))
}

/// The commands that services start for others: supervisor's programs, systemd's units, and cron's
/// lines.
#[must_use]
pub fn starts(site: &Site) -> Vec<Start> {
    SERVICES
        .iter()
        .filter_map(|service| service.starts)
        .flat_map(|starts| starts(site))
        .collect()
}

/// The services, as the manual and `--help` describe them.
#[must_use]
pub fn documents() -> Vec<Document> {
    let key = |service: &Service| {
        let file = service.example.file;
        let text = service.example.text.split_whitespace();
        let text = text.collect::<Vec<_>>().join(" ");
        Key {
            name: service.name.to_owned(),
            value: String::new(),
            // A line of the manual.
            text: if text.len() > 70 {
                format!("'{file}'.")
            } else {
                format!("'{file}', with a log as in: {text}")
            },
        }
    };
    vec![Document {
        title: "Services",
        text: vec![
            "Without --conf log-paths reads the configurations that the running processes name, else those at the usual places. Each entry has the name of a configuration file for --conf SERVICE=FILE, and a line that names a log."
                .to_owned(),
        ],
        tables: vec![Table {
            heading: "SERVICE".to_owned(),
            text: String::new(),
            keys: SERVICES.iter().map(key).collect(),
        }],
        example: "",
    }]
}

/// The names of all services, as the manual lists them.
pub const LIST: &str = match std::str::from_utf8(&LISTED) {
    Ok(list) => list,
    Err(_) => "",
};

const LISTED: [u8; listed_length()] = {
    let mut text = [b' '; listed_length()];
    let (mut row, mut at) = (0, 0);
    while row < SERVICES.len() {
        let name = SERVICES[row].name.as_bytes();
        let mut byte = 0;
        while byte < name.len() {
            text[at] = name[byte];
            (at, byte) = (at + 1, byte + 1);
        }
        if row + 1 < SERVICES.len() {
            text[at] = b',';
        }
        (row, at) = (row + 1, at + 2);
    }
    text
};

/// Every name, and `, ` between two of them.
const fn listed_length() -> usize {
    let (mut row, mut length) = (0, 0);
    while row < SERVICES.len() {
        length += SERVICES[row].name.len() + 2;
        row += 1;
    }
    length - 2
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log::Sink;
    use conf::files::Files;

    #[test]
    fn the_example_of_every_row_names_a_log() {
        for service in SERVICES {
            let dir = tempfile::tempdir().unwrap();
            let path = std::path::Path::new("/").join(service.example.file);
            std::fs::write(dir.path().join(service.example.file), service.example.text).unwrap();
            let files = Files::below(dir.path()).unwrap();
            let site = Site::new(files, vec![(service.name.to_owned(), path)], IDENTIFY);
            let configured = (service.read)(&site);
            assert!(configured.found, "{}", service.name);
            let below = |sink: &Sink| match sink {
                Sink::File(path) => path.starts_with("/var/log"),
                Sink::Template(text) => text.starts_with(b"/var/log/"),
                _ => false,
            };
            let named = |target: &&crate::log::Target| {
                target.service == service.name && below(&target.sink)
            };
            assert!(
                configured.targets.iter().any(|target| named(&target)),
                "{}: {:?}",
                service.name,
                configured.targets
            );
        }
    }

    #[test]
    fn the_list_of_the_manual_has_every_row_once() {
        let names: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
        assert_eq!(LIST, names.join(", "));
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len());
        for name in names {
            assert_eq!(named(name).unwrap().name, name);
        }
    }
}
