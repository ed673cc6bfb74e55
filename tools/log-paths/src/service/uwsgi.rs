//! uWSGI: `daemonize`, `logto`, `logto2` and loggers, from ini, xml, yaml, json and the command
//! line, and an emperor's vassals.
//!
//! Rules found by running uWSGI 2.0.21: the last repeat wins, `daemonize` beats `logto`, relative
//! names are relative to where it was started (not to `chdir`), a `:` in `logto` is an address, and
//! `logto2` is opened after privileges are dropped.

mod options;
mod syntax;

use crate::launch::{self, Launch};
use crate::log::{
    Configured, Doubt, Evidence, Example, Kind, Opener, OwnRotation, Reopen, Service, Sink, Target,
};
use crate::site::{Site, normal};
use conf::Source;
use options::{Opt, Options};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "uwsgi";

/// One uWSGI: how it is started.
struct Instance {
    words: Vec<Vec<u8>>,
    cwd: PathBuf,
    env: std::collections::BTreeMap<std::ffi::OsString, std::ffi::OsString>,
    user: Option<String>,
    name: String,
    pid: Option<u32>,
    claimed: bool,
    /// Where Debian's init script sends the log of an application.
    usual: Option<PathBuf>,
}

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.begins("uwsgi"),
    reopen: Reopen {
        names: &["uwsgi"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "site.ini",
        text: "[uwsgi]\nlogto = /var/log/uwsgi/site.log\n",
    },
    runs_python: true,
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    let mut left = instances(site);
    // A vassal may be an emperor, even of the directory it stands in.
    let mut seen = BTreeSet::new();
    for launch in launches(site) {
        let Some(command) = &launch.dynamic else {
            continue;
        };
        configured.found = true;
        let sink = Sink::Template(command.clone().into_bytes());
        configured.add(Target {
            source: launch.source.clone(),
            doubt: Some(Doubt::Dynamic(command.clone())),
            unit: launch.unit.clone(),
            ..Target::new(NAME, command, Kind::App, sink)
        });
    }
    while let Some(instance) = left.pop() {
        configured.found = true;
        if !seen.insert(instance.name.clone()) {
            continue;
        }
        let options = Options::read(
            site,
            &instance.words,
            &instance.cwd,
            &instance.env,
            &mut configured,
        );
        left.extend(vassals(site, &instance, &options));
        one(site, &instance, &options, &mut configured);
    }
    configured
}

fn launches(site: &Site) -> Vec<Launch> {
    let names = ["uwsgi", "uwsgi-core", "uwsgi_python3", "uwsgi_python311"];
    launch::of(site, NAME, &names)
}

fn instances(site: &Site) -> Vec<Instance> {
    let launches = launches(site);
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        return asked
            .into_iter()
            .map(|file| {
                let file = std::path::absolute(&file).unwrap_or(file);
                let used = launches
                    .iter()
                    .find(|launch| options::files(&launch.arguments, &launch.cwd).contains(&file));
                used.map_or_else(|| of_file(&file, None), of_launch)
            })
            .collect();
    }
    let understood = launches.iter().filter(|launch| launch.dynamic.is_none());
    let mut found: Vec<Instance> = understood.map(of_launch).collect();
    for app in ["ini", "xml", "yaml", "yml", "json"]
        .iter()
        .flat_map(|end| {
            site.files
                .glob(Path::new(&format!("/etc/uwsgi/apps-enabled/*.{end}")))
        })
    {
        let running = launches
            .iter()
            .any(|launch| options::files(&launch.arguments, &launch.cwd).contains(&app));
        if !running {
            let stem = app.file_stem().unwrap_or_default();
            let usual = Path::new("/var/log/uwsgi/app")
                .join(stem)
                .with_extension("log");
            found.push(of_file(&app, Some(usual)));
        }
    }
    found
}

fn of_launch(launch: &Launch) -> Instance {
    let files = options::files(&launch.arguments, &launch.cwd);
    let name = files.last().map_or_else(
        || String::from_utf8_lossy(&launch.arguments.join(&b' ')).into_owned(),
        |file| file.display().to_string(),
    );
    Instance {
        words: launch.arguments.clone(),
        cwd: launch.cwd.clone(),
        env: launch.env.clone(),
        user: launch.user.clone(),
        name,
        pid: launch.pid,
        claimed: launch.pid.is_some() && launch.source.is_none(),
        usual: None,
    }
}

fn of_file(file: &Path, usual: Option<PathBuf>) -> Instance {
    let cwd = file.parent().unwrap_or(Path::new("/")).to_path_buf();
    let words = vec![file.as_os_str().as_bytes().to_vec()];
    Instance {
        words,
        cwd,
        env: std::env::vars_os().collect(),
        user: None,
        name: file.display().to_string(),
        pid: None,
        claimed: false,
        usual,
    }
}

/// The configurations that an emperor watches; each starts in the directory it stands in.
fn vassals(site: &Site, instance: &Instance, options: &Options) -> Vec<Instance> {
    let mut vassals = Vec::new();
    for opt in options.all("emperor") {
        let Some(path) = path_of(&instance.cwd, opt) else {
            continue;
        };
        let is_dir = site
            .files
            .stat(&path)
            .is_ok_and(|stat| stat.st_mode & 0o170_000 == 0o040_000);
        let files = if is_dir {
            site.files
                .list(&path)
                .unwrap_or_default()
                .iter()
                .map(|name| path.join(name))
                .collect()
        } else {
            site.files.glob(&path)
        };
        for file in files.iter().filter(|file| syntax::Form::of(file).is_some()) {
            let mut vassal = of_file(file, None);
            vassal.user.clone_from(&instance.user);
            vassals.push(vassal);
        }
    }
    vassals
}

