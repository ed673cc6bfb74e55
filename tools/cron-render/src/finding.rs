//! What is wrong with a schedule, or will surprise: one type, one catalogue of codes.
//!
//! Codes never change their meaning. `E` is an error, which stops an install; `W` a warning. The
//! manual's list is made of the catalogue.

use base::Fix;
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

macro_rules! codes {
    (errors: $($error:ident $what:literal),+ ; warnings: $($warning:ident $why:literal),+ ;) => {
        /// Every error, for the manual.
        pub const ERRORS: &str = concat!(
            "Errors stop an install:", $(" ", stringify!($error), " ", $what, ";"),+
        );
        /// Every warning, for the manual.
        pub const WARNINGS: &str = concat!(
            "Warnings:", $(" ", stringify!($warning), " ", $why, ";"),+
        );
        codes!($($error $what),+ , $($warning $why),+);
    };
    ($($code:ident $meaning:literal),+ $(,)?) => {
        /// The catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
        pub enum Code { $(#[doc = $meaning] $code),+ }

        impl Code {
            /// Every code with its meaning, in order.
            pub const ALL: &'static [(Code, &'static str)] = &[$((Code::$code, $meaning)),+];

            /// `E01`.
            pub fn name(self) -> &'static str {
                match self { $(Code::$code => stringify!($code)),+ }
            }
        }
    };
}

codes! {
    errors:
    E01 "field syntax",
    E02 "value out of range",
    E03 "empty set",
    E04 "impossible date",
    E05 "no command",
    E06 "no newline at the end of the file",
    E07 "command too long",
    E08 "too many lines",
    E09 "NUL, carriage return or newline in a value",
    E10 "unknown user",
    E11 "file name that cron.d ignores",
    E12 "mode, owner or links that cron refuses",
    E13 "duplicate id",
    E14 "cannot run on this host",
    E15 "cron reads it back differently";
    warnings:
    W01 "day of month or day of week",
    W02 "day of month and day of week",
    W03 "ignored bytes after a value",
    W04 "step beyond the range",
    W05 "unescaped percent sign",
    W06 "doubled backslash",
    W07 "relative path without cd",
    W08 "command not found on cron's PATH",
    W09 "variable that is not expanded",
    W10 "note that becomes part of a value",
    W11 "environment line cut",
    W12 "jobs at the same minute",
    W13 "duplicate job",
    W14 "change of time",
    W15 "setting this cron does not know",
    W16 "leading minus",
    W17 "export, or a setting after the jobs that need it",
    W18 "number that wraps",
    W19 "uneven step",
    W20 "systemd runs it at other times",
    W21 "left as it is",
    W22 "may not run on this host",
    W23 "no daemon runs the schedule",
    W24 "every minute of an hour",
    W25 "systemd does not do this",
    W26 "mail that is not sent",
    W27 "other users can read it or hold it up",
    W28 "setting that does nothing";
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

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Which of the catalogue.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Line of the template, from 1; 0 if the finding is about the site's facts.
    pub line: usize,
    /// Column in characters, from 1; 0 with line 0.
    pub column: usize,
    /// What is so.
    pub message: String,
    /// What closes the gap.
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
        for (code, _) in Code::ALL {
            assert_eq!(
                code.name().starts_with('E'),
                code.severity() == Severity::Error
            );
        }
    }
}
