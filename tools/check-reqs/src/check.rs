//! The types of check: one file and one row each.

pub mod command;
pub mod crontab;
pub mod disk;
pub mod dist;
pub mod django;
pub mod dns;
pub mod extension;
pub mod file;
pub mod group;
pub mod http;
pub mod memory;
pub mod noindex;
pub mod package;
pub mod port;
pub mod postgres;
pub mod python;
pub mod robots;
pub mod service;
pub mod service_env;
pub mod smtp;
pub mod tcp;
pub mod tls;
pub mod user;
pub mod writable;

use crate::kind::Type;

/// Every type there is.
pub const TYPES: &[&Type] = &[
    &python::TYPE,
    &dist::TYPE,
    &command::TYPE,
    &package::TYPE,
    &postgres::TYPE,
    &extension::TYPE,
    &memory::TYPE,
    &disk::TYPE,
    &port::TYPE,
    &tcp::TYPE,
    &smtp::TYPE,
    &dns::TYPE,
    &file::TYPE,
    &writable::TYPE,
    &user::TYPE,
    &group::TYPE,
    &service::TYPE,
    &service_env::TYPE,
    &crontab::TYPE,
    &http::TYPE,
    &noindex::TYPE,
    &robots::TYPE,
    &tls::TYPE,
    &django::TYPE,
];

/// The type of this name.
pub fn of_name(name: &str) -> Option<&'static Type> {
    TYPES.iter().copied().find(|kind| kind.name == name)
}
