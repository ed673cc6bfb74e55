//! What a superuser's COMMAND may have left: superusers, rights and memberships, objects that
//! belong to a superuser, functions in languages that run outside the database. Reported, never
//! undone: that is for people.

use std::collections::BTreeMap;

use pgconn::Resolved;
use postgres::Client;

use super::right::{LOCAL, failed, local};
use crate::cause::count;
use crate::observe::{Rows, batch, databases, text};
use crate::report::Elevation;
use crate::sql::literal;

/// The most databases that are searched.
const DATABASES: usize = 64;

/// Roles and their rights at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Who is a superuser, or may become one by `SET ROLE`.
    superusers: Vec<String>,
    /// Rights, memberships and settings, with the text for people.
    rights: BTreeMap<String, String>,
}

const SUPERUSERS: &str = "SELECT r.rolname FROM pg_roles r WHERE r.rolsuper OR EXISTS \
     (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER')) ORDER BY 1";

/// Each right with a key that changes with its value, and the text for people. A setting's value
/// may be a secret, and is not shown.
const RIGHTS: &str = "SELECT 'role ' || quote_ident(rolname) || ' has ' || a.name AS key, NULL FROM pg_roles, LATERAL (VALUES \
       ('LOGIN', rolcanlogin), ('CREATEROLE', rolcreaterole), ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) a(name, has) \
       WHERE a.has \
     UNION ALL SELECT 'password ' || rolname || ' ' || hashtext(rolpassword), 'password of role ' || quote_ident(rolname) \
       FROM pg_authid WHERE rolpassword IS NOT NULL \
     UNION ALL SELECT 'role ' || quote_ident(m.rolname) || ' is a member of ' || quote_ident(g.rolname) \
       || CASE WHEN a.admin_option THEN ' with ADMIN OPTION' ELSE '' END, NULL \
       FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid \
     UNION ALL SELECT s.setdatabase || '/' || s.setrole || '/' || c, 'setting ' || split_part(c, '=', 1) || ' of ' \
       || coalesce('role ' || quote_ident(r.rolname), 'all roles') || coalesce(' in database ' || quote_ident(d.datname), '') \
       FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c LEFT JOIN pg_roles r ON r.oid = s.setrole \
       LEFT JOIN pg_database d ON d.oid = s.setdatabase \
     UNION ALL SELECT 'server setting ' || name || '=' || coalesce(setting, ''), 'setting ' || name || ' in ' || sourcefile \
       FROM pg_file_settings WHERE sourcefile LIKE '%postgresql.auto.conf'";

/// Reads roles and rights in the transaction that is open. `search_path` is pg_catalog there.
///
/// # Errors
/// The server's.
pub fn snapshot(client: &mut Client) -> Result<Snapshot, postgres::Error> {
    read(&batch(client, &format!("{SUPERUSERS}; {RIGHTS}"))?)
}

fn read(rows: &Rows) -> Result<Snapshot, postgres::Error> {
    let at = |i: usize| rows.get(i).map_or(&[][..], Vec::as_slice);
    Ok(Snapshot {
        superusers: at(0).iter().filter_map(|row| text(row, 0)).collect(),
        rights: at(1)
            .iter()
            .filter_map(|row| {
                let key = text(row, 0)?;
                Some((key.clone(), text(row, 1).unwrap_or(key)))
            })
            .collect(),
    })
}

