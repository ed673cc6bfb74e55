//! What the machine says: programs, users, files. Reads only.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::{self, Action, Shape};
use crate::crontab::Form;
use crate::lint::{self, Facts, FileFacts};
use crate::render;
use crate::site::Site;
use crate::template::Template;
use crate::zone::Zone;

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(0))
}

/// Asks the machine for what the findings need.
pub fn facts(template: &Template, site: &Site) -> Facts {
    Facts {
        missing: lint::lookups(template, site)
            .into_iter()
            .filter(|(name, path)| !found(name, path))
            .collect(),
        users: users(template, site),
        file: file(template),
        no_python: no_python(template, site),
        zone: Some(Zone::system()),
        now: now(),
    }
}

fn executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn found(name: &[u8], path: &[u8]) -> bool {
    let name = Path::new(OsStr::from_bytes(name));
    if name.is_absolute() {
        return executable(name);
    }
    path.split(|b| *b == b':')
        .any(|dir| executable(&Path::new(OsStr::from_bytes(dir)).join(name)))
}

fn users(template: &Template, site: &Site) -> HashMap<String, bool> {
    let mut names: HashSet<&str> = site.facts.user.as_deref().into_iter().collect();
    if template.form == Form::System {
        names.extend(template.jobs.iter().filter_map(|job| job.user.as_deref()));
    }
    names
        .into_iter()
        .map(|name| (name.to_owned(), user_exists(name)))
        .collect()
}

/// Whether the user exists. A database that does not answer is no proof that there is none.
pub fn user_exists(name: &str) -> bool {
    !matches!(nix::unistd::User::from_name(name), Ok(None))
}

fn file(template: &Template) -> Option<FileFacts> {
    let path = template
        .path
        .as_deref()
        .filter(|_| template.form == Form::System)?;
    if path == Path::new("/etc/crontab") {
        return None;
    }
    let meta = path.metadata().ok()?;
    Some(FileFacts {
        name: path.file_name()?.to_string_lossy().into_owned(),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        links: meta.nlink(),
    })
}

/// The interpreter that jobs would be written with, where the site is on this machine and it is not.
fn no_python(template: &Template, site: &Site) -> Option<String> {
    let needed = template.jobs.iter().any(|job| match &job.action {
        Action::Raw(_) => matches!(job.shape, Shape::Manage { .. }),
        Action::Manage(_) => true,
        _ => false,
    });
    let dir = site.facts.dir.as_deref().map(Path::new);
    if !needed || !render::rewrites(site) || dir.is_some_and(|d| !d.is_dir()) {
        return None;
    }
    let python = dir
        .map_or_else(PathBuf::new, Path::to_path_buf)
        .join(command::interpreter(site));
    (!python.exists()).then(|| python.display().to_string())
}
