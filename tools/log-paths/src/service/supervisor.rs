//! supervisor: its own log, and what its programs print. supervisord opens these files, not the
//! programs, and rotates them itself unless it is told not to.

use crate::log::{
    Configured, Doubt, Evidence, Example, Kind, OwnRotation, Reopen, Service, Sink, Target,
};
use crate::process::Process;
use crate::site::{Site, normal};
use crate::start::{Language, Start};
use conf::Source;
use conf::supervisor::{
    Daemon, Log, Output, Process as Program, Supervisor, Surroundings, auto_prefix,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "supervisor";

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.is("supervisord") || program.runs_module("supervisor.supervisord"),
    reopen: Reopen {
        names: &["supervisor", "supervisord"],
        signals: &["USR2", "HUP"],
        reload: true,
        command: |words| {
            words.first().is_some_and(|word| word == "supervisorctl")
                && words
                    .iter()
                    .any(|word| word == "reload" || word == "shutdown")
        },
        gives: false,
    },
    read,
    example: Example {
        file: "supervisord.conf",
        text: "[supervisord]\nlogfile = /var/log/supervisor/supervisord.log\n",
    },
    starts: Some(starts),
    children: false,
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for (file, user, surroundings) in instances(site) {
        configured.found = true;
        match Supervisor::read(&site.files, &file, &surroundings) {
            Ok(supervisor) => {
                let running = site
                    .masters(NAME)
                    .find(|process| main_file(site, process).as_ref() == Some(&file));
                one(site, &supervisor, user, running, &mut configured);
            }
            Err(error) => configured.fault(NAME, error),
        }
    }
    configured
}

/// The commands of every program.
fn starts(site: &Site) -> Vec<Start> {
    let mut starts = Vec::new();
    for (file, user, surroundings) in instances(site) {
        let Ok(supervisor) = Supervisor::read(&site.files, &file, &surroundings) else {
            continue;
        };
        for program in supervisor.groups.iter().flat_map(|group| &group.processes) {
            let daemon_dir = supervisor
                .daemon
                .directory
                .clone()
                .unwrap_or_else(|| surroundings.cwd.clone());
            let mut env = surroundings.env.clone();
            env.extend(
                program
                    .environment
                    .iter()
                    .map(|(name, value)| (name.into(), value.clone())),
            );
            starts.push(Start {
                command: program.command.as_bytes().to_vec(),
                language: Language::Words,
                cwd: program.directory.clone().unwrap_or(daemon_dir),
                env,
                user: program
                    .user
                    .clone()
                    .or_else(|| supervisor.daemon.user.clone())
                    .or_else(|| user.clone()),
                unit: None,
                source: program.source.clone(),
            });
        }
    }
    starts
}

/// Stands for the directory of a supervisord that does not run; deep enough for `../` in a name.
const NOWHERE: &str = "/.supervisord/1/2/3/4/5/6/7/8";

/// A log whose name is relative to a directory that nobody knows.
fn placed(path: &Path) -> (Sink, Option<Doubt>) {
    match path.strip_prefix("/.supervisord") {
        Ok(_) => {
            let name = path.strip_prefix(NOWHERE).unwrap_or(path);
            (
                Sink::Template(name.as_os_str().as_bytes().to_vec()),
                Some(Doubt::Unresolved(
                    "the directory that supervisord starts in".to_owned(),
                )),
            )
        }
        Err(_) => (Sink::File(path.to_path_buf()), None),
    }
}

/// The main files, with the user of the daemon and what it takes from its surroundings.
fn instances(site: &Site) -> Vec<(PathBuf, Option<String>, Surroundings)> {
    let own = || Surroundings {
        cwd: PathBuf::from(NOWHERE),
        ..Surroundings::own()
    };
    let running: Vec<&Process> = site.masters(NAME).collect();
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        let absolute = asked
            .into_iter()
            .map(|file| std::path::absolute(&file).unwrap_or(file));
        return absolute
            .map(|file| {
                let process = running
                    .iter()
                    .find(|process| main_file(site, process).as_ref() == Some(&file));
                let (user, surroundings) =
                    process.map_or((None, own()), |process| around(site, process));
                (file, user, surroundings)
            })
            .collect();
    }
    let found: Vec<_> = running
        .iter()
        .filter_map(|process| {
            let (user, surroundings) = around(site, process);
            Some((main_file(site, process)?, user, surroundings))
        })
        .collect();
    if !found.is_empty() {
        return found;
    }
    Supervisor::usual(&site.files)
        .map(|file| (file, None, own()))
        .into_iter()
        .collect()
}

fn around(site: &Site, process: &Process) -> (Option<String>, Surroundings) {
    let own = Surroundings::own();
    let env = process.environment().unwrap_or_else(|| own.env.clone());
    let tmp = env
        .get(OsStr::new("TMPDIR"))
        .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let surroundings = Surroundings {
        env,
        cwd: process.cwd().unwrap_or_else(|| PathBuf::from("/")),
        tmp,
        host: own.host,
    };
    (Some(site.users.user_name(process.uid)), surroundings)
}

