//! cron: where its jobs send their output, as far as the lines of the crontabs say so by `>`, `>>`,
//! `2>`, `&>` and `tee`.
//!
//! cron itself logs to syslog. The shell of a line is not run: a redirection to a name with a
//! variable in it stays a template.

mod line;

use crate::log::{Configured, Doubt, Evidence, Example, Kind, Reopen, Service, Sink, Target};
use crate::shell::Variables;
use crate::site::{Site, normal};
use crate::start::{Language, Start};
use conf::Source;
use line::{Job, Output};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "cron";

/// A crontab, and whose it is: `None` where each line names its user.
struct Table {
    file: PathBuf,
    user: Option<String>,
}

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.is("cron") || program.is("crond"),
    reopen: Reopen {
        names: &["cron", "crond"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "crontab",
        text: "5 4 * * * /srv/site/run >> /var/log/site/run.log 2>&1\n",
    },
    starts: Some(starts),
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for table in tables(site) {
        configured.found = true;
        one(site, &table, &mut configured);
    }
    if configured.found || site.running(NAME).next().is_some() {
        configured.found = true;
        let target = Target::new(NAME, "cron", Kind::Error, Sink::Syslog("cron".to_owned()));
        configured.add(Target {
            evidence: Evidence::Default,
            user: Some("root".to_owned()),
            ..target
        });
    }
    configured
}

fn tables(site: &Site) -> Vec<Table> {
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        let system = |file: &Path| {
            file.ends_with("etc/crontab")
                || file.parent().is_some_and(|dir| dir.ends_with("cron.d"))
        };
        let user = |file: &Path| {
            if system(file) {
                None
            } else {
                Some(owner(site, file))
            }
        };
        return asked
            .into_iter()
            .map(|file| Table {
                user: user(&file),
                file,
            })
            .collect();
    }
    let mut tables: Vec<Table> = site
        .first(&["/etc/crontab"])
        .map(|file| Table { file, user: None })
        .into_iter()
        .collect();
    for name in site
        .files
        .list(Path::new("/etc/cron.d"))
        .unwrap_or_default()
    {
        // run-parts' names (cron.8): letters, digits, underscores and hyphens.
        if name
            .as_bytes()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            tables.push(Table {
                file: Path::new("/etc/cron.d").join(name),
                user: None,
            });
        }
    }
    for dir in ["/var/spool/cron/crontabs", "/var/spool/cron"] {
        for name in site.files.list(Path::new(dir)).unwrap_or_default() {
            let file = Path::new(dir).join(&name);
            if site
                .files
                .stat(&file)
                .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o100_000)
            {
                tables.push(Table {
                    file,
                    user: Some(name.to_string_lossy().into_owned()),
                });
            }
        }
    }
    tables
}

fn owner(site: &Site, file: &Path) -> String {
    site.files.stat(file).map_or_else(
        |_| site.own_user(),
        |stat| site.users.user_name(stat.st_uid),
    )
}

fn one(site: &Site, table: &Table, out: &mut Configured) {
    let bytes = match site.files.read(&table.file) {
        Ok(bytes) => bytes,
        Err(error) => return out.fault(NAME, error),
    };
    let file: Arc<Path> = Arc::from(table.file.as_path());
    for (number, job) in line::jobs(&bytes, table.user.is_none()) {
        let source = Source::new(&file, number);
        job_logs(site, table, &job, &source, out);
    }
}

/// The commands of every job.
fn starts(site: &Site) -> Vec<Start> {
    let mut starts = Vec::new();
    for table in tables(site) {
        let Ok(bytes) = site.files.read(&table.file) else {
            continue;
        };
        let file: Arc<Path> = Arc::from(table.file.as_path());
        for (number, job) in line::jobs(&bytes, table.user.is_none()) {
            let (user, variables) = surroundings(site, &table, &job);
            let home = variables.get(&b"HOME"[..]).cloned().unwrap_or_default();
            let env = variables
                .into_iter()
                .map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)))
                .collect();
            starts.push(Start {
                command: job.command,
                language: Language::Shell,
                cwd: Path::new("/").join(OsStr::from_bytes(&home)),
                env,
                user: Some(user),
                unit: None,
                source: Source::new(&file, number),
            });
        }
    }
    starts
}

/// A job's user, and the variables that its shell starts with.
fn surroundings(site: &Site, table: &Table, job: &Job) -> (String, Variables) {
    let user = job
        .user
        .clone()
        .or_else(|| table.user.clone())
        .unwrap_or_else(|| "root".to_owned());
    let home = site.users.home(&user).unwrap_or_else(|| PathBuf::from("/"));
    let mut variables: Variables = [
        (b"HOME".to_vec(), home.into_os_string().into_vec()),
        (b"LOGNAME".to_vec(), user.clone().into_bytes()),
        (b"USER".to_vec(), user.clone().into_bytes()),
    ]
    .into();
    for (name, value) in &job.variables {
        variables.insert(name.clone().into_bytes(), value.clone().into_bytes());
    }
    (user, variables)
}

fn job_logs(site: &Site, table: &Table, job: &Job, source: &Source, out: &mut Configured) {
    let (user, variables) = surroundings(site, table, job);
    for output in line::outputs(&job.command, variables) {
        let (sink, doubt) = match output {
            Output::File(path) => (Sink::File(normal(&path)), None),
            Output::Unknown(name, why) => (Sink::Template(name), Some(Doubt::Unresolved(why))),
            Output::Logger => (Sink::Syslog("logger".to_owned()), None),
        };
        let target = Target::new(
            NAME,
            format!("{}:{}", source.file.display(), source.line),
            Kind::App,
            sink,
        );
        out.add(Target {
            source: Some(source.clone()),
            user: Some(user.clone()),
            held: false,
            doubt,
            ..target
        });
    }
}
