//! The right itself: looked at and given, in one transaction. The transaction tells this elevation
//! apart from whatever else the same server process does, which through a pooler is other people's
//! work.

use base::error::{Error, Kind, Result};
use base::terminal::escape;
use postgres::{Client, SimpleQueryRow};

use crate::observe::{batch, text, truth};
use crate::session::lost;
use crate::sql::{identifier, literal};

/// A role of a cluster: whom a journal is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The cluster.
    pub system: String,
    /// The role; COMMAND may rename the role.
    pub oid: u32,
}

/// What it takes to undo an elevation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub subject: Subject,
    /// The transaction that gives the right.
    pub giver: Giver,
    /// The server's clock before the right was given, in microseconds since 1970.
    pub since: i64,
    /// The number of the transaction.
    pub transaction: Option<String>,
}

/// A transaction of a server process, told apart from every other. Times are the server's, in
/// microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Giver {
    /// The process id.
    pub pid: i64,
    /// When the process began.
    pub process_start: i64,
    /// When the transaction began; 0 in journals of version 0.1.
    pub transaction_start: i64,
}

/// The role and the administrator, before.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The role's name.
    pub name: String,
    /// The role's open sessions.
    pub sessions: Vec<i32>,
    superuser: bool,
    own_role: bool,
    admin_superuser: bool,
    recovery: bool,
}

impl Facts {
    /// Who may not be elevated, and by whom.
    ///
    /// # Errors
    /// `Kind::Failed`; `Kind::Permission`.
    pub fn refuse_unfit(&self) -> Result<()> {
        let role = escape(&self.name);
        if self.own_role {
            return Err(Error::failed(format!(
                "'{role}' is the administrator's own role"
            )));
        }
        if self.superuser {
            let why = "already is a superuser: elevate would have to demote the role afterwards, and never does that";
            return Err(Error::failed(format!("'{role}' {why}")).hint("run COMMAND as it is"));
        }
        if !self.admin_superuser {
            return Err(Error::new(
                Kind::Permission,
                "the role of --admin is not a superuser, and only a superuser can make another",
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

/// Times go as microseconds since 1970: whatever DateStyle and TimeZone a session has, they mean
/// the same in the next.
pub const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
/// When a process of `pg_stat_activity` began.
pub const PROCESS_START: &str = "(extract(epoch FROM backend_start) * 1000000)::bigint";
/// When the transaction of a process of `pg_stat_activity` began.
pub const TRANSACTION_START: &str = "(extract(epoch FROM xact_start) * 1000000)::bigint";

/// Statements in a transaction whose settings end with it.
pub fn local(sql: &str) -> String {
    format!(
        "BEGIN; SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = 1000; SET LOCAL statement_timeout = 10000; \
         SET LOCAL synchronous_commit = on; {sql}; COMMIT"
    )
}

/// How many results [`local`] puts before those of its statements.
pub const LOCAL: usize = 5;

/// Finds the role.
///
/// # Errors
/// `Kind::NotFound` where there is no such role.
pub fn subject(client: &mut Client, role: &str) -> Result<Subject> {
    let sql = local(&format!(
        "SELECT system_identifier, (SELECT oid FROM pg_roles WHERE rolname = {}) FROM pg_control_system()",
        literal(role)
    ));
    let rows = batch(client, &sql).map_err(|error| failed(&error))?;
    let row = rows.get(LOCAL).and_then(|rows| rows.first());
    let system = row.and_then(|row| text(row, 0));
    let Some(system) = system else {
        return Err(Error::failed("the server gave no answer about itself"));
    };
    let oid = row.and_then(|row| text(row, 1)?.parse().ok());
    let Some(oid) = oid else {
        return Err(Error::new(
            Kind::NotFound,
            format!("the server has no role '{}'", escape(role)),
        ));
    };
    Ok(Subject { system, oid })
}

/// Begins the transaction that will give the right, and reads what has to be known before. The
/// transaction stays open: a pooler keeps this server process for it.
///
/// # Errors
/// `Kind::NotFound` where there is no such role any more.
pub fn begin(client: &mut Client, subject: &Subject) -> Result<(Grant, Facts)> {
    let sql = format!(
        "BEGIN; SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = 5000; SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL synchronous_commit = on; \
         SELECT {NOW}, pg_backend_pid(), (SELECT {PROCESS_START} FROM pg_stat_activity WHERE pid = pg_backend_pid()), \
           (extract(epoch FROM now()) * 1000000)::bigint, pg_is_in_recovery(), \
           (SELECT rolsuper FROM pg_roles WHERE rolname = current_user); \
         SELECT rolname, rolsuper, rolname = current_user OR rolname = session_user FROM pg_roles WHERE oid = {0}; \
         SELECT pid FROM pg_stat_activity WHERE usesysid = {0} ORDER BY 1",
        subject.oid
    );
    let rows = batch(client, &sql).map_err(|error| failed(&error))?;
    let at = |i: usize| rows.get(LOCAL + i).and_then(|rows| rows.first());
    let (Some(server), Some(role)) = (at(0), at(1)) else {
        return Err(Error::new(
            Kind::NotFound,
            "somebody has just dropped the role",
        ));
    };
    let number = |row: &SimpleQueryRow, column: usize| {
        text(row, column)
            .and_then(|value| value.parse::<i64>().ok())
            .unwrap_or_default()
    };
    let grant = Grant {
        subject: subject.clone(),
        since: number(server, 0),
        giver: Giver {
            pid: number(server, 1),
            process_start: number(server, 2),
            transaction_start: number(server, 3),
        },
        transaction: None,
    };
    let sessions = rows.get(LOCAL + 2).into_iter().flatten();
    let facts = Facts {
        name: text(role, 0).unwrap_or_default(),
        superuser: truth(role, 1),
        own_role: truth(role, 2),
        recovery: truth(server, 4),
        admin_superuser: truth(server, 5),
        sessions: sessions
            .filter_map(|row| text(row, 0)?.parse().ok())
            .collect(),
    };
    Ok((grant, facts))
}

/// Ends the transaction without giving anything.
pub fn give_up(client: &mut Client) {
    let _ = batch(client, "ROLLBACK");
}

/// Gives the right, and ends the transaction.
///
/// # Errors
/// The server's; the right may have been given all the same.
pub fn give(client: &mut Client, grant: &mut Grant, name: &str) -> Result<()> {
    let sql = format!(
        "SELECT txid_current() % 4294967296; ALTER ROLE {} SUPERUSER; COMMIT",
        identifier(name)
    );
    let rows = batch(client, &sql).map_err(|error| {
        let _ = batch(client, "ROLLBACK");
        failed(&error)
    })?;
    grant.transaction = rows.iter().flatten().find_map(|row| text(row, 0));
    Ok(())
}
