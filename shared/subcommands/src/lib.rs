//! Command lines with subcommands, parsed by clap. The definition stays the data of [`base::cli`];
//! this crate turns it into a [`clap::Command`] (which the manuals and completions are made from,
//! too), and clap's findings back into the house's own types, so that a wrong option reads the same
//! in all seven tools.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

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

/// clap knows the words of a choice for completions; whether a value is one is checked where all
/// values are.
fn parser(value: Value) -> ValueParser {
    match value {
        Value::Choice(_, words) => PossibleValuesParser::new(words).into(),
        _ => OsStringValueParser::new().into(),
    }
}

fn hint(value: Value) -> ValueHint {
    match value {
        Value::File(_) | Value::Site(_) => ValueHint::FilePath,
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
    let words = words(line, &args);
    let named = words.iter().find_map(|word| match word {
        Word::Plain(at) => Some(&args[*at]),
        _ => None,
    });
    let is_command = named.is_some_and(|word| line.commands.iter().any(|c| word == c.name));
    // Help on the tool as a whole, unless an option says which subcommand is meant.
    let asks = words.iter().any(|word| matches!(word, Word::Asks));
    let own = words.iter().any(|word| matches!(word, Word::Own));
    if !(is_command || named.is_none() && asks && !own) {
        args.insert(0, default.name.into());
    }
    args
}

/// What an argument before `--` is.
enum Word {
    /// Neither an option nor an option's value; the number of the argument.
    Plain(usize),
    /// `-h`, `--help`, `-V` or `--version`.
    Asks,
    /// Another option that every subcommand has, or the value of an option.
    Option,
    /// An option that a subcommand has of its own.
    Own,
}

/// What each argument is, before it is known which subcommand is meant: the value of an option that
/// takes one is no word of its own, even where the value is spelt like a subcommand.
fn words(line: &'static CommandLine, args: &[OsString]) -> Vec<Word> {
    let mut words = Vec::with_capacity(args.len());
    let mut is_value = false;
    for (at, arg) in args.iter().enumerate() {
        if std::mem::take(&mut is_value) {
            words.push(Word::Option);
            continue;
        }
        let text = arg.to_string_lossy();
        if text == "--" {
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or(long);
            is_value = long == name && takes_value(line, |opt| opt.long == long);
            words.push(match name {
                "help" | "version" => Word::Asks,
                _ if is_common(line, |opt| opt.long == name) => Word::Option,
                _ => Word::Own,
            });
        } else if let Some(letters) = text.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            // Of letters written together the first that takes a value takes the rest, or the next
            // argument.
            let valued = letters
                .char_indices()
                .find(|(_, letter)| takes_value(line, |opt| opt.short == Some(*letter)));
            is_value = valued.is_some_and(|(i, letter)| i + letter.len_utf8() == letters.len());
            let flags = &letters[..valued.map_or(letters.len(), |(i, _)| i)];
            let first = letters.chars().next();
            words.push(if flags.contains(['h', 'V']) {
                Word::Asks
            } else if is_common(line, |opt| opt.short == first) {
                Word::Option
            } else {
                Word::Own
            });
        } else {
            words.push(Word::Plain(at));
        }
    }
    words
}

/// Whether an option takes a value: as the subcommand that goes without saying has the option, or
/// else as any does.
fn takes_value(line: &'static CommandLine, is_meant: impl Fn(&Opt) -> bool) -> bool {
    let default = Scope {
        line,
        command: None,
    }
    .or_default();
    let others = line
        .commands
        .iter()
        .flat_map(|command| command.options.iter().copied().flatten());
    default
        .all()
        .chain(others)
        .find(|opt| is_meant(opt))
        .is_some_and(|opt| opt.value.is_some())
}

