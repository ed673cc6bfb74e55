//! The main file, its includes, `[supervisord]`, the sockets and `[supervisorctl]`.

use super::values::{self, Parsed};
use super::{Address, Control, Daemon, Group, Log, Secret, Server, Supervisor, Surroundings};
use crate::configparser::{ConfigParser, Section};
use crate::files::Files;
use crate::format::{Fault, Names, Value, expand};
use crate::{Error, Kind, Source, shlex};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One reading: what is known so far, and what went wrong.
pub struct Reader<'a> {
    pub files: &'a Files,
    pub file: PathBuf,
    pub here: PathBuf,
    pub surroundings: &'a Surroundings,
    pub parser: ConfigParser,
    /// `%(ENV_X)s`, which `environment=` of `[supervisord]` adds to.
    pub environment: Names,
    /// What `environment=` of `[supervisord]` gives every process.
    pub common: Vec<(String, OsString)>,
    pub included: Vec<PathBuf>,
    pub unmatched: Vec<(PathBuf, Source)>,
    pub errors: Vec<Error>,
}

/// A value with its place, filled in.
pub struct Found {
    pub value: Vec<u8>,
    pub source: Source,
}

impl<'a> Reader<'a> {
    pub fn new(
        files: &'a Files,
        file: &Path,
        surroundings: &'a Surroundings,
        parser: ConfigParser,
        errors: Vec<Error>,
    ) -> Self {
        let path = surroundings.cwd.join(file);
        let here = path.parent().unwrap_or(Path::new("/"));
        let here = values::normal(files, here.as_os_str().as_bytes(), &surroundings.cwd);
        let environment = surroundings
            .env
            .iter()
            .map(|(name, value)| env_name(name.as_bytes(), value.as_bytes()))
            .collect();
        Self {
            files,
            file: file.to_path_buf(),
            here,
            surroundings,
            parser,
            environment,
            common: Vec::new(),
            included: Vec::new(),
            unmatched: Vec::new(),
            errors,
        }
    }

    pub fn read(mut self) -> Supervisor {
        // supervisorctl reads the main file alone, so its section is taken before the includes are.
        let control = self.control();
        self.include();
        let daemon = self.daemon();
        let groups: Vec<Group> = self.groups(&daemon);
        let servers = self.servers();
        let Self {
            file,
            here,
            included,
            unmatched,
            errors,
            ..
        } = self;
        Supervisor {
            file,
            here,
            daemon,
            servers,
            control,
            groups,
            included,
            unmatched,
            errors,
        }
    }

    /// `%(here)s` and the others that stand for something everywhere.
    pub fn names(&self) -> Names {
        let mut names = self.environment.clone();
        names.insert(
            b"here".to_vec(),
            Value::Text(self.here.as_os_str().as_bytes().to_vec()),
        );
        names
    }

    /// An option of a section, filled in once; `None` when it is not there. A text that cannot be
    /// filled in is an error.
    pub fn option(&mut self, section: &Section, name: &str, names: &Names) -> Option<Found> {
        let entry = self.parser.get(section, name)?;
        match expand(&entry.value, names) {
            Ok(value) => Some(Found {
                value,
                source: entry.source,
            }),
            Err(fault) => {
                self.fault(&entry.source, name, &fault);
                None
            }
        }
    }

    pub fn fault(&mut self, source: &Source, name: &str, fault: &Fault) {
        let kind = if matches!(fault, Fault::Unknown(_)) {
            Kind::Unresolved
        } else {
            Kind::Syntax
        };
        self.errors
            .push(Error::at(kind, source, format!("{name}: {fault}")));
    }

    /// An option read as one kind of value; a bad one is an error, and the default is used.
    pub fn typed<T>(
        &mut self,
        section: &Section,
        name: &str,
        names: &Names,
        default: T,
        read: impl Fn(&[u8]) -> Parsed<T>,
    ) -> T {
        let Some(found) = self.option(section, name, names) else {
            return default;
        };
        read(&found.value).unwrap_or_else(|why| {
            self.errors.push(Error::at(
                Kind::Syntax,
                &found.source,
                format!("{name}: {why}"),
            ));
            default
        })
    }

