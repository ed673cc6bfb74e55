//! The right itself: looked at, given, taken back. Taking back never trusts what it did: it reads the catalog until that says so.

use std::time::Duration;

use base::clock::Deadline;
use base::error::{Error, Kind, Result};
use pgconn::Resolved;
use postgres::{Client, SimpleQueryRow};

use crate::ensure::lost;
use crate::observe::{Rows, batch, text, truth};
use crate::sql::{identifier, literal};

/// What is known of a role before, and what it takes to undo the elevation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The cluster.
    pub system: String,
    /// The role; COMMAND may rename it.
    pub oid: u32,
    /// The server process that gives the right.
    pub backend: Backend,
    /// The server's clock before the right was given, in microseconds since 1970.
    pub since: i64,
    /// The transaction that gave it.
    pub transaction: Option<String>,
    /// The role's sessions that were open before.
    pub sessions: Vec<i32>,
    superuser: bool,
    admin_superuser: bool,
    own_role: bool,
    recovery: bool,
}

/// A server process, told apart from a later one of the same number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backend {
    /// Its process id.
    pub pid: i64,
    /// When it began, by the server's clock, in microseconds since 1970.
    pub start: i64,
}

impl Grant {
    /// As a journal has it.
    pub fn recorded(system: String, oid: u32, backend: Backend, since: i64) -> Grant {
        Grant {
            system,
            oid,
            backend,
            since,
            ..Grant::default()
        }
    }

    /// Who may not be elevated, and by whom.
    ///
    /// # Errors
    /// `Kind::Failed`.
    pub fn refuse_unfit(&self, role: &str) -> Result<()> {
        let role = base::terminal::escape(role);
        if self.own_role {
            return Err(Error::failed(format!(
                "\"{role}\" is the administrator's own role"
            )));
        }
        if self.superuser {
            let why = "already is a superuser: it would have to be demoted afterwards, and that is never done";
            return Err(Error::failed(format!("\"{role}\" {why}")).hint("run COMMAND as it is"));
        }
        if !self.admin_superuser {
            return Err(Error::new(
                Kind::Permission,
                "the role of --admin is no superuser, and only one can make another",
            ));
        }
        if self.recovery {
            return Err(
                Error::failed("the server is a standby: roles cannot be changed there")
                    .hint("connect to the primary"),
            );
        }
        Ok(())
    }
}

/// What came of taking the right back.
#[derive(Clone, Debug, Default)]
pub struct Revocation {
    /// The catalog says that the role is no superuser.
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

/// A server's answer as the program's error.
pub fn failed(error: &postgres::Error) -> Error {
    let failure = lost(error);
    let kind = if failure.sqlstate == "08006" {
        Kind::Unreachable
    } else {
        Kind::Failed
    };
    Error::new(kind, failure.message)
}

/// Times go as microseconds since 1970: whatever DateStyle and TimeZone a session has, they mean the same in the next.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
const START: &str = "(extract(epoch FROM backend_start) * 1000000)::bigint";

/// Reads what has to be known before.
///
/// # Errors
/// `Kind::NotFound` where there is no such role.
pub fn look(client: &mut Client, role: &str) -> Result<Grant> {
    let sql = format!(
        "SET search_path = pg_catalog; \
         SELECT system_identifier, {NOW}, pg_backend_pid(), \
           (SELECT {START} FROM pg_stat_activity WHERE pid = pg_backend_pid()), pg_is_in_recovery(), \
           (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) FROM pg_control_system(); \
         SELECT oid, rolsuper, rolname = current_user OR rolname = session_user FROM pg_roles WHERE rolname = {0}; \
         SELECT pid FROM pg_stat_activity WHERE usename = {0} ORDER BY 1;",
        literal(role)
    );
    let rows = batch(client, &sql).map_err(|error| failed(&error))?;
    let (Some(server), Some(roles), Some(sessions)) = (
        rows.get(1).and_then(|rows| rows.first()),
        rows.get(2),
        rows.get(3),
    ) else {
        return Err(Error::failed("the server gave no answer about the role"));
    };
    let Some(found) = roles.first() else {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "the server has no role \"{}\"",
                base::terminal::escape(role)
            ),
        ));
    };
    let number = |row: &SimpleQueryRow, column: usize| {
        text(row, column)
            .and_then(|value| value.parse::<i64>().ok())
            .unwrap_or_default()
    };
    Ok(Grant {
        system: text(server, 0).unwrap_or_default(),
        since: number(server, 1),
        backend: Backend {
            pid: number(server, 2),
            start: number(server, 3),
        },
        recovery: truth(server, 4),
        admin_superuser: truth(server, 5),
        oid: u32::try_from(number(found, 0)).unwrap_or_default(),
        superuser: truth(found, 1),
        own_role: truth(found, 2),
        transaction: None,
        sessions: sessions
            .iter()
            .filter_map(|row| text(row, 0)?.parse().ok())
            .collect(),
    })
}

/// Whether the session that was to give a right is gone: nothing is under way any more.
///
/// # Errors
/// The server's.
pub fn is_over(client: &mut Client, grant: &Grant) -> Result<bool> {
    let Backend { pid, start } = &grant.backend;
    let sql = format!(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE pid = {pid} AND {START} = {start}"
    );
    let rows = batch(client, &sql).map_err(|error| failed(&error))?;
    Ok(rows.iter().flatten().any(|row| row.get(0) == Some("0")))
}

