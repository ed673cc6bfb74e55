//! The table of connection keywords, each with its environment variable, as in libpq's manual
//! ("Parameter Key Words" and "Environment Variables").

use std::collections::BTreeMap;

use crate::environment::Environment;
use crate::error::{Error, Result};

/// One connection keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword {
    /// As written in a connection string.
    pub name: &'static str,
    /// The variable that gives it where the connection string and the service do not.
    pub variable: Option<&'static str>,
}

const fn keyword(name: &'static str, variable: &'static str) -> Keyword {
    Keyword {
        name,
        variable: Some(variable),
    }
}

const fn bare(name: &'static str) -> Keyword {
    Keyword {
        name,
        variable: None,
    }
}

/// Every keyword understood, libpq 17's. Those that only GSSAPI or compression would use are
/// accepted, so that a shared service file stays valid, and do nothing.
pub const KEYWORDS: &[Keyword] = &[
    keyword("service", "PGSERVICE"),
    keyword("user", "PGUSER"),
    keyword("password", "PGPASSWORD"),
    keyword("passfile", "PGPASSFILE"),
    keyword("channel_binding", "PGCHANNELBINDING"),
    keyword("connect_timeout", "PGCONNECT_TIMEOUT"),
    keyword("dbname", "PGDATABASE"),
    keyword("host", "PGHOST"),
    keyword("hostaddr", "PGHOSTADDR"),
    keyword("port", "PGPORT"),
    keyword("client_encoding", "PGCLIENTENCODING"),
    keyword("options", "PGOPTIONS"),
    keyword("application_name", "PGAPPNAME"),
    bare("fallback_application_name"),
    bare("keepalives"),
    bare("keepalives_idle"),
    bare("keepalives_interval"),
    bare("keepalives_count"),
    bare("tcp_user_timeout"),
    keyword("sslmode", "PGSSLMODE"),
    keyword("sslnegotiation", "PGSSLNEGOTIATION"),
    keyword("sslcompression", "PGSSLCOMPRESSION"),
    keyword("sslcert", "PGSSLCERT"),
    keyword("sslkey", "PGSSLKEY"),
    keyword("sslcertmode", "PGSSLCERTMODE"),
    bare("sslpassword"),
    keyword("sslrootcert", "PGSSLROOTCERT"),
    keyword("sslcrl", "PGSSLCRL"),
    keyword("sslcrldir", "PGSSLCRLDIR"),
    keyword("sslsni", "PGSSLSNI"),
    keyword("requirepeer", "PGREQUIREPEER"),
    keyword("require_auth", "PGREQUIREAUTH"),
    keyword("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    keyword("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    keyword("gssencmode", "PGGSSENCMODE"),
    keyword("krbsrvname", "PGKRBSRVNAME"),
    keyword("gsslib", "PGGSSLIB"),
    keyword("gssdelegation", "PGGSSDELEGATION"),
    bare("replication"),
    keyword("target_session_attrs", "PGTARGETSESSIONATTRS"),
    keyword("load_balance_hosts", "PGLOADBALANCEHOSTS"),
];

/// Keywords and their values; what is said first stays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
}

impl Settings {
    /// Sets a keyword of a connection string, where an old spelling is known; service files do not
    /// know that spelling.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub(crate) fn store(&mut self, name: &str, value: String) -> Result<()> {
        match name {
            "requiressl" if value.starts_with('1') => self.set("sslmode", "require"),
            "requiressl" => self.set("sslmode", "prefer"),
            _ => self.set(name, value),
        }
    }

    /// The value of a keyword, empty ones included.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of a keyword, where an empty one means its default.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Sets a keyword, over what was there.
    ///
    /// # Errors
    /// If libpq knows no such keyword.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> Result<()> {
        let known = known(name).ok_or_else(|| {
            Error::settings(format!("invalid connection option \"{name}\""))
                .hint("libpq's manual lists them under \"Parameter Key Words\"")
        })?;
        self.values.insert(known, value.into());
        Ok(())
    }

    /// Sets one of [`KEYWORDS`], over what was there.
    pub(crate) fn replace(&mut self, name: &'static str, value: String) {
        self.values.insert(name, value);
    }

    /// Fills in what is not set yet; names are known ones.
    pub(crate) fn fill(&mut self, other: Self) {
        for (name, value) in other.values {
            self.values.entry(name).or_insert(value);
        }
    }

    /// What the environment says.
    #[must_use]
    pub(crate) fn from_environment(environment: &Environment) -> Self {
        let mut values: BTreeMap<&'static str, String> = KEYWORDS
            .iter()
            .filter_map(|keyword| {
                let value = environment.var(keyword.variable?)?;
                Some((keyword.name, value.to_owned()))
            })
            .collect();
        // The old spelling, which libpq still reads.
        if environment
            .var("PGREQUIRESSL")
            .is_some_and(|value| value.starts_with('1'))
        {
            values
                .entry("sslmode")
                .or_insert_with(|| "require".to_owned());
        }
        Self { values }
    }
}

// Without the values: among them are passwords.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

fn known(name: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .find(|keyword| keyword.name == name)
        .map(|keyword| keyword.name)
}
