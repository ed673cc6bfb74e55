//! Looks for a program in a command line: behind wrappers, interpreters, shells and scripts, with
//! what they set.

use super::wrappers::{RUNNERS, WRAPPERS};
use crate::shell::{self, Variables, Word};
use crate::site::{Site, normal};
use conf::shlex;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How many wrappers, shells and scripts may stand around a program.
const DEPTH: usize = 8;

/// The program, with what it is given.
pub struct Found {
    /// The words after the program's name.
    pub arguments: Vec<Vec<u8>>,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Its environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Who runs it.
    pub user: Option<String>,
}

/// The first `${NAME}` that was left in a word, since it has no value.
#[must_use]
pub fn unresolved(word: &[u8]) -> Option<String> {
    let at = word
        .windows(2)
        .position(|pair| pair == b"${" || pair == b"$(")?;
    let close = if word[at + 1] == b'{' { b'}' } else { b')' };
    let width = word[at..].iter().position(|byte| *byte == close)?;
    Some(String::from_utf8_lossy(&word[at..=at + width]).into_owned())
}

/// A program that a distribution installs is no script of a site's.
pub fn is_system(path: &[u8]) -> bool {
    [
        &b"/usr/bin/"[..],
        b"/usr/sbin/",
        b"/bin/",
        b"/sbin/",
        b"/lib/",
        b"/usr/lib/",
        b"/usr/libexec/",
    ]
    .iter()
    .any(|dir| path.starts_with(dir))
}

/// Is one of these names a word of the text, with a directory before it or without?
pub fn mentions(text: &[u8], names: &[&str]) -> bool {
    let words = text.split(|byte| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b';' | b'|' | b'&' | b'(' | b')')
    });
    words
        .map(base)
        .any(|word| names.iter().any(|name| name.as_bytes() == word))
}

/// The search.
pub struct Finder<'a> {
    site: &'a Site,
    names: &'a [&'a str],
    cwd: PathBuf,
    /// The environment that what follows has.
    pub env: BTreeMap<OsString, OsString>,
    user: Option<String>,
    /// What was found.
    pub found: Vec<Found>,
    /// Did a script name the program?
    pub mentioned: bool,
}

impl<'a> Finder<'a> {
    /// For programs of these names, started in this directory.
    pub fn new(site: &'a Site, names: &'a [&'a str], cwd: PathBuf) -> Self {
        Self {
            site,
            names,
            cwd,
            env: BTreeMap::new(),
            user: None,
            found: Vec::new(),
            mentioned: false,
        }
    }

    /// A program and its words, behind as many wrappers as there are.
    pub fn argv(&mut self, argv: Vec<Vec<u8>>, depth: usize) {
        let Some(first) = argv.first().filter(|_| depth < DEPTH) else {
            return;
        };
        let name = String::from_utf8_lossy(base(first)).into_owned();
        if self.names.contains(&name.as_str()) {
            return self.add(&argv[1..]);
        }
        let rest = &argv[1..];
        if name.starts_with("python") || name.starts_with("pypy") {
            return self.python(rest);
        }
        if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.name == name) {
            let rest = after_options(rest, wrapper.valued);
            return self.argv(
                rest.get(wrapper.words..).unwrap_or_default().to_vec(),
                depth + 1,
            );
        }
        if let Some((_, word)) = RUNNERS.iter().find(|(runner, _)| *runner == name) {
            let at = rest.iter().position(|given| given == word.as_bytes());
            let rest = at.map_or(&[][..], |at| &rest[at + 1..]);
            let rest = after_options(rest, &["-n", "-p", "-f", "--with", "--python", "--project"]);
            return self.argv(rest.to_vec(), depth + 1);
        }
        match name.as_str() {
            "env" => self.env_words(rest, depth),
            "sudo" | "runuser" => {
                self.user = option(rest, &["-u", "--user"]).or(self.user.take());
                let rest =
                    after_options(rest, &["-u", "--user", "-g", "--group", "-D", "-h", "-p"]);
                self.argv(rest.to_vec(), depth + 1);
            }
            "su" => {
                self.user = rest
                    .iter()
                    .find(|word| !word.starts_with(b"-"))
                    .map(|word| String::from_utf8_lossy(word).into_owned());
                let at = rest
                    .iter()
                    .position(|word| word == b"-c" || word == b"--command");
                if let Some(text) = at.and_then(|at| rest.get(at + 1)) {
                    self.shell(&text.clone(), depth + 1);
                }
            }
            "start-stop-daemon" => {
                self.user = option(rest, &["--chuid", "-c"]).or(self.user.take());
                let program = ["--exec", "-x", "--startas", "-a"];
                let program = option(rest, &program).map(String::into_bytes);
                let at = rest.iter().position(|word| word == b"--");
                let words = at.map_or(&[][..], |at| &rest[at + 1..]);
                let whole = program.into_iter().chain(words.iter().cloned()).collect();
                self.argv(whole, depth + 1);
            }
            "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh" => self.shell_words(rest, depth),
            _ => self.script(&first.clone(), depth),
        }
    }

