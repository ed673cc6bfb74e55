//! Single-file mode with the configuration that CoralNet's guide has: one file is flag and page.

use super::site::{Site, ask};
use harness::nginx::Nginx;
use harness::tool;
use std::fs;

fn nginx(site: &Site) -> Nginx {
    let root = site.top().display().to_string();
    Nginx::serving(&format!(
        "root {root};\n\
         if (-f $document_root/tmp/maintenance.html) {{ return 503; }}\n\
         error_page 503 @maintenance;\n\
         location @maintenance {{ rewrite ^(.*)$ /tmp/maintenance.html break; }}\n\
         location / {{ return 200 'app'; }}"
    ))
}

#[test]
fn an_existing_configuration_keeps_working_unchanged() {
    let site = Site::new();
    fs::create_dir(site.top().join("tmp")).unwrap();
    let file = site.top().join("tmp/maintenance.html");
    let nginx = nginx(&site);
    let run = |command: &str| tool("maint-page").arg(command).arg("--page").arg(&file);
    assert_eq!(ask(nginx.port(), "GET", "/", &[]).body, "app");
    let on = run("on")
        .args([
            "--for",
            "30m",
            "--message",
            "CoralNet is under maintenance.",
        ])
        .run()
        .expect_code(0)
        .json();
    assert!(
        on["warnings"]
            .to_string()
            .contains("between the server's test and its reading of"),
        "{on}"
    );
    let page = ask(nginx.port(), "GET", "/any/page", &[]);
    assert_eq!(page.status, 503);
    assert!(
        page.body.contains("CoralNet is under maintenance.")
            && page.body.contains("<!-- maint-page 1 "),
        "{page:?}"
    );

    // What this configuration cannot do, verify says: no Retry-After, and 405 for POST.
    let verify = run("verify")
        .args(["--on", "--within", "50ms", &nginx.url("/")])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(verify["verified"][0]["cause"], "no_retry_after");

    run("off").run().expect_code(0);
    run("verify")
        .args(["--off", &nginx.url("/")])
        .run()
        .expect_code(0);
    assert_eq!(ask(nginx.port(), "GET", "/any/page", &[]).body, "app");
}

#[test]
fn post_through_a_named_location_is_diagnosed() {
    let site = Site::new();
    fs::create_dir(site.top().join("tmp")).unwrap();
    let file = site.top().join("tmp/maintenance.html");
    let root = site.top().display().to_string();
    let nginx = Nginx::serving(&format!(
        "root {root};\n\
         if (-f $document_root/tmp/maintenance.html) {{ return 503; }}\n\
         error_page 503 @maintenance;\n\
         location @maintenance {{ add_header Retry-After 60 always; add_header Cache-Control no-store always; rewrite ^(.*)$ /tmp/maintenance.html break; }}\n\
         location / {{ return 200 'app'; }}"
    ));
    tool("maint-page")
        .args(["on", "--page"])
        .arg(&file)
        .run()
        .expect_code(0);
    assert_eq!(
        ask(nginx.port(), "POST", "/", &[]).status,
        405,
        "nginx has changed: the diagnosis is no longer needed"
    );
    let verify = tool("maint-page")
        .args(["verify", "--page"])
        .arg(&file)
        .args(["--on", "--within", "50ms", &nginx.url("/")])
        .run();
    assert_eq!(
        verify.expect_code(1).json()["verified"][0]["cause"],
        "method"
    );
}
