//! The end of a Lua block: Lua's own strings, long brackets and comments may hold braces and
//! apostrophes.

/// The length of a block up to and with its closing brace, given the bytes after the opening one.
pub fn block(bytes: &[u8]) -> Option<usize> {
    let mut depth = 1usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'{' => {
                depth += 1;
                1
            }
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
                1
            }
            b'"' | b'\'' => string(&bytes[at..], *byte)?,
            b'-' if bytes[at..].starts_with(b"--") => comment(&bytes[at..])?,
            b'[' => long(&bytes[at..])?.max(1),
            _ => 1,
        };
    }
    None
}

fn string(bytes: &[u8], mark: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte => {
                at += 1;
                if byte == mark {
                    return Some(at);
                }
            }
        }
    }
}

fn comment(bytes: &[u8]) -> Option<usize> {
    let bracket = long(&bytes[2..])?;
    if bracket > 0 {
        return Some(2 + bracket);
    }
    bytes.iter().position(|byte| *byte == b'\n')
}

/// `[[ … ]]`, `[==[ … ]==]`: the whole length; 0 when none starts here, `None` when it is not
/// closed.
fn long(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'[') {
        return Some(0);
    }
    let level = bytes[1..].iter().take_while(|byte| **byte == b'=').count();
    if bytes.get(1 + level) != Some(&b'[') {
        return Some(0);
    }
    let close = [b"]".as_slice(), &b"=".repeat(level), b"]"].concat();
    let body = 2 + level;
    let end = bytes[body..]
        .windows(close.len())
        .position(|window| window == close)?;
    Some(body + end + close.len())
}
