//! Why an extension cannot be had, and what to do about it. Causes come from SQLSTATEs and from catalogs, never from the words of a
//! message, which are in the server's language. The planner foresees causes; a real run's error is matched with them.

use crate::catalog::{Database, Server};
use crate::package;
use crate::report::{Action, Failure, Fix};
use crate::sql;
use base::shell::quoted;

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server sees no control file of this extension.
    Unavailable(String),
    /// The role has no CREATE on the database, which this trusted extension needs.
    CreateOnDatabase,
    /// Only a superuser may.
    Superuser,
    /// Only the extension's owner may.
    Owner(String),
    /// The role may not create in this schema.
    CreateOnSchema(String),
    /// These have to be there first.
    Requires(Vec<String>),
    /// There is no such version; these there are.
    Version(String, Vec<String>),
    /// No update leads from here to there; these can be reached.
    UpdatePath(String, String, Vec<String>),
    /// There is no such schema.
    Schema(String),
    /// The role's search_path leads to no schema.
    NoCurrentSchema,
    /// The control file insists on another schema.
    FixedSchema(String),
    /// It cannot be moved to another schema.
    NotRelocatable,
    /// The server is a standby.
    Standby,
    /// Transactions are read-only by default.
    ReadOnly,
    /// These depend on it.
    Dependents(Vec<String>),
    /// Objects of the same name are there already, outside of the extension.
    ObjectExists,
    /// Somebody holds a lock.
    Locked,
    /// A statement took too long.
    TooLong,
    /// A library has to be loaded when the server starts.
    Preload(String),
    /// There is no such database.
    NoDatabase,
    /// Something else: the server's words have to do.
    Other,
}

/// Where it happened.
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
    /// The statements that were to do it.
    pub sql: &'a [String],
}

