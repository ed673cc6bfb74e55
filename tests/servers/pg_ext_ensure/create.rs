//! Making it so, and saying so: created, updated, moved, dropped, and then left alone.

use super::{ensure, installed, item};
use harness::postgres::{Postgres, unique};
use serde_json::json;

#[test]
fn created_once_and_then_left_alone() {
    let server = Postgres::shared();
    let app = unique("triple");
    server.create_app(&app);
    let run = |options: &[&str]| {
        ensure(server, &app, &app)
            .args(options)
            .args(["btree_gin", "hstore"])
            .run()
    };

    let report = run(&["-n"]).expect_code(1).json();
    assert_eq!(
        (&report["changed"], &report["failed"], &report["msg"]),
        (&json!(true), &json!(false), &json!("2 to be created"))
    );
    assert!(installed(server, &app).is_empty());

    let report = run(&[]).expect_code(0).json();
    assert_eq!(
        (&report["status"], &report["changed"], &report["msg"]),
        (&json!("ok"), &json!(true), &json!("2 created"))
    );
    assert_eq!(report["server"]["recovery"], json!(false));
    let version = server.psql(
        &app,
        "SELECT extversion FROM pg_extension WHERE extname = 'hstore'",
    );
    assert_eq!(
        report["items"][1],
        json!({"db": app, "name": "hstore", "want": {"state": "present", "version": null, "schema": null}, "before": null,
               "after": {"version": version, "schema": "public", "owner": app}, "action": "create", "via": "app", "trusted": true,
               "loaded": null, "requires": [], "sql": ["CREATE EXTENSION \"hstore\" SCHEMA \"public\""], "lost": [], "notices": [],
               "package": null, "error": null, "fix": null})
    );

    let report = run(&[]).expect_code(0).json();
    assert_eq!(
        (&report["changed"], &report["msg"]),
        (&json!(false), &json!("2 present"))
    );
    run(&["-n"]).expect_code(0);
    run(&["-q"]).expect_code(0).expect_silence();
}

#[test]
fn a_pinned_version_is_updated_to_and_an_unpinned_one_is_left() {
    let server = Postgres::shared();
    let app = unique("pin");
    server.create_app(&app);
    let run = |words: &[&str]| ensure(server, &app, &app).args(words).run();
    run(&["hstore@1.4"]).expect_code(0);
    let left = item(&run(&["hstore"]).expect_code(0), "hstore");
    assert_eq!(
        (&left["action"], &left["after"]["version"]),
        (&json!("none"), &json!("1.4"))
    );
    let updated = item(&run(&["hstore@1.7"]).expect_code(0), "hstore");
    assert_eq!(
        (&updated["action"], &updated["after"]["version"]),
        (&json!("update"), &json!("1.7"))
    );
    let newest = server.psql(
        &app,
        "SELECT default_version FROM pg_available_extensions WHERE name = 'hstore'",
    );
    run(&["-n", "hstore@latest"]).expect_code(1);
    run(&["-n", "--update", "hstore"]).expect_code(1);
    let latest = item(&run(&["hstore@latest"]).expect_code(0), "hstore");
    assert_eq!(
        (&latest["action"], &latest["after"]["version"]),
        (&json!("update"), &json!(newest))
    );
    run(&["-n", "--update", "hstore"]).expect_code(0);
    // There is no way back, and it says which ways there are.
    let back = run(&["hstore@1.4"]).expect_code(3);
    assert_eq!(item(&back, "hstore")["error"]["sqlstate"], "22023");
}

#[test]
fn a_schema_is_made_kept_and_mended_only_when_told() {
    let server = Postgres::shared();
    let app = unique("schema");
    server.create_app(&app);
    let run = |words: &[&str]| ensure(server, &app, &app).args(words).run();
    let missing = run(&["unaccent:ext"]).expect_code(3);
    assert_eq!(item(&missing, "unaccent")["error"]["sqlstate"], "3F000");
    assert!(installed(server, &app).is_empty());
    run(&["--create-schema", "unaccent:ext"]).expect_code(0);
    assert_eq!(
        server.psql(
            &app,
            "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'unaccent'"
        ),
        "ext"
    );

    let drifted = run(&["unaccent:public"]).expect_code(1);
    let report = drifted.json();
    assert_eq!(
        (&report["status"], &report["changed"], &report["failed"]),
        (&json!("no"), &json!(false), &json!(true))
    );
    assert_eq!(item(&drifted, "unaccent")["after"]["schema"], "ext");

    // A trusted extension's objects are the superuser's: its owner cannot move them.
    let refused = run(&["--fix-schema", "unaccent:public"]).expect_code(3);
    assert_eq!(item(&refused, "unaccent")["error"]["sqlstate"], "42501");
    let admin = server.dsn("postgres", "postgres");
    let oid = || {
        server.psql(
            &app,
            "SELECT oid FROM pg_extension WHERE extname = 'unaccent'",
        )
    };
    let before = oid();
    let moved = run(&["--fix-schema", "--admin", &admin, "unaccent:public"]).expect_code(0);
    assert_eq!(
        (
            &item(&moved, "unaccent")["action"],
            &item(&moved, "unaccent")["via"]
        ),
        (&json!("set_schema"), &json!("admin"))
    );
    assert_eq!(oid(), before, "moved, not dropped and created again");
    run(&["--fix-schema", "unaccent:public"]).expect_code(0);
}

