//! The definition of the command line, and the reader that makes a request of the arguments.

use std::path::PathBuf;

use base::cli::{Command, CommandLine, Entry, Example, Opt, Parsed, Positional, Trailing, Value};
use base::error::{Error, Result};
use base::exit::Row;

use crate::crontab::Form;
use crate::dialect::{self, Dialect};
use crate::registry;
use crate::request::{Asked, Request, Window};
use crate::site::Facts;

const TEMPLATE: Positional = Positional::one(
    "TEMPLATE",
    Value::File("TEMPLATE"),
    "A crontab, or TOML or JSON with [site] and [[job]]; - for standard input",
);

const SITE: &[Opt] = &[
    Opt::value(
        "name",
        Value::Text("ID"),
        "The name of the site: the block, the file or the units are called after it",
    )
    .fact("name"),
    Opt::value("dir", Value::Dir("DIR"), "The directory with manage.py").fact("dir"),
    Opt::value(
        "venv",
        Value::Dir("DIR"),
        "The virtual environment: an absolute path, or a path below --dir",
    )
    .more("The default is venv.")
    .fact("venv"),
    Opt::value("user", Value::User("USER"), "The user that runs the jobs").fact("user"),
    Opt::value("env", Value::Text("K=V"), "Set a variable for the jobs").many(),
    Opt::value(
        "mailto",
        Value::Text("ADDRESS"),
        "The address that cron mails the output to; empty for no mail",
    ),
    Opt::value("path", Value::Text("PATH"), "The PATH of the jobs"),
    Opt::value("shell", Value::Program("SHELL"), "The shell of the jobs"),
    Opt::value(
        "tz",
        Value::Text("ZONE"),
        "The time zone of the cron daemon",
    )
    .more("The default is the machine's."),
    Opt::value(
        "log-dir",
        Value::Dir("DIR"),
        "Append each job's output to a file in DIR",
    ),
    Opt::value(
        "lock-dir",
        Value::Dir("DIR"),
        "Let no job run twice at the same time: flock -n on a file in DIR",
    ),
    Opt::value(
        "env-file",
        Value::File("FILE"),
        "Give the jobs the variables in FILE",
    )
    .more(
        "FILE has NAME=VALUE lines, as systemd's EnvironmentFile=. The values appear neither in \
         the schedule nor in arguments, which every user of the host can read.",
    )
    .fact("env_file"),
    Opt::value(
        "job-timeout",
        Value::Duration("DURATION"),
        "End each job after this time",
    )
    .more("The schedule runs each job with timeout(1)."),
    Opt::flag(
        "sequence",
        "Let the jobs of the site wait for each other, so that no two run at the same time",
    ),
    Opt::value(
        "on-failure",
        Value::Text("UNIT"),
        "Start this systemd unit when a job fails",
    )
    .more("Only with --format systemd, which sends no mail."),
    Opt::value(
        "spread",
        Value::Duration("DURATION"),
        "Move jobs that start at the same minute apart, within this time",
    )
    .more("The new minute depends only on the name of the site and the id of the job."),
    Opt::value(
        "form",
        Value::Choice("FORM", &["user", "system"]),
        "Whether each line of TEMPLATE names a user, as in /etc/crontab",
    )
    .more(
        "The default is system for /etc/crontab, for files in a directory cron.d, for files called \
         NAME.cron.d, and where the first word of each command is a user of the host and not a \
         program.",
    ),
    Opt::value(
        "format",
        Value::Choice("FORMAT", registry::NAMES),
        "The form of the schedule (default crontab)",
    ),
    Opt::value(
        "dialect",
        Value::Choice("CRON", dialect::NAMES),
        "The rules of this cron (default: the cron of this host)",
    )
    .more(
        "For the schedule of another host: debian is cron 3.0pl1 to -186 (Debian 11 and 12), \
         debian-13 a later one, cronie-1.5 is cronie 1.5.5 to 1.5.7 (RHEL 9), cronie-1.5.2 an \
         older one (RHEL 8).",
    ),
];

