//! Heredocs, `<<MARKER` to `MARKER`, as Caddy has them since 2.7: a token of several lines, whose
//! indentation is that of its end.

/// A heredoc.
#[derive(Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// What it says, without the indentation and the last line's end.
    pub text: Vec<u8>,
    /// How many bytes it takes, from `<<` to the end of the marker.
    pub width: usize,
    /// How many line ends are in it.
    pub lines: usize,
}

/// Is `<<` at the start of a text the start of a heredoc, and not a word? It is one if no blank
/// comes before the line's end.
pub fn opens(text: &[u8]) -> bool {
    let line = text.iter().position(|byte| *byte == b'\n');
    line.is_some_and(|end| !text[..end].contains(&b' '))
}

/// A heredoc at the start of a text.
pub fn read(text: &[u8]) -> Result<Heredoc, String> {
    let end = text
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(text.len());
    let marker: Vec<u8> = text[..end]
        .iter()
        .copied()
        .skip(2)
        .filter(|byte| *byte != b'\r')
        .collect();
    let shown = String::from_utf8_lossy(&marker).into_owned();
    if marker.is_empty()
        || !marker
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    {
        return Err(format!(
            "a heredoc's marker has only letters, digits, dashes and underscores: <<{shown}"
        ));
    }
    let body = text.get(end + 1..).unwrap_or_default();
    // The first time that the marker stands anywhere is the end, also within a word.
    let at = body
        .windows(marker.len())
        .position(|part| part == marker)
        .ok_or_else(|| format!("a heredoc is not closed: <<{shown}"))?;
    let content = body[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    let indent = &body[content..at];
    let mut out: Vec<Vec<u8>> = Vec::new();
    for line in body[..content].split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let rest = if matches!(line, b"" | b"\r") {
            Some(&b""[..])
        } else {
            line.strip_prefix(indent)
        };
        let rest = rest.ok_or_else(|| {
            format!("a line of the heredoc <<{shown} is indented otherwise than its end")
        })?;
        out.push(rest.iter().copied().filter(|byte| *byte != b'\r').collect());
    }
    let width = end + 1 + at + marker.len();
    let lines = text[..width].iter().filter(|byte| **byte == b'\n').count();
    Ok(Heredoc {
        text: out.join(&b'\n'),
        width,
        lines,
    })
}

/// A word, in which `\<` is a `<` that opens nothing.
pub fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, after)) = rest.split_first() {
        if !(*byte == b'\\' && after.first() == Some(&b'<')) {
            out.push(*byte);
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{opens, read, unescaped};

    /// As in the Caddyfile's documentation: the indentation of the end is taken from every line,
    /// empty lines have none.
    #[test]
    fn indentation_and_marker() {
        let found = read(b"<<EOF\r\n\t\tone\r\n\n\t\t  two\n\t\tEOF 200\n").unwrap();
        assert_eq!(
            (found.text.as_slice(), found.lines),
            (&b"one\n\n  two"[..], 4)
        );
        assert_eq!(
            found.width,
            b"<<EOF\r\n\t\tone\r\n\n\t\t  two\n\t\tEOF".len()
        );
        assert_eq!(read(b"<<A-1_b\nA-1_bc\n").unwrap().text, b"");
        assert_eq!(read(b"<<E\nE").unwrap().lines, 1);
    }

    #[test]
    fn what_caddy_refuses() {
        for text in [
            "<<\nx\n",
            "<<<E\nE\n",
            "<<E!\nE!\n",
            "<<E\n\tx\n  E\n",
            "<<E\nx\n",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn words_that_open_nothing() {
        assert!(opens(b"<<EOF\nEOF"));
        assert!(!opens(b"<< x\n"));
        assert!(!opens(b"<<EOF"));
        assert_eq!(unescaped(b"\\<<EOF\\a"), b"<<EOF\\a");
    }
}
