//! The unprivileged user, and what belongs to whom.

use harness::{TempDir, scratch};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A user that no host has: a number without a name is as good as any.
pub const DEP: u32 = 41_716;

/// Rounds of a race.
pub fn rounds() -> usize {
    if harness::full_sweep() { 500 } else { 50 }
}

/// A directory of root's with the user's site and a directory that is root's alone.
pub struct Host {
    dir: TempDir,
}

impl Host {
    pub fn new() -> Host {
        let dir = scratch();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let host = Host { dir };
        fs::create_dir(host.site()).unwrap();
        chown(host.site(), Some(DEP), Some(DEP)).unwrap();
        fs::create_dir(host.roots()).unwrap();
        fs::set_permissions(host.roots(), fs::Permissions::from_mode(0o700)).unwrap();
        host
    }

    /// What belongs to the user.
    pub fn site(&self) -> PathBuf {
        self.dir.path().join("site")
    }

    /// What belongs to root alone.
    pub fn roots(&self) -> PathBuf {
        self.dir.path().join("roots")
    }

    /// A file of root's that nobody else can read.
    pub fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.roots().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A file or directory of the user's.
    pub fn give(&self, path: &Path) {
        std::os::unix::fs::lchown(path, Some(DEP), Some(DEP)).unwrap();
    }
}

/// Everything below a directory of root's: names, owners, modes, contents. Whatever an attack
/// reaches shows here.
pub fn everything(dir: &Path) -> Vec<(PathBuf, u32, u32, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let bytes = if meta.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        all.push((path.clone(), meta.uid(), meta.mode(), bytes));
        if meta.is_dir() {
            all.extend(everything(&path));
        }
    }
    all.sort();
    all
}

/// Runs a program as the user, to its end.
pub fn as_user(dir: &Path, script: &str) {
    let done = user(script).current_dir(dir).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{script}: {said}");
}

fn user(script: &str) -> Command {
    let id = DEP.to_string();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .args(["/usr/bin/python3", "-c", script]);
    command
}

/// A process of the user that attacks until it is dropped.
pub struct Racer(Child);

impl Racer {
    /// The script repeats itself; it is started when this returns.
    pub fn start(dir: &Path, script: &str) -> Racer {
        use std::io::Read;
        let whole = format!("import os, sys, time\nprint('.', flush=True)\n{script}");
        let mut child = user(&whole)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0u8];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
        Racer(child)
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
