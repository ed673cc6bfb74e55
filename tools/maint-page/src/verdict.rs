//! From answers to a verdict: is the page on, and if not, why not. Pure.
//!
//! Each cause is one that was brought about on a real server and looked at. What the answers
//! do not tell, the files can (`Clues`), when the layout's directory is on this machine.

use crate::page;

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// GET, HEAD or POST.
    pub method: &'static str,
    /// Its status.
    pub status: u16,
    /// Retry-After.
    pub retry_after: Option<String>,
    /// Cache-Control.
    pub cache_control: Option<String>,
    /// A header that only a cache adds, as it stood there.
    pub cached: Option<String>,
    /// Location.
    pub location: Option<String>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
}

/// What the files on this machine say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clues {
    /// The tokens a page has to carry; empty if any page of ours will do.
    pub tokens: Vec<String>,
    /// A directory or file that the web server's user cannot get at, and its mode.
    pub unreadable: Option<(String, u32)>,
    /// A link that leads nowhere.
    pub dangling: Option<String>,
    /// The page's file, where it is missing.
    pub missing: Option<String>,
    /// A link on the way to the directory.
    pub link: Option<String>,
    /// Whether this machine has the flag in place.
    pub flag: Option<bool>,
    /// What the server answered for `/_maint-page/seen`.
    pub seen: Option<u16>,
    /// What the server answered for `/_maint-page/flag`: 423 while it sees the flag, whoever asks.
    pub server_flag: Option<u16>,
}

/// Why it is not as it should be: a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The word.
    pub word: &'static str,
    /// The sentence.
    pub why: String,
    /// What closes the gap, where the files on this machine tell.
    pub fix: Option<base::Fix>,
}

fn cause(word: &'static str, why: impl Into<String>) -> Option<Cause> {
    Some(Cause {
        word,
        why: why.into(),
        fix: None,
    })
}

/// Whether the answer is our page, and whole; HEAD has no body to tell by.
pub fn is_page(answer: &Answer, tokens: &[String]) -> bool {
    let Some(found) = page::tokens(&answer.body) else {
        return false;
    };
    tokens.is_empty() || found.iter().any(|token| tokens.contains(token))
}

/// What is wrong with an answer that should be the page; None if nothing is.
pub fn on(answer: &Answer, clues: &Clues) -> Option<Cause> {
    match answer.status {
        503 => page_answer(answer, clues),
        200..=299 => flag_unseen(answer, clues),
        300..=399 => cause(
            "redirect",
            format!(
                "{} to {}: ask for that, or redirect only behind the page",
                answer.status,
                answer.location.as_deref().unwrap_or("another address")
            ),
        ),
        401 => cause(
            "password",
            "401: the site asks for a password before it shows anything, its maintenance page too",
        ),
        403 => forbidden(clues),
        404 => missing(answer, clues),
        405 => cause(
            "method",
            format!(
                "405 for {}: the page is served from a named location or by try_files; use `maint-page snippet`",
                answer.method
            ),
        ),
        502 | 504 => cause(
            "site_down",
            format!(
                "{}: the site behind the server is down, and the server does not see the flag",
                answer.status
            ),
        ),
        status => cause("status", format!("{status} for {}", answer.method)),
    }
}

fn page_answer(answer: &Answer, clues: &Clues) -> Option<Cause> {
    if answer.method != "HEAD" {
        match page::tokens(&answer.body) {
            None => {
                return cause(
                    "foreign_page",
                    "503, but the page is not this tool's or not whole: somebody else's 503, or the site's own",
                );
            }
            Some(found) if !is_page(answer, &clues.tokens) => {
                let shown = found.join(" ");
                return cause(
                    "other_hold",
                    format!(
                        "503 with the page of another hold (token {shown}): a page that was not replaced, or another directory's"
                    ),
                );
            }
            Some(_) => {}
        }
    }
    if answer.retry_after.is_none() {
        return cause(
            "no_retry_after",
            "503 without Retry-After: search engines and clients are not told to come back",
        );
    }
    let no_store = |value: &str| {
        value
            .to_ascii_lowercase()
            .split(',')
            .any(|word| word.trim() == "no-store")
    };
    if !answer.cache_control.as_deref().is_some_and(no_store) {
        return cause(
            "no_no_store",
            "503 without Cache-Control: no-store: the page may be shown when the maintenance is over",
        );
    }
    None
}

