//! An environment: where its interpreter is, which Python that is, and which directories hold its
//! distributions.
//!
//! Names, links and `pyvenv.cfg` hold all of these facts. What only the running interpreter knows
//! (a `PYTHONPATH`, a `sitecustomize`) is not guessed.

use std::path::{Path, PathBuf};

use crate::dist::Dist;
use crate::error::Error;
use crate::files;
use crate::site;

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A virtual environment: it has a `pyvenv.cfg`.
    Virtual,
    /// The prefix of a whole Python: `/usr`, `/usr/local`, one of pyenv's versions.
    Prefix,
}

/// `3.11`, or `3.11.2` where the patch level is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion {
    /// The 3 of 3.11.2.
    pub major: u32,
    /// The 11 of 3.11.2.
    pub minor: u32,
    /// The 2 of 3.11.2.
    pub patch: Option<u32>,
}

impl PythonVersion {
    /// Reads `3.11`, `3.11.2` or `3.11.2.final.0`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.');
        let mut number = || {
            let part = parts.next()?;
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            part[..digits].parse::<u32>().ok()
        };
        Some(PythonVersion {
            major: number()?,
            minor: number()?,
            patch: number(),
        })
    }

    /// `3.11`.
    #[must_use]
    pub fn minor_text(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

impl std::fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

/// `pyvenv.cfg`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PyvenvCfg {
    /// `home`: the directory of the interpreter from which the environment was made.
    pub home: Option<PathBuf>,
    /// `include-system-site-packages`.
    pub system_site: bool,
    /// `version` or `version_info`.
    pub version: Option<PythonVersion>,
    /// `implementation`, where it is written (virtualenv, uv).
    pub implementation: Option<String>,
    /// Made by uv, and without `--seed`: pip, setuptools and wheel are not part of it.
    pub unseeded: bool,
    /// `prompt`, without quotation marks.
    pub prompt: Option<String>,
}

impl PyvenvCfg {
    /// Reads `key = value` lines as Python's `site` does: any case, anything else ignored.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut out = PyvenvCfg::default();
        let (mut uv, mut seed) = (false, false);
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "home" => out.home = Some(PathBuf::from(value)),
                "include-system-site-packages" => {
                    out.system_site = value.eq_ignore_ascii_case("true");
                }
                "version" | "version_info" => out.version = PythonVersion::parse(value),
                "implementation" => out.implementation = Some(value.to_owned()),
                "uv" => uv = true,
                "prompt" => {
                    let plain = value.trim_matches(['\'', '"']);
                    out.prompt = Some(plain.to_owned());
                }
                "seed" => seed = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        out.unseeded = uv && !seed;
        out
    }
}

/// The interpreter of an environment, as its links show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// `bin/python` as the environment has it.
    pub path: PathBuf,
    /// Where its link leads, as written, if it is one.
    pub target: Option<PathBuf>,
    /// Where it really is, links followed; `None` where a link leads nowhere.
    pub real: Option<PathBuf>,
    /// Whether the real file may be executed.
    pub executable: bool,
    /// The version that the real file's name tells (`python3.11`).
    pub named: Option<PythonVersion>,
}

/// An environment that was found.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Its top directory.
    pub prefix: PathBuf,
    /// What kind it is.
    pub kind: Kind,
    /// `pyvenv.cfg`, for a virtual environment.
    pub config: PyvenvCfg,
    /// The interpreter, if there is any `bin/python*`.
    pub interpreter: Option<Interpreter>,
    /// Which Python its library directory is for.
    pub python: Option<PythonVersion>,
    /// The directories that hold its own distributions, in the order of `sys.path`.
    pub sites: Vec<PathBuf>,
}

