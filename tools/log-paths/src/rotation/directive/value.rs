//! What stands behind a directive, as logrotate reads it.

use super::super::cursor::Cursor;
use super::super::stanza::{Create, Mend, Stanza};
use super::{Dialect, Refused};
use crate::users::Users;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn expected(what: &str) -> Refused {
    Refused::Stanza(format!("argument expected after {what}"), None)
}

pub fn weekday(line: &[u8]) -> Result<(), Refused> {
    let text = line.trim_ascii_start();
    if text.is_empty() {
        return Ok(());
    }
    let (value, rest) = unsigned(text);
    if rest == 0 && value.is_some_and(|value| value <= 7) {
        return Ok(());
    }
    Err(Refused::File(
        format!("bad weekly directive '{}'", lossy(text)),
        None,
    ))
}

/// `%u` of scanf(3), and how many bytes are left; a sign makes the number too large or leaves it as
/// it is.
fn unsigned(text: &[u8]) -> (Option<u64>, usize) {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let width = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if width == 0 {
        return (None, text.len());
    }
    let value = lossy(&digits[..width]).parse().unwrap_or(u64::MAX);
    let value = if negative && value > 0 {
        u64::MAX
    } else {
        value
    };
    (Some(value), digits.len() - width)
}

/// strtol(3) with base 0: the value, and what is left of the text.
fn strtol(text: &[u8]) -> (i64, &[u8]) {
    let start = text.trim_ascii_start();
    let (negative, digits) = match start {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, rest)
        }
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(base);
    let width = digits.iter().take_while(is_digit).count();
    if width == 0 {
        return (0, text);
    }
    let value = i64::from_str_radix(&lossy(&digits[..width]), base).unwrap_or(i64::MAX);
    (if negative { -value } else { value }, &digits[width..])
}

pub fn number(
    cursor: &mut Cursor<'_>,
    argument: &str,
    what: &str,
    least: i64,
) -> Result<(), Refused> {
    let value = cursor.value().ok_or_else(|| expected(argument))?;
    let (found, rest) = strtol(&value);
    // logrotate keeps the number in an int.
    #[allow(clippy::cast_possible_truncation)]
    let found = i64::from(found as i32);
    if rest.is_empty() && found >= least {
        return Ok(());
    }
    Err(Refused::Stanza(
        format!("bad {what} '{}'", lossy(&value)),
        None,
    ))
}

pub fn size(value: &[u8], name: &str) -> Result<u64, Refused> {
    let unit = value.last().copied().unwrap_or(b'0');
    let (digits, factor) = match unit {
        b'k' | b'K' => (&value[..value.len() - 1], 1024),
        b'M' => (&value[..value.len() - 1], 1024 * 1024),
        b'G' => (&value[..value.len() - 1], 1024 * 1024 * 1024),
        unit if unit.is_ascii_digit() => (value, 1),
        unit => {
            let number = lossy(value)
                .trim_end_matches(|c: char| !c.is_ascii_digit())
                .to_owned();
            let mend = match value[number.len()..].to_ascii_lowercase().as_slice() {
                b"kb" | b"kib" => Some("k"),
                b"m" | b"mb" | b"mib" => Some("M"),
                b"g" | b"gb" | b"gib" => Some("G"),
                b"b" => Some(""),
                _ => None,
            };
            let lines = mend.map(|unit| Mend::Replace(vec![format!("    {name} {number}{unit}")]));
            let message = format!("unknown unit '{}'", char::from(unit).escape_default());
            return Err(Refused::Stanza(message, lines));
        }
    };
    let (found, rest) = strtol(digits);
    let bytes = found.checked_mul(factor).unwrap_or(i64::MAX);
    if rest.is_empty() && bytes >= 0 {
        return Ok(u64::try_from(bytes).unwrap_or(0));
    }
    Err(Refused::Stanza(
        format!("bad size '{}'", lossy(digits)),
        None,
    ))
}

