//! What every server's test needs: a layout that the server's user can see, requests that are read to their last byte, and the one list of
//! what every configuration has to do.

use super::crowd::{Crowd, whole_page};
use harness::{TempDir, Tool, need, scratch, tool};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A directory for the page of one site.
pub struct Site {
    top: TempDir,
    allow: Vec<String>,
}

impl Site {
    pub fn new() -> Site {
        let top = scratch();
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Site {
            top,
            allow: Vec::new(),
        }
    }

    /// One whose configuration lets this past the page: `--allow-path`, `--allow-from`.
    pub fn allowing(words: &[&str]) -> Site {
        let allow = words.iter().map(|word| (*word).to_owned()).collect();
        Site {
            allow,
            ..Site::new()
        }
    }

    pub fn top(&self) -> &Path {
        self.top.path()
    }

    pub fn dir(&self) -> PathBuf {
        self.top.path().join("maintenance")
    }

    /// `maint-page COMMAND --dir …`.
    pub fn tool(&self, command: &str) -> Tool {
        tool("maint-page")
            .arg(command)
            .arg("--dir")
            .arg(self.dir())
            .env_remove("SUDO_USER")
    }

    /// The configuration for `server`, in a file.
    pub fn snippet(&self, server: &str) -> PathBuf {
        let path = self.top.path().join(format!("maint-page.{server}"));
        fs::write(
            &path,
            self.tool("snippet")
                .arg(server)
                .args(&self.allow)
                .run()
                .expect_code(0)
                .stdout,
        )
        .unwrap();
        path
    }

    /// The token of the only hold.
    pub fn token(&self) -> String {
        let status: Value = self.tool("status").run().json();
        status["holds"][0]["token"].as_str().unwrap().to_owned()
    }
}

/// One answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| {
            line.to_ascii_lowercase()
                .starts_with(&format!("{}:", name.to_ascii_lowercase()))
        })?;
        Some(line.split_once(':')?.1.trim())
    }
}

/// A request on a connection of its own.
pub fn ask(port: u16, method: &str, path: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let body = if matches!(method, "POST" | "PUT") {
        "a=b&c=d"
    } else {
        ""
    };
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        request += "Host: localhost\r\n";
    }
    for line in headers {
        request += &format!("{line}\r\n");
    }
    if !body.is_empty() {
        request += &format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    request += "\r\n";
    request += body;
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no whole answer to {method} {path}: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.to_ascii_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:")
            .map(|n| n.trim().to_owned())
    });
    if let Some(length) = length.filter(|_| method != "HEAD") {
        assert_eq!(
            body.len().to_string(),
            length,
            "{method} {path} was cut short"
        );
    }
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

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
    for method in ["GET", "POST", "PUT", "HEAD"] {
        for (path, headers) in [
            ("/some/page", vec![]),
            ("/", vec!["Range: bytes=0-3"]),
            (
                "/x?y=z",
                vec![
                    "If-Modified-Since: Wed, 21 Nov 2040 07:28:00 GMT",
                    "If-None-Match: *",
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
    uploads(site, port);
    bypasses(site, port);
    proves(site, port);
}

/// An upload larger than the server takes is refused with the page, not with 413 or a broken connection.
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

/// Flips under a crowd: every answer is the site's or the whole page.
pub fn loses_nothing(site: &Site, port: u16) {
    let crowd = Crowd::gather(port, 16, whole_page);
    for n in 0..12 {
        site.tool("on")
            .args(["--message", &format!("Round {n}. {}", "x".repeat(n * 40))])
            .run()
            .expect_code(0);
        site.tool("on")
            .args(["--message", "Said otherwise."])
            .run()
            .expect_code(0);
        site.tool("off").run().expect_code(0);
    }
    let tally = crowd.leave();
    assert_eq!(tally.wrong, 0, "{tally:?}");
    assert!(tally.site > 0 && tally.page > 0, "{tally:?}");
}

/// What `Site::allowing(PAST)` lets past: one path, everything below another, and one network that
/// the request says it comes from.
pub const PAST: [&str; 6] = [
    "--allow-path",
    "/healthz",
    "--allow-path",
    "/hooks/",
    "--allow-from",
    "127.0.0.7/32",
];

/// Allowed paths and networks reach the site while the page is up, and nothing else does; `verify`
/// tells the one from the other.
pub fn lets_past(site: &Site, port: u16) {
    let up = |path: &str| {
        (
            ask(port, "GET", path, &[]).status,
            ask(port, "POST", path, &[]).status,
        )
    };
    site.tool("on").run().expect_code(0);
    for path in ["/healthz", "/hooks/pay"] {
        assert_eq!(up(path), (200, 200), "{path}");
    }
    for path in [
        "/",
        "/healthz/x",
        "/healthzz",
        "/hooks",
        "/Healthz",
        "/x/healthz",
        "/hooks/../admin",
    ] {
        assert_eq!(up(path), (503, 503), "{path}");
    }
    let from = ask_from("127.0.0.7", port, "/");
    assert_eq!(from.status, 200, "the allowed address");
    assert_eq!(
        ask_from("127.0.0.8", port, "/").status,
        503,
        "another address"
    );
    let verify = |path: &str| {
        site.tool("verify")
            .args([
                "--on",
                "--within",
                "50ms",
                &format!("http://127.0.0.1:{port}{path}"),
            ])
            .run()
    };
    verify("/").expect_code(0);
    let past = verify("/healthz").expect_code(1).json();
    assert_eq!(past["verified"][0]["cause"], "let_past", "{past}");
    site.tool("off").run().expect_code(0);
    assert_eq!(up("/"), (200, 200));
    let off = verify("/").expect_code(1).json();
    assert_ne!(off["verified"][0]["cause"], "let_past", "{off}");
}

/// A request from one of this machine's loopback addresses.
fn ask_from(address: &str, port: u16, path: &str) -> Answer {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};
    use std::os::fd::AsRawFd;
    let fd = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    let from: std::net::SocketAddrV4 = format!("{address}:0").parse().unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn::from(from)).unwrap();
    let to: std::net::SocketAddrV4 = format!("127.0.0.1:{port}").parse().unwrap();
    connect(fd.as_raw_fd(), &SockaddrIn::from(to)).unwrap();
    let mut stream = TcpStream::from(fd);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
