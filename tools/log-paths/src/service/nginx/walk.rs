//! The walk over the tree and its includes: what each level inherits, and which defaults are left.

use super::build::under;
use super::file::{Context, Node, Parsed, parse};
use super::{Instance, NAME};
use crate::log::{Configured, Evidence, Kind, Opener, Sink, Target};
use crate::parts::in_parts;
use crate::site::{Site, normal};
use conf::files::DEPTH;
use conf::{Error, Source};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many includes one configuration may ask for in all: a thousand servers with fifty snippets
/// each.
const INCLUDES: usize = 50_000;

/// The number of files from which on several threads read them.
const MANY: usize = 200;

struct Walk<'a> {
    site: &'a Site,
    instance: &'a Instance,
    files: HashMap<OsString, Arc<Parsed>>,
    stack: Vec<Arc<Path>>,
    includes: usize,
    depth: u8,
    user: Option<String>,
    pid_file: Option<Vec<u8>>,
    /// Does the main level name an error log?
    main_error: bool,
    out: &'a mut Configured,
}

/// What a level knows while it is walked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Main,
    Http,
    HttpServer,
    HttpBelow { conditional: bool },
    Stream,
    Mail,
}

/// What was found in one `http` or `server`.
#[derive(Default)]
struct Level {
    access: bool,
    bare: Vec<Source>,
}

