//! uWSGI's options as one ordered list, whatever they are written in, with placeholders and
//! variables filled in afterwards.

use super::NAME;
use super::syntax::{self, Form};
use crate::log::Configured;
use crate::site::{Site, normal};
use conf::files::DEPTH;
use conf::{Error, Kind, Source};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One option.
#[derive(Clone, Debug)]
pub struct Opt {
    /// Its name, with `-` for `_`.
    pub name: String,
    /// Its value, filled in.
    pub value: Vec<u8>,
    /// Where; `None` for the command line.
    pub source: Option<Source>,
    /// Under a condition that only running would decide.
    pub conditional: bool,
    /// A name in it that has no value.
    pub unresolved: Option<String>,
}

/// All options of one uWSGI, in order.
#[derive(Debug, Default)]
pub struct Options {
    list: Vec<Opt>,
    env: BTreeMap<OsString, OsString>,
    stack: Vec<(PathBuf, String)>,
    read: usize,
}

/// The options on a command line that take a log's name, with their letters.
const WITH_VALUE: &[(&str, &str)] = &[("-d", "daemonize")];

impl Options {
    /// Reads a command line and every file that it, and they, name.
    pub fn read(
        site: &Site,
        words: &[Vec<u8>],
        cwd: &Path,
        env: &BTreeMap<OsString, OsString>,
        out: &mut Configured,
    ) -> Self {
        let mut options = Self {
            env: env.clone(),
            ..Self::default()
        };
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let text = String::from_utf8_lossy(word).into_owned();
            let short = WITH_VALUE
                .iter()
                .find(|(letter, _)| *letter == text)
                .map(|(_, name)| (*name).to_owned());
            let (name, value) = match (text.strip_prefix("--"), short) {
                (_, Some(name)) => (name, words.next().cloned().unwrap_or_default()),
                (Some(long), None) => match word.iter().position(|byte| *byte == b'=') {
                    Some(at) => (
                        long.split('=').next().unwrap_or_default().to_owned(),
                        word[at + 1..].to_vec(),
                    ),
                    None => {
                        // An option that takes no value is followed by another option, or by a
                        // file.
                        let value = words.next_if(|next| !next.starts_with(b"-")).cloned();
                        (long.to_owned(), value.unwrap_or_default())
                    }
                },
                (None, None) if text.starts_with('-') => continue,
                (None, None) => match form_of(word) {
                    Some(form) => (form.name().to_owned(), word.clone()),
                    None => continue,
                },
            };
            options.push(site, name.replace('_', "-"), value, None, false, cwd, out);
        }
        options.fill();
        options
    }

    /// The last of this name.
    pub fn last(&self, name: &str) -> Option<&Opt> {
        self.list
            .iter()
            .rev()
            .find(|opt| opt.name == name && !opt.value.is_empty())
    }

    /// Every one of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Opt> {
        self.list.iter().filter(move |opt| opt.name == name)
    }

    #[allow(clippy::too_many_arguments)]
    fn push(
        &mut self,
        site: &Site,
        name: String,
        value: Vec<u8>,
        source: Option<Source>,
        conditional: bool,
        cwd: &Path,
        out: &mut Configured,
    ) {
        let form = Form::named(&name);
        if let Some(form) = form {
            self.file(site, form, &value, source.as_ref(), cwd, out);
        } else if matches!(name.as_str(), "include" | "inherit" | "config") {
            if let Some(form) = form_of(&value) {
                self.file(site, form, &value, source.as_ref(), cwd, out);
            }
        } else {
            self.list.push(Opt {
                name,
                value,
                source,
                conditional,
                unresolved: None,
            });
        }
    }

    /// `FILE[:SECTION]`; `:SECTION` is in the file that says so.
    fn file(
        &mut self,
        site: &Site,
        form: Form,
        value: &[u8],
        source: Option<&Source>,
        cwd: &Path,
        out: &mut Configured,
    ) {
        let colon = value
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(value.len());
        let section =
            String::from_utf8_lossy(value.get(colon + 1..).unwrap_or_default()).into_owned();
        let path = match source {
            Some(source) if colon == 0 => source.file.to_path_buf(),
            _ => normal(&cwd.join(OsStr::from_bytes(&value[..colon]))),
        };
        let section = if section.is_empty() {
            "uwsgi".to_owned()
        } else {
            section
        };
        let key = (path.clone(), section.clone());
        self.read += 1;
        if self.stack.len() >= DEPTH || self.stack.contains(&key) || self.read > conf::files::MOST {
            let names: Vec<String> = self
                .stack
                .iter()
                .chain([&key])
                .map(|(file, section)| format!("{}:{section}", file.display()))
                .collect();
            let message = format!("a configuration includes itself: {}", names.join(" > "));
            let error = source.map_or_else(
                || Error::new(Kind::Loop, &path, 0, message.clone()),
                |source| Error::at(Kind::Loop, source, message.clone()),
            );
            return out.fault(NAME, error);
        }
        let entries = site
            .files
            .read(&path)
            .and_then(|bytes| syntax::read(form, &path, &bytes, &section));
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let error = source.map_or(error.clone(), |source| {
                    Error::at(error.kind, source, format!("includes {error}"))
                });
                out.faults.push(crate::log::Fault {
                    service: NAME,
                    error,
                    incomplete: true,
                });
                return;
            }
        };
        self.stack.push(key);
        let mut conditions: Vec<Condition> = Vec::new();
        for entry in entries {
            let value = magic(&entry.value, &path, &section);
            match Condition::of(&entry.name, &value, &self.env, site) {
                Some(Step::Open(condition)) => conditions.push(condition),
                Some(Step::Close) => drop(conditions.pop()),
                None if conditions
                    .iter()
                    .any(|condition| condition.holds == Some(false)) => {}
                None => {
                    let conditional = conditions.iter().any(|condition| condition.holds.is_none());
                    let value = conditions
                        .iter()
                        .filter_map(|condition| condition.value.as_ref())
                        .fold(value, |value, with| replace(&value, b"%(_)", with));
                    self.push(
                        site,
                        entry.name.replace('_', "-"),
                        value,
                        Some(entry.source),
                        conditional,
                        cwd,
                        out,
                    );
                }
            }
        }
        self.stack.pop();
    }

    /// `%(name)` is another option's last value, `$(NAME)` the environment's; both are filled in
    /// when everything is read.
    fn fill(&mut self) {
        let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for opt in &self.list {
            let pair = if matches!(opt.name.as_str(), "set" | "set-placeholder" | "set-ph") {
                split(&opt.value)
            } else {
                None
            };
            let (name, value) = pair.unwrap_or_else(|| (opt.name.clone(), opt.value.clone()));
            values.insert(name, value);
        }
        let env = &self.env;
        for opt in &mut self.list {
            for _ in 0..8 {
                let (value, unresolved) = fill_once(&opt.value, &values, env);
                opt.unresolved = unresolved;
                if value == opt.value {
                    break;
                }
                opt.value = value;
            }
        }
    }
}

