//! What lies in an environment that no RECORD lists and no tool for virtual environments made: the
//! user's own. Found by a walk over the whole tree; nothing is opened but RECORDs and their like.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pydist::{Dist, Environment, Form, files, record, site};

use crate::manifest;
use crate::releases::INCOMPLETE;

/// What a thing of the user's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// pip's configuration of this environment.
    PipConf,
    /// A `.pth` file.
    Pth,
    /// `sitecustomize.py` or `usercustomize.py`.
    Startup,
    /// A module or package in a site directory.
    Module,
    /// A program in `bin`.
    Script,
    /// A small file, or a link.
    File,
    /// A repository that an editable requirement was installed from, with the user's work in it.
    Checkout,
    /// Data of a running site: a directory, a database, a socket, a large file.
    Data,
}

/// A thing of the user's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// Below the environment.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The number of files in it, for a directory.
    pub files: usize,
}

/// How large a file at the top of an environment may be to be carried over.
const LARGE: u64 = 1 << 20;

/// Top directories that tools for environments and wheels use; what the user put there is no site's
/// data.
const SHARED: [&str; 8] = [
    "bin", "lib", "lib64", "include", "share", "etc", "man", "doc",
];

/// What the tools themselves put at the top of an environment, beside `bin`, `lib` and `include`.
const TOP: [&str; 10] = [
    "pyvenv.cfg",
    ".gitignore",
    "CACHEDIR.TAG",
    ".lock",
    "pip-selfcheck.json",
    "lib64",
    INCOMPLETE,
    manifest::FILE,
    ".Python",
    "orig-prefix.txt",
];

/// Everything of the user's, each directory that holds nothing else as one.
pub fn find(environment: &Environment) -> std::io::Result<Vec<Foreign>> {
    let mut walk = Walk::new(environment)?;
    walk.directory(Path::new(""), 0)?;
    let mut found = walk.found;
    found.extend(checkouts(environment, &walk.sources));
    found.sort();
    Ok(found)
}

