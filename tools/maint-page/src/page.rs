//! The page itself: for people as HTML, for programs as JSON.
//!
//! Both are whole files, made before the flag is raised, and both end with or carry the tokens
//! of the holds they were made for: that is how `verify` tells this page from another's, and
//! how this tool knows its own file from a foreign one. The same holds give the same bytes.
//!
//! The HTML needs nothing from anywhere: no script, no font, no picture from the site that is
//! down, one style element that its own Content-Security-Policy names by hash.

use crate::hold::{Hold, SCHEMA, State};
use crate::plain;
use crate::standing::Standing;
use crate::when;
use crate::words::{self, Words};
use base64::Engine;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");

/// What a page made here ends with, before its tokens.
pub const MARK: &str = "<!-- maint-page 1 ";

/// What a JSON page made here carries.
pub const GENERATOR: &str = "maint-page 1";

/// The lengths of HTML pages are multiples of this.
const HTML_STEP: usize = 4096;

/// The lengths of JSON pages are multiples of this.
const JSON_STEP: usize = 1024;

/// The places a template can fill; `assets` is where its other files are served from, `dir` the
/// direction of the language, `again` the words of the link that loads the page again, `more` the
/// page's own words in further languages.
pub const SLOTS: [&str; 12] = [
    "title",
    "message",
    "lang",
    "dir",
    "again",
    "more",
    "expected",
    "starts",
    "ends",
    "retry_after",
    "tokens",
    "assets",
];

/// The HTML page for `standing`; `template` is the operator's own, with [`SLOTS`].
/// None when there is no hold to speak for.
pub fn html(standing: &Standing, template: Option<&str>) -> Option<String> {
    let hold = standing.speaker?;
    let style = STYLE.replace('\n', "");
    let tokens = standing.tokens.join(" ");
    let mut page = fill(template.unwrap_or(TEMPLATE), |slot| match slot {
        "style" if template.is_none() => Some(Cow::Borrowed(style.as_str())),
        "style_hash" if template.is_none() => Some(hash(&style).into()),
        "page_lang" if template.is_none() => Some(page_lang(hold).to_owned().into()),
        "message_dir" if template.is_none() => Some(words::direction(&hold.lang).into()),
        "assets" => hold
            .template
            .as_ref()
            .map(|name| format!("/_maint-page/{name}").into()),
        slot => value(slot, hold, standing).map(Cow::Owned),
    });
    if !page.ends_with('\n') {
        page.push('\n');
    }
    let mark = format!("{MARK}{tokens} -->\n");
    pad(&mut page, mark.len(), HTML_STEP);
    page.push_str(&mark);
    Some(page)
}

/// Spaces up to the next step, so that nearly all pages are of one length.
///
/// Apache sends as many bytes as the file had when it looked, from the file it opens a moment
/// later: a page replaced in between by one of another length came out cut (measured: 3 of
/// 38,000 answers under flips). Of the same length, either is whole.
fn pad(page: &mut String, more: usize, step: usize) {
    let length = page.len() + more + 1;
    page.push_str(&" ".repeat(length.next_multiple_of(step) - length));
    page.push('\n');
}

/// What a slot holds, escaped for element content or a quoted attribute.
fn value(slot: &str, hold: &Hold, standing: &Standing) -> Option<String> {
    let zone = hold.zone();
    Some(match slot {
        "title" => plain::html(&hold.title),
        "message" => plain::html_lines(&hold.message),
        "lang" => plain::html(&hold.lang),
        "dir" => words::direction(page_lang(hold)).to_owned(),
        "again" => plain::html(words::of(&hold.lang).again),
        "more" => more(hold, standing.state == State::Overdue),
        "expected" => expected(
            hold,
            words::of(&hold.lang),
            standing.state == State::Overdue,
        ),
        "starts" => plain::html(&when::for_people(hold.starts_at, &zone)),
        "ends" => hold
            .ends_at
            .map(|end| plain::html(&when::for_people(end, &zone)))
            .unwrap_or_default(),
        "retry_after" => standing.retry_after.to_string(),
        "tokens" => standing.tokens.join(" "),
        _ => return None,
    })
}

/// The sentence about the end; nothing where no end was said. An end that has passed is not
/// promised any longer.
fn expected(hold: &Hold, words: &Words, overdue: bool) -> String {
    let Some(end) = hold.ends_at else {
        return String::new();
    };
    let zone = hold.zone();
    // Names of days and months are English: the other languages have the date in digits.
    let shown = match words.lang {
        "en" => when::for_people(end, &zone),
        _ => when::in_digits(end, &zone),
    };
    let time = format!(
        "<time dir=\"ltr\" datetime=\"{}\">{}</time>",
        when::rfc3339(end, &zone),
        plain::html(&shown)
    );
    let sentence = if overdue {
        words.overdue
    } else {
        words.expected
    };
    let sentence = plain::html(sentence).replace("{}", &time);
    format!("<p class=\"expected\">{sentence}</p>")
}

