//! The directives of logrotate: what each takes, what each sets, and with which words logrotate refuses it.
//!
//! Sources: config.c of logrotate 3.21 and 3.22. A value goes to the end of its line, which is why two directives on one line are an
//! error; numbers are read as strtol(3) does.

use super::cursor::Cursor;
use super::stanza::{Create, Mend, Stanza};
use crate::users::Users;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

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

/// A line that holds several directives, as logrotate wants them: one a line. `None` where a word of the line is not understood.
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

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn expected(what: &str) -> Refused {
    Refused::Stanza(format!("argument expected after {what}"), None)
}

fn weekday(line: &[u8]) -> Result<(), Refused> {
    let text = line.trim_ascii_start();
    if text.is_empty() {
        return Ok(());
    }
    let (value, rest) = unsigned(text);
    if rest == 0 && value.is_some_and(|value| value <= 7) {
        return Ok(());
    }
    Err(Refused::File(
        format!("bad weekly directive '{}'", lossy(text)),
        None,
    ))
}

/// `%u` of scanf(3), and how many bytes are left; a sign makes the number too large or leaves it as it is.
fn unsigned(text: &[u8]) -> (Option<u64>, usize) {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let width = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if width == 0 {
        return (None, text.len());
    }
    let value = lossy(&digits[..width]).parse().unwrap_or(u64::MAX);
    let value = if negative && value > 0 {
        u64::MAX
    } else {
        value
    };
    (Some(value), digits.len() - width)
}

/// strtol(3) with base 0: the value, and what is left of the text.
fn strtol(text: &[u8]) -> (i64, &[u8]) {
    let start = text.trim_ascii_start();
    let (negative, digits) = match start {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, rest)
        }
        [b'0', ..] => (8, digits),
        _ => (10, digits),
    };
    let is_digit = |byte: &&u8| char::from(**byte).is_digit(base);
    let width = digits.iter().take_while(is_digit).count();
    if width == 0 {
        return (0, text);
    }
    let value = i64::from_str_radix(&lossy(&digits[..width]), base).unwrap_or(i64::MAX);
    (if negative { -value } else { value }, &digits[width..])
}

fn number(cursor: &mut Cursor<'_>, argument: &str, what: &str, least: i64) -> Result<(), Refused> {
    let value = cursor.value().ok_or_else(|| expected(argument))?;
    let (found, rest) = strtol(&value);
    // logrotate keeps the number in an int.
    #[allow(clippy::cast_possible_truncation)]
    let found = i64::from(found as i32);
    if rest.is_empty() && found >= least {
        return Ok(());
    }
    Err(Refused::Stanza(
        format!("bad {what} '{}'", lossy(&value)),
        None,
    ))
}

fn size(value: &[u8], name: &str) -> Result<u64, Refused> {
    let unit = value.last().copied().unwrap_or(b'0');
    let (digits, factor) = match unit {
        b'k' | b'K' => (&value[..value.len() - 1], 1024),
        b'M' => (&value[..value.len() - 1], 1024 * 1024),
        b'G' => (&value[..value.len() - 1], 1024 * 1024 * 1024),
        unit if unit.is_ascii_digit() => (value, 1),
        unit => {
            let number = lossy(value)
                .trim_end_matches(|c: char| !c.is_ascii_digit())
                .to_owned();
            let mend = match value[number.len()..].to_ascii_lowercase().as_slice() {
                b"kb" | b"kib" => Some("k"),
                b"m" | b"mb" | b"mib" => Some("M"),
                b"g" | b"gb" | b"gib" => Some("G"),
                b"b" => Some(""),
                _ => None,
            };
            let lines = mend.map(|unit| Mend::Replace(vec![format!("    {name} {number}{unit}")]));
            let message = format!("unknown unit '{}'", char::from(unit).escape_default());
            return Err(Refused::Stanza(message, lines));
        }
    };
    let (found, rest) = strtol(digits);
    let bytes = found.checked_mul(factor).unwrap_or(i64::MAX);
    if rest.is_empty() && bytes >= 0 {
        return Ok(u64::try_from(bytes).unwrap_or(0));
    }
    Err(Refused::Stanza(
        format!("bad size '{}'", lossy(digits)),
        None,
    ))
}

