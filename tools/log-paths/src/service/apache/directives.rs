//! Apache's configuration files: lines, continuations, quotations, variables, includes, and the
//! sections that may leave lines out.

use super::macros::Macro;
use crate::site::{Site, normal};
use conf::files::{DEPTH, MOST};
use conf::{Error, Kind, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directive that names a log.
#[derive(Clone, Debug)]
pub struct Directive {
    /// In lower case.
    pub name: &'static str,
    /// The log.
    pub value: Vec<u8>,
    /// `env=` or `expr=` decides for each request.
    pub conditional: bool,
    /// The virtual host, by a number of its own; `None` in the main server.
    pub host: Option<usize>,
    /// A variable without a value.
    pub unresolved: Option<String>,
    pub source: Source,
}

const LOGS: &[&str] = &[
    "errorlog",
    "customlog",
    "transferlog",
    "globallog",
    "forensiclog",
    "secauditlog",
    "secauditlog2",
    "secdebuglog",
];

/// One reading of a server's files.
pub struct Walk<'a> {
    site: &'a Site,
    /// ServerRoot.
    pub root: PathBuf,
    /// The variables of the environment and of `Define`.
    variables: BTreeMap<Vec<u8>, Vec<u8>>,
    defined: BTreeSet<Vec<u8>>,
    modules: BTreeSet<Vec<u8>>,
    stack: Vec<PathBuf>,
    files: usize,
    macros: BTreeMap<Vec<u8>, Macro>,
    /// Apache's own version.
    version: String,
    /// The macro whose body is being read.
    defining: Option<(Vec<u8>, Macro)>,
    /// The macros whose bodies are being put in.
    using: Vec<Vec<u8>>,
    uses: usize,
    /// The logs, in order.
    pub found: Vec<Directive>,
    /// `User`.
    pub user: Option<String>,
    /// `PidFile`.
    pub pid_file: Option<Vec<u8>>,
    /// How many virtual hosts were opened.
    hosts: usize,
    /// What could not be read.
    pub faults: Vec<Error>,
}

/// A section that is open: what it is called, whether its lines count, and whether it is a virtual
/// host.
struct Section {
    name: Vec<u8>,
    counts: bool,
    host: Option<usize>,
}

