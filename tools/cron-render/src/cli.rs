//! The command line, defined once, and what it asks for.

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
    Opt::value("name", Value::Text("ID"), "The site's name: of the block, the file, the units").fact("name"),
    Opt::value("dir", Value::Dir("DIR"), "The directory with manage.py").fact("dir"),
    Opt::value("venv", Value::Dir("DIR"), "The virtual environment, from / or from --dir").more("The default is venv.").fact("venv"),
    Opt::value("user", Value::User("USER"), "Who runs the jobs").fact("user"),
    Opt::value("env", Value::Text("K=V"), "Set a variable for the jobs").many(),
    Opt::value("mailto", Value::Text("ADDRESS"), "Who gets the jobs' output by mail; empty for nobody"),
    Opt::value("path", Value::Text("PATH"), "The jobs' PATH"),
    Opt::value("shell", Value::Program("SHELL"), "The jobs' shell"),
    Opt::value("tz", Value::Text("ZONE"), "The time zone that cron runs by").more("The default is the machine's."),
    Opt::value("log-dir", Value::Dir("DIR"), "Append each job's output to a file in DIR"),
    Opt::value("lock-dir", Value::Dir("DIR"), "Let no job run twice at a time: flock -n on a file in DIR"),
    Opt::value("env-file", Value::File("FILE"), "Read the jobs' variables from FILE, NAME=VALUE lines")
        .more("Its values stand neither in the schedule nor in arguments, which every user of the host can read.").fact("env_file"),
    Opt::value("job-timeout", Value::Duration("DURATION"), "End each job after this long")
        .more("Written into the schedule as timeout(1)."),
    Opt::flag("sequence", "Let the jobs wait for each other: no two of the site run at a time"),
    Opt::value("on-failure", Value::Text("UNIT"), "Start this systemd unit when a job fails")
        .more("With --format systemd, which sends no mail."),
    Opt::value("spread", Value::Duration("DURATION"), "Move jobs that start together apart, within this long")
        .more("Where a job goes depends on the site's name and the job's id alone."),
    Opt::value("form", Value::Choice("FORM", &["user", "system"]), "Whether each line of TEMPLATE names a user, as in /etc/crontab")
        .more("The default is system for /etc/crontab, files in a directory cron.d and files called NAME.cron.d, and where the first word of each command is a user and no program."),
    Opt::value("format", Value::Choice("FORMAT", registry::NAMES), "What to make: crontab is the default"),
    Opt::value("dialect", Value::Choice("CRON", dialect::NAMES), "Whose rules; those of the cron of this host are the default")
        .more("For a schedule that is rendered for another host: debian is cron 3.0pl1 to -186 (Debian 11 and 12), debian-13 a later one, cronie-1.5 is cronie 1.5.5 to 1.5.7 (RHEL 9), cronie-1.5.2 an older one (RHEL 8)."),
];

const FORCE: &[Opt] = &[Opt::flag(
    "force",
    "Replace a block or file that was edited by hand, or is not ours",
)];

const NEXT: &[Opt] = &[
    Opt::value(
        "count",
        Value::Count("N"),
        "How many runs of each job; 5 is the default",
    )
    .short('c'),
    Opt::value(
        "from",
        Value::Text("TIME"),
        "Runs at or after TIME; now is the default",
    )
    .more("2026-03-29T02:30:00+01:00, or 2026-03-29 02:30 or 2026-03-29 in the zone of --tz."),
    Opt::value("until", Value::Text("TIME"), "Runs before TIME"),
    Opt::flag("merged", "All jobs in one list, in the order of time")
        .more("Without TEMPLATE: those of /etc/crontab, /etc/cron.d and the crontabs of all users that you may read."),
];

const EXPRESSION: &[Opt] = &[Opt::value(
    "expression",
    Value::Text("EXPR"),
    "A schedule in place of TEMPLATE",
)
.short('e')
.many()];

