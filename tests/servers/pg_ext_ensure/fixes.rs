//! Every fix that is printed is done, as the role that it names, and mends its cause without taking
//! anything along.

use super::sqlstate::Holder;
use super::{apply, ensure, installed, item};
use harness::postgres::{Postgres, unique};
use serde_json::{Value, json};

/// A gap: what is there before (as the superuser), what is asked for as which role, and what the
/// server would say.
struct Gap {
    before: &'static str,
    role: &'static str,
    words: &'static [&'static str],
    sqlstate: &'static str,
    /// What the database has afterwards.
    after: &'static [&'static str],
}

const fn gap(
    before: &'static str,
    role: &'static str,
    words: &'static [&'static str],
    sqlstate: &'static str,
    after: &'static [&'static str],
) -> Gap {
    Gap {
        before,
        role,
        words,
        sqlstate,
        after,
    }
}

const GAPS: &[Gap] = &[
    // Nowhere to create in: nothing lands in pg_catalog.
    gap(
        "DROP SCHEMA public",
        "app",
        &["citext"],
        "3F000",
        &["citext public"],
    ),
    gap(
        "ALTER ROLE app IN DATABASE @ SET search_path = ''",
        "app",
        &["citext"],
        "3F000",
        &["citext public"],
    ),
    // Rights.
    gap("", "low", &["hstore@latest"], "42501", &["hstore public"]),
    gap(
        "",
        "low",
        &["--create-schema", "hstore:made"],
        "42501",
        &["hstore made"],
    ),
    gap("", "app", &["dblink"], "42501", &["dblink public"]),
    gap("", "low", &["plainly:closed"], "42501", &["plainly closed"]),
    gap(
        "CREATE EXTENSION hstore VERSION '1.4'",
        "app",
        &["hstore@1.8"],
        "42501",
        &["hstore public"],
    ),
    gap(
        "CREATE EXTENSION hstore VERSION '1.4'",
        "app",
        &["hstore@latest"],
        "42501",
        &["hstore public"],
    ),
    gap(
        "CREATE EXTENSION hstore",
        "app",
        &["--absent", "hstore"],
        "42501",
        &[],
    ),
    // Requests that cannot be had as they stand.
    gap(
        "",
        "postgres",
        &["earthdistance"],
        "42704",
        &["cube public", "earthdistance public"],
    ),
    gap("", "app", &["hstore@99"], "22023", &["hstore public"]),
    gap(
        "CREATE EXTENSION hstore VERSION '1.4'",
        "postgres",
        &["hstore@1.1"],
        "22023",
        &["hstore public"],
    ),
    gap(
        "",
        "app",
        &["hstore@latest:nowhere"],
        "3F000",
        &["hstore nowhere"],
    ),
    gap(
        "",
        "postgres",
        &["fixed:public"],
        "0A000",
        &["fixed pg_catalog"],
    ),
    gap(
        "CREATE EXTENSION stiff",
        "postgres",
        &["--fix-schema", "stiff:closed"],
        "0A000",
        &["stiff public"],
    ),
    gap(
        "CREATE EXTENSION hstore; ALTER FUNCTION hstore_in(cstring) SET SCHEMA closed",
        "postgres",
        &["--fix-schema", "hstore:other"],
        "0A000",
        &["hstore other"],
    ),
    gap(
        "ALTER ROLE app IN DATABASE @ SET default_transaction_read_only = on",
        "app",
        &["isn"],
        "25006",
        &["isn public"],
    ),
    gap(
        "",
        "app",
        &["--statement-timeout", "200ms", "sleepy"],
        "57014",
        &["sleepy public"],
    ),
];

#[test]
fn each_fix_mends_its_cause() {
    let server = Postgres::start();
    server.psql("postgres", "CREATE ROLE app LOGIN; CREATE ROLE low LOGIN");
    server.add_extension(
        "plainly",
        "superuser = false\nrelocatable = true\ndefault_version = '1'\n",
        &[("1", "CREATE TABLE plainly ();")],
    );
    server.add_extension(
        "fixed",
        "default_version = '1'\nschema = 'pg_catalog'\n",
        &[("1", "")],
    );
    server.add_extension(
        "stiff",
        "relocatable = false\ntrusted = true\ndefault_version = '1'\n",
        &[("1", "CREATE TABLE stiff ();")],
    );
    server.add_extension(
        "sleepy",
        "trusted = true\ndefault_version = '1'\n",
        &[("1", "SELECT pg_catalog.pg_sleep(0.5);")],
    );
    for gap in GAPS {
        mend(&server, gap);
    }
    // Nobody got more rights than asked for.
    assert_eq!(
        server.psql(
            "postgres",
            "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper"
        ),
        "postgres"
    );
    assert_eq!(
        server.psql(
            "postgres",
            "SELECT count(*) FROM pg_auth_members WHERE roleid::regrole::text !~ '^pg_'"
        ),
        "0"
    );
}

