//! The only place that changes a database. All steps are tried in one transaction and one round trip, with the look afterwards at its
//! end; if one fails, nothing of it has happened, and then each is tried in a transaction of its own, so that the others do.

use postgres::Client;

use crate::catalog::Database;
use crate::cli::Policy;
use crate::observe::{batch, limits, look_sql, read_look};
use crate::plan::{Step, is_so};

/// Runs of ours take turns in a database: the key of an advisory lock, the letters "pgextens".
const LOCK: i64 = 0x7067_6578_7465_6e73;

/// What the server said of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The message, in the server's language.
    pub message: String,
    /// The detail.
    pub detail: Option<String>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was taken.
    Done,
    /// Somebody else took it first: it is so.
    Raced,
    /// The server refused.
    Refused(Refusal),
}

/// What became of the steps, in their order, and how the database is now.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Read again.
    pub database: Database,
    /// One for each step.
    pub endings: Vec<Ending>,
}

/// Takes the steps.
///
/// # Errors
/// Only a lost connection: what the server refuses is in the result.
pub fn apply(
    client: &mut Client,
    steps: &[&Step],
    policy: &Policy,
) -> Result<Applied, postgres::Error> {
    let error = match batch(client, &(transaction(steps, policy) + &look_sql(policy))) {
        Ok(rows) => {
            return Ok(Applied {
                database: read_look(&rows, false).1,
                endings: vec![Ending::Done; steps.len()],
            });
        }
        Err(error) => error,
    };
    let Some(refusal) = refusal(&error) else {
        return Err(error);
    };
    let rows = batch(client, &format!("ROLLBACK; {}", look_sql(policy)))?;
    let mut database = read_look(&rows, false).1;
    if let [step] = steps {
        // A race that was lost leaves things as they should be: 23505 and 42710 are no failure then.
        let so = is_so(
            &step.want,
            database.installed.get(&step.want.name),
            step,
            policy,
        );
        return Ok(Applied {
            database,
            endings: vec![if so {
                Ending::Raced
            } else {
                Ending::Refused(refusal)
            }],
        });
    }
    let mut endings = Vec::with_capacity(steps.len());
    for step in steps {
        if is_so(
            &step.want,
            database.installed.get(&step.want.name),
            step,
            policy,
        ) {
            endings.push(Ending::Raced);
            continue;
        }
        let single = apply(client, &[step], policy)?;
        database = single.database;
        endings.extend(single.endings);
    }
    Ok(Applied { database, endings })
}

fn transaction(steps: &[&Step], policy: &Policy) -> String {
    let mut sql = format!(
        "BEGIN; SET LOCAL search_path = pg_catalog; {} SELECT pg_advisory_xact_lock({LOCK});",
        limits(policy)
    );
    for statement in steps.iter().flat_map(|step| &step.sql) {
        sql.push_str(statement);
        sql.push(';');
    }
    sql + "COMMIT;"
}

fn refusal(error: &postgres::Error) -> Option<Refusal> {
    let server = error.as_db_error()?;
    Some(Refusal {
        sqlstate: server.code().code().to_string(),
        message: server.message().to_string(),
        detail: server.detail().map(str::to_string),
    })
}
