//! The definition of the command line, and the reader that makes a request of the arguments.

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
    Opt::value(
        "file",
        Value::File("FILE"),
        "Read the services from FILE (TOML or JSON, - for standard input)",
    )
    .short('f')
    .more(
        "Each table [service.NAME] names the service manager, the services that start before it, \
         and the conditions for ready and for stopped.",
    ),
    Opt::value(
        "config",
        Value::File("FILE"),
        "supervisord's or compose's own configuration, for services named without -f",
    )
    .short('c')
    .more(
        "As for supervisorctl -c. The default is the first file that exists in the usual places.",
    ),
    Opt::value(
        "only",
        Value::Text("GLOB"),
        "Only the services whose names match GLOB",
    ),
];

const UNITS: &[Opt] = &[Opt::flag(
    "reload-units",
    "First have systemd read the unit files that changed on disk (daemon-reload)",
)];

const ROLLING: &[Opt] = &[Opt::flag(
    "rolling",
    "Restart one member after another, each when the one before is ready",
)
.more(
    "Members are the processes of a supervisord group, and the services: while one restarts, the \
     others answer.",
)];

const AROUND: &[Opt] = &[
    Opt::value(
        "on-failure",
        Value::Choice("WHAT", &["start", "leave-down"]),
        "What to do with the services when COMMAND fails (default start)",
    )
    .more(
        "leave-down keeps the services stopped, with exit status 125; `svc-cycle recover SERVICE` \
         starts them later, by their names.",
    ),
    Opt::value(
        "command-timeout",
        Value::Duration("DURATION"),
        "End COMMAND after this time; COMMAND has then failed",
    ),
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
    about: "stop, start, restart, reload or inspect services in order, and verify the result",
    description: &[
        "svc-cycle stops, starts, restarts and reloads a set of services in order, over systemd, \
         supervisord, init scripts, compose, pid files and plain commands. An exit status proves \
         nothing to svc-cycle. A service is ready when its own processes answer the probes and \
         stay up; a service is stopped when every process that it had is gone.",
        "svc-cycle cycle stops the services, runs COMMAND, and starts the services that ran \
         before, whatever happens to COMMAND, to the terminal or to svc-cycle: a guardian process \
         starts the services even after SIGKILL.",
        "Services named on the command line start in the order given and stop in the reverse \
         order. In a set file the key after gives the order; services without an order between \
         them start and stop at the same time.",
    ],
    commands: &[
        verb(
            "start",
            "Start the services that do not run, and wait until they are ready",
            &[],
            &[SELECTION, UNITS],
        ),
        verb(
            "stop",
            "Stop the services, and wait until every process is gone",
            &["A service with policy = \"ensure\" is stopped only when it is named."],
            &[SELECTION],
        ),
        verb(
            "restart",
            "Stop the services in reverse order, then start them",
            &[],
            &[SELECTION, ROLLING, UNITS],
        ),
        verb(
            "reload",
            "Reload the services, and prove that they took the reload",
            &[
                "The preflight command runs first. After the reload the main process has to be the \
                 same, with new workers.",
            ],
            &[SELECTION],
        ),
        verb(
            "status",
            "Report which services run; exit status 1 unless all run",
            &[],
            &[SELECTION],
        ),
        verb(
            "check",
            "Report as status does, and ask the probes and compare the expectations",
            &[],
            &[SELECTION],
        ),
        Command {
            name: "cycle",
            about: "Stop the services, run COMMAND, and start the services again",
            description: &[
                "A service that was down before stays down. svc-cycle passes TERM, INT and HUP on \
                 to COMMAND's process group, and kills the group after a grace of 10 seconds. Then \
                 the services are started: no number of signals prevents the start.",
                "On a terminal COMMAND has the keyboard, so Ctrl-C goes to COMMAND alone, as \
                 without svc-cycle. Where COMMAND does not end on Ctrl-C (a database driver that \
                 waits for a lock), give --command-timeout, or send TERM to svc-cycle.",
            ],
            options: &[SELECTION, AROUND, UNITS, RUN_AS],
            positionals: SERVICES,
            trailing: Trailing::Required,
            default: false,
        },
        Command {
            name: "recover",
            about: "Start the services that an interrupted run left down",
            description: &[
                "Without a selection recover starts the services of every interrupted run; with a \
                 selection only those. Services that a run left down on purpose (--on-failure \
                 leave-down) are started only when the command line names them one by one. After a reboot the \
                 services that a run had stopped before it are started, too, where the init system \
                 has not started them. The packages have a timer that runs recover after the boot \
                 and every five minutes: `systemctl enable --now svc-cycle-recover.timer`.",
                "With a site file only runs for that site count, and runs without a site file that \
                 stopped a service of the site's set.",
                "Without an interrupted run recover does nothing, so a runbook can begin with it.",
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
                "Each service that runs becomes a table: its service manager, the services that \
                 start before it (After= of systemd, priority of supervisord), its ports or its \
                 socket, its user and its executable. -o text prints the file; the report has the \
                 file under the key set.",
            ],
            &[SELECTION],
        ),
    ],
    options: &[],
    positionals: &[],
    exit: &[
        Row {
            code: "1",
            meaning: "Also: for status and check, a service does not run, does not answer, or \
                differs from what is expected.",
        },
        Row {
            code: "125",
            meaning: "Also: for cycle, a service could not be stopped, or a service that ran \
                before is down or not ready.",
        },
    ],
    examples: &[
        Example {
            text: "Update the code while the services are stopped, and start them afterwards:",
            command: "svc-cycle cycle -f services.toml -- sh -ec 'git pull --ff-only && \
                venv/bin/python manage.py migrate'",
        },
        Example {
            text: "Restart uwsgi and nginx: nginx stops first and starts last:",
            command: "svc-cycle restart uwsgi nginx",
        },
        Example {
            text: "Stop two programs of a supervisord that has its own configuration:",
            command: "svc-cycle stop -c config/supervisor.conf supervisor:gunicorn supervisor:celeryworker",
        },
        Example {
            text: "In /etc/cron.d: start the services that have stopped, and mail what was \
                started:",
            command: "*/5 * * * * root svc-cycle start -q -f /etc/site/services.toml --journal \
                /var/log/site.jsonl",
        },
        Example {
            text: "Write a first set file with all programs of a supervisord:",
            command: "svc-cycle snapshot -o text -c /etc/supervisor/supervisord.conf \
                >services.toml",
        },
        Example {
            text: "Check that the variable PRODUCTION reached the daemon, as the set file expects:",
            command: "svc-cycle check -f services.toml uwsgi",
        },
    ],
    files: &[
        Entry {
            name: "/var/lib/runbook-tools/svc-cycle.*.journal",
            text: "The services that a run has stopped and not yet started again; recover reads \
                the file, after a reboot, too.",
        },
        Entry {
            name: "/run/runbook-tools/svc-cycle.*.lock",
            text: "The locks: one for each service that was ever changed. Runs of different users \
                exclude each other, too, where both users can change the service.",
        },
        Entry {
            name: "/run/runbook-tools/svc-cycle.*.finished",
            text: "A note for each one-shot unit (oneshot = true) that a run has started and that \
                ended well in this boot: systemd itself may forget that.",
        },
        Entry {
            name: "/usr/lib/systemd/system/svc-cycle-recover.timer, svc-cycle-recover.service",
            text: "The units for recover, not enabled: `systemctl enable --now \
                svc-cycle-recover.timer` has recover run after the boot and every five minutes.",
        },
    ],
    environment: &[Entry {
        name: "XDG_RUNTIME_DIR, XDG_STATE_HOME, HOME",
        text: "The places for users other than root: locks are in $XDG_RUNTIME_DIR/runbook-tools, \
            journals in ~/.local/state/runbook-tools.",
    }],
    security: &[
        "svc-cycle signals a process only through a pidfd whose start time was checked, and \
         refuses a pid file that the group or other users can write to. COMMAND runs as the \
         caller. svc-cycle compares the values of environment variables and never prints a value.",
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
/// Usage, or input where the file cannot be read.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let typed = parsed.command().unwrap_or_default();
    let action = Action::ALL
        .iter()
        .find(|(name, _)| *name == typed)
        .map(|(_, action)| *action);
    let action = action.ok_or_else(|| {
        Error::usage(
            "give one of start, stop, restart, reload, status, check, cycle, recover, snapshot",
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
        listed: parsed.positionals_are_the_site_s(),
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