fn mend(server: &Postgres, gap: &Gap) {
    let database = unique("gap");
    server.psql("postgres", &format!("CREATE DATABASE {database} OWNER app"));
    server.psql(
        &database,
        "CREATE SCHEMA closed; CREATE SCHEMA other; GRANT USAGE ON SCHEMA closed TO low",
    );
    server.psql(&database, &gap.before.replace('@', &database));
    let before = installed(server, &database);
    let run = || ensure(server, gap.role, &database).args(gap.words).run();
    let output = run();
    let report = output.json();
    let failed = report["items"][0].clone();
    let at = format!("{:?} as {}: {failed}", gap.words, gap.role);
    assert_eq!(failed["error"]["sqlstate"], gap.sqlstate, "{at}");
    assert_eq!(installed(server, &database), before, "{at}");
    let fix = &failed["fix"];
    assert_eq!(fix["destructive"], json!(false), "{at}");
    let all = fix.to_string();
    assert!(
        !all.contains('…') && !all.contains("CASCADE") && !all.contains("GRANT \\\"postgres"),
        "{at}"
    );
    apply(server, &database, fix);
    // A statement mends what was asked for; a command asks for something that can be had.
    if fix["steps"][0]["kind"] == "sql" {
        run().expect_code(0);
    }
    let found = server.psql(
        &database,
        "SELECT extname || ' ' || nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace \
         WHERE extname <> 'plpgsql' ORDER BY 1",
    );
    assert_eq!(found.lines().collect::<Vec<_>>(), gap.after, "{at}");
}

#[test]
fn a_lock_is_waited_for_and_a_database_is_made() {
    let server = Postgres::start();
    server.create_app("app");
    let mut holder = Holder::begin(
        &server,
        "app",
        "LOCK TABLE pg_extension IN SHARE ROW EXCLUSIVE MODE;",
    );
    let output = ensure(&server, "app", "app")
        .args(["--lock-timeout", "200ms", "isn"])
        .run()
        .expect_code(75);
    let fix = item(&output, "isn")["fix"].clone();
    assert_eq!(
        fix["steps"][0]["text"]
            .as_str()
            .unwrap()
            .matches("--lock-timeout")
            .count(),
        1
    );
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| apply(&server, "app", &fix));
        std::thread::sleep(std::time::Duration::from_millis(300));
        holder.say("COMMIT;");
        waiting.join().unwrap();
    });
    assert_eq!(installed(&server, "app"), ["isn"]);
    let output = ensure(&server, "app", "app")
        .args(["--db", "no where", "hstore"])
        .run()
        .expect_code(3);
    apply(&server, "postgres", &item(&output, "hstore")["fix"]);
    ensure(&server, "app", "app")
        .args(["--db", "no where", "hstore"])
        .run()
        .expect_code(0);
}

#[test]
fn an_update_that_others_stand_in_the_way_of_drops_nothing() {
    let server = Postgres::start();
    server.psql(
        "postgres",
        "CREATE EXTENSION pg_stat_statements VERSION '1.4'; CREATE VIEW slow AS SELECT * FROM pg_stat_statements",
    );
    let output = ensure(&server, "postgres", "postgres")
        .arg("pg_stat_statements@latest")
        .run()
        .expect_code(3);
    let refused = item(&output, "pg_stat_statements");
    let error = &refused["error"];
    assert_eq!(error["sqlstate"], "2BP01");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .contains("view slow depends on"),
        "{error}"
    );
    assert_eq!(
        (&refused["fix"]["steps"], &refused["fix"]["alternatives"]),
        (&json!([]), &Value::Null)
    );
    assert!(
        !output.err().contains("drop-cascade") && !output.err().contains("--absent"),
        "{}",
        output.err()
    );
    // The advice helps: the definition is kept.
    let kept = server.psql("postgres", "SELECT pg_get_viewdef('slow')");
    assert!(kept.contains("pg_stat_statements"));
    server.psql("postgres", "DROP VIEW slow");
    ensure(&server, "postgres", "postgres")
        .arg("pg_stat_statements@latest")
        .run();
    let newest = server.psql(
        "postgres",
        "SELECT extversion = default_version FROM pg_extension JOIN pg_available_extensions ON name = extname \
         WHERE extname = 'pg_stat_statements'",
    );
    assert_eq!(newest, "t");
}

