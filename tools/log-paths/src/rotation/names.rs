//! The names before a brace: how logrotate cuts them into words, and the patterns that they are.

use conf::pattern::Pattern;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The parts of an absolute path, as those of a pattern are: the first is empty.
pub fn components(path: &Path) -> Vec<&[u8]> {
    let bytes = path.as_os_str().as_bytes();
    bytes
        .split(|byte| *byte == b'/')
        .enumerate()
        .filter(|(index, part)| *index == 0 || !matches!(part, [] | [b'.']))
        .map(|(_, part)| part)
        .collect()
}

/// The path that a word names.
pub fn path_of(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}

/// The patterns, each part by itself.
pub fn compile(patterns: &[PathBuf]) -> Arc<[Vec<Pattern>]> {
    let compile = |pattern: &PathBuf| components(pattern).into_iter().map(Pattern::new).collect();
    patterns.iter().map(compile).collect()
}

/// The names before a brace, as `poptParseArgvString` cuts them: quotations anywhere in a word;
/// outside them a backslash takes the next byte as it is, inside it stays unless the mark follows.
/// `None` where the text ends with a backslash.
pub fn words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = vec![Vec::new()];
    let mut quote: Option<u8> = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        let word = words.last_mut()?;
        match (byte, quote) {
            (byte, Some(mark)) if byte == mark => quote = None,
            (b'\\', _) => {
                let next = bytes.next()?;
                if quote.is_some_and(|mark| mark != next) {
                    word.push(b'\\');
                }
                word.push(next);
            }
            (byte, Some(_)) => word.push(byte),
            (b'"' | b'\'', None) => quote = Some(byte),
            (b' ' | b'\t'..=b'\r', None) if word.is_empty() => {}
            (b' ' | b'\t'..=b'\r', None) => words.push(Vec::new()),
            (byte, None) => word.push(byte),
        }
    }
    words.retain(|word| !word.is_empty());
    Some(words)
}
