//! PostgreSQL: the settings are those that the server itself says it has, and the files those it
//! has open.

use super::{item, items, log_paths, paths, site, write};
use harness::postgres::Postgres;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// ALTER SYSTEM over the file, csv and json beside it, `current_logfiles` for the names.
#[test]
fn the_collectors_files_are_those_the_server_names() {
    if harness::need("pg_ctlcluster").is_none() {
        return;
    }
    let server = Postgres::builder()
        .set("logging_collector", "on")
        .set("log_directory", "it's here")
        .set("log_filename", "first-%Y.log")
        .set("log_destination", "stderr, csvlog,jsonlog")
        .start();
    server.set("log_filename", "second-%a-%H.log");
    let data = server.data_dir();
    let conf = data.join("postgresql.conf");
    let report = log_paths("postgresql", &conf, &[]).expect_code(0).json();
    let said = server.psql(
        "postgres",
        "select pg_current_logfile('stderr') union all select pg_current_logfile('csvlog') union all select pg_current_logfile('jsonlog')",
    );
    let want: BTreeSet<PathBuf> = said.lines().map(|line| data.join(line)).collect();
    assert_eq!(want.len(), 3, "{said}");
    let got: BTreeSet<PathBuf> = items(&report)
        .iter()
        .filter(|log| log["evidence"][0] == "config")
        .map(|log| PathBuf::from(log["path"].as_str().unwrap()))
        .collect();
    assert_eq!(got, want, "{report:#}");
    for path in &want {
        let log = item(&report, path);
        assert_eq!(
            log["evidence"],
            serde_json::json!(["config", "open"]),
            "{log:#}"
        );
        assert_eq!(log["rotated_by"]["tool"], "postgresql");
    }
}

/// Includes in every form, and the last setting wins: what `pg_settings` says is what is read.
#[test]
fn includes_are_read_in_the_servers_order() {
    if harness::need("pg_ctlcluster").is_none() {
        return;
    }
    let server = Postgres::start();
    let data = server.data_dir();
    let conf = data.join("postgresql.conf");
    write(
        &data.join("conf.d/10.conf"),
        "log_directory = '/var/tmp/a''b'\n",
    );
    write(&data.join("conf.d/.20.conf"), "log_directory = 'hidden'\n");
    write(
        &data.join("conf.d/30.conf"),
        "Log_FileName 'x-%d.log' # comment\ninclude '../more.conf'\n",
    );
    write(&data.join("conf.d/40.txt"), "log_directory = 'not read'\n");
    write(
        &data.join("more.conf"),
        "log_destination = 'csvlog'\ninclude_if_exists = 'none.conf'\n",
    );
    let before = std::fs::read_to_string(&conf).unwrap();
    write(
        &conf,
        format!(
            "{before}\nlog_filename = 'early.log'\ninclude_dir 'conf.d'\nlogging_collector = tr\n"
        ),
    );
    server.psql("postgres", "select pg_reload_conf()");
    let shown = || {
        ["log_destination", "log_directory", "log_filename"].map(|name| {
            server
                .psql("postgres", &format!("show {name}"))
                .trim()
                .to_owned()
        })
    };
    harness::wait_until("the server has read its files", || {
        shown() == ["csvlog", "/var/tmp/a'b", "x-%d.log"]
    });
    let copy = site();
    std::process::Command::new("cp")
        .arg("-r")
        .arg(&data)
        .arg(copy.path().join("data"))
        .status()
        .unwrap();
    let copied = copy.path().join("data/postgresql.conf");
    let text = std::fs::read_to_string(&copied)
        .unwrap()
        .replace("data_directory", "#data_directory");
    write(&copied, text);
    let report = log_paths("postgresql", &copied, &["--config-only"])
        .expect_code(0)
        .json();
    assert_eq!(
        items(&report)[0]["path"],
        "/var/tmp/a'b/x-%d.csv",
        "{report:#}"
    );
    assert_eq!(items(&report)[0]["sink"], "template");
}

/// With the collector off, Debian's clusters log where `pg_ctlcluster` sends them.
#[test]
fn debians_clusters_have_debians_log() {
    let root = site();
    write(
        &root.path().join("etc/postgresql/15/main/postgresql.conf"),
        "data_directory = '/var/lib/postgresql/15/main'\n",
    );
    write(
        &root.path().join("etc/postgresql/15/other/postgresql.conf"),
        "logging_collector = on\n",
    );
    let run = harness::tool("log-paths")
        .args(["--root"])
        .arg(root.path())
        .arg("postgresql");
    let report = run.run().expect_code(0).json();
    assert_eq!(
        paths(&report),
        [PathBuf::from("/var/log/postgresql/postgresql-15-main.log")].into()
    );
    let template = items(&report)
        .into_iter()
        .find(|log| log["sink"] == "template")
        .unwrap();
    assert_eq!(
        template["path"],
        "/etc/postgresql/15/other/log/postgresql-%Y-%m-%d_%H%M%S.log"
    );
    assert_eq!(
        item(
            &report,
            Path::new("/var/log/postgresql/postgresql-15-main.log")
        )["instance"],
        "15/main"
    );
}
