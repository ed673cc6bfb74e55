//! What stands in the way of a step. Causes come from catalogs and SQLSTATEs, never from the words
//! of a message, which are in the server's language. The planner foresees causes; `diagnose` finds
//! the cause of a server's refusal.

use base::terminal::escape;

use crate::catalog::{Database, Dependent, Server};
use crate::report::Action;

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server sees no control file of this extension.
    Unavailable(String),
    /// The control file is there, and another file of the extension is missing.
    Files,
    /// The role has no CREATE on the database, which a trusted extension needs.
    CreateOnDatabase,
    /// Only a superuser may.
    Superuser,
    /// The managed service decides what members of this role may do.
    Provider(String),
    /// Only the extension's owner may.
    Owner(String),
    /// The role may not create in this schema.
    CreateOnSchema(String),
    /// The extension requires these extensions.
    Requires(Vec<String>),
    /// This extension shall be present and requires another one, which shall be absent.
    Contradiction {
        /// Shall be present.
        present: String,
        /// Shall be absent.
        absent: String,
    },
    /// There is no such version.
    Version {
        /// The version that was asked for.
        asked: String,
        /// The versions that can be created.
        offered: Vec<String>,
        /// The default version.
        default: Option<String>,
    },
    /// No update leads to the version.
    UpdatePath {
        /// The installed version.
        from: String,
        /// The version that was asked for.
        to: String,
        /// The versions that an update can reach.
        reachable: Vec<String>,
        /// The default version.
        default: Option<String>,
    },
    /// There is no such schema.
    Schema(String),
    /// The role's search_path names no schema that exists; `true` where the schema public exists.
    NoCurrentSchema(bool),
    /// The control file insists on another schema.
    FixedSchema(String),
    /// The extension cannot be moved out of this schema.
    NotRelocatable(String),
    /// Members are outside the extension's schema; the statements bring them back.
    Scattered(Vec<String>),
    /// The server is a standby.
    Standby,
    /// Transactions are read-only by default.
    ReadOnly,
    /// These depend on the extension.
    Dependents(Vec<Dependent>),
    /// Objects depend on what the update replaces.
    UpdateBlocked,
    /// An object that the extension creates exists already, outside the extension.
    ObjectExists,
    /// Another session holds a lock.
    Locked,
    /// A statement took too long.
    TooLong,
    /// A library has to be loaded when the server starts.
    Preload(String),
    /// pg_cron works in this database only.
    CronDatabase(String),
    /// There is no such database.
    NoDatabase,
    /// The application's role may not, and the administrator could not be asked.
    Admin(String),
    /// Something else: the server's words have to do.
    Other,
}

/// Where a cause was found.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The server.
    pub server: &'a Server,
    /// The database, as the role sees it.
    pub database: &'a Database,
    /// The extension.
    pub name: &'a str,
    /// What was to be done.
    pub action: Action,
}

