//! The same requests to the same site with the snippet and without, on connections that are kept:
//! outside of maintenance nobody can tell the two from each other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A request: method, path, headers, body.
pub type Request = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

/// The requests of a differential test. Each server's site answers all of them, in its own way.
pub struct Requests;

impl Requests {
    pub fn all() -> &'static [Request] {
        &[
            ("GET", "/a.txt", &[], ""),
            ("HEAD", "/a.txt", &[], ""),
            ("GET", "/a.txt", &["Range: bytes=2-4"], ""),
            ("GET", "/a.txt", &["Range: bytes=99-"], ""),
            ("GET", "/a.txt", &["If-None-Match: *"], ""),
            (
                "GET",
                "/a.txt",
                &["If-Modified-Since: Wed, 21 Nov 2040 07:28:00 GMT"],
                "",
            ),
            ("GET", "/a.txt", &["If-Match: \"never\""], ""),
            ("POST", "/a.txt", &[], "a=b"),
            ("DELETE", "/a.txt", &[], ""),
            ("OPTIONS", "/a.txt", &[], ""),
            ("GET", "/missing?x=%2e%2e&y=a+b", &[], ""),
            ("GET", "/busy", &[], ""),
            ("HEAD", "/busy", &[], ""),
            ("POST", "/busy", &[], "a=b"),
            ("GET", "/gone", &["Accept: application/json"], ""),
            ("GET", "/own/x", &[], ""),
            ("GET", "/named/x", &[], ""),
            ("GET", "/up/", &[], ""),
            ("POST", "/up/", &[], "a=b"),
            ("GET", "/up/busy", &[], ""),
            ("GET", "/up/gone", &[], ""),
            ("GET", "/raw/busy", &[], ""),
            ("GET", "/dead/", &[], ""),
            ("GET", "/try/anything", &[], ""),
            ("GET", "/old/a.txt?q=1", &[], ""),
            ("GET", "/inner/a.txt", &[], ""),
            ("GET", "/lock/x", &[], ""),
            (
                "GET",
                "/lock/x",
                &["Authorization: Basic YWxpY2U6c2VjcmV0"],
                "",
            ),
            ("POST", "/small/", &[], "abcdefgh"),
            ("GET", "/no/x", &[], ""),
            ("GET", "/.env", &[], ""),
            ("GET", "/healthz", &[], ""),
            ("GET", "/hooks/x", &[], ""),
            ("GET", "/a%2ftxt", &[], ""),
            ("GET", "//a.txt", &[], ""),
            (
                "GET",
                "/a.txt",
                &["Cookie: maint_bypass=00000000000000000000000000000000"],
                "",
            ),
            ("GET", "/a.txt", &["Cookie: maint_bypass=../on"], ""),
        ]
    }
}

/// An answer without its date.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    status: String,
    headers: Vec<String>,
    body: String,
    /// Whether the server keeps the connection.
    kept: bool,
}

/// Asks both servers, and fails at the first difference.
#[track_caller]
pub fn changes_nothing(level: &str, plain: u16, with: u16, requests: &[Request]) {
    let (mut plain, mut with) = (Client::new(plain), Client::new(with));
    let mut statuses = std::collections::BTreeSet::new();
    for request in requests {
        let (one, other) = (plain.ask(request), with.ask(request));
        assert_eq!(one, other, "{level}: {request:?}");
        statuses.insert(one.status);
    }
    assert!(
        statuses.len() >= 6,
        "{level}: the site answers too little: {statuses:?}"
    );
    assert_eq!(plain.connections, with.connections, "{level}: keep-alive");
    assert!(
        plain.connections < requests.len() / 2,
        "{level}: nothing is kept"
    );
}

struct Client {
    port: u16,
    stream: Option<BufReader<TcpStream>>,
    connections: usize,
}

impl Client {
    fn new(port: u16) -> Client {
        Client {
            port,
            stream: None,
            connections: 0,
        }
    }

    fn ask(&mut self, request: &Request) -> Said {
        let kept = self.stream.is_some();
        match self.try_to_ask(request) {
            Ok(said) => said,
            // A server may close a connection after an answer without saying so.
            Err(e) if kept && e.kind() == std::io::ErrorKind::UnexpectedEof => self
                .try_to_ask(request)
                .unwrap_or_else(|e| panic!("{request:?}: {e}")),
            Err(e) => panic!("{request:?}: {e}"),
        }
    }

    fn try_to_ask(&mut self, (method, path, headers, body): &Request) -> std::io::Result<Said> {
        let mut stream = self.stream.take().unwrap_or_else(|| {
            self.connections += 1;
            let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            BufReader::new(stream)
        });
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n",
            self.port
        );
        for header in *headers {
            request += &format!("{header}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += &format!("\r\n{body}");
        stream.get_mut().write_all(request.as_bytes())?;
        let mut said = read(&mut stream, *method == "HEAD")?;
        if said.kept {
            self.stream = Some(stream);
        }
        let own = format!(":{}", self.port);
        said.body = said.body.replace(&own, ":port");
        for header in &mut said.headers {
            *header = header.replace(&own, ":port");
        }
        Ok(said)
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    assert!(line.ends_with("\r\n"), "cut short: {line:?}");
    Ok(line.trim_end().to_owned())
}

fn read(stream: &mut BufReader<TcpStream>, headless: bool) -> std::io::Result<Said> {
    let status = line(stream)?;
    let (mut headers, mut length, mut chunked, mut kept) = (Vec::new(), Some(0), false, true);
    loop {
        let header = line(stream)?;
        if header.is_empty() {
            break;
        }
        let lower = header.to_ascii_lowercase();
        match lower.split_once(": ").unwrap_or((&lower, "")) {
            ("date", _) => continue,
            ("content-length", n) => length = n.parse().ok(),
            ("transfer-encoding", _) => chunked = true,
            ("connection", how) => kept = how != "close",
            _ => {}
        }
        headers.push(header);
    }
    headers.sort();
    let bodiless = headless || [" 204 ", " 304 "].iter().any(|code| status.contains(code));
    let mut body = Vec::new();
    match (bodiless, chunked) {
        (true, _) => {}
        (false, false) => {
            body.resize(length.unwrap(), 0);
            stream.read_exact(&mut body)?;
        }
        (false, true) => loop {
            let size = usize::from_str_radix(&line(stream)?, 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        },
    }
    Ok(Said {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        kept,
    })
}
