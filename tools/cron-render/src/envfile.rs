//! The environment file of a site as its two readers take it: a shell, which cron's jobs read it
//! with (`. FILE`), and systemd (`EnvironmentFile=`). A value that the two read differently is a
//! wrong password at night, so only what means the same to the reader at hand is let through. Pure.

use crate::finding::{Code, Finding};

/// What a shell would not read as `NAME=VALUE`, the first of it.
pub fn for_a_shell(file: &str, text: &str) -> Option<Finding> {
    let wrong = lines(text).find_map(|(number, line)| shell(line).map(|why| (number, why)))?;
    let (number, why) = wrong;
    Some(Finding::of_site(
        Code::E14,
        format!("'{file}', line {number}: {why}; the jobs read the file with a shell"),
        "single quotes around the value: NAME='VALUE'",
    ))
}

/// What systemd would leave out.
pub fn for_systemd(file: &str, text: &str) -> Option<Finding> {
    let found = lines(text).find(|(_, line)| {
        let name = line.split('=').next().unwrap_or_default();
        !is_name(name.trim_end()) && !line.starts_with(';')
    });
    let (number, _) = found?;
    Some(Finding::of_site(
        Code::E14,
        format!("'{file}', line {number}: systemd ignores a line that is not NAME=VALUE"),
        "NAME=VALUE, without 'export'",
    ))
}

/// The lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text
        .split('\n')
        .enumerate()
        .map(|(at, line)| (at + 1, line));
    numbered.filter(|(_, line)| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    })
}

fn is_name(name: &str) -> bool {
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    good && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Why a shell does more with the line than to set a variable.
fn shell(line: &str) -> Option<&'static str> {
    let line = line.trim_start_matches([' ', '\t']);
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else {
        return Some("a line that is not NAME=VALUE is a command");
    };
    if !is_name(name) {
        return Some("a shell takes no variable of this name, or blanks before the =");
    }
    let mut rest = value;
    let mut first = true;
    loop {
        let c = rest.chars().next()?;
        rest = match c {
            '\'' => match rest[1..].split_once('\'') {
                Some((_, after)) => after,
                None => return Some("a quote is not closed"),
            },
            '"' => match double_quoted(&rest[1..]) {
                Ok(after) => after,
                Err(why) => return Some(why),
            },
            ' ' | '\t' => {
                let after = rest.trim_start_matches([' ', '\t']);
                let noted = after.is_empty() || after.starts_with('#');
                return (!noted).then_some("a blank ends the value, and the rest is a command");
            }
            '~' if first => return Some("a ~ at the beginning is a home directory"),
            '$' | '`' => return Some("a $ or ` is expanded"),
            '\\' => return Some("a backslash is taken off"),
            '&' | ';' | '|' | '<' | '>' | '(' | ')' => {
                return Some("a sign such as & ; | < > ( ) ends the value");
            }
            '\r' => return Some("a carriage return is part of the value"),
            _ => &rest[c.len_utf8()..],
        };
        first = false;
    }
}

fn double_quoted(text: &str) -> Result<&str, &'static str> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Ok(&text[at + 1..]),
            '$' | '`' => return Err("a $ or ` in double quotes is expanded"),
            _ => {}
        }
    }
    Err("a quote is not closed")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_agrees_with_what_is_let_through() {
        let good = "# note\n\nA=1\nexport B='x $y `z` \"'\nC=\"a \\\" b\"\nD=a/b:c@d?x=1,%+-*[]\nE=\nF=x # note\nG='a'\"b\"c\n";
        assert_eq!(for_a_shell("f", good), None);
        let script = format!("{good}printf '%s|' \"$A\" \"$B\" \"$C\" \"$D\" \"$E\" \"$F\" \"$G\"");
        let done = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(done.stdout).unwrap(),
            "1|x $y `z` \"|a \" b|a/b:c@d?x=1,%+-*[]||x|abc|"
        );
        for bad in [
            "A=b c", "A=b&c", "A=$X", "A=`x`", "A=a\\b", "A=~/x", "A='x", "A=\"x", "A=\"$x\"",
            "A =b", "A= b", "1A=b", "A-B=c", "run this", "A=b;c", "A=(b)", "A=b\r",
        ] {
            let found = for_a_shell("f", &format!("X=1\n{bad}\n")).unwrap();
            assert!(
                found.message.contains("line 2: "),
                "{bad}: {}",
                found.message
            );
        }
    }

    #[test]
    fn systemd_leaves_out_exports() {
        assert_eq!(for_systemd("f", "A=b c & $d\n; note\nB = x\n"), None);
        assert!(
            for_systemd("f", "A=1\nexport B=2\n")
                .unwrap()
                .message
                .contains("line 2")
        );
    }
}
