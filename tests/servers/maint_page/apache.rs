//! Apache with the printed configuration, mod_proxy in front of nginx.

use super::promises::{keeps_every_promise, serves_a_template_in_full};
use super::site::{PAST, PROXIED, Site, ask};
use super::unchanged::{Requests, changes_nothing};
use super::visitors::{believes_the_proxy_alone, flips, lets_past};
use harness::nginx::{Nginx, WWW_DATA};
use harness::{Server, free_port, need};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

const MODULES: [&str; 17] = [
    "mpm_event",
    "authz_core",
    "alias",
    "rewrite",
    "headers",
    "mime",
    "setenvif",
    "proxy",
    "proxy_http",
    "dir",
    "unixd",
    "auth_basic",
    "authn_core",
    "authn_file",
    "authz_user",
    "log_config",
    "remoteip",
];

/// Apache as www-data; its port.
fn apache(site: &Site, backend: &Nginx) -> (Server, u16) {
    let host = format!(
        "RedirectMatch 404 \"/\\.(?!well-known)\"\nInclude {}\nProxyPass / http://127.0.0.1:{}/",
        site.snippet("apache").display(),
        backend.port()
    );
    let (server, ports) = serving(site, "", &[&host]);
    (server, ports[0])
}

/// Apache with lines for the whole server and a virtual host for each of `hosts`; their ports.
fn serving(site: &Site, server_wide: &str, hosts: &[&str]) -> (Server, Vec<u16>) {
    let program = need("apache2").expect("apache2");
    let home = site.top().join("apache");
    fs::create_dir(&home).unwrap();
    for _ in 0..5 {
        let ports: Vec<u16> = hosts.iter().map(|_| free_port()).collect();
        fs::write(
            home.join("apache.conf"),
            configuration(&home, server_wide, hosts, &ports),
        )
        .unwrap();
        let mut command = Command::new(&program);
        command
            .args(["-DFOREGROUND", "-f"])
            .arg(home.join("apache.conf"));
        if nix::unistd::geteuid().is_root() {
            chown(&home, Some(WWW_DATA), Some(WWW_DATA)).unwrap();
            command.uid(WWW_DATA).gid(WWW_DATA);
        }
        let mut server = Server::start(&mut command, &home.join("output"));
        let began = std::time::Instant::now();
        while server.runs() && began.elapsed().as_secs() < 20 {
            if TcpStream::connect(("127.0.0.1", ports[0])).is_ok() {
                return (server, ports);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        eprintln!("{}", server.said());
    }
    panic!("apache2 did not come up");
}

fn configuration(home: &Path, server_wide: &str, hosts: &[&str], ports: &[u16]) -> String {
    let home = home.display();
    let modules = MODULES
        .iter()
        .filter(|m| Path::new(&format!("/usr/lib/apache2/modules/mod_{m}.so")).exists());
    let load: String = modules
        .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
        .collect();
    let hosts: String = hosts
        .iter()
        .zip(ports)
        .map(|(lines, port)| {
            format!("Listen 127.0.0.1:{port}\n<VirtualHost *:{port}>\nServerName localhost\n{lines}\n</VirtualHost>\n")
        })
        .collect();
    format!(
        "ServerRoot {home}\nServerName localhost\n{load}TypesConfig /etc/mime.types\nPidFile {home}/pid\nErrorLog {home}/error.log\n\
         Mutex file:{home}\nKeepAlive On\n{server_wide}\n{hosts}"
    )
}

#[test]
fn the_printed_configuration_keeps_every_promise() {
    let site = Site::new();
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let (_apache, port) = apache(&site, &backend);
    keeps_every_promise(&site, port);
}

#[test]
fn a_backend_that_is_down_or_busy_is_not_called_maintenance() {
    let site = Site::new();
    let backend = Nginx::serving("location / { return 503 'the site is busy'; }");
    let (_apache, port) = apache(&site, &backend);
    site.tool("on").run().expect_code(0);
    site.tool("off").run().expect_code(0);
    assert_eq!(ask(port, "GET", "/", &[]).body, "the site is busy");
    drop(backend);
    let down = ask(port, "GET", "/", &[]);
    assert!(
        down.status == 503 && !down.body.contains("maint-page"),
        "{down:?}"
    );
}

#[test]
fn flips_under_load_lose_and_damage_nothing() {
    let site = Site::allowing(&PAST[..4]);
    // mod_proxy drops a visitor's kept connection where the backend closes its own.
    let backend = Nginx::serving(
        "keepalive_requests 100000000; keepalive_timeout 1h; location / { return 200 'app'; }",
    );
    let (_apache, port) = apache(&site, &backend);
    // Apache closes each connection after a 503, and at such a rate also some that it has kept.
    let tally = flips(&site, port);
    assert!(tally.renewed * 100 < tally.past, "{tally:?}");
}

#[test]
fn what_is_allowed_is_let_past() {
    let site = Site::allowing(&PAST);
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let (_apache, port) = apache(&site, &backend);
    lets_past(&site, port);
}

#[test]
fn a_template_is_served_in_full() {
    let site = Site::new();
    let backend = Nginx::serving("location / { return 404; }");
    let (_apache, port) = apache(&site, &backend);
    serves_a_template_in_full(&site, port);
}

/// The address is the one that mod_remoteip took from the proxy's header.
#[test]
fn behind_a_proxy_the_clients_own_address_counts() {
    let site = Site::allowing(&PROXIED);
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let host = format!(
        "Include {}\nProxyPass / http://127.0.0.1:{}/",
        site.snippet("apache").display(),
        backend.port()
    );
    let remote = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1";
    let (_apache, ports) = serving(&site, remote, &[&host]);
    believes_the_proxy_alone(&site, ports[0]);
}

/// A password for the whole site stays in force, and does not hide the page from those let in.
#[test]
fn the_sites_own_rules_stay_in_force() {
    let site = Site::new();
    fs::write(
        site.top().join("users"),
        "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
    )
    .unwrap();
    let host = format!(
        "Include {}\n<Location />\nAuthType Basic\nAuthName staging\nAuthUserFile {}\nRequire valid-user\n</Location>",
        site.snippet("apache").display(),
        site.top().join("users").display()
    );
    let (_apache, ports) = serving(&site, "", &[&host]);
    site.tool("on").run().expect_code(0);
    let alice = "Authorization: Basic YWxpY2U6c2VjcmV0";
    assert_eq!(ask(ports[0], "GET", "/", &[]).status, 401);
    let page = ask(ports[0], "POST", "/x", &[alice]);
    assert_eq!(
        (page.status, page.header("retry-after")),
        (503, Some("120"))
    );
    assert!(page.body.contains("<!-- maint-page 1 "), "{page:?}");
}

/// Two virtual hosts with the same site, the second with the snippet; error documents at each
/// level.
#[test]
fn outside_of_maintenance_the_snippet_changes_nothing() {
    let site = Site::allowing(&PAST);
    let root = site.top().join("root");
    fs::create_dir(&root).unwrap();
    for (name, text) in [
        ("a.txt", "0123456789"),
        ("busy.html", "the server says 503"),
        ("own.html", "the host says 503"),
    ] {
        fs::write(root.join(name), text).unwrap();
        // Apache's ETag of a file is weak in the second in which the file was written.
        let old = SystemTime::now() - Duration::from_secs(3600);
        let file = fs::File::options().append(true).open(root.join(name));
        file.unwrap().set_modified(old).unwrap();
    }
    fs::write(
        site.top().join("users"),
        "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n",
    )
    .unwrap();
    let backend = Nginx::serving(
        "location / { return 200 'app'; }\nlocation /busy { return 503 'busy'; }\nlocation /gone { return 404 'gone'; }",
    );
    let rest = |log: &str, own: &str| {
        format!(
            "RewriteEngine On\nDocumentRoot {root}\nCustomLog {log} steady\n{own}\n\
             RewriteRule ^/busy$ - [R=503,L]\nRewriteRule ^/gone$ - [R=404,L]\nRewriteRule ^/inner/(.*)$ /$1 [PT,L]\n\
             RewriteRule ^/old/(.*)$ /$1 [R=301,L]\nRewriteRule ^/try/ /a.txt [PT,L]\nRewriteRule ^/no/ - [F]\n\
             <Location /own/>\nErrorDocument 404 \"the location says 404\"\n</Location>\n\
             <Location /lock/>\nAuthType Basic\nAuthName staging\nAuthUserFile {users}\nRequire valid-user\n</Location>\n\
             <Location /small/>\nLimitRequestBody 3\n</Location>\n\
             ProxyPass /up/ http://127.0.0.1:{backend}/\nProxyPass /raw/ http://127.0.0.1:{backend}/\n\
             ProxyPass /small/ http://127.0.0.1:{backend}/\nProxyPass /dead/ http://127.0.0.1:9/",
            root = root.display(),
            log = site.top().join("apache").join(log).display(),
            users = site.top().join("users").display(),
            backend = backend.port()
        )
    };
    let snippet = format!("Include {}", site.snippet("apache").display());
    let wide = format!(
        "ErrorDocument 503 /busy.html\nErrorDocument 404 \"the server says 404\"\nErrorDocument 403 \"the server says 403\"\n\
         LogFormat \"%r %>s %b %U %q %k %X\" steady\n<Directory {}>\nRequire all granted\n</Directory>",
        root.display()
    );
    // Where the virtual host has no ErrorDocument 503, the server's holds.
    let own = "ErrorDocument 503 /own.html";
    let hosts = [
        rest("plain.log", ""),
        rest("with.log", &snippet),
        rest("plain-own.log", own),
        rest("with-own.log", &format!("{own}\n{snippet}")),
    ];
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let (_apache, ports) = serving(&site, &wide, &hosts);
    site.tool("on").run().expect_code(0);
    site.tool("off").run().expect_code(0);
    let log = |name: &str| fs::read_to_string(site.top().join("apache").join(name)).unwrap();
    for (level, of, plain, with) in [
        ("server", 0, "plain.log", "with.log"),
        ("host", 2, "plain-own.log", "with-own.log"),
    ] {
        changes_nothing(level, ports[of], ports[of + 1], Requests::all());
        let lines = Requests::all().len();
        harness::wait_until("the logs", || {
            log(plain).lines().count() >= lines && log(with).lines().count() >= lines
        });
        // Workers write side by side.
        let sorted = |name: &str| {
            let mut lines: Vec<String> = log(name).lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(plain), sorted(with), "{level}");
    }
    let busy = |port: u16| ask(port, "GET", "/busy", &[]).body;
    assert_eq!(
        (busy(ports[1]).as_str(), busy(ports[3]).as_str()),
        ("the server says 503", "the host says 503")
    );
}
