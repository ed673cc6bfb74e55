//! The cron of this host: its family and version, its checker, and whether its daemon runs.
//!
//! One option can mean two things: `crontab -n FILE` checks FILE for Debian's cron and names a
//! cluster host for cronie, after which cronie skips the whole spool. So nothing but `crontab -V`
//! is run before the program is known. `-V` prints the version (cronie, systemd-cron) or is refused
//! with the usage (Debian, busybox); no known crontab(1) changes anything for it.

use std::path::Path;
use std::time::Duration;

use base::child::Run;
use base::clock::Deadline;
use base::error::{Error, Kind, Result};

use crate::dialect::{Dialect, Family};

/// The longest that `crontab -V` may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first release of Debian's cron that takes an empty value.
const EMPTY_VALUES_SINCE: u32 = 187;

/// Programs that are called crontab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Debian's cron 3.0pl1, also Ubuntu's.
    Debian,
    /// cronie.
    Cronie,
    /// systemd-cron: a generator makes timers of crontabs.
    SystemdCron,
    /// busybox.
    Busybox,
    /// A crontab(1) that is none of these.
    Other,
    /// There is no crontab(1).
    Missing,
}

/// The cron of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// The program.
    pub program: Program,
    /// Its version, as far as it can be told.
    pub version: Option<String>,
    /// The option of crontab(1) that checks a file and installs nothing.
    pub checker: Option<&'static str>,
}

impl Cron {
    /// A host without cron.
    pub const MISSING: Cron = Cron {
        program: Program::Missing,
        version: None,
        checker: None,
    };

    /// Asks `crontab -V`, and dpkg-query for the version of Debian's cron, which does not say.
    ///
    /// # Errors
    /// `Kind::Deadline` where crontab does not answer.
    pub fn find(deadline: Deadline) -> Result<Cron> {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let run = Run::new("crontab")
            .arg("-V")
            .clean()
            .env("LC_ALL", "C")
            .env("PATH", path)
            .dir("/")
            .deadline(deadline)
            .timeout(PATIENCE);
        let done = match run.run() {
            Ok(done) if done.timed_out => {
                return Err(Error::deadline("crontab -V took too long"));
            }
            Ok(done) => done,
            Err(e) if matches!(e.kind, Kind::CommandNotFound | Kind::CommandNotExecutable) => {
                return Ok(Cron::MISSING);
            }
            Err(e) => return Err(e),
        };
        let said = format!("{}\n{}", done.out(), done.err());
        Ok(Cron::from_words(&said, || installed("cron", deadline)))
    }

    /// The program behind the words that `crontab -V` prints.
    fn from_words(said: &str, debian_version: impl FnOnce() -> Option<String>) -> Cron {
        let first = said.lines().map(str::trim).find(|line| !line.is_empty());
        let first = first.unwrap_or_default();
        let cron = |program, version: Option<String>, checker| Cron {
            program,
            version,
            checker,
        };
        if let Some(version) = first.strip_prefix("cronie ") {
            let checker = (numbers(version) >= vec![1, 5, 6]).then_some("-T");
            return cron(Program::Cronie, Some(version.to_owned()), checker);
        }
        if said.contains("BusyBox") {
            let version = said.split("BusyBox v").nth(1);
            let version = version.and_then(|v| v.split_whitespace().next());
            return cron(Program::Busybox, version.map(str::to_owned), None);
        }
        if said.contains("[ -u user ] [ -i ] { -e | -l | -r }") {
            let checker = said.contains("checks the syntax").then_some("-n");
            return cron(Program::Debian, debian_version(), checker);
        }
        // systemd-cron 2 prints its version alone; the older one is argparse's usage.
        let bare = first.starts_with(|c: char| c.is_ascii_digit()) && said.trim() == first;
        if bare || (said.contains("usage: crontab [-h]") && said.contains("[-u USER]")) {
            let version = bare.then(|| first.to_owned());
            return cron(Program::SystemdCron, version, None);
        }
        cron(Program::Other, None, None)
    }

