//! The command line, and the request that it makes.

use crate::log::Kind;
use crate::request::{Look, Print, Request};
use crate::service;
use base::cli::{CommandLine, Entry, Example, Opt, Parsed, Positional, Value};
use base::error::{Error, Result};
use base::exit::Row;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The one definition of this command line.
pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "log-paths",
    version: env!("CARGO_PKG_VERSION"),
    section: 1,
    about: "say where a site logs, and whether each log is healthy",
    description: &[
        "log-paths compares three things: the logs that the configurations of the services name, \
         the files that the processes of the services hold open, and the files that logrotate \
         rotates. Without SERVICE log-paths reports the services that --conf names, or every \
         service of the host.",
        "log-paths disturbs no service: it opens no log, runs no configuration that is code, and \
         asks no service for its configuration, because several services create missing logs when \
         they are asked. A path that only running code could compute is reported as \
         dynamic_config.",
        "Problems of a log, each with a message and a fix: missing_dir, missing_file (the service \
         runs without the file), not_writable, reopen_blocked (the worker may not open the log \
         again after a rotation), deleted_open (a process holds the deleted file; the report has \
         the bytes), renamed_open, path_replaced (the service runs and holds another file), \
         opened_never_written (a more specific log takes the lines), suspect_name (such as off), \
         not_rotated, rotated_twice, rotation_refused, rotation_skipped and \
         rotation_config_ignored (by logrotate), rotation_loses_lines (the service goes on writing \
         the old file), rotation_never_runs (no timer and no cron job runs logrotate), \
         create_owner_mismatch (logrotate gives the new file to another user), shared_file, \
         symlink, fifo, unresolved_variable, dynamic_config, other_namespace, world_writable_dir.",
        "Problems of a configuration, under the key errors: include_loop, include_missing, \
         config_too_large, config_unreadable, config_invalid.",
    ],
    commands: &[],
    options: &[
        Opt::flag(
            "print0",
            "Print only the names of existing files, each once, ended by a NUL",
        )
        .short('0'),
        Opt::flag(
            "plain",
            "Print only the names of existing files, one a line",
        )
        .more("log-paths refuses a name that holds control bytes: use -0."),
        Opt::flag(
            "config-only",
            "Read the configurations only; look at no process",
        ),
        Opt::flag(
            "open-only",
            "Look at open files only; read no configuration",
        ),
        Opt::flag(
            "check",
            "Exit with status 1 when a log or a configuration has a problem",
        )
        .more("With -q only the logs that have problems are printed."),
        Opt::flag("problems", "Report only the logs that have problems"),
        Opt::flag("create-dirs", "Create the missing directories of logs").more(
            "With -n the report only names the directories. The user that opens the log owns the \
             new directory. log-paths creates no directory below one that other users can write \
             to.",
        ),
        Opt::value(
            "kind",
            Value::Choice("KIND", Kind::NAMES),
            "Only logs of this kind",
        )
        .many(),
        Opt::value(
            "root",
            Value::Dir("DIR"),
            "Read the configurations of the system that is installed below DIR",
        )
        .more("log-paths then looks at no process."),
        Opt::value(
            "conf",
            Value::Bytes("SERVICE=PATH"),
            "Read the configuration PATH of SERVICE instead of the usual one",
        )
        .many()
        .more("SERVICE may be logrotate, too."),
    ],
    positionals: &[Positional::any(
        "SERVICE",
        Value::Text("SERVICE"),
        service::LIST,
    )],
    exit: &[
        Row {
            code: "1",
            meaning: "No log was found; with --check: a log or a configuration has a problem.",
        },
        Row {
            code: "3",
            meaning: "The list is incomplete: log-paths could not read a configuration or a \
                process.",
        },
    ],
    examples: &[
        Example {
            text: "In /etc/cron.d: mail when a log of the site has a problem.",
            command: "50 4 * * * root log-paths -q --check --conf nginx=/etc/site/nginx.conf \
                --journal /var/log/site.jsonl nginx",
        },
        Example {
            text: "List the logs of this host that have a problem, each with a fix.",
            command: "log-paths --problems -o text",
        },
        Example {
            text: "Follow every log of nginx.",
            command: "log-paths -0 nginx | xargs -0r tail -F",
        },
        Example {
            text: "Find the deleted logs that still fill the disk.",
            command: "log-paths --open-only -o json | jq '.items[] | select(.problems[].code == \
                \"deleted_open\")'",
        },
        Example {
            text: "Before the first start of nginx: create the directories of the logs.",
            command: "log-paths --config-only --create-dirs nginx",
        },
    ],
    files: &[
        Entry {
            name: "/etc/nginx/nginx.conf, /etc/supervisor/supervisord.conf, \
                /etc/postgresql/*/*/postgresql.conf",
            text: "The configurations of services that do not run, or whose processes name no \
                other file.",
        },
        Entry {
            name: "/etc/logrotate.conf",
            text: "The rules of logrotate.",
        },
        Entry {
            name: "/proc/PID/fd",
            text: "The open files of a process. Only root can list those of other users; otherwise \
                the exit status is 3.",
        },
    ],
    environment: &[],
    security: &[
        "log-paths runs nothing that a configuration contains, reads only regular files of at most \
         4 MiB, and never waits for a FIFO.",
        "--create-dirs follows no link, and changes the owner only of directories that it created.",
    ],
    see_also: &["logrotate(8)", "lsof(8)", "tail(1)"],
};

