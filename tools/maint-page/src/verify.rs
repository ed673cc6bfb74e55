//! Asking the web server itself.
//!
//! Every request is made on a connection of its own: a kept connection may still be served by
//! a worker that is about to go. Nothing is posted unless GET has shown that the page answers,
//! so that `verify` never sends anything to the site behind it.

use crate::clues;
use crate::layout::Layout;
use crate::report::Verified;
use crate::verdict::{self, Answer, Cause};
use base::clock::{Deadline, millis};
use std::io::Read;
use std::time::{Duration, Instant};

/// What counts as proof.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The Host to ask for.
    pub host: Option<String>,
    /// The site's status when off.
    pub status: Option<u16>,
    /// How many answers in a row when off.
    pub count: usize,
    /// How long it may take.
    pub within: Duration,
}

/// What is to be proved of a URL.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Whether the page is to be on.
    pub on: bool,
    /// The tokens one of which it has to carry; none is any page of ours.
    pub tokens: &'a [String],
    /// The layout, where it is known: its files tell more about causes.
    pub layout: Option<&'a Layout>,
}

/// How much of a body is read: a page is small.
const BODY: u64 = 1 << 20;

/// The longest that one request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// From here on a flag that is seen late is worth a word.
const LATE: Duration = Duration::from_millis(900);

enum Outcome {
    Good(Answer),
    Wrong(Answer),
    Silent(String),
}

/// Asks one URL until it is as claimed, or the time is up.
pub fn url(url: &str, claim: Claim<'_>, expectation: &Expectation, deadline: Deadline) -> Verified {
    let began = Instant::now();
    let deadline = deadline.or_after(expectation.within);
    let mut asker = Asker { url, host: expectation.host.as_deref(), deadline, requests: 0 };
    let mut pause = Duration::from_millis(4);
    loop {
        let outcome = if claim.on { asker.on(claim) } else { asker.off(expectation) };
        let last_try = deadline.left().is_some_and(|left| left <= pause);
        match outcome {
            Outcome::Good(last) => return asker.shown(Some(&last), late(claim, began.elapsed()), true, began),
            Outcome::Wrong(last) if last_try => {
                let cause = asker.diagnose(&last, claim, expectation);
                return asker.shown(Some(&last), cause, false, began);
            }
            Outcome::Silent(why) if last_try => {
                let cause = Cause { word: "unreachable", why };
                return asker.shown(None, Some(cause), false, began);
            }
            _ => {}
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

fn late(claim: Claim<'_>, took: Duration) -> Option<Cause> {
    (took >= LATE && claim.layout.is_some())
        .then(|| Cause { word: "late", why: format!("the server saw it only after {:.1} s, as with open_file_cache", took.as_secs_f64()) })
}

struct Asker<'a> {
    url: &'a str,
    host: Option<&'a str>,
    deadline: Deadline,
    requests: u64,
}

impl Asker<'_> {
    /// GET, HEAD and POST all have to be answered with the page.
    fn on(&mut self, claim: Claim<'_>) -> Outcome {
        let clues = verdict::Clues { tokens: claim.tokens.to_vec(), ..verdict::Clues::default() };
        let mut last = Answer::default();
        for method in ["GET", "HEAD", "POST"] {
            last = match self.ask(method, self.url) {
                Ok(answer) => answer,
                Err(why) => return Outcome::Silent(why),
            };
            if verdict::on(&last, &clues).is_some() {
                return Outcome::Wrong(last);
            }
        }
        Outcome::Good(last)
    }

    /// So many answers in a row, each the site's.
    fn off(&mut self, expectation: &Expectation) -> Outcome {
        let mut last = Answer::default();
        for _ in 0..expectation.count {
            last = match self.ask("GET", self.url) {
                Ok(answer) => answer,
                Err(why) => return Outcome::Silent(why),
            };
            if verdict::off(&last, expectation.status).is_some() {
                return Outcome::Wrong(last);
            }
        }
        Outcome::Good(last)
    }

    fn diagnose(&mut self, last: &Answer, claim: Claim<'_>, expectation: &Expectation) -> Option<Cause> {
        let mut clues = claim.layout.map(clues::gather).unwrap_or_default();
        if !claim.on {
            return verdict::off(last, expectation.status).map(|cause| clues::explain_off(cause, &clues));
        }
        clues.tokens = claim.tokens.to_vec();
        clues.seen = origin(self.url).and_then(|origin| {
            self.deadline = Deadline::after(Some(Duration::from_secs(2)));
            self.ask("GET", &format!("{origin}/.maint-page/seen")).ok().map(|answer| answer.status)
        });
        verdict::on(last, &clues)
    }

    /// One request, on a connection of its own, no redirect followed.
    fn ask(&mut self, method: &'static str, url: &str) -> Result<Answer, String> {
        self.requests += 1;
        let timeout = self.deadline.slice(REQUEST).max(Duration::from_millis(50));
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(timeout))
            .user_agent(concat!("maint-page/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("accept", "text/html")
            .header("cache-control", "no-cache")
            .header("connection", "close");
        let request = match self.host {
            Some(host) => request.header("host", host),
            None => request,
        };
        let request = request.body(()).map_err(|why| why.to_string())?;
        let response = agent.run(request).map_err(|why| why.to_string())?;
        let (head, body) = response.into_parts();
        let header = |name: &str| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut answer = Answer {
            method,
            status: head.status.as_u16(),
            retry_after: header("retry-after"),
            cache_control: header("cache-control"),
            cached: cached(&header),
            location: header("location"),
            body: Vec::new(),
        };
        if method != "HEAD" {
            let read = body.into_reader().take(BODY).read_to_end(&mut answer.body);
            read.map_err(|why| format!("the answer broke off: {why}"))?;
        }
        Ok(answer)
    }

    fn shown(&self, last: Option<&Answer>, cause: Option<Cause>, ok: bool, began: Instant) -> Verified {
        let (cause, why) = cause.map_or((None, None), |cause| (Some(cause.word.to_owned()), Some(cause.why)));
        Verified {
            url: self.url.to_owned(),
            ok,
            cause,
            why,
            status: last.map(|answer| answer.status),
            method: last.map(|answer| answer.method.to_owned()),
            requests: self.requests,
            took_ms: millis(began.elapsed()),
        }
    }
}

/// The header by which a cache says that it answered, if it did.
fn cached(header: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let age = header("age").filter(|age| age.trim() != "0").map(|age| format!("Age: {age}"));
    let hit = |name: &str| header(name).filter(|value| value.to_ascii_uppercase().contains("HIT")).map(|value| format!("{name}: {value}"));
    age.or_else(|| hit("x-cache")).or_else(|| hit("x-cache-status")).or_else(|| hit("cf-cache-status"))
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..scheme.len() + 3 + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_what_stands_before_the_path() {
        assert_eq!(origin("http://127.0.0.1:8080/a/b?c"), Some("http://127.0.0.1:8080"));
        assert_eq!(origin("https://example.org"), Some("https://example.org"));
        assert_eq!(origin("example.org/x"), None);
    }
}
