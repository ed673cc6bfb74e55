//! `-n` and the real run agree over roles, extensions and the circumstances of servers: schemas
//! that are not there, a whitelist, poolers, libraries that are not loaded, control files that are
//! gone. The long form goes through every cell.

use super::bare;
use super::foresight::disagreement;
use super::pooler::Pooler;
use harness::full_sweep;
use harness::postgres::{Postgres, unique};

const ROLES: [&str; 4] = ["superuser", "owner", "creator", "nobody"];

/// What is there before, and what is asked for.
const ASKED: &[(&str, &[&str])] = &[
    ("", &["hstore"]),
    ("", &["dblink"]),
    ("", &["pg_stat_statements"]),
    ("", &["pgaudit"]),
    ("", &["pg_cron"]),
    ("", &["--create-cascade", "earthdistance", "citext"]),
    ("", &["hstore@1.4:public"]),
    ("", &["--create-schema", "hstore:made"]),
    (
        "CREATE SCHEMA aside; CREATE EXTENSION citext SCHEMA aside",
        &["citext@latest"],
    ),
    (
        "CREATE SCHEMA aside; CREATE EXTENSION citext SCHEMA aside VERSION '1.4'",
        &["--update", "citext", "hstore"],
    ),
    (
        "CREATE SCHEMA aside; CREATE EXTENSION citext SCHEMA aside",
        &["--absent", "citext"],
    ),
    (
        "CREATE SCHEMA aside; CREATE EXTENSION pg_buffercache SCHEMA aside",
        &["--absent", "pg_buffercache", "dblink"],
    ),
];

/// How the server and the database differ from plain ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Circumstance {
    Plain,
    NoSchema,
    EmptySearchPath,
    Whitelist,
    SessionPool,
    TransactionPool,
    Preloaded,
    ControlFileGone,
}

use Circumstance::{
    ControlFileGone, EmptySearchPath, NoSchema, Plain, Preloaded, SessionPool, TransactionPool,
    Whitelist,
};

const CIRCUMSTANCES: [Circumstance; 8] = [
    Plain,
    NoSchema,
    EmptySearchPath,
    Whitelist,
    SessionPool,
    TransactionPool,
    Preloaded,
    ControlFileGone,
];

struct Stage {
    circumstance: Circumstance,
    server: Postgres,
    pooler: Option<Pooler>,
    _hidden: Vec<harness::postgres::Hidden>,
}

impl Stage {
    fn new(circumstance: Circumstance) -> Stage {
        let builder = Postgres::builder();
        let server = match circumstance {
            Whitelist => builder
                .set("session_preload_libraries", "pgextwlist")
                .set("extwlist.extensions", "dblink,hstore,citext"),
            Preloaded => builder.set(
                "shared_preload_libraries",
                "pg_stat_statements,pgaudit,pg_cron",
            ),
            _ => builder,
        }
        .start();
        server.psql(
            "postgres",
            "CREATE ROLE superuser SUPERUSER LOGIN; CREATE ROLE owner LOGIN; CREATE ROLE creator LOGIN; CREATE ROLE nobody LOGIN",
        );
        let mode = match circumstance {
            SessionPool => Some("session"),
            TransactionPool => Some("transaction"),
            _ => None,
        };
        let hidden = match circumstance {
            ControlFileGone => vec!["hstore", "cube", "dblink"],
            _ => Vec::new(),
        };
        Stage {
            circumstance,
            pooler: mode.map(|mode| Pooler::start(&server, mode)),
            _hidden: hidden
                .iter()
                .map(|name| server.hide_extension(name))
                .collect(),
            server,
        }
    }

    fn dsn(&self, role: &str, database: &str) -> String {
        match &self.pooler {
            Some(pooler) => pooler.dsn(role, database),
            None => self.server.dsn(role, database),
        }
    }

    fn cell(&self, role: &str, admin: bool, before: &str, words: &[&str]) -> Option<String> {
        let database = unique("matrix");
        let server = &self.server;
        server.psql(
            "postgres",
            &format!("CREATE DATABASE {database} OWNER owner"),
        );
        server.psql(
            &database,
            &format!("GRANT CREATE ON DATABASE {database} TO creator; {before}"),
        );
        match self.circumstance {
            NoSchema => drop(server.psql(&database, "DROP SCHEMA public")),
            EmptySearchPath => drop(server.psql(
                &database,
                &format!("ALTER DATABASE {database} SET search_path = ''"),
            )),
            _ => {}
        }
        let dsn = self.dsn(role, &database);
        let admin = admin.then(|| self.dsn("postgres", "postgres"));
        let tool = || {
            let tool = bare().arg("-d").arg(&dsn);
            match &admin {
                Some(admin) => tool.arg("--admin").arg(admin),
                None => tool,
            }
        };
        let wrong = disagreement(tool, words);
        // A database that is gone holds no sessions of the server.
        let _ = server.psql_as(
            "postgres",
            "postgres",
            &format!("DROP DATABASE {database} WITH (FORCE)"),
        );
        wrong.map(|how| {
            let with = if admin.is_some() { " with --admin" } else { "" };
            format!(
                "{:?} {role}{with} {words:?} after {before:?}: {how}",
                self.circumstance
            )
        })
    }
}

#[test]
fn a_dry_run_is_right_whatever_the_server_is_like() {
    let mut cells = Vec::new();
    for asked in ASKED {
        for role in ROLES {
            for admin in [false, true] {
                cells.push((role, admin, *asked));
            }
        }
    }
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (at, circumstance) in CIRCUMSTANCES.into_iter().enumerate() {
        let stage = Stage::new(circumstance);
        // The short form takes some cells of each circumstance, different ones each.
        let chosen: Vec<_> = cells
            .iter()
            .enumerate()
            .filter(|(n, _)| full_sweep() || (n + 7 * at) % 24 == 0)
            .map(|(_, cell)| cell)
            .collect();
        count += chosen.len();
        let found: Vec<String> = std::thread::scope(|scope| {
            let running: Vec<_> = chosen
                .chunks(chosen.len().div_ceil(4))
                .map(|part| {
                    let stage = &stage;
                    scope.spawn(move || {
                        let cell =
                            |(role, admin, (before, words)): &&(&str, bool, (&str, &[&str]))| {
                                stage.cell(role, *admin, before, words)
                            };
                        part.iter().filter_map(cell).collect::<Vec<_>>()
                    })
                })
                .collect();
            running
                .into_iter()
                .flat_map(|part| part.join().unwrap())
                .collect()
        });
        wrong.extend(found);
    }
    println!("{count} cells, {} wrong", wrong.len());
    assert!(
        wrong.is_empty(),
        "{} of {count} cells:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
