//! Which job a word means.

use base::error::{Error, Result};

use crate::template::Template;

/// Leaves the job that `wanted` names: by its id, by its id without the hash, by its line, or by a
/// word of its command.
///
/// # Errors
/// `Kind::Usage`, with the ids that there are.
pub fn keep(template: &mut Template, wanted: &str) -> Result<()> {
    let rows = template.jobs.iter().map(|job| {
        let command = job.raw().map(String::from_utf8_lossy);
        (job.id.as_str(), job.line, command)
    });
    let at = choose(wanted, rows)?;
    let job = template.jobs.swap_remove(at);
    template.jobs = vec![job];
    Ok(())
}

/// An id, a line and a command.
type Row<'a> = (&'a str, usize, Option<std::borrow::Cow<'a, str>>);

/// The place of the row that a word means.
pub fn choose<'a>(wanted: &str, rows: impl Iterator<Item = Row<'a>>) -> Result<usize> {
    let rows: Vec<Row<'a>> = rows.collect();
    let is_hash = |end: &str| end.len() == 6 && end.bytes().all(|b| b.is_ascii_hexdigit());
    let stem = |id: &str| {
        id.rsplit_once('-')
            .is_some_and(|(stem, end)| stem == wanted && is_hash(end))
    };
    let word = |command: &str| {
        command
            .split(|c: char| !(c.is_ascii_alphanumeric() || "_.-/".contains(c)))
            .any(|word| word == wanted)
    };
    let ways: [&dyn Fn(&Row<'_>) -> bool; 4] = [
        &|row| row.0 == wanted,
        &|row| row.1 > 0 && row.1.to_string() == wanted,
        &|row| stem(row.0),
        &|row| row.2.as_deref().is_some_and(word),
    ];
    for way in ways {
        let found: Vec<usize> = (0..rows.len()).filter(|at| way(&rows[*at])).collect();
        match found[..] {
            [] => {}
            [one] => return Ok(one),
            _ => {
                let ids: Vec<&str> = found.iter().map(|at| rows[*at].0).collect();
                return Err(Error::usage(format!("'{wanted}' is more than one job"))
                    .hint(format!("one of: {}", ids.join(", "))));
            }
        }
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.0).collect();
    Err(Error::usage(format!("there is no job '{wanted}'"))
        .hint(format!("one of: {}", ids.join(", "))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_named_in_four_ways() {
        let rows = || {
            [
                (
                    "clear-0a1b2c",
                    3,
                    Some("cd /srv && venv/bin/python manage.py clear"),
                ),
                ("send-111111", 4, Some("send a")),
                ("send-222222", 5, Some("send b")),
                ("send", 6, Some("send")),
            ]
            .into_iter()
            .map(|(id, line, text)| (id, line, text.map(std::borrow::Cow::from)))
        };
        for (wanted, at) in [
            ("clear", 0),
            ("send-222222", 2),
            ("4", 1),
            ("send", 3),
            ("b", 2),
        ] {
            assert_eq!(choose(wanted, rows()).unwrap(), at, "{wanted}");
        }
        let error = choose("manage", rows()).unwrap_err();
        assert!(error.hint.unwrap().contains("clear-0a1b2c, send-111111"));
        assert!(choose("send", rows().take(3)).is_err());
    }
}
