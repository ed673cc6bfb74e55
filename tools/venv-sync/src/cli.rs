//! The one definition of this command line, and what it means as a [`Request`].

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
    Opt::value("requirement", Value::File("FILE"), "A requirements file as pip reads it, or a pylock.toml")
        .short('r')
        .many()
        .required()
        .fact("requirements")
        .more("A file named pylock.toml or pylock.NAME.toml is a lock file (PEP 751). For uv.lock, poetry.lock, Pipfile.lock and pyproject.toml the error names the export command."),
    Opt::value("constraint", Value::File("FILE"), "A constraints file").short('c').many(),
    Opt::value("extra", Value::Text("NAME"), "An extra of the lock file").many(),
    Opt::value("group", Value::Text("NAME"), "A dependency group of the lock file").many(),
    Opt::value("extraneous", Value::Choice("HOW", &["fail", "warn", "ignore"]), "How to report a distribution that nothing asks for")
        .more("The default is fail. pip, setuptools and wheel may always be there, unless uv made the environment without them."),
    Opt::value("allow", Value::Text("NAME"), "A distribution, .pth file or sitecustomize.py that may be there, or a distribution that may come from the system").many(),
    Opt::value("verify", Value::Choice("DEPTH", &["none", "size", "hash"]), "How closely to look at installed files")
        .more("size, the default, finds files that are gone, of another length or not readable; hash reads every byte; none looks at names and versions only."),
    Opt::value("vendor", Value::Dir("DIR"), "A directory of distributions that belongs to the site")
        .many()
        .more("What site.addsitedir or a .pth file adds from DIR is then no leak, and satisfies requirements."),
];

const BUILD: &[Opt] = &[
    Opt::value("python", Value::Program("EXE"), "The interpreter to build with")
        .more("The default is the interpreter that the environment has. Another interpreter is a reason to build."),
    Opt::value("installer", Value::Choice("NAME", &["uv", "pip"]), "What installs")
        .more("The default is uv where uv is on PATH and can do what the files and pip's configuration ask for, else pip; a warning gives the reason."),
    Opt::value("wheelhouse", Value::Dir("DIR"), "Install from the wheels in DIR and from nowhere else"),
    Opt::flag("rebuild", "Build every distribution anew, also where nothing has drifted")
        .more("The newest versions that the files allow are installed, and branches of repositories are fetched again."),
    Opt::flag("upgrade", "Replace every distribution by the newest version that the files allow")
        .more("The environment stays as it is where nothing newer exists."),
    Opt::value("upgrade-package", Value::Text("NAME"), "Replace the distribution NAME by the newest version that the files allow").many(),
    Opt::value("drop", Value::Text("WHAT"), "Let go of a property or a file that the new release cannot or need not have")
        .many()
        .more("WHAT is system-site-packages, seeds, pip.conf, or a path inside the environment as apply names it. The file stays in the old release, which is then never removed."),
    Opt::value("link-mode", Value::Choice("HOW", &["copy", "reflink", "hardlink"]), "How unchanged files come into a new release")
        .more("The default is reflink where the file system has it, else copy. With hardlink the releases share unchanged files: for sites where nobody edits installed files in place."),
    Opt::value("keep", Value::Count("N"), "How many releases to keep").more("The default is 3, the live release among them. A release that a process uses, or that holds files of the user's that no other release has, is kept beyond N."),
    Opt::flag("adopt", "Take over an environment that is a plain directory or a link that venv-sync did not make")
        .more("A directory becomes the first release; of a link the target is remembered for rollback. A worker that runs from the directory may miss a module that it imports only later: restart it."),
    Opt::value("post-check", Value::Text("CHECK"), "A module to import, or a command to run, in the new release before it goes live")
        .many()
        .more("A command is split at spaces and finds the new release's programs first on PATH. The command has the caller's variables where the caller owns the environment, else those that ENVIRONMENT names; --env-file, --as and --as-site add more."),
    Opt::value("env-file", Value::File("FILE"), "Variables for builds and post-checks: NAME=VALUE lines as systemd's EnvironmentFile= reads them"),
    Opt::value("as", Value::User("USER"), "Run post-checks as USER")
        .more("Without this option post-checks run as the owner of the environment. An environment that belongs to another user than root can only be checked as that user."),
    Opt::flag("as-site", "Run post-checks as the site's own code runs")
        .more("As the user of the site file, with its env_file, in its directory."),
];

const ROLLBACK: &[Opt] = &[
    Opt::value("to", Value::Text("ID"), "The release to go back to")
        .more("The default is the release that was live when the live one was applied."),
];

