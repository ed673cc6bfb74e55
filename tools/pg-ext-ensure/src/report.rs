//! The tool's own part of the report, and how it is set for a person.

use base::Fix;
use base::report::{Body as ReportBody, Mark, Text};
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalog;
use crate::migrations::Migrations;
use crate::want::{State, Want};

/// Beside the common keys.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Body {
    /// The server, if one was reached.
    pub server: Option<Server>,
    /// One for each extension in each database.
    pub items: Vec<Item>,
    /// What the migrations of `--from-migrations` say; null without that option.
    pub migrations: Option<Migrations>,
    /// What `elevate` did.
    pub elevation: Option<Elevation>,
    /// What `recover` finished.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recovered: Vec<Elevation>,
}

/// A role that was a superuser for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Elevation {
    /// The role.
    pub role: String,
    /// When the role became a superuser; null if the role never did.
    pub granted_at: Option<String>,
    /// When the catalog showed that the role is no longer a superuser.
    pub revoked_at: Option<String>,
    /// Whether the catalog shows that the role is no longer a superuser; null where the role never
    /// was one.
    pub revoke_verified: Option<bool>,
    /// COMMAND.
    pub command: Option<Command>,
    /// Roles that are superusers now, or may become one, and were not before.
    pub new_superusers: Vec<String>,
    /// Rights, passwords, memberships and settings of roles and of the server that are new.
    pub new_rights: Vec<String>,
    /// Objects of superusers that are new or changed, with their database.
    pub new_owned: Vec<String>,
    /// Functions in untrusted languages that are new or changed, with their database.
    pub new_untrusted: Vec<String>,
}

/// What was run while the role was elevated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Command {
    /// The program and its arguments, without secrets.
    pub argv: Vec<String>,
    /// The exit code of COMMAND, 128+N for signal N; null if COMMAND did not run.
    pub rc: Option<u8>,
    /// The last 4 KiB of COMMAND's output, if COMMAND failed.
    pub tail: Option<String>,
}

impl Command {
    /// After it has ended.
    pub fn ended(planned: Option<Command>, outcome: &base::child::Outcome) -> Command {
        let tail = (!outcome.ending.success()).then(|| base::mask::text(&outcome.tail));
        Command {
            rc: Some(outcome.ending.shell_code()),
            tail,
            ..planned.unwrap_or_default()
        }
    }
}

impl Elevation {
    /// Before anything is done.
    pub fn planned(role: &str, argv: &[String]) -> Elevation {
        let command = Command {
            argv: argv.to_vec(),
            ..Command::default()
        };
        Elevation {
            role: role.to_string(),
            command: Some(command),
            ..Elevation::default()
        }
    }
}

/// The server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Server {
    /// The server's version: `15.18`.
    pub version: String,
    /// Whether the server is a standby.
    pub recovery: bool,
    /// The server's distribution, `debian 12`; null where the server does not show one.
    pub distro: Option<String>,
}

impl From<&catalog::Server> for Server {
    fn from(server: &catalog::Server) -> Server {
        Server {
            version: server.version.clone(),
            recovery: server.recovery,
            distro: server.distro.as_ref().map(ToString::to_string),
        }
    }
}

/// One extension in one database.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Item {
    /// The database.
    pub db: String,
    /// The extension.
    pub name: String,
    /// What was asked for.
    pub want: Wanted,
    /// The extension before the run; null where it was not installed.
    pub before: Option<Found>,
    /// The extension after the run, read again; in a dry run, as the tool foresees it.
    pub after: Option<Found>,
    /// What the run did; in a dry run, what a real run would do.
    pub action: Action,
    /// Whose rights the statements ran with; in a dry run, would run with.
    pub via: Via,
    /// Whether the version is trusted: CREATE on the database is enough. Null where the tool did
    /// not need to know.
    pub trusted: Option<bool>,
    /// Whether the server has loaded the library that the extension needs from the server's start;
    /// null where the extension needs none, or where the role cannot see that.
    pub loaded: Option<bool>,
    /// Required extensions that the run created with this one.
    pub requires: Vec<String>,
    /// The statements of the step.
    pub sql: Vec<String>,
    /// The objects that depend on the extension to be dropped: dropped along with --drop-cascade,
    /// else the reason why nothing is dropped.
    pub lost: Vec<String>,
    /// The server's notices and warnings during the step.
    pub notices: Vec<String>,
    /// The operating system's package that is missing on the server.
    pub package: Option<String>,
    /// Why the step was not taken, or would not be in a dry run.
    pub error: Option<Failure>,
    /// What closes the gap.
    pub fix: Option<Fix>,
}

/// What was asked for one extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Wanted {
    /// Whether the extension shall be present or absent.
    pub state: State,
    /// A version, or `latest`; null where any will do.
    pub version: Option<String>,
    /// A schema; null where any will do.
    pub schema: Option<String>,
}

impl From<&Want> for Wanted {
    fn from(want: &Want) -> Wanted {
        Wanted {
            state: want.state,
            version: want.version.text().map(str::to_string),
            schema: want.schema.clone(),
        }
    }
}

/// An extension that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    /// The installed version.
    pub version: Option<String>,
    /// The extension's schema.
    pub schema: Option<String>,
    /// The extension's owner.
    pub owner: Option<String>,
}

impl From<&catalog::Installed> for Found {
    fn from(found: &catalog::Installed) -> Found {
        Found {
            version: Some(found.version.clone()),
            schema: Some(found.schema.clone()),
            owner: Some(found.owner.clone()),
        }
    }
}

