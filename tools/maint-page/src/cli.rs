//! The one definition of this command line, and what was typed as a typed [`Request`].

use crate::change::Wish;
use crate::hold;
use crate::layout::Layout;
use crate::plain;
use crate::snippet;
use crate::verify::Expectation;
use crate::when;
use base::cli::{Command, CommandLine, Entry, Example, Opt, Parsed, Positional, Trailing, Value};
use base::exit::Row;
use base::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PLACE: &[Opt] = &[
    Opt::value("dir", Value::Dir("DIR"), "The directory the page and its flag live in")
        .more("The web server has to be configured for it once: see `maint-page snippet`."),
    Opt::value("page", Value::File("FILE"), "Single-file mode: this one file is page and flag")
        .more("For a web server that already tests for one file. The file is put there and removed by rename. Visitors who come in the moment between the server's test and its reading the file can get a wrong answer, which --dir avoids."),
];

const ID: Opt = Opt::value("id", Value::Text("ID"), "Whose hold it is")
    .more("The default is the name of whoever calls, as sudo or the system knows it; for `during` one of its own for each run. The page is up as long as any hold is.");

const FORCE: Opt = Opt::flag("force", "Rename a page or flag that maint-page did not put there aside")
    .more("It is kept beside its old name, with .foreign and the time at its end.");

const WISH: &[Opt] = &[
    ID,
    Opt::value("start", Value::Text("TIME"), "When it begins; now unless told")
        .more("2026-11-21T22:00:00+01:00, or 22:00 for the next one, or +15m. A start to come announces the maintenance; the page goes up by --wait, `wait` or `tick`."),
    Opt::value("for", Value::Duration("DURATION"), "How long it is expected to last"),
    Opt::value("until", Value::Text("TIME"), "When it is expected to be over"),
    Opt::value("warn", Value::Duration("DURATION"), "How long before the start users are warned; from now unless told")
        .more("maintenance.json appears then."),
    Opt::value("message", Value::Text("TEXT"), "What visitors are told").more("Plain text; markup is shown as typed."),
    Opt::value("title", Value::Text("TEXT"), "The page's heading"),
    Opt::value("lang", Value::Text("TAG"), "The language the message is written in, such as de or pt-BR"),
    Opt::value("tz", Value::Text("ZONE"), "The time zone of clock times, typed and shown; the system's unless told"),
    Opt::value("template", Value::Dir("DIR"), "A page of your own: DIR/page.html and what it needs")
        .more("The directory is copied whole. {{title}}, {{message}}, {{lang}}, {{expected}}, {{starts}}, {{ends}}, {{retry_after}}, {{tokens}} and {{assets}} (the path its other files are served at) are filled in."),
    Opt::flag("auto-off", "Let tick and wait take the page away at its end"),
    FORCE,
];

const WAIT: &[Opt] = &[Opt::flag("wait", "Wait for the start, then put the page up")
    .more("Watches the clock, also when it is set, and ends when the hold is taken back meanwhile.")];

const VERIFY: &[Opt] =
    &[Opt::value("verify", Value::Url("URL"), "Prove it over HTTP at this URL").many().more("May be given more than once.")];

const PROOF: &[Opt] = &[
    Opt::value("host", Value::Text("NAME"), "The Host to ask for, where the URL names an address"),
    Opt::value("connect", Value::Text("HOST:PORT"), "Ask at this address, whatever the URL's name resolves to")
        .more("To ask one server of several, or the server behind a cache, for the site's real URL."),
    Opt::value(
        "expect",
        Value::Count("STATUS"),
        "The status the site has to answer with when the page is off; any of 200 to 399 unless told",
    ),
    Opt::value("count", Value::Count("N"), "How many answers in a row have to be right when the page is off; 3 unless told"),
    Opt::value("within", Value::Duration("DURATION"), "How long it may take to become so; 10s unless told"),
];

const SIDE: &[Opt] = &[Opt::flag("on", "It is to be on"), Opt::flag("off", "It is to be off")];

const ONE_ID: &[Opt] = &[ID];

const OFF: &[Opt] = &[ID, Opt::flag("all", "Release every hold, whosesoever it is"), FORCE];

const FAILURE: &[Opt] = &[Opt::value("on-failure", Value::Choice("WHAT", &["keep", "off"]), "What happens to the page if COMMAND fails")
    .required()
    .more("keep leaves it up for somebody to look; off takes it away as after a success.")];

