//! Extensions as Debian packages them, with requirements of their own: libraries that have to be
//! loaded, whitelists, PostGIS.

use super::{apply, ensure, installed, item};
use harness::postgres::Postgres;
use serde_json::{Value, json};

#[test]
fn a_library_that_is_not_loaded_is_told_and_the_list_is_kept() {
    let mut server = Postgres::builder()
        .set("shared_preload_libraries", "auto_explain")
        .start();
    server.create_app("app");
    let run = |server: &Postgres, role: &str, words: &[&str]| {
        ensure(server, role, "app").args(words).run()
    };
    let words = ["pgaudit", "pg_stat_statements"];
    for options in [&["-n"][..], &[]] {
        let output = run(&server, "postgres", &[options, &words].concat()).expect_code(3);
        assert_eq!(item(&output, "pgaudit")["error"]["sqlstate"], "55000");
        let statements = item(&output, "pg_stat_statements");
        assert_eq!(
            (&statements["loaded"], &statements["error"]),
            (&json!(false), &Value::Null)
        );
        assert!(
            statements["fix"]["summary"]
                .as_str()
                .unwrap()
                .contains("'pg_stat_statements'")
        );
    }
    // It is there now, and every use fails: that is not ok.
    let output = run(&server, "postgres", &["pg_stat_statements"]).expect_code(1);
    assert_eq!(
        output.json()["msg"],
        "1 without the library that the server has to load"
    );
    let used = server.psql_as("postgres", "app", "SELECT * FROM pg_stat_statements;");
    assert!(!used.status.success());
    // A role that cannot see the list is told what to add, not what to set.
    let blind = run(&server, "app", &["pgaudit"]).expect_code(3);
    let fix = &item(&blind, "pgaudit")["fix"];
    assert_eq!(fix["steps"][0]["kind"], "edit");
    assert!(!fix.to_string().contains("ALTER SYSTEM"), "{fix}");
    // The statement keeps what is in the list, and the next one what was added but not loaded yet.
    for name in words {
        let output = run(&server, "postgres", &[name]);
        apply(&server, "postgres", &item(&output, name)["fix"]);
        server.psql("postgres", "SELECT pg_reload_conf()");
    }
    let pending = run(&server, "postgres", &["pgaudit"]).expect_code(3);
    let fix = &item(&pending, "pgaudit")["fix"];
    assert!(
        fix["summary"]
            .as_str()
            .unwrap()
            .starts_with("restart the server"),
        "{fix}"
    );
    server.stop();
    server.start_again();
    assert_eq!(
        server.psql("postgres", "SHOW shared_preload_libraries"),
        "auto_explain, pgaudit, pg_stat_statements"
    );
    let output = run(&server, "postgres", &words).expect_code(0);
    assert_eq!(item(&output, "pgaudit")["loaded"], true);
    let seen = run(&server, "app", &words).expect_code(0);
    assert_eq!(item(&seen, "pg_stat_statements")["loaded"], true);
}

#[test]
fn pg_cron_is_created_where_it_works() {
    let mut server = Postgres::builder()
        .set("shared_preload_libraries", "pg_cron")
        .start();
    server.create_app("app");
    for options in [&["-n", "pg_cron"][..], &["pg_cron"]] {
        let output = ensure(&server, "postgres", "app")
            .args(options)
            .run()
            .expect_code(3);
        assert_eq!(item(&output, "pg_cron")["error"]["sqlstate"], "0A000");
    }
    // The server agrees.
    let refused = server.psql_as("postgres", "app", "CREATE EXTENSION pg_cron");
    assert!(!refused.status.success());
    let output = ensure(&server, "postgres", "app").arg("pg_cron").run();
    let fix = item(&output, "pg_cron")["fix"].clone();
    apply(&server, "app", &fix);
    assert_eq!(installed(&server, "postgres"), ["pg_cron"]);
    assert!(installed(&server, "app").is_empty());
    // The other way loses the jobs of the first database, and says that.
    let other = &fix["alternatives"][0];
    assert_eq!(other["destructive"], true);
    apply(&server, "postgres", other);
    server.stop();
    server.start_again();
    ensure(&server, "postgres", "app")
        .arg("pg_cron")
        .run()
        .expect_code(0);
}

#[test]
fn a_whitelist_is_foreseen_and_the_application_is_tried_first() {
    let server = Postgres::builder()
        .set("session_preload_libraries", "pgextwlist")
        .set("extwlist.extensions", "dblink,pg_buffercache")
        .start();
    server.create_app("app");
    let admin = server.dsn("postgres", "postgres");
    let run = |words: &[&str]| {
        ensure(&server, "app", "app")
            .args(["--admin", &admin])
            .args(words)
            .run()
    };
    let foreseen = run(&["-n", "dblink", "file_fdw"]).expect_code(1);
    let done = run(&["dblink", "file_fdw"]).expect_code(0);
    for output in [&foreseen, &done] {
        let listed = item(output, "dblink");
        assert_eq!(
            (&listed["via"], &listed["after"]["owner"]),
            (&json!("app"), &json!("postgres"))
        );
        assert_eq!(item(output, "file_fdw")["via"], "admin");
    }
    // Whatever is foreseen wrongly is tried all the same: a whitelist that this role's catalog does
    // not show.
    assert_eq!(installed(&server, "app"), ["dblink", "file_fdw"]);
    ensure(&server, "app", "app")
        .args(["-n", "--absent", "dblink"])
        .run()
        .expect_code(1);
    ensure(&server, "app", "app")
        .args(["--absent", "dblink"])
        .run()
        .expect_code(0);
}

