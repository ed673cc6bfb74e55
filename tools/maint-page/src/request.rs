//! Arguments to a typed request: what was typed is checked here, and from here on it is trusted.

use crate::change::Wish;
use crate::hold;
use crate::layout::Layout;
use crate::person::{Run, Seat};
use crate::plain;
use crate::snippet::{self, Allow};
use crate::verify::Expectation;
use crate::when;
use crate::words;
use base::cli::Parsed;
use base::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is asked for.
#[derive(Debug)]
pub enum Request {
    /// `on`.
    On {
        layout: Layout,
        wish: Wish,
        template: Option<PathBuf>,
        wait: bool,
        force: bool,
        proof: Proof,
    },
    /// `off`.
    Off {
        layout: Layout,
        whose: Whose,
        force: bool,
        proof: Proof,
    },
    /// `status`.
    Status {
        layout: Layout,
        id: Option<String>,
        side: Option<bool>,
    },
    /// `wait`.
    Wait {
        layout: Layout,
        id: Option<String>,
        force: bool,
        proof: Proof,
    },
    /// `tick`.
    Tick {
        layout: Layout,
        id: Option<String>,
        force: bool,
    },
    /// `during`.
    During {
        layout: Layout,
        wish: Wish,
        template: Option<PathBuf>,
        force: bool,
        keep: bool,
        drain: Duration,
        proof: Proof,
    },
    /// `verify`.
    Verify {
        layout: Option<Layout>,
        id: Option<String>,
        on: bool,
        proof: Proof,
    },
    /// `snippet`.
    Snippet {
        server: String,
        dir: PathBuf,
        allow: Allow,
    },
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
            wish: wish(parsed, own(parsed))?,
            template: template(parsed)?,
            wait: parsed.flag("wait"),
            force: parsed.flag("force"),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "during" => Request::During {
            layout: layout(parsed)?,
            wish: Wish {
                run: Run::begin(parsed.text("on-failure") == Some("keep")),
                ..wish(parsed, own_run()?)?
            },
            template: template(parsed)?,
            force: parsed.flag("force"),
            keep: parsed.text("on-failure") == Some("keep"),
            drain: parsed.duration("drain").unwrap_or(Duration::from_secs(1)),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "off" => Request::Off {
            layout: layout(parsed)?,
            whose: whose(parsed)?,
            force: parsed.flag("force"),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "status" => Request::Status {
            layout: layout(parsed)?,
            id: id(parsed)?,
            side: side(parsed)?,
        },
        "wait" => Request::Wait {
            layout: layout(parsed)?,
            id: id(parsed)?,
            force: parsed.flag("force"),
            proof: proof(parsed, parsed.texts("verify"))?,
        },
        "tick" => Request::Tick {
            layout: layout(parsed)?,
            id: id(parsed)?,
            force: parsed.flag("force"),
        },
        "verify" => Request::Verify {
            layout: if parsed.os("dir").is_some() || parsed.os("page").is_some() {
                Some(layout(parsed)?)
            } else {
                None
            },
            id: id(parsed)?,
            on: side(parsed)?.ok_or_else(|| {
                Error::usage("verify needs --on or --off").hint("give --on or --off")
            })?,
            proof: proof(parsed, parsed.positional_texts())?,
        },
        "snippet" => snippet_request(parsed)?,
        "bypass" => Request::Bypass {
            layout: flagged(parsed, "bypass keys")?,
            action: action(parsed)?,
        },
        _ => return Err(Error::usage("no command is given").hint("maint-page -h lists them")),
    })
}

fn layout(parsed: &Parsed) -> Result<Layout> {
    match (parsed.path("dir"), parsed.path("page")) {
        (Some(_), Some(_)) => {
            Err(Error::usage("--dir and --page are two different layouts").hint("give one of them"))
        }
        (Some(dir), None) => Ok(Layout::flag(&absolute(dir)?)),
        (None, Some(file)) => Layout::single(&absolute(file)?),
        (None, None) => Err(Error::usage("no place for the page is given")
            .hint("give --dir DIR, or --page FILE for a server that tests for one file")),
    }
}

fn flagged(parsed: &Parsed, what: &str) -> Result<Layout> {
    if parsed.os("page").is_some() {
        return Err(
            Error::usage(format!("a page of one file (--page) has no {what}"))
                .hint("give --dir DIR in place of --page"),
        );
    }
    layout(parsed)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .map_err(|e| Error::io(format!("cannot tell where {} is", path.display()), &e))
}

