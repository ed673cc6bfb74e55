//! A job's command: what is done, told from how cron writes it.
//!
//! Only `python manage.py X` is rewritten for the site, because only that is certain to mean the
//! site's own. A command that is compound, or names a directory or another program, stays as it is.

use crate::piece::Piece;

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A crontab's own text, written as cron wants it.
    Raw(Piece),
    /// `manage = "clearsessions --all"`.
    Manage(String),
    /// `argv = ["/usr/bin/backup", "--all"]`.
    Argv(Vec<String>),
    /// `shell = "a && b"`.
    Shell(String),
}

/// A switch that may also name a path: `lock = true`, `lock = "/run/x.lock"`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Place {
    /// On, where the site says; or off.
    Switch(bool),
    /// On, here.
    Path(String),
}

/// What a crontab's command looks like to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `python manage.py …` alone: can be rewritten.
    Manage {
        /// Where the first word ends.
        python_end: usize,
    },
    /// Runs `manage.py` in a way that a rewrite would change.
    OwnWay(OwnWay),
    /// Anything else.
    Other,
}

/// Why a command that runs `manage.py` is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnWay {
    /// It changes its directory itself.
    Cd,
    /// More than one command.
    Compound,
    /// `%` gives it standard input.
    Input,
    /// Another program than a bare `python` starts it.
    Starter,
    /// The `manage.py` of a path, which need not be the site's.
    Elsewhere,
}

impl OwnWay {
    /// The reason, for a person.
    pub fn reason(self) -> &'static str {
        match self {
            OwnWay::Cd => "the command changes its directory itself",
            OwnWay::Compound => "the line is more than one command",
            OwnWay::Input => "an unescaped % gives the command standard input",
            OwnWay::Starter => "the first word is not a bare python",
            OwnWay::Elsewhere => "the command names the path of its manage.py",
        }
    }
}

/// What `command` (crontab text) looks like.
pub fn shape(command: &[u8]) -> Shape {
    if !runs_manage(command) {
        return Shape::Other;
    }
    let first = word_at(command, 0);
    if &command[first.0..first.1] == b"cd" {
        return Shape::OwnWay(OwnWay::Cd);
    }
    if is_compound(command) {
        return Shape::OwnWay(OwnWay::Compound);
    }
    let second = word_at(command, first.1);
    let script = &command[second.0..second.1];
    if !is_python(&command[first.0..first.1]) || script.starts_with(b"-") {
        return Shape::OwnWay(OwnWay::Starter);
    }
    if script != b"manage.py" && script != b"./manage.py" {
        return Shape::OwnWay(OwnWay::Elsewhere);
    }
    if crate::escape::bare_percent(command).is_some() {
        return Shape::OwnWay(OwnWay::Input);
    }
    Shape::Manage {
        python_end: first.1,
    }
}

/// Whether a word of the command, its note left out, is `manage.py` or a path that ends in it.
pub fn runs_manage(command: &[u8]) -> bool {
    if find(command, b"manage.py").is_none() {
        return false;
    }
    let code = &command[..comment(command).unwrap_or(command.len())];
    let mut words = code.split(|b| b" \t;&|<>()\"'`".contains(b));
    words.any(|w| w == b"manage.py" || w.ends_with(b"/manage.py"))
}

/// Where a note begins for the shell: a `#` that begins a word, outside of quotes.
pub fn comment(command: &[u8]) -> Option<usize> {
    let (mut quote, mut escaped, mut previous) = (None, false, b' ');
    for (at, &byte) in command.iter().enumerate() {
        let before = std::mem::replace(&mut previous, byte);
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, byte) {
            (Some(q), b) if q == b => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') => escaped = true,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'#') if b" \t;&|()".contains(&before) => return Some(at),
            _ => {}
        }
    }
    None
}

/// Where `word` stands. Its last byte is looked for first: a `y` is rarer than what a window costs.
pub fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let (last, before) = word.split_last()?;
    let mut from = before.len();
    while let Some(at) = text.get(from..)?.iter().position(|b| b == last) {
        let end = from + at;
        if text[..end].ends_with(before) {
            return Some(end - before.len());
        }
        from = end + 1;
    }
    None
}

/// `python`, `python3`, `python3.11`.
fn is_python(word: &[u8]) -> bool {
    let Some(rest) = word.strip_prefix(b"python") else {
        return false;
    };
    let Some((major, minor)) = rest.split_first() else {
        return true;
    };
    if *major != b'2' && *major != b'3' {
        return false;
    }
    match minor.split_first() {
        None => true,
        Some((b'.', digits)) => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        Some(_) => false,
    }
}

fn word_at(text: &[u8], from: usize) -> (usize, usize) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = text[from..]
        .iter()
        .position(|b| !blank(b))
        .map_or(text.len(), |n| from + n);
    let end = text[start..]
        .iter()
        .position(blank)
        .map_or(text.len(), |n| start + n);
    (start, end)
}

/// The first word that a shell would run, after `NAME=value` words; crontab text.
pub fn program(command: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let (start, end) = word_at(command, at);
        let word = &command[start..end];
        if word.is_empty() {
            return None;
        }
        let name = word.iter().position(|b| *b == b'=');
        let assigns = name.is_some_and(|n| {
            n > 0
                && !word[0].is_ascii_digit()
                && word[..n]
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || *b == b'_')
        });
        if !assigns {
            // Where the shell's own marks begin, or the standard input of cron's `%`.
            let end = word
                .iter()
                .position(|b| b";&|()<>%".contains(b))
                .unwrap_or(word.len());
            return Some(&word[..end]).filter(|w| !w.is_empty());
        }
        if word.iter().any(|b| b"\"'`$".contains(b)) {
            // A value with blanks in quotes: where it ends is the shell's to say.
            return None;
        }
        at = end;
    }
}

