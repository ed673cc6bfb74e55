//! The two errors that Misago's guide explains to its readers, brought about and answered.

use super::{ensure, installed, item};
use harness::postgres::{Postgres, unique};
use serde_json::json;

#[test]
fn a_missing_control_file_is_answered_with_the_package() {
    let server = Postgres::start();
    server.create_app("misago");
    let hidden = server.hide_extension("btree_gin");
    for options in [&["btree_gin", "hstore"][..], &["-n", "btree_gin", "hstore"]] {
        let output = ensure(&server, "misago", "misago")
            .args(options)
            .run()
            .expect_code(3)
            .expect_err("apt-get install postgresql-contrib");
        let missing = item(&output, "btree_gin");
        assert_eq!(missing["error"]["sqlstate"], "0A000");
        assert_eq!(missing["error"]["code"], "feature_not_supported");
        assert_eq!(
            missing["fix"],
            json!({"package": "postgresql-contrib", "commands": ["apt-get install postgresql-contrib"]})
        );
        assert_eq!(item(&output, "hstore")["error"], json!(null));
    }
    // The one that could be had is there all the same.
    assert_eq!(installed(&server, "misago"), ["hstore"]);
    drop(hidden);
    ensure(&server, "misago", "misago")
        .args(["btree_gin", "hstore"])
        .run()
        .expect_code(0);
    assert_eq!(installed(&server, "misago"), ["btree_gin", "hstore"]);
}

#[test]
fn permission_denied_is_answered_with_its_cause() {
    let server = Postgres::shared();
    let (app, other) = (unique("misago"), unique("other"));
    server.create_app(&app);
    server.psql("postgres", &format!("CREATE ROLE {other} LOGIN"));

    // hstore is trusted: what is missing is a right on the database.
    let output = ensure(server, &other, &app)
        .arg("hstore")
        .run()
        .expect_code(3)
        .expect_err("GRANT CREATE ON DATABASE");
    let denied = item(&output, "hstore");
    assert_eq!(
        (&denied["error"]["sqlstate"], &denied["trusted"]),
        (&json!("42501"), &json!(true))
    );
    let grant = format!("GRANT CREATE ON DATABASE \"{app}\" TO \"{other}\";");
    assert_eq!(denied["fix"]["commands"], json!([grant]));
    // The fix is one: typed, it helps.
    server.psql(&app, &grant);
    ensure(server, &other, &app)
        .arg("hstore")
        .run()
        .expect_code(0);

    // pg_stat_statements is not: only a superuser may, and nobody has to become one for that.
    let output = ensure(server, &app, &app)
        .arg("pg_stat_statements")
        .run()
        .expect_code(3)
        .expect_err("--admin");
    let denied = item(&output, "pg_stat_statements");
    assert_eq!(
        (&denied["error"]["sqlstate"], &denied["trusted"]),
        (&json!("42501"), &json!(false))
    );
    let admin = server.dsn("postgres", "postgres");
    let output = ensure(server, &app, &app)
        .args(["--admin", &admin, "pg_stat_statements", "btree_gin"])
        .run()
        .expect_code(0);
    assert_eq!(item(&output, "pg_stat_statements")["via"], "admin");
    assert_eq!(
        item(&output, "pg_stat_statements")["after"]["owner"],
        "postgres"
    );
    // What the application may do itself, it does.
    assert_eq!(item(&output, "btree_gin")["via"], "app");
    assert_eq!(item(&output, "btree_gin")["after"]["owner"], app.as_str());
}
