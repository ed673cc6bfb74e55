//! A probe as a set file writes it, and what came of asking.
//!
//! One table in a file names exactly one thing to ask: `{ port = 8001 }`, `{ http = "http://…",
//! status = [200] }`, `{ socket = "/run/app.sock" }`, `{ pidfile = … }`, `{ file = … }`, `{ log =
//! …, line = … }`, `{ command = […] }`. Nothing here retries: how long to go on asking is the
//! caller's business.

use std::fmt;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::Request;
use crate::{port, socket};
use base::child::Identity as User;
use base::clock::Deadline;
use proc::{Identity, Process};

/// Something to ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Probe {
    /// A TCP connection is accepted: `host:port`.
    Port(String),
    /// A unix socket accepts a connection.
    Socket(PathBuf),
    /// A page answers, with one of these statuses (any below 400 when none is given) and this text
    /// in it.
    Http {
        /// What to ask.
        request: Box<Request>,
        /// Accepted statuses.
        status: Vec<u16>,
        /// Text the body must hold.
        contains: Option<String>,
    },
    /// The file names a living process.
    Pidfile(PathBuf),
    /// The path exists.
    File(PathBuf),
    /// The log got a line with this text since the probe was armed.
    Log {
        /// The log.
        path: PathBuf,
        /// What the line must hold.
        line: String,
    },
    /// The command exits 0.
    Command(Vec<String>),
}

/// The probe as written: exactly one of port, socket, http, pidfile, file, log and command.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The TCP port that has to accept a connection: a port of 127.0.0.1, or HOST:PORT.
    port: Option<PortWritten>,
    /// The unix socket that has to accept a connection. With http: the socket that the request is
    /// sent to.
    socket: Option<PathBuf>,
    /// The URL of a page that has to answer.
    http: Option<String>,
    /// The pid file that has to name a running process.
    pidfile: Option<PathBuf>,
    /// The path that has to exist.
    file: Option<PathBuf>,
    /// The log that has to get a line with the text of line after the start.
    log: Option<PathBuf>,
    /// A program and its arguments; the program has to exit with 0.
    command: Option<Vec<String>>,
    /// With http: the statuses that count as an answer (default: any below 400).
    status: Option<Vec<u16>>,
    /// With http: the Host header, in place of the URL's host.
    host: Option<String>,
    /// With http: a text that the page has to hold.
    contains: Option<String>,
    /// With http: HOST:PORT to connect to, in place of the URL's host.
    connect: Option<String>,
    /// With log: the text of the line.
    line: Option<String>,
}

/// A port, or an address with one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum PortWritten {
    Number(u16),
    Address(String),
}

impl TryFrom<Written> for Probe {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let http_only = written.status.is_some()
            || written.host.is_some()
            || written.contains.is_some()
            || written.connect.is_some();
        if http_only && written.http.is_none() {
            return Err("status, host, contains and connect belong to an http probe".to_owned());
        }
        if written.line.is_some() != written.log.is_some() {
            return Err("a log probe has both: log = \"FILE\", line = \"TEXT\"".to_owned());
        }
        let kinds = [
            written.port.is_some(),
            written.socket.is_some() && written.http.is_none(),
            written.http.is_some(),
            written.pidfile.is_some(),
            written.file.is_some(),
            written.log.is_some(),
            written.command.is_some(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            return Err(
                "a probe names exactly one of port, socket, http, pidfile, file, log, command"
                    .to_owned(),
            );
        }
        if let Some(url) = written.http {
            let request = Request {
                socket: written.socket,
                host: written.host,
                connect: written.connect,
                ..Request::get(&url)
            };
            return Ok(Self::Http {
                request: Box::new(request),
                status: written.status.unwrap_or_default(),
                contains: written.contains,
            });
        }
        match (
            written.port,
            written.socket,
            written.pidfile,
            written.file,
            written.log,
            written.line,
            written.command,
        ) {
            (Some(PortWritten::Number(port)), ..) => Ok(Self::Port(format!("127.0.0.1:{port}"))),
            (Some(PortWritten::Address(address)), ..) => address_of(&address).map(Self::Port),
            (_, Some(path), ..) => Ok(Self::Socket(path)),
            (_, _, Some(path), ..) => Ok(Self::Pidfile(path)),
            (_, _, _, Some(path), ..) => Ok(Self::File(path)),
            (_, _, _, _, Some(path), Some(line), _) => Ok(Self::Log { path, line }),
            (.., Some(argv)) if !argv.is_empty() => Ok(Self::Command(argv)),
            _ => Err("command = [] names no program".to_owned()),
        }
    }
}

