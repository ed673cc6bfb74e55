//! A git repository that an installer cloned: which commit it is at, and whether somebody worked in
//! it. Read from its files; git is not started, since a repository's configuration can run
//! programs.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pydist::files;

/// How large an index is read.
const INDEX_LIMIT: usize = 32 << 20;

/// The commit that is checked out.
pub fn head(repository: &Path) -> Option<String> {
    let git = repository.join(".git");
    let head = line(&git.join("HEAD"))?;
    match head.strip_prefix("ref: ") {
        Some(name) => reference(&git, name),
        None => Some(head),
    }
}

/// The commit that a revision of a requirement means in this repository; `None` where that is not
/// known.
pub fn commit(repository: &Path, revision: &str) -> Option<String> {
    let git = repository.join(".git");
    let names = [
        format!("refs/tags/{revision}"),
        format!("refs/remotes/origin/{revision}"),
        format!("refs/heads/{revision}"),
    ];
    names.iter().find_map(|name| reference(&git, name))
}

fn reference(git: &Path, name: &str) -> Option<String> {
    if name.split('/').any(|part| part == "..") {
        return None;
    }
    if let Some(loose) = line(&git.join(name)) {
        // An annotated tag has a commit of its own behind it, which only git can read.
        return (!name.starts_with("refs/tags/") || packed(git, name).is_none()).then_some(loose);
    }
    packed(git, name)
}

/// `HASH NAME`, and below an annotated tag `^HASH` of its commit.
fn packed(git: &Path, name: &str) -> Option<String> {
    let bytes = files::read(&git.join("packed-refs"), files::METADATA_LIMIT).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((hash, have)) = line.split_once(' ') else {
            continue;
        };
        if have == name {
            let peeled = lines.peek().and_then(|next| next.strip_prefix('^'));
            return Some(peeled.unwrap_or(hash).to_owned());
        }
    }
    None
}

fn line(path: &Path) -> Option<String> {
    let bytes = files::read(path, files::METADATA_LIMIT).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.lines().next()?.trim().to_owned())
}

/// Whether somebody worked in a repository: files that the index does not know or knows otherwise,
/// a stash, or a branch that is at no commit of the origin's.
///
/// # Errors
/// A repository that is not git's, or that cannot be read.
pub fn work_in(repository: &Path) -> std::io::Result<bool> {
    let git = repository.join(".git");
    if git.join("refs/stash").exists() || unpublished(&git)? {
        return Ok(true);
    }
    let index = index(&files::read(&git.join("index"), INDEX_LIMIT)?)
        .ok_or_else(|| std::io::Error::other("an index of an unknown form"))?;
    let mut seen = 0;
    let mut stack = vec![PathBuf::new()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(repository.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            let kind = entry.file_type()?;
            if path == Path::new(".git") || is_generated(&path) {
                continue;
            }
            if kind.is_dir() {
                stack.push(path);
                continue;
            }
            let Some((mtime, size)) = index.get(path.as_os_str().as_bytes()) else {
                return Ok(true);
            };
            let meta = entry.metadata()?;
            let is_same = u64::from(*size) == meta.size() && i64::from(*mtime) == meta.mtime();
            if !is_same {
                return Ok(true);
            }
            seen += 1;
        }
    }
    Ok(seen != index.len())
}

/// What builds and Python leave in a working tree.
fn is_generated(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().as_bytes();
        name == b"__pycache__"
            || name == b"build"
            || name.ends_with(b".egg-info")
            || name.ends_with(b".pyc")
    })
}

/// Whether a branch is at a commit that no branch or tag of the origin is at.
fn unpublished(git: &Path) -> std::io::Result<bool> {
    let mut origin = HashSet::new();
    let mut own = Vec::new();
    if let Ok(bytes) = files::read(&git.join("packed-refs"), files::METADATA_LIMIT) {
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some(peeled) = line.strip_prefix('^') {
                origin.insert(peeled.to_owned());
            } else if let Some((hash, name)) = line.split_once(' ') {
                if name.starts_with("refs/heads/") {
                    own.push(hash.to_owned());
                } else {
                    origin.insert(hash.to_owned());
                }
            }
        }
    }
    for (place, list) in [
        ("refs/remotes", true),
        ("refs/tags", true),
        ("refs/heads", false),
    ] {
        for hash in loose(&git.join(place))? {
            if list {
                origin.insert(hash);
            } else {
                own.push(hash);
            }
        }
    }
    // A clone at one commit has that commit as HEAD and nothing else.
    if let Ok(bytes) = files::read(&git.join("FETCH_HEAD"), files::METADATA_LIMIT) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        origin.extend(text.lines().filter_map(|line| {
            let hash = line.split_whitespace().next()?;
            Some(hash.to_owned())
        }));
    }
    Ok(own.iter().any(|hash| !origin.contains(hash)))
}

