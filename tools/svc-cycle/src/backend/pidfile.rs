//! A daemon that is known by the file it writes its pid into.
//!
//! The number in the file is a claim. It is believed only when the file cannot have been written by
//! somebody who may not signal that process anyway, and when the process is not younger than the
//! file: a daemon writes its pid after it has started, so a process that started after the file was
//! written got the number later. A clock that was set forward in between looks the same; then only
//! a proof that it is the right program counts (it holds the file open, it is the executable that
//! was expected, it has the command line of `start`), and without one nothing is started and
//! nothing is signalled. Signals go through a pidfd.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::clock::Deadline;
use base::{Error, Kind, Result};
use proc::{Identity, Process, arguments};

use super::row::{Backend, itself, owns};
use super::spawn::{self, Launch, signal_named};
use crate::id::ServiceId;
use crate::service::Service;
use crate::state::{Done, Member, State};

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "pidfile",
    about: "The process that a pid file names; start is the command that starts the service.",
    example: r#"
[service.gunicorn]
backend = "pidfile"
pidfile = "/run/reef/gunicorn.pid"
start = ["/srv/reef/venv/bin/gunicorn", "--daemon", "--pid", "/run/reef/gunicorn.pid", "reef.wsgi"]
"#,
    keeps: |_| false,
    // The file stands under `pidfile`, as for the other backends, or under `name`.
    unit: |spec| {
        spec.pidfile
            .as_ref()
            .map(|file| file.to_string_lossy().into_owned())
    },
    refuses_others: |_| false,
    startable: |service| match service.spec.start {
        Some(_) => Ok(()),
        None => Err(no_start(service)),
    },
    check,
    id,
    locks: |service| itself(id(service)),
    may_touch: |service, peer| {
        let file = file(service);
        file.parent().is_some_and(|place| owns(peer.uid, place))
    },
    observe,
    start,
    stop,
    reload,
    processes: |_| Vec::new(),
    late: Duration::from_secs(5),
    settle,
    vouches: |_, _| false,
    allowed: |service, _| spawn::allowed(service),
    related: None,
    reread: None,
    order: None,
    everything: None,
    shows_stopping: false,
    log: |service, _| spawn::log_of(service),
};

/// How much younger than its pid file a process may look: its start is known to 10 ms, and file
/// times lag by a tick of the kernel.
const SLACK: Duration = Duration::from_millis(50);

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

fn id(service: &Service) -> ServiceId {
    let path = file(service);
    // The file comes and goes; the directory stays.
    let parent = path.parent().and_then(|dir| dir.canonicalize().ok());
    let whole = match (parent, path.file_name()) {
        (Some(dir), Some(name)) => dir.join(name),
        _ => path,
    };
    ServiceId::system(BACKEND.name, whole.display().to_string())
}

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    services
        .iter()
        .map(|service| {
            let found = service.with_rights(|| read(&file(service), &Proof::of(service)))?;
            Ok(State::one(found.member(&service.unit)))
        })
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
    fn nobody(why: String) -> Self {
        Self {
            identity: None,
            why: Some(why),
        }
    }

    fn member(self, name: &str) -> Member {
        let mut member = Member::of_process(name, self.identity.as_ref());
        member.detail = self.why;
        member
    }
}

/// What proves that a process is the service's own, whatever the clock says.
#[derive(Debug, Default)]
pub struct Proof {
    /// The executable, as a pattern.
    pub exe: Option<String>,
    /// The program that is started.
    pub program: Option<PathBuf>,
    /// The arguments after it.
    pub arguments: Vec<String>,
    /// The user who can change the set file, where that is not the caller: the set file names this
    /// user's processes alone.
    pub owner: Option<u32>,
}

impl Proof {
    /// By what the set says of the service.
    #[must_use]
    pub fn of(service: &Service) -> Self {
        let start = service.spec.start.clone().unwrap_or_default();
        Self {
            exe: service.spec.expect.exe.clone(),
            program: start.first().map(PathBuf::from),
            arguments: start.get(1..).unwrap_or_default().to_vec(),
            owner: service.owner.map(|(uid, _)| uid),
        }
    }

