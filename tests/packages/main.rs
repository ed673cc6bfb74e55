//! What an administrator installs: `make install`, the .deb and the .rpm packages, each file in its
//! place and nothing left when it is taken away again. The tests that need release builds, a chroot
//! or minutes are ignored unless `make packages` asks for them: it builds the packages in dist/
//! first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chroot;
mod debs;
mod install;
mod metadata;
mod reproduced;
mod rpms;
mod timer;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs a command; fails the test unless it succeeds. Gives its standard output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    done(
        &shown,
        &command
            .output()
            .unwrap_or_else(|error| panic!("{shown}: {error}")),
    )
}

/// A shell script with `$1`…
#[track_caller]
fn sh(script: &str, words: &[&Path]) -> String {
    run(Command::new("sh").args(["-euc", script, "sh"]).args(words))
}

/// Copies the source tree `$1` to a new directory `$2`.
const COPY: &str = "mkdir \"$2\"; tar -C \"$1\" --exclude=./target --exclude=./dist --exclude=./vendor --exclude='./.git*' -cf - . | tar -C \"$2\" -xf -";

#[track_caller]
fn done(shown: &str, output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{shown}: {}\n{out}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    out
}

/// Everything below a directory, as paths that start with a slash; directories end with one.
fn tree(top: &Path) -> BTreeSet<String> {
    fn walk(top: &Path, dir: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        {
            let path = entry.expect("an entry").path();
            let name = format!("/{}", path.strip_prefix(top).expect("below it").display());
            if path.is_dir() && !path.is_symlink() {
                found.insert(name + "/");
                walk(top, &path, found);
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(top, top, &mut found);
    found
}

/// The files of a [`tree`].
fn files(tree: &BTreeSet<String>) -> BTreeSet<String> {
    tree.iter()
        .filter(|path| !path.ends_with('/'))
        .cloned()
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .permissions()
        .mode()
        & 0o7777
}

/// What `make deb` or `make rpm` made: each package's file, sorted.
fn dist(extension: &str) -> Vec<PathBuf> {
    let dir = harness::source_root().join("dist");
    let entries = fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make packages`", dir.display()));
    let mut found: Vec<PathBuf> = entries
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    assert_eq!(
        found.len(),
        harness::TOOLS.len() + 2,
        "one for each tool, the collection and the one that has all: {found:?}"
    );
    found
}
