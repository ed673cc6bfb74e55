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
const LIMIT: u64 = 16 << 20;

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
    /// Whether it only limits what others ask for.
    pub constraint: bool,
    /// Where it stands.
    pub origin: Origin,
}

impl Wanted {
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
}

impl Requirements {
    /// Whether every requirement names one version or place, as a compiled file does: then there is little left to resolve.
    pub fn is_locked(&self) -> bool {
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
    pub hint: Option<&'static str>,
}

impl Problem {
    fn at(origin: &Origin, message: impl std::fmt::Display) -> Self {
        Problem {
            message: format!("{origin}: {message}"),
            hint: None,
        }
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// What reading needs of its surroundings.
pub struct Reader<'a> {
    /// From where relative paths of requirements count (those of files count from their file).
    pub cwd: &'a Path,
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
        let mut out = Requirements::default();
        // pip reads constraints first; so the more limiting one is named first too.
        for path in constraints {
            self.file(path, true, &mut Vec::new(), &mut out)?;
        }
        for path in files {
            self.file(path, false, &mut Vec::new(), &mut out)?;
        }
        Ok(out)
    }

    fn file(
        &self,
        path: &Path,
        constraint: bool,
        including: &mut Vec<PathBuf>,
        out: &mut Requirements,
    ) -> Result<(), Problem> {
        let place = link::absolute(path, self.cwd);
        if let Some(last) = including.last().filter(|_| including.contains(&place)) {
            let message = format!(
                "{}: includes itself, by way of {}",
                path.display(),
                last.display()
            );
            return Err(Problem {
                message,
                hint: Some("remove one of the -r or -c lines"),
            });
        }
        let bytes = content(path)?;
        if !out.inputs.iter().any(|input| input.path == path) {
            out.inputs.push(Input {
                path: path.to_owned(),
                sha256: hex(&Sha256::digest(&bytes)),
            });
        }
        let text = lines::decode(&bytes).map_err(|what| Problem {
            message: format!("{}: {what}", path.display()),
            hint: Some(
                "save it as UTF-8, or say its encoding in the first line: # coding: latin-1",
            ),
        })?;
        including.push(place);
        let named = RefCell::new(BTreeSet::new());
        let variable = |name: &str| {
            named.borrow_mut().insert(name.to_owned());
            (self.variable)(name)
        };
        for line in lines::logical(&text, &variable) {
            self.line(&line, path, constraint, including, out)?;
        }
        including.pop();
        out.variables.extend(named.into_inner());
        Ok(())
    }

    fn line(
        &self,
        line: &lines::Line,
        path: &Path,
        constraint: bool,
        including: &mut Vec<PathBuf>,
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
                    self.file(&file, constraint, including, out)
                }
                None => Ok(()),
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
        if constraint {
            usable_as_constraint(&wanted)?;
        }
        out.addresses
            .extend(wanted.link.iter().map(|link| link.url.clone()));
        out.wanted.push(wanted);
        Ok(())
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
    let problem = |what: String| Problem {
        message: format!("{}: {what}", path.display()),
        hint: None,
    };
    let mut bytes = Vec::new();
    let read =
        std::fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(problem("no such requirements file".to_owned()))
        }
        Err(error) => Err(problem(error.to_string())),
        Ok(length) if length as u64 > LIMIT => {
            Err(problem(format!("is longer than {LIMIT} bytes")))
        }
        Ok(_) => Ok(bytes),
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
