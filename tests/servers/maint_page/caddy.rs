//! Caddy with the printed configuration.

use super::site::{PAST, Site, ask, keeps_every_promise, lets_past, loses_nothing};
use harness::nginx::{Nginx, WWW_DATA};
use harness::{Server, free_port, need};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Caddy as www-data, with these lines after the snippet; its port.
fn caddy(site: &Site, rest: &str) -> (Server, u16) {
    let program = need("caddy").expect("caddy");
    let home = site.top().join("caddy");
    fs::create_dir(&home).unwrap();
    for _ in 0..5 {
        let port = free_port();
        let text = format!(
            "{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {}\n}}\nhttp://127.0.0.1:{port}, http://localhost:{port} {{\n\timport {}\n{rest}\n}}\n",
            home.display(),
            site.snippet("caddy").display()
        );
        fs::write(home.join("Caddyfile"), text).unwrap();
        let mut command = Command::new(&program);
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(home.join("Caddyfile"))
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", &home);
        if nix::unistd::geteuid().is_root() {
            chown(&home, Some(WWW_DATA), Some(WWW_DATA)).unwrap();
            command.uid(WWW_DATA).gid(WWW_DATA);
        }
        let mut server = Server::start(&mut command, &site.top().join("caddy.log"));
        let began = std::time::Instant::now();
        while server.runs() && began.elapsed().as_secs() < 20 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (server, port);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        eprintln!("{}", server.said());
    }
    panic!("caddy did not come up");
}

#[test]
fn the_printed_configuration_keeps_every_promise() {
    let site = Site::new();
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let (_caddy, port) = caddy(
        &site,
        &format!("\treverse_proxy 127.0.0.1:{}", backend.port()),
    );
    keeps_every_promise(&site, port);
}

#[test]
fn a_site_with_handles_of_its_own_is_put_into_one() {
    let site = Site::new();
    let rest = "\thandle {\n\t\thandle /static/* {\n\t\t\trespond \"a picture\"\n\t\t}\n\t\trespond \"app\"\n\t}";
    let (_caddy, port) = caddy(&site, rest);
    assert_eq!(ask(port, "GET", "/static/x.png", &[]).body, "a picture");
    site.tool("on").run().expect_code(0);
    assert_eq!(ask(port, "GET", "/static/x.png", &[]).status, 503);
    assert_eq!(ask(port, "GET", "/", &[]).status, 503);
}

#[test]
fn flips_under_load_lose_and_damage_nothing() {
    let site = Site::new();
    let (_caddy, port) = caddy(&site, "\trespond \"app\"");
    loses_nothing(&site, port);
}

#[test]
fn what_is_allowed_is_let_past() {
    let site = Site::allowing(&PAST);
    let backend = Nginx::serving("location / { return 200 'app'; }");
    let (_caddy, port) = caddy(
        &site,
        &format!("\treverse_proxy 127.0.0.1:{}", backend.port()),
    );
    lets_past(&site, port);
}
