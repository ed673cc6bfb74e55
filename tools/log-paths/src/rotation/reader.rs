//! logrotate's configuration language: global directives, stanzas, scripts passed over, and which included files count.

use conf::files::{DEPTH, Files};
use conf::pattern::Pattern;
use conf::{Error, Kind, Source, pattern};
use std::ffi::OsStr;
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
    /// `ignoreduplicates`.
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

const SCRIPTS: &[&[u8]] = &[b"prerotate", b"postrotate", b"firstaction", b"lastaction", b"preremove"];

/// All that was read.
pub struct Reading {
    pub stanzas: Vec<Stanza>,
    pub errors: Vec<Error>,
    pub found: bool,
}

struct Reader<'a> {
    files: &'a Files,
    reading: Reading,
    taboo: Vec<Vec<u8>>,
    global: Stanza,
    depth: usize,
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
    let taboo = TABOO.iter().map(|ending| format!("*{ending}").into_bytes()).collect();
    let reading = Reading { stanzas: Vec::new(), errors: Vec::new(), found: false };
    let mut reader = Reader { files, reading, taboo, global, depth: 0 };
    if files.stat(main).is_ok() {
        reader.path(main);
    }
    reader.reading
}

impl Reader<'_> {
    fn path(&mut self, path: &Path) {
        if self.depth >= DEPTH {
            let message = format!("includes go deeper than {DEPTH}");
            return self.reading.errors.push(Error::new(Kind::Loop, path, 0, message));
        }
        let is_dir = self.files.stat(path).is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000);
        if !is_dir {
            return self.file(path);
        }
        let names = self.files.list(path).unwrap_or_default();
        for name in names {
            let taboo = self.taboo.iter().any(|taboo| pattern::fnmatch(taboo, name.as_bytes()));
            let file = path.join(&name);
            let regular = self.files.stat(&file).is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o100_000);
            if !taboo && regular {
                self.file(&file);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.reading.errors.push(error),
        };
        self.reading.found = true;
        self.depth += 1;
        // Directives that a file sets for all stanzas end with the file; those of the main file reach into its includes.
        let before = self.global.clone();
        self.global.ignored = self.refused(path).or_else(|| before.ignored.clone());
        self.statements(path, &bytes);
        self.global = before;
        self.depth -= 1;
    }

    /// logrotate, run as root, ignores what others could have written.
    fn refused(&self, path: &Path) -> Option<String> {
        let stat = self.files.stat(path).ok()?;
        if stat.st_uid != 0 {
            return Some("its owner is not root".to_owned());
        }
        (stat.st_mode & 0o022 != 0).then(|| format!("its mode is {:04o}: its group or others can write it", stat.st_mode & 0o7777))
    }

    fn statements(&mut self, path: &Path, bytes: &[u8]) {
        let file: Arc<Path> = Arc::from(path);
        let mut inside: Option<Stanza> = None;
        let mut names: Option<(Vec<Vec<u8>>, usize)> = None;
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
                    let (patterns, at) = names.take().unwrap_or((Vec::new(), number));
                    let patterns: Vec<PathBuf> = patterns.iter().map(|name| PathBuf::from(OsStr::from_bytes(name))).collect();
                    let compile = |pattern: &PathBuf| super::components(pattern).into_iter().map(Pattern::new).collect();
                    let compiled = patterns.iter().map(compile).collect();
                    inside = Some(Stanza { patterns, compiled, source: Source::new(&file, at), ..self.global.clone() });
                    rest = after.trim_ascii_start();
                } else if let Some(stanza) = &mut inside {
                    let (directive, after) = until_brace(rest);
                    if SCRIPTS.contains(&directive.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default()) {
                        script = Some(number);
                        break;
                    }
                    apply(stanza, directive);
                    rest = after;
                } else if names.is_some() || matches!(rest[0], b'/' | b'"' | b'\'' | b'~') {
                    let (words, after) = file_names(rest);
                    names.get_or_insert_with(|| (Vec::new(), number)).0.extend(words);
                    rest = after;
                } else {
                    self.directive(path, rest);
                    break;
                }
            }
        }
        if let Some(line) = script {
            // The whole file's remainder is lost to logrotate, and so is a stanza that is not closed.
            self.reading.errors.push(Error::new(Kind::Syntax, path, line, "a script without endscript"));
        }
    }

    fn directive(&mut self, path: &Path, line: &[u8]) {
        let (name, value) = split(line);
        match name {
            b"include" => {
                let target = path.parent().unwrap_or(Path::new("/")).join(OsStr::from_bytes(value));
                if self.files.stat(&target).is_ok() {
                    self.path(&target);
                } else {
                    let message = format!("includes {}: no such file", target.display());
                    self.reading.errors.push(Error::new(Kind::Missing, path, 0, message));
                }
            }
            b"tabooext" | b"taboopat" => self.set_taboo(name, value),
            _ => apply(&mut self.global, line),
        }
    }

    fn set_taboo(&mut self, name: &[u8], value: &[u8]) {
        let (added, list) = value.strip_prefix(b"+").map_or((false, value), |rest| (true, rest.trim_ascii_start()));
        if !added {
            self.taboo.clear();
        }
        let words = list.split(|byte| byte.is_ascii_whitespace() || *byte == b',').filter(|word| !word.is_empty());
        self.taboo.extend(words.map(|word| if name == b"tabooext" { [b"*", word].concat() } else { word.to_vec() }));
    }
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'=').unwrap_or(line.len());
    let value = line[end..].trim_ascii();
    (&line[..end], value.strip_prefix(b"=").map_or(value, <[u8]>::trim_ascii))
}

/// One directive within a stanza, up to the end of the line or the closing brace.
fn until_brace(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b'}' | b'#')).unwrap_or(line.len());
    (line[..end].trim_ascii_end(), &line[end..])
}

fn file_names(line: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
    let mut names = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.first() {
        let (name, after) = match first {
            b'{' | b'#' => break,
            b'"' | b'\'' => {
                let end = rest[1..].iter().position(|byte| byte == first).map_or(rest.len(), |end| end + 1);
                (&rest[1..end], rest.get(end + 1..).unwrap_or_default())
            }
            _ => {
                let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'{').unwrap_or(rest.len());
                (&rest[..end], &rest[end..])
            }
        };
        names.push(name.to_vec());
        rest = after.trim_ascii_start();
    }
    (names, rest)
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
            let mode = words.first().and_then(|word| u32::from_str_radix(word, 8).ok());
            let names = &words[usize::from(mode.is_some())..];
            let text = words.join(" ");
            stanza.create = Some(Create { mode, owner: names.first().cloned(), group: names.get(1).cloned(), text });
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