impl<'a> Walk<'a> {
    pub fn new(
        site: &'a Site,
        root: PathBuf,
        variables: BTreeMap<Vec<u8>, Vec<u8>>,
        defines: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            site,
            root,
            variables,
            defined: defines.into_iter().collect(),
            modules: BTreeSet::new(),
            stack: Vec::new(),
            files: 0,
            macros: BTreeMap::new(),
            version: version(site),
            defining: None,
            using: Vec::new(),
            uses: 0,
            found: Vec::new(),
            user: None,
            pid_file: None,
            hosts: 0,
            faults: Vec::new(),
        }
    }

    /// Directives of the command line.
    pub fn lines(&mut self, option: &[u8], lines: &[Vec<u8>]) {
        let file: Arc<Path> = Arc::from(Path::new(OsStr::from_bytes(option)));
        for line in lines {
            self.line(line.trim_ascii(), Source::new(&file, 0), &mut Vec::new(), 0);
        }
    }

    /// Reads a file; `host` is the virtual host around it, 0 where there is none.
    pub fn file(&mut self, path: &Path, from: Option<&Source>, hosts: usize) {
        self.files += 1;
        let looped = self.stack.iter().any(|open| open == path);
        if self.stack.len() >= DEPTH || looped || self.files > MOST {
            let names: Vec<String> = self
                .stack
                .iter()
                .map(PathBuf::as_path)
                .chain([path])
                .map(|file| file.display().to_string())
                .collect();
            let source = from
                .cloned()
                .unwrap_or_else(|| Source::new(&Arc::from(path), 0));
            self.faults.push(Error::at(
                Kind::Loop,
                &source,
                format!(
                    "a file includes itself, or includes go too deep: {}",
                    names.join(" > ")
                ),
            ));
            return;
        }
        let bytes = match self.site.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let error = from.map_or(error.clone(), |from| {
                    Error::at(error.kind, from, format!("includes {error}"))
                });
                return self.faults.push(error);
            }
        };
        self.stack.push(path.to_path_buf());
        let name: Arc<Path> = Arc::from(path);
        let mut sections: Vec<Section> = Vec::new();
        for (number, line) in lines(&bytes) {
            let source = Source::new(&name, number);
            self.line(&line, source, &mut sections, hosts);
        }
        let open = sections
            .last()
            .map(|open| String::from_utf8_lossy(&open.name).into_owned());
        if let Some(name) = self.defining.take().map(|_| "macro".to_owned()).or(open) {
            let message = format!("<{name}> is not closed");
            self.faults.push(Error::new(Kind::Syntax, path, 0, message));
        }
        self.stack.pop();
    }

    fn line(&mut self, line: &[u8], source: Source, sections: &mut Vec<Section>, hosts: usize) {
        if let Some((name, mut defined)) = self.defining.take() {
            if defined.ends_with(line, source) {
                self.macros.insert(name, defined);
            } else {
                self.defining = Some((name, defined));
            }
            return;
        }
        if let Some(closed) = line.strip_prefix(b"</") {
            let name = closed
                .split(|byte| *byte == b'>')
                .next()
                .unwrap_or_default()
                .trim_ascii()
                .to_ascii_lowercase();
            if sections.last().is_some_and(|open| open.name == name) {
                sections.pop();
            }
            return;
        }
        let counts = sections.iter().all(|section| section.counts);
        if let Some(opened) = line.strip_prefix(b"<") {
            let opened = opened.strip_suffix(b">").unwrap_or(opened);
            let words = words(opened);
            let name = words
                .first()
                .map(|word| word.to_ascii_lowercase())
                .unwrap_or_default();
            if counts && name == b"macro" {
                let called = words
                    .get(1)
                    .map(|word| word.to_ascii_lowercase())
                    .unwrap_or_default();
                self.defining = Some((
                    called,
                    Macro::new(source, words.get(2..).unwrap_or_default()),
                ));
                return;
            }
            let counts = !counts
                || if name == b"ifversion" {
                    self.version_fits(words.get(1..).unwrap_or_default())
                } else {
                    self.applies(&name, words.get(1).map_or(b"", |word| word))
                };
            let host = (name == b"virtualhost").then(|| {
                self.hosts += 1;
                self.hosts
            });
            sections.push(Section { host, name, counts });
            return;
        }
        let is_use = line
            .get(..3)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"use"));
        if counts && is_use && line.get(3).is_none_or(u8::is_ascii_whitespace) {
            self.put_in(&line[3..], &source, sections, hosts);
        } else if counts {
            let inner = sections.iter().rev().find_map(|section| section.host);
            self.directive(line, source, inner.unwrap_or(hosts));
        }
    }

    /// `Use NAME VALUES…`: the macro's lines, as if they stood here; a section that they open may
    /// be closed by later lines.
    fn put_in(&mut self, line: &[u8], source: &Source, sections: &mut Vec<Section>, hosts: usize) {
        let words = words(&self.expand(line).0);
        let name = words
            .first()
            .map(|word| word.to_ascii_lowercase())
            .unwrap_or_default();
        let shown = String::from_utf8_lossy(&name).into_owned();
        self.uses += 1;
        if self.using.contains(&name) || self.using.len() >= DEPTH || self.uses > MOST {
            let message = format!("the macro {shown} uses itself, or macros are used too often");
            return self.faults.push(Error::at(Kind::Loop, source, message));
        }
        let Some(defined) = self.macros.get(&name) else {
            let message = format!("Use {shown}: there is no such macro here");
            return self.faults.push(Error::at(Kind::Syntax, source, message));
        };
        let Some(lines) = defined.with(words.get(1..).unwrap_or_default()) else {
            let message = format!(
                "Use {shown}: other arguments than the macro at {} has",
                defined.source
            );
            return self.faults.push(Error::at(Kind::Syntax, source, message));
        };
        self.using.push(name);
        for (source, line) in lines {
            self.line(&line, source, sections, hosts);
        }
        self.using.pop();
    }

    /// Do the lines of a section count? Only what is decided when the files are read can leave them
    /// out.
    fn applies(&self, name: &[u8], argument: &[u8]) -> bool {
        let (negated, argument) = argument
            .strip_prefix(b"!")
            .map_or((false, argument), |rest| (true, rest));
        let holds = match name {
            b"ifdefine" => self.defined.contains(argument),
            b"ifmodule" => self.has_module(argument),
            b"iffile" => {
                let (path, _) = self.expand(argument);
                self.site
                    .files
                    .stat(&normal(&self.root.join(OsStr::from_bytes(&path))))
                    .is_ok()
            }
            _ => return true,
        };
        holds != negated
    }

    /// A module by its name or by its source file; those that every Debian build has inside are
    /// known.
    fn has_module(&self, name: &[u8]) -> bool {
        const INSIDE: &[&str] = &[
            "core.c",
            "mod_so.c",
            "http_core.c",
            "mod_log_config.c",
            "mod_logio.c",
            "mod_unixd.c",
            "mod_version.c",
            "mod_watchdog.c",
            "log_config_module",
        ];
        // The processing models and util_ldap are called otherwise than their source files.
        let as_module = match name {
            b"event.c" => Some(b"mpm_event_module".to_vec()),
            b"worker.c" => Some(b"mpm_worker_module".to_vec()),
            b"prefork.c" => Some(b"mpm_prefork_module".to_vec()),
            b"util_ldap.c" => Some(b"ldap_module".to_vec()),
            name if name.starts_with(b"mod_mpm_") || name == b"mod_ldap.c" => None,
            name => name
                .strip_prefix(b"mod_")
                .and_then(|rest| rest.strip_suffix(b".c"))
                .map(|stem| [stem, b"_module"].concat()),
        };
        INSIDE.iter().any(|inside| inside.as_bytes() == name)
            || self.modules.contains(name)
            || as_module.is_some_and(|module| self.modules.contains(&module))
    }

    fn directive(&mut self, line: &[u8], source: Source, hosts: usize) {
        let (line, unresolved) = self.expand(line);
        let words = words(&line);
        let name = words
            .first()
            .map(|word| String::from_utf8_lossy(word).to_lowercase())
            .unwrap_or_default();
        let Some(value) = words.get(1).cloned() else {
            return;
        };
        match name.as_str() {
            "define" => {
                self.variables
                    .insert(value.clone(), words.get(2).cloned().unwrap_or_default());
                self.defined.insert(value);
            }
            "undefine" => {
                self.defined.remove(&value);
                self.variables.remove(&value);
            }
            "undefmacro" => drop(self.macros.remove(&value.to_ascii_lowercase())),
            "serverroot" => self.root = normal(&self.root.join(OsStr::from_bytes(&value))),
            "loadmodule" => drop(self.modules.insert(value)),
            "pidfile" => self.pid_file = Some(value),
            "user" => self.user = Some(String::from_utf8_lossy(&value).into_owned()),
            "include" => self.include(&value, &source, hosts, true),
            "includeoptional" => self.include(&value, &source, hosts, false),
            name => {
                if let Some(name) = LOGS.iter().find(|log| **log == name) {
                    let conditional = words
                        .iter()
                        .skip(2)
                        .any(|word| word.starts_with(b"env=") || word.starts_with(b"expr="));
                    self.found.push(Directive {
                        name,
                        value,
                        conditional,
                        host: (hosts > 0).then_some(hosts),
                        unresolved,
                        source,
                    });
                }
            }
        }
    }

    /// A directory stands for every file below it; a pattern that matches nothing is an error
    /// unless it is optional.
    fn include(&mut self, value: &[u8], source: &Source, hosts: usize, required: bool) {
        let path = self.root.join(OsStr::from_bytes(value));
        let mut matched = self.site.files.glob(&path);
        let is_dir = |site: &Site, path: &Path| {
            site.files
                .stat(path)
                .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000)
        };
        let mut found = Vec::new();
        for path in matched {
            self.descend(&path, 0, &mut found);
        }
        matched = found;
        if matched.is_empty() && required {
            let message = format!("includes {}: no such file", path.display());
            self.faults.push(Error::at(Kind::Missing, source, message));
        }
        for file in matched {
            if !is_dir(self.site, &file) {
                self.file(&file, Some(source), hosts);
            }
        }
    }

    /// A directory stands for every file below it, in the order of their names.
    fn descend(&self, path: &Path, depth: usize, found: &mut Vec<PathBuf>) {
        let is_dir = self
            .site
            .files
            .stat(path)
            .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000);
        if !is_dir || depth >= DEPTH || found.len() > MOST {
            return found.push(path.to_path_buf());
        }
        for name in self.site.files.list(path).unwrap_or_default() {
            self.descend(&path.join(name), depth + 1, found);
        }
    }

    /// `<IfVersion >= 2.4>`: as mod_version compares; a pattern in slashes or after `~` counts as
    /// true, since it is not read here.
    fn version_fits(&self, words: &[Vec<u8>]) -> bool {
        let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
        let (operator, wanted) = match words {
            [wanted] => ("=".to_owned(), text(wanted)),
            [operator, wanted, ..] => (text(operator), text(wanted)),
            [] => return true,
        };
        let (negated, operator) = match operator.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, operator.as_str()),
        };
        let number = |text: &str| -> Option<[u32; 3]> {
            let mut parts = [0; 3];
            for (at, part) in text.split('.').enumerate() {
                *parts.get_mut(at)? = part.parse().ok()?;
            }
            Some(parts)
        };
        let (Some(own), Some(wanted)) = (number(&self.version), number(&wanted)) else {
            return true;
        };
        let holds = match operator {
            "=" | "==" => own == wanted,
            ">" => own > wanted,
            ">=" => own >= wanted,
            "<" => own < wanted,
            "<=" => own <= wanted,
            _ => return true,
        };
        holds != negated
    }

    /// `${NAME}`; one without a value stays as it is, and is named.
    fn expand(&self, text: &[u8]) -> (Vec<u8>, Option<String>) {
        let mut out = Vec::with_capacity(text.len());
        let mut unresolved = None;
        let mut rest = text;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"${") {
            out.extend_from_slice(&rest[..at]);
            let name = &rest[at + 2..];
            let Some(end) = name.iter().position(|byte| *byte == b'}') else {
                rest = &rest[at..];
                break;
            };
            match self.variables.get(&name[..end]) {
                Some(value) if out.len() + value.len() <= LONGEST => out.extend_from_slice(value),
                _ => {
                    unresolved =
                        Some(String::from_utf8_lossy(&rest[at..at + 3 + end]).into_owned());
                    out.extend_from_slice(&rest[at..at + 3 + end]);
                }
            }
            rest = &name[end + 1..];
        }
        out.extend_from_slice(rest);
        (out, unresolved)
    }
}

