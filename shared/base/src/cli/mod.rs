//! The command line as data. A tool writes down once, as constants, what its options are called,
//! what they take and what they mean; from that come the parser, `-h` and `--help`, the man page,
//! the completions and the Ansible module. A flat tool is parsed here, over lexopt; one with
//! subcommands by clap, in a crate of its own, from the same data and into the same [`Parsed`].

mod ansible;
mod common;
mod flat;
mod help;
mod parsed;
mod site;
mod value;

pub use ansible::{Modes, from_ansible, is_for_modules};
pub use common::{COMMON, ENVIRONMENT, RUN_AS};
pub use flat::{parse, unknown_option};
pub use help::{Length, render as render_help, usage};
pub use parsed::{Asked, Builder, Parsed};
pub use site::table_keys;
pub use value::{parse_duration, parse_size};

use crate::exit::Row;

/// A whole program's command line, and what its manual says besides.
#[derive(Debug)]
pub struct CommandLine {
    /// The program's name.
    pub name: &'static str,
    /// Its version, as `-V` prints it: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// The manual section: 8 for what changes the system, 1 for the rest.
    pub section: u8,
    /// One line: what it is for, lower case, no full stop.
    pub about: &'static str,
    /// The manual's DESCRIPTION, a paragraph each.
    pub description: &'static [&'static str],
    /// The subcommands; none for a flat tool.
    pub commands: &'static [Command],
    /// Options of a flat tool; those every subcommand shares, otherwise.
    pub options: &'static [Opt],
    /// What stands on a flat tool's command line without an option.
    pub positionals: &'static [Positional],
    /// The exit codes that mean something special here, beyond the common table.
    pub exit: &'static [Row],
    /// The manual's EXAMPLES.
    pub examples: &'static [Example],
    /// The manual's FILES.
    pub files: &'static [Entry],
    /// The manual's ENVIRONMENT.
    pub environment: &'static [Entry],
    /// The manual's SECURITY, a paragraph each.
    pub security: &'static [&'static str],
    /// The manual's SEE ALSO: `psql(1)`; another of these tools by its name alone, since its own
    /// definition knows the section.
    pub see_also: &'static [&'static str],
}

/// One subcommand.
#[derive(Debug)]
pub struct Command {
    /// The name, as it is typed.
    pub name: &'static str,
    /// One line: what it does.
    pub about: &'static str,
    /// More, a paragraph each.
    pub description: &'static [&'static str],
    /// Its options, in groups that several commands may share.
    pub options: &'static [&'static [Opt]],
    /// What it takes without an option.
    pub positionals: &'static [Positional],
    /// Whether `-- COMMAND…` follows.
    pub trailing: Trailing,
    /// Whether this is what is meant where no subcommand is named.
    pub default: bool,
}

/// Whether a command to run stands after `--`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trailing {
    /// No.
    None,
    /// `-- COMMAND…` is needed.
    Required,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Its long name, without the dashes: also its key for Ansible, with `_` for `-`.
    pub long: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What it takes; `None` for a flag.
    pub value: Option<Value>,
    /// May be given more than once.
    pub many: bool,
    /// May not be left out.
    pub required: bool,
    /// What it does: a short sentence, for `-h`.
    pub help: &'static str,
    /// More, for `--help` and the manual.
    pub more: &'static str,
    /// The fact of the site file that stands for this option where the option is not given; empty
    /// for none.
    pub fact: &'static str,
}

/// What stands on the command line by its place.
#[derive(Clone, Copy, Debug)]
pub struct Positional {
    /// Its name in usage, upper case: `VENV`.
    pub name: &'static str,
    /// What it is.
    pub value: Value,
    /// May be given more than once (the last one only).
    pub many: bool,
    /// May not be left out.
    pub required: bool,
    /// What it means.
    pub help: &'static str,
    /// As [`Opt::fact`].
    pub fact: &'static str,
}