/// The configuration files that a command line names.
pub fn files(words: &[Vec<u8>], cwd: &Path) -> Vec<PathBuf> {
    let without_section = |word: &[u8]| {
        word.split(|byte| *byte == b':')
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let values = words
        .iter()
        .map(|word| match word.iter().position(|byte| *byte == b'=') {
            Some(at) if word.starts_with(b"--") => &word[at + 1..],
            _ => word.as_slice(),
        });
    values
        .filter(|word| form_of(word).is_some())
        .map(|word| normal(&cwd.join(OsStr::from_bytes(&without_section(word)))))
        .collect()
}

fn form_of(word: &[u8]) -> Option<Form> {
    let file = word.split(|byte| *byte == b':').next()?;
    Form::of(Path::new(OsStr::from_bytes(file)))
}

fn split(value: &[u8]) -> Option<(String, Vec<u8>)> {
    let at = value.iter().position(|byte| *byte == b'=')?;
    Some((
        String::from_utf8_lossy(&value[..at]).into_owned(),
        value[at + 1..].to_vec(),
    ))
}

/// The longest value that comes of filling in, in bytes.
const LONGEST: usize = 16 << 10;

fn fill_once(
    value: &[u8],
    values: &BTreeMap<String, Vec<u8>>,
    env: &BTreeMap<OsString, OsString>,
) -> (Vec<u8>, Option<String>) {
    let mut out = Vec::new();
    let mut unresolved = None;
    let mut rest = value;
    while let Some(at) = rest
        .windows(2)
        .position(|pair| matches!(pair, b"%(" | b"$(" | b"@("))
    {
        out.extend_from_slice(&rest[..at]);
        let Some(end) = rest[at..].iter().position(|byte| *byte == b')') else {
            break;
        };
        let (whole, name) = (&rest[at..=at + end], &rest[at + 2..at + end]);
        let found = match rest[at] {
            b'%' => values.get(String::from_utf8_lossy(name).as_ref()).cloned(),
            b'$' => env
                .get(OsStr::from_bytes(name))
                .map(|value| value.as_bytes().to_vec()),
            _ => None,
        };
        match found {
            Some(value) if out.len() + value.len() <= LONGEST => out.extend(value),
            _ => {
                unresolved = Some(String::from_utf8_lossy(whole).into_owned());
                out.extend_from_slice(whole);
            }
        }
        rest = &rest[at + end + 1..];
    }
    out.extend_from_slice(rest);
    (out, unresolved)
}

/// The magic variables of a file: `%d` its directory with a slash, `%n` its name without ending,
/// `%0` the directory's first part.
fn magic(value: &[u8], file: &Path, section: &str) -> Vec<u8> {
    let bytes = |name: Option<&OsStr>| name.unwrap_or_default().as_bytes().to_vec();
    let dir = file.parent().unwrap_or(Path::new("/"));
    let mut out = Vec::new();
    let mut rest = value.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let Some(letter) = rest.peek().copied().filter(|_| byte == b'%') else {
            out.push(byte);
            continue;
        };
        let found = match letter {
            b'%' => Some(vec![b'%']),
            b'p' | b'o' => Some(file.as_os_str().as_bytes().to_vec()),
            b's' => Some(bytes(file.file_name())),
            b'n' => Some(
                bytes(file.file_name())
                    .split(|byte| *byte == b'.')
                    .next()
                    .unwrap_or_default()
                    .to_vec(),
            ),
            b'e' => Some(bytes(file.extension())),
            b'd' => Some(
                [
                    dir.as_os_str().as_bytes(),
                    if dir == Path::new("/") {
                        b"".as_slice()
                    } else {
                        b"/"
                    },
                ]
                .concat(),
            ),
            b'c' => Some(bytes(dir.file_name())),
            b'x' => Some(if section == "uwsgi" {
                Vec::new()
            } else {
                section.as_bytes().to_vec()
            }),
            b'h' => Some(rustix::system::uname().nodename().to_bytes().to_vec()),
            b'0'..=b'9' => Some(bytes(dir.iter().nth(usize::from(letter - b'0') + 1))),
            _ => None,
        };
        match found {
            Some(value) => {
                rest.next();
                out.extend(value);
            }
            None => out.push(byte),
        }
    }
    out
}

