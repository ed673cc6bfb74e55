//! uWSGI: what it opens, in each of its four languages, is what is read.

use super::{items, log_paths, paths, site, write, written_by};
use harness::{Server, need, wait_until};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

const INI: &str = "\
[uwsgi]
socket = @/u.sock
logto = %dlast-one-does-not-count.log
who = there
ini = :more
ini = sub/b.ini:part
[more]
logto2 = %d%n-%x-%c.%e.log
log-master = true
if-env = NAME
plugin = logfile
req-logger = file:@/req-%(who)-$(NAME).log
endif =
if-env = NOT_THERE
req-logger = file:@/never.log
endif =
[other]
logto = @/other.log
";

const XML: &str = "<?xml version='1.0'?>\n<uwsgi>\n <socket>@/u.sock</socket>\n <logto>@/never.log</logto>\n <logto>@/x&amp;y-%n.log</logto>\n <master/>\n</uwsgi>\n<!-- <logto>no</logto> -->\n";
const YAML: &str =
    "uwsgi:\n  socket: @/u.sock\n  logto: \"@/yaml %n.log\"\nother:\n  logto: @/no.log\n";
const JSON: &str = "{\"uwsgi\": {\n \"socket\": \"@/u.sock\",\n \"logto\": \"@/never.log\", \"logto2\": \"%djson.log\"}}\n";

fn opened(form: &str, text: &str, more: &[(&str, &str)]) {
    let Some(uwsgi) = need("uwsgi") else { return };
    let dir = site();
    let at = dir.path().display().to_string();
    let conf = dir.path().join(format!("app.{form}"));
    write(&conf, text.replace('@', &at));
    for (name, text) in more {
        write(&dir.path().join(name), text.replace('@', &at));
    }
    let socket = dir.path().join("u.sock");
    let said = harness::scratch();
    let mut command = Command::new(uwsgi);
    command
        .arg("--die-on-term")
        .arg(format!("--{form}"))
        .arg(&conf)
        .arg("--master")
        .env("NAME", "value")
        .current_dir(dir.path());
    let server = Server::start(&mut command, &said.path().join("said"));
    wait_until("uwsgi's socket", || {
        socket.exists() || !server.said().is_empty() && server.said().contains("unable")
    });
    assert!(socket.exists(), "{}", server.said());
    let below = |path: &PathBuf| path.starts_with(dir.path());
    let really: BTreeSet<PathBuf> = written_by(server.pid()).into_iter().filter(below).collect();
    assert!(!really.is_empty(), "{}", server.said());
    let report = log_paths("uwsgi", &conf, &[]).expect_code(0).json();
    let held: BTreeSet<PathBuf> = paths(&report)
        .into_iter()
        .filter(|path| super::item(&report, path)["open_by"] != serde_json::json!([]))
        .collect();
    assert_eq!(held, really, "{report:#}");
    // logto's file is made, and given up when logto2 takes the streams.
    let named: BTreeSet<PathBuf> = items(&report)
        .iter()
        .filter(|item| item["evidence"][0] == "config" && item["sink"] == "file")
        .map(|item| PathBuf::from(item["path"].as_str().unwrap()))
        .collect();
    // A logger of requests makes its file at the first one.
    let made = |path: &&PathBuf| !path.to_string_lossy().contains("/req-");
    assert!(
        named.iter().filter(made).all(|path| path.exists()),
        "{named:?}"
    );
    assert!(held.is_subset(&named), "{report:#}");
    for item in items(&report)
        .iter()
        .filter(|item| item["open_by"] != serde_json::json!([]))
    {
        assert_eq!(item["open_by"][0]["flags"][0], "O_RDWR", "{item:#}");
    }
}

#[test]
fn ini_with_sections_placeholders_and_conditions() {
    opened(
        "ini",
        INI,
        &[("sub/b.ini", "[part]\nlogto = @/from-b-%n.log\n")],
    );
}

#[test]
fn xml() {
    opened("xml", XML, &[]);
}

#[test]
fn yaml() {
    opened("yaml", YAML, &[]);
}

#[test]
fn json() {
    opened("json", JSON, &[]);
}

/// `daemonize` beats `logto`, whose file is not even made; a colon is an address; what has no value
/// is said.
#[test]
fn what_wins_and_what_is_no_file() {
    let dir = site();
    let conf = dir.path().join("a.ini");
    let run = |text: &str| {
        write(&conf, format!("[uwsgi]\n{text}"));
        let report = log_paths("uwsgi", &conf, &["--config-only"]).json();
        items(&report)
            .iter()
            .map(|item| {
                format!(
                    "{} {}",
                    item["sink"].as_str().unwrap(),
                    item["path"]
                        .as_str()
                        .or(item["target"].as_str())
                        .unwrap_or("")
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        run("logto = /l/a\ndaemonize = /l/b\nlogto = /l/c\n"),
        ["file /l/b"]
    );
    assert_eq!(
        run("logto = 127.0.0.1:9999\n"),
        ["net udp://127.0.0.1:9999"]
    );
    assert_eq!(
        run("logto = /l/%(nobody).log\n"),
        ["template /l/%(nobody).log"]
    );
    assert_eq!(
        run("logger = errs file:/l/e.log\nreq-logger = syslog:app\n"),
        ["file /l/e.log", "syslog app"]
    );
    assert_eq!(run("socket = :1\n"), ["stdio stderr"]);
    assert_eq!(
        run("uid = www-data\nlogto = /l/a.log\nlogto2 = /l/b.log\n"),
        ["file /l/a.log", "file /l/b.log"]
    );
    let report = log_paths("uwsgi", &conf, &["--config-only"]).json();
    let openers: Vec<_> = items(&report)
        .iter()
        .map(|item| item["opener"].as_str().unwrap().to_owned())
        .collect();
    if harness::need_root() {
        assert_eq!(openers, ["root-then-worker", "service"]);
    }
    write(
        &dir.path().join("vassals/one.ini"),
        "[uwsgi]\nlogto = one.log\n",
    );
    write(
        &dir.path().join("vassals/two.txt"),
        "[uwsgi]\nlogto = two.log\n",
    );
    assert_eq!(
        run("emperor = vassals\nlogto = /l/emperor.log\n"),
        [
            "file /l/emperor.log".to_owned(),
            format!("file {}/vassals/one.log", dir.path().display())
        ]
    );
    assert_eq!(run("ini = a.ini\n"), ["stdio stderr"]);
}