fn address_of(written: &str) -> Result<String, String> {
    let numbered = written.rsplit_once(':').map_or(written, |(_, port)| port);
    if numbered.parse::<u16>().is_err() {
        return Err(format!("port = '{written}': neither a port nor host:port"));
    }
    Ok(if written.contains(':') {
        written.to_owned()
    } else {
        format!("127.0.0.1:{written}")
    })
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(address) => write!(f, "port {address}"),
            Self::Socket(path) => write!(f, "socket {}", path.display()),
            Self::Http { request, .. } => match &request.socket {
                Some(path) => write!(f, "{} over {}", request.url, path.display()),
                None => f.write_str(&request.url),
            },
            Self::Pidfile(path) => write!(f, "pidfile {}", path.display()),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Log { path, line } => write!(f, "log {}: {line}", path.display()),
            Self::Command(argv) => write!(f, "command {}", argv.join(" ")),
        }
    }
}

/// What came of asking, over all attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The probe succeeds.
    pub ok: bool,
    /// How long until it was, or until it was given up.
    pub took: Duration,
    /// How often it was asked.
    pub attempts: u32,
    /// What the last attempt that failed said.
    pub last_error: Option<String>,
}

/// A probe that knows when it began: a log probe counts only what is written afterwards.
#[derive(Debug, Clone)]
pub struct Armed {
    /// What to ask.
    pub probe: Probe,
    log: Option<LogMark>,
    /// Whose rights ask; `None` means the caller's.
    asker: Option<Asker>,
}

/// Who asks where the caller does not, and where a command stands.
#[derive(Debug, Clone)]
struct Asker {
    user: User,
    dir: PathBuf,
}

/// Where a log ended: device and inode say whether it is still that file. It is kept open, so that
/// the file a rotation puts in its place cannot be given the same inode.
#[derive(Debug, Clone)]
struct LogMark {
    device: u64,
    inode: u64,
    size: u64,
    _held: Arc<fs::File>,
}

impl LogMark {
    fn of(path: &Path) -> Option<Self> {
        let (file, _) = base::trust::open_regular(path).ok()?;
        let meta = file.metadata().ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            _held: Arc::new(file),
        })
    }
}

impl Probe {
    /// Marks the beginning; to be called before the service is started.
    #[must_use]
    pub fn arm(self) -> Armed {
        self.arm_as(None, Path::new("/"))
    }

    /// As [`Probe::arm`]. What `user` wrote asks with that user's rights and no more: a command
    /// runs as the user, in `dir`; files and sockets are opened as the user.
    #[must_use]
    pub fn arm_as(self, user: Option<User>, dir: &Path) -> Armed {
        let dir = dir.to_path_buf();
        let asker = user.map(|user| Asker { user, dir });
        let log = match (&self, &asker) {
            (Self::Log { path, .. }, None) => LogMark::of(path),
            (Self::Log { path, .. }, Some(asker)) => {
                base::trust::with_rights_of(&asker.user, || LogMark::of(path)).unwrap_or_default()
            }
            _ => None,
        };
        Armed {
            probe: self,
            log,
            asker,
        }
    }

    /// With relative paths taken from `directory`.
    #[must_use]
    pub fn within(mut self, directory: &Path) -> Self {
        match &mut self {
            Self::Socket(path)
            | Self::Pidfile(path)
            | Self::File(path)
            | Self::Log { path, .. } => *path = directory.join(&*path),
            Self::Http { request, .. } => {
                request.socket = request.socket.as_ref().map(|path| directory.join(path));
            }
            Self::Port(_) | Self::Command(_) => {}
        }
        self
    }

    /// The TCP port it asks on this host, so that the holder can be looked up; None when it asks
    /// another host or no port.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        let address = match self {
            Self::Port(address) => address.clone(),
            Self::Http { request, .. } if request.socket.is_none() => match &request.connect {
                Some(address) => address.clone(),
                None => authority(&request.url)?,
            },
            _ => return None,
        };
        let (host, port) = address.rsplit_once(':')?;
        let local = matches!(host, "localhost" | "[::1]" | "::1" | "0.0.0.0" | "[::]")
            || host.starts_with("127.");
        if local { port.parse().ok() } else { None }
    }

    /// Whether its answer comes from a connection, which another process could hold.
    #[must_use]
    pub fn asks_a_listener(&self) -> bool {
        matches!(self, Self::Port(_) | Self::Http { .. } | Self::Socket(_))
    }
}

fn authority(url: &str) -> Option<String> {
    let (rest, default) = url
        .strip_prefix("http://")
        .map(|rest| (rest, "80"))
        .or_else(|| url.strip_prefix("https://").map(|rest| (rest, "443")))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let numbered = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if numbered {
        authority.to_owned()
    } else {
        format!("{authority}:{default}")
    })
}

