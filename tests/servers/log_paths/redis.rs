//! redis: what `CONFIG GET` says the log is, is what is read.

use super::{codes, item, log_paths, paths, site, write};
use harness::{Server, free_port, need, wait_until};
use std::process::Command;

#[test]
fn the_log_is_the_one_that_config_get_names() {
    let Some(redis) = need("redis-server") else {
        return;
    };
    let dir = site();
    let at = |name: &str| dir.path().join(name);
    for sub in ["early", "late", "conf.d"] {
        std::fs::create_dir(at(sub)).unwrap();
    }
    let socket = at("r.sock");
    write(&at("conf.d/one.conf"), "logfile \"in\\x63luded log\"\n");
    write(
        &at("redis.conf"),
        format!(
            "port 0\nunixsocket {}\nsave \"\"\ndir {}\nlogfile first.log\nDIR '{}'\ninclude {}\n# logfile no\n",
            socket.display(),
            at("early").display(),
            at("late").display(),
            at("conf.d/*.conf").display()
        ),
    );
    let server = Server::start(
        Command::new(redis)
            .arg(at("redis.conf"))
            .current_dir(dir.path()),
        &at("said"),
    );
    wait_until("redis's socket", || socket.exists());
    let get = |name: &str| {
        let out = Command::new("redis-cli")
            .arg("-s")
            .arg(&socket)
            .args(["config", "get", name])
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout)
            .lines()
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    let said = std::path::Path::new(&get("dir")).join(get("logfile"));
    let report = log_paths("redis", &at("redis.conf"), &[])
        .expect_code(0)
        .json();
    assert!(
        paths(&report).contains(&said),
        "{} {report:#}",
        said.display()
    );
    let log = item(&report, &said);
    assert_eq!(
        (
            log["exists"].as_bool(),
            log["open_by"].as_array().map(Vec::len)
        ),
        (Some(true), Some(0)),
        "the file is never held open"
    );
    assert_eq!(
        log["source"]["file"],
        at("conf.d/one.conf").to_str().unwrap()
    );
    // Nobody has to reopen what is opened for each line: a log moved away is no problem.
    std::fs::rename(&said, at("late/moved")).unwrap();
    let report = log_paths("redis", &at("redis.conf"), &[])
        .expect_code(0)
        .json();
    assert!(
        codes(&item(&report, &said))
            .iter()
            .all(|code| code == "not_rotated"),
        "{report:#}"
    );
    drop(server);
}

#[test]
fn what_goes_nowhere_or_to_syslog() {
    let dir = site();
    let conf = dir.path().join("redis.conf");
    let sinks = |text: &str| {
        write(&conf, text);
        let report = log_paths("redis", &conf, &["--config-only"]).json();
        super::items(&report)
            .iter()
            .map(|item| item["sink"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sinks(&format!("port {}\n", free_port())), ["stdio"]);
    assert_eq!(
        sinks("logfile x\nlogfile \"\"\ndaemonize yes\n"),
        ["discard"]
    );
    assert_eq!(
        sinks("logfile /x/y\nsyslog-enabled yes\n"),
        ["file", "syslog"]
    );
    write(&conf, "include redis.conf\n");
    let report = log_paths("redis", &conf, &["--config-only"])
        .expect_code(3)
        .json();
    assert_eq!(report["errors"][0]["code"], "include_loop");
}
