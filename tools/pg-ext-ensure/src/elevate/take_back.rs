//! Taking the right back. Nothing done is trusted: the catalog is read until it says so.

use std::time::Duration;

use base::clock::Deadline;
use pgconn::Resolved;
use postgres::Client;

use super::right::{Giver, Grant, LOCAL, PROCESS_START, TRANSACTION_START, local};
use crate::observe::{self, Rows, batch, text, truth};
use crate::session::lost;
use crate::sql::identifier;

/// What came of taking the right back.
#[derive(Clone, Debug, Default)]
pub struct Revocation {
    /// The catalog says that the role is not a superuser.
    pub verified: bool,
    /// Why not.
    pub failure: Option<String>,
    /// Sessions that were ended because they began as a superuser's.
    pub ended: Vec<i32>,
}

impl Revocation {
    fn note(&mut self, rows: &Rows) {
        for pid in rows
            .iter()
            .flatten()
            .filter_map(|row| text(row, 0)?.parse().ok())
        {
            if !self.ended.contains(&pid) {
                self.ended.push(pid);
            }
        }
    }

    /// For the report.
    pub fn warnings(&self) -> Option<String> {
        let pids: Vec<String> = self.ended.iter().map(ToString::to_string).collect();
        let why = "sessions that began while the role was a superuser were ended, since they could still have become any other role";
        (!pids.is_empty()).then(|| format!("{why}: server processes {}", pids.join(", ")))
    }
}

/// Why an attempt failed.
struct Obstacle {
    sqlstate: Option<String>,
    message: String,
}

impl Obstacle {
    fn plain(message: &str) -> Obstacle {
        Obstacle {
            sqlstate: None,
            message: message.to_string(),
        }
    }
}

impl From<postgres::Error> for Obstacle {
    fn from(error: postgres::Error) -> Obstacle {
        Obstacle {
            sqlstate: error.code().map(|code| code.code().to_string()),
            message: lost(&error).message,
        }
    }
}

type Attempt<T> = Result<T, Obstacle>;

/// Takes the right back, through this session or a new one, again and again until the catalog says
/// so or the time is up.
pub fn take_back(
    mut client: Option<&mut Client>,
    admin: &Resolved,
    grant: &Grant,
    until: Deadline,
) -> Revocation {
    let mut revocation = Revocation::default();
    let mut pause = Duration::from_millis(20);
    loop {
        let attempt = match client.take() {
            Some(client) => attempt(client, grant, &mut revocation),
            None => match admin.connect() {
                Ok(mut connected) => attempt(&mut connected.client, grant, &mut revocation),
                Err(error) => Err(Obstacle::plain(&error.message)),
            },
        };
        match attempt {
            Ok(()) => {
                return Revocation {
                    verified: true,
                    failure: None,
                    ..revocation
                };
            }
            Err(obstacle) => revocation.failure = Some(obstacle.message),
        }
        if until.passed() {
            return revocation;
        }
        std::thread::sleep(until.slice(pause));
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Runs statements in a transaction of their own, and gives the results of those statements alone.
fn run(client: &mut Client, sql: &str) -> Attempt<Rows> {
    match batch(client, &local(sql)) {
        Ok(rows) => Ok(rows.into_iter().skip(LOCAL).collect()),
        Err(error) => {
            let obstacle = Obstacle::from(error);
            let _ = batch(client, "ROLLBACK");
            Err(obstacle)
        }
    }
}

/// Once: the transaction that gives the right is over, the right is gone, the sessions that began
/// with it are gone.
fn attempt(client: &mut Client, grant: &Grant, revocation: &mut Revocation) -> Attempt<()> {
    // The tool's own session may be in the middle of the transaction that gives the right.
    batch(client, "ROLLBACK")?;
    if observe::system(client)? != grant.subject.system {
        return Err(Obstacle::plain("another cluster answers at this address"));
    }
    end_giver(client, &grant.giver)?;
    let oid = grant.subject.oid;
    let names = run(
        client,
        &format!("SELECT rolname FROM pg_roles WHERE oid = {oid}"),
    )?;
    let Some(name) = names.iter().flatten().find_map(|row| text(row, 0)) else {
        return Ok(());
    };
    let revoke = format!("ALTER ROLE {} NOSUPERUSER", identifier(&name));
    if let Err(obstacle) = run(client, &revoke) {
        if obstacle.sqlstate.as_deref() != Some("55P03") {
            return Err(obstacle);
        }
        // Somebody holds the role's row: a session that COMMAND left behind, or one that COMMAND
        // opened as another role.
        end_sessions(client, grant, revocation)?;
        end_blockers(client, revocation)?;
        run(client, &revoke)?;
    }
    end_sessions(client, grant, revocation)?;
    let rows = run(
        client,
        &format!("SELECT rolsuper FROM pg_roles WHERE oid = {oid}"),
    )?;
    if rows.iter().flatten().any(|row| truth(row, 0)) {
        return Err(Obstacle::plain("the role is a superuser again"));
    }
    Ok(())
}

/// A tool that was killed while its statement was under way: the right may come after the look. The
/// transaction ends first. The same server process in another transaction is left alone: through a
/// pooler that is somebody else's work.
fn end_giver(client: &mut Client, giver: &Giver) -> Attempt<()> {
    let Giver {
        pid,
        process_start,
        transaction_start,
    } = giver;
    let mut same =
        format!("pid = {pid} AND {PROCESS_START} = {process_start} AND pid <> pg_backend_pid()");
    if *transaction_start != 0 {
        same += &format!(" AND {TRANSACTION_START} = {transaction_start}");
    }
    // pg_terminate_backend must not be called before the others are told apart: the order of a
    // WHERE is the planner's.
    run(
        client,
        &format!(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE {same} OFFSET 0) giver"
        ),
    )?;
    for _ in 0..200 {
        let rows = run(
            client,
            &format!("SELECT count(*) FROM pg_stat_activity WHERE {same}"),
        )?;
        if rows.iter().flatten().any(|row| row.get(0) == Some("0")) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Obstacle::plain(
        "the session that gives the right does not end",
    ))
}

/// A session that began as a superuser's may become any other role for as long as it lasts (`SET
/// SESSION AUTHORIZATION` asks how the session began): such sessions end with the right.
fn end_sessions(client: &mut Client, grant: &Grant, revocation: &mut Revocation) -> Attempt<()> {
    let sql = format!(
        "SELECT pid, pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE usesysid = {} AND {PROCESS_START} >= {} \
         AND pid <> pg_backend_pid() OFFSET 0) chosen",
        grant.subject.oid, grant.since
    );
    revocation.note(&run(client, &sql)?);
    Ok(())
}

/// Whoever holds a lock on a row of `pg_authid` in a transaction that goes on and on: only
/// superusers can, and this one stands between a role and the end of its right.
fn end_blockers(client: &mut Client, revocation: &mut Revocation) -> Attempt<()> {
    let sql = "SELECT pid, pg_terminate_backend(pid) FROM (SELECT DISTINCT pid FROM pg_locks WHERE relation = 'pg_authid'::regclass \
               AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid() OFFSET 0) chosen";
    revocation.note(&run(client, sql)?);
    std::thread::sleep(Duration::from_millis(100));
    Ok(())
}
