//! The cause of a server's refusal: what was foreseen, then catalog facts, then what the SQLSTATE
//! means for the action. Where none of these decides, the server's own words have to do.

use crate::cause::{Cause, Scene, count, quoted};
use crate::plan::Step;
use crate::preload;
use crate::report::{Action, Failure};

/// What the server said of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The message, in the server's language.
    pub message: String,
    /// The detail.
    pub detail: Option<String>,
    /// The hint.
    pub hint: Option<String>,
}

impl Refusal {
    /// What a server's error says, if it is a server's error.
    pub fn of(error: &postgres::Error) -> Option<Refusal> {
        let server = error.as_db_error()?;
        Some(Refusal {
            sqlstate: server.code().code().to_string(),
            message: server.message().to_string(),
            detail: server.detail().map(str::to_string),
            hint: server.hint().map(str::to_string),
        })
    }

    /// The refusal as the report has it.
    pub fn failure(&self, cause: Option<String>) -> Failure {
        Failure {
            code: condition(&self.sqlstate).to_string(),
            sqlstate: self.sqlstate.clone(),
            message: self.message.clone(),
            detail: self.detail.clone(),
            hint: self.hint.clone(),
            cause,
        }
    }
}

/// The cause of a refusal. `denied` is the right that the role was foreseen to lack.
pub fn cause(refusal: &Refusal, denied: Option<&Cause>, step: &Step, scene: &Scene<'_>) -> Cause {
    let sqlstate = refusal.sqlstate.as_str();
    let foreseen = step.cause.as_ref().or(denied);
    if let Some(cause) = foreseen.filter(|cause| {
        !matches!(cause, Cause::Provider(_))
            && cause.sqlstate(scene.server, step.action) == sqlstate
    }) {
        return cause.clone();
    }
    let depth = scene.database.depth.as_ref();
    let available = depth.is_some_and(|depth| depth.available.contains_key(scene.name));
    let needs_library = preload::of(scene.name).filter(|_| step.action == Action::Create);
    match (sqlstate, step.action) {
        ("0A000" | "58P01", Action::Create | Action::Update) if !available => {
            Cause::Unavailable(scene.name.to_string())
        }
        ("58P01", _) => Cause::Files,
        ("0A000" | "2BP01", Action::Update) => Cause::UpdateBlocked,
        ("42501", Action::Create) => Cause::Superuser,
        ("42501", _) => {
            let found = scene.database.installed.get(scene.name);
            match found.filter(|found| !found.owned) {
                Some(found) => Cause::Owner(found.owner.clone()),
                None => Cause::Superuser,
            }
        }
        ("25006", _) if scene.server.recovery => Cause::Standby,
        ("25006", _) => Cause::ReadOnly,
        ("42723" | "42P07" | "42710" | "42P06", Action::Create) => Cause::ObjectExists,
        ("55P03", _) => Cause::Locked,
        ("57014", _) => Cause::TooLong,
        ("3D000", _) => Cause::NoDatabase,
        ("2BP01", Action::Drop) => Cause::Dependents(step.lost.clone()),
        // Only of an extension that is known to need a library: others mean something else by this
        // SQLSTATE.
        ("55000" | "42704", _) => match needs_library {
            Some(row) => Cause::Preload(row.library.to_string()),
            None => Cause::Other,
        },
        _ => Cause::Other,
    }
}

/// What was foreseen, as a failure.
pub fn foreseen(cause: &Cause, scene: &Scene<'_>) -> Failure {
    let sqlstate = cause.sqlstate(scene.server, scene.action);
    Failure {
        sqlstate: sqlstate.to_string(),
        code: condition(sqlstate).to_string(),
        message: cause.sentence(scene),
        detail: None,
        hint: None,
        cause: None,
    }
}

/// What a script that sends thousands of notices says, in a few lines.
pub fn short(mut notices: Vec<String>) -> Vec<String> {
    const SHOWN: usize = 20;
    if notices.len() > SHOWN {
        let more = count(notices.len() - SHOWN, "notice");
        notices.truncate(SHOWN);
        notices.push(format!("and {more} more"));
    }
    notices
}

/// Two refusals in one: the application's role was refused, and the administrator could not be
/// asked.
pub fn without_admin(refusal: &Refusal, role: &str) -> String {
    format!(
        "role {} was refused: {}",
        quoted(role),
        base::terminal::escape(&refusal.message)
    )
}

/// The condition names of PostgreSQL's manual, appendix A.
pub fn condition(sqlstate: &str) -> &'static str {
    match sqlstate {
        "08001" => "sqlclient_unable_to_establish_sqlconnection",
        "08006" => "connection_failure",
        "0A000" => "feature_not_supported",
        "22023" => "invalid_parameter_value",
        "23505" => "unique_violation",
        "25006" => "read_only_sql_transaction",
        "28000" => "invalid_authorization_specification",
        "28P01" => "invalid_password",
        "2BP01" => "dependent_objects_still_exist",
        "3D000" => "invalid_catalog_name",
        "3F000" => "invalid_schema_name",
        "42501" => "insufficient_privilege",
        "42704" => "undefined_object",
        "42710" => "duplicate_object",
        "42723" => "duplicate_function",
        "42P06" => "duplicate_schema",
        "42P07" => "duplicate_table",
        "53300" => "too_many_connections",
        "55000" => "object_not_in_prerequisite_state",
        "55P03" => "lock_not_available",
        "57014" => "query_canceled",
        "57P01" => "admin_shutdown",
        "57P02" => "crash_shutdown",
        "57P03" => "cannot_connect_now",
        "58P01" => "undefined_file",
        "P0001" => "raise_exception",
        _ => "other",
    }
}
