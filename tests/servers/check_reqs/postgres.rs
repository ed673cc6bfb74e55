//! A real PostgreSQL.

use super::{answer, check, check_file, item};
use harness::postgres::{Postgres, unique};
use harness::{free_port, need, skip_servers};
use std::process::Command;

fn available() -> bool {
    !skip_servers() || std::path::Path::new("/usr/lib/postgresql").exists()
}

#[test]
fn the_servers_own_version_counts() {
    if !available() {
        return;
    }
    let server = Postgres::shared();
    let dsn = server.dsn("postgres", "postgres");
    let met = check(&[&format!("postgres>=13@{dsn}")]).expect_code(0);
    let said = server.psql("postgres", "SHOW server_version");
    assert_eq!(item(&met)["found"], said.trim());
    assert_eq!(
        answer(&check(&[&format!("postgres>=99@{dsn}")])),
        "unmet version"
    );
    assert_eq!(
        answer(&check(&[&format!(
            "postgres<13||>=14,<99@{}",
            server.url("postgres", "postgres")
        )])),
        "met"
    );
    // What libpq would use counts, too.
    let mut tool = harness::tool("check-reqs").arg("postgres>=9.4");
    for (key, value) in server.env("postgres", "postgres") {
        tool = tool.env(key, value);
    }
    tool.run().expect_code(0);
}

#[test]
fn who_is_not_let_in_is_told_so() {
    if !available() {
        return;
    }
    let role = unique("closed");
    let server = Postgres::builder()
        .hba("local all all reject\nhost all all 127.0.0.1/32 scram-sha-256\n")
        .start();
    server.psql(
        "postgres",
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2'"),
    );
    let refused =
        check(&[&format!("postgres>=13@{}", server.dsn(&role, "postgres"))]).expect_code(1);
    assert_eq!(answer(&refused), "unmet login");
    let wrong = format!(
        "postgresql://{role}:wrong-secret@127.0.0.1:{}/postgres",
        server.port()
    );
    let wrong = check(&[&format!("postgres>=13@{wrong}")]).expect_code(1);
    assert_eq!(answer(&wrong), "unmet login");
    assert!(!wrong.out().contains("wrong-secret"), "{}", wrong.out());
    let right = format!(
        "postgresql://{role}:hunter2@127.0.0.1:{}/postgres",
        server.port()
    );
    assert_eq!(answer(&check(&[&format!("postgres>=13@{right}")])), "met");
    let nobody = check(&[&format!(
        "postgres>=13@host=127.0.0.1 port={} user=x",
        free_port()
    )])
    .expect_code(1);
    assert_eq!(answer(&nobody), "unmet unreachable");
    assert_eq!(
        item(&nobody)["fix"]["steps"][0]["text"],
        "service postgresql start"
    );
    let missing = check(&[&format!(
        "postgres@{}",
        right.replace("/postgres", "/no_such_database")
    )]);
    assert_eq!(answer(&missing), "unmet no_database");
    let superuser =
        format!("[[check]]\ntype = \"postgres\"\nsuperuser = true\nconnection = \"{right}\"\n");
    assert_eq!(answer(&check_file(&superuser)), "unmet not_superuser");
}

#[test]
fn extensions_are_available_or_created() {
    if !available() {
        return;
    }
    let server = Postgres::start();
    let database = unique("site");
    server.psql("postgres", &format!("CREATE DATABASE {database}"));
    let dsn = server.dsn("postgres", &database);
    let ask = |extension: &str| check(&[&format!("ext:{extension}@{dsn}")]);
    assert_eq!(answer(&ask("hstore")), "met");
    assert_eq!(answer(&ask("hstore>=1.0")), "met");
    assert_eq!(answer(&ask("hstore>=99")), "unmet version");
    let missing = ask("prioritize");
    assert_eq!(answer(&missing), "unmet missing");
    let major = server
        .psql("postgres", "SHOW server_version_num")
        .trim()
        .parse::<u32>()
        .unwrap()
        / 10000;
    assert_eq!(
        item(&missing)["fix"]["steps"][0]["text"],
        format!(
            "DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql-{major}-prioritize </dev/null"
        )
    );
    {
        let _hidden = server.hide_extension("btree_gin");
        let hidden = ask("btree_gin");
        assert_eq!(answer(&hidden), "unmet missing");
        let package =
            distro::extension::package("btree_gin", &major.to_string(), &distro::Distro::here())
                .unwrap();
        assert!(package.starts_with("postgresql-contrib"), "{package}");
        assert_eq!(
            item(&hidden)["fix"]["steps"][0]["text"],
            format!("DEBIAN_FRONTEND=noninteractive apt-get install -y {package} </dev/null")
        );
    }
    assert_eq!(answer(&ask("btree_gin")), "met");

    let created = format!(
        "[[check]]\ntype = \"extension\"\nname = \"hstore\"\ncreated = true\nconnection = \"{dsn}\"\n"
    );
    let not_yet = check_file(&created);
    assert_eq!(answer(&not_yet), "unmet not_created");
    server.psql(&database, "CREATE EXTENSION hstore");
    assert_eq!(answer(&check_file(&created)), "met");
}

#[test]
fn the_fix_for_an_extension_is_pg_ext_ensure() {
    if !available() || need("psql").is_none() {
        return;
    }
    let server = Postgres::start();
    let database = unique("site");
    server.psql("postgres", &format!("CREATE DATABASE {database}"));
    let file = "[[check]]\ntype = \"extension\"\nname = \"hstore\"\ncreated = true\n";
    let env = server.env("postgres", &database);
    let run = || {
        let mut tool = harness::tool("check-reqs").args(["-f", "-"]).input(file);
        for (key, value) in &env {
            tool = tool.env(key, value);
        }
        tool.run()
    };
    let unmet = run().expect_code(1);
    let command = item(&unmet)["fix"]["steps"][0]["text"]
        .as_str()
        .unwrap()
        .to_string();
    let path = format!(
        "{}:{}",
        harness::tools().display(),
        std::env::var("PATH").unwrap()
    );
    let done = Command::new("sh")
        .args(["-ec", &command])
        .env("PATH", path)
        .envs(env.iter().map(|(k, v)| (*k, v)))
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{command}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    run().expect_code(0);
}
