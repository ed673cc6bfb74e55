//! Options from Ansible. A `WANT_JSON` module is handed a file with one JSON object; its keys are
//! the long options with `_` for `-` (typed from a playbook, strings from an ad-hoc call),
//! `command` is the subcommand, the positionals are keyed by their lower-case names, `argv` is what
//! would stand after `--`. Keys that begin with `_ansible_` are Ansible's own. Source: "Non-native
//! modules that want JSON" in Ansible's developer guide.

use super::{Builder, CommandLine, Opt, Parsed, Scope, Trailing, Value};
use crate::error::{Error, Result};
use serde_json::{Map, Value as Json};
use std::ffi::OsString;

/// What Ansible asks for beside the options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// The options came from Ansible: exactly one object is printed, also on a usage error.
    pub ansible: bool,
    /// `_ansible_no_log`: nothing but the verdict may be said.
    pub no_log: bool,
}

/// Options that a module does not take: what Ansible says in its own way (check mode, diff mode),
/// and what is for terminals, pipes and people.
const NOT_FOR_MODULES: [&str; 11] = [
    "dry-run",
    "diff",
    "output",
    "color",
    "quiet",
    "help",
    "version",
    "ansible-args",
    "plain",
    "print0",
    "snapshot",
];

/// Whether a module takes the option.
pub fn is_for_modules(opt: &Opt) -> bool {
    !NOT_FOR_MODULES.contains(&opt.long)
}

/// Reads the file's text.
///
/// # Errors
/// `Kind::Usage`, naming the key.
pub fn from_ansible(line: &'static CommandLine, text: &str) -> Result<Parsed> {
    let json: Json = serde_json::from_str(text)
        .map_err(|e| Error::input(format!("the module's arguments are not JSON: {e}")))?;
    let Json::Object(mut keys) = json else {
        return Err(Error::input("the module's arguments are not a JSON object"));
    };
    // With a template action in between, the arguments come one level down.
    if let Some(Json::Object(inner)) = keys.remove("ANSIBLE_MODULE_ARGS") {
        keys.extend(inner);
    }
    keys.retain(|_, value| !value.is_null());
    let command = match keys.remove("command").filter(|_| !line.commands.is_empty()) {
        Some(given) => Some(command(line, &given)?),
        None => line
            .commands
            .iter()
            .find(|c| c.default)
            .map(|c| c.name.to_string()),
    };
    if command.is_none() && !line.commands.is_empty() {
        let names: Vec<_> = line.commands.iter().map(|c| c.name).collect();
        return Err(
            Error::usage("command is missing").hint(format!("one of: {}", names.join(", ")))
        );
    }
    let mut builder = Builder::new(line, command.as_deref());
    let scope = Scope::of(line, command.as_deref());
    take_modes(&mut builder, scope, &keys);
    for place in scope.positionals() {
        if let Some(value) = keys.remove(&place.name.to_ascii_lowercase()) {
            let key = place.name.to_ascii_lowercase();
            for word in words(&key, &value, place.value, place.many)? {
                builder
                    .positional(word)
                    .map_err(|e| e.about(place.name, &key))?;
            }
        }
    }
    if scope.trailing() == Trailing::Required {
        if let Some(value) = keys.remove("argv") {
            builder.trailing(argv(&value)?)?;
        }
    }
    for (key, value) in keys.iter().filter(|(k, _)| !k.starts_with("_ansible_")) {
        let Some(opt) = scope.all().find(|o| o.key() == *key && is_for_modules(o)) else {
            return Err(unknown_key(scope, key));
        };
        take(&mut builder, opt, key, value)
            .map_err(|e| e.about(&format!("--{}", opt.long), key))?;
    }
    builder.add_site()?;
    missing(scope, &builder)?;
    builder.finish()
}

/// The subcommand that is named.
fn command(line: &CommandLine, given: &Json) -> Result<String> {
    let names: Vec<_> = line.commands.iter().map(|c| c.name).collect();
    let word = scalar("command", given, None)?;
    let word =
        meant(given, &names).map_or_else(|| word.to_string_lossy().into_owned(), str::to_string);
    if names.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(Error::usage(format!(
        "command: '{}' is none of: {}",
        crate::terminal::escape(&word),
        names.join(", ")
    )))
}

/// What a boolean was before YAML read it, where only one of the choices can be meant: an unquoted
/// `on` arrives as true. Ansible's own modules do the same.
fn meant<'a>(given: &Json, choices: &[&'a str]) -> Option<&'a str> {
    let Json::Bool(given) = given else {
        return None;
    };
    let mut alike = choices
        .iter()
        .filter(|choice| truth(&Json::from(**choice)) == Some(*given));
    alike.next().filter(|_| alike.next().is_none()).copied()
}

