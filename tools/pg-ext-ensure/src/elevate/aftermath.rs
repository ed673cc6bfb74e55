//! What a superuser's COMMAND may have left: new superusers, and objects that belong to one. Reported, never undone: that is for people.

use pgconn::Resolved;
use postgres::Client;

use super::right::Grant;
use crate::observe::{batch, databases, text};
use crate::report::Elevation;
use crate::sql::literal;

/// The most databases that are searched.
const DATABASES: usize = 64;

/// Who is a superuser, or may become one by `SET ROLE`.
///
/// # Errors
/// The server's.
pub fn superusers(client: &mut Client) -> Result<Vec<String>, postgres::Error> {
    let sql = "SET search_path = pg_catalog; SELECT r.rolname FROM pg_roles r WHERE r.rolsuper OR EXISTS \
               (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER')) ORDER BY 1";
    Ok(batch(client, sql)?
        .iter()
        .flatten()
        .filter_map(|row| text(row, 0))
        .collect())
}

/// Functions, tables, schemas and the like that are a superuser's and were made or changed since a transaction; members of extensions
/// come with these.
fn owned_sql(transaction: &str) -> String {
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
    format!(
        "SET search_path = pg_catalog; SELECT i.type || ' ' || i.identity FROM ({}) o JOIN pg_roles r ON r.oid = o.owner AND r.rolsuper, \
         pg_identify_object(o.class, o.oid, 0) i WHERE age(o.made) <= age({}::xid) AND NOT EXISTS (SELECT FROM pg_depend d \
         WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 100",
        each.join(" UNION ALL "),
        literal(transaction)
    )
}

/// Looks, once the right is gone.
pub fn look(
    admin: &Resolved,
    grant: &Grant,
    before: &[String],
    elevation: &mut Elevation,
    warnings: &mut Vec<String>,
) {
    let unseen = |why: String| format!("could not look for what COMMAND left: {why}");
    let mut client = match admin.connect() {
        Ok(connected) => connected.client,
        Err(error) => return warnings.push(unseen(error.message)),
    };
    match superusers(&mut client) {
        Ok(now) => {
            elevation.new_superusers = now
                .into_iter()
                .filter(|role| !before.contains(role))
                .collect();
        }
        Err(error) => warnings.push(unseen(error.to_string())),
    }
    if !elevation.new_superusers.is_empty() {
        warnings.push(format!(
            "there are superusers now that there were not before: {}",
            elevation.new_superusers.join(", ")
        ));
    }
    let Some(transaction) = &grant.transaction else {
        return;
    };
    let names = databases(&mut client).unwrap_or_default();
    if names.len() > DATABASES {
        warnings.push(format!(
            "only {DATABASES} of {} databases were searched for objects of superusers",
            names.len()
        ));
    }
    for name in names.iter().take(DATABASES) {
        let Ok(mut connected) = admin.with_database(name).connect() else {
            continue;
        };
        match batch(&mut connected.client, &owned_sql(transaction)) {
            Ok(rows) => elevation.new_owned.extend(
                rows.iter()
                    .flatten()
                    .filter_map(|row| Some(format!("{name}: {}", text(row, 0)?))),
            ),
            Err(error) => warnings.push(unseen(error.to_string())),
        }
    }
    if !elevation.new_owned.is_empty() {
        warnings.push(format!(
            "{} objects that belong to a superuser are new or changed",
            elevation.new_owned.len()
        ));
    }
}