/// `if-env = X`, `for = a b`: what holds until `endif` or `endfor`.
struct Condition {
    /// `None` where only running would tell.
    holds: Option<bool>,
    /// What `%(_)` is inside.
    value: Option<Vec<u8>>,
}

enum Step {
    Open(Condition),
    Close,
}

impl Condition {
    fn of(
        name: &str,
        value: &[u8],
        env: &BTreeMap<OsString, OsString>,
        site: &Site,
    ) -> Option<Step> {
        let open = |holds, value| Some(Step::Open(Condition { holds, value }));
        let exists = || site.files.stat(Path::new(OsStr::from_bytes(value))).is_ok();
        let own = || {
            env.get(OsStr::from_bytes(value))
                .map(|value| value.as_bytes().to_vec())
        };
        match name {
            "endif" | "endfor" | "end-if" | "end-for" => Some(Step::Close),
            "if-env" => open(Some(own().is_some()), own()),
            "if-not-env" => open(Some(own().is_none()), None),
            "if-exists" | "if-file" => open(Some(exists()), Some(value.to_vec())),
            "if-not-exists" | "if-not-file" => open(Some(!exists()), None),
            _ if name.starts_with("if-") || name == "for" || name.starts_with("for-") => {
                open(None, None)
            }
            _ => None,
        }
    }
}

fn replace(bytes: &[u8], needle: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest
        .windows(needle.len())
        .position(|window| window == needle)
    {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with);
        rest = &rest[at + needle.len()..];
    }
    out.extend_from_slice(rest);
    out
}
