//! The definition of the command line, and the reader that makes a [`Request`] of the arguments.

use crate::document::{Origin, Settings};
use crate::request::{Action, FailOn, Request, Source};
use base::cli::{CommandLine, Entry, Example, Opt, Parsed, Positional, Value};
use base::exit::Row;
use base::{Error, Result, RunAs};
use std::path::Path;
use std::time::Duration;

/// The formats of `-o`.
const FORMATS: &[&str] = &[
    "json",
    "text",
    "ndjson",
    "nagios",
    "tap",
    "junit",
    "prometheus",
];

/// The definition.
pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "check-reqs",
    version: env!("CARGO_PKG_VERSION"),
    section: 1,
    about: "say whether this host has what a site needs, and how each gap is fixed",
    description: &[
        "check-reqs compares this host with a list of requirements. The report says of each \
         requirement whether the host meets the requirement (met, unmet or unknown), why, and what \
         to type to meet the requirement. Requirements stand on the command line in a short form \
         (NEED), or in files of TOML or JSON. check-reqs checks them side by side, reports them in \
         the order in which they were given, and changes nothing.",
        "A requirement is unknown where check-reqs lacks the permission to look, finds no service \
         manager to ask, or gets no answer in time.",
        "A bar separates alternatives, of which the host needs one, as in 'cmd:nginx|cmd:apache2'.",
        "--explain ID prints what a requirement means and how check-reqs checks the requirement.",
    ],
    commands: &[],
    options: &[
        Opt::value(
            "file",
            Value::File("FILE"),
            "Read requirements from FILE, TOML or JSON; - is standard input",
        )
        .short('f')
        .many(),
        Opt::value(
            "only",
            Value::Text("ID"),
            "Check only the requirement ID, and the requirements that it needs",
        )
        .many(),
        Opt::value(
            "tag",
            Value::Text("TAG"),
            "Check only the requirements with this tag, and those that they need",
        )
        .many(),
        Opt::value(
            "set",
            Value::Text("NAME=VALUE"),
            "Put VALUE in the place of ${NAME} in requirements",
        )
        .many(),
        Opt::value(
            "wait",
            Value::Duration("DURATION"),
            "Check again until every requirement is met, at most this long",
        )
        .more(
            "The tool prints one report, at the end. A requirement that was met is not checked \
             again.",
        ),
        Opt::value(
            "interval",
            Value::Duration("DURATION"),
            "How long to pause between checks with --wait (default 2s)",
        ),
        Opt::value(
            "each",
            Value::Duration("DURATION"),
            "The longest time that one check may take (default 10s; 120s for django)",
        )
        .more(
            "After that time check-reqs ends the programs that the check started. The key timeout \
             of a requirement wins over this option.",
        ),
        Opt::value(
            "jobs",
            Value::Count("N"),
            "How many requirements to check side by side (default: four for each processor)",
        )
        .short('j'),
        Opt::value(
            "fail-on",
            Value::Choice("LEVEL", &["fail", "warn", "unknown"]),
            "The least serious result that makes the exit status 1 (default fail)",
        ),
        Opt::value(
            "output",
            Value::Choice("FORMAT", FORMATS),
            "The form of the report",
        )
        .short('o')
        .more(
            "The default is text on a terminal and json, one object on one line, everywhere else. \
             ndjson is one item a line; nagios is the line and the exit status of a monitoring \
             plugin; tap, junit and prometheus are for test harnesses, build servers and the node \
             exporter's textfile collector.",
        ),
        Opt::value(
            "as",
            Value::User("USER"),
            "Run the site's own code (django) as USER",
        )
        .more(
            "The key user of a requirement wins over this option. Without both, root runs the code \
             as the owner of the site's directory.",
        ),
        Opt::value(
            "env-file",
            Value::File("FILE"),
            "Give the site's own code the variables in FILE",
        )
        .more(
            "FILE has NAME=VALUE lines, as systemd's EnvironmentFile=. Every value is a secret: \
             reports show *** in its place.",
        ),
        Opt::flag("as-site", "Run the site's own code as the site file says")
            .more("As the user of the site file, with its env_file."),
        Opt::flag("list", "List the requirements without checking them"),
        Opt::value(
            "explain",
            Value::Text("ID"),
            "Print what the requirement ID means and how the tool checks it",
        ),
        Opt::flag(
            "snapshot",
            "Write the requirements that this host meets; each NEED is a kind: python, dist@VENV, \
             package, …",
        )
        .more(
            "Kinds: python[@VENV], dist[@VENV] or dist:NAME[@VENV], package[:NAME], command:NAME, \
             postgres[@CONNECTION], extension[@CONNECTION], user[:NAME], group:NAME, \
             service[:NAME], port, crontab, directory:PATH. The kind site, or site@DIR, writes a \
             site file instead, from the site's processes: see runbook-tools.site(5). The file is \
             TOML, or JSON with -o json. On another server check-reqs -f FILE compares that server \
             with this one.",
        ),
    ],
    positionals: &[Positional::any(
        "NEED",
        Value::Text("NEED"),
        "A requirement in its short form, such as 'python>=3.10' or disk:/srv:2G; with --snapshot \
         a kind of requirement",
    )],
    exit: &[
        Row {
            code: "1",
            meaning: "A requirement is unmet (with --fail-on warn or unknown: a warning, or a \
                requirement that is unknown).",
        },
        Row {
            code: "3",
            meaning: "No requirement is unmet, and at least one is unknown.",
        },
        Row {
            code: "0, 1, 2, 3",
            meaning: "With -o nagios: OK, WARNING, CRITICAL, UNKNOWN, as a monitoring system reads \
                the exit status.",
        },
    ],
    examples: &[
        Example {
            text: "Before the installation of a forum: check what the forum's guide asks for.",
            command: "check-reqs 'python>=3.9' 'postgres>=13' memory:128M disk:/srv:2G cmd:nginx \
                crontab",
        },
        Example {
            text: "Install what is missing: run every step of the fixes that a shell can run.",
            command: "check-reqs -f site.toml | jq -r '.items[].fix.steps[]? | select(.kind == \
                \"shell\") | .text' | sh -e",
        },
        Example {
            text: "After a restart: wait until the site answers.",
            command: "check-reqs --wait 60s http:http://127.0.0.1:8000/",
        },
        Example {
            text: "In /etc/cron.d: mail when a requirement is unmet or unknown.",
            command: "10 4 * * * root check-reqs -q -f /etc/site/requirements.toml --tag nightly \
                --journal /var/log/site.jsonl",
        },
        Example {
            text: "Write a first site file for the Django site that runs on this host.",
            command: "check-reqs --snapshot site > reef.toml",
        },
        Example {
            text: "Before a move to another server: write what this server has as a list of \
                requirements.",
            command: "check-reqs --snapshot python@/srv/venv dist@/srv/venv package:nginx > \
                site.toml",
        },
    ],
    files: &[
        Entry {
            name: "/etc/os-release",
            text: "The name of the distribution: fixes have the commands of that distribution.",
        },
        Entry {
            name: "~/.pgpass, ~/.pg_service.conf",
            text: "Passwords and named connections for postgres and extension, read as libpq reads \
                them.",
        },
    ],
    environment: &[
        Entry {
            name: "PATH",
            text: "The directories that are searched for commands, before the system's own \
                directories.",
        },
        Entry {
            name: "PGHOST, PGUSER, …",
            text: "The variables of libpq, for postgres and extension.",
        },
        Entry {
            name: "SSL_CERT_FILE",
            text: "Trusted certificates, for http, smtp and tls.",
        },
    ],
    security: &[
        "check-reqs only looks: it writes no file (django collects static files into a directory \
         in TMPDIR, which is removed), runs no package manager and sends no mail. Root's \
         check-reqs runs another user's interpreter or site as that user, without the caller's \
         environment, and looks as that user at everything that another user's FILE asks for.",
        "Passwords in URLs, connection strings and arguments are masked in every output. \
         service_env reports whether a variable is set and the length of the value, never the \
         value.",
    ],
    see_also: &["pg-ext-ensure", "venv-sync", "svc-cycle"],
};

