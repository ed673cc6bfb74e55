//! nginx with the printed configuration.

use super::promises::{keeps_every_promise, serves_a_template_in_full};
use super::site::{PAST, PROXIED, Site, ask};
use super::unchanged::{Requests, changes_nothing};
use super::visitors::{believes_the_proxy_alone, lets_past, loses_nothing};
use harness::nginx::Nginx;
use std::fs;

/// nginx with the snippet, in front of another that answers `app`.
fn nginx(site: &Site, extra: &str) -> Nginx {
    let snippet = site.snippet("nginx");
    Nginx::new()
        .server(&format!(
            "include {};\n{extra}\nlocation / {{ error_page 404 /missing; proxy_pass http://127.0.0.1:@PORT2@; }}",
            snippet.display()
        ))
        .server("location / { return 200 'app'; }\nlocation /busy { return 503 'the site is busy'; }\nlocation /gone { return 404; }")
        .start()
}

#[test]
fn the_printed_configuration_keeps_every_promise() {
    let site = Site::new();
    let nginx = nginx(&site, "");
    keeps_every_promise(&site, nginx.port());
    assert_eq!(nginx.errors(), "", "nginx had something to complain of");
}

#[test]
fn the_sites_own_errors_stay_its_own() {
    let site = Site::new();
    let nginx = nginx(
        &site,
        "proxy_intercept_errors on;\nlocation = /missing { internal; return 404 'the site has no such page'; }",
    );
    let busy = ask(nginx.port(), "GET", "/busy", &[]);
    assert_eq!(
        (busy.status, busy.body.contains("maint-page")),
        (503, false)
    );
    let gone = ask(nginx.port(), "GET", "/gone", &[]);
    assert_eq!(
        (gone.status, gone.body.as_str()),
        (404, "the site has no such page")
    );
}

/// The common rule against dot files, and a password for the whole site, stay in force and do not
/// hide the page from those let in.
#[test]
fn the_sites_own_rules_stay_in_force() {
    let site = Site::new();
    let users = site.top().join("users");
    fs::write(&users, "alice:{PLAIN}secret\n").unwrap();
    let nginx = nginx(
        &site,
        &format!(
            "auth_basic staging;\nauth_basic_user_file {};\nlocation ~ /\\. {{ deny all; }}",
            users.display()
        ),
    );
    site.tool("on").run().expect_code(0);
    assert_eq!(ask(nginx.port(), "GET", "/", &[]).status, 401);
    let alice = "Authorization: Basic YWxpY2U6c2VjcmV0";
    assert_eq!(ask(nginx.port(), "GET", "/.env", &[alice]).status, 503);
    let found = site
        .tool("verify")
        .args(["--on", "--within", "50ms", &nginx.url("/")])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(found["verified"][0]["cause"], "password");
    site.tool("off").run().expect_code(0);
    assert_eq!(ask(nginx.port(), "GET", "/", &[alice]).status, 200);
    assert_eq!(ask(nginx.port(), "GET", "/.env", &[alice]).status, 403);
}

#[test]
fn a_template_is_served_in_full() {
    let site = Site::new();
    let nginx = Nginx::new()
        .http("include /etc/nginx/mime.types;")
        .server(&format!(
            "include {};\nlocation / {{ return 200 'app'; }}\nlocation ~ \\.(css|svg|png|woff2)$ {{ return 404; }}",
            site.snippet("nginx").display()
        ))
        .start();
    serves_a_template_in_full(&site, nginx.port());
}

#[test]
fn on_with_verify_proves_what_it_says() {
    let site = Site::new();
    let nginx = nginx(&site, "");
    let on = site
        .tool("on")
        .args(["--verify", &nginx.url("/")])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&on["verified"][0]["ok"], &on["verified"][0]["status"]),
        (&true.into(), &503.into())
    );
    let during = site
        .tool("during")
        .args([
            "--id",
            "deploy",
            "--on-failure",
            "off",
            "--verify",
            &nginx.url("/"),
            "--",
            "true",
        ])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(during["up"], true, "the other hold is still there");
    site.tool("off")
        .args(["--verify", &nginx.url("/")])
        .run()
        .expect_code(0);
}

