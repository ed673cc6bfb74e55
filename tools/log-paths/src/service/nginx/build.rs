//! What is compiled into an nginx: read from the program's own text (what `-V` would print),
//! without running it.

use crate::site::Site;
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A program, and its `--…-path` options once somebody asks for one.
pub struct Build {
    program: Option<PathBuf>,
    options: OnceCell<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Build {
    /// The program that a shell would find, or the usual place.
    pub fn usual(site: &Site) -> Self {
        let mut places: Vec<PathBuf> = [
            "/usr/sbin/nginx",
            "/usr/local/sbin/nginx",
            "/usr/local/nginx/sbin/nginx",
            "/usr/bin/nginx",
        ]
        .map(PathBuf::from)
        .into_iter()
        .filter(|path| site.files.stat(path).is_ok())
        .collect();
        Self {
            program: if places.is_empty() {
                None
            } else {
                Some(places.remove(0))
            },
            options: OnceCell::new(),
        }
    }

    /// This one.
    pub fn of(program: PathBuf) -> Self {
        Self {
            program: Some(program),
            options: OnceCell::new(),
        }
    }

    /// What `-p` would have to say; `/usr/local/nginx` where nothing was compiled in.
    pub fn prefix(&self, site: &Site) -> PathBuf {
        self.path(site, "--prefix", "/usr/local/nginx")
    }

    /// The main file.
    pub fn conf_path(&self, site: &Site) -> PathBuf {
        if self.program.is_none() {
            return PathBuf::from("/etc/nginx/nginx.conf");
        }
        self.prefix(site)
            .join(self.path(site, "--conf-path", "conf/nginx.conf"))
    }

    /// The access log of a server that names none.
    pub fn access_log(&self, site: &Site) -> PathBuf {
        self.path(site, "--http-log-path", "logs/access.log")
    }

    /// The error log where none is named; `stderr` is the standard stream.
    pub fn error_log(&self, site: &Site) -> PathBuf {
        self.path(site, "--error-log-path", "logs/error.log")
    }

    /// Where the master keeps its process number.
    pub fn pid_path(&self, site: &Site) -> PathBuf {
        self.path(site, "--pid-path", "logs/nginx.pid")
    }

    /// The user that workers become where none is named.
    pub fn user(&self, site: &Site) -> String {
        self.path(site, "--user", "nobody")
            .to_string_lossy()
            .into_owned()
    }

    fn path(&self, site: &Site, option: &str, default: &str) -> PathBuf {
        let options = self.options.get_or_init(|| self.compiled(site));
        let given = options.iter().find(|(name, _)| name == option.as_bytes());
        given.map_or_else(
            || PathBuf::from(default),
            |(_, value)| PathBuf::from(OsStr::from_bytes(value)),
        )
    }

    fn compiled(&self, site: &Site) -> Vec<(Vec<u8>, Vec<u8>)> {
        let read = self
            .program
            .as_deref()
            .and_then(|program| site.files.read(program).ok());
        read.as_deref().map(configure_arguments).unwrap_or_default()
    }
}

/// `configure arguments: --prefix=/usr --with-cc-opt='-g -O2'`, up to the end of the line.
fn configure_arguments(program: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    const MARK: &[u8] = b"configure arguments:";
    let Some(at) = crate::site::find(program, MARK) else {
        return Vec::new();
    };
    let rest = &program[at + MARK.len()..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'\n' | 0))
        .unwrap_or(rest.len());
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut quoted, mut inside) = (false, false);
    for byte in &rest[..end] {
        match byte {
            b'\'' => quoted = !quoted,
            b' ' if !quoted => inside = false,
            _ => {
                if !inside {
                    words.push(Vec::new());
                    inside = true;
                }
                if let Some(word) = words.last_mut() {
                    word.push(*byte);
                }
            }
        }
    }
    words
        .into_iter()
        .filter_map(|word| {
            let at = word.iter().position(|byte| *byte == b'=')?;
            Some((word[..at].to_vec(), word[at + 1..].to_vec()))
        })
        .collect()
}

/// Where a relative name leads.
pub fn under(prefix: &Path, name: &[u8]) -> PathBuf {
    crate::site::normal(&prefix.join(OsStr::from_bytes(name)))
}
