//! A page and what it answers: status, header, text. A redirect is an answer and is not followed
//! unless that is asked for.

use crate::document::Fields;
use crate::finding::{Finding, tail};
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::secret::masked;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use probe::http::{Answer, Failure, Method, Request};
use std::path::PathBuf;
use std::time::Duration;

/// `type = "http"`.
pub const TYPE: Type = Type {
    name: "http",
    about: "a page: its status, headers and text; the check follows no redirect without the key redirects",
    keys: &[
        ("url", "the URL of the page"),
        ("status", "the right status, or a list (200)"),
        (
            "header",
            "a table of headers, each with the text that the header has to hold; \"\" for any text",
        ),
        ("contains", "texts the page has to hold"),
        ("lacks", "texts the page must not hold"),
        ("redirects", "how many redirects to follow (0)"),
        ("method", "the method: GET or HEAD"),
        ("host", "the Host header"),
        (
            "connect",
            "HOST:PORT to connect to, in place of the URL's host",
        ),
        (
            "socket",
            "a unix socket to connect to, in place of the URL's host",
        ),
        ("send", "a table of headers to send with the request"),
        ("insecure", "true: accept any certificate"),
    ],
    short: Short {
        words: &["http", "https"],
        colon: true,
        forms: &["http:URL[=STATUS]"],
        example: "http:http://127.0.0.1/",
        read: read_short,
    },
    read,
};

fn read_short(word: &str, rest: &str) -> Result<Pairs, String> {
    match rest.starts_with("//") {
        true => Err(format!("to ask for a page, write http:{word}:{rest}")),
        false => Ok(short::url(rest, "status")),
    }
}

/// Where a page is asked for: what `http`, `noindex` and `robots` share.
pub struct Page {
    request: Request,
}

impl Page {
    /// Reads the keys.
    pub fn read(fields: &mut Fields<'_>) -> Result<Page> {
        let url = fields.required("url")?;
        if !["http://", "https://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(fields.error(
                "url",
                format!(
                    "'{}' is not a URL: it begins with neither http:// nor https://",
                    masked(&url)
                ),
            ));
        }
        let method = match fields.choice("method", &["GET", "HEAD"])?.as_deref() {
            Some("HEAD") => Method::Head,
            _ => Method::Get,
        };
        let request = Request {
            method,
            socket: fields.text("socket")?.map(PathBuf::from),
            connect: fields.text("connect")?,
            host: fields.text("host")?,
            headers: fields.map("send")?,
            insecure: fields.flag("insecure")?.unwrap_or(false),
            ..Request::get(&url)
        };
        Ok(Page { request })
    }

    /// The URL without secrets.
    pub fn url(&self) -> String {
        masked(&self.request.url)
    }

    /// Asks for it.
    pub fn ask(&self, redirects: u32, deadline: Deadline) -> Result<Answer, Box<Finding>> {
        let timeout = deadline.slice(Duration::from_secs(60));
        let request = Request {
            timeout,
            redirects,
            ..self.request.clone()
        };
        request
            .send()
            .map_err(|failure| Box::new(self.failed(&failure)))
    }

    fn failed(&self, failure: &Failure) -> Finding {
        let msg = masked(&failure.to_string());
        let start = Fix::advice(format!("start the web server that answers {}", self.url()));
        match failure {
            Failure::Refused(_) => Finding::unmet("refused", msg).fix(start),
            Failure::Timeout(_) => Finding::unknown("timeout", msg),
            Failure::Address(_) => Finding::unmet("no_such_name", msg)
                .fix(Fix::advice("check the name, and its DNS record")),
            Failure::Tls(_) => Finding::unmet("tls", msg).fix(Fix::advice(
                "put a certificate in place that is valid for this name",
            )),
            Failure::Broken(text) if text.contains("redirect") => {
                Finding::unmet("redirect_loop", msg).fix(Fix::advice("end the redirects"))
            }
            Failure::Broken(_) => Finding::unmet("broken_answer", msg).fix(start),
        }
    }
}

