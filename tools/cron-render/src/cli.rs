//! The command line, defined once, and what it asks for.

use std::path::PathBuf;

use base::cli::{Command, CommandLine, Entry, Example, Opt, Parsed, Positional, Trailing, Value};
use base::error::{Error, Result};

use crate::dialect::Dialect;
use crate::site::{Facts, Format};

const TEMPLATE: Positional = Positional::one(
    "TEMPLATE",
    Value::File("TEMPLATE"),
    "A crontab, or TOML or JSON with [site] and [[job]]; - for standard input",
);

const SITE: &[Opt] = &[
    Opt::value("site", Value::File("FACTS"), "Read the site's facts from FACTS (TOML or JSON)")
        .more("The keys are those of the options below, with _ for -. A [site] table in the template counts less, the command line more."),
    Opt::value("name", Value::Text("ID"), "The site's name: of the block, the file, the units").fact("name"),
    Opt::value("dir", Value::Dir("DIR"), "The directory with manage.py").fact("dir"),
    Opt::value("venv", Value::Dir("DIR"), "The virtual environment, from / or from --dir").more("The default is venv."),
    Opt::value("user", Value::User("USER"), "Who runs the jobs").fact("user"),
    Opt::value("env", Value::Text("K=V"), "Set a variable for the jobs").many(),
    Opt::value("mailto", Value::Text("ADDRESS"), "Who gets the jobs' output by mail; empty for nobody"),
    Opt::value("path", Value::Text("PATH"), "The jobs' PATH"),
    Opt::value("shell", Value::Program("SHELL"), "The jobs' shell"),
    Opt::value("tz", Value::Text("ZONE"), "The time zone that cron runs by").more("The default is the machine's."),
    Opt::value("log-dir", Value::Dir("DIR"), "Append each job's output to a file in DIR"),
    Opt::value("lock-dir", Value::Dir("DIR"), "Let no job run twice at a time: flock -n on a file in DIR"),
    Opt::value("timeout", Value::Duration("DURATION"), "End each job after this long")
        .more("Written into the schedule as timeout(1). The run of cron-render itself is given no longer, either."),
    Opt::value("spread", Value::Duration("DURATION"), "Move jobs that start together apart, within this long")
        .more("Where a job goes depends on the site's name and the job's id alone."),
    Opt::value("format", Value::Choice("FORMAT", &["crontab", "cron.d", "systemd"]), "What to make: crontab is the default"),
    Opt::value("dialect", Value::Choice("CRON", &["debian", "cronie"]), "Whose rules: debian is the default"),
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
];

const EXPRESSION: &[Opt] =
    &[
        Opt::value("expression", Value::Text("EXPR"), "Explain this schedule")
            .short('e')
            .many(),
    ];

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
        Value::Choice("FORMAT", &["crontab", "cron.d", "systemd"]),
        "Where it was installed: crontab is the default",
    ),
    Opt::value(
        "dialect",
        Value::Choice("CRON", &["debian", "cronie"]),
        "Whose rules: debian is the default",
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

/// The catalogue, as the manual has it; a test compares.
const FINDINGS_ERRORS: &str = "Errors stop an install: E01 field syntax; E02 value out of range; E03 empty set; E04 impossible date; E05 no command; E06 no newline at the end of the file; E07 command too long; E08 too many lines; E09 NUL, carriage return or newline in a value; E10 unknown user; E11 file name that cron.d ignores; E12 mode, owner or links that cron refuses; E13 duplicate id.";
const FINDINGS_WARNINGS: &str = "Warnings: W01 day of month or day of week; W02 day of month and day of week; W03 ignored bytes after a value; W04 step beyond the range; W05 unescaped percent sign; W06 doubled backslash; W07 relative path without cd; W08 command not found on cron's PATH; W09 variable that is not expanded; W10 note that becomes part of a value; W11 environment line cut; W12 jobs at the same minute; W13 duplicate job; W14 change of time; W15 setting this cron does not know; W16 leading minus; W17 export, or a setting after the jobs that need it; W18 number that wraps; W19 uneven step; W20 systemd runs it at other times; W21 left as it is.";

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
        FINDINGS_ERRORS,
        FINDINGS_WARNINGS,
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
        command(
            "next",
            "List the next runs, with local time, UTC and what a change of time does",
            &[NEXT, SITE],
            &[TEMPLATE],
        ),
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
        command(
            "remove",
            "Remove what was installed under a name",
            &[REMOVE, FORCE],
            &[],
        ),
    ],
    options: &[],
    positionals: &[],
    exit: &[],
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