impl Cause {
    /// The SQLSTATE the server would give.
    pub fn sqlstate(&self, server: &Server) -> &'static str {
        match self {
            // 58P01 before PostgreSQL 15.
            Cause::Unavailable(_) if server.number < 150_000 => "58P01",
            Cause::Unavailable(_) | Cause::FixedSchema(_) | Cause::NotRelocatable => "0A000",
            Cause::CreateOnDatabase
            | Cause::Superuser
            | Cause::Owner(_)
            | Cause::CreateOnSchema(_) => "42501",
            Cause::Requires(_) => "42704",
            Cause::Version(..) | Cause::UpdatePath(..) => "22023",
            Cause::Schema(_) | Cause::NoCurrentSchema => "3F000",
            Cause::Standby | Cause::ReadOnly => "25006",
            Cause::Dependents(_) => "2BP01",
            Cause::ObjectExists => "42723",
            Cause::Locked => "55P03",
            Cause::TooLong => "57014",
            Cause::Preload(_) => "55000",
            Cause::NoDatabase => "3D000",
            Cause::Other => "XX000",
        }
    }

    /// Somebody with more rights could do it.
    pub fn is_privilege(&self) -> bool {
        matches!(
            self,
            Cause::CreateOnDatabase | Cause::Superuser | Cause::Owner(_) | Cause::CreateOnSchema(_)
        )
    }

    /// In a sentence.
    pub fn sentence(&self, scene: &Scene<'_>) -> String {
        let (role, database, name) = (&scene.database.role.name, &scene.database.name, scene.name);
        match self {
            Cause::Unavailable(missing) => {
                format!(
                    "the server has no control file of \"{missing}\": the package that holds it is not installed on the server's machine"
                )
            }
            Cause::CreateOnDatabase => {
                format!("role \"{role}\" has no CREATE right on database \"{database}\"")
            }
            Cause::Superuser => format!(
                "\"{name}\" may only be {} by a superuser, and role \"{role}\" is none",
                done(scene.action)
            ),
            Cause::Owner(owner) => format!(
                "\"{name}\" belongs to role \"{owner}\", and role \"{role}\" is not a member of it"
            ),
            Cause::CreateOnSchema(schema) => {
                format!("role \"{role}\" has no CREATE right on schema \"{schema}\"")
            }
            Cause::Requires(missing) => format!("\"{name}\" requires {}", list(missing)),
            Cause::Version(asked, offered) => format!(
                "\"{name}\" has no version \"{asked}\"; the server has {}",
                list(offered)
            ),
            Cause::UpdatePath(from, to, reachable) if reachable.is_empty() => {
                format!(
                    "no update leads from version \"{from}\" of \"{name}\" to \"{to}\", nor to any other"
                )
            }
            Cause::UpdatePath(from, to, reachable) => {
                format!(
                    "no update leads from version \"{from}\" of \"{name}\" to \"{to}\", only to {}",
                    list(reachable)
                )
            }
            Cause::Schema(schema) => format!("database \"{database}\" has no schema \"{schema}\""),
            Cause::NoCurrentSchema => {
                format!("the search_path of role \"{role}\" leads to no schema, and none was named")
            }
            Cause::FixedSchema(schema) => format!("\"{name}\" can only be in schema \"{schema}\""),
            Cause::NotRelocatable => format!("\"{name}\" cannot be moved to another schema"),
            Cause::Standby => "the server is a standby, which cannot be written to".to_string(),
            Cause::ReadOnly => {
                "default_transaction_read_only is on for this role, database or server".to_string()
            }
            Cause::Dependents(dependents) => {
                format!("these depend on \"{name}\": {}", dependents.join(", "))
            }
            Cause::ObjectExists => format!(
                "an object that \"{name}\" brings is there already, outside of it: an older copy, perhaps"
            ),
            Cause::Locked => {
                "somebody holds a lock on it for longer than --lock-timeout".to_string()
            }
            Cause::TooLong => {
                "a statement took longer than --statement-timeout, or was cancelled".to_string()
            }
            Cause::Preload(library) => format!(
                "the library \"{library}\" has to be in shared_preload_libraries when the server starts"
            ),
            Cause::NoDatabase => format!("there is no database \"{database}\""),
            Cause::Other => "the server refused".to_string(),
        }
    }

    /// What to do.
    pub fn fix(&self, scene: &Scene<'_>) -> Fix {
        let (role, database) = (
            sql::identifier(&scene.database.role.name),
            sql::identifier(&scene.database.name),
        );
        let statement = |text: String| Fix {
            package: None,
            commands: vec![text],
        };
        let name = quoted(&quoted_want(scene.name));
        match self {
            Cause::Unavailable(missing) => {
                let (package, commands) = package::holding(missing, scene.server);
                Fix { package, commands }
            }
            Cause::CreateOnDatabase => statement(format!("GRANT CREATE ON DATABASE {database} TO {role};")),
            Cause::Superuser | Cause::Owner(_) => Fix { package: None, commands: self.by_somebody_else(scene) },
            Cause::CreateOnSchema(schema) => statement(format!("GRANT CREATE ON SCHEMA {} TO {role};", sql::identifier(schema))),
            Cause::Requires(_) => statement(format!("pg-ext-ensure --cascade {name}")),
            Cause::Version(_, offered) => statement(match offered.last() {
                Some(version) => format!("pg-ext-ensure {}", quoted(&format!("{}@{version}", quoted_want(scene.name)))),
                None => format!("pg-ext-ensure {name}"),
            }),
            Cause::UpdatePath(_, _, reachable) => match reachable.last() {
                Some(version) => statement(format!("pg-ext-ensure {}", quoted(&format!("{}@{version}", quoted_want(scene.name))))),
                None => Fix::default(),
            },
            Cause::Schema(schema) => {
                let want = format!("{}:{}", quoted_want(scene.name), quoted_want(schema));
                statement(format!("pg-ext-ensure --create-schema {}", quoted(&want)))
            }
            Cause::NoCurrentSchema => statement(format!("pg-ext-ensure {name}:SCHEMA")),
            Cause::FixedSchema(schema) => {
                statement(format!("pg-ext-ensure {}", quoted(&format!("{}:{}", quoted_want(scene.name), quoted_want(schema)))))
            }
            Cause::NotRelocatable => statement("-- by hand, with a backup: DROP EXTENSION …; CREATE EXTENSION … SCHEMA …;".to_string()),
            Cause::Standby => statement(format!("PGTARGETSESSIONATTRS=read-write pg-ext-ensure {name}")),
            Cause::ReadOnly => Fix {
                package: None,
                commands: vec![
                    format!("ALTER ROLE {role} IN DATABASE {database} SET default_transaction_read_only = off;"),
                    format!("PGOPTIONS='-c default_transaction_read_only=off' pg-ext-ensure {name}"),
                ],
            },
            Cause::Dependents(_) => statement(format!("pg-ext-ensure --cascade --absent {name}")),
            Cause::ObjectExists => {
                statement("-- find the object named in the message, and drop it or put it into the extension".to_string())
            }
            Cause::Locked => Fix {
                package: None,
                commands: vec![
                    "SELECT pid, usename, state, query FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE granted);".into(),
                    format!("pg-ext-ensure --lock-timeout 5m {name}"),
                ],
            },
            Cause::TooLong => statement(format!("pg-ext-ensure --statement-timeout 1h {name}")),
            Cause::Preload(library) => preload(library, scene.database),
            Cause::NoDatabase => statement(format!("createdb {}", quoted(&scene.database.name))),
            Cause::Other => Fix::default(),
        }
    }

    fn by_somebody_else(&self, scene: &Scene<'_>) -> Vec<String> {
        let name = quoted(&quoted_want(scene.name));
        let options = match scene.action {
            Action::Drop => "--absent ",
            _ if scene.sql.len() > 1 => "--cascade ",
            _ => "",
        };
        let mut commands = vec![format!("pg-ext-ensure --admin DSN {options}{name}")];
        commands.extend(scene.sql.iter().map(|statement| format!("{statement};")));
        if let Cause::Owner(owner) = self {
            commands.push(format!(
                "GRANT {} TO {};",
                sql::identifier(owner),
                sql::identifier(&scene.database.role.name)
            ));
        }
        commands
    }
}

