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
        "Joins three things: what the configurations of the services say, which files their processes really hold open, and what logrotate \
         will do to those files. Without SERVICE, the services that --conf names are reported, or every one that is found.",
        "Nothing is disturbed. No service is asked, because several create the logs they find missing when they are; no log is opened; no \
         configuration that is code is run. A path that only code could tell is reported as dynamic_config.",
        "Problems of a log, each with a message and what to do: missing_dir, missing_file (the service runs without it), not_writable, \
         reopen_blocked (after a rotation the worker may not open it again), deleted_open (with the bytes that are held), renamed_open, \
         path_replaced (the service runs and does not hold the file), opened_never_written (a more specific log takes the lines), suspect_name \
         (such as off), not_rotated, rotated_twice, rotation_refused, rotation_skipped and rotation_config_ignored (by logrotate), \
         rotation_loses_lines (the service goes on writing the old file), rotation_never_runs (nothing runs logrotate), \
         create_owner_mismatch (logrotate makes the new file for somebody else), shared_file, symlink, fifo, unresolved_variable, dynamic_config, other_namespace, world_writable_dir.",
        "Problems of a configuration, in errors: include_loop, include_missing, config_too_large, config_unreadable, config_invalid.",
    ],
    commands: &[],
    options: &[
        Opt::flag("print0", "Print only the names of existing files, each once, ended by a NUL").short('0'),
        Opt::flag("plain", "Print only the names of existing files, one a line").more("A name that holds control bytes is refused: use -0."),
        Opt::flag("config-only", "Believe the configurations; look at no open files"),
        Opt::flag("open-only", "Look at open files; read no configuration"),
        Opt::flag("check", "Exit with 1 when there are problems")
            .more("With -q only the logs that have problems are printed."),
        Opt::flag("problems", "Report only the logs that have problems"),
        Opt::flag("create-dirs", "Make the directories that logs need and that are missing")
            .more("With -n they are only named. A directory belongs to whoever opens the log; nothing is made below a directory that others can write."),
        Opt::value("kind", Value::Choice("KIND", Kind::NAMES), "Only logs of this kind").many(),
        Opt::value("root", Value::Dir("DIR"), "Read the configurations below DIR, as a system installed there would")
            .more("The processes of this machine are not looked at then."),
        Opt::value("conf", Value::Bytes("SERVICE=PATH"), "Read this configuration of SERVICE instead of the usual one")
            .many()
            .more("SERVICE may be logrotate, too."),
    ],
    positionals: &[Positional::any("SERVICE", Value::Text("SERVICE"), service::LIST)],
    exit: &[
        Row { code: "1", meaning: "nothing was found; with --check, there are problems" },
        Row { code: "3", meaning: "the list is not whole: a configuration or a process could not be read" },
    ],
    examples: &[
        Example {
            text: "From cron, as a line of /etc/cron.d: mail if a log of the site is not healthy.",
            command: "50 4 * * * root log-paths -q --check --conf nginx=/etc/site/nginx.conf --journal /var/log/site.jsonl nginx",
        },
        Example { text: "Follow every log of nginx.", command: "log-paths -0 nginx | xargs -0r tail -F" },
        Example { text: "Find files that were deleted and still fill the disk.", command: "log-paths --open-only -o json | jq '.items[] | select(.problems[].code == \"deleted_open\")'" },
        Example { text: "Before nginx is started: make the directories its configuration names.", command: "log-paths --config-only --create-dirs nginx" },
    ],
    files: &[
        Entry { name: "/etc/nginx/nginx.conf, /etc/supervisor/supervisord.conf, /etc/postgresql/*/*/postgresql.conf", text: "Read where no process says otherwise." },
        Entry { name: "/etc/logrotate.conf", text: "What logrotate will do." },
        Entry { name: "/proc/PID/fd", text: "What is open. Without root, other users' processes are closed to it, and the exit status is 3." },
    ],
    environment: &[],
    security: &[
        "Configurations are data: nothing in them is run. Only regular files of at most 4 MiB are read, and FIFOs are not waited for.",
        "With --create-dirs, links are not followed, and only what was made is given away.",
    ],
    see_also: &["logrotate(8)", "lsof(8)", "tail(1)"],
};

/// What the arguments ask for.
///
/// # Errors
/// When they contradict each other, or name what there is not.
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
            Error::usage(format!("{word:?} is no service that is known here"))
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