#[test]
fn during_runs_nothing_unless_the_page_is_proven() {
    let site = Site::new();
    let bare = Nginx::serving("location / { return 200 'app'; }");
    let ran = site.top().join("ran");
    let during = site
        .tool("during")
        .args([
            "--on-failure",
            "keep",
            "--within",
            "100ms",
            "--verify",
            &bare.url("/"),
            "--",
            "touch",
        ])
        .arg(&ran)
        .run()
        .expect_code(125)
        .json();
    assert!(!ran.exists(), "COMMAND was run");
    assert_eq!(
        (&during["up"], &during["verified"][0]["cause"]),
        (&false.into(), &"wrong_host".into())
    );
}

#[test]
fn a_page_that_cannot_be_proven_off_is_a_failure() {
    let site = Site::new();
    let nginx = nginx(&site, "");
    site.tool("on").run().expect_code(0);
    site.tool("off")
        .args(["--within", "100ms", "--verify", &nginx.url("/busy")])
        .run()
        .expect_code(3)
        .expect_err("is not off: 503");
    let dead = format!("http://127.0.0.1:{}/", harness::free_port());
    site.tool("verify")
        .args(["--off", "--within", "100ms", &dead])
        .run()
        .expect_code(75);
}

#[test]
fn flips_under_load_lose_and_damage_nothing() {
    let site = Site::allowing(&PAST[..4]);
    let snippet = site.snippet("nginx");
    let nginx = Nginx::new()
        .http("keepalive_requests 1000000;")
        .server(&format!(
            "include {};\nlocation / {{ return 200 'app'; }}",
            snippet.display()
        ))
        .start();
    loses_nothing(&site, nginx.port());
}

#[test]
fn what_is_allowed_is_let_past() {
    let site = Site::allowing(&PAST);
    let http = fs::read_to_string(site.snippet("nginx-http")).unwrap();
    let nginx = Nginx::new()
        .http(&http)
        .server(&format!(
            "include {};\nlocation / {{ proxy_pass http://127.0.0.1:@PORT2@; }}",
            site.snippet("nginx").display()
        ))
        .server("location / { return 200 'app'; }")
        .start();
    lets_past(&site, nginx.port());
}

/// Behind a proxy the address is the one that ngx_http_realip_module took from its header, IPv6
/// too.
#[test]
fn behind_a_proxy_the_clients_own_address_counts() {
    let site = Site::allowing(&PROXIED);
    let http = fs::read_to_string(site.snippet("nginx-http")).unwrap();
    let nginx = Nginx::new()
        .http(&http)
        .server(&format!(
            "set_real_ip_from 127.0.0.1;\nreal_ip_header X-Forwarded-For;\ninclude {};\nlocation / {{ return 200 'app'; }}",
            site.snippet("nginx").display()
        ))
        .start();
    believes_the_proxy_alone(&site, nginx.port());
}

