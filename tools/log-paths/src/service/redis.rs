//! redis: one log file, relative to `dir`, opened for every line and never held; the last directive
//! wins, and the command line over all.

use crate::log::{Configured, Evidence, Example, Kind, Reopen, Service, Sink, Target};
use crate::process::Process;
use crate::site::{Site, normal};
use conf::files::DEPTH;
use conf::{Error, Source};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "redis";

/// Where the server and the sentinel have their configurations.
const USUAL: &[&str] = &[
    "/etc/redis/redis.conf",
    "/etc/redis.conf",
    "/etc/valkey/valkey.conf",
    "/etc/redis/sentinel.conf",
    "/etc/redis-sentinel.conf",
    "/etc/valkey/sentinel.conf",
];

/// The directives that matter.
const WANTED: &[&str] = &[
    "logfile",
    "dir",
    "daemonize",
    "syslog-enabled",
    "syslog-ident",
    "port",
    "unixsocket",
];

type Settings = BTreeMap<String, (Vec<u8>, Option<Source>)>;

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| {
        [
            "redis-server",
            "redis-sentinel",
            "valkey-server",
            "valkey-sentinel",
        ]
        .iter()
        .any(|name| program.is(name))
    },
    reopen: Reopen {
        names: &["redis", "redis-server", "redis-sentinel"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "redis.conf",
        text: "logfile /var/log/redis/redis-server.log\n",
    },
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for conf in files(site) {
        configured.found = true;
        let mut settings = Settings::new();
        let mut stack = Vec::new();
        file(
            site,
            &conf,
            None,
            &mut stack,
            &mut settings,
            &mut configured,
        );
        let running = site.running(NAME).find(|process| {
            conf_of(process).as_deref() == Some(&conf) || serves(process, &settings)
        });
        for words in running.iter().flat_map(|process| given(process)) {
            settings.insert(words.0, (words.1, None));
        }
        one(site, &conf, &settings, running, &mut configured);
    }
    configured
}

fn files(site: &Site) -> Vec<PathBuf> {
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        return asked
            .into_iter()
            .map(|conf| std::path::absolute(&conf).unwrap_or(conf))
            .collect();
    }
    let mut running: Vec<PathBuf> = site.running(NAME).filter_map(conf_of).collect();
    running.dedup();
    // A title that keeps only an address tells no file: the usual ones are read for it.
    let untold = site.running(NAME).any(|process| conf_of(process).is_none());
    if running.is_empty() || untold {
        let exists = |path: &PathBuf| site.files.stat(path).is_ok();
        running.extend(USUAL.iter().map(PathBuf::from).filter(exists));
    }
    let mut seen = std::collections::BTreeSet::new();
    running.retain(|path| seen.insert(path.clone()));
    running
}

/// The file a server was started with; its title keeps only that much: `redis-server
/// 127.0.0.1:6379`, or the words as typed.
fn conf_of(process: &Process) -> Option<PathBuf> {
    let word = process
        .argv
        .get(1)
        .filter(|word| !word.starts_with(b"-") && word.ends_with(b".conf"))?;
    let cwd = process.cwd()?;
    Some(normal(&cwd.join(OsStr::from_bytes(word))))
}

/// A title keeps the address only: `/usr/bin/redis-server 127.0.0.1:6379`, `redis-server
/// unixsocket:/run/redis.sock`.
fn serves(process: &Process, settings: &Settings) -> bool {
    let title = process.title();
    let Some(address) = title.split(|byte| *byte == b' ').nth(1) else {
        return false;
    };
    let get = |name: &str| settings.get(name).map_or(&b""[..], |(value, _)| value);
    let sentinel = process.argv.first().is_some_and(|word| {
        word.split(|byte| *byte == b' ')
            .next()
            .is_some_and(|word| word.ends_with(b"sentinel"))
    });
    let port = if get("port").is_empty() && sentinel {
        b"26379"
    } else if get("port").is_empty() {
        b"6379"
    } else {
        get("port")
    };
    match address.strip_prefix(b"unixsocket:") {
        Some(path) => path == get("unixsocket"),
        None => address.rsplit(|byte| *byte == b':').next() == Some(port),
    }
}

/// `--logfile x` on the command line.
fn given(process: &Process) -> Vec<(String, Vec<u8>)> {
    let option = |name: &str| {
        Some((
            name.to_owned(),
            process.option(&[&format!("--{name}")])?.to_vec(),
        ))
    };
    WANTED.iter().filter_map(|name| option(name)).collect()
}

