//! Init scripts, run exactly as service(8) runs them.
//!
//! That is the point of this backend: `/` as the directory, and nothing in the environment but the locale, PATH and
//! TERM, so a variable that was set in the administrator's shell is as absent as it will be after a reboot. Where the
//! init is systemd, service(8) hands over to systemctl, and so does this (`systemd:NAME.service`). Exit codes of
//! scripts are not believed: Debian's own nginx script says 0 while nginx's configuration is broken.
//! The main process is found by the pid file the script's header or body names, or as `pidfile` says.

use std::fs;
use std::path::{Path, PathBuf};

use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::Identity;

use super::spawn::Launch;
use super::{Backend, Done, Member, Run, State, pidfile};
use crate::set::Service;

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "sysv",
    check,
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::from_secs(5),
    settle,
    vouches: |_, _| false,
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

/// By the pid file where one is known. Otherwise the script's own `status`, which is only its word.
fn state(service: &Service) -> Result<State> {
    let name = &service.unit;
    let mut stale = None;
    for file in pidfiles(service) {
        let found = pidfile::read(&file)?;
        if found.identity.is_some() {
            return Ok(State::one(Member::of_process(
                name,
                found.identity.as_ref(),
            )));
        }
        stale = stale.or(found.why);
    }
    if let Some(why) = stale {
        let mut member = Member::of_process(name, None);
        member.detail = Some(why);
        return Ok(State::one(member));
    }
    let done =
        command(service, "status").and_wait(Deadline::after(Some(Duration::from_secs(10))))?;
    let up = done.warnings.is_empty();
    let mut member = Member::of_process(name, None);
    member.run = if up { Run::Running } else { Run::Stopped };
    member.word = if up {
        "running, says its script"
    } else {
        "not running, says its script"
    }
    .to_owned();
    Ok(State::one(member))
}

/// The pid files that are known: the one the set names, else those of the script.
fn pidfiles(service: &Service) -> Vec<PathBuf> {
    if let Some(file) = &service.spec.pidfile {
        return vec![service.path(file)];
    }
    let text = fs::read(script(service)).unwrap_or_default();
    let name = Path::new(&service.unit)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    written_pidfiles(&String::from_utf8_lossy(&text), &name)
}

/// `# pidfile: PATH` of the header (chkconfig), and `PIDFILE=PATH` (Debian's nginx: `PID=PATH`) of the body, where only the service's own name is a variable in it.
fn written_pidfiles(text: &str, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut variables = vec![("NAME".to_owned(), name.to_owned())];
    for line in text.lines() {
        let line = line.trim();
        if let Some(path) = line.strip_prefix("# pidfile:") {
            found.push(path.trim().to_owned());
            continue;
        }
        let Some((variable, value)) = line.split_once('=') else {
            continue;
        };
        if variable.is_empty()
            || !variable
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || each == '_')
        {
            continue;
        }
        let Some(value) = expand(value, &variables) else {
            continue;
        };
        if variable.eq_ignore_ascii_case("pidfile") || variable == "PID" {
            found.push(value.clone());
        }
        variables.push((variable.to_owned(), value));
    }
    let mut paths: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| path.starts_with('/'))
        .map(PathBuf::from)
        .collect();
    paths.dedup();
    paths
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
    command(service, "start").and_wait(deadline)
}

fn stop(service: &Service, state: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    let done = command(service, "stop").and_wait(deadline)?;
    // start-stop-daemon removes the pid file of a daemon that is still ending: the process is the one to wait for.
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
