//! The facts of a site: where it is, who runs it, what the schedule needs to know.
//!
//! They come from the template's `[site]`, from the site file and from the command line, the later
//! winning. Everything here ends in a crontab or a unit file, so no fact may hold a control byte,
//! and a name or user nothing that a file name or an option could be mistaken for.

use std::collections::BTreeMap;
use std::time::Duration;

use base::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::dialect::Dialect;
use crate::finding::{Code, Finding};
use crate::format::Format;
use crate::zone::Zone;

/// Facts as they are given: all optional.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The name of the site: the block, the file or the units are called after it.
    pub name: Option<String>,
    /// The directory with `manage.py`.
    pub dir: Option<String>,
    /// The virtual environment: an absolute path, or a path below dir (default: venv).
    pub venv: Option<String>,
    /// The user that runs the jobs.
    pub user: Option<String>,
    /// Environment settings, in order.
    #[serde(default, deserialize_with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: Vec<(String, String)>,
    /// The address that cron mails the output to; empty for no mail.
    pub mailto: Option<String>,
    /// The jobs' PATH.
    pub path: Option<String>,
    /// The jobs' shell.
    pub shell: Option<String>,
    /// The time zone of the cron daemon (default: the zone of the host).
    pub tz: Option<String>,
    /// The directory of the files that the output of the jobs is appended to.
    #[serde(alias = "log-dir")]
    pub log_dir: Option<String>,
    /// The directory of the locks of the jobs.
    #[serde(alias = "lock-dir")]
    pub lock_dir: Option<String>,
    /// The file of NAME=VALUE lines with the variables of the jobs.
    #[serde(alias = "env-file")]
    pub env_file: Option<String>,
    /// The longest time that a job may take; timeout(1) ends the job after that.
    #[serde(
        default,
        alias = "job-timeout",
        alias = "timeout",
        deserialize_with = "duration"
    )]
    #[schemars(with = "Option<String>")]
    pub job_timeout: Option<Duration>,
    /// Whether the jobs of the site wait for each other, so that no two run at the same time.
    pub sequence: Option<bool>,
    /// The systemd unit that is started when a job fails.
    #[serde(alias = "on-failure")]
    pub on_failure: Option<String>,
    /// The time within which jobs that start at the same minute are moved apart.
    #[serde(default, deserialize_with = "duration")]
    #[schemars(with = "Option<String>")]
    pub spread: Option<Duration>,
    /// The form of the schedule (default: crontab).
    pub format: Option<String>,
    /// The rules of this cron (default: the cron of this host).
    pub dialect: Option<Dialect>,
}

impl Facts {
    /// These facts, with what is missing taken from `under`.
    #[must_use]
    pub fn over(self, under: Facts) -> Facts {
        let mut env = under.env;
        for (name, value) in self.env {
            match env.iter_mut().find(|(n, _)| *n == name) {
                Some(old) => old.1 = value,
                None => env.push((name, value)),
            }
        }
        Facts {
            name: self.name.or(under.name),
            dir: self.dir.or(under.dir),
            venv: self.venv.or(under.venv),
            user: self.user.or(under.user),
            env,
            mailto: self.mailto.or(under.mailto),
            path: self.path.or(under.path),
            shell: self.shell.or(under.shell),
            tz: self.tz.or(under.tz),
            log_dir: self.log_dir.or(under.log_dir),
            lock_dir: self.lock_dir.or(under.lock_dir),
            env_file: self.env_file.or(under.env_file),
            job_timeout: self.job_timeout.or(under.job_timeout),
            sequence: self.sequence.or(under.sequence),
            on_failure: self.on_failure.or(under.on_failure),
            spread: self.spread.or(under.spread),
            format: self.format.or(under.format),
            dialect: self.dialect.or(under.dialect),
        }
    }

    /// The texts among them, with the name of the option each comes from.
    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let single = [
            ("name", &self.name),
            ("dir", &self.dir),
            ("venv", &self.venv),
            ("user", &self.user),
            ("mailto", &self.mailto),
            ("path", &self.path),
            ("shell", &self.shell),
            ("tz", &self.tz),
            ("log-dir", &self.log_dir),
            ("lock-dir", &self.lock_dir),
            ("env-file", &self.env_file),
            ("on-failure", &self.on_failure),
        ];
        let env = self
            .env
            .iter()
            .flat_map(|(n, v)| [("env", n.as_str()), ("env", v.as_str())]);
        single
            .into_iter()
            .filter_map(|(option, text)| Some((option, text.as_deref()?)))
            .chain(env)
    }
}

/// The facts of one site, complete as far as this run needs them.
#[derive(Clone, Debug)]
pub struct Site {
    /// As given; see [`Facts`].
    pub facts: Facts,
    /// What is made of the schedule.
    pub format: &'static Format,
    /// Whose rules.
    pub dialect: Dialect,
    /// The zone that the daemon runs by.
    pub zone: Zone,
}

