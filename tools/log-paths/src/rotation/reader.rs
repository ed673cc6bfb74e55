//! logrotate's configuration language: global directives, stanzas, scripts passed over, and which included files count.

use conf::files::{DEPTH, Files};
use conf::pattern::Pattern;
use conf::{Error, Kind, Source, pattern};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `create [MODE [OWNER [GROUP]]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// The mode; the old file's unless given.
    pub mode: Option<u32>,
    /// The owner; the old file's unless given.
    pub owner: Option<String>,
    /// The group; the old file's unless given.
    pub group: Option<String>,
    /// As written.
    pub text: String,
}

/// What matters of one `patterns { … }`, the global directives before it included.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// The patterns, in order.
    pub patterns: Vec<PathBuf>,
    /// The same, ready to match, a component each.
    pub compiled: Arc<[Vec<Pattern>]>,
    /// Where it starts.
    pub source: Source,
    /// `create`; `None` after `nocreate`.
    pub create: Option<Create>,
    /// `su USER GROUP`.
    pub su: Option<(String, String)>,
    /// `copytruncate`.
    pub copy_truncate: bool,
    /// `allowhardlink`.
    pub allow_hard_links: bool,
    /// `ignoreduplicates`: stanzas after this one may name its files again.
    pub ignore_duplicates: bool,
    /// Why logrotate ignores the file it stands in.
    pub ignored: Option<String>,
}

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

const SCRIPTS: &[&[u8]] = &[
    b"prerotate",
    b"postrotate",
    b"firstaction",
    b"lastaction",
    b"preremove",
];

/// All that was read.
#[derive(Default)]
pub struct Reading {
    pub stanzas: Vec<Stanza>,
    /// Which stanza has a file.
    pub owners: HashMap<OsString, usize>,
    /// Files that a stanza would have, had it not met the other one before them.
    pub dropped: HashMap<OsString, (usize, PathBuf)>,
    pub errors: Vec<Error>,
    pub found: bool,
}

struct Reader<'a> {
    files: &'a Files,
    reading: Reading,
    taboo: Vec<Vec<u8>>,
    global: Stanza,
    /// Has the file that is being read an error?
    failed: bool,
    depth: usize,
    /// What relative names are relative to: logrotate is started in `/`, and stands in a directory while it reads its files.
    cwd: PathBuf,
}

pub fn read(files: &Files, main: &Path) -> Reading {
    let global = Stanza {
        patterns: Vec::new(),
        compiled: Arc::new([]),
        source: Source::new(&Arc::from(main), 0),
        create: None,
        su: None,
        copy_truncate: false,
        allow_hard_links: false,
        ignore_duplicates: false,
        ignored: None,
    };
    let taboo = TABOO
        .iter()
        .map(|ending| format!("*{ending}").into_bytes())
        .collect();
    let mut reader = Reader {
        files,
        reading: Reading::default(),
        taboo,
        global,
        failed: false,
        depth: 0,
        cwd: PathBuf::from("/"),
    };
    if files.stat(main).is_ok() {
        reader.path(main);
    }
    reader.reading
}

impl Reader<'_> {
    fn path(&mut self, path: &Path) {
        if self.depth >= DEPTH {
            let message = format!("includes go deeper than {DEPTH}");
            return self
                .reading
                .errors
                .push(Error::new(Kind::Loop, path, 0, message));
        }
        let is_dir = self
            .files
            .stat(path)
            .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000);
        if !is_dir {
            return self.file(path);
        }
        let names = self.files.list(path).unwrap_or_default();
        let before = std::mem::replace(&mut self.cwd, path.to_path_buf());
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
                self.file(&file);
            }
        }
        self.cwd = before;
    }

    fn file(&mut self, path: &Path) {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.reading.errors.push(error),
        };
        self.reading.found = true;
        self.depth += 1;
        // What a file sets for all stanzas holds for the files after it, too, unless logrotate finds an error in it.
        let (before, failed) = (self.global.clone(), std::mem::take(&mut self.failed));
        let refused = self.refused(path);
        self.global.ignored = refused.clone().or_else(|| before.ignored.clone());
        self.statements(path, &bytes);
        if refused.is_some() || self.failed {
            self.global = before;
        }
        self.failed = failed;
        self.depth -= 1;
    }

    /// logrotate, run as root, ignores what others could have written.
    fn refused(&self, path: &Path) -> Option<String> {
        let stat = self.files.stat(path).ok()?;
        if stat.st_uid != 0 {
            return Some("its owner is not root".to_owned());
        }
        (stat.st_mode & 0o022 != 0).then(|| {
            format!(
                "its mode is {:04o}: its group or others can write it",
                stat.st_mode & 0o7777
            )
        })
    }

    fn statements(&mut self, path: &Path, bytes: &[u8]) {
        let file: Arc<Path> = Arc::from(path);
        let mut inside: Option<Stanza> = None;
        let mut names: Option<(Vec<u8>, usize)> = None;
        let mut script: Option<usize> = None;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let mut rest = line.trim_ascii();
            if script.is_some() {
                if rest.starts_with(b"endscript") {
                    script = None;
                }
                continue;
            }
            while !rest.is_empty() && !rest.starts_with(b"#") {
                if let Some(after) = rest.strip_prefix(b"}") {
                    self.reading.stanzas.extend(inside.take());
                    rest = after.trim_ascii_start();
                } else if let Some(after) = rest.strip_prefix(b"{") {
                    let (text, at) = names.take().unwrap_or((Vec::new(), number));
                    let patterns: Vec<PathBuf> = words(&text)
                        .iter()
                        .map(|name| PathBuf::from(OsStr::from_bytes(name)))
                        .collect();
                    let compile = |pattern: &PathBuf| {
                        super::components(pattern)
                            .into_iter()
                            .map(Pattern::new)
                            .collect()
                    };
                    let compiled = patterns.iter().map(compile).collect();
                    inside = Some(Stanza {
                        patterns,
                        compiled,
                        source: Source::new(&file, at),
                        ..self.global.clone()
                    });
                    inside.iter().for_each(|stanza| self.claim(stanza));
                    rest = after.trim_ascii_start();
                } else if let Some(stanza) = &mut inside {
                    let (directive, after) = until_brace(rest);
                    if SCRIPTS.contains(
                        &directive
                            .split(|byte| byte.is_ascii_whitespace())
                            .next()
                            .unwrap_or_default(),
                    ) {
                        script = Some(number);
                        break;
                    }
                    apply(stanza, directive);
                    rest = after;
                } else if names.is_some() || matches!(rest[0], b'/' | b'"' | b'\'' | b'~') {
                    let end = rest
                        .iter()
                        .position(|byte| matches!(byte, b'{' | b'}'))
                        .unwrap_or(rest.len());
                    let (text, _) = names.get_or_insert_with(|| (Vec::new(), number));
                    text.extend_from_slice(&rest[..end]);
                    text.push(b'\n');
                    rest = &rest[end..];
                } else {
                    self.directive(path, rest);
                    break;
                }
            }
        }
        if inside.is_some() {
            self.failed = true;
            let lost = self.reading.stanzas.len();
            self.reading.owners.retain(|_, owner| *owner != lost);
        }
        if let Some(line) = script {
            // The whole file's remainder is lost to logrotate, and so is a stanza that is not closed.
            self.reading.errors.push(Error::new(
                Kind::Syntax,
                path,
                line,
                "a script without endscript",
            ));
        }
    }

    /// Gives each file to the first stanza that names it. A pattern that meets a file which a stanza has is cut off there.
    fn claim(&mut self, stanza: &Stanza) {
        let index = self.reading.stanzas.len();
        for pattern in stanza.patterns.iter().filter(|_| stanza.ignored.is_none()) {
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
                        // The stanza's own directives come after its names.
                        let ignored = owner.map_or(self.global.ignore_duplicates, |owner| {
                            owner.ignore_duplicates
                        });
                        duplicate = (!ignored).then(|| PathBuf::from(path.key()));
                    }
                    (None, Entry::Vacant(path)) => {
                        path.insert(index);
                    }
                }
            }
            self.failed |= duplicate.is_some();
        }
    }

    fn directive(&mut self, path: &Path, line: &[u8]) {
        let (name, value) = split(line);
        match name {
            b"include" => {
                let target = self.cwd.join(OsStr::from_bytes(value));
                if self.files.stat(&target).is_ok() {
                    self.path(&target);
                } else {
                    let message = format!("includes {}: no such file", target.display());
                    self.reading
                        .errors
                        .push(Error::new(Kind::Missing, path, 0, message));
                }
            }
            b"tabooext" | b"taboopat" => self.set_taboo(name, value),
            _ => apply(&mut self.global, line),
        }
    }

    fn set_taboo(&mut self, name: &[u8], value: &[u8]) {
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
            if name == b"tabooext" {
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

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == b'=')
        .unwrap_or(line.len());
    let value = line[end..].trim_ascii();
    (
        &line[..end],
        value.strip_prefix(b"=").map_or(value, <[u8]>::trim_ascii),
    )
}

/// One directive within a stanza, up to the end of the line or the closing brace.
fn until_brace(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line
        .iter()
        .position(|byte| matches!(byte, b'}' | b'#'))
        .unwrap_or(line.len());
    (line[..end].trim_ascii_end(), &line[end..])
}

/// The names before a brace, as `poptParseArgvString` cuts them: quotations anywhere in a word; outside them a backslash takes the next
/// byte as it is, inside it stays unless the mark follows.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut quote: Option<u8> = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        let Some(word) = words.last_mut() else { break };
        match (byte, quote) {
            (byte, Some(mark)) if byte == mark => quote = None,
            (b'\\', _) => {
                let Some(next) = bytes.next() else { break };
                if quote.is_some_and(|mark| mark != next) {
                    word.push(b'\\');
                }
                word.push(next);
            }
            (byte, Some(_)) => word.push(byte),
            (b'"' | b'\'', None) => quote = Some(byte),
            (b' ' | b'\t'..=b'\r', None) if word.is_empty() => {}
            (b' ' | b'\t'..=b'\r', None) => words.push(Vec::new()),
            (byte, None) => word.push(byte),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn apply(stanza: &mut Stanza, directive: &[u8]) {
    let (name, value) = split(directive);
    let words: Vec<String> = value
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    match name {
        b"create" => {
            // A first word that is no octal number is the owner.
            let mode = words
                .first()
                .and_then(|word| u32::from_str_radix(word, 8).ok());
            let names = &words[usize::from(mode.is_some())..];
            let text = words.join(" ");
            stanza.create = Some(Create {
                mode,
                owner: names.first().cloned(),
                group: names.get(1).cloned(),
                text,
            });
        }
        b"nocreate" => stanza.create = None,
        b"copytruncate" => stanza.copy_truncate = true,
        b"nocopytruncate" => stanza.copy_truncate = false,
        b"allowhardlink" => stanza.allow_hard_links = true,
        b"noallowhardlink" => stanza.allow_hard_links = false,
        b"ignoreduplicates" => stanza.ignore_duplicates = true,
        b"su" => {
            let user = words.first().cloned().unwrap_or_else(|| "root".to_owned());
            let group = words.get(1).cloned().unwrap_or_else(|| "root".to_owned());
            stanza.su = Some((user, group));
        }
        _ => {}
    }
}
