//! Completions for bash, zsh and fish, made here from the same data as the parser. Those that
//! clap_complete makes were tried in the real shells: bash offered nothing after the subcommand of
//! a program with a hyphen in its name, and none of the three completed the command that stands
//! after `--`. Here all three do, and a test presses Tab in each.

mod bash;
mod fish;
mod zsh;

use crate::Page;
use base::cli::{CommandLine, Scope, Trailing};

/// The three of a tool.
pub fn pages(line: &'static CommandLine) -> Vec<Page> {
    let name = line.name;
    vec![
        Page {
            path: format!("completions/bash/{name}"),
            text: bash::page(line),
        },
        Page {
            path: format!("completions/zsh/_{name}"),
            text: zsh::page(line),
        },
        Page {
            path: format!("completions/fish/{name}.fish"),
            text: fish::page(line),
        },
    ]
}

/// The scopes of a command line: one for each subcommand, or the whole where there are none.
fn scopes(line: &'static CommandLine) -> Vec<Scope<'static>> {
    match line.commands {
        [] => vec![Scope {
            line,
            command: None,
        }],
        commands => commands
            .iter()
            .map(|command| Scope {
                line,
                command: Some(command),
            })
            .collect(),
    }
}

/// How the scripts call a scope: the subcommand's name, or nothing.
fn name(scope: Scope<'static>) -> &'static str {
    scope.command.map_or("", |command| command.name)
}

/// The names of the subcommands after which `-- COMMAND` stands.
fn with_trailing(line: &'static CommandLine) -> Vec<&'static str> {
    scopes(line)
        .into_iter()
        .filter(|scope| scope.trailing() == Trailing::Required)
        .map(name)
        .collect()
}

/// A name that may stand in an identifier of every shell.
fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

/// Between single quotes, for bash and zsh.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