/// What a value is; the text is how usage names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text (UTF-8).
    Text(&'static str),
    /// Bytes that need not be UTF-8, but are no path.
    Bytes(&'static str),
    /// A file's path.
    File(&'static str),
    /// A directory's path.
    Dir(&'static str),
    /// A site file: its path, or the bare name of one in `/etc/runbook-tools/sites`.
    Site(&'static str),
    /// A duration as humantime reads it: `15m`, `1h 30m`.
    Duration(&'static str),
    /// A size in bytes: `128M`, `2GiB`; powers of 1024.
    Size(&'static str),
    /// A whole number.
    Count(&'static str),
    /// One of these words.
    Choice(&'static str, &'static [&'static str]),
    /// A URL.
    Url(&'static str),
    /// The name of a user.
    User(&'static str),
    /// The name or path of a program.
    Program(&'static str),
    /// A secret, or something that may hold one (a DSN): masked wherever it is shown.
    Secret(&'static str),
}

impl Value {
    /// How usage names it.
    pub const fn name(self) -> &'static str {
        match self {
            Value::Text(n)
            | Value::Bytes(n)
            | Value::File(n)
            | Value::Dir(n)
            | Value::Site(n)
            | Value::Duration(n)
            | Value::Size(n) => n,
            Value::Count(n)
            | Value::Choice(n, _)
            | Value::Url(n)
            | Value::User(n)
            | Value::Program(n)
            | Value::Secret(n) => n,
        }
    }
}

/// A line of the manual's EXAMPLES.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What it is good for, a sentence.
    pub text: &'static str,
    /// The command, as it would be typed.
    pub command: &'static str,
}

/// A file or a variable of the manual.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The path of the file, or the name of the variable.
    pub name: &'static str,
    /// What it is for.
    pub text: &'static str,
}

impl Opt {
    /// An option that takes nothing.
    pub const fn flag(long: &'static str, help: &'static str) -> Opt {
        Opt {
            long,
            short: None,
            value: None,
            many: false,
            required: false,
            help,
            more: "",
            fact: "",
        }
    }

    /// An option that takes a value.
    pub const fn value(long: &'static str, value: Value, help: &'static str) -> Opt {
        Opt {
            long,
            short: None,
            value: Some(value),
            many: false,
            required: false,
            help,
            more: "",
            fact: "",
        }
    }

    /// With a letter.
    #[must_use]
    pub const fn short(mut self, letter: char) -> Opt {
        self.short = Some(letter);
        self
    }

    /// May be given more than once.
    #[must_use]
    pub const fn many(mut self) -> Opt {
        self.many = true;
        self
    }

    /// May not be left out.
    #[must_use]
    pub const fn required(mut self) -> Opt {
        self.required = true;
        self
    }

    /// With more to say in the manual.
    #[must_use]
    pub const fn more(mut self, text: &'static str) -> Opt {
        self.more = text;
        self
    }

    /// Taken from this fact of the site file where the option is not given.
    #[must_use]
    pub const fn fact(mut self, name: &'static str) -> Opt {
        self.fact = name;
        self
    }

    /// Its key: what the getters of [`Parsed`] and Ansible call it.
    pub fn key(&self) -> String {
        self.long.replace('-', "_")
    }
}

impl Positional {
    /// Taken from this fact of the site file where the argument is not given.
    #[must_use]
    pub const fn fact(mut self, name: &'static str) -> Positional {
        self.fact = name;
        self
    }

    /// Exactly one.
    pub const fn one(name: &'static str, value: Value, help: &'static str) -> Positional {
        Positional {
            name,
            value,
            many: false,
            required: true,
            help,
            fact: "",
        }
    }

    /// One or none.
    pub const fn optional(name: &'static str, value: Value, help: &'static str) -> Positional {
        Positional {
            name,
            value,
            many: false,
            required: false,
            help,
            fact: "",
        }
    }

    /// Any number, none among them.
    pub const fn any(name: &'static str, value: Value, help: &'static str) -> Positional {
        Positional {
            name,
            value,
            many: true,
            required: false,
            help,
            fact: "",
        }
    }

    /// One or more.
    pub const fn some(name: &'static str, value: Value, help: &'static str) -> Positional {
        Positional {
            name,
            value,
            many: true,
            required: true,
            help,
            fact: "",
        }
    }
}

/// A command line, or one subcommand of it, as parsers and printers walk it.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The command line.
    pub line: &'a CommandLine,
    /// The subcommand, if one was named.
    pub command: Option<&'a Command>,
}

impl<'a> Scope<'a> {
    /// The scope that `name` means.
    pub fn of(line: &'a CommandLine, name: Option<&str>) -> Scope<'a> {
        Scope {
            line,
            command: name.and_then(|n| line.commands.iter().find(|c| c.name == n)),
        }
    }

    /// The tool's own options that hold here, without the common ones.
    pub fn own(self) -> impl Iterator<Item = &'a Opt> {
        let groups = self.command.map_or(&[] as &[&[Opt]], |c| c.options);
        self.line
            .options
            .iter()
            .chain(groups.iter().copied().flatten())
    }

    /// Every option that holds here.
    pub fn all(self) -> impl Iterator<Item = &'a Opt> {
        // A tool that has more formats than all have says so in an `output` of its own.
        self.own().chain(
            COMMON
                .iter()
                .filter(move |common| !self.own().any(|o| o.long == common.long)),
        )
    }

    /// What stands here by its place.
    pub fn positionals(self) -> &'a [Positional] {
        self.command
            .map_or(self.line.positionals, |c| c.positionals)
    }

    /// Whether `-- COMMAND` follows.
    pub fn trailing(self) -> Trailing {
        self.command.map_or(Trailing::None, |c| c.trailing)
    }

    /// `maint-page during`.
    pub fn title(self) -> String {
        match self.command {
            Some(command) if !command.default => format!("{} {}", self.line.name, command.name),
            _ => self.line.name.to_string(),
        }
    }

    /// The subcommand that goes without saying, where none is named and there is one.
    #[must_use]
    pub fn or_default(self) -> Scope<'a> {
        match self.command {
            None => Scope {
                line: self.line,
                command: self.line.commands.iter().find(|c| c.default),
            },
            Some(_) => self,
        }
    }

    /// The option that long name means, if there is one.
    pub fn find(self, long: &str) -> Option<&'a Opt> {
        self.all().find(|o| o.long == long)
    }
}
