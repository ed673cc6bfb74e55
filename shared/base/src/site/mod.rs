//! The site file: a site's facts, said once, in TOML. `--site FILE` or the variable RUNBOOK_SITE
//! names the file; a bare name means a file in [`DIRECTORY`].

mod environment;
mod file;

pub use environment::{Environment, parse as parse_environment};
pub use file::{FACTS, Fact, Site};

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where a bare name leads: `reef` is `/etc/runbook-tools/sites/reef.toml`.
pub const DIRECTORY: &str = "/etc/runbook-tools/sites";

/// The variable that names the site file where `--site` does not.
pub const VARIABLE: &str = "RUNBOOK_SITE";

/// The site file that is meant, if one is.
#[must_use]
pub fn named(option: Option<&OsStr>) -> Option<PathBuf> {
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    let given = option.map(OsString::from).or_else(variable)?;
    let is_name = given.to_str().is_some_and(is_name);
    Some(match (is_name, given.to_str()) {
        (true, Some(name)) => Path::new(DIRECTORY).join(format!("{name}.toml")),
        _ => PathBuf::from(given),
    })
}

/// What a site may be called: `[a-z0-9][a-z0-9-]*`.
fn is_name(text: &str) -> bool {
    !text.starts_with('-')
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
