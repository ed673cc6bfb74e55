//! Every SQLSTATE of the manual page, brought about on a real server, in English and in German: the
//! answer is the same.

use super::{ensure, item};
use harness::postgres::{Postgres, program, unique, version};
use harness::{scratch, wait_until};
use serde_json::json;
use std::io::Write;
use std::process::{Child, Command, Stdio};

/// What is run, and what has to come of it.
struct Answer<'a> {
    words: &'a [&'a str],
    sqlstate: &'a str,
    code: &'a str,
    hint: &'a str,
    fix: &'a str,
    rc: i32,
}

#[track_caller]
fn expect(server: &Postgres, role: &str, database: &str, answer: &Answer<'_>) -> Option<String> {
    let output = ensure(server, role, database)
        .args(answer.words)
        .run()
        .expect_code(answer.rc);
    let report = output.json();
    let failed = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["error"] != json!(null))
        .expect("a failed item")
        .clone();
    let error = &failed["error"];
    assert_eq!(
        (&error["sqlstate"], &error["code"]),
        (&json!(answer.sqlstate), &json!(answer.code)),
        "{report}"
    );
    assert!(error.to_string().contains(answer.hint), "{error}");
    assert!(
        failed["fix"].to_string().contains(answer.fix),
        "{}",
        failed["fix"]
    );
    // With a cause of the tool's beside it, the message is the server's own.
    error["cause"].as_str()?;
    error["message"].as_str().map(str::to_string)
}

