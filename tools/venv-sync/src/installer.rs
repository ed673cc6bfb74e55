//! The installers, uv and pip, by the same steps. Make an empty environment, install into it, and
//! say what went wrong.
//!
//! Both are called by argument vector with nothing secret on it: files with an index's credentials
//! are handed over in memory.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::child::{Finished, Run};
use base::clock::Deadline;
use base::error::{Error, Result};
use base::signals::Watch;

use crate::canonical::{Batch, Canonical};
use crate::environ;
use crate::pipconf::PipConf;
use crate::secrets::Secrets;
use crate::unreachable::{self, Silence};

/// An installer.
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
    /// The prompt of an activated shell.
    pub prompt: String,
    /// The interpreter to build with.
    pub python: PathBuf,
    /// Whether the system's packages are visible.
    pub system_site: bool,
    /// Whether pip comes from elsewhere than the interpreter's bundle.
    pub without_pip: bool,
    /// Requirements files, for pip.
    pub requirements: &'a [PathBuf],
    /// Constraints files, for pip.
    pub constraints: &'a [PathBuf],
    /// Where wheels are, and nowhere else.
    pub wheelhouse: Option<&'a Path>,
    /// Where the installers may keep what they download, if not in HOME.
    pub cache: Option<PathBuf>,
    /// Variables of `--env-file`.
    pub variables: Vec<(OsString, OsString)>,
    /// Whether uv may share blocks with its cache.
    pub reflink: bool,
    /// When it has to be done.
    pub deadline: Deadline,
    /// The signals that end it.
    pub watch: Arc<Watch>,
    /// What must not be shown.
    pub secrets: &'a Secrets,
    /// The variables that the requirements files name.
    pub named: &'a BTreeSet<String>,
    /// The addresses of indexes and archives in them.
    pub addresses: &'a [String],
}

/// How to install.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// Do not look for dependencies: the files name everything.
    pub locked: bool,
    /// Do not trust what was downloaded before.
    pub fresh: bool,
}

/// Whether a program is on PATH.
pub fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|dir| rustix::fs::access(dir.join(name), rustix::fs::Access::EXEC_OK).is_ok())
}

impl Installer {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Installer::Uv => "uv",
            Installer::Pip => "pip",
        }
    }

    /// Makes an empty environment of the release.
    pub fn make(self, job: &Job<'_>) -> Result<()> {
        let mut run = match self {
            Installer::Uv => {
                let run = Run::new("uv").args([
                    "venv",
                    "--quiet",
                    "--no-project",
                    "--no-python-downloads",
                    "--allow-existing",
                ]);
                run.arg("--python").arg(&job.python)
            }
            Installer::Pip => {
                let run = Run::new(&job.python).args(["-I", "-m", "venv"]);
                match job.without_pip {
                    true => run.arg("--without-pip"),
                    false => run,
                }
            }
        };
        if job.system_site {
            run = run.arg("--system-site-packages");
        }
        let done = job.run(run.arg("--prompt").arg(&job.prompt).arg(job.release))?;
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

    /// Installs what was asked for.
    pub fn install(
        self,
        job: &Job<'_>,
        wanted: &Canonical,
        conf: &PipConf,
        how: How,
    ) -> Result<()> {
        for batch in &wanted.batches {
            self.batch(job, wanted, batch, conf, how)?;
        }
        Ok(())
    }

    fn batch(
        self,
        job: &Job<'_>,
        wanted: &Canonical,
        batch: &Batch,
        conf: &PipConf,
        how: How,
    ) -> Result<()> {
        self.with_or_without_isolation(job, |isolated| {
            self.call(job, wanted, batch, conf, how, isolated)
        })
    }

    fn call(
        self,
        job: &Job<'_>,
        wanted: &Canonical,
        batch: &Batch,
        conf: &PipConf,
        how: How,
        isolated: bool,
    ) -> Result<()> {
        let file = Memory::of("requirements.txt", &batch.requirements)?;
        let constraints = Memory::of("constraints.txt", &wanted.constraints)?;
        let log = Memory::of("pip.log", "")?;
        let mut run = match self {
            Installer::Uv => uv(job, wanted, conf),
            Installer::Pip => pip(job, wanted, &log, isolated),
        }
        .arg("-r")
        .arg(file.path());
        if !wanted.constraints.is_empty() {
            run = run.arg("-c").arg(constraints.path());
        }
        if batch.hashes {
            run = run.arg("--require-hashes");
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
        self.finish(job, run, log)
    }

    /// Installs the files as pip reads them itself.
    pub fn install_files(self, job: &Job<'_>, how: How) -> Result<()> {
        self.with_or_without_isolation(job, |isolated| self.call_with_files(job, how, isolated))
    }

    /// pip builds in an environment of its own, as uv does: pip before 23.1 otherwise runs
    /// `setup.py install`, which notes no origin. A wheelhouse that has not all that such an
    /// environment needs leaves only the old way.
    fn with_or_without_isolation(
        self,
        job: &Job<'_>,
        call: impl Fn(bool) -> Result<()>,
    ) -> Result<()> {
        let done = call(true);
        match &done {
            Err(error)
                if self == Installer::Pip
                    && job.wheelhouse.is_some()
                    && error.message.contains("install build dependencies") =>
            {
                call(false)
            }
            _ => done,
        }
    }

    fn call_with_files(self, job: &Job<'_>, how: How, isolated: bool) -> Result<()> {
        let log = Memory::of("pip.log", "")?;
        let mut run = pip(job, &Canonical::default(), &log, isolated);
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
            run = run.args(["--no-cache-dir", "--force-reinstall"]);
        }
        self.finish(job, run, log)
    }

    fn finish(self, job: &Job<'_>, run: Run, log: Memory) -> Result<()> {
        let done = job.run(run)?;
        if done.success() {
            return Ok(());
        }
        let log = log.text();
        let mut error = job.failure(&format!("{} could not install", self.name()), &done);
        let silence = match self {
            Installer::Uv => unreachable::uv(&done.err()),
            Installer::Pip => unreachable::pip(&done.err(), &log),
        };
        if let Some(silence) = silence {
            return Err(job.out_of_reach(&silence, &error));
        }
        if let Some(said) = unreachable::build_output(&done.err(), &log) {
            error.message = format!("{}\n{}", error.message, job.secrets.mask(&said));
        }
        Err(error)
    }
}