#[test]
fn other_causes_behind_the_sqlstate_of_a_missing_control_file() {
    let server = Postgres::start();
    server.create_app("app");
    server.add_extension(
        "bodiless",
        "trusted = true\ndefault_version = '1'\n",
        &[(
            "1",
            "CREATE FUNCTION f() RETURNS int AS '$libdir/no_such_library', 'f' LANGUAGE c;",
        )],
    );
    let output = ensure(&server, "app", "app")
        .arg("bodiless")
        .run()
        .expect_code(3);
    let error = item(&output, "bodiless")["error"].clone();
    assert_eq!(error["sqlstate"], "58P01");
    assert!(
        error["cause"].as_str().unwrap().contains("another file"),
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("no_such_library"),
        "{error}"
    );
    // An update that changes a type which a view uses.
    server.add_extension(
        "typed",
        "trusted = true\ndefault_version = '2'\n",
        &[
            ("1", "CREATE TABLE typed (a int);"),
            ("1--2", "ALTER TABLE typed ALTER a TYPE bigint;"),
        ],
    );
    server.psql(
        "app",
        "CREATE EXTENSION typed VERSION '1'; CREATE VIEW uses AS SELECT a FROM typed",
    );
    let output = ensure(&server, "postgres", "app")
        .arg("typed@latest")
        .run()
        .expect_code(3);
    let error = item(&output, "typed")["error"].clone();
    assert_eq!(error["sqlstate"], "0A000");
    assert!(
        error["detail"].as_str().unwrap().contains("view uses"),
        "{error}"
    );
    assert!(!error.to_string().contains("control file"), "{error}");
}

/// Some libraries refuse an update once the old version was loaded, which any statement may do.
#[test]
fn an_update_is_the_first_statement_of_its_session() {
    let server = Postgres::start();
    server.create_app("app");
    let strict = "DO $$ BEGIN IF (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()) NOT LIKE 'ALTER EXTENSION%' \
                  OR (SELECT source FROM pg_settings WHERE name = 'lock_timeout') <> 'client' THEN \
                  RAISE EXCEPTION 'cannot be updated after the old version has already been loaded'; END IF; END $$;";
    server.add_extension(
        "strict",
        "trusted = true\nrelocatable = true\ndefault_version = '2'\n",
        &[("1", "CREATE TABLE strict ();"), ("1--2", strict)],
    );
    server.psql("app", "CREATE SCHEMA other AUTHORIZATION app");
    let run = |role: &str, words: &[&str]| ensure(&server, role, "app").args(words).run();
    run("app", &["strict@1"]).expect_code(0);
    let refused = server.psql_as("app", "app", "SELECT 1; ALTER EXTENSION strict UPDATE;");
    assert!(!refused.status.success(), "the extension is strict");
    let updated = item(
        &run("postgres", &["--fix-schema", "strict@latest:other"]).expect_code(0),
        "strict",
    );
    assert_eq!(
        (&updated["after"]["version"], &updated["after"]["schema"]),
        (&json!("2"), &json!("other"))
    );
    // Both or nothing: a schema that cannot be had undoes the update.
    run("postgres", &["--absent", "strict"]).expect_code(0);
    run("app", &["strict@1:public"]).expect_code(0);
    server.psql("app", "CREATE TABLE other.strict ()");
    let failed = item(
        &run("postgres", &["--fix-schema", "strict@latest:other"]).expect_code(3),
        "strict",
    );
    assert_eq!(failed["after"]["version"], "1", "{failed}");
}

