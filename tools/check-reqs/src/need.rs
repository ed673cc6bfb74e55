//! The short form of a requirement, for one line of a runbook or a crontab: `'python>=3.10' disk:/srv:2G port:8000:free`. A NEED is
//! only another way to write a `[[check]]` table: it is turned into one here, and read by the same code.

use crate::document::{Key, Node, Value};

/// A table as a NEED writes it.
type Pairs = Vec<(&'static str, Value)>;

/// Turns a NEED into the table it stands for; the error says what the form should look like.
pub fn table(need: &str) -> Result<Node, String> {
    let (kind, mut pairs) = parse(need)?;
    pairs.push(("type", text(kind)));
    pairs.push(("id", text(need)));
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| {
            (
                Key {
                    at: None,
                    name: name.into(),
                },
                Node { at: None, value },
            )
        })
        .collect();
    Ok(Node {
        at: None,
        value: Value::Table(pairs),
    })
}

/// The prefixes and what stands after them, in the words of the manual.
pub const FORMS: &[(&str, &str)] = &[
    ("python", "python[>=3.10][@VENV or INTERPRETER]"),
    ("dist", "NAME[>=1.0][@VENV], dist:NAME[>=1.0][@VENV]"),
    ("postgres", "postgres[>=13][@CONNECTION]"),
    ("extension", "ext:NAME[>=1.0][@CONNECTION]"),
    ("command", "cmd:NAME[>=2.30]"),
    ("package", "pkg:NAME[>=1.18]"),
    ("memory", "memory:SIZE"),
    (
        "disk",
        "disk:PATH:SIZE, disk:PATH:10%, disk:PATH:5000inodes",
    ),
    ("port", "port:[ADDRESS:]PORT[:listening|:free]"),
    ("tcp", "tcp:HOST:PORT, tcp:/SOCKET"),
    ("smtp", "smtp:HOST[:PORT][:starttls]"),
    ("dns", "dns:NAME[=ADDRESS]"),
    ("file", "file:PATH[:OWNER[:MODE]], dir:PATH[:OWNER[:MODE]]"),
    ("writable", "writable:PATH[:USER]"),
    ("user", "user:NAME[:GROUP,GROUP]"),
    ("group", "group:NAME[:MEMBER,MEMBER]"),
    ("service", "service:NAME"),
    ("service_env", "env:PROCESS:VARIABLE"),
    ("crontab", "crontab[:USER]"),
    ("http", "http:URL[=STATUS]"),
    ("noindex", "noindex:URL"),
    ("robots", "robots:URL[=PATH]"),
    ("tls", "tls:HOST[:PORT][:DURATION]"),
    ("django", "django:DIRECTORY[@VENV]"),
];

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn parse(need: &str) -> Result<(&'static str, Pairs), String> {
    let (prefix, rest) = match need.split_once(':') {
        // `setuptools>=8.0@/srv/a:b` and `postgres>=13@postgres://…` are no prefixes: a prefix is a bare word.
        Some((prefix, rest))
            if prefix.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !prefix.is_empty() =>
        {
            (prefix, rest)
        }
        _ => (need, ""),
    };
    let has_rest = need.len() > prefix.len();
    match (prefix, has_rest) {
        ("crontab", false) => Ok(("crontab", vec![])),
        (word, false) => bare(word),
        (_, true) if rest.is_empty() => Err(wanted(prefix, "nothing follows the colon")),
        ("dist", _) => bare_dist(rest),
        ("python", _) => {
            Err("python takes no colon: write 'python>=3.10' or 'python>=3.10@/srv/venv'".into())
        }
        ("ext" | "extension", _) => versioned("extension", rest, "name", Some("connection")),
        ("cmd" | "command", _) => versioned("command", rest, "name", None),
        ("pkg" | "package", _) => versioned("package", rest, "name", None),
        ("memory" | "mem", _) => Ok(("memory", vec![("free", text(rest))])),
        ("disk", _) => disk(rest),
        ("port", _) => port(rest),
        ("tcp", _) => tcp(rest),
        ("smtp", _) => smtp(rest),
        ("dns", _) => Ok(("dns", subject(rest, '=', "name", "address"))),
        ("file", _) => Ok(("file", owned(rest))),
        ("dir", _) => Ok((
            "file",
            owned(rest)
                .into_iter()
                .chain([("kind", text("directory"))])
                .collect(),
        )),
        ("writable", _) => Ok(("writable", subject(rest, ':', "path", "user"))),
        ("user", _) => Ok(("user", members(rest, "groups"))),
        ("group", _) => Ok(("group", members(rest, "members"))),
        ("service", _) => Ok(("service", vec![("name", text(rest))])),
        ("env" | "service_env", _) => match rest.rsplit_once(':') {
            Some((process, variable)) => Ok((
                "service_env",
                vec![("process", text(process)), ("variable", text(variable))],
            )),
            None => Err(wanted("service_env", "the variable is missing")),
        },
        ("crontab", _) => Ok(("crontab", vec![("user", text(rest))])),
        ("http" | "https", _) if rest.starts_with("//") => {
            Err(format!("to ask a page, write http:{need}"))
        }
        ("http" | "https", _) => Ok(("http", url(rest, "status"))),
        ("noindex", _) => Ok(("noindex", vec![("url", text(rest))])),
        ("robots", _) => Ok(("robots", url(rest, "disallow"))),
        ("tls", _) => tls(rest),
        ("django", _) => Ok(("django", subject(rest, '@', "directory", "venv"))),
        (other, _) => {
            let near =
                base::spelling::nearest(other, &PREFIXES.iter().map(|p| &**p).collect::<Vec<_>>());
            Err(match near {
                Some(near) => format!("'{other}:' begins no requirement; did you mean '{near}:'?"),
                None => format!("'{other}:' begins no requirement"),
            })
        }
    }
}

