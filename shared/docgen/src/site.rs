//! `runbook-tools.site(5)` and the JSON Schema of a site file, from the facts and the tools' own
//! options.

use crate::{Page, TOOLS, man};
use base::cli::{COMMON, CommandLine, Value, table_keys};
use base::site::{DIRECTORY, FACTS, VARIABLE};
use roff::{Roff, bold, italic, roman};
use serde_json::{Map, Value as Json, json};

const EXAMPLE: &str = r#"[site]
name = "reef"
user = "reef"
dir = "/srv/reef/site"
venv = "/srv/reef/venv"
env_file = "/etc/reef.env"
requirements = ["/srv/reef/site/requirements.txt"]
urls = ["https://reef.example.org/"]

[maint-page]
dir = "/srv/reef/maintenance"
on_failure = "keep"

[svc-cycle]
file = "/srv/reef/services.toml""#;

/// The manual page.
pub fn page(date: &str) -> Page {
    let mut roff = Roff::new();
    let version = format!("runbook-tools {}", env!("CARGO_PKG_VERSION"));
    let title = [
        "RUNBOOK-TOOLS.SITE",
        "5",
        date,
        version.as_str(),
        "File Formats",
    ];
    roff.control("TH", title);
    roff.control("SH", ["NAME"]);
    roff.text([roman(
        "runbook-tools.site - the facts of a site, for all runbook-tools",
    )]);
    roff.control("SH", ["DESCRIPTION"]);
    let directory = format!(
        "A site file holds in TOML what every command line about a site would repeat. Each tool \
         reads the file that --site names, or else the file that the variable {VARIABLE} names. A \
         bare NAME means {DIRECTORY}/NAME.toml."
    );
    man::paragraphs(
        &mut roff,
        &[
            &directory,
            "The command line wins over the file: an option that is given is not read from the \
             file. A relative path starts at the directory of the site file. An unknown key is an \
             error, with line and column; the tables of other tools are skipped.",
            "Root refuses a site file that another user can change, unless --trust names the file.",
        ],
    );
    roff.control("SH", ["THE TABLE [site]"]);
    for fact in FACTS {
        roff.control("TP", []);
        roff.text([bold(fact.name), roman(" = "), italic(fact.value)]);
        roff.text([roman(fact.text)]);
    }
    roff.control("SH", ["TABLES OF THE TOOLS"]);
    man::paragraphs(
        &mut roff,
        &[
            "Each tool has a table of its own. The keys are the tool's long options with _ for -, \
             and its arguments in lower case, with values as in an Ansible playbook: true and \
             false for options without a value, lists for what may be given more than once.",
        ],
    );
    for tool in TOOLS {
        roff.control("TP", []);
        roff.text([bold(format!("[{}]", tool.line.name))]);
        let common: Vec<String> = COMMON.iter().map(base::cli::Opt::key).collect();
        let keys: Vec<String> = table_keys(tool.line)
            .into_iter()
            .filter(|key| !common.contains(key))
            .collect();
        roff.text([roman(format!("{}.", keys.join(", ")))]);
    }
    roff.control("PP", []);
    roff.text([roman(
        "Every table may hold journal, lock_wait, timeout and verbose, too.",
    )]);
    roff.control("SH", ["THE ENVIRONMENT FILE"]);
    man::paragraphs(
        &mut roff,
        &[
            "env_file is read as systemd reads EnvironmentFile= (systemd.exec(5)): NAME=VALUE \
             lines, comments with # or ;, quotes and continued lines. A line that begins with \
             export sets no variable. A value that is not UTF-8 is an error.",
            "Reports, journals and errors show *** in place of each value. What cannot be a secret \
             stays readable: a switch, a port, a path that exists, the name and the user of the \
             site.",
        ],
    );
    roff.control("SH", ["EXAMPLES"]);
    man::as_is(&mut roff, EXAMPLE);
    roff.control("SH", ["FILES"]);
    let file = format!("{DIRECTORY}/NAME.toml");
    man::item(
        &mut roff,
        vec![italic(file)],
        "The site file that a bare NAME means.",
    );
    man::item(
        &mut roff,
        vec![italic("/usr/share/runbook-tools/schemas/site.schema.json")],
        "The JSON Schema of a site file, for editors.",
    );
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("runbook-tools"), roman("(7)")]);
    Page {
        path: "man/runbook-tools.site.5".into(),
        text: man::fold(&roff.to_roff()),
    }
}

/// The JSON Schema.
pub fn schema() -> Page {
    let text = json!({"type": "string", "minLength": 1});
    let mut facts = Map::new();
    for fact in FACTS {
        let mut value = match fact.many {
            true => json!({"type": "array", "items": text}),
            false => text.clone(),
        };
        if fact.name == "name" {
            value["pattern"] = "^[a-z0-9][a-z0-9-]*$".into();
        }
        value["description"] = fact.text.into();
        facts.insert(fact.name.into(), value);
    }
    let mut tables = Map::new();
    tables.insert(
        "site".into(),
        json!({"type": "object", "properties": facts, "required": ["name"], "additionalProperties": false}),
    );
    for tool in TOOLS {
        tables.insert(tool.line.name.into(), table(tool.line));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A site file of the runbook-tools",
        "type": "object",
        "properties": tables,
        "required": ["site"],
        "additionalProperties": false,
    });
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    Page {
        path: "shared/schemas/site.schema.json".into(),
        text: text + "\n",
    }
}

/// A tool's own table: any of its options, whichever subcommand has them.
fn table(line: &'static CommandLine) -> Json {
    let commands = line.commands.iter();
    let options = commands
        .clone()
        .flat_map(|c| c.options.iter().copied().flatten());
    let places = commands.flat_map(|c| c.positionals).chain(line.positionals);
    let all = line
        .options
        .iter()
        .chain(COMMON)
        .chain(options)
        .map(|opt| (opt.key(), opt.value, opt.many, opt.help));
    let all = all.chain(places.map(|place| {
        (
            place.name.to_ascii_lowercase(),
            Some(place.value),
            place.many,
            place.help,
        )
    }));
    let known = table_keys(line);
    let mut keys = Map::new();
    for (key, value, many, help) in all.filter(|(key, ..)| known.contains(key)) {
        let one = match value {
            None => json!({"type": "boolean"}),
            Some(Value::Count(_)) => json!({"type": ["integer", "string"]}),
            Some(Value::Choice(_, words)) => json!({"enum": words}),
            Some(Value::Duration(_) | Value::Size(_)) => json!({"type": ["string", "integer"]}),
            Some(_) => json!({"type": "string"}),
        };
        let mut value = match many {
            true => json!({"anyOf": [{"type": "array", "items": one}, {"type": "string"}]}),
            false => one,
        };
        // A word that YAML and TOML may write as true or false, such as on, stays a word here.
        value["description"] = help.into();
        keys.entry(key).or_insert(value);
    }
    json!({"type": "object", "properties": keys, "additionalProperties": false})
}
