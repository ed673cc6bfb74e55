//! Secrets that are known by where they come from.

use std::ops::Range;
use std::sync::{PoisonError, RwLock};

/// A shorter text would mask half of every message.
const SHORTEST: usize = 4;

/// A secret shorter than this is replaced only where it stands as a word of its own.
const LONG: usize = 8;

#[derive(Default)]
struct Known {
    secrets: Vec<String>,
    public: Vec<String>,
}

static KNOWN: RwLock<Known> = RwLock::new(Known {
    secrets: Vec::new(),
    public: Vec::new(),
});

/// From now on `secret` is replaced wherever text leaves this process, also as a shell, JSON or a
/// URL would write it. A text shorter than 4 bytes, or of one repeated character, is not taken.
pub fn register(secret: &str) {
    let mut forms = vec![
        secret.to_owned(),
        percent_decoded(secret),
        percent_encoded(secret),
        json_inner(secret),
        secret.replace('\'', "'\\''"),
    ];
    if secret.contains('\n') {
        forms.extend(
            secret
                .lines()
                .filter(|line| line.len() >= LONG && !line.starts_with("-----"))
                .map(str::to_owned),
        );
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms {
        let form = form.trim_matches(['\n', '\r']).to_owned();
        let first = form.chars().next();
        let told_apart = form.len() >= SHORTEST && form.chars().any(|c| Some(c) != first);
        if told_apart && !known.secrets.contains(&form) && !known.public.contains(&form) {
            known.secrets.push(form);
        }
    }
    // The longest first: a secret may hold another.
    known
        .secrets
        .sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// Registers every secret that has the form of one in `text`: the password of a DSN or a URL.
pub fn register_in(text: &str) {
    let mut found = Vec::new();
    super::patterns::find(text, &mut found);
    for range in found {
        register(&text[range]);
    }
}

/// Registers the value of a variable that an environment file sets, and the passwords in the value.
/// A value that cannot be a secret stays readable, or a report about the site would say nothing: a
/// switch, a port, a path that exists, a locale, the name of this host, and what was declared
/// [`public`]. A name that names a secret overrides that.
pub fn register_variable(name: &str, value: &str) {
    register_in(value);
    if super::is_secret(name) || !is_plain(name, value) {
        register(value);
    }
}

/// Declares a word that stands on command lines and in site files, such as the name of a site or of
/// its user: the word is never taken for a secret, although a variable may hold the same word.
pub fn public(word: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.secrets.retain(|secret| secret != word);
    if !known.public.iter().any(|known| known == word) {
        known.public.push(word.to_owned());
    }
}

/// The length of the longest registered secret, for whoever cuts a text and then masks the text.
#[must_use]
pub fn longest() -> usize {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.secrets.first().map_or(0, String::len)
}

/// Where registered secrets stand.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut found = Vec::new();
    for secret in &known.secrets {
        if secret.len() > text.len() {
            continue;
        }
        let whole = |at: usize| {
            secret.len() >= LONG
                || !(text[..at].ends_with(is_part)
                    || text[at + secret.len()..].starts_with(is_part))
        };
        found.extend(
            text.match_indices(secret.as_str())
                .filter(|(at, _)| whole(*at))
                .map(|(at, _)| at..at + secret.len()),
        );
    }
    found
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_plain(name: &str, value: &str) -> bool {
    const VARIABLES: &[&str] = &[
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TERM",
        "PWD",
        "DJANGO_SETTINGS_MODULE",
        "PYTHONPATH",
        "VIRTUAL_ENV",
    ];
    const WORDS: &[&str] = &[
        "true",
        "false",
        "none",
        "null",
        "localhost",
        "127.0.0.1",
        "production",
        "development",
        "staging",
        "debug",
        "info",
        "warning",
        "error",
    ];
    let number = value.len() <= 5 && value.bytes().all(|byte| byte.is_ascii_digit());
    let path = value.starts_with('/') && std::fs::symlink_metadata(value).is_ok();
    VARIABLES.contains(&name)
        || name.starts_with("LC_")
        || WORDS.contains(&value.to_ascii_lowercase().as_str())
        || number
        || path
}

fn json_inner(text: &str) -> String {
    let whole = serde_json::Value::from(text).to_string();
    whole[1..whole.len() - 1].to_owned()
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
