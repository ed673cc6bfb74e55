//! The places where a schedule is installed: one row for each file in `target/`. `--format`, its
//! help and the manual follow from the rows.

use base::document::{Document, Key, Table};
use base::error::{Error, Result};

use crate::format::Format;
use crate::target::{Row, cron_d, crontab, systemd};

/// Every place; the first is the default.
pub const ROWS: &[Row] = &[crontab::ROW, cron_d::ROW, systemd::ROW];

/// The names that `--format` takes.
pub const NAMES: &[&str] = &names();

/// The template that the rows' examples are made of.
pub const TEMPLATE: &str = "15 0 * * * python manage.py clearsessions\n";

/// The options that go with it.
pub const OPTIONS: &str = "--name misago --dir /srv/misago --user www-data";

const fn names() -> [&'static str; ROWS.len()] {
    let mut names = [""; ROWS.len()];
    let mut at = 0;
    while at < ROWS.len() {
        names[at] = ROWS[at].format.name;
        at += 1;
    }
    names
}

/// The row of a format.
pub fn row(format: &Format) -> &'static Row {
    named(format.name).unwrap_or(&ROWS[0])
}

/// The row that `--format` calls by this name.
pub fn named(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.format.name == name)
}

/// The format of this name, or the default.
///
/// # Errors
/// A usage error for a name that no place has.
pub fn format(name: Option<&str>) -> Result<&'static Format> {
    let Some(name) = name else {
        return Ok(ROWS[0].format);
    };
    named(name)
        .map(|row| row.format)
        .ok_or_else(|| Error::usage(format!("format: '{name}' is none of {}", NAMES.join(", "))))
}

/// The first format whose lines name users.
pub fn for_all_users() -> Option<&'static str> {
    let row = ROWS.iter().find(|row| row.format.names_users())?;
    Some(row.format.name)
}

/// The manual's list of formats.
pub fn document() -> Document {
    let key = |row: &Row| Key {
        name: row.format.name.to_owned(),
        value: String::new(),
        text: format!("{}: {}", row.format.noun, row.example.trim_end()),
    };
    Document {
        title: "Formats",
        text: vec![format!(
            "The line '{}', with {OPTIONS}, becomes:",
            TEMPLATE.trim_end()
        )],
        tables: vec![Table {
            heading: String::new(),
            text: String::new(),
            keys: ROWS.iter().map(key).collect(),
        }],
        example: "",
    }
}

/// Puts the names of the formats where documents have the key.
pub fn name(documents: &mut [Document]) {
    let tables = documents.iter_mut().flat_map(|each| &mut each.tables);
    for key in tables.flat_map(|table| &mut table.keys) {
        if key.name == "format" {
            let names: Vec<String> = NAMES.iter().map(|name| format!("\"{name}\"")).collect();
            key.value = names.join("|");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_by_its_name() {
        for (at, place) in ROWS.iter().enumerate() {
            assert_eq!(NAMES[at], place.format.name);
            let found = format(Some(NAMES[at])).unwrap();
            assert_eq!(row(found).format.name, place.format.name);
        }
        assert_eq!(format(None).unwrap().name, NAMES[0]);
        assert!(format(Some("anacron")).is_err());
    }
}