pub fn read(site: &Site, instance: &Instance, out: &mut Configured) {
    let first = out.targets.len();
    let mut walk = Walk {
        site,
        instance,
        files: HashMap::new(),
        stack: Vec::new(),
        includes: 0,
        depth: 0,
        user: None,
        pid_file: None,
        main_error: false,
        out,
    };
    for text in &instance.globals {
        let parsed = parse(Path::new("-g"), &[text.as_slice(), b";"].concat());
        walk.nodes(
            &parsed.file,
            &parsed.nodes,
            Place::Main,
            &mut Level::default(),
        );
    }
    let conf = instance.conf.clone();
    walk.file(&conf, None, Place::Main, &mut Level::default());
    walk.default_error_log();
    let pid_file = walk.pid_file.take().map_or_else(
        || instance.build.pid_path(site),
        |name| PathBuf::from(OsStr::from_bytes(&name)),
    );
    let pid_file = if pid_file.is_absolute() {
        pid_file
    } else {
        under(&instance.prefix(site), pid_file.as_os_str().as_bytes())
    };
    let user = walk.user.take();
    let user = user.unwrap_or_else(|| {
        if instance.root {
            instance.build.user(site)
        } else {
            instance.master.clone()
        }
    });
    for target in &mut out.targets[first..] {
        target.pid = instance.pid;
        target.claimed = instance.claimed;
        target.pid_file = Some(pid_file.clone());
        // A master that is not root cannot change its workers' user, whatever `user` says.
        target.user = Some(if instance.root {
            user.clone()
        } else {
            instance.master.clone()
        });
        target.opener = match (&target.sink, instance.root) {
            (Sink::Template(_), _) => Opener::Worker,
            (_, true) => Opener::RootThenWorker,
            (_, false) => Opener::Service,
        };
    }
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, from: Option<&Source>, place: Place, level: &mut Level) {
        let parsed = match self.files.get(path.as_os_str()) {
            Some(parsed) => Arc::clone(parsed),
            None => match self.site.files.read(path) {
                Ok(bytes) => {
                    let parsed = Arc::new(parse(path, &bytes));
                    if let Some(error) = &parsed.error {
                        self.out.fault(NAME, error.clone());
                    }
                    self.files
                        .insert(path.as_os_str().to_owned(), Arc::clone(&parsed));
                    parsed
                }
                Err(error) => {
                    let error = match from {
                        Some(source) => Error::at(error.kind, source, format!("includes {error}")),
                        None => error,
                    };
                    self.out.faults.push(crate::log::Fault {
                        service: NAME,
                        error,
                        incomplete: true,
                    });
                    return;
                }
            },
        };
        self.stack.push(Arc::clone(&parsed.file));
        self.nodes(&parsed.file, &parsed.nodes, place, level);
        self.stack.pop();
    }

    fn nodes(&mut self, file: &Arc<Path>, nodes: &[Node], place: Place, level: &mut Level) {
        for node in nodes {
            match node {
                Node::User(name) if place == Place::Main => {
                    self.user = Some(String::from_utf8_lossy(name).into_owned());
                }
                Node::User(_) => {}
                Node::Pid(name) if place == Place::Main => self.pid_file = Some(name.clone()),
                Node::Pid(_) => {}
                Node::Include(pattern, line) => {
                    self.include(pattern, &Source::new(file, *line), place, level);
                }
                Node::Error(args, line) => self.error_log(args, Source::new(file, *line), place),
                Node::Access(args, line) => {
                    level.access = true;
                    self.access_log(args, Source::new(file, *line), place);
                }
                Node::Block(context, nodes, line) => {
                    self.block(file, *context, nodes, *line, place, level);
                }
            }
        }
    }

    fn block(
        &mut self,
        file: &Arc<Path>,
        context: Context,
        nodes: &[Node],
        line: usize,
        place: Place,
        level: &mut Level,
    ) {
        let mut inner = Level::default();
        let below = |conditional| Place::HttpBelow { conditional };
        let place = match (place, context) {
            (Place::Main, Context::Http) => Place::Http,
            (Place::Main, Context::Stream) => Place::Stream,
            (Place::Main, Context::Mail) => Place::Mail,
            (Place::Http, Context::Server) => Place::HttpServer,
            (Place::HttpServer, Context::Location) => below(false),
            (Place::HttpBelow { conditional }, Context::Location | Context::LimitExcept) => {
                below(conditional)
            }
            (Place::HttpServer | Place::HttpBelow { .. }, Context::If) => below(true),
            (Place::Stream | Place::Mail, Context::Server) => place,
            // nginx refuses the block; nothing in it is believed, and what is missing has to be
            // said.
            _ => return self.misplaced(context, &Source::new(file, line)),
        };
        self.depth += 1;
        self.nodes(file, nodes, place, &mut inner);
        self.depth -= 1;
        match place {
            Place::HttpServer if !inner.access => level.bare.push(Source::new(file, line)),
            // With a log at the http level, no server is bare; with no server, nobody inherits.
            Place::Http if !inner.access => self.default_access_log(inner.bare),
            _ => {}
        }
    }

    fn misplaced(&mut self, context: Context, source: &Source) {
        let name = format!("{context:?}").to_lowercase();
        let message = format!(
            "a {name} block is not allowed here: is this a part of a configuration, and not the main file?"
        );
        self.out
            .fault(NAME, Error::at(conf::Kind::Syntax, source, message));
    }

    fn include(&mut self, pattern: &[u8], source: &Source, place: Place, level: &mut Level) {
        let path = self.instance.conf_dir().join(OsStr::from_bytes(pattern));
        if self.stack.len() >= DEPTH {
            let message = format!(
                "includes go deeper than {DEPTH} files: {}",
                chain(&self.stack, &path)
            );
            return self
                .out
                .fault(NAME, Error::at(conf::Kind::Loop, source, message));
        }
        let wild = conf::pattern::is_pattern(pattern);
        let matched = if wild {
            self.site.files.glob(&path)
        } else {
            vec![path]
        };
        self.prefetch(&matched);
        for path in matched {
            self.includes += 1;
            if self.includes > INCLUDES {
                let message = format!("more than {INCLUDES} includes; the rest is not read");
                return self
                    .out
                    .fault(NAME, Error::at(conf::Kind::Loop, source, message));
            }
            if self.stack.iter().any(|open| **open == *path) {
                let message = format!("a file includes itself: {}", chain(&self.stack, &path));
                self.out
                    .fault(NAME, Error::at(conf::Kind::Loop, source, message));
                continue;
            }
            self.file(&path, Some(source), place, level);
        }
    }

    /// Reads a directory full of servers by several threads; files that cannot be read are left to
    /// the walk, which says why.
    fn prefetch(&mut self, matched: &[PathBuf]) {
        if matched.len() < MANY {
            return;
        }
        let files = &self.site.files;
        let read = |paths: &[PathBuf]| {
            let parsed = |path: &PathBuf| {
                Some((path.clone(), Arc::new(parse(path, &files.read(path).ok()?))))
            };
            paths.iter().filter_map(parsed).collect::<Vec<_>>()
        };
        for (path, parsed) in in_parts(matched, MANY, read).into_iter().flatten() {
            if let (None, Some(error)) = (self.files.get(path.as_os_str()), &parsed.error) {
                self.out.fault(NAME, error.clone());
            }
            self.files.entry(path.into_os_string()).or_insert(parsed);
        }
    }

    fn add(
        &mut self,
        kind: Kind,
        sink: Sink,
        source: Option<Source>,
        evidence: Evidence,
        conditional: bool,
    ) {
        let instance = self.instance.conf.to_string_lossy().into_owned();
        let target = Target {
            source,
            evidence,
            conditional,
            depth: self.depth,
            ..Target::new(NAME, instance, kind, sink)
        };
        self.out.add(target);
    }

    fn access_log(&mut self, args: &[Vec<u8>], source: Source, place: Place) {
        let name = args[0].as_slice();
        if name == b"off" && args.len() == 1 || matches!(place, Place::Main | Place::Mail) {
            return;
        }
        let conditional = place == Place::HttpBelow { conditional: true }
            || args.iter().any(|arg| arg.starts_with(b"if="));
        let sink = match name {
            b"" => Sink::Stdio("stderr"),
            _ if name.starts_with(b"syslog:") => Sink::Syslog(text(name)),
            _ if variable(name) => {
                let whole = if name.starts_with(b"/") || name.starts_with(b"$") {
                    name.to_vec()
                } else {
                    self.relative(name)
                };
                Sink::Template(whole)
            }
            _ => self.named(name),
        };
        self.add(
            Kind::Access,
            sink,
            Some(source),
            Evidence::Config,
            conditional,
        );
    }

    fn error_log(&mut self, args: &[Vec<u8>], source: Source, place: Place) {
        self.main_error |= place == Place::Main;
        let name = args[0].as_slice();
        let sink = match name {
            b"" | b"stderr" => Sink::Stdio("stderr"),
            _ if name.starts_with(b"syslog:") => Sink::Syslog(text(name)),
            _ if name.starts_with(b"memory:") => Sink::Memory,
            _ => self.named(name),
        };
        self.add(Kind::Error, sink, Some(source), Evidence::Config, false);
    }

    fn named(&self, name: &[u8]) -> Sink {
        if name.starts_with(b"/") {
            return Sink::File(normal(Path::new(OsStr::from_bytes(name))));
        }
        Sink::File(under(&self.instance.prefix(self.site), name))
    }

    fn relative(&self, name: &[u8]) -> Vec<u8> {
        self.instance
            .prefix(self.site)
            .join(OsStr::from_bytes(name))
            .into_os_string()
            .as_bytes()
            .to_vec()
    }

    fn default_access_log(&mut self, bare: Vec<Source>) {
        let Some(source) = bare.into_iter().next() else {
            return;
        };
        let path = self.instance.build.access_log(self.site);
        let sink = self.named(path.as_os_str().as_bytes());
        self.add(Kind::Access, sink, Some(source), Evidence::Default, false);
    }

    fn default_error_log(&mut self) {
        if self.main_error {
            return;
        }
        let name = match &self.instance.error_log {
            Some(name) => name.clone(),
            None => self
                .instance
                .build
                .error_log(self.site)
                .as_os_str()
                .as_bytes()
                .to_vec(),
        };
        let source = Source::new(&Arc::from(self.instance.conf.as_path()), 0);
        let sink = if name == b"stderr" {
            Sink::Stdio("stderr")
        } else {
            self.named(&name)
        };
        self.add(Kind::Error, sink, Some(source), Evidence::Default, false);
    }
}

/// Has it a variable? `$` before a letter, a digit, `_` or `{`.
fn variable(name: &[u8]) -> bool {
    name.windows(2).any(|pair| {
        pair[0] == b'$' && (pair[1].is_ascii_alphanumeric() || matches!(pair[1], b'_' | b'{'))
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn chain(stack: &[Arc<Path>], last: &Path) -> String {
    let mut names: Vec<String> = stack
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.push(last.display().to_string());
    names.join(" > ")
}
