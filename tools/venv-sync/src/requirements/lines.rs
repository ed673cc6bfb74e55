//! From the bytes of a requirements file to its logical lines, step by step as pip does it:
//! decode, split, join continuations, strip comments, expand variables.
//!
//! The order matters and is pip's: a comment ends a continuation, a variable is expanded after
//! comments are gone (so a `#` in a password survives), and lines end wherever Python's
//! `splitlines` ends them, at a form feed too.

use encoding_rs::Encoding;

/// A logical line: the number of its first physical line, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// Without comment, continuation and surrounding space; never empty.
    pub text: String,
}

/// The logical lines of a file. `variable` is the environment's lookup.
pub fn logical(content: &str, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Line> {
    join(&split(content))
        .into_iter()
        .map(|line| Line {
            text: strip(without_comment(&line.text)).to_owned(),
            ..line
        })
        .filter(|line| !line.text.is_empty())
        .map(|line| Line {
            text: expand(&line.text, variable),
            ..line
        })
        .collect()
}

/// The text of a file: by its byte order mark, else by a `coding:` comment in the first two lines,
/// else UTF-8.
pub fn decode(bytes: &[u8]) -> Result<String, String> {
    const MARKS: [(&[u8], &str); 5] = [
        (b"\xef\xbb\xbf", "utf-8"),
        (b"\xff\xfe\0\0", "utf-32-le"),
        (b"\0\0\xfe\xff", "utf-32-be"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
    ];
    for (mark, encoding) in MARKS {
        if let Some(rest) = bytes.strip_prefix(mark) {
            return decode_as(rest, encoding);
        }
    }
    let declared = bytes.split(|b| *b == b'\n').take(2).find_map(coding);
    decode_as(bytes, declared.unwrap_or("utf-8"))
}

/// The encoding that a comment line declares: `coding` followed by `:` or `=` (PEP 263).
fn coding(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.strip_prefix(b"#")?).ok()?;
    line.match_indices("coding").find_map(|(at, word)| {
        let rest = line[at + word.len()..]
            .strip_prefix([':', '='])?
            .trim_start();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
        let name = &rest[..end.unwrap_or(rest.len())];
        (!name.is_empty()).then_some(name)
    })
}

fn decode_as(bytes: &[u8], encoding: &str) -> Result<String, String> {
    let name = encoding.to_ascii_lowercase().replace('_', "-");
    let wrong = || format!("is not valid {name}");
    match name.as_str() {
        "utf-8" | "utf8" => String::from_utf8(bytes.to_vec()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
            format!("line {line} is not valid UTF-8")
        }),
        "ascii" | "us-ascii" if !bytes.is_ascii() => Err(wrong()),
        "ascii" | "us-ascii" | "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" => {
            Ok(bytes.iter().map(|b| char::from(*b)).collect())
        }
        "utf-32-le" => utf32(bytes, u32::from_le_bytes).ok_or_else(wrong),
        "utf-32-be" => utf32(bytes, u32::from_be_bytes).ok_or_else(wrong),
        label => {
            let label = label.replace("cp12", "windows-12").replace("16-", "16");
            let known = Encoding::for_label(label.as_bytes());
            let known = known.ok_or_else(|| format!("declares the unknown encoding {encoding}"))?;
            let decoded = known.decode_without_bom_handling_and_without_replacement(bytes);
            decoded.map(Into::into).ok_or_else(wrong)
        }
    }
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Option<String> {
    let units = bytes.chunks(4).map(|four| <[u8; 4]>::try_from(four).ok());
    units.map(|four| char::from_u32(unit(four?))).collect()
}

/// Python's `str.splitlines`.
fn split(content: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let end = rest.find(is_line_end).unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        lines.push(line);
        rest = match tail.strip_prefix("\r\n") {
            Some(tail) => tail,
            None => tail.strip_prefix(is_line_end).unwrap_or(tail),
        };
    }
    lines
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// What Python's `str.isspace` and `\s` call space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Joins a line that ends in a backslash with the next one; a comment line ends the joining.
fn join(lines: &[&str]) -> Vec<Line> {
    let mut joined = Vec::new();
    let mut open: Option<Line> = None;
    for (index, text) in lines.iter().enumerate() {
        let comment = text.trim_start_matches(is_space).starts_with('#');
        if comment && open.is_none() {
            // Nothing of it would be left, and most lines of a compiled file are such.
            continue;
        }
        let line = open.get_or_insert_with(|| Line {
            number: index + 1,
            text: String::new(),
        });
        if text.ends_with('\\') && !comment {
            line.text.push_str(text.trim_matches('\\'));
            continue;
        }
        if comment {
            line.text.push(' ');
        }
        line.text.push_str(text);
        joined.extend(open.take());
    }
    joined.extend(open);
    joined
}

/// A comment begins at a `#` that is first or stands behind a space.
fn without_comment(line: &str) -> &str {
    let mut before = None;
    for (at, c) in line.char_indices() {
        if c == '#' && before.is_none_or(is_space) {
            return &line[..at];
        }
        before = Some(c);
    }
    line
}

/// Replaces `${NAME}`, capitals, digits and underscores only; an unset or empty variable stays.
/// Each name is replaced once, everywhere: a line of many costs no more than a line of one.
fn expand(line: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = line.to_owned();
    let mut seen = std::collections::BTreeSet::new();
    for (at, _) in line.match_indices("${") {
        let name: &str = line[at + 2..].split('}').next().unwrap_or_default();
        let whole = format!("${{{name}}}");
        let capitals = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if name.is_empty()
            || !name.bytes().all(capitals)
            || !line[at..].starts_with(&whole)
            || !seen.insert(name)
        {
            continue;
        }
        if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
            // A value that names variables could otherwise double a line again and again.
            if out.len() > LONGEST {
                return out;
            }
            out = out.replace(&whole, &value);
        }
    }
    out
}

