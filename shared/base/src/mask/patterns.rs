//! Secrets that are known by their form.

use std::ops::Range;

/// Words that name a secret where they end a key.
const ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "secret_key",
    "private_key",
    "signing_key",
    "encryption_key",
    "sslpassword",
    "_pass",
    "authorization",
];

/// Whether a key (of an option, a variable, a setting, a header) names a secret.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['-', '.'], "_");
    key == "pass" || key.contains("secret_key") || ENDINGS.iter().any(|word| key.ends_with(word))
}

/// Adds where the secrets stand.
pub(super) fn find(text: &str, found: &mut Vec<Range<usize>>) {
    urls(text, found);
    keys(text, found);
    bearers(text, found);
}

/// `scheme://user:secret@host`, and `https://TOKEN@host`.
fn urls(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let tail = &text[start..];
        let word = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`'))
            .unwrap_or(tail.len());
        // The authority ends at the first '/', '?' or '#' (RFC 3986, 3.2). A password written
        // unescaped may hold any of them: the last '@' of the word decides, unless what follows the
        // ':' can only be a port.
        let authority = tail[..word].find(['/', '?', '#']).unwrap_or(word);
        let end = tail[..authority].rfind('@').or_else(|| {
            let last = tail[..word].rfind('@')?;
            let (_, secret) = tail[..last].split_once(':')?;
            let port = secret.split(['/', '?', '#']).next().unwrap_or("");
            (!port.bytes().all(|byte| byte.is_ascii_digit())).then_some(last)
        });
        let Some(end) = end else { continue };
        match tail[..end].find(':') {
            Some(colon) if colon + 1 < end => found.push(start + colon + 1..start + end),
            // A lone user part of an index's or a repository's address may be a token.
            _ if scheme(&text[..at]).contains("http") => found.push(start..start + end),
            _ => {}
        }
    }
}

/// The scheme that ends the text.
fn scheme(before: &str) -> &str {
    let start = before
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
        .map_or(0, |at| {
            at + before[at..].chars().next().map_or(0, char::len_utf8)
        });
    &before[start..]
}

/// `password=x`, `password: x`, `"password": "x"`, `:password => "x"`, `Authorization: Basic x`.
fn keys(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, byte) in text.bytes().enumerate() {
        let colon = byte == b':';
        if !colon && byte != b'=' {
            continue;
        }
        let Some(key) = key_before(&text[..at]) else {
            continue;
        };
        if !is_secret(key.name) {
            continue;
        }
        let after = &text[at + 1..];
        // `a == b` compares, `a::b` is a path.
        if after.starts_with(['=', ':']) {
            continue;
        }
        let arrow = usize::from(!colon && after.starts_with('>'));
        let lead = arrow
            + after[arrow..]
                .find(|c: char| c != ' ' && c != '\t')
                .unwrap_or(after.len() - arrow);
        let start = at + 1 + lead;
        let value = &text[start..];
        if key.name.to_ascii_lowercase().ends_with("authorization") {
            let end = value.find(['\n', '\r', '"', '\'']).unwrap_or(value.len());
            found.push(start..start + value[..end].trim_end().len());
            continue;
        }
        let inner = extent(value);
        let shown = &value[inner.clone()];
        let is_directory = matches!(key.name, "PWD" | "OLDPWD" | "pwd") && shown.starts_with('/');
        // "unexpected token: x" is no secret.
        let is_syntax = colon
            && !key.quoted
            && key.name.eq_ignore_ascii_case("token")
            && !(shown.len() >= 8 && shown.bytes().any(|byte| byte.is_ascii_digit()));
        if !is_directory && !is_syntax {
            found.push(start + inner.start..start + inner.end);
        }
    }
}

struct Key<'a> {
    name: &'a str,
    quoted: bool,
}

/// The key that ends the text, quoted or not.
fn key_before(before: &str) -> Option<Key<'_>> {
    let trimmed = before.trim_end_matches([' ', '\t']);
    let bare = trimmed.trim_end_matches(['"', '\'']);
    let bare = match trimmed.len() - bare.len() {
        0 => bare,
        _ => bare.trim_end_matches('\\'),
    };
    let start = bare
        .bytes()
        .rposition(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')))
        .map_or(0, |at| at + 1);
    // A byte of a longer letter is never alphanumeric, so `start` is where a letter begins.
    let name = bare.get(start..)?;
    (!name.is_empty()).then_some(Key {
        name,
        quoted: bare.len() < trimmed.len(),
    })
}

/// Where the secret stands in a value that begins here: inside quotes (with `\` escapes), or up to
/// white space.
fn extent(value: &str) -> Range<usize> {
    let escaped = value.strip_prefix('\\').map_or(0, |_| 1);
    let Some(quote @ ('"' | '\'')) = value[escaped..].chars().next() else {
        return 0..bare(value);
    };
    let start = escaped + 1;
    let mut backslashes = 0;
    for (at, c) in value.char_indices().skip_while(|(at, _)| *at < start) {
        match c {
            '\\' => backslashes += 1,
            // In text that was escaped once, `\"` is the quote and `\\\"` a quote inside.
            c if c == quote && backslashes == escaped => return start..at - escaped,
            c if c == quote && escaped == 0 && backslashes % 2 == 0 => return start..at,
            _ => backslashes = 0,
        }
        if c == quote {
            backslashes = 0;
        }
    }
    start..value.len()
}

/// The length of a value without quotes. A separator ends the value only where another pair
/// follows, since a password may hold one; quotes and brackets at the end belong to the text around
/// the value.
fn bare(value: &str) -> usize {
    let word = value.find(char::is_whitespace).unwrap_or(value.len());
    let end = value[..word]
        .match_indices(['&', ';', ','])
        .map(|(at, _)| at)
        .find(|at| begins_pair(&value[at + 1..word]))
        .unwrap_or(word);
    value[..end]
        .trim_end_matches(['"', '\'', '`', ')', ']', '}', '>', '’', '”', '\\', ',', ';'])
        .len()
}

/// Whether nothing or `name=` follows a separator, or the closing of what is around the value.
fn begins_pair(rest: &str) -> bool {
    let name = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .unwrap_or(rest.len());
    rest.is_empty()
        || rest[name..].starts_with('=') && name > 0
        || rest.starts_with(['"', '\'', '\\'])
}

/// `Bearer x`.
fn bearers(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices(['B', 'b']) {
        let Some(word) = text.get(at..at + 6) else {
            continue;
        };
        let begins = !text[..at].ends_with(|c: char| c.is_alphanumeric());
        if !begins || !word.eq_ignore_ascii_case("bearer") {
            continue;
        }
        let rest = &text[at + 6..];
        let value = rest.trim_start_matches(' ');
        if value.len() == rest.len() {
            continue;
        }
        let len = value
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';'))
            .unwrap_or(value.len());
        let english = ["token", "tokens", "authentication", "auth", "scheme", "is"];
        if !english.contains(&value[..len].to_ascii_lowercase().as_str()) {
            let start = text.len() - value.len();
            found.push(start..start + len);
        }
    }
}