fn id(parsed: &Parsed) -> Result<Option<String>> {
    match parsed.text("id") {
        Some(id) if hold::valid_id(id) => Ok(Some(id.to_owned())),
        Some(id) => Err(Error::usage(format!(
            "--id: '{}' cannot be an id",
            base::terminal::escape(id)
        ))
        .hint("letters, digits and . _ @ -, at most 64, the first a letter, digit, _ or @")),
        None => Ok(None),
    }
}

/// An id for this run alone, also when a pid comes round again.
fn own_run() -> Result<String> {
    let random = base::atomic::random::<2>()?;
    Ok(format!(
        "during-{}-{:02x}{:02x}",
        std::process::id(),
        random[0],
        random[1]
    ))
}

/// The name of whoever calls: sudo's word first, since root is nobody in particular.
pub fn caller() -> String {
    let uid = nix::unistd::getuid();
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| uid.is_root());
    let own = || {
        nix::unistd::User::from_uid(uid)
            .ok()
            .flatten()
            .map(|user| user.name)
    };
    sudo.or_else(own)
        .filter(|name| hold::valid_id(name))
        .unwrap_or_else(|| format!("uid{uid}"))
}

/// The name of the caller's hold where no id is given. With a site file the hold is that site's: two
/// sites can have one directory for their pages.
fn own(parsed: &Parsed) -> String {
    let caller = caller();
    let Some(site) = parsed.site() else {
        return caller;
    };
    let id = format!("{caller}@{}", site.name());
    if hold::valid_id(&id) { id } else { caller }
}

fn whose(parsed: &Parsed) -> Result<Whose> {
    match (id(parsed)?, parsed.flag("all")) {
        (Some(_), true) => Err(Error::usage("--id and --all contradict each other")),
        (Some(id), false) => Ok(Whose::Id(id)),
        (None, true) => Ok(Whose::All),
        (None, false) => Ok(Whose::Own(own(parsed))),
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
        return Err(Error::usage("--for and --until exclude each other").hint("give one of them"));
    }
    let tz = parsed.text("tz").map(str::to_owned);
    when::zone(tz.as_deref()).map_err(|why| {
        Error::usage(format!("--tz: {why}"))
            .hint("zones are named as in /usr/share/zoneinfo: Europe/Berlin")
    })?;
    let langs = languages(parsed)?;
    let token = base::atomic::random::<8>()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Wish {
        id: id(parsed)?.unwrap_or(default_id),
        message: words(parsed, "message", hold::MESSAGE_MAX)?,
        title: words(parsed, "title", 200)?.map(|title| title.replace('\n', " ")),
        langs,
        tz,
        start: time(parsed, "start")?,
        until: time(parsed, "until")?,
        lasting: parsed.duration("for"),
        warn: parsed.duration("warn"),
        auto_off: parsed.flag("auto-off"),
        template: None,
        by: caller(),
        seat: Seat::here(),
        implied: parsed.text("id").is_none() && parsed.command() == Some("on"),
        run: None,
        token,
    })
}

/// The page's languages, the message's own first; each once.
fn languages(parsed: &Parsed) -> Result<Vec<String>> {
    let mut langs: Vec<String> = Vec::new();
    for tag in parsed.texts("lang") {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if tag.is_empty() || !tag.bytes().all(plain) {
            return Err(Error::usage(format!(
                "--lang: '{}' is not a language tag",
                plain::clean(tag)
            ))
            .hint("such as de, pt-BR or zh-Hant"));
        }
        if !langs.iter().any(|other| other.eq_ignore_ascii_case(tag)) {
            langs.push(tag.to_owned());
        }
    }
    // A first language without words of its own has the operator's message; a further one would
    // repeat the English words.
    if let Some(unknown) = langs.iter().skip(1).find(|tag| !words::is_known(tag)) {
        let known: Vec<&str> = words::WORDS.iter().map(|words| words.lang).collect();
        return Err(
            Error::usage(format!("--lang: there are no words in '{unknown}'"))
                .hint(format!("one of: {}", known.join(", "))),
        );
    }
    Ok(langs)
}

