//! Server configuration for the layout, to be included once and then left alone.
//!
//! Each text was worked out against the real server, because each server has its own way of
//! serving a 503 page wrongly: nginx refuses POST in a named location and checks the flag
//! again on its way to the page, Apache evaluates `<If>` at another moment than its rewrite
//! rules, Caddy's file server answers ranges and conditions. In all three the flag is looked
//! at once for each request, so a flip in the middle of one harms nothing.

use crate::standing::BUCKETS;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::net::IpAddr;

/// The servers there is a text for; `nginx-http` is the part for nginx's http block,
/// `caddy-proxied` the text for a Caddy behind a proxy.
pub const SERVERS: [&str; 5] = ["nginx", "apache", "caddy", "nginx-http", "caddy-proxied"];

/// Who and what is let past the page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    /// A path alone, or with a final slash everything below it.
    pub paths: Vec<String>,
    /// Addresses or networks, as `192.0.2.0/24`.
    pub networks: Vec<String>,
}

/// The configuration for `server` with the page in `dir`; None for a server not in [`SERVERS`].
pub fn text(server: &str, dir: &str, allow: &Allow) -> Option<String> {
    let filled = match server {
        "nginx" => include_str!("snippet/nginx.conf")
            .replace("@RETRY@\n", &nginx_buckets(dir))
            .replace("@ALLOW@\n", &nginx_allow(dir, allow)),
        "nginx-http" => nginx_http(dir, allow),
        "apache" => apache(dir, allow),
        "caddy" => caddy(dir, &caddy_allow(allow, "remote_ip")),
        "caddy-proxied" => caddy(dir, &caddy_allow(allow, "client_ip")),
        _ => return None,
    };
    Some(filled.replace("@DIR@", dir))
}

/// nginx's variable for this directory's networks: a host can have several sites.
fn nginx_variable(dir: &str) -> String {
    let digest = Sha256::digest(dir);
    let name: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("$maint_from_{name}")
}

/// A path for a regular expression: the characters that [`path`] takes, of which only the dot has
/// a meaning there.
fn pattern(path: &str) -> String {
    let end = if path.ends_with('/') { "" } else { "$" };
    format!("^{}{end}", path.replace('.', "\\."))
}

fn nginx_allow(dir: &str, allow: &Allow) -> String {
    let mut text = String::new();
    if !allow.paths.is_empty() || !allow.networks.is_empty() {
        text.push_str("# Let past the page.\n");
    }
    for path in &allow.paths {
        let _ = writeln!(
            text,
            "if ($uri ~ \"{}\") {{ set $maint_page \"\"; }}",
            pattern(path)
        );
    }
    if !allow.networks.is_empty() {
        let variable = nginx_variable(dir);
        let _ = writeln!(
            text,
            "# The variable is set in the http block: maint-page snippet nginx-http prints that part."
        );
        let _ = writeln!(text, "if ({variable}) {{ set $maint_page \"\"; }}");
    }
    text
}

/// geo(ngx_http_geo_module) works in the http block alone; its address is $remote_addr, which
/// ngx_http_realip_module sets to the client's.
fn nginx_http(dir: &str, allow: &Allow) -> String {
    let mut text = format!(
        "# maint-page: put this inside the http block, on Debian as a file in /etc/nginx/conf.d.\n\
         # Behind a proxy, ngx_http_realip_module has to be set up: the address is the client's then.\n\
         geo {} {{\n    default 0;\n",
        nginx_variable(dir)
    );
    for network in &allow.networks {
        let _ = writeln!(text, "    {network} 1;");
    }
    text + "}\n"
}

fn apache_allow(allow: &Allow, skip: usize) -> String {
    let paths = allow
        .paths
        .iter()
        .map(|path| format!("RewriteCond \"%{{REQUEST_URI}}\" \"{}\"", pattern(path)));
    // mod_remoteip sets the address that -R looks at to the client's.
    let networks = allow
        .networks
        .iter()
        .map(|network| format!("RewriteCond expr \"-R '{network}'\""));
    let conditions: Vec<String> = paths.chain(networks).collect();
    if conditions.is_empty() {
        return String::new();
    }
    format!(
        "# Let past the page.\n{}\nRewriteRule \"^\" \"-\" [S={skip}]\n",
        conditions.join(" [OR]\n")
    )
}

