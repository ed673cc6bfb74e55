//! Reads a database through one session. The first look is one round trip and enough where nothing is to be done; the deep one, which
//! makes the server read every control file it has, is only taken where something is.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::catalog::{Available, Control, Database, Depth, Installed, Role, Server};
use crate::cli::Policy;
use crate::packager;
use crate::sql::{array, literal};
use crate::want::{State, Want};

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

/// Begins every look: the role's own search_path is asked for its first schema before it is set aside.
const BEGIN: &str =
    "BEGIN READ ONLY; SELECT pg_catalog.current_schema(); SET LOCAL search_path = pg_catalog;";

const SERVER: &str = "SELECT current_setting('server_version'), current_setting('server_version_num'), version(), pg_is_in_recovery(), \
     current_setting('default_transaction_read_only'), current_user, \
     current_setting('is_superuser'), has_database_privilege(current_database(), 'CREATE'), \
     current_database();";

const INSTALLED: &str = "SELECT e.extname, e.extversion, n.nspname, pg_get_userbyid(e.extowner), pg_has_role(e.extowner, 'USAGE'), \
     e.extrelocatable FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace;";

/// A trusted extension's members are the superuser's: who owns only the extension cannot move those.
const FOREIGN_MEMBERS: &str = "SELECT DISTINCT e.extname FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass \
     AND d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass JOIN pg_proc p ON p.oid = d.objid \
     WHERE NOT pg_has_role(p.proowner, 'USAGE');";

/// The statements of the first look, to be appended to others in one round trip.
pub fn look_sql(policy: &Policy) -> String {
    format!("{BEGIN}{}{SERVER}{INSTALLED}COMMIT;", limits(policy))
}

/// Nothing waits longer than it may, not even a look: somebody may hold a catalog's lock.
pub fn limits(policy: &Policy) -> String {
    let millis = |duration: Duration| i32::try_from(duration.as_millis()).unwrap_or(i32::MAX);
    format!(
        "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {};",
        millis(policy.lock_timeout),
        millis(policy.statement_timeout)
    )
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

/// The deep look: what could be installed, where, and what stands in the way of dropping.
///
/// # Errors
/// The server's.
pub fn deepen(
    client: &mut Client,
    server: &Server,
    database: &mut Database,
    wants: &[Want],
    policy: &Policy,
) -> Result<()> {
    let there: Vec<&str> = wants
        .iter()
        .map(|w| w.name.as_str())
        .filter(|name| database.installed.contains_key(*name))
        .collect();
    let going: Vec<&str> = wants
        .iter()
        .filter(|w| w.state == State::Absent && database.installed.contains_key(&w.name))
        .map(|w| w.name.as_str())
        .collect();
    let trusted = if server.number >= 130_000 {
        "trusted"
    } else {
        "false"
    };
    let mut sql = format!(
        "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; {} \
         SELECT name, version, superuser, {trusted}, relocatable, schema, array_to_json(requires) FROM pg_available_extension_versions(); \
         SELECT name, default_version FROM pg_available_extensions(); \
         SELECT nspname, has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'; \
         SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'; {FOREIGN_MEMBERS}",
        limits(policy)
    );
    for name in &going {
        sql += &dependents_sql(name);
    }
    for name in &there {
        sql += &format!(
            "SELECT source, target FROM pg_extension_update_paths({}) WHERE path IS NOT NULL;",
            literal(name)
        );
    }
    sql += "COMMIT;";
    // An extension that is there may have lost its control file, and then has no update paths to ask for.
    let rows = match batch(client, &sql) {
        Err(error) if error.as_db_error().is_some() && !there.is_empty() => {
            batch(client, "ROLLBACK")?;
            let without = sql
                .split("SELECT source, target")
                .next()
                .unwrap_or_default()
                .to_string();
            batch(client, &(without + "COMMIT;"))?
        }
        other => other?,
    };
    let mut results = rows.iter().skip(4);
    let mut next = || results.next().map_or(&[][..], Vec::as_slice);
    let mut depth = Depth {
        available: available(next(), next()),
        ..Depth::default()
    };
    depth.schemas = next()
        .iter()
        .filter_map(|row| Some((text(row, 0)?, truth(row, 1))))
        .collect();
    depth.preloaded = next().first().and_then(|row| text(row, 0));
    for name in next().iter().filter_map(|row| text(row, 0)) {
        if let Some(found) = database.installed.get_mut(&name) {
            found.foreign_members = true;
        }
    }
    for name in going {
        depth.dependents.insert(
            name.to_string(),
            next().iter().filter_map(|row| text(row, 0)).collect(),
        );
    }
    for name in there {
        let from = database
            .installed
            .get(name)
            .map(|found| found.version.clone());
        let paths = next()
            .iter()
            .filter(|row| text(row, 0) == from)
            .filter_map(|row| text(row, 1));
        depth.reachable.insert(name.to_string(), paths.collect());
    }
    database.depth = Some(depth);
    Ok(())
}

/// What depends on an extension or on one of its members, without what belongs to it or goes with it in silence: a type's array type, which
/// a column may use, or an operator's place in a family.
fn dependents_sql(name: &str) -> String {
    format!(
        "WITH RECURSIVE e AS (SELECT oid FROM pg_extension WHERE extname = {}), \
         own(classid, objid) AS (SELECT 'pg_extension'::regclass::oid, oid FROM e \
           UNION SELECT d.classid, d.objid FROM pg_depend d, e \
             WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e' \
           UNION SELECT d.classid, d.objid FROM pg_depend d JOIN own o ON d.refclassid = o.classid AND d.refobjid = o.objid \
             WHERE d.deptype IN ('a', 'i', 'x')) \
         SELECT DISTINCT i.type || ' ' || i.identity FROM pg_depend d JOIN own o ON d.refclassid = o.classid AND d.refobjid = o.objid, \
           pg_identify_object(d.classid, d.objid, d.objsubid) i \
         WHERE d.deptype = 'n' AND (d.classid, d.objid) NOT IN (SELECT classid, objid FROM own) ORDER BY 1;",
        literal(name)
    )
}

fn available(
    versions: &[SimpleQueryRow],
    defaults: &[SimpleQueryRow],
) -> BTreeMap<String, Available> {
    let mut all: BTreeMap<String, Available> = BTreeMap::new();
    for row in defaults {
        if let Some(name) = text(row, 0) {
            all.entry(name).or_default().default_version = text(row, 1);
        }
    }
    for row in versions {
        let (Some(name), Some(version)) = (text(row, 0), text(row, 1)) else {
            continue;
        };
        let requires = text(row, 6)
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default();
        let control = Control {
            superuser: truth(row, 2),
            trusted: truth(row, 3),
            relocatable: truth(row, 4),
            schema: text(row, 5),
            requires,
        };
        all.entry(name)
            .or_default()
            .versions
            .insert(version, control);
    }
    all
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

/// Which of these databases there are at all.
///
/// # Errors
/// The server's.
pub fn existing(client: &mut Client, names: &[String]) -> Result<Vec<String>> {
    let wanted = array(names.iter().map(String::as_str));
    let sql = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) ANY ({wanted})"
    );
    let rows = batch(client, &sql)?;
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
