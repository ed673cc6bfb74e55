//! The four languages that uWSGI's options may be written in. Each is read into the same ordered
//! list of names and values.

use conf::{Error, Kind, Source};
use quick_xml::events::Event;
use std::path::Path;
use std::sync::Arc;

/// One option as it is written.
pub struct Entry {
    pub name: String,
    pub value: Vec<u8>,
    pub source: Source,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Ini,
    Xml,
    Yaml,
    Json,
}

impl Form {
    /// By a file's ending.
    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "ini" => Some(Self::Ini),
            "xml" => Some(Self::Xml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" | "js" => Some(Self::Json),
            _ => None,
        }
    }

    /// By the option that reads one.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ini" | "ini-paste" => Some(Self::Ini),
            "xml" | "xmlconfig" => Some(Self::Xml),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" | "js" => Some(Self::Json),
            _ => None,
        }
    }

    /// The option that reads one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ini => "ini",
            Self::Xml => "xml",
            Self::Yaml => "yaml",
            Self::Json => "json",
        }
    }
}

/// Reads one section (or `id`, or top-level key) of a file.
pub fn read(form: Form, path: &Path, bytes: &[u8], section: &str) -> Result<Vec<Entry>, Error> {
    let file: Arc<Path> = Arc::from(path);
    match form {
        Form::Ini => Ok(ini(&file, bytes, section)),
        Form::Xml => xml(&file, bytes, section),
        Form::Yaml => Ok(yaml(&file, bytes, section)),
        Form::Json => json(&file, bytes, section),
    }
}

/// Lines `name = value`; `;` and `#` start a comment only at the start of a line.
fn ini(file: &Arc<Path>, bytes: &[u8], wanted: &str) -> Vec<Entry> {
    let mut inside = false;
    let mut entries = Vec::new();
    let mut pending: Option<(usize, Vec<u8>)> = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let (start, mut text) = pending.take().unwrap_or((index + 1, Vec::new()));
        text.extend_from_slice(line.trim_ascii());
        if text.ends_with(b"\\") {
            text.pop();
            pending = Some((start, text));
            continue;
        }
        match text.first() {
            None | Some(b'#' | b';') => {}
            Some(b'[') => {
                inside = text
                    .strip_prefix(b"[")
                    .and_then(|rest| rest.strip_suffix(b"]"))
                    == Some(wanted.as_bytes());
            }
            Some(_) if inside => {
                let at = text
                    .iter()
                    .position(|byte| *byte == b'=')
                    .unwrap_or(text.len());
                let name = String::from_utf8_lossy(text[..at].trim_ascii()).into_owned();
                let value = text.get(at + 1..).unwrap_or_default().trim_ascii().to_vec();
                entries.push(Entry {
                    name,
                    value,
                    source: Source::new(file, start),
                });
            }
            Some(_) => {}
        }
    }
    entries
}

/// `<uwsgi id="x"><logto>y</logto></uwsgi>`, at any depth.
fn xml(file: &Arc<Path>, bytes: &[u8], wanted: &str) -> Result<Vec<Entry>, Error> {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    reader.config_mut().check_end_names = true;
    let mut entries: Vec<Entry> = Vec::new();
    let mut inside: Option<usize> = None;
    let mut depth = 0usize;
    loop {
        let offset = usize::try_from(reader.buffer_position())
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let line = 1 + bytes[..offset]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        match reader.read_event() {
            Err(why) => {
                return Err(Error::at(
                    Kind::Syntax,
                    &Source::new(file, line),
                    why.to_string(),
                ));
            }
            Ok(Event::Eof) => return Ok(entries),
            Ok(Event::Start(tag)) => {
                depth += 1;
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                let id = tag
                    .try_get_attribute("id")
                    .ok()
                    .flatten()
                    .map(|id| String::from_utf8_lossy(&id.value).into_owned());
                if inside.is_none() && name == "uwsgi" && id.as_deref().unwrap_or("uwsgi") == wanted
                {
                    inside = Some(depth);
                } else if inside.is_some_and(|outer| depth == outer + 1) {
                    entries.push(Entry {
                        name,
                        value: Vec::new(),
                        source: Source::new(file, line),
                    });
                }
            }
            Ok(Event::Empty(tag)) if inside == Some(depth) => {
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                entries.push(Entry {
                    name,
                    value: b"true".to_vec(),
                    source: Source::new(file, line),
                });
            }
            Ok(Event::Text(text)) if inside.is_some_and(|outer| depth == outer + 1) => {
                if let Some(entry) = entries.last_mut() {
                    let text = text.decode().unwrap_or_default();
                    entry.value.extend_from_slice(text.trim().as_bytes());
                }
            }
            Ok(Event::GeneralRef(name)) if inside.is_some_and(|outer| depth == outer + 1) => {
                let char = match &*name {
                    b"amp" => b'&',
                    b"lt" => b'<',
                    b"gt" => b'>',
                    b"quot" => b'"',
                    _ => b'\'',
                };
                if let Some(entry) = entries.last_mut() {
                    entry.value.push(char);
                }
            }
            Ok(Event::End(_)) => {
                if inside == Some(depth) {
                    inside = None;
                }
                depth = depth.saturating_sub(1);
            }
            Ok(_) => {}
        }
    }
}

/// uWSGI's own small YAML: a section at the margin, `name: value` indented below it, `- value` for
/// another of the same name.
fn yaml(file: &Arc<Path>, bytes: &[u8], wanted: &str) -> Vec<Entry> {
    let mut inside = false;
    let mut last = String::new();
    let mut entries = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let text = String::from_utf8_lossy(line);
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" {
            continue;
        }
        let indented = text.starts_with([' ', '\t']);
        let (name, value) = match (trimmed.strip_prefix("- "), trimmed.split_once(':')) {
            (Some(item), _) if inside => (last.clone(), item),
            (_, Some((name, value))) => (name.trim().to_owned(), value.trim()),
            _ => continue,
        };
        if !indented && !trimmed.starts_with("- ") {
            inside = name == wanted;
            continue;
        }
        last.clone_from(&name);
        if inside && !value.is_empty() {
            let value = if value.starts_with(['"', '\'']) {
                value.trim_matches(['"', '\''])
            } else {
                value.split(" #").next().unwrap_or(value).trim()
            };
            entries.push(Entry {
                name,
                value: value.as_bytes().to_vec(),
                source: Source::new(file, index + 1),
            });
        }
    }
    entries
}

fn json(file: &Arc<Path>, bytes: &[u8], wanted: &str) -> Result<Vec<Entry>, Error> {
    let parsed: serde_json::Value = serde_json::from_slice(bytes).map_err(|why| {
        Error::at(
            Kind::Syntax,
            &Source::new(file, why.line()),
            why.to_string(),
        )
    })?;
    let mut entries = Vec::new();
    for (name, value) in parsed
        .get(wanted)
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
    {
        let many = value
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![value.clone()]);
        for value in many {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
                .into_bytes();
            entries.push(Entry {
                name: name.clone(),
                value,
                source: Source::new(file, line_of(bytes, name)),
            });
        }
    }
    Ok(entries)
}

/// The line that a key stands on; the parser does not keep it.
fn line_of(bytes: &[u8], key: &str) -> usize {
    let quoted = format!("\"{key}\"").into_bytes();
    let at = bytes
        .windows(quoted.len().max(1))
        .position(|window| window == quoted);
    at.map_or(0, |at| {
        1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
    })
}
