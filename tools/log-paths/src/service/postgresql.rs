//! PostgreSQL: the collector's files, or, with the collector off, where Debian's `pg_ctlcluster`
//! sends the server's standard error.

mod guc;

use crate::log::{Configured, Evidence, Example, Kind, OwnRotation, Reopen, Service, Sink, Target};
use crate::process::{self, Process};
use crate::site::{Site, normal};
use conf::{Error, Source};
use guc::{Guc, Value};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "postgresql";

/// One cluster: its main file, its data directory where the command line says it, and settings
/// given there.
struct Cluster {
    conf: PathBuf,
    data: Option<PathBuf>,
    given: Vec<(String, Vec<u8>)>,
    user: Option<String>,
    running: bool,
    pid: Option<u32>,
}

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| {
        program.titled("postgres: ") || program.is("postgres") || program.is("postmaster")
    },
    reopen: Reopen {
        names: &["postgresql", "postgres"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "postgresql.conf",
        text: "logging_collector = on\nlog_directory = '/var/log/postgresql'\nlog_filename = 'server.log'\n",
    },
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for cluster in clusters(site) {
        configured.found = true;
        one(site, &cluster, &mut configured);
    }
    configured
}

fn clusters(site: &Site) -> Vec<Cluster> {
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        let cluster = |conf: PathBuf| {
            let conf = std::path::absolute(&conf).unwrap_or(conf);
            let running = site
                .masters(NAME)
                .filter_map(|process| of_process(site, process))
                .find(|cluster| cluster.conf == conf);
            running.unwrap_or(Cluster {
                conf,
                data: None,
                given: Vec::new(),
                user: None,
                running: false,
                pid: None,
            })
        };
        return asked.into_iter().map(cluster).collect();
    }
    let mut clusters: Vec<Cluster> = site
        .masters(NAME)
        .filter_map(|process| of_process(site, process))
        .collect();
    for pattern in [
        "/etc/postgresql/*/*/postgresql.conf",
        "/var/lib/pgsql/data/postgresql.conf",
        "/var/lib/pgsql/*/data/postgresql.conf",
    ] {
        for conf in site.files.glob(Path::new(pattern)) {
            if clusters.iter().all(|cluster| cluster.conf != conf) {
                clusters.push(Cluster {
                    conf,
                    data: None,
                    given: Vec::new(),
                    user: None,
                    running: false,
                    pid: None,
                });
            }
        }
    }
    clusters
}

/// `postgres -D DATA -c config_file=FILE -c name=value --name=value`; the data directory may come
/// from PGDATA, too.
fn of_process(site: &Site, process: &Process) -> Option<Cluster> {
    if process
        .argv
        .first()
        .is_some_and(|title| title.starts_with(b"postgres: "))
    {
        return None;
    }
    let cwd = process.cwd().unwrap_or_else(|| PathBuf::from("/"));
    let path = |bytes: &[u8]| normal(&cwd.join(OsStr::from_bytes(bytes)));
    let mut given = Vec::new();
    let mut words = process.argv.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        let pair = match word.as_slice() {
            b"-c" => words.next().map(Vec::as_slice),
            [b'-', b'c', rest @ ..] => Some(rest),
            [b'-', b'-', rest @ ..] => Some(rest),
            _ => None,
        };
        if let Some((name, value)) = pair.and_then(split_pair) {
            given.push((name, value));
        }
    }
    let last = |name: &str| {
        given
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| path(value))
    };
    // A server's working directory is its data directory; a relative -D was relative to where it
    // was started, which nobody knows now.
    let data = process::option(&process.argv, &["-D"])
        .filter(|dir| dir.first() == Some(&b'/'))
        .map_or_else(|| cwd.clone(), path);
    let conf = last("config_file").unwrap_or_else(|| data.join("postgresql.conf"));
    let data = last("data_directory").or(Some(data));
    Some(Cluster {
        conf,
        data,
        given,
        user: Some(site.users.user_name(process.uid)),
        running: true,
        pid: Some(process.pid),
    })
}

