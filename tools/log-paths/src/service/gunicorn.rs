//! gunicorn: its access and error logs, from the command line over `GUNICORN_CMD_ARGS` over the
//! configuration file.
//!
//! The configuration file is Python and is not run: literal assignments count, anything else is
//! said to be dynamic.

use crate::launch::{self, Launch};
use crate::log::{Configured, Doubt, Evidence, Example, Kind, Reopen, Service, Sink, Target};
use crate::python::{self, Assignment, Shape};
use crate::site::{Site, normal};
use conf::{Error, Source, shlex};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "gunicorn";

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| {
        program.titled("gunicorn: ") || program.is("gunicorn") || program.is("gunicorn3")
    },
    reopen: Reopen {
        names: &["gunicorn"],
        signals: &["USR1", "HUP"],
        reload: true,
        command: |_| false,
        gives: false,
    },
    read,
    example: Example {
        file: "gunicorn.conf.py",
        text: "accesslog = '/var/log/site/access.log'\n",
    },
    runs_python: true,
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for launch in launches(site) {
        configured.found = true;
        one(site, &launch, &mut configured);
    }
    configured
}

fn launches(site: &Site) -> Vec<Launch> {
    let known = launch::of(site, NAME, &["gunicorn", "gunicorn3"]);
    let asked = site.asked(NAME);
    if asked.is_empty() {
        return known;
    }
    let mut launches = Vec::new();
    for file in asked {
        let file = std::path::absolute(&file).unwrap_or(file);
        let mut used = known
            .iter()
            .filter(|launch| conf_file(site, launch).as_deref() == Some(&file))
            .cloned()
            .peekable();
        if used.peek().is_none() {
            let cwd = file.parent().unwrap_or(Path::new("/")).to_path_buf();
            let arguments = vec![b"-c".to_vec(), file.into_os_string().as_bytes().to_vec()];
            launches.push(Launch {
                arguments,
                cwd,
                env: Default::default(),
                user: None,
                source: None,
                pid: None,
                unit: None,
                dynamic: None,
            });
        } else {
            launches.extend(used);
        }
    }
    launches
}

/// One value, with where it is said.
enum Setting {
    Said(Vec<u8>, Option<Source>),
    Off(Option<Source>),
    Dynamic(String, Source),
}

/// The layers, the strongest first.
struct Settings<'a> {
    launch: &'a Launch,
    variable: Vec<Vec<u8>>,
    file: Option<Arc<Path>>,
    assignments: Vec<Assignment>,
}

