//! Names of files and words of commands beside each other, by their texts alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How much two names have in common: the directory, the beginning, the end.
pub fn alike(one: &Path, other: &Path) -> usize {
    let name = |path: &Path| {
        path.file_name()
            .map(OsStr::as_bytes)
            .unwrap_or_default()
            .to_vec()
    };
    let (first, second) = (name(one), name(other));
    let begins = first
        .iter()
        .zip(&second)
        .take_while(|(a, b)| a == b)
        .count();
    let ends = first
        .iter()
        .rev()
        .zip(second.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    usize::from(one.parent() == other.parent()) + 2 * begins + ends
}

/// Are these the words of one command, whatever the program before them is called?
pub fn same_words(command: &str, title: &str) -> bool {
    let last = |text: &str| {
        let words: Vec<String> = text
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']).to_owned())
            .collect();
        words.get(1..).map(<[String]>::to_vec)
    };
    last(command) == last(title)
}

/// Do the fixed parts of a template stand in a name, in order, the first and the last at its ends?
pub fn could_be(template: &[u8], name: &[u8]) -> bool {
    let parts = fixed(template);
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    let Some(mut rest) = name.strip_prefix(first.as_slice()) else {
        return false;
    };
    for part in &parts[1..] {
        let Some(at) = rest
            .windows(part.len().max(1))
            .position(|window| window.starts_with(part))
        else {
            return part.is_empty();
        };
        rest = &rest[at + part.len()..];
    }
    parts.len() > 1 && name.ends_with(last)
}

/// What stays the same of a template: `$variable`, `${variable}`, `%Y` and `?` are taken out.
fn fixed(template: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut at = 0;
    while let Some(byte) = template.get(at) {
        let rest = &template[at + 1..];
        let width = match byte {
            b'$' if rest.first() == Some(&b'{') => rest
                .iter()
                .position(|byte| *byte == b'}')
                .map_or(0, |end| end + 1),
            b'$' => rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                .count(),
            b'%' if rest.first() != Some(&b'%') => 1,
            b'?' => 0,
            _ => {
                if let Some(part) = parts.last_mut() {
                    part.push(*byte);
                }
                at += 1;
                continue;
            }
        };
        parts.push(Vec::new());
        at += 1 + width;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::could_be;

    #[test]
    fn templates_and_names() {
        assert!(could_be(
            b"/l/$host.access.log",
            b"/l/example.org.access.log"
        ));
        assert!(could_be(b"/l/pg-%Y-%m-%d.log", b"/l/pg-2026-11-21.log"));
        assert!(could_be(b"/l/${a}x$b", b"/l/1x2"));
        assert!(!could_be(b"/l/$host.log", b"/m/a.log"));
        assert!(!could_be(b"/l/$host.log", b"/l/a.txt"));
    }
}
