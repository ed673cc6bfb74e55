//! A command line without subcommands, over lexopt: two small crates where clap is eighteen.

use super::{Asked, Builder, CommandLine, Length, Scope};
use crate::error::{Error, Result};
use crate::spelling::nearest;
use lexopt::Arg;
use std::ffi::OsString;

/// Reads a flat tool's arguments (without the program's name).
///
/// # Errors
/// `Kind::Usage`, naming the argument.
pub fn parse(line: &'static CommandLine, args: Vec<OsString>) -> Result<Asked> {
    let mut builder = Builder::new(line, None);
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(|e| usage(&e))? {
        let opt = match arg {
            Arg::Value(given) => {
                builder.positional(given)?;
                continue;
            }
            Arg::Long(name) => builder.scope().find(name),
            Arg::Short(letter) => builder.scope().all().find(|o| o.short == Some(letter)),
        };
        let Some(opt) = opt else {
            let typed = match arg {
                Arg::Long(name) => format!("--{name}"),
                Arg::Short(letter) => format!("-{letter}"),
                Arg::Value(_) => String::new(),
            };
            return Err(unknown_option(builder.scope(), &typed));
        };
        match (opt.long, opt.value) {
            ("help", _) => {
                let length = if matches!(arg, Arg::Short(_)) {
                    Length::Short
                } else {
                    Length::Whole
                };
                return Ok(Asked::Help(None, length));
            }
            ("version", _) => return Ok(Asked::Version),
            ("ansible-args", _) => {
                return Ok(Asked::Ansible(
                    parser.value().map_err(|e| usage(&e))?.into(),
                ));
            }
            (_, Some(_)) => {
                let given = parser.value().map_err(|e| usage(&e))?;
                builder.value(opt, given)?;
            }
            (_, None) => builder.flag(opt),
        }
    }
    builder.finish().map(|p| Asked::Run(Box::new(p)))
}

fn usage(error: &lexopt::Error) -> Error {
    match error {
        lexopt::Error::MissingValue {
            option: Some(option),
        } => Error::usage(format!("{option} needs a value")),
        lexopt::Error::UnexpectedValue { option, .. } => {
            Error::usage(format!("{option} takes no value"))
        }
        other => Error::usage(other.to_string()),
    }
}

/// The error for an option that does not exist, with the nearest that does.
pub fn unknown_option(scope: Scope<'_>, typed: &str) -> Error {
    let shown = crate::terminal::escape(typed);
    let names: Vec<&str> = scope.all().map(|o| o.long).collect();
    let near = nearest(typed.trim_start_matches('-'), &names).filter(|_| typed.len() > 3);
    let error = Error::usage(format!("unknown option {shown}"));
    match near {
        Some(long) => error.hint(format!("did you mean --{long}?")),
        None => error.hint(format!("{} -h lists the options", scope.title())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::super::*;
    use super::*;

    const LINE: CommandLine = CommandLine {
        name: "demo",
        version: "0",
        section: 1,
        about: "a demonstration",
        description: &[],
        commands: &[],
        options: &[
            Opt::flag("check", "check"),
            Opt::value("conf", Value::File("FILE"), "a file")
                .short('f')
                .many(),
            Opt::value("name", Value::Text("NAME"), "a name"),
        ],
        positionals: &[Positional::any("NEED", Value::Text("NEED"), "needs")],
        exit: &[],
        examples: &[],
        files: &[],
        environment: &[],
        security: &[],
        see_also: &[],
    };

    fn run(words: &[&str]) -> Result<Parsed> {
        match parse(&LINE, words.iter().map(OsString::from).collect())? {
            Asked::Run(parsed) => Ok(*parsed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_values_and_places() {
        let p = run(&[
            "-fa",
            "--conf=b",
            "x",
            "--check",
            "--timeout",
            "5s",
            "--",
            "-y",
        ])
        .unwrap();
        assert_eq!(p.paths("conf").len(), 2);
        assert!(p.flag("check"));
        assert_eq!(
            p.duration("timeout"),
            Some(std::time::Duration::from_secs(5))
        );
        assert_eq!(p.positional_texts(), ["x", "-y"]);
    }

    #[test]
    fn wrong_usage_is_named() {
        assert_eq!(
            run(&["--chekc"]).unwrap_err().hint.unwrap(),
            "did you mean --check?"
        );
        assert_eq!(
            run(&["--name"]).unwrap_err().message,
            "--name needs a value"
        );
        assert_eq!(
            run(&["--check=1"]).unwrap_err().message,
            "--check takes no value"
        );
        assert_eq!(
            run(&["--name=a", "--name=b"]).unwrap_err().message,
            "--name is given twice: 'a' and 'b'"
        );
        assert_eq!(
            run(&["--timeout", "soon"]).unwrap_err().kind,
            crate::Kind::Usage
        );
    }
}
