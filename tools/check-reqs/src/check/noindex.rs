//! A directory of the web site whose content may not be listed: uploads are found by guessing
//! otherwise.
//!
//! 403 and 404 are what a server says that lists nothing. 200 is judged by the page: the title that
//! nginx, Apache, lighttpd and Python give a listing, the formats nginx can write, and, where the
//! directory's place on this host is known, the names of its files.

use super::http::{Page, beginning};
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Short};
use base::Result;
use base::clock::Deadline;
use std::fs;
use std::path::PathBuf;

/// `type = "noindex"`.
pub const TYPE: Type = Type {
    name: "noindex",
    about: "a directory of the site that is not listed: 403, 404, or a page without a listing",
    keys: &[
        ("url", "the directory's URL"),
        (
            "directory",
            "the same directory on this host; without the key a directory that does not exist passes, too",
        ),
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
        words: &["noindex"],
        colon: true,
        forms: &["noindex:URL"],
        example: "noindex:http://127.0.0.1/media/",
        read: |_, rest| short::whole("url", rest),
    },
    read,
};

struct NoIndex {
    page: Page,
    directory: Option<PathBuf>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    Ok(Box::new(NoIndex {
        page: Page::read(fields)?,
        directory: fields.text("directory")?.map(PathBuf::from),
    }))
}

/// What servers write above a listing, in lower case.
const TITLES: &[&str] = &[
    "<title>index of ",
    "<title>directory listing for ",
    "<h1>index of ",
    "<title>directory: ",
    "<title>listing of ",
];

/// Whether a page lists files; `names` are files known to be there.
fn listing(body: &[u8], names: &[String]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(body).to_lowercase();
    if TITLES.iter().any(|title| text.contains(title)) {
        return Some("the title of the page is that of a listing");
    }
    let json = text.trim_start().starts_with('[')
        && text.contains("\"name\"")
        && text.contains("\"type\"")
        && text.contains("\"mtime\"");
    if json || (text.contains("<list>") && text.contains("mtime=")) {
        return Some("the answer is a listing for programs");
    }
    // S3 and what speaks like S3, Google's store, Azure's.
    if [
        "<listbucketresult",
        "<listversionsresult",
        "<enumerationresults",
    ]
    .iter()
    .any(|element| text.contains(element))
    {
        return Some("the answer is the listing of an object store");
    }
    // Apache's column heads sort the listing, whatever HeaderName and SuppressHTMLPreamble leave
    // out; the plain form links the directory above.
    let sorts = ["?c=n;o=", "?c=m;o=", "?c=n&amp;o=", "?n=d", "?n=a"];
    if sorts
        .iter()
        .any(|link| text.contains(&format!("href=\"{link}")))
        || text.contains(">parent directory</a>")
        || text.contains("alt=\"[parentdir]\"")
    {
        return Some("the page is a listing by Apache");
    }
    if text.contains("caddyserver.com") && text.contains("listing") {
        return Some("the page is a listing by Caddy");
    }
    let linked = names.iter().filter(|name| {
        let name = name.to_lowercase();
        ["\"", "'", "\"./", "'./"]
            .iter()
            .any(|quote| text.contains(&format!("href={quote}{name}")))
    });
    match linked.count() {
        0 => None,
        n if n * 2 >= names.len() => Some("the page links the files of the directory"),
        _ => None,
    }
}

impl Check for NoIndex {
    fn subject(&self) -> String {
        self.page.url()
    }

    fn expected(&self) -> String {
        format!("{} lists no files", self.page.url())
    }

    fn how(&self) -> String {
        "403 and 404 are right; 200 is, where the page is no listing".into()
    }

    fn look(&self, _: &Scene, deadline: Deadline) -> Finding {
        let mut names = Vec::new();
        if let Some(directory) = &self.directory {
            match fs::read_dir(directory) {
                Ok(entries) => names.extend(
                    entries
                        .flatten()
                        .take(50)
                        .filter_map(|entry| entry.file_name().into_string().ok()),
                ),
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
                Err(error) => {
                    return Finding::unknown(
                        "no_directory",
                        format!("{}: {}", directory.display(), base::error::plain(&error)),
                    );
                }
            }
        }
        let answer = match self.page.ask(5, deadline) {
            Ok(answer) => answer,
            Err(finding) => return *finding,
        };
        let url = self.page.url();
        let found = answer.status.to_string();
        match answer.status {
            403 => Finding::met(found, format!("{url} is forbidden")),
            404 | 410 if self.directory.is_some() => Finding::met(found, format!("{url} is not found, and the directory is there")),
            404 | 410 => {
                Finding::met(found, format!("{url} is not found (directory = \"…\" would tell whether there is such a directory)"))
            }
            200 if answer.truncated && listing(&answer.body, &names).is_none() => {
                Finding::unknown("too_long", format!("{url} is longer than what is read of a page"))
                    .found(found)
            }
            200 => match listing(&answer.body, &names) {
                None => Finding::met(found, format!("{url} answers with a page that is no listing")),
                Some(why) => Finding::unmet("listed", format!("{url} lists its files: {why}"))
                    .found(found)
                    .evidence(beginning(&answer))
                    .fix(Fix::advice("switch the listing off: `autoindex off;` (nginx), `Options -Indexes` (Apache), no `browse` (Caddy)")),
            },
            status => Finding::unknown("status", format!("{url} answers {status}")).found(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_known_whoever_writes_them() {
        let names = ["a.jpg".to_string(), "b.jpg".to_string()];
        for (page, is) in [
            ("<html><head><title>Index of /media/</title></head>", true),
            ("<title>Directory listing for /media/</title>", true),
            (
                "[\n{ \"name\":\"a.jpg\", \"type\":\"file\", \"mtime\":\"Tue\", \"size\":3 }\n]",
                true,
            ),
            (
                "<?xml version=\"1.0\"?>\n<list>\n<file mtime=\"2026\" size=\"3\">a.jpg</file>\n</list>",
                true,
            ),
            (
                "<ul><li><a href=\"a.jpg\">a</a><li><a href=\"./b.jpg\">b</a></ul>",
                true,
            ),
            (
                "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>media</Name>",
                true,
            ),
            ("<EnumerationResults ServiceEndpoint=\"x\">", true),
            (
                "<pre><a href=\"?C=N;O=D\">Name</a> <a href=\"?C=M;O=A\">Last modified</a><hr>",
                true,
            ),
            ("<ul><li><a href=\"/\"> Parent Directory</a></li>", false),
            ("<ul><li><a href=\"/\">Parent Directory</a></li>", true),
            ("<h1>Welcome</h1><a href=\"/about\">About</a>", false),
            ("", false),
        ] {
            assert_eq!(listing(page.as_bytes(), &names).is_some(), is, "{page}");
        }
    }
}
