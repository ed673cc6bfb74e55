//! From what was asked and what the environment holds to everything a connection needs, before
//! any server is contacted. The order is libpq's: connection string, service, variables, defaults.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::conninfo;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::hosts::{self, Host};
use crate::service;
use crate::session::Attributes;
use crate::settings::Settings;
use crate::tls::Trust;

/// What a tool asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    dsn: Option<String>,
    over: Vec<(&'static str, String)>,
    application: &'static str,
    deadline: Option<Instant>,
}

impl Request {
    /// A connection string (URI, keywords, or a database name), or nothing: the environment's.
    #[must_use]
    pub fn new(dsn: Option<&str>) -> Self {
        Self {
            dsn: dsn.map(str::to_owned),
            ..Self::default()
        }
    }

    /// A section of the service file, as `service=` in the connection string.
    #[must_use]
    pub fn service(mut self, name: &str) -> Self {
        self.over.push(("service", name.to_owned()));
        self
    }

    /// The database, over what the connection string says.
    #[must_use]
    pub fn database(mut self, name: &str) -> Self {
        self.over.push(("dbname", name.to_owned()));
        self
    }

    /// The name shown in `pg_stat_activity`, unless the user gave one.
    #[must_use]
    pub fn application(mut self, name: &'static str) -> Self {
        self.application = name;
        self
    }

    /// The longest that finding and greeting a server may take, over all its hosts.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.deadline = Some(Instant::now() + time);
        self
    }
}

/// A connection that has all its settings and no server yet.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub(crate) settings: Settings,
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) passfile: Option<PathBuf>,
    pub(crate) trust: Trust,
    pub(crate) attributes: Attributes,
    pub(crate) application: String,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
}

/// Gathers the settings as libpq does.
///
/// # Errors
/// [`crate::Kind::Settings`]: the connection string, the service or a value is wrong.
pub fn resolve(request: &Request, environment: &Environment) -> Result<Resolved> {
    let mut settings = match &request.dsn {
        Some(dsn) => conninfo::parse(dsn)?,
        None => Settings::default(),
    };
    for (name, value) in &request.over {
        settings.set(name, value.as_str())?;
    }
    let service = settings
        .get("service")
        .or_else(|| environment.var("PGSERVICE"))
        .map(str::to_owned);
    if let Some(service) = service {
        settings.fill(service::lookup(&service, environment)?);
    }
    settings.fill(Settings::from_environment(environment));
    refuse_unsupported(&settings)?;

    let user = match settings.filled("user") {
        Some(user) => user.to_owned(),
        None => environment.user().ok_or_else(|| {
            Error::settings("no user given and this account has no name")
                .hint("give user= in the connection string or set PGUSER")
        })?,
    };
    let database = settings.filled("dbname").unwrap_or(&user).to_owned();
    let passfile = match settings.filled("passfile") {
        Some(file) => Some(PathBuf::from(file)),
        None => environment.home().map(|home| home.join(".pgpass")),
    };
    // The program's own name is what it falls back to, over what a string says, as in psql.
    let fallback = Some(request.application)
        .filter(|name| !name.is_empty())
        .or(settings.filled("fallback_application_name"));
    let application = settings
        .filled("application_name")
        .or(fallback)
        .unwrap_or_default()
        .to_owned();
    Ok(Resolved {
        hosts: hosts::list(&settings)?,
        trust: Trust::from_settings(&settings, environment)?,
        attributes: Attributes::from_settings(&settings)?,
        connect_timeout: connect_timeout(&settings)?,
        deadline: request.deadline,
        user,
        database,
        passfile,
        application,
        settings,
    })
}

impl Resolved {
    /// The same server and user, another database.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        name.clone_into(&mut other.database);
        other
    }

    /// The same connection with more server settings (`-c NAME=VALUE`) from its first statement on;
    /// a pooler may refuse them.
    #[must_use]
    pub fn with_options(&self, options: &str) -> Self {
        let mut other = self.clone();
        let all = match self.settings.filled("options") {
            Some(own) => format!("{own} {options}"),
            None => options.to_owned(),
        };
        other.settings.replace("options", all);
        other
    }

    /// The user that will be asked for.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database that will be asked for.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The servers that will be tried, in order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }
}

/// What this code cannot do is refused, rather than connecting with less than was asked for.
fn refuse_unsupported(settings: &Settings) -> Result<()> {
    let refused = |what: &str| Err(Error::settings(format!("{what} is not supported")));
    match settings.get("gssencmode") {
        None | Some("prefer" | "disable") => {}
        Some("require") => return refused("gssencmode=require"),
        Some(other) => {
            return Err(Error::settings(format!(
                "invalid gssencmode value: \"{other}\""
            )));
        }
    }
    if let Some(other) = settings
        .filled("load_balance_hosts")
        .filter(|value| !["disable", "random"].contains(value))
    {
        return Err(Error::settings(format!(
            "invalid load_balance_hosts value: \"{other}\""
        )));
    }
    if settings.filled("require_auth").is_some() {
        return refused("require_auth");
    }
    if settings
        .filled("replication")
        .is_some_and(|value| value != "false")
    {
        return refused("replication");
    }
    Ok(())
}

/// Seconds; nothing, 0 and less are for ever, and 1 is 2 (libpq's own rounding up).
fn connect_timeout(settings: &Settings) -> Result<Option<Duration>> {
    let Some(text) = settings.get("connect_timeout") else {
        return Ok(None);
    };
    let seconds: i32 = text.trim().parse().map_err(|_| {
        Error::settings(format!(
            "invalid integer value \"{text}\" for connection option \"connect_timeout\""
        ))
    })?;
    Ok(match u64::try_from(seconds) {
        Ok(0) | Err(_) => None,
        Ok(seconds) => Some(Duration::from_secs(seconds.max(2))),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_string_then_the_variables() {
        let environment = Environment::of(&[
            ("PGHOST", "/s"),
            ("PGUSER", "env"),
            ("PGDATABASE", "envdb"),
            ("HOME", "/nowhere"),
        ]);
        let resolved = resolve(&Request::new(Some("user=app")), &environment).unwrap();
        assert_eq!(resolved.user(), "app");
        assert_eq!(resolved.database(), "envdb");
        assert_eq!(resolved.hosts()[0].for_passfile(), "/s");
        let resolved = resolve(
            &Request::new(Some("postgres://u@h/d")).database("x"),
            &environment,
        );
        assert_eq!(resolved.unwrap().database(), "x");
    }

    #[test]
    fn the_database_is_named_after_the_user() {
        let resolved = resolve(
            &Request::new(Some("user=app host=h")),
            &Environment::default(),
        );
        assert_eq!(resolved.unwrap().database(), "app");
    }
}
