//! What the machine says: programs, users, files. Reads only.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base::clock::Deadline;
use base::error::Result;

use crate::crontab::Form;
use crate::envfile;
use crate::finding::Finding;
use crate::host::{self, Cron};
use crate::lint::{self, Facts, FileFacts};
use crate::look;
use crate::needs::{self, Use};
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
        zone: Some(Zone::system()),
        now: now(),
        ..Facts::default()
    }
}

/// Asks, besides, what a run on this host depends on.
///
/// # Errors
/// `Kind::Deadline`.
pub fn here(
    template: &Template,
    site: &Site,
    cron: Option<&Cron>,
    deadline: Deadline,
    facts: &mut Facts,
) -> Result<()> {
    let needs = needs::of_jobs(template, site, &home_of);
    let dirs: BTreeSet<&str> = needs
        .keys()
        .filter(|(_, need)| need.how == Use::Append && !need.guessed)
        .filter_map(|(_, need)| need.path.rsplit_once('/').map(|(dir, _)| dir))
        .collect();
    facts.shared = dirs
        .into_iter()
        .filter(|dir| {
            Path::new(dir)
                .metadata()
                .is_ok_and(|m| m.is_dir() && m.mode() & 0o002 != 0)
        })
        .map(str::to_owned)
        .collect();
    let users: BTreeSet<String> = needs.keys().filter_map(|(user, _)| user.clone()).collect();
    facts.accounts = users
        .into_iter()
        .filter_map(|user| look::account(&user).map(|why| (user, why)))
        .collect();
    facts.result.extend(env_file(site));
    facts.unmet = look::at(needs, deadline)?;
    facts.daemon = cron.map(|cron| (host::daemon(cron), site.dialect.family().service()));
    Ok(())
}

/// Whether `name` is a user's name here and not that of a program, too.
pub fn is_plainly_a_user(name: &str) -> bool {
    !name.is_empty()
        && !name.contains('/')
        && !found(name.as_bytes(), b"/usr/bin:/bin:/usr/sbin:/sbin")
        && matches!(nix::unistd::User::from_name(name), Ok(Some(_)))
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

/// The home directory of a user, or of the caller.
fn home_of(user: Option<&str>) -> Option<String> {
    let entry = match user {
        Some(name) => nix::unistd::User::from_name(name),
        None => nix::unistd::User::from_uid(nix::unistd::geteuid()),
    };
    Some(entry.ok()??.dir.display().to_string())
}

/// What a shell makes of the site's environment file that systemd does not.
fn env_file(site: &Site) -> Option<Finding> {
    let file = site.facts.env_file.as_deref()?;
    let text = std::fs::read_to_string(file).ok()?;
    if site.format.by_cron() {
        envfile::for_a_shell(file, &text)
    } else {
        envfile::for_systemd(file, &text)
    }
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
    let in_cron_d = path.parent().and_then(Path::file_name) == Some(OsStr::new("cron.d"));
    if !in_cron_d {
        return None;
    }
    let meta = path.metadata().ok()?;
    Some(FileFacts {
        name: path.file_name()?.to_string_lossy().into_owned(),
        path: path.display().to_string(),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        links: meta.nlink(),
    })
}