impl Armed {
    /// Asks once, within `timeout`.
    ///
    /// # Errors
    /// Why it is not so, in words.
    pub fn once(&self, timeout: Duration) -> Result<(), String> {
        match (&self.probe, &self.asker) {
            (Probe::Command(argv), asker) => command(argv, asker.as_ref(), timeout),
            (_, None) => self.ask(timeout),
            (_, Some(asker)) => base::trust::with_rights_of(&asker.user, || self.ask(timeout))
                .unwrap_or_else(|error| Err(error.message)),
        }
    }

    fn ask(&self, timeout: Duration) -> Result<(), String> {
        match &self.probe {
            Probe::Port(address) => port::connect(address, timeout),
            Probe::Socket(path) => socket::connect(path, timeout),
            Probe::Http {
                request,
                status,
                contains,
            } => page(request, status, contains.as_deref(), timeout),
            Probe::Pidfile(path) => pidfile(path),
            Probe::File(path) => match fs::symlink_metadata(path) {
                Ok(_) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(format!("{}: not there", path.display()))
                }
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
            Probe::Log { path, line } => self.log_line(path, line),
            Probe::Command(argv) => command(argv, self.asker.as_ref(), timeout),
        }
    }

    fn log_line(&self, path: &Path, line: &str) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let (mut file, _) = base::trust::open_regular(path).map_err(|error| error.message)?;
        let meta = file.metadata().map_err(failed)?;
        // Another file, or a shorter one: rotated or truncated, so all of it is new.
        let from = self
            .log
            .as_ref()
            .filter(|mark| {
                mark.device == meta.dev() && mark.inode == meta.ino() && mark.size <= meta.size()
            })
            .map_or(0, |mark| mark.size);
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(16 << 20)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if !line.is_empty()
            && bytes
                .windows(line.len())
                .any(|window| window == line.as_bytes())
        {
            Ok(())
        } else {
            Err(format!("{}: no new line with '{line}'", path.display()))
        }
    }
}

fn page(
    request: &Request,
    accepted: &[u16],
    contains: Option<&str>,
    timeout: Duration,
) -> Result<(), String> {
    let request = Request {
        timeout: timeout.min(request.timeout),
        ..request.clone()
    };
    let answer = request.send().map_err(|failure| failure.to_string())?;
    let fine = if accepted.is_empty() {
        answer.status < 400
    } else {
        accepted.contains(&answer.status)
    };
    if !fine {
        return Err(format!("{}: status {}", request.url, answer.status));
    }
    match contains {
        Some(text) if !answer.contains(text) => {
            Err(format!("{}: the page lacks '{text}'", request.url))
        }
        _ => Ok(()),
    }
}

fn pidfile(path: &Path) -> Result<(), String> {
    let (bytes, _) =
        base::trust::read_regular(path, 4 << 10, Deadline::NEVER).map_err(|error| error.message)?;
    let text = String::from_utf8_lossy(&bytes);
    let first = text.lines().next().unwrap_or_default().trim();
    let pid: i32 = first
        .parse()
        .ok()
        .filter(|pid| *pid > 0)
        .ok_or_else(|| format!("{}: no pid in it", path.display()))?;
    match Identity::of(pid) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{}: process {pid} is not running", path.display())),
    }
}

/// Runs the command in a process group of its own, with no input and its output dropped; the group
/// is killed at the end of `timeout`.
fn command(argv: &[String], asker: Option<&Asker>, timeout: Duration) -> Result<(), String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("no program".to_owned());
    };
    let began = Instant::now();
    let mut starting = Command::new(program);
    starting
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match asker.filter(|asker| !asker.user.is_current()) {
        // In a session of its own, whose leader leads a group, too.
        Some(asker) => asker
            .user
            .isolate(&mut starting, Some(&asker.dir))
            .map_err(|error| error.message)?,
        None => {
            starting.process_group(0);
        }
    }
    let mut child = base::child::spawn(&mut starting, Deadline::after(Some(timeout)))
        .map_err(|error| format!("{program}: {error}"))?;
    if let Ok(process) = i32::try_from(child.id())
        .map_err(io::Error::other)
        .and_then(Process::open)
    {
        let ended = process.wait(timeout).unwrap_or(false);
        if !ended {
            if let Some(group) = rustix::process::Pid::from_raw(process.identity.pid) {
                // Not yet collected, so the number is still the group's.
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait();
            return Err(format!(
                "{program}: still running after {:.1} s",
                began.elapsed().as_secs_f64()
            ));
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