fn uv(job: &Job<'_>, wanted: &Canonical, conf: &PipConf) -> Run {
    let mode = if job.reflink { "clone" } else { "copy" };
    let mut run = Run::new("uv")
        .args(["pip", "install", "--no-progress", "--link-mode", mode])
        .args(["--no-python-downloads", "--python"])
        .arg(job.release.join("bin/python"));
    if wanted.several_indexes {
        run = run.args(["--index-strategy", "unsafe-best-match"]);
    }
    if wanted.pre {
        run = run.args(["--prerelease", "allow"]);
    }
    for host in &wanted.trusted {
        run = run.arg("--allow-insecure-host").arg(host);
    }
    for (name, variable) in [
        ("cert", "SSL_CERT_FILE"),
        ("client-cert", "SSL_CLIENT_CERT"),
        ("proxy", "ALL_PROXY"),
    ] {
        if let (Some(value), None) = (conf.get(name), std::env::var_os(variable)) {
            run = run.env(variable, value);
        }
    }
    run
}

fn pip(job: &Job<'_>, wanted: &Canonical, log: &Memory, isolated: bool) -> Run {
    let mut run = Run::new(job.release.join("bin/python"))
        .args(["-I", "-m", "pip", "install", "--no-input", "--no-compile"])
        .args(["--disable-pip-version-check", "--progress-bar", "off"])
        .arg("--log")
        .arg(log.path());
    if wanted.pre {
        run = run.arg("--pre");
    }
    for host in &wanted.trusted {
        run = run.arg("--trusted-host").arg(host);
    }
    if isolated {
        run = run.arg("--use-pep517");
    }
    run
}

impl Job<'_> {
    /// Runs a program with the variables that installers get.
    pub fn run(&self, run: Run) -> Result<Finished> {
        let mut variables = environ::passed(self.named);
        if let Some(cache) = &self.cache {
            variables.push(("UV_CACHE_DIR".into(), cache.join("uv").into()));
            variables.push(("PIP_CACHE_DIR".into(), cache.join("pip").into()));
            variables.push(("HOME".into(), cache.clone().into()));
        }
        variables.extend(self.variables.iter().cloned());
        self.run_with(variables, run)
    }

    /// Runs a program with these variables; those that `run` has itself win.
    pub fn run_with(&self, variables: Vec<(OsString, OsString)>, run: Run) -> Result<Finished> {
        let mut run = run
            .clean()
            .cap(1 << 20)
            .deadline(self.deadline)
            .watch(Some(Arc::clone(&self.watch)));
        run = run.default_env(variables);
        // Root may have called from a directory that the environment's owner may not enter: uv ends
        // at the uv.toml it looks for there.
        let may_enter =
            |dir: PathBuf| rustix::fs::access(&dir, rustix::fs::Access::EXEC_OK).is_ok();
        let run = if std::env::current_dir().is_ok_and(may_enter) {
            run
        } else {
            run.default_dir("/")
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
            .hint("give --timeout more, or build with venv-sync prepare before")),
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
        Error::failed(format!("{what} ({}): {}", done.ending, tail(said.trim())))
    }

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
        .hint("try again when the server answers")
    }
}

/// The end of a long text: 40 lines and 4 KiB.
fn tail(text: &str) -> &str {
    let mut tail = text;
    while tail.len() > 4096 || tail.lines().count() > 40 {
        tail = tail
            .split_once('\n')
            .map_or(&tail[tail.len()..], |(_, rest)| rest);
    }
    tail
}

/// A file in memory, inherited by children. It may hold credentials, which no disk is to see.
struct Memory(File);

impl Memory {
    fn of(name: &str, text: &str) -> Result<Memory> {
        let failed = |error: &std::io::Error| Error::io("cannot make a file in memory", error);
        let fd = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::empty())
            .map_err(|errno| failed(&errno.into()))?;
        let mut file = File::from(fd);
        file.write_all(text.as_bytes())
            .map_err(|error| failed(&error))?;
        Ok(Memory(file))
    }

    /// The path in a child that inherits the file.
    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }

    fn text(mut self) -> String {
        let mut bytes = Vec::new();
        // What cannot be read explains nothing; the failure itself is known.
        let _ = self
            .0
            .rewind()
            .and_then(|()| (&self.0).take(LOG_LIMIT).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// How much of pip's log is looked at.
const LOG_LIMIT: u64 = 16 << 20;