const KEYS: &[Opt] = &[Opt::value("ttl", Value::Duration("DURATION"), "How long a new key is good for; 8h unless told")];

const fn command(
    name: &'static str,
    about: &'static str,
    description: &'static [&'static str],
    options: &'static [&'static [Opt]],
) -> Command {
    Command { name, about, description, options, positionals: &[], trailing: Trailing::None, default: false }
}

/// The command line.
pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "maint-page",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "put a site behind an honest maintenance page, and take it away again",
    description: &[
        "maint-page raises a maintenance page that the web server itself serves with status 503, for every method, to people as HTML and to programs as JSON, with Retry-After and without being cached. The page comes and goes with one file, and nothing is reloaded; `maint-page snippet` prints the configuration that nginx, Apache or Caddy needs once.",
        "Whoever asks for the page has a hold on it, and it stays up until the last hold is released. A hold can be announced: then maintenance.json tells the site's own code, so that it can warn its users, and the page goes up when its start has come.",
        "What maint-page did not put there it does not touch.",
    ],
    commands: &[
        command(
            "on",
            "Put the page up, or announce it",
            &[
                "With --start the maintenance is announced, and the page goes up when that time has come: --wait stays until then, `tick` from cron or `wait` do it later. The same request again changes nothing; another message or end changes the hold.",
            ],
            &[PLACE, WISH, WAIT, VERIFY, PROOF],
        ),
        command(
            "off",
            "Release the hold, and take the page away if it was the last",
            &["Releases your own hold. If others still hold the page it stays up, and the report says whose they are."],
            &[PLACE, OFF, VERIFY, PROOF],
        ),
        command(
            "status",
            "Say what state the page is in",
            &[
                "Exit status 1 means that it is overdue, that the files do not agree with the holds, or that it is not as --on or --off asks.",
            ],
            &[PLACE, SIDE],
        ),
        command(
            "wait",
            "Wait until an announced page goes up",
            &["Puts it up when its start has come. Ends with exit status 1 if nothing is announced, or if it is taken back meanwhile."],
            &[PLACE, ONE_ID, VERIFY, PROOF],
        ),
        command(
            "tick",
            "Do what the clock says is due; for cron",
            &[
                "Puts up the page whose start has come, brings maintenance.json and Retry-After up to date, takes away what asked for --auto-off, and says once that a page is overdue.",
            ],
            &[PLACE],
        ),
        Command {
            name: "during",
            about: "Put the page up, run COMMAND, and take it away",
            description: &[
                "TERM, INT, HUP and QUIT go to COMMAND's process group. If maint-page itself is killed, a guardian process does what --on-failure says.",
            ],
            options: &[PLACE, WISH, FAILURE, VERIFY, PROOF],
            positionals: &[],
            trailing: Trailing::Required,
            default: false,
        },
        Command {
            name: "verify",
            about: "Prove over HTTP that the page is on or off",
            description: &[
                "Asks on a new connection each time. On: GET, HEAD and POST answer 503 with Retry-After, no-store and the page itself; with --dir or --page it has to be the page of the holds there. Off: several answers in a row without the page. When it is not so, the report says why, as far as that can be told.",
            ],
            options: &[SIDE, PLACE, ONE_ID, PROOF],
            positionals: &[Positional::some("URL", Value::Url("URL"), "Where to ask")],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "snippet",
            about: "Print the configuration the web server needs",
            description: &["Printed as it is, to be included in the site's own configuration once."],
            options: &[PLACE],
            positionals: &[Positional::one("SERVER", Value::Choice("SERVER", &snippet::SERVERS), "nginx, apache or caddy")],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "bypass",
            about: "Let somebody see the site behind the page",
            description: &[
                "`add` makes a key and says the path that sets it as a cookie: follow it once in a browser. `list` says which keys there are by their first eight digits, and `revoke` takes one by those, or all.",
            ],
            options: &[PLACE, KEYS],
            positionals: &[
                Positional::one("ACTION", Value::Choice("ACTION", &["add", "revoke", "list"]), "add, revoke or list"),
                Positional::optional("KEY", Value::Text("KEY"), "The key to revoke, its first eight digits, or all"),
            ],
            trailing: Trailing::None,
            default: false,
        },
    ],
    options: &[],
    positionals: &[],
    exit: &[
        Row {
            code: "1",
            meaning: "For status and verify also: the page is not in the state asked for, or overdue. For off: others hold it, and you do not. For wait: there is nothing to wait for.",
        },
        Row { code: "3", meaning: "Also: something stands in the page's place that maint-page did not put there." },
    ],
    examples: &[
        Example {
            text: "Once, for nginx:",
            command: "maint-page snippet nginx --dir /srv/site/maintenance > /etc/nginx/snippets/maint-page.conf",
        },
        Example {
            text: "Announce tonight's maintenance, wait for it, and prove that it is up:",
            command: "maint-page on --dir /srv/site/maintenance --start 22:00 --for 30m --warn 2h \\\n  --message 'We are moving to a new server.' --wait --verify https://www.example.org/",
        },
        Example {
            text: "Around a deploy:",
            command: "maint-page during --dir /srv/site/maintenance --for 10m --on-failure keep -- \\\n  sh -ec 'git pull --ff-only && venv/bin/python manage.py migrate'",
        },
        Example { text: "From cron:", command: "* * * * * maint-page tick -q --dir /srv/site/maintenance" },
        Example { text: "Where nginx already tests for one file:", command: "maint-page on --page /srv/www/tmp/maintenance.html" },
    ],
    files: &[
        Entry { name: "DIR/on", text: "The flag: visitors see the page while it is there." },
        Entry { name: "DIR/page/page.html, DIR/page/page.json", text: "The page, in place before the flag." },
        Entry { name: "DIR/retry-N", text: "What Retry-After says: N seconds." },
        Entry { name: "DIR/holds/ID.json", text: "One hold." },
        Entry {
            name: "DIR/bypass/",
            text: "The keys that let somebody through; the web server can look for a name there, and not list them.",
        },
        Entry {
            name: "DIR/maintenance.json",
            text: "For the site's own code: schema, id, state, message, message_html, timestamp, starts_at, ends_at, warn_from, retry_after, updated_at. In single-file mode it stands beside FILE. Gone when nothing is planned.",
        },
        Entry { name: ".FILE.maint-page/", text: "In single-file mode, beside FILE: the holds." },
    ],
    environment: &[
        Entry { name: "SUDO_USER", text: "Whose hold it is when root calls." },
        Entry { name: "TZ", text: "The time zone of clock times, unless --tz says." },
    ],
    security: &[
        "Everything is written into directories opened once, never through symbolic links, with mode 0644 whatever the umask says. A directory that others can write without the sticky bit is refused.",
        "Messages are shown as text; there is no way to put markup or control characters on the page, except by a template of your own.",
        "A bypass key is 128 random bits. Only its owner's report and its file name hold it; lists and journals show its first eight digits.",
    ],
    see_also: &["svc-cycle(8)", "nginx(8)"],
};