fn caddy(dir: &str, allow: &str) -> String {
    include_str!("snippet/caddy.conf")
        .replace("@MATCH@\n", &caddy_matchers(dir))
        .replace("@RETRY@\n", &caddy_buckets())
        .replace("@ALLOW@\n", allow)
}

/// `matcher` is `remote_ip`, the address of the connection, or `client_ip` (since Caddy 2.7), which
/// believes the header of a proxy that `trusted_proxies` names. Without `trusted_proxies_strict`
/// (since 2.8) Caddy takes the first address of that header, which a client can forge.
fn caddy_allow(allow: &Allow, matcher: &str) -> String {
    let mut text = String::new();
    if !allow.paths.is_empty() {
        // The matcher `path` takes upper and lower case for the same.
        let paths: Vec<String> = allow.paths.iter().map(|path| pattern(path)).collect();
        let _ = writeln!(text, "\tnot path_regexp ({})", paths.join("|"));
    }
    if !allow.networks.is_empty() {
        let _ = writeln!(text, "\tnot {matcher} {}", allow.networks.join(" "));
    }
    text
}

/// Whether `path` can stand in all configurations: it begins with a slash and holds letters,
/// digits and `/ . _ ~ -` alone.
pub fn is_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._~-".contains(c);
    path.starts_with('/') && path.chars().all(plain) && !path.starts_with("/_maint-page/")
}

/// Whether `network` is an address, or an address and a prefix length.
pub fn is_network(network: &str) -> bool {
    let (address, length) = match network.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (network, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| {
        let plain = length.len() <= 3 && length.bytes().all(|byte| byte.is_ascii_digit());
        plain && length.parse::<u8>().is_ok_and(|length| length <= most)
    })
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

fn apache(dir: &str, allow: &Allow) -> String {
    let buckets = BUCKETS.iter().fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "RewriteCond \"{dir}/retry-{n}\" -f");
        let _ = writeln!(text, "RewriteRule \"^\" \"-\" [E=MAINT_RETRY:{n}]");
        text
    });
    // Rules between the skip and the two that answer: the default, the buckets, the answers.
    let skip_on = 1 + BUCKETS.len() + 2;
    include_str!("snippet/apache.conf")
        .replace("@RETRY@\n", &buckets)
        .replace("@ALLOW@\n", &apache_allow(allow, skip_on + 2))
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
        for server in ["nginx", "apache", "caddy", "caddy-proxied"] {
            let text = text(server, "/srv/site/maintenance", &Allow::default()).unwrap();
            assert!(
                !text.contains("@DIR@") && !text.contains("@RETRY@") && !text.contains("@SKIP")
            );
            assert!(!text.contains("@ALLOW@") && !text.contains("Let past the page"));
            assert!(
                text.contains("/srv/site/maintenance/on")
                    || text.contains("root \"/srv/site/maintenance\"")
            );
            assert!(
                BUCKETS.iter().all(|n| text.contains(&format!("retry-{n}"))),
                "{server}"
            );
        }
        assert_eq!(text("lighttpd", "/srv", &Allow::default()), None);
    }

    #[test]
    fn what_is_let_past_is_a_path_or_a_network() {
        for good in ["/healthz", "/static/", "/a.b/~c_d-e"] {
            assert!(is_path(good), "{good}");
        }
        for bad in [
            "healthz",
            "/a b",
            "/a\"b",
            "/a*",
            "/ä",
            "/_maint-page/up",
            "",
        ] {
            assert!(!is_path(bad), "{bad}");
        }
        for good in [
            "192.0.2.1",
            "192.0.2.0/24",
            "2001:db8::/32",
            "::1",
            "0.0.0.0/0",
        ] {
            assert!(is_network(good), "{good}");
        }
        for bad in [
            "192.0.2",
            "192.0.2.0/33",
            "2001:db8::/129",
            "host",
            "192.0.2.0/+4",
            "1.2.3.4/",
        ] {
            assert!(!is_network(bad), "{bad}");
        }
        assert_eq!(pattern("/a.b"), "^/a\\.b$");
        assert_eq!(pattern("/static/"), "^/static/");
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
