//! Requirements files, read as pip reads them.
//!
//! pip's reading is the one that counts, because pip's users wrote the files; it is neither the
//! standard's nor uv's, and no library has it. It goes: bytes to logical lines (`lines`), a line to
//! requirement and options (`options`), and what a requirement may be besides PEP 508: a URL, a
//! path, a wheel's file name (`link`). A `-r` inside a `-c` file is a requirement again.
//!
//! Files are read here and nothing else: no network, so a `-r https://…` is refused.

pub mod line;
pub mod lines;
pub mod link;
pub mod lockfile;
pub mod options;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use pydist::marker::{Marker, MarkerValues};
use pydist::specifier::Specifiers;
use sha2::{Digest, Sha256};

use link::Link;
use options::{Name, Options};

/// A requirements file longer than this isn't one.
const LIMIT: u64 = 4 << 20;

/// The most lines that all files of a run have together.
const MOST_LINES: usize = 100_000;

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
    fn requires_python(&mut self, required: &str) -> Result<(), String> {
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

    /// Whether every requirement names one version or place, as a compiled file does: then there is little left to resolve.
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
    of_line: bool,
}

impl Problem {
    /// A problem with a whole file.
    pub fn new(message: impl Into<String>) -> Self {
        Problem {
            message: message.into(),
            hint: None,
            of_line: false,
        }
    }

    fn at(origin: &Origin, message: impl std::fmt::Display) -> Self {
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

/// How many files may be read, how deeply they may nest, and how many problems one run names: beyond what
/// any author writes, and few enough that a hostile file costs little.
const MOST_FILES: usize = 2_000;
const DEEPEST: usize = 50;
const MOST_PROBLEMS: usize = 20;

/// Where reading is.
#[derive(Default)]
struct Walk {
    /// The files that include each other, the innermost last.
    including: Vec<PathBuf>,
    /// How many files were read, each time counted.
    count: usize,
    /// How many bytes.
    bytes: u64,
    /// How many lines.
    lines: usize,
    /// What was wrong with single lines.
    problems: Vec<Problem>,
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

impl Reader<'_> {
    /// Reads requirements files and constraints files.
    pub fn read(
        &self,
        files: &[PathBuf],
        constraints: &[PathBuf],
    ) -> Result<Requirements, Problem> {
        let mut out = Requirements {
            extras: self.extras.to_vec(),
            groups: self.groups.to_vec(),
            ..Requirements::default()
        };
        let mut walk = Walk::default();
        // pip reads constraints first; so the more limiting one is named first too.
        for path in constraints {
            self.file(path, true, &mut walk, &mut out)?;
        }
        for path in files {
            if lockfile::is_pylock(path) {
                lockfile::read(self, path, &mut out)?;
            } else if let Some(problem) = lockfile::other(path) {
                return Err(problem);
            } else {
                self.file(path, false, &mut walk, &mut out)?;
            }
        }
        match walk.problems.len() {
            0 => Ok(out),
            1 => Err(walk.problems.remove(0)),
            _ => Err(Problem {
                hint: walk
                    .problems
                    .iter()
                    .find_map(|problem| problem.hint.clone()),
                message: walk
                    .problems
                    .into_iter()
                    .map(|problem| problem.message)
                    .collect::<Vec<_>>()
                    .join("\n"),
                of_line: false,
            }),
        }
    }

    fn file(
        &self,
        path: &Path,
        constraint: bool,
        walk: &mut Walk,
        out: &mut Requirements,
    ) -> Result<(), Problem> {
        let place = link::absolute(path, self.cwd);
        if let Some(last) = walk
            .including
            .last()
            .filter(|_| walk.including.contains(&place))
        {
            let message = format!(
                "{}: includes itself, by way of {}",
                path.display(),
                last.display()
            );
            return Err(Problem::new(message).hint("remove one of the -r or -c lines"));
        }
        walk.count += 1;
        if walk.count > MOST_FILES || walk.including.len() >= DEEPEST {
            return Err(Problem::new(format!(
                "{}: the files include more than {MOST_FILES} files, or nest deeper than {DEEPEST}",
                path.display()
            )));
        }
        let bytes = content(path)?;
        walk.bytes += bytes.len() as u64;
        if walk.bytes > LIMIT * 2 {
            let message = format!(
                "{}: the files are longer than {} bytes",
                path.display(),
                LIMIT * 2
            );
            return Err(Problem::new(message));
        }
        note_input(out, path, &bytes);
        let text = lines::decode(&bytes).map_err(|what| {
            Problem::new(format!("{}: {what}", path.display()))
                .hint("save it as UTF-8, or say its encoding in the first line: # coding: latin-1")
        })?;
        walk.lines += text.matches('\n').count();
        if walk.lines > MOST_LINES {
            let message = format!(
                "{}: the files have more than {MOST_LINES} lines",
                path.display()
            );
            return Err(Problem::new(message));
        }
        walk.including.push(place);
        let named = RefCell::new(BTreeSet::new());
        let variable = |name: &str| {
            named.borrow_mut().insert(name.to_owned());
            (self.variable)(name)
        };
        for line in lines::logical(&text, &variable) {
            if let Err(problem) = self.line(&line, path, constraint, walk, out) {
                // What is wrong with one line says nothing about the next.
                if !problem.of_line || walk.problems.len() >= MOST_PROBLEMS {
                    return Err(problem);
                }
                walk.problems.push(problem);
            }
        }
        walk.including.pop();
        out.variables.extend(named.into_inner());
        Ok(())
    }

    fn line(
        &self,
        line: &lines::Line,
        path: &Path,
        constraint: bool,
        walk: &mut Walk,
        out: &mut Requirements,
    ) -> Result<(), Problem> {
        let origin = Origin {
            file: path.to_owned(),
            line: line.number,
        };
        let (text, options) =
            options::parse(&line.text).map_err(|what| Problem::at(&origin, what))?;
        let hashes = hashes(&options, &origin)?;
        for name in [Name::Index, Name::ExtraIndex, Name::FindLinks] {
            out.addresses.extend(options.all(name).map(str::to_owned));
        }
        let editable = options.first(Name::Editable);
        if text.is_empty() && editable.is_none() {
            let nested = options.first(Name::Requirement).map(|file| (file, false));
            let nested = nested.or(options.first(Name::Constraint).map(|file| (file, true)));
            return match nested {
                Some((file, constraint)) => {
                    let file = self.nested(file, path, &origin)?;
                    self.file(&file, constraint, walk, out)
                }
                None => {
                    self.note_options(&options, path, out);
                    Ok(())
                }
            };
        }
        let read = match (text, editable) {
            ("", Some(editable)) => self.editable(editable),
            (text, _) => self.requirement(text),
        };
        let mut wanted = read.map_err(|what| {
            let problem = Problem::at(&origin, what);
            if text.contains('=') && !text.contains("==") && !text.contains(['<', '>', '~', '!']) {
                return problem.hint("= is not an operator; write ==");
            }
            problem
        })?;
        wanted.hashes = hashes;
        wanted.constraint = constraint;
        wanted.origin = origin;
        for name in [Name::GlobalOption, Name::ConfigSetting] {
            if options.has(name) {
                wanted.pip_only.push(name.long());
            }
        }
        if constraint {
            usable_as_constraint(&wanted)?;
        }
        out.addresses
            .extend(wanted.link.iter().map(|link| link.url.clone()));
        out.wanted.push(wanted);
        Ok(())
    }

    /// Options for the whole run; a directory of links counts from the file if it is there.
    fn note_options(&self, options: &Options, path: &Path, out: &mut Requirements) {
        for (name, value) in options.iter() {
            let mut value = value.to_owned();
            if name == Name::FindLinks {
                let beside = path.parent().unwrap_or(Path::new("")).join(&value);
                let whole = link::absolute(&beside, self.cwd);
                if !value.contains("://") {
                    let from_file = whole.exists().then_some(whole);
                    let place =
                        from_file.unwrap_or_else(|| link::absolute(Path::new(&value), self.cwd));
                    value = place.to_string_lossy().into_owned();
                }
            }
            out.options.push((name, value));
        }
    }

    /// The path of a nested file: relative to the one that names it.
    fn nested(&self, file: &str, by: &Path, origin: &Origin) -> Result<PathBuf, Problem> {
        if file.starts_with("http://") || file.starts_with("https://") {
            let problem = Problem::at(origin, "a requirements file from the network is not read");
            return Err(problem.hint("download it beside this file and name that"));
        }
        match file.strip_prefix("file:") {
            Some(path) => Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path))),
            None => Ok(by.parent().unwrap_or(Path::new("")).join(file)),
        }
    }
}

