//! What stands around a job's command: its directory, environment, locks, limit and log.
//!
//! Each job carries its own environment. A setting line holds for every later line of the crontab,
//! those of other sites too, so in a crontab that is shared the variables stand in the command.

use std::time::Duration;

use crate::command::{self, Place};
use crate::escape::shell_word;
use crate::format::Owner;
use crate::site::Site;

/// What a job adds to the site's facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// A lock, if not where the site says.
    pub lock: Option<Place>,
    /// A log, if not where the site says.
    pub log: Option<Place>,
    /// A limit of its own.
    pub timeout: Option<Duration>,
}

/// What stands around a command, resolved for one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// `cd` here first.
    pub dir: Option<String>,
    /// A file of variables.
    pub env_file: Option<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// `flock -n` on this.
    pub lock: Option<String>,
    /// `flock` on this: jobs of the site wait for each other.
    pub turn: Option<String>,
    /// `timeout` and its number of seconds.
    pub timeout: Option<u64>,
    /// Append both outputs here.
    pub log: Option<String>,
}

impl Around {
    /// For the job `id` of a site; `env` is what the job's environment has to hold.
    pub fn new(site: &Site, id: &str, extras: &Extras, env: Vec<(String, String)>) -> Around {
        let stem = match &site.facts.name {
            Some(name) => format!("{name}-{id}"),
            None => id.to_owned(),
        };
        let below =
            |dir: &str, suffix: &str| format!("{}/{stem}.{suffix}", dir.trim_end_matches('/'));
        let place = |own: &Option<Place>, dir: &Option<String>, suffix: &str| match own {
            Some(Place::Switch(false)) => None,
            Some(Place::Path(path)) => Some(path.clone()),
            // Without a directory there is no place: the template's reader refuses that.
            Some(Place::Switch(true)) | None => dir.as_deref().map(|d| below(d, suffix)),
        };
        let seconds = |d: Duration| d.as_secs().max(1);
        let turn = site.facts.lock_dir.as_deref().filter(|_| site.sequence());
        Around {
            dir: site.facts.dir.clone(),
            env_file: site.facts.env_file.clone(),
            env,
            lock: place(&extras.lock, &site.facts.lock_dir, "lock"),
            turn: turn.map(|dir| format!("{}/{}.turn", dir.trim_end_matches('/'), site.name())),
            timeout: extras.timeout.or(site.facts.job_timeout).map(seconds),
            log: place(&extras.log, &site.facts.log_dir, "log"),
        }
    }

    /// What stands before a command that is rendered.
    pub fn prefix(&self) -> String {
        self.prefix_of(false)
    }

    /// For `{ a; b; }`, which is no program, variables are exported.
    fn prefix_of(&self, group: bool) -> String {
        let mut out = String::new();
        if let Some(dir) = &self.dir {
            out.push_str(&format!("cd {} && ", shell_word(dir)));
        }
        if let Some(file) = &self.env_file {
            out.push_str(&format!("set -a && . {} && set +a && ", shell_word(file)));
        }
        if !self.env.is_empty() && group {
            out.push_str(&format!("export {} && ", self.assignments().trim_end()));
        } else if !self.env.is_empty() {
            out.push_str(&format!("env {}", self.assignments()));
        }
        if let Some(lock) = &self.lock {
            out.push_str(&format!("flock -n {} ", shell_word(lock)));
        }
        if let Some(turn) = &self.turn {
            out.push_str(&format!("flock {} ", shell_word(turn)));
        }
        if let Some(seconds) = self.timeout {
            out.push_str(&format!("timeout {seconds} "));
        }
        out
    }

    /// What stands before a command that stays as it is: its environment alone.
    pub fn exports(&self) -> String {
        let mut out = String::new();
        if let Some(file) = &self.env_file {
            out.push_str(&format!("set -a; . {} || exit; set +a; ", shell_word(file)));
        }
        if !self.env.is_empty() {
            out.push_str(&format!("export {}; ", self.assignments().trim_end()));
        }
        out
    }