/// The language of the page's own words: English where there are none in the hold's.
fn page_lang(hold: &Hold) -> &str {
    if words::is_known(&hold.lang) {
        &hold.lang
    } else {
        "en"
    }
}

/// The page's own words in the further languages, a section each.
fn more(hold: &Hold, overdue: bool) -> String {
    let section = |lang: &String| {
        let words = words::of(lang);
        format!(
            "<section lang=\"{}\" dir=\"{}\"><h2>{}</h2><p>{}</p>{}</section>\n",
            plain::html(lang),
            words::direction(lang),
            plain::html(words.title),
            plain::html(words.message),
            expected(hold, words, overdue),
        )
    };
    hold.more_langs.iter().map(section).collect()
}

/// Replaces each `{{ slot }}`; what is not a slot stays as it is.
fn fill<'a>(template: &str, value: impl Fn(&str) -> Option<Cow<'a, str>>) -> String {
    let mut out = String::with_capacity(template.len() + STYLE.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        match after.split_once("}}") {
            Some((slot, tail)) if value(slot.trim()).is_some() => {
                out.push_str(&value(slot.trim()).unwrap_or_default());
                rest = tail;
            }
            _ => {
                out.push_str("{{");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The first thing in a template that looks like a slot and is none, with its line.
pub fn unknown_slot(template: &str) -> Option<(usize, String)> {
    for (number, line) in template.lines().enumerate() {
        for piece in line.split("{{").skip(1) {
            let Some((slot, _)) = piece.split_once("}}") else {
                continue;
            };
            if !SLOTS.contains(&slot.trim()) {
                return Some((number + 1, slot.trim().to_owned()));
            }
        }
    }
    None
}

/// As a Content-Security-Policy names an inline style.
fn hash(style: &str) -> String {
    let digest = Sha256::digest(style.as_bytes());
    format!(
        "sha256-{}",
        base64::engine::general_purpose::STANDARD.encode(digest)
    )
}

/// The page for programs.
pub fn json(standing: &Standing) -> Option<String> {
    let hold = standing.speaker?;
    let zone = hold.zone();
    let page = json!({
        "generator": GENERATOR,
        "schema": SCHEMA,
        "status": 503,
        "error": "maintenance",
        "title": hold.title,
        "message": hold.message,
        "starts_at": when::rfc3339(hold.starts_at, &zone),
        "ends_at": hold.ends_at.map(|end| when::rfc3339(end, &zone)),
        "tokens": standing.tokens,
    });
    let mut page = page.to_string();
    pad(&mut page, 0, JSON_STEP);
    Some(page)
}

/// Whether a page's bytes are this tool's work, and whole: the mark is its last line.
pub fn is_ours(page: &[u8]) -> bool {
    tokens(page).is_some()
}

/// The tokens a page carries; none for a page that is not ours or is not whole. A message may
/// quote the mark: in HTML it is escaped then, and in JSON it is not looked for.
pub fn tokens(page: &[u8]) -> Option<Vec<String>> {
    let text = String::from_utf8_lossy(page);
    if !text.starts_with('{') {
        let (_, marked) = text.rsplit_once(MARK)?;
        let tokens = marked.trim_end().strip_suffix("-->")?;
        return Some(tokens.split_whitespace().map(str::to_owned).collect());
    }
    let page: serde_json::Value = serde_json::from_str(&text).ok()?;
    if page.get("generator")?.as_str()? != GENERATOR {
        return None;
    }
    let tokens = page.get("tokens")?.as_array()?;
    Some(
        tokens
            .iter()
            .filter_map(|token| token.as_str().map(str::to_owned))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hold::tests::hold;
    use crate::standing::standing;

    fn page(change: impl Fn(&mut Hold), template: Option<&str>) -> String {
        let mut hold = hold("a");
        hold.activated_at = Some(hold.starts_at);
        change(&mut hold);
        let now = "2026-11-21T22:10:00Z".parse().unwrap();
        html(&standing(&[hold], now), template).unwrap()
    }

    #[test]
    fn the_page_says_what_and_until_when_and_carries_its_token() {
        let page = page(|_| (), None);
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\" dir=\"ltr\">"));
        assert!(page.contains("<title>Down for maintenance</title>"));
        assert!(
            page.contains(
                "datetime=\"2026-11-21T22:30:00Z\">Saturday 21 November 2026, 22:30 UTC<"
            )
        );
        assert!(page.ends_with("<!-- maint-page 1 0123456789abcdef -->\n"));
        assert!(!page.contains("{{"), "a slot was left: {page}");
        assert_eq!(tokens(page.as_bytes()).unwrap(), ["0123456789abcdef"]);
    }

    #[test]
    fn an_end_that_has_passed_is_not_promised_any_longer() {
        let page = page(
            |hold| hold.ends_at = Some("2026-11-21T22:05:00Z".parse().unwrap()),
            None,
        );
        assert!(page.contains("We expected to be back by <time"), "{page}");
        assert!(page.contains("It is taking longer"));
    }

    #[test]
    fn the_page_speaks_each_language_in_its_direction() {
        let arabic = page(
            |hold| {
                hold.lang = "ar".into();
                hold.more_langs = vec!["de".into(), "en".into()];
            },
            None,
        );
        assert!(arabic.starts_with("<!doctype html>\n<html lang=\"ar\" dir=\"rtl\">"));
        assert!(arabic.contains(words::of("ar").again));
        assert!(arabic.contains("<section lang=\"de\" dir=\"ltr\"><h2>Wartungsarbeiten</h2>"));
        assert!(arabic.contains("bis <time dir=\"ltr\" datetime=\"2026-11-21T22:30:00Z\">2026-11-21, 22:30 UTC</time> zurück."));
        let esperanto = page(|hold| hold.lang = "eo".into(), None);
        assert!(esperanto.contains("<html lang=\"en\" dir=\"ltr\">"));
        assert!(esperanto.contains("<p class=\"message\" lang=\"eo\" dir=\"ltr\">"));
    }

    #[test]
    fn hostile_words_stay_words() {
        let page = page(
            |hold| {
                hold.message =
                    "<img src=x onerror=alert(1)> {{title}} --> \n<!-- maint-page 1 x -->".into();
                hold.title = "</title><script>x</script>".into();
                hold.lang = "en\" onload=\"x".into();
            },
            None,
        );
        assert!(
            !page.contains("<img") && !page.contains("<script") && !page.contains("lang=\"en\" on")
        );
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt; {{title}} --&gt; <br>"));
        assert_eq!(tokens(page.as_bytes()).unwrap(), ["0123456789abcdef"]);
    }

    #[test]
    fn a_page_cut_short_is_nobodys() {
        let page = page(|_| (), None);
        for cut in 0..page.len() - 1 {
            assert!(!is_ours(&page.as_bytes()[..cut]), "cut at {cut}");
        }
        assert!(!is_ours(b"") && !is_ours(b"<h1>Back soon</h1>"));
    }

    #[test]
    fn a_template_has_its_slots_filled_and_nothing_else_touched() {
        let template = "<html lang={{lang}}><h1>{{ title }}</h1><p>{{message}}<i>{{ends}}</i><img src='{{assets}}/a.png'><code>{{ x</code>";
        let page = page(
            |hold| hold.template = Some("assets-1".into()),
            Some(template),
        );
        let (body, mark) = page.split_at(page.rfind(MARK).unwrap());
        assert_eq!(
            (page.len() % HTML_STEP, mark),
            (0, "<!-- maint-page 1 0123456789abcdef -->\n")
        );
        assert_eq!(
            body.trim_end(),
            "<html lang=en><h1>Down for maintenance</h1><p>Back soon.<i>Saturday 21 November 2026, 22:30 UTC</i>\
             <img src='/_maint-page/assets-1/a.png'><code>{{ x</code>"
        );
        assert_eq!(
            unknown_slot("a\n{{ title }}\nb {{nope}}"),
            Some((3, "nope".to_owned()))
        );
        assert_eq!(unknown_slot(template), None);
    }

    #[test]
    fn json_for_programs_carries_the_same() {
        let mut hold = hold("a");
        hold.message = "\"quoted\"\n<b> <!-- maint-page 1 x -->".into();
        hold.activated_at = Some(hold.starts_at);
        let now = "2026-11-21T22:10:00Z".parse().unwrap();
        let text = json(&standing(std::slice::from_ref(&hold), now)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["message"], "\"quoted\"\n<b> <!-- maint-page 1 x -->");
        assert_eq!(value["ends_at"], "2026-11-21T22:30:00Z");
        assert_eq!(tokens(text.as_bytes()).unwrap(), ["0123456789abcdef"]);
    }

    #[test]
    fn colours_have_the_contrast_that_wcag_asks_of_text() {
        for scheme in STYLE.split('}').filter(|rule| rule.contains("--ground:")) {
            let colour = |name: &str| {
                let (_, rest) = scheme.split_once(&format!("--{name}:")).unwrap();
                luminance(&rest[1..rest.find(';').unwrap_or(rest.len())])
            };
            for (over, under) in [
                ("text", "card"),
                ("quiet", "card"),
                ("on-accent", "accent"),
                ("accent", "card"),
            ] {
                let (a, b) = (colour(over), colour(under));
                let ratio = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(ratio >= 4.5, "{over} on {under}: {ratio:.2} in {scheme}");
            }
        }
    }

    fn luminance(hex: &str) -> f64 {
        let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).unwrap()).collect();
        let parts: Vec<u32> = if digits.len() == 3 {
            digits.iter().map(|d| d * 17).collect()
        } else {
            digits
                .chunks(2)
                .map(|pair| pair[0] * 16 + pair[1])
                .collect()
        };
        let linear = |part: u32| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(parts[0]) + 0.7152 * linear(parts[1]) + 0.0722 * linear(parts[2])
    }
}
