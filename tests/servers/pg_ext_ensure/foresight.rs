//! `-n` says what a real run then does: over roles and extensions, cell by cell, each in a database
//! of its own.

use super::ensure;
use harness::postgres::{Postgres, unique};
use harness::{Tool, full_sweep};
use serde_json::Value;

const ROLES: [&str; 4] = ["superuser", "owner", "creator", "nobody"];

/// What is asked for, and what is there before.
const ASKED: &[(&str, &[&str])] = &[
    ("", &["hstore"]),
    ("", &["dblink"]),
    ("", &["gone"]),
    ("", &["plainly"]),
    ("", &["earthdistance"]),
    ("", &["--create-cascade", "earthdistance"]),
    ("", &["--create-cascade", "needy"]),
    ("", &["earthdistance", "cube"]),
    ("", &["hstore@1.4"]),
    ("", &["hstore@77"]),
    ("", &["hstore:nowhere"]),
    ("", &["--create-schema", "hstore:made"]),
    ("", &["fixed:public"]),
    ("", &["fixed"]),
    ("", &["--absent", "hstore"]),
    ("CREATE EXTENSION hstore VERSION '1.4'", &["hstore"]),
    ("CREATE EXTENSION hstore VERSION '1.4'", &["hstore@1.8"]),
    ("CREATE EXTENSION hstore VERSION '1.4'", &["hstore@latest"]),
    ("CREATE EXTENSION hstore VERSION '1.4'", &["hstore@1.1"]),
    ("CREATE EXTENSION hstore", &["--absent", "hstore"]),
    (
        "CREATE EXTENSION hstore; CREATE TABLE t (h hstore)",
        &["--absent", "hstore"],
    ),
    (
        "CREATE EXTENSION hstore; CREATE TABLE t (h hstore)",
        &["--drop-cascade", "--absent", "hstore"],
    ),
    (
        "CREATE EXTENSION hstore; CREATE SCHEMA other",
        &["hstore:other"],
    ),
    (
        "CREATE EXTENSION hstore; CREATE SCHEMA other",
        &["--fix-schema", "hstore:other"],
    ),
    (
        "CREATE EXTENSION hstore",
        &["--fix-schema", "hstore:nowhere"],
    ),
    (
        "CREATE EXTENSION stiff",
        &["--fix-schema", "stiff:pg_catalog"],
    ),
];

#[test]
fn a_dry_run_says_what_a_real_run_does() {
    let server = Postgres::start();
    server.psql(
        "postgres",
        "CREATE ROLE superuser SUPERUSER LOGIN; CREATE ROLE owner LOGIN; CREATE ROLE creator LOGIN; CREATE ROLE nobody LOGIN",
    );
    server.add_extension(
        "plainly",
        "superuser = false\ndefault_version = '1'\n",
        &[("1", "CREATE TABLE plainly ();")],
    );
    server.add_extension(
        "stiff",
        "relocatable = false\ntrusted = true\ndefault_version = '1'\n",
        &[("1", "CREATE TABLE stiff ();")],
    );
    server.add_extension(
        "fixed",
        "relocatable = false\nschema = pg_catalog\ndefault_version = '1'\n",
        &[(
            "1",
            "CREATE FUNCTION fixed() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        )],
    );
    server.add_extension(
        "needy",
        "trusted = true\ndefault_version = '1'\nrequires = 'cube, gone'\n",
        &[("1", "")],
    );
    let cells: Vec<_> = ROLES
        .iter()
        .flat_map(|role| ASKED.iter().map(move |asked| (*role, *asked)))
        .collect();
    // The short form takes every second cell, a different one for each role.
    let cells: Vec<_> = cells
        .into_iter()
        .enumerate()
        .filter(|(i, _)| full_sweep() || (i + i / ASKED.len()) % 2 == 0)
        .map(|(_, c)| c)
        .collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts = cells.chunks(cells.len().div_ceil(4));
        let running: Vec<_> = parts
            .map(|part| {
                scope.spawn(|| {
                    part.iter()
                        .filter_map(|cell| differs(&server, cell))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    assert!(
        wrong.is_empty(),
        "{} of {} cells:\n{}",
        wrong.len(),
        cells.len(),
        wrong.join("\n")
    );
}

fn differs(server: &Postgres, (role, (before, words)): &(&str, (&str, &[&str]))) -> Option<String> {
    let database = unique("cell");
    server.psql(
        "postgres",
        &format!("CREATE DATABASE {database} OWNER owner"),
    );
    server.psql(
        &database,
        &format!("GRANT CREATE ON DATABASE {database} TO creator; {}", before),
    );
    if before.contains("CREATE EXTENSION") && *role == "owner" {
        // Once as the extension's own owner.
        server.psql(
            &database,
            "UPDATE pg_extension SET extowner = 'owner'::regrole WHERE extname <> 'plpgsql'",
        );
    }
    disagreement(|| ensure(server, role, &database), words)
        .map(|how| format!("{role} {words:?} after {before:?}: {how}"))
}

/// A dry run, a real one and a dry one again: how they disagree, if they do.
pub fn disagreement(tool: impl Fn() -> Tool, words: &[&str]) -> Option<String> {
    let dry = tool().arg("-n").args(words).run();
    let real = tool().args(words).run();
    let (foreseen, done) = (outline(&dry.json()), outline(&real.json()));
    let codes = match (dry.code(), real.code()) {
        // What would change has changed; drift is the same answer twice.
        (1, 0) => dry.json()["changed"] == true,
        (1, 1) => dry.json()["changed"] == real.json()["changed"],
        (dry, real) => dry == real,
    };
    // A second dry run agrees with what was done.
    let again = tool().arg("-n").args(words).run();
    let settled = real.code() != 0 || again.code() == 0;
    (foreseen != done || !codes || !settled).then(|| {
        format!(
            "-n {} {foreseen:?}, then {} {done:?}, then {}",
            dry.code(),
            real.code(),
            again.code()
        )
    })
}

/// What has to agree: for each extension action, whose rights, SQLSTATE and how it is afterwards.
fn outline(report: &Value) -> Vec<String> {
    let items = report["items"].as_array().unwrap().iter();
    let each = items.map(|i| {
        format!(
            "{} {} {} {} {} {}",
            i["name"], i["action"], i["via"], i["error"]["sqlstate"], i["after"], i["requires"]
        )
    });
    each.collect()
}
