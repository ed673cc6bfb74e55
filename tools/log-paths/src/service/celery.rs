//! celery: `--logfile` of workers, beat and `multi`, from processes, from what starts them, and
//! from /etc/default/celeryd.
//!
//! In a worker's log name `%n` is the node's name, `%h` the host and so on; `%I` and `%i` number
//! the pool's processes, each with a file of its own.

use crate::launch::{self, Launch};
use crate::log::{Configured, Doubt, Evidence, Example, Kind, Reopen, Service, Sink, Target};
use crate::shell::{self, Variables};
use crate::site::{Site, normal};
use conf::Source;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "celery";

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.titled("[celery") || program.is("celery"),
    reopen: Reopen {
        names: &["celery", "celeryd", "celerybeat"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "celeryd",
        text: "CELERYD_NODES='worker'\nCELERYD_LOG_FILE='/var/log/celery/%n%I.log'\n",
    },
    runs_python: true,
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    let asked = site.asked(NAME);
    if asked.is_empty() {
        for launch in launch::of(site, NAME, &["celery"]) {
            configured.found = true;
            one(site, &launch, &mut configured);
        }
    }
    let usual = [
        "/etc/default/celeryd",
        "/etc/default/celerybeat",
        "/etc/conf.d/celery",
    ]
    .map(PathBuf::from);
    let exists = |path: &PathBuf| site.files.stat(path).is_ok();
    let files = if asked.is_empty() {
        usual.into_iter().filter(exists).collect()
    } else {
        asked
    };
    for file in files {
        configured.found = true;
        shell_file(site, &file, &mut configured);
    }
    configured
}

/// The last of these options.
fn option(launch: &Launch, names: &[&str]) -> Option<Vec<u8>> {
    let argv: Vec<Vec<u8>> = std::iter::once(Vec::new())
        .chain(launch.arguments.iter().cloned())
        .collect();
    crate::process::option(&argv, names).map(<[u8]>::to_vec)
}

fn one(site: &Site, launch: &Launch, out: &mut Configured) {
    if let Some(command) = &launch.dynamic {
        let sink = Sink::Template(command.clone().into_bytes());
        return out.add(Target {
            source: launch.source.clone(),
            doubt: Some(Doubt::Dynamic(command.clone())),
            unit: launch.unit.clone(),
            ..Target::new(NAME, command, Kind::App, sink)
        });
    }
    let has = |word: &str| {
        launch
            .arguments
            .iter()
            .any(|argument| argument == word.as_bytes())
    };
    let cwd = option(launch, &["--workdir"]).map_or(launch.cwd.clone(), |dir| {
        normal(&launch.cwd.join(OsStr::from_bytes(&dir)))
    });
    let user = option(launch, &["--uid"])
        .map(|uid| String::from_utf8_lossy(&uid).into_owned())
        .or_else(|| launch.user.clone());
    let logfile = option(launch, &["--logfile", "-f"]);
    let multi = has("multi");
    let nodes = if multi {
        let names = nodes(&launch.arguments);
        if names.is_empty() {
            vec![b"celery".to_vec()]
        } else {
            names
        }
    } else {
        vec![option(launch, &["--hostname", "-n"]).unwrap_or_else(|| b"celery".to_vec())]
    };
    let target = |instance: &str, sink| Target {
        user: user.clone().or_else(|| Some(site.own_user())),
        source: launch.source.clone(),
        pid: launch.pid,
        claimed: launch.pid.is_some() && launch.source.is_none(),
        unit: launch.unit.clone(),
        // celery's handler looks whether the name still leads to its file.
        watched: true,
        at_start: false,
        appends: Some(true),
        ..Target::new(NAME, instance, Kind::App, sink)
    };
    let logfile = logfile.or_else(|| multi.then(|| b"/var/log/celery/%n%I.log".to_vec()));
    let Some(logfile) = logfile.filter(|name| !name.is_empty()) else {
        let instance = if has("beat") {
            "beat".to_owned()
        } else {
            String::from_utf8_lossy(&nodes[0]).into_owned()
        };
        return out.add(Target {
            evidence: Evidence::Default,
            ..target(&instance, Sink::Stdio("stderr"))
        });
    };
    if let Some(name) = launch::unresolved(&logfile) {
        let sink = Sink::Template(logfile);
        let instance = String::from_utf8_lossy(&nodes[0]).into_owned();
        return out.add(Target {
            doubt: Some(Doubt::Unresolved(name)),
            ..target(&instance, sink)
        });
    }
    if has("beat") {
        return out.add(target(
            "beat",
            Sink::File(normal(&cwd.join(OsStr::from_bytes(&logfile)))),
        ));
    }
    for node in nodes {
        let instance = instance(&node);
        for sink in sinks(&logfile, &node, &cwd) {
            out.add(target(&instance, sink));
        }
    }
}