/// Functions, tables, schemas and the like that are a superuser's, and functions in untrusted
/// languages, that were made or changed since a transaction; members of extensions come with these.
fn objects_sql(transaction: &str) -> String {
    let kinds = [
        (
            "pg_class",
            "relowner",
            "relkind IN ('r', 'v', 'm', 'f', 'p', 'S')",
        ),
        ("pg_proc", "proowner", "true"),
        ("pg_namespace", "nspowner", "nspname !~ '^pg_(toast|temp)'"),
        ("pg_extension", "extowner", "true"),
        ("pg_event_trigger", "evtowner", "true"),
        ("pg_foreign_data_wrapper", "fdwowner", "true"),
        ("pg_foreign_server", "srvowner", "true"),
        ("pg_language", "lanowner", "true"),
    ];
    let each: Vec<String> = kinds
        .iter()
        .map(|(catalog, owner, only)| {
            format!("SELECT '{catalog}'::regclass::oid AS class, oid, {owner} AS owner, xmin AS made FROM {catalog} WHERE {only}")
        })
        .collect();
    let since = format!(
        "age(o.made) <= age({}::xid) AND NOT EXISTS (SELECT FROM pg_depend d \
         WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')",
        literal(transaction)
    );
    let owned = format!(
        "SELECT i.type || ' ' || i.identity FROM ({}) o JOIN pg_roles r ON r.oid = o.owner AND r.rolsuper, \
         pg_identify_object(o.class, o.oid, 0) i WHERE {since} ORDER BY 1 LIMIT 100",
        each.join(" UNION ALL ")
    );
    let untrusted = format!(
        "SELECT i.type || ' ' || i.identity || ' (' || o.lanname || ')' FROM (SELECT 'pg_proc'::regclass::oid AS class, p.oid, \
         p.xmin AS made, l.lanname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE NOT l.lanpltrusted \
         AND l.lanname <> 'sql') o, pg_identify_object(o.class, o.oid, 0) i WHERE {since} ORDER BY 1 LIMIT 100"
    );
    local(&format!("{owned}; {untrusted}"))
}

/// Looks, once the right is gone.
pub fn look(
    admin: &Resolved,
    transaction: Option<&str>,
    before: &Snapshot,
    elevation: &mut Elevation,
    warnings: &mut Vec<String>,
) {
    let unseen = |why: String| format!("could not look for what COMMAND left: {why}");
    let mut client = match admin.connect() {
        Ok(connected) => connected.client,
        Err(error) => return warnings.push(unseen(error.message)),
    };
    let rows = batch(&mut client, &local(&format!("{SUPERUSERS}; {RIGHTS}")));
    match rows.and_then(|rows| read(&rows.into_iter().skip(LOCAL).collect())) {
        Ok(now) => compare(before, now, elevation),
        Err(error) => warnings.push(unseen(failed(&error).message)),
    }
    if let Some(transaction) = transaction {
        objects(admin, &mut client, transaction, elevation, warnings);
    }
    warnings.extend(findings(elevation));
}

fn compare(before: &Snapshot, now: Snapshot, elevation: &mut Elevation) {
    let superusers = now.superusers.into_iter();
    elevation.new_superusers = superusers
        .filter(|role| !before.superusers.contains(role))
        .collect();
    let rights = now.rights.into_iter();
    elevation.new_rights = rights
        .filter(|(key, _)| !before.rights.contains_key(key))
        .map(|(_, shown)| shown)
        .collect();
    elevation.new_rights.sort();
}

fn objects(
    admin: &Resolved,
    client: &mut Client,
    transaction: &str,
    elevation: &mut Elevation,
    warnings: &mut Vec<String>,
) {
    let names = databases(client).unwrap_or_default();
    if names.len() > DATABASES {
        warnings.push(format!(
            "only {DATABASES} of {} databases were searched for objects of superusers",
            names.len()
        ));
    }
    for name in names.iter().take(DATABASES) {
        let found = match admin.with_database(name).connect() {
            Ok(mut connected) => batch(&mut connected.client, &objects_sql(transaction))
                .map_err(|error| failed(&error).message),
            Err(error) => Err(error.message),
        };
        match found {
            Ok(rows) => {
                let shown = |i: usize| {
                    let rows = rows.get(LOCAL + i).into_iter().flatten();
                    rows.filter_map(|row| Some(format!("{name}: {}", text(row, 0)?)))
                };
                elevation.new_owned.extend(shown(0));
                elevation.new_untrusted.extend(shown(1));
            }
            Err(why) => warnings.push(format!("could not search database '{name}': {why}")),
        }
    }
}

/// What is worth a warning.
fn findings(elevation: &Elevation) -> Vec<String> {
    let mut found = Vec::new();
    if !elevation.new_superusers.is_empty() {
        let roles = elevation.new_superusers.join(", ");
        found.push(format!("new superusers since the elevation: {roles}"));
    }
    for (all, noun, what) in [
        (&elevation.new_rights, "right", "new since the elevation"),
        (
            &elevation.new_owned,
            "object",
            "of a superuser, new or changed since the elevation",
        ),
        (
            &elevation.new_untrusted,
            "function",
            "in an untrusted language, new or changed since the elevation",
        ),
    ] {
        if !all.is_empty() {
            found.push(format!("{} {what}", count(all.len(), noun)));
        }
    }
    found
}
