//! Golden reports: a whole report beside the one that is kept in a file, with what differs from run
//! to run masked.
//!
//! `RUNBOOK_GOLDEN=write` writes the files anew; read the difference before it is committed.

use serde_json::Value;
use std::path::Path;

/// What differs from run to run: texts of this test, each with the word that stands for it.
#[derive(Debug, Default)]
pub struct Mask {
    words: Vec<(String, String)>,
}

/// Keys whose numbers differ from run to run.
const NUMBERS: &[&str] = &[
    "elapsed_ms",
    "pid",
    "ppid",
    "pids",
    "main_pid",
    "port",
    "ino",
    "dev",
    "uid",
    "gid",
    "seconds",
    "ms",
    "uptime",
    "took_ms",
    "bytes",
    "size",
    "owner_pid",
];

impl Mask {
    /// Nothing but times, pids, hashes and this version of the tools.
    #[must_use]
    pub fn new() -> Mask {
        Mask::default().word(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    /// Another text that stands for itself only in this run: a path, a user.
    #[must_use]
    pub fn word(mut self, text: impl AsRef<str>, name: &str) -> Mask {
        self.words.push((text.as_ref().to_owned(), name.to_owned()));
        // The longer text may hold the shorter one.
        self.words
            .sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        self
    }

    /// A path of this test.
    #[must_use]
    pub fn path(self, path: impl AsRef<Path>, name: &str) -> Mask {
        self.word(path.as_ref().to_string_lossy(), name)
    }

    fn value(&self, key: &str, value: &Value) -> Value {
        match value {
            Value::Number(_) if NUMBERS.contains(&key) || key.ends_with("_ms") => Value::from(0),
            Value::String(_) if key == "distro" => Value::from("DISTRO"),
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(key, item)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (self.text(key), self.value(key, value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (text, name) in &self.words {
            out = out.replace(text, name);
        }
        let mut masked = String::new();
        let mut rest = out.as_str();
        let mut inside = false;
        while let Some(char) = rest.chars().next() {
            let found = if inside { None } else { moving(rest) };
            if let Some((length, name)) = found {
                masked += name;
                rest = &rest[length..];
                inside = true;
            } else {
                masked.push(char);
                rest = &rest[char.len_utf8()..];
                inside = char.is_alphanumeric();
            }
        }
        masked
    }
}

/// What at the beginning of a text differs from run to run: its length, and the word for it.
fn moving(text: &str) -> Option<(usize, &'static str)> {
    let bytes = text.as_bytes();
    let shaped = |shape: &str| {
        bytes.len() >= shape.len()
            && shape.bytes().zip(bytes).all(|(shape, byte)| match shape {
                b'0' => byte.is_ascii_digit(),
                other => other == *byte,
            })
    };
    let hexes = |shape: &str| {
        bytes.len() >= shape.len()
            && shape.bytes().zip(bytes).all(|(shape, byte)| match shape {
                b'0' => byte.is_ascii_hexdigit(),
                other => other == *byte,
            })
    };
    if hexes("00000000-0000-0000-0000-000000000000") {
        return Some((36, "UUID"));
    }
    // The name of a release: when it was made, and a random end.
    if shaped("00000000T000000") {
        let part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
        let whole = bytes.iter().take_while(|byte| part(byte)).count();
        return Some((whole, "RELEASE"));
    }
    if shaped("0000-00-00") {
        let part = |b: &u8| b.is_ascii_digit() || b"-:.+TZ".contains(b);
        let whole = bytes.iter().take_while(|byte| part(byte)).count();
        let end = text[..whole].trim_end_matches(['.', ':', '-', '+']).len();
        return Some((end, "TIME"));
    }
    for word in ["pid ", "process "] {
        let digits = text.strip_prefix(word).map_or(0, |rest| {
            rest.bytes().take_while(u8::is_ascii_digit).count()
        });
        if digits > 0 {
            return Some((
                word.len() + digits,
                if word == "pid " {
                    "pid PID"
                } else {
                    "process PID"
                },
            ));
        }
    }
    // `1.0 s`, `312 ms`, `12ms`.
    let number = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    let rest = &text[number..];
    for unit in [" ms", "ms", " s", "s"] {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
        if number > 0 && bytes[0].is_ascii_digit() && rest.strip_prefix(unit).is_some_and(ends) {
            return Some((number + unit.len(), "DURATION"));
        }
    }
    let word = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let hex = bytes[..word].iter().all(|byte| byte.is_ascii_hexdigit());
    let digit = bytes[..word].iter().any(u8::is_ascii_digit);
    (word >= 7 && hex && digit).then_some((word, "HEX"))
}

/// Compares a report with the file `PATH` of the source tree.
#[track_caller]
pub fn expect(path: impl AsRef<Path>, report: &Value, mask: &Mask) {
    let path = crate::source_root().join(path);
    let mut masked = mask.value("", report);
    masked["elapsed_ms"] = Value::from(0);
    let text = serde_json::to_string_pretty(&masked).expect("JSON") + "\n";
    if std::env::var_os("RUNBOOK_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).expect("the golden file");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: RUNBOOK_GOLDEN=write writes it",
            path.display()
        )
    });
    let first = kept
        .lines()
        .zip(text.lines())
        .position(|(kept, now)| kept != now)
        .map_or_else(String::new, |at| format!("line {}: ", at + 1));
    assert!(
        kept == text,
        "{}: {first}the report is another one; RUNBOOK_GOLDEN=write writes the file anew\n{text}",
        path.display()
    );
}