const REMOVE: &[Opt] = &[
    Opt::value("name", Value::Text("ID"), "The site's name")
        .required()
        .fact("name"),
    Opt::value(
        "user",
        Value::User("USER"),
        "Whose crontab; yours is the default",
    ),
    Opt::value(
        "format",
        Value::Choice("FORMAT", registry::NAMES),
        "Where it was installed: crontab is the default",
    ),
    Opt::value(
        "dialect",
        Value::Choice("CRON", dialect::NAMES),
        "Whose rules; those of the cron of this host are the default",
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

/// The whole of it.
pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "cron-render",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "render, lint and install a cron schedule for a site",
    description: &[
        "Turns a cron template and the facts of a site into a schedule that is right, says what is wrong with it, and keeps it installed without touching anyone else's lines.",
        "A template is a crontab such as the cron.txt that an application ships, or TOML or JSON. A command that is `python manage.py …` is written for the site: its directory, its virtual environment, and a lock, a log and a time limit where they are asked for. Every other command stays as it is.",
        "Schedules mean exactly what they mean to the daemon: Debian's cron, or cronie with --dialect cronie. H in a field stands for a value that is hashed from the site's name and the job's id, as in Jenkins.",
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
            "Say what is wrong with a template, or will surprise",
            &[SITE],
            &[TEMPLATE],
        ),
        Command {
            name: "next",
            about: "List the next runs, with local time, UTC and what a change of time does",
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
            about: "Say each schedule in plain English",
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
            "Compare with what is installed; 1 where they differ",
            &[SITE],
            &[TEMPLATE],
        ),
        command(
            "install",
            "Install the schedule, or bring it up to date",
            &[SITE, FORCE],
            &[TEMPLATE],
        ),
        Command {
            name: "try",
            about: "Run one job now as its daemon would, and say what came of it",
            description: &[
                "The job gets what cron (or systemd, with --format systemd) gives: its user, HOME, SHELL, PATH, environment, umask, directory and standard input, and no terminal. The output stands in the report, and the exit status is the job's own.",
                "JOB is an id, a line of the template, or a word of the command. Without TEMPLATE the job is looked for among what is installed under --name.",
                "What cron-render leaves out: the limits and the cgroup are those of the caller, and no mail is sent. A unit runs without OnFailure=.",
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
            "Remove what was installed under a name",
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
            meaning: "try: the daemon does not start the job; the report says why.",
        },
        Row {
            code: "the job's own",
            meaning: "try: the job ran and exited with this status; 128+N if signal N ended it.",
        },
    ],
    examples: &[
        Example {
            text: "The schedule of a Misago site, jobs moved apart within half an hour:",
            command: "cron-render render cron.txt --name forum --dir /home/myforumorg --venv venv --spread 30m -o text",
        },
        Example {
            text: "What is wrong with it:",
            command: "cron-render lint cron.txt -o text",
        },
        Example {
            text: "Install it into the user's crontab; first see whether that would change anything (then the exit status is 1):",
            command: "cron-render install -n cron.txt --name forum --dir /home/myforumorg --user myforumorg",
        },
        Example {
            text: "Run one job of it now, as cron will at night:",
            command: "cron-render try prunecategories cron.txt --name forum --dir /home/myforumorg --user myforumorg -o text",
        },
        Example {
            text: "From cron, as a line of /etc/cron.d: mail if the crontab is no longer what the template says.",
            command: "40 4 * * * root cron-render diff -q /srv/site/cron.toml --journal /var/log/site.jsonl",
        },
        Example {
            text: "What happens around the change of time:",
            command: "cron-render next cron.txt --tz Europe/Warsaw --from 2026-03-28 --until 2026-03-30",
        },
    ],
    files: &[
        Entry {
            name: "/etc/cron.d/NAME",
            text: "What --format cron.d installs: 0644, root's, owned whole.",
        },
        Entry {
            name: "/etc/systemd/system/NAME-JOB.timer, .service",
            text: "What --format systemd installs.",
        },
        Entry {
            name: "/var/backups/runbook-tools/, ~/.local/state/runbook-tools/",
            text: "The crontab as it was before, mode 0600.",
        },
    ],
    environment: &[
        Entry {
            name: "PATH",
            text: "Where crontab(1), systemctl(1) and systemd-analyze(1) are looked for; jobs never see it.",
        },
        Entry {
            name: "HOME, XDG_RUNTIME_DIR",
            text: "Where a user other than root keeps locks and backups.",
        },
    ],
    security: &[
        "A user's crontab is read and written with crontab(1) only, never in the spool; the block between the two marker lines is all that changes. A crontab that cannot be read for certain is never taken for an empty one.",
        "No fact may hold a control byte; user names may not begin with a minus. Programs are run with their arguments, never through a shell.",
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
            return Err(Error::usage("no command was named")
                .hint("render, lint, next, explain, diff, install, try or remove"));
        }
    };
    let place = usize::from(matches!(asked, Asked::Try(_)));
    let template = parsed.positionals().get(place).map(PathBuf::from);
    match (&asked, &template) {
        (Asked::Explain(expressions), None) if expressions.is_empty() => {
            return Err(Error::usage("there is nothing to explain")
                .hint("give a TEMPLATE, or -e '*/5 * * * *'"));
        }
        (Asked::Next(window), None) if window.expressions.is_empty() && !window.merged => {
            return Err(Error::usage("next needs a TEMPLATE")
                .hint("TEMPLATE, -e '*/5 * * * *', or --merged for everything on this host"));
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
        format: parsed.text("format").and_then(registry::format),
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
            "--env {}: there is no =",
            base::terminal::escape(text)
        ))
        .hint("--env NAME=VALUE")),
    }
}