/// A path of a directive: no blanks, nothing that is not printed.
pub fn path(cursor: &mut Cursor<'_>, name: &str) -> Result<PathBuf, Refused> {
    let value = cursor.value().ok_or_else(|| expected(name))?;
    let printed = |char: char| !char.is_control() && char != ' ' && char != '\t';
    match std::str::from_utf8(&value) {
        Ok(text) if text.chars().all(printed) => Ok(PathBuf::from(OsStr::from_bytes(&value))),
        _ => Err(Refused::Stanza(
            format!("bad {name} path {}", lossy(&value)),
            None,
        )),
    }
}

pub fn su(line: &[u8], stanza: &mut Stanza, users: &Users) -> Result<(), Refused> {
    let name = "su";
    let words = words(line);
    if words.len() > 2 {
        return Err(Refused::Stanza("extra arguments for su".to_owned(), None));
    }
    let known = stanza.su.clone();
    let user = match words.first() {
        Some(user) => Some(account(user, users, name)?),
        None => known.as_ref().map(|(user, _)| user.clone()),
    };
    let group = match words.get(1) {
        Some(group) => Some(self::group(group, users, name)?),
        None => known.map(|(_, group)| group),
    };
    match (user, group) {
        (Some(user), Some(group)) => {
            stanza.su = Some((user, group));
            Ok(())
        }
        (None, _) => Err(Refused::Stanza(
            "no user for su".to_owned(),
            Some(Mend::Account("su".to_owned())),
        )),
        (_, None) => Err(Refused::Stanza(
            "no group for su".to_owned(),
            Some(Mend::Account("su".to_owned())),
        )),
    }
}

/// `[MODE] [OWNER [GROUP]]`; what is not given stays as it was.
pub fn owner(
    line: &[u8],
    before: &Create,
    name: &str,
    users: &Users,
    dialect: Dialect,
) -> Result<Create, Refused> {
    let mut words = words(line);
    let mut create = Create {
        text: words.join(" "),
        ..before.clone()
    };
    let extra = || Refused::Stanza(format!("extra arguments for {name}"), None);
    match dialect {
        Dialect::V321 => {
            // scanf's %ho takes what it can of the first word; the rest of the word is the owner.
            let first = words.first().cloned().unwrap_or_default();
            let width = first
                .bytes()
                .take_while(|byte| matches!(byte, b'0'..=b'7'))
                .count();
            if width > 0 {
                create.mode = u32::from_str_radix(&first[..width], 8).ok();
                words.remove(0);
                if width < first.len() {
                    words.insert(0, first[width..].to_owned());
                }
            }
            if words.len() > 2 {
                return Err(extra());
            }
        }
        Dialect::V322 => {
            if words.len() > 3 {
                return Err(extra());
            }
            if words.len() != 2 && !words.is_empty() {
                let mode = words.remove(0);
                create.mode = Some(
                    u32::from_str_radix(&mode, 8)
                        .map_err(|_| Refused::Stanza(format!("invalid mode '{mode}'"), None))?,
                );
            }
        }
    }
    if let Some(user) = words.first() {
        create.owner = Some(account(user, users, name)?);
    }
    if let Some(group) = words.get(1) {
        create.group = Some(self::group(group, users, name)?);
    }
    Ok(create)
}

fn words(line: &[u8]) -> Vec<String> {
    lossy(line)
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect()
}

fn account(name: &str, users: &Users, directive: &str) -> Result<String, Refused> {
    match users.account(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(Refused::Stanza(
            format!("unknown user '{name}'"),
            Some(Mend::Account(directive.to_owned())),
        )),
    }
}

fn group(name: &str, users: &Users, directive: &str) -> Result<String, Refused> {
    match users.known_gid(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(Refused::Stanza(
            format!("unknown group '{name}'"),
            Some(Mend::Account(directive.to_owned())),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::strtol;

    #[test]
    fn numbers_as_strtol_reads_them() {
        for (text, value, rest) in [
            ("8", 8, ""),
            (" 8", 8, ""),
            ("0x1f", 31, ""),
            ("010", 8, ""),
            ("08", 0, "8"),
            ("x", 0, "x"),
            ("", 0, ""),
            ("-1", -1, ""),
            ("5 k", 5, " k"),
        ] {
            assert_eq!(strtol(text.as_bytes()), (value, rest.as_bytes()), "{text}");
        }
    }
}
