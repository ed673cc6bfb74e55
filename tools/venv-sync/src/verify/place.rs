//! Paths of a RECORD: where each is, worked out in the text.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;

/// A file that RECORD lists: from which directory, and by which name.
pub struct Place<'a> {
    /// The directory.
    pub dir: &'a OwnedFd,
    /// The name in it.
    pub name: Cow<'a, Path>,
}

/// `path` from `site`, both worked out in the text; `None` where it leaves the environment.
pub fn below(site: &Path, path: &Path) -> Option<PathBuf> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if plain {
        return Some(site.join(path));
    }
    let mut out = site.to_path_buf();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir if out.pop() => {}
            _ => return None,
        }
    }
    Some(out)
}

/// Whether a path only goes down, by plain names: then it can be used as it is.
pub fn is_plain(path: &str) -> bool {
    !path.starts_with(['/', '.'])
        && !path.contains("/.")
        && !path.contains("//")
        && !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::below;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_path_that_leaves_the_environment_is_none() {
        let site = Path::new("lib/python3.11/site-packages");
        assert_eq!(
            below(site, Path::new("../../../bin/x")),
            Some(PathBuf::from("bin/x"))
        );
        assert_eq!(
            below(site, Path::new("a/./b.py")),
            Some(site.join("a/b.py"))
        );
        assert_eq!(below(site, Path::new("../../../../etc/passwd")), None);
        assert_eq!(below(site, Path::new("/etc/passwd")), None);
        assert_eq!(below(site, Path::new("a/../../../../../x")), None);
    }
}