    fn add(&mut self, arguments: &[Vec<u8>]) {
        self.found.push(Found {
            arguments: arguments.to_vec(),
            cwd: self.cwd.clone(),
            env: self.env.clone(),
            user: self.user.clone(),
        });
    }

    /// `python -u -m gunicorn A`, `python3 /venv/bin/gunicorn A`.
    fn python(&mut self, words: &[Vec<u8>]) {
        let mut at = 0;
        while let Some(word) = words.get(at) {
            match word.as_slice() {
                b"-m" => {
                    let module = words
                        .get(at + 1)
                        .map(|word| String::from_utf8_lossy(word).into_owned());
                    if module.is_some_and(|module| self.names.contains(&module.as_str())) {
                        self.add(&words[at + 2..]);
                    }
                    return;
                }
                b"-W" | b"-X" => at += 2,
                [b'-', _, ..] => at += 1,
                script => {
                    let name = String::from_utf8_lossy(base(script)).into_owned();
                    if self.names.contains(&name.as_str()) {
                        self.add(&words[at + 1..]);
                    }
                    return;
                }
            }
        }
    }

    /// `env -u X NAME=value program`.
    fn env_words(&mut self, words: &[Vec<u8>], depth: usize) {
        let mut rest = after_options(words, &["-u", "--unset", "-C", "--chdir"]);
        while let Some((name, value)) = rest.first().and_then(|word| assignment(word)) {
            self.env.insert(name, value);
            rest = &rest[1..];
        }
        self.argv(rest.to_vec(), depth + 1);
    }

    /// `bash -lc 'text'`, `sh script`.
    fn shell_words(&mut self, words: &[Vec<u8>], depth: usize) {
        for (at, word) in words.iter().enumerate() {
            if word.starts_with(b"-") && !word.starts_with(b"--") && word.ends_with(b"c") {
                if let Some(text) = words.get(at + 1) {
                    self.shell(&text.clone(), depth + 1);
                }
                return;
            }
            if !word.starts_with(b"-") {
                return self.script(&word.clone(), depth);
            }
        }
    }

    /// A script of the site's: one that begins with a shell's name is read as the shell would.
    fn script(&mut self, name: &[u8], depth: usize) {
        if is_system(name) || unresolved(name).is_some() || depth + 1 >= DEPTH {
            return;
        }
        let path = self.cwd.join(OsStr::from_bytes(name));
        let small = |stat: rustix::fs::Stat| stat.st_size < 64 * 1024;
        if !name.contains(&b'/') || !self.site.files.stat(&path).is_ok_and(small) {
            return;
        }
        let Ok(text) = self.site.files.read(&path) else {
            return;
        };
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_shell = line.starts_with(b"#!")
            && [&b"sh"[..], b"bash", b"dash", b"ash", b"zsh"]
                .iter()
                .any(|shell| {
                    line[2..]
                        .split(|byte| matches!(byte, b' ' | b'/'))
                        .any(|word| word == *shell)
                });
        if is_shell {
            self.mentioned |= mentions(&text, self.names);
            self.shell(&text, depth + 1);
        }
    }

