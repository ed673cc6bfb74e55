//! Rotation as the tool advises it, and every way of renaming a log under its server.

use super::problems::{SITE, problem};
use super::{codes, item, log_paths, nginx, site, write};
use harness::fix::apply;
use harness::{need_root, wait_until};
use std::fs;
use std::process::Command;

/// The advice for a log that nothing rotates: typed, it makes the verdict change, logrotate takes
/// it, and no line is lost.
#[test]
fn advice_for_rotation_works() {
    if !need_root() || harness::need("logrotate").is_none() {
        return;
    }
    let Some(running) = nginx::start(SITE, &[]) else {
        return;
    };
    let (conf, log) = (
        running.dir.path().join("nginx.conf"),
        running.dir.path().join("logs/a.log"),
    );
    let rotation = site();
    fs::create_dir(rotation.path().join("d")).unwrap();
    let main = rotation.path().join("main.conf");
    write(&main, format!("include {}/d\n", rotation.path().display()));
    let logrotate = format!("--conf=logrotate={}", main.display());
    let run = || log_paths("nginx", &conf, &[&logrotate, "--check"]).json();
    apply(&problem(&run(), &log, "not_rotated")["fix"]);
    let after = item(&run(), &log);
    assert_eq!(codes(&after), [""; 0], "{after:#}");
    assert_eq!(after["rotated_by"]["reopened"], true);
    let request = || {
        let port = fs::read_to_string(&conf).unwrap();
        let port = port.split("127.0.0.1:").nth(1).unwrap();
        let port: u16 = port.split(';').next().unwrap().trim().parse().unwrap();
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.write_all(b"GET /line HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
    };
    request();
    fs::write(log.with_file_name("kept"), fs::read(&log).unwrap()).unwrap();
    let forced = Command::new("/usr/sbin/logrotate")
        .args(["-f", "-s"])
        .arg(rotation.path().join("state"))
        .arg(&main)
        .output()
        .unwrap();
    assert!(
        forced.status.success(),
        "{}",
        String::from_utf8_lossy(&forced.stderr)
    );
    wait_until("nginx has opened the new log", || {
        codes(&item(&run(), &log)).is_empty()
    });
    request();
    assert!(fs::read_to_string(&log).unwrap().contains("GET /line"));
    assert!(
        fs::read_to_string(log.with_file_name("a.log.1"))
            .unwrap()
            .contains("GET /line")
    );
    // Without the script lines go to the old file: that is told, and mended.
    let stanza = fs::read_dir(rotation.path().join("d"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(&stanza).unwrap();
    let bare: String = text
        .lines()
        .filter(|line| {
            !["postrotate", "endscript", "kill"]
                .iter()
                .any(|word| line.contains(word))
        })
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&stanza, bare).unwrap();
    apply(&problem(&run(), &log, "rotation_loses_lines")["fix"]);
    assert_eq!(codes(&item(&run(), &log)), [""; 0]);
    // And what logrotate refuses is mended, too.
    let name = log.display();
    for refused in [
        format!("{name} {{ weekly rotate 8 missingok copytruncate }}\n"),
        format!("{name} {{\n create 0640 nobody-here adm\n copytruncate\n}}\n"),
    ] {
        fs::write(&stanza, refused).unwrap();
        apply(&problem(&run(), &log, "rotation_refused")["fix"]);
        let mended = fs::read_to_string(&stanza).unwrap();
        assert_eq!(codes(&item(&run(), &log)), [""; 0], "{mended}");
    }
}

/// Whatever a log is called after it was moved away: the service runs, should hold it, and does
/// not.
#[test]
fn every_way_of_renaming_is_seen() {
    let Some(running) = nginx::start(SITE, &[]) else {
        return;
    };
    let (conf, logs) = (
        running.dir.path().join("nginx.conf"),
        running.dir.path().join("logs"),
    );
    let log = logs.join("a.log");
    fs::create_dir(running.dir.path().join("away")).unwrap();
    for name in [
        "a.log.1",
        "a.log_20261126",
        "a-20261126.log",
        "a.log.bak",
        "old",
        "zzz.txt",
        "../away/a.log",
        "../away/b",
    ] {
        for new in [false, true] {
            fs::rename(&log, logs.join(name)).unwrap();
            if new {
                fs::write(&log, "").unwrap();
            }
            let report = log_paths("nginx", &conf, &["--check"]).json();
            assert!(
                codes(&item(&report, &log)).contains(&"renamed_open".to_owned()),
                "{name}: {:#}",
                item(&report, &log)
            );
            fs::rename(logs.join(name), &log).unwrap();
        }
    }
    let report = log_paths("nginx", &conf, &[]).json();
    assert_eq!(codes(&item(&report, &log)), ["not_rotated"]);
}
