//! Real web servers: pages, listings, robots.txt, certificates.

use super::{answer, check, check_file, item};
use harness::nginx::Nginx;
use harness::{Server, TempDir, free_port, need, scratch, wait_until};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn open_to_all(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A directory with uploads that nobody should find.
fn media() -> TempDir {
    let dir = scratch();
    open_to_all(dir.path());
    for name in ["holiday.jpg", "passport scan.pdf"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    dir
}

#[test]
fn pages_of_nginx() {
    if need("nginx").is_none() {
        return;
    }
    let nginx = Nginx::serving(
        "location = / { return 200 'welcome'; } location = /old { return 301 /; } location = /broken { return 500; } \
         location = /head { add_header X-Frame-Options DENY; return 200 ok; } \
         location = /robots.txt { return 200 \"User-agent: *\\nDisallow: /\\n\"; } location = /part/robots.txt { return 200 \"User-agent: *\\nDisallow: /admin\\n\"; }",
    );
    let url = |path: &str| nginx.url(path);
    for (need, says) in [
        (format!("http:{}", url("/")), "met"),
        (format!("http:{}", url("/old")), "unmet status"),
        (format!("http:{}=301", url("/old")), "met"),
        (format!("http:{}", url("/broken")), "unmet status"),
        (format!("http:{}=500", url("/broken")), "met"),
        (format!("robots:{}", url("/robots.txt")), "met"),
        (
            format!("robots:{}", url("/part/robots.txt")),
            "unmet allowed",
        ),
        (format!("robots:{}=/admin", url("/part/robots.txt")), "met"),
        (
            format!("robots:{}", url("/none/robots.txt")),
            "unmet missing",
        ),
        (
            format!("http:http://127.0.0.1:{}/", free_port()),
            "unmet refused",
        ),
    ] {
        assert_eq!(answer(&check(&[&need])), says, "{need}");
    }
    for (keys, says) in [
        (format!("url = \"{}\"\nredirects = 1", url("/old")), "met"),
        (
            format!("url = \"{}\"\ncontains = \"welcome\"", url("/")),
            "met",
        ),
        (
            format!("url = \"{}\"\ncontains = \"goodbye\"", url("/")),
            "unmet body",
        ),
        (
            format!("url = \"{}\"\nlacks = \"welcome\"", url("/")),
            "unmet body",
        ),
        (
            format!(
                "url = \"{}\"\nheader = {{ x-frame-options = \"DENY\" }}",
                url("/head")
            ),
            "met",
        ),
        (
            format!(
                "url = \"{}\"\nheader = {{ Strict-Transport-Security = \"\" }}",
                url("/head")
            ),
            "unmet header",
        ),
        (
            format!(
                "url = \"http://site.example/\"\nconnect = \"127.0.0.1:{}\"",
                nginx.port()
            ),
            "met",
        ),
        (
            format!(
                "url = \"{}\"\nmethod = \"HEAD\"\nstatus = [200, 204]",
                url("/")
            ),
            "met",
        ),
    ] {
        assert_eq!(
            answer(&check_file(&format!(
                "[[check]]\ntype = \"http\"\n{keys}\n"
            ))),
            says,
            "{keys}"
        );
    }
}

#[test]
fn listings_of_nginx_are_found_in_every_format() {
    if need("nginx").is_none() {
        return;
    }
    let media = media();
    let at = media.path().display();
    let nginx = Nginx::serving(&format!(
        "location /open/ {{ alias {at}/; autoindex on; }} location /json/ {{ alias {at}/; autoindex on; autoindex_format json; }} \
         location /xml/ {{ alias {at}/; autoindex on; autoindex_format xml; }} location /closed/ {{ alias {at}/; }} \
         location /gone/ {{ return 404; }} location /page/ {{ return 200 '<h1>Welcome</h1>'; }}"
    ));
    for (path, says) in [
        ("/open/", "unmet listed"),
        ("/json/", "unmet listed"),
        ("/xml/", "unmet listed"),
        ("/closed/", "met"),
        ("/gone/", "met"),
        ("/page/", "met"),
    ] {
        assert_eq!(
            answer(&check(&[&format!("noindex:{}", nginx.url(path))])),
            says,
            "{path}"
        );
    }
    let with = |path: &str, directory: &str| {
        answer(&check_file(&format!(
            "[[check]]\ntype = \"noindex\"\nurl = \"{}\"\ndirectory = \"{directory}\"\n",
            nginx.url(path)
        )))
    };
    assert_eq!(with("/open/", &at.to_string()), "unmet listed");
    assert_eq!(with("/gone/", &at.to_string()), "met");
    assert_eq!(
        with("/gone/", "/no/such/media"),
        "unknown no_directory",
        "404 says nothing of a directory that is not there"
    );
}

#[test]
fn listings_of_other_servers() {
    let media = media();
    let dir = scratch();
    let wait = |port: u16| {
        wait_until("the server listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
    };

    let port = free_port();
    let mut python = Command::new("/usr/bin/python3");
    python
        .args([
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            &port.to_string(),
            "-d",
        ])
        .arg(media.path());
    let _python = Server::start(&mut python, &dir.path().join("python.log"));
    wait(port);
    assert_eq!(
        answer(&check(&[&format!("noindex:http://127.0.0.1:{port}/")])),
        "unmet listed"
    );

    if let Some(caddy) = need("caddy") {
        let (open, closed) = (free_port(), free_port());
        for (port, browse) in [(open, true), (closed, false)] {
            // Both want the admin port: a configuration of its own switches that off.
            let site = if browse {
                "file_server browse"
            } else {
                "file_server"
            };
            let conf = dir.path().join(format!("Caddyfile{port}"));
            let text = format!(
                "{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n root * {}\n {site}\n}}\n",
                media.path().display()
            );
            fs::write(&conf, text).unwrap();
            let mut command = Command::new(&caddy);
            command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(&conf);
            command
                .env("HOME", dir.path())
                .env("XDG_CONFIG_HOME", dir.path())
                .env("XDG_DATA_HOME", dir.path());
            let server = Server::start(&mut command, &dir.path().join(format!("caddy{port}.log")));
            wait(port);
            let says = if browse { "unmet listed" } else { "met" };
            assert_eq!(
                answer(&check(&[&format!("noindex:http://127.0.0.1:{port}/")])),
                says,
                "{}",
                server.said()
            );
        }
    }

    if let Some(apache) = need("apache2") {
        let port = free_port();
        let conf = dir.path().join("apache.conf");
        let text = format!(
            "ServerRoot {0}\nPidFile {0}/apache.pid\nErrorLog {0}/error.log\nListen 127.0.0.1:{port}\nServerName localhost\nMutex file:{0}\n\
             User www-data\nGroup www-data\n\
             LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\nLoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
             LoadModule autoindex_module /usr/lib/apache2/modules/mod_autoindex.so\nLoadModule alias_module /usr/lib/apache2/modules/mod_alias.so\n\
             LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so\n\
             Alias /open/ {1}/\nAlias /closed/ {1}/\n<Directory />\nRequire all granted\n</Directory>\n\
             <Location /open/>\nOptions +Indexes\nIndexOptions FancyIndexing\n</Location>\n<Location /closed/>\nOptions -Indexes\n</Location>\n",
            dir.path().display(),
            media.path().display()
        );
        open_to_all(dir.path());
        fs::write(&conf, text).unwrap();
        let mut command = Command::new(apache);
        command.args(["-X", "-f"]).arg(&conf);
        let server = Server::start(&mut command, &dir.path().join("apache.log"));
        wait_until("Apache listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
                || !server.said().is_empty() && server.said().contains("AH00")
        });
        assert_eq!(
            answer(&check(&[&format!("noindex:http://127.0.0.1:{port}/open/")])),
            "unmet listed",
            "{}",
            server.said()
        );
        assert_eq!(
            answer(&check(&[&format!(
                "noindex:http://127.0.0.1:{port}/closed/"
            )])),
            "met"
        );
    }
}

/// A certificate authority, and a certificate that it signed for localhost, valid for so many days.
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    pub fn new() -> Authority {
        let dir = scratch();
        let made = Authority { dir };
        made.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=TestCA");
        made
    }

    fn openssl(&self, line: &str) {
        self.run(Command::new("openssl"), line);
    }

    fn run(&self, mut program: Command, line: &str) {
        let done = program
            .args(line.split(' '))
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    pub fn issue(&self, name: &str, days: i32, host: &str) {
        self.openssl(&format!(
            "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={host}"
        ));
        fs::write(
            self.dir.path().join("ext"),
            format!("subjectAltName=DNS:{host},IP:127.0.0.1\n"),
        )
        .unwrap();
        // OpenSSL 3.4 and later sign nothing that is over already: that one was made for a day,
        // some days ago.
        let mut openssl = Command::new("openssl");
        if days < 0 {
            openssl = Command::new("faketime");
            openssl.args(["-f", &format!("{}d", days - 1), "openssl"]);
        }
        let days = days.max(1);
        self.run(
            openssl,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days {days} -extfile ext"
            ),
        );
    }

    /// Lets the server's own user read keys that are worth nothing.
    pub fn open_to_all(&self) {
        open_to_all(self.dir.path());
        for entry in fs::read_dir(self.dir.path()).unwrap().flatten() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o644)).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }
}