    /// Whether this is proved of the process.
    fn holds(&self, pid: i32, file: &fs::Metadata) -> bool {
        let Ok(view) = proc::View::of(pid) else {
            return false;
        };
        let open = || {
            view.open_files().is_ok_and(|files| {
                files
                    .iter()
                    .any(|each| (each.dev, each.ino) == (file.dev(), file.ino()))
            })
        };
        let exe = view.exe().ok();
        let expected = self.exe.as_ref().is_some_and(|pattern| {
            let pattern = glob::Pattern::new(pattern).ok();
            pattern
                .zip(exe.as_ref())
                .is_some_and(|(pattern, exe)| pattern.matches_path(&exe.path))
        });
        expected || self.is_started(&view) || open()
    }

    /// The program's own file runs, or its script is run by an interpreter, with the same
    /// arguments.
    fn is_started(&self, view: &proc::View) -> bool {
        let (Some(program), Ok(argv)) = (&self.program, view.argv()) else {
            return false;
        };
        let argv: Vec<String> = argv
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let mut command = vec![program.display().to_string()];
        command.extend(self.arguments.iter().cloned());
        let whole = argv.len() >= command.len()
            && argv.len() <= command.len() + 1
            && argv[argv.len() - command.len()..] == command[..];
        let same_file = || {
            let meta = fs::metadata(program).ok();
            meta.zip(view.exe().ok())
                .is_some_and(|(meta, exe)| (meta.dev(), meta.ino()) == (exe.dev, exe.ino))
        };
        whole || program.is_absolute() && same_file()
    }
}

/// The longest pid file that is read, in bytes.
const LONGEST: u64 = 4096;

