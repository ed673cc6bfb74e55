//! logrotate's configuration as a whole: which files are read and in which order, what a file
//! leaves behind for the next, and which stanza has which log.

use super::directive::Dialect;
use super::names::{compile, path_of};
use super::stanza::{Mend, Refusal, Stanza};
use crate::users::Users;
use conf::files::{DEPTH, Files};
use conf::{Error, Kind, Source, pattern};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The endings of files that an include directory leaves out (logrotate.8, tabooext).
const TABOO: &[&str] = &[
    ".bak",
    ".cfsaved",
    ".disabled",
    ".dpkg-bak",
    ".dpkg-del",
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
    ".dpkg-tmp",
    ".rhn-cfg-tmp-*",
    ".rpmnew",
    ".rpmorig",
    ".rpmsave",
    ".swp",
    ".ucf-dist",
    ".ucf-new",
    ".ucf-old",
    ",v",
    "~",
];
/// Those that 3.22 added.
const TABOO_322: &[&str] = &[".new", ".old", ".orig"];

/// All that was read.
#[derive(Default)]
pub struct Reading {
    pub stanzas: Vec<Stanza>,
    /// Which stanza has a file.
    pub owners: HashMap<OsString, usize>,
    /// Files that a stanza would have, had it not met the other one before them.
    pub dropped: HashMap<OsString, (usize, PathBuf)>,
    /// The directories whose files are read.
    pub directories: Vec<PathBuf>,
    pub errors: Vec<Error>,
    pub found: bool,
}

pub struct Reader<'a> {
    files: &'a Files,
    pub users: &'a Users,
    pub dialect: Dialect,
    pub reading: Reading,
    taboo: BTreeSet<Vec<u8>>,
    parse: Parse,
    /// What the files have set for the stanzas after them.
    pub global: Stanza,
    depth: usize,
    /// The stanzas that logrotate has in its list, by their places here.
    queue: Vec<usize>,
    /// Whether an error in a file that is included within a stanza has cut logrotate's list:
    /// nothing behind that is sure to be rotated.
    cut: bool,
    /// What relative names are relative to: logrotate is started in `/`, and stands in a directory
    /// while it reads its files.
    cwd: PathBuf,
}

