//! What closes a gap: for each cause the request once more with one thing added, or the statements
//! of the plan for whoever may run them. No fix drops anything or gives away more rights than the
//! request needs; where only a loss is left, the loss is an alternative that is marked as
//! destructive.

use std::time::Duration;

use base::Fix;

use crate::call::{Call, Delta};
use crate::cause::{Cause, Scene, quoted, short};
use crate::package;
use crate::plan::Step;
use crate::preload;
use crate::report::Action;
use crate::sql::{identifier, literal};
use crate::want::{Version, Want};

/// What a fix is made from.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The request.
    pub call: &'a Call,
    /// The step that was stopped or refused.
    pub step: &'a Step,
    pub scene: Scene<'a>,
}

/// What to do about a cause.
pub fn of(cause: &Cause, setting: &Setting<'_>) -> Fix {
    let database = quoted(&setting.scene.database.name);
    match cause {
        Cause::Unavailable(missing) => package::holding(missing, setting.scene.server),
        Cause::Files => package::again(setting.scene.name, setting.scene.server),
        Cause::CreateOnDatabase => setting.as_owner_of_database(),
        Cause::Superuser => setting.by(setting.scene.database.superuser()),
        Cause::Provider(_) => Fix::advice("run the command without -n: only the server can tell"),
        Cause::Owner(owner) => setting.by(setting.owner_or_superuser(owner)),
        Cause::CreateOnSchema(schema) => setting.on_schema(schema),
        Cause::Requires(missing) => setting.again(
            format!("also create {}", names(missing)),
            &setting.step.want,
            &Delta {
                options: vec!["--create-cascade"],
                ..Delta::default()
            },
        ),
        Cause::Contradiction { present, absent } => Fix::advice(format!(
            "ask for one of the two: {} present or {} absent",
            quoted(present),
            quoted(absent)
        )),
        Cause::Version { default, .. } => setting.version(default.as_ref()),
        Cause::UpdatePath {
            from,
            reachable,
            default,
            ..
        } => setting.reachable(from, reachable, default.as_ref()),
        Cause::Schema(schema) => setting.again(
            format!("create schema {}, too", quoted(schema)),
            &setting.step.want,
            &Delta {
                options: vec!["--create-schema"],
                ..Delta::default()
            },
        ),
        Cause::NoCurrentSchema(public) => setting.in_public(*public),
        Cause::FixedSchema(schema) => setting.in_schema(
            format!("ask for schema {}", quoted(schema)),
            schema,
            Vec::new(),
        ),
        Cause::NotRelocatable(schema) => setting.leave_in(schema),
        Cause::Scattered(moves) => moves.iter().fold(
            Fix::advice(format!(
                "bring the members back into the extension's schema in database {database}, then run the command again"
            )),
            |fix, statement| fix.sql(setting.scene.database.superuser(), statement),
        ),
        Cause::Standby => setting.primary(),
        Cause::ReadOnly => setting.writing(),
        Cause::Dependents(_) => setting.with_dependents(),
        Cause::UpdateBlocked => Fix::advice(
            "the server's detail names what depends on the extension: save its definition (pg_get_viewdef for a view), drop it, run the command again, create it again; \
             where the detail names another extension, update that extension first",
        ),
        Cause::ObjectExists => setting.elsewhere(),
        Cause::Locked => setting.again(
            "wait longer for the session that holds the lock",
            &setting.step.want,
            &Delta {
                lock_timeout: Some(longer(setting.call.policy().lock_timeout, 300)),
                ..Delta::default()
            },
        ),
        Cause::TooLong => setting.again(
            "give the statement more time",
            &setting.step.want,
            &Delta {
                statement_timeout: Some(longer(setting.call.policy().statement_timeout, 3600)),
                ..Delta::default()
            },
        ),
        Cause::Preload(library) => setting.preload(library),
        Cause::CronDatabase(configured) => setting.cron(configured),
        Cause::NoDatabase => setting.create_database(),
        Cause::Admin(_) => setting
            .by(setting.scene.database.superuser())
            .or(Fix::advice("mend the connection of --admin")),
        Cause::Other => Fix::advice("the server's own words say what is wrong"),
    }
}

/// What to do about an extension that stays in another schema than the one asked for.
pub fn drifted(setting: &Setting<'_>) -> Fix {
    setting.again(
        "move the extension",
        &setting.step.want,
        &Delta {
            options: vec!["--fix-schema"],
            ..Delta::default()
        },
    )
}

