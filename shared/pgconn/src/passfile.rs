//! `~/.pgpass`: `host:port:database:user:password`, the first line that matches, and only from a
//! file nobody else can read.

use base::clock::Deadline;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a line must match; the host is already `localhost` for the default socket directory.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The host's name, or the socket's directory.
    pub host: &'a str,
    /// The port, in digits.
    pub port: &'a str,
    /// The database.
    pub database: &'a str,
    /// The role.
    pub user: &'a str,
}

/// The largest password file that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// The password for a connection, and a warning if the file is there but may not be used.
pub fn lookup(file: &Path, wanted: Wanted<'_>) -> (Option<Vec<u8>>, Option<String>) {
    if wanted.database.is_empty() || wanted.user.is_empty() {
        return (None, None);
    }
    let Ok(metadata) = std::fs::metadata(file) else {
        return (None, None);
    };
    if !metadata.is_file() {
        let warning = format!("password file \"{}\" is not a plain file", file.display());
        return (None, Some(warning));
    }
    if metadata.mode() & 0o077 != 0 {
        let warning = format!(
            "password file \"{0}\" is ignored, others may read it: chmod 0600 {0}",
            file.display()
        );
        return (None, Some(warning));
    }
    match base::trust::read_regular(file, LIMIT, Deadline::NEVER) {
        Ok((text, _)) => (find(&text, wanted), None),
        Err(error) if error.kind == base::Kind::Failed => {
            let warning = format!("password file is ignored: {}", error.message);
            (None, Some(warning))
        }
        Err(_) => (None, None),
    }
}

fn find(text: &[u8], wanted: Wanted<'_>) -> Option<Vec<u8>> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let line = strip_returns(line);
        if line.is_empty() || line.starts_with(b"#") {
            return None;
        }
        let rest = [wanted.host, wanted.port, wanted.database, wanted.user]
            .iter()
            .try_fold(line, |rest, field| field_matches(rest, field.as_bytes()))?;
        Some(password(rest))
    })
}

fn strip_returns(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r'] = line {
        line = rest;
    }
    line
}

/// The rest of the line after `field:`, if the field is `*` or, unescaped, equals what is wanted.
fn field_matches<'a>(line: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let (mut at, mut matched) = (0, 0);
    loop {
        match (line.get(at)?, wanted.get(matched)) {
            (b':', None) => return line.get(at + 1..),
            (b'\\', _) if line.get(at + 1).is_some() => at += 1,
            _ => {}
        }
        if line.get(at) != wanted.get(matched) {
            return None;
        }
        at += 1;
        matched += 1;
    }
}

/// The last field: up to a colon or the end, backslashes removed.
fn password(line: &[u8]) -> Vec<u8> {
    let mut password = Vec::new();
    let mut bytes = line.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b':' => break,
            b'\\' => password.push(bytes.next().copied().unwrap_or(b'\\')),
            byte => password.push(byte),
        }
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        let wanted = Wanted {
            host: "db.example",
            port: "5432",
            database: "a:b",
            user: r"u\v",
        };
        find(text.as_bytes(), wanted).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn the_first_match_wins() {
        assert_eq!(
            found("other:*:*:*:no\n*:5432:*:*:first\ndb.example:5432:a\\:b:u\\\\v:second\n")
                .as_deref(),
            Some("first")
        );
    }

    #[test]
    fn escapes_in_fields_and_password() {
        assert_eq!(
            found("db.example:5432:a\\:b:u\\\\v:p\\:a\\\\s\\s:rest\r\n").as_deref(),
            Some("p:a\\ss")
        );
        // Like libpq, a colon that is wanted need not be escaped.
        assert_eq!(
            found("db.example:5432:a:b:u\\\\v:yes").as_deref(),
            Some("yes")
        );
        assert_eq!(found("db.example:5432:a\\:b:u\\v:no"), None);
    }

    #[test]
    fn comments_and_stars_inside_words_are_not_wildcards() {
        assert_eq!(found("#*:*:*:*:no\n*.example:*:*:*:no\nx"), None);
    }
}
