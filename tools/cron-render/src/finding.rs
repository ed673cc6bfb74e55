//! What is wrong with a schedule, or will surprise: one type, one catalogue of codes.
//!
//! Codes never change their meaning. `E` is an error, which stops an install; `W` a warning. A row
//! of the catalogue has everything but the look itself; the manual's list is made of the rows.

use base::Fix;
use base::document::{Document, Key, Table};
use schemars::JsonSchema;
use serde::Serialize;

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Cron would refuse it, never run it, or run something else.
    Error,
    /// It runs, perhaps not as meant.
    Warning,
}

/// What makes `lint` say it.
#[derive(Clone, Copy, Debug)]
pub enum Example {
    /// Options, and a template.
    Lint(&'static str, &'static str),
    /// A template of a beginning, a piece and how often it is repeated.
    Long(&'static str, &'static str, usize),
    /// A file in `cron.d` of this mode.
    CronD(u32, &'static str),
    /// No template alone: when it is said.
    When(&'static str),
}

/// A row of the catalogue.
#[derive(Debug)]
pub struct Lint {
    /// The code.
    pub code: Code,
    /// What is wrong, in a few words.
    pub meaning: &'static str,
    /// What makes `lint` say it; a test runs every one.
    pub example: Example,
}

macro_rules! codes {
    ($($code:ident $meaning:literal $kind:ident ($($part:expr),+)),+ $(,)?) => {
        /// The catalogue's codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
        pub enum Code { $(#[doc = $meaning] $code),+ }

        impl Code {
            /// `E01`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$code => stringify!($code)),+ }
            }
        }

        /// The catalogue, a row each. What finds it stands in `lint/`, in the file of its family.
        pub const LINTS: &[Lint] = &[$(Lint {
            code: Code::$code,
            meaning: $meaning,
            example: Example::$kind($($part),+),
        }),+];
    };
}

codes! {
    E01 "field syntax" Lint("", "5 x * * * true\n"),
    E02 "value out of range" Lint("", "0 24 * * * true\n"),
    E03 "empty set" Lint("", "0 22-2 * * * true\n"),
    E04 "impossible date" Lint("", "0 0 31 2 * true\n"),
    E05 "no command" Lint("", "0 0 * * *\n"),
    E06 "no newline at the end of the file" Lint("", "0 0 * * * true"),
    E07 "command too long" Long("0 0 * * * ", "x", 999),
    E08 "too many lines" Long("", "#\n", 10_001),
    E09 "NUL, carriage return or newline in a value" Lint("", "0 0 * * * true\r\n"),
    E10 "unknown user" Lint("--user no-such-user", "0 0 * * * true\n"),
    E11 "file name that cron.d ignores" Lint("--name my.site --format cron.d --user root", "0 0 * * * true\n"),
    E12 "mode, owner or links that cron refuses" CronD(0o664, "0 0 * * * root /bin/true\n"),
    E13 "duplicate id" Lint("", "[[job]]\nid = 'a'\nschedule = '@daily'\nshell = 'x'\n[[job]]\nid = 'a'\nschedule = '@daily'\nshell = 'y'\n"),
    E14 "cannot run on this host" Lint("--dir /usr --venv nothing", "0 0 * * * python manage.py x\n"),
    E15 "cron reads the rendered line differently" When("no such template is known; the check is the last one before an install"),
    W01 "day of month or day of week" Lint("", "0 0 13 * 5 true\n"),
    W02 "day of month and day of week" Lint("", "0 0 */2 * 1 true\n"),
    W03 "ignored bytes after a value" Lint("", "1#2 * * * * true\n"),
    W04 "step beyond the range" Lint("", "*/90 * * * * true\n"),
    W05 "unescaped percent sign" Lint("", "0 0 * * * date +%F\n"),
    W06 "doubled backslash" Lint("", "0 0 * * * echo 'a\\\\b'\n"),
    W07 "relative path without cd" Lint("", "0 0 * * * bin/backup\n"),
    W08 "command not found on cron's PATH" Lint("", "0 0 * * * no-such-program x\n"),
    W09 "variable that is not expanded" Lint("", "PATH=$HOME/bin:/bin\n"),
    W10 "note that becomes part of a value" Lint("", "A=b # note\n"),
    W11 "environment line cut" Long("A=", "x", 1_000),
    W12 "jobs at the same minute" Lint("", "0 0 1 * * /bin/true a\n0 0 * * 1 /bin/true b\n"),
    W13 "duplicate job" Lint("", "0 0 * * * /bin/true\n0 0 * * * /bin/true\n"),
    W14 "clock change" Lint("--tz America/New_York", "30 2 * * * true\n"),
    W15 "setting this cron does not know" Lint("", "CRON_TZ=Europe/Warsaw\n0 0 * * * true\n"),
    W16 "leading minus" Lint("", "-*/5 * * * * true\n"),
    W17 "export, or a setting after the jobs that need it" Lint("", "export A=b\n"),
    W18 "number that wraps" Lint("", "4294967301 * * * * true\n"),
    W19 "uneven step" Lint("", "*/7 * * * * true\n"),
    W20 "systemd runs the job at other times" Lint("--format systemd --tz America/New_York", "30 2 * * * true\n"),
    W21 "command that cron-render leaves unchanged" Lint("--dir /srv", "0 0 * * * cd /x && python manage.py y\n"),
    W22 "may not run on this host" Lint("--dir /srv", "0 0 * * * cd /no/such && python manage.py y\n"),
    W23 "no daemon runs the schedule" When("install and diff, on a host where the daemon is stopped"),
    W24 "every minute of an hour" Lint("", "* 5 * * * true\n"),
    W25 "setting that systemd does not have" Lint("--format systemd", "MAILTO=a@b.c\n0 0 * * * /bin/true\n"),
    W26 "mail that is not sent" Lint("", "MAILTO=a b@c\n0 0 * * * /bin/true\n"),
    W27 "other users can read the output or block the job" Lint("--lock-dir /tmp --name site --dir /srv", "0 0 * * * python manage.py x\n"),
    W28 "setting that does nothing" Lint("", "TZ=Europe/Rome\n"),
}

impl Code {
    /// From the first letter.
    pub fn severity(self) -> Severity {
        if self < Code::W01 {
            Severity::Error
        } else {
            Severity::Warning
        }
    }
}

/// The catalogue, as the manual and `--help` describe it.
pub fn document() -> Document {
    let key = |lint: &Lint| Key {
        name: lint.code.name().to_owned(),
        value: String::new(),
        text: match lint.example {
            // A line of the manual.
            Example::Lint(_, template) if template.len() > 50 => format!("{}.", lint.meaning),
            Example::Lint("", template) => format!("{}: {template:?}.", lint.meaning),
            Example::Lint(options, template) => {
                format!("{}: {template:?} with {options}.", lint.meaning)
            }
            Example::Long(head, piece, times) => {
                format!("{}: {:?} and {times} times {piece:?}.", lint.meaning, head)
            }
            Example::CronD(mode, template) => format!(
                "{}: {template:?} in a file of cron.d with mode {mode:04o}.",
                lint.meaning
            ),
            Example::When(when) => format!("{}: {when}.", lint.meaning),
        },
    };
    let table = |heading: &str, text: &str, severity: Severity| Table {
        heading: heading.to_owned(),
        text: text.to_owned(),
        keys: LINTS
            .iter()
            .filter(|lint| lint.code.severity() == severity)
            .map(key)
            .collect(),
    };
    Document {
        title: "Findings",
        text: vec![
            "Each finding has a code, whose meaning never changes, a place, a message and a fix. After the meaning of a code the \
             list shows a template that has the finding."
                .to_owned(),
        ],
        tables: vec![
            table("Errors", "An error stops an install.", Severity::Error),
            table("Warnings", "", Severity::Warning),
        ],
        example: "",
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The code of the finding.
    pub code: Code,
    /// Whether the finding stops an install (error) or not (warning).
    pub severity: Severity,
    /// Line of the template, from 1; 0 if the finding is about the site's facts.
    pub line: usize,
    /// Column in characters, from 1; 0 with line 0.
    pub column: usize,
    /// The sentence that says what is wrong.
    pub message: String,
    /// The steps that remove the finding.
    pub fix: Fix,
}

/// Words become advice; a fix with steps stays what it is.
pub trait IntoFix {
    /// As a fix.
    fn into_fix(self) -> Fix;
}

impl IntoFix for Fix {
    fn into_fix(self) -> Fix {
        self
    }
}

impl IntoFix for &str {
    fn into_fix(self) -> Fix {
        Fix::advice(self)
    }
}

impl IntoFix for String {
    fn into_fix(self) -> Fix {
        Fix::advice(self)
    }
}

impl Finding {
    /// A finding at a place of the template.
    pub fn at(
        code: Code,
        place: (usize, usize),
        message: impl Into<String>,
        fix: impl IntoFix,
    ) -> Finding {
        let (line, column) = place;
        Finding {
            code,
            severity: code.severity(),
            line,
            column,
            message: message.into(),
            fix: fix.into_fix(),
        }
    }

    /// A finding about a fact of the site.
    pub fn of_site(code: Code, message: impl Into<String>, fix: impl IntoFix) -> Finding {
        Finding::at(code, (0, 0), message, fix)
    }

    /// Whether it stops an install.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The column, in characters from 1, of byte `at` of a line.
pub fn column(line: &[u8], at: usize) -> usize {
    1 + line[..at.min(line.len())]
        .iter()
        .filter(|b| **b & 0xc0 != 0x80)
        .count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        assert_eq!(column("żó x".as_bytes(), 5), 4);
        assert_eq!(column(b"abc", 99), 4);
    }

    #[test]
    fn letters_and_severities_agree() {
        for lint in LINTS {
            assert_eq!(
                lint.code.name().starts_with('E'),
                lint.code.severity() == Severity::Error
            );
        }
    }
}
