//! The Ansible collection: for each tool a module that execs the installed program, and the
//! documentation that `ansible-doc` shows, both from the tool's one definition. YAML is written
//! with quoted strings only, which JSON's are (YAML 1.2, 5.7), so nothing needs escaping twice.

use crate::{Described, Page, TOOLS};
use base::cli::{COMMON, CommandLine, Opt, Positional, Trailing, Value, is_for_modules};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const ROOT: &str = "shared/ansible";

/// The collection's name, as playbooks write it.
pub const COLLECTION: &str = "runbook.tools";

/// All files of the collection.
pub fn pages() -> Vec<Page> {
    let mut pages = vec![galaxy(), runtime(), readme()];
    for tool in TOOLS {
        pages.push(module(tool.line));
        pages.push(documentation(tool));
    }
    pages
}

/// A task for each tool: what it is called, and its keys.
const EXAMPLES: &[(&str, &str, &[&str])] = &[
    (
        "check-reqs",
        "The host has what the site needs",
        &["need: ['python>=3.10', 'memory:128M', 'disk:/srv:2G', 'cmd:nginx']"],
    ),
    (
        "pg-ext-ensure",
        "Misago's extensions are there",
        &["dsn: service=misago", "ext: [btree_gin, hstore]"],
    ),
    (
        "venv-sync",
        "The environment is what requirements.txt says",
        &[
            "command: apply",
            "venv: /srv/site/venv",
            "requirement: [/srv/site/requirements.txt]",
        ],
    ),
    (
        "maint-page",
        "The maintenance page is up",
        &[
            "command: 'on'",
            "dir: /srv/maintenance",
            "for: 15m",
            "message: We are updating the site.",
        ],
    ),
    (
        "svc-cycle",
        "The site's services run",
        &["command: start", "file: /srv/site/services.toml"],
    ),
    (
        "cron-render",
        "The site's schedule is installed",
        &[
            "command: install",
            "template: /srv/site/cron.txt",
            "name: site",
            "dir: /srv/site",
        ],
    ),
    (
        "log-paths",
        "Every log of nginx is healthy",
        &["service: [nginx]", "check: true"],
    ),
];

fn name(line: &CommandLine) -> String {
    line.name.replace('-', "_")
}

fn galaxy() -> Page {
    let (namespace, collection) = COLLECTION.split_once('.').unwrap_or((COLLECTION, ""));
    let text = format!(
        "namespace: {namespace}\nname: {collection}\nversion: {}\nreadme: README.md\nauthors:\n  - The runbook-tools authors\n\
         description: The runbook-tools as modules\nlicense:\n  - MIT\n  - Apache-2.0\ntags:\n  - django\n  - postgresql\n  - cron\n\
         repository: {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_REPOSITORY"),
    );
    Page {
        path: format!("{ROOT}/galaxy.yml"),
        text,
    }
}

fn runtime() -> Page {
    Page {
        path: format!("{ROOT}/meta/runtime.yml"),
        text: "requires_ansible: '>=2.14'\n".into(),
    }
}

fn readme() -> Page {
    let mut text = format!(
        "# {COLLECTION}\n\nA module for each of the runbook-tools. The programs themselves have to be installed on the hosts; a module only \
         hands its options\nto the program and the program's report back. Check mode and diff mode work.\n\n"
    );
    for tool in TOOLS {
        let _ = writeln!(
            text,
            "- `{COLLECTION}.{}`: {}",
            name(tool.line),
            tool.line.about
        );
    }
    text += "\nInstall it from a checkout:\n\n    ansible-galaxy collection build shared/ansible\n    ansible-galaxy collection install runbook-tools-*.tar.gz\n";
    Page {
        path: format!("{ROOT}/README.md"),
        text,
    }
}