fn path_of(cwd: &Path, opt: &Opt) -> Option<PathBuf> {
    (opt.unresolved.is_none() && launch::unresolved(&opt.value).is_none())
        .then(|| normal(&cwd.join(OsStr::from_bytes(&opt.value))))
}

fn one(site: &Site, instance: &Instance, options: &Options, out: &mut Configured) {
    let uid = options
        .last("uid")
        .map(|opt| String::from_utf8_lossy(&opt.value).into_owned());
    let user = uid
        .clone()
        .or_else(|| instance.user.clone())
        .unwrap_or_else(|| site.own_user());
    let drops = uid.is_some() && (site.files.is_rooted() || rustix::process::geteuid().is_root());
    let early = if drops {
        Opener::RootThenWorker
    } else {
        Opener::Service
    };
    let rotates = options.last("log-maxsize").map(|opt| OwnRotation {
        by: NAME,
        off: "remove log-maxsize",
        source: opt.source.clone(),
    });
    let target = |kind, sink| Target {
        user: Some(user.clone()),
        rotates: rotates.clone(),
        pid: instance.pid,
        claimed: instance.claimed,
        ..Target::new(NAME, instance.name.clone(), kind, sink)
    };
    let whole = || Some(Source::new(&Arc::from(Path::new(&instance.name)), 0));
    let daemonize = options
        .last("daemonize")
        .or_else(|| options.last("daemonize2"));
    let usual = instance.usual.clone().filter(|_| daemonize.is_none());
    let mut any = false;
    for (opt, opener) in [
        (daemonize, early),
        (
            options
                .last("logto")
                .filter(|_| daemonize.is_none() && usual.is_none()),
            early,
        ),
        (options.last("logto2"), Opener::Service),
    ] {
        let Some(opt) = opt else { continue };
        any = true;
        let found = target(Kind::App, sink(&instance.cwd, opt));
        let unresolved = opt
            .unresolved
            .clone()
            .or_else(|| launch::unresolved(&opt.value));
        let doubt = unresolved.map(Doubt::Unresolved);
        let rotates = found
            .rotates
            .clone()
            .filter(|_| matches!(found.sink, Sink::File(_)));
        out.add(Target {
            source: opt.source.clone().or_else(whole),
            opener,
            doubt,
            conditional: opt.conditional,
            at_start: !opt.conditional,
            rotates,
            ..found
        });
    }
    for (name, kind) in [
        ("logger", Kind::App),
        ("req-logger", Kind::Access),
        ("logger-req", Kind::Access),
    ] {
        for opt in options.all(name) {
            any |= kind == Kind::App;
            let found = target(kind, logger(&instance.cwd, opt));
            out.add(Target {
                source: opt.source.clone().or_else(whole),
                doubt: opt.unresolved.clone().map(Doubt::Unresolved),
                ..found
            });
        }
    }
    for (name, syslog) in [
        ("syslog", true),
        ("log-syslog", true),
        ("rsyslog", true),
        ("log-socket", false),
    ] {
        if let Some(opt) = options.last(name) {
            any = true;
            let address = String::from_utf8_lossy(&opt.value).into_owned();
            let found = target(
                Kind::App,
                if syslog {
                    Sink::Syslog(address)
                } else {
                    Sink::Net(address)
                },
            );
            out.add(Target {
                source: opt.source.clone().or_else(whole),
                ..found
            });
        }
    }
    if !any {
        let sink = usual.map_or(Sink::Stdio("stderr"), Sink::File);
        out.add(Target {
            source: whole(),
            evidence: Evidence::Default,
            opener: early,
            ..target(Kind::App, sink)
        });
    }
}

/// What `logto` and `daemonize` stand for: an address where a `:` is in it, else a file.
fn sink(cwd: &Path, opt: &Opt) -> Sink {
    match path_of(cwd, opt) {
        None => Sink::Template(opt.value.clone()),
        Some(_) if opt.value.contains(&b':') => {
            Sink::Net(format!("udp://{}", String::from_utf8_lossy(&opt.value)))
        }
        Some(path) => Sink::File(path),
    }
}

/// `[NAME ]PLUGIN[:ARGUMENTS]`; of the file plugin's arguments the first is the file.
fn logger(cwd: &Path, opt: &Opt) -> Sink {
    let value = opt.value.as_slice();
    let spec = match (
        value.iter().position(|byte| *byte == b' '),
        value.iter().position(|byte| *byte == b':'),
    ) {
        (Some(blank), Some(colon)) if blank < colon => &value[blank + 1..],
        (Some(blank), None) => &value[blank + 1..],
        _ => value,
    };
    let colon = spec
        .iter()
        .position(|byte| *byte == b':')
        .unwrap_or(spec.len());
    let (plugin, argument) = (&spec[..colon], spec.get(colon + 1..).unwrap_or_default());
    let text = || String::from_utf8_lossy(argument).into_owned();
    match plugin {
        b"file" => {
            let keyed = argument
                .split(|byte| *byte == b',')
                .find_map(|part| part.strip_prefix(b"logfile="));
            let file = keyed.unwrap_or(argument);
            if opt.unresolved.is_some() {
                Sink::Template(file.to_vec())
            } else {
                Sink::File(normal(&cwd.join(OsStr::from_bytes(file))))
            }
        }
        b"syslog" | b"rsyslog" => Sink::Syslog(text()),
        b"stdio" => Sink::Stdio("stderr"),
        b"pipe" => Sink::Pipe(text()),
        _ => Sink::Net(String::from_utf8_lossy(spec).into_owned()),
    }
}