#[test]
fn each_has_its_own_cause_and_fix_in_english_and_in_german() {
    let locales = scratch();
    let made = Command::new("localedef")
        .args(["-i", "de_DE", "-f", "UTF-8"])
        .arg(locales.path().join("de_DE.UTF-8"))
        .status();
    assert!(
        made.expect("localedef runs").success(),
        "the package \"locales\" is needed"
    );
    std::fs::set_permissions(
        locales.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let english = all(&Postgres::start());
    let german = Postgres::builder()
        .env("LOCPATH", locales.path().to_str().unwrap())
        .set("lc_messages", "de_DE.UTF-8")
        .start();
    // Minimal images leave translations out.
    let words = format!("/usr/share/locale/de/LC_MESSAGES/postgres-{}.mo", version());
    if !std::path::Path::new(&words).exists() {
        assert!(
            harness::skip_servers(),
            "{words} is missing: dpkg's path-exclude leaves translations out; SKIP_SERVERS=1 leaves this out"
        );
        return;
    }
    let spoken: Vec<_> = english.into_iter().zip(all(&german)).collect();
    let said = spoken.iter().filter(|(english, _)| english.is_some());
    assert!(said.count() >= 8, "{spoken:?}");
    for (english, german) in spoken {
        assert_eq!(english.is_some(), german.is_some());
        assert!(
            english.is_none() || english != german,
            "not German: {german:?}"
        );
    }
}

/// Brings them all about; gives the server's words, where the server was asked.
fn all(server: &Postgres) -> Vec<Option<String>> {
    server.create_app("app");
    server.psql(
        "app",
        "CREATE ROLE low LOGIN; CREATE EXTENSION cube; CREATE EXTENSION hstore VERSION '1.4'",
    );
    server.psql("app", "GRANT CREATE ON DATABASE app TO app; CREATE SCHEMA closed; GRANT USAGE ON SCHEMA closed TO low");
    server.psql(
        "app",
        "CREATE FUNCTION public.unaccent(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
    );
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
        "sleepy",
        "trusted = true\ndefault_version = '1'\n",
        &[("1", "SELECT pg_catalog.pg_sleep(30);")],
    );
    let hidden = server.hide_extension("citext");
    let denied = ("42501", "insufficient_privilege");
    let package = format!("postgresql-{}", version());
    let answer = |words, (sqlstate, code), hint, fix| Answer {
        words,
        sqlstate,
        code,
        hint,
        fix,
        rc: 3,
    };
    let mut said = vec![
        expect(
            server,
            "app",
            "app",
            &answer(
                &["citext"],
                ("0A000", "feature_not_supported"),
                "no control file",
                &package,
            ),
        ),
        expect(
            server,
            "low",
            "app",
            &answer(
                &["pg_trgm"],
                denied,
                "no CREATE right on database 'app'",
                "GRANT CREATE ON DATABASE",
            ),
        ),
        expect(
            server,
            "app",
            "app",
            &answer(
                &["dblink"],
                denied,
                "only a superuser may create 'dblink'",
                "CREATE EXTENSION \\\"dblink\\\"",
            ),
        ),
        expect(
            server,
            "app",
            "app",
            &answer(
                &["--absent", "cube"],
                denied,
                "belongs to role 'postgres'",
                "DROP EXTENSION \\\"cube\\\" RESTRICT",
            ),
        ),
        expect(
            server,
            "app",
            "app",
            &answer(
                &["hstore@1.8"],
                denied,
                "belongs to role 'postgres'",
                "UPDATE TO \\\"1.8\\\"",
            ),
        ),
        expect(
            server,
            "low",
            "app",
            &answer(
                &["plainly:closed"],
                denied,
                "no CREATE right on schema",
                "GRANT CREATE ON SCHEMA",
            ),
        ),
        expect(
            server,
            "app",
            "app",
            &answer(
                &["pgcrypto@7"],
                ("22023", "invalid_parameter_value"),
                "has no version '7'",
                "pgcrypto@",
            ),
        ),
        expect(
            server,
            "postgres",
            "app",
            &answer(
                &["hstore@7"],
                ("22023", "invalid_parameter_value"),
                "only to '1.5'",
                "hstore@1.8",
            ),
        ),
        expect(
            server,
            "app",
            "app",
            &answer(
                &["pg_trgm:nos"],
                ("3F000", "invalid_schema_name"),
                "no schema 'nos'",
                "--create-schema",
            ),
        ),
        expect(
            server,
            "postgres",
            "app",
            &answer(
                &["fixed:public"],
                ("0A000", "feature_not_supported"),
                "only be in schema 'pg_catalog'",
                "fixed:pg_catalog",
            ),
        ),
        expect(
            server,
            "app",
            "app",
            &answer(
                &["unaccent"],
                ("42723", "duplicate_function"),
                "exists already",
                "names the object",
            ),
        ),
    ];
    drop(hidden);
    server.psql("app", "DROP EXTENSION cube");
    let requires = answer(
        &["earthdistance"],
        ("42704", "undefined_object"),
        "requires 'cube'",
        "--create-cascade earthdistance",
    );
    said.push(expect(server, "postgres", "app", &requires));
    server.psql("app", "CREATE EXTENSION citext; CREATE TABLE t (c citext)");
    let dependents = answer(
        &["--absent", "citext"],
        ("2BP01", "dependent_objects_still_exist"),
        "table column public.t.c",
        "--drop-cascade --absent",
    );
    said.push(expect(server, "postgres", "app", &dependents));
    let late = Answer {
        rc: 75,
        ..answer(
            &["--statement-timeout", "1s", "sleepy"],
            ("57014", "query_canceled"),
            "longer than",
            "3600s",
        )
    };
    said.push(expect(server, "app", "app", &late));
    let holder = Holder::begin(
        server,
        "app",
        "LOCK TABLE pg_extension IN SHARE ROW EXCLUSIVE MODE;",
    );
    let locked = Answer {
        rc: 75,
        ..answer(
            &["--lock-timeout", "200ms", "isn"],
            ("55P03", "lock_not_available"),
            "holds a lock",
            "--lock-timeout 300s",
        )
    };
    said.push(expect(server, "app", "app", &locked));
    drop(holder);
    // Even looking waits no longer than it may.
    let holder = Holder::begin(
        server,
        "app",
        "LOCK TABLE pg_extension IN ACCESS EXCLUSIVE MODE;",
    );
    ensure(server, "app", "app")
        .args(["--lock-timeout", "200ms", "isn"])
        .run()
        .expect_code(75);
    drop(holder);
    server.psql(
        "postgres",
        "ALTER ROLE app SET default_transaction_read_only = on",
    );
    let read_only = answer(
        &["isn"],
        ("25006", "read_only_sql_transaction"),
        "default_transaction_read_only is on",
        "-c default_transaction_read_only=off",
    );
    said.push(expect(server, "app", "app", &read_only));
    server.psql(
        "postgres",
        "ALTER ROLE app RESET default_transaction_read_only",
    );
    ensure(server, "app", "app").arg("isn").run().expect_code(0);
    said
}

