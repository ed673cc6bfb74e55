//! Caddy: the `log` directives of a Caddyfile, or the `logging` of a JSON configuration.
//!
//! `caddy validate` opens the logs, so it is not asked; what is read here is compared with `caddy
//! adapt` in the tests.

mod caddyfile;

use crate::log::{
    Configured, Doubt, Evidence, Example, Kind, OwnRotation, Reopen, Service, Sink, Target,
};
use crate::process::Process;
use crate::site::{Site, normal};
use caddyfile::{Log, Output};
use conf::{Error, Source};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "caddy";

/// One Caddy: its configuration, where it stands and what its environment is.
struct Instance {
    conf: PathBuf,
    cwd: PathBuf,
    env: BTreeMap<OsString, OsString>,
    user: Option<String>,
    pid: Option<u32>,
}

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.is("caddy"),
    reopen: Reopen {
        names: &["caddy"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "Caddyfile",
        text: "example.org {\n log {\n  output file /var/log/caddy/site.log\n }\n}\n",
    },
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for instance in instances(site) {
        configured.found = true;
        one(site, &instance, &mut configured);
    }
    configured
}

fn instances(site: &Site) -> Vec<Instance> {
    let running: Vec<Instance> = site
        .masters(NAME)
        .filter_map(|process| of_process(site, process))
        .collect();
    let asked = site.asked(NAME);
    let of_file = |conf: PathBuf| Instance {
        conf,
        cwd: PathBuf::from("/"),
        env: std::env::vars_os().collect(),
        user: usual_user(site),
        pid: None,
    };
    if !asked.is_empty() {
        let absolute: Vec<PathBuf> = asked
            .into_iter()
            .map(|conf| std::path::absolute(&conf).unwrap_or(conf))
            .collect();
        let mut chosen: Vec<Instance> = running
            .into_iter()
            .filter(|instance| absolute.contains(&instance.conf))
            .collect();
        for conf in absolute {
            if chosen.iter().all(|instance| instance.conf != conf) {
                chosen.push(of_file(conf));
            }
        }
        return chosen;
    }
    if !running.is_empty() {
        return running;
    }
    site.first(&["/etc/caddy/Caddyfile", "/etc/caddy/caddy.json"])
        .map(of_file)
        .into_iter()
        .collect()
}

fn usual_user(site: &Site) -> Option<String> {
    site.users.account("caddy").map(|_| "caddy".to_owned())
}

fn of_process(site: &Site, process: &Process) -> Option<Instance> {
    let cwd = process.cwd().unwrap_or_else(|| PathBuf::from("/"));
    let conf = match process.option(&["--config", "-c", "-config"]) {
        Some(conf) => normal(&cwd.join(OsStr::from_bytes(conf))),
        None => Some(cwd.join("Caddyfile")).filter(|path| site.files.stat(path).is_ok())?,
    };
    Some(Instance {
        conf,
        cwd,
        env: process.environment().unwrap_or_default(),
        user: Some(site.users.user_name(process.uid)),
        pid: Some(process.pid),
    })
}

fn one(site: &Site, instance: &Instance, out: &mut Configured) {
    let json = instance.conf.extension().is_some_and(|end| end == "json");
    let bytes = match site.files.read(&instance.conf) {
        Ok(bytes) => bytes,
        Err(error) => return out.fault(NAME, error),
    };
    let logs = if json {
        from_json(&instance.conf, &bytes).unwrap_or_else(|error| {
            out.fault(NAME, error);
            Vec::new()
        })
    } else {
        let read = caddyfile::read(&site.files, &instance.conf, &bytes, &instance.env);
        for error in read.errors {
            out.fault(NAME, error);
        }
        read.logs
    };
    if !logs.iter().any(|log| log.kind == Kind::Error) {
        let source = Some(Source::new(&Arc::from(instance.conf.as_path()), 0));
        let sink = Sink::Stdio("stderr");
        let target = Target::new(NAME, instance.conf.display().to_string(), Kind::Error, sink);
        out.add(Target {
            source,
            evidence: Evidence::Default,
            user: instance.user.clone(),
            pid: instance.pid,
            ..target
        });
    }
    for log in &logs {
        out.add(target(instance, log));
    }
}