#[test]
fn certificates() {
    if need("nginx").is_none() || need("openssl").is_none() || need("faketime").is_none() {
        return;
    }
    let authority = Authority::new();
    for (name, days, host) in [
        ("good", 90, "localhost"),
        ("soon", 5, "localhost"),
        ("over", -1, "localhost"),
        ("other", 90, "elsewhere.example"),
    ] {
        authority.issue(name, days, host);
    }
    authority.open_to_all();
    let ports: Vec<u16> = (0..4).map(|_| free_port()).collect();
    let mut builder = Nginx::new();
    for (name, port) in ["good", "soon", "over", "other"].iter().zip(&ports) {
        builder = builder.http(&format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ return 200 secure; }} }}",
            authority.path(&format!("{name}.pem")),
            authority.path(&format!("{name}.key"))
        ));
    }
    let nginx = builder.server("location / { return 200 plain; }").start();
    let ask = |port: u16, more: &str| {
        let ca = authority.path("ca.pem");
        check_file(&format!(
            "[[check]]\ntype = \"tls\"\nhost = \"localhost\"\nport = {port}\nca = \"{ca}\"\n{more}\n"
        ))
    };
    assert_eq!(answer(&ask(ports[0], "")), "met");
    assert_eq!(
        answer(&ask(ports[0], "left = \"100d\"")),
        "unmet expires_soon"
    );
    assert_eq!(answer(&ask(ports[1], "")), "unmet expires_soon");
    assert_eq!(answer(&ask(ports[1], "left = \"2d\"")), "met");
    assert_eq!(answer(&ask(ports[2], "")), "unmet expired");
    assert_eq!(answer(&ask(ports[3], "")), "unmet name");
    assert_eq!(
        answer(&ask(ports[3], "name = \"elsewhere.example\"")),
        "met"
    );
    assert_eq!(
        answer(&check(&[&format!("tls:localhost:{}", ports[0])])),
        "unmet untrusted",
        "this host does not know the authority"
    );
    assert_eq!(answer(&ask(nginx.port(), "")), "unmet no_tls");
    assert_eq!(answer(&ask(free_port(), "")), "unmet refused");

    // A page over HTTPS, with the authority trusted by the caller's environment, and without.
    let url = format!("https://localhost:{}/", ports[0]);
    let trusted = harness::tool("check-reqs")
        .arg(format!("http:{url}"))
        .env("SSL_CERT_FILE", authority.path("ca.pem"))
        .run();
    assert_eq!(answer(&trusted), "met", "{}", trusted.out());
    assert_eq!(answer(&check(&[&format!("http:{url}")])), "unmet tls");
    let insecure = format!(
        "[[check]]\ntype = \"http\"\nurl = \"{url}\"\ninsecure = true\ncontains = \"secure\"\n"
    );
    assert_eq!(answer(&check_file(&insecure)), "met");
    assert!(item(&check(&[&format!("http:{url}")]))["fix"].is_object());
}
