//! nginx: which files its configuration makes it open.
//!
//! `nginx -t` and `-T` create the logs they find missing, as root, so nginx is never asked. The
//! rules (who inherits what, what a relative name is relative to, when the compiled default is
//! used) are those of nginx 1.22, checked against its open files.

mod build;
mod file;
mod walk;

use crate::log::{Configured, Example, Reopen, Service};
use crate::process::Process;
use crate::site::{Site, normal};
use build::Build;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const NAME: &str = "nginx";

/// One nginx: its main file, and what its command line says.
pub struct Instance {
    /// The main configuration file.
    pub conf: PathBuf,
    /// `-p`, where it was given.
    pub prefix: Option<PathBuf>,
    /// `-g`: directives before the file's.
    pub globals: Vec<Vec<u8>>,
    /// `-e`: the error log where the configuration names none.
    pub error_log: Option<Vec<u8>>,
    /// Does (or would) the master run as root?
    pub root: bool,
    /// The user of the master.
    pub master: String,
    /// The program, for what is compiled into it.
    pub build: Build,
    /// The master, where it runs.
    pub pid: Option<u32>,
    /// Does the master alone say which configuration it is?
    pub claimed: bool,
}

/// The row of the registry.
pub const SERVICE: Service = Service {
    name: NAME,
    owns: |program| program.titled("nginx: ") || program.is("nginx") || program.is("openresty"),
    reopen: Reopen {
        names: &["nginx", "openresty"],
        signals: &["USR1", "HUP"],
        reload: true,
        command: |words| {
            words.first().is_some_and(|word| word == "nginx")
                && words
                    .windows(2)
                    .any(|pair| pair[0] == "-s" && (pair[1] == "reopen" || pair[1] == "reload"))
        },
        gives: true,
    },
    read,
    example: Example {
        file: "nginx.conf",
        text: "events {}\nhttp { access_log /var/log/nginx/access.log; }\n",
    },
    usual: Some(|site, process| vec![usual(site, process)]),
    ..Service::PLAIN
};

fn read(site: &Site) -> Configured {
    let mut configured = Configured::default();
    for instance in instances(site) {
        configured.found = true;
        walk::read(site, &instance, &mut configured);
    }
    configured
}

fn instances(site: &Site) -> Vec<Instance> {
    let asked = site.asked(NAME);
    if !asked.is_empty() {
        let running = |conf: &Path| {
            site.masters(NAME)
                .filter_map(|process| of_process(site, process))
                .find(|instance| instance.conf == conf)
        };
        let one = |conf: PathBuf| {
            let mut instance = of_file(site, conf);
            instance.pid = running(&instance.conf).and_then(|running| running.pid);
            instance
        };
        return asked.into_iter().map(one).collect();
    }
    let running: Vec<Instance> = site
        .masters(NAME)
        .filter_map(|process| of_process(site, process))
        .collect();
    if !running.is_empty() {
        return running;
    }
    let build = Build::usual(site);
    let conf = build.conf_path(site);
    if site.files.stat(&conf).is_ok() {
        vec![of_file(site, conf)]
    } else {
        Vec::new()
    }
}

/// A file that was asked for. Its prefix is only looked for when a relative name needs one.
fn of_file(site: &Site, conf: PathBuf) -> Instance {
    let conf = std::path::absolute(&conf).unwrap_or(conf);
    let root = site.files.is_rooted() || rustix::process::geteuid().is_root();
    let master = if root {
        "root".to_owned()
    } else {
        site.own_user()
    };
    Instance {
        conf,
        prefix: None,
        globals: Vec::new(),
        error_log: None,
        root,
        master,
        build: Build::usual(site),
        pid: None,
        claimed: false,
    }
}

/// A master, from its command line: `nginx: master process /usr/sbin/nginx -c …`, in one piece, or
/// as it was typed.
fn of_process(site: &Site, process: &Process) -> Option<Instance> {
    let argv = command_line(process)?;
    let option = |name: &str| crate::process::option(&argv, &[name]);
    // Another user's process does not show its program; a name that a shell would look for says
    // nothing of where it was found.
    let typed = argv
        .first()
        .filter(|word| word.starts_with(b"/"))
        .map(|word| PathBuf::from(OsStr::from_bytes(word)));
    let build = process
        .exe()
        .or(typed)
        .map_or_else(|| Build::usual(site), Build::of);
    let cwd = process.cwd().unwrap_or_else(|| PathBuf::from("/"));
    let prefix = option("-p").map(|prefix| normal(&cwd.join(OsStr::from_bytes(prefix))));
    let conf = match option("-c") {
        Some(conf) => {
            let base = prefix.clone().unwrap_or_else(|| build.prefix(site));
            normal(&base.join(OsStr::from_bytes(conf)))
        }
        None => {
            let compiled = build.conf_path(site);
            prefix
                .as_ref()
                .map_or(compiled.clone(), |prefix| prefix.join(&compiled))
        }
    };
    Some(Instance {
        conf,
        prefix,
        globals: option("-g").map(<[u8]>::to_vec).into_iter().collect(),
        error_log: option("-e").map(<[u8]>::to_vec),
        root: process.uid == 0,
        master: site.users.user_name(process.uid),
        build,
        pid: Some(process.pid),
        claimed: true,
    })
}

/// The file that a master has which names none.
fn usual(site: &Site, process: &Process) -> PathBuf {
    of_process(site, process).map_or_else(
        || Build::usual(site).conf_path(site),
        |instance| instance.conf,
    )
}

fn command_line(process: &Process) -> Option<Vec<Vec<u8>>> {
    let first = process.argv.first()?;
    let Some(title) = first.strip_prefix(b"nginx: ") else {
        return Some(process.argv.clone());
    };
    let typed = title.strip_prefix(b"master process ")?;
    // The title joins the arguments with blanks, and quotations are gone: an option's value ends
    // where the next option begins.
    let mut argv: Vec<Vec<u8>> = Vec::new();
    for word in typed
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
    {
        match argv.last_mut() {
            Some(last) if argv_value(last, word) => {
                last.push(b' ');
                last.extend_from_slice(word);
            }
            _ => argv.push(word.to_vec()),
        }
    }
    Some(split_values(argv))
}

/// Does a word go on with the value of a `-g` before it?
fn argv_value(last: &[u8], word: &[u8]) -> bool {
    last.starts_with(b"-g") && !matches!(word, [b'-', b'c' | b'p' | b'e' | b't' | b'q', ..])
}

fn split_values(argv: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let split = |word: Vec<u8>| match word.strip_prefix(b"-g ") {
        Some(value) => vec![b"-g".to_vec(), value.to_vec()],
        None => vec![word],
    };
    argv.into_iter().flat_map(split).collect()
}

impl Instance {
    /// What relative names in the configuration are relative to, the main file's directory apart.
    fn prefix(&self, site: &Site) -> PathBuf {
        if let Some(prefix) = &self.prefix {
            return prefix.clone();
        }
        let conf = self.conf.as_path();
        let running = site
            .masters(NAME)
            .filter_map(|process| of_process(site, process))
            .find(|other| other.conf == conf);
        running
            .and_then(|other| other.prefix)
            .unwrap_or_else(|| self.build.prefix(site))
    }

    /// The main file's directory: what `include` is relative to, however deep.
    fn conf_dir(&self) -> &Path {
        self.conf.parent().unwrap_or(Path::new("/"))
    }
}
