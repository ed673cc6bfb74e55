//! The services: one file each, and one line in the table. Each reads its own configuration, by its own rules, and runs nothing.

mod gunicorn;
mod nginx;
mod postgresql;
mod supervisor;

use crate::launch::Launch;
use crate::log::Configured;
use crate::site::Site;

/// One service.
pub struct Service {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// Its configurations: those asked for, those of its processes, or the usual one.
    pub read: fn(&Site) -> Configured,
}

/// Every service, in the order that reports keep.
pub const SERVICES: &[Service] = &[
    Service { name: nginx::NAME, read: nginx::read },
    Service { name: gunicorn::NAME, read: gunicorn::read },
    Service { name: supervisor::NAME, read: supervisor::read },
    Service { name: postgresql::NAME, read: postgresql::read },
];

/// The service of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The programs of these names that something else starts: supervisor's programs.
#[must_use]
pub fn supervised(site: &Site, names: &[&str]) -> Vec<Launch> {
    supervisor::programs(site, names)
}
