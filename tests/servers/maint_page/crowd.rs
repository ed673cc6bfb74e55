//! A crowd of visitors on kept connections, who look at every byte of every answer: it is the
//! site's, or a whole page with its token, or it is counted as wrong, with what was wrong about it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the answers were.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// The site's own, as they should be.
    pub site: u64,
    /// The page, whole, with a token.
    pub page: u64,
    /// The site's own, on a path that is let past the page.
    pub past: u64,
    /// Kept connections that the server had closed before it read the next request: the visitor
    /// asks again, as RFC 9112 (9.3.1) has it.
    pub renewed: u64,
    /// Neither.
    pub wrong: u64,
    /// How often which wrong answer was given.
    pub kinds: BTreeMap<String, u64>,
}

impl Tally {
    #[allow(dead_code)]
    pub fn all(&self) -> u64 {
        self.site + self.page + self.past + self.wrong
    }

    fn wrong(&mut self, what: String) {
        self.wrong += 1;
        *self.kinds.entry(what).or_default() += 1;
    }
}

/// The crowd, asking until it is told to stop.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    tally: Arc<Mutex<Tally>>,
    visitors: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// So many visitors; `is_page` says whether a body is the page, whole.
    #[allow(dead_code)]
    pub fn gather(port: u16, visitors: usize, is_page: fn(&str) -> bool) -> Crowd {
        Crowd::with_allowed(port, visitors, &[], Duration::ZERO, is_page)
    }

    /// The same, and one visitor more for each path that is let past the page; each waits for
    /// `pause` between an answer and the next question.
    pub fn with_allowed(
        port: u16,
        visitors: usize,
        allowed: &[&'static str],
        pause: Duration,
        is_page: fn(&str) -> bool,
    ) -> Crowd {
        let (stop, tally) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(Tally::default())),
        );
        let everywhere = (0..visitors).map(|_| None);
        let visitors = everywhere
            .chain(allowed.iter().map(|path| Some(*path)))
            .enumerate()
            .map(|(n, past)| {
                let (stop, tally) = (stop.clone(), tally.clone());
                std::thread::spawn(move || {
                    let seen = visit(port, n, past, &stop, pause, is_page);
                    let mut all = tally.lock().unwrap();
                    all.site += seen.site;
                    all.page += seen.page;
                    all.past += seen.past;
                    all.renewed += seen.renewed;
                    all.wrong += seen.wrong;
                    for (kind, times) in seen.kinds {
                        *all.kinds.entry(kind).or_default() += times;
                    }
                })
            })
            .collect();
        Crowd {
            stop,
            tally,
            visitors,
        }
    }

    /// Sends everybody home and counts.
    pub fn leave(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        for visitor in self.visitors {
            visitor.join().unwrap();
        }
        self.tally.lock().unwrap().clone()
    }
}

fn visit(
    port: u16,
    n: usize,
    past: Option<&str>,
    stop: &AtomicBool,
    pause: Duration,
    is_page: fn(&str) -> bool,
) -> Tally {
    let mut tally = Tally::default();
    let path = past.unwrap_or("/some/page");
    let method = ["GET", "GET", "POST", "HEAD"][n % 4];
    let body = if method == "POST" { "a=b" } else { "" };
    let request = format!(
        "{method} {path}?n={n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(pause);
        let kept = connection.is_some();
        let stream = connection.take().unwrap_or_else(|| connect(port));
        match exchange(stream, &request, method == "HEAD") {
            Ok((stream, status, body)) => {
                match past {
                    None => judge(&mut tally, method, status, &body, is_page),
                    Some(_) if status == 200 && (method == "HEAD" || body == "app") => {
                        tally.past += 1;
                    }
                    Some(path) => tally.wrong(format!("{method} {path}: {status}, not let past")),
                }
                connection = stream;
            }
            Err(why) if kept && why == CLOSED => tally.renewed += 1,
            Err(why) => tally.wrong(format!("{method} {path}: no whole answer ({why})")),
        }
    }
    tally
}

fn connect(port: u16) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server is there");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

const CLOSED: &str = "the connection was closed";

type Exchange = (Option<BufReader<TcpStream>>, u16, String);

fn exchange(
    mut stream: BufReader<TcpStream>,
    request: &str,
    headless: bool,
) -> Result<Exchange, String> {
    stream
        .get_mut()
        .write_all(request.as_bytes())
        .map_err(|e| e.to_string())?;
    let (mut head, mut length) = (String::new(), 0usize);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).map_err(|e| e.to_string())? == 0 {
            let said = if head.is_empty() {
                CLOSED
            } else {
                "closed in the head"
            };
            return Err(said.to_owned());
        }
        if line == "\r\n" {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(n) = line.strip_prefix("content-length:") {
            length = n
                .trim()
                .parse()
                .map_err(|_| "a length that is no number".to_owned())?;
        }
        head += &line;
    }
    let mut body = vec![0u8; if headless { 0 } else { length }];
    stream
        .read_exact(&mut body)
        .map_err(|e| format!("cut short: {e}"))?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or("no status")?;
    let kept = (!head.contains("connection: close")).then_some(stream);
    Ok((kept, status, String::from_utf8_lossy(&body).into_owned()))
}

fn judge(tally: &mut Tally, method: &str, status: u16, body: &str, is_page: fn(&str) -> bool) {
    let headless = method == "HEAD";
    match status {
        200 if headless || body == "app" => tally.site += 1,
        503 if headless || is_page(body) => tally.page += 1,
        503 => tally.wrong(format!("{method}: 503, and the page is not whole")),
        _ => tally.wrong(format!("{method}: {status}")),
    }
}

/// Ends with the mark and a token of 16 hex digits.
pub fn whole_page(body: &str) -> bool {
    let Some((_, marked)) = body.rsplit_once("<!-- maint-page 1 ") else {
        return false;
    };
    let token = marked.strip_suffix(" -->\n").unwrap_or_default();
    body.starts_with("<!doctype html>")
        && token.len() == 16
        && token.bytes().all(|b| b.is_ascii_hexdigit())
}
