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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_by_its_name_and_its_format() {
        assert_eq!(NAMES.len(), ROWS.len());
        for (at, place) in ROWS.iter().enumerate() {
            assert_eq!(NAMES[at], place.name);
            assert_eq!(format(place.name), Some(place.format));
            assert_eq!(row(place.format).name, place.name);
            // Where there are lines, cron reads them; where there are none, systemd's calendar holds the times.
            assert_eq!(place.form.is_some(), place.by_cron, "{}", place.name);
        }
    }
}