/// `-c`, or where supervisord looks when it has none: beside itself, where it stands, and in /etc.
fn main_file(site: &Site, process: &Process) -> Option<PathBuf> {
    let cwd = process.cwd().unwrap_or_else(|| PathBuf::from("/"));
    if let Some(given) = process.option(&["-c", "--configuration"]) {
        return Some(normal(&cwd.join(OsStr::from_bytes(given))));
    }
    let script = process
        .argv
        .iter()
        .find(|word| word.ends_with(b"supervisord"));
    let beside = script.and_then(|script| {
        Some(
            Path::new(OsStr::from_bytes(script))
                .parent()?
                .parent()?
                .to_path_buf(),
        )
    });
    let mut places: Vec<PathBuf> = beside
        .into_iter()
        .flat_map(|dir| {
            [
                dir.join("etc/supervisord.conf"),
                dir.join("supervisord.conf"),
            ]
        })
        .collect();
    places.extend([
        cwd.join("supervisord.conf"),
        cwd.join("etc/supervisord.conf"),
    ]);
    let found = places
        .into_iter()
        .map(|path| normal(&cwd.join(path)))
        .find(|path| site.files.stat(path).is_ok());
    found.or_else(|| Supervisor::usual(&site.files))
}

fn one(
    site: &Site,
    supervisor: &Supervisor,
    user: Option<String>,
    running: Option<&Process>,
    out: &mut Configured,
) {
    for error in &supervisor.errors {
        out.fault(NAME, error.clone());
    }
    // A pattern that matches nothing is how a fresh supervisor looks; a name without wildcards was
    // meant to be there.
    let literal = |pattern: &Path| !conf::pattern::is_pattern(pattern.as_os_str().as_bytes());
    for (pattern, source) in supervisor
        .unmatched
        .iter()
        .filter(|(pattern, _)| literal(pattern))
    {
        let message = format!("includes {}, which matches no file", pattern.display());
        out.remark(NAME, conf::Error::at(conf::Kind::Missing, source, message));
    }
    let daemon = &supervisor.daemon;
    let user = daemon
        .user
        .clone()
        .or(user)
        .unwrap_or_else(|| site.own_user());
    let target = |instance: &str, kind, sink| Target {
        user: Some(user.clone()),
        pid: running.map(|process| process.pid),
        claimed: running.is_some(),
        pid_file: Some(daemon.pidfile.clone()),
        appends: Some(true),
        ..Target::new(NAME, instance, kind, sink)
    };
    let (sink, doubt) = match &daemon.logfile {
        Log::File(path) => placed(path),
        Log::Syslog | Log::Auto | Log::None => (Sink::Syslog(String::new()), None),
    };
    let whole = Source::new(&Arc::from(supervisor.file.as_path()), 0);
    out.add(Target {
        evidence: if daemon.logfile_source.is_some() {
            Evidence::Config
        } else {
            Evidence::Default
        },
        rotates: own_rotation(daemon.logfile_maxbytes, daemon.logfile_source.clone()),
        source: Some(daemon.logfile_source.clone().unwrap_or(whole)),
        doubt,
        ..target("supervisord", Kind::Error, sink)
    });
    for program in supervisor.groups.iter().flat_map(|group| &group.processes) {
        let name = program.namespec();
        for (stream, output) in [("stdout", &program.stdout), ("stderr", &program.stderr)] {
            for (sink, doubt) in sinks(site, daemon, program, stream, output) {
                out.add(Target {
                    evidence: if output.explicit {
                        Evidence::Config
                    } else {
                        Evidence::Default
                    },
                    source: Some(output.source.clone()),
                    rotates: own_rotation(output.maxbytes, Some(output.source.clone())),
                    at_start: running.is_some_and(|daemon| runs(site, daemon, program)),
                    doubt,
                    ..target(&name, Kind::App, sink)
                });
            }
        }
    }
}

/// Does supervisord run this program now? It opens a program's logs with the program.
fn runs(site: &Site, daemon: &Process, program: &Program) -> bool {
    let Ok(words) = conf::shlex::split(program.command.as_bytes()) else {
        return false;
    };
    let mut children = site
        .processes()
        .iter()
        .filter(|process| process.parent == daemon.pid);
    !words.is_empty() && children.any(|process| process.argv.ends_with(&words))
}

fn own_rotation(maxbytes: u64, source: Option<Source>) -> Option<OwnRotation> {
    (maxbytes > 0).then_some(OwnRotation {
        by: NAME,
        off: "set the program's logfile_maxbytes to 0",
        source,
    })
}

/// Where a program's stream goes: a file, files of supervisord's own naming, syslog, or nowhere.
fn sinks(
    site: &Site,
    daemon: &Daemon,
    program: &Program,
    stream: &str,
    output: &Output,
) -> Vec<(Sink, Option<Doubt>)> {
    let mut sinks = Vec::new();
    match &output.log {
        Log::File(path) => sinks.push(placed(path)),
        Log::Auto => {
            let (dir, prefix) = auto_prefix(daemon, program, stream);
            let names = site.files.list(&dir).unwrap_or_default();
            let mine = |name: &OsStr| {
                name.as_bytes().starts_with(prefix.as_bytes()) && name.as_bytes().ends_with(b".log")
            };
            let existing: Vec<PathBuf> = names
                .iter()
                .filter(|name| mine(name))
                .map(|name| dir.join(name))
                .collect();
            if existing.is_empty() {
                let name = dir.join(format!("{prefix}????????.log"));
                sinks.push((
                    Sink::Template(name.into_os_string().as_bytes().to_vec()),
                    None,
                ));
            }
            sinks.extend(existing.into_iter().map(|path| (Sink::File(path), None)));
        }
        Log::None if stream == "stdout" || !program.redirect_stderr => {
            if !output.syslog {
                sinks.push((Sink::Discard, None));
            }
        }
        Log::None | Log::Syslog => {}
    }
    if output.syslog {
        sinks.push((Sink::Syslog(String::new()), None));
    }
    sinks
}
