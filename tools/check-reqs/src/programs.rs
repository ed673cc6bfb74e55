//! Where programs are: on PATH, and where administrators' programs are although cron's PATH does
//! not say so.

use crate::finding::Finding;
use base::child::{Identity, Run};
use base::trust;
use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A PATH with everything a system has: what children get.
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file that would be run as `name`: along the caller's PATH, then along the system's. cron
/// gives `/usr/bin:/bin`, where nginx and crond are not.
pub fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| executable(path));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(env::split_paths(SYSTEM_PATH))
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|path| executable(path))
}

/// A program with a known environment: nothing of the caller's but PATH, HOME, and where version
/// managers keep their versions.
pub fn known(run: Run) -> Run {
    let path = match env::var_os("PATH").filter(|path| !path.is_empty()) {
        Some(mut path) => {
            path.push(":");
            path.push(SYSTEM_PATH);
            path
        }
        None => SYSTEM_PATH.into(),
    };
    let run = run
        .clean()
        .env("PATH", path)
        .env("HOME", env::var_os("HOME").unwrap_or_else(|| "/".into()))
        .env("LC_ALL", "C");
    let kept = ["PYENV_ROOT", "PYENV_VERSION", "ASDF_DATA_DIR", "ASDF_DIR"];
    kept.into_iter()
        .filter_map(|key| env::var_os(key).map(|value| (key, value)))
        .fold(run, |run, (key, value)| run.env(key, value))
}

/// The user that a program runs as: whoever can change the program, where root looks. None is the
/// caller.
///
/// # Errors
/// More than one user can change the program: nobody runs it.
pub fn runner(program: &Path) -> Result<Option<Identity>, Box<Finding>> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(None);
    }
    trust::executor(program).map_err(|error| {
        let msg = format!("'{}' is not run: {}", program.display(), error.message);
        let reason = match error.kind {
            base::error::Kind::NotFound => "unclear",
            _ => "untrusted",
        };
        Box::new(Finding::unknown(reason, msg))
    })
}

/// The user that a Python interpreter runs as. The standard library of a virtual environment is
/// where pyvenv.cfg says, whoever owns that place.
pub fn runner_of_python(python: &Path) -> Result<Option<Identity>, Box<Finding>> {
    if let Some(owner) = runner(python)? {
        return Ok(Some(owner));
    }
    let config = python
        .parent()
        .and_then(Path::parent)
        .map(|venv| venv.join("pyvenv.cfg"));
    let text = config.and_then(|config| std::fs::read_to_string(config).ok());
    let home = text.as_deref().and_then(|text| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find_map(|(key, value)| (key.trim() == "home").then(|| value.trim().to_owned()))
    });
    match home {
        Some(home) if Path::new(&home).exists() => runner(Path::new(&home)),
        _ => Ok(None),
    }
}

/// Whether a path is a file that somebody may execute.
pub fn executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
