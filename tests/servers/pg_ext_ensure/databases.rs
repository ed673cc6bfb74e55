//! Many databases, odd names, and an administrator who leads somewhere else.

use super::{bare, ensure, installed, item};
use harness::postgres::{Postgres, identifier};
use serde_json::{Value, json};

fn outcome(report: &Value) -> Vec<(String, String)> {
    let items = report["items"].as_array().unwrap().iter();
    items
        .map(|i| {
            (
                i["db"].as_str().unwrap().to_string(),
                i["action"].as_str().unwrap().to_string(),
            )
        })
        .collect()
}

#[test]
fn every_database_but_templates_and_those_that_are_excluded() {
    let server = Postgres::start();
    for name in ["shop", "blog", "blog_test", "closed"] {
        server.psql("postgres", &format!("CREATE DATABASE {name}"));
    }
    server.psql(
        "postgres",
        "ALTER DATABASE closed ALLOW_CONNECTIONS false; CREATE DATABASE tmpl IS_TEMPLATE true",
    );
    let run = |words: &[&str]| ensure(&server, "postgres", "postgres").args(words).run();
    let report = run(&[
        "--all-dbs",
        "--db-exclude",
        "*_test",
        "--db-exclude",
        "postgres",
        "hstore",
    ])
    .expect_code(0)
    .json();
    assert_eq!(
        outcome(&report),
        [
            ("blog".into(), "create".into()),
            ("shop".into(), "create".into())
        ]
    );
    assert_eq!(report["msg"], "2 created");
    for (name, expected) in [
        ("blog", 1),
        ("shop", 1),
        ("blog_test", 0),
        ("template1", 0),
        ("tmpl", 0),
        ("postgres", 0),
    ] {
        assert_eq!(installed(&server, name).len(), expected, "{name}");
    }
    // A template is a database like others, once it is named; new databases come with what is in
    // it.
    run(&["--db", "tmpl", "--db", "blog", "citext"]).expect_code(0);
    server.psql("postgres", "CREATE DATABASE child TEMPLATE tmpl");
    assert_eq!(installed(&server, "child"), ["citext"]);
    // One that is not there spoils only its own items.
    let report = run(&["--db", "nowhere", "--db", "shop", "citext"])
        .expect_code(3)
        .expect_err("CREATE DATABASE \"nowhere\"")
        .json();
    assert_eq!(
        outcome(&report),
        [
            ("nowhere".into(), "none".into()),
            ("shop".into(), "create".into())
        ]
    );
    assert_eq!(report["items"][0]["error"]["sqlstate"], "3D000");
}

/// As psql's `-d`: a connection string in place of a database's name leads to the server that the
/// string names. A site file has it so, too; the fix that is printed then leads there as well.
#[test]
fn a_name_may_be_a_connection_string() {
    let server = Postgres::start();
    server.create_app("reef");
    server.psql("postgres", "CREATE DATABASE blog");
    let dir = harness::scratch();
    let services = dir.path().join("services.conf");
    let section = format!(
        "[reef]\nhost={}\nport={}\nuser=reef\ndbname=reef\n",
        server.socket_dir().display(),
        server.port()
    );
    std::fs::write(&services, section).unwrap();
    let site = dir.path().join("site.toml");
    let url = server.url("postgres", "blog");
    let text = format!(
        "[site]\nname = \"reef\"\n[pg-ext-ensure]\ndb = [\"service=reef\", \"{url}\"]\next = [\"file_fdw\"]\n"
    );
    std::fs::write(&site, text).unwrap();
    let run = || {
        let tool = bare().env("PGSERVICEFILE", &services);
        tool.arg("--site").arg(&site).run().expect_code(3)
    };
    let first = run();
    let report = first.json();
    let databases = [&report["items"][0]["db"], &report["items"][1]["db"]];
    assert_eq!(databases, ["reef", "blog"], "{report}");
    assert_eq!(report["items"][0]["error"]["sqlstate"], "42501", "{report}");
    let fix = report["items"][0]["fix"].to_string();
    assert!(fix.contains("-d service=reef "), "{fix}");
    assert_eq!(installed(&server, "blog"), ["file_fdw"]);
}

#[test]
fn a_spec_file_says_who_needs_what() {
    let server = Postgres::start();
    for name in ["a", "b", "c"] {
        server.psql("postgres", &format!("CREATE DATABASE {name}"));
    }
    let spec = "databases = [\"a\", \"b\"]\nextensions = [\"hstore\"]\n\n[[database]]\nname = \"b\"\nextensions = [\"citext\"]\n\n\
         [[database]]\nname = \"c\"\nextensions = [\"pg_trgm@latest:public\"]\n";
    let run = |options: &[&str]| {
        ensure(&server, "postgres", "postgres")
            .args(options)
            .args(["--spec", "-"])
            .input(spec)
            .run()
    };
    run(&["-n"]).expect_code(1);
    run(&[]).expect_code(0);
    assert_eq!(installed(&server, "a"), ["hstore"]);
    assert_eq!(installed(&server, "b"), ["citext", "hstore"]);
    assert_eq!(installed(&server, "c"), ["pg_trgm"]);
    assert_eq!(run(&[]).expect_code(0).json()["changed"], false);
}

