//! For bash, without the bash-completion package, and with its `_command_offset` where it is
//! loaded.

use super::{identifier, name, quoted, scopes, with_trailing};
use base::cli::{CommandLine, Opt, Scope, Value};
use base::site::DIRECTORY;
use std::fmt::Write as _;

pub fn page(line: &'static CommandLine) -> String {
    let function = identifier(line.name);
    let mut text = format!(
        "# bash completion for {0}\n\n\
         _{function}() {{\n\
         \x20   local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command= place=0 i\n\
         \x20   COMPREPLY=()\n\
         \x20   # --option=value comes in three words.\n\
         \x20   [[ $cur == = ]] && cur=\n\
         \x20   [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}\n\
         \x20   for ((i = 1; i < COMP_CWORD; i++)); do\n\
         \x20       case $command:${{COMP_WORDS[i]}} in\n",
        line.name
    );
    let trailing: Vec<String> = with_trailing(line)
        .iter()
        .map(|name| format!("{name}:--"))
        .collect();
    if !trailing.is_empty() {
        let _ = write!(
            text,
            "        {})\n            _{function}_command $((i + 1))\n            return\n            ;;\n",
            trailing.join(" | ")
        );
    }
    let mut valued = Vec::new();
    for scope in scopes(line) {
        for opt in scope.all().filter(|opt| opt.value.is_some()) {
            for spelled in spellings(opt) {
                let pattern = format!("*:{spelled}");
                if !valued.contains(&pattern) {
                    valued.push(pattern);
                }
            }
        }
    }
    let _ = write!(
        text,
        "        {})\n            [[ ${{COMP_WORDS[i+1]}} == = ]] && ((i++))\n            ((i++))\n            ;;\n        *:-*) ;;\n",
        valued.join(" | ")
    );
    let commands: Vec<&str> = line.commands.iter().map(|command| command.name).collect();
    if !commands.is_empty() {
        let patterns: Vec<String> = commands
            .iter()
            .map(|command| format!(":{command}"))
            .collect();
        let _ = writeln!(
            text,
            "        {}) command=${{COMP_WORDS[i]}} ;;",
            patterns.join(" | ")
        );
    }
    text += "        *) ((place++)) ;;\n        esac\n    done\n    case $command:$prev in\n";
    for scope in scopes(line) {
        values(&mut text, scope);
    }
    text += "    esac\n    case $command:$cur in\n";
    for scope in scopes(line) {
        let words: Vec<String> = scope.all().flat_map(spellings).collect();
        for pattern in names(scope) {
            let _ = writeln!(
                text,
                "    {pattern}:-*) {} ;;",
                from_words(&words.join(" "))
            );
        }
    }
    if line.commands.iter().all(|command| !command.default) && !commands.is_empty() {
        let words: Vec<String> = line
            .options
            .iter()
            .chain(base::cli::COMMON)
            .flat_map(spellings)
            .collect();
        let _ = writeln!(text, "    :-*) {} ;;", from_words(&words.join(" ")));
    }
    if !commands.is_empty() {
        let _ = writeln!(text, "    :*) {} ;;", from_words(&commands.join(" ")));
    }
    text += "    esac\n    [[ $cur == -* ]] && return\n    case $command:$place in\n";
    for scope in scopes(line) {
        places(&mut text, scope);
    }
    text += "    esac\n}\n";
    if !trailing.is_empty() {
        text += &command_function(&function);
    }
    let _ = write!(text, "\ncomplete -F _{function} {}\n", line.name);
    text
}

/// What completes the command after `--`, which begins at word $1.
fn command_function(function: &str) -> String {
    format!(
        "\n_{function}_command() {{\n\
         \x20   if declare -F _command_offset >/dev/null; then\n\
         \x20       _command_offset \"$1\"\n\
         \x20   elif ((COMP_CWORD == $1)); then\n\
         \x20       {}\n\
         \x20   else\n\
         \x20       {}\n\
         \x20   fi\n\
         }}\n",
        from("-c"),
        files("-f")
    )
}

/// What the scripts call a scope: where a subcommand goes without saying, nothing as well.
fn names(scope: Scope<'static>) -> Vec<&'static str> {
    let default = scope.command.is_some_and(|command| command.default);
    if default {
        vec![name(scope), ""]
    } else {
        vec![name(scope)]
    }
}

fn spellings(opt: &Opt) -> Vec<String> {
    opt.short
        .map(|letter| format!("-{letter}"))
        .into_iter()
        .chain([format!("--{}", opt.long)])
        .collect()
}

/// The values of a scope's options, each the last word but one. What any scope has in common is
/// said once.
fn values(text: &mut String, scope: Scope<'static>) {
    for opt in scope.all() {
        let Some(value) = opt.value else { continue };
        let shared = !scope.own().any(|own| own.long == opt.long);
        let patterns: Vec<String> = if shared {
            spellings(opt)
                .iter()
                .map(|spelled| format!("*:{spelled}"))
                .collect()
        } else {
            names(scope)
                .iter()
                .flat_map(|name| {
                    spellings(opt)
                        .into_iter()
                        .map(move |spelled| format!("{name}:{spelled}"))
                })
                .collect()
        };
        let action = action(value);
        let clause = format!(
            "    {})\n        {}{}return\n        ;;\n",
            patterns.join(" | "),
            action,
            if action.is_empty() { "" } else { "\n        " }
        );
        if !text.contains(&clause) {
            *text += &clause;
        }
    }
}

fn places(text: &mut String, scope: Scope<'static>) {
    for (i, place) in scope.positionals().iter().enumerate() {
        let action = action(place.value);
        if action.is_empty() {
            continue;
        }
        let number = if place.many {
            "*".to_string()
        } else {
            i.to_string()
        };
        for pattern in names(scope) {
            let _ = writeln!(text, "    {pattern}:{number}) {action} ;;");
        }
    }
}

fn action(value: Value) -> String {
    match value {
        Value::File(_) => files("-f"),
        Value::Dir(_) => files("-d"),
        Value::Site(_) => sites(),
        Value::Choice(_, words) => from_words(&words.join(" ")),
        Value::User(_) => from("-u"),
        Value::Program(_) => from("-c"),
        Value::Url(_) => from("-W 'http:// https://'"),
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Duration(_)
        | Value::Size(_)
        | Value::Count(_)
        | Value::Secret(_) => String::new(),
    }
}

/// Site files, and the names of those in the directory of all sites.
fn sites() -> String {
    let names = format!(
        "for i in {DIRECTORY}/\"$cur\"*.toml; do [[ ! -e $i ]] || basename \"$i\" .toml; done"
    );
    format!("compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"; {names})")
}

fn from(generator: &str) -> String {
    format!("mapfile -t COMPREPLY < <(compgen {generator} -- \"$cur\")")
}

fn from_words(words: &str) -> String {
    from(&format!("-W {}", quoted(words)))
}

/// Names of files, which readline quotes, and marks where they are directories.
fn files(generator: &str) -> String {
    format!("compopt -o filenames; {}", from(generator))
}
