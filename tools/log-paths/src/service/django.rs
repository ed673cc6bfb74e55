//! Django: the handlers of `LOGGING`, from `manage.py` to the settings module and what it imports with `*`.
//!
//! Settings are Python and are not run. Literal file names are read; anything else is said to be dynamic.

use crate::log::{Configured, Doubt, Evidence, Kind, OwnRotation, Sink, Target};
use crate::python::{self, Literal, Shape};
use crate::site::{Site, normal};
use conf::{Error, Source};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub const NAME: &str = "django";

/// How many settings modules may follow one another.
const MODULES: usize = 16;

pub fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for (manage, settings, user) in projects(site) {
        configured.found = true;
        one(site, &manage, settings, user, &mut configured);
    }
    configured
}

/// Projects: their `manage.py`, the settings module where the environment names one, and who runs them.
fn projects(site: &Site) -> Vec<(PathBuf, Option<String>, Option<String>)> {
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        return asked.into_iter().map(|file| (std::path::absolute(&file).unwrap_or(file), None, None)).collect();
    }
    let mut found: Vec<(PathBuf, Option<String>, Option<String>)> = Vec::new();
    let processes = ["django", "gunicorn", "uwsgi", "celery"].into_iter().flat_map(|service| site.masters(service));
    for process in processes {
        let Some(cwd) = process.cwd() else { continue };
        let script = process.argv.iter().find(|word| word.ends_with(b"manage.py"));
        let manage = script.map_or_else(|| cwd.join("manage.py"), |script| normal(&cwd.join(OsStr::from_bytes(script))));
        if site.files.stat(&manage).is_ok() && found.iter().all(|(known, _, _)| *known != manage) {
            let settings =
                process.environment().and_then(|env| Some(env.get(OsStr::new("DJANGO_SETTINGS_MODULE"))?.to_string_lossy().into_owned()));
            found.push((manage, settings, Some(site.users.user_name(process.uid))));
        }
    }
    found
}

fn one(site: &Site, manage: &Path, settings: Option<String>, user: Option<String>, out: &mut Configured) {
    let bytes = match site.files.read(manage) {
        Ok(bytes) => bytes,
        Err(error) => return out.fault(NAME, error),
    };
    let dir = manage.parent().unwrap_or(Path::new("/"));
    let is_settings = manage.file_name() != Some(OsStr::new("manage.py"));
    let module = settings.or_else(|| default_module(&bytes));
    let file = match module.as_ref().filter(|_| !is_settings) {
        Some(module) => module_file(site, dir, module),
        None if is_settings => Some(manage.to_path_buf()),
        None => None,
    };
    let target = |kind, sink| Target { user: user.clone(), ..Target::new(NAME, manage.display().to_string(), kind, sink) };
    let whole = || Some(Source::new(&Arc::from(manage), 0));
    let Some(file) = file else {
        let what = module.map_or_else(
            || "DJANGO_SETTINGS_MODULE is not set to a literal".to_owned(),
            |module| format!("the settings module {module} is not a file here"),
        );
        let sink = Sink::Template(what.clone().into_bytes());
        return out.add(Target { source: whole(), doubt: Some(Doubt::Dynamic(what)), ..target(Kind::App, sink) });
    };
    let Some((file, logging)) = find(site, dir, &file, 0, out) else {
        // Django's own configuration prints to standard error.
        let source = Some(Source::new(&Arc::from(file), 0));
        return out.add(Target { source, evidence: Evidence::Default, ..target(Kind::Error, Sink::Stdio("stderr")) });
    };
    let at = |literal: &Literal| Some(Source::new(&file, literal.line));
    let dynamic = |code: &str, line: &Literal| {
        let sink = Sink::Template(code.as_bytes().to_vec());
        Target { source: at(line), doubt: Some(Doubt::Dynamic(code.to_owned())), ..target(Kind::App, sink) }
    };
    let handlers = match (&logging.shape, logging.get("handlers").map(|handlers| &handlers.shape)) {
        (Shape::Code(code), _) => return out.add(dynamic(code, &logging)),
        (_, Some(Shape::Dict(handlers))) => handlers,
        (_, Some(Shape::Code(code))) => return out.add(dynamic(code, &logging)),
        _ => return,
    };
    for (name, handler) in handlers {
        let name = name.text().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
        if let Shape::Code(code) = &handler.shape {
            out.add(dynamic(code, handler));
            continue;
        }
        let Some((sink, rotates, line, doubt)) = handler_sink(handler, dir) else { continue };
        let kind = if name.contains("error") { Kind::Error } else { Kind::App };
        let source = Some(Source::new(&file, line));
        let rotates = rotates.then(|| OwnRotation { by: NAME, source: source.clone() });
        out.add(Target { source, rotates, doubt, ..target(kind, sink) });
    }
}

