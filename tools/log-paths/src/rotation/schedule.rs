//! Whether anything runs logrotate on this host: systemd's timer, cron's daily jobs, a crontab of
//! its own, and when it ran last.

use crate::service;
use crate::site::Site;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The files in which logrotate remembers what it has done.
const STATES: &[&str] = &[
    "/var/lib/logrotate/status",
    "/var/lib/logrotate/logrotate.status",
    "/var/lib/logrotate.status",
    "/var/lib/misc/logrotate.status",
];
/// A daily job that has not run for two days and an hour is late.
const LATE: Duration = Duration::from_secs(49 * 3600);

/// Who runs logrotate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Somebody does, as far as can be told.
    Runs,
    /// Nobody does; why, and what to type.
    Never(String, Remedy),
}

/// What makes logrotate run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Enable the timer.
    Timer,
    /// Start the cron daemon.
    Cron,
    /// See why the job does not get to its end.
    Look,
}

impl Schedule {
    /// Looks at a system.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        let exists = |path: &str| site.files.stat(Path::new(path)).is_ok();
        let rooted = site.files.is_rooted();
        let systemd = if rooted {
            exists("/etc/systemd/system/timers.target.wants") || exists("/lib/systemd/systemd")
        } else {
            exists("/run/systemd/system")
        };
        let masked = site
            .files
            .link(Path::new("/etc/systemd/system/logrotate.timer"))
            .is_some_and(|target| target == Path::new("/dev/null"));
        let timer = systemd
            && !masked
            && site
                .files
                .lstat(Path::new(
                    "/etc/systemd/system/timers.target.wants/logrotate.timer",
                ))
                .is_ok();
        let (tables, unread) = mentions(site);
        let cron = rooted || site.running(service::CRON).next().is_some();
        // Debian's daily script leaves the work to the timer where systemd runs.
        let daily = !systemd && exists("/etc/cron.daily/logrotate");
        if !timer && !(cron && (daily || tables)) && !unread {
            return if systemd && exists("/lib/systemd/system/logrotate.timer") {
                let what = if masked { "masked" } else { "not enabled" };
                let why = format!("logrotate.timer is {what}, and no crontab runs logrotate");
                Self::Never(why, Remedy::Timer)
            } else if daily || tables {
                Self::Never("no cron daemon runs".to_owned(), Remedy::Cron)
            } else {
                let why = "no timer and no crontab runs logrotate".to_owned();
                Self::Never(why, Remedy::Look)
            };
        }
        match late(site).filter(|_| !rooted) {
            Some(why) => Self::Never(why, Remedy::Look),
            None => Self::Runs,
        }
    }
}

/// Does a crontab name logrotate, and are there crontabs that may not be read?
fn mentions(site: &Site) -> (bool, bool) {
    let mut unread = false;
    let mut found = false;
    let dirs = ["/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron"];
    let listed = dirs.iter().flat_map(|dir| {
        let names = match site.files.list(Path::new(dir)) {
            Ok(names) => names,
            Err(rustix::io::Errno::NOENT) => Vec::new(),
            Err(_) => {
                unread = true;
                Vec::new()
            }
        };
        names
            .into_iter()
            .map(|name| Path::new(dir).join(name))
            .collect::<Vec<_>>()
    });
    let files: Vec<_> = listed
        .chain(["/etc/crontab".into(), "/etc/anacrontab".into()])
        .collect();
    for file in files {
        let Ok(stat) = site.files.stat(&file) else {
            continue;
        };
        if stat.st_mode & 0o170_000 != 0o100_000 {
            continue;
        }
        match site.files.read(&file) {
            Ok(bytes) => {
                found |= bytes.split(|byte| *byte == b'\n').any(|line| {
                    !line.trim_ascii_start().starts_with(b"#")
                        && crate::site::contains(line, b"logrotate")
                });
            }
            Err(_) => unread = true,
        }
    }
    (found, unread)
}

/// logrotate writes its state at each run: an old state on a host that has been up for longer says
/// that it does not run.
fn late(site: &Site) -> Option<String> {
    let up = Duration::from_secs(u64::try_from(rustix::system::sysinfo().uptime).ok()?);
    if up < LATE {
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let mut unknown = false;
    let mut newest = None;
    for state in STATES {
        match site.files.stat(Path::new(state)) {
            Ok(stat) => newest = newest.max(u64::try_from(stat.st_mtime).ok()),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
            Err(_) => unknown = true,
        }
    }
    match newest {
        None if unknown => None,
        None => Some("logrotate has never run: it has no state file".to_owned()),
        Some(written) => {
            let age = now.checked_sub(Duration::from_secs(written))?;
            (age > LATE)
                .then(|| format!("logrotate has not run for {} days", age.as_secs() / 86_400))
        }
    }
}