/// Whether a shell would run more than one command for it. Redirections are not commands.
pub fn is_compound(command: &[u8]) -> bool {
    let (mut quote, mut escaped, mut previous) = (None, false, b' ');
    for (at, &byte) in command.iter().enumerate() {
        let here = std::mem::replace(&mut previous, byte);
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, byte) {
            (Some(b'\''), b'\'') | (Some(b'"'), b'"') => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') => escaped = true,
            (_, b'`') => return true,
            (_, b'(') if here == b'$' => return true,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'&') if here == b'>' || here == b'<' || command.get(at + 1) == Some(&b'>') => {}
            (None, b'|') if here == b'>' => {}
            (None, b';' | b'&' | b'|' | b'(' | b')' | b'\n') => return true,
            _ => {}
        }
    }
    false
}

/// Where a command's output goes that its own text sends elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redirected {
    /// Standard output.
    pub output: bool,
    /// Standard error; `2>&1` is not counted, since it follows standard output.
    pub errors: bool,
}

/// Which outputs a shell would send elsewhere.
pub fn redirected(command: &[u8]) -> Redirected {
    let code = &command[..comment(command).unwrap_or(command.len())];
    let (mut quote, mut escaped) = (None, false);
    let mut found = Redirected::default();
    let mut at = 0;
    while let Some(&byte) = code.get(at) {
        let here = at;
        at += 1;
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, byte) {
            (Some(q), b) if q == b => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') => escaped = true,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'>') => {
                let before = here.checked_sub(1).and_then(|n| code.get(n)).copied();
                let starts = here < 2 || b" \t;&|(".contains(&code[here - 2]);
                let rest = code[at..].strip_prefix(b">").unwrap_or(&code[at..]);
                at = code.len() - rest.len();
                match before {
                    Some(b'&') => {
                        found = Redirected {
                            output: true,
                            errors: true,
                        }
                    }
                    Some(b'2') if starts => found.errors |= !rest.starts_with(b"&1"),
                    Some(b'0' | b'3'..=b'9') if starts => {}
                    _ => found.output = true,
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn of(text: &str) -> Shape {
        shape(text.as_bytes())
    }

    #[test]
    fn only_a_lone_manage_py_is_rewritten() {
        assert_eq!(
            of("python manage.py clearsessions"),
            Shape::Manage { python_end: 6 }
        );
        assert_eq!(
            of("python3.11 ./manage.py x >/dev/null 2>&1"),
            Shape::Manage { python_end: 10 }
        );
        assert_eq!(
            of("cd /x && venv/bin/python manage.py x"),
            Shape::OwnWay(OwnWay::Cd)
        );
        assert_eq!(
            of("python manage.py a; python manage.py b"),
            Shape::OwnWay(OwnWay::Compound)
        );
        assert_eq!(
            of("python manage.py a $(date)"),
            Shape::OwnWay(OwnWay::Compound)
        );
        assert_eq!(
            of("python manage.py a 'x; y'"),
            Shape::Manage { python_end: 6 }
        );
        for text in [
            "/usr/bin/python manage.py a",
            "flock -n /run/x python manage.py a",
            "exec python manage.py a",
            "uv run manage.py a",
            "python -u manage.py a",
            "./manage.py a",
            "pythonx manage.py a",
        ] {
            assert_eq!(of(text), Shape::OwnWay(OwnWay::Starter), "{text}");
        }
        assert_eq!(
            of("python /opt/old/manage.py a"),
            Shape::OwnWay(OwnWay::Elsewhere)
        );
        assert_eq!(
            of("python $HOME/m/manage.py a"),
            Shape::OwnWay(OwnWay::Elsewhere)
        );
        assert_eq!(of("backup # not manage.py"), Shape::Other);
        assert_eq!(of("python2.7 manage.py a"), Shape::Manage { python_end: 9 });
        assert_eq!(of("backup.sh"), Shape::Other);
    }

    #[test]
    fn programs() {
        assert_eq!(program(b"A=1 B=2 run x"), Some(&b"run"[..]));
        assert_eq!(program(b"run;x"), Some(&b"run"[..]));
        assert_eq!(program(b"cat%x"), Some(&b"cat"[..]));
        assert_eq!(program(b""), None);
        assert_eq!(program(b"(a)"), None);
    }

    #[test]
    fn redirections() {
        let of = |text: &str| {
            let found = redirected(text.as_bytes());
            (found.output, found.errors)
        };
        assert_eq!(of("x >/dev/null"), (true, false));
        assert_eq!(of("x 2>/dev/null"), (false, true));
        assert_eq!(of("x 2>&1"), (false, false));
        assert_eq!(of("x >>a 2>&1"), (true, false));
        assert_eq!(of("x &>a"), (true, true));
        assert_eq!(of("x 1>a 2>b"), (true, true));
        assert_eq!(of("x '>a' # >b"), (false, false));
        assert_eq!(of("x y2>a"), (true, false));
        assert_eq!(of("x 3>a"), (false, false));
    }

    #[test]
    fn notes_begin_at_a_word() {
        assert_eq!(comment(b"a # b"), Some(2));
        assert_eq!(comment(b"a#b '# c'"), None);
        assert_eq!(comment(b"a;# b"), Some(2));
    }
}
