//! What is checked before the first stop: the service's own preflight, the checks that its program
//! is known for, COMMAND, and rights.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base::child::{Identity as User, Run as Child};
use base::clock::Deadline;
use base::{Error, Kind, Result};
use proc::{Identity, View};

use crate::backend;
use crate::service::Service;
use crate::state::{Done, State};
use crate::task::Task;

/// How long a check may take that nobody asked for.
const KNOWN: Duration = Duration::from_secs(60);

/// Everything that can be found out about one service before it is touched.
pub fn check(service: &Service, task: &mut Task, deadline: Deadline) -> bool {
    let began = Instant::now();
    match (backend::of(service).allowed)(service, &task.before) {
        Ok(remarks) => {
            task.warnings.extend(remarks.warnings);
            task.report.fix = task.report.fix.take().or(remarks.fix);
        }
        Err(error) => return task.keep("check", began, Err(error)),
    }
    if task.intent.start.is_empty() && !task.intent.reload {
        return true;
    }
    let began = Instant::now();
    match &service.spec.preflight {
        Some(argv) if argv.is_empty() => return true,
        Some(_) => {
            let outcome = own(service, deadline);
            return task.keep("preflight", began, outcome);
        }
        None => {}
    }
    match known(&task.before) {
        Some(known) => {
            let outcome = known.run(&service.name, deadline.or_after(KNOWN));
            task.keep("preflight", began, outcome)
        }
        None => true,
    }
}

/// The preflight command of the set, as the service's user where the set names one.
///
/// # Errors
/// It does not exit with 0, or cannot be run.
pub fn own(service: &Service, deadline: Deadline) -> Result<Done> {
    let Some(argv) = service
        .spec
        .preflight
        .as_ref()
        .filter(|argv| !argv.is_empty())
    else {
        return Ok(Done::default());
    };
    let user = service.runs_as()?;
    let run = Child::argv(argv)
        .dir(&service.directory)
        .user(user)
        .deadline(deadline);
    agree(&service.name, &argv.join(" "), run)
}

fn agree(name: &str, shown: &str, run: Child) -> Result<Done> {
    let done = run.run().map_err(|error| Error {
        kind: Kind::Failed,
        ..error
    })?;
    if done.success() {
        return Ok(Done::saying(shown));
    }
    let said = done.err();
    let said = if said.trim().is_empty() {
        done.out()
    } else {
        said
    };
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(5)..].join("; ");
    Err(Error::failed(format!(
        "{name}: {shown}: {}: {}",
        done.ending,
        base::mask::text(&last)
    )))
}

/// A check that a running program is known to have.
#[derive(Debug, PartialEq, Eq)]
struct Known {
    argv: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    dir: PathBuf,
    user: Option<User>,
    /// The process among whose mounts the check runs, where those are not ours.
    among: Option<Identity>,
}

impl Known {
    fn run(self, name: &str, deadline: Deadline) -> Result<Done> {
        let words: Vec<String> = self
            .argv
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let mut run = Child::argv(&self.argv)
            .clean()
            .dir(&self.dir)
            .user(self.user)
            .deadline(deadline);
        for (key, value) in &self.environment {
            run = run.env(key, value);
        }
        if let Some(process) = self.among {
            let mounts = proc::Namespace::Mount
                .open(&process)
                .map_err(|error| Error::io(format!("{name}: process {}", process.pid), &error))?;
            run = run.mounts(mounts);
        }
        agree(name, &base::mask::argv(&words).join(" "), run)
    }
}

/// The check of the program that runs now, as its own user, in its own directory and environment.
/// None where the program is not known, or where a part of its command line cannot be seen any
/// more.
fn known(state: &State) -> Option<Known> {
    let view = state.pids().first().and_then(|pid| View::of(*pid).ok())?;
    let exe = view.exe().ok().filter(|exe| !exe.deleted)?;
    let argv = known_argv(&exe.path, &view.argv().ok()?)?;
    let uid = view.identity.uid;
    if view.shares(proc::Namespace::Pid) != Some(true) {
        return None;
    }
    // A unit with PrivateTmp= or ProtectSystem= sees other files under the same names: the check
    // runs among them.
    let among = match view.shares(proc::Namespace::Mount) {
        Some(true) => None,
        _ if rustix::process::geteuid().is_root() => Some(view.identity.clone()),
        _ => return None,
    };
    let user = match uid == rustix::process::geteuid().as_raw() {
        true => None,
        false if rustix::process::geteuid().is_root() => Some(User::of_uid(uid, uid).ok()?),
        false => return None,
    };
    Some(Known {
        argv,
        environment: proc::environment(view.pid()).ok()?,
        dir: view.cwd().ok()?,
        user,
        among,
    })
}