/// Where a handler of a known class writes; whether it rotates; the line; and what only code would tell.
fn handler_sink(handler: &Literal, dir: &Path) -> Option<(Sink, bool, usize, Option<Doubt>)> {
    let class = handler.get("class").or_else(|| handler.get("()"));
    let class = class.and_then(Literal::text).map(|class| String::from_utf8_lossy(class).into_owned()).unwrap_or_default();
    let plain = |sink| Some((sink, false, handler.line, None));
    match class.rsplit('.').next().unwrap_or_default() {
        "StreamHandler" => plain(Sink::Stdio(match handler.get("stream").and_then(Literal::text) {
            Some(b"ext://sys.stdout") => "stdout",
            _ => "stderr",
        })),
        "NullHandler" => plain(Sink::Discard),
        "SysLogHandler" => plain(Sink::Syslog(
            handler.get("address").and_then(Literal::text).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default(),
        )),
        "JournalHandler" | "JournaldLogHandler" => plain(Sink::Journal),
        name @ ("SocketHandler" | "DatagramHandler" | "HTTPHandler" | "SMTPHandler" | "AdminEmailHandler") => {
            plain(Sink::Net(name.to_owned()))
        }
        "MemoryHandler" => plain(Sink::Memory),
        name if handler.get("filename").is_some() => {
            let filename = handler.get("filename")?;
            let rotates = name.contains("Rotating");
            Some(match &filename.shape {
                Shape::Text(text) => (Sink::File(normal(&dir.join(OsStr::from_bytes(text)))), rotates, filename.line, None),
                Shape::Code(code) => {
                    (Sink::Template(code.clone().into_bytes()), rotates, filename.line, Some(Doubt::Dynamic(code.clone())))
                }
                _ => return None,
            })
        }
        _ => None,
    }
}

/// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings")`, or a plain assignment.
fn default_module(manage: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(manage);
    let (_, rest) = text.split_once("DJANGO_SETTINGS_MODULE")?;
    let rest = rest.get(1..)?.trim_start_matches([']', ' ', ',', '=', '\n', '\t']);
    let mark = rest.chars().next().filter(|mark| matches!(mark, '"' | '\''))?;
    let module = rest[1..].split(mark).next()?;
    (!module.is_empty() && !module.contains([' ', '\n'])).then(|| module.to_owned())
}

fn module_file(site: &Site, dir: &Path, module: &str) -> Option<PathBuf> {
    let path = dir.join(module.replace('.', "/"));
    [path.with_extension("py"), path.join("__init__.py")].into_iter().find(|file| site.files.stat(file).is_ok())
}

/// The last `LOGGING` of a module, or of those it takes everything from.
fn find(site: &Site, dir: &Path, file: &Path, depth: usize, out: &mut Configured) -> Option<(Arc<Path>, Literal)> {
    if depth > MODULES {
        return None;
    }
    let bytes = site.files.read(file).map_err(|error| out.fault(NAME, error)).ok()?;
    let assignments = match python::assignments(&bytes) {
        Ok(assignments) => assignments,
        Err(line) => {
            out.fault(NAME, Error::new(conf::Kind::Syntax, file, line, "a text or a bracket is not closed"));
            return None;
        }
    };
    if let Some(found) = assignments.into_iter().find(|found| found.name == "LOGGING") {
        return Some((Arc::from(file), found.value));
    }
    let imports: Vec<PathBuf> = star_imports(&bytes).iter().filter_map(|module| imported(site, dir, file, module)).collect();
    imports.iter().rev().filter(|other| *other != file).find_map(|other| find(site, dir, other, depth + 1, out))
}

/// `from .base import *`.
fn star_imports(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("from ") && line.split('#').next().is_some_and(|line| line.trim_end().ends_with("import *")));
    lines.filter_map(|line| Some(line.strip_prefix("from ")?.split_once(" import")?.0.trim().to_owned())).collect()
}

fn imported(site: &Site, dir: &Path, file: &Path, module: &str) -> Option<PathBuf> {
    let dots = module.chars().take_while(|char| *char == '.').count();
    if dots == 0 {
        return module_file(site, dir, module);
    }
    let base = (1..dots).try_fold(file.parent()?.to_path_buf(), |dir, _| Some(dir.parent()?.to_path_buf()))?;
    module_file(site, &base, &module[dots..])
}
