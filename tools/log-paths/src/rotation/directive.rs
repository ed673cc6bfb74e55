//! The directives of logrotate: what each takes, what each sets, and with which words logrotate
//! refuses it.
//!
//! Sources: config.c of logrotate 3.21 and 3.22. A value goes to the end of its line, which is why
//! two directives on one line are an error; numbers are read as strtol(3) does.

mod value;

use super::cursor::Cursor;
use super::stanza::{Create, Mend, Stanza};
use crate::users::Users;
use value::{expected, lossy, number, owner, path, size, su, weekday};

/// Which logrotate reads the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Up to 3.21, as in Debian 12.
    V321,
    /// From 3.22 on, as in Debian 13.
    V322,
}

/// How logrotate goes on after a directive that it refuses.
#[derive(Debug)]
pub enum Refused {
    /// It skips the stanza; at the top level, the rest of the file.
    Stanza(String, Option<Mend>),
    /// It skips the rest of the file.
    File(String, Option<Mend>),
    /// It skips the stanza, and reads on at the next byte.
    Misplaced(String),
}

/// What a directive asks of the reader.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing more.
    Applied,
    /// The lines up to `endscript`.
    Script(Script),
    /// `include`: this path.
    Include(Vec<u8>),
    /// `tabooext` (true) or `taboopat`, with its list.
    Taboo(bool, Vec<u8>),
    /// An unknown word: its line is passed over.
    Unknown,
}

/// Which script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    First,
    Pre,
    Post,
    Last,
    Remove,
}

/// Reads the value of the directive `key` and applies it.
pub fn apply(
    key: &[u8],
    cursor: &mut Cursor<'_>,
    stanza: &mut Stanza,
    inside: bool,
    users: &Users,
    dialect: Dialect,
) -> Result<Done, Refused> {
    if flag(key, stanza) {
        return Ok(Done::Applied);
    }
    let name = String::from_utf8_lossy(key).into_owned();
    let refuse = |message: String| Refused::Stanza(message, None);
    match key {
        b"prerotate" => return Ok(Done::Script(Script::Pre)),
        b"postrotate" => return Ok(Done::Script(Script::Post)),
        b"firstaction" => return Ok(Done::Script(Script::First)),
        b"lastaction" => return Ok(Done::Script(Script::Last)),
        b"preremove" => return Ok(Done::Script(Script::Remove)),
        b"tabooext" | b"taboopat" if inside => {
            return Err(Refused::Misplaced(format!(
                "{name} may not appear inside of log file definition"
            )));
        }
        b"tabooext" | b"taboopat" => {
            return Ok(match cursor.value() {
                Some(list) => Done::Taboo(key == b"tabooext", list),
                None => Done::Applied,
            });
        }
        b"include" => {
            return match cursor.value() {
                Some(path) => Ok(Done::Include(path)),
                None => Err(refuse("argument expected after include".to_owned())),
            };
        }
        b"su" => su(&cursor.line(), stanza, users)?,
        b"create" => {
            let line = cursor.line();
            stanza.create = owner(&line, &stanza.create, "create", users, dialect)?;
            stanza.creates = true;
        }
        b"createolddir" => {
            owner(
                &cursor.line(),
                &Create::default(),
                "createolddir",
                users,
                dialect,
            )?;
            stanza.create_old_dir = true;
        }
        b"size" | b"minsize" | b"maxsize" => {
            if let Some(value) = cursor.value().filter(|value| !value.is_empty()) {
                let bytes = size(&value, &name)?;
                if key == b"minsize" {
                    stanza.min_size = bytes;
                }
            }
        }
        b"weekly" => weekday(&cursor.line())?,
        b"rotate" => number(cursor, "rotate count", "rotation count", -1)?,
        b"start" => number(cursor, "start count", "start count", 0)?,
        b"minage" => number(cursor, "minage count", "minimum age", 0)?,
        b"maxage" => number(cursor, "maxage count", "maximum age", 0)?,
        b"shredcycles" => number(cursor, "shred cycles", "shred cycles", 0)?,
        b"mail" => {
            let value = cursor.value().ok_or_else(|| expected("mail"))?;
            if value.iter().any(|byte| !byte.is_ascii_graphic()) {
                return Err(refuse(format!("bad mail address {}", lossy(&value))));
            }
        }
        b"olddir" => stanza.old_dir = Some(path(cursor, "olddir")?),
        b"compresscmd" => drop(path(cursor, "compress")?),
        b"uncompresscmd" => drop(path(cursor, "uncompress")?),
        b"compressext" => drop(path(cursor, "compress-ext")?),
        b"compressoptions" => {
            if cursor.line().ends_with(b"\\") {
                return Err(refuse("invalid compression options".to_owned()));
            }
        }
        b"dateformat" => drop(cursor.value()),
        b"extension" => drop(cursor.value().ok_or_else(|| expected("extension name"))?),
        b"addextension" => drop(
            cursor
                .value()
                .ok_or_else(|| expected("addextension name"))?,
        ),
        b"noolddir" => stanza.old_dir = None,
        _ => return Ok(Done::Unknown),
    }
    Ok(Done::Applied)
}

