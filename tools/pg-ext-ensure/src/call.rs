//! The command line of the user, reduced to one extension: a fix is this command line with one
//! addition.

use std::time::Duration;

use pgconn::Settings;

use crate::request::{Connection, Databases, Ensure, LOCK_TIMEOUT, Policy, STATEMENT_TIMEOUT};
use crate::sql::identifier;
use crate::want::{State, Version, Want};

/// What every command of a run has in common.
#[derive(Clone, Debug)]
pub struct Call {
    /// The account that runs the tool.
    pub account: String,
    /// `-d`, without its secrets.
    dsn: Option<Settings>,
    service: Option<String>,
    admin: Option<Settings>,
    /// The connection's own database is meant.
    own_database: bool,
    policy: Policy,
}

/// What a fix changes about a command.
#[derive(Clone, Debug, Default)]
pub struct Delta<'a> {
    /// Options that are added.
    pub options: Vec<&'a str>,
    /// Another database.
    pub database: Option<&'a str>,
    /// A keyword of `-d` that is set.
    pub keyword: Option<(&'a str, String)>,
    /// Who `--admin` connects as.
    pub admin: Option<&'a str>,
    /// `--lock-timeout`.
    pub lock_timeout: Option<Duration>,
    /// `--statement-timeout`.
    pub statement_timeout: Option<Duration>,
}

impl Call {
    /// Of a request.
    pub fn of(request: &Ensure) -> Call {
        let settings = |connection: &Connection| {
            let dsn = connection.dsn.as_deref()?;
            pgconn::conninfo::parse(dsn).ok()
        };
        Call {
            account: account(),
            dsn: settings(&request.app),
            service: request.app.service.clone(),
            admin: request.admin.as_ref().and_then(settings),
            own_database: request.databases == Databases::Own && request.own.is_empty(),
            policy: request.policy.clone(),
        }
    }

    /// The same, for a database that has a connection of its own.
    #[must_use]
    pub fn connecting(&self, dsn: &str) -> Call {
        Call {
            dsn: pgconn::conninfo::parse(dsn).ok(),
            service: None,
            own_database: true,
            ..self.clone()
        }
    }

    /// Whether `--admin` was given.
    pub fn has_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// The words of the command that ensures one want in one database.
    pub fn words(&self, database: &str, want: &Want, delta: &Delta<'_>) -> Vec<String> {
        let mut words = vec!["pg-ext-ensure".to_string()];
        let mut add = |option: &str, value: String| words.extend([option.to_string(), value]);
        let mut dsn = self.dsn.clone();
        if let Some((keyword, value)) = &delta.keyword {
            let settings = dsn.get_or_insert_with(Settings::default);
            // The keyword is one of libpq's: it cannot be refused.
            let _ = settings.set(keyword, value.as_str());
        }
        if let Some(settings) = &dsn {
            add("-d", pgconn::conninfo::format(settings));
        }
        if let Some(service) = &self.service {
            add("--service", service.clone());
        }
        match delta.database {
            Some(other) => add("--db", other.to_string()),
            None if self.own_database => {}
            None => add("--db", database.to_string()),
        }
        match (&self.admin, delta.admin) {
            (Some(admin), None) => add("--admin", pgconn::conninfo::format(admin)),
            (_, Some(role)) => add("--admin", self.as_role(role)),
            (None, None) => {}
        }
        let timeouts = [
            (
                "--lock-timeout",
                delta.lock_timeout.unwrap_or(self.policy.lock_timeout),
                LOCK_TIMEOUT,
            ),
            (
                "--statement-timeout",
                delta
                    .statement_timeout
                    .unwrap_or(self.policy.statement_timeout),
                STATEMENT_TIMEOUT,
            ),
        ];
        for (option, value, default) in timeouts {
            if value != default {
                add(option, duration(value));
            }
        }
        words.extend(self.flags(&delta.options));
        if want.state == State::Absent {
            words.push("--absent".to_string());
        }
        words.push(argument(want));
        words
    }