/// A setting's name in the file, and its options on the command line.
type Name = (&'static str, &'static [&'static str]);
const ACCESS_LOG: Name = ("accesslog", &["--access-logfile"]);
const ERROR_LOG: Name = ("errorlog", &["--error-logfile", "--log-file"]);
const CHDIR: Name = ("chdir", &["--chdir"]);
const USER: Name = ("user", &["--user", "-u"]);
const SYSLOG_TO: Name = ("syslog_addr", &["--log-syslog-to"]);
const PID_FILE: Name = ("pidfile", &["--pid", "-p"]);
const PROC_NAME: Name = ("proc_name", &["--name", "-n"]);
const LOG_CONFIG: Name = ("logconfig", &["--log-config", "--log-config-json"]);

impl Settings<'_> {
    fn get(&self, name: Name) -> Option<Setting> {
        let command = option(&self.launch.arguments, name.1)
            .map(|value| Setting::Said(value.to_vec(), self.launch.source.clone()));
        let variable =
            || option(&self.variable, name.1).map(|value| Setting::Said(value.to_vec(), None));
        command.or_else(variable).or_else(|| self.in_file(name.0))
    }

    fn in_file(&self, name: &str) -> Option<Setting> {
        let found = self.assignments.iter().find(|found| found.name == name)?;
        let source = Source::new(self.file.as_ref()?, found.value.line);
        Some(match &found.value.shape {
            Shape::Text(text) => Setting::Said(text.clone(), Some(source)),
            Shape::None => Setting::Off(Some(source)),
            Shape::Code(code) => Setting::Dynamic(code.clone(), source),
            other => Setting::Dynamic(format!("{other:?}"), source),
        })
    }

    fn text(&self, name: Name) -> Option<Vec<u8>> {
        match self.get(name) {
            Some(Setting::Said(value, _)) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    fn flag(&self, option: &str, name: &str) -> bool {
        let given = |words: &[Vec<u8>]| words.iter().any(|word| word == option.as_bytes());
        let assigned = || {
            self.assignments
                .iter()
                .any(|found| found.name == name && found.value.shape == Shape::Bool(true))
        };
        given(&self.launch.arguments) || given(&self.variable) || assigned()
    }
}

/// The last of these options; argparse takes `--name value`, `--name=value`, `-n value` and
/// `-nvalue`.
fn option<'a>(words: &'a [Vec<u8>], names: &[&str]) -> Option<&'a [u8]> {
    let mut with_program = None;
    for (index, word) in words.iter().enumerate() {
        for name in names {
            match word.strip_prefix(name.as_bytes()) {
                Some(b"") => with_program = words.get(index + 1).map(Vec::as_slice),
                Some([b'=', rest @ ..]) if name.starts_with("--") => with_program = Some(rest),
                Some(rest) if !name.starts_with("--") && !word.starts_with(b"--") => {
                    with_program = Some(rest);
                }
                _ => {}
            }
        }
    }
    with_program
}

fn variable(launch: &Launch) -> Vec<Vec<u8>> {
    let text = launch
        .variable("GUNICORN_CMD_ARGS")
        .map_or(&b""[..], OsStrExt::as_bytes);
    shlex::split(text).unwrap_or_default()
}

/// The configuration file: `-c`, else `gunicorn.conf.py` where it starts. `python:MODULE` is code
/// elsewhere.
fn conf_file(site: &Site, launch: &Launch) -> Option<PathBuf> {
    let in_variable = variable(launch);
    let names = &["-c", "--config"];
    let Some(given) = option(&launch.arguments, names).or_else(|| option(&in_variable, names))
    else {
        let usual = launch.cwd.join("gunicorn.conf.py");
        return site.files.stat(&usual).is_ok().then_some(usual);
    };
    let given = given.strip_prefix(b"file:").unwrap_or(given);
    if let Some(module) = given.strip_prefix(b"python:") {
        let path = String::from_utf8_lossy(module).replace('.', "/");
        let file = launch.cwd.join(format!("{path}.py"));
        return site.files.stat(&file).is_ok().then_some(file);
    }
    Some(normal(&launch.cwd.join(OsStr::from_bytes(given))))
}

fn one(site: &Site, launch: &Launch, out: &mut Configured) {
    if let Some(command) = &launch.dynamic {
        let sink = Sink::Template(command.clone().into_bytes());
        return out.add(Target {
            source: launch.source.clone(),
            doubt: Some(Doubt::Dynamic(command.clone())),
            unit: launch.unit.clone(),
            user: launch.user.clone(),
            ..Target::new(NAME, command, Kind::Error, sink)
        });
    }
    let mut settings = Settings {
        launch,
        variable: variable(launch),
        file: None,
        assignments: Vec::new(),
    };
    if let Some(path) = conf_file(site, launch) {
        let read = site.files.read(&path).and_then(|bytes| {
            let message = "a text or a bracket is not closed";
            python::assignments(&bytes)
                .map_err(|line| Error::new(conf::Kind::Syntax, &path, line, message))
        });
        match read {
            Ok(assignments) => settings.assignments = assignments,
            Err(error) => out.fault(NAME, error),
        }
        settings.file = Some(Arc::from(path));
    }
    let shown = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let cwd = settings.text(CHDIR).map_or(launch.cwd.clone(), |dir| {
        normal(&launch.cwd.join(OsStr::from_bytes(&dir)))
    });
    let user = settings
        .text(USER)
        .map(shown)
        .or_else(|| launch.user.clone())
        .unwrap_or_else(|| site.own_user());
    let instance = instance(&settings, launch);
    let pid_file = settings
        .text(PID_FILE)
        .map(|name| normal(&cwd.join(OsStr::from_bytes(&name))));
    let target = |kind, sink| Target {
        user: Some(user.clone()),
        pid: launch.pid,
        claimed: launch.pid.is_some() && launch.source.is_none(),
        pid_file: pid_file.clone(),
        unit: launch.unit.clone(),
        appends: Some(true),
        ..Target::new(NAME, instance.clone(), kind, sink)
    };
    let default_source = || {
        launch
            .source
            .clone()
            .or_else(|| settings.file.as_ref().map(|file| Source::new(file, 0)))
    };
    for (kind, name, stream) in [
        (Kind::Access, ACCESS_LOG, "stdout"),
        (Kind::Error, ERROR_LOG, "stderr"),
    ] {
        let found = match settings.get(name) {
            Some(Setting::Said(value, source)) if !value.is_empty() => {
                let (sink, doubt) = match value.as_slice() {
                    b"-" => (Sink::Stdio(stream), None),
                    path => launch.file(&cwd, path),
                };
                Target {
                    doubt,
                    source: source.or_else(default_source),
                    ..target(kind, sink)
                }
            }
            Some(Setting::Dynamic(code, source)) => {
                let sink = Sink::Template(code.clone().into_bytes());
                Target {
                    source: Some(source),
                    doubt: Some(Doubt::Dynamic(code)),
                    ..target(kind, sink)
                }
            }
            // There is an error log unless it is set to None; the access log has to be asked for.
            None if kind == Kind::Error => Target {
                source: default_source(),
                evidence: Evidence::Default,
                ..target(kind, Sink::Stdio(stream))
            },
            Some(Setting::Said(_, source) | Setting::Off(source)) => Target {
                source,
                ..target(kind, Sink::Discard)
            },
            None => continue,
        };
        out.add(found);
    }
    if settings.flag("--log-syslog", "syslog") {
        let address = settings
            .text(SYSLOG_TO)
            .map_or_else(|| "udp://localhost:514".to_owned(), shown);
        out.add(Target {
            source: default_source(),
            ..target(Kind::Error, Sink::Syslog(address))
        });
    }
    logging_config(&settings, &target, out);
}

/// A logging configuration of its own replaces the handlers; its files are not gunicorn's to name.
fn logging_config(
    settings: &Settings<'_>,
    target: &dyn Fn(Kind, Sink) -> Target,
    out: &mut Configured,
) {
    let dict = settings
        .assignments
        .iter()
        .find(|found| matches!(found.name.as_str(), "logconfig_dict" | "logger_class"));
    if let (Some(found), Some(file)) = (dict, &settings.file) {
        let what = format!("{} is set", found.name);
        let source = Some(Source::new(file, found.value.line));
        let sink = Sink::Template(what.clone().into_bytes());
        out.add(Target {
            source,
            doubt: Some(Doubt::Dynamic(what)),
            ..target(Kind::Error, sink)
        });
    }
    if let Some(path) = settings.text(LOG_CONFIG) {
        let what = format!(
            "logging is configured by {}",
            String::from_utf8_lossy(&path)
        );
        let source = settings.launch.source.clone();
        let sink = Sink::Template(what.clone().into_bytes());
        out.add(Target {
            source,
            doubt: Some(Doubt::Dynamic(what)),
            ..target(Kind::Error, sink)
        });
    }
}

/// What tells one gunicorn from another: its name, its configuration file, or the application it
/// serves.
fn instance(settings: &Settings<'_>, launch: &Launch) -> String {
    if let Some(name) = settings.text(PROC_NAME) {
        return String::from_utf8_lossy(&name).into_owned();
    }
    if let Some(file) = &settings.file {
        return file.display().to_string();
    }
    let app = launch
        .arguments
        .iter()
        .rev()
        .find(|word| !word.starts_with(b"-"));
    app.map_or_else(
        || launch.cwd.display().to_string(),
        |word| String::from_utf8_lossy(word).into_owned(),
    )
}
