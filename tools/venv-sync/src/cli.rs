//! The definition of the command line, and the reader that makes a [`Request`] of the arguments.

use std::path::{Path, PathBuf};

use base::RunAs;
use base::cli::{Command, CommandLine, Entry, Example, Opt, Parsed, Positional, Trailing, Value};
use base::error::{Error, Result};
use base::site::Environment;

use crate::environ::Given;
use crate::request::{Build, Depth, Goal, Level, LinkMode, Request, Upgrade};

const VENV: Positional =
    Positional::one("VENV", Value::Dir("VENV"), "The virtual environment").fact("venv");

const WANTED: &[Opt] = &[
    Opt::value(
        "requirement",
        Value::File("FILE"),
        "A requirements file as pip reads it, or a pylock.toml",
    )
    .short('r')
    .many()
    .required()
    .fact("requirements")
    .more(
        "A file named pylock.toml or pylock.NAME.toml is a lock file (PEP 751). For uv.lock, \
         poetry.lock, Pipfile.lock and pyproject.toml the error names the export command.",
    ),
    Opt::value("constraint", Value::File("FILE"), "A constraints file")
        .short('c')
        .many(),
    Opt::value("extra", Value::Text("NAME"), "An extra of the lock file").many(),
    Opt::value(
        "group",
        Value::Text("NAME"),
        "A dependency group of the lock file",
    )
    .many(),
    Opt::value(
        "extraneous",
        Value::Choice("HOW", &["fail", "warn", "ignore"]),
        "How to report a distribution that no file asks for (default fail)",
    )
    .more(
        "pip, setuptools and wheel are always allowed, except where uv made the environment \
         without them.",
    ),
    Opt::value(
        "allow",
        Value::Text("NAME"),
        "Allow the distribution, .pth file or sitecustomize.py NAME, or the distribution NAME of \
         the system",
    )
    .many(),
    Opt::value(
        "verify",
        Value::Choice("DEPTH", &["none", "size", "hash"]),
        "How closely to check the installed files (default size)",
    )
    .more(
        "size finds files that are missing, of another length or not readable; hash reads every \
         byte; none compares only names and versions.",
    ),
    Opt::value(
        "vendor",
        Value::Dir("DIR"),
        "A directory with distributions of the site",
    )
    .many()
    .more(
        "Distributions that site.addsitedir or a .pth file adds from DIR are then no leak, and \
         satisfy requirements.",
    ),
];