impl Environment {
    /// Finds the environment at `path`: a virtual environment's directory, a prefix, or the path
    /// of an interpreter in one.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let kind = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
        if kind.is_dir() {
            return Self::at(path);
        }
        let beside = path.parent().and_then(Path::parent);
        if let Some(prefix) = beside.filter(|prefix| prefix.join("pyvenv.cfg").is_file()) {
            return Self::at(prefix);
        }
        let real = path
            .canonicalize()
            .map_err(|error| Error::io(path, error))?;
        match real.parent().and_then(Path::parent) {
            Some(prefix) => Self::at(prefix),
            None => Err(Error::new(path, "is not in the bin directory of a Python")),
        }
    }

    fn at(prefix: &Path) -> Result<Self, Error> {
        let cfg = prefix.join("pyvenv.cfg");
        let (kind, config) = match files::read(&cfg, files::METADATA_LIMIT) {
            Ok(bytes) => (
                Kind::Virtual,
                PyvenvCfg::parse(&String::from_utf8_lossy(&bytes)),
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                (Kind::Prefix, PyvenvCfg::default())
            }
            Err(error) => return Err(Error::io(&cfg, error)),
        };
        let interpreter = interpreter(prefix);
        let named = interpreter.as_ref().and_then(|found| found.named);
        let python = library_version(prefix, config.version.or(named));
        if kind == Kind::Prefix && interpreter.is_none() && python.is_none() {
            return Err(Error::new(prefix, "no pyvenv.cfg, and no Python either"));
        }
        let sites = match (kind, python) {
            (_, None) => Vec::new(),
            (Kind::Virtual, Some(python)) => virtual_sites(prefix, python),
            (Kind::Prefix, Some(python)) => prefix_sites(prefix, python),
        };
        Ok(Environment {
            prefix: prefix.to_path_buf(),
            kind,
            config,
            interpreter,
            python,
            sites,
        })
    }

    /// The distribution `name`: the first one along the site directories, as an import finds it.
    pub fn find(&self, name: &str) -> Result<Option<Dist>, Error> {
        for site in &self.sites {
            if let Some(dist) = site::find(site, name)? {
                return Ok(Some(dist));
            }
        }
        Ok(None)
    }

    /// Every distribution, the ones that hide behind another of the same name left out.
    pub fn distributions(&self) -> Result<Vec<Dist>, Error> {
        let mut out: Vec<Dist> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for path in &self.sites {
            let listing = site::list(path)?;
            out.extend(
                listing
                    .dists
                    .into_iter()
                    .filter(|d| seen.insert(d.key.clone())),
            );
        }
        Ok(out)
    }

    /// The Python from which a virtual environment was made, where `home` says and it is there.
    #[must_use]
    pub fn base(&self) -> Option<Environment> {
        let bin = self.config.home.as_ref()?;
        let prefix = bin.parent()?;
        let mut base = Environment::at(prefix).ok()?;
        if let Some(python) = self.python.filter(|python| base.python != Some(*python)) {
            base.python = Some(python);
            base.sites = prefix_sites(prefix, python);
        }
        Some(base)
    }
}

fn interpreter(prefix: &Path) -> Option<Interpreter> {
    let bin = prefix.join("bin");
    let path = ["python", "python3"]
        .iter()
        .map(|name| bin.join(name))
        .find(|path| path.symlink_metadata().is_ok())
        .or_else(|| numbered(&bin))?;
    let real = path.canonicalize().ok();
    let executable = real.as_ref().is_some_and(|real| {
        real.is_file() && rustix::fs::access(real, rustix::fs::Access::EXEC_OK).is_ok()
    });
    let named = real.as_ref().and_then(|real| named_version(real));
    let target = std::fs::read_link(&path).ok();
    Some(Interpreter {
        path,
        target,
        real,
        executable,
        named,
    })
}

fn numbered(bin: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(bin).ok()?.flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| named_version(path).is_some())
        .collect();
    found.sort();
    found.pop()
}

/// The version in a file name `python3.11`, `pypy3.10` or `python3.13t`.
fn named_version(path: &Path) -> Option<PythonVersion> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_prefix("python").or(name.strip_prefix("pypy"))?;
    digits.contains('.').then(|| PythonVersion::parse(digits))?
}

/// Which `lib/pythonX.Y` there is: the expected one, else the newest.
fn library_version(prefix: &Path, expected: Option<PythonVersion>) -> Option<PythonVersion> {
    if let Some(version) = expected {
        let lib = prefix.join(format!("lib/python{}", version.minor_text()));
        if lib.is_dir() {
            return expected;
        }
    }
    let entries = std::fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let found = entries.filter_map(|entry| named_version(&entry.path()));
    found.max().or(expected)
}

