//! Each problem brought about for real, and found.

use super::{codes, item, items, log_paths, nginx, paths, site, write};
use harness::fix::apply;
use harness::{Server, need_root, wait_until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

pub const SITE: &str = "user www-data; error_log logs/e.log; http { @TEMP@ server { listen 127.0.0.1:@PORT@; access_log logs/a.log; } }";

#[track_caller]
pub fn problem(report: &Value, path: &Path, code: &str) -> Value {
    let log = item(report, path);
    let found = log["problems"]
        .as_array()
        .unwrap()
        .iter()
        .find(|problem| problem["code"] == code)
        .cloned();
    let found = found.unwrap_or_else(|| panic!("{} has no {code}: {log:#}", path.display()));
    assert!(
        found["fix"]["summary"]
            .as_str()
            .is_some_and(|fix| !fix.is_empty()),
        "{found}"
    );
    found
}

/// A log that was deleted and is still written holds its space, and an exchanged one is not the one
/// that is written.
#[test]
fn deleted_renamed_and_replaced_logs() {
    let Some(running) = nginx::start(SITE, &[]) else {
        return;
    };
    let (conf, log) = (
        running.dir.path().join("nginx.conf"),
        running.dir.path().join("logs/a.log"),
    );
    fs::write(&log, vec![b'x'; 100_000]).unwrap();
    fs::remove_file(&log).unwrap();
    let report = log_paths("nginx", &conf, &["--check"])
        .expect_code(1)
        .json();
    let deleted = problem(&report, &log, "deleted_open");
    assert!(deleted["bytes"].as_u64().unwrap() >= 100_000, "{deleted}");
    assert!(item(&report, &log)["open_by"][0]["deleted"] == true);
    fs::write(&log, "").unwrap();
    let report = log_paths("nginx", &conf, &["--check"])
        .expect_code(1)
        .json();
    // One cause is one problem, whatever else has the name by now.
    let found = codes(&item(&report, &log));
    assert_eq!(found, ["deleted_open", "not_rotated"]);
    apply(&deleted["fix"]);
    wait_until("the log is open again", || {
        let report = log_paths("nginx", &conf, &[]).json();
        codes(&item(&report, &log))
            .iter()
            .all(|code| code == "not_rotated")
    });
    fs::rename(&log, running.dir.path().join("logs/a.log.1")).unwrap();
    let report = log_paths("nginx", &conf, &["--check"])
        .expect_code(1)
        .json();
    problem(&report, &log, "renamed_open");
}

/// A name that ends in ` (deleted)` is a name like any other.
#[test]
fn a_file_may_be_called_deleted() {
    let dir = site();
    let odd = dir.path().join("odd.log (deleted)");
    let script = format!("exec 9>>'{}'; sleep 600", odd.display());
    let _shell = Server::start(
        Command::new("sh").args(["-c", &script]),
        &dir.path().join("said"),
    );
    wait_until("the file", || odd.exists());
    let report = harness::tool("log-paths").arg("--open-only").run().json();
    let found = item(&report, &odd);
    assert_eq!(found["open_by"][0]["deleted"], false);
    assert_eq!(codes(&found), [""; 0]);
}

/// After USR1 a worker that cannot enter the directory goes on writing the rotated file.
#[test]
fn a_worker_that_cannot_reopen() {
    if !need_root() {
        return;
    }
    let Some(running) = nginx::start(SITE, &[]) else {
        return;
    };
    let (conf, logs) = (
        running.dir.path().join("nginx.conf"),
        running.dir.path().join("logs"),
    );
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o700)).unwrap();
    let report = log_paths("nginx", &conf, &["--check"])
        .expect_code(1)
        .json();
    let log = logs.join("a.log");
    let blocked = problem(&report, &log, "reopen_blocked");
    assert!(
        blocked["message"].as_str().unwrap().contains("www-data"),
        "{blocked}"
    );
    assert_eq!(item(&report, &log)["reopenable"], false);
    assert_eq!(item(&report, &log)["writable"], true);
    // It is so: after a rotation the worker has the old file still.
    fs::rename(&log, logs.join("a.log.1")).unwrap();
    running.server.signal(nix::sys::signal::Signal::SIGUSR1);
    wait_until("the master has made the new file", || log.exists());
    wait_until("the worker writes the old file", || {
        let report = log_paths("nginx", &conf, &["--check"]).json();
        codes(&item(&report, &log)).contains(&"renamed_open".to_owned())
    });
}

