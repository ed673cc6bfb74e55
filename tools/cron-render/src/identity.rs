//! A job's id: what its hash, lock, log and units are named after.
//!
//! An id comes from what the job does and from nothing else, so that a job keeps its minute, lock
//! and log when others are added or moved: the subcommand or program, and where there is more to
//! say (arguments, other commands) a hash of all of it.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::command;

/// What stands before the command that matters.
const PREPARATIONS: [&[u8]; 20] = [
    b"cd", b"test", b"[", b"[[", b"if", b"fi", b"else", b"do", b"done", b"for", b"set", b"export",
    b".", b"source", b"true", b":", b"sleep", b"umask", b"ulimit", b"!",
];

/// Programs that run their arguments.
const STARTERS: [&[u8]; 12] = [
    b"exec", b"nice", b"ionice", b"chronic", b"env", b"setsid", b"nohup", b"time", b"flock",
    b"timeout", b"sudo", b"then",
];

/// Ids that are given out, each once.
#[derive(Default)]
pub struct Names {
    seen: HashMap<String, usize>,
}

impl Names {
    /// `wanted`, or `wanted` with a number for a job that does the same as another.
    pub fn unique(&mut self, wanted: &str) -> String {
        let count = self.seen.entry(wanted.to_owned()).or_insert(0);
        *count += 1;
        if *count == 1 {
            return wanted.to_owned();
        }
        let numbered = format!("{wanted}-{count}");
        self.unique(&numbered)
    }

    /// Takes an id that was given; false if it is taken.
    pub fn claim(&mut self, id: &str) -> bool {
        self.seen.insert(id.to_owned(), 1).is_none()
    }
}

/// The id of a shell command.
pub fn of_command(text: &[u8]) -> String {
    let code = text[..command::comment(text).unwrap_or(text.len())].trim_ascii();
    let segments: Vec<&[u8]> = code
        .split(|b| b";&|\n".contains(b))
        .map(<[u8]>::trim_ascii)
        .filter(|s| !s.is_empty())
        .collect();
    let named = segments.iter().find_map(|segment| named(segment));
    let (name, rest) = named.unwrap_or((segments.first().copied().unwrap_or_default(), true));
    let name = slug(name);
    if segments.len() > 1 || rest {
        format!("{}-{}", short(&name), digest(&[code]))
    } else {
        name
    }
}

/// The id of a subcommand of manage.py.
pub fn of_manage(words: &str) -> String {
    let mut each = words.split_whitespace();
    let name = slug(each.next().unwrap_or_default().as_bytes());
    if each.next().is_none() {
        return name;
    }
    format!("{}-{}", short(&name), digest(&[words.trim().as_bytes()]))
}

/// The id of a program and its arguments.
pub fn of_argv(argv: &[String]) -> String {
    let program = argv.first().map_or("", String::as_str);
    let name = slug(program.rsplit('/').next().unwrap_or(program).as_bytes());
    if argv.len() < 2 {
        return name;
    }
    let words: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
    format!("{}-{}", short(&name), digest(&words))
}

/// The word that names one command, and whether it has arguments.
fn named(segment: &[u8]) -> Option<(&[u8], bool)> {
    let words: Vec<&[u8]> = segment
        .split(|b| b" \t\"'`()<>".contains(b))
        .filter(|w| !w.is_empty())
        .collect();
    let manage = words
        .iter()
        .position(|w| *w == b"manage.py" || w.ends_with(b"/manage.py"));
    if let Some(at) = manage {
        return match words.get(at + 1) {
            Some(name) => Some((name, words.len() > at + 2)),
            None => Some((b"manage", at > 1)),
        };
    }
    let assigns = |w: &[u8]| w.contains(&b'=') && !w.starts_with(b"/");
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let base = word.rsplit(|b| *b == b'/').next().unwrap_or(word);
        if PREPARATIONS.contains(&base) {
            return None;
        }
        if STARTERS.contains(&base) {
            at += 1;
            // Their options, and what an option or a lock file or a limit is given.
            while words
                .get(at)
                .is_some_and(|w| w.starts_with(b"-") || w.starts_with(b"/run/") || is_limit(w))
            {
                at += 1;
            }
            continue;
        }
        if !assigns(word) {
            return Some((base, words.len() > at + 1));
        }
        at += 1;
    }
    None
}

fn is_limit(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_digit) && word.len() < 8
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    bytes.iter().take(3).map(|b| format!("{b:02x}")).collect()
}

fn short(name: &str) -> &str {
    name.get(..50).unwrap_or(name)
}

/// Letters, digits, `_` and `-`, at most 60: what files and units may be called.
pub fn slug(word: &[u8]) -> String {
    let good = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-';
    let text: String = word
        .iter()
        .take(60)
        .map(|b| if good(b) { char::from(*b) } else { '-' })
        .collect();
    let text = text.trim_matches('-');
    if text.is_empty() {
        "job".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn stem(text: &str) -> String {
        let id = of_command(text.as_bytes());
        let known = |end: &str| end.len() == 6 && end.bytes().all(|b| b.is_ascii_hexdigit());
        match id.rsplit_once('-') {
            Some((stem, end)) if known(end) => format!("{stem}+"),
            _ => id,
        }
    }

    #[test]
    fn ids_say_what_the_job_does() {
        for (text, id) in [
            ("python manage.py clearsessions", "clearsessions"),
            ("python manage.py clearsessions # nightly", "clearsessions"),
            ("python manage.py send --queue a", "send+"),
            ("cd /srv/x && venv/bin/python manage.py a", "a+"),
            ("/usr/local/bin/backup", "backup"),
            (
                "[ -x /usr/sbin/anacron ] || run-parts /etc/cron.daily",
                "run-parts+",
            ),
            ("if test -d /x; then /opt/y/clean; fi", "clean+"),
            ("A=b /opt/z/run", "run+"),
            ("flock -n /run/x.lock timeout 5m /opt/a/b", "b+"),
        ] {
            let got = stem(text);
            assert_eq!(
                got.trim_end_matches('+'),
                id.trim_end_matches('+'),
                "{text}"
            );
        }
    }

    #[test]
    fn ids_do_not_depend_on_neighbours() {
        let a = of_command(b"python manage.py send --queue a");
        let b = of_command(b"python manage.py send --queue b");
        assert_ne!(a, b);
        assert_eq!(a, of_command(b"python manage.py send --queue a"));
        let mut names = Names::default();
        assert_eq!(names.unique("x"), "x");
        assert_eq!(names.unique("x"), "x-2");
    }
}
