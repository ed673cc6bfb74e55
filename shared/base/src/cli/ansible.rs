//! Options from Ansible. A `WANT_JSON` module is handed a file with one JSON object; its keys are the long options with `_` for `-`
//! (typed from a playbook, strings from an ad-hoc call), `command` is the subcommand, the positionals are keyed by their lower-case
//! names, `argv` is what would stand after `--`. Keys that begin with `_ansible_` are Ansible's own.
//! Source: "Non-native modules that want JSON" in Ansible's developer guide.

use super::{Builder, CommandLine, Opt, Parsed, Scope, Trailing};
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

/// Reads the file's text.
///
/// # Errors
/// `Kind::Usage`, naming the key.
pub fn from_ansible(line: &'static CommandLine, text: &str) -> Result<Parsed> {
    let json: Json = serde_json::from_str(text).map_err(|e| Error::input(format!("the module's arguments are not JSON: {e}")))?;
    let Json::Object(mut keys) = json else {
        return Err(Error::input("the module's arguments are not a JSON object"));
    };
    // With a template action in between, the arguments come one level down.
    if let Some(Json::Object(inner)) = keys.remove("ANSIBLE_MODULE_ARGS") {
        keys.extend(inner);
    }
    let command = match keys.remove("command") {
        Some(Json::String(name)) if line.commands.iter().any(|c| c.name == name) => Some(name),
        Some(other) => {
            let names: Vec<_> = line.commands.iter().map(|c| c.name).collect();
            return Err(Error::usage(format!("command: {other} is none of: {}", names.join(", "))));
        }
        None => line.commands.iter().find(|c| c.default).map(|c| c.name.to_string()),
    };
    let mut builder = Builder::new(line, command.as_deref());
    let scope = Scope::of(line, command.as_deref());
    take_modes(&mut builder, scope, &keys);
    for place in scope.positionals() {
        if let Some(value) = keys.remove(&place.name.to_ascii_lowercase()) {
            for word in words(place.name, &value, place.many)? {
                builder.positional(word)?;
            }
        }
    }
    if scope.trailing() == Trailing::Required {
        if let Some(value) = keys.remove("argv") {
            builder.trailing(argv(&value)?)?;
        }
    }
    for (key, value) in keys.iter().filter(|(k, v)| !k.starts_with("_ansible_") && !v.is_null()) {
        let opt = scope.all().find(|o| o.key() == *key && !matches!(o.long, "help" | "version" | "ansible-args" | "output"));
        let Some(opt) = opt else {
            return Err(unknown_key(scope, key));
        };
        take(&mut builder, opt, key, value)?;
    }
    builder.finish()
}

fn take_modes(builder: &mut Builder<'_>, scope: Scope<'static>, keys: &Map<String, Json>) {
    let on = |key: &str| keys.get(key).and_then(truth).unwrap_or(false);
    builder.modes(Modes { ansible: true, no_log: on("_ansible_no_log") });
    for (key, long) in [("_ansible_check_mode", "dry-run"), ("_ansible_diff", "diff")] {
        if let Some(opt) = scope.find(long).filter(|_| on(key)) {
            builder.flag(opt);
        }
    }
}

fn take(builder: &mut Builder<'_>, opt: &'static Opt, key: &str, value: &Json) -> Result<()> {
    match opt.value {
        None => match truth(value) {
            Some(true) => builder.flag(opt),
            Some(false) => {}
            None => return Err(Error::usage(format!("{key}: {value} is neither yes nor no"))),
        },
        Some(_) => {
            for word in words(key, value, opt.many)? {
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

/// The words of a value: a list gives one each; a string for an option that may be repeated is split at commas, as Ansible does.
fn words(key: &str, value: &Json, many: bool) -> Result<Vec<OsString>> {
    match value {
        Json::Array(items) if many => items.iter().map(|v| scalar(key, v)).collect(),
        Json::String(text) if many => Ok(text.split(',').map(str::trim).filter(|w| !w.is_empty()).map(OsString::from).collect()),
        other => Ok(vec![scalar(key, other)?]),
    }
}

fn scalar(key: &str, value: &Json) -> Result<OsString> {
    match value {
        Json::String(s) => Ok(s.into()),
        Json::Number(n) => Ok(n.to_string().into()),
        Json::Bool(b) => Ok(b.to_string().into()),
        other => Err(Error::usage(format!("{key}: {other} is not one value"))),
    }
}

fn argv(value: &Json) -> Result<Vec<OsString>> {
    match value {
        Json::Array(items) => items.iter().map(|v| scalar("argv", v)).collect(),
        Json::String(text) => Ok(text.split_whitespace().map(OsString::from).collect()),
        other => Err(Error::usage(format!("argv: {other} is not a list of words"))),
    }
}

fn unknown_key(scope: Scope<'_>, key: &str) -> Error {
    let known: Vec<String> = scope.own().map(Opt::key).collect();
    let shown = crate::terminal::escape(key);
    Error::usage(format!("unknown option {shown}")).hint(format!("{} takes: {}", scope.title(), known.join(", ")))
}