fn virtual_sites(prefix: &Path, python: PythonVersion) -> Vec<PathBuf> {
    let minor = python.minor_text();
    let mut sites = vec![prefix.join(format!("lib/python{minor}/site-packages"))];
    let lib64 = prefix.join("lib64");
    if lib64.symlink_metadata().is_ok_and(|kind| kind.is_dir()) {
        sites.push(lib64.join(format!("python{minor}/site-packages")));
    }
    sites.retain(|site| site.is_dir());
    sites
}

/// The site directories of a whole Python, Debian's and Fedora's own places included.
fn prefix_sites(prefix: &Path, python: PythonVersion) -> Vec<PathBuf> {
    let minor = python.minor_text();
    let mut sites = Vec::new();
    if prefix == Path::new("/usr") {
        let local = Path::new("/usr/local");
        sites.push(local.join(format!("lib/python{minor}/dist-packages")));
        sites.push(local.join(format!("lib/python{minor}/site-packages")));
        sites.push(local.join(format!("lib64/python{minor}/site-packages")));
        sites.push(prefix.join("lib/python3/dist-packages"));
        sites.push(prefix.join(format!("lib/python{minor}/dist-packages")));
    }
    sites.push(prefix.join(format!("lib/python{minor}/site-packages")));
    sites.push(prefix.join(format!("lib64/python{minor}/site-packages")));
    sites.retain(|site| site.is_dir());
    let mut seen = std::collections::HashSet::new();
    sites.retain(|site| seen.insert(site.canonicalize().unwrap_or_else(|_| site.clone())));
    sites
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Environment, Kind, PythonVersion, PyvenvCfg};
    use std::fs;

    fn venv() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("lib/python3.11/site-packages");
        fs::create_dir_all(&site).unwrap();
        fs::create_dir_all(dir.path().join("bin")).unwrap();
        fs::write(
            dir.path().join("pyvenv.cfg"),
            "home = /usr/bin\nInclude-System-Site-Packages = TRUE\nversion_info = 3.11.2.final.0\n",
        )
        .unwrap();
        for name in ["Django-4.2.dist-info", "zope.interface-5.0-py3.11.egg-info"] {
            fs::create_dir(site.join(name)).unwrap();
        }
        dir
    }

    #[test]
    fn a_distribution_is_found_by_any_spelling() {
        let dir = venv();
        let environment = Environment::open(dir.path()).unwrap();
        assert_eq!(environment.kind, Kind::Virtual);
        assert!(environment.config.system_site);
        assert_eq!(environment.find("DJANGO").unwrap().unwrap().version, "4.2");
        assert_eq!(
            environment.find("Zope_Interface").unwrap().unwrap().version,
            "5.0"
        );
        assert!(environment.find("nothing").unwrap().is_none());
        assert_eq!(
            crate::version(dir.path(), "django").unwrap().as_deref(),
            Some("4.2")
        );
        assert_eq!(environment.distributions().unwrap().len(), 2);
    }

    #[test]
    fn the_path_of_an_interpreter_leads_to_its_environment() {
        let dir = venv();
        let python = dir.path().join("bin/python");
        fs::write(&python, "").unwrap();
        let environment = Environment::open(&python).unwrap();
        assert_eq!(environment.prefix, dir.path());
        assert!(environment.find("django").unwrap().is_some());
    }

    #[test]
    fn versions_are_read_from_every_spelling() {
        let version = PythonVersion::parse("3.11.2.final.0").unwrap();
        assert_eq!(version.to_string(), "3.11.2");
        assert_eq!(PythonVersion::parse("3.13t").unwrap().to_string(), "3.13");
        assert!(PyvenvCfg::parse("uv = 0.5\nhome=/usr/bin").unseeded);
        assert!(!PyvenvCfg::parse("uv = 0.5\nseed = true").unseeded);
    }

    #[test]
    fn a_directory_without_python_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Environment::open(dir.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("no pyvenv.cfg, and no Python either"),
            "{error}"
        );
    }
}