/// Directives without a value that matter here, and those that only have to be known.
fn flag(key: &[u8], stanza: &mut Stanza) -> bool {
    match key {
        b"copytruncate" => {
            stanza.copy_truncate = true;
            stanza.rename_copy = false;
        }
        b"nocopytruncate" => stanza.copy_truncate = false,
        b"renamecopy" => {
            stanza.rename_copy = true;
            stanza.copy_truncate = false;
        }
        b"norenamecopy" => stanza.rename_copy = false,
        b"copy" => stanza.copy = true,
        b"nocopy" => stanza.copy = false,
        b"allowhardlink" => stanza.allow_hard_links = true,
        b"noallowhardlink" => stanza.allow_hard_links = false,
        b"sharedscripts" => stanza.shared_scripts = true,
        b"nosharedscripts" => stanza.shared_scripts = false,
        b"missingok" => stanza.missing_ok = true,
        b"nomissingok" => stanza.missing_ok = false,
        b"ignoreduplicates" => stanza.ignore_duplicates = true,
        b"nocreate" => stanza.creates = false,
        b"nocreateolddir" => stanza.create_old_dir = false,
        b"compress" | b"nocompress" | b"delaycompress" | b"nodelaycompress" | b"shred"
        | b"noshred" | b"ifempty" | b"notifempty" | b"dateext" | b"nodateext"
        | b"dateyesterday" | b"datehourago" | b"mailfirst" | b"maillast" | b"nomail"
        | b"hourly" | b"daily" | b"monthly" | b"yearly" | b"errors" => {}
        _ => return false,
    }
    true
}

/// Directives that take no value, for lines that have to be taken apart.
const FLAGS: &[&str] = &[
    "copytruncate",
    "nocopytruncate",
    "renamecopy",
    "copy",
    "nocopy",
    "allowhardlink",
    "sharedscripts",
    "nosharedscripts",
    "missingok",
    "nomissingok",
    "nocreate",
    "compress",
    "nocompress",
    "delaycompress",
    "nodelaycompress",
    "ifempty",
    "notifempty",
    "dateext",
    "nodateext",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "noolddir",
    "nomail",
];
/// Directives that take one word, or more.
const VALUES: &[(&str, usize)] = &[
    ("rotate", 1),
    ("size", 1),
    ("minsize", 1),
    ("maxsize", 1),
    ("maxage", 1),
    ("minage", 1),
    ("start", 1),
    ("dateformat", 1),
    ("extension", 1),
    ("olddir", 1),
    ("su", 2),
    ("create", 3),
];

/// A line that holds several directives, as logrotate wants them: one a line. `None` where a word
/// of the line is not understood.
pub fn one_a_line(line: &str) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    let (names, mut rest) = match line.split_once('{') {
        Some((names, rest)) => (Some(names), rest.trim()),
        None => (None, line.trim()),
    };
    let closed = rest.ends_with('}');
    rest = rest.strip_suffix('}').unwrap_or(rest).trim();
    if let Some(names) = names {
        lines.push(format!("{} {{", names.trim_end()));
    }
    let indent = if names.is_some() || line.starts_with([' ', '\t']) {
        "    "
    } else {
        ""
    };
    let mut words = rest.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if FLAGS.contains(&word) {
            lines.push(format!("{indent}{word}"));
            continue;
        }
        let (_, count) = VALUES.iter().find(|(name, _)| *name == word)?;
        let mut whole = format!("{indent}{word}");
        for _ in 0..*count {
            let known =
                |next: &&str| FLAGS.contains(next) || VALUES.iter().any(|(name, _)| name == next);
            match words.next_if(|next| !known(next)) {
                Some(value) => whole += &format!(" {value}"),
                None => break,
            }
        }
        lines.push(whole);
    }
    if closed {
        lines.push("}".to_owned());
    }
    (lines.len() > 1).then_some(lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::one_a_line;

    #[test]
    fn several_directives_on_a_line() {
        assert_eq!(
            one_a_line("/l/a.log { weekly rotate 8 create 0640 root adm missingok }").unwrap(),
            [
                "/l/a.log {",
                "    weekly",
                "    rotate 8",
                "    create 0640 root adm",
                "    missingok",
                "}"
            ]
        );
        assert_eq!(
            one_a_line("weekly rotate 8").unwrap(),
            ["weekly", "rotate 8"]
        );
        assert_eq!(one_a_line("weekly frobnicate"), None);
        assert_eq!(one_a_line("weekly"), None);
    }
}
