//! Programs and peers that mean no good: everything ends in time, with a clear answer, and no
//! secret is said.

use super::{answer, ask, check, check_file, pair};
use harness::{scratch, tool, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

fn program(dir: &Path, name: &str, script: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// A server whose every connection is handled by `serve`; gives the port.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = std::sync::Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    port
}

fn http(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    server(move |mut stream| {
        let mut request = [0; 4096];
        let n = stream.read(&mut request).unwrap_or(0);
        let _ = stream.write_all(&answer(&String::from_utf8_lossy(&request[..n])));
    })
}

#[test]
fn a_program_that_does_not_end_is_ended_with_all_it_started() {
    let dir = scratch();
    let mark = dir.path().join("pid");
    let slow = program(
        dir.path(),
        "slow",
        &format!(
            "trap '' TERM; sleep 1000 & echo $! > {}; wait; sleep 1000",
            mark.display()
        ),
    );
    assert_eq!(
        answer(&check(&["--each", "300ms", &format!("cmd:{slow}>=1")])),
        pair("unknown", "timeout")
    );
    let pid = fs::read_to_string(&mark).unwrap();
    wait_until("the child of the program is gone", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn a_signal_ends_the_run_and_all_it_started() {
    let dir = scratch();
    let mark = dir.path().join("pid");
    let slow = program(
        dir.path(),
        "slow",
        &format!("echo $$ > {}; sleep 1000", mark.display()),
    );
    let mut tool = tool("check-reqs")
        .arg("cmd:sh")
        .arg(format!("cmd:{slow}>=1"));
    let child = tool
        .command()
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the program runs", || {
        fs::read_to_string(&mark).is_ok_and(|text| text.ends_with('\n'))
    });
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id().try_into().unwrap()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["items"][0]["status"], "met");
    assert_eq!(report["items"][1]["reason"], "interrupted");
    let pid = fs::read_to_string(&mark).unwrap();
    wait_until("the program is gone", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn the_whole_run_has_an_end_too() {
    let dir = scratch();
    let slow = program(dir.path(), "slow", "sleep 1000");
    let report = check(&[
        "--timeout",
        "500ms",
        "-j",
        "1",
        "cmd:sh",
        &format!("cmd:{slow}>=1"),
        "cmd:git>=1",
    ])
    .expect_code(3)
    .json();
    assert_eq!(super::statuses(&report), ["met", "unknown", "unknown"]);
}

#[test]
fn a_flood_of_output_is_read_and_dropped() {
    let dir = scratch();
    let flood = program(
        dir.path(),
        "flood",
        "yes 'no version at all' | head -c 50000000",
    );
    let done = check(&[&format!("cmd:{flood}>=1")]);
    assert_eq!(answer(&done), pair("unknown", "no_version"));
    assert!(
        done.stdout.len() < 10_000,
        "evidence is cut: {}",
        done.stdout.len()
    );
    let endless = program(dir.path(), "endless", "exec yes");
    assert_eq!(
        answer(&check(&["--each", "300ms", &format!("cmd:{endless}>=1")])),
        pair("unknown", "timeout")
    );
}

#[test]
fn slow_and_broken_web_servers() {
    let silent = server(|stream| {
        thread::sleep(Duration::from_secs(if stream.peer_addr().is_ok() {
            60
        } else {
            0
        }));
    });
    assert_eq!(
        answer(&check(&[
            "--each",
            "300ms",
            &format!("http:http://127.0.0.1:{silent}/")
        ])),
        pair("unknown", "timeout")
    );
    let dripping = server(|mut stream| {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
            .iter()
            .chain(std::iter::repeat_n(&b'x', 1000))
        {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(
        answer(&check(&[
            "--each",
            "500ms",
            &format!("http:http://127.0.0.1:{dripping}/")
        ])),
        pair("unknown", "timeout")
    );
    let garbage = http(|_| b"\xff\xfe\x00 this is not HTTP\r\n\r\n".to_vec());
    assert_eq!(
        ask(&format!("http:http://127.0.0.1:{garbage}/")),
        pair("unmet", "broken_answer")
    );
    let closed = server(drop);
    assert_eq!(ask(&format!("http:http://127.0.0.1:{closed}/")).0, "unmet");
    let endless = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    assert_eq!(
        ask(&format!("http:http://127.0.0.1:{endless}/")).0,
        "met",
        "a mebibyte of a body is enough"
    );
}

#[test]
fn redirects_are_answers_and_loops_end() {
    let around = http(|_| {
        b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_vec()
    });
    let url = format!("http://127.0.0.1:{around}/");
    assert_eq!(ask(&format!("http:{url}")), pair("unmet", "status"));
    assert_eq!(ask(&format!("http:{url}=302")).0, "met");
    let followed = format!("[[check]]\ntype = \"http\"\nurl = \"{url}\"\nredirects = 5\n");
    let done = check_file(&followed, &[]).expect_code(1);
    assert_eq!(answer(&done).0, "unmet", "{}", done.out());
}

#[test]
fn tarpits_and_liars_at_the_mail_port() {
    let tarpit = server(|mut stream| {
        for byte in b"220-wait\r\n".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(40));
        }
    });
    assert_eq!(
        answer(&check(&[
            "--each",
            "500ms",
            &format!("smtp:127.0.0.1:{tarpit}")
        ])),
        pair("unknown", "timeout")
    );
    let endless =
        server(|mut stream| while stream.write_all(b"220-wait a little longer\r\n").is_ok() {});
    assert_eq!(
        ask(&format!("smtp:127.0.0.1:{endless}")),
        pair("unmet", "not_smtp")
    );
    let web = http(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    assert_eq!(
        answer(&check(&["--each", "2s", &format!("smtp:127.0.0.1:{web}")])).0,
        "unknown",
        "a web server waits for us to speak"
    );
    let refusing = server(|mut stream| drop(stream.write_all(b"554 5.7.1 go away\r\n")));
    assert_eq!(
        ask(&format!("smtp:127.0.0.1:{refusing}")),
        pair("unmet", "refused")
    );
    let binary = server(|mut stream| drop(stream.write_all(b"\xff\xfe\x01\x02\r\n")));
    assert_eq!(
        ask(&format!("smtp:127.0.0.1:{binary}")),
        pair("unmet", "not_smtp")
    );
}

#[test]
fn no_secret_is_said_in_any_format() {
    let dir = scratch();
    let needs = [
        "postgres>=13@postgres://app:hunter2@127.0.0.1:1/app".to_string(),
        "ext:hstore@host=127.0.0.1 port=1 user=app password=hunter2".to_string(),
        "http:http://user:hunter2@127.0.0.1:1/?token=hunter2".to_string(),
    ];
    let file = dir.path().join("site.toml");
    fs::write(&file, "[[check]]\ntype = \"django\"\ndirectory = \"/\"\nmanage = \"none.py\"\nenv = { SECRET_KEY = \"hunter2\" }\n")
        .unwrap();
    let journal = dir.path().join("journal");
    for format in [
        "json",
        "text",
        "ndjson",
        "nagios",
        "tap",
        "junit",
        "prometheus",
    ] {
        let run = tool("check-reqs")
            .args(["-o", format, "-v", "--journal"])
            .arg(&journal)
            .arg("-f")
            .arg(&file)
            .args(&needs);
        let done = run.run();
        let (out, err) = (done.out(), done.err());
        assert!(
            !out.contains("hunter2") && !err.contains("hunter2"),
            "{format}: {out}{err}"
        );
        assert!(!out.is_empty());
    }
    for args in [["--list"].as_slice(), &["--list", "-o", "text", "-v"]] {
        let done = tool("check-reqs")
            .args(args)
            .args(&needs)
            .run()
            .expect_code(0);
        assert!(!done.out().contains("hunter2"), "{}", done.out());
    }
    assert!(!fs::read_to_string(journal).unwrap().contains("hunter2"));
    // Nor where the argument is wrong, or there twice.
    let wrong = check(&["postgres>=x@postgres://app:hunter2@h/d"]).expect_code(2);
    assert!(!wrong.err().contains("hunter2"), "{}", wrong.err());
    let twice = check(&[&needs[0], &needs[0]]).expect_code(2);
    assert!(!twice.err().contains("hunter2"), "{}", twice.err());
}