    /// The rules of this cron; `None` where cron-render does not know them.
    pub fn dialect(&self) -> Option<Dialect> {
        let version = self.version.as_deref().unwrap_or_default();
        match self.program {
            Program::Debian => Some(match release(version) {
                Some(n) if n >= EMPTY_VALUES_SINCE => Dialect::Debian13,
                _ => Dialect::Debian,
            }),
            Program::Cronie if numbers(version) >= vec![1, 6] => Some(Dialect::Cronie),
            Program::Cronie if numbers(version) >= vec![1, 5, 5] => Some(Dialect::Cronie15),
            Program::Cronie => Some(Dialect::Cronie152),
            _ => None,
        }
    }

    /// The name and version in messages.
    pub fn name(&self) -> String {
        let name = match self.program {
            Program::Debian => "Debian's cron",
            Program::Cronie => "cronie",
            Program::SystemdCron => "systemd-cron",
            Program::Busybox => "busybox crond",
            Program::Other => "an unknown cron",
            Program::Missing => return "no cron".to_owned(),
        };
        match &self.version {
            Some(version) => format!("{name} {version}"),
            None => name.to_owned(),
        }
    }

    /// Refuses to write for a cron whose rules are not those of `asked`, or are not known.
    ///
    /// # Errors
    /// `Kind::Usage` for `--dialect` of another cron, `Kind::Failed` for a cron without rules here.
    pub fn agree(&self, asked: Option<Dialect>, places: &str) -> Result<()> {
        let Some(here) = self.dialect() else {
            return Err(match self.program {
                Program::Missing => Error::failed("this host has no crontab(1): no cron is installed")
                    .hint("apt-get install cron, or --format systemd"),
                Program::SystemdCron => Error::failed(format!(
                    "{} reads {places} here, and systemd decides when its jobs run", self.name()
                ))
                .hint("--format systemd installs timers without the detour"),
                _ => Error::failed(format!(
                    "{} reads {places} here, and cron-render does not know its rules",
                    self.name()
                ))
                .hint("cron-render render prints the schedule; Debian's cron, cronie and systemd are known"),
            });
        };
        match asked {
            Some(asked) if asked != here => Err(Error::usage(format!(
                "--dialect {}: the cron of this host is {}, whose rules are '{}'",
                asked.option(),
                self.name(),
                here.option()
            ))
            .hint("leave --dialect out; it is for rendering for another host")),
            _ => Ok(()),
        }
    }
}

/// What is known of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Daemon {
    /// It runs.
    Running,
    /// No process of this host is one.
    Stopped,
    /// A daemon of another program runs.
    Foreign,
    /// This user cannot see the processes of others.
    #[default]
    Unknown,
}

/// Whether the daemon that belongs to `cron` runs: by the executables of root's processes.
pub fn daemon(cron: &Cron) -> Daemon {
    search(cron).0
}

/// The process of the daemon that belongs to `cron`.
pub fn process(cron: &Cron) -> Option<proc::View> {
    search(cron).1
}

fn search(cron: &Cron) -> (Daemon, Option<proc::View>) {
    let Ok(snapshot) = proc::Snapshot::take() else {
        return (Daemon::Unknown, None);
    };
    let mut hidden = !rustix::process::geteuid().is_root() && snapshot.get(1).is_none();
    let mut other = false;
    for stat in snapshot.iter() {
        let Ok(view) = proc::View::of(stat.pid) else {
            continue;
        };
        if view.shares(proc::Namespace::Mount) == Some(false) {
            continue;
        }
        match view.exe() {
            Ok(exe) => match daemon_of(&exe.path, || view.argv().ok()) {
                Some(program) if program == cron.program => return (Daemon::Running, Some(view)),
                Some(_) => other = true,
                None => {}
            },
            // Another user's process: its name is all that can be seen, and a name is no proof.
            Err(_) if matches!(&stat.comm[..], "cron" | "crond" | "busybox") => hidden = true,
            Err(_) => {}
        }
    }
    match (other, hidden) {
        (true, _) => (Daemon::Foreign, None),
        (_, true) => (Daemon::Unknown, None),
        _ => (Daemon::Stopped, None),
    }
}

