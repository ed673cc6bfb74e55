//! The deep look: what could be installed and where, which rights and settings decide about it, and
//! what stands in the way of a drop.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, SimpleQueryRow};

use super::dependents;
use super::{batch, limits, text, truth};
use crate::catalog::{Available, Control, Database, Depth, Schema, Server, Settings};
use crate::preload;
use crate::request::Policy;
use crate::sql::literal;
use crate::want::{State, Want};

/// A trusted extension's members belong to the superuser: a role that owns only the extension
/// cannot move those.
const FOREIGN_MEMBERS: &str = "SELECT DISTINCT e.extname FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass \
     AND d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass JOIN pg_proc p ON p.oid = d.objid \
     WHERE NOT pg_has_role(p.proowner, 'USAGE');";

const SCHEMAS: &str = "SELECT nspname, has_schema_privilege(oid, 'CREATE'), pg_get_userbyid(nspowner) FROM pg_namespace \
     WHERE nspname !~ '^pg_(toast|temp)';";

/// Settings that the role may not see have no row. A setting that no loaded library has defined has
/// none, either.
const SETTINGS: &str = "SELECT name, setting, pending_restart FROM pg_settings WHERE name IN \
     ('shared_preload_libraries', 'cron.database_name', 'extwlist.extensions'); \
     SELECT DISTINCT split_part(name, '.', 1) FROM pg_settings WHERE name LIKE '%.%';";

/// The superuser of `initdb`, the database's owner, and a managed service's role that this role is
/// a member of.
const PEOPLE: &str = "SELECT (SELECT rolname FROM pg_roles WHERE oid = 10), \
     (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()), \
     (SELECT rolname FROM pg_roles WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin', \
        'neon_superuser', 'doadmin', 'tsdbadmin') AND pg_has_role(oid, 'MEMBER') LIMIT 1); \
     SELECT rolname FROM pg_roles WHERE rolcanlogin AND oid IN (SELECT extowner FROM pg_extension);";

/// Which installed extension needs which.
const NEEDS: &str = "SELECT e.extname, r.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.objid \
     JOIN pg_extension r ON r.oid = d.refobjid WHERE d.classid = 'pg_extension'::regclass \
     AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'n';";

/// The list as the configuration files have it, for a superuser.
const PRELOAD_FILE: &str = "SELECT setting FROM pg_file_settings WHERE name = 'shared_preload_libraries' ORDER BY seqno DESC LIMIT 1;";

/// Which extensions the deep look is about.
struct Scope<'a> {
    /// Installed ones that are wanted in some way.
    there: Vec<&'a str>,
    /// Installed ones that shall be absent.
    going: Vec<&'a str>,
    /// Installed ones that shall move.
    moving: Vec<&'a str>,
}

