//! What requirements files ask for, and what reading them needs: plain data.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use pydist::marker::{Marker, MarkerValues};
use pydist::specifier::Specifiers;
use sha2::{Digest, Sha256};

use super::link::Link;
use super::options::Name;

/// A requirements file longer than this is not one.
pub const LIMIT: u64 = 4 << 20;

/// Where a requirement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The first physical line.
    pub line: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One thing that the files ask for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The name in the form in which names are compared; `None` for a bare URL or path.
    pub key: Option<String>,
    /// As written, options left out.
    pub text: String,
    /// The extras, normalized.
    pub extras: Vec<String>,
    /// The versions that will do.
    pub specifiers: Specifiers,
    /// Where it must come from.
    pub link: Option<Link>,
    /// Whether it is `-e`.
    pub editable: bool,
    /// When it counts.
    pub marker: Option<Marker>,
    /// The archives that will do: `sha256:…`.
    pub hashes: Vec<String>,
    /// Options of the line that only pip has.
    pub pip_only: Vec<&'static str>,
    /// Whether it only limits what others ask for.
    pub constraint: bool,
    /// Where it stands.
    pub origin: Origin,
}

impl Wanted {
    /// Counts only for these Pythons (a lock file's `requires-python` of one package).
    pub fn requires_python(&mut self, required: &str) -> Result<(), String> {
        let mut parts: Vec<String> = Vec::new();
        for clause in required.split(',').map(str::trim).filter(|c| !c.is_empty()) {
            let at = clause
                .find(|c: char| !"<>=!~".contains(c))
                .unwrap_or(clause.len());
            let (operator, version) = clause.split_at(at);
            parts.push(format!(
                "python_full_version {operator} '{}'",
                version.trim()
            ));
        }
        let own = self.marker.take();
        let marker = Marker::parse(&parts.join(" and "))?;
        self.marker = Some(match own {
            Some(own) => own.and(marker),
            None => marker,
        });
        Ok(())
    }

    /// Whether it counts in this environment.
    pub fn counts(&self, values: &MarkerValues) -> bool {
        self.marker
            .as_ref()
            .is_none_or(|marker| marker.holds(values, ""))
    }
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As it was named.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Everything that the files ask for.
#[derive(Debug, Default, Clone)]
pub struct Requirements {
    /// In the order of the files.
    pub wanted: Vec<Wanted>,
    /// Every file, each once.
    pub inputs: Vec<Input>,
    /// Addresses of indexes, archives and repositories, which may hold credentials.
    pub addresses: Vec<String>,
    /// The variables that the files name.
    pub variables: BTreeSet<String>,
    /// Options for the whole run, in order; a directory of `--find-links` is absolute.
    pub options: Vec<(Name, String)>,
    /// Whether an input is a lock file, which names everything that is to be installed.
    pub lock_file: bool,
    /// Extras and dependency groups of a lock file that were asked for.
    pub extras: Vec<String>,
    /// The same for dependency groups.
    pub groups: Vec<String>,
    /// The Pythons that a lock file is for.
    pub requires_python: Option<Specifiers>,
    /// The environments that a lock file is for; any one has to hold.
    pub environments: Vec<Marker>,
}

impl Requirements {
    /// The values that markers see: those of the Python, and what is asked of a lock file.
    pub fn values(&self, python: pydist::PythonVersion, implementation: &str) -> MarkerValues {
        let mut values = MarkerValues::of_host(python, implementation);
        values.extras.clone_from(&self.extras);
        values.dependency_groups.clone_from(&self.groups);
        values
    }

    /// Why a lock file is not for this environment.
    pub fn unfit(&self, values: &MarkerValues) -> Option<String> {
        let python = pydist::specifier::InstalledVersion::new(&values.python_full_version);
        if let Some(required) = &self.requires_python {
            if !required.allow(&python) {
                return Some(format!(
                    "the lock file is for Python {required}, this is {}",
                    values.python_full_version
                ));
            }
        }
        let fits = self.environments.is_empty()
            || self
                .environments
                .iter()
                .any(|marker| marker.holds(values, ""));
        (!fits).then(|| "the lock file is for other environments".to_owned())
    }

