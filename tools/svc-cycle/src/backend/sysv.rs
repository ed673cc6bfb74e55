//! Init scripts, run exactly as service(8) runs them.
//!
//! That is the point of this backend: `/` as the directory, and nothing in the environment but the
//! locale, PATH and TERM, so a variable that was set in the administrator's shell is as absent as
//! it will be after a reboot. Where the init is systemd, service(8) hands over to systemctl, and so
//! does this (`systemd:NAME.service`). Neither exit codes of scripts are believed (Debian's own
//! nginx script says 0 while nginx's configuration is broken) nor their `status` (Debian's own
//! uwsgi script says 0 of nothing at all). What runs is seen by the pid file that the script's
//! header or body names, or as `pidfile` says; else by the processes of the program that the script
//! calls DAEMON; else nobody knows.

use std::fs;
use std::path::{Path, PathBuf};

use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::Identity;

use super::pidfile;
use super::row::{Backend, itself};
use super::spawn::Launch;
use crate::id::ServiceId;
use crate::service::Service;
use crate::state::{Done, Member, Remarks, Run, State};

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "sysv",
    about: "A script of /etc/init.d, run as service(8) runs it: in / and with an empty environment.",
    example: r#"
[service.uwsgi]
backend = "sysv"
pidfile = "/run/uwsgi/reef.pid"
"#,
    keeps: |name| !name.contains('/') && Path::new("/etc/init.d").join(name).is_file(),
    unit: |_| None,
    refuses_others: |_| true,
    startable: |_| Ok(()),
    check,
    id,
    locks: |service| itself(id(service)),
    may_touch: |_, _| false,
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::from_secs(5),
    settle,
    vouches: |_, _| false,
    allowed: |_, _| Ok(Remarks::default()),
    related: None,
    reread: None,
    order: None,
    everything: None,
    shows_stopping: false,
    log: |_, _| Vec::new(),
};

/// What service(8) lets through (init-system-helpers 1.65): in this order, empty where unset.
const ENVIRONMENT: &[&str] = &[
    "LANG",
    "LANGUAGE",
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LC_ALL",
    "PATH",
    "TERM",
];

fn script(service: &Service) -> PathBuf {
    if service.unit.starts_with('/') {
        PathBuf::from(&service.unit)
    } else {
        Path::new("/etc/init.d").join(&service.unit)
    }
}

fn check(service: &Service) -> Result<()> {
    let path = script(service);
    let nested = !service.unit.starts_with('/') && service.unit.contains('/');
    if nested || !path.is_file() {
        return Err(Error::usage(format!(
            "{}: no such init script",
            path.display()
        )));
    }
    Ok(())
}

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    services.iter().map(|service| state(service)).collect()
}

fn id(service: &Service) -> ServiceId {
    let path = script(service);
    let whole = path.canonicalize().unwrap_or(path);
    ServiceId::system(BACKEND.name, whole.display().to_string())
}

/// By the pid file where one is known, by the processes of the script's program where that is
/// known, else unknown.
fn state(service: &Service) -> Result<State> {
    let name = &service.unit;
    let script = Script::read(service);
    let proof = pidfile::Proof {
        exe: service.spec.expect.exe.clone(),
        program: script.daemon.clone(),
        ..pidfile::Proof::default()
    };
    let mut stale = None;
    for file in &script.pidfiles {
        let found = pidfile::read(file, &proof)?;
        if found.identity.is_some() {
            return Ok(State::one(Member::of_process(
                name,
                found.identity.as_ref(),
            )));
        }
        stale = stale.or(found.why);
    }
    // A set that names the file knows better than the script's name for its program.
    let named = service.spec.pidfile.is_some();
    if let Some(daemon) = script.daemon.as_ref().filter(|_| !named) {
        let found = processes_of(daemon)?;
        let mut member = Member::of_process(name, found.first());
        if found.is_empty() {
            member.detail =
                Some(stale.unwrap_or_else(|| format!("no process of {} runs", daemon.display())));
        }
        return Ok(State {
            members: vec![member],
            warnings: several(service, &found),
            fix: None,
        });
    }
    let mut member = Member::of_process(name, None);
    if let Some(why) = stale {
        member.detail = Some(why);
        return Ok(State::one(member));
    }
    let done =
        command(service, "status").and_wait(Deadline::after(Some(Duration::from_secs(10))))?;
    member.run = Run::Unknown;
    member.word = if done.warnings.is_empty() {
        "its script says that it runs"
    } else {
        "its script says that it does not run"
    }
    .to_owned();
    member.detail =
        Some("neither a pid file nor a program is known: pidfile = \"FILE\" in the set".to_owned());
    Ok(State::one(member))
}

