//! `runbook-tools(7)`: what all tools have in common. The keys of the envelope and the exit table
//! are generated from the types.

use crate::{Page, TOOLS, man};
use base::envelope::Envelope;
use base::exit::{COMMAND_TABLE, Row, TABLE};
use base::report::{Body, MARKS, Text};
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
        "runbook-tools are seven small programs for people who run a Python web site from a shell. \
         Each does one job:",
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
        "This page describes what the programs have in common, so that runbooks can chain them and \
         nest them in each other.",
    )]);
    reports(&mut roff);
    marks(&mut roff);
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
        "Locks and journals of runs by root. Those of other users are in \
         $XDG_RUNTIME_DIR/runbook-tools or ~/.local/state/runbook-tools.",
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
            "A tool that changes the host first looks, then decides, then acts, then looks again. \
             With -n the tool stops after the decision and reports what a real run would do: exit \
             status 1 means that a real run would change something, 0 that a real run would change \
             nothing.",
        ],
    ),
    (
        "LOCKS",
        &[
            "A tool holds one lock for each thing that the tool changes: an environment, a page \
             directory, a crontab, a set of services. Where another process holds the lock, the \
             exit status is 75 and the message names the process; --lock-wait waits for the lock. \
             The kernel releases a lock when its process ends, whatever ends the process, so no \
             stale lock has to be removed.",
        ],
    ),
    (
        "WHAT IS SAFE TO KILL",
        &[
            "Every tool can be killed at any time. A tool replaces a file by one rename after the \
             new content has reached the disk, so the file has the whole old content or the whole \
             new content. The next run finishes or undoes what the killed run began.",
            "A guardian, a second process that notices the end of the first, ends what must not \
             last: the guardian of svc-cycle starts the stopped services again, the guardian of \
             pg-ext-ensure takes the superuser's right back, and the guardian of maint-page during \
             does with the page what --on-failure says. svc-cycle and pg-ext-ensure have a recover \
             command for the case that the machine itself went down.",
        ],
    ),
    (
        "CRON",
        &[
            "With -q a run that changed nothing and found nothing wrong prints nothing, so that \
             cron(8) sends no mail. --journal appends every report to a file, as one line. Set \
             PATH and HOME in the crontab, and give --timeout, which ends a run that hangs.",
        ],
    ),
    (
        "SECRETS",
        &[
            "The tools take passwords from files and the environment, not from arguments, and mask \
             passwords in reports, errors and journals. A tool escapes control characters in names \
             and messages before printing them to a terminal.",
        ],
    ),
    (
        "MANY HOSTS",
        &[
            "Every tool reads its options from a file in the form that Ansible hands to a module, \
             with --ansible-args, and reports in the keys that Ansible and Salt read. Over plain \
             ssh, jq(1) reads the reports of all hosts, one line for each host.",
        ],
    ),
];

fn reports(roff: &mut Roff) {
    roff.control("SH", ["REPORTS"]);
    roff.text([
        roman(
            "The report on standard output is one JSON object on one line; on a terminal the \
             report is text (",
        ),
        bold("-o"),
        roman(
            " chooses the form). Messages for people are on standard error. Every report has these \
             keys; each tool adds its own:",
        ),
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

/// The marks of the text that a terminal gets.
fn marks(roff: &mut Roff) {
    roff.control("SH", ["TEXT"]);
    roff.text([roman(
        "On a terminal a tool prints a table in place of the JSON object. The last line is the summary, msg. A line \
         \"fix:\" names what closes a gap, and the lines below are the steps, each with the user that takes the step. \
         A step is never broken at the edge of the terminal, so that a step can be copied. The marks at the beginning \
         of a line mean:",
    )]);
    for (mark, meaning) in MARKS {
        man::item(roff, vec![bold(mark.shown())], meaning);
    }
}

fn nesting(roff: &mut Roff) {
    roff.control("SH", ["NESTING"]);
    roff.text([
        roman("A tool that runs a "),
        italic("COMMAND"),
        roman(
            " sends the standard output of the command to standard error, passes signals on to the \
             command, and exits with the command's status. Tools can therefore be nested: the report \
             of the outermost tool is on standard output, the reports of the others are on \
             standard error:",
        ),
    ]);
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for text in [
        "maint-page during --dir /srv/maintenance --on-failure keep -- \\",
        "  svc-cycle cycle -f services.toml -- \\",
        "  sh -ec 'git pull --ff-only && venv-sync apply venv -r requirements.txt && \
         venv/bin/python manage.py migrate'",
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