    /// Whether pip would be in hash-checking mode: one hash is enough.
    pub fn needs_hashes(&self) -> bool {
        let asked = self.options.iter();
        asked.clone().any(|(name, _)| *name == Name::RequireHashes)
            || self.wanted.iter().any(|wanted| !wanted.hashes.is_empty())
    }

    /// Whether every requirement names one version or place, as a compiled file does: then there is
    /// little left to resolve.
    pub fn is_locked(&self) -> bool {
        if self.lock_file {
            return true;
        }
        let exact = |wanted: &Wanted| wanted.link.is_some() || wanted.specifiers.is_exact();
        self.wanted
            .iter()
            .filter(|wanted| !wanted.constraint)
            .all(exact)
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place and the matter: `requirements.txt:3: no such option: --nonsense`.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the lines after it can be read all the same.
    pub of_line: bool,
    /// Whether the host was short of descriptors or memory, which says nothing about the file.
    pub shortage: bool,
}

impl Problem {
    /// A problem with a whole file.
    pub fn new(message: impl Into<String>) -> Self {
        Problem {
            message: message.into(),
            hint: None,
            of_line: false,
            shortage: false,
        }
    }

    /// A problem with one line.
    pub fn at(origin: &Origin, message: impl std::fmt::Display) -> Self {
        Problem {
            of_line: true,
            ..Problem::new(format!("{origin}: {message}"))
        }
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What reading needs of its surroundings.
pub struct Reader<'a> {
    /// From where relative paths of requirements count (those of files count from their file).
    pub cwd: &'a Path,
    /// Extras of a lock file.
    pub extras: &'a [String],
    /// Dependency groups of a lock file.
    pub groups: &'a [String],
    /// The environment's variables.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// The bytes of a requirements file.
pub fn content(path: &Path) -> Result<Vec<u8>, Problem> {
    let problem = |what: &str| Problem::new(format!("{}: {what}", path.display()));
    let limit = usize::try_from(LIMIT).unwrap_or(usize::MAX);
    // The caller's own descriptors, as `-r <(...)` and `-r /dev/stdin` name them, may be pipes.
    // An empty list is written as /dev/null.
    let named = [Path::new("/dev/stdin"), Path::new("/dev/null")];
    if path.starts_with("/dev/fd") || named.contains(&path) {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path);
        let read = file.and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes));
        return match read {
            Ok(length) if length as u64 <= LIMIT => Ok(bytes),
            Ok(_) => Err(problem(&format!("is longer than {LIMIT} bytes"))),
            Err(error) => Err(problem(&base::error::plain(&error))),
        };
    }
    pydist::files::read(path, limit).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => problem("no such requirements file"),
        std::io::ErrorKind::PermissionDenied => {
            problem("Permission denied").hint(readable_hint(path))
        }
        _ => Problem {
            shortage: base::error::is_shortage(&error),
            ..problem(&base::error::plain(&error))
        },
    })
}

/// How the user that reads gets to read a file.
fn readable_hint(path: &Path) -> String {
    let uid = rustix::process::geteuid();
    let who = base::child::Identity::of_uid(uid.as_raw(), uid.as_raw())
        .ok()
        .and_then(|identity| identity.name)
        .unwrap_or_else(|| uid.as_raw().to_string());
    format!(
        "the environment's owner reads the file: as root, setfacl -m u:{who}:r {}, or move the file to a directory that {who} can read",
        crate::request::quoted(path)
    )
}

/// Notes a file that was read.
pub fn note_input(out: &mut Requirements, path: &Path, bytes: &[u8]) {
    if !out.inputs.iter().any(|input| input.path == path) {
        out.inputs.push(Input {
            path: path.to_owned(),
            sha256: crate::manifest::hex(&Sha256::digest(bytes)),
        });
    }
}
