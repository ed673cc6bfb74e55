//! How a program is started: by a process that runs, or by a supervisor that would start it. What a command line and an environment
//! decide (gunicorn, celery, uwsgi) is read from here.

use crate::process::Process;
use crate::site::Site;
use conf::{Source, shlex};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One way a program is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The words after the program's name.
    pub arguments: Vec<Vec<u8>>,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Its environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Who runs it.
    pub user: Option<String>,
    /// Where it is said; `None` for a process.
    pub source: Option<Source>,
    /// The process, where it runs.
    pub pid: Option<u32>,
}

impl Launch {
    /// A variable of its environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str)
    }
}

/// Every way that programs of this name are started. A process whose title hides its command line is left to whoever starts it.
#[must_use]
pub fn of(site: &Site, service: &'static str, names: &[&str]) -> Vec<Launch> {
    let running = site
        .masters(service)
        .filter_map(|process| of_process(site, process, names));
    let mut launches: Vec<Launch> = running.collect();
    for launch in crate::service::supervised(site, names) {
        // The same program by the same words in the same place, seen running, needs no second mention but keeps its place.
        match launches
            .iter_mut()
            .find(|known| known.arguments == launch.arguments && known.cwd == launch.cwd)
        {
            Some(known) => known.source = known.source.take().or(launch.source),
            None => launches.push(launch),
        }
    }
    launches
}

fn of_process(site: &Site, process: &Process, names: &[&str]) -> Option<Launch> {
    Some(Launch {
        arguments: arguments(&process.argv, names)?,
        cwd: process.cwd().unwrap_or_else(|| PathBuf::from("/")),
        env: process.environment().unwrap_or_default(),
        user: Some(site.users.user_name(process.uid)),
        source: None,
        pid: Some(process.pid),
    })
}

/// A command as a supervisor's or a unit's configuration has it, if it starts one of these programs.
#[must_use]
pub fn command(text: &[u8], names: &[&str]) -> Option<Vec<Vec<u8>>> {
    arguments(&shlex::split(text).ok()?, names)
}

/// The words after the program's name: `python3 /venv/bin/gunicorn A`, `python -m gunicorn A`, `env X=1 gunicorn A`, `gunicorn A`.
fn arguments(argv: &[Vec<u8>], names: &[&str]) -> Option<Vec<Vec<u8>>> {
    let is = |word: &[u8]| names.iter().any(|name| base(word) == name.as_bytes());
    let at = argv.iter().take(8).position(|word| is(word))?;
    let before = &argv[..at];
    let starter = before.first().is_none_or(|word| {
        let word = base(word);
        word.starts_with(b"python")
            || word.starts_with(b"pypy")
            || matches!(
                word,
                b"env" | b"exec" | b"nice" | b"chpst" | b"sudo" | b"uv"
            )
    });
    starter.then(|| argv[at + 1..].to_vec())
}

fn base(path: &[u8]) -> &[u8] {
    Path::new(OsStr::from_bytes(path))
        .file_name()
        .map_or(path, OsStrExt::as_bytes)
}
