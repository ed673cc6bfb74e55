//! `postgresql://user:password@host:port,host/db?key=value`, as libpq reads it.

use crate::error::{Error, Result};
use crate::settings::Settings;

/// What follows `postgresql://` or `postgres://`.
pub fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
}

/// Reads the part after the scheme.
pub fn parse(rest: &str) -> Result<Settings> {
    let mut settings = Settings::default();
    let credentials_end = rest
        .find(['@', '/'])
        .filter(|&at| rest[at..].starts_with('@'));
    let rest = match credentials_end {
        Some(at) => {
            credentials(&rest[..at], &mut settings)?;
            &rest[at + 1..]
        }
        None => rest,
    };
    let rest = hosts(rest, &mut settings)?;
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    if let Some(name) = path.strip_prefix('/').filter(|name| !name.is_empty()) {
        settings.set("dbname", decode(name)?)?;
    }
    if let Some(query) = query {
        parameters(query, &mut settings)?;
    }
    Ok(settings)
}

fn credentials(text: &str, settings: &mut Settings) -> Result<()> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, password),
        None => (text, ""),
    };
    if !user.is_empty() {
        settings.set("user", decode(user)?)?;
    }
    if !password.is_empty() {
        settings.set("password", decode(password)?)?;
    }
    Ok(())
}

/// Reads `host:port,host:port` and returns what follows, which starts with `/`, `?` or is empty.
fn hosts<'a>(mut rest: &'a str, settings: &mut Settings) -> Result<&'a str> {
    let (mut names, mut ports) = (String::new(), String::new());
    loop {
        rest = if let Some(address) = rest.strip_prefix('[') {
            bracketed(address, &mut names)?
        } else {
            take_until(rest, &[':', '/', '?', ','], &mut names)
        };
        if let Some(port) = rest.strip_prefix(':') {
            rest = take_until(port, &['/', '?', ','], &mut ports);
        }
        match rest.strip_prefix(',') {
            Some(next) => {
                names.push(',');
                ports.push(',');
                rest = next;
            }
            None => break,
        }
    }
    if !names.is_empty() {
        settings.set("host", decode(&names)?)?;
    }
    if !ports.is_empty() {
        settings.set("port", decode(&ports)?)?;
    }
    Ok(rest)
}

fn bracketed<'a>(text: &'a str, names: &mut String) -> Result<&'a str> {
    let Some((address, rest)) = text.split_once(']') else {
        return Err(Error::settings(
            "end of string reached when looking for matching \"]\" in IPv6 host address in URI",
        ));
    };
    if address.is_empty() {
        return Err(Error::settings("IPv6 host address may not be empty in URI"));
    }
    if !(rest.is_empty() || rest.starts_with([':', '/', '?', ','])) {
        return Err(Error::settings(
            "unexpected character after the IPv6 host address in URI (expected \":\" or \"/\")",
        ));
    }
    names.push_str(address);
    Ok(rest)
}

fn take_until<'a>(text: &'a str, stops: &[char], into: &mut String) -> &'a str {
    let end = text.find(stops).unwrap_or(text.len());
    into.push_str(&text[..end]);
    &text[end..]
}

fn parameters(query: &str, settings: &mut Settings) -> Result<()> {
    // One & at the end is no empty pair.
    let query = query
        .strip_suffix('&')
        .filter(|pairs| !pairs.is_empty())
        .unwrap_or(query);
    for pair in query.split('&').take_while(|_| !query.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Error::settings(
                "missing key/value separator \"=\" in URI query parameter",
            ));
        };
        if value.contains('=') {
            return Err(Error::settings(format!(
                "extra key/value separator \"=\" in URI query parameter: \"{name}\""
            )));
        }
        let (name, value) = (decode(name)?, decode(value)?);
        // JDBC's spelling, which libpq translates.
        if name == "ssl" && value == "true" {
            settings.set("sslmode", "require")?;
        } else {
            settings
                .store(&name, value)
                .map_err(|_| Error::settings(format!("invalid URI query parameter: \"{name}\"")))?;
        }
    }
    Ok(())
}

fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let byte = match tail {
            [high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        match byte {
            Some(0) => {
                return Err(Error::settings(
                    "forbidden value %00 in percent-encoded value",
                ));
            }
            Some(byte) => bytes.push(byte),
            None => return Err(Error::settings("invalid percent-encoded token in URI")),
        }
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| Error::settings("a percent-encoded value is not UTF-8"))
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn get(text: &str, name: &str) -> Option<String> {
        parse(strip_scheme(text).unwrap())
            .unwrap()
            .get(name)
            .map(str::to_owned)
    }

    #[test]
    fn every_part() {
        let text =
            "postgresql://o%27b:p%40ss@[::1]:5433,h2,h3:1/db%20x?sslmode=verify-full&ssl=true";
        assert_eq!(get(text, "user").as_deref(), Some("o'b"));
        assert_eq!(get(text, "password").as_deref(), Some("p@ss"));
        assert_eq!(get(text, "host").as_deref(), Some("::1,h2,h3"));
        assert_eq!(get(text, "port").as_deref(), Some("5433,,1"));
        assert_eq!(get(text, "dbname").as_deref(), Some("db x"));
        assert_eq!(get(text, "sslmode").as_deref(), Some("require"));
    }

    #[test]
    fn a_socket_directory_is_percent_encoded() {
        assert_eq!(
            get("postgres://%2Ftmp%2Fs/app", "host").as_deref(),
            Some("/tmp/s")
        );
        assert_eq!(
            get("postgres:///app?host=/tmp/s", "host").as_deref(),
            Some("/tmp/s")
        );
        assert_eq!(get("postgres:///app", "host"), None);
    }

    #[test]
    fn what_libpq_refuses() {
        for bad in [
            "[::1",
            "[]",
            "[::1]x",
            "h?&",
            "h/d?x=1",
            "h/d?host",
            "h/d?host=a=b",
            "h%0",
            "h%00",
            "h%zz",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
