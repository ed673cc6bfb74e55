//! METADATA and PKG-INFO: the fields that say what a distribution is and needs.
//!
//! The format is that of mail headers (PEP 241 to 643). Only the head is read: the description,
//! most of the file, follows after an empty line and says nothing to a comparison.

use std::borrow::Cow;

/// The fields of one METADATA or PKG-INFO.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// `Name`, as written.
    pub name: Option<String>,
    /// `Version`, as written.
    pub version: Option<String>,
    /// `Requires-Dist`, one requirement each, as written.
    pub requires_dist: Vec<String>,
    /// `Provides-Extra`, as written.
    pub provides_extra: Vec<String>,
    /// `Requires-Python`, as written.
    pub requires_python: Option<String>,
}

impl Metadata {
    /// Reads the head of a METADATA file. Bytes that are not UTF-8 are replaced: names and versions
    /// are ASCII, and a broken author's name is no reason to call a distribution unreadable.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut out = Metadata::default();
        let head = &bytes[..end_of_head(bytes).unwrap_or(bytes.len())];
        // Checked first, because replacing is ten times as slow, and hardly ever needed.
        let text =
            std::str::from_utf8(head).map_or_else(|_| String::from_utf8_lossy(head), Cow::Borrowed);
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.starts_with(['N', 'V', 'R', 'P', 'n', 'v', 'r', 'p']) {
                continue;
            }
            let Some((field, value)) = line.split_once(':') else {
                continue;
            };
            if !wanted(field) {
                continue;
            }
            let mut value = value.trim().to_owned();
            while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
                value.push(' ');
                value.push_str(more.trim());
            }
            out.set(field, value);
        }
        out
    }

    fn set(&mut self, field: &str, value: String) {
        let first = |slot: &mut Option<String>, value| {
            if slot.is_none() {
                *slot = Some(value);
            }
        };
        match field.to_ascii_lowercase().as_str() {
            "name" => first(&mut self.name, value),
            "version" => first(&mut self.version, value),
            "requires-python" => first(&mut self.requires_python, value),
            "requires-dist" => self.requires_dist.push(value),
            "provides-extra" => self.provides_extra.push(value),
            _ => {}
        }
    }

    /// Reads setuptools' `requires.txt` of an egg-info directory into `requires_dist`, sections
    /// `[extra:marker]` turned into markers, as setuptools itself does when it makes a wheel.
    pub fn add_requires_txt(&mut self, text: &str) {
        let mut marker = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(section) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                let (extra, condition) = section.split_once(':').unwrap_or((section, ""));
                marker = match (extra, condition) {
                    ("", "") => String::new(),
                    ("", condition) => condition.to_owned(),
                    (extra, "") => format!("extra == '{extra}'"),
                    (extra, condition) => format!("({condition}) and extra == '{extra}'"),
                };
                if !extra.is_empty() && !self.provides_extra.iter().any(|have| have == extra) {
                    self.provides_extra.push(extra.to_owned());
                }
            } else if marker.is_empty() {
                self.requires_dist.push(line.to_owned());
            } else if let Some((requirement, own)) = line.split_once(';') {
                self.requires_dist
                    .push(format!("{requirement} ; ({own}) and ({marker})"));
            } else {
                self.requires_dist.push(format!("{line} ; {marker}"));
            }
        }
    }
}

/// Where the empty line is that ends the head, if the bytes reach so far.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let ends: [&[u8]; 2] = [b"\n\n", b"\n\r\n"];
    if bytes.first().is_some_and(|b| *b == b'\n') || bytes.starts_with(b"\r\n") {
        return Some(0);
    }
    ends.iter()
        .filter_map(|end| memchr::memmem::find(bytes, end))
        .min()
}

fn wanted(field: &str) -> bool {
    const WANTED: [&str; 5] = [
        "name",
        "version",
        "requires-dist",
        "requires-python",
        "provides-extra",
    ];
    WANTED.iter().any(|name| name.eq_ignore_ascii_case(field))
}

#[cfg(test)]
mod tests {
    use super::Metadata;

    #[test]
    fn the_head_is_read_and_the_description_is_not() {
        let metadata = Metadata::parse(
            b"Metadata-Version: 2.1\r\nName: Django\r\nVersion: 4.2\r\n\
              Requires-Dist: asgiref<4,\r\n   >=3.6\r\nRequires-Python: >=3.8\r\n\
              Provides-Extra: bcrypt\r\n\r\nVersion: 9\r\n",
        );
        assert_eq!(metadata.name.as_deref(), Some("Django"));
        assert_eq!(metadata.version.as_deref(), Some("4.2"));
        assert_eq!(metadata.requires_dist, ["asgiref<4, >=3.6"]);
        assert_eq!(metadata.provides_extra, ["bcrypt"]);
        assert_eq!(metadata.requires_python.as_deref(), Some(">=3.8"));
    }

    #[test]
    fn sections_of_requires_txt_become_markers() {
        let mut metadata = Metadata::default();
        metadata.add_requires_txt("six\n\n[dev]\npytest\n\n[dev:python_version<'3']\nmock ; os_name=='nt'\n\n[:os_name=='nt']\ncolorama\n");
        assert_eq!(
            metadata.requires_dist,
            [
                "six",
                "pytest ; extra == 'dev'",
                "mock  ; ( os_name=='nt') and ((python_version<'3') and extra == 'dev')",
                "colorama ; os_name=='nt'",
            ]
        );
    }
}
