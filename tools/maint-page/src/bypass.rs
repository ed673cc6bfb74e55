//! Keys that let somebody see the site behind the page.
//!
//! A key is the name of a file: 32 hex digits from the kernel's random numbers. The web server
//! only asks whether the file is there, in a directory it may not list, so a key's end has to
//! be an act: each command that changes the layout removes the keys whose time is up.

use base::atomic::Dir;
use base::{Error, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The secret itself: 32 hex digits.
    pub name: String,
    /// What is known of it.
    pub kept: Kept,
}

/// What the key's file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Version of this form.
    pub schema: u32,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Who made it.
    pub created_by: String,
}

impl Key {
    /// A new one, good until `expires`.
    pub fn new(now: Timestamp, expires: Timestamp, by: &str) -> Result<Key> {
        let name = base::atomic::random::<16>()?
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let kept = Kept {
            schema: 1,
            created_at: now.to_string(),
            expires_at: expires.to_string(),
            created_by: by.to_owned(),
        };
        Ok(Key { name, kept })
    }

    /// The file's content.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.kept).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Whether it is still good. An end that cannot be read has come.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.kept
            .expires_at
            .parse::<Timestamp>()
            .is_ok_and(|end| now < end)
    }

    /// How it is called where it must not be known.
    pub fn short(&self) -> &str {
        self.name.get(..8).unwrap_or(&self.name)
    }
}

/// Whether this is how a key is named.
pub fn is_key(name: &str) -> bool {
    name.len() == 32
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The keys there are. A name that is no key's is not looked at.
pub fn read(dir: Option<&Dir>) -> Result<Vec<Key>> {
    let Some(dir) = dir else {
        return Ok(Vec::new());
    };
    let mut keys = Vec::new();
    for name in dir.names()? {
        let Some(name) = name.to_str().filter(|name| is_key(name)) else {
            continue;
        };
        let Some(bytes) = dir.read(name, 4096)? else {
            continue;
        };
        // A file of that name lets somebody in whatever is in it: it counts, as one that has ended.
        let unknown = || Kept {
            schema: 1,
            created_at: String::new(),
            expires_at: String::new(),
            created_by: "unknown".to_owned(),
        };
        keys.push(Key {
            name: name.to_owned(),
            kept: serde_json::from_slice(&bytes).unwrap_or_else(|_| unknown()),
        });
    }
    Ok(keys)
}

/// The keys that begin so.
///
/// # Errors
/// `Kind::Usage` where that is more than one key, so that none is revoked by accident.
pub fn matching(keys: &[Key], start: &str) -> Result<Vec<String>> {
    let found: Vec<String> = keys
        .iter()
        .filter(|key| key.name.starts_with(start))
        .map(|key| key.name.clone())
        .collect();
    if found.len() > 1 {
        return Err(
            Error::usage(format!("{} keys begin with {start}", found.len()))
                .hint("give more of its digits"),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_random_end_and_are_called_by_their_first_digits() {
        let now: Timestamp = "2026-11-21T22:00:00Z".parse().unwrap();
        let end = "2026-11-21T23:00:00Z".parse().unwrap();
        let (one, two) = (
            Key::new(now, end, "root").unwrap(),
            Key::new(now, end, "root").unwrap(),
        );
        assert!(is_key(&one.name) && one.name != two.name && one.name.starts_with(one.short()));
        assert!(one.is_good(now) && !one.is_good(end));
        assert!(!is_key("0123456789ABCDEF0123456789ABCDEF") && !is_key("../on"));
    }
}
