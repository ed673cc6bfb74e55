//! Services that only a whole system has: cron's tables, systemd's units; read from a tree that
//! stands for one.

use super::{items, paths, site, write};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

fn rooted(root: &std::path::Path, service: &str) -> Value {
    harness::tool("log-paths")
        .arg("--root")
        .arg(root)
        .arg(service)
        .run()
        .expect_code(0)
        .json()
}

fn set(names: &[&str]) -> BTreeSet<PathBuf> {
    names.iter().map(PathBuf::from).collect()
}

/// The redirections that a real shell makes of the same commands.
#[test]
fn cron_jobs_write_where_their_shell_would() {
    let root = site();
    let at = |name: &str| root.path().join(name);
    write(
        &at("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nweb:x:7:7::/home/web:/bin/sh\n",
    );
    write(
        &at("etc/crontab"),
        "SHELL=/bin/sh\n17 * * * * root cd / && run >> /l/hourly.log 2>&1\n@reboot web boot &>rel.log\n",
    );
    write(
        &at("etc/cron.d/site"),
        "HOME=/srv\n* * * * * web x > '/l/a b' 2> err\\ or | cat\n* * * * * web date +\\%F >/l/p\\%c % input > /l/no\n",
    );
    write(
        &at("etc/cron.d/site.dpkg-old"),
        "* * * * * web x > /l/ignored\n",
    );
    write(
        &at("var/spool/cron/crontabs/web"),
        "5 4 * * * x | tee -a /l/tee.log | logger -t x\n0 0 * * * y >> /l/$(date +\\%F).log\n1 1 * * * z > /dev/null 2>&1\n",
    );
    let report = rooted(root.path(), "cron");
    assert_eq!(
        paths(&report),
        set(&[
            "/l/hourly.log",
            "/home/web/rel.log",
            "/l/a b",
            "/srv/err or",
            "/l/p%c",
            "/l/tee.log"
        ]),
        "{report:#}"
    );
    let find = |sink: &str| {
        items(&report)
            .into_iter()
            .filter(|item| item["sink"] == sink)
            .collect::<Vec<_>>()
    };
    assert_eq!(find("template")[0]["path"], "/l/$(date +%F).log");
    assert_eq!(super::codes(&find("template")[0]), ["unresolved_variable"]);
    assert_eq!(find("syslog").len(), 2);
    let hourly = super::item(&report, std::path::Path::new("/l/hourly.log"));
    assert_eq!(
        (
            hourly["service_user"].as_str(),
            hourly["source"]["line"].as_u64()
        ),
        (Some("root"), Some(2))
    );
}

/// Every redirection of a list of commands, made by sh in an empty directory, is the one that is
/// read.
#[test]
fn the_shell_makes_the_same_files() {
    let commands = [
        "echo >a 2>b",
        "echo '>no' >\"c d\"; echo x>>e",
        "(echo 1; echo 2) >f 2>&1 &",
        "echo 12>g",
        "echo \\>no>h",
        "echo a|tee i|tee -a j >/dev/null",
        "echo x >k</dev/null",
        "{ echo; } >l # >m",
    ];
    for command in commands {
        let dir = site();
        Command::new("sh")
            .args(["-c", &format!("{command}\nwait")])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let made: BTreeSet<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let table = site();
        write(
            &table.path().join("tab"),
            format!("HOME=/h\n* * * * * {command}\n"),
        );
        let report = super::log_paths("cron", &table.path().join("tab"), &["--config-only"]).json();
        let got: BTreeSet<String> = paths(&report)
            .iter()
            .map(|path| path.strip_prefix("/h").unwrap().display().to_string())
            .collect();
        assert_eq!(got, made, "{command}");
    }
}

/// Drop-ins, cleared lists, specifiers, instances and masks; what the unit starts is found, too.
#[test]
fn units_that_name_files() {
    let root = site();
    let at = |name: &str| root.path().join(name);
    write(
        &at("lib/systemd/system/site.service"),
        "[Unit]\nStandardOutput=file:/l/no\n[Service]\nUser=web\nStandardOutput=append:/l/vendor.log\nStandardError=journal\nExecStart=/bin/x\n",
    );
    write(
        &at("etc/systemd/system/site.service.d/10-log.conf"),
        "[Service]\nStandardOutput=append:%L/%p/%%a.log\nStandardError=truncate:/l/err.log\n",
    );
    write(
        &at("run/systemd/system/site.service.d/10-log.conf"),
        "[Service]\nStandardOutput=file:/l/overridden\n",
    );
    write(
        &at("lib/systemd/system/work@.service"),
        "[Service]\nStandardOutput=file:/l/%i-%I.log\nStandardError=append:/l/%q.log\n",
    );
    fs::create_dir_all(at("etc/systemd/system/multi-user.target.wants")).unwrap();
    symlink(
        "/lib/systemd/system/work@.service",
        at("etc/systemd/system/multi-user.target.wants/work@a-b.service"),
    )
    .unwrap();
    write(
        &at("lib/systemd/system/masked.service"),
        "[Service]\nStandardOutput=file:/l/masked\n",
    );
    symlink("/dev/null", at("etc/systemd/system/masked.service")).unwrap();
    write(
        &at("lib/systemd/system/web.service"),
        "[Service]\nUser=web\nWorkingDirectory=/srv\nEnvironment=\"GUNICORN_CMD_ARGS=--access-logfile a.log\" X=1\nExecStart=-/venv/bin/gunicorn \\\n  --error-logfile /l/g.log site:app\n",
    );
    let report = rooted(root.path(), "systemd");
    assert_eq!(
        paths(&report),
        set(&["/var/log/site/%a.log", "/l/err.log", "/l/a-b-a/b.log"]),
        "{report:#}"
    );
    let template = items(&report)
        .into_iter()
        .find(|item| item["sink"] == "template")
        .unwrap();
    assert_eq!(super::codes(&template), ["unresolved_variable"]);
    let report = rooted(root.path(), "gunicorn");
    assert_eq!(
        paths(&report),
        set(&["/srv/a.log", "/l/g.log"]),
        "{report:#}"
    );
    assert!(
        items(&report)
            .iter()
            .all(|item| item["service_user"] == "web")
    );
}
