//! log-paths against the servers it reads about: what it says from their configurations is what
//! they really open.

mod apache;
mod caddy;
mod celery;
mod crossplane;
mod directories;
mod django;
mod gunicorn;
mod instances;
mod live;
mod logrotate;
mod nginx;
mod postgresql;
mod problems;
mod redis;
mod renamed;
mod streams;
mod supervisor;
mod trees;
mod undisturbed;
mod uwsgi;

use harness::{Output, TempDir, tool};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory that every user may enter, gone at the end of the test.
pub fn site() -> TempDir {
    let dir = harness::scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Writes a file, with the directories above it.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The tool with `--conf SERVICE=PATH` and more words.
pub fn log_paths(service: &str, conf: &Path, more: &[&str]) -> Output {
    tool("log-paths")
        .arg("--conf")
        .arg(format!("{service}={}", conf.display()))
        .args(more)
        .arg(service)
        .run()
}

/// The items of a report.
pub fn items(report: &Value) -> Vec<Value> {
    report["items"].as_array().unwrap().clone()
}

/// The item of this path.
#[track_caller]
pub fn item(report: &Value, path: &Path) -> Value {
    let path = path.to_str().unwrap();
    let found = items(report).into_iter().find(|item| item["path"] == path);
    found.unwrap_or_else(|| panic!("{path} is not reported: {report:#}"))
}

/// The paths of the files in a report.
pub fn paths(report: &Value) -> BTreeSet<PathBuf> {
    let files = items(report)
        .into_iter()
        .filter(|item| item["sink"] == "file");
    files
        .filter_map(|item| item["path"].as_str().map(PathBuf::from))
        .collect()
}

/// The codes of an item's problems.
pub fn codes(item: &Value) -> Vec<String> {
    item["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["code"].as_str().unwrap().to_owned())
        .collect()
}

/// The regular files that a process has open for writing.
pub fn written_by(pid: u32) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let mode = fs::symlink_metadata(entry.path())
            .map(|data| data.permissions().mode())
            .unwrap_or(0);
        let regular = fs::metadata(entry.path()).is_ok_and(|data| data.is_file());
        if mode & 0o200 != 0 && regular {
            found.extend(fs::read_link(entry.path()));
        }
    }
    found
}

/// Every file below a directory with what a careless look could change: inode, owner, mode, size,
/// times, links.
pub fn tree(dir: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(path) = left.pop() {
        let data = fs::symlink_metadata(&path).unwrap();
        found.push(format!(
            "{} ino={} mode={:o} uid={} gid={} size={} mtime={}.{} ctime={}.{} nlink={}",
            path.display(),
            data.ino(),
            data.mode(),
            data.uid(),
            data.gid(),
            data.size(),
            data.mtime(),
            data.mtime_nsec(),
            data.ctime(),
            data.ctime_nsec(),
            data.nlink()
        ));
        if data.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found.sort();
    found
}