/// No line grows beyond this by its variables.
const LONGEST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Line, decode, logical};

    fn lines(content: &str) -> Vec<(usize, String)> {
        let variable = |name: &str| (name == "TOKEN").then(|| "s#cret".to_owned());
        let lines = logical(content, &variable).into_iter();
        lines.map(|Line { number, text }| (number, text)).collect()
    }

    fn one(content: &str) -> String {
        lines(content)
            .into_iter()
            .map(|(_, text)| text)
            .collect::<Vec<_>>()
            .join("|")
    }

    #[test]
    fn continuations_comments_and_variables() {
        assert_eq!(one("a\\\n>=1\nb"), "a>=1|b");
        assert_eq!(
            one("a==1 \\\n  --hash=sha256:00 # why\nb#c"),
            "a==1   --hash=sha256:00|b#c"
        );
        assert_eq!(one("a \\\n# comment\nb"), "a|b");
        assert_eq!(one("# a \\\nb"), "b");
        assert_eq!(one("a \\"), "a");
        assert_eq!(
            one("https://u:${TOKEN}@h/ ${unset} ${NONE}"),
            "https://u:s#cret@h/ ${unset} ${NONE}"
        );
        assert_eq!(
            lines("\n\na\\\nb\nc"),
            [(3, "ab".to_owned()), (5, "c".to_owned())]
        );
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(one("a\rb\r\nc\x0cd\u{2028}e\u{85}f"), "a|b|c|d|e|f");
    }

    #[test]
    fn encodings_are_by_mark_then_by_comment_then_utf8() {
        assert_eq!(decode(b"\xef\xbb\xbfa").as_deref(), Ok("a"));
        assert_eq!(decode(b"\xff\xfea\0b\0").as_deref(), Ok("ab"));
        assert_eq!(decode(b"\xff\xfe\0\0a\0\0\0").as_deref(), Ok("a"));
        assert_eq!(
            decode(b"# -*- coding: latin-1 -*-\n\xe9").as_deref(),
            Ok("# -*- coding: latin-1 -*-\n\u{e9}")
        );
        assert_eq!(
            decode(b"\n# vim: set fileencoding=koi8-r :\n\xc1").as_deref(),
            Ok("\n# vim: set fileencoding=koi8-r :\n\u{430}")
        );
        assert_eq!(decode(b"a\n\xe9").unwrap_err(), "line 2 is not valid UTF-8");
        assert!(decode(b"# coding: nonsense\n").is_err());
    }
}
