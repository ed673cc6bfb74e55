//! `postgresql.conf`: names and values, includes, and which one wins (the last, by config.sgml and
//! guc-file.l).

use super::syntax;
use conf::files::{DEPTH, Files};
use conf::{Error, Kind, Source};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One setting's value, and where it is said.
#[derive(Clone, Debug)]
pub struct Value {
    /// Without quotation marks.
    pub text: Vec<u8>,
    /// `None` for the command line.
    pub source: Option<Source>,
}

/// All settings of a cluster.
#[derive(Debug, Default)]
pub struct Guc {
    values: BTreeMap<String, Value>,
    stack: Vec<PathBuf>,
    /// What could not be read.
    pub errors: Vec<Error>,
}

impl Guc {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    pub fn text(&self, name: &str) -> Option<&[u8]> {
        self.get(name).map(|value| value.text.as_slice())
    }

    /// on, true, yes, 1, and every beginning of them that leaves no doubt.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        let text = self.text(name)?.to_ascii_lowercase();
        let begins = |word: &[u8], least: usize| text.len() >= least && word.starts_with(&text);
        if begins(b"true", 1) || begins(b"yes", 1) || begins(b"on", 2) || begins(b"1", 1) {
            return Some(true);
        }
        (begins(b"false", 1) || begins(b"no", 1) || begins(b"off", 2) || begins(b"0", 1))
            .then_some(false)
    }

    pub fn set(&mut self, name: &str, text: Vec<u8>, source: Option<Source>) {
        self.values
            .insert(name.to_lowercase(), Value { text, source });
    }

    /// The main file: that it is missing is an error.
    pub fn read_main(&mut self, files: &Files, path: &Path) {
        self.file(files, path, None);
    }

    /// `postgresql.auto.conf`: that it is missing is none.
    pub fn read_auto(&mut self, files: &Files, path: &Path) {
        if !files
            .stat(path)
            .is_err_and(|why| why == rustix::io::Errno::NOENT)
        {
            self.file(files, path, None);
        }
    }

    fn file(&mut self, files: &Files, path: &Path, from: Option<&Source>) {
        if self.stack.len() >= DEPTH || self.stack.iter().any(|open| open == path) {
            let names: Vec<String> = self
                .stack
                .iter()
                .map(PathBuf::as_path)
                .chain([path])
                .map(|file| file.display().to_string())
                .collect();
            let message = format!("includes go in a circle or too deep: {}", names.join(" > "));
            let error = from.map_or_else(
                || Error::new(Kind::Loop, path, 0, message.clone()),
                |from| Error::at(Kind::Loop, from, message.clone()),
            );
            return self.errors.push(error);
        }
        match files.read(path) {
            Ok(bytes) => {
                self.stack.push(path.to_path_buf());
                self.lines(files, path, &bytes);
                self.stack.pop();
            }
            Err(error) => {
                self.errors.push(match from {
                    Some(from) => Error::at(error.kind, from, format!("includes {error}")),
                    None => error,
                });
            }
        }
    }

    fn lines(&mut self, files: &Files, path: &Path, bytes: &[u8]) {
        let file: Arc<Path> = Arc::from(path);
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let source = Source::new(&file, number + 1);
            match setting(line) {
                Ok(None) => {}
                Ok(Some((name, text))) => self.setting(files, path, &name, text, source),
                Err(why) => self.errors.push(syntax(&source, why)),
            }
        }
    }

    fn setting(&mut self, files: &Files, path: &Path, name: &str, text: Vec<u8>, source: Source) {
        let target = path
            .parent()
            .unwrap_or(Path::new("/"))
            .join(OsStr::from_bytes(&text));
        match name {
            "include" => self.file(files, &target, Some(&source)),
            "include_if_exists" => {
                if files.stat(&target).is_ok() {
                    self.file(files, &target, Some(&source));
                }
            }
            "include_dir" => match files.list(&target) {
                Ok(names) => {
                    let wanted = |name: &OsStr| {
                        name.as_bytes().ends_with(b".conf") && !name.as_bytes().starts_with(b".")
                    };
                    for name in names.iter().filter(|name| wanted(name)) {
                        self.file(files, &target.join(name), Some(&source));
                    }
                }
                Err(why) => {
                    let kind = if why == rustix::io::Errno::NOENT {
                        Kind::Missing
                    } else {
                        Kind::Unreadable
                    };
                    let message = format!(
                        "includes the directory {}: {}",
                        target.display(),
                        base::error::plain(&why.into())
                    );
                    self.errors.push(Error::at(kind, &source, message));
                }
            },
            _ => self.set(name, text, Some(source)),
        }
    }
}

/// `name = value`, `name value`, `name = 'it''s'`; `#` starts a comment outside quotation marks.
fn setting(line: &[u8]) -> Result<Option<(String, Vec<u8>)>, String> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    let is_name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$') || *byte >= 0x80
    };
    let end = line
        .iter()
        .position(|byte| !is_name(byte))
        .unwrap_or(line.len());
    if end == 0 {
        return Err(format!(
            "no `name = value`: {}",
            String::from_utf8_lossy(line).escape_debug()
        ));
    }
    let name = String::from_utf8_lossy(&line[..end]).to_lowercase();
    let rest = line[end..].trim_ascii_start();
    let rest = rest.strip_prefix(b"=").unwrap_or(rest).trim_ascii_start();
    if let Some(quoted) = rest.strip_prefix(b"'") {
        return Ok(Some((
            name,
            unquote(quoted).ok_or("a quotation is not closed")?,
        )));
    }
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == b'#')
        .unwrap_or(rest.len());
    Ok(Some((name, rest[..end].to_vec())))
}

/// `''` and `\'` are an apostrophe; `\n` and its like, and octal numbers, are what they are in C.
fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'\'' if text.get(at + 1) == Some(&b'\'') => {
                out.push(b'\'');
                at += 2;
            }
            b'\'' => return Some(out),
            b'\\' => {
                let (byte, width) = escaped(text.get(at + 1..)?)?;
                out.push(byte);
                at += 1 + width;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    Some(match *text.first()? {
        b'b' => (8, 1),
        b'f' => (12, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'0'..=b'7' => {
            let digits: Vec<u8> = text
                .iter()
                .take(3)
                .take_while(|byte| (b'0'..=b'7').contains(*byte))
                .copied()
                .collect();
            let value = digits
                .iter()
                .fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            ((value & 0xff) as u8, digits.len())
        }
        byte => (byte, 1),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::setting;

    #[test]
    fn lines_of_every_form() {
        let read = |line: &str| {
            setting(line.as_bytes())
                .unwrap()
                .map(|(name, text)| format!("{name}|{}", String::from_utf8_lossy(&text)))
        };
        assert_eq!(
            read(" Log_Directory = 'it''s \\'a\\' \\101' # c").as_deref(),
            Some("log_directory|it's 'a' A")
        );
        assert_eq!(read("log_filename x#y").as_deref(), Some("log_filename|x"));
        assert_eq!(
            read("logging_collector=on").as_deref(),
            Some("logging_collector|on")
        );
        assert_eq!(read("  # x = y"), None);
        assert!(setting(b"a = 'x").is_err());
    }
}
