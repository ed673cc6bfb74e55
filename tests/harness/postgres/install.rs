//! The installed PostgreSQL, and the tree that a test's server runs from: links beside a copy of
//! the one binary, and a cluster fresh from `initdb`, which is made once per test process.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::{User, geteuid};

use super::SUPERUSER;

/// The directory of the newest installed server's programs.
///
/// # Panics
/// If no server is installed.
#[must_use]
pub fn installation() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL's server is installed under /usr/lib/postgresql")
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            bin.join("postgres").exists().then_some((version, bin))
        })
        .collect();
    found.sort();
    found.pop().expect("a version with its server").1
}

/// A real PostgreSQL program, not the distribution's wrapper around it.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    installation().join(name)
}

/// The account that servers of the tests run as, if this process is root.
#[must_use]
pub fn account() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
}

pub(super) fn unprivileged(command: &mut Command) {
    if let Some(user) = account() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
}

pub(super) fn owned(path: &Path) {
    if let Some(user) = account() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("chown");
    }
}

pub(super) fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

/// The server's version, as paths have it: `15`.
///
/// # Panics
/// If no server is installed.
#[must_use]
pub fn version() -> String {
    let bin = installation();
    let version = bin
        .parent()
        .and_then(Path::file_name)
        .and_then(OsStr::to_str);
    version.expect("a version in the path").to_owned()
}

pub(super) fn binary_dir(directory: &Path) -> PathBuf {
    directory.join("lib/postgresql").join(version()).join("bin")
}

pub(super) fn share_dir(directory: &Path) -> PathBuf {
    directory.join("share/postgresql").join(version())
}

/// Builds the server's tree and copies a fresh cluster into it.
pub(super) fn lay_out(directory: &Path) {
    let bin = binary_dir(directory);
    fs::create_dir_all(&bin).expect("the bin directory");
    fs::copy(installation().join("postgres"), bin.join("postgres")).expect("a copy of postgres");
    symlink(
        installation().with_file_name("lib"),
        bin.with_file_name("lib"),
    )
    .expect("lib");
    let share = share_dir(directory);
    fs::create_dir_all(share.join("extension")).expect("the extension directory");
    let installed = PathBuf::from("/usr/share/postgresql").join(version());
    link_all(&installed, &share, "extension");
    link_all(&installed.join("extension"), &share.join("extension"), "");
    symlink("/usr/share/locale", directory.join("share/locale")).expect("locale");
    for name in ["data", "run"] {
        let path = directory.join(name);
        fs::create_dir(&path).expect("a directory");
        owned(&path);
    }
    fs::set_permissions(directory.join("data"), fs::Permissions::from_mode(0o700)).expect("chmod");
    let mut copy = Command::new("cp");
    copy.args(["-R", "--reflink=auto", "--"])
        .arg(cluster().join("."))
        .arg(directory.join("data"));
    unprivileged(&mut copy);
    assert!(
        copy.status().expect("cp runs").success(),
        "the cluster is copied"
    );
}

fn link_all(from: &Path, to: &Path, except: &str) {
    for entry in fs::read_dir(from).expect("PostgreSQL's files").flatten() {
        if entry.file_name() != except {
            symlink(entry.path(), to.join(entry.file_name())).expect("a link");
        }
    }
}

/// A cluster fresh from `initdb`, made once per test process.
fn cluster() -> &'static Path {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    &CLUSTER.get_or_init(Cluster::make).data
}

struct Cluster {
    data: PathBuf,
}

impl Cluster {
    fn make() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("rbpg-initdb-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        open_to_all(&directory);
        owned(&directory);
        std::mem::forget(sweep_after(&directory));
        let data = directory.join("data");
        let mut initdb = Command::new(program("initdb"));
        initdb
            .args([
                "-N",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-U",
                SUPERUSER,
                "-D",
            ])
            .arg(&data)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        unprivileged(&mut initdb);
        let output = initdb.output().expect("initdb runs");
        assert!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self { data }
    }
}

/// Removes a directory once this process is gone and any server in it has ended: statics are not
/// dropped, and tests are killed.
pub(super) fn sweep_after(directory: &Path) -> Child {
    const SWEEPER: &str = "read -r _; while [ -e \"$1/data/postmaster.pid\" ] && \
                           [ $((n += 1)) -lt 100 ]; do sleep 0.1; done; rm -rf -- \"$1\"";
    Command::new("/bin/sh")
        .args(["-c", SWEEPER, "sweeper"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh starts")
}