    /// A text of the shell: assignments, `cd` and `export` hold for what follows.
    pub fn shell(&mut self, text: &[u8], depth: usize) {
        if depth >= DEPTH {
            return;
        }
        for command in shell::commands(text) {
            let variables = self.variables();
            let value = |word: &Word| word.expand(&variables).unwrap_or_else(|_| word.source());
            let outer = self.env.clone();
            for (name, word) in &command.assignments {
                self.env
                    .insert(name.into(), OsString::from_vec(value(word)));
            }
            let words: Vec<Vec<u8>> = command.words.iter().map(value).collect();
            match words.first().map(|word| base(word)) {
                None => continue,
                Some(b"cd") => {
                    if let Some(dir) = words.get(1).filter(|dir| unresolved(dir).is_none()) {
                        self.cwd = normal(&self.cwd.join(OsStr::from_bytes(dir)));
                    }
                    continue;
                }
                Some(b"export") => {
                    let pairs = words.iter().skip(1).filter_map(|word| assignment(word));
                    self.env.extend(pairs);
                    continue;
                }
                Some(b"." | b"source") => continue,
                _ => {}
            }
            let (cwd, user) = (self.cwd.clone(), self.user.clone());
            self.argv(words, depth + 1);
            (self.cwd, self.user, self.env) = (cwd, user, outer);
        }
    }

    fn variables(&self) -> Variables {
        self.env
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect()
    }

    /// systemd.service(5): `${NAME}` within a word, `$NAME` as a word of its own that is cut at
    /// blanks; `$$` is a dollar sign.
    pub fn systemd(&self, words: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        for word in words {
            let name = word.strip_prefix(b"$").filter(|name| {
                !name.is_empty()
                    && name
                        .iter()
                        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            });
            match name.map(|name| (name, self.env.get(OsStr::from_bytes(name)))) {
                Some((_, Some(value))) => {
                    out.extend(shlex::split(value.as_bytes()).unwrap_or_default());
                }
                Some((name, None)) => out.push([b"${", name, b"}"].concat()),
                None => out.push(self.braces(&word)),
            }
        }
        out
    }

    fn braces(&self, word: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = word;
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
                continue;
            }
            let inner = rest.strip_prefix(b"{").and_then(|inner| {
                let end = inner.iter().position(|byte| *byte == b'}')?;
                Some((&inner[..end], &inner[end + 1..]))
            });
            match inner {
                Some((name, after)) => {
                    match self.env.get(OsStr::from_bytes(name)) {
                        Some(value) => out.extend_from_slice(value.as_bytes()),
                        None => out.extend([b"${", name, b"}"].concat()),
                    }
                    rest = after;
                }
                None => out.push(b'$'),
            }
        }
        out.extend_from_slice(rest);
        out
    }
}

/// What follows the options of a wrapper.
fn after_options<'w>(words: &'w [Vec<u8>], valued: &[&str]) -> &'w [Vec<u8>] {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == b"--" {
            return &words[at + 1..];
        }
        if !word.starts_with(b"-") || word.len() < 2 {
            break;
        }
        let takes = valued
            .iter()
            .any(|option| option.as_bytes() == word.as_slice());
        at += 1 + usize::from(takes);
    }
    words.get(at..).unwrap_or_default()
}

fn option(words: &[Vec<u8>], names: &[&str]) -> Option<String> {
    let argv: Vec<Vec<u8>> = std::iter::once(Vec::new())
        .chain(words.iter().cloned())
        .collect();
    crate::process::option(&argv, names).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn assignment(word: &[u8]) -> Option<(OsString, OsString)> {
    let at = word.iter().position(|byte| *byte == b'=')?;
    let name = &word[..at];
    let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_name.then(|| {
        (
            OsString::from_vec(name.to_vec()),
            OsString::from_vec(word[at + 1..].to_vec()),
        )
    })
}

/// A path's last part.
pub fn base(path: &[u8]) -> &[u8] {
    Path::new(OsStr::from_bytes(path))
        .file_name()
        .map_or(path, OsStrExt::as_bytes)
}