/// Every word that may stand before a colon.
const PREFIXES: &[&str] = &[
    "dist",
    "ext",
    "extension",
    "cmd",
    "command",
    "pkg",
    "package",
    "memory",
    "disk",
    "port",
    "tcp",
    "smtp",
    "dns",
    "file",
    "dir",
    "writable",
    "user",
    "group",
    "service",
    "env",
    "service_env",
    "crontab",
    "http",
    "noindex",
    "robots",
    "tls",
    "django",
];

fn wanted(kind: &str, what: &str) -> String {
    match FORMS.iter().find(|(name, _)| *name == kind) {
        Some((_, form)) => format!("{what}; the form is {form}"),
        None => what.to_string(),
    }
}

/// A name at the beginning, a version after it, and a place after `@`.
fn split_version(text: &str) -> (&str, &str, Option<&str>) {
    let (head, place) = match text.split_once('@') {
        Some((head, place)) => (head, Some(place)),
        None => (text, None),
    };
    let at = head.find(['<', '>', '=', '!', '~']).unwrap_or(head.len());
    (head[..at].trim(), head[at..].trim(), place)
}

fn bare(need: &str) -> Result<(&'static str, Pairs), String> {
    let (name, version, place) = split_version(need);
    let mut pairs = Vec::new();
    if !version.is_empty() {
        pairs.push(("version", text(version)));
    }
    match name {
        "python" => {
            pairs.extend(place.map(|place| ("interpreter", text(place))));
            Ok(("python", pairs))
        }
        "postgres" | "postgresql" => {
            pairs.extend(place.map(|place| ("connection", text(place))));
            Ok(("postgres", pairs))
        }
        _ => bare_dist(need),
    }
}

fn bare_dist(need: &str) -> Result<(&'static str, Pairs), String> {
    let (name, version, place) = split_version(need);
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '[' | ']' | ',');
    if name.is_empty()
        || !name.chars().all(fits)
        || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(format!(
            "'{need}' is no requirement that is known here: write {}",
            wanted("dist", "a distribution's name")
        ));
    }
    let mut pairs = vec![("name", text(name))];
    if !version.is_empty() {
        pairs.push(("version", text(version)));
    }
    pairs.extend(place.map(|place| ("venv", text(place))));
    Ok(("dist", pairs))
}

fn versioned(
    kind: &'static str,
    rest: &str,
    key: &'static str,
    place_key: Option<&'static str>,
) -> Result<(&'static str, Pairs), String> {
    let (name, version, place) = match place_key {
        Some(_) => split_version(rest),
        // Package names may hold anything but a comparison (`g++`, `python3-x@y` does not exist).
        None => {
            let at = rest.find(['<', '>', '=', '!', '~']).unwrap_or(rest.len());
            (rest[..at].trim(), rest[at..].trim(), None)
        }
    };
    if name.is_empty() {
        return Err(wanted(kind, "the name is missing"));
    }
    let mut pairs = vec![(key, text(name))];
    if !version.is_empty() {
        pairs.push(("version", text(version)));
    }
    if let (Some(key), Some(place)) = (place_key, place) {
        pairs.push((key, text(place)));
    }
    Ok((kind, pairs))
}