const FORCE: &[Opt] = &[Opt::flag(
    "force",
    "Replace a block or file that was edited by hand, or that cron-render did not write",
)];

const NEXT: &[Opt] = &[
    Opt::value(
        "count",
        Value::Count("N"),
        "How many runs of each job to list (default 5)",
    )
    .short('c'),
    Opt::value(
        "from",
        Value::Text("TIME"),
        "List the runs from TIME on (default: now)",
    )
    .more("2026-03-29T02:30:00+01:00, or 2026-03-29 02:30 or 2026-03-29 in the zone of --tz."),
    Opt::value("until", Value::Text("TIME"), "List the runs before TIME"),
    Opt::flag(
        "merged",
        "List the runs of all jobs in one list, in the order of time",
    )
    .more(
        "Without TEMPLATE: the jobs of /etc/crontab, of /etc/cron.d and of every user's crontab \
         that you may read.",
    ),
];

const EXPRESSION: &[Opt] = &[Opt::value(
    "expression",
    Value::Text("EXPR"),
    "A schedule in place of TEMPLATE",
)
.short('e')
.many()];

const REMOVE: &[Opt] = &[
    Opt::value("name", Value::Text("ID"), "The name of the site")
        .required()
        .fact("name"),
    Opt::value(
        "user",
        Value::User("USER"),
        "The user whose crontab it is (default: you)",
    )
    .fact("user"),
    Opt::value(
        "format",
        Value::Choice("FORMAT", registry::NAMES),
        "The form that was installed (default crontab)",
    ),
    Opt::value(
        "dialect",
        Value::Choice("CRON", dialect::NAMES),
        "The rules of this cron (default: the cron of this host)",
    ),
];

const fn command(
    name: &'static str,
    about: &'static str,
    options: &'static [&'static [Opt]],
    positionals: &'static [Positional],
) -> Command {
    Command {
        name,
        about,
        description: &[],
        options,
        positionals,
        trailing: Trailing::None,
        default: false,
    }
}

pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "cron-render",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "render, lint and install a cron schedule for a site",
    description: &[
        "cron-render makes a schedule of a template and the facts of a site, reports the mistakes \
         in the template, and installs the schedule. Lines that cron-render did not write stay as \
         they are.",
        "A template is a crontab, such as the cron.txt that an application ships, or a file of \
         TOML or JSON. cron-render rewrites a command `python manage.py …` for the site: with the \
         directory and the virtual environment of the site, and with a lock, a log and a time \
         limit where an option asks for them. Every other command stays as it is.",
        "cron-render reads a schedule as the daemon of the host does: Debian's cron or cronie; \
         --dialect names another one. H in a field stands for a value that cron-render computes \
         from the name of the site and the id of the job, as in Jenkins.",
    ],
    commands: &[
        command(
            "render",
            "Print the finished schedule",
            &[SITE],
            &[TEMPLATE],
        ),
        command(
            "lint",
            "Report the mistakes and the traps in a template",
            &[SITE],
            &[TEMPLATE],
        ),
        Command {
            name: "next",
            about: "List the next runs in local time and UTC, with what a clock change does to \
                them",
            description: &[],
            options: &[NEXT, EXPRESSION, SITE],
            positionals: &[Positional::optional(
                "TEMPLATE",
                Value::File("TEMPLATE"),
                "A crontab, or TOML or JSON; - for standard input",
            )],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "explain",
            about: "Print each schedule in English",
            description: &[],
            options: &[EXPRESSION, SITE],
            positionals: &[Positional::optional(
                "TEMPLATE",
                Value::File("TEMPLATE"),
                "A crontab, or TOML or JSON; - for standard input",
            )],
            trailing: Trailing::None,
            default: false,
        },
        command(
            "diff",
            "Compare the template with the installed schedule; exit status 1 where they differ",
            &[SITE],
            &[TEMPLATE],
        ),
        command(
            "install",
            "Install the schedule, or update the installed one",
            &[SITE, FORCE],
            &[TEMPLATE],
        ),
        Command {
            name: "try",
            about: "Run one job now as the daemon would, and report the result",
            description: &[
                "The job gets what cron (or systemd, with --format systemd) gives to it: user, \
                 HOME, SHELL, PATH, environment, umask, directory and standard input, and no \
                 terminal. The report has the output, and the exit status is that of the job.",
                "JOB is an id, a line of the template, or a word of the command. Without TEMPLATE \
                 cron-render looks for the job in the schedule that is installed under --name.",
                "Two things differ from the real run: the job has the limits and the cgroup of the \
                 caller, and its output is not mailed. A unit runs without OnFailure=.",
            ],
            options: &[SITE],
            positionals: &[
                Positional::one(
                    "JOB",
                    Value::Text("JOB"),
                    "The job: its id, its line, or a word of its command",
                ),
                Positional::optional(
                    "TEMPLATE",
                    Value::File("TEMPLATE"),
                    "A crontab, or TOML or JSON; - for standard input",
                ),
            ],
            trailing: Trailing::None,
            default: false,
        },
        command(
            "remove",
            "Remove the schedule that was installed under a name",
            &[REMOVE, FORCE],
            &[],
        ),
    ],
    options: &[],
    positionals: &[],
    exit: &[
        Row {
            code: "1",
            meaning: "Also: lint found errors, diff found a difference.",
        },
        Row {
            code: "125",
            meaning: "For try: the daemon does not start the job; the report has the reason.",
        },
        Row {
            code: "the job's own",
            meaning: "For try: the job ran and exited with this status; 128+N if signal N ended \
                the job.",
        },
    ],
    examples: &[
        Example {
            text: "Print the schedule of a Misago site, with the jobs moved apart within half an \
                hour:",
            command: "cron-render render cron.txt --name forum --dir /home/myforumorg --venv venv \
                --spread 30m -o text",
        },
        Example {
            text: "Before a new template goes live: report its mistakes:",
            command: "cron-render lint cron.txt -o text",
        },
        Example {
            text: "Show what an install into the user's crontab would change (without -n the same \
                command installs):",
            command: "cron-render install -n cron.txt --name forum --dir /home/myforumorg --user \
                myforumorg",
        },
        Example {
            text: "Run one job now as cron will run it at night:",
            command: "cron-render try prunecategories cron.txt --name forum --dir /home/myforumorg \
                --user myforumorg -o text",
        },
        Example {
            text: "In /etc/cron.d: mail when the installed crontab differs from the template:",
            command: "40 4 * * * root cron-render diff -q /srv/site/cron.toml --journal \
                /var/log/site.jsonl",
        },
        Example {
            text: "Show which runs a change of the clock moves, skips or repeats:",
            command: "cron-render next cron.txt --tz Europe/Warsaw --from 2026-03-28 --until \
                2026-03-30",
        },
    ],
    files: &[
        Entry {
            name: "/etc/cron.d/NAME",
            text: "The file that --format cron.d installs, with mode 0644 and owner root. \
                cron-render owns the whole file.",
        },
        Entry {
            name: "/etc/systemd/system/NAME-JOB.timer, .service",
            text: "The units that --format systemd installs.",
        },
        Entry {
            name: "/var/backups/runbook-tools/, ~/.local/state/runbook-tools/",
            text: "A copy of the crontab as it was before the last install, with mode 0600.",
        },
    ],
    environment: &[
        Entry {
            name: "PATH",
            text: "The directories that are searched for crontab(1), systemctl(1) and \
                systemd-analyze(1). Jobs do not get this PATH.",
        },
        Entry {
            name: "HOME, XDG_RUNTIME_DIR",
            text: "The directories of locks and backups for users other than root.",
        },
    ],
    security: &[
        "cron-render reads and writes the crontab of a user with crontab(1), never in the spool, \
         and changes only the block between its two marker lines. A crontab that cannot be read is \
         an error, never an empty crontab.",
        "A fact that holds a control byte, or a user name that begins with a minus, is refused. \
         cron-render starts programs with a list of arguments, never through a shell.",
    ],
    see_also: &[
        "crontab(1)",
        "crontab(5)",
        "cron(8)",
        "systemd.timer(5)",
        "flock(1)",
        "timeout(1)",
    ],
};

