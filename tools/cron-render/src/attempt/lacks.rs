//! What a job's environment lacked, read from what the job printed. Pure: a hint for a person,
//! which decides no verdict.

use base::Fix;

use crate::trial::{Lack, LackKind};

/// Reads the output. `directory_of` says where a program is that PATH does not lead to.
pub fn of(
    output: &str,
    environment: &[(String, String)],
    directory_of: &dyn Fn(&str) -> Option<String>,
) -> Vec<Lack> {
    let mut all: Vec<Lack> = Vec::new();
    for line in output.lines() {
        let lack = missing_program(line)
            .and_then(|name| program(name, directory_of))
            .or_else(|| missing_variable(line).and_then(|name| variable(name, environment)));
        if let Some(lack) = lack.filter(|lack| !all.contains(lack)) {
            all.push(lack);
        }
    }
    all
}

/// `sh: 1: psql: not found` (dash), `bash: line 1: psql: command not found` (bash),
/// `env: 'psql': No such file or directory`.
fn missing_program(line: &str) -> Option<&str> {
    let line = line.trim_end();
    let head = line
        .strip_suffix(": command not found")
        .or_else(|| line.strip_suffix(": not found"))
        .or_else(|| {
            let rest = line.strip_suffix(": No such file or directory")?;
            let quotes = |c| matches!(c, '\'' | '"' | '‘' | '’');
            let name = rest.rsplit(": ").next()?.trim_matches(quotes);
            (!name.contains('/') && starts_programs(rest)).then_some(rest)
        })?;
    let quotes = |c| matches!(c, '\'' | '"' | '‘' | '’');
    let name = head.rsplit(": ").next()?.trim_matches(quotes);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

fn starts_programs(line: &str) -> bool {
    [
        "env: ",
        "/usr/bin/env: ",
        "timeout: ",
        "flock: ",
        "nice: ",
        "exec: ",
    ]
    .iter()
    .any(|head| line.contains(head))
}

fn program(name: &str, directory_of: &dyn Fn(&str) -> Option<String>) -> Option<Lack> {
    let message = match directory_of(name) {
        Some(dir) => format!("'{name}' is in '{dir}', and the PATH of the job does not hold it"),
        None => format!("'{name}' is not on the PATH of the job"),
    };
    let fix = match directory_of(name) {
        Some(dir) => Fix::advice(format!(
            "the full path '{dir}/{name}' in the command, or --path with '{dir}'"
        )),
        None => Fix::advice(format!("install '{name}', or give its full path")),
    };
    Some(Lack {
        kind: LackKind::Program,
        name: name.to_owned(),
        message,
        fix,
    })
}

/// `KeyError: 'SECRET_KEY'`, `sh: 1: X: parameter not set`, `X: unbound variable`, and the
/// sentences of Django and of the libraries that read settings from the environment.
fn missing_variable(line: &str) -> Option<&str> {
    let line = line.trim_end();
    if let Some(rest) = line.split("KeyError: ").nth(1) {
        return name_of(rest.trim_matches(['\'', '"']));
    }
    for end in [": unbound variable", ": parameter not set"] {
        if let Some(head) = line.strip_suffix(end) {
            return name_of(head.rsplit(": ").next()?);
        }
    }
    for words in [
        "Set the ",
        "environment variable ",
        "You must define the environment variable ",
    ] {
        let rest = line.split(words).nth(1).and_then(|rest| {
            let word = rest.split_whitespace().next()?;
            name_of(word.trim_matches(['\'', '"', '.', ',', '(', ')']))
        });
        if rest.is_some() && line.contains("environment") {
            return rest;
        }
    }
    name_of(
        line.split(" not found. Declare it as envvar")
            .next()?
            .rsplit(' ')
            .next()?,
    )
    .filter(|_| line.contains("Declare it as envvar"))
}

fn name_of(word: &str) -> Option<&str> {
    let good = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let starts = word.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    (word.len() > 1 && starts && word.bytes().all(good)).then_some(word)
}

fn variable(name: &str, environment: &[(String, String)]) -> Option<Lack> {
    if environment.iter().any(|(known, _)| known == name) {
        return None;
    }
    Some(Lack {
        kind: LackKind::Variable,
        name: name.to_owned(),
        message: format!("the environment of the job has no variable '{name}'"),
        fix: Fix::advice(format!(
            "--env-file FILE with a line {name}=VALUE, or --env {name}=VALUE for what is no secret"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jobs_print_when_something_is_missing() {
        let known = [("PATH".to_owned(), "/bin".to_owned())];
        let of = |line: &str| -> Vec<String> {
            of(line, &known, &|name| {
                (name == "uwsgi").then(|| "/usr/local/bin".to_owned())
            })
            .into_iter()
            .map(|lack| lack.message)
            .collect()
        };
        let program = "'psql' is not on the PATH of the job";
        let variable = "the environment of the job has no variable 'SECRET_KEY'";
        for (line, wanted) in [
            ("/bin/sh: 1: psql: not found", Some(program)),
            ("/bin/bash: line 1: psql: command not found", Some(program)),
            (
                "/usr/bin/env: ‘psql’: No such file or directory",
                Some(program),
            ),
            ("flock: psql: No such file or directory", Some(program)),
            ("cat: psql: No such file or directory", None),
            ("KeyError: 'SECRET_KEY'", Some(variable)),
            ("sh: 1: SECRET_KEY: parameter not set", Some(variable)),
            (
                "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable",
                Some(variable),
            ),
            (
                "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value.",
                Some(variable),
            ),
            ("KeyError: 'PATH'", None),
            ("KeyError: 'lower'", None),
            ("all is well", None),
            ("", None),
        ] {
            let got = of(line);
            match wanted {
                Some(wanted) => assert_eq!(got, [wanted], "{line}"),
                None => assert!(got.is_empty(), "{line}: {got:?}"),
            }
        }
        assert_eq!(
            of("sh: 1: uwsgi: not found"),
            ["'uwsgi' is in '/usr/local/bin', and the PATH of the job does not hold it"]
        );
    }
}
