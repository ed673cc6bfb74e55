//! The options that mean the same in every tool.

use super::{Entry, Opt, Value};

/// In the order that manuals list them.
pub const COMMON: &[Opt] = &[
    Opt::flag("dry-run", "Report what would change and change nothing")
        .short('n')
        .more("Exit status 1 means that something would change."),
    Opt::value(
        "output",
        Value::Choice("FORMAT", &["json", "text"]),
        "The form of the report",
    )
    .short('o')
    .more("The default is text on a terminal and json, one object on one line, everywhere else."),
    Opt::flag("diff", "Also report the changes line by line"),
    Opt::flag(
        "quiet",
        "Print nothing when nothing changed and nothing is wrong",
    )
    .short('q')
    .more("In cron: no output, no mail."),
    Opt::flag("verbose", "Also report details").short('v'),
    Opt::value(
        "timeout",
        Value::Duration("DURATION"),
        "End the whole run after this time, with exit status 75",
    )
    .more("Durations are written as 90s or 1h 30m."),
    Opt::value(
        "lock-wait",
        Value::Duration("DURATION"),
        "How long to wait for a lock that another process holds",
    )
    .more("Without this option the tool does not wait: exit status 75."),
    Opt::value(
        "journal",
        Value::File("FILE"),
        "Also append the report to FILE, as one line",
    ),
    Opt::value(
        "site",
        Value::Site("FILE"),
        "Take the options that are not given from the site file FILE",
    )
    .more(
        "A bare NAME means /etc/runbook-tools/sites/NAME.toml. Without this option the variable \
         RUNBOOK_SITE names the file: see runbook-tools.site(5).",
    ),
    Opt::value(
        "trust",
        Value::File("FILE"),
        "Lend the input FILE the rights of the caller",
    )
    .many()
    .more(
        "Root reads a file with the rights of the least trusted user who can change the file or a \
         directory above it: what FILE asks for is done as that user, and what only root may do is \
         refused with exit status 2.",
    ),
    Opt::value(
        "color",
        Value::Choice("WHEN", &["auto", "always", "never"]),
        "When to use colour",
    )
    .more("auto, the default, means: on a terminal that is not dumb, unless NO_COLOR is set."),
    Opt::value(
        "ansible-args",
        Value::File("FILE"),
        "Read the options from FILE, as Ansible writes it for a module",
    )
    .more(
        "FILE holds one JSON object; its keys are the long options with _ for -. The tool always \
         prints exactly one JSON object.",
    ),
    Opt::flag("help", "Print help: -h a summary, --help everything").short('h'),
    Opt::flag("version", "Print the version").short('V'),
];

/// The environment variables that every tool reads.
pub const ENVIRONMENT: &[Entry] = &[
    Entry {
        name: "RUNBOOK_SITE",
        text: "The site file, where --site does not name one: a path, or a name in \
            /etc/runbook-tools/sites.",
    },
    Entry {
        name: "NO_COLOR, TERM",
        text: "Text has no colour where NO_COLOR is set to anything, or TERM is dumb or not set.",
    },
];

/// The options of a tool that runs a COMMAND or the site's own code: as whom and with what.
pub const RUN_AS: &[Opt] = &[
    Opt::value("as", Value::User("USER"), "Run COMMAND as USER").more(
        "COMMAND gets USER's groups and home directory, a session of its own without the caller's \
         terminal, umask 022, no open files, and of the caller's variables only the language and \
         the time zone.",
    ),
    Opt::value(
        "env-file",
        Value::File("FILE"),
        "Give COMMAND the variables in FILE",
    )
    .more(
        "FILE has NAME=VALUE lines, as systemd's EnvironmentFile=. Every value is a secret: \
         reports show *** in its place.",
    ),
    Opt::flag("as-site", "Run COMMAND as the site's own code runs").more(
        "As the user of the site file, with its env_file, in its directory and with its venv first \
         on PATH.",
    ),
];