fn is_common(line: &'static CommandLine, is_meant: impl Fn(&Opt) -> bool) -> bool {
    line.options.iter().chain(COMMON).any(is_meant)
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
    let named = words(line, args).into_iter().find_map(|word| match word {
        Word::Plain(at) => args[at].to_str(),
        _ => None,
    });
    let scope = Scope::of(line, named);
    let help = format!("{} -h says what it takes", scope.title());
    match error.kind() {
        ErrorKind::UnknownArgument if option.starts_with('-') => unknown_option(scope, &option),
        ErrorKind::UnknownArgument => Error::usage(format!(
            "unexpected argument '{}'",
            base::terminal::escape(&invalid)
        ))
        .hint(help),
        ErrorKind::InvalidValue if value.is_empty() => {
            Error::usage(format!("{option} needs a value"))
        }
        ErrorKind::InvalidValue => {
            let valid = text(ContextKind::ValidValue).unwrap_or_default();
            Error::usage(format!(
                "{option}: '{}' is none of {valid}",
                base::terminal::escape(&value)
            ))
        }
        ErrorKind::InvalidSubcommand => {
            let typed = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let names: Vec<_> = line.commands.iter().map(|c| c.name).collect();
            Error::usage(format!(
                "unknown command '{}'",
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use base::cli::Positional;

    const LINE: CommandLine = CommandLine {
        name: "tool",
        version: "1",
        section: 1,
        about: "",
        description: &[],
        commands: &[
            base::cli::Command {
                name: "ensure",
                about: "",
                description: &[],
                options: &[&[
                    Opt::value("db", Value::Text("NAME"), "").short('b').many(),
                    Opt::flag("all", "").short('a'),
                ]],
                positionals: &[Positional::any("EXT", Value::Text("EXT"), "")],
                trailing: Trailing::None,
                default: true,
            },
            base::cli::Command {
                name: "recover",
                about: "",
                description: &[],
                options: &[],
                positionals: &[],
                trailing: Trailing::None,
                default: false,
            },
        ],
        options: &[],
        positionals: &[],
        exit: &[],
        examples: &[],
        files: &[],
        environment: &[],
        security: &[],
        see_also: &[],
    };

    fn meant(words: &str) -> (String, Vec<String>, Vec<String>) {
        let args = words.split_whitespace().map(OsString::from).collect();
        match parse(&LINE, args) {
            Ok(Asked::Run(parsed)) => (
                parsed.command().unwrap_or_default().to_owned(),
                parsed
                    .texts("db")
                    .iter()
                    .map(|t| (*t).to_string())
                    .collect(),
                parsed
                    .positional_texts()
                    .iter()
                    .map(|t| (*t).to_string())
                    .collect(),
            ),
            Ok(other) => (format!("{other:?}"), vec![], vec![]),
            Err(error) => (
                format!("{}: {}", error.message, error.hint.unwrap_or_default()),
                vec![],
                vec![],
            ),
        }
    }

    #[test]
    fn the_value_of_an_option_is_no_subcommand() {
        let cases: &[(&str, &str, &[&str], &[&str])] = &[
            ("hstore", "ensure", &[], &["hstore"]),
            ("--db recover hstore", "ensure", &["recover"], &["hstore"]),
            ("--db=recover hstore", "ensure", &["recover"], &["hstore"]),
            ("-b recover hstore", "ensure", &["recover"], &["hstore"]),
            ("-ab recover hstore", "ensure", &["recover"], &["hstore"]),
            ("-brecover hstore", "ensure", &["recover"], &["hstore"]),
            ("-n --journal recover hstore", "ensure", &[], &["hstore"]),
            ("--db ensure recover", "unknown option --db", &[], &[]),
            ("ensure --db recover", "ensure", &["recover"], &[]),
            ("--journal x recover", "recover", &[], &[]),
            ("recover", "recover", &[], &[]),
            ("--db --help hstore", "ensure", &["--help"], &["hstore"]),
            ("-h", "Help(None, Short)", &[], &[]),
            ("--db recover -h", "Help(Some(\"ensure\"), Short)", &[], &[]),
            (
                "--db x --no-such hstore",
                "unknown option --no-such",
                &[],
                &[],
            ),
        ];
        for (typed, command, db, ext) in cases {
            let (found, dbs, exts) = meant(typed);
            assert!(found.starts_with(command), "{typed}: {found}");
            assert_eq!(
                (dbs.as_slice(), exts.as_slice()),
                (
                    &db.iter().map(|d| (*d).to_string()).collect::<Vec<_>>()[..],
                    &ext.iter().map(|d| (*d).to_string()).collect::<Vec<_>>()[..]
                ),
                "{typed}"
            );
        }
    }
}