    fn assignments(&self) -> String {
        let each = self.env.iter().map(|(name, value)| {
            if value.is_empty() {
                format!("{name}= ")
            } else {
                format!("{name}={} ", shell_word(value))
            }
        });
        each.collect()
    }

    /// What stands after `command`, which may send one of its outputs elsewhere already.
    pub fn suffix(&self, command: &[u8]) -> String {
        let Some(log) = &self.log else {
            return String::new();
        };
        let own = command::redirected(command);
        match (own.output, own.errors) {
            (true, _) => String::new(),
            (false, true) => format!(" >>{}", shell_word(log)),
            (false, false) => format!(" >>{} 2>&1", shell_word(log)),
        }
    }

    /// The shell command that runs `inner`, whatever it is.
    pub fn wrap(&self, inner: &str) -> String {
        // A note at the end would swallow what comes after it.
        let inner = match command::comment(inner.as_bytes()) {
            Some(at) => inner[..at].trim_end(),
            None => inner,
        };
        let compound = command::is_compound(inner.as_bytes());
        let prefixed = self.lock.is_some() || self.turn.is_some() || self.timeout.is_some();
        let alone = self.dir.is_none()
            && self.log.is_none()
            && self.env_file.is_none()
            && self.env.is_empty();
        let text = match (compound, prefixed, alone) {
            (true, true, _) => format!("sh -c {}", shell_word(inner)),
            (true, false, false) => format!("{{ {inner}; }}"),
            _ => inner.to_owned(),
        };
        let suffix = if compound {
            self.suffix(b"")
        } else {
            self.suffix(inner.as_bytes())
        };
        format!("{}{text}{suffix}", self.prefix_of(compound && !prefixed))
    }

    /// The shell command that runs crontab text which begins with `python`, in place of which
    /// `interpreter` stands: the head, the rest of the text, the tail.
    pub fn split<'a>(
        &self,
        raw: &'a [u8],
        python_end: usize,
        interpreter: &str,
    ) -> (String, &'a [u8], String, &'a [u8]) {
        let code = command::comment(raw).unwrap_or(raw.len());
        let body = raw[python_end..code].trim_ascii_end();
        let note = &raw[python_end + body.len()..];
        let suffix = self.suffix(&raw[..code]);
        (
            format!("{}{}", self.prefix(), shell_word(interpreter)),
            body,
            suffix,
            note,
        )
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

/// Whether variables stand in each job's command rather than in setting lines: in a block, whose
/// file other people's lines share. Without a name there is no block, and the text is a whole file.
pub fn carries_environment(site: &Site) -> bool {
    site.format.owner == Owner::User && site.facts.name.is_some()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn wrapping() {
        let around = Around {
            dir: Some("/home/myforumorg/".into()),
            env: vec![("A".into(), "b c".into()), ("E".into(), String::new())],
            lock: Some("/run/lock/f-x.lock".into()),
            timeout: Some(300),
            log: Some("/var/log/f x.log".into()),
            ..Around::default()
        };
        assert_eq!(
            around.wrap("venv/bin/python manage.py x # nightly"),
            "cd /home/myforumorg/ && env A='b c' E= flock -n /run/lock/f-x.lock timeout 300 venv/bin/python manage.py x >>'/var/log/f x.log' 2>&1"
        );
        assert_eq!(around.exports(), "export A='b c' E=; ");
        let plain = Around {
            dir: around.dir.clone(),
            env_file: Some("/etc/f.env".into()),
            ..Around::default()
        };
        assert_eq!(
            plain.wrap("a; b"),
            "cd /home/myforumorg/ && set -a && . /etc/f.env && set +a && { a; b; }"
        );
        assert_eq!(around.suffix(b"x 2>/dev/null"), " >>'/var/log/f x.log'");
    }
}
