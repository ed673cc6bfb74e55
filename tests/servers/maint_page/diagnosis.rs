//! Each way in which a page fails to show is brought about on a real nginx, and `verify` has to say
//! which it was.

use super::site::Site;
use harness::nginx::Nginx;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn nginx(site: &Site) -> Nginx {
    let snippet = site.snippet("nginx");
    Nginx::serving(&format!(
        "include {};\nlocation / {{ return 200 'app'; }}",
        snippet.display()
    ))
}

/// What `verify --on` found at `url`.
fn verified(site: &Site, url: &str, extra: &[&str]) -> Value {
    let report = site
        .tool("verify")
        .args(["--on", "--within", "60ms"])
        .args(extra)
        .arg(url)
        .run()
        .expect_code(1)
        .json();
    report["verified"][0].clone()
}

#[track_caller]
fn expect(found: &Value, status: u64, cause: &str, part: &str) {
    assert_eq!(
        (found["status"].as_u64(), found["cause"].as_str()),
        (Some(status), Some(cause)),
        "{found}"
    );
    assert!(found["why"].as_str().unwrap().contains(part), "{found}");
}

/// Does what the fix says, and the page is on.
#[track_caller]
fn mended(site: &Site, nginx: &Nginx, found: &Value) {
    harness::fix::apply(&found["fix"]);
    site.tool("verify")
        .args(["--on", &nginx.url("/")])
        .run()
        .expect_code(0);
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_page_the_server_may_not_read() {
    let site = Site::new();
    let nginx = nginx(&site);
    site.tool("on").run().expect_code(0);
    set_mode(&site.dir().join("page/page.html"), 0o600);
    if harness::need_root() {
        let found = verified(&site, &nginx.url("/"), &[]);
        expect(&found, 403, "mode", "page.html (mode 0600)");
        mended(&site, &nginx, &found);
    }
}

#[test]
fn a_directory_the_server_may_not_enter() {
    let site = Site::new();
    let nginx = nginx(&site);
    site.tool("on").run().expect_code(0);
    set_mode(&site.dir(), 0o700);
    if harness::need_root() {
        let found = verified(&site, &nginx.url("/"), &[]);
        expect(&found, 200, "mode", "/maintenance (mode 0700)");
        let on = site
            .tool("on")
            .args(["--id", "b"])
            .run()
            .expect_code(0)
            .json();
        assert!(on["warnings"].to_string().contains("has mode 0700"), "{on}");
        mended(&site, &nginx, &found);
    }
}

#[test]
fn a_page_that_is_missing() {
    let site = Site::new();
    let nginx = nginx(&site);
    site.tool("on").run().expect_code(0);
    fs::remove_file(site.dir().join("page/page.html")).unwrap();
    let found = verified(&site, &nginx.url("/"), &[]);
    expect(&found, 404, "page_missing", "page.html is missing");
    mended(&site, &nginx, &found);
}

#[test]
fn a_flag_that_somebody_removed() {
    let site = Site::new();
    let nginx = nginx(&site);
    site.tool("on").run().expect_code(0);
    fs::remove_file(site.dir().join("on")).unwrap();
    let found = verified(&site, &nginx.url("/"), &[]);
    expect(&found, 200, "flag_missing", "the flag is not in place");
    mended(&site, &nginx, &found);
}

#[test]
fn a_link_that_leads_nowhere() {
    let site = Site::new();
    let nginx = nginx(&site);
    site.tool("on").run().expect_code(0);
    let page = site.dir().join("page/page.html");
    fs::remove_file(&page).unwrap();
    symlink("/nonexistent/page.html", &page).unwrap();
    expect(
        &verified(&site, &nginx.url("/"), &[]),
        404,
        "dangling_link",
        "page.html is a link that leads nowhere",
    );
}

#[test]
fn another_server_block_answers_for_the_host() {
    let site = Site::new();
    let snippet = site.snippet("nginx");
    let nginx = Nginx::new()
        .http("server_names_hash_bucket_size 64;")
        .server(&format!(
            "server_name www.example.org;\ninclude {};\nlocation / {{ return 200 'app'; }}",
            snippet.display()
        ))
        .start_with_default("location / { return 200 'welcome to nginx'; }");
    site.tool("on").run().expect_code(0);
    expect(
        &verified(&site, &nginx.url("/"), &[]),
        200,
        "wrong_host",
        "no maint-page configuration answers for this address and Host",
    );
    site.tool("verify")
        .args(["--on", "--host", "www.example.org", &nginx.url("/")])
        .run()
        .expect_code(0);
}

#[test]
fn a_flag_seen_late_through_open_file_cache() {
    let site = Site::new();
    let snippet = site.snippet("nginx");
    let nginx = Nginx::new()
        .http("open_file_cache max=100 inactive=60s; open_file_cache_valid 8s; open_file_cache_errors on;")
        .server(&format!("include {};\nlocation / {{ return 200 'app'; }}", snippet.display()))
        .start();
    site.tool("on").run().expect_code(0);
    site.tool("off").run().expect_code(0);
    for _ in 0..40 {
        super::site::ask(nginx.port(), "GET", "/", &[]);
    }
    site.tool("on").run().expect_code(0);
    expect(
        &verified(&site, &nginx.url("/"), &[]),
        200,
        "flag_unseen",
        "open_file_cache",
    );
    let patient = site
        .tool("verify")
        .args(["--on", "--within", "40s", &nginx.url("/")])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(patient["verified"][0]["cause"], "late", "{patient}");
    assert!(
        patient["warnings"][0]
            .as_str()
            .unwrap()
            .contains("as with open_file_cache"),
        "{patient}"
    );
}

#[test]
fn a_cache_in_front() {
    let site = Site::new();
    let snippet = site.snippet("nginx");
    let nginx = Nginx::new()
        .http("proxy_cache_path cache levels=1 keys_zone=z:1m;")
        .server("proxy_cache z; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status always;\nlocation / { proxy_pass http://127.0.0.1:@PORT2@; }")
        .server(&format!("include {};\nlocation / {{ return 200 'app'; }}", snippet.display()))
        .start();
    super::site::ask(nginx.port(), "GET", "/", &[]);
    site.tool("on").run().expect_code(0);
    expect(
        &verified(&site, &nginx.url("/"), &["--host", "localhost"]),
        200,
        "cache",
        "x-cache: HIT",
    );
}

#[test]
fn somebody_elses_503() {
    let site = Site::new();
    let busy = Nginx::serving("location / { return 503 'back soon'; }");
    site.tool("on").run().expect_code(0);
    expect(
        &verified(&site, &busy.url("/"), &[]),
        503,
        "foreign_page",
        "somebody else's 503",
    );
}

#[test]
fn another_holds_page() {
    let site = Site::new();
    let nginx = nginx(&site);
    site.tool("on").run().expect_code(0);
    let other = Site::new();
    other.tool("on").run().expect_code(0);
    expect(
        &verified(&other, &nginx.url("/"), &[]),
        503,
        "other_hold",
        "token",
    );
}

#[test]
fn a_redirect_before_the_page() {
    let site = Site::new();
    site.tool("on").run().expect_code(0);
    let nginx = Nginx::serving("return 301 https://www.example.org$request_uri;");
    expect(
        &verified(&site, &nginx.url("/a"), &[]),
        301,
        "redirect",
        "https://www.example.org/a",
    );
}

#[test]
fn a_location_that_is_asked_before_the_flag() {
    let site = Site::new();
    let snippet = site.snippet("nginx");
    let nginx = Nginx::new()
        .server(&format!("include {};\nlocation / {{ return 200 'app'; }}", snippet.display()))
        .server("location = /_maint-page/seen { proxy_pass http://127.0.0.1:@PORT1@; }\nlocation / { return 200 'app'; }")
        .start();
    site.tool("on").run().expect_code(0);
    let url = format!("http://127.0.0.1:{}/", nginx.ports()[1]);
    expect(
        &verified(&site, &url, &[]),
        200,
        "bypassed",
        "answers before the flag is looked at",
    );
}

#[test]
fn a_server_that_is_not_there() {
    let site = Site::new();
    site.tool("on").run().expect_code(0);
    let dead = format!("http://127.0.0.1:{}/", harness::free_port());
    let report = site
        .tool("verify")
        .args(["--on", "--within", "60ms", &dead])
        .run()
        .expect_code(75)
        .json();
    assert_eq!(report["verified"][0]["cause"], "unreachable");
}