/// What has to be given, in the words of a module.
fn missing(scope: Scope<'static>, builder: &Builder<'static>) -> Result<()> {
    let needed = |key: &str| {
        Error::usage(format!("{key} is missing")).hint(format!(
            "{} takes: {}",
            scope.title(),
            keys(scope).join(", ")
        ))
    };
    let opt = scope.own().find(|o| o.required && !builder.has(o));
    let place = scope
        .positionals()
        .iter()
        .enumerate()
        .find(|(i, p)| p.required && *i >= builder.places());
    let argv = (scope.trailing() == Trailing::Required && !builder.has_trailing())
        .then(|| "argv".to_string());
    match opt
        .map(Opt::key)
        .or(place.map(|(_, p)| p.name.to_ascii_lowercase()))
        .or(argv)
    {
        Some(key) => Err(needed(&key)),
        None => Ok(()),
    }
}

/// Every key that a module takes for this scope, sorted.
fn keys(scope: Scope<'static>) -> Vec<String> {
    let mut keys: Vec<String> = scope
        .all()
        .filter(|o| is_for_modules(o))
        .map(Opt::key)
        .collect();
    keys.extend(
        scope
            .positionals()
            .iter()
            .map(|p| p.name.to_ascii_lowercase()),
    );
    keys.extend((!scope.line.commands.is_empty()).then(|| "command".to_string()));
    keys.extend((scope.trailing() == Trailing::Required).then(|| "argv".to_string()));
    keys.sort();
    keys.dedup();
    keys
}

fn take_modes(builder: &mut Builder<'static>, scope: Scope<'static>, keys: &Map<String, Json>) {
    let on = |key: &str| keys.get(key).and_then(truth).unwrap_or(false);
    builder.modes(Modes {
        ansible: true,
        no_log: on("_ansible_no_log"),
    });
    for (key, long) in [
        ("_ansible_check_mode", "dry-run"),
        ("_ansible_diff", "diff"),
    ] {
        if let Some(opt) = scope.find(long).filter(|_| on(key)) {
            builder.flag(opt);
        }
    }
}

pub(super) fn take(
    builder: &mut Builder<'static>,
    opt: &'static Opt,
    key: &str,
    value: &Json,
) -> Result<()> {
    match opt.value {
        None => match truth(value) {
            Some(true) => builder.flag(opt),
            Some(false) => {}
            None => {
                return Err(Error::usage(format!(
                    "{key}: {} is neither yes nor no",
                    shown(value)
                )));
            }
        },
        Some(kind) => {
            for word in words(key, value, kind, opt.many)? {
                builder.value(opt, word)?;
            }
        }
    }
    Ok(())
}

/// What Ansible's own `boolean()` takes for one.
fn truth(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(b) => Some(*b),
        Json::Number(n) => n.as_u64().and_then(|n| (n < 2).then_some(n == 1)),
        Json::String(s) => match s.to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The words of a value: a list gives one each; a string for an option that may be repeated is
/// split at commas, as Ansible does.
pub(super) fn words(key: &str, value: &Json, kind: Value, many: bool) -> Result<Vec<OsString>> {
    match value {
        Json::Array(items) if many => items.iter().map(|v| scalar(key, v, Some(kind))).collect(),
        Json::String(text) if many => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .map(OsString::from)
            .collect()),
        other => Ok(vec![scalar(key, other, Some(kind))?]),
    }
}

fn scalar(key: &str, value: &Json, kind: Option<Value>) -> Result<OsString> {
    let meant = match kind {
        Some(Value::Choice(_, choices)) => meant(value, choices),
        _ => None,
    };
    match value {
        Json::String(s) => Ok(s.into()),
        Json::Number(n) => Ok(n.to_string().into()),
        Json::Bool(b) => Ok(meant.map_or_else(|| b.to_string(), str::to_string).into()),
        other => Err(Error::usage(format!(
            "{key}: {} is not one value",
            shown(other)
        ))),
    }
}

/// A value of the wrong type as a message names it: what it is, but for a short plain one. A
/// mapping or a list may hold a password.
fn shown(value: &Json) -> String {
    match value {
        Json::Object(_) => "a mapping".into(),
        Json::Array(_) => "a list".into(),
        Json::String(text) => format!("'{}'", crate::terminal::escape(&crate::mask::text(text))),
        other => other.to_string(),
    }
}

fn argv(value: &Json) -> Result<Vec<OsString>> {
    match value {
        Json::Array(items) => items.iter().map(|v| scalar("argv", v, None)).collect(),
        // Where a quoted word begins and ends is for a shell to say, and there is none.
        Json::String(text) if text.contains(['"', '\'', '\\']) => {
            Err(Error::usage("argv is a string with quotes")
                .hint("give a list of words: argv: [sh, -c, 'a line']"))
        }
        Json::String(text) => Ok(text.split_whitespace().map(OsString::from).collect()),
        other => Err(Error::usage(format!(
            "argv: {} is not a list of words",
            shown(other)
        ))),
    }
}

fn unknown_key(scope: Scope<'static>, key: &str) -> Error {
    let shown = crate::terminal::escape(key);
    let error = Error::usage(format!("unknown option {shown}"));
    match key {
        "dry_run" => error.hint("check_mode: true, or ansible-playbook --check"),
        "diff" => error.hint("diff: true of the task, or ansible-playbook --diff"),
        _ => error.hint(format!(
            "{} takes: {}",
            scope.title(),
            keys(scope).join(", ")
        )),
    }
}
