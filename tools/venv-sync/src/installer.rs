//! What installs: uv or pip, by the same three steps. Make an empty environment, install into it, and say what went wrong.
//!
//! Both are called by argument vector with nothing secret on it: an index's credentials stay in the files and variables that they came
//! in. What is passed on of this process's environment is what an installer needs and nothing that would bend Python.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::child::{Finished, Run};
use base::clock::Deadline;
use base::error::{Error, Result};
use base::signals::Watch;

use crate::secrets::Secrets;
use crate::unreachable::{self, Silence};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installer {
    /// uv, found on PATH.
    Uv,
    /// The environment's own pip, which Python brings along.
    Pip,
}

/// What an installation needs to know.
#[derive(Debug)]
pub struct Job<'a> {
    /// The new release.
    pub release: &'a Path,
    /// What the environment is called.
    pub prompt: String,
    /// The interpreter to build with.
    pub python: Option<PathBuf>,
    /// Requirements files.
    pub requirements: &'a [PathBuf],
    /// Constraints files.
    pub constraints: &'a [PathBuf],
    /// Where wheels are, and nowhere else.
    pub wheelhouse: Option<&'a Path>,
    /// When it has to be done.
    pub deadline: Deadline,
    /// The signals that end it.
    pub watch: Arc<Watch>,
    /// What must not be shown.
    pub secrets: &'a Secrets,
    /// The variables that the requirements files name.
    pub variables: &'a BTreeSet<String>,
    /// The addresses of indexes and archives in them.
    pub addresses: &'a [String],
}

/// How to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// Don't look for dependencies: the files name everything.
    pub locked: bool,
    /// Don't trust what was downloaded before.
    pub fresh: bool,
}

impl Installer {
    /// The one asked for, or uv where it is on PATH.
    pub fn choose(asked: Option<&str>) -> Result<Installer> {
        match asked {
            Some("pip") => Ok(Installer::Pip),
            Some("uv") if !on_path("uv") => Err(Error::failed("uv is not on PATH")
                .hint("install it (https://docs.astral.sh/uv/), or give --installer pip")),
            Some(_) => Ok(Installer::Uv),
            None => Ok(if on_path("uv") {
                Installer::Uv
            } else {
                Installer::Pip
            }),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Installer::Uv => "uv",
            Installer::Pip => "pip",
        }
    }

    /// Makes an empty environment of the release.
    pub fn make(self, job: &Job<'_>) -> Result<()> {
        let python = job
            .python
            .clone()
            .unwrap_or_else(|| PathBuf::from("python3"));
        let run = match self {
            Installer::Uv => {
                let run = Run::new("uv").args([
                    "venv",
                    "--quiet",
                    "--no-project",
                    "--no-python-downloads",
                    "--allow-existing",
                ]);
                run.arg("--prompt")
                    .arg(&job.prompt)
                    .arg("--python")
                    .arg(&python)
                    .arg(job.release)
            }
            Installer::Pip => Run::new(&python)
                .args(["-I", "-m", "venv", "--prompt"])
                .arg(&job.prompt)
                .arg(job.release),
        };
        let done = job.run(run)?;
        if done.success() {
            return Ok(());
        }
        let error = job.failure("cannot make an environment", &done);
        Err(match self {
            Installer::Pip if done.out().contains("ensurepip") => {
                error.hint("install python3-venv, or give --installer uv")
            }
            _ => error,
        })
    }

    /// Installs what the files ask for.
    pub fn install(self, job: &Job<'_>, how: How) -> Result<()> {
        let python = job.release.join("bin/python");
        let mut run = match self {
            Installer::Uv => {
                let run = Run::new("uv").args([
                    "pip",
                    "install",
                    "--no-progress",
                    "--link-mode",
                    "copy",
                    "--no-python-downloads",
                    "--python",
                ]);
                run.arg(&python)
            }
            Installer::Pip => Run::new(&python).args([
                "-I",
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
                "--progress-bar",
                "off",
            ]),
        };
        for (option, files) in [("-r", job.requirements), ("-c", job.constraints)] {
            for file in files {
                run = run.arg(option).arg(file);
            }
        }
        if let Some(wheelhouse) = job.wheelhouse {
            run = run.args(["--no-index", "--find-links"]).arg(wheelhouse);
        }
        if how.locked {
            run = run.arg("--no-deps");
        }
        if how.fresh {
            run = run.args(match self {
                Installer::Uv => ["--no-cache", "--reinstall"],
                Installer::Pip => ["--no-cache-dir", "--force-reinstall"],
            });
        }
        let log = Log::new()?;
        if self == Installer::Pip {
            run = run.arg("--log").arg(log.path());
        }
        let done = job.run(run)?;
        if done.success() {
            return Ok(());
        }
        let error = job.failure(&format!("{} could not install", self.name()), &done);
        let silence = match self {
            Installer::Uv => unreachable::uv(&done.err()),
            Installer::Pip => unreachable::pip(&done.err(), &log.text()),
        };
        Err(match silence {
            Some(silence) => job.out_of_reach(&silence, &error),
            None => error,
        })
    }
}

