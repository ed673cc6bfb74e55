//! Django: the handlers of `LOGGING`, from `manage.py` to the settings module and what it imports
//! with `*`.
//!
//! Settings are Python and are not run. Literal file names are read, and those that are put
//! together from other literals and the place of the file; anything else is said to be dynamic.

mod settings;

use crate::log::{
    Configured, Doubt, Evidence, Example, Kind, OwnRotation, Reopen, Service, Sink, Target,
};
use crate::python::{Literal, Shape};
use crate::site::{Site, normal};
use conf::Source;
use settings::{Found, Place, Settings};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "django";

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.is("manage.py") || program.is("django-admin"),
    reopen: Reopen {
        names: &["django"],
        ..Reopen::RESTART
    },
    read,
    example: Example {
        file: "settings.py",
        text: "LOGGING = {'version': 1, 'handlers': {'file': {'class': 'logging.FileHandler', 'filename': '/var/log/site/app.log'}}}\n",
    },
    runs_python: true,
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for (manage, settings, user) in projects(site) {
        configured.found = true;
        one(site, &manage, settings, user, &mut configured);
    }
    configured
}

/// Projects: their `manage.py`, the settings module where the environment names one, and who runs
/// them.
fn projects(site: &Site) -> Vec<(PathBuf, Option<String>, Option<String>)> {
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        return asked
            .into_iter()
            .map(|file| (std::path::absolute(&file).unwrap_or(file), None, None))
            .collect();
    }
    let mut found: Vec<(PathBuf, Option<String>, Option<String>)> = Vec::new();
    let processes = crate::service::SERVICES
        .iter()
        .filter(|service| service.runs_python)
        .flat_map(|service| site.masters(service.name));
    for process in processes {
        let Some(cwd) = process.cwd() else { continue };
        let script = process
            .argv
            .iter()
            .find(|word| word.ends_with(b"manage.py"));
        let manage = script.map_or_else(
            || cwd.join("manage.py"),
            |script| normal(&cwd.join(OsStr::from_bytes(script))),
        );
        if site.files.stat(&manage).is_ok() && found.iter().all(|(known, _, _)| *known != manage) {
            let settings = process.environment().and_then(|env| {
                Some(
                    env.get(OsStr::new("DJANGO_SETTINGS_MODULE"))?
                        .to_string_lossy()
                        .into_owned(),
                )
            });
            found.push((manage, settings, Some(site.users.user_name(process.uid))));
        }
    }
    found
}

fn one(
    site: &Site,
    manage: &Path,
    module: Option<String>,
    user: Option<String>,
    out: &mut Configured,
) {
    let bytes = match site.files.read(manage) {
        Ok(bytes) => bytes,
        Err(error) => return out.fault(NAME, error),
    };
    // Relative names are the working directory's, which the kernel gives without links.
    let dir = manage.parent().unwrap_or(Path::new("/"));
    let dir = site.files.real(dir).unwrap_or_else(|| dir.to_path_buf());
    // Python imports from the directory that the script really is in.
    let real = site
        .files
        .real(manage)
        .unwrap_or_else(|| manage.to_path_buf());
    let settings = Settings::new(site, real.parent().unwrap_or(&dir).to_path_buf());
    let is_settings = manage.file_name() != Some(OsStr::new("manage.py"));
    let module = module.or_else(|| default_module(&bytes));
    let file = match module.as_ref().filter(|_| !is_settings) {
        Some(module) => settings.file(module),
        None if is_settings => Some(real),
        None => None,
    };
    let target = |kind, sink| Target {
        user: user.clone(),
        ..Target::new(NAME, manage.display().to_string(), kind, sink)
    };
    let dynamic = |code: &str, source| {
        let sink = Sink::Template(code.as_bytes().to_vec());
        Target {
            source: Some(source),
            doubt: Some(Doubt::Dynamic(code.to_owned())),
            ..target(Kind::App, sink)
        }
    };
    let Some(file) = file else {
        let what = module.map_or_else(
            || "DJANGO_SETTINGS_MODULE is not set to a literal".to_owned(),
            |module| format!("the settings module {module} is not a file here"),
        );
        return out.add(dynamic(&what, Source::new(&Arc::from(manage), 0)));
    };
    let logging = settings
        .end(&file, 0)
        .and_then(|end| end.look_up("LOGGING"));
    settings.tell(out);
    match logging {
        Some(Found::Said(place, logging)) => {
            for found in handlers(&place, &logging, &dir) {
                match found {
                    Handler::Dynamic(code, source) => out.add(dynamic(&code, source)),
                    Handler::Log {
                        kind,
                        sink,
                        source,
                        rotates,
                        doubt,
                    } => {
                        let rotates = rotates.then(|| OwnRotation {
                            by: NAME,
                            off: "use logging.FileHandler",
                            source: Some(source.clone()),
                        });
                        out.add(Target {
                            source: Some(source),
                            rotates,
                            doubt,
                            ..target(kind, sink)
                        });
                    }
                }
            }
        }
        Some(Found::Unclear(file, text)) => out.add(dynamic(&text, Source::new(&file, 0))),
        Some(Found::Known(name)) => out.add(dynamic(&name, Source::new(&Arc::from(file), 0))),
        None if hides_logging(site, &file) => {
            let what = "the settings are put together by code (include, globals, dictConfig)";
            out.add(dynamic(what, Source::new(&Arc::from(file), 0)));
        }
        // Django's own configuration prints to standard error.
        None => {
            let source = Some(Source::new(&Arc::from(file), 0));
            out.add(Target {
                source,
                evidence: Evidence::Default,
                ..target(Kind::Error, Sink::Stdio("stderr"))
            });
        }
    }
    settings.tell(out);
}

