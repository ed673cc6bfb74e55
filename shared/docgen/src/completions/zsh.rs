//! For zsh, by its own `_arguments`.

use super::{identifier, name, quoted, scopes};
use base::cli::{COMMON, CommandLine, Opt, Scope, Trailing, Value};
use base::site::DIRECTORY;
use std::fmt::Write as _;

pub fn page(line: &'static CommandLine) -> String {
    let function = format!("_{}", identifier(line.name));
    let mut text = format!("#compdef {}\n\n", line.name);
    match line.commands {
        [] => {
            let scope = Scope {
                line,
                command: None,
            };
            let _ = write!(
                text,
                "{function}() {{\n    _arguments -s -S{}\n}}\n",
                specifications(scope)
            );
        }
        _ => {
            text += &dispatcher(line, &function);
            for scope in scopes(line) {
                let _ = write!(
                    text,
                    "\n{function}_{}() {{\n{}}}\n",
                    identifier(name(scope)),
                    body(scope)
                );
            }
        }
    }
    let _ = write!(text, "\n{function} \"$@\"\n");
    text
}

/// Options on the left of the subcommand, the subcommand, and what it takes.
fn dispatcher(line: &'static CommandLine, function: &str) -> String {
    let default = line.commands.iter().find(|command| command.default);
    let left = Scope {
        line,
        command: default,
    };
    let mut text = format!(
        "{function}() {{\n    local curcontext=$curcontext state line ret=1\n    typeset -A opt_args\n    # Not `commands`: that is zsh's own table of programs.\n    local -a verbs=(\n"
    );
    for command in line.commands {
        let _ = writeln!(
            text,
            "        {}",
            quoted(&format!(
                "{}:{}",
                command.name,
                command.about.replace(':', "\\:")
            ))
        );
    }
    text += "    )\n    _arguments -C -s -S -A '-*'";
    text += &if default.is_some() {
        options(left.all())
    } else {
        options(line.options.iter().chain(COMMON))
    };
    text += " \\\n        '1: :->command' \\\n        '*:: :->rest' && ret=0\n";
    let _ = write!(
        text,
        "    case $state in\n    command) _describe -t commands {} verbs && ret=0 ;;\n    rest)\n        case $line[1] in\n",
        quoted(&format!("{} command", line.name))
    );
    let names: Vec<&str> = line.commands.iter().map(|command| command.name).collect();
    let _ = writeln!(
        text,
        "        {}) {function}_${{line[1]//-/_}} && ret=0 ;;",
        names.join(" | ")
    );
    if let Some(command) = default {
        let _ = writeln!(
            text,
            "        *) {function}_{} && ret=0 ;;",
            identifier(command.name)
        );
    }
    text + "        esac\n        ;;\n    esac\n    return ret\n}\n"
}

fn body(scope: Scope<'static>) -> String {
    let mut text = String::new();
    if scope.trailing() == Trailing::Required {
        text += "    local -i dashes=${words[(i)--]}\n    \
                 if ((dashes < CURRENT)); then\n        \
                 shift $dashes words\n        \
                 ((CURRENT -= dashes))\n        \
                 _normal\n        \
                 return\n    fi\n";
    }
    let _ = writeln!(text, "    _arguments -s -S{}", specifications(scope));
    text
}

fn specifications(scope: Scope<'static>) -> String {
    let mut text = options(scope.all());
    for (i, place) in scope.positionals().iter().enumerate() {
        let number = if place.many {
            "*".to_string()
        } else {
            (i + 1).to_string()
        };
        let colon = if place.required || place.many {
            ":"
        } else {
            "::"
        };
        let _ = write!(
            text,
            " \\\n        {}",
            quoted(&format!(
                "{number}{colon}{}:{}",
                escaped(place.name),
                action(place.value)
            ))
        );
    }
    text
}

fn options<'a>(all: impl Iterator<Item = &'a Opt>) -> String {
    let mut text = String::new();
    for opt in all {
        let value = opt.value.map_or(String::new(), |value| {
            format!(":{}:{}", escaped(value.name()), action(value))
        });
        let said = quoted(&format!("[{}]{value}", escaped(opt.help)));
        let (equals, plus) = if opt.value.is_some() {
            ("=", "+")
        } else {
            ("", "")
        };
        let _ = match opt.short {
            Some(letter) => write!(
                text,
                " \\\n        '*'{{-{letter}{plus},--{}{equals}}}{said}",
                opt.long
            ),
            None => write!(text, " \\\n        '*--{}{equals}'{said}", opt.long),
        };
    }
    text
}

fn action(value: Value) -> String {
    match value {
        Value::File(_) => "_files".into(),
        Value::Dir(_) => "_files -/".into(),
        Value::Site(_) => format!("{{_files; compadd -- {DIRECTORY}/*.toml(N\\:t\\:r)}}"),
        Value::Choice(_, words) => format!("({})", words.join(" ")),
        Value::Url(_) => "_urls".into(),
        Value::User(_) => "_users".into(),
        Value::Program(_) => "_command_names -e".into(),
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Duration(_)
        | Value::Size(_)
        | Value::Count(_)
        | Value::Secret(_) => " ".into(),
    }
}

/// For a message or an explanation of `_arguments`.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace(':', "\\:")
        .replace('[', "\\[")
        .replace(']', "\\]")
}
