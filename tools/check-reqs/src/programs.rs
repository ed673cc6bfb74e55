//! Where programs are: on PATH, and where administrators' programs are although cron's PATH does not say so.

use base::child::Run;
use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A PATH with everything a system has: what children get.
pub const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The file that would be run as `name`: along the caller's PATH, then along the system's. cron gives `/usr/bin:/bin`, where nginx and
/// crond are not.
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

/// A program with a known environment: nothing of the caller's but PATH, HOME, and where version managers keep their versions.
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

/// Whether a path is a file that somebody may execute.
pub fn executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