/// Gives the right.
///
/// # Errors
/// The server's; the right may have been given all the same.
pub fn give(client: &mut Client, grant: &mut Grant) -> Result<()> {
    let name = name(client, grant.oid).map_err(|error| failed(&error))?;
    let name = name.ok_or_else(|| Error::new(Kind::NotFound, "the role has just been dropped"))?;
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = 5000; SELECT txid_current() % 4294967296; ALTER ROLE {} SUPERUSER; COMMIT;",
        identifier(&name)
    );
    let rows = batch(client, &sql).map_err(|error| {
        let _ = batch(client, "ROLLBACK");
        failed(&error)
    })?;
    grant.transaction = rows.iter().flatten().find_map(|row| text(row, 0));
    Ok(())
}

/// The role's present name.
fn name(client: &mut Client, oid: u32) -> std::result::Result<Option<String>, postgres::Error> {
    let rows = batch(
        client,
        &format!("SELECT rolname FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) {oid}"),
    )?;
    Ok(rows.iter().flatten().find_map(|row| text(row, 0)))
}

/// Takes the right back, through this session or a new one, again and again until the catalog says so or the time is up.
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
            Some(client) => {
                attempt(client, grant, &mut revocation).map_err(|error| lost(&error).message)
            }
            None => admin
                .connect()
                .map_err(|error| error.message)
                .and_then(|mut connected| {
                    attempt(&mut connected.client, grant, &mut revocation)
                        .map_err(|error| lost(&error).message)
                }),
        };
        match attempt {
            Ok(()) => {
                return Revocation {
                    verified: true,
                    failure: None,
                    ..revocation
                };
            }
            Err(why) => revocation.failure = Some(why),
        }
        if until.passed() {
            return revocation;
        }
        std::thread::sleep(until.slice(pause));
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Once: the backend that gives the right is gone, the right is gone, the sessions that began with it are gone.
fn attempt(
    client: &mut Client,
    grant: &Grant,
    revocation: &mut Revocation,
) -> std::result::Result<(), postgres::Error> {
    batch(
        client,
        "ROLLBACK; SET search_path = pg_catalog; SET lock_timeout = 1000; SET statement_timeout = 10000",
    )?;
    // A server that commits asynchronously could forget it in a crash.
    batch(client, "SET synchronous_commit = on")?;
    let system = crate::observe::system(client)?;
    if system != grant.system {
        // Another cluster answers in its place: nothing to do with it, and the error of an impossible statement says so.
        batch(
            client,
            "DO $$ BEGIN RAISE EXCEPTION 'another cluster answers at this address'; END $$",
        )?;
    }
    end_giver(client, grant)?;
    let Some(name) = name(client, grant.oid)? else {
        return Ok(());
    };
    let revoke = format!("ALTER ROLE {} NOSUPERUSER", identifier(&name));
    if let Err(error) = batch(client, &revoke) {
        if error.code().is_none_or(|code| code.code() != "55P03") {
            return Err(error);
        }
        // Somebody holds the role's row: a session of its own that COMMAND left behind, or one that COMMAND opened as somebody else.
        end_sessions(client, grant, revocation)?;
        end_blockers(client, revocation)?;
        batch(client, &revoke)?;
    }
    end_sessions(client, grant, revocation)?;
    let rows = batch(
        client,
        &format!("SELECT rolsuper FROM pg_roles WHERE oid = {}", grant.oid),
    )?;
    if rows.iter().flatten().any(|row| truth(row, 0)) {
        batch(
            client,
            "DO $$ BEGIN RAISE EXCEPTION 'the role is a superuser again'; END $$",
        )?;
    }
    Ok(())
}

/// A tool that was killed while its statement was under way: the right may come after we looked. So its session ends first.
fn end_giver(client: &mut Client, grant: &Grant) -> std::result::Result<(), postgres::Error> {
    let Backend { pid, start } = &grant.backend;
    let same = format!("pid = {pid} AND {START} = {start} AND pid <> pg_backend_pid()");
    // The one who ends sessions must never be asked before the others are told apart: the order of a WHERE is the planner's.
    batch(
        client,
        &format!(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE {same} OFFSET 0) giver"
        ),
    )?;
    for _ in 0..200 {
        let rows = batch(
            client,
            &format!(
                "SELECT pg_stat_clear_snapshot(); SELECT count(*) FROM pg_stat_activity WHERE {same}"
            ),
        )?;
        if rows.iter().flatten().any(|row| row.get(0) == Some("0")) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    batch(
        client,
        "DO $$ BEGIN RAISE EXCEPTION 'the session that gives the right does not end'; END $$",
    )
    .map(drop)
}

/// A session that began as a superuser's may become any other role for as long as it lasts (`SET SESSION AUTHORIZATION` asks how it
/// began), so those end with the right.
fn end_sessions(
    client: &mut Client,
    grant: &Grant,
    revocation: &mut Revocation,
) -> std::result::Result<(), postgres::Error> {
    let sql = format!(
        "SELECT pid, pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE usesysid = {} AND {START} >= {} \
         AND pid <> pg_backend_pid() OFFSET 0) chosen",
        grant.oid, grant.since
    );
    revocation.note(&batch(client, &sql)?);
    Ok(())
}

/// Whoever holds a lock on a row of `pg_authid` in a transaction that goes on and on: only superusers can, and this one stands between
/// a role and the end of its right.
fn end_blockers(
    client: &mut Client,
    revocation: &mut Revocation,
) -> std::result::Result<(), postgres::Error> {
    let sql = "SELECT pid, pg_terminate_backend(pid) FROM (SELECT DISTINCT pid FROM pg_locks WHERE relation = 'pg_authid'::regclass \
               AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid() OFFSET 0) chosen";
    revocation.note(&batch(client, sql)?);
    std::thread::sleep(Duration::from_millis(100));
    Ok(())
}
