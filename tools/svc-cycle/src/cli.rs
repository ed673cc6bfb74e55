//! The one definition of this command line, and what was typed as a typed request.

use std::path::{Path, PathBuf};

use base::RunAs;
use base::cli::{
    Command, CommandLine, Entry, Example, Opt, Parsed, Positional, RUN_AS, Trailing, Value,
};
use base::exit::Row;
use base::source::Source;
use base::{Error, Result};

use crate::request::{Action, Origin, Request};

const SELECTION: &[Opt] = &[
    Opt::value("file", Value::File("FILE"), "Read the services from FILE (TOML or JSON, - for standard input)").short('f').more(
        "Each [service.NAME] says who runs it, after which others it starts, and what has to be true before it counts as ready or stopped.",
    ),
    Opt::value("config", Value::File("FILE"), "supervisord's or compose's own configuration, for services named without -f")
        .short('c')
        .more("As for supervisorctl -c. Without it, the usual places are looked at."),
    Opt::value("only", Value::Text("GLOB"), "Only the services whose name matches"),
];

const UNITS: &[Opt] = &[Opt::flag(
    "reload-units",
    "Have systemd read unit files that changed on disk first (daemon-reload)",
)];

const ROLLING: &[Opt] = &[Opt::flag("rolling", "One member after another, each ready before the next")
    .more("For the processes of a supervisord group, and for services: the others go on answering meanwhile.")];

const AROUND: &[Opt] = &[
    Opt::value("on-failure", Value::Choice("WHAT", &["start", "leave-down"]), "What to do when COMMAND fails: start is the default")
        .more("leave-down keeps the services stopped, exit status 125; `svc-cycle recover SERVICE` starts them later, and only by their names."),
    Opt::value("command-timeout", Value::Duration("DURATION"), "End COMMAND after this time, and count it as failed"),
];

const SERVICES: &[Positional] = &[Positional::any(
    "SERVICE",
    Value::Text("SERVICE"),
    "A service of FILE; without -f, nginx, supervisor:gunicorn, systemd:uwsgi.service, sysv:uwsgi, compose:web, pidfile:/run/x.pid or command:redis-server",
)];

const fn verb(
    name: &'static str,
    about: &'static str,
    description: &'static [&'static str],
    options: &'static [&'static [Opt]],
) -> Command {
    Command {
        name,
        about,
        description,
        options,
        positionals: SERVICES,
        trailing: Trailing::None,
        default: false,
    }
}

