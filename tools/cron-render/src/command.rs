//! A job's command: what is done, told from how cron writes it.
//!
//! Only `python manage.py X` is rewritten for the site, because only there is it certain what is
//! meant; a command that is compound, or already knows its directory, is the administrator's own
//! and stays as it is.

use crate::escape::shell_word;
use crate::piece::Piece;
use crate::site::Site;

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
    /// Runs `manage.py`, but is compound or says `cd` itself.
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
}

/// What `command` (crontab text) looks like.
pub fn shape(command: &[u8]) -> Shape {
    if find(command, b"manage.py").is_none() {
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
    if !is_python(&command[first.0..first.1])
        || !(script == b"manage.py" || script.ends_with(b"/manage.py"))
    {
        return Shape::Other;
    }
    if crate::escape::bare_percent(command).is_some() {
        return Shape::OwnWay(OwnWay::Input);
    }
    Shape::Manage {
        python_end: first.1,
    }
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

/// Whether a shell would send its standard output elsewhere.
pub fn is_redirected(command: &[u8]) -> bool {
    let (mut quote, mut escaped) = (None, false);
    for &byte in command {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, byte) {
            (Some(q), b) if q == b => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') => escaped = true,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'>') => return true,
            _ => {}
        }
    }
    false
}

/// What a job adds to the site's facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// A lock, if not where the site says.
    pub lock: Option<Place>,
    /// A log, if not where the site says.
    pub log: Option<Place>,
    /// A limit of its own.
    pub timeout: Option<std::time::Duration>,
}

/// What stands around a command, resolved for one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// `cd` here first.
    pub dir: Option<String>,
    /// `flock -n` on this.
    pub lock: Option<String>,
    /// `timeout` of so many seconds.
    pub timeout: Option<u64>,
    /// Append both outputs here.
    pub log: Option<String>,
}

impl Around {
    /// For the job `id` of a site.
    pub fn new(site: &Site, id: &str, extras: &Extras) -> Around {
        let stem = match &site.facts.name {
            Some(name) => format!("{name}-{id}"),
            None => id.to_owned(),
        };
        let place =
            |own: &Option<Place>, dir: &Option<String>, suffix: &str, fallback: &str| match own {
                Some(Place::Switch(false)) => None,
                Some(Place::Path(path)) => Some(path.clone()),
                Some(Place::Switch(true)) => Some(format!(
                    "{}/{stem}.{suffix}",
                    dir.as_deref().unwrap_or(fallback).trim_end_matches('/')
                )),
                None => dir
                    .as_ref()
                    .map(|d| format!("{}/{stem}.{suffix}", d.trim_end_matches('/'))),
            };
        let seconds = |d: std::time::Duration| d.as_secs().max(1);
        Around {
            dir: site.facts.dir.clone(),
            lock: place(&extras.lock, &site.facts.lock_dir, "lock", "/tmp"),
            timeout: extras.timeout.or(site.facts.timeout).map(seconds),
            log: place(&extras.log, &site.facts.log_dir, "log", "/tmp"),
        }
    }

    /// What stands before the command.
    pub fn prefix(&self) -> String {
        let mut out = String::new();
        if let Some(dir) = &self.dir {
            out.push_str(&format!("cd {} && ", shell_word(dir)));
        }
        if let Some(lock) = &self.lock {
            out.push_str(&format!("flock -n {} ", shell_word(lock)));
        }
        if let Some(seconds) = self.timeout {
            out.push_str(&format!("timeout {seconds} "));
        }
        out
    }

    /// What stands after it.
    pub fn suffix(&self) -> String {
        self.log
            .as_ref()
            .map(|log| format!(" >>{} 2>&1", shell_word(log)))
            .unwrap_or_default()
    }

    /// The shell command that runs `inner`, whatever it is.
    pub fn wrap(&self, inner: &str) -> String {
        let compound = is_compound(inner.as_bytes());
        let prefixed = self.lock.is_some() || self.timeout.is_some();
        let alone = self.dir.is_none() && self.log.is_none();
        let inner = match (compound, prefixed, alone) {
            (true, true, _) => format!("sh -c {}", shell_word(inner)),
            (true, false, false) => format!("{{ {inner}; }}"),
            _ => inner.to_owned(),
        };
        let suffix = if !compound && is_redirected(inner.as_bytes()) {
            String::new()
        } else {
            self.suffix()
        };
        format!("{}{inner}{suffix}", self.prefix())
    }
}

/// The interpreter of the site's virtual environment, as written after `cd DIR`.
pub fn interpreter(site: &Site) -> String {
    let venv = site
        .facts
        .venv
        .as_deref()
        .unwrap_or("venv")
        .trim_end_matches('/');
    format!("{venv}/bin/python")
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
        assert_eq!(of("/usr/bin/python manage.py a"), Shape::Other);
        assert_eq!(of("python2.7 manage.py a"), Shape::Manage { python_end: 9 });
        assert_eq!(of("pythonx manage.py a"), Shape::Other);
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
    fn wrapping() {
        let around = Around {
            dir: Some("/home/myforumorg/".into()),
            lock: Some("/run/lock/f-x.lock".into()),
            timeout: Some(300),
            log: Some("/var/log/f x.log".into()),
        };
        assert_eq!(
            around.wrap("venv/bin/python manage.py x"),
            "cd /home/myforumorg/ && flock -n /run/lock/f-x.lock timeout 300 venv/bin/python manage.py x >>'/var/log/f x.log' 2>&1"
        );
        assert_eq!(
            Around {
                lock: None,
                timeout: None,
                log: None,
                ..around
            }
            .wrap("a; b"),
            "cd /home/myforumorg/ && { a; b; }"
        );
    }
}