/// A psql in the middle of a transaction.
pub struct Holder {
    psql: Child,
}

impl Holder {
    pub fn begin(server: &Postgres, database: &str, sql: &str) -> Holder {
        let mut psql = Command::new(program("psql"));
        psql.args(["-X", "-q", "-d", &server.dsn("postgres", database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut psql = psql.spawn().unwrap();
        let marker = unique("holder");
        psql.stdin
            .as_mut()
            .unwrap()
            .write_all(format!("SET application_name = '{marker}'; BEGIN; {sql}\n").as_bytes())
            .unwrap();
        wait_until("the transaction to be open", || {
            let sql = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = '{marker}' AND state = 'idle in transaction'"
            );
            server.psql("postgres", &format!("{sql} AND query NOT LIKE 'BEGIN%'")) == "1"
        });
        Holder { psql }
    }

    pub fn say(&mut self, sql: &str) {
        self.psql
            .stdin
            .as_mut()
            .unwrap()
            .write_all(format!("{sql}\n").as_bytes())
            .unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.psql.stdin.take());
        self.psql.wait().ok();
    }
}

#[test]
fn a_standby_is_named_as_one() {
    let mut server = Postgres::start();
    server.create_app("app");
    ensure(&server, "app", "app")
        .arg("hstore")
        .run()
        .expect_code(0);
    server.stop();
    std::fs::write(server.data_dir().join("standby.signal"), "").unwrap();
    server.start_again();
    let report = ensure(&server, "app", "app")
        .arg("hstore")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(report["server"]["recovery"], true);
    for options in [&["-n", "citext"][..], &["citext"]] {
        let output = ensure(&server, "app", "app")
            .args(options)
            .run()
            .expect_code(3)
            .expect_err("connect to the primary server");
        assert_eq!(item(&output, "citext")["error"]["sqlstate"], "25006");
    }
}

#[test]
fn a_lost_race_is_no_failure() {
    let server = Postgres::start();
    server.create_app("app");
    // Another program's transaction is first.
    let mut holder = Holder::begin(&server, "app", "CREATE EXTENSION hstore;");
    let tool = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            ensure(&server, "app", "app")
                .args(["--lock-timeout", "1m", "hstore"])
                .run()
        });
        wait_until("the tool to wait", || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg-ext-ensure' AND wait_event_type = 'Lock'";
            server.psql("postgres", sql) == "1"
        });
        holder.say("COMMIT;");
        run.join().unwrap()
    });
    let report = tool.expect_code(0).json();
    assert_eq!(
        (&report["changed"], &report["items"][0]["action"]),
        (&json!(false), &json!("none"))
    );
    // Many of ours at once take turns: one creates.
    let created: usize = std::thread::scope(|scope| {
        let run = || {
            ensure(&server, "app", "app")
                .args(["--lock-timeout", "1m", "citext", "pg_trgm"])
                .run()
                .expect_code(0)
                .json()
        };
        let running: Vec<_> = (0..12).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .map(|run| usize::from(run.join().unwrap()["changed"] == json!(true)))
            .sum()
    });
    assert_eq!(created, 1);
}