struct Http {
    page: Page,
    status: Vec<u16>,
    headers: Vec<(String, String)>,
    contains: Vec<String>,
    lacks: Vec<String>,
    redirects: u32,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let page = Page::read(fields)?;
    let status = fields.texts("status")?;
    let status: Option<Vec<u16>> = status
        .iter()
        .map(|text| text.parse().ok().filter(|code| (100..600).contains(code)))
        .collect();
    let status =
        status.ok_or_else(|| fields.error("status", "status must be numbers from 100 to 599"))?;
    let redirects = fields.count("redirects")?.unwrap_or(0);
    Ok(Box::new(Http {
        page,
        status: if status.is_empty() { vec![200] } else { status },
        headers: fields.map("header")?,
        contains: fields.texts("contains")?,
        lacks: fields.texts("lacks")?,
        redirects: u32::try_from(redirects.min(20)).unwrap_or(20),
    }))
}

impl Http {
    fn statuses(&self) -> String {
        self.status
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(" or ")
    }

    /// What is wrong with an answer, if anything.
    fn objection(&self, answer: &Answer) -> Option<(&'static str, String)> {
        if !self.status.contains(&answer.status) {
            let to = answer
                .header("location")
                .map(|to| format!(" to {}", masked(to)))
                .unwrap_or_default();
            return Some((
                "status",
                format!("answers {}{to}, not {}", answer.status, self.statuses()),
            ));
        }
        for (name, wanted) in &self.headers {
            match answer.header(name) {
                None => return Some(("header", format!("has no header {name}"))),
                Some(is) if !is.contains(wanted.as_str()) => {
                    return Some((
                        "header",
                        format!("has {name}: {}, without '{wanted}'", masked(is)),
                    ));
                }
                Some(_) => {}
            }
        }
        let missing = self.contains.iter().find(|text| !answer.contains(text));
        if let Some(text) = missing.filter(|_| !answer.truncated) {
            return Some(("body", format!("does not say '{text}'")));
        }
        self.lacks
            .iter()
            .find(|text| answer.contains(text))
            .map(|text| ("body", format!("says '{text}'")))
    }
}

impl Http {
    /// Whether what was not read could change the answer: a text that has to be there was not found
    /// yet, or one that must not be there could still come.
    fn depends_on_the_rest(&self, answer: &Answer) -> bool {
        !self.lacks.is_empty() || self.contains.iter().any(|text| !answer.contains(text))
    }

    fn fix(&self, answer: &Answer) -> Fix {
        let url = self.page.url();
        // A 503 that names a time is a page for maintenance, not an error of the server.
        let is_maintenance = answer.status == 503 && answer.header("retry-after").is_some();
        match is_maintenance {
            true => Fix::advice(format!(
                "{url} says that the site is under maintenance: wait for the end of it, or see what maint-page status says"
            )),
            false => Fix::advice(format!("read the server's error log, then look at {url}")),
        }
    }
}

impl Check for Http {
    fn subject(&self) -> String {
        self.page.url()
    }

    fn expected(&self) -> String {
        let mut words = vec![format!("{} answers {}", self.page.url(), self.statuses())];
        words.extend(
            self.headers
                .iter()
                .map(|(name, text)| format!("{name}: {text}")),
        );
        words.extend(self.contains.iter().map(|text| format!("says '{text}'")));
        words.extend(
            self.lacks
                .iter()
                .map(|text| format!("does not say '{text}'")),
        );
        words.join(", ")
    }

    fn how(&self) -> String {
        format!(
            "one request, {} redirects followed, no proxy",
            self.redirects
        )
    }

    fn look(&self, _: &Scene, deadline: Deadline) -> Finding {
        let answer = match self.page.ask(self.redirects, deadline) {
            Ok(answer) => answer,
            Err(finding) => return *finding,
        };
        let found = answer.status.to_string();
        match self.objection(&answer) {
            None if answer.truncated && self.depends_on_the_rest(&answer) => Finding::unknown(
                "too_long",
                format!(
                    "{} is longer than what is read of a page ({} bytes): the rest may decide",
                    self.page.url(),
                    answer.body.len()
                ),
            )
            .found(found),
            None => Finding::met(
                found,
                format!("{} answers {}", self.page.url(), answer.status),
            ),
            Some((reason, what)) => Finding::unmet(reason, format!("{} {what}", self.page.url()))
                .found(found)
                .evidence(beginning(&answer))
                .fix(self.fix(&answer)),
        }
    }
}

/// The first lines of a body, as evidence.
pub fn beginning(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let text: String = text.chars().take(300).collect();
    tail(&masked(&text))
}