#[test]
fn what_is_required_comes_with_it_or_nothing_does() {
    let server = Postgres::shared();
    let app = unique("cascade");
    server.create_app(&app);
    let admin = server.dsn("postgres", "postgres");
    let run = |words: &[&str]| ensure(server, &app, &app).args(words).run();
    let refused = run(&["earthdistance"])
        .expect_code(3)
        .expect_err("--create-cascade");
    assert_eq!(
        item(&refused, "earthdistance")["error"]["sqlstate"],
        "42704"
    );
    // cube alone the application could have created: it is not left behind.
    run(&["--create-cascade", "earthdistance"]).expect_code(3);
    assert!(installed(server, &app).is_empty());
    let both = run(&["--create-cascade", "--admin", &admin, "earthdistance"]).expect_code(0);
    assert_eq!(item(&both, "earthdistance")["requires"], json!(["cube"]));
    assert_eq!(installed(server, &app), ["cube", "earthdistance"]);
    run(&["earthdistance", "cube"]).expect_code(0);
}

#[test]
fn the_administrator_creates_what_requires_what_he_creates() {
    let server = Postgres::shared();
    let app = unique("both");
    server.create_app(&app);
    let admin = server.dsn("postgres", "postgres");
    server.psql(
        "postgres",
        &format!("ALTER DATABASE {app} OWNER TO postgres"),
    );
    let words = ["hstore", "cube", "earthdistance", "--admin", &admin];
    let foreseen = ensure(server, &app, &app)
        .args(words)
        .arg("-n")
        .run()
        .expect_code(1)
        .json();
    let report = ensure(server, &app, &app)
        .args(words)
        .run()
        .expect_code(0)
        .json();
    for name in ["hstore", "cube", "earthdistance"] {
        let item = |report: &serde_json::Value| {
            let found = report["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|item| item["name"] == name)
                .unwrap()
                .clone();
            (
                found["action"].clone(),
                found["via"].clone(),
                found["error"].clone(),
            )
        };
        assert_eq!(
            item(&report),
            (json!("create"), json!("admin"), json!(null)),
            "{report}"
        );
        assert_eq!(item(&foreseen), item(&report), "{foreseen}");
    }
    assert_eq!(report["msg"], "3 created");
}

#[test]
fn the_order_on_the_command_line_does_not_matter() {
    let server = Postgres::shared();
    let app = unique("order");
    server.create_app(&app);
    ensure(server, "postgres", &app)
        .args(["earthdistance", "cube"])
        .run()
        .expect_code(0);
    assert_eq!(installed(server, &app), ["cube", "earthdistance"]);
}

#[test]
fn absent_goes_even_without_the_package_and_never_takes_others_along() {
    let server = Postgres::start();
    server.create_app("gone");
    let run = |words: &[&str]| ensure(&server, "gone", "gone").args(words).run();
    run(&["hstore"]).expect_code(0);
    server.psql("gone", "CREATE TABLE t (h public.hstore, hs public.hstore[]); CREATE VIEW v AS SELECT h -> 'a' AS a FROM t;");
    let hidden = server.hide_extension("hstore");
    for options in [&["-n", "--absent", "hstore"][..], &["--absent", "hstore"]] {
        let refused = run(options).expect_code(3);
        let refused = item(&refused, "hstore");
        assert_eq!(refused["error"]["sqlstate"], "2BP01");
        assert_eq!(
            refused["lost"],
            json!([
                "table column public.t.h",
                "table column public.t.hs",
                "view public.v"
            ])
        );
        assert!(
            refused["error"]["message"]
                .to_string()
                .contains("3 objects depend"),
            "{refused}"
        );
    }
    run(&["-n", "--drop-cascade", "--absent", "hstore"]).expect_code(1);
    run(&["--drop-cascade", "--absent", "hstore"]).expect_code(0);
    assert!(installed(&server, "gone").is_empty());
    let report = run(&["--absent", "hstore"]).expect_code(0).json();
    assert_eq!(
        (&report["changed"], &report["msg"]),
        (&json!(false), &json!("1 absent"))
    );
    drop(hidden);
}