fn target(instance: &Instance, log: &Log) -> Target {
    let mut doubt = None;
    let mut rotates = None;
    let sink = match &log.output {
        Output::Stream(stream) => Sink::Stdio(stream),
        Output::Discard => Sink::Discard,
        Output::Net(address) => Sink::Net(address.clone()),
        Output::Other(module) => Sink::Net(module.clone()),
        Output::File { name, rolls } => {
            let source = Some(log.source.clone());
            rotates = rolls.then_some(OwnRotation {
                by: NAME,
                off: "set roll_disabled",
                source,
            });
            match placeholders(name, &instance.env) {
                Ok(name) => Sink::File(normal(&instance.cwd.join(OsStr::from_bytes(&name)))),
                Err(unknown) => {
                    doubt = Some(Doubt::Unresolved(unknown));
                    Sink::Template(name.clone())
                }
            }
        }
    };
    let target = Target::new(NAME, instance.conf.display().to_string(), log.kind, sink);
    Target {
        source: Some(log.source.clone()),
        user: instance.user.clone(),
        pid: instance.pid,
        claimed: instance.pid.is_some(),
        // A log of requests is opened with the first one.
        at_start: false,
        appends: Some(true),
        rotates,
        doubt,
        ..target
    }
}

/// `{env.NAME}` is filled in when Caddy opens the file; other placeholders are not known here.
fn placeholders(name: &[u8], env: &BTreeMap<OsString, OsString>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = name;
    while let Some(at) = rest.iter().position(|byte| *byte == b'{') {
        out.extend_from_slice(&rest[..at]);
        let Some(end) = rest[at..].iter().position(|byte| *byte == b'}') else {
            break;
        };
        let inner = &rest[at + 1..at + end];
        match inner.strip_prefix(b"env.") {
            Some(variable) => out.extend(
                env.get(OsStr::from_bytes(variable))
                    .map_or(&b""[..], |value| value.as_bytes()),
            ),
            None if inner == b"system.hostname" => {
                out.extend_from_slice(rustix::system::uname().nodename().to_bytes());
            }
            None => return Err(format!("{{{}}}", String::from_utf8_lossy(inner))),
        }
        rest = &rest[at + end + 1..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}

fn from_json(path: &Path, bytes: &[u8]) -> Result<Vec<Log>, Error> {
    let file: Arc<Path> = Arc::from(path);
    let parsed: serde_json::Value = serde_json::from_slice(bytes).map_err(|why| {
        Error::at(
            conf::Kind::Syntax,
            &Source::new(&file, why.line()),
            why.to_string(),
        )
    })?;
    let logs = parsed
        .pointer("/logging/logs")
        .and_then(serde_json::Value::as_object);
    Ok(logs
        .into_iter()
        .flatten()
        .map(|(name, log)| of_json(&file, bytes, name, log))
        .collect())
}

fn of_json(file: &Arc<Path>, bytes: &[u8], name: &str, log: &serde_json::Value) -> Log {
    let writer = &log["writer"];
    let text = |key: &str| writer[key].as_str().unwrap_or_default().to_owned();
    let output = match writer["output"].as_str() {
        None | Some("stderr") => Output::Stream("stderr"),
        Some("stdout") => Output::Stream("stdout"),
        Some("discard") => Output::Discard,
        Some("file") => Output::File {
            name: text("filename").into_bytes(),
            rolls: writer["roll"] != serde_json::Value::Bool(false),
        },
        Some("net") => Output::Net(text("address")),
        Some(other) => Output::Other(other.to_owned()),
    };
    let access = log["include"].as_array().is_some_and(|list| {
        list.iter().any(|name| {
            name.as_str()
                .is_some_and(|name| name.starts_with("http.log.access"))
        })
    });
    let kind = if access { Kind::Access } else { Kind::Error };
    let mark = match &output {
        Output::File { name, .. } => name.clone(),
        _ => format!("\"{name}\"").into_bytes(),
    };
    let at = bytes
        .windows(mark.len().max(1))
        .position(|window| window == mark);
    let line = at.map_or(0, |at| {
        1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
    });
    Log {
        kind,
        output,
        source: Source::new(file, line),
    }
}
