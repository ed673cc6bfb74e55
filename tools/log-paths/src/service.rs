//! The services: one file each, and one line in the table. Each reads its own configuration, by its own rules, and runs nothing.

mod apache;
mod caddy;
mod celery;
mod cron;
mod django;
mod gunicorn;
pub(crate) mod nginx;
mod postgresql;
mod redis;
mod supervisor;
mod systemd;
mod uwsgi;

use crate::launch::Launch;
use crate::log::Configured;
use crate::process::Process;
use crate::site::Site;
use std::path::PathBuf;

/// One service.
pub struct Service {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// Its configurations: those asked for, those of its processes, or the usual one.
    pub read: fn(&Site) -> Configured,
}

/// Every service, in the order that reports keep.
pub const SERVICES: &[Service] = &[
    Service {
        name: nginx::NAME,
        read: nginx::read,
    },
    Service {
        name: apache::NAME,
        read: apache::read,
    },
    Service {
        name: caddy::NAME,
        read: caddy::read,
    },
    Service {
        name: uwsgi::NAME,
        read: uwsgi::read,
    },
    Service {
        name: gunicorn::NAME,
        read: gunicorn::read,
    },
    Service {
        name: supervisor::NAME,
        read: supervisor::read,
    },
    Service {
        name: celery::NAME,
        read: celery::read,
    },
    Service {
        name: postgresql::NAME,
        read: postgresql::read,
    },
    Service {
        name: redis::NAME,
        read: redis::read,
    },
    Service {
        name: cron::NAME,
        read: cron::read,
    },
    Service {
        name: django::NAME,
        read: django::read,
    },
    Service {
        name: systemd::NAME,
        read: systemd::read,
    },
];

/// The service of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The configurations that a process of a service may have that names none, for the services that always show what they name.
#[must_use]
pub fn usual(site: &Site, process: &Process, service: &str) -> Option<Vec<PathBuf>> {
    match service {
        nginx::NAME => Some(vec![nginx::usual(site, process)]),
        apache::NAME => Some(apache::USUAL.iter().map(PathBuf::from).collect()),
        _ => None,
    }
}

/// The programs of these names that something else starts: supervisor's programs, and systemd's units.
#[must_use]
pub fn supervised(site: &Site, names: &[&str]) -> Vec<Launch> {
    let mut launches = supervisor::programs(site, names);
    launches.extend(systemd::programs(site, names));
    launches
}
