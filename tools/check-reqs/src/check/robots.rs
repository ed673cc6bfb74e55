//! robots.txt, read as crawlers read it (RFC 9309): whether it keeps them from a path.

use super::http::{Page, beginning};
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Short};
use base::Result;
use base::clock::Deadline;

/// `type = "robots"`.
pub const TYPE: Type = Type {
    name: "robots",
    about: "a robots.txt that keeps crawlers from a path",
    keys: &[
        ("url", "the URL of robots.txt"),
        (
            "disallow",
            "the path that robots.txt has to keep crawlers from (/)",
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
        words: &["robots"],
        colon: true,
        forms: &["robots:URL[=PATH]"],
        example: "robots:http://127.0.0.1/robots.txt",
        read: |_, rest| Ok(short::url(rest, "disallow")),
    },
    read,
};

struct Robots {
    page: Page,
    disallow: String,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    Ok(Box::new(Robots {
        page: Page::read(fields)?,
        disallow: fields.text("disallow")?.unwrap_or_else(|| "/".into()),
    }))
}

/// Whether any crawler (`User-agent: *`) is kept from `path`: the longest rule that matches
/// decides, and Allow wins a tie.
fn disallowed(robots: &str, path: &str) -> bool {
    let mut in_group = false;
    let mut heading = false;
    let mut best: Option<(usize, bool)> = None;
    // RFC 9309 ends a line with CR, LF or both, and allows a byte order mark.
    let robots = robots.trim_start_matches('\u{feff}');
    for line in robots.split(['\r', '\n']) {
        let line = line.split('#').next().unwrap_or("").trim();
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "user-agent" => {
                // Several user-agent lines in a row head one group.
                in_group = (heading && in_group) || value == "*";
                heading = true;
            }
            rule @ ("allow" | "disallow") => {
                heading = false;
                if in_group && !value.is_empty() && matches(value, path) {
                    let this = (value.len(), rule == "allow");
                    best = Some(best.map_or(this, |best| best.max(this)));
                }
            }
            _ => {}
        }
    }
    best.is_some_and(|(_, allow)| !allow)
}

/// `*` stands for any text, `$` for the end; otherwise a rule matches what begins with it.
fn matches(rule: &str, path: &str) -> bool {
    let (rule, whole) = match rule.strip_suffix('$') {
        Some(rule) => (rule, true),
        None => (rule, false),
    };
    let mut parts = rule.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or("")) else {
        return false;
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    !whole || rest.is_empty() || rule.ends_with('*')
}

impl Check for Robots {
    fn subject(&self) -> String {
        self.page.url()
    }

    fn expected(&self) -> String {
        format!(
            "robots.txt of {} disallows {}",
            self.page.url(),
            self.disallow
        )
    }

    fn how(&self) -> String {
        "the rules for `User-agent: *`, the longest that matches deciding (RFC 9309)".into()
    }

    fn look(&self, _: &Scene, deadline: Deadline) -> Finding {
        let answer = match self.page.ask(5, deadline) {
            Ok(answer) => answer,
            Err(finding) => return *finding,
        };
        let url = self.page.url();
        let fix = Fix::advice(format!(
            "serve a robots.txt with the lines `User-agent: *` and `Disallow: {}`",
            self.disallow
        ));
        match answer.status {
            200 => {
                let text = String::from_utf8_lossy(&answer.body);
                match disallowed(&text, &self.disallow) {
                    true => Finding::met(
                        format!("disallows {}", self.disallow),
                        format!("{url} keeps crawlers from {}", self.disallow),
                    ),
                    false => Finding::unmet(
                        "allowed",
                        format!("{url} does not keep crawlers from {}", self.disallow),
                    )
                    .found("allowed")
                    .evidence(beginning(&answer))
                    .fix(fix),
                }
            }
            404 | 410 => Finding::unmet(
                "missing",
                format!(
                    "{url} is not there ({}): crawlers may go everywhere",
                    answer.status
                ),
            )
            .found(answer.status.to_string())
            .fix(fix),
            status => Finding::unknown("status", format!("{url} answers {status}"))
                .found(status.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_for_everybody_decides() {
        for (robots, path, answer) in [
            ("User-agent: *\nDisallow: /\n", "/", true),
            ("User-agent: *\nDisallow: /\n", "/x", true),
            ("user-agent: *\ndisallow:/admin # staff\n", "/admin/x", true),
            ("User-agent: *\nDisallow:\n", "/", false),
            ("User-agent: Googlebot\nDisallow: /\n", "/", false),
            (
                "User-agent: Googlebot\nUser-agent: *\nDisallow: /\n",
                "/",
                true,
            ),
            (
                "User-agent: *\nDisallow: /\nAllow: /public\n",
                "/public/x",
                false,
            ),
            ("User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", false),
            ("User-agent: *\nDisallow: /*.php$\n", "/x/y.php", true),
            ("User-agent: *\nDisallow: /*.php$\n", "/x/y.php5", false),
            (
                "User-agent: *\nDisallow: /a\n\nUser-agent: *\nDisallow: /b\n",
                "/b",
                true,
            ),
            ("<html>not robots</html>", "/", false),
            ("\u{feff}User-agent: *\nDisallow: /\n", "/", true),
            ("User-agent: *\rDisallow: /\r", "/", true),
            ("User-agent: *\r\nDisallow: /\r\n", "/", true),
        ] {
            assert_eq!(disallowed(robots, path), answer, "{robots} {path}");
        }
    }
}
