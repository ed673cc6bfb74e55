//! The two errors that Misago's guide explains to its readers, brought about and answered.

use super::{apply, ensure, installed, item};
use harness::postgres::{Postgres, unique, version};
use serde_json::json;

#[test]
fn a_missing_control_file_is_answered_with_the_package() {
    let server = Postgres::start();
    server.create_app("misago");
    let hidden = server.hide_extension("btree_gin");
    let package = format!("postgresql-{}", version());
    let command = format!("apt-get install -y --reinstall {package}");
    for options in [&["btree_gin", "hstore"][..], &["-n", "btree_gin", "hstore"]] {
        let output = ensure(&server, "misago", "misago")
            .args(options)
            .run()
            .expect_code(3)
            .expect_err(&command);
        let missing = item(&output, "btree_gin");
        assert_eq!(missing["error"]["sqlstate"], "0A000");
        assert_eq!(missing["error"]["code"], "feature_not_supported");
        assert_eq!(missing["package"], package);
        assert_eq!(
            missing["fix"]["steps"],
            json!([{"kind": "shell", "as": "root", "text": command}])
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
    let grant = format!("GRANT CREATE ON DATABASE \"{app}\" TO \"{other}\"");
    assert_eq!(
        denied["fix"],
        json!({
            "summary": format!("run as the owner of database '{app}', role '{app}'"),
            "steps": [{"kind": "sql", "as": app, "text": "CREATE EXTENSION \"hstore\" SCHEMA \"public\""}],
            "destructive": false,
            "alternatives": [{
                "summary": format!("let role '{other}' create schemas and trusted extensions in database '{app}' for good"),
                "steps": [{"kind": "sql", "as": app, "text": grant}],
                "destructive": false,
            }],
        })
    );
    // The other way helps, too.
    apply(server, &app, &denied["fix"]["alternatives"][0]);
    ensure(server, &other, &app)
        .arg("hstore")
        .run()
        .expect_code(0);

    // dblink is not: only a superuser may, and nobody has to become one for that.
    let output = ensure(server, &app, &app)
        .arg("dblink")
        .run()
        .expect_code(3)
        .expect_err("--admin");
    let denied = item(&output, "dblink");
    assert_eq!(
        (&denied["error"]["sqlstate"], &denied["trusted"]),
        (&json!("42501"), &json!(false))
    );
    let admin = server.dsn("postgres", "postgres");
    let output = ensure(server, &app, &app)
        .args(["--admin", &admin, "dblink", "btree_gin"])
        .run()
        .expect_code(0);
    assert_eq!(item(&output, "dblink")["via"], "admin");
    assert_eq!(item(&output, "dblink")["after"]["owner"], "postgres");
    // What the application may do itself, it does.
    assert_eq!(item(&output, "btree_gin")["via"], "app");
    assert_eq!(item(&output, "btree_gin")["after"]["owner"], app.as_str());
}