fn several(service: &Service, found: &[Identity]) -> Vec<String> {
    if found.len() < 2 {
        return Vec::new();
    }
    let pids: Vec<String> = found
        .iter()
        .map(|identity| identity.pid.to_string())
        .collect();
    vec![format!(
        "{}: several processes of its program run ({}); pidfile = \"FILE\" in the set names the one that is meant",
        service.name,
        pids.join(", ")
    )]
}

/// The processes of this machine that execute this very file and whose parent does not, masters
/// before workers.
fn processes_of(daemon: &Path) -> Result<Vec<Identity>> {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = fs::metadata(daemon) else {
        return Ok(Vec::new());
    };
    let snapshot = proc::Snapshot::take().map_err(|error| Error::io("/proc", &error))?;
    let is_daemon = |pid: i32| {
        proc::View::of(pid)
            .and_then(|view| view.exe())
            .is_ok_and(|exe| (exe.dev, exe.ino) == (meta.dev(), meta.ino()))
            && proc::is_of_this_machine(pid)
    };
    let mine: Vec<i32> = snapshot
        .iter()
        .filter(|stat| !stat.is_dead() && is_daemon(stat.pid))
        .map(|stat| stat.pid)
        .collect();
    let roots = mine.iter().filter(|pid| {
        snapshot
            .get(**pid)
            .is_none_or(|stat| !mine.contains(&stat.parent))
    });
    Ok(roots.filter_map(|pid| Identity::of(*pid).ok()).collect())
}

/// What a script says of its daemon.
struct Script {
    pidfiles: Vec<PathBuf>,
    daemon: Option<PathBuf>,
}

impl Script {
    fn read(service: &Service) -> Self {
        let text = fs::read(script(service)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let daemon = daemon_of(&text, &service_name(service));
        let pidfiles = match &service.spec.pidfile {
            Some(file) => vec![service.path(file)],
            None => written_pidfiles(&text, &service_name(service)),
        };
        Self { pidfiles, daemon }
    }
}

fn service_name(service: &Service) -> String {
    Path::new(&service.unit)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// `# pidfile: PATH` of the header (chkconfig), and `PIDFILE=PATH` (Debian's nginx: `PID=PATH`) of
/// the body, where only the service's own name is a variable in it.
fn written_pidfiles(text: &str, name: &str) -> Vec<PathBuf> {
    let mut found: Vec<String> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("# pidfile:"))
        .map(|path| path.trim().to_owned())
        .collect();
    for (variable, value) in variables(text, name) {
        if variable.eq_ignore_ascii_case("pidfile") || variable == "PID" {
            found.push(value);
        }
    }
    let mut paths: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| path.starts_with('/'))
        .map(PathBuf::from)
        .collect();
    paths.dedup();
    paths
}

/// `DAEMON=PATH`, as Debian's scripts have it. A shell or an interpreter is no daemon's own
/// program.
fn daemon_of(text: &str, name: &str) -> Option<PathBuf> {
    let found = variables(text, name)
        .into_iter()
        .filter(|(variable, _)| variable == "DAEMON")
        .map(|(_, value)| PathBuf::from(value))
        .next_back()?;
    let whole = found.canonicalize().ok()?;
    let mut start = [0; 4];
    let file = fs::File::open(&whole).ok()?;
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut start, 0).ok()?;
    let interpreter = whole.file_name()?.to_str()?;
    let general = [
        "python", "perl", "ruby", "node", "java", "bash", "dash", "sh",
    ];
    let is_program =
        start == *b"\x7fELF" && !general.iter().any(|each| interpreter.starts_with(each));
    is_program.then_some(whole)
}

/// The plain assignments of a script, where only the service's own name and earlier ones are
/// variables in them.
fn variables(text: &str, name: &str) -> Vec<(String, String)> {
    let mut variables = vec![("NAME".to_owned(), name.to_owned())];
    for line in text.lines() {
        let Some((variable, value)) = line.trim().split_once('=') else {
            continue;
        };
        let plain = !variable.is_empty()
            && variable
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || each == '_');
        if let (true, Some(value)) = (plain, expand(value, &variables)) {
            variables.push((variable.to_owned(), value));
        }
    }
    variables
}

