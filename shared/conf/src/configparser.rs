//! Python's `configparser.RawConfigParser`, as supervisor sets it up: `;` and `#` start inline
//! comments after white space, repeated sections and options merge (the last wins), an indented
//! line continues the value above it, and `[DEFAULT]` stands behind every section.
//!
//! Read from CPython 3.11's `Lib/configparser.py`; values are bytes, since paths are.

use crate::{Error, Kind, Source};
use std::path::Path;
use std::sync::Arc;

/// One `name = value`, with the place of its name.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name, in lower case.
    pub name: Vec<u8>,
    /// The value; the lines of a continued one joined by newlines.
    pub value: Vec<u8>,
    /// Where the name stands.
    pub source: Source,
}

/// One `[section]`, which may have been gathered from several files.
#[derive(Clone, Debug)]
pub struct Section {
    /// The name, as written.
    pub name: Vec<u8>,
    /// The entries, in the order they were first named.
    pub entries: Vec<Entry>,
    /// Where it stands first.
    pub source: Source,
}

impl Section {
    fn find(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    fn open(&mut self, name: Vec<u8>, value: Vec<u8>, source: Source) -> usize {
        let entry = Entry {
            name,
            value,
            source,
        };
        match self.entries.iter().position(|old| old.name == entry.name) {
            Some(at) => {
                self.entries[at] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        }
    }
}

/// All that was read so far.
#[derive(Clone, Debug, Default)]
pub struct ConfigParser {
    /// The sections, in the order they were first named, `[DEFAULT]` left out.
    pub sections: Vec<Section>,
    defaults: Vec<Entry>,
}

#[derive(Clone, Copy)]
enum Cursor {
    Nowhere,
    Defaults,
    Section(usize),
}

impl ConfigParser {
    /// Reads one more file into what is there, and returns the lines that made no sense.
    pub fn read(&mut self, file: &Path, bytes: &[u8]) -> Vec<Error> {
        let file: Arc<Path> = Arc::from(file);
        let mut errors = Vec::new();
        let mut cursor = Cursor::Nowhere;
        let mut option: Option<usize> = None;
        let mut indent = 0;
        for (number, line) in lines(bytes).enumerate() {
            let source = Source::new(&file, number + 1);
            let comment = comment_start(line);
            let value = strip(&line[..comment.unwrap_or(line.len())]);
            if value.is_empty() {
                if let (None, Some(at)) = (comment, option) {
                    self.append(cursor, at, b"");
                }
                continue;
            }
            let deep = line.iter().position(|byte| !is_space(*byte)).unwrap_or(0);
            if let Some(at) = option.filter(|_| deep > indent) {
                self.append(cursor, at, value);
                continue;
            }
            indent = deep;
            if let Some(name) = header(value) {
                cursor = self.enter(name, source);
                option = None;
            } else if matches!(cursor, Cursor::Nowhere) {
                // CPython gives up on the file here, and so does supervisord.
                errors.push(Error::at(
                    Kind::Syntax,
                    &source,
                    "a value stands before any [section]",
                ));
                break;
            } else if let Some((name, value)) = assignment(value) {
                option = Some(self.assign(cursor, name, value, source));
            } else {
                errors.push(Error::at(
                    Kind::Syntax,
                    &source,
                    format!("no `name = value`: {}", text(value)),
                ));
            }
        }
        self.join();
        errors
    }

    /// The section of this name.
    #[must_use]
    pub fn section(&self, name: &[u8]) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// An entry of a section, or of `[DEFAULT]`.
    #[must_use]
    pub fn get(&self, section: &Section, name: &str) -> Option<Entry> {
        let own = section.find(name.as_bytes());
        own.or_else(|| {
            self.defaults
                .iter()
                .find(|entry| entry.name == name.as_bytes())
        })
        .cloned()
    }

    /// Puts `here` wherever a value so far says `%(here)s`, as supervisord does after each included
    /// file.
    pub fn expand_here(&mut self, here: &[u8]) {
        const HERE: &[u8] = b"%(here)s";
        let defaults: Vec<Entry> = self
            .defaults
            .iter()
            .filter(|entry| contains(&entry.value, HERE))
            .cloned()
            .collect();
        for section in &mut self.sections {
            for entry in &defaults {
                if section.find(&entry.name).is_none() {
                    section.entries.push(entry.clone());
                }
            }
            for entry in &mut section.entries {
                if contains(&entry.value, HERE) {
                    entry.value = replace(&entry.value, HERE, here);
                }
            }
        }
    }

    fn enter(&mut self, name: &[u8], source: Source) -> Cursor {
        if let Some(at) = self
            .sections
            .iter()
            .position(|section| section.name == name)
        {
            return Cursor::Section(at);
        }
        if name == b"DEFAULT" {
            return Cursor::Defaults;
        }
        self.sections.push(Section {
            name: name.to_vec(),
            entries: Vec::new(),
            source,
        });
        Cursor::Section(self.sections.len() - 1)
    }

    fn entries(&mut self, cursor: Cursor) -> Option<&mut Vec<Entry>> {
        match cursor {
            Cursor::Nowhere => None,
            Cursor::Defaults => Some(&mut self.defaults),
            Cursor::Section(at) => self
                .sections
                .get_mut(at)
                .map(|section| &mut section.entries),
        }
    }

    fn assign(&mut self, cursor: Cursor, name: &[u8], value: &[u8], source: Source) -> usize {
        let name = name.to_ascii_lowercase();
        if let Cursor::Section(at) = cursor {
            return self.sections[at].open(name, value.to_vec(), source);
        }
        let mut defaults = Section {
            name: Vec::new(),
            entries: std::mem::take(&mut self.defaults),
            source: source.clone(),
        };
        let at = defaults.open(name, value.to_vec(), source);
        self.defaults = defaults.entries;
        at
    }

    fn append(&mut self, cursor: Cursor, at: usize, line: &[u8]) {
        if let Some(entry) = self.entries(cursor).and_then(|entries| entries.get_mut(at)) {
            entry.value.push(b'\n');
            entry.value.extend_from_slice(line);
        }
    }

    fn join(&mut self) {
        let own = self
            .sections
            .iter_mut()
            .flat_map(|section| section.entries.iter_mut());
        for entry in own.chain(self.defaults.iter_mut()) {
            let keep = entry
                .value
                .iter()
                .rposition(|byte| !is_space(*byte))
                .map_or(0, |last| last + 1);
            entry.value.truncate(keep);
        }
    }
}

/// White space as `str.strip` has it, in ASCII.
#[must_use]
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | 0x1c..=0x1f | b' ')
}