fn split_pair(word: &[u8]) -> Option<(String, Vec<u8>)> {
    let at = word.iter().position(|byte| *byte == b'=')?;
    let name = String::from_utf8_lossy(&word[..at])
        .to_lowercase()
        .replace('-', "_");
    Some((name, word[at + 1..].to_vec()))
}

fn one(site: &Site, cluster: &Cluster, out: &mut Configured) {
    let mut guc = Guc::default();
    guc.read_main(&site.files, &cluster.conf);
    let beside = cluster.conf.parent().unwrap_or(Path::new("/"));
    let said = guc.text("data_directory").filter(|value| !value.is_empty());
    let data = said.map(|value| normal(&beside.join(OsStr::from_bytes(value))));
    let data = data
        .filter(|_| !cluster.running)
        .or_else(|| cluster.data.clone())
        .unwrap_or_else(|| beside.to_path_buf());
    // Settings made by ALTER SYSTEM come after the file, the command line after both. The directory
    // is closed to others.
    guc.read_auto(&site.files, &data.join("postgresql.auto.conf"));
    for (name, value) in &cluster.given {
        guc.set(name, value.clone(), None);
    }
    for error in std::mem::take(&mut guc.errors) {
        out.fault(NAME, error);
    }
    let user = cluster
        .user
        .clone()
        .or_else(|| owner(site, &data))
        .unwrap_or_else(|| "postgres".to_owned());
    let view = View {
        site,
        cluster,
        guc: &guc,
        data: &data,
        user,
    };
    for destination in view.destinations() {
        view.destination(&destination, out);
    }
}

struct View<'a> {
    site: &'a Site,
    cluster: &'a Cluster,
    guc: &'a Guc,
    data: &'a Path,
    user: String,
}