/// Reads one file into the reader, which reads the files that it includes; whether logrotate finds
/// an error in it.
pub type Parse = fn(&mut Reader<'_>, &Path, &[u8]) -> bool;

/// Reads the main file and all it includes, each file by `parse`.
pub fn read(files: &Files, users: &Users, main: &Path, dialect: Dialect, parse: Parse) -> Reading {
    let more = if dialect == Dialect::V322 {
        TABOO_322
    } else {
        &[]
    };
    let mut reader = Reader {
        files,
        users,
        dialect,
        parse,
        reading: Reading::default(),
        taboo: TABOO
            .iter()
            .chain(more)
            .map(|ending| format!("*{ending}").into_bytes())
            .collect(),
        global: Stanza::new(Source::new(&Arc::from(main), 0)),
        depth: 0,
        queue: Vec::new(),
        cut: false,
        cwd: PathBuf::from("/"),
    };
    if files.stat(main).is_ok() {
        reader.path(main);
    }
    reader.reading
}

impl<'a> Reader<'a> {
    /// Reads a file, or the files of a directory; whether logrotate finds an error.
    fn path(&mut self, path: &Path) -> bool {
        let is_dir = self
            .files
            .stat(path)
            .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000);
        if !is_dir {
            return self.file(path);
        }
        self.reading.directories.push(path.to_path_buf());
        let names = self.files.list(path).unwrap_or_default();
        let before = std::mem::replace(&mut self.cwd, path.to_path_buf());
        let mut failed = false;
        for name in names {
            let taboo = self
                .taboo
                .iter()
                .any(|taboo| pattern::fnmatch(taboo, name.as_bytes()));
            let file = path.join(&name);
            let regular = self
                .files
                .stat(&file)
                .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o100_000);
            if !taboo && regular {
                failed |= self.file(&file);
            }
        }
        self.cwd = before;
        failed
    }

    fn file(&mut self, path: &Path) -> bool {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.reading.errors.push(error);
                return true;
            }
        };
        self.reading.found = true;
        // What a file sets for all stanzas holds for the files after it, too, unless logrotate
        // finds an error in it.
        let before = self.global.clone();
        let refused = self.refused(path);
        self.global.ignored = refused.clone().or_else(|| before.ignored.clone());
        let failed = (self.parse)(self, path, &bytes);
        if refused.is_some() || failed {
            self.global = before;
        }
        failed && refused.is_none()
    }

    /// `include PATH`, at the top level or within a stanza.
    pub fn include(
        &mut self,
        file: &Arc<Path>,
        line: usize,
        path: &[u8],
        inside: Option<usize>,
    ) -> bool {
        let target = match path.strip_prefix(b"~/") {
            Some(rest) => Path::new("/root").join(OsStr::from_bytes(rest)),
            None => self.cwd.join(OsStr::from_bytes(path)),
        };
        let source = Source::new(file, line);
        if self.depth >= DEPTH {
            let message = format!("includes go deeper than {DEPTH}");
            self.reading
                .errors
                .push(Error::at(Kind::Loop, &source, message));
            return true;
        }
        if self.files.stat(&target).is_err() {
            let message = format!("includes {}: no such file", target.display());
            self.reading
                .errors
                .push(Error::at(Kind::Missing, &source, message));
            return true;
        }
        self.depth += 1;
        // Within a stanza the stanza is what the included file's directives are for.
        let stanza = inside.and_then(|at| self.reading.stanzas.get(at).cloned());
        let outer = stanza.map(|stanza| std::mem::replace(&mut self.global, stanza));
        let failed = self.path(&target);
        if let (Some(outer), Some(at)) = (outer, inside) {
            let stanza = std::mem::replace(&mut self.global, outer);
            if let Some(place) = self.reading.stanzas.get_mut(at) {
                *place = stanza;
            }
            if failed {
                self.cut_at(at);
            }
        }
        self.depth -= 1;
        failed
    }

    /// logrotate, run as root, ignores what others could have written.
    fn refused(&self, path: &Path) -> Option<String> {
        let stat = self.files.stat(path).ok()?;
        if stat.st_mode & 0o022 != 0 {
            return Some(format!(
                "its mode is {:04o}: its group or others can write it",
                stat.st_mode & 0o7777
            ));
        }
        (stat.st_uid != 0).then(|| "its owner is not root".to_owned())
    }

    /// Begins a stanza for these names: its place in the list, and whether one of its files is
    /// taken already.
    pub fn open(&mut self, names: &[Vec<u8>], source: Source, opened: usize) -> (usize, bool) {
        let patterns: Vec<PathBuf> = names.iter().map(|name| path_of(name)).collect();
        let index = self.reading.stanzas.len();
        self.queue.push(index);
        self.reading.stanzas.push(Stanza {
            compiled: compile(&patterns),
            source,
            opened,
            closed: None,
            ..self.global.clone()
        });
        let mut failed = false;
        if self.cut {
            self.forget(index, None);
        } else if self.global.ignored.is_none() {
            for pattern in &patterns {
                failed |= self.claim(index, pattern);
            }
        }
        if let Some(stanza) = self.reading.stanzas.get_mut(index) {
            stanza.patterns = patterns;
        }
        (index, failed)
    }

    /// Gives each file of a pattern to the stanza. A pattern that meets a file which a stanza has
    /// is cut off there.
    fn claim(&mut self, index: usize, pattern: &Path) -> bool {
        let mut duplicate: Option<PathBuf> = None;
        for path in expand(self.files, pattern) {
            match (&duplicate, self.reading.owners.entry(path.into_os_string())) {
                (Some(first), path) => {
                    self.reading
                        .dropped
                        .entry(path.key().clone())
                        .or_insert_with(|| (index, first.clone()));
                }
                (None, Entry::Occupied(path)) => {
                    let owner = self.reading.stanzas.get(*path.get());
                    if owner.is_some_and(|owner| !owner.ignore_duplicates) {
                        duplicate = Some(PathBuf::from(path.key()));
                    }
                }
                (None, Entry::Vacant(path)) => {
                    path.insert(index);
                }
            }
        }
        duplicate.is_some()
    }

    /// Forgets the last stanza of logrotate's list, which is not always the one with the error: a
    /// file that is included within a stanza has stanzas of its own. What it named is free for the
    /// next one.
    pub fn drop_last(&mut self, refusal: Option<&Refusal>) {
        let Some(index) = self.queue.pop() else {
            return;
        };
        self.forget(index, refusal);
    }

    /// The stanza loses its names, and logrotate no longer finds those behind it.
    fn cut_at(&mut self, index: usize) {
        let Some(place) = self.queue.iter().position(|queued| *queued == index) else {
            return;
        };
        let behind: Vec<usize> = self.queue[place..].to_vec();
        behind.iter().for_each(|queued| self.forget(*queued, None));
        self.cut |= self.queue.len() > place + 1;
    }

    fn forget(&mut self, index: usize, refusal: Option<&Refusal>) {
        self.reading.owners.retain(|_, owner| *owner != index);
        if let Some(stanza) = self.reading.stanzas.get_mut(index) {
            if stanza.refused.is_none() {
                stanza.refused = refusal.cloned().or_else(|| {
                    Some(Refusal {
                        source: stanza.source.clone(),
                        message: "an error in a file that is included within a stanza".to_owned(),
                        whole_file: false,
                        mend: None,
                    })
                });
            }
        }
    }

    /// Why the closing brace of a stanza with `olddir` is an error.
    pub fn old_dir(&self, index: usize) -> Option<(String, Mend)> {
        let stanza = self.reading.stanzas.get(index)?;
        let old = stanza.old_dir.as_ref()?;
        let mut files: Vec<&OsString> = self
            .reading
            .owners
            .iter()
            .filter(|(_, owner)| **owner == index)
            .map(|(file, _)| file)
            .collect();
        files.sort();
        for file in files {
            let dir = Path::new(file).parent().unwrap_or(Path::new("/"));
            let Ok(logs) = self.files.stat(dir) else {
                if stanza.missing_ok {
                    continue;
                }
                let message = format!("error verifying log file path {}", dir.display());
                return Some((message, Mend::Directory(dir.to_path_buf())));
            };
            let old = dir.join(old);
            let Ok(olds) = self.files.stat(&old) else {
                if stanza.create_old_dir {
                    continue;
                }
                let message = format!(
                    "error verifying olddir path {}: No such file or directory",
                    old.display()
                );
                return Some((message, Mend::Directory(old)));
            };
            if logs.st_dev != olds.st_dev
                && !(stanza.copy_truncate || stanza.copy || stanza.rename_copy)
            {
                let message = format!(
                    "olddir {} and log file {} are on different devices",
                    old.display(),
                    Path::new(file).display()
                );
                return Some((message, Mend::CopyTruncate));
            }
        }
        None
    }

    pub fn error(&mut self, refusal: &Refusal) {
        let error = Error::at(Kind::Syntax, &refusal.source, refusal.message.clone());
        if self.global.ignored.is_none() && !self.reading.errors.contains(&error) {
            self.reading.errors.push(error);
        }
    }

    pub fn set_taboo(&mut self, endings: bool, value: &[u8]) {
        let (added, list) = value
            .strip_prefix(b"+")
            .map_or((false, value), |rest| (true, rest.trim_ascii_start()));
        if !added {
            self.taboo.clear();
        }
        let words = list
            .split(|byte| byte.is_ascii_whitespace() || *byte == b',')
            .filter(|word| !word.is_empty());
        self.taboo.extend(words.map(|word| {
            if endings {
                [b"*", word].concat()
            } else {
                word.to_vec()
            }
        }));
    }
}

/// The files a pattern stands for; if there are none it stands for itself (`GLOB_NOCHECK`).
fn expand(files: &Files, pattern: &Path) -> Vec<PathBuf> {
    let found = if conf::pattern::is_pattern(pattern.as_os_str().as_bytes()) {
        files.glob(pattern)
    } else {
        Vec::new()
    };
    if found.is_empty() {
        vec![pattern.to_path_buf()]
    } else {
        found
    }
}