#[test]
fn what_is_lost_is_listed_first_and_only_the_named_option_loses_it() {
    let server = Postgres::start();
    server.psql("postgres", "CREATE DATABASE shop");
    server.psql(
        "shop",
        "CREATE EXTENSION hstore; CREATE EXTENSION btree_gist; CREATE TABLE t (id int, h hstore, n hstore DEFAULT 'a=>1'); \
         CREATE INDEX by_h ON t USING gin (h); CREATE VIEW v AS SELECT h -> 'a' AS a FROM t; CREATE VIEW vv AS SELECT * FROM v; \
         ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (id WITH =)",
    );
    let run = |words: &[&str]| ensure(&server, "postgres", "shop").args(words).run();
    let lost = json!([
        "default value for public.t.n",
        "index public.by_h",
        "table column public.t.h",
        "table column public.t.n",
        "view public.v",
        "view public.vv",
    ]);
    // Creating what is required drops nothing.
    let words = ["--create-cascade", "earthdistance", "--absent", "hstore"];
    let kept = run(&words).expect_code(3);
    assert_eq!(item(&kept, "hstore")["lost"], lost);
    assert_eq!(item(&kept, "earthdistance")["action"], "create");
    let fix = &item(&kept, "hstore")["fix"];
    assert_eq!(
        (&fix["steps"], &fix["destructive"]),
        (&json!([]), &json!(false))
    );
    let loss = &fix["alternatives"][0];
    assert_eq!(loss["destructive"], true);
    assert!(
        loss["summary"]
            .as_str()
            .unwrap()
            .contains("default value for public.t.n"),
        "{loss}"
    );
    // A dry run lists the losses, in text as losses.
    let dry = run(&["-n", "--drop-cascade", "--absent", "hstore"]).expect_code(1);
    assert_eq!(item(&dry, "hstore")["lost"], lost);
    let text = run(&["-n", "-o", "text", "--drop-cascade", "--absent", "hstore"]).out();
    assert!(text.contains("LOST: table column public.t.h"), "{text}");
    // The server's own walk agrees: the same objects, but for those that it drops in silence.
    let notice = server.psql_as(
        "postgres",
        "shop",
        "BEGIN; DROP EXTENSION hstore CASCADE; ROLLBACK;",
    );
    let notice = String::from_utf8_lossy(&notice.stderr).into_owned();
    let said: Vec<&str> = notice
        .lines()
        .filter_map(|l| l.split_once("drop cascades to "))
        .map(|(_, what)| what)
        .collect();
    assert_eq!(
        said.len() - 1,
        [
            "column h of table t",
            "column n of table t",
            "view v",
            "view vv"
        ]
        .iter()
        .filter(|what| said.contains(what))
        .count(),
        "{notice}"
    );
    apply(&server, "shop", loss);
    assert_eq!(
        installed(&server, "shop"),
        ["btree_gist", "cube", "earthdistance"]
    );
    let gist = run(&["--absent", "btree_gist"]).expect_code(3);
    assert_eq!(
        item(&gist, "btree_gist")["lost"],
        json!(["table constraint apart on public.t"])
    );
    // In whatever order they are named.
    run(&["--absent", "cube", "--absent", "earthdistance"]).expect_code(0);
}

#[test]
fn an_administrator_who_cannot_be_reached_is_named() {
    let server = Postgres::start();
    server.create_app("app");
    let admin = "host=/nonexistent user=postgres password=hunter2";
    for (words, code) in [(&["dblink"][..], 75), (&["-n", "dblink"], 3)] {
        let output = ensure(&server, "app", "app")
            .args(["--admin", admin])
            .args(words)
            .run()
            .expect_code(code);
        let said = output.out() + &output.err();
        assert!(said.contains("--admin: connection to server"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let output = ensure(&server, "app", "app")
        .args(["--admin", admin, "dblink"])
        .run();
    let error = &output.json()["error"];
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("--admin: connection"),
        "{error}"
    );
}

#[test]
fn a_name_forges_no_line_and_a_database_may_be_called_recover() {
    let server = Postgres::start();
    server.create_app("app");
    server.psql("postgres", "CREATE DATABASE recover OWNER app");
    let output = ensure(&server, "app", "app")
        .args(["--db", "recover", "hstore"])
        .run()
        .expect_code(0);
    assert_eq!(item(&output, "hstore")["db"], "recover");
    let output = ensure(&server, "app", "app")
        .args(["--", "x\nhint: rm -rf /"])
        .run()
        .expect_code(3);
    assert!(
        !output
            .err()
            .lines()
            .any(|line| line.starts_with("hint: rm")),
        "{}",
        output.err()
    );
}