/// A 2xx: the site's own answer, or a cache's.
fn flag_unseen(answer: &Answer, clues: &Clues) -> Option<Cause> {
    let status = answer.status;
    if let Some(cached) = &answer.cached {
        return cause(
            "cache",
            format!(
                "{status} from a cache in front of the server ({cached}): purge it, or ask the server itself"
            ),
        );
    }
    if clues.server_flag == Some(423) {
        return cause(
            "let_past",
            format!(
                "{status}: the server sees the flag and lets this request past the page: its path or its address is allowed in the server's configuration"
            ),
        );
    }
    if clues.flag == Some(false) {
        return cause(
            "flag_missing",
            format!("{status}: the flag is not in place; put the page on first"),
        );
    }
    if let Some(path) = &clues.dangling {
        return cause(
            "dangling_link",
            format!("{status}: {path} is a link that leads nowhere"),
        );
    }
    if let Some((path, mode)) = &clues.unreadable {
        return cause(
            "mode",
            format!(
                "{status}: the server's user cannot get at {path} (mode {mode:04o}), so it does not see the flag"
            ),
        );
    }
    match clues.seen {
        Some(503) => cause(
            "bypassed",
            format!(
                "{status} here, and the page elsewhere on this server: a location or a cache answers before the flag is looked at"
            ),
        ),
        Some(204) => cause(
            "flag_unseen",
            format!(
                "{status}: the configuration is there, but does not see the flag{}",
                link(
                    clues,
                    ": open_file_cache, or a configuration for another directory"
                )
            ),
        ),
        _ => cause(
            "wrong_host",
            format!(
                "{status}: no maint-page configuration answers for this address and Host; it is missing, not loaded yet, or in another server block"
            ),
        ),
    }
}

fn link(clues: &Clues, otherwise: &str) -> String {
    match &clues.link {
        Some(path) => format!(": {path} is a symbolic link, and may lead the server elsewhere"),
        None => otherwise.to_owned(),
    }
}

fn forbidden(clues: &Clues) -> Option<Cause> {
    match &clues.unreadable {
        Some((path, mode)) => cause(
            "mode",
            format!("403: the server's user may not read {path} (mode {mode:04o})"),
        ),
        None => cause(
            "mode",
            "403: the server's user may not read the page, or the site refuses this address",
        ),
    }
}

fn missing(answer: &Answer, clues: &Clues) -> Option<Cause> {
    match (&clues.dangling, &clues.missing) {
        (Some(path), _) => cause(
            "dangling_link",
            format!("404: {path} is a link that leads nowhere"),
        ),
        (None, Some(path)) => cause(
            "page_missing",
            format!("404: the flag is up and {path} is missing"),
        ),
        (None, None) => cause(
            "page_missing",
            format!(
                "404 for {}: the page's file is missing, or this URL is none of the site's",
                answer.method
            ),
        ),
    }
}

