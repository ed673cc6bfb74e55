//! A script that may change the system: in a mount namespace of its own, with directories such as
//! /etc laid over by memory, so that the host and every other test see nothing of it.

use std::path::Path;
use std::process::{Command, Output};

/// Whether this test run may make namespaces.
#[must_use]
pub fn available() -> bool {
    crate::need_root()
}

/// Runs a shell script with `dirs` (absolute) writable and private. `$CHECK` is check-reqs, for
/// short; further namespaces and variables by `options` of unshare(1) and `env`.
#[must_use]
pub fn run(dirs: &[&str], options: &[&str], env: &[(&str, &Path)], script: &str) -> Output {
    let scratch = crate::scratch();
    let at = scratch.path().display();
    let mut prelude = format!("mount --make-rprivate / && mount -t tmpfs none {at}\n");
    for (i, dir) in dirs.iter().enumerate() {
        prelude += &format!(
            "mkdir -p {at}/{i}/up {at}/{i}/work && \
             mount -t overlay none -o lowerdir={dir},upperdir={at}/{i}/up,workdir={at}/{i}/work {dir}\n"
        );
    }
    Command::new("unshare")
        .arg("-m")
        .args(options)
        .args(["sh", "-ec", &(prelude + script)])
        .env("CHECK", crate::bin("check-reqs"))
        .envs(env.iter().map(|(key, path)| (*key, *path)))
        .output()
        .expect("unshare")
}

/// As [`run`]; fails the test unless it exits 0, and gives back its standard output.
#[track_caller]
#[must_use]
pub fn said(dirs: &[&str], script: &str) -> String {
    let done = run(dirs, &[], &[], script);
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{script}\n{out}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    out
}
