//! Caddy with the printed configuration.

use super::promises::{keeps_every_promise, serves_a_template_in_full};
use super::site::{PAST, PROXIED, Site, ask};
use super::unchanged::{Requests, changes_nothing};
use super::visitors::{ask_from, believes_the_proxy_alone, lets_past, loses_nothing};
use harness::nginx::{Nginx, WWW_DATA};
use harness::{Server, free_port, need};
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Caddy as www-data, with these lines after the snippet; its port.
fn caddy(site: &Site, rest: &str) -> (Server, u16) {
    let block = format!("\timport {}\n{rest}", site.snippet("caddy").display());
    let (server, ports) = serving(site, "", &[&block]).expect("caddy did not come up");
    (server, ports[0])
}

/// The major and the minor number of this Caddy.
fn version() -> (u32, u32) {
    let said = Command::new(need("caddy").expect("caddy"))
        .arg("version")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut numbers = text
        .trim_start_matches('v')
        .split(['.', ' ', '-'])
        .map(|word| word.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Caddy with lines for its global options and a site for each of `blocks`; their ports. What it
/// said, where it refuses its configuration.
fn serving(site: &Site, options: &str, blocks: &[&str]) -> Result<(Server, Vec<u16>), String> {
    let program = need("caddy").expect("caddy");
    let home = site.top().join("caddy");
    fs::create_dir(&home).unwrap();
    let mut said = String::new();
    for _ in 0..5 {
        let ports: Vec<u16> = blocks.iter().map(|_| free_port()).collect();
        let mut text = format!(
            "{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {}\n{options}\n}}\n",
            home.display()
        );
        for (block, port) in blocks.iter().zip(&ports) {
            text += &format!("http://127.0.0.1:{port}, http://localhost:{port} {{\n{block}\n}}\n");
        }
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
            if ports
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
            {
                return Ok((server, ports));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        said = server.said();
        if said.contains("unrecognized") || said.contains("not registered") {
            break;
        }
    }
    Err(said)
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
    let site = Site::allowing(&PAST[..4]);
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

#[test]
fn a_template_is_served_in_full() {
    let site = Site::new();
    let (_caddy, port) = caddy(&site, "\trespond 404");
    serves_a_template_in_full(&site, port);
}

/// The plain text compares the address of the connection, whatever a header says.
#[test]
fn a_forged_header_lets_nobody_past() {
    let site = Site::allowing(&PROXIED);
    let (_caddy, port) = caddy(&site, "\trespond \"app\"");
    site.tool("on").run().expect_code(0);
    for (peer, forwarded) in [
        ("127.0.0.1", "192.0.2.7"),
        ("127.0.0.8", "192.0.2.7"),
        ("127.0.0.8", "2001:db8::5"),
    ] {
        for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
            let header = format!("{name}: {forwarded}");
            assert_eq!(
                ask_from(peer, port, "/", &[&header]).status,
                503,
                "{peer} {header}"
            );
        }
    }
}

/// client_ip came with Caddy 2.7 and trusted_proxies_strict with 2.8: an older one refuses them.
#[test]
fn behind_a_proxy_the_clients_own_address_counts() {
    let site = Site::allowing(&PROXIED);
    let block = format!(
        "\timport {}\n\trespond \"app\"",
        site.snippet("caddy-proxied").display()
    );
    let options =
        "\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}";
    let started = serving(&site, options, &[&block]);
    if version() >= (2, 8) {
        let (_caddy, ports) = started.unwrap();
        believes_the_proxy_alone(&site, ports[0]);
    } else {
        let said = started.map(|_| ()).unwrap_err();
        assert!(said.contains("trusted_proxies"), "{said}");
    }
}

/// The same site twice, the second with the snippet; with and without handle_errors. Whether
/// Caddy's own limit of a body (413) or the answer of what is behind it comes first is a race in
/// Caddy, so the 413 here is an error that the site raises.
#[test]
fn outside_of_maintenance_the_snippet_changes_nothing() {
    let site = Site::allowing(&PAST);
    let root = site.top().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.txt"), "0123456789").unwrap();
    let backend = Nginx::serving(
        "location / { return 200 'app'; }\nlocation /busy { return 503 'busy'; }\nlocation /gone { return 404 'gone'; }",
    );
    // bcrypt of `secret` at its lowest cost, in base64 as Caddy 2.6 wants it and newer ones take
    // it.
    let hash = "JDJiJDA0JERJT3hlT2UucnRtWmNiVi5YWEtQQWVmOTJCcFowMXBGL3g0YWQ5Y082RWVpWDhnZ3ZzeVll";
    let rest = |log: &str, own: &str| {
        format!(
            "\troot * {root}\n\tlog {{\n\t\toutput file {log}\n\t\tformat json\n\t}}\n{own}\n\
             \terror /busy 503\n\terror /gone 404\n\terror /no/* 403\n\tredir /old/* /a.txt permanent\n\
             \trewrite /try/* /a.txt\n\turi strip_prefix /inner\n\
             \tbasicauth /lock/* {{\n\t\talice {hash}\n\t}}\n\
             \terror /small/* 413\n\
             \treverse_proxy /up/* 127.0.0.1:{backend}\n\treverse_proxy /raw/* 127.0.0.1:{backend}\n\
             \treverse_proxy /dead/* 127.0.0.1:9\n\tfile_server",
            root = root.display(),
            log = site.top().join("caddy").join(log).display(),
            backend = backend.port()
        )
    };
    let snippet = format!("\timport {}", site.snippet("caddy").display());
    let own = "\thandle_errors {\n\t\trespond \"the site says {err.status_code}\"\n\t}";
    let blocks = [
        rest("plain.log", ""),
        rest("with.log", &snippet),
        rest("plain-own.log", own),
        rest("with-own.log", &format!("{snippet}\n{own}")),
    ];
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    let (_caddy, ports) = serving(&site, "", &blocks).unwrap();
    site.tool("on").run().expect_code(0);
    site.tool("off").run().expect_code(0);
    for (level, of, plain, with) in [
        ("none", 0, "plain.log", "with.log"),
        ("handle_errors", 2, "plain-own.log", "with-own.log"),
    ] {
        changes_nothing(level, ports[of], ports[of + 1], Requests::all());
        let lines = Requests::all().len();
        let log = |name: &str| steady(&site.top().join("caddy").join(name));
        harness::wait_until("the logs", || {
            log(plain).len() >= lines && log(with).len() >= lines
        });
        assert_eq!(log(plain), log(with), "{level}");
    }
}

/// What of Caddy's access log does not change from one request to the next.
fn steady(log: &std::path::Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let line = |line: &str| {
        let whole: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(serde_json::json!([
            whole["msg"],
            whole["status"],
            whole["size"],
            whole["bytes_read"],
            whole["user_id"],
            whole["request"]["method"],
            whole["request"]["uri"],
            whole["request"]["headers"],
        ]))
    };
    text.lines().filter_map(line).collect()
}