impl Cause {
    /// The SQLSTATE that the server gives.
    pub fn sqlstate(&self, server: &Server, action: Action) -> &'static str {
        match self {
            // 58P01 before PostgreSQL 15.
            Cause::Unavailable(_) if server.number < 150_000 => "58P01",
            Cause::Unavailable(_) => "0A000",
            Cause::Files => "58P01",
            Cause::FixedSchema(_) | Cause::NotRelocatable(_) | Cause::Scattered(_) => "0A000",
            Cause::CreateOnDatabase
            | Cause::Superuser
            | Cause::Provider(_)
            | Cause::Owner(_)
            | Cause::CreateOnSchema(_)
            | Cause::Admin(_) => "42501",
            Cause::Contradiction { .. } if action == Action::Drop => "2BP01",
            Cause::Requires(_) | Cause::Contradiction { .. } => "42704",
            Cause::Version { .. } | Cause::UpdatePath { .. } => "22023",
            Cause::Schema(_) | Cause::NoCurrentSchema(_) => "3F000",
            Cause::Standby | Cause::ReadOnly => "25006",
            Cause::Dependents(_) | Cause::UpdateBlocked => "2BP01",
            Cause::ObjectExists => "42723",
            Cause::Locked => "55P03",
            Cause::TooLong => "57014",
            Cause::Preload(_) => "55000",
            Cause::CronDatabase(_) => "0A000",
            Cause::NoDatabase => "3D000",
            Cause::Other => "XX000",
        }
    }

    /// In a sentence.
    pub fn sentence(&self, scene: &Scene<'_>) -> String {
        let role = quoted(&scene.database.role.name);
        let database = quoted(&scene.database.name);
        let name = quoted(scene.name);
        match self {
            Cause::Unavailable(missing) => format!(
                "the server has no control file of {}: the package that holds the file is not installed on the server's machine",
                quoted(missing)
            ),
            Cause::Files => format!(
                "the server has the control file of {name}, but another file of the extension is missing on the server's machine"
            ),
            Cause::CreateOnDatabase => {
                format!("role {role} has no CREATE right on database {database}")
            }
            Cause::Superuser => format!(
                "only a superuser may {} {name}, and role {role} is not one",
                verb(scene.action)
            ),
            Cause::Provider(provider) => format!(
                "only a real run can tell whether role {role} may {} {name}: the managed service decides what members of {} may do",
                verb(scene.action),
                quoted(provider)
            ),
            Cause::Owner(owner) => format!(
                "{name} belongs to role {}, and role {role} is not a member of that role",
                quoted(owner)
            ),
            Cause::CreateOnSchema(schema) => {
                format!("role {role} has no CREATE right on schema {}", quoted(schema))
            }
            Cause::Requires(missing) => format!("{name} requires {}", list(missing)),
            Cause::Contradiction { present, absent } => format!(
                "{} shall be present and requires {}, which shall be absent",
                quoted(present),
                quoted(absent)
            ),
            Cause::Version { asked, offered, .. } => format!(
                "{name} has no version {}; the server has {}",
                quoted(asked),
                list(offered)
            ),
            Cause::UpdatePath {
                from,
                to,
                reachable,
                ..
            } => format!(
                "no update leads from version {} of {name} to {}, {}",
                quoted(from),
                quoted(to),
                match reachable.as_slice() {
                    [] => "nor to any other version".to_string(),
                    some => format!("only to {}", list(some)),
                }
            ),
            Cause::Schema(schema) => {
                format!("database {database} has no schema {}", quoted(schema))
            }
            Cause::NoCurrentSchema(_) => format!(
                "no schema was named, and the search_path of role {role} names none that exists"
            ),
            Cause::FixedSchema(schema) => {
                format!("{name} can only be in schema {}", quoted(schema))
            }
            Cause::NotRelocatable(_) => format!("{name} cannot be moved to another schema"),
            Cause::Scattered(moves) => format!(
                "{} of {name} {} outside the extension's schema, and the server moves an extension only as a whole",
                count(moves.len(), "member"),
                if moves.len() == 1 { "is" } else { "are" }
            ),
            Cause::Standby => "the server is a standby, which cannot be written to".to_string(),
            Cause::ReadOnly => format!(
                "default_transaction_read_only is on for role {role}, database {database} or the server"
            ),
            Cause::Dependents(dependents) => {
                format!("{} on {name}: {}", depend(dependents.len()), short(dependents))
            }
            Cause::UpdateBlocked => format!(
                "the update of {name} replaces objects that others depend on, or that another extension's update has to replace first"
            ),
            Cause::ObjectExists => format!(
                "an object that {name} creates exists already, outside the extension"
            ),
            Cause::Locked => {
                "another session holds a lock for longer than --lock-timeout".to_string()
            }
            Cause::TooLong => {
                "a statement took longer than --statement-timeout, or somebody cancelled the statement".to_string()
            }
            Cause::Preload(library) => format!(
                "the server has not loaded the library {}, which has to be in shared_preload_libraries when the server starts",
                quoted(library)
            ),
            Cause::CronDatabase(configured) => format!(
                "pg_cron works in one database of a server only, and cron.database_name is {}",
                quoted(configured)
            ),
            Cause::NoDatabase => format!("the server has no database {database}"),
            Cause::Admin(why) => format!("--admin: {}", escape(why)),
            Cause::Other => "the server refused".to_string(),
        }
    }
}

/// A name in a message: in quotes, on one line, without control bytes.
pub fn quoted(name: &str) -> String {
    format!("'{}'", escape(name))
}

/// `1 object`, `2 objects`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn depend(number: usize) -> String {
    let objects = count(number, "object");
    format!("{objects} depend{}", if number == 1 { "s" } else { "" })
}

/// The first few dependents; all of them are in the item's `lost`.
pub fn short(dependents: &[Dependent]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<String> = dependents
        .iter()
        .take(SHOWN)
        .map(|dependent| escape(&dependent.object))
        .collect();
    if dependents.len() > SHOWN {
        names.push(format!("and {} more", dependents.len() - SHOWN));
    }
    names.join(", ")
}

const fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::SetSchema => "move",
        Action::Drop => "drop",
        Action::None => "change",
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_string(),
        names => names
            .iter()
            .map(|name| quoted(name))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
