//! Asking the web server itself.
//!
//! Every request is made on a connection of its own: a kept connection may still be served by
//! a worker that is about to go. Nothing is posted unless GET has shown that the page answers,
//! so that `verify` never sends anything to the site behind it.

use crate::clues;
use crate::layout::Layout;
use crate::remedy;
use crate::report::Verified;
use crate::verdict::{self, Answer, Cause};
use base::clock::{Deadline, millis};
use probe::http::{Method, Request};
use std::time::{Duration, Instant};

/// What counts as proof.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The Host to ask for.
    pub host: Option<String>,
    /// The address to ask at, instead of the URL's own.
    pub connect: Option<String>,
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

/// The longest that one request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// The shortest that one request may take, even if the page should have been there by then: a
/// slow answer is an answer.
const PATIENCE: Duration = Duration::from_secs(2);

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
    let whole = deadline;
    let deadline = deadline.or_after(expectation.within);
    let mut asker = Asker {
        url,
        expectation,
        deadline,
        whole,
        requests: 0,
    };
    let mut pause = Duration::from_millis(4);
    loop {
        let outcome = if claim.on {
            asker.on(claim)
        } else {
            asker.off()
        };
        let last_try = deadline.left().is_some_and(|left| left <= pause);
        match outcome {
            Outcome::Good(last) => {
                return asker.shown(Some(&last), late(claim, began.elapsed()), true, began);
            }
            Outcome::Wrong(last) if last_try => {
                let cause = asker.diagnose(&last, claim);
                return asker.shown(Some(&last), cause, false, began);
            }
            Outcome::Silent(why) if last_try => {
                let cause = Cause {
                    word: "unreachable",
                    why,
                    fix: None,
                };
                return asker.shown(None, Some(cause), false, began);
            }
            _ => {}
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

fn late(claim: Claim<'_>, took: Duration) -> Option<Cause> {
    (took >= LATE && claim.layout.is_some()).then(|| Cause {
        word: "late",
        why: format!(
            "the server saw it only after {:.1} s, as with open_file_cache",
            took.as_secs_f64()
        ),
        fix: None,
    })
}

struct Asker<'a> {
    url: &'a str,
    expectation: &'a Expectation,
    deadline: Deadline,
    whole: Deadline,
    requests: u64,
}

impl Asker<'_> {
    /// GET, HEAD and POST all have to be answered with the page.
    fn on(&mut self, claim: Claim<'_>) -> Outcome {
        let clues = verdict::Clues {
            tokens: claim.tokens.to_vec(),
            ..verdict::Clues::default()
        };
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

    /// The number of answers in a row that have to be the site's.
    fn off(&mut self) -> Outcome {
        let mut last = Answer::default();
        for _ in 0..self.expectation.count {
            last = match self.ask("GET", self.url) {
                Ok(answer) => answer,
                Err(why) => return Outcome::Silent(why),
            };
            if verdict::off(&last, self.expectation.status).is_some() {
                return Outcome::Wrong(last);
            }
        }
        Outcome::Good(last)
    }

    fn diagnose(&mut self, last: &Answer, claim: Claim<'_>) -> Option<Cause> {
        let mut clues = claim.layout.map(clues::gather).unwrap_or_default();
        if !claim.on {
            return verdict::off(last, self.expectation.status)
                .map(|cause| clues::explain_off(cause, &clues));
        }
        clues.tokens = claim.tokens.to_vec();
        clues.seen = origin(self.url).and_then(|origin| {
            self.deadline = Deadline::after(Some(Duration::from_secs(2)));
            self.ask("GET", &format!("{origin}/_maint-page/seen"))
                .ok()
                .map(|answer| answer.status)
        });
        clues.server_flag = origin(self.url).and_then(|origin| {
            self.deadline = Deadline::after(Some(Duration::from_secs(2)));
            self.ask("GET", &format!("{origin}/_maint-page/flag"))
                .ok()
                .map(|answer| answer.status)
        });
        let mut cause = verdict::on(last, &clues)?;
        cause.fix = claim
            .layout
            .and_then(|layout| remedy::of(&cause, &clues, layout));
        Some(cause)
    }

    /// One request, on a connection of its own, no redirect followed.
    fn ask(&mut self, method: &'static str, url: &str) -> Result<Answer, String> {
        self.requests += 1;
        let request = Request {
            method: match method {
                "HEAD" => Method::Head,
                "POST" => Method::Post("application/x-www-form-urlencoded".to_owned(), Vec::new()),
                _ => Method::Get,
            },
            connect: self.expectation.connect.clone(),
            host: self.expectation.host.clone(),
            headers: vec![
                ("accept".to_owned(), "text/html".to_owned()),
                ("cache-control".to_owned(), "no-cache".to_owned()),
            ],
            timeout: self
                .whole
                .slice(self.deadline.slice(REQUEST).max(PATIENCE))
                .max(Duration::from_millis(50)),
            ..Request::get(url)
        };
        let answer = request.send().map_err(|why| why.to_string())?;
        let header = |name: &str| answer.header(name).map(str::to_owned);
        Ok(Answer {
            method,
            status: answer.status,
            retry_after: header("retry-after"),
            cache_control: header("cache-control"),
            cached: cached(&header),
            location: header("location"),
            body: answer.body,
        })
    }

    fn shown(
        &self,
        last: Option<&Answer>,
        cause: Option<Cause>,
        ok: bool,
        began: Instant,
    ) -> Verified {
        let (cause, why, fix) = cause.map_or((None, None, None), |cause| {
            (Some(cause.word.to_owned()), Some(cause.why), cause.fix)
        });
        Verified {
            url: self.url.to_owned(),
            ok,
            cause,
            why,
            fix,
            status: last.map(|answer| answer.status),
            method: last.map(|answer| answer.method.to_owned()),
            requests: self.requests,
            took_ms: millis(began.elapsed()),
        }
    }
}

/// The header by which a cache says that it answered, if it did.
fn cached(header: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let age = header("age")
        .filter(|age| age.trim() != "0")
        .map(|age| format!("Age: {age}"));
    let hit = |name: &str| {
        header(name)
            .filter(|value| value.to_ascii_uppercase().contains("HIT"))
            .map(|value| format!("{name}: {value}"))
    };
    age.or_else(|| hit("x-cache"))
        .or_else(|| hit("x-cache-status"))
        .or_else(|| hit("cf-cache-status"))
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
        assert_eq!(
            origin("http://127.0.0.1:8080/a/b?c"),
            Some("http://127.0.0.1:8080")
        );
        assert_eq!(origin("https://example.org"), Some("https://example.org"));
        assert_eq!(origin("example.org/x"), None);
    }
}