/// The files of a thing of the user's, below the environment; links and special files too.
pub fn files_of(prefix: &Path, foreign: &Foreign) -> std::io::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut stack = vec![foreign.path.clone()];
    while let Some(path) = stack.pop() {
        let whole = prefix.join(&path);
        if whole.symlink_metadata()?.is_dir() {
            for entry in std::fs::read_dir(&whole)? {
                stack.push(path.join(entry?.file_name()));
            }
        } else {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

struct Walk {
    prefix: PathBuf,
    /// Site directories, below the environment.
    sites: Vec<PathBuf>,
    /// Paths that a RECORD or an installer's list names, below the environment.
    owned: HashSet<Vec<u8>>,
    /// Whole directories of distributions without a list of their files.
    trees: HashSet<Vec<u8>>,
    /// Names of programs that distributions put into `bin`.
    scripts: HashSet<OsString>,
    /// Repositories below `src`, of editable requirements.
    sources: Vec<PathBuf>,
    found: Vec<Foreign>,
}

impl Walk {
    fn new(environment: &Environment) -> std::io::Result<Walk> {
        let prefix = environment.prefix.clone();
        let below = |site: &PathBuf| site.strip_prefix(&prefix).ok().map(Path::to_owned);
        let mut walk = Walk {
            sites: environment.sites.iter().filter_map(below).collect(),
            owned: HashSet::new(),
            trees: HashSet::new(),
            scripts: HashSet::new(),
            sources: Vec::new(),
            found: Vec::new(),
            prefix,
        };
        for site in walk.sites.clone() {
            let listing = site::list(&walk.prefix.join(&site))
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            for dist in &listing.dists {
                walk.own(&site, dist);
            }
        }
        Ok(walk)
    }

    /// Notes what a distribution owns.
    fn own(&mut self, site: &Path, dist: &Dist) {
        let read = |name: &str| {
            let bytes = files::read(&dist.path.join(name), files::RECORD_LIMIT).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let info = site.join(dist.path.file_name().unwrap_or_default());
        match read("RECORD") {
            Some(record) => {
                for entry in record::entries(&record) {
                    self.owned.extend(plain(site, Path::new(&*entry.path)));
                }
            }
            None => self.own_without_record(site, dist, &read),
        }
        self.trees
            .insert(info.into_os_string().into_encoded_bytes());
        let entry_points = read("entry_points.txt").or_else(|| {
            let beside = dist.metadata_path().with_file_name("entry_points.txt");
            let bytes = files::read(&beside, files::METADATA_LIMIT).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        });
        for line in entry_points.unwrap_or_default().lines() {
            if let Some((name, _)) = line.split_once('=') {
                self.scripts.insert(name.trim().into());
            }
        }
        self.note_source(dist);
    }

    fn own_without_record(
        &mut self,
        site: &Path,
        dist: &Dist,
        read: &dyn Fn(&str) -> Option<String>,
    ) {
        if let Some(list) = read("installed-files.txt") {
            let info = site.join(dist.path.file_name().unwrap_or_default());
            for line in list.lines() {
                self.owned.extend(plain(&info, Path::new(line)));
            }
            return;
        }
        let names = read("top_level.txt").unwrap_or_default();
        let guessed = dist.name.replace(['-', '.'], "_");
        for name in names.lines().chain([guessed.as_str()]) {
            let tree = site.join(name.trim()).into_os_string();
            self.trees.insert(tree.clone().into_encoded_bytes());
            let mut module = tree.into_encoded_bytes();
            module.extend_from_slice(b".py");
            self.owned.insert(module);
        }
    }

    /// A repository below `src` that an editable requirement is installed from.
    fn note_source(&mut self, dist: &Dist) {
        let from_json = || {
            let bytes = files::read(&dist.path.join("direct_url.json"), files::METADATA_LIMIT);
            let have: crate::requirements::link::DirectUrl =
                serde_json::from_slice(&bytes.ok()?).ok()?;
            have.dir_info.as_ref().filter(|dir| dir.editable)?;
            have.local_path()
        };
        let target = match dist.form {
            Form::EggLink => dist.target.clone(),
            Form::DistInfo => from_json(),
            _ => None,
        };
        let real = self.prefix.canonicalize().unwrap_or_default();
        let inside = target.and_then(|target| {
            let target = target.canonicalize().ok()?;
            target
                .strip_prefix(real.join("src"))
                .ok()
                .map(Path::to_owned)
        });
        if let Some(name) = inside.as_ref().and_then(|path| path.components().next()) {
            self.sources.push(Path::new("src").join(name));
        }
    }

    /// Looks into a directory; whether anything in it is not the user's, and how many files are.
    fn directory(&mut self, dir: &Path, depth: usize) -> std::io::Result<(bool, usize)> {
        let mut mixed = false;
        let mut count = 0;
        for entry in std::fs::read_dir(self.prefix.join(dir))? {
            let entry = entry?;
            let name = entry.file_name();
            let path = dir.join(&name);
            let kind = entry.file_type()?;
            if self.is_ours(dir, &name, &path) {
                mixed = true;
            } else if kind.is_dir() {
                if self.trees.contains(path.as_os_str().as_bytes())
                    || name == "__pycache__"
                    || self.sources.contains(&path)
                {
                    mixed = true;
                    continue;
                }
                if dir == Path::new("src") && self.prefix.join(&path).join(".git").exists() {
                    // Cloned for a requirement that is gone; work in it is looked for below.
                    self.sources.push(path);
                    mixed = true;
                    continue;
                }
                let before = self.found.len();
                let (has_ours, files) = self.directory(&path, depth + 1)?;
                let is_shared = depth == 0 && SHARED.iter().any(|shared| name == *shared);
                let is_site = self.sites.iter().any(|site| site.starts_with(&path));
                if has_ours || is_shared || is_site {
                    mixed = true;
                    count += files;
                } else if files > 0 || !self.is_in_lib(&path) {
                    self.found.truncate(before);
                    count += files;
                    self.add(path, files)?;
                }
            } else {
                count += 1;
                self.add(path, 1)?;
            }
        }
        Ok((mixed, count))
    }

    fn is_in_lib(&self, path: &Path) -> bool {
        path.starts_with("lib") || path.starts_with("lib64") || path.starts_with("include")
    }

    fn add(&mut self, path: PathBuf, files: usize) -> std::io::Result<()> {
        let kind = self.kind(&path)?;
        self.found.push(Foreign { path, kind, files });
        Ok(())
    }

    fn kind(&self, path: &Path) -> std::io::Result<Kind> {
        let meta = self.prefix.join(path).symlink_metadata()?;
        let kind = meta.file_type();
        let dir = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default();
        let special = !kind.is_file() && !kind.is_dir() && !kind.is_symlink();
        if special {
            return Ok(Kind::Data);
        }
        if self.sites.iter().any(|site| dir == site) {
            let is_pth = name.as_bytes().ends_with(b".pth");
            return Ok(match name.to_str() {
                _ if is_pth => Kind::Pth,
                Some("sitecustomize.py" | "usercustomize.py") => Kind::Startup,
                _ => Kind::Module,
            });
        }
        let first = path.components().next().map(|part| part.as_os_str());
        let is_shared = first.is_some_and(|first| SHARED.iter().any(|shared| first == *shared));
        Ok(match dir.to_str() {
            Some("") if name == "pip.conf" => Kind::PipConf,
            Some("bin") => Kind::Script,
            _ if kind.is_symlink() => Kind::File,
            _ if is_shared && path.components().count() > 1 => {
                if self.sites.iter().any(|site| path.starts_with(site)) {
                    Kind::Module
                } else {
                    Kind::File
                }
            }
            Some("") if kind.is_file() && meta.len() <= LARGE && !is_live_data(name) => Kind::File,
            _ => Kind::Data,
        })
    }

    /// Whether a RECORD, an installer or a tool for environments made it.
    fn is_ours(&self, dir: &Path, name: &OsStr, path: &Path) -> bool {
        let bytes = name.as_bytes();
        if self.owned.contains(path.as_os_str().as_bytes()) {
            return true;
        }
        match dir.to_str() {
            Some("") => TOP.iter().any(|top| name == *top) || bytes.starts_with(b".rbt-"),
            Some("bin") => self.scripts.contains(name) || is_tools_program(bytes),
            _ if bytes.ends_with(b".pyc") || bytes.ends_with(b".pyo") => true,
            _ if self.sites.iter().any(|site| site == dir) => is_tools_site_file(bytes),
            _ => false,
        }
    }
}

/// `path` from `base`, worked out in the text; `None` where it leaves the environment.
fn plain(base: &Path, path: &Path) -> Option<Vec<u8>> {
    crate::verify::below(base, path).map(|path| path.into_os_string().into_encoded_bytes())
}

fn is_live_data(name: &OsStr) -> bool {
    const ENDS: [&[u8]; 9] = [
        b".sqlite3",
        b".sqlite",
        b".db",
        b".log",
        b".pid",
        b".sock",
        b".rdb",
        b"-journal",
        b"-wal",
    ];
    ENDS.iter().any(|end| name.as_bytes().ends_with(end))
}

/// The interpreter's names, the activate scripts, and what ensurepip and virtualenv add.
fn is_tools_program(name: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 7] = [
        b"python",
        b"pypy",
        b"activate",
        b"Activate",
        b"deactivate",
        b"pydoc.bat",
        b"libpypy",
    ];
    let numbered = |tool: &[u8]| {
        name.strip_prefix(tool).is_some_and(|rest| {
            rest.iter()
                .all(|byte| byte.is_ascii_digit() || b".-".contains(byte))
        })
    };
    BEGINNINGS.iter().any(|start| name.starts_with(start))
        || [&b"pip"[..], b"wheel", b"easy_install", b"uv", b"uvx"]
            .iter()
            .any(|tool| numbered(tool))
}

fn is_tools_site_file(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [
        b"_virtualenv.py",
        b"_virtualenv.pth",
        b"easy-install.pth",
        b"setuptools.pth",
        b"setuptools-nspkg.pth",
        b"__editable___finder.py",
    ];
    NAMES.contains(&name)
        || name.starts_with(b"~")
        || name.starts_with(b"__editable__")
        || name.ends_with(b"-nspkg.pth")
        || name.ends_with(b".egg-link")
        || name.ends_with(b".egg")
        || name.ends_with(b".egg-info")
}

/// Repositories below `src` that hold work of the user's: changed or new files, commits, stashes.
fn checkouts(environment: &Environment, sources: &[PathBuf]) -> Vec<Foreign> {
    let mut sources = sources.to_vec();
    sources.sort();
    sources.dedup();
    let changed = sources
        .into_iter()
        .filter(|path| has_work(&environment.prefix.join(path)));
    changed
        .map(|path| Foreign {
            path,
            kind: Kind::Checkout,
            files: 1,
        })
        .collect()
}

/// Whether a repository differs from what was cloned, read without starting git: what git itself
/// changes it notes in the index; a file that is newer than the index was changed by somebody.
fn has_work(repository: &Path) -> bool {
    let Ok(work) = crate::checkout::work_in(repository) else {
        // What cannot be read may be work.
        return true;
    };
    work
}