fn content(path: &Path) -> Result<Vec<u8>, Problem> {
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
        _ => problem(&base::error::plain(&error)),
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
        "the environment's owner reads it: as root, setfacl -m u:{who}:r {}, or put it where {who} can read",
        crate::request::quoted(path)
    )
}

/// Notes a file that was read.
pub(crate) fn note_input(out: &mut Requirements, path: &Path, bytes: &[u8]) {
    if !out.inputs.iter().any(|input| input.path == path) {
        out.inputs.push(Input {
            path: path.to_owned(),
            sha256: crate::manifest::hex(&Sha256::digest(bytes)),
        });
    }
}

/// pip takes these three and no weaker one: a collision in MD5 is an afternoon's work.
fn hashes(options: &Options, origin: &Origin) -> Result<Vec<String>, Problem> {
    let mut hashes = Vec::new();
    for value in options.all(Name::Hash) {
        let strong =
            |(algorithm, _): &(&str, &str)| ["sha256", "sha384", "sha512"].contains(algorithm);
        match value.split_once(':').filter(strong) {
            Some((algorithm, digest)) => hashes.push(format!("{algorithm}:{digest}")),
            None => {
                let problem = Problem::at(origin, format!("--hash={value} is not taken"));
                return Err(problem.hint("a hash is sha256:, sha384: or sha512: and the digest"));
            }
        }
    }
    Ok(hashes)
}

/// A constraint limits a name's versions; it can't be anything that installs by itself.
fn usable_as_constraint(wanted: &Wanted) -> Result<(), Problem> {
    let wrong = if wanted.editable {
        "an editable requirement is not a constraint"
    } else if wanted.key.is_none() {
        "a constraint needs a name"
    } else if !wanted.extras.is_empty() {
        "a constraint has no extras"
    } else {
        return Ok(());
    };
    Err(Problem::at(&wanted.origin, wrong))
}

#[cfg(test)]
mod tests;