/// A node's name without its host: `w1@vm` and `w1` are one node.
fn instance(node: &[u8]) -> String {
    let name = node.split(|byte| *byte == b'@').next().unwrap_or(node);
    String::from_utf8_lossy(name).into_owned()
}

/// The names after `multi start`; a number stands for that many.
fn nodes(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let after = words.iter().skip_while(|word| *word != b"multi").skip(2);
    let names: Vec<Vec<u8>> = after
        .take_while(|word| !word.starts_with(b"-"))
        .cloned()
        .collect();
    if let [only] = names.as_slice() {
        if let Some(count) = std::str::from_utf8(only)
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
        {
            return (1..=count.min(1000))
                .map(|number| format!("celery{number}").into_bytes())
                .collect();
        }
    }
    names
}

/// The worker's own file, and the template of its pool's.
fn sinks(logfile: &[u8], node: &[u8], cwd: &Path) -> Vec<Sink> {
    let own = expand(logfile, node, Some(b"0"), Some(b""));
    let path = |name: &[u8]| normal(&cwd.join(OsStr::from_bytes(name)));
    let mut sinks = vec![Sink::File(path(&own))];
    let template = expand(logfile, node, None, None);
    if template != own {
        sinks.push(Sink::Template(
            path(&template).into_os_string().as_bytes().to_vec(),
        ));
    }
    sinks
}

/// `%p` the node, `%n` its name, `%h` its host, `%d` the host's domain, `%i` and `%I` the pool
/// process.
fn expand(name: &[u8], node: &[u8], index: Option<&[u8]>, suffix: Option<&[u8]>) -> Vec<u8> {
    let host = rustix::system::uname().nodename().to_bytes().to_vec();
    let at = node.iter().position(|byte| *byte == b'@');
    let short = &node[..at.unwrap_or(node.len())];
    let host = at.map_or(host, |at| node[at + 1..].to_vec());
    let domain = host
        .iter()
        .position(|byte| *byte == b'.')
        .map_or(&b""[..], |dot| &host[dot + 1..]);
    let mut out = Vec::new();
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.as_slice().first()) {
            (b'%', Some(letter @ (b'p' | b'n' | b'h' | b'd' | b'i' | b'I' | b'%'))) => {
                bytes.next();
                match letter {
                    b'p' => out.extend([short, b"@", host.as_slice()].concat()),
                    b'n' => out.extend_from_slice(short),
                    b'h' => out.extend_from_slice(&host),
                    b'd' => out.extend_from_slice(domain),
                    b'i' => out.extend_from_slice(index.unwrap_or(b"%i")),
                    b'I' => out.extend_from_slice(suffix.unwrap_or(b"%I")),
                    _ => out.push(b'%'),
                }
            }
            _ => out.push(*byte),
        }
    }
    out
}

/// The init script's settings: `CELERYD_LOG_FILE`, `CELERYD_NODES`, `CELERYD_USER`, and beat's.
fn shell_file(site: &Site, path: &Path, out: &mut Configured) {
    let bytes = match site.files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => return out.fault(NAME, error),
    };
    let file: Arc<Path> = Arc::from(path);
    let (variables, lines) = shell::assignments(&bytes, Variables::new());
    let get = |name: &str| {
        variables
            .get(name.as_bytes())
            .filter(|value| !value.is_empty())
    };
    let user = |name: &str| {
        get(name)
            .map(|user| String::from_utf8_lossy(user).into_owned())
            .or_else(|| Some("celery".to_owned()))
    };
    let source = |name: &str| {
        Some(Source::new(
            &file,
            lines.get(name.as_bytes()).copied().unwrap_or(0),
        ))
    };
    if let Some(logfile) = get("CELERYD_LOG_FILE") {
        let nodes = get("CELERYD_NODES")
            .cloned()
            .unwrap_or_else(|| b"celery".to_vec());
        let words: Vec<Vec<u8>> = [b"multi".to_vec(), b"start".to_vec()]
            .into_iter()
            .chain(nodes.split(|byte| *byte == b' ').map(<[u8]>::to_vec))
            .collect();
        for node in self::nodes(&words) {
            for sink in sinks(logfile, &node, Path::new("/")) {
                let target = Target::new(NAME, instance(&node), Kind::App, sink);
                out.add(Target {
                    watched: true,
                    user: user("CELERYD_USER"),
                    source: source("CELERYD_LOG_FILE"),
                    ..target
                });
            }
        }
    }
    if let Some(logfile) = get("CELERYBEAT_LOG_FILE") {
        let target = Target::new(
            NAME,
            "beat",
            Kind::App,
            Sink::File(normal(&Path::new("/").join(OsStr::from_bytes(logfile)))),
        );
        out.add(Target {
            watched: true,
            user: user("CELERYBEAT_USER"),
            source: source("CELERYBEAT_LOG_FILE"),
            ..target
        });
    }
}
