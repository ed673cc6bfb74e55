//! Command lines with subcommands, parsed by clap. The definition stays the data of [`base::cli`]; this crate turns it into a
//! [`clap::Command`] (which the manuals and completions are made from, too), and clap's findings back into the house's own types, so
//! that a wrong option reads the same in all seven tools.

use base::cli::{
    Asked, Builder, COMMON, CommandLine, Length, Opt, Parsed, Scope, Trailing, Value,
    unknown_option,
};
use base::error::{Error, Result};
use clap::builder::{OsStringValueParser, PossibleValuesParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use std::ffi::OsString;

/// The key of what stands after `--`.
const TRAILING: &str = "COMMAND";

/// The definition as a [`clap::Command`].
pub fn to_clap(line: &'static CommandLine) -> Command {
    let root = Scope {
        line,
        command: None,
    };
    let mut whole = Command::new(line.name)
        .about(line.about)
        .version(line.version)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .args_override_self(false);
    if line.commands.is_empty() {
        return fill(whole, root);
    }
    // What is common to all stands on either side of the subcommand's name.
    for opt in line.options.iter().chain(COMMON) {
        whole = whole.arg(argument(opt).global(true));
    }
    for command in line.commands {
        let sub = Command::new(command.name)
            .about(command.about)
            .disable_help_flag(true)
            .disable_version_flag(true);
        let mut sub = sub;
        for opt in command.options.iter().copied().flatten() {
            sub = sub.arg(argument(opt));
        }
        whole = whole.subcommand(places(
            sub,
            Scope {
                line,
                command: Some(command),
            },
        ));
    }
    whole
}

fn fill(mut command: Command, scope: Scope<'static>) -> Command {
    for opt in scope.all() {
        command = command.arg(argument(opt));
    }
    places(command, scope)
}

fn places(mut command: Command, scope: Scope<'static>) -> Command {
    for (i, place) in scope.positionals().iter().enumerate() {
        let action = if place.many {
            ArgAction::Append
        } else {
            ArgAction::Set
        };
        let arg = Arg::new(place.name)
            .index(i + 1)
            .value_name(place.name)
            .help(place.help)
            .action(action)
            .value_hint(hint(place.value));
        let arg = if place.many { arg.num_args(1..) } else { arg };
        command = command.arg(arg.value_parser(OsStringValueParser::new()));
    }
    if scope.trailing() == Trailing::Required {
        // Counted out: left to itself, clap would give it the first place, which is taken.
        let place = scope.positionals().len() + 1;
        let arg = Arg::new(TRAILING)
            .index(place)
            .last(true)
            .num_args(1..)
            .allow_hyphen_values(true)
            .value_hint(ValueHint::CommandWithArguments);
        command = command.arg(
            arg.value_parser(OsStringValueParser::new())
                .help("The command to run, with its arguments"),
        );
    }
    command
}

fn argument(opt: &'static Opt) -> Arg {
    let mut arg = Arg::new(opt.long).long(opt.long).help(opt.help);
    if !opt.more.is_empty() {
        arg = arg.long_help(format!("{}. {}", opt.help.trim_end_matches('.'), opt.more));
    }
    if let Some(letter) = opt.short {
        arg = arg.short(letter);
    }
    match opt.value {
        // Counted, so that a flag given twice is no error.
        None => arg.action(ArgAction::Count),
        Some(value) => arg
            .value_name(value.name())
            .action(ArgAction::Append)
            .allow_hyphen_values(true)
            .value_hint(hint(value))
            .value_parser(parser(value)),
    }
}

/// clap knows the words of a choice for completions; whether a value is one is checked where all values are.
fn parser(value: Value) -> ValueParser {
    match value {
        Value::Choice(_, words) => PossibleValuesParser::new(words).into(),
        _ => OsStringValueParser::new().into(),
    }
}

fn hint(value: Value) -> ValueHint {
    match value {
        Value::File(_) => ValueHint::FilePath,
        Value::Dir(_) => ValueHint::DirPath,
        Value::Url(_) => ValueHint::Url,
        Value::User(_) => ValueHint::Username,
        Value::Program(_) => ValueHint::CommandName,
        _ => ValueHint::Other,
    }
}

/// Reads the arguments (without the program's name).
///
/// # Errors
/// `Kind::Usage`, naming the argument.
pub fn parse(line: &'static CommandLine, args: Vec<OsString>) -> Result<Asked> {
    let args = with_default(line, args);
    let matches = to_clap(line)
        .try_get_matches_from(
            std::iter::once(OsString::from(line.name)).chain(args.iter().cloned()),
        )
        .map_err(|e| explain(line, &args, &e))?;
    let named = matches.subcommand();
    let (name, found) = named.map_or((None, &matches), |(name, sub)| (Some(name), sub));
    if count(found, "help") > 0 {
        // clap does not say which of the two was typed.
        let whole = args
            .iter()
            .take_while(|a| *a != "--")
            .any(|a| a == "--help");
        return Ok(Asked::Help(
            name.map(str::to_string),
            if whole { Length::Whole } else { Length::Short },
        ));
    }
    if count(found, "version") > 0 {
        return Ok(Asked::Version);
    }
    if let Some(path) = found
        .get_many::<OsString>("ansible-args")
        .and_then(Iterator::last)
    {
        return Ok(Asked::Ansible(path.into()));
    }
    collect(line, name, found).map(|p| Asked::Run(Box::new(p)))
}

/// Where a tool has a subcommand that goes without saying, and none was named, it is put in.
fn with_default(line: &'static CommandLine, mut args: Vec<OsString>) -> Vec<OsString> {
    let Some(default) = line.commands.iter().find(|c| c.default) else {
        return args;
    };
    let named = args
        .iter()
        .take_while(|a| *a != "--")
        .find(|a| !a.as_encoded_bytes().starts_with(b"-"));
    let is_command = named.is_some_and(|word| line.commands.iter().any(|c| word == c.name));
    let asks = args
        .iter()
        .any(|a| a == "-h" || a == "--help" || a == "-V" || a == "--version");
    if !(is_command || named.is_none() && asks) {
        args.insert(0, default.name.into());
    }
    args
}

fn count(matches: &ArgMatches, long: &str) -> usize {
    matches.get_count(long).into()
}

fn collect(line: &'static CommandLine, name: Option<&str>, found: &ArgMatches) -> Result<Parsed> {
    let mut builder = Builder::new(line, name);
    let scope = Scope::of(line, name);
    for opt in scope.all() {
        match opt.value {
            None => (0..count(found, opt.long)).for_each(|_| builder.flag(opt)),
            Some(Value::Choice(..)) => {
                for given in found.get_many::<String>(opt.long).into_iter().flatten() {
                    builder.value(opt, given.into())?;
                }
            }
            Some(_) => {
                for given in found.get_many::<OsString>(opt.long).into_iter().flatten() {
                    builder.value(opt, given.clone())?;
                }
            }
        }
    }
    for place in scope.positionals() {
        for given in found.get_many::<OsString>(place.name).into_iter().flatten() {
            builder.positional(given.clone())?;
        }
    }
    if scope.trailing() == Trailing::Required {
        builder.trailing(
            found
                .get_many::<OsString>(TRAILING)
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        )?;
    }
    builder.finish()
}

/// clap's error in the house's words.
fn explain(line: &'static CommandLine, args: &[OsString], error: &clap::Error) -> Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(s)) => Some(s.clone()),
        Some(ContextValue::Strings(s)) => Some(s.join(", ")),
        _ => None,
    };
    let invalid = text(ContextKind::InvalidArg).unwrap_or_default();
    let option = invalid
        .split([' ', '='])
        .next()
        .unwrap_or_default()
        .to_string();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let named = args
        .iter()
        .filter_map(|a| a.to_str())
        .find(|a| line.commands.iter().any(|c| c.name == *a));
    let scope = Scope::of(line, named);
    let help = format!("{} -h says what it takes", scope.title());
    match error.kind() {
        ErrorKind::UnknownArgument if option.starts_with('-') => unknown_option(scope, &option),
        ErrorKind::UnknownArgument => Error::usage(format!(
            "unexpected argument \"{}\"",
            base::terminal::escape(&invalid)
        ))
        .hint(help),
        ErrorKind::InvalidValue if value.is_empty() => {
            Error::usage(format!("{option} needs a value"))
        }
        ErrorKind::InvalidValue => {
            let valid = text(ContextKind::ValidValue).unwrap_or_default();
            Error::usage(format!(
                "{option}: \"{}\" is none of {valid}",
                base::terminal::escape(&value)
            ))
        }
        ErrorKind::InvalidSubcommand => {
            let typed = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let names: Vec<_> = line.commands.iter().map(|c| c.name).collect();
            Error::usage(format!(
                "unknown command \"{}\"",
                base::terminal::escape(&typed)
            ))
            .hint(match base::spelling::nearest(&typed, &names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("one of: {}", names.join(", ")),
            })
        }
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => {
            Error::usage(format!("{option} takes no value")).hint(help)
        }
        ErrorKind::InvalidUtf8 => Error::usage("an argument is not UTF-8").hint(help),
        _ => Error::usage(first_line(&error.to_string())).hint(help),
    }
}

fn first_line(text: &str) -> String {
    base::terminal::escape(
        text.lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: "),
    )
}
