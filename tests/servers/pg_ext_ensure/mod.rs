//! pg-ext-ensure against a real PostgreSQL.

mod create;
mod databases;
mod elevate;
mod fixes;
mod foresight;
mod libpq;
mod matrix;
mod migrations;
mod misago;
mod packages;
mod pooler;
mod sqlstate;

use harness::postgres::Postgres;
use harness::{Output, Tool, tool};
use serde_json::Value;

/// The tool, connecting over the socket as this role to this database, and knowing nothing of the tester's own PG* variables.
pub fn ensure(server: &Postgres, role: &str, database: &str) -> Tool {
    bare().arg("-d").arg(server.dsn(role, database))
}

/// The tool with an environment of its own: no variables, no home.
pub fn bare() -> Tool {
    tool("pg-ext-ensure")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
}

/// The item of an extension.
#[track_caller]
pub fn item(output: &Output, name: &str) -> Value {
    let report = output.json();
    let items = report["items"].as_array().unwrap();
    items
        .iter()
        .find(|item| item["name"] == name)
        .unwrap_or_else(|| panic!("no item {name}: {report}"))
        .clone()
}

/// Does what a fix says: each step as the role or account that the step names, in this database.
#[track_caller]
pub fn apply(server: &Postgres, database: &str, fix: &Value) {
    let steps = fix["steps"].as_array().unwrap();
    assert!(!steps.is_empty(), "nothing to do: {fix}");
    for step in steps {
        let text = step["text"].as_str().unwrap();
        let actor = step["as"].as_str().unwrap();
        let output = match step["kind"].as_str() {
            Some("sql") => server.psql_as(actor, database, &format!("{text};")),
            Some("shell") => shell(text),
            other => panic!("{other:?} is for people: {fix}"),
        };
        assert!(
            output.status.success(),
            "{text}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// A command line as somebody would paste it. Names of accounts are those of this machine: the tool runs as the tester.
fn shell(line: &str) -> std::process::Output {
    let bin = harness::bin("pg-ext-ensure");
    let path = format!("{}:/usr/bin:/bin", bin.parent().unwrap().display());
    std::process::Command::new("/bin/sh")
        .args(["-ec", line])
        .env_clear()
        .envs([("PATH", path.as_str()), ("HOME", "/nonexistent")])
        .output()
        .unwrap()
}

/// The versions of the extensions that a database has, as psql sees them.
pub fn installed(server: &Postgres, database: &str) -> Vec<String> {
    let text = server.psql(
        database,
        "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1",
    );
    text.lines().map(str::to_string).collect()
}