    /// The flags of the request and those that are added, each once.
    fn flags(&self, more: &[&str]) -> Vec<String> {
        let policy = &self.policy;
        let flags = [
            ("--create-cascade", policy.create_cascade),
            ("--drop-cascade", policy.drop_cascade),
            ("--create-schema", policy.create_schema),
            ("--update", policy.update),
            ("--fix-schema", policy.fix_schema),
        ];
        let given = flags
            .iter()
            .filter(|(flag, given)| *given || more.contains(flag));
        given.map(|(flag, _)| (*flag).to_string()).collect()
    }

    /// A connection string for another role on the same server.
    fn as_role(&self, role: &str) -> String {
        let mut settings = self.dsn.clone().unwrap_or_default();
        if let Some(service) = &self.service {
            let _ = settings.set("service", service.as_str());
        }
        let _ = settings.set("user", role);
        pgconn::conninfo::format(&settings)
    }

    /// A keyword's value in `-d`, or in the variable that stands for the keyword.
    pub fn keyword(&self, name: &str, variable: &str) -> Option<String> {
        let given = self.dsn.as_ref().and_then(|settings| settings.get(name));
        given
            .map(str::to_string)
            .or_else(|| std::env::var(variable).ok())
    }

    /// The request's limits.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

/// A want as the command line takes it.
fn argument(want: &Want) -> String {
    let quoted = |name: &str| {
        if name.contains(['@', ':', '"']) || name.starts_with('-') {
            identifier(name)
        } else {
            name.to_string()
        }
    };
    let mut text = quoted(&want.name);
    match &want.version {
        Version::Any => {}
        Version::Latest => text += "@latest",
        // Not to be read as the word: in quotes.
        Version::Exactly(version) => text += &format!("@{}", quoted(version)),
    }
    if let Some(schema) = &want.schema {
        text += &format!(":{}", quoted(schema));
    }
    text
}

fn duration(value: Duration) -> String {
    if value.subsec_millis() == 0 {
        format!("{}s", value.as_secs())
    } else {
        format!("{}ms", value.as_millis())
    }
}

fn account() -> String {
    let uid = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn call(dsn: &str, policy: Policy) -> Call {
        Call::of(&Ensure {
            app: Connection {
                dsn: Some(dsn.into()),
                service: None,
            },
            admin: None,
            databases: Databases::Own,
            wants: Vec::new(),
            own: Default::default(),
            policy,
            migrations: None,
        })
    }

    #[test]
    fn the_request_is_repeated_without_its_secrets() {
        let policy = Policy {
            update: true,
            lock_timeout: Duration::from_millis(200),
            statement_timeout: STATEMENT_TIMEOUT,
            ..Policy::default()
        };
        let want = Want::parse("\"a@b\"@latest:my schema").unwrap();
        let delta = Delta {
            options: vec!["--create-schema"],
            admin: Some("postgres"),
            ..Delta::default()
        };
        assert_eq!(
            base::shell::line(
                &call("host=/run user=app password=s3cret", policy).words("d", &want, &delta)
            ),
            "pg-ext-ensure -d 'user=app host=/run' --admin 'user=postgres host=/run' --lock-timeout 200ms \
             --create-schema --update '\"a@b\"@latest:my schema'"
        );
    }

    #[test]
    fn another_database_and_a_setting() {
        let policy = Policy {
            lock_timeout: LOCK_TIMEOUT,
            statement_timeout: STATEMENT_TIMEOUT,
            ..Policy::default()
        };
        let want = Want::parse_absent("hstore").unwrap();
        let delta = Delta {
            database: Some("other"),
            keyword: Some(("options", "-c a=b".into())),
            ..Delta::default()
        };
        assert_eq!(
            base::shell::line(&call("app", policy).words("app", &want, &delta)),
            "pg-ext-ensure -d 'dbname=app options='\\''-c a=b'\\''' --db other --absent hstore"
        );
    }
}
