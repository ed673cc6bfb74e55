//! The services: one file each, and one row in the table. Each reads its own configuration, by its own rules, and runs nothing.

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
use crate::process::{Process, Program};
use crate::site::Site;
use crate::start::Start;
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

/// The service that a process belongs to.
#[must_use]
pub fn identify(program: &Program<'_>) -> Option<&'static str> {
    let row = SERVICES.iter().find(|service| (service.owns)(program));
    row.map(|service| service.name)
}

/// The service of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The configurations that a process of a service may have that names none, for the services that always show what they name.
#[must_use]
pub fn usual(site: &Site, process: &Process, service: &str) -> Option<Vec<PathBuf>> {
    match service {
        "nginx" => Some(vec![nginx::usual(site, process)]),
        "apache" => Some(apache::USUAL.iter().map(PathBuf::from).collect()),
        _ => None,
    }
}

/// The commands that something else starts: supervisor's programs, systemd's units, and cron's lines.
#[must_use]
pub fn starts(site: &Site) -> Vec<Start> {
    let mut starts = supervisor::starts(site);
    starts.extend(systemd::starts(site));
    starts.extend(cron::starts(site));
    starts
}
