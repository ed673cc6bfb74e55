//! Which cron will read the file: Debian's 3.0pl1 or cronie.
//!
//! The two descend from one program and differ where it hurts: how long a command may be, what a
//! backslash means, whether `@daily` may stand without a command. Every such difference is asked of
//! this type, so that no other module compares names.

use serde::{Deserialize, Serialize};

/// The cron whose rules apply.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Debian's cron 3.0pl1, also Ubuntu's.
    #[default]
    Debian,
    /// cronie 1.7, as on Fedora, RHEL, Arch and SUSE.
    Cronie,
}

impl Dialect {
    /// The longest command, in bytes, that the daemon takes whole (`MAX_COMMAND`, less its
    /// terminator; Debian refuses one byte earlier, to be sure that nothing was cut).
    pub fn command_limit(self) -> usize {
        match self {
            Dialect::Debian => 998,
            Dialect::Cronie => 131_071,
        }
    }

    /// The longest environment line, in bytes, that is read whole (`MAX_ENVSTR`).
    pub fn environment_limit(self) -> usize {
        match self {
            Dialect::Debian => 998,
            Dialect::Cronie => 131_071,
        }
    }

    /// The longest number or name inside a field (`MAX_TEMPSTR`).
    pub fn token_limit(self) -> usize {
        match self {
            Dialect::Debian => 999,
            Dialect::Cronie => 131_071,
        }
    }

    /// The most lines a crontab may have; cronie has no such limit.
    pub fn line_limit(self) -> Option<usize> {
        match self {
            Dialect::Debian => Some(10_000),
            Dialect::Cronie => None,
        }
    }

    /// Whether `CRON_TZ` and `RANDOM_DELAY` mean anything to the daemon.
    pub fn has_zones(self) -> bool {
        self == Dialect::Cronie
    }

    /// How messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Debian => "Debian's cron",
            Dialect::Cronie => "cronie",
        }
    }
}