const BUILD: &[Opt] = &[
    Opt::value(
        "python",
        Value::Program("EXE"),
        "The interpreter to build with",
    )
    .more(
        "The default is the interpreter of the environment. Another interpreter makes apply build \
         a new release.",
    ),
    Opt::value(
        "installer",
        Value::Choice("NAME", &["uv", "pip"]),
        "The installer",
    )
    .more(
        "The default is uv where uv is on PATH and supports what the files and pip's configuration \
         ask for, else pip; a warning gives the reason.",
    ),
    Opt::value(
        "wheelhouse",
        Value::Dir("DIR"),
        "Install only from the wheels in DIR",
    ),
    Opt::flag(
        "rebuild",
        "Install every distribution again, also where nothing has drifted",
    )
    .more(
        "The newest versions that the files allow are installed, and branches of repositories are \
         fetched again.",
    ),
    Opt::flag(
        "upgrade",
        "Replace every distribution by the newest version that the files allow",
    )
    .more("Without newer versions the environment stays as it is."),
    Opt::value(
        "upgrade-package",
        Value::Text("NAME"),
        "Replace the distribution NAME by the newest version that the files allow",
    )
    .many(),
    Opt::value(
        "drop",
        Value::Text("WHAT"),
        "Give up a property or a file that the new release cannot or need not have",
    )
    .many()
    .more(
        "WHAT is system-site-packages, seeds, pip.conf, or a path inside the environment as apply \
         names it. The file stays in the old release, which is then never removed.",
    ),
    Opt::value(
        "link-mode",
        Value::Choice("HOW", &["copy", "reflink", "hardlink"]),
        "How unchanged files come into a new release",
    )
    .more(
        "The default is reflink where the file system has it, else copy. With hardlink the \
         releases share unchanged files: for sites where nobody edits installed files in place.",
    ),
    Opt::value(
        "keep",
        Value::Count("N"),
        "How many releases to keep (default 3)",
    )
    .more(
        "The live release is one of the N. A release that a process uses, or that holds files of \
         the user that no other release has, is kept beyond N.",
    ),
    Opt::flag(
        "adopt",
        "Take over an environment that is a plain directory or a link that venv-sync did not make",
    )
    .more(
        "A directory becomes the first release; the target of a link stays for a rollback. A \
         worker that runs from the directory can miss a module that the worker imports later: \
         restart the worker.",
    ),
    Opt::value(
        "post-check",
        Value::Text("CHECK"),
        "A module to import, or a command to run, in the new release before it goes live",
    )
    .many()
    .more(
        "A command is split at spaces and finds the new release's programs first on PATH. The \
         command has the caller's variables where the caller owns the environment, else those that \
         ENVIRONMENT names; --env-file, --as and --as-site add more.",
    ),
    Opt::value(
        "env-file",
        Value::File("FILE"),
        "Give builds and post-checks the variables in FILE",
    )
    .more(
        "FILE has NAME=VALUE lines, as systemd's EnvironmentFile=. Every value is a secret: \
         reports show *** in its place.",
    ),
    Opt::value("as", Value::User("USER"), "Run post-checks as USER").more(
        "Without this option post-checks run as the owner of the environment. An environment that \
         belongs to another user than root can only be checked as that user.",
    ),
    Opt::flag("as-site", "Run post-checks as the site's own code runs")
        .more("As the user of the site file, with its env_file, in its directory."),
];

const ROLLBACK: &[Opt] = &[
    Opt::value("to", Value::Text("ID"), "The release to go back to")
        .more("The default is the release that was live when the live one was applied."),
];