/// A path of a directive: no blanks, nothing that is not printed.
fn path(cursor: &mut Cursor<'_>, name: &str) -> Result<PathBuf, Refused> {
    let value = cursor.value().ok_or_else(|| expected(name))?;
    let printed = |char: char| !char.is_control() && char != ' ' && char != '\t';
    match std::str::from_utf8(&value) {
        Ok(text) if text.chars().all(printed) => Ok(PathBuf::from(OsStr::from_bytes(&value))),
        _ => Err(Refused::Stanza(
            format!("bad {name} path {}", lossy(&value)),
            None,
        )),
    }
}

fn su(line: &[u8], stanza: &mut Stanza, users: &Users) -> Result<(), Refused> {
    let name = "su";
    let words = words(line);
    if words.len() > 2 {
        return Err(Refused::Stanza("extra arguments for su".to_owned(), None));
    }
    let known = stanza.su.clone();
    let user = match words.first() {
        Some(user) => Some(account(user, users, name)?),
        None => known.as_ref().map(|(user, _)| user.clone()),
    };
    let group = match words.get(1) {
        Some(group) => Some(self::group(group, users, name)?),
        None => known.map(|(_, group)| group),
    };
    match (user, group) {
        (Some(user), Some(group)) => {
            stanza.su = Some((user, group));
            Ok(())
        }
        (None, _) => Err(Refused::Stanza(
            "no user for su".to_owned(),
            Some(Mend::Account("su".to_owned())),
        )),
        (_, None) => Err(Refused::Stanza(
            "no group for su".to_owned(),
            Some(Mend::Account("su".to_owned())),
        )),
    }
}

/// `[MODE] [OWNER [GROUP]]`; what is not given stays as it was.
fn owner(
    line: &[u8],
    before: &Create,
    name: &str,
    users: &Users,
    dialect: Dialect,
) -> Result<Create, Refused> {
    let mut words = words(line);
    let mut create = Create {
        text: words.join(" "),
        ..before.clone()
    };
    let extra = || Refused::Stanza(format!("extra arguments for {name}"), None);
    match dialect {
        Dialect::V321 => {
            // scanf's %ho takes what it can of the first word; the rest of the word is the owner.
            let first = words.first().cloned().unwrap_or_default();
            let width = first
                .bytes()
                .take_while(|byte| matches!(byte, b'0'..=b'7'))
                .count();
            if width > 0 {
                create.mode = u32::from_str_radix(&first[..width], 8).ok();
                words.remove(0);
                if width < first.len() {
                    words.insert(0, first[width..].to_owned());
                }
            }
            if words.len() > 2 {
                return Err(extra());
            }
        }
        Dialect::V322 => {
            if words.len() > 3 {
                return Err(extra());
            }
            if words.len() != 2 && !words.is_empty() {
                let mode = words.remove(0);
                create.mode = Some(
                    u32::from_str_radix(&mode, 8)
                        .map_err(|_| Refused::Stanza(format!("invalid mode '{mode}'"), None))?,
                );
            }
        }
    }
    if let Some(user) = words.first() {
        create.owner = Some(account(user, users, name)?);
    }
    if let Some(group) = words.get(1) {
        create.group = Some(self::group(group, users, name)?);
    }
    Ok(create)
}

fn words(line: &[u8]) -> Vec<String> {
    lossy(line)
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect()
}

fn account(name: &str, users: &Users, directive: &str) -> Result<String, Refused> {
    match users.account(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(Refused::Stanza(
            format!("unknown user '{name}'"),
            Some(Mend::Account(directive.to_owned())),
        )),
    }
}

fn group(name: &str, users: &Users, directive: &str) -> Result<String, Refused> {
    match users.known_gid(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(Refused::Stanza(
            format!("unknown group '{name}'"),
            Some(Mend::Account(directive.to_owned())),
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{one_a_line, strtol};

    #[test]
    fn numbers_as_strtol_reads_them() {
        for (text, value, rest) in [
            ("8", 8, ""),
            (" 8", 8, ""),
            ("0x1f", 31, ""),
            ("010", 8, ""),
            ("08", 0, "8"),
            ("x", 0, "x"),
            ("", 0, ""),
            ("-1", -1, ""),
            ("5 k", 5, " k"),
        ] {
            assert_eq!(strtol(text.as_bytes()), (value, rest.as_bytes()), "{text}");
        }
    }

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
