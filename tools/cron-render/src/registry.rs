//! The places where a schedule is installed: one row for each file in `target/`. `--format`, its help
//! and the manual follow from the rows.

use crate::site::Format;
use crate::target::{Row, cron_d, crontab, systemd};

/// Every place.
pub const ROWS: &[Row] = &[crontab::ROW, cron_d::ROW, systemd::ROW];

/// The names that `--format` takes.
pub const NAMES: &[&str] = &[crontab::ROW.name, cron_d::ROW.name, systemd::ROW.name];

/// The row of a format.
pub fn row(format: Format) -> &'static Row {
    ROWS.iter()
        .find(|row| row.format == format)
        .unwrap_or(&crontab::ROW)
}

/// The format that `--format` calls by this name.
pub fn format(name: &str) -> Option<Format> {
    ROWS.iter()
        .find(|row| row.name == name)
        .map(|row| row.format)
}
