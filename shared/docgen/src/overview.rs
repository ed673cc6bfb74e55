//! `runbook-tools(7)`: the contract in one page. The keys of the envelope and the exit table come from where they are defined.

use crate::{Page, TOOLS, man};
use base::envelope::Envelope;
use base::exit::{COMMAND_TABLE, Row, TABLE};
use base::report::{Body, Text};
use roff::{Inline, Roff, bold, italic, roman};
use schemars::JsonSchema;
use serde::Serialize;

/// A body without keys of its own: what is left is the envelope.
#[derive(Serialize, JsonSchema)]
struct Nothing {}

impl Body for Nothing {
    fn text(&self, _: &mut Text) {}
}

/// The page.
pub fn page(date: &str) -> Page {
    let mut roff = Roff::new();
    let version = format!("runbook-tools {}", env!("CARGO_PKG_VERSION"));
    roff.control(
        "TH",
        [
            "RUNBOOK-TOOLS",
            "7",
            date,
            version.as_str(),
            "Miscellaneous Information",
        ],
    );
    section(
        &mut roff,
        "NAME",
        &["runbook-tools - seven programs for the runbooks and crontabs of Python web sites"],
    );
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "Seven small programs, each for one job of those who run a Python web site from a shell:",
    )]);
    for tool in TOOLS {
        man::item(
            &mut roff,
            vec![
                bold(tool.line.name),
                roman(format!("({})", tool.line.section)),
            ],
            tool.line.about,
        );
    }
    roff.control("PP", []);
    roff.text([roman(
        "They keep one contract, which this page describes, so that they can be chained in runbooks and nested in each other.",
    )]);
    reports(&mut roff);
    roff.control("SH", ["EXIT STATUS"]);
    rows(&mut roff, TABLE);
    roff.control("PP", []);
    roff.text([
        roman("Where a tool runs a "),
        italic("COMMAND"),
        roman(" that was given after "),
        bold("--"),
        roman(":"),
    ]);
    rows(&mut roff, COMMAND_TABLE);
    for (title, texts) in SECTIONS {
        section(&mut roff, title, texts);
    }
    nesting(&mut roff);
    roff.control("SH", ["FILES"]);
    man::item(
        &mut roff,
        vec![italic("/run/runbook-tools")],
        "Locks and journals of runs by root. Others have theirs in $XDG_RUNTIME_DIR/runbook-tools or ~/.local/state/runbook-tools.",
    );
    man::item(
        &mut roff,
        vec![italic("/usr/share/runbook-tools/schemas")],
        "A JSON Schema for the report of each tool.",
    );
    roff.control("SH", ["SEE ALSO"]);
    let mut pages: Vec<Inline> = Vec::new();
    for tool in TOOLS {
        if !pages.is_empty() {
            pages.push(roman(", "));
        }
        pages.extend([
            bold(tool.line.name),
            roman(format!("({})", tool.line.section)),
        ]);
    }
    roff.text(pages);
    Page {
        path: "man/runbook-tools.7".into(),
        text: man::fold(&roff.to_roff()),
    }
}

