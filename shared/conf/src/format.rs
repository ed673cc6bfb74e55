//! Python's `text % mapping`, as far as supervisor's configuration uses it: `%(name)s`,
//! `%(process_num)02d`, `%%`.

use std::collections::BTreeMap;

/// What a name may stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, as bytes.
    Text(Vec<u8>),
    /// A whole number.
    Number(i64),
}

/// The names that may be used.
pub type Names = BTreeMap<Vec<u8>, Value>;

/// Why a text could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This name has no value.
    Unknown(String),
    /// The text is no valid format.
    Malformed(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(name) => write!(out, "%({name})s has no value here"),
            Self::Malformed(what) => write!(out, "badly formatted: {what}"),
        }
    }
}

/// The longest text that comes of filling in, in bytes.
const LONGEST: usize = 256 << 10;

/// Fills in a text.
///
/// # Errors
/// When a name has no value, or a `%` is not one of the forms above.
pub fn expand(text: &[u8], names: &Names) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(b"%") {
            out.push(b'%');
            rest = after;
            continue;
        }
        rest = conversion(rest, names, &mut out)?;
        if out.len() > LONGEST {
            return Err(Fault::Malformed("filled in, it is too long".to_owned()));
        }
    }
    out.extend_from_slice(rest);
    Ok(out)
}

#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
}

/// One `(name)flags width.precision conversion`; returns what follows it.
fn conversion<'a>(text: &'a [u8], names: &Names, out: &mut Vec<u8>) -> Result<&'a [u8], Fault> {
    let malformed = |what: &str| Fault::Malformed(what.to_owned());
    let inner = text
        .strip_prefix(b"(")
        .ok_or_else(|| malformed("a % that names nothing; write %% for a percent sign"))?;
    let close = closing(inner).ok_or_else(|| malformed("a %( that is not closed"))?;
    let name = &inner[..close];
    let value = names
        .get(name)
        .ok_or_else(|| Fault::Unknown(String::from_utf8_lossy(name).into_owned()))?;
    let (spec, rest) = spec(&inner[close + 1..]);
    let (kind, rest) = rest
        .split_first()
        .ok_or_else(|| malformed("nothing follows a %(name)"))?;
    out.extend(render(value, *kind, &spec).ok_or_else(|| {
        Fault::Malformed(format!(
            "%({}){} does not suit its value",
            String::from_utf8_lossy(name),
            char::from(*kind)
        ))
    })?);
    Ok(rest)
}

/// Parentheses inside a name count, as in CPython.
fn closing(text: &[u8]) -> Option<usize> {
    let mut depth = 1usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn spec(text: &[u8]) -> (Spec, &[u8]) {
    let mut spec = Spec::default();
    let mut rest = text;
    while let Some((flag, after)) = rest.split_first() {
        match flag {
            b'-' => spec.left = true,
            b'0' => spec.zero = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => {}
            _ => break,
        }
        rest = after;
    }
    (spec.width, rest) = number(rest);
    if let Some(after) = rest.strip_prefix(b".") {
        let (precision, after) = number(after);
        spec.precision = Some(precision);
        rest = after;
    }
    while let Some(after) = rest.strip_prefix(b"l").or_else(|| rest.strip_prefix(b"h")) {
        rest = after;
    }
    (spec, rest)
}

fn number(text: &[u8]) -> (usize, &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let value = std::str::from_utf8(&text[..end])
        .ok()
        .and_then(|digits| digits.parse::<usize>().ok());
    (value.unwrap_or(0).min(4096), &text[end..])
}

fn render(value: &Value, kind: u8, spec: &Spec) -> Option<Vec<u8>> {
    match (kind, value) {
        (b's', Value::Text(bytes)) => {
            let cut = spec.precision.unwrap_or(bytes.len()).min(bytes.len());
            Some(pad(bytes[..cut].to_vec(), b' ', spec))
        }
        (b's', Value::Number(number)) => Some(pad(number.to_string().into_bytes(), b' ', spec)),
        (b'd' | b'i' | b'u' | b'x' | b'X' | b'o', Value::Number(number)) => {
            Some(whole(*number, kind, spec))
        }
        _ => None,
    }
}

fn whole(number: i64, kind: u8, spec: &Spec) -> Vec<u8> {
    let size = number.unsigned_abs();
    let digits = match kind {
        b'x' => format!("{size:x}"),
        b'X' => format!("{size:X}"),
        b'o' => format!("{size:o}"),
        _ => size.to_string(),
    };
    let sign = match (number < 0, spec.plus, spec.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    };
    let mut least = spec.precision.unwrap_or(0);
    if spec.zero && !spec.left {
        least = least.max(spec.width.saturating_sub(sign.len()));
    }
    pad(format!("{sign}{digits:0>least$}").into_bytes(), b' ', spec)
}

fn pad(mut bytes: Vec<u8>, with: u8, spec: &Spec) -> Vec<u8> {
    let missing = spec.width.saturating_sub(bytes.len());
    if spec.left {
        bytes.extend(std::iter::repeat_n(with, missing));
    } else {
        bytes.splice(0..0, std::iter::repeat_n(with, missing));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Fault, Names, Value, expand};

    fn names() -> Names {
        let text = |value: &str| Value::Text(value.as_bytes().to_vec());
        Names::from([
            (b"here".to_vec(), text("/etc")),
            (b"n".to_vec(), Value::Number(7)),
            (b"a(b)".to_vec(), text("x")),
        ])
    }

    #[test]
    fn the_forms_that_configurations_use() {
        let shown = |format: &str| {
            expand(format.as_bytes(), &names())
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        assert_eq!(shown("%(here)s/x%%").as_deref(), Ok("/etc/x%"));
        assert_eq!(
            shown("%(n)02d|%(n)-3d|%(n)s|%(n)+.3d|%(n)5s").as_deref(),
            Ok("07|7  |7|+007|    7")
        );
        assert_eq!(
            shown("%(here).2s|%(here)6s|%(a(b))s").as_deref(),
            Ok("/e|  /etc|x")
        );
        assert_eq!(shown("%(none)s"), Err(Fault::Unknown("none".to_owned())));
        assert!(matches!(shown("100%"), Err(Fault::Malformed(_))));
        assert!(matches!(shown("%(here)d"), Err(Fault::Malformed(_))));
    }
}