    fn include(&mut self) {
        let Some(section) = self.parser.section(b"include").cloned() else {
            return;
        };
        let here = self.here.as_os_str().as_bytes().to_vec();
        self.parser.expand_here(&here);
        let section = self.parser.section(b"include").cloned().unwrap_or(section);
        let mut names = self.names();
        names.insert(
            b"host_node_name".to_vec(),
            Value::Text(self.surroundings.host.clone().into_bytes()),
        );
        let Some(found) = self.option(&section, "files", &names) else {
            let message = "[include] has no usable `files`";
            self.errors
                .push(Error::at(Kind::Syntax, &section.source, message));
            return;
        };
        let patterns = found
            .value
            .split(|byte| crate::configparser::is_space(*byte))
            .filter(|part| !part.is_empty());
        for pattern in patterns {
            let pattern = self.here.join(OsString::from_vec(pattern.to_vec()));
            let matched = self.files.glob(&pattern);
            if matched.is_empty() {
                self.unmatched.push((pattern, found.source.clone()));
            }
            for file in matched {
                self.read_included(file);
            }
        }
    }

    fn read_included(&mut self, file: PathBuf) {
        match self.files.read(&file) {
            Ok(bytes) => {
                let errors = self.parser.read(&file, &bytes);
                self.errors.extend(errors);
                let here = file.parent().unwrap_or(Path::new("/"));
                let here = values::normal(
                    self.files,
                    here.as_os_str().as_bytes(),
                    &self.surroundings.cwd,
                );
                self.parser.expand_here(here.as_os_str().as_bytes());
                self.included.push(file);
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn daemon(&mut self) -> Daemon {
        let section = match self.parser.section(b"supervisord") {
            Some(section) => section.clone(),
            None => {
                self.errors.push(Error::new(
                    Kind::Syntax,
                    &self.file,
                    0,
                    "there is no [supervisord] section",
                ));
                let source = Source::new(&Arc::from(self.file.as_path()), 0);
                Section {
                    name: b"supervisord".to_vec(),
                    entries: Vec::new(),
                    source,
                }
            }
        };
        let names = self.names();
        let cwd = self.surroundings.cwd.clone();
        let logfile = self.option(&section, "logfile", &names);
        let text = logfile
            .as_ref()
            .map_or(&b"supervisord.log"[..], |found| found.value.as_slice());
        // Only this spelling is syslog to the daemon itself; NONE and AUTO are file names to it.
        let log = if text == b"syslog" {
            Log::Syslog
        } else {
            Log::File(values::normal(self.files, text, &cwd))
        };
        let pidfile = self
            .option(&section, "pidfile", &names)
            .map_or(b"supervisord.pid".to_vec(), |found| found.value);
        let directory = self.option(&section, "directory", &names);
        let childlogdir = self.option(&section, "childlogdir", &names);
        let childlogdir = childlogdir.map_or(self.surroundings.tmp.clone(), |found| {
            values::normal(self.files, &found.value, &cwd)
        });
        let daemon = Daemon {
            logfile: log,
            logfile_source: logfile.map(|found| found.source),
            logfile_maxbytes: self.typed(
                &section,
                "logfile_maxbytes",
                &names,
                50 * 1024 * 1024,
                values::byte_size,
            ),
            logfile_backups: self.typed(&section, "logfile_backups", &names, 10, values::count),
            childlogdir,
            pidfile: values::normal(self.files, &pidfile, &cwd),
            identifier: self
                .option(&section, "identifier", &names)
                .map_or("supervisor".to_owned(), |found| values::text(&found.value)),
            user: self
                .option(&section, "user", &names)
                .map(|found| values::text(&found.value)),
            directory: directory.map(|found| values::normal(self.files, &found.value, &cwd)),
            source: section.source.clone(),
        };
        self.common_environment(&section, names);
        daemon
    }

    /// `environment=` is filled in twice, and then every `%(ENV_X)s` knows of it.
    fn common_environment(&mut self, section: &Section, mut names: Names) {
        let Some(found) = self.option(section, "environment", &names) else {
            return;
        };
        names.insert(
            b"host_node_name".to_vec(),
            Value::Text(self.surroundings.host.clone().into_bytes()),
        );
        let pairs = expand(&found.value, &names)
            .map_err(|fault| fault.to_string())
            .and_then(|text| shlex::pairs(&text));
        match pairs {
            Ok(pairs) => {
                self.environment
                    .extend(pairs.iter().map(|(name, value)| env_name(name, value)));
                self.common = pairs
                    .into_iter()
                    .map(|(name, value)| (values::text(&name), OsString::from_vec(value)))
                    .collect();
            }
            Err(why) => self.errors.push(Error::at(
                Kind::Syntax,
                &found.source,
                format!("environment: {why}"),
            )),
        }
    }

    fn servers(&mut self) -> Vec<Server> {
        let sections = self.parser.sections.clone();
        let of = |kind: &'static [u8]| {
            sections
                .iter()
                .filter(move |section| section.name.starts_with(kind))
        };
        let mut servers = Vec::new();
        for section in of(b"inet_http_server") {
            let names = self.environment.clone();
            let Some(found) = self.option(section, "port", &names) else {
                self.errors.push(Error::at(
                    Kind::Syntax,
                    &section.source,
                    "[inet_http_server] has no usable `port`",
                ));
                continue;
            };
            match values::inet(&found.value) {
                Ok(address) => servers.push(self.server(section, address)),
                Err(why) => self.errors.push(Error::at(
                    Kind::Syntax,
                    &found.source,
                    format!("port: {why}"),
                )),
            }
        }
        for section in of(b"unix_http_server") {
            let names = self.names();
            let Some(found) = self.option(section, "file", &names) else {
                self.errors.push(Error::at(
                    Kind::Syntax,
                    &section.source,
                    "[unix_http_server] has no usable `file`",
                ));
                continue;
            };
            let path = values::normal(
                self.files,
                crate::configparser::strip(&found.value),
                &self.surroundings.cwd,
            );
            servers.push(self.server(section, Address::Unix(path)));
        }
        servers
    }

    fn server(&mut self, section: &Section, address: Address) -> Server {
        let names = self.environment.clone();
        let username = self
            .option(section, "username", &names)
            .map(|found| values::text(&found.value));
        let password = self
            .option(section, "password", &names)
            .map(|found| Secret(values::text(&found.value)));
        if username.is_some() != password.is_some() {
            let message = "username and password go together; one of them is missing";
            self.errors
                .push(Error::at(Kind::Syntax, &section.source, message));
        }
        Server {
            address,
            username,
            password,
            source: section.source.clone(),
        }
    }

    fn control(&mut self) -> Option<Control> {
        let section = self.parser.section(b"supervisorctl").cloned()?;
        let names = self.names();
        let url = self
            .option(&section, "serverurl", &names)
            .map_or(b"http://localhost:9001".to_vec(), |found| found.value);
        let serverurl = match url.strip_prefix(b"unix://") {
            Some(path) => format!(
                "unix://{}",
                values::normal(self.files, path, &self.surroundings.cwd).display()
            ),
            None => values::text(&url),
        };
        let names = self.environment.clone();
        Some(Control {
            serverurl,
            username: self
                .option(&section, "username", &names)
                .map(|found| values::text(&found.value)),
            password: self
                .option(&section, "password", &names)
                .map(|found| Secret(values::text(&found.value))),
            source: section.source,
        })
    }
}

pub fn env_name(name: &[u8], value: &[u8]) -> (Vec<u8>, Value) {
    ([b"ENV_", name].concat(), Value::Text(value.to_vec()))
}
