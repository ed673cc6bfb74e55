//! log-paths as it is typed: what excludes what, what is printed where, and what the exit codes
//! mean.

use harness::{Output, TempDir, scratch, tool};
use std::fs;

fn site() -> TempDir {
    let dir = scratch();
    fs::write(dir.path().join("a.log"), "12345").unwrap();
    fs::hard_link(dir.path().join("a.log"), dir.path().join("b.log")).unwrap();
    let text = "error_log @/a.log;\nevents {}\nhttp {\n  access_log @/b.log;\n  access_log @/none.log;\n  server { access_log syslog:server=unix:/dev/log; }\n}\n";
    fs::write(
        dir.path().join("nginx.conf"),
        text.replace('@', dir.path().to_str().unwrap()),
    )
    .unwrap();
    dir
}

fn run(site: &TempDir, words: &[&str]) -> Output {
    let conf = format!("nginx={}", site.path().join("nginx.conf").display());
    tool("log-paths")
        .args(["--config-only", "--conf", &conf])
        .args(words)
        .run()
}

/// The whole of one item, as the manual has it.
#[test]
fn a_report_says_all_there_is_to_say() {
    let site = site();
    let report = run(&site, &["nginx"]).expect_code(0).json();
    assert_eq!(
        report["msg"]
            .as_str()
            .map(|msg| msg.starts_with("4 logs, ")),
        Some(true),
        "{report}"
    );
    let first = &report["items"][0];
    let dir = site.path().display();
    assert_eq!(first["path"], format!("{dir}/a.log"));
    assert_eq!(
        first["source"],
        serde_json::json!({"file": format!("{dir}/nginx.conf"), "line": 1})
    );
    assert_eq!(
        (
            first["size"].as_u64(),
            first["type"].as_str(),
            first["exists"].as_bool()
        ),
        (Some(5), Some("file"), Some(true))
    );
    assert_eq!(
        (
            first["service"].as_str(),
            first["kind"].as_str(),
            first["sink"].as_str()
        ),
        (Some("nginx"), Some("error"), Some("file"))
    );
    assert_eq!(first["open_by"], serde_json::json!([]));
    let keys = "path sink service instance kind source evidence conditional exists type size mtime dev ino owner group mode unit root service_user opener writable reopenable open_by rotated_by problems";
    let found: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(found, keys.split(' ').collect::<Vec<_>>());
    let syslog = &report["items"][3];
    assert_eq!(
        (
            syslog["sink"].as_str(),
            syslog["path"].as_str(),
            syslog["target"].as_str()
        ),
        (Some("syslog"), None, Some("syslog:server=unix:/dev/log"))
    );
}

/// Names only: each file once, by what it is and not by what it is called.
#[test]
fn names_are_printed_once_each() {
    let site = site();
    let name = format!("{}/a.log", site.path().display());
    assert_eq!(
        run(&site, &["-0"]).expect_code(0).out(),
        format!("{name}\0")
    );
    assert_eq!(
        run(&site, &["--plain"]).expect_code(0).out(),
        format!("{name}\n")
    );
    assert_eq!(
        run(&site, &["--plain", "--kind", "access"])
            .expect_code(0)
            .out(),
        format!("{}/b.log\n", site.path().display())
    );
}

/// `--check` says no when there is a problem, and finding nothing is a no by itself.
#[test]
fn what_the_exit_codes_mean() {
    let site = site();
    fs::remove_file(site.path().join("b.log")).unwrap();
    fs::write(
        site.path().join("nginx.conf"),
        format!("error_log {}/off;\n", site.path().display()),
    )
    .unwrap();
    run(&site, &[]).expect_code(0);
    let report = run(&site, &["--check"]).expect_code(1).json();
    assert_eq!(report["status"], "no");
    assert!(
        report["items"][0]["problems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("/off"),
        "{report:#}"
    );
    run(&site, &["--kind", "app"]).expect_code(1);
    fs::write(site.path().join("nginx.conf"), "http {").unwrap();
    let report = run(&site, &[])
        .expect_code(3)
        .expect_err("nginx.conf: a block that is not closed")
        .json();
    assert_eq!(
        (
            report["errors"][0]["code"].as_str(),
            report["errors"][0]["line"].as_u64()
        ),
        (Some("config_invalid"), Some(1))
    );
    fs::remove_file(site.path().join("nginx.conf")).unwrap();
    run(&site, &[]).expect_code(3).expect_err("No such file");
}

/// Wrong usage is told before anything is looked at.
#[test]
fn wrong_usage_is_refused() {
    for (words, part) in [
        (&["-0", "--plain"][..], "--print0 and --plain"),
        (
            &["--config-only", "--open-only"],
            "--config-only and --open-only",
        ),
        (
            &["--open-only", "--create-dirs"],
            "--create-dirs and --open-only",
        ),
        (&["--open-only", "--root", "/"], "--open-only and --root"),
        (&["ngnix"], "unknown service 'ngnix'"),
        (&["--conf", "nginx"], "not SERVICE=PATH"),
        (&["--conf", "ngnix=/x"], "unknown service 'ngnix'"),
        (&["--kind", "all"], "--kind"),
    ] {
        tool("log-paths")
            .args(words)
            .run()
            .expect_code(2)
            .expect_silence()
            .expect_err(part);
    }
    tool("log-paths")
        .args(["--root", "/nonexistent"])
        .run()
        .expect_code(2)
        .expect_silence();
}

/// A tree that stands for another system is read as that system would: links, includes and names
/// stay inside.
#[test]
fn another_systems_tree() {
    let root = scratch();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("etc/nginx/sites-enabled")).unwrap();
    fs::create_dir_all(at("var/log/site")).unwrap();
    fs::write(
        at("etc/nginx/nginx.conf"),
        "error_log /var/log/e.log; http { include /etc/nginx/sites-enabled/*; }",
    )
    .unwrap();
    fs::write(
        at("etc/nginx/real"),
        "server { access_log /var/log/site/a.log; }",
    )
    .unwrap();
    std::os::unix::fs::symlink("/etc/nginx/real", at("etc/nginx/sites-enabled/site")).unwrap();
    fs::write(at("var/log/site/a.log"), "x").unwrap();
    let report = tool("log-paths")
        .arg("--root")
        .arg(root.path())
        .arg("nginx")
        .run()
        .expect_code(0)
        .json();
    let found: Vec<(&str, bool)> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["path"].as_str().unwrap(),
                item["exists"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("/var/log/e.log", false), ("/var/log/site/a.log", true)]
    );
}
