//! `host=… dbname=…`: libpq's keyword/value strings, with its rules for quotes and backslashes.
//!
//! Messages never show a value: the string may hold a password.

use crate::error::{Error, Result};
use crate::settings::{KEYWORDS, Keyword, Settings};
use crate::uri;

/// Whether a database's name is a connection string, as libpq asks it of `dbname`
/// (`recognized_connection_string` of libpq's fe-connect.c): a URI, or anything with a `=`.
#[must_use]
pub fn is_conninfo(text: &str) -> bool {
    uri::strip_scheme(text).is_some() || text.contains('=')
}

/// Reads a connection string: a URI, keyword/value pairs or, as psql has it, just a database name.
///
/// # Errors
/// As libpq has them, in its words.
pub fn parse(text: &str) -> Result<Settings> {
    if let Some(rest) = uri::strip_scheme(text) {
        return uri::parse(rest);
    }
    if is_conninfo(text) {
        return pairs(text);
    }
    let mut settings = Settings::default();
    if !text.is_empty() {
        settings.set("dbname", text)?;
    }
    Ok(settings)
}

/// Keywords that hold secrets.
const SECRETS: &[&str] = &["password", "sslpassword"];

/// Writes settings as keyword/value pairs that [`parse`] reads back. Passwords are left out.
#[must_use]
pub fn format(settings: &Settings) -> String {
    let pair = |keyword: &Keyword| {
        let value = settings.get(keyword.name)?;
        let plain = !value.is_empty() && value.bytes().all(plain);
        Some(if plain {
            format!("{}={value}", keyword.name)
        } else {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            format!("{}='{quoted}'", keyword.name)
        })
    };
    let shown = KEYWORDS
        .iter()
        .filter(|keyword| !SECRETS.contains(&keyword.name));
    shown.filter_map(pair).collect::<Vec<_>>().join(" ")
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b',' | b':')
}

/// C's `isspace` in the C locale.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

fn pairs(text: &str) -> Result<Settings> {
    let mut settings = Settings::default();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || is_space(c))
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.trim_start_matches(is_space).strip_prefix('=') else {
            return Err(Error::settings(format!(
                "missing \"=\" after \"{name}\" in connection info string"
            )));
        };
        let after = after.trim_start_matches(is_space);
        let (value, after) = match after.strip_prefix('\'') {
            Some(quoted) => quoted_value(quoted)?,
            None => plain_value(after),
        };
        settings.store(name, value)?;
        rest = after.trim_start_matches(is_space);
    }
    Ok(settings)
}

fn plain_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if is_space(c) => return (value, &text[at..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

fn quoted_value(text: &str) -> Result<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Ok((value, &text[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err(Error::settings(
        "unterminated quoted string in connection info string",
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_spaces_around_the_sign() {
        let settings = parse(r"user = 'o\'brien' password=a\ b\\c dbname='' host=  h").unwrap();
        assert_eq!(settings.get("user"), Some("o'brien"));
        assert_eq!(settings.get("password"), Some(r"a b\c"));
        assert_eq!(settings.get("dbname"), Some(""));
        assert_eq!(settings.get("host"), Some("h"));
    }

    #[test]
    fn the_old_spelling_of_sslmode() {
        let mode = |text: &str| {
            parse(text)
                .unwrap()
                .get("sslmode")
                .map(str::to_owned)
                .unwrap_or_default()
        };
        assert_eq!(
            [
                mode("requiressl=1"),
                mode("requiressl=0"),
                mode("postgresql:///?requiressl=1")
            ],
            ["require", "prefer", "require"]
        );
    }

    #[test]
    fn what_is_written_is_read_back_without_the_password() {
        for text in [
            r"user = 'o\'brien' password=secret dbname='' host=/run/pg",
            r"postgresql://u:secret@h:5433/my%20db?options=-c%20a%3Db\c",
            "app",
        ] {
            let settings = parse(text).unwrap();
            let written = format(&settings);
            assert!(!written.contains("secret"), "{written}");
            let again = parse(&written).unwrap();
            for keyword in KEYWORDS.iter().filter(|k| k.name != "password") {
                assert_eq!(
                    again.get(keyword.name),
                    settings.get(keyword.name),
                    "{written}"
                );
            }
        }
    }

    #[test]
    fn a_word_is_a_database() {
        assert_eq!(parse("app").unwrap().get("dbname"), Some("app"));
    }

    #[test]
    fn what_libpq_refuses_is_refused_without_showing_values() {
        for bad in ["host=a user", "host='a", "hots=a", "password=s3 cret x=y"] {
            let error = parse(bad).unwrap_err();
            assert!(!error.message.contains("s3"), "{error}");
        }
    }
}
