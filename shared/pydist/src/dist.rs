//! One installed distribution, as its directory's name tells it.
//!
//! The name and version are those in the name of the directory, which is what importlib.metadata,
//! pip and uv look up first; only where there is none (an egg-link, an old `foo.egg-info`) is a
//! file opened.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::files;
use crate::metadata::Metadata;
use crate::name::normalize;

/// How a distribution lies in its site directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `NAME-VERSION.dist-info/`, made from a wheel.
    DistInfo,
    /// `NAME-VERSION-pyX.Y.egg-info/`, made by setuptools or by a system's packager.
    EggInfo,
    /// The same as one file, made by distutils.
    EggInfoFile,
    /// `NAME-VERSION-pyX.Y.egg/`, made by easy_install.
    Egg,
    /// `NAME.egg-link`, a development install elsewhere.
    EggLink,
}

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dist {
    /// The name, as the directory has it.
    pub name: String,
    /// The name in the form in which names are compared.
    pub key: String,
    /// The version, as the directory has it. Empty where neither a directory nor a file tells.
    pub version: String,
    /// The directory or file.
    pub path: PathBuf,
    /// What kind of directory or file.
    pub form: Form,
    /// For an egg-link: the directory that it points to.
    pub target: Option<PathBuf>,
}

impl Dist {
    /// The distribution that an entry of a site directory stands for, if it stands for one.
    pub(crate) fn from_entry(site: &Path, entry: &OsStr) -> Option<Dist> {
        let bytes = entry.as_bytes();
        let (stem, form) = if let Some(stem) = bytes.strip_suffix(b".dist-info") {
            (stem, Form::DistInfo)
        } else if let Some(stem) = bytes.strip_suffix(b".egg-info") {
            (stem, Form::EggInfo)
        } else if let Some(stem) = bytes.strip_suffix(b".egg") {
            (stem, Form::Egg)
        } else {
            (bytes.strip_suffix(b".egg-link")?, Form::EggLink)
        };
        let stem = std::str::from_utf8(stem).ok()?;
        if stem.is_empty() || stem.starts_with(['~', '-']) {
            return None;
        }
        let (name, version) = match form {
            Form::EggLink => (stem, ""),
            Form::DistInfo => split(stem),
            _ => split(without_python(stem)),
        };
        let mut dist = Dist {
            key: normalize(name),
            name: name.to_owned(),
            version: version.to_owned(),
            path: site.join(entry),
            form,
            target: None,
        };
        dist.complete();
        Some(dist)
    }

    /// Reads what the entry's own name does not tell.
    fn complete(&mut self) {
        match self.form {
            Form::DistInfo => {}
            Form::EggLink => self.follow_link(),
            Form::EggInfo if !self.path.is_dir() => self.form = Form::EggInfoFile,
            Form::EggInfo | Form::EggInfoFile | Form::Egg => {}
        }
        if self.version.is_empty() && self.form != Form::DistInfo {
            if let Ok(metadata) = self.metadata() {
                self.version = metadata.version.unwrap_or_default();
            }
        }
    }

    fn follow_link(&mut self) {
        let Ok(bytes) = files::read(&self.path, files::METADATA_LIMIT) else {
            return;
        };
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = line.trim_ascii();
        if !line.is_empty() {
            self.target = Some(PathBuf::from(OsStr::from_bytes(line)));
        }
    }

    /// The file with the fields: METADATA or PKG-INFO.
    #[must_use]
    pub fn metadata_path(&self) -> PathBuf {
        match self.form {
            Form::DistInfo => self.path.join("METADATA"),
            Form::EggInfo => self.path.join("PKG-INFO"),
            Form::EggInfoFile => self.path.clone(),
            Form::Egg => self.path.join("EGG-INFO/PKG-INFO"),
            Form::EggLink => {
                let target = self.target.clone().unwrap_or_default();
                let own = format!("{}.egg-info/PKG-INFO", self.name.replace('-', "_"));
                target.join(own)
            }
        }
    }

    /// The fields of METADATA or PKG-INFO, with an egg-info's `requires.txt`.
    pub fn metadata(&self) -> io::Result<Metadata> {
        let path = self.metadata_path();
        let head = files::read_head(rustix::fs::CWD, &path, files::METADATA_LIMIT)?;
        let mut metadata = Metadata::parse(&head);
        if !matches!(self.form, Form::DistInfo | Form::EggInfoFile)
            && metadata.requires_dist.is_empty()
        {
            let requires = path.with_file_name("requires.txt");
            if let Ok(bytes) = files::read(&requires, files::METADATA_LIMIT) {
                metadata.add_requires_txt(&String::from_utf8_lossy(&bytes));
            }
        }
        Ok(metadata)
    }
}

/// `NAME-VERSION`: the first dash behind which a version stands. Names written by the rules have no
/// dash, but not every builder kept to them.
fn split(stem: &str) -> (&str, &str) {
    // By the rules a name has no dash, and then there is nothing to look for.
    if let Some(parts) = stem
        .split_once('-')
        .filter(|(_, version)| !version.contains('-'))
    {
        return parts;
    }
    let parts = stem
        .match_indices('-')
        .map(|(at, _)| (&stem[..at], &stem[at + 1..]));
    parts
        .clone()
        .find(|(_, version)| is_version(version))
        .or_else(|| stem.split_once('-'))
        .unwrap_or((stem, ""))
}

fn is_version(text: &str) -> bool {
    pep440_rs::Version::from_str(text).is_ok()
        || pep440_rs::Version::from_str(&text.replace('_', "-")).is_ok()
}

/// Cuts the `-py3.11` (and platform) off the stem of an egg.
fn without_python(stem: &str) -> &str {
    let cut = stem.match_indices("-py").find(|(at, _)| {
        let rest = stem.as_bytes().get(at + 3);
        rest.is_some_and(u8::is_ascii_digit)
    });
    cut.map_or(stem, |(at, _)| &stem[..at])
}

#[cfg(test)]
mod tests {
    use super::{split, without_python};

    #[test]
    fn names_and_versions_are_told_apart() {
        assert_eq!(split("Django-4.2.1"), ("Django", "4.2.1"));
        assert_eq!(split("zope.interface-5.0"), ("zope.interface", "5.0"));
        assert_eq!(split("my-package-1.0"), ("my-package", "1.0"));
        assert_eq!(split("foo-1.0+local.1"), ("foo", "1.0+local.1"));
        assert_eq!(split("foo-2004d"), ("foo", "2004d"));
        assert_eq!(split("foo"), ("foo", ""));
        assert_eq!(without_python("foo-1.0-py3.11"), "foo-1.0");
        assert_eq!(
            without_python("foo-pyx-1.0-py2.7-linux-x86_64"),
            "foo-pyx-1.0"
        );
    }
}
