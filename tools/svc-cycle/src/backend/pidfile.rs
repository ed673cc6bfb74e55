//! A daemon that is known by the file it writes its pid into.
//!
//! The number in the file is a claim. It is believed only when the file can't have been written by just anybody, and
//! a process of that number is not younger than the file: a daemon writes its pid after it has started, so a
//! process that started after the file was written got the number later. Signals go through a pidfd.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::clock::Deadline;
use base::{Error, Kind, Result};
use proc::{Identity, Process, arguments};

use super::spawn::{Launch, signal_named};
use super::{Backend, Done, Member, State};
use crate::set::Service;

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "pidfile",
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

/// How much younger than its pid file a process may be: clock ticks are 10 ms, file times may lag by a tick of the kernel.
const SLACK: Duration = Duration::from_secs(2);

fn check(service: &Service) -> Result<()> {
    for signal in [&service.spec.reload_signal, &service.spec.stop_signal]
        .into_iter()
        .flatten()
    {
        signal_named(signal)?;
    }
    if service.unit.is_empty() {
        Err(Error::usage("pidfile: no file is named"))
    } else {
        Ok(())
    }
}

fn file(service: &Service) -> PathBuf {
    service.path(Path::new(&service.unit))
}

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    services
        .iter()
        .map(|service| read(&file(service)).map(|found| State::one(found.member(&service.unit))))
        .collect()
}

/// What a pid file says, checked.
#[derive(Debug)]
pub struct Found {
    /// The living process it names.
    pub identity: Option<Identity>,
    /// Why it names none.
    pub why: Option<String>,
}

impl Found {
    fn member(self, name: &str) -> Member {
        let mut member = Member::of_process(name, self.identity.as_ref());
        member.detail = self.why;
        member
    }
}

/// Reads a pid file and looks at the process.
///
/// # Errors
/// Permission: others than its owner may write the file, so that a signal would go wherever they like.
pub fn read(path: &Path) -> Result<Found> {
    let nobody = |why: String| Found {
        identity: None,
        why: Some(why),
    };
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(nobody(format!("{}: no such file", path.display())));
        }
        Err(error) => return Err(Error::io(path.display(), &error)),
    };
    if meta.mode() & 0o022 != 0 {
        return Err(Error::new(
            Kind::Permission,
            format!("{}: can be written by its group or by others (mode {:04o})", path.display(), meta.mode() & 0o7777),
        )
        .hint(format!("whoever can write it chooses which process is signalled: chmod go-w {}; uwsgi wants --umask 022", path.display())));
    }
    if !meta.is_file() || meta.len() > 4096 {
        return Err(Error::failed(format!("{}: not a pid file", path.display())));
    }
    let text = fs::read_to_string(path).map_err(|error| Error::io(path.display(), &error))?;
    let first = text.lines().next().unwrap_or_default().trim();
    let Some(pid) = first.parse::<i32>().ok().filter(|pid| *pid > 1) else {
        return Ok(nobody(format!("{}: no pid in it", path.display())));
    };
    let identity = match Identity::of(pid) {
        Ok(identity) => identity,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(nobody(format!(
                "{}: process {pid} isn't running",
                path.display()
            )));
        }
        // Not to be seen is not to be gone: a second one would be started.
        Err(error) => {
            return Err(Error::io(
                format!("process {pid} of {}", path.display()),
                &error,
            ));
        }
    };
    if identity.uid != meta.uid()
        && meta.uid() != 0
        && identity.uid != effective_user()
        && effective_user() != meta.uid()
    {
        return Ok(nobody(format!(
            "{}: process {pid} belongs to uid {}, the file to uid {}",
            path.display(),
            identity.uid,
            meta.uid()
        )));
    }
    let written = meta.modified().unwrap_or(UNIX_EPOCH);
    match started(&identity) {
        Some(begun) if begun > written + SLACK => Ok(nobody(format!(
            "{}: process {pid} is younger than the file: the number was given to another",
            path.display()
        ))),
        _ => Ok(Found {
            identity: Some(identity),
            why: None,
        }),
    }
}

fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// When a process started, by the wall clock.
fn started(identity: &Identity) -> Option<SystemTime> {
    // USER_HZ is 100 on every Linux that Rust runs on (time(7)).
    let since_boot = Duration::from_millis(identity.start.checked_mul(10)?);
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let up: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    SystemTime::now()
        .checked_sub(Duration::from_secs_f64(up))?
        .checked_add(since_boot)
}