/// What is asked for.
#[derive(Debug)]
pub enum Request {
    /// `on`.
    On { layout: Layout, wish: Wish, template: Option<PathBuf>, wait: bool, force: bool, proof: Proof },
    /// `off`.
    Off { layout: Layout, whose: Whose, force: bool, proof: Proof },
    /// `status`.
    Status { layout: Layout, side: Option<bool> },
    /// `wait`.
    Wait { layout: Layout, id: Option<String>, proof: Proof },
    /// `tick`.
    Tick { layout: Layout },
    /// `during`.
    During { layout: Layout, wish: Wish, template: Option<PathBuf>, force: bool, keep: bool, proof: Proof },
    /// `verify`.
    Verify { layout: Option<Layout>, id: Option<String>, on: bool, proof: Proof },
    /// `snippet`.
    Snippet { server: String, dir: PathBuf },
    /// `bypass`.
    Bypass { layout: Layout, action: Action },
}

/// Whose holds `off` releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// One's own, by the caller's name.
    Own(String),
    /// This one.
    Id(String),
    /// Every one.
    All,
}

/// Where and how to prove it.
#[derive(Debug, Clone)]
pub struct Proof {
    /// The URLs; none means that nothing is asked.
    pub urls: Vec<String>,
    /// What counts as proof.
    pub expectation: Expectation,
}

/// What is to happen to the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A new one, good for so long.
    Add(Duration),
    /// The one that begins so; None is all.
    Revoke(Option<String>),
    /// Say which there are.
    List,
}