/// The request of a checked command line.
///
/// # Errors
/// `Kind::Usage`.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let name = parsed.command().unwrap_or_default();
    let expressions: Vec<String> = parsed
        .texts("expression")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let asked = match name {
        "render" => Asked::Render,
        "lint" => Asked::Lint,
        "next" => Asked::Next(Window {
            count: parsed.count("count"),
            from: parsed.text("from").map(str::to_owned),
            until: parsed.text("until").map(str::to_owned),
            merged: parsed.flag("merged"),
            expressions,
        }),
        "explain" => Asked::Explain(expressions),
        "diff" => Asked::Diff,
        "install" => Asked::Install,
        "remove" => Asked::Remove,
        "try" => Asked::Try(
            parsed
                .positional_texts()
                .first()
                .map_or_else(String::new, |job| (*job).to_owned()),
        ),
        _ => {
            return Err(Error::usage("no command is given")
                .hint("give one of render, lint, next, explain, diff, install, try, remove"));
        }
    };
    let place = usize::from(matches!(asked, Asked::Try(_)));
    let template = parsed.positionals().get(place).map(PathBuf::from);
    match (&asked, &template) {
        (Asked::Explain(expressions), None) if expressions.is_empty() => {
            return Err(Error::usage("explain needs a TEMPLATE or an expression")
                .hint("give a TEMPLATE, or -e '*/5 * * * *'"));
        }
        (Asked::Next(window), None) if window.expressions.is_empty() && !window.merged => {
            return Err(Error::usage("next needs a TEMPLATE")
                .hint("give a TEMPLATE, -e '*/5 * * * *', or --merged for all jobs of this host"));
        }
        (Asked::Next(window), Some(_)) if !window.expressions.is_empty() => {
            return Err(Error::usage("next takes a TEMPLATE or -e EXPR, not both"));
        }
        (Asked::Explain(expressions), Some(_)) if !expressions.is_empty() => {
            return Err(Error::usage(
                "explain takes a TEMPLATE or -e EXPR, not both",
            ));
        }
        _ => {}
    }
    let remove = name == "remove";
    let text = |option: &str| parsed.text(option).map(str::to_owned);
    let facts = Facts {
        name: text("name"),
        dir: text("dir"),
        venv: text("venv"),
        user: text("user"),
        env: parsed
            .texts("env")
            .into_iter()
            .map(pair)
            .collect::<Result<_>>()?,
        mailto: text("mailto"),
        path: text("path"),
        shell: text("shell"),
        tz: text("tz"),
        log_dir: text("log-dir"),
        lock_dir: text("lock-dir"),
        env_file: text("env-file"),
        job_timeout: if remove {
            None
        } else {
            parsed.duration("job-timeout")
        },
        sequence: (!remove && parsed.flag("sequence")).then_some(true),
        on_failure: text("on-failure"),
        spread: parsed.duration("spread"),
        format: parsed.text("format").map(str::to_owned),
        dialect: parsed.text("dialect").and_then(Dialect::named),
    };
    Ok(Request {
        asked,
        template,
        facts,
        form: parsed.text("form").and_then(|form| match form {
            "user" => Some(Form::User),
            "system" => Some(Form::System),
            _ => None,
        }),
        force: parsed.flag("force"),
    })
}

fn pair(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Error::usage(format!(
            "--env '{}' has no '='",
            base::terminal::escape(text)
        ))
        .hint("write --env NAME=VALUE")),
    }
}
