//! Reads a database through one session. The first look is one round trip and enough where nothing
//! is to be done. The deep look makes the server read every control file it has; the tool takes it
//! only where something is to be done.

use std::time::Duration;

use postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::catalog::{Database, Installed, Role, Server};
use crate::packager;
use crate::request::Policy;

pub mod deep;
mod dependents;

type Result<T> = std::result::Result<T, postgres::Error>;

/// What each statement of a batch gave.
pub type Rows = Vec<Vec<SimpleQueryRow>>;

/// Sends many statements in one round trip.
///
/// # Errors
/// The server's first error; the rest of the batch is not run.
pub fn batch(client: &mut Client, sql: &str) -> Result<Rows> {
    let mut results = Rows::new();
    let mut rows = Vec::new();
    for message in client.simple_query(sql)? {
        match message {
            SimpleQueryMessage::Row(row) => rows.push(row),
            SimpleQueryMessage::CommandComplete(_) => results.push(std::mem::take(&mut rows)),
            _ => {}
        }
    }
    Ok(results)
}

/// Begins every look: the role's own search_path is asked for its first schema before it is set
/// aside.
const BEGIN: &str =
    "BEGIN READ ONLY; SELECT pg_catalog.current_schema(); SET LOCAL search_path = pg_catalog;";

const SERVER: &str = "SELECT current_setting('server_version'), current_setting('server_version_num'), version(), pg_is_in_recovery(), \
     current_setting('default_transaction_read_only'), current_user, \
     current_setting('is_superuser'), has_database_privilege(current_database(), 'CREATE'), \
     current_database();";

const INSTALLED: &str = "SELECT e.extname, e.extversion, n.nspname, pg_get_userbyid(e.extowner), pg_has_role(e.extowner, 'USAGE'), \
     e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace;";

/// The statements of the first look, to be appended to others in one round trip.
pub fn look_sql(policy: &Policy) -> String {
    format!("{BEGIN}{}{SERVER}{INSTALLED}COMMIT;", limits(policy))
}

/// Nothing waits longer than it may, not even a look: somebody may hold a catalog's lock.
pub fn limits(policy: &Policy) -> String {
    format!(
        "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {};",
        millis(policy.lock_timeout),
        millis(policy.statement_timeout)
    )
}

/// A duration as the server's settings take it.
pub fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// The first look.
///
/// # Errors
/// The server's.
pub fn look(client: &mut Client, local: bool, policy: &Policy) -> Result<(Server, Database)> {
    let rows = batch(client, &look_sql(policy))?;
    Ok(read_look(&rows, local))
}

/// What the statements of [`look_sql`], at the end of a batch, gave.
pub fn read_look(rows: &Rows, local: bool) -> (Server, Database) {
    // BEGIN, current_schema, three times SET, server, installed, COMMIT.
    let at = |from_end: usize| {
        rows.len()
            .checked_sub(from_end)
            .and_then(|i| rows.get(i))
            .map_or(&[][..], Vec::as_slice)
    };
    let mut database = Database {
        current_schema: at(7).first().and_then(|row| text(row, 0)),
        installed: at(2).iter().filter_map(installed).collect(),
        ..Database::default()
    };
    let mut server = Server {
        local,
        ..Server::default()
    };
    if let Some(row) = at(3).first() {
        let words = text(row, 0).unwrap_or_default();
        server.version = words
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_string();
        server.number = text(row, 1)
            .and_then(|n| n.parse().ok())
            .unwrap_or_default();
        server.recovery = truth(row, 3);
        server.distro = packager::of_server(
            &text(row, 2).unwrap_or_default(),
            &words,
            server.major(),
            local,
        );
        database.read_only = server.recovery || row.get(4) == Some("on");
        database.role = Role {
            name: text(row, 5).unwrap_or_default(),
            superuser: row.get(6) == Some("on"),
            creates: truth(row, 7),
        };
        database.name = text(row, 8).unwrap_or_default();
    }
    (server, database)
}

fn installed(row: &SimpleQueryRow) -> Option<(String, Installed)> {
    Some((
        text(row, 0)?,
        Installed {
            version: text(row, 1)?,
            schema: text(row, 2)?,
            owner: text(row, 3)?,
            owned: truth(row, 4),
            relocatable: truth(row, 5),
            foreign_members: false,
        },
    ))
}

/// The databases that take connections, in order, templates left out.
///
/// # Errors
/// The server's.
pub fn databases(client: &mut Client) -> Result<Vec<String>> {
    let sql = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";
    let rows = batch(client, sql)?;
    Ok(rows
        .iter()
        .flatten()
        .filter_map(|row| text(row, 0))
        .collect())
}

/// The cluster's identity, which a restart does not change; a copy of its files has the same.
///
/// # Errors
/// The server's.
pub fn system(client: &mut Client) -> Result<String> {
    one(
        client,
        "SELECT system_identifier FROM pg_catalog.pg_control_system()",
    )
}

/// The running server's identity: two connections with the same one reach the same server.
///
/// # Errors
/// The server's.
pub fn instance(client: &mut Client) -> Result<String> {
    one(
        client,
        "SELECT system_identifier, pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()) FROM pg_catalog.pg_control_system()",
    )
}

fn one(client: &mut Client, sql: &str) -> Result<String> {
    let rows = batch(client, sql)?;
    let row = rows.iter().flatten().next();
    Ok(row
        .map(|row| {
            (0..row.len())
                .filter_map(|column| row.get(column))
                .collect::<Vec<_>>()
                .join("/")
        })
        .unwrap_or_default())
}

/// A column as text.
pub fn text(row: &SimpleQueryRow, column: usize) -> Option<String> {
    row.get(column).map(str::to_string)
}

/// A boolean column.
pub fn truth(row: &SimpleQueryRow, column: usize) -> bool {
    row.get(column) == Some("t")
}
