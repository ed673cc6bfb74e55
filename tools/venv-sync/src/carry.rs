//! Carries things of the user's into a new release: copies, with what in them names the old
//! environment mended.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base::error::{Error, Result};
use rustix::fs::Mode;

use crate::foreign::{self, Foreign};
use crate::manifest::fingerprint;
use crate::requirements::link::absolute;
use crate::shebang;

/// From one environment into another.
#[derive(Debug)]
pub struct Carrier<'a> {
    /// The environment as its scripts and `.pth` files name it: every spelling of its path.
    pub old: Vec<PathBuf>,
    /// Where the environment is.
    pub from: &'a Path,
    /// The release.
    pub to: &'a Path,
}

impl Carrier<'_> {
    /// Copies each thing that the release does not have yet; the files with their fingerprints come
    /// back.
    pub fn carry(&self, things: &[&Foreign]) -> Result<BTreeMap<String, String>> {
        let mut carried = BTreeMap::new();
        for thing in things {
            if thing.files == 0 {
                self.directory(&thing.path)?;
                continue;
            }
            let files = foreign::files_of(self.from, thing)
                .map_err(|error| self.failed(&thing.path, &error))?;
            for path in files {
                if self.to.join(&path).symlink_metadata().is_ok() {
                    continue;
                }
                if let Some(parent) = path.parent() {
                    self.directory(parent)?;
                }
                self.file(&path)
                    .map_err(|error| self.failed(&path, &error))?;
                if let Some(print) = fingerprint(&self.to.join(&path)) {
                    carried.insert(path.to_string_lossy().into_owned(), print);
                }
            }
        }
        Ok(carried)
    }

    fn failed(&self, path: &Path, error: &std::io::Error) -> Error {
        let what = format!("cannot carry over '{}'", self.from.join(path).display());
        Error::io(what, error).hint(format!(
            "--drop {} gives that up",
            crate::request::quoted(path)
        ))
    }

    /// Makes a directory and those above it, each with the mode that it has in the old environment.
    fn directory(&self, path: &Path) -> Result<()> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        for below in ancestors {
            let whole = self.to.join(below);
            if below == Path::new("") || whole.is_dir() {
                continue;
            }
            let mode = std::fs::metadata(self.from.join(below)).map_or(0o755, |meta| meta.mode());
            let make = || {
                std::fs::create_dir(&whole)?;
                rustix::fs::chmod(&whole, Mode::from_raw_mode(mode & 0o7777))?;
                Ok(())
            };
            make().map_err(|error: std::io::Error| self.failed(below, &error))?;
        }
        Ok(())
    }

    fn file(&self, path: &Path) -> std::io::Result<()> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let meta = from.symlink_metadata()?;
        if meta.is_symlink() {
            let target = self.link(path, &std::fs::read_link(&from)?);
            return std::os::unix::fs::symlink(target, to);
        }
        let (fd, size) = pydist::files::open_at(rustix::fs::CWD, &from)?;
        let mut source = std::fs::File::from(fd);
        let mut new = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&to)?;
        let is_small = size <= 1 << 20;
        if is_small {
            let mut bytes = Vec::new();
            source.read_to_end(&mut bytes)?;
            new.write_all(&self.mended(path, bytes))?;
        } else {
            std::io::copy(&mut source, &mut new)?;
        }
        rustix::fs::fchmod(&new, Mode::from_raw_mode(meta.mode() & 0o7777))?;
        new.set_modified(meta.modified()?)?;
        Ok(())
    }

    /// Where a link has to lead from its new place: one that leads out of the environment by a
    /// relative path would lead elsewhere.
    fn link(&self, path: &Path, target: &Path) -> PathBuf {
        if target.is_absolute() {
            return self.moved(target).unwrap_or_else(|| target.to_owned());
        }
        let dir = self.from.join(path.parent().unwrap_or(Path::new("")));
        let whole = absolute(target, &dir);
        match whole.starts_with(self.from) {
            true => target.to_owned(),
            false => whole,
        }
    }

    /// A path inside the old environment, in the new one.
    fn moved(&self, path: &Path) -> Option<PathBuf> {
        self.old
            .iter()
            .find_map(|old| path.strip_prefix(old).ok().map(|rest| self.to.join(rest)))
    }

    /// The content of a file, with the paths that would lead elsewhere mended.
    fn mended(&self, path: &Path, bytes: Vec<u8>) -> Vec<u8> {
        if path.starts_with("bin") {
            return shebang::moved(&bytes, &self.old, self.to).unwrap_or(bytes);
        }
        if path.as_os_str().as_bytes().ends_with(b".pth") {
            return self.pth(path, &bytes);
        }
        bytes
    }

    fn pth(&self, path: &Path, bytes: &[u8]) -> Vec<u8> {
        let dir = self.from.join(path.parent().unwrap_or(Path::new("")));
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = line.trim_ascii_end();
            let is_path = !text.is_empty()
                && !text.starts_with(b"#")
                && !text.starts_with(b"import ")
                && !text.starts_with(b"import\t");
            let place = Path::new(OsStr::from_bytes(text));
            let new = match is_path {
                false => None,
                true if place.is_absolute() => self.moved(place),
                true => {
                    let whole = absolute(place, &dir);
                    (!whole.starts_with(self.from)).then_some(whole)
                }
            };
            match new {
                Some(new) => {
                    out.extend_from_slice(new.as_os_str().as_bytes());
                    out.extend_from_slice(&line[text.len()..]);
                }
                None => out.extend_from_slice(line),
            }
        }
        out
    }
}