/// A plain word of sh, with known variables put in; None for anything more.
fn expand(value: &str, variables: &[(String, String)]) -> Option<String> {
    let value = value.split(" #").next()?.trim();
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let mut out = value.to_owned();
    for (name, content) in variables.iter().rev() {
        out = out.replace(&format!("${{{name}}}"), content);
        if let Some(at) = out.find(&format!("${name}")) {
            let after = at + name.len() + 1;
            if !out[after..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_') {
                out.replace_range(at..after, content);
            }
        }
    }
    if out.contains(['$', '`', '\'', '"', ' ', '*']) {
        None
    } else {
        Some(out)
    }
}

fn command(service: &Service, action: &str) -> Launch {
    let set = |name: &&str| ((*name).to_owned(), std::env::var(name).unwrap_or_default());
    let environment = ENVIRONMENT.iter().map(set).collect();
    Launch::clean(
        &service.name,
        &[
            script(service).to_string_lossy().into_owned(),
            action.to_owned(),
        ],
        "/",
        environment,
    )
}

fn start(service: &Service, _: &[String], deadline: Deadline) -> Result<Done> {
    // Where nothing else will show what runs, the kernel hands over to us whatever the script
    // leaves behind.
    let watched = Script::read(service);
    let blind = watched.pidfiles.is_empty() && watched.daemon.is_none();
    if blind {
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }
    let mut done = command(service, "start").and_wait(deadline)?;
    if blind {
        let me = i32::try_from(std::process::id()).unwrap_or_default();
        let left = proc::Snapshot::take().map(|snapshot| snapshot.children(me));
        done.left = left
            .unwrap_or_default()
            .into_iter()
            .filter_map(|pid| Identity::of(pid).ok())
            .filter(|identity| !is_guardian(identity.pid))
            .collect();
        done.warnings.push(format!(
            "{}: neither a pid file nor a program is known, so only the processes that the start left behind speak for it; pidfile = \"FILE\" in the set",
            service.name
        ));
        let _ = nix::sys::prctl::set_child_subreaper(false);
    }
    Ok(done)
}

/// This program once more.
fn is_guardian(pid: i32) -> bool {
    let own = i32::try_from(std::process::id()).ok();
    let own = own.and_then(proc::executable);
    own.is_some() && proc::executable(pid) == own
}

fn stop(service: &Service, state: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    let done = command(service, "stop").and_wait(deadline)?;
    // start-stop-daemon removes the pid file of a daemon that is still ending: the process is the
    // one to wait for.
    for identity in state
        .pids()
        .iter()
        .filter_map(|pid| Identity::of(*pid).ok())
    {
        let before = state
            .members
            .iter()
            .any(|member| member.generation == format!("{}@{}", identity.pid, identity.start));
        if let (true, Ok(process)) = (before, proc::Process::reopen(&identity)) {
            let _ = process.wait(deadline.left().unwrap_or(Duration::from_secs(3600)));
        }
    }
    Ok(done)
}

fn reload(service: &Service, _: &State, deadline: Deadline) -> Result<Done> {
    let done = command(service, "reload").and_wait(deadline)?;
    match done.warnings.first() {
        Some(why) => Err(Error::failed(why.clone())),
        None => Ok(done),
    }
}

fn settle(service: &Service, deadline: Deadline) {
    let argv = [
        script(service).to_string_lossy().into_owned(),
        "start".to_owned(),
    ];
    pidfile::settle_command(&argv, deadline, || false);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn pid_files_of_scripts() {
        let debian = "DAEMON=/usr/sbin/nginx\nNAME=nginx\nDESC=web server\nPID=$(cat /etc/x)\nPIDFILE=/run/${NAME}.pid\n";
        assert_eq!(
            written_pidfiles(debian, "nginx"),
            [PathBuf::from("/run/nginx.pid")]
        );
        let redhat = "#!/bin/sh\n# chkconfig: - 85 15\n# pidfile:     /var/run/nginx.pid\nprog=$(basename $nginx)\n";
        assert_eq!(
            written_pidfiles(redhat, "nginx"),
            [PathBuf::from("/var/run/nginx.pid")]
        );
        let home = "RUNDIR=/var/run/redis\nPIDFILE=$RUNDIR/redis-server.pid\n";
        assert_eq!(
            written_pidfiles(home, "redis"),
            [PathBuf::from("/var/run/redis/redis-server.pid")]
        );
        assert_eq!(
            written_pidfiles(
                "PIDFILE=`which x`\nPIDFILE=$UNKNOWN/x\nPIDFILE=relative\n",
                "x"
            ),
            Vec::<PathBuf>::new()
        );
    }
}
