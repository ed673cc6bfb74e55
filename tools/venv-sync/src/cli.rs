//! The one definition of this command line, and what it means as a [`Request`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base::cli::{Command, CommandLine, Entry, Example, Opt, Parsed, Positional, Trailing, Value};
use base::error::{Error, Result};

use crate::compare::Level;
use crate::verify::Depth;

const VENV: Positional =
    Positional::one("VENV", Value::Dir("VENV"), "The virtual environment").fact("venv");

const WANTED: &[Opt] = &[
    Opt::value("requirement", Value::File("FILE"), "A requirements file, as pip reads it").short('r').many().required().fact("requirements"),
    Opt::value("constraint", Value::File("FILE"), "A constraints file").short('c').many(),
    Opt::value("extraneous", Value::Choice("HOW", &["fail", "warn", "ignore"]), "How to take what nothing asks for")
        .more("The default is fail. pip, setuptools and wheel may always be there, unless uv made the environment without them."),
    Opt::value("allow", Value::Text("NAME"), "A distribution that may be there, or come from the system").many(),
    Opt::value("verify", Value::Choice("DEPTH", &["none", "size", "hash"]), "How closely to look at installed files")
        .more("size, the default, finds what is gone or of another length; hash reads every byte; none looks at names and versions only."),
    Opt::value("vendor", Value::Dir("DIR"), "A directory of distributions that belongs to the site")
        .many()
        .more("What site.addsitedir or a .pth file adds from there is then no leak, and satisfies requirements."),
];

const BUILD: &[Opt] = &[
    Opt::value("python", Value::Program("EXE"), "The interpreter to build with").more("The default is the one the environment has."),
    Opt::value("installer", Value::Choice("NAME", &["uv", "pip"]), "What installs")
        .more("The default is uv where it is on PATH, else pip."),
    Opt::value("wheelhouse", Value::Dir("DIR"), "Install from the wheels in DIR and from nowhere else"),
    Opt::value("keep", Value::Count("N"), "How many releases to keep").more("The default is 3, the live one among them."),
    Opt::flag("adopt", "Take over an environment that is a plain directory or somebody else's link")
        .more("It becomes the first release. A worker that runs from it may miss a module that it imports only later: restart it."),
    Opt::value("post-check", Value::Text("CHECK"), "A module to import, or a command to run, in the new release before it goes live")
        .many()
        .more("A command is split at spaces and finds the new release's programs first on PATH."),
];

const ROLLBACK: &[Opt] = &[
    Opt::value("to", Value::Text("ID"), "The release to go back to")
        .more("The default is the one before the live one."),
];

/// The whole.
pub const LINE: CommandLine = CommandLine {
    name: "venv-sync",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "make a Python virtual environment exactly what its requirements files say, all or nothing",
    description: &[
        "check compares a virtual environment with its requirements files, without starting Python: what is missing, of another \
         version, from another place, asked for by nothing, damaged, or visible from outside.",
        "apply makes it so. It builds a new release beside the environment, checks it, and lets the environment, which is a symbolic \
         link, lead to it by one rename. Until then nothing changes for a running site, and if anything fails nothing has changed.",
        "rollback lets the link lead to an earlier release again. list shows the releases, and the processes that run an older one.",
        "Requirements files are read as pip reads them. Where pip and uv differ, pip's reading holds.",
    ],
    commands: &[
        Command {
            name: "check",
            about: "Say whether the environment is what the files ask for",
            description: &[],
            options: &[WANTED],
            positionals: &[VENV],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "apply",
            about: "Make the environment what the files ask for",
            description: &["Nothing is written where it already is so."],
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
            text: "And back.",
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
            text: "The releases. One that holds .incomplete is being built, or was when something was killed.",
        },
        Entry {
            name: "VENV.d/lock",
            text: "Held while apply or rollback works.",
        },
    ],
    environment: &[
        Entry {
            name: "PIP_INDEX_URL, UV_DEFAULT_INDEX and other PIP_* and UV_*",
            text: "Go to the installer. That is the place for an index's credentials: they then appear on no command line.",
        },
        Entry {
            name: "${NAME}",
            text: "In a requirements file: replaced, as pip does.",
        },
    ],
    security: &[
        "Run by root for an environment that another user owns, apply does everything as that user: a line in a .pth file, or a setup.py, \
         would otherwise run as root. check reads only regular files, follows no path out of the environment, and runs nothing.",
        "Passwords in index addresses are masked in reports, errors and the installer's output, and removed from direct_url.json.",
    ],
    see_also: &["check-reqs", "svc-cycle", "pip(1)"],
};