/// Files of the user's in `release` that neither `live` has nor a later copy preserved: what would
/// be lost with the release.
pub fn unsaved(release: &Path, live: Option<&Path>) -> std::io::Result<Vec<PathBuf>> {
    let environment = pydist::Environment::open(release)
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    let manifest = crate::manifest::Manifest::read(release);
    let mut lost = Vec::new();
    for thing in foreign::find(&environment)? {
        if thing.kind == foreign::Kind::Checkout {
            lost.push(thing.path);
            continue;
        }
        for path in foreign::files_of(release, &thing)? {
            let own = fingerprint(&release.join(&path));
            let is_copy =
                own.is_some() && manifest.carried.get(&*path.to_string_lossy()) == own.as_ref();
            let is_live =
                own.is_some() && live.is_some_and(|live| fingerprint(&live.join(&path)) == own);
            if !is_copy && !is_live && !is_mended(release, live, &path) {
                lost.push(path);
            }
        }
    }
    Ok(lost)
}

/// Whether the live release has the file as it was carried there, with paths in it mended.
fn is_mended(release: &Path, live: Option<&Path>, path: &Path) -> bool {
    let Some(live) = live else {
        return false;
    };
    let manifest = crate::manifest::Manifest::read(live);
    let carried = manifest.carried.contains_key(&*path.to_string_lossy());
    let is_text = path.starts_with("bin")
        || path.as_os_str().as_bytes().ends_with(b".pth")
        || release.join(path).is_symlink();
    carried && is_text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Carrier;
    use std::path::Path;

    #[test]
    fn paths_lead_where_they_led() {
        let to = Path::new("/srv/venv.d/releases/B");
        let carrier = Carrier {
            old: vec!["/srv/venv.d/releases/A".into()],
            from: Path::new("/srv/venv.d/releases/A"),
            to,
        };
        let site = "lib/python3.11/site-packages";
        let pth = carrier.pth(
            &Path::new(site).join("x.pth"),
            b"# c\nimport os\n../../../../../../vendor\n./own\n/srv/other\n\
              /srv/venv.d/releases/A/lib/z\n",
        );
        assert_eq!(
            String::from_utf8(pth).unwrap(),
            "# c\nimport os\n/srv/vendor\n./own\n/srv/other\n/srv/venv.d/releases/B/lib/z\n"
        );
        let link = |path: &str, target: &str| carrier.link(Path::new(path), Path::new(target));
        assert_eq!(link("media", "../../../media"), Path::new("/srv/media"));
        assert_eq!(link("bin/npm", "../lib/npm"), Path::new("../lib/npm"));
        assert_eq!(link("x", "/srv/y"), Path::new("/srv/y"));
    }
}