/// A name as the command line takes it.
fn quoted_want(name: &str) -> String {
    if name.contains(['@', ':', '"']) {
        sql::identifier(name)
    } else {
        name.to_string()
    }
}

fn preload(library: &str, database: &Database) -> Fix {
    let before = database
        .depth
        .as_ref()
        .and_then(|depth| depth.preloaded.clone())
        .filter(|list| !list.is_empty());
    let list = before.map_or_else(
        || library.to_string(),
        |before| format!("{before}, {library}"),
    );
    let set = format!(
        "ALTER SYSTEM SET shared_preload_libraries = {};",
        list.split(", ")
            .map(sql::literal)
            .collect::<Vec<_>>()
            .join(", ")
    );
    Fix {
        package: None,
        commands: vec![set, "-- and restart the server".to_string()],
    }
}

const fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::SetSchema => "moved",
        Action::Drop => "dropped",
        Action::None => "changed",
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_string(),
        names => names
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// The cause of a server's error: what was foreseen, if the SQLSTATE agrees, else what the SQLSTATE alone says.
pub fn diagnose(sqlstate: &str, foreseen: Option<&Cause>, scene: &Scene<'_>) -> Cause {
    if let Some(cause) = foreseen.filter(|cause| cause.sqlstate(scene.server) == sqlstate) {
        return cause.clone();
    }
    match sqlstate {
        "0A000" | "58P01" => Cause::Unavailable(scene.name.to_string()),
        "42501" => Cause::Superuser,
        "25006" if scene.server.recovery => Cause::Standby,
        "25006" => Cause::ReadOnly,
        "42723" | "42P07" | "42710" | "42P06" => Cause::ObjectExists,
        "55P03" => Cause::Locked,
        "57014" => Cause::TooLong,
        "55000" => Cause::Preload(scene.name.to_string()),
        "3D000" => Cause::NoDatabase,
        "2BP01" => Cause::Dependents(Vec::new()),
        _ => Cause::Other,
    }
}

/// What was foreseen, as a failure.
pub fn foreseen(cause: &Cause, scene: &Scene<'_>) -> Failure {
    let sqlstate = cause.sqlstate(scene.server);
    Failure {
        sqlstate: sqlstate.to_string(),
        code: condition(sqlstate).to_string(),
        message: cause.sentence(scene),
        detail: None,
        hint: None,
    }
}

/// The condition names of PostgreSQL's manual, appendix A.
pub fn condition(sqlstate: &str) -> &'static str {
    match sqlstate {
        "08001" => "sqlclient_unable_to_establish_sqlconnection",
        "08006" => "connection_failure",
        "0A000" => "feature_not_supported",
        "22023" => "invalid_parameter_value",
        "23505" => "unique_violation",
        "25006" => "read_only_sql_transaction",
        "28000" => "invalid_authorization_specification",
        "28P01" => "invalid_password",
        "2BP01" => "dependent_objects_still_exist",
        "3D000" => "invalid_catalog_name",
        "3F000" => "invalid_schema_name",
        "42501" => "insufficient_privilege",
        "42704" => "undefined_object",
        "42710" => "duplicate_object",
        "42723" => "duplicate_function",
        "42P06" => "duplicate_schema",
        "42P07" => "duplicate_table",
        "53300" => "too_many_connections",
        "55000" => "object_not_in_prerequisite_state",
        "55P03" => "lock_not_available",
        "57014" => "query_canceled",
        "57P01" => "admin_shutdown",
        "57P02" => "crash_shutdown",
        "57P03" => "cannot_connect_now",
        "58P01" => "undefined_file",
        _ => "other",
    }
}
