//! The last step before a command stands in a crontab, and its inverse.
//!
//! In a crontab `%` ends the command and begins its standard input, and a backslash protects it.
//! Debian's cron also folds `\\` to `\`; cronie does not. So the same command is written in two
//! ways, and one that a shell would understand may mean something else to cron.

use crate::dialect::Dialect;

/// The crontab text that makes the daemon run exactly `command`. `None` if this cron cannot: cronie
/// has no way to write an odd number of backslashes before a `%`.
pub fn encode(command: &[u8], dialect: Dialect) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(command.len() + 8);
    let mut rest = command;
    while let Some(&byte) = rest.first() {
        let slashes = rest.iter().take_while(|b| **b == b'\\').count();
        if slashes == 0 {
            if byte == b'%' {
                out.push(b'\\');
            }
            out.push(byte);
            rest = &rest[1..];
            continue;
        }
        let before_percent = rest.get(slashes) == Some(&b'%');
        let written = match (dialect.folds_backslashes(), before_percent) {
            (true, true) => 2 * slashes,
            (true, false) if slashes == 1 => 1,
            (true, false) => 2 * slashes,
            (false, true) if slashes % 2 == 1 => return None,
            (false, _) => slashes,
        };
        out.resize(out.len() + written, b'\\');
        rest = &rest[slashes..];
    }
    Some(out)
}

/// What the daemon makes of a crontab's command: what it hands to the shell, and the standard input
/// if an unprotected `%` gives it one.
pub fn decode(text: &[u8], dialect: Dialect) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut command = Vec::with_capacity(text.len());
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
            if byte == b'%' || (byte == b'\\' && dialect.folds_backslashes()) {
                command.pop();
            }
            command.push(byte);
        } else if byte == b'%' {
            return (command, Some(input(&text[at + 1..])));
        } else {
            escaped = byte == b'\\';
            command.push(byte);
        }
    }
    (command, None)
}

/// Standard input: `%` is a newline, `\%` a percent sign, and a newline ends it.
fn input(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1);
    let mut escaped = false;
    for &byte in text {
        if escaped && byte != b'%' {
            out.push(b'\\');
        }
        // A second backslash gives one, and protects what follows just the same.
        let protects = byte == b'\\';
        if !protects {
            out.push(if byte == b'%' && !escaped {
                b'\n'
            } else {
                byte
            });
        }
        escaped = protects;
    }
    if escaped {
        out.push(b'\\');
    }
    if out.last().is_some_and(|b| *b != b'\n') {
        out.push(b'\n');
    }
    out
}

/// Where `%` stands unprotected.
pub fn bare_percent(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, &byte) in text.iter().enumerate() {
        if byte == b'%' && !escaped {
            return Some(at);
        }
        escaped = byte == b'\\' && !escaped;
    }
    None
}

/// Where a doubled backslash stands.
pub fn doubled_backslash(text: &[u8]) -> Option<usize> {
    text.windows(2).position(|pair| pair == b"\\\\")
}

/// A word as a POSIX shell needs it: bare where that is safe, else in single quotes.
pub fn shell_word(word: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&b);
    if !word.is_empty() && word.bytes().all(safe) && !word.starts_with('=') {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let samples: [&[u8]; 12] = [
            b"date +%F",
            b"a\\b",
            b"a\\\\b",
            b"\\\\\\",
            b"\\%",
            b"\\\\%x",
            b"\\",
            b"%",
            b"%%",
            b"sed 's/\\n/\\\\/'",
            b"\\\\\\%",
            b"",
        ];
        for dialect in [Dialect::Debian, Dialect::Cronie] {
            for sample in samples {
                match encode(sample, dialect) {
                    Some(text) => {
                        assert_eq!(
                            decode(&text, dialect),
                            (sample.to_vec(), None),
                            "{}",
                            String::from_utf8_lossy(&text)
                        );
                        assert!(bare_percent(&text).is_none());
                    }
                    None => assert_eq!(dialect, Dialect::Cronie),
                }
            }
        }
    }

    #[test]
    fn dialects_differ_in_a_doubled_backslash() {
        assert_eq!(decode(b"a\\\\b", Dialect::Debian).0, b"a\\b");
        assert_eq!(decode(b"a\\\\b", Dialect::Cronie).0, b"a\\\\b");
    }

    #[test]
    fn percent_begins_the_input() {
        assert_eq!(
            decode(b"cat%one%two", Dialect::Debian),
            (b"cat".to_vec(), Some(b"one\ntwo\n".to_vec()))
        );
    }

    #[test]
    fn words_for_the_shell() {
        assert_eq!(shell_word("/home/my forum"), "'/home/my forum'");
        assert_eq!(shell_word("/srv/x%y"), "/srv/x%y");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
    }
}
