//! The few things outside the connection string that decide a connection: variables, home, user.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables as libpq reads them. Tests build one by hand; tools take the process's.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The process's `PG*` variables and `HOME`. Values that are not UTF-8 are taken lossily: no
    /// server setting can hold them.
    #[must_use]
    pub fn process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                (name.starts_with("PG") || name == "HOME")
                    .then(|| (name, value.to_string_lossy().into_owned()))
            })
            .collect();
        Self { variables }
    }

    /// An environment of just these variables.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// A variable's value; an empty one counts as set, as it does for libpq.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// `$HOME`, or the account's home directory where it is unset or empty (libpq since 15).
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        match self.var("HOME") {
            Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
            _ => account().map(|account| account.dir),
        }
    }

    /// The name of the account that runs this process: libpq's default user.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        account().map(|account| account.name)
    }
}

fn account() -> Option<nix::unistd::User> {
    nix::unistd::User::from_uid(nix::unistd::geteuid())
        .ok()
        .flatten()
}
