//! Server configuration for the layout, to be included once and then left alone.
//!
//! Each text was worked out against the real server, because each server has its own way of
//! serving a 503 page wrongly: nginx refuses POST in a named location and checks the flag
//! again on its way to the page, Apache evaluates `<If>` at another moment than its rewrite
//! rules, Caddy's file server answers ranges and conditions. In all three the flag is looked
//! at once for each request, so a flip in the middle of one harms nothing.

use crate::standing::BUCKETS;
use std::fmt::Write;

/// The servers there is a text for.
pub const SERVERS: [&str; 3] = ["nginx", "apache", "caddy"];

/// The configuration for `server` with the page in `dir`; None for a server not in [`SERVERS`].
pub fn text(server: &str, dir: &str) -> Option<String> {
    let filled = match server {
        "nginx" => include_str!("snippet/nginx.conf").replace("@RETRY@\n", &nginx_buckets(dir)),
        "apache" => apache(dir),
        "caddy" => include_str!("snippet/caddy.conf")
            .replace("@MATCH@\n", &caddy_matchers(dir))
            .replace("@RETRY@\n", &caddy_buckets()),
        _ => return None,
    };
    Some(filled.replace("@DIR@", dir))
}

/// Whether `dir` can stand in all three configurations without being quoted differently.
pub fn can_name(dir: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@~,=".contains(c);
    dir.starts_with('/') && dir.chars().all(plain)
}

fn nginx_buckets(dir: &str) -> String {
    BUCKETS.iter().fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "    if (-f \"{dir}/retry-{n}\") {{ set $maint_retry {n}; }}"
        );
        text
    })
}

fn apache(dir: &str) -> String {
    let buckets = BUCKETS.iter().fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "RewriteCond \"{dir}/retry-{n}\" -f");
        let _ = writeln!(text, "RewriteRule \"^\" \"-\" [E=MAINT_RETRY:{n}]");
        text
    });
    // Rules between the skip and the two that answer: the default, the buckets, the answers.
    let skip_on = 1 + BUCKETS.len() + 2;
    include_str!("snippet/apache.conf")
        .replace("@RETRY@\n", &buckets)
        .replace("@SKIP_ON@", &skip_on.to_string())
        .replace("@SKIP_ALL@", &(skip_on + 1).to_string())
}

fn caddy_matchers(dir: &str) -> String {
    BUCKETS.iter().fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "\t@maint_{n} file {{\n\t\troot \"{dir}\"\n\t\ttry_files /retry-{n}\n\t}}"
        );
        text
    })
}

fn caddy_buckets() -> String {
    BUCKETS.iter().fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "\t\theader @maint_{n} Retry-After {n}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_server_has_a_text_with_every_place_filled() {
        for server in SERVERS {
            let text = text(server, "/srv/site/maintenance").unwrap();
            assert!(
                !text.contains("@DIR@") && !text.contains("@RETRY@") && !text.contains("@SKIP")
            );
            assert!(
                text.contains("/srv/site/maintenance/on")
                    || text.contains("root \"/srv/site/maintenance\"")
            );
            assert!(
                BUCKETS.iter().all(|n| text.contains(&format!("retry-{n}"))),
                "{server}"
            );
        }
        assert_eq!(text("lighttpd", "/srv"), None);
    }

    #[test]
    fn paths_that_a_configuration_would_read_otherwise_are_refused() {
        assert!(can_name("/srv/www/maintenance-1.d"));
        for bad in [
            "relative", "/a b", "/a\"b", "/a$b", "/a{b}", "/a;b", "/a\nb", "/a%b", "/a\\b", "/a#b",
        ] {
            assert!(!can_name(bad), "{bad}");
        }
    }
}