fn daemon_of(
    exe: &Path,
    argv: impl FnOnce() -> Option<Vec<std::ffi::OsString>>,
) -> Option<Program> {
    match exe.file_name()?.to_str()? {
        "cron" => Some(Program::Debian),
        "crond" => Some(Program::Cronie),
        "bcron-sched" => Some(Program::Other),
        "busybox" => {
            let argv = argv()?;
            let words = argv.iter().take(2).filter_map(|w| w.to_str());
            let mut names = words.map(|w| w.rsplit('/').next().unwrap_or(w));
            names.any(|w| w == "crond").then_some(Program::Busybox)
        }
        _ => None,
    }
}

/// The rules of this host's cron for commands that only read; Debian's where there is no answer.
pub fn usual(deadline: Deadline) -> Dialect {
    Cron::find(deadline)
        .ok()
        .and_then(|cron| cron.dialect())
        .unwrap_or_default()
}

/// Whether the password database knows the user.
pub fn is_user(name: &str) -> bool {
    matches!(nix::unistd::User::from_name(name), Ok(Some(_)))
}

/// Whether the host has a unit file of this name.
fn has_unit(name: &str) -> bool {
    [
        "/etc/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ]
    .iter()
    .any(|dir| Path::new(dir).join(name).exists())
}

/// 3.0pl1-162 is 162; 3.0pl1-136ubuntu1 is 136.
fn release(version: &str) -> Option<u32> {
    let (_, release) = version.split_once("pl1-")?;
    let digits = release.bytes().take_while(u8::is_ascii_digit).count();
    release[..digits].parse().ok()
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split(['.', '-'])
        .map_while(|part| part.parse().ok())
        .collect()
}

/// The version of an installed package, as dpkg-query(1) says: dpkg's file lags behind while dpkg
/// runs.
fn installed(package: &str, deadline: Deadline) -> Option<String> {
    let run = Run::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status} ${Version}"])
        .arg(package)
        .deadline(deadline)
        .timeout(PATIENCE);
    let done = run.run().ok().filter(|done| done.success())?;
    let said = done.out();
    said.trim()
        .strip_prefix("installed ")
        .map(|version| version.to_owned())
}

impl Family {
    /// The service that runs the daemon.
    pub fn service(self) -> &'static str {
        match self {
            Family::Debian => "cron",
            Family::Cronie if has_unit("cronie.service") => "cronie",
            Family::Cronie => "crond",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn of(said: &str, package: Option<&str>) -> Cron {
        Cron::from_words(said, || package.map(str::to_owned))
    }

    #[test]
    fn programs_are_told_by_what_they_print() {
        let usage = "crontab: invalid option -- 'V'\nusage:\tcrontab [-u user] file\n\tcrontab [ -u user ] [ -i ] { -e | -l | -r }\n";
        let old = of(usage, Some("3.0pl1-137"));
        assert_eq!((old.program, old.checker), (Program::Debian, None));
        let new = of(
            &format!("{usage}\t-n\t(dry run: checks the syntax, then bails out)"),
            Some("3.0pl1-197"),
        );
        assert_eq!(new.checker, Some("-n"));
        assert_eq!(new.dialect(), Some(Dialect::Debian13));
        assert_eq!(old.dialect(), Some(Dialect::Debian));
        let cronie = of("cronie 1.7.2\n", None);
        assert_eq!(
            (cronie.checker, cronie.dialect()),
            (Some("-T"), Some(Dialect::Cronie))
        );
        let older = of("cronie 1.5.2\n", None);
        assert_eq!(
            (older.checker, older.dialect()),
            (None, Some(Dialect::Cronie152))
        );
        assert_eq!(of("2.5.1-2\n", None).program, Program::SystemdCron);
        let busybox = of(
            "crontab: invalid option -- 'V'\nBusyBox v1.37.0 (Debian 1:1.37.0-6+b9) multi-call binary.\n",
            None,
        );
        assert_eq!(busybox.name(), "busybox crond 1.37.0");
        assert_eq!(of("fcrontab 3.3\n", None).dialect(), None);
    }

    #[test]
    fn a_foreign_dialect_is_refused() {
        let cronie = of("cronie 1.7.2\n", None);
        assert!(cronie.agree(None, "crontabs").is_ok());
        assert!(cronie.agree(Some(Dialect::Cronie), "crontabs").is_ok());
        assert!(cronie.agree(Some(Dialect::Debian), "crontabs").is_err());
        assert!(Cron::MISSING.agree(None, "crontabs").is_err());
    }
}
