//! A file of variables, read as systemd's `EnvironmentFile=` reads it (systemd.exec(5)). Every value is
//! a secret.

use crate::finding::Finding;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The longest file that is read.
const LIMIT: u64 = 1 << 20;

/// The variables of a file, each value registered as a secret.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, Box<Finding>> {
    let open = || -> std::io::Result<String> {
        use std::os::unix::fs::OpenOptionsExt;
        let file: File = File::options()
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LIMIT {
            return Err(std::io::Error::other("larger than 1 MiB"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = open().map_err(|error| Box::new(Finding::io(path.display(), &error)))?;
    let variables = parse(&text);
    for (name, value) in &variables {
        base::mask::register_variable(name, value);
    }
    Ok(variables)
}

/// The assignments of a file. Lines that begin with `#` or `;` are comments; a value may be quoted by
/// `'` or `"`, in part or as a whole, and may go on over lines; a backslash joins lines and quotes the
/// next character.
fn parse(text: &str) -> Vec<(String, String)> {
    let mut chars = text.chars().peekable();
    let mut variables = Vec::new();
    while let Some(first) = chars.peek().copied() {
        if first.is_whitespace() {
            chars.next();
        } else if matches!(first, '#' | ';') {
            comment(&mut chars);
        } else if let Some((name, value)) = assignment(&mut chars) {
            variables.push((name, value));
        }
    }
    variables
}

type Chars<'t> = std::iter::Peekable<std::str::Chars<'t>>;

fn comment(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\n' | '\r' => return,
            _ => {}
        }
    }
}

fn assignment(chars: &mut Chars<'_>) -> Option<(String, String)> {
    let mut name = String::new();
    loop {
        match chars.next()? {
            '=' => break,
            '\n' | '\r' => return None,
            c => name.push(c),
        }
    }
    let value = value(chars);
    let name = name.trim();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !name.is_empty()
        && name.chars().all(fits)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    is_name.then(|| (name.to_owned(), value))
}

fn value(chars: &mut Chars<'_>) -> String {
    let mut out = String::new();
    // White space at the end of an unquoted value does not belong to the value.
    let mut kept = 0;
    while chars.peek().is_some_and(|c| matches!(c, ' ' | '\t')) {
        chars.next();
    }
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\r' => break,
            '\'' | '"' if out.len() == kept => {
                quoted(chars, c, &mut out);
                kept = out.len();
            }
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(next) => {
                    out.push(next);
                    kept = out.len();
                }
            },
            c => {
                out.push(c);
                if !c.is_whitespace() {
                    kept = out.len();
                }
            }
        }
    }
    out.truncate(kept);
    out
}

fn quoted(chars: &mut Chars<'_>, quote: char, out: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => return,
            '\\' if quote == '"' => match chars.next() {
                Some(next @ ('"' | '\\' | '`' | '$')) => out.push(next),
                Some('\n') | None => {}
                Some(next) => out.extend(['\\', next]),
            },
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_systemd_makes_of_them() {
        for (line, value) in [
            ("A=b", "b"),
            ("A=b c  ", "b c"),
            ("A='b c'", "b c"),
            ("A=\"b'c\"", "b'c"),
            ("A='it'\"s\"", "its"),
            ("A=\"a\\\"b\"", "a\"b"),
            ("A=\"a\\nb\"", "a\\nb"),
            ("A=a\\\nb", "ab"),
            ("A=\"a\nb\"", "a\nb"),
            ("A=a#b", "a#b"),
            ("A = b", "b"),
            ("A=", ""),
            ("A='\"x\"'", "\"x\""),
        ] {
            let wanted = vec![("A".to_owned(), value.to_owned())];
            assert_eq!(parse(line), wanted, "{line:?}");
        }
        assert_eq!(parse("# A=b\n; B=c\n\nexport A=b\n1A=x\nnothing\n"), []);
        assert_eq!(parse("A=1\nB=2\n").len(), 2);
    }
}
