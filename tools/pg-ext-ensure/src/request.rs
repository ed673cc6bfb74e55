//! What one run is asked to do, as plain data. `cli.rs` makes it from the arguments; everything
//! else takes it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::migrations::Migrations;
use crate::want::Want;

/// What one run is asked to do.
#[derive(Debug)]
pub enum Request {
    /// Ensure extensions.
    Ensure(Box<Ensure>),
    /// Run a command while a role is a superuser.
    Elevate(Elevate),
    /// Finish interrupted elevations.
    Recover(Connection),
}

/// How to reach a server.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Connection {
    /// The connection string, if one was given.
    pub dsn: Option<String>,
    /// The service, if one was named.
    pub service: Option<String>,
}

// Without the connection string, which may hold a password.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// As the connection module takes it.
    pub fn request(&self) -> pgconn::Request {
        let request = pgconn::Request::new(self.dsn.as_deref()).application("pg-ext-ensure");
        match &self.service {
            Some(service) => request.service(service),
            None => request,
        }
    }
}

/// Extensions, databases, and how far to go.
#[derive(Clone, Debug)]
pub struct Ensure {
    /// The application's connection.
    pub app: Connection,
    /// The administrator's connection, if there is one.
    pub admin: Option<Connection>,
    /// Which databases.
    pub databases: Databases,
    /// What each of them needs.
    pub wants: Vec<Want>,
    /// What single databases need besides.
    pub own: BTreeMap<String, Vec<Want>>,
    /// How far to go.
    pub policy: Policy,
    /// What the migrations of `--from-migrations` say.
    pub migrations: Option<Migrations>,
}

/// Which databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Databases {
    /// The connection's own.
    Own,
    /// These.
    Named(Vec<String>),
    /// All that take connections and are no templates, but those that match.
    All(Vec<glob::Pattern>),
}

/// How far to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Extensions that a wanted one requires are created.
    pub create_cascade: bool,
    /// Objects that depend on an extension are dropped with the extension.
    pub drop_cascade: bool,
    /// Missing schemas are created.
    pub create_schema: bool,
    /// Extensions that are not pinned are updated.
    pub update: bool,
    /// Extensions in another schema are moved.
    pub fix_schema: bool,
    /// For locks in the database.
    pub lock_timeout: Duration,
    /// For one statement.
    pub statement_timeout: Duration,
}

/// The default of `--lock-timeout`.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The default of `--statement-timeout`.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(300);

/// A command that runs while a role is a superuser.
#[derive(Debug)]
pub struct Elevate {
    /// The role.
    pub role: String,
    /// Who makes the role a superuser.
    pub admin: Connection,
    /// The longest that the elevation may last.
    pub max: Duration,
    /// COMMAND and its arguments.
    pub command: Vec<OsString>,
}