/// `WANT_JSON` makes Ansible pass the options as a JSON file, whose name is the only argument.
fn module(line: &CommandLine) -> Page {
    let tool = line.name;
    // The same envelope as the tool's own, for hosts where there is no tool to write one.
    let msg = format!("{tool} is not installed on this host");
    let hint = format!("install the package {tool}");
    let missing = serde_json::json!({
        "schema": base::report::SCHEMA, "tool": tool, "version": line.version, "status": "failed", "changed": false,
        "failed": true, "rc": 127, "dry_run": false, "msg": msg, "comment": msg, "warnings": [],
        "error": {"kind": "not_found", "message": msg, "hint": hint}, "started_at": "NOW", "elapsed_ms": 0,
    });
    let missing = missing.to_string().replace("NOW", "%s");
    let text = format!(
        "#!/bin/sh\n# WANT_JSON\n# Hands its options to {tool}, which has to be installed, and {tool}'s report back.\n\
         PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         command -v {tool} >/dev/null || {{\n  printf '{missing}\\n' \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\"\n  exit 127\n}}\n\
         exec {tool} --ansible-args \"$1\"\n"
    );
    Page {
        path: format!("{ROOT}/plugins/modules/{}.sh", name(line)),
        text,
    }
}

/// One option as `ansible-doc` knows it.
struct Documented {
    help: String,
    value: Option<Value>,
    many: bool,
    required: bool,
    only: Vec<&'static str>,
    needed_by: Vec<&'static str>,
}

impl Documented {
    fn of_option(opt: &Opt) -> Documented {
        let help = if opt.more.is_empty() {
            opt.help.to_string()
        } else {
            format!("{}. {}", opt.help.trim_end_matches('.'), opt.more)
        };
        Documented {
            help,
            value: opt.value,
            many: opt.many,
            required: opt.required,
            only: Vec::new(),
            needed_by: Vec::new(),
        }
    }

    fn of_place(place: &Positional) -> Documented {
        let help = place.help.to_string();
        Documented {
            help,
            value: Some(place.value),
            many: place.many,
            required: place.required,
            only: Vec::new(),
            needed_by: Vec::new(),
        }
    }
}

fn options(line: &'static CommandLine) -> BTreeMap<String, Documented> {
    let mut all = BTreeMap::new();
    for opt in line
        .options
        .iter()
        .chain(COMMON)
        .filter(|o| is_for_modules(o))
    {
        all.insert(opt.key(), Documented::of_option(opt));
    }
    for place in line.positionals {
        all.insert(place.name.to_ascii_lowercase(), Documented::of_place(place));
    }
    for command in line.commands {
        let own = command
            .options
            .iter()
            .copied()
            .flatten()
            .filter(|o| is_for_modules(o))
            .map(|o| (o.key(), Documented::of_option(o)));
        let places = command
            .positionals
            .iter()
            .map(|p| (p.name.to_ascii_lowercase(), Documented::of_place(p)));
        for (key, new) in own.chain(places) {
            let needed = new.required;
            let known = all.entry(key).or_insert(new);
            known.only.push(command.name);
            known.needed_by.extend(needed.then_some(command.name));
        }
        if command.trailing == Trailing::Required {
            let help = "The command to run, with its arguments".to_string();
            let value = Some(Value::Bytes("COMMAND"));
            let argv = Documented {
                help,
                value,
                many: true,
                required: false,
                only: Vec::new(),
                needed_by: Vec::new(),
            };
            let argv = all.entry("argv".into()).or_insert(argv);
            argv.only.push(command.name);
            argv.needed_by.push(command.name);
        }
    }
    for documented in all.values_mut() {
        // What only some commands take cannot be required of all.
        let all_need_it = documented.needed_by.len() == line.commands.len();
        documented.required = if documented.only.is_empty() {
            documented.required
        } else {
            all_need_it
        };
        if documented.only.len() == line.commands.len() {
            documented.only.clear();
        }
    }
    all
}

fn documentation(tool: &Described) -> Page {
    let line = tool.line;
    let mut out = format!(
        "# Made from the definition of {}'s command line.\nDOCUMENTATION:\n  module: {}\n",
        line.name,
        name(line)
    );
    let _ = writeln!(out, "  short_description: {}", quoted(line.about));
    let _ = writeln!(
        out,
        "  version_added: \"0.1.0\"\n  author: \"The runbook-tools authors (@runbook-tools)\"\n  description:"
    );
    for text in line.description {
        let _ = writeln!(out, "    - {}", quoted(text));
    }
    let _ = writeln!(
        out,
        "    - {}",
        quoted(&format!(
            "Runs {}, which has to be installed on the host.",
            line.name
        ))
    );
    out += "  attributes:\n    check_mode:\n      support: full\n      description: Nothing is changed.\n    diff_mode:\n      support: full\n      \
            description: What changes is shown, without secrets.\n  notes:\n    - \"A list may be one string, separated by commas; a duration is \
            a number of seconds or words such as 1h 30m; on and off may stand without quotes.\"\n  options:\n";
    if !line.commands.is_empty() {
        let words: Vec<_> = line.commands.iter().map(|c| quoted(c.name)).collect();
        let default = line.commands.iter().find(|c| c.default);
        let _ = writeln!(
            out,
            "    command:\n      description: \"What to do\"\n      type: str\n      choices: [{}]",
            words.join(", ")
        );
        let _ = match default {
            Some(command) => writeln!(out, "      default: {}", quoted(command.name)),
            None => writeln!(out, "      required: true"),
        };
    }
    for (key, documented) in options(line) {
        option(&mut out, &key, &documented);
    }
    examples(&mut out, line);
    returned(&mut out, tool);
    Page {
        path: format!("{ROOT}/plugins/modules/{}.yml", name(line)),
        text: out,
    }
}

