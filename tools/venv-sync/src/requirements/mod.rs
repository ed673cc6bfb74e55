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
mod model;
pub mod options;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use options::{Name, Options};

pub use model::{Input, Origin, Problem, Reader, Requirements, Wanted, note_input};
use model::{LIMIT, content};

/// The most lines that all files of a run have together.
const MOST_LINES: usize = 100_000;

/// How many files may be read, how deeply they may nest, and how many problems one run names:
/// beyond what any author writes, and few enough that a hostile file costs little.
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
                shortage: walk.problems.iter().any(|problem| problem.shortage),
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
            Problem::new(format!("{}: {what}", path.display())).hint(
                "save the file as UTF-8, or name its encoding in the first line: # coding: latin-1",
            )
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
            return Err(problem.hint("download the file beside this one and name the download"));
        }
        match file.strip_prefix("file:") {
            Some(path) => Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path))),
            None => Ok(by.parent().unwrap_or(Path::new("")).join(file)),
        }
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
                let problem = Problem::at(
                    origin,
                    format!("--hash={value} is not a hash that pip knows"),
                );
                return Err(problem.hint("a hash is sha256:, sha384: or sha512: and the digest"));
            }
        }
    }
    Ok(hashes)
}

/// A constraint limits a name's versions; it cannot be anything that installs by itself.
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