impl Job<'_> {
    /// Runs one of its programs.
    pub fn run(&self, run: Run) -> Result<Finished> {
        let run = passed_on(run.clean(), self.variables)
            .cap(1 << 20)
            .deadline(self.deadline)
            .watch(Some(Arc::clone(&self.watch)));
        // Root may have called from a directory that the environment's owner may not enter: uv ends at the uv.toml it looks for there.
        let may_enter =
            |dir: PathBuf| rustix::fs::access(&dir, rustix::fs::Access::EXEC_OK).is_ok();
        let run = if std::env::current_dir().is_ok_and(may_enter) {
            run
        } else {
            run.dir("/")
        };
        let done = run.run()?;
        match done.interrupted {
            Some(signal) => Err(Error::failed(format!(
                "asked to end by {signal}: the new release was given up"
            ))
            .hint("nothing has changed")),
            None if done.timed_out => Err(Error::deadline(
                "the time was up while the new release was being built",
            )
            .hint("give --timeout more")),
            None => Ok(done),
        }
    }

    /// What a program said as it failed, without secrets.
    pub fn failure(&self, what: &str, done: &Finished) -> Error {
        let said = if done.stderr.trim_ascii().is_empty() {
            done.out()
        } else {
            done.err()
        };
        let said = self.secrets.mask(&said);
        let mut tail = said.trim();
        while tail.len() > 4096 || tail.lines().count() > 40 {
            tail = tail
                .split_once('\n')
                .map_or(&tail[tail.len()..], |(_, rest)| rest);
        }
        Error::failed(format!("{what} ({}): {tail}", done.ending))
    }
}

impl Job<'_> {
    /// The failure of a server, which may be over soon.
    fn out_of_reach(&self, silence: &Silence, failure: &Error) -> Error {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let mut indexes = unreachable::indexes_of(variables);
        indexes.extend_from_slice(self.addresses);
        let message = format!(
            "{} cannot be reached: {}",
            unreachable::named(silence.url.as_deref(), &indexes),
            silence.cause
        );
        Error::unreachable(format!(
            "{}; {}",
            self.secrets.mask(&message),
            failure.message
        ))
        .hint("try again when it answers")
    }
}

/// Where pip writes what it keeps from its output. In memory: its log may hold credentials, which no disk is to see.
struct Log(File);

impl Log {
    fn new() -> Result<Log> {
        let file = rustix::fs::memfd_create("pip.log", rustix::fs::MemfdFlags::empty());
        file.map(|fd| Log(fd.into()))
            .map_err(|errno| Error::io("cannot make a file in memory", &errno.into()))
    }

    /// Its path, in a child that inherits it.
    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }

    fn text(mut self) -> String {
        let mut bytes = Vec::new();
        // What can't be read explains nothing; the failure itself is known.
        let _ = self
            .0
            .rewind()
            .and_then(|()| (&self.0).take(LOG_LIMIT).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// How much of pip's log is looked at.
const LOG_LIMIT: u64 = 16 << 20;

/// Whether a program is on PATH.
fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|dir| rustix::fs::access(dir.join(name), rustix::fs::Access::EXEC_OK).is_ok())
}

/// Variables that are passed on by name.
const PASSED: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "TZ",
    "TERM",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
    "SSH_AUTH_SOCK",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "CC",
    "CFLAGS",
    "LDFLAGS",
];
/// And by what they begin with.
const PASSED_PREFIXES: [&str; 5] = ["PIP_", "UV_", "GIT_", "CARGO_", "RUSTUP_"];
/// But these would send the installation elsewhere.
const WITHHELD: [&str; 12] = [
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_DRY_RUN",
    "UV_PYTHON",
    "UV_TARGET",
    "UV_PREFIX",
    "UV_PROJECT_ENVIRONMENT",
    "UV_LINK_MODE",
];

/// Adds what an installer needs of this process's environment.
fn passed_on(mut run: Run, named: &BTreeSet<String>) -> Run {
    for (name, value) in environment(std::env::vars_os(), named) {
        run = run.env(name, value);
    }
    run
}

fn environment(
    all: impl Iterator<Item = (OsString, OsString)>,
    named: &BTreeSet<String>,
) -> Vec<(OsString, OsString)> {
    let all: Vec<_> = all.collect();
    let get = |name: &str| {
        all.iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.clone())
    };
    let mut out: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in &all {
        let Some(text) = name.to_str() else {
            continue;
        };
        let wanted = PASSED.contains(&text)
            || PASSED_PREFIXES
                .iter()
                .any(|prefix| text.starts_with(prefix));
        let proxy = text.to_ascii_lowercase().ends_with("_proxy");
        if (wanted || proxy || named.contains(text)) && !WITHHELD.contains(&text) {
            out.push((name.clone(), value.clone()));
        }
    }
    // uv doesn't read pip's variables; a site that has set them means them.
    for (pip, uv) in [
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("PIP_NO_INDEX", "UV_NO_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ] {
        if let (Some(value), None) = (get(pip), get(uv)) {
            out.push((uv.into(), value));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::environment;

    #[test]
    fn what_would_bend_an_installation_is_withheld() {
        let all = [
            "PATH=/bin",
            "PYTHONPATH=/x",
            "VIRTUAL_ENV=/y",
            "PIP_TARGET=/z",
            "PIP_INDEX_URL=https://u:p@h/",
            "https_proxy=p",
            "x=y",
            "TOKEN=t",
            "OTHER=o",
        ];
        let all = all
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.into(), value.into()));
        let names: Vec<String> = environment(all, &["TOKEN".to_owned()].into())
            .into_iter()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            names,
            [
                "PATH",
                "PIP_INDEX_URL",
                "https_proxy",
                "TOKEN",
                "UV_DEFAULT_INDEX"
            ]
        );
    }
}
