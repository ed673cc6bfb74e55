//! Crons whose rules cron-render does not know, as the real programs: each is named, nothing is
//! written for it, and what does not touch the host works all the same.

use super::crons;
use harness::{bin, namespace};
use std::path::Path;

/// What the tool says where this file is the host's crontab(1): each line an exit status and
/// standard error's first line.
fn said(crontab: &Path) -> String {
    let tool = bin("cron-render");
    let env = [("TOOL", tool.as_path()), ("CRONTAB", crontab)];
    let dirs = [
        "/etc",
        "/var/spool",
        "/var/lib",
        "/usr/bin",
        "/root",
        "/run",
    ];
    let done = namespace::run(&dirs, &[], &env, include_str!("foreign.sh"));
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{err}");
    String::from_utf8(done.stdout).unwrap()
}

#[track_caller]
fn expect(crontab: &Path, name: &str, hint: &str) {
    let said = said(crontab);
    let mut lines = said.lines();
    for place in ["crontabs", "/etc/cron.d"] {
        let line = lines.next().unwrap();
        assert!(
            line.starts_with("install 3 cron-render: ")
                && line.contains(name)
                && line.contains(hint),
            "{place}: {said}"
        );
    }
    let rest: Vec<&str> = lines.collect();
    assert_eq!(
        rest,
        [
            "nothing was written",
            "render 0",
            "explain 0",
            "next 0",
            "lint 0"
        ],
        "{said}"
    );
}

#[test]
fn busybox_is_named_and_nothing_is_written_for_it() {
    if !namespace::available() || harness::need("busybox").is_none() {
        return;
    }
    let busybox = std::fs::canonicalize("/usr/bin/busybox").unwrap();
    expect(
        &busybox,
        "busybox crond ",
        "cron-render render prints the schedule",
    );
}

#[test]
fn systemd_cron_is_named_and_nothing_is_written_for_it() {
    if !namespace::available() {
        return;
    }
    for cron in crons::named(&["systemd-cron"]) {
        expect(
            &cron.dir.join("crontab"),
            "systemd-cron",
            "--format systemd installs timers",
        );
    }
}
