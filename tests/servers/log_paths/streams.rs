//! Standard streams: a program that logs to one is followed to the file or the journal that it
//! really leads to.

use super::{item, items, log_paths, paths, site, write};
use harness::machine::Machine;
use harness::{Server, TempDir, test_venv, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A gunicorn that logs to its standard streams, started by a shell that redirects them.
fn gunicorn(redirections: &str) -> (TempDir, Server, Value) {
    let dir = site();
    write(
        &dir.path().join("app.py"),
        "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'x']\n",
    );
    write(
        &dir.path().join("conf.py"),
        "accesslog = '-'\nbind = 'unix:s'\n",
    );
    let script = format!(
        "exec {}/bin/gunicorn -c conf.py app:application {redirections}",
        test_venv().display()
    );
    let server = Server::start(
        Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path()),
        &dir.path().join("said"),
    );
    wait_until("gunicorn's socket", || dir.path().join("s").exists());
    let report = log_paths("gunicorn", &dir.path().join("conf.py"), &[])
        .expect_code(0)
        .json();
    (dir, server, report)
}

fn descriptors(item: &Value, pid: u32) -> Vec<u64> {
    let holders = item["open_by"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|holder| holder["pid"] == pid);
    holders
        .map(|holder| holder["fd"].as_u64().unwrap())
        .collect()
}

/// Both streams in one file: that is one log, and nothing else is listed.
#[test]
fn both_streams_in_one_file() {
    let (dir, server, report) = gunicorn(">>one.log 2>&1");
    assert_eq!(items(&report).len(), 1, "{report:#}");
    let log = item(&report, &dir.path().join("one.log"));
    assert_eq!(descriptors(&log, server.pid()), [1, 2]);
    assert_eq!(
        (&log["sink"], &log["evidence"]),
        (&json!("file"), &json!(["config", "open"]))
    );
    assert_eq!(
        log["source"],
        json!({"file": dir.path().join("conf.py"), "line": 1})
    );
    let names = harness::tool("log-paths")
        .arg("-0")
        .arg(format!("--conf=gunicorn={}/conf.py", dir.path().display()))
        .run();
    assert_eq!(
        names.expect_code(0).out(),
        format!("{}/one.log\0", dir.path().display())
    );
}

#[test]
fn each_stream_in_a_file_of_its_own() {
    let (dir, server, report) = gunicorn(">>out.log 2>err.log");
    assert_eq!(items(&report).len(), 2, "{report:#}");
    for (name, kind, evidence, fd) in [
        ("out.log", "access", "config", 1),
        ("err.log", "error", "default", 2),
    ] {
        let log = item(&report, &dir.path().join(name));
        assert_eq!(
            (&log["kind"], &log["evidence"]),
            (&json!(kind), &json!([evidence, "open"]))
        );
        assert_eq!(descriptors(&log, server.pid()), [fd]);
    }
}

/// A stream that leads to no file stays a stream.
#[test]
fn streams_that_lead_nowhere() {
    let (_dir, _server, report) = gunicorn(">/dev/null 2>&1");
    let got: Vec<(&str, &str)> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["sink"].as_str().unwrap(),
                item["target"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(got, [("stdio", "stdout"), ("stdio", "stderr")]);
}

/// A real journald: what journalctl has of a unit is what is reported to go there.
#[test]
fn what_the_journal_has() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.write(
        "/etc/caddy/Caddyfile",
        ":8099 {\n\trespond hello\n\tlog\n}\n",
    );
    for (name, text) in [
        (
            "talks",
            "ExecStart=/bin/sh -c 'while :; do echo said-talks; sleep 0.2; done'",
        ),
        (
            "appends",
            "ExecStart=/bin/sh -c 'while :; do echo said-appends; sleep 0.2; done'\nStandardOutput=append:/var/log/t-appends.log\nStandardError=journal",
        ),
        // The variable is set, and the streams are no longer what it names.
        (
            "leaves",
            "ExecStart=/bin/sh -c 'exec >>/var/log/t-leaves.log 2>&1; while :; do echo said-leaves; sleep 0.2; done'",
        ),
        (
            "silent",
            "ExecStart=/bin/sleep 600\nStandardOutput=null\nStandardError=null",
        ),
        (
            "web",
            "ExecStart=/usr/bin/caddy run --config /etc/caddy/Caddyfile",
        ),
    ] {
        machine.unit(
            &format!("t-{name}.service"),
            &format!("[Service]\n{text}\n"),
        );
        machine.must(&["systemctl", "start", &format!("t-{name}")]);
    }
    let journal = |name: &str| {
        machine.must(&[
            "journalctl",
            "--no-pager",
            "-o",
            "cat",
            "-u",
            &format!("t-{name}"),
        ])
    };
    wait_until("the journal", || {
        journal("talks").contains("said-talks")
            && journal("web").contains("serving initial configuration")
    });
    wait_until("the files", || {
        machine.path("/var/log/t-leaves.log").exists()
            && machine.path("/var/log/t-appends.log").exists()
    });
    let report = machine
        .tool("log-paths")
        .arg("systemd")
        .run()
        .expect_code(0)
        .json();
    let of = |report: &Value, instance: &str| {
        let found = items(report)
            .into_iter()
            .filter(|item| item["instance"] == instance);
        found
            .map(|item| {
                (
                    item["sink"].as_str().unwrap().to_owned(),
                    item["evidence"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of(&report, "t-talks.service"),
        [("journal".to_owned(), json!(["open"]))],
        "{report:#}"
    );
    // Its standard error is the journal's still.
    let appends = of(&report, "t-appends.service");
    assert!(
        appends.contains(&("file".to_owned(), json!(["config", "open"])))
            && appends.contains(&("journal".to_owned(), json!(["open"]))),
        "{report:#}"
    );
    assert_eq!(
        of(&report, "t-leaves.service"),
        [("file".to_owned(), json!(["open"]))],
        "{report:#}"
    );
    assert_eq!(of(&report, "t-silent.service"), [], "{report:#}");
    assert!(
        !journal("leaves").contains("said-leaves") && !journal("appends").contains("said-appends")
    );
    assert!(paths(&report).contains(Path::new("/var/log/t-leaves.log")));
    // Caddy logs to its standard error, which is the journal's: one log, with the place that says
    // so.
    let report = machine
        .tool("log-paths")
        .arg("caddy")
        .run()
        .expect_code(0)
        .json();
    let logs = items(&report);
    assert!(
        logs.iter()
            .all(|log| log["sink"] == "journal" && log["source"]["file"] == "/etc/caddy/Caddyfile")
            && !logs.is_empty(),
        "{report:#}"
    );
}
