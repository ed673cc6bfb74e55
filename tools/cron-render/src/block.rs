//! Our block in somebody's crontab: found, replaced, removed, and nothing else touched.
//!
//! The block stands between two comment lines; the first carries the hash of what lies between, so
//! that a block edited by hand is noticed and not overwritten. Everything outside is bytes that
//! pass through: blanks at line ends, tabs and bytes that are no UTF-8 included.

use std::ops::Range;

use base::error::{Error, Result};
use sha2::{Digest, Sha256};

/// A site's block in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Both markers included, with the newline of the second.
    pub whole: Range<usize>,
    /// What lies between.
    pub body: Range<usize>,
    /// Whether the body is what was installed.
    pub intact: bool,
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// The block with its markers.
pub fn wrap(name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("# BEGIN cron-render {name} sha256={}\n", sha256(body)).into_bytes();
    out.extend_from_slice(body);
    if !body.is_empty() && !body.ends_with(b"\n") {
        out.push(b'\n');
    }
    out.extend_from_slice(format!("# END cron-render {name}\n").as_bytes());
    out
}

/// Finds the block of `name`.
///
/// # Errors
/// `Kind::Failed` where the markers are broken, doubled or out of order: what belongs to whom
/// cannot be told then.
pub fn find(file: &[u8], name: &str) -> Result<Option<Block>> {
    let begin = format!("# BEGIN cron-render {name}");
    let end = format!("# END cron-render {name}");
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    let mut at = 0;
    for (index, line) in file.split_inclusive(|b| *b == b'\n').enumerate() {
        let span = at..at + line.len();
        at = span.end;
        let text = line.trim_ascii();
        if marks(text, begin.as_bytes()) {
            begins.push((index + 1, span, line));
        } else if marks(text, end.as_bytes()) {
            ends.push((index + 1, span, line));
        }
    }
    let numbers = |lines: &[(usize, Range<usize>, &[u8])]| {
        lines
            .iter()
            .map(|l| l.0.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let broken = |why: String| {
        Err(Error::failed(format!("the markers of {name} in the crontab are broken: {why}"))
            .hint(format!("crontab -e: keep one line '{begin} …' and one line '{end}' below, or remove both and the lines between them")))
    };
    match (&begins[..], &ends[..]) {
        ([], []) => Ok(None),
        ([first], [last]) if first.0 < last.0 => {
            let body = first.1.end..last.1.start;
            let hash = sha256(&file[body.clone()]);
            let (first_line, last_line) = (format!("{begin} sha256={hash}\n"), format!("{end}\n"));
            let intact = first.2 == first_line.as_bytes()
                && (last.2 == last_line.as_bytes() || last.2 == end.as_bytes());
            Ok(Some(Block {
                whole: first.1.start..last.1.end,
                body,
                intact,
            }))
        }
        ([first], [last]) => broken(format!(
            "END (line {}) stands before BEGIN (line {})",
            last.0, first.0
        )),
        (_, []) => broken(format!("BEGIN (line {}) without END", numbers(&begins))),
        ([], _) => broken(format!("END (line {}) without BEGIN", numbers(&ends))),
        _ => broken(format!(
            "BEGIN on lines {} and END on lines {}",
            numbers(&begins),
            numbers(&ends)
        )),
    }
}

/// The marker alone or followed by a blank: `… forum` is not the marker of `forum2`.
fn marks(line: &[u8], marker: &[u8]) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
}

/// The file with the block in it: in its place if there is one, else at the end.
pub fn splice(file: &[u8], block: Option<&Block>, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len() + text.len() + 1);
    match block {
        Some(block) => {
            out.extend_from_slice(&file[..block.whole.start]);
            out.extend_from_slice(text);
            out.extend_from_slice(&file[block.whole.end..]);
        }
        None => {
            out.extend_from_slice(file);
            if !file.is_empty() && !file.ends_with(b"\n") {
                out.push(b'\n');
            }
            out.extend_from_slice(text);
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const FOREIGN: &[u8] = b"\t# mine  \n\nA=b  \n5 0 * * *\tcmd \xff\xfe  \n";

    #[test]
    fn in_and_out_leaves_every_other_byte() {
        let text = wrap("forum", b"1 0 * * * x\n");
        let with = splice(FOREIGN, None, &text);
        assert!(with.starts_with(FOREIGN));
        let block = find(&with, "forum").unwrap().unwrap();
        assert!(block.intact);
        let newer = splice(&with, Some(&block), &wrap("forum", b"2 0 * * * x\n"));
        let block = find(&newer, "forum").unwrap().unwrap();
        assert_eq!(splice(&newer, Some(&block), b""), FOREIGN);
        assert_eq!(find(&newer, "for").unwrap(), None);
    }

    #[test]
    fn a_hand_edit_shows() {
        let text = String::from_utf8(wrap("forum", b"1 0 * * * x\n")).unwrap();
        let block = |t: &str| find(t.as_bytes(), "forum").unwrap().unwrap();
        assert!(!block(&text.replace("1 0", "2 0")).intact);
        assert!(!block(&text.replace("sha256=", "sha=")).intact);
        assert!(!block(&text.replace("forum sha", "forum  sha")).intact);
    }

    #[test]
    fn broken_markers_are_refused() {
        let text = String::from_utf8(wrap("f", b"1 0 * * * x\n")).unwrap();
        let (begin, end) = (text.lines().next().unwrap(), "# END cron-render f");
        for broken in [
            format!("{begin}\n1 0 * * * x\n"),
            format!("1 0 * * * x\n{end}\n"),
            format!("{end}\n{begin}\n"),
            format!("{text}{text}"),
            format!("{begin}\n{text}"),
        ] {
            assert!(find(broken.as_bytes(), "f").is_err(), "{broken}");
        }
    }
}