#[test]
fn postgis_is_updated_by_its_own_function_and_its_dependents_are_few() {
    let server = Postgres::start();
    server.psql("postgres", "CREATE DATABASE maps");
    let run = |words: &[&str]| ensure(&server, "postgres", "maps").args(words).run();
    run(&["postgis"]).expect_code(0);
    run(&["--create-cascade", "postgis_topology", "postgis_raster"]).expect_code(0);
    server.psql("maps", "CREATE TABLE places (id int, at geometry)");
    let stopped = run(&["-n", "--absent", "postgis"]).expect_code(3);
    assert_eq!(
        item(&stopped, "postgis")["lost"],
        json!([
            "table column public.places.at",
            "extension postgis_raster",
            "extension postgis_topology"
        ])
    );
    let default = server.psql(
        "maps",
        "SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'",
    );
    server.psql(
        "maps",
        "UPDATE pg_extension SET extversion = (SELECT source FROM pg_extension_update_paths('postgis') p \
         WHERE p.target = pg_extension.extversion AND path IS NOT NULL AND source ~ '^3[.][0-9.]+$' \
         AND source <> pg_extension.extversion ORDER BY string_to_array(source, '.')::int[] DESC LIMIT 1) \
         WHERE extname IN ('postgis', 'postgis_raster', 'postgis_topology')",
    );
    let old = item(&run(&["postgis"]).expect_code(0), "postgis");
    assert_ne!(old["after"]["version"], json!(default));
    let output = run(&["postgis@latest"]).expect_code(0);
    let updated = item(&output, "postgis");
    assert_eq!(
        (&updated["after"]["version"], &updated["sql"]),
        (
            &json!(default),
            &json!(["SELECT \"public\".postgis_extensions_upgrade()"])
        )
    );
    assert!(
        !updated["notices"].as_array().unwrap().is_empty(),
        "PostGIS tells what it does: {updated}"
    );
    // All of one family: they have to fit together.
    let versions = server.psql(
        "maps",
        "SELECT count(DISTINCT extversion) FROM pg_extension WHERE extname LIKE 'postgis%'",
    );
    assert_eq!(versions, "1");
}

/// The table of package names agrees with what dpkg says of every control file on this machine.
#[test]
fn the_package_of_every_control_file_here_is_known() {
    use distro::extension::{Packaged, find};
    let distro = distro::Distro::here();
    let version = harness::postgres::version();
    let directory = format!("/usr/share/postgresql/{version}/extension");
    let mut checked = 0;
    for entry in std::fs::read_dir(&directory).unwrap().flatten() {
        let file = entry.file_name().into_string().unwrap();
        // PostGIS' are links to files of another name, through update-alternatives.
        let other = |name: &&str| *name != "plpgsql" && !name.ends_with("-3");
        let Some(name) = file.strip_suffix(".control").filter(other) else {
            continue;
        };
        let path = std::fs::canonicalize(entry.path()).unwrap();
        let owner = std::process::Command::new("dpkg")
            .arg("-S")
            .arg(path)
            .output()
            .unwrap();
        let owner = String::from_utf8_lossy(&owner.stdout).into_owned();
        let owner = owner.split(':').next().unwrap_or_default();
        let found = match find(name, &version, &distro) {
            Packaged::Here(package) | Packaged::Server(package) => package,
            other => panic!("{name} of {owner}: {other:?}"),
        };
        // PostGIS has its scripts and control files in a package that the named one depends on.
        assert!(
            owner == found || owner == format!("{found}-scripts"),
            "{name}: {owner}, not {found}"
        );
        checked += 1;
    }
    assert!(checked > 40, "{checked}");
}

/// Debian 13 has pgvector, Debian 12 does not.
#[test]
fn pgvector_is_created_where_debian_has_it() {
    let version = harness::postgres::version();
    let control = format!("/usr/share/postgresql/{version}/extension/vector.control");
    let distro = distro::Distro::here();
    let packaged = match distro::extension::find("vector", &version, &distro) {
        distro::extension::Packaged::Here(package) => Some(package),
        _ => None,
    };
    let server = Postgres::shared();
    let app = harness::postgres::unique("vectors");
    server.create_app(&app);
    let run = |words: &[&str]| ensure(server, &app, &app).args(words).arg("vector").run();
    if std::path::Path::new(&control).exists() {
        assert_eq!(packaged, Some(format!("postgresql-{version}-pgvector")));
        // Its control file does not say trusted.
        run(&["-n"]).expect_code(3);
        let fix = item(&run(&[]).expect_code(3), "vector")["fix"].clone();
        apply(server, &app, &fix);
        run(&[]).expect_code(0);
        server.psql(
            &app,
            "CREATE TABLE t (v vector(3)); INSERT INTO t VALUES ('[1,2,3]')",
        );
        let kept = item(&run(&["-n", "--absent", "hstore"]).expect_code(0), "vector");
        assert_eq!(kept["action"], "none");
        return;
    }
    let output = run(&[]).expect_code(3);
    let missing = item(&output, "vector");
    match packaged {
        Some(package) => assert_eq!(missing["package"], package),
        None => {
            assert_eq!(missing["fix"]["steps"], json!([]));
            let summary = missing["fix"]["summary"].as_str().unwrap();
            let name = format!("postgresql-{version}-pgvector");
            assert!(
                summary.contains(&name) && summary.contains("repository"),
                "{summary}"
            );
        }
    }
}