/// Reads the arguments, and the files that they name.
///
/// # Errors
/// `Kind::Usage` and `Kind::Input`: no requirement was checked.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let needs: Vec<String> = parsed
        .positional_texts()
        .into_iter()
        .map(str::to_string)
        .collect();
    let action = action(parsed, &needs)?;
    let mut sources = Vec::new();
    if !matches!(action, Action::Snapshot(_)) {
        for path in parsed.paths("file") {
            let source = base::source::Source::read(path)?;
            let user = source.executor()?;
            sources.push(Source::File(Origin::new(source.name, source.text).of(user)));
        }
        sources.extend(needs.into_iter().map(Source::Need));
        if sources.is_empty() {
            return Err(Error::usage("no requirement is given").hint(
                "name requirements, such as 'python>=3.10' disk:/srv:2G, or a file with -f",
            ));
        }
    }
    let processors = std::thread::available_parallelism().map_or(4, std::num::NonZeroUsize::get);
    let jobs = parsed
        .count("jobs")
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(processors * 4)
        .clamp(1, 256);
    let interval = parsed
        .duration("interval")
        .unwrap_or(Duration::from_secs(2));
    if parsed.duration("interval").is_some() && parsed.duration("wait").is_none() {
        return Err(Error::usage("--interval needs --wait")
            .hint("give the time to wait, such as --wait 60s"));
    }
    Ok(Request {
        sources,
        settings: settings(parsed)?,
        only: parsed
            .texts("only")
            .into_iter()
            .map(str::to_string)
            .collect(),
        tags: parsed
            .texts("tag")
            .into_iter()
            .map(str::to_string)
            .collect(),
        action,
        jobs,
        each: parsed.duration("each").filter(|each| !each.is_zero()),
        wait: parsed.duration("wait").map(|wait| (wait, interval)),
        fail_on: match parsed.text("fail-on") {
            Some("warn") => FailOn::Warn,
            Some("unknown") => FailOn::Unknown,
            _ => FailOn::Fail,
        },
    })
}