impl Setting<'_> {
    /// The request again, for this extension, with a difference.
    fn again(&self, summary: impl Into<String>, want: &Want, delta: &Delta<'_>) -> Fix {
        let words = self.call.words(&self.scene.database.name, want, delta);
        Fix::advice(summary).command(&self.call.account, &words)
    }

    /// The plan's statements, run by somebody who may.
    fn statements(&self, summary: impl Into<String>, role: &str) -> Fix {
        // Only a superuser may make a schema for a role that is not its own.
        let app = self.scene.database.role.name.as_str();
        let owner = Some(app).filter(|_| role == self.scene.database.superuser());
        let statements = self.step.statements.iter();
        statements.fold(Fix::advice(summary), |fix, statement| {
            fix.sql(role, statement.text(owner))
        })
    }

    fn by(&self, role: &str) -> Fix {
        let database = quoted(&self.scene.database.name);
        if let Some(provider) = self.provider() {
            return Fix::advice(format!(
                "a managed service runs this server: ask for the extension the way the service documents for members of {}",
                quoted(&provider)
            ));
        }
        let fix = self.statements(
            format!("run as role {} in database {database}", quoted(role)),
            role,
        );
        if self.call.has_admin() {
            return fix;
        }
        let delta = Delta {
            admin: Some(role),
            ..Delta::default()
        };
        fix.or(self.again(
            format!("let the tool do this as role {}", quoted(role)),
            &self.step.want,
            &delta,
        ))
    }

    fn provider(&self) -> Option<String> {
        let depth = self.scene.database.depth.as_ref()?;
        depth.settings.provider.clone()
    }

    /// The extension's owner, or the superuser where the owner cannot log in or may not run the
    /// script, either.
    fn owner_or_superuser<'a>(&'a self, owner: &'a str) -> &'a str {
        let depth = self.scene.database.depth.as_ref();
        let logs_in = depth.is_some_and(|depth| depth.logins.contains(owner));
        let script = self.scene.action == Action::Drop || self.step.trusted == Some(true);
        if logs_in && script {
            owner
        } else {
            self.scene.database.superuser()
        }
    }

    fn as_owner_of_database(&self) -> Fix {
        let database = &self.scene.database.name;
        let owner = self.scene.database.owner();
        let role = &self.scene.database.role.name;
        let grant = format!(
            "GRANT CREATE ON DATABASE {} TO {}",
            identifier(database),
            identifier(role)
        );
        let summary = format!(
            "run as the owner of database {}, role {}",
            quoted(database),
            quoted(owner)
        );
        self.statements(summary, owner).or(Fix::advice(format!(
            "let role {} create schemas and trusted extensions in database {} for good",
            quoted(role),
            quoted(database)
        ))
        .sql(owner, grant))
    }

    fn on_schema(&self, schema: &str) -> Fix {
        let role = &self.scene.database.role.name;
        let depth = self.scene.database.depth.as_ref();
        let owner = depth
            .and_then(|depth| depth.schemas.get(schema))
            .map(|schema| schema.owner.as_str())
            .filter(|owner| *owner != "pg_database_owner")
            .unwrap_or_else(|| self.scene.database.owner());
        let grant = format!(
            "GRANT CREATE ON SCHEMA {} TO {}",
            identifier(schema),
            identifier(role)
        );
        Fix::advice(format!(
            "let role {} create objects in schema {} of database {}, then run the command again",
            quoted(role),
            quoted(schema),
            quoted(&self.scene.database.name)
        ))
        .sql(owner, grant)
    }

    fn version(&self, default: Option<&String>) -> Fix {
        match default {
            Some(version) => self.at(version, "ask for the default version"),
            None => Fix::advice("ask for one of the versions that the server has"),
        }
    }

    fn at(&self, version: &str, summary: &str) -> Fix {
        let want = Want {
            version: Version::Exactly(version.to_string()),
            ..self.step.want.clone()
        };
        self.again(
            format!("{summary}, {}", quoted(version)),
            &want,
            &Delta::default(),
        )
    }

    fn reachable(&self, from: &str, reachable: &[String], default: Option<&String>) -> Fix {
        match default.filter(|default| reachable.contains(default)) {
            Some(version) => self.at(version, "update to the default version"),
            None => self.at(from, "keep the installed version"),
        }
    }

    fn in_schema(&self, summary: String, schema: &str, options: Vec<&str>) -> Fix {
        let want = Want {
            schema: Some(schema.to_string()),
            ..self.step.want.clone()
        };
        let delta = Delta {
            options,
            ..Delta::default()
        };
        self.again(summary, &want, &delta)
    }

    fn in_public(&self, exists: bool) -> Fix {
        let (summary, options) = if exists {
            ("name the schema", Vec::new())
        } else {
            ("create and name the schema", vec!["--create-schema"])
        };
        self.in_schema(summary.to_string(), "public", options)
    }

    fn leave_in(&self, schema: &str) -> Fix {
        let stay = self.in_schema(
            format!("leave the extension in schema {}", quoted(schema)),
            schema,
            Vec::new(),
        );
        let (name, wanted) = (
            identifier(&self.step.want.name),
            identifier(self.step.want.schema.as_deref().unwrap_or(schema)),
        );
        let owner = self.scene.database.superuser();
        stay.or(Fix::advice(
            "drop the extension and create it again: its tables and settings are lost",
        )
        .sql(owner, format!("DROP EXTENSION {name} RESTRICT"))
        .sql(owner, format!("CREATE EXTENSION {name} SCHEMA {wanted}"))
        .destructive())
    }

    fn primary(&self) -> Fix {
        let hosts = self.call.keyword("host", "PGHOST");
        if !hosts.is_some_and(|hosts| hosts.contains(',')) {
            return Fix::advice("connect to the primary server");
        }
        let delta = Delta {
            keyword: Some(("target_session_attrs", "read-write".to_string())),
            ..Delta::default()
        };
        self.again(
            "connect to the one of the hosts that can be written to",
            &self.step.want,
            &delta,
        )
    }

    fn writing(&self) -> Fix {
        let own = self.call.keyword("options", "PGOPTIONS");
        let own = own.map(|own| own + " ").unwrap_or_default();
        let delta = Delta {
            keyword: Some((
                "options",
                format!("{own}-c default_transaction_read_only=off"),
            )),
            ..Delta::default()
        };
        self.again("write in this one run", &self.step.want, &delta)
    }

    fn with_dependents(&self) -> Fix {
        let lost = short(&self.step.lost);
        let delta = Delta {
            options: vec!["--drop-cascade"],
            ..Delta::default()
        };
        let drop = self.again(
            format!("lose these with the extension: {lost}"),
            &self.step.want,
            &delta,
        );
        Fix::advice("keep the extension, or change what depends on it first").or(drop.destructive())
    }

    fn elsewhere(&self) -> Fix {
        let fix = Fix::advice(
            "the server's message names the object: rename it, or drop it if it is an older copy",
        );
        if self.step.want.schema.is_some() {
            return fix;
        }
        fix.or(self.in_schema(
            "create the extension in a schema of its own, which the role's search_path then has to name"
                .to_string(),
            "extensions",
            vec!["--create-schema"],
        ))
    }

    /// Only where the whole list is known can it be written: `ALTER SYSTEM SET` replaces it.
    fn preload(&self, library: &str) -> Fix {
        let settings = self.scene.database.depth.as_ref().map(|d| &d.settings);
        let restart = "restart the server";
        let Some(settings) = settings else {
            return to_list(library);
        };
        let listed = |list: &String| preload::names(list).iter().any(|name| name == library);
        match (&settings.preload_file, &settings.preload) {
            (Some(file), _) if listed(file) => Fix::advice(format!(
                "{restart}: shared_preload_libraries has {} since a later change of the configuration",
                quoted(library)
            )),
            (None, _) if settings.preload_pending => to_list(library),
            (Some(list), _) | (None, Some(list)) => {
                let mut all = preload::elements(list);
                all.push(library.to_string());
                let values: Vec<String> = all.iter().map(|name| literal(name)).collect();
                let set = format!(
                    "ALTER SYSTEM SET shared_preload_libraries = {}",
                    values.join(", ")
                );
                Fix::advice(format!(
                    "add {} to the libraries that are loaded at the start, then {restart}",
                    quoted(library)
                ))
                .sql(self.scene.database.superuser(), set)
            }
            (None, None) => to_list(library),
        }
    }

    fn cron(&self, configured: &str) -> Fix {
        let delta = Delta {
            database: Some(configured),
            ..Delta::default()
        };
        let there = self.again(
            format!(
                "create the extension in database {}; cron.schedule_in_database runs jobs elsewhere",
                quoted(configured)
            ),
            &self.step.want,
            &delta,
        );
        let set = format!(
            "ALTER SYSTEM SET cron.database_name = {}",
            literal(&self.scene.database.name)
        );
        there.or(Fix::advice(format!(
            "make database {} the one of pg_cron, then restart the server: the jobs in {} no longer run",
            quoted(&self.scene.database.name),
            quoted(configured)
        ))
        .sql(self.scene.database.superuser(), set)
        .destructive())
    }

    fn create_database(&self) -> Fix {
        let role = &self.scene.database.role.name;
        let owner = Some(role)
            .filter(|role| !role.is_empty())
            .map(|role| format!(" OWNER {}", identifier(role)))
            .unwrap_or_default();
        Fix::advice(format!(
            "create database {}, if its name is right",
            quoted(&self.scene.database.name)
        ))
        .sql(
            self.scene.database.superuser(),
            format!(
                "CREATE DATABASE {}{owner}",
                identifier(&self.scene.database.name)
            ),
        )
    }
}

/// What to add, where the list that is there could not be read.
fn to_list(library: &str) -> Fix {
    let change = format!(
        "postgresql.conf: add {library} to the list of shared_preload_libraries, and keep what the list has"
    );
    Fix::advice(format!(
        "add {} to the libraries that are loaded at the start, then restart the server",
        quoted(library)
    ))
    .edit("postgres", change)
}

/// At least this many seconds, and always more than before.
fn longer(before: Duration, seconds: u64) -> Duration {
    Duration::from_secs(seconds).max(before.saturating_mul(4))
}

fn names(all: &[String]) -> String {
    all.iter()
        .map(|name| quoted(name))
        .collect::<Vec<_>>()
        .join(", ")
}