/// What is asked for.
#[derive(Debug)]
pub enum Asked {
    /// `render`.
    Render,
    /// `lint`.
    Lint,
    /// `next`.
    Next(Window),
    /// `explain`, of these schedules if there are any.
    Explain(Vec<String>),
    /// `diff`.
    Diff,
    /// `install`.
    Install,
    /// `remove`.
    Remove,
}

/// Which runs `next` lists. Times are as typed: the zone is not known yet.
#[derive(Debug, Default)]
pub struct Window {
    /// How many of each job, at most.
    pub count: Option<u64>,
    /// The first moment.
    pub from: Option<String>,
    /// The moment after the last.
    pub until: Option<String>,
}

/// A command line, typed.
#[derive(Debug)]
pub struct Request {
    /// What to do.
    pub asked: Asked,
    /// The template.
    pub template: Option<PathBuf>,
    /// A file of facts.
    pub site: Option<PathBuf>,
    /// Facts of the command line.
    pub facts: Facts,
    /// `--force`.
    pub force: bool,
}

impl Request {
    /// From the checked command line.
    ///
    /// # Errors
    /// A usage error.
    pub fn new(parsed: &Parsed) -> Result<Request> {
        let name = parsed.command().unwrap_or_default();
        let asked = match name {
            "render" => Asked::Render,
            "lint" => Asked::Lint,
            "next" => Asked::Next(Window {
                count: parsed.count("count"),
                from: parsed.text("from").map(str::to_owned),
                until: parsed.text("until").map(str::to_owned),
            }),
            "explain" => Asked::Explain(
                parsed
                    .texts("expression")
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
            ),
            "diff" => Asked::Diff,
            "install" => Asked::Install,
            "remove" => Asked::Remove,
            _ => {
                return Err(Error::usage("no command was named")
                    .hint("render, lint, next, explain, diff, install or remove"));
            }
        };
        let template = parsed.positionals().first().map(PathBuf::from);
        match (&asked, &template) {
            (Asked::Explain(expressions), None) if expressions.is_empty() => {
                return Err(Error::usage("there is nothing to explain")
                    .hint("give a TEMPLATE, or -e '*/5 * * * *'"));
            }
            (Asked::Explain(expressions), Some(_)) if !expressions.is_empty() => {
                return Err(Error::usage(
                    "explain takes a TEMPLATE or -e EXPR, not both",
                ));
            }
            _ => {}
        }
        let timeout = if name == "remove" {
            None
        } else {
            parsed.duration("timeout")
        };
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
            timeout,
            spread: parsed.duration("spread"),
            format: parsed.text("format").and_then(format),
            dialect: parsed.text("dialect").and_then(dialect),
        };
        Ok(Request {
            asked,
            template,
            site: parsed.path("site").map(PathBuf::from),
            facts,
            force: parsed.flag("force"),
        })
    }
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

fn format(text: &str) -> Option<Format> {
    match text {
        "crontab" => Some(Format::Crontab),
        "cron.d" => Some(Format::CronD),
        "systemd" => Some(Format::Systemd),
        _ => None,
    }
}

fn dialect(text: &str) -> Option<Dialect> {
    match text {
        "debian" => Some(Dialect::Debian),
        "cronie" => Some(Dialect::Cronie),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_finding() {
        for (code, meaning) in crate::finding::Code::ALL {
            let text = if code.name().starts_with('E') {
                FINDINGS_ERRORS
            } else {
                FINDINGS_WARNINGS
            };
            assert!(
                text.contains(&format!("{} {meaning}", code.name())),
                "{}",
                code.name()
            );
        }
    }
}