fn action(parsed: &Parsed, needs: &[String]) -> Result<Action> {
    let asked = [
        parsed.flag("list"),
        parsed.text("explain").is_some(),
        parsed.flag("snapshot"),
        parsed.duration("wait").is_some(),
    ];
    if asked.iter().filter(|asked| **asked).count() > 1 {
        return Err(Error::usage(
            "--list, --explain, --snapshot and --wait exclude each other",
        ));
    }
    if parsed.flag("snapshot") {
        if !parsed.paths("file").is_empty() {
            return Err(Error::usage(
                "--snapshot writes requirements and reads none: --snapshot and -f exclude each other",
            ));
        }
        if needs.is_empty() {
            return Err(Error::usage("--snapshot needs a kind of requirement")
                .hint("name kinds, such as python dist@/srv/venv package user:deployer"));
        }
        return Ok(Action::Snapshot(needs.to_vec()));
    }
    Ok(match (parsed.text("explain"), parsed.flag("list")) {
        (Some(id), _) => Action::Explain(id.to_string()),
        (None, true) => Action::List,
        (None, false) => Action::Look,
    })
}

/// The facts of the site file, and the user and the variables that the site's own code runs with.
fn of_site(parsed: &Parsed) -> Result<Settings> {
    let mut settings = Settings::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            settings.insert(name.to_string(), value);
        }
    };
    let text = |path: std::path::PathBuf| path.display().to_string();
    let site = parsed.site();
    if let Some(site) = site {
        set("site.name", Some(site.name().to_string()));
        set("site.user", site.user().map(str::to_string));
        set("site.dir", site.dir().map(text));
        set("site.venv", site.venv().map(text));
        set("site.env_file", site.env_file().map(text));
    }
    let as_site = parsed.flag("as-site");
    if !as_site && parsed.text("as").is_none() && parsed.path("env-file").is_none() {
        return Ok(settings);
    }
    // Refuses a wrong user, site or file before the first check.
    RunAs::read(parsed)?;
    let site = site.filter(|_| as_site);
    let user = parsed
        .text("as")
        .or_else(|| site.and_then(|site| site.user()));
    set("as.user", user.map(str::to_string));
    let given = parsed.path("env-file").map(Path::to_path_buf);
    let file = given.or_else(|| site.and_then(|site| site.env_file()));
    let whole = |path| std::path::absolute(&path).unwrap_or(path);
    set("as.env_file", file.map(whole).map(text));
    Ok(settings)
}

fn settings(parsed: &Parsed) -> Result<Settings> {
    let mut settings = of_site(parsed)?;
    for text in parsed.texts("set") {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Error::usage(format!(
                "--set: '{}' has no value",
                crate::secret::masked(text)
            ))
            .hint("write --set NAME=VALUE"));
        };
        let fits = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !fits {
            return Err(Error::usage(format!(
                "--set: '{name}' is not a name: a name has letters, digits, _, - and ."
            )));
        }
        settings.insert(name.to_string(), value.to_string());
    }
    Ok(settings)
}
