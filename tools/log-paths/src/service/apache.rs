//! Apache: ErrorLog, CustomLog, TransferLog, GlobalLog and ForensicLog of the server and its
//! virtual hosts.
//!
//! `apachectl -t` is not asked: it opens the logs. envvars is read as the assignments it is, not
//! run.

mod directives;
mod macros;

use crate::log::{Configured, Doubt, Evidence, Example, Kind, Reopen, Service, Sink, Target};
use crate::process::Process;
use crate::shell;
use crate::site::{Site, normal};
use conf::Source;
use directives::{Directive, Walk};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "apache";

/// Where the main file is, as a rule.
const USUAL: &[&str] = &[
    "/etc/apache2/apache2.conf",
    "/etc/httpd/conf/httpd.conf",
    "/usr/local/apache2/conf/httpd.conf",
];

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.is("apache2") || program.is("httpd"),
    reopen: Reopen {
        names: &["apache2", "httpd", "apache"],
        signals: &["USR1", "HUP"],
        reload: true,
        command: |words| {
            let control = ["apachectl", "apache2ctl", "httpd", "apache2"];
            words
                .first()
                .is_some_and(|word| control.contains(&word.as_str()))
                && words
                    .iter()
                    .any(|word| ["graceful", "restart", "reload"].contains(&word.as_str()))
        },
        gives: false,
    },
    read,
    example: Example {
        file: "apache2.conf",
        text: "ErrorLog /var/log/apache2/error.log\n",
    },
    usual: Some(|_, _| USUAL.iter().map(PathBuf::from).collect()),
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for instance in instances(site) {
        configured.found = true;
        one(site, instance, &mut configured);
    }
    configured
}

/// One server: its main file, `-d`, `-D`, and its variables.
struct Instance {
    conf: PathBuf,
    root: PathBuf,
    defines: Vec<Vec<u8>>,
    variables: BTreeMap<Vec<u8>, Vec<u8>>,
    user: Option<String>,
    /// `-C` before the files, `-c` after them.
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
    /// The parent process, where it runs, and its user.
    process: Option<(u32, u32)>,
}

fn instances(site: &Site) -> Vec<Instance> {
    let asked = site.asked(NAME);
    let running: Vec<Instance> = site
        .masters(NAME)
        .filter_map(|process| of_process(site, process))
        .collect();
    if !asked.is_empty() {
        let absolute = asked
            .into_iter()
            .map(|conf| std::path::absolute(&conf).unwrap_or(conf))
            .collect::<Vec<_>>();
        let mut chosen: Vec<Instance> = running
            .into_iter()
            .filter(|instance| absolute.contains(&instance.conf))
            .collect();
        for conf in absolute {
            if chosen.iter().all(|instance| instance.conf != conf) {
                chosen.push(of_file(site, conf));
            }
        }
        return chosen;
    }
    if !running.is_empty() {
        return running;
    }
    site.first(USUAL)
        .map(|conf| of_file(site, conf))
        .into_iter()
        .collect()
}

fn of_file(site: &Site, conf: PathBuf) -> Instance {
    let root = conf.parent().unwrap_or(Path::new("/")).to_path_buf();
    let root = if root.ends_with("conf") {
        root.parent().map_or(root.clone(), Path::to_path_buf)
    } else {
        root
    };
    // Debian's envvars appends SUFFIX to every directory; the main instance has none.
    let suffix = conf
        .parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str()?.strip_prefix("apache2"))
        .unwrap_or_default();
    let envvars = site
        .files
        .read(&conf.with_file_name("envvars"))
        .unwrap_or_default();
    let (variables, _) = shell::assignments(
        &envvars,
        [(b"SUFFIX".to_vec(), suffix.as_bytes().to_vec())].into(),
    );
    let user = variables
        .get(b"APACHE_RUN_USER".as_slice())
        .map(|user| String::from_utf8_lossy(user).into_owned());
    Instance {
        conf,
        root,
        defines: Vec::new(),
        variables,
        user,
        before: Vec::new(),
        after: Vec::new(),
        process: None,
    }
}

fn of_process(site: &Site, process: &Process) -> Option<Instance> {
    let cwd = process.cwd().unwrap_or_else(|| PathBuf::from("/"));
    let root = process
        .option(&["-d"])
        .map(|dir| normal(&cwd.join(OsStr::from_bytes(dir))));
    let conf = match process.option(&["-f"]) {
        Some(conf) => normal(&root.clone().unwrap_or(cwd).join(OsStr::from_bytes(conf))),
        None => {
            let below = root
                .iter()
                .flat_map(|root| [root.join("apache2.conf"), root.join("conf/httpd.conf")]);
            below
                .chain(USUAL.iter().map(PathBuf::from))
                .find(|path| site.files.stat(path).is_ok())?
        }
    };
    let mut instance = of_file(site, conf);
    instance.root = root.unwrap_or(instance.root);
    // What the process was started with is what counts; envvars may have changed since.
    for (name, value) in process.environment().unwrap_or_default() {
        instance
            .variables
            .insert(name.as_bytes().to_vec(), value.as_bytes().to_vec());
    }
    let words = process
        .argv
        .windows(2)
        .filter(|pair| pair[0] == b"-D")
        .map(|pair| pair[1].clone());
    let joined = process
        .argv
        .iter()
        .filter_map(|word| word.strip_prefix(b"-D").filter(|rest| !rest.is_empty()))
        .map(<[u8]>::to_vec);
    instance.defines = words.chain(joined).collect();
    instance.before = all(&process.argv, b"-C");
    instance.after = all(&process.argv, b"-c");
    instance.process = Some((process.pid, process.uid));
    Some(instance)
}