const SECTIONS: &[(&str, &[&str])] = &[
    (
        "DRY RUNS",
        &[
            "Every tool that changes something first looks, then decides, then acts, then looks again. With -n it stops after deciding and \
             says what it would do: exit status 1 means that something would change, 0 that nothing would.",
        ],
    ),
    (
        "LOCKS",
        &[
            "One lock is held for each thing that is changed: an environment, a page directory, a crontab, a set of services. Where it is \
             held already, the exit status is 75 and the message names the process; --lock-wait waits. The kernel releases a lock when its \
             process ends, however that happens, so there are no stale locks to remove.",
        ],
    ),
    (
        "WHAT IS SAFE TO KILL",
        &[
            "Everything, at any time. Files are replaced by one rename after they have reached the disk: what stood there still stands, or \
             the new content does, whole. The next run finishes or undoes what was begun.",
            "What must not stay is watched by a guardian, a second process that notices when the first is gone: stopped services are started \
             again by svc-cycle's, a superuser is made an ordinary role again by pg-ext-ensure's, and the page of maint-page during goes or stays as \
             --on-failure says. svc-cycle and pg-ext-ensure have a recover command for the case that the machine itself went down.",
        ],
    ),
    (
        "CRON",
        &[
            "With -q a run that changed nothing and found nothing wrong prints nothing, so that cron(8) sends no mail. --journal keeps every \
             report as one line of a file. PATH, HOME and the time limit are worth setting in the crontab: --timeout ends a run that hangs.",
        ],
    ),
    (
        "SECRETS",
        &[
            "Passwords are taken from files and the environment, not from arguments, and are masked in reports, errors and journals. Control \
             characters in names and messages are escaped before they reach a terminal.",
        ],
    ),
    (
        "MANY HOSTS",
        &[
            "Every tool reads its options from a file in the form that Ansible hands to a module, with --ansible-args, and reports in the keys \
             that Ansible and Salt read. Over plain ssh, one report a host on one line each is what jq(1) is made for.",
        ],
    ),
];

fn reports(roff: &mut Roff) {
    roff.control("SH", ["REPORTS"]);
    roff.text([
        roman("Standard output is one JSON object on one line; on a terminal it is text instead ("),
        bold("-o"),
        roman(" decides otherwise). Standard error is for people. Each tool adds keys of its own to these:"),
    ]);
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Envelope<'_, Nothing>>();
    let Some(keys) = schema.get("properties").and_then(|p| p.as_object()) else {
        return;
    };
    let definitions = schema.get("$defs").and_then(|d| d.as_object()).cloned();
    let definitions = definitions.unwrap_or_default();
    for (key, about) in keys {
        let shown = crate::report::shown(about, &definitions);
        let tag = vec![bold(key.as_str()), roman(format!(" ({})", shown.kind))];
        man::item(roff, tag, &shown.text);
    }
    for name in ["Error", "Diff"] {
        let Some(object) = definitions.get(name) else {
            continue;
        };
        roff.control("SS", [format!("Keys of {}", name.to_lowercase()).as_str()]);
        for (key, about) in object
            .get("properties")
            .and_then(|p| p.as_object())
            .into_iter()
            .flatten()
        {
            let shown = crate::report::shown(about, &definitions);
            let tag = vec![bold(key.as_str()), roman(format!(" ({})", shown.kind))];
            man::item(roff, tag, &shown.text);
        }
    }
    for name in ["Status", "Kind"] {
        let words = definitions
            .get(name)
            .and_then(|d| d.get("oneOf"))
            .and_then(|o| o.as_array());
        roff.control(
            "SS",
            [if name == "Kind" {
                "Words of error.kind"
            } else {
                "Words of status"
            }],
        );
        for word in words.into_iter().flatten() {
            let text = |key: &str| word.get(key).and_then(|t| t.as_str()).unwrap_or_default();
            man::item(roff, vec![bold(text("const"))], text("description"));
        }
    }
}

fn nesting(roff: &mut Roff) {
    roff.control("SH", ["NESTING"]);
    roff.text([
        roman("A tool that runs a "),
        italic("COMMAND"),
        roman(
            " sends its standard output to standard error, hands signals on to it, and ends with its exit status. So they can stand around \
             each other; the innermost report is on standard error, the outermost on standard output:",
        ),
    ]);
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for text in [
        "maint-page during --dir /srv/maintenance --on-failure keep -- \\",
        "  svc-cycle cycle -f services.toml -- \\",
        "  sh -ec 'git pull --ff-only && venv-sync apply venv -r requirements.txt && venv/bin/python manage.py migrate'",
    ] {
        roff.text([roman(text)]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

fn rows(roff: &mut Roff, rows: &[Row]) {
    for row in rows {
        man::item(roff, vec![bold(row.code)], row.meaning);
    }
}

fn section(roff: &mut Roff, title: &str, texts: &[&str]) {
    roff.control("SH", [title]);
    man::paragraphs(roff, texts);
}
