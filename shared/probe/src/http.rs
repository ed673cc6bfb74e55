//! One HTTP request, over TCP or over a unix socket, and its answer as it came.
//!
//! Every status is an answer, none an error: whether 503 is right is the caller's question.
//! Redirects are not followed unless asked, proxies of the environment never. `connect` sends the
//! request of one name to another address (a virtual host on this machine), which is curl's
//! `--connect-to`.
//!
//! The connector and resolver traits are in the part of ureq that it may change in any release
//! (`ureq::unversioned`), so Cargo.lock pins it and all use of it is in this file.

use base::clock::Deadline;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::ToSocketAddrs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, LazyBuffers, NextTimeout, Transport,
};

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `http://…`, and `https://…` where the crate is built with the `tls` feature.
    pub url: String,
    /// `GET`, `HEAD` or `POST`.
    pub method: Method,
    /// Speak over this unix socket; the URL then gives only path and Host.
    pub socket: Option<PathBuf>,
    /// Connect to this `host:port` instead of the URL's own.
    pub connect: Option<String>,
    /// The Host header, when it is not the URL's.
    pub host: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// For the whole exchange.
    pub timeout: Duration,
    /// Read no more of the body than this many bytes.
    pub body_limit: u64,
    /// Follow at most this many redirects; 0 shows the redirect itself.
    pub redirects: u32,
    /// Accept any certificate.
    pub insecure: bool,
}

/// The methods a probe has use for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Ask for the page.
    Get,
    /// Ask for its headers.
    Head,
    /// Send a body with its content type.
    Post(String, Vec<u8>),
}

/// What is read or written at once, in bytes. ureq's own 128 KiB are cleared for each request,
/// which takes longer than a local answer.
const BUFFER: usize = 16 << 10;