/// The values of every `-C` or `-c`, joined or apart.
fn all(argv: &[Vec<u8>], option: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut words = argv.iter().skip(1);
    while let Some(word) = words.next() {
        match word.strip_prefix(option) {
            Some(b"") => found.extend(words.next().cloned()),
            Some(value) => found.push(value.to_vec()),
            None => {}
        }
    }
    found
}

fn one(site: &Site, instance: Instance, out: &mut Configured) {
    let first = out.targets.len();
    let name = instance.conf.display().to_string();
    let mut walk = Walk::new(
        site,
        instance.root.clone(),
        instance.variables,
        instance.defines,
    );
    walk.lines(b"-C", &instance.before);
    walk.file(&instance.conf, None, 0);
    walk.lines(b"-c", &instance.after);
    let Walk {
        found,
        root,
        faults,
        user,
        pid_file,
        ..
    } = walk;
    let found = last_error_logs(found);
    let pid_file = pid_file
        .map(|name| normal(&root.join(OsStr::from_bytes(&name))))
        .or_else(|| {
            let debian = instance.conf.starts_with("/etc/apache2");
            debian.then(|| PathBuf::from("/var/run/apache2/apache2.pid"))
        });
    for error in faults {
        out.fault(NAME, error);
    }
    // Without an ErrorLog of its own the main server has the compiled one.
    let main_error = found
        .iter()
        .any(|directive| directive.name == "errorlog" && directive.host.is_none());
    for directive in &found {
        out.add(target(&name, &root, directive));
    }
    if !main_error {
        let compiled = if instance.conf.starts_with("/etc/apache2") {
            PathBuf::from("/var/log/apache2/error.log")
        } else {
            root.join("logs/error_log")
        };
        let source = Some(Source::new(&Arc::from(instance.conf.as_path()), 0));
        out.add(Target {
            source,
            evidence: Evidence::Default,
            ..Target::new(NAME, name, Kind::Error, Sink::File(compiled))
        });
    }
    let user = user.or(instance.user);
    for target in &mut out.targets[first..] {
        target.user.clone_from(&user);
        target.pid = instance.process.map(|(pid, _)| pid);
        target.claimed = instance.process.is_some();
        target.pid_file.clone_from(&pid_file);
        // The parent opens them all, at each start and graceful restart, and hands the descriptors
        // down.
        target.by = match instance.process {
            Some((_, uid)) => Some(site.users.user_name(uid)),
            None if instance.conf.starts_with("/etc") || rustix::process::geteuid().is_root() => {
                Some("root".to_owned())
            }
            None => Some(site.own_user()),
        };
    }
}

/// Of several ErrorLogs of a server or a virtual host the last counts.
fn last_error_logs(found: Vec<Directive>) -> Vec<Directive> {
    let later = |at: usize, directive: &Directive| {
        found[at + 1..]
            .iter()
            .any(|other| other.name == directive.name && other.host == directive.host)
    };
    let kept =
        |at: usize, directive: &Directive| !ONCE.contains(&directive.name) || !later(at, directive);
    let kept: Vec<bool> = found
        .iter()
        .enumerate()
        .map(|(at, one)| kept(at, one))
        .collect();
    let pairs = found.into_iter().zip(kept);
    pairs
        .filter(|(_, kept)| *kept)
        .map(|(directive, _)| directive)
        .collect()
}

/// Directives that a later one of the same server replaces.
const ONCE: &[&str] = &[
    "errorlog",
    "forensiclog",
    "secauditlog",
    "secauditlog2",
    "secdebuglog",
];

fn target(instance: &str, root: &Path, directive: &Directive) -> Target {
    let kind = if matches!(directive.name, "errorlog" | "secdebuglog") {
        Kind::Error
    } else {
        Kind::Access
    };
    let value = directive.value.as_slice();
    let text = || String::from_utf8_lossy(value).into_owned();
    let sink = match value {
        [b'|', command @ ..] => Sink::Pipe(
            String::from_utf8_lossy(
                command
                    .strip_prefix(b"|")
                    .or_else(|| command.strip_prefix(b"$"))
                    .unwrap_or(command),
            )
            .into_owned(),
        ),
        _ if kind == Kind::Error && value.starts_with(b"syslog") => Sink::Syslog(text()),
        _ if kind == Kind::Error && value.starts_with(b"journald") => Sink::Journal,
        _ if directive.unresolved.is_some() => Sink::Template(value.to_vec()),
        _ => Sink::File(normal(&root.join(OsStr::from_bytes(value)))),
    };
    Target {
        source: Some(directive.source.clone()),
        conditional: directive.conditional,
        depth: u8::from(directive.host.is_some()),
        doubt: directive.unresolved.clone().map(Doubt::Unresolved),
        ..Target::new(NAME, instance, kind, sink)
    }
}
