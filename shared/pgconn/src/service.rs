//! Service files: `[name]` and lines of `keyword=value`, the user's file before the system's.

use std::path::{Path, PathBuf};

use crate::conninfo::is_space;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::settings::Settings;

/// Where distributions put `pg_service.conf`: Debian's place, then the one of upstream's packages
/// and Fedora, then Alpine's and Arch's. `PGSYSCONFDIR` replaces them all.
const SYSTEM_DIRECTORIES: &[&str] = &[
    "/etc/postgresql-common",
    "/etc/sysconfig/pgsql",
    "/etc/postgresql",
    "/etc",
];

/// The largest service file that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// Looks a service up as libpq does.
///
/// # Errors
/// If no file defines it, or the file that does is malformed.
pub fn lookup(service: &str, environment: &Environment) -> Result<Settings> {
    let files = candidates(environment);
    for file in &files {
        let deadline = base::clock::Deadline::NEVER;
        let Ok((text, _)) = base::trust::read_regular(file, LIMIT, deadline) else {
            continue;
        };
        let text = String::from_utf8_lossy(&text);
        if let Some(settings) = section(&text, service, file)? {
            return Ok(settings);
        }
    }
    let looked: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    Err(
        Error::settings(format!("definition of service \"{service}\" not found"))
            .hint(format!("looked in {}", looked.join(", "))),
    )
}

fn candidates(environment: &Environment) -> Vec<PathBuf> {
    let user = match environment.var("PGSERVICEFILE") {
        Some(file) => Some(PathBuf::from(file)),
        None => environment.home().map(|home| home.join(".pg_service.conf")),
    };
    let system: Vec<PathBuf> = match environment.var("PGSYSCONFDIR") {
        Some(dir) => vec![Path::new(dir).join("pg_service.conf")],
        None => SYSTEM_DIRECTORIES
            .iter()
            .map(|dir| Path::new(dir).join("pg_service.conf"))
            .filter(|file| file.exists())
            .collect(),
    };
    user.into_iter().chain(system).collect()
}

/// The named section, or nothing if the file has none.
fn section(text: &str, service: &str, file: &Path) -> Result<Option<Settings>> {
    let mut found: Option<Settings> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_matches(is_space);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| {
            Error::settings(format!(
                "{what} in service file \"{}\", line {}",
                file.display(),
                index + 1
            ))
        };
        if let Some(header) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            // Like libpq, nothing is asked of what follows the bracket.
            if header
                .strip_prefix(service)
                .is_some_and(|rest| rest.starts_with(']'))
            {
                found = Some(Settings::default());
            }
        } else if let Some(settings) = &mut found {
            let (name, value) = line.split_once('=').ok_or_else(|| wrong("syntax error"))?;
            if name == "service" {
                return Err(wrong("nested service specifications not supported"));
            }
            // The first of two lines with the same keyword holds.
            let mut one = Settings::default();
            one.set(name, value).map_err(|_| wrong("syntax error"))?;
            settings.fill(one);
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: &str =
        "# c\n[other]\nhost=no\n\n  [app] \n host=a \nhost=b\nport=5433\n[app]\nuser=x\n";

    #[test]
    fn the_first_section_and_its_first_lines() {
        let settings = section(FILE, "app", Path::new("f")).unwrap().unwrap();
        assert_eq!(settings.get("host"), Some("a"));
        assert_eq!(settings.get("port"), Some("5433"));
        assert_eq!(settings.get("user"), None);
        assert!(section(FILE, "ap", Path::new("f")).unwrap().is_none());
    }

    #[test]
    fn errors_name_the_line() {
        for bad in [
            "[a]\nhost",
            "[a]\nhost = x",
            "[a]\nhots=x",
            "[a]\nservice=b",
        ] {
            let error = section(bad, "a", Path::new("f")).unwrap_err();
            assert!(error.message.ends_with("\"f\", line 2"), "{error}");
        }
    }
}
