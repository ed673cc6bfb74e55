//! supervisor: what the reader finds is what supervisord opens; and the reader agrees with
//! supervisor's own on random files.

use super::{items, log_paths, paths, write, written_by};
use harness::supervisor::{Supervisor, available};
use harness::wait_until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const PROGRAMS: &str = r"
[program:web]
command = /bin/sleep 600
process_name = %(program_name)s_%(process_num)02d
numprocs = 2
stdout_logfile = %(here)s/%(program_name)s-%(process_num)d;x.log ;comment
stderr_logfile = %(here)s/%(group_name)s.err
stderr_logfile_maxbytes = 0
autorestart = false
[program:joined]
command = /bin/sleep 600
redirect_stderr = true
stdout_logfile = %(here)s/%(ENV_NAME)s.log
stderr_logfile = %(here)s/never.log
environment = NAME=joined
[program:auto]
command = /bin/sleep 600
[program:quiet]
command = /bin/sleep 600
stdout_logfile = none
stderr_logfile = Off
[eventlistener:listen]
command = /bin/cat
events = TICK_3600
stderr_logfile = %(here)s/listen.err
stdout_logfile = NONE
";

#[test]
fn the_files_are_those_supervisord_has_open() {
    if !available() {
        return;
    }
    let supervisor = Supervisor::start(PROGRAMS);
    supervisor.wait_running(&["web:web_00", "web:web_01", "joined", "auto", "quiet"]);
    let pid = u32::try_from(supervisor.pid()).unwrap();
    let report = log_paths("supervisor", &supervisor.config(), &[])
        .expect_code(0)
        .json();
    assert_eq!(paths(&report), written_by(pid), "{report:#}");
    for item in items(&report).iter().filter(|item| item["sink"] == "file") {
        assert_eq!(item["opener"], "service");
        assert!(
            item["open_by"]
                .as_array()
                .unwrap()
                .iter()
                .all(|holder| holder["pid"] == pid),
            "{item:#}"
        );
        let own = item["path"].as_str().unwrap().ends_with("web.err");
        assert_eq!(
            item["rotated_by"]["tool"],
            if own {
                Value::Null
            } else {
                "supervisor".into()
            },
            "{item:#}"
        );
    }
    assert_eq!(
        items(&report)
            .iter()
            .filter(|item| item["sink"] == "discard")
            .count(),
        2
    );
    // Two processes of one program that share a file are told of it.
    let shared: Vec<_> = items(&report)
        .into_iter()
        .filter(|item| super::codes(item).contains(&"shared_file".to_owned()))
        .collect();
    assert_eq!(shared.len(), 2, "{shared:#?}");
}

/// supervisor's own reader and ours, on files put together from pieces at random.
#[test]
fn the_reader_agrees_with_supervisors_own() {
    if !available() {
        return;
    }
    let dir = super::site();
    let script = dir.path().join("differ.py");
    write(&script, include_str!("supervisor_differ.py"));
    let rounds = if harness::full_sweep() { "3000" } else { "150" };
    let made = Command::new("/usr/bin/python3")
        .arg(&script)
        .arg(dir.path())
        .arg(rounds)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let cases: Vec<Value> = serde_json::from_slice(&made.stdout).unwrap();
    assert!(cases.len() >= 80, "{}", cases.len());
    for case in cases {
        let file = std::path::PathBuf::from(case["file"].as_str().unwrap());
        let run = harness::tool("log-paths")
            .env("ENV_A", "x")
            .env("STAGE", "live")
            .dir("/")
            .arg("--config-only");
        let report = run
            .arg("--conf")
            .arg(format!("supervisor={}", file.display()))
            .arg("supervisor")
            .run()
            .json();
        let want: BTreeSet<String> = case["logs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|log| log.as_str().unwrap().to_owned())
            .collect();
        let got: BTreeSet<String> = items(&report)
            .iter()
            .filter(|item| item["instance"] != "supervisord")
            .map(shown)
            .collect();
        assert_eq!(
            got,
            want,
            "{}\n{}",
            file.display(),
            std::fs::read_to_string(&file).unwrap()
        );
    }
}

fn shown(item: &Value) -> String {
    let sink = item["sink"].as_str().unwrap();
    let place = match sink {
        "file" => item["path"].as_str().unwrap().to_owned(),
        // A name of supervisord's own choosing.
        "template" => "auto".to_owned(),
        other => other.to_owned(),
    };
    let own = if item["rotated_by"]["tool"] == "supervisor" {
        "rotates"
    } else {
        "keeps"
    };
    let own = if sink == "file" { own } else { "" };
    format!("{} {place} {own}", item["instance"].as_str().unwrap())
}

/// A program's log is opened again by supervisord at USR2, and so the advice says.
#[test]
fn a_log_moved_away_is_told() {
    if !available() {
        return;
    }
    let supervisor = Supervisor::start(
        "[program:a]\ncommand = /bin/sleep 600\nstdout_logfile = %(here)s/a.log\nstderr_logfile = NONE\n",
    );
    supervisor.wait_running(&["a"]);
    let log = supervisor.dir().join("a.log");
    std::fs::rename(&log, supervisor.dir().join("a.log.1")).unwrap();
    let report = log_paths("supervisor", &supervisor.config(), &["--check"])
        .expect_code(1)
        .json();
    let found = super::item(&report, &log);
    assert!(
        super::codes(&found).contains(&"renamed_open".to_owned()),
        "{found:#}"
    );
    let hint = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .find(|problem| problem["code"] == "renamed_open")
        .unwrap()["fix"]["steps"][0]["text"]
        .clone();
    assert_eq!(hint, format!("kill -USR2 {}", supervisor.pid()));
    let pid = nix::unistd::Pid::from_raw(supervisor.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR2).unwrap();
    wait_until("the log is there again", || log.exists());
    let report = log_paths("supervisor", &supervisor.config(), &[])
        .expect_code(0)
        .json();
    assert!(!super::codes(&super::item(&report, &log)).contains(&"renamed_open".to_owned()));
}