fn option(out: &mut String, key: &str, documented: &Documented) {
    let mut help = documented.help.trim_end_matches('.').to_string();
    let (only, needed_by) = (documented.only.join(", "), documented.needed_by.join(", "));
    let _ = match (only.is_empty(), documented.required || needed_by.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => write!(help, ". Only for: {only}"),
        (false, false) if only == needed_by => write!(help, ". Only for, and required by: {only}"),
        (false, false) => write!(help, ". Only for: {only}. Required by: {needed_by}"),
    };
    let _ = writeln!(
        out,
        "    {}:\n      description: {}",
        quoted(key),
        quoted(&(help + "."))
    );
    let kind = match documented.value {
        None => "bool",
        Some(Value::File(_) | Value::Dir(_) | Value::Site(_)) => "path",
        Some(Value::Count(_)) => "int",
        Some(_) => "str",
    };
    let _ = match documented.many {
        true => writeln!(out, "      type: list\n      elements: {kind}"),
        false => writeln!(out, "      type: {kind}"),
    };
    if let Some(Value::Choice(_, words)) = documented.value {
        let words: Vec<_> = words.iter().map(|w| quoted(w)).collect();
        let _ = writeln!(out, "      choices: [{}]", words.join(", "));
    }
    if documented.required {
        out.push_str("      required: true\n");
    }
    if documented.value.is_none() {
        out.push_str("      default: false\n");
    }
}

fn examples(out: &mut String, line: &CommandLine) {
    out.push_str("EXAMPLES: |\n");
    for (_, text, keys) in EXAMPLES.iter().filter(|(tool, ..)| *tool == line.name) {
        let _ = writeln!(out, "  - name: {text}\n    {COLLECTION}.{}:", name(line));
        for key in *keys {
            let _ = writeln!(out, "      {key}");
        }
    }
}

fn returned(out: &mut String, tool: &Described) {
    out.push_str("RETURN:\n");
    let schema = (tool.schema)();
    let Some(keys) = schema.get("properties").and_then(|p| p.as_object()) else {
        return;
    };
    let definitions = schema.get("$defs").and_then(|d| d.as_object()).cloned();
    let definitions = definitions.unwrap_or_default();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(|r| r.as_array())
        .into_iter()
        .flatten()
        .filter_map(|k| k.as_str())
        .collect();
    for (key, about) in keys
        .iter()
        .filter(|(key, _)| !["failed", "changed", "warnings", "diff"].contains(&key.as_str()))
    {
        let text = crate::report::shown(about, &definitions).text;
        let found = crate::report::resolve(about, &definitions);
        let when = if required.contains(&key.as_str()) {
            "always"
        } else {
            "where there is something to say"
        };
        let _ = writeln!(
            out,
            "  {key}:\n    description: {}\n    returned: {when}\n    type: {}",
            quoted(&text),
            kind(&found.kind)
        );
        if let Some(items) = found.kind.strip_prefix("list of ") {
            let _ = writeln!(out, "    elements: {}", kind(items.trim_end_matches('s')));
        }
    }
}

/// Ansible's name for a type of a report.
fn kind(kind: &str) -> &'static str {
    match kind {
        "object" => "dict",
        "integer" => "int",
        "number" => "float",
        "boolean" => "bool",
        kind if kind.starts_with("list") => "list",
        _ => "str",
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text.split_whitespace().collect::<Vec<_>>().join(" ")).to_string()
}
