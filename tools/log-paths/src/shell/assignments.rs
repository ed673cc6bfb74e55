//! Files of shell assignments (envvars, /etc/default/…), of which only the assignments are read:
//! nothing in them is run.

use std::collections::BTreeMap;

/// Variables by name.
pub type Variables = BTreeMap<Vec<u8>, Vec<u8>>;

/// `NAME=value` and `export NAME=value`, a line each, each filled in from those before it; with the
/// line of each name.
#[must_use]
pub fn assignments(text: &[u8], mut variables: Variables) -> (Variables, BTreeMap<Vec<u8>, usize>) {
    let mut lines = BTreeMap::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        let line = line
            .strip_prefix(b"export ")
            .map_or(line, <[u8]>::trim_ascii_start);
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let name = &line[..at];
        if !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            let value = value(&line[at + 1..], &variables);
            variables.insert(name.to_vec(), value);
            lines.insert(name.to_vec(), number + 1);
        }
    }
    (variables, lines)
}

/// One word of shell: quotations, `$NAME`, `${NAME}`; up to a blank or a comment.
fn value(text: &[u8], variables: &Variables) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut at, mut single, mut double) = (0, false, false);
    while let Some(byte) = text.get(at) {
        match byte {
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'\\' if !single => {
                at += 1;
                out.extend(text.get(at));
            }
            b'$' if !single => {
                let rest = &text[at + 1..];
                let braces = rest.first() == Some(&b'{');
                let name = &rest[usize::from(braces)..];
                let length = name
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
                    .count();
                out.extend(
                    variables
                        .get(&name[..length])
                        .map_or(&b""[..], Vec::as_slice),
                );
                at += length + if braces { 2 } else { 0 };
            }
            b' ' | b'\t' | b';' | b'#' if !single && !double => break,
            other => out.push(*other),
        }
        at += 1;
    }
    out
}
