//! The one list of what every configuration has to do.

use super::site::{Site, ask};
use harness::need;
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::Duration;

/// What every one of the three configurations has to do; the site behind answers `app`.
pub fn keeps_every_promise(site: &Site, port: u16) {
    for method in ["GET", "POST", "PUT", "HEAD"] {
        let answer = ask(port, method, "/some/page", &[]);
        assert_eq!(
            (answer.status, answer.body.contains("app")),
            (200, method != "HEAD"),
            "{method} before: {answer:?}"
        );
    }
    assert_eq!(ask(port, "GET", "/_maint-page/seen", &[]).status, 204);

    site.tool("on")
        .args(["--for", "8m", "--message", "Moving <b>house</b>."])
        .run()
        .expect_code(0);
    let token = site.token();
    for method in ["GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS"] {
        for (path, headers) in [
            ("/some/page", vec![]),
            ("/", vec!["Range: bytes=0-3"]),
            ("/", vec!["Range: bytes=0-3", "If-Range: \"x\""]),
            ("/", vec!["Range: bytes=99999999-"]),
            (
                "/x?y=z",
                vec![
                    "If-Modified-Since: Wed, 21 Nov 2040 07:28:00 GMT",
                    "If-None-Match: *",
                ],
            ),
            ("/x", vec!["If-Match: \"never\""]),
            (
                "/x",
                vec!["If-Unmodified-Since: Wed, 21 Nov 2001 07:28:00 GMT"],
            ),
            (
                "/ws",
                vec![
                    "Connection: Upgrade",
                    "Upgrade: websocket",
                    "Sec-WebSocket-Version: 13",
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                ],
            ),
            ("/_maint-page/page.html", vec![]),
            ("/_maint-page/seen", vec![]),
        ] {
            let answer = ask(port, method, path, &headers);
            assert_eq!(
                answer.status, 503,
                "{method} {path} {headers:?}: {answer:?}"
            );
            assert_eq!(
                answer.header("retry-after"),
                Some("300"),
                "{method} {path}: {answer:?}"
            );
            assert_eq!(
                answer.header("cache-control"),
                Some("no-store"),
                "{method} {path}"
            );
            for never in ["content-range", "etag", "last-modified", "upgrade", "allow"] {
                assert_eq!(answer.header(never), None, "{method} {path}: {answer:?}");
            }
            assert_eq!(
                answer
                    .header("content-type")
                    .map(str::to_ascii_lowercase)
                    .as_deref(),
                Some("text/html; charset=utf-8")
            );
            assert!(
                answer
                    .header("content-security-policy")
                    .is_some_and(|csp| csp.starts_with("default-src 'none'"))
            );
            if method == "HEAD" {
                assert_eq!(answer.body, "");
            } else {
                assert!(
                    answer.body.contains("Moving &lt;b&gt;house&lt;/b&gt;."),
                    "{answer:?}"
                );
                assert!(
                    answer
                        .body
                        .ends_with(&format!("<!-- maint-page 1 {token} -->\n")),
                    "{answer:?}"
                );
            }
        }
        let json = ask(port, method, "/api/items", &["Accept: application/json"]);
        assert_eq!(
            (json.status, json.header("retry-after")),
            (503, Some("300")),
            "{method}: {json:?}"
        );
        assert!(
            json.header("content-type")
                .unwrap()
                .starts_with("application/json")
        );
        if method != "HEAD" {
            let page: Value = serde_json::from_str(&json.body).unwrap();
            assert_eq!(
                (&page["message"], &page["tokens"][0]),
                (
                    &Value::from("Moving <b>house</b>."),
                    &Value::from(token.as_str())
                )
            );
        }
    }
    let browser = ask(
        port,
        "GET",
        "/",
        &["Accept: text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"],
    );
    assert!(
        browser
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    // An HTTP/1.0 client, and one that waits to be told to go on with its form.
    let curl = |words: &[&str]| {
        let done = Command::new(need("curl").expect("curl"))
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
            .args(words)
            .arg(format!("http://127.0.0.1:{port}/form"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert_eq!(curl(&["--http1.0"]), "503");
    assert_eq!(curl(&["-H", "Expect: 100-continue", "-d", "a=b"]), "503");
    uploads(site, port);
    bypasses(site, port);
    proves(site, port);
}

/// An upload larger than the server takes is refused with the page, not with 413 or a broken
/// connection.
fn uploads(site: &Site, port: u16) {
    let file = site.top().join("upload");
    fs::write(&file, vec![b'x'; 3 << 20]).unwrap();
    let sent = Command::new(need("curl").expect("curl"))
        .args(["-s", "-w", "%{http_code}", "-F"])
        .arg(format!("file=@{}", file.display()))
        .arg(format!("http://127.0.0.1:{port}/upload"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&sent.stdout).into_owned();
    assert!(
        text.ends_with(" -->\n503"),
        "{:?}: {}",
        sent.status,
        &text[text.len().saturating_sub(200)..]
    );
}

fn bypasses(site: &Site, port: u16) {
    let added = site.tool("bypass").arg("add").run().expect_code(0).json();
    let path = added["keys"][0]["path"].as_str().unwrap();
    let cookie = format!(
        "Cookie: a=1; {}; b=2",
        added["keys"][0]["cookie"].as_str().unwrap()
    );
    let entry = ask(port, "GET", path, &[]);
    assert_eq!(entry.status, 302, "{entry:?}");
    let set = entry.header("set-cookie").unwrap();
    assert!(
        set.starts_with(added["keys"][0]["cookie"].as_str().unwrap())
            && set.contains("HttpOnly")
            && set.contains("SameSite=Lax"),
        "{set}"
    );
    assert_eq!(entry.header("cache-control"), Some("no-store"));
    for method in ["GET", "POST"] {
        assert_eq!(
            ask(port, method, "/x", &[&cookie]).status,
            200,
            "{method} with the cookie"
        );
    }
    for wrong in [
        "maint_bypass=",
        "maint_bypass=00000000000000000000000000000000",
        "maint_bypass=../on",
        "maint_bypass=../../../../../../../../etc/passwd",
        "maint_bypass=.",
        "maint_bypass=%2e%2e%2fon",
        "xmaint_bypass=1",
    ] {
        assert_eq!(
            ask(port, "GET", "/x", &[&format!("Cookie: {wrong}")]).status,
            503,
            "{wrong} let somebody in"
        );
    }
    site.tool("bypass")
        .args(["revoke", "all"])
        .run()
        .expect_code(0);
    assert_eq!(
        ask(port, "GET", "/x", &[&cookie]).status,
        503,
        "a revoked key let somebody in"
    );
    // A key's end comes with the first tick after its time, as the manual says.
    let short = site
        .tool("bypass")
        .args(["add", "--ttl", "1s"])
        .run()
        .expect_code(0)
        .json();
    let cookie = format!("Cookie: {}", short["keys"][0]["cookie"].as_str().unwrap());
    let status = || ask(port, "GET", "/x", &[&cookie]).status;
    std::thread::sleep(Duration::from_millis(1100));
    site.tool("status").run().expect_code(0);
    assert_eq!(status(), 200, "the manual says that a key works until tick");
    site.tool("tick").run().expect_code(0);
    assert_eq!(status(), 503, "an ended key let somebody in after tick");
}

/// A template with a style sheet, a picture and a font in directories of their own: every file that
/// the page and its style sheet name is served, whole and as what it is, while the page is up.
pub fn serves_a_template_in_full(site: &Site, port: u16) {
    let template = site.top().join("template");
    let files: [(&str, &[u8], &str); 4] = [
        (
            "css/site.css",
            b"body { background: url(../img/sea.png) }\n@font-face { font-family: f; src: url(../fonts/f.woff2) }\n",
            "text/css",
        ),
        ("img/logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ("img/sea.png", b"bytes of a picture", "image/png"),
        ("fonts/f.woff2", b"wOF2", "font/woff2"),
    ];
    for (path, bytes, _) in files {
        fs::create_dir_all(template.join(path).parent().unwrap()).unwrap();
        fs::write(template.join(path), bytes).unwrap();
    }
    fs::write(
        template.join("page.html"),
        "<!doctype html><html lang={{lang}}><link rel=stylesheet href=\"{{assets}}/css/site.css\"><img src=\"{{assets}}/img/logo.svg\">{{message}}",
    )
    .unwrap();
    site.tool("on")
        .arg("--template")
        .arg(&template)
        .run()
        .expect_code(0);
    let page = ask(port, "GET", "/any/where", &[]);
    assert_eq!(page.status, 503, "{page:?}");
    let (_, link) = page.body.split_once("href=\"").unwrap();
    let assets = link.split_once("/css/site.css\"").unwrap().0;
    assert!(
        page.body
            .contains(&format!("src=\"{assets}/img/logo.svg\""))
    );
    let policy = page.header("content-security-policy").unwrap();
    for kind in ["style-src 'self'", "img-src 'self'", "font-src 'self'"] {
        assert!(policy.contains(kind), "{policy}");
    }
    for (path, bytes, kind) in files {
        let answer = ask(port, "GET", &format!("{assets}/{path}"), &[]);
        assert_eq!(
            (answer.status, answer.body.as_bytes()),
            (200, String::from_utf8_lossy(bytes).as_bytes()),
            "{path}: {answer:?}"
        );
        let given = answer.header("content-type").unwrap_or_default();
        assert!(given.starts_with(kind), "{path}: {given}");
    }
    assert_eq!(
        ask(port, "GET", &format!("{assets}/nothing.css"), &[]).status,
        404
    );
    site.tool("off").run().expect_code(0);
}

/// `verify` agrees with what was just seen, in both directions.
fn proves(site: &Site, port: u16) {
    let url = format!("http://127.0.0.1:{port}/some/page");
    let proven = site
        .tool("verify")
        .args(["--on", &url])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (
            &proven["verified"][0]["ok"],
            &proven["verified"][0]["requests"]
        ),
        (&Value::from(true), &Value::from(3))
    );
    site.tool("verify")
        .args(["--off", "--within", "50ms", &url])
        .run()
        .expect_code(1);
    site.tool("off")
        .args(["--verify", &url])
        .run()
        .expect_code(0);
    site.tool("verify")
        .args(["--off", "--expect", "200", &url])
        .run()
        .expect_code(0);
    site.tool("verify")
        .args(["--on", "--within", "50ms", &url])
        .run()
        .expect_code(1);
    for method in ["GET", "POST", "PUT"] {
        assert_eq!(
            ask(port, method, "/some/page", &[]).status,
            200,
            "{method} after"
        );
    }
}
