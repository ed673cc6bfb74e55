//! What every server's test needs: a layout that the server's user can see, requests that are read to their last byte, and the one list of
//! what every configuration has to do.

use super::crowd::{Crowd, Tally, whole_page};
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
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    ask_on(stream, method, path, headers)
}

/// Whether an answer is there to the length that it names.
fn is_whole(bytes: &[u8], headless: bool) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .to_ascii_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .filter(|_| !headless)
        .unwrap_or(0);
    bytes.len() >= head.len() + 4 + length
}

fn ask_on(mut stream: TcpStream, method: &str, path: &str, headers: &[&str]) -> Answer {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let body = if matches!(method, "POST" | "PUT" | "PATCH") {
        "a=b&c=d"
    } else {
        ""
    };
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|line| line.starts_with("Connection:")) {
        request += "Connection: close\r\n";
    }
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
    if request.contains("\r\nConnection: close\r\n") {
        stream.read_to_end(&mut bytes).unwrap();
    } else {
        // Whoever asks for another protocol has the connection left open.
        while !is_whole(&bytes, method == "HEAD") {
            let mut more = [0; 4096];
            let n = stream.read(&mut more).unwrap();
            assert!(n > 0, "{method} {path}: the server hung up");
            bytes.extend_from_slice(&more[..n]);
        }
    }
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

/// Flips under a crowd, some of whom ask for paths that are let past the page all the while: every
/// answer is the site's or the whole page, and none is missing. The long form is 100 flips under 64 connections.
pub fn loses_nothing(site: &Site, port: u16) {
    let tally = flips(site, port);
    assert_eq!(
        tally.renewed, 0,
        "the server dropped kept connections: {tally:?}"
    );
}

/// The same, where the server may close connections that it has kept.
pub fn flips(site: &Site, port: u16) -> Tally {
    // So many visitors without a pause would leave no processor for the flips.
    let (flips, visitors, pause) = match harness::full_sweep() {
        true => (100, 64, Duration::from_millis(10)),
        false => (12, 16, Duration::ZERO),
    };
    let allowed = ["/healthz", "/healthz", "/hooks/pay", "/hooks/a/b"];
    let crowd = Crowd::with_allowed(port, visitors, &allowed, pause, whole_page);
    for n in 0..flips {
        site.tool("on")
            .args([
                "--message",
                &format!("Round {n}. {}", "x".repeat(n % 12 * 40)),
            ])
            .run()
            .expect_code(0);
        site.tool("on")
            .args(["--message", "Said otherwise."])
            .run()
            .expect_code(0);
        site.tool("off").run().expect_code(0);
    }
    let tally = crowd.leave();
    eprintln!("{flips} flips, {visitors} connections: {tally:?}");
    assert_eq!(tally.wrong, 0, "{tally:?}");
    assert!(
        tally.site > 0 && tally.page > 0 && tally.past > 0,
        "{tally:?}"
    );
    tally
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
    let from = ask_from("127.0.0.7", port, "/", &[]);
    assert_eq!(from.status, 200, "the allowed address");
    assert_eq!(
        ask_from("127.0.0.8", port, "/", &[]).status,
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

/// Behind a proxy at 127.0.0.1, what `Site::allowing` has is let past by the client's own address.
pub const PROXIED: [&str; 4] = ["--allow-from", "2001:db8::/32", "--allow-from", "192.0.2.7"];

/// The proxy's word counts, and nobody else's: not what a client writes into the header before the
/// proxy adds the client's address, nor the header of a client that comes without the proxy.
pub fn believes_the_proxy_alone(site: &Site, port: u16) {
    site.tool("on").run().expect_code(0);
    for (peer, forwarded, status) in [
        ("127.0.0.1", "2001:db8::5", 200),
        ("127.0.0.1", "192.0.2.7", 200),
        ("127.0.0.1", "192.0.2.8", 503),
        ("127.0.0.1", "2001:db9::5", 503),
        ("127.0.0.1", "192.0.2.7, 203.0.113.9", 503),
        ("127.0.0.1", "203.0.113.9, 192.0.2.7", 200),
        ("127.0.0.8", "192.0.2.7", 503),
        ("127.0.0.8", "2001:db8::5", 503),
    ] {
        let header = format!("X-Forwarded-For: {forwarded}");
        assert_eq!(
            ask_from(peer, port, "/", &[&header]).status,
            status,
            "{peer} with {forwarded}"
        );
    }
    assert_eq!(ask(port, "GET", "/", &[]).status, 503, "the proxy itself");
    site.tool("off").run().expect_code(0);
}

/// A request from one of this machine's loopback addresses.
pub fn ask_from(address: &str, port: u16, path: &str, headers: &[&str]) -> Answer {
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
    ask_on(TcpStream::from(fd), "GET", path, headers)
}