fn loose(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut out = Vec::new();
    let mut stack = vec![dir.to_owned()];
    while let Some(dir) = stack.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                stack.push(entry.path());
            } else {
                out.extend(line(&entry.path()).filter(|text| !text.starts_with("ref: ")));
            }
        }
    }
    Ok(out)
}

/// The paths of an index (gitformat-index(5), versions 2 and 3) with the seconds of the change time
/// of their content, and their size.
fn index(bytes: &[u8]) -> Option<HashMap<Vec<u8>, (u32, u32)>> {
    let word = |at: usize| -> Option<u32> {
        let four = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(four.try_into().ok()?))
    };
    if bytes.get(..4)? != b"DIRC" || !(2..=3).contains(&word(4)?) {
        return None;
    }
    let mut out = HashMap::new();
    let mut at = 12;
    for _ in 0..word(8)? {
        let (mtime, size) = (word(at + 8)?, word(at + 36)?);
        let flags = u16::from_be_bytes(bytes.get(at + 60..at + 62)?.try_into().ok()?);
        let name = at + 62 + if flags & 0x4000 == 0 { 0 } else { 2 };
        let length = bytes.get(name..)?.iter().position(|byte| *byte == 0)?;
        out.insert(bytes[name..name + length].to_vec(), (mtime, size));
        // One to eight NULs, so that the length is a multiple of eight.
        at += (name + length - at) / 8 * 8 + 8;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{commit, head, work_in};
    use std::path::Path;
    use std::process::Command;

    fn git(dir: &Path, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .current_dir(dir)
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "git {arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    #[test]
    fn work_in_a_clone_is_found_and_commits_are_git_s_own() {
        let dir = tempfile::tempdir().unwrap();
        let origin = dir.path().join("origin");
        std::fs::create_dir_all(origin.join("pkg")).unwrap();
        std::fs::write(origin.join("setup.py"), "x\n").unwrap();
        std::fs::write(origin.join("pkg/a.py"), "a\n").unwrap();
        git(&origin, &["init", "-q", "-b", "main"]);
        git(&origin, &["add", "."]);
        git(&origin, &["commit", "-qm", "one"]);
        git(&origin, &["tag", "-a", "v1", "-m", "v1"]);
        git(&origin, &["tag", "light"]);
        let clone = |name: &str| {
            git(dir.path(), &["clone", "-q", "origin", name]);
            dir.path().join(name)
        };
        let first = clone("first");
        assert!(!work_in(&first).unwrap());
        assert_eq!(head(&first).unwrap(), git(&first, &["rev-parse", "HEAD"]));
        for revision in ["v1", "light", "main"] {
            let real = git(&first, &["rev-parse", &format!("{revision}^{{commit}}")]);
            assert_eq!(commit(&first, revision), Some(real), "{revision}");
        }
        assert_eq!(commit(&first, "nowhere"), None);
        std::fs::create_dir(first.join("pkg/__pycache__")).unwrap();
        std::fs::write(first.join("pkg/__pycache__/a.pyc"), "").unwrap();
        assert!(!work_in(&first).unwrap());
        std::fs::write(first.join("pkg/a.py"), "edited\n").unwrap();
        assert!(work_in(&first).unwrap());

        let second = clone("second");
        std::fs::write(second.join("new.py"), "").unwrap();
        assert!(work_in(&second).unwrap());
        let third = clone("third");
        std::fs::write(third.join("pkg/a.py"), "b\n").unwrap();
        git(&third, &["commit", "-qam", "mine"]);
        assert!(work_in(&third).unwrap());
        let fourth = clone("fourth");
        std::fs::remove_file(fourth.join("setup.py")).unwrap();
        assert!(work_in(&fourth).unwrap());
    }
}