/// Can code in the module configure logging although no line binds LOGGING? Then nothing is known,
/// and standard error is a guess.
fn hides_logging(site: &Site, file: &Path) -> bool {
    const SIGNS: &[&[u8]] = &[
        b"include(",
        b"globals()",
        b"locals()",
        b"dictConfig",
        b"fileConfig",
        b"LOGGING_CONFIG",
        b"exec(",
        b"setattr(",
        b"(Configuration)",
        b"basicConfig",
    ];
    let text = site.files.read(file).unwrap_or_default();
    let code = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii_start().starts_with(b"#"))
        .collect::<Vec<_>>()
        .join(&b'\n');
    SIGNS.iter().any(|sign| crate::site::contains(&code, sign))
}

/// A handler of LOGGING.
enum Handler {
    Log {
        kind: Kind,
        sink: Sink,
        source: Source,
        rotates: bool,
        doubt: Option<Doubt>,
    },
    Dynamic(String, Source),
}

fn handlers(place: &Place<'_>, logging: &Literal, dir: &Path) -> Vec<Handler> {
    let (place, logging) = place.followed(logging);
    let dynamic = |place: &Place<'_>, literal: &Literal| match &literal.shape {
        Shape::Code(code) => Some(Handler::Dynamic(
            code.clone(),
            Source::new(&place.file, literal.line),
        )),
        _ => None,
    };
    if let Some(found) = dynamic(&place, &logging) {
        return vec![found];
    }
    let Some(handlers) = logging.get("handlers") else {
        return Vec::new();
    };
    let (place, handlers) = place.followed(handlers);
    let Shape::Dict(entries) = &handlers.shape else {
        return dynamic(&place, &handlers).into_iter().collect();
    };
    let one = |(name, handler): &(Literal, Literal)| {
        let (place, handler) = place.followed(handler);
        if let Some(found) = dynamic(&place, &handler) {
            return Some(found);
        }
        let kind = if name
            .text()
            .is_some_and(|name| name.windows(5).any(|part| part == b"error"))
        {
            Kind::Error
        } else {
            Kind::App
        };
        let (sink, rotates, line, doubt) = handler_sink(&place, &handler, dir)?;
        Some(Handler::Log {
            kind,
            sink,
            source: Source::new(&place.file, line),
            rotates,
            doubt,
        })
    };
    entries.iter().filter_map(one).collect()
}

/// Where a handler of a known class writes; whether it rotates; the line; and what only code would
/// tell.
fn handler_sink(
    place: &Place<'_>,
    handler: &Literal,
    dir: &Path,
) -> Option<(Sink, bool, usize, Option<Doubt>)> {
    let class = handler.get("class").or_else(|| handler.get("()"));
    let class = class
        .and_then(Literal::text)
        .map(|class| String::from_utf8_lossy(class).into_owned())
        .unwrap_or_default();
    let plain = |sink| Some((sink, false, handler.line, None));
    match class.rsplit('.').next().unwrap_or_default() {
        "StreamHandler" => plain(Sink::Stdio(
            match handler.get("stream").and_then(Literal::text) {
                Some(b"ext://sys.stdout") => "stdout",
                _ => "stderr",
            },
        )),
        "NullHandler" => plain(Sink::Discard),
        "SysLogHandler" => plain(Sink::Syslog(
            handler
                .get("address")
                .and_then(Literal::text)
                .map(|text| String::from_utf8_lossy(text).into_owned())
                .unwrap_or_default(),
        )),
        "JournalHandler" | "JournaldLogHandler" => plain(Sink::Journal),
        name @ ("SocketHandler" | "DatagramHandler" | "HTTPHandler" | "SMTPHandler"
        | "AdminEmailHandler") => plain(Sink::Net(name.to_owned())),
        "MemoryHandler" => plain(Sink::Memory),
        name if handler.get("filename").is_some() => {
            let filename = handler.get("filename")?;
            let rotates = name.contains("Rotating");
            if let Some(path) = place.path(filename) {
                return Some((
                    Sink::File(normal(&dir.join(OsStr::from_bytes(&path)))),
                    rotates,
                    filename.line,
                    None,
                ));
            }
            let Shape::Code(code) = &filename.shape else {
                return None;
            };
            Some((
                Sink::Template(code.clone().into_bytes()),
                rotates,
                filename.line,
                Some(Doubt::Dynamic(code.clone())),
            ))
        }
        _ => None,
    }
}

/// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")`, or a plain assignment.
fn default_module(manage: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(manage);
    let (_, rest) = text.split_once("DJANGO_SETTINGS_MODULE")?;
    let rest = rest
        .get(1..)?
        .trim_start_matches([']', ' ', ',', '=', '\n', '\t']);
    let mark = rest
        .chars()
        .next()
        .filter(|mark| matches!(mark, '"' | '\''))?;
    let module = rest[1..].split(mark).next()?;
    (!module.is_empty() && !module.contains([' ', '\n'])).then(|| module.to_owned())
}