impl Request {
    /// A plain GET with 10 s and 1 MiB.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            method: Method::Get,
            socket: None,
            connect: None,
            host: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            body_limit: 1 << 20,
            redirects: 0,
            insecure: false,
        }
    }

    /// Sends it and reads the answer.
    ///
    /// # Errors
    /// No answer: see [`Failure`]. A status of 500 is an answer.
    pub fn send(&self) -> Result<Answer, Failure> {
        let began = Instant::now();
        let peer = Arc::new(OnceLock::new());
        let response = self
            .call(&peer)
            .map_err(|error| Failure::of(self, &error))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let mut body = Vec::new();
        let mut reader = response.into_body().into_reader().take(self.body_limit + 1);
        reader
            .read_to_end(&mut body)
            .map_err(|error| Failure::reading(self, &error))?;
        let truncated = body.len() as u64 > self.body_limit;
        if truncated {
            body.truncate(usize::try_from(self.body_limit).unwrap_or(usize::MAX));
        }
        Ok(Answer {
            status,
            headers,
            body,
            truncated,
            took: began.elapsed(),
            peer: peer.get().copied(),
        })
    }

    fn call(
        &self,
        peer: &Arc<OnceLock<u32>>,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let agent = self.agent(peer);
        match &self.method {
            Method::Get => self.dress(agent.get(&self.url)).call(),
            Method::Head => self.dress(agent.head(&self.url)).call(),
            Method::Post(kind, body) => self
                .dress(agent.post(&self.url))
                .header("content-type", kind)
                .send(&body[..]),
        }
    }

    fn agent(&self, peer: &Arc<OnceLock<u32>>) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(self.redirects)
            .max_redirects_will_error(false)
            .timeout_global(Some(self.timeout))
            .user_agent("runbook-tools");
        #[cfg(feature = "tls")]
        let config = config.tls_config(
            ureq::tls::TlsConfig::builder()
                .provider(ureq::tls::TlsProvider::NativeTls)
                .root_certs(ureq::tls::RootCerts::PlatformVerifier)
                .disable_verification(self.insecure)
                .build(),
        );
        let config = config.build();
        match (&self.socket, &self.connect) {
            (Some(path), _) => ureq::Agent::with_parts(
                config,
                UnixConnector(path.clone(), Arc::clone(peer)),
                Elsewhere("127.0.0.1:80".to_owned()),
            ),
            (None, Some(address)) => ureq::Agent::with_parts(
                config,
                DefaultConnector::default(),
                Elsewhere(address.clone()),
            ),
            (None, None) => ureq::Agent::with_parts(
                config,
                DefaultConnector::default(),
                DefaultResolver::default(),
            ),
        }
    }

    fn dress<B>(&self, mut request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        if let Some(host) = &self.host {
            request = request.header("host", host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.header("connection", "close")
    }

    fn target(&self) -> String {
        match (&self.socket, &self.connect) {
            (Some(path), _) => format!("{} over {}", self.url, path.display()),
            (None, Some(address)) => format!("{} at {address}", self.url),
            (None, None) => self.url.clone(),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// In the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// As sent, at most the limit.
    pub body: Vec<u8>,
    /// There was more.
    pub truncated: bool,
    /// From the connection to the last byte.
    pub took: Duration,
    /// The user of the process that answered, over a unix socket.
    pub peer: Option<u32>,
}

impl Answer {
    /// The first header of this name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether the body holds this text.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        text.is_empty()
            || self
                .body
                .windows(text.len())
                .any(|window| window == text.as_bytes())
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens there (or the socket file is not there).
    Refused(String),
    /// Nothing came within the timeout.
    Timeout(String),
    /// The name has no address, or the URL is none.
    Address(String),
    /// The certificate or the handshake.
    Tls(String),
    /// Anything else: reset, not HTTP, cut short.
    Broken(String),
}

impl Failure {
    fn of(request: &Request, error: &ureq::Error) -> Self {
        let target = request.target();
        match error {
            ureq::Error::Timeout(_) => Self::Timeout(format!(
                "{target}: no answer in {}",
                seconds(request.timeout)
            )),
            ureq::Error::HostNotFound => Self::Address(format!("{target}: no such host")),
            ureq::Error::BadUri(why) => Self::Address(format!("{target}: not a URL: {why}")),
            ureq::Error::Http(why) => Self::Address(format!("{target}: {why}")),
            ureq::Error::Tls(why) => Self::Tls(format!("{target}: TLS: {why}")),
            ureq::Error::Io(why) => Self::io(request, why),
            // Feature-dependent variants (native-tls among them) cannot be named here: their text
            // can.
            other if other.to_string().to_ascii_lowercase().contains("tls") => {
                Self::Tls(format!("{target}: {other}"))
            }
            other => Self::Broken(format!("{target}: {other}")),
        }
    }

    fn io(request: &Request, error: &io::Error) -> Self {
        let target = request.target();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused(format!("{target}: nobody listens")),
            io::ErrorKind::NotFound => Self::Refused(format!("{target}: no such socket")),
            io::ErrorKind::TimedOut => Self::Timeout(format!(
                "{target}: no answer in {}",
                seconds(request.timeout)
            )),
            _ if error.to_string().contains("failed to lookup address") => {
                Self::Address(format!("{target}: no such host"))
            }
            _ => Self::Broken(format!("{target}: {error}")),
        }
    }

    fn reading(request: &Request, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::io(request, error),
            _ => Self::Broken(format!(
                "{}: the answer was cut short: {error}",
                request.target()
            )),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text)
            | Self::Timeout(text)
            | Self::Address(text)
            | Self::Tls(text)
            | Self::Broken(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Resolves every name to one address.
#[derive(Debug)]
struct Elsewhere(String);

impl Resolver for Elsewhere {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        for address in self
            .0
            .to_socket_addrs()
            .map_err(|_| ureq::Error::HostNotFound)?
            .take(16)
        {
            found.push(address);
        }
        Ok(found)
    }
}

#[derive(Debug)]
struct UnixConnector(PathBuf, Arc<OnceLock<u32>>);

impl Connector<()> for UnixConnector {
    type Out = UnixTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<UnixTransport>, ureq::Error> {
        let transport = UnixTransport::connect(&self.0, details).map_err(ureq::Error::Io)?;
        if let Ok(peer) = base::connect::peer(&transport.stream) {
            let _ = self.1.set(peer.uid);
        }
        Ok(Some(transport))
    }
}

#[derive(Debug)]
struct UnixTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl UnixTransport {
    fn connect(path: &Path, details: &ConnectionDetails<'_>) -> io::Result<Self> {
        let config = details.config;
        let left = details.timeout.not_zero().map(|left| *left);
        let stream = base::connect::unix(path, Deadline::after(left))?;
        Ok(Self {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        })
    }
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream
            .set_write_timeout(timeout.not_zero().map(|left| *left))?;
        let sent = self.stream.write_all(&self.buffers.output()[..amount]);
        sent.map_err(|error| late(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream
            .set_read_timeout(timeout.not_zero().map(|left| *left))?;
        let read = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let amount = read.map_err(|error| late(error, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Never asked for again: each request has an agent of its own.
        false
    }
}

fn late(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::thread;

    const PAGE: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nback";

    fn asked(stream: impl Read) -> Vec<String> {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.take_while(|line| !line.is_empty()).collect()
    }

    #[test]
    fn any_status_is_an_answer_over_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = asked(&stream);
            stream.write_all(PAGE).unwrap();
            lines
        });
        let request = Request {
            connect: Some(address),
            host: Some("other.example".into()),
            ..Request::get("http://example.org/x")
        };
        let answer = request.send().unwrap();
        assert_eq!(
            (answer.status, answer.header("Retry-After")),
            (503, Some("60"))
        );
        assert!(answer.contains("back") && !answer.truncated);
        let lines = server.join().unwrap();
        assert_eq!(lines[0], "GET /x HTTP/1.1");
        assert!(
            lines.contains(&"host: other.example".to_owned()),
            "{lines:?}"
        );
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.to_ascii_lowercase().starts_with("host:"))
                .count(),
            1
        );
    }

    #[test]
    fn a_unix_socket_carries_it_too() {
        let path = std::env::temp_dir().join(format!("probe-http-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = asked(&stream);
            stream.write_all(PAGE).unwrap();
            drop(listener);
            lines
        });
        let request = Request {
            socket: Some(path.clone()),
            body_limit: 2,
            ..Request::get("http://localhost/")
        };
        let answer = request.send().unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice(), answer.truncated),
            (503, &b"ba"[..], true)
        );
        assert_eq!(server.join().unwrap()[0], "GET / HTTP/1.1");
        // The file stays behind when its server goes: refused, or reset where the fork of a sibling
        // test still holds it.
        assert!(matches!(
            request.send().unwrap_err(),
            Failure::Refused(_) | Failure::Broken(_)
        ));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(request.send().unwrap_err(), Failure::Refused(_)));
    }

    #[test]
    fn silence_is_a_timeout_and_nonsense_is_broken() {
        let path = std::env::temp_dir().join(format!("probe-silent-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let request = Request {
            socket: Some(path.clone()),
            timeout: Duration::from_millis(100),
            ..Request::get("http://localhost/")
        };
        assert!(matches!(request.send().unwrap_err(), Failure::Timeout(_)));
        let server = thread::spawn(move || {
            // The first connection is the one that was given up.
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            asked(&stream);
            stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").unwrap();
        });
        let request = Request {
            timeout: Duration::from_secs(5),
            ..request
        };
        assert!(matches!(request.send().unwrap_err(), Failure::Broken(_)));
        server.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_name_without_address_is_said_so() {
        let failure = Request::get("http://no-such-host.invalid/")
            .send()
            .unwrap_err();
        assert!(matches!(failure, Failure::Address(_)), "{failure:?}");
        assert!(matches!(
            Request::get("nonsense").send().unwrap_err(),
            Failure::Address(_) | Failure::Broken(_)
        ));
    }
}