pub const LINE: CommandLine = CommandLine {
    name: "venv-sync",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "make a Python virtual environment exactly what its requirements files say, all or \
        nothing",
    description: &[
        "check compares a virtual environment with its requirements files, without starting \
         Python. check finds distributions that are missing, of another version, from another \
         source, not asked for, damaged, visible from outside, or unable to run.",
        "apply builds a new release beside the environment and checks the release. The environment \
         is a symbolic link; one rename makes the link point to the new release. Until the rename, \
         and after a failure, the running site has the old release.",
        "prepare does everything but the rename while the site runs; the next apply with the same \
         files then only renames.",
        "A new release keeps what the environment is: its interpreter, system site packages, pip \
         and setuptools, pip.conf, prompt, mode and group, .pth files, and files that were copied \
         in by hand. apply stops and names what the new release cannot keep; --drop gives that up. \
         Unchanged distributions come from the live release; only what changed is installed.",
        "rollback makes the link point to the release that was live before. list shows the \
         releases, the history of flips, and the processes that run an older release.",
        "venv-sync reads requirements files and pip's configuration files as pip reads them, also \
         where uv reads them differently.",
    ],
    commands: &[
        Command {
            name: "check",
            about: "Compare the environment with the requirements files",
            description: &[],
            options: &[WANTED],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "prepare",
            about: "Build a release for a later apply while the site runs",
            description: &[
                "The release is built, verified, compiled and post-checked. apply makes the \
                 release live if the files, the options and the environment have not changed \
                 since.",
            ],
            options: &[WANTED, BUILD],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "apply",
            about: "Make the environment what the requirements files ask for",
            description: &["apply writes nothing where nothing has drifted."],
            options: &[WANTED, BUILD],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "rollback",
            about: "Go back to an earlier release",
            description: &[],
            options: &[ROLLBACK],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "list",
            about: "List the releases and who runs them",
            description: &[],
            options: &[],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
    ],
    options: &[],
    positionals: &[],
    exit: &[],
    examples: &[
        Example {
            text: "In /etc/cron.d: mail when the environment has drifted:",
            command: "30 4 * * * root venv-sync check -q /srv/site/venv -r \
                /srv/site/requirements.txt --journal /var/log/site.jsonl",
        },
        Example {
            text: "Update the environment; the new release goes live only if Python can import the \
                site's own module:",
            command: "venv-sync apply /srv/venv -r requirements.txt --post-check mysite.wsgi",
        },
        Example {
            text: "Update on a host without network:",
            command: "venv-sync apply /srv/venv -r requirements.txt --wheelhouse /srv/wheels",
        },
        Example {
            text: "Build the new release while the site runs; the next apply only renames:",
            command: "venv-sync prepare /srv/venv -r requirements.txt --post-check mysite.wsgi",
        },
        Example {
            text: "Install the newest versions that the files allow:",
            command: "venv-sync apply -q /srv/venv -r requirements.txt --upgrade",
        },
        Example {
            text: "Go back to the release that was live before:",
            command: "venv-sync rollback /srv/venv",
        },
    ],
    files: &[
        Entry {
            name: "VENV",
            text: "A symbolic link to the live release.",
        },
        Entry {
            name: "VENV.d/releases/",
            text: "The releases. A release that holds .incomplete is being built, or its build was \
                killed. .venv-sync.json records what a release took over from the one before, and \
                whether the release is prepared.",
        },
        Entry {
            name: "VENV.d/history.json",
            text: "Every change of the live release: the time, the old and the new release, the \
                command.",
        },
        Entry {
            name: "VENV.d/lock",
            text: "The lock that prepare, apply and rollback hold.",
        },
        Entry {
            name: "VENV.d/cache/",
            text: "The cache of the installer where the user cannot write to HOME.",
        },
    ],
    environment: &[
        Entry {
            name: "PIP_*, pip.conf, UV_*",
            text: "Variables and pip's configuration files (global, of the user, of the \
                environment, PIP_CONFIG_FILE) count for pip and for uv. Put the credentials of an \
                index there: they then appear on no command line.",
        },
        Entry {
            name: "${NAME}",
            text: "In a requirements file: venv-sync puts the value there, as pip does.",
        },
        Entry {
            name: "PATH HOME USER LOGNAME LANG LC_* TMPDIR TZ TERM SSH_AUTH_SOCK NETRC XDG_* \
                SSL_CERT_* REQUESTS_CA_BUNDLE CURL_CA_BUNDLE *_proxy GIT_* CARGO_* RUSTUP_*",
            text: "The variables that the installer and its child processes get.",
        },
        Entry {
            name: "CC CXX CPP LD AR *FLAGS *_CONFIG *_LIBS *_DIR *_HOME *_INCLUDE *_LIBRARY* \
                *_PATH PKG_CONFIG* CMAKE* MYSQLCLIENT_* SETUPTOOLS_* PBR_* HATCH_* MATURIN_* \
                MAX_JOBS SOURCE_DATE_EPOCH",
            text: "The variables that builds of source distributions get, except PYTHONPATH and \
                PYTHONHOME.",
        },
    ],
    security: &[
        "Where another user owns the environment, root's prepare, apply and rollback do everything \
         as that user: a line in a .pth file, or a setup.py, would otherwise run as root. That \
         user's processes get only the variables that ENVIRONMENT names. check reads only regular \
         files, follows no path out of the environment, and runs nothing.",
        "venv-sync masks passwords in index addresses in reports, errors and the installer's \
         output, and removes them from direct_url.json.",
        "venv-sync removes a release only if every file in the release is one that an installer or \
         a tool for virtual environments put there.",
    ],
    see_also: &["check-reqs", "svc-cycle", "pip(1)"],
};

/// The request of the parsed arguments.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let venv = parsed
        .positionals()
        .first()
        .map(PathBuf::from)
        .ok_or_else(|| Error::usage("VENV is missing"))?;
    let venv = without_slash(&venv)?;
    match parsed.command() {
        Some("check") => Ok(Request::Check(goal(venv, parsed))),
        Some("prepare") => Ok(Request::Prepare(goal(venv, parsed), build(parsed)?)),
        Some("apply") => Ok(Request::Apply(goal(venv, parsed), build(parsed)?)),
        Some("rollback") => Ok(Request::Rollback {
            venv,
            to: parsed.text("to").map(str::to_owned),
        }),
        Some("list") => Ok(Request::List { venv }),
        other => Err(Error::usage(format!(
            "'{}' is not a command",
            other.unwrap_or("nothing")
        ))),
    }
}