impl<'a> Scope<'a> {
    fn of(database: &Database, wants: &'a [Want], policy: &Policy) -> Scope<'a> {
        let installed = |want: &&Want| database.installed.contains_key(&want.name);
        let name = |want: &'a Want| want.name.as_str();
        let moves = |want: &&Want| {
            let found = database.installed.get(&want.name);
            policy.fix_schema
                && found
                    .is_some_and(|found| want.schema.as_ref().is_some_and(|s| *s != found.schema))
        };
        Scope {
            there: wants.iter().filter(installed).map(name).collect(),
            going: wants
                .iter()
                .filter(|want| want.state == State::Absent && installed(want))
                .map(name)
                .collect(),
            moving: wants.iter().filter(moves).map(name).collect(),
        }
    }
}

/// Takes the deep look.
///
/// # Errors
/// The server's.
pub fn look(
    client: &mut Client,
    server: &Server,
    database: &mut Database,
    wants: &[Want],
    policy: &Policy,
) -> Result<(), postgres::Error> {
    let scope = Scope::of(database, wants, policy);
    let rows = batch(client, &statements(server, database, &scope, policy))?;
    // BEGIN, two times SET, one more for each limit.
    let mut results = rows.iter().skip(4);
    let mut next = || results.next().map_or(&[][..], Vec::as_slice);
    let mut depth = Depth {
        available: available(next(), next()),
        schemas: next().iter().filter_map(schema).collect(),
        settings: settings(next(), next()),
        ..Depth::default()
    };
    if let Some(row) = next().first() {
        depth.superuser = text(row, 0).unwrap_or_default();
        depth.owner = text(row, 1).unwrap_or_default();
        depth.settings.provider = text(row, 2).filter(|_| !database.role.superuser);
    }
    depth.logins = words(next()).collect();
    for (name, needed) in pairs(next()) {
        depth.needs.entry(name).or_default().insert(needed);
    }
    for name in words(next()) {
        if let Some(found) = database.installed.get_mut(&name) {
            found.foreign_members = true;
        }
    }
    if database.role.superuser {
        depth.settings.preload_file = words(next()).next();
    }
    for name in &scope.going {
        let found = dependents::read(next());
        depth.dependents.insert((*name).to_string(), found);
    }
    for name in &scope.moving {
        depth
            .scattered
            .insert((*name).to_string(), words(next()).collect());
    }
    for name in &scope.there {
        let from = database.installed.get(*name).map(|found| &found.version);
        let paths = pairs(next()).filter(|(source, _)| Some(source) == from);
        let mut reachable: Vec<String> = paths.map(|(_, target)| target).collect();
        // The server's order differs from release to release.
        reachable.sort_by_key(|version| (numbers(version), version.clone()));
        depth.reachable.insert((*name).to_string(), reachable);
    }
    database.depth = Some(depth);
    Ok(())
}

/// The numbers in a version, to sort versions by.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(|c: char| !c.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

fn statements(server: &Server, database: &Database, scope: &Scope<'_>, policy: &Policy) -> String {
    let trusted = if server.number >= 130_000 {
        "trusted"
    } else {
        "false"
    };
    let mut sql = format!(
        "BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; {} \
         SELECT name, version, superuser, {trusted}, relocatable, schema, array_to_json(requires) FROM pg_available_extension_versions(); \
         SELECT name, default_version FROM pg_available_extensions(); \
         {SCHEMAS} {SETTINGS} {PEOPLE} {NEEDS} {FOREIGN_MEMBERS}",
        limits(policy)
    );
    if database.role.superuser {
        sql += PRELOAD_FILE;
    }
    for name in &scope.going {
        sql += &dependents::sql(name, &scope.going);
    }
    for name in &scope.moving {
        sql += &scattered_sql(name);
    }
    for name in &scope.there {
        // An extension that is installed may have lost its control file, and then has no update
        // paths to ask for.
        sql += &format!(
            "SELECT source, target FROM (SELECT name FROM pg_available_extensions() WHERE name = {} OFFSET 0) a, \
             LATERAL pg_extension_update_paths(a.name) WHERE path IS NOT NULL ORDER BY source, length(target), target;",
            literal(name)
        );
    }
    sql + "COMMIT;"
}

/// Members outside the extension's schema, as the statements that bring them back.
fn scattered_sql(name: &str) -> String {
    format!(
        "SELECT format('ALTER %s %s SET SCHEMA %I', upper(i.type), i.identity, n.nspname) FROM pg_extension e \
         JOIN pg_namespace n ON n.oid = e.extnamespace JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass \
         AND d.refobjid = e.oid AND d.deptype = 'e', pg_identify_object(d.classid, d.objid, 0) i \
         WHERE e.extname = {} AND i.schema <> n.nspname ORDER BY 1;",
        literal(name)
    )
}

fn words(rows: &[SimpleQueryRow]) -> impl Iterator<Item = String> + '_ {
    rows.iter().filter_map(|row| text(row, 0))
}

fn pairs(rows: &[SimpleQueryRow]) -> impl Iterator<Item = (String, String)> + '_ {
    rows.iter()
        .filter_map(|row| Some((text(row, 0)?, text(row, 1)?)))
}

fn schema(row: &SimpleQueryRow) -> Option<(String, Schema)> {
    let schema = Schema {
        creates: truth(row, 1),
        owner: text(row, 2).unwrap_or_default(),
    };
    Some((text(row, 0)?, schema))
}

fn settings(rows: &[SimpleQueryRow], prefixes: &[SimpleQueryRow]) -> Settings {
    let row = |name: &str| rows.iter().find(|row| row.get(0) == Some(name));
    let value = |name: &str| row(name).and_then(|row| text(row, 1));
    let prefixes: BTreeSet<String> = words(prefixes).collect();
    Settings {
        preload: value("shared_preload_libraries"),
        preload_pending: row("shared_preload_libraries").is_some_and(|row| truth(row, 2)),
        preload_file: None,
        cron_database: value("cron.database_name"),
        whitelist: value("extwlist.extensions").map(|list| preload::elements(&list)),
        provider: None,
        prefixes,
    }
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