impl Site {
    /// Checks the facts. What is only unwise, or stops this cron alone, comes back as findings.
    ///
    /// # Errors
    /// A usage error for a fact that could not be written anywhere.
    pub fn new(
        facts: Facts,
        format: &'static Format,
        dialect: Dialect,
    ) -> Result<(Site, Vec<Finding>)> {
        let mut findings = Vec::new();
        for (option, text) in facts.texts() {
            if let Some(byte) = text.bytes().find(|b| b.is_ascii_control() && *b != b'\t') {
                findings.push(Finding::of_site(
                    Code::E09,
                    format!("{option}: a value may not hold {}", control_name(byte)),
                    "take it out",
                ));
            }
        }
        for (option, directory) in [
            ("dir", &facts.dir),
            ("log-dir", &facts.log_dir),
            ("lock-dir", &facts.lock_dir),
            ("env-file", &facts.env_file),
        ] {
            if let Some(text) = directory.as_deref().filter(|t| !t.starts_with('/')) {
                return Err(
                    Error::usage(format!("--{option} {text}: not an absolute path")).hint(
                        "cron starts jobs in the user's home directory; give the path from /",
                    ),
                );
            }
        }
        if facts.venv.as_deref().is_some_and(|v| !v.starts_with('/')) && facts.dir.is_none() {
            return Err(
                Error::usage("--venv is relative and there is no --dir to start from")
                    .hint("give --dir DIR, or --venv from /"),
            );
        }
        if let Some(name) = &facts.name {
            check_name(name)?;
        }
        if let Some(user) = &facts.user {
            check_user(user)?;
        }
        if let Some(unit) = &facts.on_failure {
            check_unit(unit)?;
        }
        if facts.sequence == Some(true) && facts.lock_dir.is_none() {
            return Err(Error::usage("--sequence needs a lock that the jobs share")
                .hint("--lock-dir DIR, a directory that the jobs' user alone may write"));
        }
        for (name, value) in &facts.env {
            check_variable(name)?;
            if crate::environment::write(name, value).is_none() {
                return Err(Error::usage(format!(
                    "--env {name}: no crontab line can hold both kinds of quotes like this"
                ))
                .hint("set it in a script that the job runs"));
            }
        }
        let zone = match &facts.tz {
            Some(name) => Zone::named(name)?,
            None => Zone::system(),
        };
        let site = Site {
            format,
            dialect: facts.dialect.unwrap_or(dialect),
            zone,
            facts,
        };
        let name = site.facts.name.as_deref();
        findings.extend(name.and_then(|name| (format.refused)(name, site.dialect)));
        Ok((site, findings))
    }

    /// The name that hashes, locks and logs go by.
    pub fn name(&self) -> &str {
        self.facts.name.as_deref().unwrap_or("site")
    }

    /// Whether the jobs wait for each other.
    pub fn sequence(&self) -> bool {
        self.facts.sequence == Some(true)
    }
}

/// A control byte as a person calls it.
pub fn control_name(byte: u8) -> String {
    match byte {
        0 => "a NUL byte".into(),
        b'\n' => "a newline".into(),
        b'\r' => "a carriage return".into(),
        other => format!("the control byte 0x{other:02x}"),
    }
}

/// A site's name: a file name, part of a unit's name, one word of a comment.
///
/// # Errors
/// A usage error.
pub fn check_name(name: &str) -> Result<()> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    if name.is_empty()
        || name.len() > 100
        || !name.bytes().all(good)
        || name.starts_with(['-', '.'])
    {
        return Err(Error::usage(format!(
            "--name {}: not a name",
            base::terminal::escape(name)
        ))
        .hint("letters, digits, _ - and . ; it may not begin with - or ."));
    }
    Ok(())
}

fn check_user(user: &str) -> Result<()> {
    if user.is_empty()
        || user.starts_with('-')
        || user.contains('/')
        || user
            .bytes()
            .any(|b| b.is_ascii_whitespace() || b.is_ascii_control())
    {
        return Err(Error::usage(format!(
            "--user {}: not a user name",
            base::terminal::escape(user)
        )));
    }
    Ok(())
}

fn check_unit(unit: &str) -> Result<()> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@%".contains(&b);
    if unit.contains('.') && unit.bytes().all(good) && !unit.starts_with('-') {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--on-failure {}: not the name of a unit",
        base::terminal::escape(unit)
    ))
    .hint("such as --on-failure notify@%n.service"))
}

fn check_variable(name: &str) -> Result<()> {
    let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if name.is_empty() || !good || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Error::usage(format!(
            "--env {}: not a variable's name",
            base::terminal::escape(name)
        ))
        .hint("--env NAME=VALUE"));
    }
    Ok(())
}

/// A duration as the command line has it.
///
/// # Errors
/// The deserialiser's.
pub fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|t| base::cli::parse_duration(&t).map_err(de::Error::custom))
        .transpose()
}

fn ordered<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs;
    impl<'de> de::Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a table of texts")
        }
        fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    from.deserialize_map(Pairs)
}
