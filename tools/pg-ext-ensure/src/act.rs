//! The only place that changes a database. All steps that the role may take run in one transaction
//! and one round trip, with the look afterwards at its end. If the transaction fails nothing of it
//! has happened, and each step is tried in a transaction of its own. An update runs first thing in
//! a new session: some libraries refuse to be updated once they were loaded.

use pgconn::{Notice, Resolved};
use postgres::Client;

use crate::catalog::Database;
use crate::diagnose::Refusal;
use crate::observe::{batch, limits, look_sql, millis, read_look};
use crate::plan::{Step, is_so};
use crate::request::Policy;
use crate::session::Session;
use crate::sql::Statement;

/// Runs of ours take turns in a database: the key of an advisory lock, the letters "pgextens".
const LOCK: i64 = 0x7067_6578_7465_6e73;

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The step was taken.
    Done,
    /// Somebody else took the step first.
    Raced,
    /// The server refused.
    Refused(Refusal),
}

/// A step or several, taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The result of the step.
    pub ending: Ending,
    /// The database, read again.
    pub database: Database,
    /// What the server said meanwhile.
    pub notices: Vec<Notice>,
}

/// Takes all steps in one transaction; nothing where the server refuses one of them.
///
/// # Errors
/// Only a lost connection.
pub fn together(
    session: &mut Session,
    steps: &[&Step],
    policy: &Policy,
) -> Result<Option<Taken>, postgres::Error> {
    session.notices.take();
    let statements = steps.iter().flat_map(|step| &step.statements);
    let sql = transaction(statements, None, policy) + &look_sql(policy);
    match batch(&mut session.client, &sql) {
        Ok(rows) => Ok(Some(Taken {
            ending: Ending::Done,
            database: read_look(&rows, false).1,
            notices: session.notices.take(),
        })),
        Err(error) if Refusal::of(&error).is_some() => {
            batch(&mut session.client, "ROLLBACK")?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Takes one step, for a role that shall own a schema that is created where that is not the
/// session's own.
///
/// # Errors
/// Only a lost connection: what the server refuses is in the ending.
pub fn single(
    session: &mut Session,
    step: &Step,
    owner: Option<&str>,
    policy: &Policy,
) -> Result<Taken, postgres::Error> {
    session.notices.take();
    let updates = step.statements.first().is_some_and(Statement::is_update);
    let refused = if updates {
        update(session, step, owner, policy)?
    } else {
        let sql = transaction(step.statements.iter(), owner, policy);
        refusal(batch(&mut session.client, &sql))?
    };
    let notices = session.notices.take();
    let look = match &refused {
        Some(_) if !updates => format!("ROLLBACK; {}", look_sql(policy)),
        _ => look_sql(policy),
    };
    let database = read_look(&batch(&mut session.client, &look)?, false).1;
    let found = database.installed.get(&step.want.name);
    let ending = match refused {
        None => Ending::Done,
        // A race that was lost leaves things as they should be: 23505 and 42710 are no failure
        // then.
        Some(_) if is_so(&step.want, found, step, policy) => Ending::Raced,
        Some(refusal) => Ending::Refused(refusal),
    };
    Ok(Taken {
        ending,
        database,
        notices,
    })
}

/// What the server refused, if that is what happened.
fn refusal<T>(result: Result<T, postgres::Error>) -> Result<Option<Refusal>, postgres::Error> {
    match result {
        Ok(_) => Ok(None),
        Err(error) => Refusal::of(&error).map(Some).ok_or(error),
    }
}

fn transaction<'a>(
    statements: impl Iterator<Item = &'a Statement>,
    owner: Option<&str>,
    policy: &Policy,
) -> String {
    let mut sql = begin(policy);
    for statement in statements {
        sql.push_str(&statement.text(owner));
        sql.push(';');
    }
    sql + "COMMIT;"
}

fn begin(policy: &Policy) -> String {
    format!(
        "BEGIN; SET LOCAL search_path = pg_catalog; {} SELECT pg_advisory_xact_lock({LOCK});",
        limits(policy)
    )
}

/// An update in a session of its own, while this one holds the lock. All statements of the step go
/// in one message, which is one transaction, and the update is the first of them.
fn update(
    session: &mut Session,
    step: &Step,
    owner: Option<&str>,
    policy: &Policy,
) -> Result<Option<Refusal>, postgres::Error> {
    if let Some(refused) = refusal(batch(&mut session.client, &begin(policy)))? {
        batch(&mut session.client, "ROLLBACK")?;
        return Ok(Some(refused));
    }
    let texts: Vec<String> = step.statements.iter().map(|s| s.text(owner)).collect();
    let refused = match fresh(&session.resolved, policy) {
        Ok(connected) => {
            let mut client: Client = connected.client;
            let result = refusal(batch(&mut client, &texts.join("; ")));
            for notice in connected.notices.take() {
                session.notices.put(notice);
            }
            result
        }
        Err(error) => Ok(Some(Refusal {
            sqlstate: error
                .sqlstate
                .clone()
                .unwrap_or_else(|| "08001".to_string()),
            message: format!("a second session for the update: {}", error.message),
            detail: None,
            hint: error.hint,
        })),
    };
    batch(&mut session.client, "COMMIT")?;
    refused
}

/// A session in which nothing has run yet. Its limits come with the greeting; a pooler that takes
/// no settings there gets none.
fn fresh(resolved: &Resolved, policy: &Policy) -> pgconn::Result<pgconn::Connected> {
    let options = format!(
        "-c lock_timeout={} -c statement_timeout={}",
        millis(policy.lock_timeout),
        millis(policy.statement_timeout)
    );
    match resolved.with_options(&options).connect() {
        // PgBouncer: "unsupported startup parameter: options".
        Err(error) if error.sqlstate.as_deref() == Some("08P01") => resolved.connect(),
        other => other,
    }
}
