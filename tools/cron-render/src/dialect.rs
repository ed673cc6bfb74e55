//! The rules of the cron that reads the schedule.
//!
//! Debian's cron and cronie descend from one program and differ where a job depends on it: how long
//! a command may be, what a backslash means, whether `@daily` may stand without a command. Versions
//! differ, too. Every difference is a question to this type, so that no other module compares
//! names.

use serde::{Deserialize, Serialize};

/// The cron whose rules apply.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum Dialect {
    /// Debian's cron 3.0pl1 before -187: Debian 11 and 12, Ubuntu to 24.04.
    #[default]
    #[serde(rename = "debian")]
    Debian,
    /// Debian's cron 3.0pl1-187 and later: Debian 13.
    #[serde(rename = "debian-13")]
    Debian13,
    /// cronie before 1.5.5, as on RHEL 8.
    #[serde(rename = "cronie-1.5.2")]
    Cronie152,
    /// cronie 1.5.5 to 1.5.7, as on RHEL 9.
    #[serde(rename = "cronie-1.5")]
    Cronie15,
    /// cronie 1.6 and later, as on Fedora and Arch.
    #[serde(rename = "cronie")]
    Cronie,
}

/// The program that a dialect is a version of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Debian's cron.
    Debian,
    /// cronie.
    Cronie,
}

/// The names that `--dialect` takes, in the order of [`Dialect::ALL`].
pub const NAMES: &[&str] = &[
    "debian",
    "debian-13",
    "cronie-1.5.2",
    "cronie-1.5",
    "cronie",
];

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 5] = [
        Dialect::Debian,
        Dialect::Debian13,
        Dialect::Cronie152,
        Dialect::Cronie15,
        Dialect::Cronie,
    ];

    /// The dialect that `--dialect` calls by this name.
    pub fn named(name: &str) -> Option<Dialect> {
        let at = NAMES.iter().position(|known| *known == name)?;
        Dialect::ALL.get(at).copied()
    }

    /// The name that `--dialect` takes.
    pub fn option(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// The program.
    pub fn family(self) -> Family {
        match self {
            Dialect::Debian | Dialect::Debian13 => Family::Debian,
            Dialect::Cronie152 | Dialect::Cronie15 | Dialect::Cronie => Family::Cronie,
        }
    }

    /// Whether cron reads a file of this name in `/etc/cron.d`. cronie leaves out only hidden files
    /// and what editors and package managers put aside; Debian's cron runs without `-l`.
    pub fn reads_file(self, name: &str) -> bool {
        if self.is_cronie() {
            let aside = ["~", ".rpmsave", ".rpmorig", ".rpmnew"];
            return !name.is_empty()
                && !name.starts_with(['.', '#'])
                && !aside.iter().any(|end| name.ends_with(end));
        }
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }

    /// Whether the rules are those of cronie.
    pub fn is_cronie(self) -> bool {
        self.family() == Family::Cronie
    }

    /// The longest command, in bytes, that the daemon takes whole (`MAX_COMMAND`, less its
    /// terminator; Debian refuses one byte earlier, to be sure that nothing was cut).
    pub fn command_limit(self) -> usize {
        match self.family() {
            Family::Debian => 998,
            Family::Cronie => 131_071,
        }
    }

    /// The longest environment line, in bytes, that is read whole (`MAX_ENVSTR`).
    pub fn environment_limit(self) -> usize {
        self.command_limit()
    }

    /// The longest number or name inside a field (`MAX_TEMPSTR`).
    pub fn token_limit(self) -> usize {
        match self.family() {
            Family::Debian => 999,
            Family::Cronie => 131_071,
        }
    }

    /// The most lines a crontab may have; cronie has no such limit.
    pub fn line_limit(self) -> Option<usize> {
        (self.family() == Family::Debian).then_some(10_000)
    }

    /// The most jobs that crontab(1) installs (`MAX_USER_ENTRIES`).
    pub fn job_limit(self) -> Option<usize> {
        match self {
            Dialect::Cronie15 => Some(1_000),
            Dialect::Cronie => Some(10_000),
            _ => None,
        }
    }

    /// The most settings that crontab(1) installs (`MAX_USER_ENVS`).
    pub fn setting_limit(self) -> Option<usize> {
        matches!(self, Dialect::Cronie15 | Dialect::Cronie).then_some(1_000)
    }

    /// Whether `NAME=` is an empty value; the older Debian wants `NAME=""`.
    pub fn takes_empty_values(self) -> bool {
        self != Dialect::Debian
    }

    /// Whether a command may begin with cronie's own option `-n`.
    pub fn has_command_options(self) -> bool {
        self == Dialect::Cronie
    }

    /// Whether a backslash before a backslash disappears.
    pub fn folds_backslashes(self) -> bool {
        self.family() == Family::Debian
    }

    /// Whether a range's end and a step beyond the field are refused; cronie before 1.5.5 looks at
    /// the values alone that a range comes to.
    pub fn refuses_steps_beyond(self) -> bool {
        matches!(self, Dialect::Cronie15 | Dialect::Cronie)
    }

    /// Whether `CRON_TZ` and `RANDOM_DELAY` mean anything to the daemon.
    pub fn has_zones(self) -> bool {
        self.is_cronie()
    }

    /// Whether jobs get this variable of the daemon's own environment: cronie hands the locale on.
    pub fn hands_on(self, name: &str) -> bool {
        self.is_cronie()
            && (name.starts_with("LC_") || matches!(name, "LANG" | "LANGUAGE" | "MAILFROM"))
    }

    /// The service files of PAM under which the daemon opens a session for each job, the first of
    /// them that exists; none where the daemon opens none.
    pub fn pam_services(self, of_system_table: bool, user: &str) -> &'static [&'static str] {
        match self {
            Dialect::Debian | Dialect::Debian13 => &["cron"],
            // Root's jobs of /etc/crontab and /etc/cron.d have no session since cronie 1.5.
            _ if of_system_table && user == "root" => &[],
            _ => &["cronie", "crond"],
        }
    }

    /// The PATH of jobs whose crontab sets none.
    pub fn path(self) -> &'static str {
        match self {
            Dialect::Cronie => "/usr/bin:/bin:/usr/sbin:/sbin",
            _ => "/usr/bin:/bin",
        }
    }

    /// Whether the daemon hands this address to the mailer: printable letters and a few signs, and
    /// a letter or digit first. The empty address is one, too: no mail.
    pub fn mails_to(self, address: &str) -> bool {
        let signs: &[u8] = if self.is_cronie() {
            b"@!:%-.,_+"
        } else {
            b"@!:%-.,_+=/"
        };
        address
            .bytes()
            .enumerate()
            .all(|(at, b)| b.is_ascii_alphanumeric() || (at > 0 && signs.contains(&b)))
    }

    /// Whether crontab(1) refuses an address that the daemon would not use.
    pub fn refuses_unsafe_mail(self) -> bool {
        self == Dialect::Debian13
    }

    /// Whether the daemon runs a job whose home directory does not exist; cronie does not.
    pub fn runs_without_home(self) -> bool {
        self.family() == Family::Debian
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self.family() {
            Family::Debian => "Debian's cron",
            Family::Cronie => "cronie",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn names_and_dialects_agree() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::named(dialect.option()), Some(dialect));
        }
    }
}
