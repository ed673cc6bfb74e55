//! CHANGELOG.md is where releases are written down; the manuals' date and Debian's own form of a
//! changelog (Debian Policy, 4.4) come from it.

use crate::Page;
use base::error::{Error, Result};
use std::fmt::Write as _;
use std::path::Path;

const MAINTAINER: &str = "runbook-tools maintainers <runbook-tools@users.noreply.github.com>";

/// One release.
#[derive(Debug)]
pub struct Release {
    version: String,
    date: String,
    text: Vec<String>,
}

/// All releases, newest first.
///
/// # Errors
/// `Kind::Io`; `Kind::Failed` for a heading that is not `## VERSION - YYYY-MM-DD`.
pub fn read(top: &Path) -> Result<Vec<Release>> {
    let text = std::fs::read_to_string(top.join("CHANGELOG.md"))
        .map_err(|e| Error::io("cannot read CHANGELOG.md", &e))?;
    let mut releases: Vec<Release> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let (version, date) = heading
                .split_once(" - ")
                .ok_or_else(|| Error::failed(format!("CHANGELOG.md: no date in \"{heading}\"")))?;
            releases.push(Release {
                version: version.into(),
                date: date.into(),
                text: Vec::new(),
            });
        } else if let Some(release) = releases.last_mut() {
            release
                .text
                .extend(Some(line.trim().to_string()).filter(|l| !l.is_empty()));
        }
    }
    Ok(releases)
}

/// The newest release's date.
///
/// # Errors
/// `Kind::Failed` where there is none.
pub fn date(releases: &[Release]) -> Result<String> {
    releases
        .first()
        .map(|r| r.date.clone())
        .ok_or_else(|| Error::failed("CHANGELOG.md: no release"))
}

/// Debian's form. The revision is older than any that a distribution would give its own package of
/// the same release.
///
/// # Errors
/// `Kind::Failed` for a date that is none.
pub fn debian(releases: &[Release]) -> Result<Page> {
    let mut out = String::new();
    for release in releases {
        let bad = |_| Error::failed(format!("CHANGELOG.md: \"{}\" is no date", release.date));
        let date: jiff::civil::Date = release.date.parse().map_err(bad)?;
        let midnight = date.at(0, 0, 0, 0).strftime("%a, %d %b %Y %H:%M:%S +0000");
        let _ = writeln!(
            out,
            "runbook-tools ({}-0upstream1) unstable; urgency=medium\n",
            release.version
        );
        for item in items(&release.text) {
            out.push_str(&wrapped(&item));
        }
        let _ = writeln!(out, "\n -- {MAINTAINER}  {midnight}");
    }
    Ok(Page {
        path: "shared/packaging/changelog".into(),
        text: out,
    })
}

/// What a release has to say, one thing each: a thing ends with its full stop.
fn items(text: &[String]) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut open = false;
    for line in text {
        let line = line.trim_start_matches("- ");
        match items.last_mut().filter(|_| open) {
            Some(item) => *item = format!("{item} {line}"),
            None => items.push(line.into()),
        }
        open = !line.ends_with('.');
    }
    items
}

/// One item, in lines of at most 78 characters.
fn wrapped(item: &str) -> String {
    let mut out = String::new();
    let mut line = String::from("  *");
    for word in item.split_whitespace() {
        if line.len() + 1 + word.len() > 78 {
            let _ = writeln!(out, "{line}");
            line = "   ".into();
        }
        line = format!("{line} {word}");
    }
    out + &line + "\n"
}