fn subject(rest: &str, between: char, first: &'static str, second: &'static str) -> Pairs {
    match rest.rsplit_once(between) {
        Some((a, b)) if !b.is_empty() && !a.is_empty() => vec![(first, text(a)), (second, text(b))],
        _ => vec![(first, text(rest))],
    }
}

fn members(rest: &str, key: &'static str) -> Pairs {
    match rest.split_once(':') {
        Some((name, list)) => {
            let list = list
                .split(',')
                .map(|word| Node {
                    at: None,
                    value: text(word),
                })
                .collect();
            vec![("name", text(name)), (key, Value::List(list))]
        }
        None => vec![("name", text(rest))],
    }
}

fn disk(rest: &str) -> Result<(&'static str, Pairs), String> {
    let (path, amount) = rest
        .rsplit_once(':')
        .ok_or_else(|| wanted("disk", "the amount is missing"))?;
    let amount = match amount.strip_suffix("inodes") {
        Some(count) => ("inodes", text(count)),
        None => ("free", text(amount)),
    };
    Ok(("disk", vec![("path", text(path)), amount]))
}

fn port(rest: &str) -> Result<(&'static str, Pairs), String> {
    let (place, state) = match rest.rsplit_once(':') {
        Some((place, state)) if state.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            (place, Some(state))
        }
        _ => (rest, None),
    };
    let mut pairs = match place.rsplit_once(':') {
        Some((address, port)) => vec![
            ("address", text(address.trim_matches(['[', ']']))),
            ("port", text(port)),
        ],
        None => vec![("port", text(place))],
    };
    pairs.extend(state.map(|state| ("state", text(state))));
    Ok(("port", pairs))
}

fn host_port(rest: &str) -> Option<(&str, &str)> {
    let (host, port) = rest.rsplit_once(':')?;
    let port_fits = !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit());
    (port_fits && !host.is_empty()).then_some((host.trim_matches(['[', ']']), port))
}

fn tcp(rest: &str) -> Result<(&'static str, Pairs), String> {
    if rest.starts_with('/') {
        return Ok(("tcp", vec![("socket", text(rest))]));
    }
    let (host, port) = host_port(rest).ok_or_else(|| wanted("tcp", "host and port are missing"))?;
    Ok(("tcp", vec![("host", text(host)), ("port", text(port))]))
}

fn smtp(rest: &str) -> Result<(&'static str, Pairs), String> {
    let (place, starttls) = match rest.strip_suffix(":starttls") {
        Some(place) => (place, true),
        None => (rest, false),
    };
    let mut pairs = match host_port(place) {
        Some((host, port)) => vec![("host", text(host)), ("port", text(port))],
        None => vec![("host", text(place.trim_matches(['[', ']'])))],
    };
    if starttls {
        pairs.push(("starttls", Value::Flag(true)));
    }
    Ok(("smtp", pairs))
}

fn owned(rest: &str) -> Pairs {
    let mut parts = rest.splitn(3, ':');
    let keys = ["path", "owner", "mode"];
    keys.into_iter()
        .zip(&mut parts)
        .filter(|(_, part)| !part.is_empty())
        .map(|(key, part)| (key, text(part)))
        .collect()
}

fn url(rest: &str, key: &'static str) -> Pairs {
    match rest.rsplit_once('=') {
        Some((url, status)) if !url.contains('?') && !status.is_empty() => {
            vec![("url", text(url)), (key, text(status))]
        }
        _ => vec![("url", text(rest))],
    }
}