/// The longest word that comes of filling in variables, in bytes.
const LONGEST: usize = 16 << 10;

/// The version of the installed program, from its own text; 2.4 where it is not found.
fn version(site: &Site) -> String {
    const PROGRAMS: &[&str] = &[
        "/usr/sbin/apache2",
        "/usr/sbin/httpd",
        "/usr/local/apache2/bin/httpd",
    ];
    const MARK: &[u8] = b"Apache/";
    let program = site
        .first(PROGRAMS)
        .and_then(|program| site.files.read(&program).ok());
    let bytes = program.unwrap_or_default();
    let mut rest = bytes.as_slice();
    while let Some(at) = crate::site::find(rest, MARK) {
        rest = &rest[at + MARK.len()..];
        let width = rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .count();
        let text = String::from_utf8_lossy(&rest[..width]);
        if text.split('.').count() == 3 {
            return text.into_owned();
        }
    }
    "2.4".to_owned()
}

/// Lines with continuations joined, without comments and blanks, with the number each begins on.
fn lines(bytes: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut lines: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut open = false;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (text, more) = line
            .strip_suffix(b"\\")
            .map_or((line, false), |text| (text, true));
        match lines.last_mut() {
            Some((_, last)) if open => last.extend_from_slice(text),
            _ => lines.push((index + 1, text.trim_ascii_start().to_vec())),
        }
        open = more;
    }
    lines.retain_mut(|(_, line)| {
        *line = line.trim_ascii().to_vec();
        !line.is_empty() && !line.starts_with(b"#")
    });
    lines
}

/// Words as `ap_getword_conf` cuts them: quotations of either kind, and a backslash before the
/// mark.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while let Some(first) = rest.first().copied() {
        let mut word = Vec::new();
        let mut at = 0;
        if matches!(first, b'"' | b'\'') {
            at = 1;
            while let Some(byte) = rest.get(at).copied().filter(|byte| *byte != first) {
                let escaped = byte == b'\\'
                    && rest
                        .get(at + 1)
                        .is_some_and(|next| *next == first || *next == b'\\');
                at += usize::from(escaped);
                word.extend(rest.get(at));
                at += 1;
            }
            at += 1;
        } else {
            while let Some(byte) = rest.get(at).filter(|byte| !byte.is_ascii_whitespace()) {
                word.push(*byte);
                at += 1;
            }
        }
        words.push(word);
        rest = rest.get(at..).unwrap_or_default().trim_ascii_start();
    }
    words
}
