//! Can the environment run? Its programs name its interpreter, have their x bits, and whoever may
//! enter its directory can read what is in it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pydist::files;

use crate::compare::Policy;
use crate::findings::{Finding, Kind};
use crate::observe::Observed;
use crate::shebang::{Starts, interpreter};

/// How much of a program says who starts it.
const HEAD: usize = 512;

/// Looks at the programs and the directories above the distributions.
pub fn look(observed: &Observed, policy: &Policy, findings: &mut Vec<Finding>) {
    let environment = &observed.environment;
    // Without an interpreter no program runs, which is a finding of its own.
    let runs = environment
        .interpreter
        .as_ref()
        .is_some_and(|interpreter| interpreter.executable);
    if !runs {
        return;
    }
    let bin = environment.prefix.join("bin");
    let own = observed.real_prefix.join("bin");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&bin)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .collect();
    names.sort();
    for path in names {
        let Some((starts, mode)) = head(&path) else {
            continue;
        };
        let program = match &starts {
            Starts::Program(program) if is_python(program) => Some(program),
            Starts::Beside => None,
            _ => continue,
        };
        let about = |kind, msg: String| {
            Finding::new(kind, msg)
                .path(&path)
                .fix(policy.apply.clone())
        };
        if let Some(why) = program.and_then(|program| wrong_interpreter(program, &own)) {
            let program = program.map(|program| program.to_string_lossy().into_owned());
            let msg = format!("'{}' starts {why}", path.display());
            findings.push(
                about(Kind::ScriptBroken, msg)
                    .installed(program.unwrap_or_default())
                    .required(own.join("python").to_string_lossy()),
            );
        }
        if mode & 0o111 == 0 {
            let msg = format!("'{}' lacks its x bit (mode {mode:04o})", path.display());
            findings.push(about(Kind::NotExecutable, msg));
        }
    }
    let classes = classes(&environment.prefix);
    let above = ["bin", "lib"].map(|name| environment.prefix.join(name));
    let python = environment.sites.iter().filter_map(|site| site.parent());
    let all = above
        .iter()
        .map(PathBuf::as_path)
        .chain(python)
        .chain(environment.sites.iter().map(PathBuf::as_path));
    for dir in all {
        let Ok(meta) = dir.metadata() else { continue };
        let needed = classes | classes >> 2;
        let mode = meta.mode() & 0o7777;
        if mode & needed & 0o055 == 0 && needed & 0o055 != 0 {
            let msg = format!(
                "'{}' cannot be entered by those who may enter the environment (mode {mode:04o})",
                dir.display()
            );
            findings.push(
                Finding::new(Kind::NotReadable, msg)
                    .path(dir)
                    .fix(policy.apply.clone()),
            );
        }
    }
}

fn head(path: &Path) -> Option<(Starts, u32)> {
    use std::io::Read;
    let (fd, _) = files::open_at(rustix::fs::CWD, path).ok()?;
    let mode = rustix::fs::fstat(&fd).ok()?.st_mode & 0o7777;
    let mut bytes = Vec::with_capacity(HEAD);
    let file = std::fs::File::from(fd);
    file.take(HEAD as u64).read_to_end(&mut bytes).ok()?;
    Some((interpreter(&bytes)?, mode))
}

fn is_python(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("python") || name.starts_with("pypy")
}

/// What is wrong with the interpreter that a program of the environment names.
fn wrong_interpreter(program: &Path, own: &Path) -> Option<String> {
    let shown = program.display();
    if !program.exists() {
        return Some(format!("'{shown}', which does not exist"));
    }
    let dir = program.parent()?;
    if dir == own || dir.canonicalize().is_ok_and(|dir| dir == *own) {
        return None;
    }
    let other = dir.parent()?;
    let is_environment = other.join("pyvenv.cfg").is_file();
    is_environment.then(|| format!("'{shown}', the interpreter of another environment"))
}

/// The read bits of those who may enter a directory: its owner, and the group and others where they
/// may.
pub fn classes(prefix: &Path) -> u32 {
    let mode = std::fs::metadata(prefix).map_or(0o700, |meta| meta.mode());
    let mut out = 0o400;
    for shift in [3, 0] {
        if mode >> shift & 0o5 == 0o5 {
            out |= 0o4 << shift;
        }
    }
    out
}

/// Files of a distribution that some of those cannot read.
#[derive(Default)]
pub struct Closed {
    count: usize,
    /// Files that neither the group nor others can read: no service of another user can.
    private: usize,
    first: Option<(PathBuf, u32)>,
}

impl Closed {
    /// Notes a file.
    pub fn note(&mut self, mode: u32, path: impl FnOnce() -> PathBuf) {
        self.count += 1;
        self.private += usize::from(mode & 0o044 == 0);
        self.first.get_or_insert_with(|| (path(), mode & 0o7777));
    }

    /// Whether that is drift: group access may be all that a site wants.
    pub fn is_drift(&self) -> bool {
        self.private > 0
    }

    /// The matter, in a sentence.
    pub fn says(&self, name: &str) -> Option<String> {
        let (path, mode) = self.first.as_ref()?;
        Some(format!(
            "{} files of {name} cannot be read by all who may enter the environment: '{}' has mode {mode:04o}",
            self.count,
            path.display()
        ))
    }
}