impl View<'_> {
    fn destinations(&self) -> Vec<String> {
        let text = self.guc.text("log_destination").unwrap_or(b"stderr");
        let words = text
            .split(|byte| *byte == b',')
            .map(|word| String::from_utf8_lossy(word.trim_ascii()).to_lowercase());
        words
            .map(|word| word.trim_matches('"').to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    }

    fn target(&self, sink: Sink, said: Option<&Value>) -> Target {
        let whole = || Source::new(&Arc::from(self.cluster.conf.as_path()), 0);
        Target {
            user: Some(self.user.clone()),
            pid: self.cluster.pid,
            claimed: self.cluster.pid.is_some(),
            appends: Some(true),
            evidence: if said.is_some() {
                Evidence::Config
            } else {
                Evidence::Default
            },
            source: Some(
                said.and_then(|value| value.source.clone())
                    .unwrap_or_else(whole),
            ),
            ..Target::new(NAME, self.instance(), Kind::Error, sink)
        }
    }

    /// Debian's name for a cluster, `15/main`, or its data directory.
    fn instance(&self) -> String {
        debian(&self.cluster.conf).map_or_else(
            || self.data.display().to_string(),
            |(version, name)| format!("{version}/{name}"),
        )
    }

    fn destination(&self, destination: &str, out: &mut Configured) {
        let collector = self.guc.boolean("logging_collector").unwrap_or(false);
        match destination {
            "syslog" => {
                out.add(self.target(Sink::Syslog(String::new()), self.guc.get("log_destination")));
            }
            "stderr" if !collector => out.add(self.standard_error()),
            "stderr" | "csvlog" | "jsonlog" if collector => self.collected(destination, out),
            // Without the collector, csv and json go nowhere of their own.
            _ => {}
        }
    }

    fn collected(&self, destination: &str, out: &mut Configured) {
        let said = self
            .guc
            .get("log_filename")
            .or_else(|| self.guc.get("log_directory"));
        let rotates = self.rotation();
        let current = self.current(destination);
        let sink = match current {
            Some(path) => Sink::File(path),
            None => self.pattern(destination),
        };
        out.add(Target {
            rotates,
            ..self.target(sink, said)
        });
    }

    /// `current_logfiles` names the file in use; only the server's user may read it.
    fn current(&self, destination: &str) -> Option<PathBuf> {
        let text = self
            .site
            .files
            .read(&self.data.join("current_logfiles"))
            .ok()?;
        let line = text.split(|byte| *byte == b'\n').find_map(|line| {
            line.strip_prefix(destination.as_bytes())?
                .strip_prefix(b" ")
        })?;
        Some(normal(&self.data.join(OsStr::from_bytes(line))))
    }

    fn pattern(&self, destination: &str) -> Sink {
        let directory = self.guc.text("log_directory").unwrap_or(b"log");
        let name = self
            .guc
            .text("log_filename")
            .unwrap_or(b"postgresql-%Y-%m-%d_%H%M%S.log");
        let name = with_suffix(name, destination);
        let path =
            normal(&self.data.join(OsStr::from_bytes(directory))).join(OsStr::from_bytes(&name));
        if name.contains(&b'%') {
            Sink::Template(path.into_os_string().as_bytes().to_vec())
        } else {
            Sink::File(path)
        }
    }

    /// The collector begins a new file by age or size, which helps only when the name changes with
    /// the date.
    fn rotation(&self) -> Option<OwnRotation> {
        let name = self.guc.text("log_filename").unwrap_or(b"%");
        let off = |setting: &str| {
            self.guc
                .text(setting)
                .is_some_and(|value| value.first() == Some(&b'0') && value.len() == 1)
        };
        let never = off("log_rotation_age")
            && self
                .guc
                .get("log_rotation_size")
                .is_none_or(|_| off("log_rotation_size"));
        let source = self
            .guc
            .get("log_filename")
            .and_then(|value| value.source.clone());
        (name.contains(&b'%') && !never).then_some(OwnRotation {
            by: NAME,
            off: "set log_filename to a name without %",
            source,
        })
    }

    /// With the collector off the server's standard error is a file only because `pg_ctlcluster`
    /// made it one.
    fn standard_error(&self) -> Target {
        let said = self.guc.get("logging_collector");
        let Some((version, name)) = debian(&self.cluster.conf) else {
            return self.target(Sink::Stdio("stderr"), said);
        };
        let link = self.cluster.conf.with_file_name("log");
        let usual = PathBuf::from(format!(
            "/var/log/postgresql/postgresql-{version}-{name}.log"
        ));
        let path = self.site.files.link(&link).map_or(usual, |target| {
            normal(&link.with_file_name("").join(target))
        });
        Target {
            evidence: Evidence::Default,
            ..self.target(Sink::File(path), said)
        }
    }
}

/// `/etc/postgresql/VERSION/NAME/postgresql.conf`.
fn debian(conf: &Path) -> Option<(String, String)> {
    let mut parts = conf
        .iter()
        .rev()
        .map(|part| part.to_string_lossy().into_owned());
    let (file, name, version, dir) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    (file == "postgresql.conf" && dir == "postgresql").then_some((version, name))
}

/// csv and json take the name's `.log` off and put their own on.
fn with_suffix(name: &[u8], destination: &str) -> Vec<u8> {
    let suffix: &[u8] = match destination {
        "csvlog" => b".csv",
        "jsonlog" => b".json",
        _ => return name.to_vec(),
    };
    [name.strip_suffix(b".log").unwrap_or(name), suffix].concat()
}

fn owner(site: &Site, data: &Path) -> Option<String> {
    site.files
        .stat(data)
        .ok()
        .map(|stat| site.users.user_name(stat.st_uid))
}

/// An error about a file that holds settings, in this service's name.
fn syntax(source: &Source, message: impl Into<String>) -> Error {
    Error::at(conf::Kind::Syntax, source, message)
}