/// What is wrong with an answer that should be the site's; None if nothing is.
pub fn off(answer: &Answer, wanted: Option<u16>) -> Option<Cause> {
    if page::is_ours(&answer.body) {
        let word = if answer.cached.is_some() {
            "cache"
        } else {
            "still_on"
        };
        return cause(word, format!("{} with the maintenance page", answer.status));
    }
    let fits = match wanted {
        Some(status) => answer.status == status,
        None => (200..400).contains(&answer.status),
    };
    if fits {
        return None;
    }
    match answer.status {
        503 => cause(
            "other_503",
            "503, but not with this tool's page: the site itself, or somebody else's page",
        ),
        502 | 504 => cause(
            "site_down",
            format!("{}: the site behind the server is not up", answer.status),
        ),
        status => cause(
            "status",
            format!(
                "{status}, expected {}",
                wanted.map_or("200 to 399".to_owned(), |status| status.to_string())
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PAGE: &[u8] = b"<p>x</p>\n<!-- maint-page 1 aaaa bbbb -->\n";

    fn good() -> Answer {
        Answer {
            method: "GET",
            status: 503,
            retry_after: Some("120".into()),
            cache_control: Some("no-store".into()),
            body: PAGE.to_vec(),
            ..Answer::default()
        }
    }

    fn word(answer: Answer, clues: &Clues) -> Option<&'static str> {
        on(&answer, clues).map(|cause| cause.word)
    }

    #[test]
    fn the_page_of_this_hold_is_on_and_nothing_else_is() {
        let mine = Clues {
            tokens: vec!["bbbb".into()],
            ..Clues::default()
        };
        assert_eq!(word(good(), &mine), None);
        assert_eq!(
            word(
                Answer {
                    method: "HEAD",
                    body: Vec::new(),
                    ..good()
                },
                &mine
            ),
            None
        );
        let other = Clues {
            tokens: vec!["cccc".into()],
            ..Clues::default()
        };
        assert_eq!(word(good(), &other), Some("other_hold"));
        assert_eq!(
            word(
                Answer {
                    body: PAGE[..30].to_vec(),
                    ..good()
                },
                &mine
            ),
            Some("foreign_page")
        );
        assert_eq!(
            word(
                Answer {
                    retry_after: None,
                    ..good()
                },
                &mine
            ),
            Some("no_retry_after")
        );
        assert_eq!(
            word(
                Answer {
                    cache_control: Some("max-age=60".into()),
                    ..good()
                },
                &mine
            ),
            Some("no_no_store")
        );
        assert_eq!(
            word(
                Answer {
                    cache_control: Some("private, No-Store".into()),
                    ..good()
                },
                &mine
            ),
            None
        );
    }

    #[test]
    fn each_wrong_answer_has_its_cause() {
        let site = |status| Answer {
            method: "GET",
            status,
            body: b"hello".to_vec(),
            ..Answer::default()
        };
        let none = Clues::default();
        assert_eq!(word(site(200), &none), Some("wrong_host"));
        assert_eq!(
            word(
                site(200),
                &Clues {
                    seen: Some(204),
                    ..none.clone()
                }
            ),
            Some("flag_unseen")
        );
        assert_eq!(
            word(
                site(200),
                &Clues {
                    seen: Some(503),
                    ..none.clone()
                }
            ),
            Some("bypassed")
        );
        assert_eq!(
            word(
                site(200),
                &Clues {
                    unreadable: Some(("/srv".into(), 0o700)),
                    ..none.clone()
                }
            ),
            Some("mode")
        );
        assert_eq!(
            word(
                site(200),
                &Clues {
                    dangling: Some("/srv/x".into()),
                    ..none.clone()
                }
            ),
            Some("dangling_link")
        );
        assert_eq!(
            word(
                Answer {
                    cached: Some("Age: 4".into()),
                    ..site(200)
                },
                &none
            ),
            Some("cache")
        );
        assert_eq!(word(site(403), &none), Some("mode"));
        assert_eq!(word(site(404), &none), Some("page_missing"));
        assert_eq!(word(site(405), &none), Some("method"));
        assert_eq!(word(site(503), &none), Some("foreign_page"));
        assert_eq!(word(site(301), &none), Some("redirect"));
        assert_eq!(word(site(502), &none), Some("site_down"));
    }

    #[test]
    fn off_is_the_site_and_not_the_page() {
        let answer = |status, body: &[u8]| Answer {
            method: "GET",
            status,
            body: body.to_vec(),
            ..Answer::default()
        };
        let word = |answer, wanted| off(&answer, wanted).map(|cause: Cause| cause.word);
        assert_eq!(word(answer(200, b"hello"), None), None);
        assert_eq!(word(answer(302, b""), None), None);
        assert_eq!(word(answer(404, b"no"), Some(404)), None);
        assert_eq!(word(answer(503, PAGE), None), Some("still_on"));
        assert_eq!(word(answer(503, b"busy"), None), Some("other_503"));
        assert_eq!(word(answer(502, b""), None), Some("site_down"));
        assert_eq!(word(answer(200, b"x"), Some(204)), Some("status"));
    }
}