/// The request of the parsed arguments.
///
/// # Errors
/// `Kind::Usage`: the arguments contradict each other, or name an unknown service.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let both = |one: &str, other: &str| parsed.flag(one) && parsed.flag(other);
    for (one, other) in [
        ("print0", "plain"),
        ("config-only", "open-only"),
        ("create-dirs", "open-only"),
    ] {
        if both(one, other) {
            return Err(
                Error::usage(format!("--{one} and --{other} exclude each other"))
                    .hint("leave one of them out"),
            );
        }
    }
    if parsed.flag("open-only") && parsed.path("root").is_some() {
        return Err(Error::usage("--open-only and --root exclude each other")
            .hint("processes are those of this machine: leave --root out"));
    }
    let mut services = Vec::new();
    for word in parsed.positionals() {
        services.push(known(&word.to_string_lossy())?);
    }
    let conf = parsed
        .all_os("conf")
        .iter()
        .map(|given| pair(given))
        .collect::<Result<Vec<_>>>()?;
    if services.is_empty() {
        services = conf
            .iter()
            .filter_map(|(name, _): &(String, PathBuf)| service::named(name))
            .map(|service| service.name)
            .collect();
    }
    Ok(Request {
        services,
        kinds: parsed
            .texts("kind")
            .into_iter()
            .filter_map(Kind::named)
            .collect(),
        conf,
        root: parsed.path("root").map(PathBuf::from),
        look: match (parsed.flag("config-only"), parsed.flag("open-only")) {
            (true, _) => Look::Config,
            (_, true) => Look::Open,
            _ => Look::Both,
        },
        print: match (parsed.flag("print0"), parsed.flag("plain")) {
            (true, _) => Print::Nul,
            (_, true) => Print::Lines,
            _ => Print::Report,
        },
        check: parsed.flag("check"),
        create_dirs: parsed.flag("create-dirs"),
        problems: parsed.flag("problems"),
    })
}

fn known(word: &str) -> Result<&'static str> {
    service::named(word)
        .map(|service| service.name)
        .ok_or_else(|| {
            let names: Vec<&str> = service::SERVICES
                .iter()
                .map(|service| service.name)
                .collect();
            Error::usage(format!(
                "unknown service '{}'",
                base::terminal::escape(word)
            ))
            .hint(format!("one of {}", names.join(", ")))
        })
}

fn pair(given: &OsStr) -> Result<(String, PathBuf)> {
    let bytes = given.as_bytes();
    let Some(at) = bytes.iter().position(|byte| *byte == b'=') else {
        return Err(Error::usage(format!("--conf {given:?}: not SERVICE=PATH"))
            .hint("for example --conf nginx=/etc/nginx/nginx.conf"));
    };
    let service = String::from_utf8_lossy(&bytes[..at]).into_owned();
    if service != "logrotate" {
        known(&service)?;
    }
    let path = PathBuf::from(OsString::from_vec(bytes[at + 1..].to_vec()));
    if path.as_os_str().is_empty() {
        return Err(Error::usage(format!("--conf {service}=: no path"))
            .hint("for example --conf nginx=/etc/nginx/nginx.conf"));
    }
    Ok((service, path))
}
