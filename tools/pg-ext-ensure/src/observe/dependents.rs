//! What a drop of an extension would take along, by the rules of the server's own dependency walk:
//! everything that depends on a member, and whatever depends on that, with the whole object in
//! place of its internal part and the extension in place of its members.

use postgres::SimpleQueryRow;

use super::text;
use crate::catalog::Dependent;
use crate::sql::{array, literal};

/// The statement. It does not walk past other extensions that are dropped in the same run: their
/// own dependents count there.
pub(super) fn sql(name: &str, going: &[&str]) -> String {
    format!(
        "WITH RECURSIVE target AS (SELECT oid FROM pg_extension WHERE extname = {name}), \
         going AS (SELECT oid FROM pg_extension WHERE extname = ANY ({going}) AND extname <> {name}), \
         reached(classid, objid, objsubid) AS (SELECT 'pg_extension'::regclass::oid, oid, 0 FROM target \
           UNION SELECT n.classid, n.objid, n.objsubid FROM reached r CROSS JOIN LATERAL ( \
             SELECT d.classid, d.objid, d.objsubid FROM pg_depend d WHERE d.refclassid = r.classid AND d.refobjid = r.objid \
               AND (r.objsubid = 0 OR d.refobjsubid = r.objsubid) AND d.deptype IN ('n', 'a', 'i', 'e', 'x', 'P', 'S') \
             UNION ALL SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_depend d WHERE d.classid = r.classid \
               AND d.objid = r.objid AND d.objsubid = r.objsubid AND d.deptype IN ('i', 'e')) n \
           WHERE r.classid <> 'pg_extension'::regclass OR r.objid NOT IN (SELECT oid FROM going)), \
         own(classid, objid) AS (SELECT d.classid, d.objid FROM pg_depend d JOIN reached r ON r.classid = 'pg_extension'::regclass \
             AND d.refclassid = r.classid AND d.refobjid = r.objid WHERE d.deptype = 'e' \
           UNION SELECT d.classid, d.objid FROM pg_depend d JOIN own o ON d.refclassid = o.classid AND d.refobjid = o.objid \
             WHERE d.deptype IN ('a', 'i')) \
         SELECT DISTINCT i.type || ' ' || i.identity, e.extname, e.extname IS NOT NULL FROM reached r \
           LEFT JOIN pg_extension e ON r.classid = 'pg_extension'::regclass AND e.oid = r.objid, \
           pg_identify_object(r.classid, r.objid, r.objsubid) i \
         WHERE (r.classid, r.objid) NOT IN (SELECT classid, objid FROM own) AND (e.oid IS NULL OR e.oid NOT IN (SELECT oid FROM target)) \
           AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = r.classid AND p.objid = r.objid AND p.objsubid = r.objsubid \
             AND p.deptype = 'i') ORDER BY 3, 1;",
        name = literal(name),
        going = array(going.iter().copied())
    )
}

/// What the statement gave.
pub(super) fn read(rows: &[SimpleQueryRow]) -> Vec<Dependent> {
    let each = |row: &SimpleQueryRow| {
        Some(Dependent {
            object: text(row, 0)?,
            extension: text(row, 1),
        })
    };
    rows.iter().filter_map(each).collect()
}
