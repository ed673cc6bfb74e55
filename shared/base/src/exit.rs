//! The exit table. Every tool, every man page and the README take it from here.

use std::process::ExitCode;

/// What a tool's exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: the host is in the requested state, changed or not.
    Ok,
    /// 1: the answer is no.
    No,
    /// 2: wrong usage or a bad input file; nothing was changed.
    Usage,
    /// 3: tried and failed, or could not tell.
    Failed,
    /// 75: try again (`EX_TEMPFAIL` of sysexits.h).
    Retry,
    /// 125: the tool's own work failed around a COMMAND.
    AroundCommand,
    /// 126: COMMAND exists and could not be executed.
    NotExecutable,
    /// 127: COMMAND does not exist.
    NotFound,
    /// COMMAND's own status, 128+N for signal N.
    Command(u8),
}

impl Exit {
    /// The number the process exits with.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::Retry => 75,
            Exit::AroundCommand => 125,
            Exit::NotExecutable => 126,
            Exit::NotFound => 127,
            Exit::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// One line of the exit table, as manuals print it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The code or codes, as text.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// The codes every tool has.
pub const TABLE: &[Row] = &[
    Row {
        code: "0",
        meaning: "The host is in the requested state, changed or not.",
    },
    Row {
        code: "1",
        meaning: "The answer is no: a requirement is unmet, the state has drifted, nothing was found, or a dry run would change something.",
    },
    Row {
        code: "2",
        meaning: "The command line or an input file is wrong. Nothing was changed and standard output is empty.",
    },
    Row {
        code: "3",
        meaning: "The tool tried and failed, or could not tell. The items of the report say what was done.",
    },
    Row {
        code: "75",
        meaning: "Try again: another process holds the lock, a server does not answer, or the deadline passed.",
    },
];

/// The codes of a tool that runs `-- COMMAND`.
pub const COMMAND_TABLE: &[Row] = &[
    Row {
        code: "COMMAND's own",
        meaning: "The tool's own work succeeded, and COMMAND exited with this status; 128+N if signal N ended COMMAND.",
    },
    Row {
        code: "125",
        meaning: "The tool's own work failed.",
    },
    Row {
        code: "126",
        meaning: "COMMAND exists but could not be executed.",
    },
    Row {
        code: "127",
        meaning: "COMMAND does not exist.",
    },
];

/// A tool's whole table, codes and meanings. A row of its own stands in place of the common one,
/// or, where it begins with "Also", after it.
#[must_use]
pub fn table(own: &'static [Row], around_command: bool) -> Vec<(&'static str, String)> {
    let common = TABLE
        .iter()
        .chain(if around_command { COMMAND_TABLE } else { &[] });
    let mut rows: Vec<(&str, String)> = common
        .map(|row| (row.code, row.meaning.to_owned()))
        .collect();
    for row in own {
        match rows.iter_mut().find(|(code, _)| *code == row.code) {
            Some((_, meaning)) if row.meaning.starts_with("Also") => {
                *meaning = format!("{meaning} {}", row.meaning);
            }
            Some((_, meaning)) => *meaning = row.meaning.to_owned(),
            None => rows.push((row.code, row.meaning.to_owned())),
        }
    }
    rows
}