/// The command line.
pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "svc-cycle",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "stop, start, restart, reload or inspect services in order, and tell the truth about it",
    description: &[
        "svc-cycle stops, starts, restarts and reloads a set of services in their order, whoever runs them: systemd, supervisord, init \
         scripts, compose, or nobody. It does not believe exit codes. A service is ready when its probes are answered by its own processes \
         and it stays up; it is stopped when every process it had is gone.",
        "svc-cycle cycle stops the services, runs COMMAND, and starts what ran before, whatever happens to COMMAND, to the terminal or to \
         svc-cycle itself: a guardian process brings the services back even after SIGKILL.",
        "Services named on the command line start in the order given and stop in the reverse order. In a set file the order comes from \
         after; services that don't wait for each other are worked on at once.",
    ],
    commands: &[
        verb(
            "start",
            "Start what isn't running, and wait until it is ready",
            &[],
            &[SELECTION, UNITS],
        ),
        verb(
            "stop",
            "Stop, and wait until every process is gone",
            &["A service with policy = \"ensure\" is stopped only when it is named."],
            &[SELECTION],
        ),
        verb(
            "restart",
            "Stop all in reverse order, then start all",
            &[],
            &[SELECTION, ROLLING, UNITS],
        ),
        verb(
            "reload",
            "Reload, and prove that it took",
            &[
                "The preflight command runs first. Afterwards the main process has to be the same and its workers others.",
            ],
            &[SELECTION],
        ),
        verb(
            "status",
            "Say what runs; exit status 1 unless everything does",
            &[],
            &[SELECTION],
        ),
        verb(
            "check",
            "As status, and ask the probes and expectations too",
            &[],
            &[SELECTION],
        ),
        Command {
            name: "cycle",
            about: "Stop, run COMMAND, and start what ran before, whatever happens",
            description: &[
                "What was down before stays down. TERM, INT and HUP go to COMMAND's process group; after a grace of 10 seconds it is killed, \
                 and the services are started: no number of signals skips that.",
                "On a terminal COMMAND has the keyboard, so Ctrl-C goes to COMMAND alone, as it would without svc-cycle. For one that does not end \
                 on it (a database driver that waits for a lock), give --command-timeout, or send TERM to svc-cycle.",
            ],
            options: &[SELECTION, AROUND, UNITS, RUN_AS],
            positionals: SERVICES,
            trailing: Trailing::Required,
            default: false,
        },
        Command {
            name: "recover",
            about: "Start what an interrupted run left down",
            description: &[
                "Without a selection, the services of every interrupted run; with one, only those. Services that a run left down on purpose \
                 (--on-failure leave-down) are started only when they are named one by one. After a reboot the services that a run had stopped \
                 before it are started, too, where the init system has not started them.",
                "With a site file only runs for that site count, and runs without a site file that stopped a service of the site's set.",
                "Without an interrupted run it does nothing, so it may be run at any time.",
            ],
            options: &[SELECTION],
            positionals: SERVICES,
            trailing: Trailing::None,
            default: false,
        },
        verb(
            "snapshot",
            "Write a set file from what runs",
            &[
                "Each service that runs becomes a table: who runs it, after which of the others it starts (After= of systemd, priority of \
                 supervisord), the ports or the socket on which it listens, its user and its executable. With -o text the file itself is \
                 printed; in the report it stands under set.",
            ],
            &[SELECTION],
        ),
    ],
    options: &[],
    positionals: &[],
    exit: &[
        Row {
            code: "1",
            meaning: "Also: for status and check, something isn't running, doesn't answer, or isn't what was expected.",
        },
        Row {
            code: "125",
            meaning: "Also: for cycle, a service could not be stopped, or something that ran before is down or not ready.",
        },
    ],
    examples: &[
        Example {
            text: "Update the code while nothing runs it, and have everything back afterwards:",
            command: "svc-cycle cycle -f services.toml -- sh -ec 'git pull --ff-only && venv/bin/python manage.py migrate'",
        },
        Example {
            text: "uwsgi and nginx, in the right order both ways:",
            command: "svc-cycle restart uwsgi nginx",
        },
        Example {
            text: "Two programs of a supervisord with its own configuration:",
            command: "svc-cycle stop -c config/supervisor.conf supervisor:gunicorn supervisor:celeryworker",
        },
        Example {
            text: "From cron, as a line of /etc/cron.d: what has stopped is started, and a mail says so.",
            command: "*/5 * * * * root svc-cycle start -q -f /etc/site/services.toml --journal /var/log/site.jsonl",
        },
        Example {
            text: "A first set file from a supervisord that runs, all its programs:",
            command: "svc-cycle snapshot -o text -c /etc/supervisor/supervisord.conf >services.toml",
        },
        Example {
            text: "Did PRODUCTION reach the daemon?",
            command: "svc-cycle check -f services.toml uwsgi",
        },
    ],
    files: &[
        Entry {
            name: "/var/lib/runbook-tools/svc-cycle.*.journal",
            text: "What a run has stopped and not yet started again; recover reads it, after a reboot too.",
        },
        Entry {
            name: "/run/runbook-tools/svc-cycle.*.lock",
            text: "One for each service that was ever changed.",
        },
    ],
    environment: &[Entry {
        name: "XDG_RUNTIME_DIR, XDG_STATE_HOME, HOME",
        text: "For others than root: locks are in $XDG_RUNTIME_DIR/runbook-tools, journals in ~/.local/state/runbook-tools.",
    }],
    security: &[
        "Processes are signalled only through a pidfd whose start time was checked; a pid file that its group or others can write is \
         refused. COMMAND runs as the caller. Values of environment variables are compared and never printed.",
    ],
    see_also: &[
        "maint-page",
        "venv-sync",
        "systemctl(1)",
        "supervisord(1)",
        "service(8)",
    ],
};

/// Understands what was typed, and reads the set file's text.
///
/// # Errors
/// Usage, or input where the file can't be read.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let typed = parsed.command().unwrap_or_default();
    let action = Action::ALL
        .iter()
        .find(|(name, _)| *name == typed)
        .map(|(_, action)| *action);
    let action = action.ok_or_else(|| {
        Error::usage(
            "say what to do: start, stop, restart, reload, status, check, cycle, recover or snapshot",
        )
    })?;
    let here =
        std::env::current_dir().map_err(|error| Error::io("the working directory", &error))?;
    let source = parsed.path("file").map(Source::read).transpose()?;
    if source.is_some() && parsed.path("config").is_some() {
        return Err(Error::usage("--config is for services named without -f")
            .hint("say config = \"FILE\" in the set file"));
    }
    let directory = match parsed.path("file") {
        Some(path) if path != Path::new("-") => directory_of(path, &here),
        _ => here,
    };
    let owner = match &source {
        Some(source) => source.rights().executor(&source.name)?,
        None => None,
    }
    .map(|user| (user.uid, user.gid));
    let origin = Origin {
        file: source.map(|source| (source.name, source.text)),
        directory,
        config: parsed.path("config").map(PathBuf::from),
        names: parsed
            .positional_texts()
            .into_iter()
            .map(str::to_owned)
            .collect(),
        only: parsed.text("only").map(str::to_owned),
        owner,
        site: parsed.site().map(|site| site.name().to_owned()),
    };
    Ok(Request {
        action,
        origin,
        rolling: parsed.flag("rolling"),
        reload_units: parsed.flag("reload-units"),
        leave_down: parsed.text("on-failure") == Some("leave-down"),
        command_timeout: parsed.duration("command-timeout"),
        command: parsed.trailing().unwrap_or_default().to_vec(),
        run_as: RunAs::read(parsed)?,
    })
}

fn directory_of(path: &Path, here: &Path) -> PathBuf {
    let whole = here.join(path);
    whole
        .parent()
        .map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}