#[test]
fn hostile_names_are_only_names() {
    let server = Postgres::start();
    let (role, database, schema) = ("o'b\"r; --", "d b\"'\\; DROP TABLE x; --", "s'\"$$\\;--");
    server.psql(
        "postgres",
        &format!("CREATE ROLE {} LOGIN", identifier(role)),
    );
    server.psql(
        "postgres",
        &format!(
            "CREATE DATABASE {} OWNER {}",
            identifier(database),
            identifier(role)
        ),
    );
    let want = format!("hstore:{}", identifier(schema));
    let output = ensure(&server, role, database)
        .args(["--create-schema", &want])
        .run()
        .expect_code(0);
    assert_eq!(
        item(&output, "hstore")["after"],
        json!({"version": item(&output, "hstore")["after"]["version"], "schema": schema, "owner": role})
    );
    assert_eq!(
        ensure(&server, role, database)
            .arg(&want)
            .run()
            .expect_code(0)
            .json()["changed"],
        false
    );
    // Through --admin, a schema is still the application's.
    server.psql("postgres", "CREATE DATABASE other");
    let admin = server.dsn("postgres", "postgres");
    let words = ["--create-schema", "--admin", &admin, "hstore:\"x\"\"y\""];
    ensure(&server, role, "other")
        .args(words)
        .run()
        .expect_code(0);
    assert_eq!(server.psql("other", "SELECT nspowner::regrole::text = quote_ident(current_setting('x.r')) FROM pg_namespace, set_config('x.r', $x$o'b\"r; --$x$, false) WHERE nspname = 'x\"y'"), "t");
    // A name with control bytes does not reach a terminal as it is.
    let shown = bare()
        .args([
            "-o",
            "text",
            "-d",
            &server.dsn(role, database),
            "a\u{1b}[2Jb",
        ])
        .run()
        .expect_code(3);
    assert!(
        !shown.out().contains('\u{1b}') && !shown.err().contains('\u{1b}'),
        "{:?}{:?}",
        shown.out(),
        shown.err()
    );
    for name in ["a--b", "-a", "a-", "a/b", "../x", "ü", "A b"] {
        let output = ensure(&server, role, database)
            .args(["--", name])
            .run()
            .expect_code(3);
        assert_ne!(item(&output, name)["error"], json!(null));
    }
}

#[test]
fn an_administrator_of_another_server_is_not_listened_to() {
    let (here, there) = (Postgres::start(), Postgres::start());
    here.create_app("app");
    there.create_app("app");
    let admin = there.dsn("postgres", "postgres");
    let output = ensure(&here, "app", "app")
        .args(["--admin", &admin, "dblink"])
        .run()
        .expect_code(3);
    // The reason stands where people look.
    let output = output.expect_err("--admin: the connection leads to another server");
    assert!(
        !output.err().contains("let the tool do this"),
        "{}",
        output.err()
    );
    assert!(installed(&there, "app").is_empty() && installed(&here, "app").is_empty());
}

#[test]
fn a_password_in_a_connection_string_is_never_shown() {
    let server = Postgres::builder()
        .hba("local all pw scram-sha-256\nlocal all all trust")
        .start();
    server.psql(
        "postgres",
        "CREATE ROLE pw LOGIN PASSWORD 'hunter2'; CREATE DATABASE pw OWNER pw",
    );
    let dsn = format!("{} password=hunter2", server.dsn("pw", "pw"));
    for (words, code) in [
        (&["hstore"][..], 0),
        (&["dblink", "--admin", &dsn], 3),
        (&["-o", "text", "-v", "dblink"], 3),
    ] {
        let output = bare()
            .args(["-d", &dsn])
            .args(words)
            .run()
            .expect_code(code);
        assert!(
            !(output.out() + &output.err()).contains("hunter2"),
            "{}{}",
            output.out(),
            output.err()
        );
    }
    let wrong = bare()
        .args([
            "-d",
            &format!("{} password=hunter3", server.dsn("pw", "pw")),
            "hstore",
        ])
        .run()
        .expect_code(3);
    assert_eq!(wrong.json()["items"][0]["error"]["sqlstate"], "28P01");
    assert!(!(wrong.out() + &wrong.err()).contains("hunter3"));
}