/// Reads a pid file and looks at the process.
///
/// # Errors
/// Permission: whoever can write the file may not signal that process. Unknown: the process is
/// younger than the file, and nothing proves that it is the right one all the same.
pub fn read(path: &Path, proof: &Proof) -> Result<Found> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Found::nobody(format!("{}: no such file", path.display())));
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
    if !meta.is_file() || meta.len() > LONGEST {
        return Err(Error::failed(format!("{}: not a pid file", path.display())));
    }
    let text = content(path, &meta)?;
    let first = text.lines().next().unwrap_or_default().trim();
    let Some(pid) = first.parse::<i32>().ok().filter(|pid| *pid > 1) else {
        return Ok(Found::nobody(format!("{}: no pid in it", path.display())));
    };
    let identity = match Identity::of(pid) {
        Ok(identity) => identity,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Found::nobody(format!(
                "{}: process {pid} is not running",
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
    if let Some(uid) = proof.owner.filter(|uid| *uid != identity.uid) {
        return Err(Error::new(
            Kind::Permission,
            format!(
                "{}: uid {uid} can change the set file, and the pid file names process {pid} of uid {}",
                path.display(),
                identity.uid
            ),
        )
        .hint("whoever can change the set file chooses which process is signalled: read the file, then give --trust FILE"));
    }
    written_by_its_like(path, &meta, &identity)?;
    let written = meta.modified().unwrap_or(UNIX_EPOCH);
    let younger = started(&identity).is_some_and(|begun| begun > written + SLACK);
    if younger && !proof.holds(pid, &meta) {
        return Err(Error::new(
            Kind::Unknown,
            format!(
                "{}: process {pid} started after the file was written: either the number was given to another process, or the clock was set",
                path.display()
            ),
        )
        .hint(format!(
            "look at process {pid}; if it is another, rm {}; expect = {{ exe = \"/path/of/the/program\" }} in the set tells them apart",
            base::shell::quoted(&path.display().to_string())
        )));
    }
    Ok(Found {
        identity: Some(identity),
        why: None,
    })
}

/// The text of the file that `meta` was taken of; another file may stand in its place by now, and
/// is not read.
fn content(path: &Path, meta: &fs::Metadata) -> Result<String> {
    let (file, trust) = base::trust::open_regular(path)?;
    if trust.identity() != (meta.dev(), meta.ino()) {
        return Err(Error::failed(format!(
            "{}: another file was put in its place meanwhile",
            path.display()
        )));
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, LONGEST), &mut text)
        .map_err(|error| Error::io(path.display(), &error))?;
    Ok(text)
}

/// A pid file of an ordinary user, or in such a user's directory, may only name that user's
/// processes: otherwise the user would have root signal whatever the user likes.
/// start-stop-daemon(8) has the same rule.
fn written_by_its_like(path: &Path, meta: &fs::Metadata, identity: &Identity) -> Result<()> {
    let whole = path
        .canonicalize()
        .map_err(|error| Error::io(path.display(), &error))?;
    let mut owners = vec![meta.uid()];
    for start in [whole.as_path(), path] {
        for dir in start.ancestors().skip(1) {
            let Ok(meta) = fs::symlink_metadata(dir) else {
                continue;
            };
            owners.push(meta.uid());
            if meta.is_dir() && meta.mode() & 0o1002 == 0o002 {
                return Err(Error::new(
                    Kind::Permission,
                    format!(
                        "{}: everybody can replace files in {}",
                        path.display(),
                        dir.display()
                    ),
                ));
            }
        }
    }
    match owners.iter().find(|uid| **uid != 0 && **uid != identity.uid) {
        None => Ok(()),
        Some(uid) => Err(Error::new(
            Kind::Permission,
            format!(
                "{}: uid {uid} can write it, and it names process {} of uid {}",
                path.display(),
                identity.pid,
                identity.uid
            ),
        )
        .hint("whoever can write it chooses which process is signalled: let root own the file and its directory")),
    }
}

/// When a process started, by the wall clock.
fn started(identity: &Identity) -> Option<SystemTime> {
    SystemTime::now().checked_sub(identity.age()?)
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
fn no_start(service: &Service) -> Error {
    Error::usage(format!(
        "{}: no command to start the service is known",
        service.name
    ))
    .hint("give start = [\"COMMAND\", …] in a set file")
}

fn stop(service: &Service, state: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    terminate(service, &state.pids(), deadline)
}

/// Sends the stop signal to these main processes, through pidfds, and waits for them.
///
/// # Errors
/// One does not go, or may not be signalled.
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

/// A start that a killed run left behind is still running when a process has exactly its command
/// line.
fn settle(service: &Service, deadline: Deadline) {
    let Some(argv) = &service.spec.start else {
        return;
    };
    settle_command(argv, deadline, || {
        read(&file(service), &Proof::of(service)).is_ok_and(|found| found.identity.is_some())
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
        let none = Proof::default();
        assert!(read(&path, &none).unwrap().identity.is_some());
        // The clock was set forward by an hour, or the number was given to another: nobody can
        // tell.
        let set = |seconds: u64| {
            fs::File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .unwrap();
        };
        set(3600);
        assert_eq!(read(&path, &none).unwrap_err().kind, Kind::Unknown);
        let exe = std::env::current_exe().unwrap();
        for proof in [
            Proof {
                exe: Some(exe.display().to_string()),
                ..Proof::default()
            },
            Proof {
                program: Some(exe),
                ..Proof::default()
            },
        ] {
            assert!(read(&path, &proof).unwrap().identity.is_some(), "{proof:?}");
        }
        let held = fs::File::open(&path).unwrap();
        assert!(read(&path, &none).unwrap().identity.is_some());
        drop(held);
        // A process of another user than the file's.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
            assert_eq!(read(&path, &none).unwrap_err().kind, Kind::Permission);
            std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        }
        for text in ["", "0", "1", "-1", "x", "4194999"] {
            write(text);
            assert!(read(&path, &none).unwrap().identity.is_none(), "{text}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert_eq!(read(&path, &none).unwrap_err().kind, Kind::Permission);
        fs::remove_file(&path).unwrap();
        assert!(
            read(&path, &none)
                .unwrap()
                .why
                .unwrap()
                .contains("no such file")
        );
    }
}