/// Without white space at either end.
#[must_use]
pub fn strip(bytes: &[u8]) -> &[u8] {
    let Some(first) = bytes.iter().position(|byte| !is_space(*byte)) else {
        return b"";
    };
    let last = bytes
        .iter()
        .rposition(|byte| !is_space(*byte))
        .unwrap_or(first);
    &bytes[first..=last]
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .take(80)
        .flat_map(char::escape_debug)
        .collect()
}

/// Universal newlines, as a file opened in text mode has them.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(rest.len());
        let line = &rest[..end];
        let width = usize::from(end < rest.len()) + usize::from(rest[end..].starts_with(b"\r\n"));
        rest = &rest[end + width..];
        Some(line)
    })
}

/// Where a comment starts. The two marks are searched in step, one occurrence of each at a time,
/// exactly as CPython does.
fn comment_start(line: &[u8]) -> Option<usize> {
    if strip(line)
        .first()
        .is_some_and(|byte| matches!(byte, b'#' | b';'))
    {
        return Some(0);
    }
    let mut next: Vec<(u8, usize)> = vec![(b';', 0), (b'#', 0)];
    let mut start: Option<usize> = None;
    while start.is_none() && !next.is_empty() {
        next = next
            .into_iter()
            .filter_map(|(mark, from)| {
                let at = from + line.get(from..)?.iter().position(|byte| *byte == mark)?;
                if at == 0 || is_space(line[at - 1]) {
                    start = Some(start.map_or(at, |old| old.min(at)));
                }
                Some((mark, at + 1))
            })
            .collect();
    }
    start
}

fn header(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"[")?;
    let end = inner.iter().rposition(|byte| *byte == b']')?;
    (end > 0).then(|| &inner[..end])
}

fn assignment(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|byte| matches!(byte, b'=' | b':'))?;
    let name = strip(&value[..at]);
    (!name.is_empty()).then(|| (name, strip(&value[at + 1..])))
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn replace(bytes: &[u8], needle: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(needle) {
            out.extend_from_slice(with);
            at += needle.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
