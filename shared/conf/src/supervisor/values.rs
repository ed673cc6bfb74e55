//! The kinds of value in supervisor's configuration: numbers, sizes, yes and no, names, paths,
//! addresses.

use super::{Address, Log};
use crate::configparser::strip;
use crate::files::Files;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// Why a value is none; the reader adds which value, and where.
pub type Parsed<T> = Result<T, String>;

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn shown(bytes: &[u8]) -> String {
    text(bytes).escape_debug().to_string()
}

/// `int(value)`: white space around it and single underscores between digits are allowed.
pub fn integer(bytes: &[u8]) -> Parsed<i64> {
    let digits = text(strip(bytes));
    let fault = || format!("'{}' is not a whole number", shown(bytes));
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return Err(fault());
    }
    digits.replace('_', "").parse().map_err(|_| fault())
}

/// The same, where a negative number makes no sense.
pub fn count(bytes: &[u8]) -> Parsed<u64> {
    Ok(u64::try_from(integer(bytes)?).unwrap_or(0))
}

pub fn boolean(bytes: &[u8]) -> Parsed<bool> {
    match bytes.to_ascii_lowercase().as_slice() {
        b"yes" | b"true" | b"on" | b"1" => Ok(true),
        b"no" | b"false" | b"off" | b"0" => Ok(false),
        _ => Err(format!("{} is neither true nor false", shown(bytes))),
    }
}

/// `50MB`, `10KB`, `1GB`, or bytes.
pub fn byte_size(bytes: &[u8]) -> Parsed<u64> {
    let lower = bytes.to_ascii_lowercase();
    let (digits, factor) = match lower.as_slice() {
        [rest @ .., b'k', b'b'] => (rest, 1024),
        [rest @ .., b'm', b'b'] => (rest, 1024 * 1024),
        [rest @ .., b'g', b'b'] => (rest, 1024 * 1024 * 1024),
        rest => (rest, 1),
    };
    let number =
        integer(digits).map_err(|_| format!("'{}' is not a size such as 50MB", shown(bytes)))?;
    Ok(u64::try_from(number).unwrap_or(0).saturating_mul(factor))
}

/// A program's or group's name.
pub fn name(bytes: &[u8]) -> Parsed<String> {
    let name = text(strip(bytes));
    match name.chars().find(|char| " :/".contains(*char)) {
        Some(char) => Err(format!("the name '{name}' holds '{char}'")),
        None => Ok(name),
    }
}

pub fn list(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes
        .split(|byte| *byte == b',')
        .map(|part| strip(part).to_vec())
        .collect()
}

/// What a log file name means: NONE, OFF, AUTO and syslog in any case, or a path.
pub fn logfile(files: &Files, bytes: &[u8], base: &Path) -> Log {
    match bytes.to_ascii_lowercase().as_slice() {
        b"none" | b"off" => Log::None,
        b"auto" => Log::Auto,
        b"syslog" => Log::Syslog,
        _ => Log::File(normal(files, bytes, base)),
    }
}

/// `normpath(abspath(expanduser(…)))`.
pub fn normal(files: &Files, bytes: &[u8], base: &Path) -> PathBuf {
    let path = base.join(expand_user(files, bytes));
    let mut parts: Vec<&OsStr> = Vec::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            Component::Normal(part) => parts.push(part),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    let mut out = PathBuf::from("/");
    out.extend(parts);
    out
}

/// `~` and `~user` by the user database; unknown users leave the name as it is.
fn expand_user(files: &Files, bytes: &[u8]) -> PathBuf {
    let plain = || PathBuf::from(OsString::from_vec(bytes.to_vec()));
    let Some(rest) = bytes.strip_prefix(b"~") else {
        return plain();
    };
    let end = rest
        .iter()
        .position(|byte| *byte == b'/')
        .unwrap_or(rest.len());
    let home = if end == 0 {
        own_home(files)
    } else {
        home_of(files, 0, &rest[..end])
    };
    let Some(home) = home else { return plain() };
    let below = rest[end..]
        .iter()
        .position(|byte| *byte != b'/')
        .map_or(&b""[..], |from| &rest[end + from..]);
    home.join(OsStr::from_bytes(below))
}

fn own_home(files: &Files) -> Option<PathBuf> {
    if files.is_rooted() {
        return home_of(files, 2, b"0");
    }
    let uid = rustix::process::getuid().as_raw().to_string();
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .or_else(|| home_of(files, 2, uid.as_bytes()))
}

fn home_of(files: &Files, field: usize, wanted: &[u8]) -> Option<PathBuf> {
    let passwd = files.read(Path::new("/etc/passwd")).ok()?;
    let line = passwd
        .split(|byte| *byte == b'\n')
        .find(|line| line.split(|byte| *byte == b':').nth(field) == Some(wanted))?;
    let home = line.split(|byte| *byte == b':').nth(5)?;
    Some(PathBuf::from(OsString::from_vec(home.to_vec())))
}

/// `port`, `host:port`, `*:port`.
pub fn inet(bytes: &[u8]) -> Parsed<Address> {
    let text = text(bytes);
    let (host, port) = text.rsplit_once(':').unwrap_or(("", &text));
    let port = integer(port.as_bytes())
        .ok()
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0);
    let port = port.ok_or_else(|| format!("'{text}' is neither a port nor host:port"))?;
    let host = if host == "*" {
        String::new()
    } else {
        host.to_lowercase()
    };
    Ok(Address::Inet { host, port })
}
