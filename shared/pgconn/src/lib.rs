//! How libpq finds and trusts a PostgreSQL server, for the tools that speak to one.
//!
//! An administrator's connection settings live where libpq reads them: `PG*` variables, a service
//! file, `~/.pgpass`, certificates in `~/.postgresql`. The `postgres` crate knows some of those and
//! not others (no service, no password file, no verify-full), so everything up to the socket is
//! decided here and the crate is given one host, one address and one password at a time.
//!
//! What this refuses to do: prompt for a password, use a password file that others may read, speak
//! GSSAPI, or weaken an `sslmode` it was given.
//!
//! ```no_run
//! # use runbook_pgconn as pgconn;
//! let request = pgconn::Request::new(Some("service=app")).application("check-reqs");
//! let connected = pgconn::connect(&request)?;
//! # let mut client = connected.client;
//! # client.simple_query("SELECT 1").ok();
//! # Ok::<(), pgconn::Error>(())
//! ```

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod conninfo;
mod environment;
mod error;
mod hosts;
mod names;
mod notice;
mod open;
pub mod passfile;
mod resolve;
pub mod service;
mod session;
mod settings;
mod tls;
mod uri;

pub use environment::Environment;
pub use error::{Error, Kind, Result};
pub use hosts::{Host, Place};
pub use notice::{Notice, Notices};
pub use open::{Connected, Target};
pub use resolve::{Request, Resolved, resolve};
pub use settings::{KEYWORDS, Keyword, Settings};

/// Finds the server as libpq would, from the process's environment, and connects.
///
/// # Errors
/// [`Kind::Settings`] for a connection string, service or file that is wrong; [`Kind::Unreachable`]
/// if nothing answers (or the server is starting up); [`Kind::Deadline`]; [`Kind::Refused`] if the
/// server or the certificate says no, with the SQLSTATE where there is one.
pub fn connect(request: &Request) -> Result<Connected> {
    resolve(request, &Environment::process())?.connect()
}