fn start(service: &Service, _: &[String], deadline: Deadline) -> Result<Done> {
    let argv = service
        .spec
        .start
        .as_ref()
        .ok_or_else(|| no_start(service))?;
    Launch::of(service, argv).and_wait(deadline)
}

/// The error for a service that can only be stopped.
pub fn no_start(service: &Service) -> Error {
    Error::usage(format!("{}: nothing says how to start it", service.name))
        .hint("a set file does: start = [\"COMMAND\", …]")
}

fn stop(service: &Service, state: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    terminate(service, &state.pids(), deadline)
}

/// Sends the stop signal to these main processes, through pidfds, and waits for them.
///
/// # Errors
/// One doesn't go, or may not be signalled.
pub fn terminate(service: &Service, pids: &[i32], deadline: Deadline) -> Result<Done> {
    let signal = signal_named(service.spec.stop_signal.as_deref().unwrap_or("TERM"))?;
    for pid in pids {
        let process = match Process::open(*pid) {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Error::io(
                    format!("{}: process {pid}", service.name),
                    &error,
                ));
            }
        };
        match process.signal(signal) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Error::io(
                    format!("{}: cannot signal process {pid}", service.name),
                    &error,
                ));
            }
        }
        let left = deadline.left().unwrap_or(Duration::from_secs(3600));
        if !process.wait(left).unwrap_or(false) {
            return Err(
                Error::failed(format!("{}: process {pid} is still there", service.name))
                    .hint("a longer stop_timeout waits for it, kill = \"escalate\" ends it"),
            );
        }
    }
    Ok(Done::default())
}

fn reload(service: &Service, state: &State, _: Deadline) -> Result<Done> {
    signal_all(service, &state.pids())
}

/// Sends the reload signal to these processes.
///
/// # Errors
/// One may not be signalled, or has gone.
pub fn signal_all(service: &Service, pids: &[i32]) -> Result<Done> {
    let name = service.spec.reload_signal.as_deref().unwrap_or("HUP");
    let signal = signal_named(name)?;
    for pid in pids {
        Process::open(*pid)
            .and_then(|process| process.signal(signal))
            .map_err(|error| {
                Error::io(
                    format!("{}: cannot signal process {pid}", service.name),
                    &error,
                )
            })?;
    }
    Ok(Done {
        detail: Some(format!("signal {name}")),
        ..Done::default()
    })
}

/// A start that a killed run left behind is still running when a process has exactly its command line.
fn settle(service: &Service, deadline: Deadline) {
    let Some(argv) = &service.spec.start else {
        return;
    };
    settle_command(argv, deadline, || {
        read(&file(service)).is_ok_and(|found| found.identity.is_some())
    });
}

/// Waits while a process with this command line is there, unless `done` says that the service is.
pub fn settle_command(argv: &[String], deadline: Deadline, done: impl Fn() -> bool) {
    while !deadline.passed() && !done() {
        let Ok(snapshot) = proc::Snapshot::take() else {
            return;
        };
        let busy = snapshot.iter().any(|stat| {
            !stat.is_dead() && arguments(stat.pid).is_ok_and(|found| ends_with(&found, argv))
        });
        if !busy {
            return;
        }
        sleep(deadline.slice(Duration::from_millis(20)));
    }
}

/// The command line is this one, perhaps behind an interpreter (`/bin/sh /etc/init.d/x start`).
fn ends_with(found: &[std::ffi::OsString], argv: &[String]) -> bool {
    found.len() >= argv.len()
        && found.len() <= argv.len() + 2
        && found[found.len() - argv.len()..]
            .iter()
            .zip(argv)
            .all(|(a, b)| a == b.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_claim_is_believed_only_when_it_can_be() {
        let path = std::env::temp_dir().join(format!("svc-cycle-pidfile-{}", std::process::id()));
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        };
        write(&format!("{}\n", std::process::id()));
        assert!(read(&path).unwrap().identity.is_some());
        // The same number in a file from before this process began: somebody else's claim.
        let old = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        assert!(read(&path).unwrap().why.unwrap().contains("younger"));
        for text in ["", "0", "1", "-1", "x", "4194999"] {
            write(text);
            assert!(read(&path).unwrap().identity.is_none(), "{text}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(read(&path).unwrap_err().kind, Kind::Permission);
        fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap().why.unwrap().contains("no such file"));
    }
}
