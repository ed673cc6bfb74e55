//! Several servers of one kind on one machine: a configuration that is named means its own server,
//! for root and for others.

use super::{log_paths, paths, site, write};
use harness::{Output, Server, TempDir, need, need_root, tool_copied_to, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const NOBODY: u32 = 65534;

/// A directory with the configuration of an nginx of nobody's, in `sub`.
fn nginx_site(sub: &str) -> TempDir {
    let dir = site();
    let at = dir.path().display().to_string();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {at}/{name};"))
        .concat();
    let text = format!(
        "daemon off; pid {at}/pid; error_log {at}/error.log; events {{}} http {{ {temporary} access_log {at}/access.log; server {{ listen unix:{at}/s; }} }}"
    );
    write(&dir.path().join(sub).join("nginx.conf"), text);
    write(&dir.path().join(sub).join("mime.types"), "");
    chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    dir
}

fn started(mut command: Command, dir: &Path) -> Server {
    let mut server = Server::start(&mut command, &dir.join("said.txt"));
    wait_until("nginx's pid file", || {
        assert!(server.runs(), "{}", server.said());
        fs::read_to_string(dir.join("pid")).is_ok_and(|text| text.ends_with('\n'))
    });
    server
}

/// The tool as nobody runs it, from a directory that nobody may enter.
fn as_nobody(dir: &Path, words: &[&str]) -> Output {
    let mut tool = tool_copied_to(dir, "log-paths").args(words);
    tool.command().uid(NOBODY).gid(NOBODY);
    tool.run()
}

#[test]
fn another_nginx_is_another() {
    let (Some(nginx), true) = (need("nginx"), need_root()) else {
        return;
    };
    let (own, named, usual) = (nginx_site("."), nginx_site("."), nginx_site("etc"));
    let start = |dir: &TempDir| {
        let mut command = Command::new(&nginx);
        command
            .arg("-e")
            .arg(dir.path().join("start.log"))
            .arg("-c")
            .arg(dir.path().join("nginx.conf"))
            .uid(NOBODY)
            .gid(NOBODY);
        started(command, dir.path())
    };
    let servers = [start(&own), start(&named)];
    // One with the usual configuration: in a file system of its own, since this machine's may have
    // one.
    let mut command = Command::new("unshare");
    let script = format!(
        "mount --make-rprivate / && mount --bind {0}/etc /etc/nginx && exec nginx -e {0}/start.log",
        usual.path().display()
    );
    command.args(["-m", "sh", "-ec", &script]);
    let other = started(command, usual.path());
    let conf = own.path().join("nginx.conf");
    let want: BTreeSet<PathBuf> = ["error.log", "access.log", "said.txt"]
        .map(|name| own.path().join(name))
        .into();
    for report in [
        log_paths("nginx", &conf, &[]).expect_code(0).json(),
        as_nobody(
            own.path(),
            &["--conf", &format!("nginx={}", conf.display())],
        )
        .expect_code(0)
        .json(),
    ] {
        assert_eq!(paths(&report), want, "{report:#}");
        assert_eq!(
            report["coverage"],
            serde_json::json!({"procs_total": 2, "procs_readable": 2}),
            "{report:#}"
        );
    }
    // Where nothing is named, all that may be looked at are there, and it is said that others are
    // closed.
    let report = as_nobody(own.path(), &["nginx"]).expect_code(3).json();
    assert!(
        paths(&report).contains(&named.path().join("access.log")),
        "{report:#}"
    );
    assert!(
        report["coverage"]["procs_total"].as_u64() > report["coverage"]["procs_readable"].as_u64(),
        "{report:#}"
    );
    drop((servers, other));
}

/// supervisord finds its configuration where it is started and does not say so: the logs it holds
/// do.
#[test]
fn a_server_that_names_nothing_is_known_by_its_logs() {
    let Some(supervisord) = need("supervisord") else {
        return;
    };
    let sites = [site(), site()];
    let start = |dir: &TempDir| {
        write(
            &dir.path().join("supervisord.conf"),
            "[supervisord]\nlogfile=%(here)s/s.log\npidfile=%(here)s/pid\n",
        );
        let mut command = Command::new(&supervisord);
        command
            .args(["-n", "-d"])
            .arg(dir.path())
            .current_dir(dir.path());
        let server = Server::start(&mut command, &dir.path().join("out.txt"));
        wait_until("supervisord's log", || {
            fs::read_to_string(dir.path().join("s.log"))
                .is_ok_and(|text| text.contains("started with pid"))
        });
        server
    };
    let servers = sites.each_ref().map(start);
    for (dir, server) in sites.iter().zip(&servers) {
        let report = log_paths("supervisor", &dir.path().join("supervisord.conf"), &[])
            .expect_code(0)
            .json();
        let log = super::item(&report, &dir.path().join("s.log"));
        assert_eq!(log["open_by"][0]["pid"], server.pid());
        assert!(
            paths(&report)
                .iter()
                .all(|path| path.starts_with(dir.path())),
            "{report:#}"
        );
    }
}