/// What is asked.
#[derive(Clone, Debug)]
pub enum Request {
    /// Is it so?
    Check(Wanted),
    /// Make it so.
    Apply(Wanted, Build),
    /// Go back.
    Rollback {
        /// The environment.
        venv: PathBuf,
        /// To which release.
        to: Option<String>,
    },
    /// What is there?
    List {
        /// The environment.
        venv: PathBuf,
    },
}

/// The environment, and what it should be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The environment.
    pub venv: PathBuf,
    /// Requirements files.
    pub requirements: Vec<PathBuf>,
    /// Constraints files.
    pub constraints: Vec<PathBuf>,
    /// How to take what nobody asked for.
    pub extraneous: Level,
    /// What may be there, as given.
    pub allow: Vec<String>,
    /// How closely to look.
    pub verify: Depth,
    /// Vendor libraries.
    pub vendor: Vec<PathBuf>,
}

/// How to build.
#[derive(Clone, Debug)]
pub struct Build {
    /// With which interpreter.
    pub python: Option<PathBuf>,
    /// By what; `None` for the best there is.
    pub installer: Option<String>,
    /// From where alone.
    pub wheelhouse: Option<PathBuf>,
    /// How many releases stay.
    pub keep: usize,
    /// Whether a plain directory may be taken over.
    pub adopt: bool,
    /// What has to work.
    pub post_checks: Vec<String>,
}

impl Wanted {
    /// The allowed names as they are compared.
    pub fn allowed(&self) -> BTreeSet<String> {
        self.allow
            .iter()
            .map(|name| pydist::name::normalize(name))
            .collect()
    }

    /// The command that mends drift, for a report's `fix`.
    pub fn apply_command(&self) -> String {
        let mut out = format!("venv-sync apply {}", quoted(&self.venv));
        for (option, paths) in [("-r", &self.requirements), ("-c", &self.constraints)] {
            for path in paths {
                out.push_str(&format!(" {option} {}", quoted(path)));
            }
        }
        out
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    base::shell::quoted(&path.display().to_string())
}

/// The arguments' meaning.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let venv = parsed
        .positionals()
        .first()
        .map(PathBuf::from)
        .ok_or_else(|| Error::usage("VENV is missing"))?;
    let venv = without_slash(&venv)?;
    match parsed.command() {
        Some("check") => Ok(Request::Check(wanted(venv, parsed))),
        Some("apply") => Ok(Request::Apply(wanted(venv, parsed), build(parsed)?)),
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

fn wanted(venv: PathBuf, parsed: &Parsed) -> Wanted {
    let paths = |long| {
        parsed
            .paths(long)
            .into_iter()
            .map(Path::to_path_buf)
            .collect()
    };
    Wanted {
        venv,
        requirements: paths("requirement"),
        constraints: paths("constraint"),
        extraneous: match parsed.text("extraneous") {
            Some("warn") => Level::Warn,
            Some("ignore") => Level::Ignore,
            _ => Level::Fail,
        },
        allow: parsed
            .texts("allow")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        verify: match parsed.text("verify") {
            Some("none") => Depth::None,
            Some("hash") => Depth::Hash,
            _ => Depth::Size,
        },
        vendor: paths("vendor"),
    }
}

fn build(parsed: &Parsed) -> Result<Build> {
    let keep = parsed
        .count("keep")
        .map_or(3, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
    if keep == 0 {
        return Err(Error::usage("--keep: the live release is always kept")
            .hint("--keep 1 keeps nothing else"));
    }
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
    })
}