fn tls(rest: &str) -> Result<(&'static str, Pairs), String> {
    let (place, left) = match rest.rsplit_once(':') {
        Some((place, left))
            if left.ends_with(|c: char| c.is_ascii_alphabetic())
                && left.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            (place, Some(left))
        }
        _ => (rest, None),
    };
    let mut pairs = match host_port(place) {
        Some((host, port)) => vec![("host", text(host)), ("port", text(port))],
        None => vec![("host", text(place.trim_matches(['[', ']'])))],
    };
    pairs.extend(left.map(|left| ("left", text(left))));
    Ok(("tls", pairs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(need: &str) -> String {
        let node = table(need).unwrap();
        let Value::Table(pairs) = node.value else {
            unreachable!()
        };
        let mut words: Vec<String> = Vec::new();
        for (key, node) in pairs {
            match (key.name.as_str(), node.value) {
                ("id", _) => {}
                ("type", Value::Text(kind)) => words.insert(0, kind),
                (key, Value::Text(text)) => words.push(format!("{key}={text}")),
                (key, other) => words.push(format!("{key}={}", other.kind())),
            }
        }
        words.join(" ")
    }

    #[test]
    fn every_short_form_is_a_table() {
        for (need, table) in [
            ("python>=3.10", "python version=>=3.10"),
            (
                "python>=3.10@/srv/venv",
                "python version=>=3.10 interpreter=/srv/venv",
            ),
            (
                "python>=2.7,<2.8||>=3.4",
                "python version=>=2.7,<2.8||>=3.4",
            ),
            (
                "setuptools>=8.0@/srv/venv",
                "dist name=setuptools version=>=8.0 venv=/srv/venv",
            ),
            ("Django", "dist name=Django"),
            ("dist:python-dateutil", "dist name=python-dateutil"),
            ("postgres>=13", "postgres version=>=13"),
            (
                "postgres>=13@postgres://u@h:5432/db",
                "postgres version=>=13 connection=postgres://u@h:5432/db",
            ),
            ("ext:hstore", "extension name=hstore"),
            (
                "extension:hstore>=1.4@dbname=site",
                "extension name=hstore version=>=1.4 connection=dbname=site",
            ),
            ("memory:128M", "memory free=128M"),
            ("disk:/srv:2G", "disk path=/srv free=2G"),
            ("disk:/srv/a:b:10%", "disk path=/srv/a:b free=10%"),
            ("disk:/srv:5000inodes", "disk path=/srv inodes=5000"),
            ("cmd:nginx", "command name=nginx"),
            ("cmd:git>=2.30", "command name=git version=>=2.30"),
            ("pkg:g++>=4:12", "package name=g++ version=>=4:12"),
            ("port:8000:free", "port port=8000 state=free"),
            ("port:127.0.0.1:8000", "port address=127.0.0.1 port=8000"),
            (
                "port:[::1]:80:listening",
                "port address=::1 port=80 state=listening",
            ),
            ("tcp:localhost:5432", "tcp host=localhost port=5432"),
            ("tcp:[::1]:5432", "tcp host=::1 port=5432"),
            ("tcp:/run/redis.sock", "tcp socket=/run/redis.sock"),
            ("smtp:localhost:25", "smtp host=localhost port=25"),
            (
                "smtp:mail.example.org:587:starttls",
                "smtp host=mail.example.org port=587 starttls=true or false",
            ),
            ("smtp:localhost", "smtp host=localhost"),
            ("dns:example.org", "dns name=example.org"),
            (
                "dns:example.org=192.0.2.1",
                "dns name=example.org address=192.0.2.1",
            ),
            ("user:deployer", "user name=deployer"),
            (
                "user:deployer:www-data,adm",
                "user name=deployer groups=a list",
            ),
            (
                "writable:/srv/media:deployer",
                "writable path=/srv/media user=deployer",
            ),
            ("writable:/srv/media", "writable path=/srv/media"),
            (
                "dir:/srv/media:deployer:2775",
                "file path=/srv/media owner=deployer mode=2775 kind=directory",
            ),
            ("file:/etc/hosts", "file path=/etc/hosts"),
            ("crontab", "crontab"),
            ("crontab:deployer", "crontab user=deployer"),
            ("http:http://127.0.0.1/", "http url=http://127.0.0.1/"),
            (
                "http:http://127.0.0.1:80/old=301",
                "http url=http://127.0.0.1:80/old status=301",
            ),
            (
                "http:http://127.0.0.1/?a=b",
                "http url=http://127.0.0.1/?a=b",
            ),
            (
                "noindex:http://127.0.0.1/media/",
                "noindex url=http://127.0.0.1/media/",
            ),
            (
                "tls:example.org:443:30d",
                "tls host=example.org port=443 left=30d",
            ),
            ("tls:example.org", "tls host=example.org"),
            (
                "env:uwsgi:PRODUCTION",
                "service_env process=uwsgi variable=PRODUCTION",
            ),
            (
                "django:/srv/site@/srv/venv",
                "django directory=/srv/site venv=/srv/venv",
            ),
            ("service:nginx", "service name=nginx"),
        ] {
            assert_eq!(shown(need), table, "{need}");
        }
    }

    #[test]
    fn what_is_no_requirement_says_so() {
        for (need, what) in [
            ("", "no requirement"),
            ("disk:/srv", "the amount is missing"),
            ("prot:80", "did you mean 'port:'"),
            ("tcp:localhost", "host and port"),
            ("cmd:", "nothing follows"),
            ("cmd:>=2", "name is missing"),
            ("http://127.0.0.1/", "write http:http://127.0.0.1/"),
            ("/srv/venv", "no requirement"),
            ("python:3", "takes no colon"),
        ] {
            let error = table(need).unwrap_err();
            assert!(error.contains(what), "{need}: {error}");
        }
    }
}
