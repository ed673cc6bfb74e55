//! What the text of a value has to look like, and what it means.

use super::Value;
use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// A duration as humantime reads it (`15m`, `1h 30m`), or a bare number of seconds.
///
/// # Errors
/// `Kind::Usage`, with what durations look like.
pub fn parse_duration(text: &str) -> Result<Duration> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    humantime::parse_duration(text).map_err(|e| {
        Error::usage(format!("'{text}' is not a duration: {e}"))
            .hint("durations are written 90s, 15m or '1h 30m'")
    })
}

/// A size in bytes: a whole or decimal number, and K, M, G, T or P (powers of 1024; `MiB` and `MB`
/// mean the same).
///
/// # Errors
/// `Kind::Usage`, with what sizes look like.
pub fn parse_size(text: &str) -> Result<u64> {
    let bad = || {
        Error::usage(format!("'{text}' is not a size"))
            .hint("sizes are written 512K, 128M or 2.5G, in powers of 1024")
    };
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let shift = match unit
        .trim()
        .to_ascii_uppercase()
        .trim_end_matches('B')
        .trim_end_matches('I')
    {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        "P" => 50,
        _ => return Err(bad()),
    };
    let factor = 1u64 << shift;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(bad);
    }
    let bytes = number.parse::<f64>().map_err(|_| bad())? * factor as f64;
    if !bytes.is_finite() || bytes >= u64::MAX as f64 {
        return Err(bad());
    }
    Ok(bytes.round() as u64)
}

/// Whether `given` can be a `value`; `name` (`--timeout`, `VENV`) goes into the message.
pub(super) fn check(name: &str, value: Value, given: &OsStr) -> Result<()> {
    let named = |e: Error| Error {
        message: format!("{name}: {}", e.message),
        ..e
    };
    let path = matches!(
        value,
        Value::File(_) | Value::Dir(_) | Value::Site(_) | Value::Bytes(_) | Value::Program(_)
    );
    if path {
        if given.is_empty() {
            return Err(Error::usage(format!("{name}: the value is empty"))
                .hint(format!("{name} takes {}", value.name())));
        }
        return Ok(());
    }
    let Some(text) = given.to_str() else {
        let shown = crate::terminal::escape_bytes(given.as_encoded_bytes());
        return Err(Error::usage(format!("{name}: '{shown}' is not UTF-8"))
            .hint(format!("{name} takes {}", value.name())));
    };
    match value {
        Value::Duration(_) => parse_duration(text).map(drop).map_err(named),
        Value::Size(_) => parse_size(text).map(drop).map_err(named),
        Value::Count(_) => text
            .parse::<u64>()
            .map(drop)
            .map_err(|_| Error::usage(format!("{name}: '{text}' is not a whole number"))),
        Value::Choice(_, words) if !words.contains(&text) => Err(Error::usage(format!(
            "{name}: '{text}' is none of {}",
            words.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// The words of a choice, for messages and help: `json|text`.
pub(super) fn shown(value: Value) -> String {
    match value {
        Value::Choice(_, words) => words.join("|"),
        other => other.name().to_string(),
    }
}

/// The value, in a form that may be shown.
pub(super) fn masked(value: Option<Value>, given: &OsString) -> String {
    match value {
        Some(Value::Secret(_)) => crate::mask::text(&given.to_string_lossy()),
        _ => given.to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("128M").unwrap(), 128 << 20);
        assert_eq!(parse_size("2GiB").unwrap(), 2 << 30);
        assert_eq!(parse_size("1.5 k").unwrap(), 1536);
        for bad in ["", "M", "1X", "-1", "99999999999999P", "1e3", "NaN"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("1h 30m").unwrap(), Duration::from_secs(5400));
        for bad in ["", "x", "1 parsec", "-5s"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn choices_and_bytes_are_named() {
        let e = check(
            "--output",
            Value::Choice("FORMAT", &["json", "text"]),
            OsStr::new("xml"),
        )
        .unwrap_err();
        assert_eq!(e.message, "--output: 'xml' is none of json, text");
    }
}
