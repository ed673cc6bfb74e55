//! The command line: said once, read here into a [`Request`].

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
        "check-reqs compares this host with a list of requirements and says of each whether it is met, unmet or unknown, why, and what to \
         type to meet it. Requirements stand on the command line in a short form (NEED), or in files of TOML or JSON. All are looked at side \
         by side, and reported in the order in which they were given. Nothing is changed.",
        "Unknown is not unmet: where there is no permission to look, no service manager to ask, or no answer in time, the answer is unknown.",
        "Several requirements with a bar between them are alternatives, of which one is enough: 'cmd:nginx|cmd:apache2'.",
        "--explain prints how a requirement is looked at.",
    ],
    commands: &[],
    options: &[
        Opt::value("file", Value::File("FILE"), "Read requirements from FILE, TOML or JSON; - is standard input").short('f').many(),
        Opt::value("only", Value::Text("ID"), "Look only at this requirement, and at what it needs").many(),
        Opt::value("tag", Value::Text("TAG"), "Look only at requirements with this tag, and at what they need").many(),
        Opt::value("set", Value::Text("NAME=VALUE"), "What ${NAME} stands for in requirements").many(),
        Opt::value("wait", Value::Duration("DURATION"), "Look again until all is met, at most this long").more(
            "There is still one report at the end. Requirements that are met are not looked at again.",
        ),
        Opt::value("interval", Value::Duration("DURATION"), "How long to rest between looks with --wait (default 2s)"),
        Opt::value("each", Value::Duration("DURATION"), "The longest one look may take (default 10s; 120s for django)").more(
            "A program that was started is ended with all it started. The requirement's own timeout goes before this.",
        ),
        Opt::value("jobs", Value::Count("N"), "How many requirements to look at side by side (default: four for each processor)").short('j'),
        Opt::value("fail-on", Value::Choice("LEVEL", &["fail", "warn", "unknown"]), "From what on the exit status is 1 (default fail)"),
        Opt::value("output", Value::Choice("FORMAT", FORMATS), "How to report").short('o').more(
            "The default is text on a terminal and json, one object on one line, everywhere else. ndjson is one item a line; nagios is a \
             monitoring plugin's answer, with a plugin's exit status; tap, junit and prometheus are for test harnesses, build servers and \
             the node exporter's textfile collector.",
        ),
        Opt::value("as", Value::User("USER"), "Run the site's own code (django) as USER").more(
            "A requirement's own user goes before this. Without either, root runs the code as the owner of its directory.",
        ),
        Opt::value("env-file", Value::File("FILE"), "Give the site's own code the variables in FILE").more(
            "FILE has NAME=VALUE lines, as systemd's EnvironmentFile=. Every value is a secret: reports show *** in its place.",
        ),
        Opt::flag("as-site", "Run the site's own code as the site file says").more(
            "As the user of the site file, with its env_file.",
        ),
        Opt::flag("list", "List the requirements and look at none"),
        Opt::value("explain", Value::Text("ID"), "Tell what a requirement means and how it is looked at"),
        Opt::flag("snapshot", "Write the requirements that this host meets; each NEED is a kind: python, dist@VENV, package, …").more(
            "Kinds: python[@VENV], dist[@VENV] or dist:NAME[@VENV], package[:NAME], command:NAME, postgres[@CONNECTION], \
             extension[@CONNECTION], user[:NAME], group:NAME, service[:NAME], port, crontab, directory:PATH. The kind site, or site@DIR, \
             writes a site file instead, from the site's processes: see runbook-tools.site(5). The new server is like the old one \
             when check-reqs -f says so there. TOML; JSON with -o json.",
        ),
    ],
    positionals: &[Positional::any("NEED", Value::Text("NEED"), "A requirement in its short form, such as 'python>=3.10' or disk:/srv:2G")],
    exit: &[
        Row { code: "1", meaning: "Something is unmet (or warned of, or unknown, as --fail-on says)." },
        Row { code: "3", meaning: "Nothing is unmet, but something is unknown." },
        Row { code: "0, 1, 2, 3", meaning: "With -o nagios: OK, WARNING, CRITICAL, UNKNOWN, as monitoring plugins have it." },
    ],
    examples: &[
        Example {
            text: "What a forum's guide asks for, before anything is installed.",
            command: "check-reqs 'python>=3.9' 'postgres>=13' memory:128M disk:/srv:2G cmd:nginx crontab",
        },
        Example { text: "Close the gaps: run every step that a shell can run.", command: "check-reqs -f site.toml | jq -r '.items[].fix.steps[]? | select(.kind == \"shell\") | .text' | sh -e" },
        Example { text: "Wait until a restarted site answers.", command: "check-reqs --wait 60s http:http://127.0.0.1:8000/" },
        Example {
            text: "From cron, as a line of /etc/cron.d: no mail while all is well.",
            command: "10 4 * * * root check-reqs -q -f /etc/site/requirements.toml --tag nightly --journal /var/log/site.jsonl",
        },
        Example {
            text: "A first site file from the Django site that runs here.",
            command: "check-reqs --snapshot site > reef.toml",
        },
        Example {
            text: "Write down what this server has, and ask the next one for it.",
            command: "check-reqs --snapshot python@/srv/venv dist@/srv/venv package:nginx > site.toml",
        },
    ],
    files: &[
        Entry { name: "/etc/os-release", text: "Which distribution this is: fixes name its own commands." },
        Entry { name: "~/.pgpass, ~/.pg_service.conf", text: "Read as libpq reads them, for postgres and extension." },
    ],
    environment: &[
        Entry { name: "PATH", text: "Where commands are looked for, before the system's own directories." },
        Entry { name: "PGHOST, PGUSER, …", text: "libpq's variables, for postgres and extension." },
        Entry { name: "SSL_CERT_FILE", text: "Trusted certificates, for http, smtp and tls." },
    ],
    security: &[
        "Only looks: no file is written (django collects static files into a directory in TMPDIR that is removed), no package manager is run, \
         no mail is sent. Run by root it executes nothing that another user could have planted as root: another user's interpreter or site runs \
         as that user, with none of the caller's environment.",
        "Passwords in URLs, connection strings and arguments are masked in every output. service_env says whether a variable is set and how \
         long it is, never its value.",
    ],
    see_also: &["pg-ext-ensure", "venv-sync", "svc-cycle"],
};

/// Reads the arguments, and the files they name.
///
/// # Errors
/// `Kind::Usage` and `Kind::Input`: nothing was looked at.
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
            let name = if path == Path::new("-") {
                "standard input".to_string()
            } else {
                path.display().to_string()
            };
            sources.push(Source::File(Origin::new(
                name,
                base::source::read_text(path)?,
            )));
        }
        sources.extend(needs.into_iter().map(Source::Need));
        if sources.is_empty() {
            return Err(Error::usage("no requirement is given")
                .hint("name some, such as 'python>=3.10' disk:/srv:2G, or a file with -f"));
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
        return Err(Error::usage("--interval means nothing without --wait")
            .hint("say how long to wait, such as --wait 60s"));
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
                "--snapshot writes requirements and reads none: -f means nothing with it",
            ));
        }
        if needs.is_empty() {
            return Err(Error::usage("--snapshot of what?")
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

/// What the site file says, and as whom and with what the site's own code runs.
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
    // Says what is wrong with the user, the site and the file before anything is looked at.
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
                "--set: '{name}' is not a name: letters, digits, _, - and . make one"
            )));
        }
        settings.insert(name.to_string(), value.to_string());
    }
    Ok(settings)
}