/// The command line of the check, from the executable and the arguments of the main process.
fn known_argv(exe: &Path, argv: &[OsString]) -> Option<Vec<OsString>> {
    let program = exe.file_name()?.to_str()?;
    let exe = exe.as_os_str().to_owned();
    match program {
        "nginx" => {
            // nginx replaces its arguments by a title, in one piece.
            let title = argv.first()?.to_str()?;
            let words = title.strip_prefix("nginx: master process ")?;
            let words: Vec<&str> = words.split(' ').collect();
            let mut check = vec![exe, "-t".into(), "-q".into()];
            for pair in words
                .windows(2)
                .filter(|pair| matches!(pair[0], "-c" | "-p" | "-e"))
            {
                check.extend([OsString::from(pair[0]), OsString::from(pair[1])]);
            }
            Some(check)
        }
        "apache2" | "httpd" => {
            let mut check = vec![exe, "-t".into()];
            let mut words = argv.iter().skip(1);
            while let Some(word) = words.next() {
                match word.to_str()? {
                    "-k" => drop(words.next()),
                    "-DFOREGROUND" | "-X" => {}
                    _ => check.push(word.clone()),
                }
            }
            Some(check)
        }
        "caddy" => {
            let words: Vec<&str> = argv
                .iter()
                .map(|word| word.to_str().unwrap_or(""))
                .collect();
            let after = |names: &[&str]| {
                let at = words.iter().position(|word| names.contains(word))?;
                words.get(at + 1).copied()
            };
            // `adapt` reads and writes nothing else; `validate` opens the logs and the storage.
            let mut check = vec![exe, "adapt".into(), "--config".into()];
            check.push(after(&["--config", "-c"])?.into());
            if let Some(adapter) = after(&["--adapter", "-a"]) {
                check.extend(["--adapter".into(), adapter.into()]);
            }
            Some(check)
        }
        _ if program.starts_with("python") => gunicorn(argv),
        _ => None,
    }
}

/// `python /venv/bin/gunicorn ARGUMENTS`: the same with --check-config.
fn gunicorn(argv: &[OsString]) -> Option<Vec<OsString>> {
    let script = argv.get(1)?;
    if Path::new(script).file_name() != Some(OsStr::new("gunicorn")) {
        return None;
    }
    // With -D it would print nothing here; the pid file and the log are not touched by the check.
    let mut check: Vec<OsString> = argv.iter().take(2).cloned().collect();
    check.push("--check-config".into());
    check.extend(
        argv.iter()
            .skip(2)
            .filter(|word| *word != "-D" && *word != "--daemon")
            .cloned(),
    );
    Some(check)
}

/// Whether COMMAND is there and executable.
///
/// # Errors
/// As `env` has it: not found, or found and not executable.
pub fn command(argv: &[OsString]) -> Result<()> {
    let Some(program) = argv.first() else {
        return Ok(());
    };
    let shown = base::terminal::escape_bytes(program.as_bytes());
    let executable = |path: &Path| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if program.as_bytes().contains(&b'/') {
        let path = Path::new(program);
        if !path.exists() {
            return Err(Error::new(
                Kind::CommandNotFound,
                format!("cannot run '{shown}': No such file or directory"),
            ));
        }
        if executable(path) {
            return Ok(());
        }
        return Err(Error::new(
            Kind::CommandNotExecutable,
            format!("cannot run '{shown}': it is not an executable file"),
        ));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let found: Vec<PathBuf> = std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .filter(|file| file.is_file())
        .collect();
    if found.iter().any(|file| executable(file)) {
        return Ok(());
    }
    Err(match found.first() {
        Some(file) => Error::new(
            Kind::CommandNotExecutable,
            format!(
                "cannot run '{}': it is not an executable file",
                file.display()
            ),
        ),
        None => Error::new(
            Kind::CommandNotFound,
            format!("cannot run '{shown}': it is not on PATH"),
        ),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split('|').map(OsString::from).collect()
    }

    fn argv(exe: &str, line: &str) -> Option<String> {
        let found = known_argv(Path::new(exe), &words(line))?;
        let found: Vec<&str> = found.iter().map(|word| word.to_str().unwrap()).collect();
        Some(found.join(" "))
    }

    #[test]
    fn the_checks_of_known_programs() {
        for (exe, line, expected) in [
            (
                "/usr/sbin/nginx",
                "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;",
                Some("/usr/sbin/nginx -t -q"),
            ),
            (
                "/usr/sbin/nginx",
                "nginx: master process nginx -c /srv/n.conf",
                Some("/usr/sbin/nginx -t -q -c /srv/n.conf"),
            ),
            ("/usr/sbin/nginx", "nginx: worker process", None),
            (
                "/usr/sbin/apache2",
                "/usr/sbin/apache2|-k|start|-f|/x.conf",
                Some("/usr/sbin/apache2 -t -f /x.conf"),
            ),
            (
                "/usr/bin/caddy",
                "/usr/bin/caddy|run|--environ|--config|/etc/caddy/Caddyfile",
                Some("/usr/bin/caddy adapt --config /etc/caddy/Caddyfile"),
            ),
            (
                "/usr/bin/python3.11",
                "/srv/venv/bin/python|/srv/venv/bin/gunicorn|-w|2|app:app",
                Some("/srv/venv/bin/python /srv/venv/bin/gunicorn --check-config -w 2 app:app"),
            ),
            ("/usr/bin/python3.11", "gunicorn: master [app]", None),
            ("/usr/bin/sleep", "sleep|600", None),
        ] {
            assert_eq!(argv(exe, line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_command_that_cannot_run_is_found_out_before() {
        let kind = |program: &str| command(&[program.into()]).map_err(|error| error.kind);
        assert_eq!(kind("sh"), Ok(()));
        assert_eq!(kind("/bin/sh"), Ok(()));
        assert_eq!(kind("/nope"), Err(Kind::CommandNotFound));
        assert_eq!(kind("no-such-command-here"), Err(Kind::CommandNotFound));
        assert_eq!(kind("/etc/passwd"), Err(Kind::CommandNotExecutable));
        assert_eq!(kind("/etc"), Err(Kind::CommandNotExecutable));
    }
}
