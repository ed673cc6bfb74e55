//! Apache with the printed configuration, mod_proxy in front of nginx.

use super::site::{PAST, Site, ask, keeps_every_promise, lets_past, loses_nothing};
use harness::nginx::{Nginx, WWW_DATA};
use harness::{Server, free_port, need};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const MODULES: [&str; 11] = [
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
];

/// Apache as www-data; its port.
fn apache(site: &Site, backend: &Nginx) -> (Server, u16) {
    let program = need("apache2").expect("apache2");
    let home = site.top().join("apache");
    fs::create_dir(&home).unwrap();
    for _ in 0..5 {
        let port = free_port();
        fs::write(
            home.join("apache.conf"),
            configuration(&home, port, &site.snippet("apache"), backend.port()),
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
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (server, port);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        eprintln!("{}", server.said());
    }
    panic!("apache2 did not come up");
}

fn configuration(home: &Path, port: u16, snippet: &Path, backend: u16) -> String {
    let home = home.display();
    let modules = MODULES
        .iter()
        .filter(|m| Path::new(&format!("/usr/lib/apache2/modules/mod_{m}.so")).exists());
    let load: String = modules
        .map(|m| format!("LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"))
        .collect();
    format!(
        "ServerRoot {home}\nServerName localhost\n{load}TypesConfig /etc/mime.types\nPidFile {home}/pid\nErrorLog {home}/error.log\n\
         Mutex file:{home}\nListen 127.0.0.1:{port}\nKeepAlive On\n\
         <VirtualHost *:{port}>\nServerName localhost\nRedirectMatch 404 \"/\\.(?!well-known)\"\nInclude {}\nProxyPass / http://127.0.0.1:{backend}/\n</VirtualHost>\n",
        snippet.display()
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
    let site = Site::new();
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let (_apache, port) = apache(&site, &backend);
    loses_nothing(&site, port);
}

#[test]
fn what_is_allowed_is_let_past() {
    let site = Site::allowing(&PAST);
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let (_apache, port) = apache(&site, &backend);
    lets_past(&site, port);
}