fn file(
    site: &Site,
    path: &Path,
    from: Option<&Source>,
    stack: &mut Vec<PathBuf>,
    settings: &mut Settings,
    out: &mut Configured,
) {
    if stack.len() >= DEPTH || stack.iter().any(|open| open == path) {
        let names: Vec<String> = stack
            .iter()
            .map(PathBuf::as_path)
            .chain([path])
            .map(|file| file.display().to_string())
            .collect();
        let source = from
            .cloned()
            .unwrap_or_else(|| Source::new(&Arc::from(path), 0));
        return out.fault(
            NAME,
            Error::at(
                conf::Kind::Loop,
                &source,
                format!("a file includes itself: {}", names.join(" > ")),
            ),
        );
    }
    let bytes = match site.files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let error = from.map_or(error.clone(), |from| {
                Error::at(error.kind, from, format!("includes {error}"))
            });
            return out.faults.push(crate::log::Fault {
                service: NAME,
                error,
                incomplete: true,
            });
        }
    };
    stack.push(path.to_path_buf());
    let name: Arc<Path> = Arc::from(path);
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let source = Source::new(&name, number + 1);
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let Some(words) = words(line) else {
            out.fault(
                NAME,
                Error::at(conf::Kind::Syntax, &source, "a quotation is not closed"),
            );
            continue;
        };
        let directive = words
            .first()
            .map(|word| String::from_utf8_lossy(word).to_lowercase())
            .unwrap_or_default();
        let value = words.get(1).cloned().unwrap_or_default();
        if directive == "include" {
            // A relative name is relative to where the server was started, as a rule the file's own
            // directory or /.
            let base = path.parent().unwrap_or(Path::new("/"));
            for included in site.files.glob(&base.join(OsStr::from_bytes(&value))) {
                file(site, &included, Some(&source), stack, settings, out);
            }
        } else if WANTED.contains(&directive.as_str()) {
            settings.insert(directive, (value, Some(source)));
        }
    }
    stack.pop();
}

/// `sdssplitargs`: blanks between words, `"…"` with escapes, `'…'` with `\'`.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        match byte {
            b' ' | b'\t'..=b'\r' => at += 1,
            b'"' | b'\'' => {
                let (word, width) = quoted(&line[at..], *byte)?;
                words.push(word);
                at += width;
            }
            _ => {
                let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0);
                let end = line[at..]
                    .iter()
                    .skip(1)
                    .position(blank)
                    .map_or(line.len(), |end| at + 1 + end);
                words.push(line[at..end].to_vec());
                at = end;
            }
        }
    }
    Some(words)
}

fn quoted(text: &[u8], mark: u8) -> Option<(Vec<u8>, usize)> {
    let mut out = Vec::new();
    let mut at = 1;
    loop {
        match (*text.get(at)?, text.get(at + 1)) {
            (byte, _) if byte == mark => return Some((out, at + 1)),
            (b'\\', Some(b'x'))
                if mark == b'"'
                    && text
                        .get(at + 2..at + 4)
                        .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                let hex = std::str::from_utf8(text.get(at + 2..at + 4)?).ok()?;
                out.push(u8::from_str_radix(hex, 16).ok()?);
                at += 4;
            }
            (b'\\', Some(next)) if mark == b'"' || *next == b'\'' => {
                out.push(match next {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                at += 2;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

fn one(
    site: &Site,
    conf: &Path,
    settings: &Settings,
    running: Option<&Process>,
    out: &mut Configured,
) {
    let get = |name: &str| settings.get(name).map(|(value, _)| value.as_slice());
    let yes = |name: &str| get(name).is_some_and(|value| value.eq_ignore_ascii_case(b"yes"));
    let whole = || Source::new(&Arc::from(conf), 0);
    let said = settings.get("logfile");
    let cwd = running
        .and_then(Process::cwd)
        .unwrap_or_else(|| PathBuf::from("/"));
    let dir = get("dir").map_or(cwd.clone(), |dir| normal(&cwd.join(OsStr::from_bytes(dir))));
    let user = running
        .map(|process| site.users.user_name(process.uid))
        .or_else(|| owner(site, &dir));
    let target = |sink| Target {
        source: Some(
            said.and_then(|(_, source)| source.clone())
                .unwrap_or_else(whole),
        ),
        evidence: if said.is_some() {
            Evidence::Config
        } else {
            Evidence::Default
        },
        user: user.clone(),
        held: false,
        pid: running.map(|process| process.pid),
        claimed: running.is_some() && !USUAL.iter().any(|usual| Path::new(usual) == conf),
        ..Target::new(NAME, conf.display().to_string(), Kind::Error, sink)
    };
    match said.map_or(&b""[..], |(value, _)| value) {
        b"" if yes("daemonize") => out.add(target(Sink::Discard)),
        b"" => out.add(target(Sink::Stdio("stdout"))),
        name => out.add(target(Sink::File(normal(
            &dir.join(OsStr::from_bytes(name)),
        )))),
    }
    if yes("syslog-enabled") {
        out.add(target(Sink::Syslog(String::new())));
    }
}

/// Debian's unit runs it as the owner of its directory.
fn owner(site: &Site, dir: &Path) -> Option<String> {
    let named = site.users.account("redis").map(|_| "redis".to_owned());
    let stat = site.files.stat(dir).ok().filter(|stat| stat.st_uid != 0);
    stat.map(|stat| site.users.user_name(stat.st_uid)).or(named)
}
