//! Python's `shlex.shlex` without POSIX rules, as supervisor reads
//! `environment=KEY="value",OTHER=1` with it.

/// Splits a text as `shlex.shlex(text)` with supervisor's extra word characters does.
///
/// # Errors
/// When a quotation is not closed.
pub fn tokens(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            at += 1;
        } else if byte == b'#' {
            at = line_end(text, at);
        } else if matches!(byte, b'"' | b'\'') {
            let close = text[at + 1..]
                .iter()
                .position(|other| *other == byte)
                .ok_or("a quotation is not closed")?;
            tokens.push(text[at..at + close + 2].to_vec());
            at += close + 2;
        } else if is_word(byte) {
            // A quotation mark inside a word is part of it here, and a comment ends the line but
            // not the word.
            let mut word = Vec::new();
            while let Some(byte) = text.get(at) {
                if *byte == b'#' {
                    at = line_end(text, at);
                } else if is_word(*byte) || matches!(byte, b'"' | b'\'') {
                    word.push(*byte);
                    at += 1;
                } else {
                    break;
                }
            }
            tokens.push(word);
        } else {
            tokens.push(vec![byte]);
            at += 1;
        }
    }
    Ok(tokens)
}

/// A name and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The pairs of a `KEY=value,…` list.
///
/// # Errors
/// When it is no such list.
pub fn pairs(text: &[u8]) -> Result<Vec<Pair>, String> {
    let tokens = tokens(text)?;
    let mut pairs = Vec::new();
    for group in tokens.chunks(4) {
        let [key, equals, value, ..] = group else {
            return Err(unfinished(text));
        };
        if equals != b"=" {
            return Err(unfinished(text));
        }
        let quote = |byte: &u8| matches!(byte, b'"' | b'\'');
        let first = value
            .iter()
            .position(|byte| !quote(byte))
            .unwrap_or(value.len());
        let last = value
            .iter()
            .rposition(|byte| !quote(byte))
            .map_or(first, |last| last + 1);
        pairs.push((key.clone(), value[first..last].to_vec()));
    }
    Ok(pairs)
}

/// Splits a command line as `shlex.split` does, with POSIX rules: supervisor's `command`, a unit's
/// words, `GUNICORN_CMD_ARGS`.
///
/// # Errors
/// When a quotation is not closed, or a backslash ends the text.
pub fn split(text: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => words.extend(word.take()),
            b'\\' => word
                .get_or_insert_default()
                .push(bytes.next().ok_or("a backslash ends the text")?),
            b'"' | b'\'' => quoted(&mut bytes, byte, word.get_or_insert_default())?,
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Up to the closing mark; a backslash escapes only within `"`, and only itself and the mark.
fn quoted(
    bytes: &mut impl Iterator<Item = u8>,
    mark: u8,
    word: &mut Vec<u8>,
) -> Result<(), String> {
    let open = || "a quotation is not closed".to_owned();
    loop {
        match bytes.next().ok_or_else(open)? {
            byte if byte == mark => return Ok(()),
            b'\\' if mark == b'"' => match bytes.next().ok_or_else(open)? {
                next @ (b'"' | b'\\') => word.push(next),
                next => word.extend([b'\\', next]),
            },
            byte => word.push(byte),
        }
    }
}

fn unfinished(text: &[u8]) -> String {
    format!(
        "no list of KEY=value pairs: {}",
        String::from_utf8_lossy(text).escape_debug()
    )
}

fn line_end(text: &[u8], from: usize) -> usize {
    text[from..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| from + end + 1)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_/.+-():".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{pairs, split};

    #[test]
    fn command_lines() {
        let shown = |text: &str| {
            let words = split(text.as_bytes()).unwrap_or_default();
            words
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(r#"a  'b c'd "e\"\x" f\ g '' #h"#),
            ["a", "b cd", "e\"\\x", "f g", "", "#h"]
        );
        assert!(split(b"a 'b").is_err());
    }

    #[test]
    fn supervisors_own_examples() {
        let got = pairs(b"A=\"x,y\", B=/srv/a.b:c,C='',D=1").unwrap_or_default();
        let want: Vec<(Vec<u8>, Vec<u8>)> =
            [("A", "x,y"), ("B", "/srv/a.b:c"), ("C", ""), ("D", "1")]
                .map(|(k, v)| (k.into(), v.into()))
                .to_vec();
        assert_eq!(got, want);
        assert!(pairs(b"A").is_err());
        assert!(pairs(b"A=\"x").is_err());
    }
}
