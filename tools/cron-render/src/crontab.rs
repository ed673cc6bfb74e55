//! A crontab file, line by line, as the daemon takes it apart.
//!
//! A line is a comment, a setting or a job, tried in that order; a job is a schedule and the rest.
//! The bytes stay where they are: lines and their parts are ranges into the file, so what is not
//! understood is still kept, byte for byte.

use std::ops::Range;

use crate::dialect::Dialect;
use crate::environment::{self, Setting};
use crate::field::Reading;
use crate::schedule::{self, ScheduleError, Written};

/// Whether lines name a user before the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A user's crontab, or a template.
    User,
    /// `/etc/crontab` and `/etc/cron.d/*`.
    System,
}

/// A job's line. Ranges are from the line's beginning.
#[derive(Clone, Debug)]
pub struct JobLine {
    pub written: Written,
    /// Who, in a system table.
    pub user: Option<Range<usize>>,
    /// The rest; empty if there is none.
    pub command: Range<usize>,
}

/// What a line is.
#[derive(Clone, Debug)]
pub enum What {
    /// Nothing but blanks.
    Blank,
    /// `#` and the rest.
    Comment,
    /// An environment setting.
    Setting(Setting),
    /// A job.
    Job(Box<JobLine>),
    /// Neither: the daemon refuses the file.
    Bad(ScheduleError),
    /// A job or a bad line that has been taken over into a list of its own.
    Listed,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// From 1.
    pub number: usize,
    /// Its bytes in the file, without the newline.
    pub span: Range<usize>,
    /// How many blanks it begins with.
    pub indent: usize,
    /// Whether a newline ends it.
    pub ended: bool,
    /// What it is.
    pub what: What,
}

/// Takes a file apart.
pub fn lines<'a>(
    file: &'a [u8],
    form: Form,
    reading: Reading<'a>,
) -> impl Iterator<Item = Line> + 'a {
    let mut at = 0;
    let mut number = 0;
    std::iter::from_fn(move || {
        if at >= file.len() {
            return None;
        }
        number += 1;
        let rest = &file[at..];
        let length = rest.iter().position(|b| *b == b'\n');
        let span = at..at + length.unwrap_or(rest.len());
        at = span.end + 1;
        let text = &file[span.clone()];
        let indent = text
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        let what = line(text, indent, form, reading);
        Some(Line {
            number,
            span,
            indent,
            ended: length.is_some(),
            what,
        })
    })
}

/// What one line is.
pub fn line(text: &[u8], indent: usize, form: Form, reading: Reading<'_>) -> What {
    match text.get(indent) {
        None => return What::Blank,
        Some(b'#') => return What::Comment,
        Some(_) => {}
    }
    if text.contains(&b'=') {
        if let Some(setting) = environment::read(text, indent, reading.dialect) {
            return What::Setting(setting);
        }
    }
    // cronie: a minus before the schedule, for root's jobs, keeps them out of the log.
    let minus = usize::from(reading.dialect.is_cronie() && text[indent] == b'-');
    match schedule::read(text, indent + minus, reading).map(|w| Written {
        span: indent..w.span.end,
        ..w
    }) {
        Ok(written) => What::Job(Box::new(job(text, written, form))),
        Err(error) => What::Bad(error),
    }
}

fn job(text: &[u8], written: Written, form: Form) -> JobLine {
    let mut from = written.rest.min(text.len());
    let mut user = None;
    if form == Form::System {
        let end = text[from..]
            .iter()
            .position(|b| matches!(b, b' ' | b'\t'))
            .map_or(text.len(), |n| from + n);
        user = Some(from..end);
        from = text[end..]
            .iter()
            .position(|b| !matches!(b, b' ' | b'\t'))
            .map_or(text.len(), |n| end + n);
    }
    JobLine {
        written,
        user,
        command: from..text.len(),
    }
}

/// Why the daemon would not take a file, and at which line; `None` if it would.
///
/// For a user's crontab this is `crontab -n FILE` (cronie: `-T`), and nothing more: what is
/// accepted may still be foolish. Some daemons have no such checker, and none has one for
/// /etc/cron.d. Files with a NUL are not asked about; they are an error before it comes to this.
pub fn refusal(file: &[u8], form: Form, dialect: Dialect) -> Option<(usize, Refused)> {
    let reading = Reading {
        dialect,
        seed: None,
    };
    let mut count = 0;
    for line in lines(file, form, reading) {
        count = line.number;
        let refused = match &line.what {
            What::Bad(_) => Some(Refused::Syntax),
            What::Setting(setting)
                if dialect.refuses_unsafe_mail()
                    && matches!(&setting.name[..], b"MAILTO" | b"MAILFROM")
                    && !dialect.mails_to(&String::from_utf8_lossy(&setting.value)) =>
            {
                Some(Refused::Mail)
            }
            What::Job(job) => {
                command_refusal(&file[line.span.clone()][job.command.clone()], dialect)
            }
            _ => None,
        };
        if let Some(refused) = refused {
            return Some((line.number, refused));
        }
        if !line.ended && !matches!(line.what, What::Blank | What::Comment) {
            return Some((line.number, Refused::NoNewline));
        }
    }
    dialect
        .line_limit()
        .filter(|limit| count > *limit)
        .map(|_| (count, Refused::TooLong))
}

/// Why a file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A schedule that cannot be read.
    Syntax,
    /// The command is missing, begins with `*`, or is too long.
    Command,
    /// An address that the mailer does not get.
    Mail,
    /// The last line has no newline.
    NoNewline,
    /// Too many lines.
    TooLong,
}

/// cronie's own option before a command, `-n`: the command after it; `None` where cronie refuses
/// it.
pub fn command_option(command: &[u8]) -> Option<&[u8]> {
    let rest = command.strip_prefix(b"-n")?;
    let blank = rest.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
    let rest = rest.trim_ascii_start();
    (blank && !rest.is_empty() && !rest.starts_with(b"-")).then_some(rest)
}

fn command_refusal(command: &[u8], dialect: Dialect) -> Option<Refused> {
    let refused = match (command.first(), dialect.is_cronie()) {
        (Some(b'*'), _) | (None, true) => true,
        (Some(b'-'), _) if dialect.has_command_options() => command_option(command).is_none(),
        (_, false) => command.len() > dialect.command_limit(),
        _ => false,
    };
    refused.then_some(Refused::Command)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        let d = |text: &str| refusal(text.as_bytes(), Form::User, Dialect::Debian);
        assert_eq!(d("# only\n\n  A=b\n*/5 * * * * true\n"), None);
        assert_eq!(
            d("* * * * * true\n61 * * * * true\n"),
            Some((2, Refused::Syntax))
        );
        assert_eq!(d("* * * * * * true\n"), Some((1, Refused::Command)));
        assert_eq!(d("* * * * *\n"), None);
        assert_eq!(d("* * * * * true"), Some((1, Refused::NoNewline)));
        assert_eq!(d("* * * * * true\n# note"), None);
        assert_eq!(
            d(&format!("* * * * * {}\n", "x".repeat(999))),
            Some((1, Refused::Command))
        );
        assert_eq!(d(&"# x\n".repeat(10_000)), None);
        assert_eq!(d(&"# x\n".repeat(10_001)), Some((10_001, Refused::TooLong)));
        assert_eq!(
            refusal(b"@daily\n", Form::User, Dialect::Cronie),
            Some((1, Refused::Command))
        );
    }
}