fn words(parsed: &Parsed, option: &str, most: usize) -> Result<Option<String>> {
    let Some(text) = parsed.text(option) else {
        return Ok(None);
    };
    let text = plain::clean(text);
    match text.len() {
        0 => Err(Error::usage(format!(
            "--{option}: the text has nothing to read"
        ))),
        n if n > most => Err(Error::usage(format!(
            "--{option}: {n} bytes, and at most {most} are shown"
        ))),
        _ => Ok(Some(text)),
    }
}

fn time(parsed: &Parsed, option: &str) -> Result<Option<(when::When, String)>> {
    let Some(text) = parsed.text(option) else {
        return Ok(None);
    };
    let when = when::parse(text).map_err(|why| {
        Error::usage(format!(
            "--{option}: '{}': {why}",
            base::terminal::escape(text)
        ))
    })?;
    Ok(Some((when, text.to_owned())))
}

fn template(parsed: &Parsed) -> Result<Option<PathBuf>> {
    match parsed.path("template") {
        Some(_) if parsed.os("page").is_some() => Err(Error::usage(
            "a page of one file (--page) has no place for the files of a template",
        )
        .hint("give --dir DIR in place of --page")),
        given => Ok(given.map(Path::to_path_buf)),
    }
}

fn proof(parsed: &Parsed, urls: Vec<&str>) -> Result<Proof> {
    for url in &urls {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(
                Error::usage(format!("'{}' is not a URL", base::terminal::escape(url)))
                    .hint("such as http://127.0.0.1/ or https://www.example.org/login"),
            );
        }
    }
    let status = match parsed.count("expect") {
        Some(status @ 100..=599) => u16::try_from(status).ok(),
        Some(status) => {
            return Err(Error::usage(format!(
                "--expect: {status} is not an HTTP status"
            )));
        }
        None => None,
    };
    let count = match parsed.count("count") {
        Some(0) => {
            return Err(Error::usage("--count: no answer proves nothing").hint("give 1 or more"));
        }
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
    let layout = flagged(
        parsed,
        "configuration of its own: the server has one already",
    )?;
    let dir = layout.dir().to_path_buf();
    match dir.to_str() {
        Some(text) if snippet::can_name(text) => {}
        _ => {
            return Err(Error::usage(format!(
                "{} cannot be written in a server's configuration",
                dir.display()
            ))
            .hint("use a path of letters, digits and . _ - + @ ~ , ="));
        }
    }
    let server = parsed
        .positional_texts()
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    let allow = allow(parsed)?;
    Ok(Request::Snippet { server, dir, allow })
}

fn allow(parsed: &Parsed) -> Result<Allow> {
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    let allow = Allow {
        paths: owned(parsed.texts("allow-path")),
        networks: owned(parsed.texts("allow-from")),
    };
    if let Some(path) = allow.paths.iter().find(|path| !snippet::is_path(path)) {
        return Err(Error::usage(format!(
            "--allow-path: '{}' cannot be let past the page",
            plain::clean(path)
        ))
        .hint("a path such as /healthz, or /static/ for everything below: letters, digits and / . _ ~ -"));
    }
    if let Some(network) = allow.networks.iter().find(|net| !snippet::is_network(net)) {
        return Err(Error::usage(format!(
            "--allow-from: '{}' is neither an address nor a network",
            plain::clean(network)
        ))
        .hint("such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"));
    }
    Ok(allow)
}

fn action(parsed: &Parsed) -> Result<Action> {
    let words = parsed.positional_texts();
    let key = words.get(1).copied();
    match (words.first().copied().unwrap_or_default(), key) {
        ("add", None) => Ok(Action::Add(
            parsed
                .duration("ttl")
                .unwrap_or(Duration::from_secs(8 * 3600)),
        )),
        ("list", None) => Ok(Action::List),
        ("revoke", Some("all")) => Ok(Action::Revoke(None)),
        ("revoke", Some(key)) if key.len() >= 8 && key.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(Action::Revoke(Some(key.to_lowercase())))
        }
        ("revoke", Some(_)) => Err(Error::usage(
            "a key is revoked by its first eight hex digits or more",
        )
        .hint("maint-page bypass list shows the keys")),
        ("revoke", None) => {
            Err(Error::usage("revoke needs a key").hint("give its first eight digits, or all"))
        }
        (verb, Some(_)) => Err(Error::usage(format!("{verb} takes no key"))),
        (verb, None) => Err(Error::usage(format!("{verb} is no action"))),
    }
}
