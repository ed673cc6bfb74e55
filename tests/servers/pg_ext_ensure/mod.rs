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

/// The tool, connecting over the socket as this role to this database, and knowing nothing of the
/// tester's own PG* variables.
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

/// Does what a fix says, in this database.
#[track_caller]
pub fn apply(server: &Postgres, database: &str, fix: &Value) {
    harness::fix::apply_with(fix, |role, text| {
        server.psql_as(role, database, &format!("{text};"))
    });
}

/// The versions of the extensions that a database has, as psql sees them.
pub fn installed(server: &Postgres, database: &str) -> Vec<String> {
    let text = server.psql(
        database,
        "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY 1",
    );
    text.lines().map(str::to_string).collect()
}