/// Arguments to a typed request.
pub fn request(parsed: &Parsed) -> Result<Request> {
    Ok(match parsed.command().unwrap_or_default() {
        "on" => Request::On {
            layout: layout(parsed)?,
            wish: wish(parsed, caller())?,
            template: template(parsed)?,
            wait: parsed.flag("wait"),
            force: parsed.flag("force"),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "during" => Request::During {
            layout: layout(parsed)?,
            wish: wish(parsed, format!("during-{}", std::process::id()))?,
            template: template(parsed)?,
            force: parsed.flag("force"),
            keep: parsed.text("on-failure") == Some("keep"),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "off" => Request::Off {
            layout: layout(parsed)?,
            whose: whose(parsed)?,
            force: parsed.flag("force"),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "status" => Request::Status { layout: layout(parsed)?, side: side(parsed)? },
        "wait" => Request::Wait { layout: layout(parsed)?, id: id(parsed)?, proof: proof(parsed, parsed.texts("verify"))? },
        "tick" => Request::Tick { layout: layout(parsed)? },
        "verify" => Request::Verify {
            layout: if parsed.os("dir").is_some() || parsed.os("page").is_some() { Some(layout(parsed)?) } else { None },
            id: id(parsed)?,
            on: side(parsed)?.ok_or_else(|| Error::usage("verify needs to know what to prove").hint("give --on or --off"))?,
            proof: proof(parsed, parsed.positional_texts())?,
        },
        "snippet" => snippet_request(parsed)?,
        "bypass" => Request::Bypass { layout: flagged(parsed, "bypass keys")?, action: action(parsed)? },
        _ => return Err(Error::usage("there is no command").hint("maint-page -h lists them")),
    })
}

fn layout(parsed: &Parsed) -> Result<Layout> {
    match (parsed.path("dir"), parsed.path("page")) {
        (Some(_), Some(_)) => Err(Error::usage("--dir and --page are two different layouts").hint("give one of them")),
        (Some(dir), None) => Ok(Layout::flag(&absolute(dir)?)),
        (None, Some(file)) => Layout::single(&absolute(file)?),
        (None, None) => Err(Error::usage("where is the page?").hint("give --dir DIR, or --page FILE for a server that tests for one file")),
    }
}

fn flagged(parsed: &Parsed, what: &str) -> Result<Layout> {
    if parsed.os("page").is_some() {
        return Err(Error::usage(format!("single-file mode has no {what}")).hint("they need the flag layout: --dir DIR"));
    }
    layout(parsed)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io(format!("cannot tell where {} is", path.display()), &e))
}

fn id(parsed: &Parsed) -> Result<Option<String>> {
    match parsed.text("id") {
        Some(id) if hold::valid_id(id) => Ok(Some(id.to_owned())),
        Some(id) => Err(Error::usage(format!("--id: {id:?} cannot be an id"))
            .hint("letters, digits and . _ @ -, at most 64, the first a letter, digit, _ or @")),
        None => Ok(None),
    }
}

/// The name of whoever calls: sudo's word first, since root is nobody in particular.
pub fn caller() -> String {
    let uid = nix::unistd::getuid();
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| uid.is_root());
    let own = || nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    sudo.or_else(own).filter(|name| hold::valid_id(name)).unwrap_or_else(|| format!("uid{uid}"))
}

fn whose(parsed: &Parsed) -> Result<Whose> {
    match (id(parsed)?, parsed.flag("all")) {
        (Some(_), true) => Err(Error::usage("--id and --all contradict each other")),
        (Some(id), false) => Ok(Whose::Id(id)),
        (None, true) => Ok(Whose::All),
        (None, false) => Ok(Whose::Own(caller())),
    }
}

fn side(parsed: &Parsed) -> Result<Option<bool>> {
    match (parsed.flag("on"), parsed.flag("off")) {
        (true, true) => Err(Error::usage("--on and --off contradict each other")),
        (true, false) => Ok(Some(true)),
        (false, true) => Ok(Some(false)),
        (false, false) => Ok(None),
    }
}

fn wish(parsed: &Parsed, default_id: String) -> Result<Wish> {
    if parsed.text("for").is_some() && parsed.text("until").is_some() {
        return Err(Error::usage("--for and --until both say when it ends").hint("give one of them"));
    }
    let tz = parsed.text("tz").map(str::to_owned);
    when::zone(tz.as_deref())
        .map_err(|why| Error::usage(format!("--tz: {why}")).hint("zones are named as in /usr/share/zoneinfo: Europe/Berlin"))?;
    let lang = parsed.text("lang").map(str::to_owned);
    if lang.as_deref().is_some_and(|tag| tag.is_empty() || !tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')) {
        return Err(Error::usage("--lang: not a language tag").hint("such as de, pt-BR or zh-Hant"));
    }
    let token = base::atomic::random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Wish {
        id: id(parsed)?.unwrap_or(default_id),
        message: words(parsed, "message", hold::MESSAGE_MAX)?,
        title: words(parsed, "title", 200)?.map(|title| title.replace('\n', " ")),
        lang,
        tz,
        start: time(parsed, "start")?,
        until: time(parsed, "until")?,
        lasting: parsed.duration("for"),
        warn: parsed.duration("warn"),
        auto_off: parsed.flag("auto-off"),
        template: None,
        by: caller(),
        token,
    })
}

