//! For fish.

use super::{identifier, name, scopes, with_trailing};
use base::cli::{CommandLine, Opt, Scope, Value};
use base::site::DIRECTORY;
use std::fmt::Write as _;

pub fn page(line: &'static CommandLine) -> String {
    let mut text = format!(
        "# fish completion for {0}\n\ncomplete -c {0} -f\n",
        line.name
    );
    if line.commands.is_empty() {
        let scope = Scope {
            line,
            command: None,
        };
        for opt in scope.all() {
            option(&mut text, line.name, "", opt);
        }
        places(&mut text, scope, "");
        return text;
    }
    text += &functions(line);
    let function = format!("__fish_{}", identifier(line.name));
    let default = line
        .commands
        .iter()
        .find(|command| command.default)
        .map_or("", |command| command.name);
    for command in line.commands {
        let _ = writeln!(
            text,
            "complete -c {} -n '{function}_in none' -a {} -d {}",
            line.name,
            command.name,
            quoted(command.about)
        );
    }
    if default.is_empty() {
        for opt in line.options.iter().chain(base::cli::COMMON) {
            option(
                &mut text,
                line.name,
                &format!("-n '{function}_in none' "),
                opt,
            );
        }
    }
    for scope in scopes(line) {
        let none = if name(scope) == default { " none" } else { "" };
        let condition = format!("-n '{function}_in {}{none}' ", name(scope));
        for opt in scope.all() {
            option(&mut text, line.name, &condition, opt);
        }
        places(&mut text, scope, &condition);
    }
    if !with_trailing(line).is_empty() {
        let _ = writeln!(
            text,
            "complete -c {} -n {function}_runs -a '({function}_rest)'",
            line.name
        );
    }
    text
}

/// Which subcommand it is, whether the words of COMMAND have begun, and what fish itself offers for
/// those.
fn functions(line: &'static CommandLine) -> String {
    let function = format!("__fish_{}", identifier(line.name));
    let mut valued: Vec<String> = Vec::new();
    for opt in scopes(line)
        .into_iter()
        .flat_map(Scope::all)
        .filter(|opt| opt.value.is_some())
    {
        for spelled in opt
            .short
            .map(|letter| format!("-{letter}"))
            .into_iter()
            .chain([format!("--{}", opt.long)])
        {
            if !valued.contains(&spelled) {
                valued.push(spelled);
            }
        }
    }
    let names: Vec<&str> = line.commands.iter().map(|command| command.name).collect();
    let mut text = format!(
        "\n# The subcommand that has been typed, or none.\n\
         function {function}_which\n\
         \x20   set -l skip no\n\
         \x20   for word in (commandline -opc)[2..]\n\
         \x20       if test $skip = yes\n\
         \x20           set skip no\n\
         \x20           continue\n\
         \x20       end\n\
         \x20       switch $word\n\
         \x20           case {}\n\
         \x20               set skip yes\n\
         \x20           case {}\n\
         \x20               echo $word\n\
         \x20               return\n\
         \x20       end\n\
         \x20   end\n\
         \x20   echo none\n\
         end\n\n\
         # It is one of these, and what stands after -- has not begun.\n\
         function {function}_in\n\
         \x20   contains -- ({function}_which) $argv; and not {function}_runs\n\
         end\n\n",
        valued.join(" "),
        names.join(" ")
    );
    let trailing = with_trailing(line);
    if trailing.is_empty() {
        let _ = write!(text, "function {function}_runs\n    return 1\nend\n\n");
    } else {
        let _ = write!(
            text,
            "function {function}_runs\n\
             \x20   contains -- ({function}_which) {}; and contains -- -- (commandline -opc)\n\
             end\n\n\
             # What fish offers for the command after --.\n\
             function {function}_rest\n\
             \x20   set -l words (commandline -opc)\n\
             \x20   set -e words[1..(contains -i -- -- $words)]\n\
             \x20   complete -C \"$(string join ' ' -- (string escape -- $words) (commandline -ct))\"\n\
             end\n\n",
            trailing.join(" ")
        );
    }
    text
}

fn option(text: &mut String, tool: &str, condition: &str, opt: &Opt) {
    let letter = opt
        .short
        .map_or(String::new(), |letter| format!("-s {letter} "));
    let value = opt
        .value
        .map_or(String::new(), |value| format!(" -r{}", action(value)));
    let _ = writeln!(
        text,
        "complete -c {tool} {condition}{letter}-l {}{value} -d {}",
        opt.long,
        quoted(opt.help)
    );
}

fn places(text: &mut String, scope: Scope<'static>, condition: &str) {
    for place in scope.positionals() {
        let action = action(place.value);
        if action != " -f" {
            let _ = writeln!(
                text,
                "complete -c {} {}{}",
                scope.line.name,
                condition.trim_end(),
                action
            );
        }
    }
}

fn action(value: Value) -> String {
    match value {
        Value::File(_) => " -F".into(),
        Value::Site(_) => format!(
            r#" -F -a '(for f in {DIRECTORY}/*.toml; string replace -r ".*/(.*)\.toml" "\$1" $f; end)'"#
        ),
        Value::Dir(_) => " -f -a '(__fish_complete_directories)'".into(),
        Value::Choice(_, words) => format!(" -f -a {}", quoted(&words.join(" "))),
        Value::User(_) => " -f -a '(__fish_complete_users)'".into(),
        Value::Program(_) => " -f -a '(__fish_complete_command)'".into(),
        Value::Text(_)
        | Value::Bytes(_)
        | Value::Url(_)
        | Value::Duration(_)
        | Value::Size(_)
        | Value::Count(_)
        | Value::Secret(_) => " -f".into(),
    }
}

/// fish knows two escapes between single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