/// Two server blocks with the same site, the second with the snippet; error pages at each level.
#[test]
fn outside_of_maintenance_the_snippet_changes_nothing() {
    let site = Site::allowing(&PAST);
    let root = site.top().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.txt"), "0123456789").unwrap();
    fs::write(site.top().join("users"), "alice:{PLAIN}secret\n").unwrap();
    let rest = |log: &str, own: &str| {
        format!(
            "root {root};\naccess_log {log} steady;\n{own}\n\
             location = /e404 {{ internal; return 404 'the site says 404'; }}\n\
             location = /e503 {{ internal; return 503 'the site says 503'; }}\n\
             location = /busy {{ return 503; }}\nlocation = /gone {{ return 404; }}\n\
             location /own/ {{ error_page 404 =410 /e404; return 404; }}\n\
             location /named/ {{ error_page 404 = @named; return 404; }}\nlocation @named {{ return 200 'named'; }}\n\
             location /up/ {{ proxy_pass http://127.0.0.1:@PORT3@/; proxy_intercept_errors on; }}\n\
             location /raw/ {{ proxy_pass http://127.0.0.1:@PORT3@/; }}\n\
             location /dead/ {{ proxy_pass http://127.0.0.1:9/; }}\n\
             location /try/ {{ try_files /a.txt =404; }}\n\
             location /old/ {{ rewrite ^/old/(.*)$ /$1 permanent; }}\n\
             location /inner/ {{ rewrite ^/inner/(.*)$ /$1 last; }}\n\
             location /lock/ {{ auth_basic staging; auth_basic_user_file {users}; try_files /a.txt =404; }}\n\
             location /small/ {{ client_max_body_size 3; proxy_pass http://127.0.0.1:@PORT3@/; }}\n\
             location /no/ {{ deny all; }}\nlocation ~ /\\. {{ deny all; }}",
            root = root.display(),
            users = site.top().join("users").display()
        )
    };
    let snippet = format!("include {};", site.snippet("nginx").display());
    let http = fs::read_to_string(site.snippet("nginx-http")).unwrap();
    // Where the server block has no error_page, those of the http block hold.
    for (level, own) in [
        ("http", ""),
        (
            "server",
            "error_page 404 /e404; error_page 503 502 =503 /e503;",
        ),
    ] {
        let nginx = Nginx::new()
            .http(&format!(
                "{http}port_in_redirect off;\nerror_page 404 403 =404 /e404;\nerror_page 503 504 /e503;\n\
                 log_format steady '$request $status $body_bytes_sent $uri $args $connection_requests $sent_http_location';"
            ))
            .server(&rest("plain.log", own))
            .server(&rest("with.log", &format!("{snippet}\n{own}")))
            .server("location / { return 200 'app'; }\nlocation /busy { return 503 'busy'; }\nlocation /gone { return 404 'gone'; }")
            .start();
        site.tool("on").run().expect_code(0);
        site.tool("off").run().expect_code(0);
        changes_nothing(level, nginx.ports()[0], nginx.ports()[1], Requests::all());
        // Workers write side by side.
        let log = |name: &str| {
            let text = fs::read_to_string(nginx.dir().join(name)).unwrap();
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        harness::wait_until("the logs", || {
            log("plain.log").len() >= Requests::all().len()
                && log("with.log").len() >= Requests::all().len()
        });
        let (plain, with) = (log("plain.log"), log("with.log"));
        assert_eq!(plain, with, "{level}");
    }
}

/// error_page is inherited only by a level that has none.
#[test]
fn error_pages_of_the_http_block_hold_outside_of_maintenance() {
    let site = Site::new();
    let nginx = Nginx::new()
        .http("error_page 404 /not-here; error_page 503 /busy-here;")
        .server(&format!(
            "include {};\nlocation = /not-here {{ internal; return 404 'the site says 404'; }}\n\
             location = /busy-here {{ internal; return 503 'the site says 503'; }}\n\
             location = /busy {{ return 503; }}\nlocation = /gone {{ return 404; }}\nlocation / {{ return 200 'app'; }}",
            site.snippet("nginx").display()
        ))
        .start();
    let own = |path: &str| {
        let answer = ask(nginx.port(), "GET", path, &[]);
        (answer.status, answer.body)
    };
    assert_eq!(own("/gone"), (404, "the site says 404".to_owned()));
    assert_eq!(own("/busy"), (503, "the site says 503".to_owned()));
    site.tool("on")
        .args(["--verify", &nginx.url("/gone")])
        .run()
        .expect_code(0);
    site.tool("off").run().expect_code(0);
    assert_eq!(own("/gone"), (404, "the site says 404".to_owned()));
}

#[test]
fn the_cookie_of_a_bypass_link_ends_with_the_key() {
    let site = Site::new();
    let nginx = nginx(&site, "");
    let added = site
        .tool("bypass")
        .args(["add", "--ttl", "90m"])
        .run()
        .expect_code(0)
        .json();
    let path = added["keys"][0]["path"].as_str().unwrap();
    let answer = ask(nginx.port(), "GET", path, &[]);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("; Max-Age=5400"), "{cookie}");
    assert_eq!(
        answer.header("location"),
        Some("/"),
        "relative: a proxy in front ends TLS"
    );
}