fn words(parsed: &Parsed, option: &str, most: usize) -> Result<Option<String>> {
    let Some(text) = parsed.text(option) else { return Ok(None) };
    let text = plain::clean(text);
    match text.len() {
        0 => Err(Error::usage(format!("--{option}: there is nothing to read in it"))),
        n if n > most => Err(Error::usage(format!("--{option}: {n} bytes, and at most {most} are shown"))),
        _ => Ok(Some(text)),
    }
}

fn time(parsed: &Parsed, option: &str) -> Result<Option<(when::When, String)>> {
    let Some(text) = parsed.text(option) else { return Ok(None) };
    let when = when::parse(text).map_err(|why| Error::usage(format!("--{option}: {text:?}: {why}")))?;
    Ok(Some((when, text.to_owned())))
}

fn template(parsed: &Parsed) -> Result<Option<PathBuf>> {
    match parsed.path("template") {
        Some(_) if parsed.os("page").is_some() => {
            Err(Error::usage("single-file mode has no place for a template's files").hint("a template needs the flag layout: --dir DIR"))
        }
        given => Ok(given.map(Path::to_path_buf)),
    }
}

fn proof(parsed: &Parsed, urls: Vec<&str>) -> Result<Proof> {
    for url in &urls {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(Error::usage(format!("{url:?} is not a URL")).hint("such as http://127.0.0.1/ or https://www.example.org/login"));
        }
    }
    let status = match parsed.count("expect") {
        Some(status @ 100..=599) => u16::try_from(status).ok(),
        Some(status) => return Err(Error::usage(format!("--expect: {status} is not an HTTP status"))),
        None => None,
    };
    let count = match parsed.count("count") {
        Some(0) => return Err(Error::usage("--count: no answer proves nothing").hint("give 1 or more")),
        given => given.unwrap_or(3),
    };
    Ok(Proof {
        urls: urls.into_iter().map(str::to_owned).collect(),
        expectation: Expectation {
            host: parsed.text("host").map(str::to_owned),
            connect: parsed.text("connect").map(str::to_owned),
            status,
            count: usize::try_from(count).unwrap_or(usize::MAX),
            within: parsed.duration("within").unwrap_or(Duration::from_secs(10)),
        },
    })
}

fn snippet_request(parsed: &Parsed) -> Result<Request> {
    let layout = flagged(parsed, "configuration of its own: the server has one already")?;
    let dir = layout.dir().to_path_buf();
    match dir.to_str() {
        Some(text) if snippet::can_name(text) => {}
        _ => {
            return Err(Error::usage(format!("{} cannot be written in a server's configuration", dir.display()))
                .hint("use a path of letters, digits and . _ - + @ ~ , ="));
        }
    }
    let server = parsed.positional_texts().first().copied().unwrap_or_default().to_owned();
    Ok(Request::Snippet { server, dir })
}

fn action(parsed: &Parsed) -> Result<Action> {
    let words = parsed.positional_texts();
    let key = words.get(1).copied();
    match (words.first().copied().unwrap_or_default(), key) {
        ("add", None) => Ok(Action::Add(parsed.duration("ttl").unwrap_or(Duration::from_secs(8 * 3600)))),
        ("list", None) => Ok(Action::List),
        ("revoke", Some("all")) => Ok(Action::Revoke(None)),
        ("revoke", Some(key)) if key.len() >= 8 && key.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Action::Revoke(Some(key.to_lowercase())))
        }
        ("revoke", Some(_)) => {
            Err(Error::usage("a key is revoked by its first eight hex digits or more").hint("maint-page bypass list says them"))
        }
        ("revoke", None) => Err(Error::usage("revoke which key?").hint("give its first eight digits, or all")),
        (verb, Some(_)) => Err(Error::usage(format!("{verb} takes no key"))),
        (verb, None) => Err(Error::usage(format!("{verb} is no action"))),
    }
}