/// What is done to an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: it is as asked for, or may not be changed.
    None,
    /// `CREATE EXTENSION`.
    Create,
    /// `ALTER EXTENSION … UPDATE` (and perhaps `SET SCHEMA`).
    Update,
    /// `ALTER EXTENSION … SET SCHEMA`.
    SetSchema,
    /// `DROP EXTENSION`.
    Drop,
}

/// Whose rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The application's role.
    App,
    /// `--admin`.
    Admin,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// The SQLSTATE.
    pub sqlstate: String,
    /// The SQLSTATE's name in PostgreSQL's manual: `insufficient_privilege`.
    pub code: String,
    /// The server's message; the tool's own where the tool did not try the step.
    pub message: String,
    /// The server's detail.
    pub detail: Option<String>,
    /// The server's hint.
    pub hint: Option<String>,
    /// The cause of the server's refusal, in the tool's words.
    pub cause: Option<String>,
}

impl ReportBody for Body {
    fn text(&self, out: &mut Text) {
        for item in &self.items {
            item.text(out);
        }
        if let Some(migrations) = &self.migrations {
            migrations.text(out);
        }
        for elevation in self.elevation.iter().chain(&self.recovered) {
            elevation.text(out);
        }
    }

    fn shows_error(&self) -> bool {
        self.items.iter().any(|item| item.error.is_some())
    }
}

impl Migrations {
    fn text(&self, out: &mut Text) {
        out.row(
            Mark::Plain,
            &["migrations", &format!("{} read", self.files)],
        );
        for created in &self.creates {
            out.note(format!(
                "{}:{}: {} creates '{}'",
                created.file, created.line, created.by, created.name
            ));
        }
        for place in &self.unknown {
            out.row(Mark::Unknown, &["unknown", &place.to_string()]);
        }
        if out.verbose() {
            for place in &self.unread {
                out.note(format!("not read: {place}"));
            }
        } else if !self.unread.is_empty() {
            out.note(format!(
                "places with code that was not read: {} (-v)",
                self.unread.len()
            ));
        }
    }
}

impl Elevation {
    fn text(&self, out: &mut Text) {
        let (mark, state) = match self.revoke_verified {
            Some(true) => (Mark::Good, "no longer a superuser"),
            Some(false) => (Mark::Bad, "may still be a superuser"),
            None => (Mark::Unknown, "was not elevated"),
        };
        out.row(mark, &[self.role.as_str(), state]);
        for role in &self.new_superusers {
            out.note(format!("new superuser: {role}"));
        }
        for right in &self.new_rights {
            out.note(format!("new: {right}"));
        }
        for object in &self.new_owned {
            out.note(format!("a superuser's: {object}"));
        }
        for function in &self.new_untrusted {
            out.note(format!("untrusted language: {function}"));
        }
    }
}

impl Item {
    /// The extension is there, and not as it should be.
    pub fn is_amiss(&self) -> bool {
        self.error.is_none() && self.fix.is_some()
    }

    fn text(&self, out: &mut Text) {
        let mark = match (&self.error, self.action, &self.fix) {
            (Some(_), _, _) => Mark::Bad,
            (None, _, Some(_)) => Mark::Warn,
            (None, Action::None, None) => Mark::Good,
            (None, _, None) => Mark::Changed,
        };
        let version = |found: &Option<Found>| found.as_ref().and_then(|f| f.version.clone());
        let versions = match (version(&self.before), version(&self.after)) {
            (Some(before), Some(after)) if before != after => format!("{before} -> {after}"),
            (_, Some(version)) => version,
            (Some(_), None) => "-".to_string(),
            (None, None) => String::new(),
        };
        let via = if self.via == Via::Admin {
            " (as --admin)"
        } else {
            ""
        };
        let last = match &self.error {
            Some(error) => error.message.clone(),
            None => format!("{}{via}", self.words()),
        };
        out.row(mark, &[&self.db, &self.name, &versions, &last]);
        self.notes(out);
    }

    fn notes(&self, out: &mut Text) {
        if let Some(error) = &self.error {
            for more in error.detail.iter().chain(&error.hint).chain(&error.cause) {
                out.note(more);
            }
        }
        let verb = match (self.action, &self.error) {
            (Action::Drop, None) => "LOST",
            _ => "depends on the extension",
        };
        let shown = if out.verbose() { usize::MAX } else { 20 };
        for object in self.lost.iter().take(shown) {
            out.note(format!("{verb}: {object}"));
        }
        if self.lost.len() > shown {
            out.note(format!("{verb}: {} more (-v)", self.lost.len() - shown));
        }
        for notice in &self.notices {
            out.note(notice);
        }
        if let Some(fix) = &self.fix {
            fix.text(out);
        }
        if out.verbose() {
            for line in &self.sql {
                out.step(line);
            }
        }
    }

    fn words(&self) -> &'static str {
        match self.action {
            Action::None if self.loaded == Some(false) => "present, library not loaded",
            Action::Create if self.loaded == Some(false) => "create, library not loaded",
            Action::Create => "create",
            Action::Update => "update",
            Action::SetSchema => "set schema",
            Action::Drop => "drop",
            Action::None if self.fix.is_some() => "in another schema",
            Action::None if self.want.state == State::Absent => "absent",
            Action::None => "present",
        }
    }
}