/// What the modes forbid is told, and what an ACL allows is known.
#[test]
fn rights_are_told_from_modes_groups_and_acls() {
    let root = site();
    let at = |name: &str| root.path().join(name);
    write(
        &at("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nweb:x:1234:1234::/:/bin/sh\n",
    );
    write(&at("etc/group"), "root:x:0:\nweb:x:1234:\nlogs:x:777:web\n");
    let conf = "[supervisord]\nlogfile=/l/s.log\nuser=web\nlogfile_maxbytes=0\n[program:a]\ncommand=x\nstdout_logfile=/l/group/a.log\nstderr_logfile=/l/none/a.log\n\
                [program:b]\ncommand=x\nstdout_logfile=/l/open/b.log\nstderr_logfile=/l/closed/b.log\n";
    write(&at("etc/supervisor/supervisord.conf"), conf);
    for dir in ["l/group", "l/open", "l/closed"] {
        fs::create_dir_all(at(dir)).unwrap();
    }
    if !need_root() {
        return;
    }
    chown(at("l/group"), Some(0), Some(777)).unwrap();
    fs::set_permissions(at("l/group"), fs::Permissions::from_mode(0o770)).unwrap();
    fs::set_permissions(at("l/open"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(at("l/closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let run = || {
        harness::tool("log-paths")
            .arg("--root")
            .arg(root.path())
            .args(["--check", "supervisor"])
            .run()
            .expect_code(1)
            .json()
    };
    let report = run();
    let codes_of = |report: &Value, path: &str| codes(&item(report, Path::new(path)));
    assert_eq!(codes_of(&report, "/l/group/a.log"), [""; 0]);
    assert_eq!(codes_of(&report, "/l/none/a.log"), ["missing_dir"]);
    assert_eq!(codes_of(&report, "/l/open/b.log"), ["world_writable_dir"]);
    assert_eq!(codes_of(&report, "/l/closed/b.log"), ["not_writable"]);
    problem(&report, Path::new("/l/closed/b.log"), "not_writable");
    // The kernel's own form of u::rwx,u:1234:rwx,g::---,m::rwx,o::---
    let entries: [(u16, u16, u32); 5] = [
        (1, 7, u32::MAX),
        (2, 7, 1234),
        (4, 0, u32::MAX),
        (16, 7, u32::MAX),
        (32, 0, u32::MAX),
    ];
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, bits, id) in entries {
        acl.extend(
            tag.to_le_bytes()
                .into_iter()
                .chain(bits.to_le_bytes())
                .chain(id.to_le_bytes()),
        );
    }
    let given = Command::new("/usr/bin/python3")
        .args(["-c", "import os,sys; os.setxattr(sys.argv[1], 'system.posix_acl_access', bytes.fromhex(sys.argv[2]))"])
        .arg(at("l/closed"))
        .arg(acl.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        .status()
        .unwrap();
    assert!(
        given.success(),
        "the directory for temporary files is on a file system without ACLs: set TMPDIR to another"
    );
    assert_eq!(codes_of(&run(), "/l/closed/b.log"), [""; 0]);
}

/// Links, FIFOs, and a log that nobody ever writes.
#[test]
fn files_that_are_no_plain_logs() {
    let text = "user www-data; error_log logs/e.log; http { @TEMP@ access_log logs/unused.log; server { listen 127.0.0.1:@PORT@; access_log logs/link.log; } }";
    let Some(running) = nginx::start(text, &[]) else {
        return;
    };
    let (conf, logs) = (
        running.dir.path().join("nginx.conf"),
        running.dir.path().join("logs"),
    );
    fs::rename(logs.join("link.log"), logs.join("target.log")).unwrap();
    fs::write(logs.join("target.log"), "a line\n").unwrap();
    symlink("target.log", logs.join("link.log")).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 86400);
    fs::File::open(logs.join("unused.log"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let report = log_paths("nginx", &conf, &["--check"])
        .expect_code(1)
        .json();
    problem(&report, &logs.join("link.log"), "symlink");
    assert_eq!(item(&report, &logs.join("link.log"))["type"], "symlink");
    problem(&report, &logs.join("unused.log"), "opened_never_written");
    let fifo = running.dir.path().join("fifo.conf");
    nix::unistd::mkfifo(&logs.join("f.log"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    write(
        &fifo,
        format!("error_log {}/f.log; events {{}}", logs.display()),
    );
    let report = log_paths("nginx", &fifo, &["--config-only", "--check"])
        .expect_code(1)
        .json();
    problem(&report, &logs.join("f.log"), "fifo");
    assert_eq!(paths(&report), [logs.join("f.log")].into());
}

/// A service that runs without a log that its configuration names has not read it yet.
#[test]
fn a_log_that_is_not_there_although_the_service_runs() {
    let Some(running) = nginx::start(SITE, &[]) else {
        return;
    };
    let conf = running.dir.path().join("nginx.conf");
    let text = fs::read_to_string(&conf)
        .unwrap()
        .replace("logs/a.log", "logs/new.log");
    // A process' start is known to a hundredth of a second; nobody edits a file sooner after it.
    std::thread::sleep(std::time::Duration::from_millis(100));
    write(&conf, text);
    let report = log_paths("nginx", &conf, &["--check"])
        .expect_code(1)
        .json();
    problem(
        &report,
        &running.dir.path().join("logs/new.log"),
        "missing_file",
    );
    // What it does have open is known by its descriptors.
    let old = item(&report, &running.dir.path().join("logs/a.log"));
    assert_eq!(old["evidence"], serde_json::json!(["open"]));
}

/// A process in another mount namespace is told apart.
#[test]
fn another_file_system() {
    if !need_root() {
        return;
    }
    let dir = site();
    let script = format!(
        "mount -t tmpfs none {0} && exec 9>>{0}/inner.log; sleep 600",
        dir.path().display()
    );
    let said = harness::scratch();
    let mut shell = Server::start(
        Command::new("unshare").args(["-m", "sh", "-c", &script]),
        &said.path().join("said"),
    );
    let found = || {
        let report = harness::tool("log-paths").arg("--open-only").run().json();
        items(&report)
            .into_iter()
            .find(|item| item["path"] == dir.path().join("inner.log").to_str().unwrap())
    };
    wait_until("the log in the other file system", || {
        assert!(
            shell.runs(),
            "no file system of its own; SKIP_SERVERS=1 leaves this out: {}",
            shell.said()
        );
        found().is_some()
    });
    assert_eq!(codes(&found().unwrap()), ["other_namespace"]);
}

/// A service with a mount namespace of its own (PrivateTmp=) is judged like any other.
#[test]
fn a_private_namespace_is_not_another_file() {
    if !need_root() || harness::need("nginx").is_none() {
        return;
    }
    let dir = site();
    let at = dir.path().display().to_string();
    fs::create_dir_all(dir.path().join("t")).unwrap();
    fs::create_dir_all(dir.path().join("logs")).unwrap();
    let conf = dir.path().join("nginx.conf");
    write(
        &conf,
        format!(
            "daemon off; pid {at}/nginx.pid; events {{}} error_log {at}/logs/e.log; http {{ client_body_temp_path {at}/t/c; proxy_temp_path {at}/t/p; fastcgi_temp_path {at}/t/f; uwsgi_temp_path {at}/t/u; scgi_temp_path {at}/t/s; access_log {at}/logs/a.log; server {{ listen unix:{at}/s; }} }}\n"
        ),
    );
    let _server = Server::start(
        Command::new("unshare")
            .args(["-m", "nginx", "-c"])
            .arg(&conf),
        &dir.path().join("said"),
    );
    wait_until("the pid file", || dir.path().join("nginx.pid").exists());
    let log = dir.path().join("logs/a.log");
    let run = |more: &[&str]| log_paths("nginx", &conf, more);
    let healthy = run(&[]).json();
    assert_eq!(codes(&item(&healthy, &log)), ["not_rotated"]);
    assert!(
        !item(&healthy, &log)["open_by"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let plain = harness::tool("log-paths")
        .args(["--open-only", "--plain"])
        .run();
    assert!(plain.out().contains(log.to_str().unwrap()));
    fs::rename(&log, dir.path().join("logs/other")).unwrap();
    problem(&run(&["--check"]).json(), &log, "renamed_open");
    fs::remove_file(dir.path().join("logs/other")).unwrap();
    problem(&run(&["--check"]).json(), &log, "deleted_open");
}
