//! What every server's test needs: a layout that the server's user can see, and requests that are
//! read to their last byte.

use harness::{TempDir, Tool, scratch, tool};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
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

pub fn ask_on(mut stream: TcpStream, method: &str, path: &str, headers: &[&str]) -> Answer {
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

/// Behind a proxy at 127.0.0.1, what `Site::allowing` has is let past by the client's own address.
pub const PROXIED: [&str; 4] = ["--allow-from", "2001:db8::/32", "--allow-from", "192.0.2.7"];
