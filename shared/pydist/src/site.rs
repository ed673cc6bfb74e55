//! One directory of `sys.path`: what its listing alone tells.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::dist::Dist;
use crate::error::Error;
use crate::name::normalize;

/// What lies in a site directory.
#[derive(Debug, Default, Clone)]
pub struct Listing {
    /// The distributions, in the order of their entries' names.
    pub dists: Vec<Dist>,
    /// The names of the `.pth` files, sorted, as Python's `site` reads them.
    pub pth: Vec<OsString>,
    /// What an interrupted uninstall left behind: entries whose name begins with `~`.
    pub leftovers: Vec<OsString>,
}

/// Lists the site directory `path`.
pub fn list(path: &Path) -> Result<Listing, Error> {
    let mut out = Listing::default();
    for name in names(path)? {
        let bytes = name.as_bytes();
        if bytes.starts_with(b"~") {
            out.leftovers.push(name);
        } else if bytes.ends_with(b".pth") && !bytes.starts_with(b".") {
            out.pth.push(name);
        } else if let Some(dist) = Dist::from_entry(path, &name) {
            out.dists.push(dist);
        }
    }
    Ok(out)
}

/// The first distribution in `path` that is called `name`.
pub fn find(path: &Path, name: &str) -> Result<Option<Dist>, Error> {
    let key = normalize(name);
    let start = key.as_bytes().first().copied().unwrap_or(b'-');
    Ok(names(path)?
        .iter()
        .filter(|entry| entry.as_bytes().first().map(u8::to_ascii_lowercase) == Some(start))
        .filter_map(|entry| Dist::from_entry(path, entry))
        .find(|dist| dist.key == key))
}

fn names(path: &Path) -> Result<Vec<OsString>, Error> {
    let entries = std::fs::read_dir(path).map_err(|error| Error::io(path, error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| Error::io(path, error))?.file_name();
        let bytes = name.as_bytes();
        let ending = [
            &b".dist-info"[..],
            b".egg-info",
            b".egg",
            b".egg-link",
            b".pth",
        ];
        if bytes.starts_with(b"~") || ending.iter().any(|end| bytes.ends_with(end)) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