/// `venv/` means `venv`: the link, not the target of the link.
fn without_slash(venv: &Path) -> Result<PathBuf> {
    let plain: PathBuf = venv.components().collect();
    match plain.file_name() {
        Some(_) => Ok(plain),
        None => Err(Error::usage(format!(
            "'{}' is not the name of an environment",
            venv.display()
        ))
        .hint("give the path of the environment, such as /srv/venv")),
    }
}

fn goal(venv: PathBuf, parsed: &Parsed) -> Goal {
    let paths = |long| {
        parsed
            .paths(long)
            .into_iter()
            .map(Path::to_path_buf)
            .collect()
    };
    let texts = |long| -> Vec<String> {
        let given = parsed.texts(long).into_iter();
        given.map(str::to_owned).collect()
    };
    Goal {
        venv,
        requirements: paths("requirement"),
        constraints: paths("constraint"),
        extras: texts("extra"),
        groups: texts("group"),
        extraneous: match parsed.text("extraneous") {
            Some("warn") => Level::Warn,
            Some("ignore") => Level::Ignore,
            _ => Level::Fail,
        },
        allow: texts("allow"),
        verify: match parsed.text("verify") {
            Some("none") => Depth::None,
            Some("hash") => Depth::Hash,
            _ => Depth::Size,
        },
        vendor: paths("vendor"),
    }
}

fn given(parsed: &Parsed) -> Result<Given> {
    Ok(match parsed.path("env-file") {
        Some(file) => Given::File(Environment::read(file)?),
        None => Given::Nothing,
    })
}

fn run_as(parsed: &Parsed) -> Result<Option<RunAs>> {
    let is_asked = parsed.text("as").is_some() || parsed.flag("as-site");
    is_asked.then(|| RunAs::read(parsed)).transpose()
}

fn build(parsed: &Parsed) -> Result<Build> {
    let keep = parsed
        .count("keep")
        .map_or(3, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    if keep == 0 {
        return Err(Error::usage("--keep 0 would remove the live release")
            .hint("give --keep 1 to keep only the live release"));
    }
    let (given, run_as) = match crate::delegate::handed()? {
        Some((given, run_as)) => (given, run_as),
        None => (given(parsed)?, run_as(parsed)?),
    };
    Ok(Build {
        python: parsed.path("python").map(Path::to_path_buf),
        installer: parsed.text("installer").map(str::to_owned),
        wheelhouse: parsed.path("wheelhouse").map(Path::to_path_buf),
        keep,
        adopt: parsed.flag("adopt"),
        post_checks: parsed
            .texts("post-check")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        given,
        run_as,
        rebuild: parsed.flag("rebuild"),
        upgrade: Upgrade {
            all: parsed.flag("upgrade"),
            names: parsed
                .texts("upgrade-package")
                .into_iter()
                .map(pydist::name::normalize)
                .collect(),
        },
        drop: parsed
            .texts("drop")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        link_mode: match parsed.text("link-mode") {
            Some("copy") => LinkMode::Copy,
            Some("reflink") => LinkMode::Reflink,
            Some("hardlink") => LinkMode::Hardlink,
            _ => LinkMode::Auto,
        },
    })
}