/// The command line.
pub const LINE: CommandLine = CommandLine {
    name: "venv-sync",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "make a Python virtual environment exactly what its requirements files say, all or nothing",
    description: &[
        "check compares a virtual environment with its requirements files, without starting Python: what is missing, of another \
         version, from another place, asked for by nothing, damaged, visible from outside, or unable to run.",
        "apply builds a new release beside the environment, checks the release, and lets the environment, which is a symbolic \
         link, lead to it by one rename. Until then nothing changes for a running site, and if anything fails nothing has changed.",
        "prepare does everything but the rename, while the site runs; the next apply with the same files then only renames.",
        "A new release keeps what the environment is: its interpreter, system site packages, pip and setuptools, pip.conf, prompt, \
         mode and group, .pth files, and files that were copied in by hand. What cannot be kept stops apply and is named; --drop lets go of it. \
         Unchanged distributions come from the live release; only what changed is installed.",
        "rollback lets the link lead to the release that was live before. list shows the releases, the history of flips, and the \
         processes that run an older release.",
        "Requirements files and pip's configuration files are read as pip reads them. Where pip and uv differ, pip's reading holds.",
    ],
    commands: &[
        Command {
            name: "check",
            about: "Compare the environment with the files",
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
                "The release is built, verified, compiled and post-checked. apply flips to it if the files, the options and the environment have not changed since.",
            ],
            options: &[WANTED, BUILD],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "apply",
            about: "Make the environment what the files ask for",
            description: &["Nothing is written where nothing has drifted."],
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
            text: "From cron, as a line of /etc/cron.d: mail if the environment has drifted.",
            command: "30 4 * * * root venv-sync check -q /srv/site/venv -r /srv/site/requirements.txt --journal /var/log/site.jsonl",
        },
        Example {
            text: "An update that goes live only if the site's own module can be imported.",
            command: "venv-sync apply /srv/venv -r requirements.txt --post-check mysite.wsgi",
        },
        Example {
            text: "On a host without network.",
            command: "venv-sync apply /srv/venv -r requirements.txt --wheelhouse /srv/wheels",
        },
        Example {
            text: "Build while the site runs, then flip while it is stopped.",
            command: "venv-sync prepare /srv/venv -r requirements.txt --post-check mysite.wsgi",
        },
        Example {
            text: "Every night the newest versions that the files allow.",
            command: "venv-sync apply -q /srv/venv -r requirements.txt --upgrade",
        },
        Example {
            text: "Back to the release before.",
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
            text: "The releases. A release that holds .incomplete is being built, or its build was killed. .venv-sync.json says what was carried over into a release, and whether it is prepared.",
        },
        Entry {
            name: "VENV.d/history.json",
            text: "The flips: when, from which release, to which, by which command.",
        },
        Entry {
            name: "VENV.d/lock",
            text: "Held while prepare, apply or rollback works.",
        },
        Entry {
            name: "VENV.d/cache/",
            text: "The installer's cache where the user's HOME cannot be written.",
        },
    ],
    environment: &[
        Entry {
            name: "PIP_*, pip.conf, UV_*",
            text: "Variables and pip's configuration files (global, of the user, of the environment, PIP_CONFIG_FILE) count for pip and for uv. They are the place for an index's credentials: these then appear on no command line.",
        },
        Entry {
            name: "${NAME}",
            text: "In a requirements file: replaced, as pip does.",
        },
        Entry {
            name: "PATH HOME USER LOGNAME LANG LC_* TMPDIR TZ TERM SSH_AUTH_SOCK NETRC XDG_* SSL_CERT_* REQUESTS_CA_BUNDLE CURL_CA_BUNDLE *_proxy GIT_* CARGO_* RUSTUP_*",
            text: "Reach the installer and what it starts.",
        },
        Entry {
            name: "CC CXX CPP LD AR *FLAGS *_CONFIG *_LIBS *_DIR *_HOME *_INCLUDE *_LIBRARY* *_PATH PKG_CONFIG* CMAKE* MYSQLCLIENT_* SETUPTOOLS_* PBR_* HATCH_* MATURIN_* MAX_JOBS SOURCE_DATE_EPOCH",
            text: "Reach the builds of source distributions, except PYTHONPATH and PYTHONHOME.",
        },
    ],
    security: &[
        "Run by root for an environment that another user owns, prepare, apply and rollback do everything as that user: a line in a .pth file, or a setup.py, \
         would otherwise run as root. Only the variables that ENVIRONMENT names reach that user. check reads only regular files, follows no path out of the environment, and runs nothing.",
        "Passwords in index addresses are masked in reports, errors and the installer's output, and removed from direct_url.json.",
        "Nothing that no RECORD and no tool for virtual environments made is ever removed with a release.",
    ],
    see_also: &["check-reqs", "svc-cycle", "pip(1)"],
};

/// The arguments' meaning.
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
            "{} is not a command",
            other.unwrap_or("nothing")
        ))),
    }
}

/// `venv/` is `venv`: the link itself is meant, not what it leads to.
fn without_slash(venv: &Path) -> Result<PathBuf> {
    let plain: PathBuf = venv.components().collect();
    match plain.file_name() {
        Some(_) => Ok(plain),
        None => Err(Error::usage(format!(
            "{} is not the name of an environment",
            venv.display()
        ))
        .hint("give its path, such as /srv/venv")),
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
        return Err(Error::usage("--keep: the live release is always kept")
            .hint("--keep 1 keeps nothing else"));
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
