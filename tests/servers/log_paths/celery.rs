//! celery: the names its own formatter makes, and the files a real worker opens.

use super::{items, log_paths, paths, site, write, written_by};
use harness::{Server, test_venv, wait_until};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// A worker with a pool: its own file and one for each of the pool's processes.
#[test]
fn a_workers_files_are_those_it_opens() {
    let celery = test_venv().join("bin/celery");
    if !celery.exists() && harness::skip_servers() {
        return;
    }
    let dir = site();
    write(
        &dir.path().join("app.py"),
        "from celery import Celery\napp = Celery('app', broker='memory://')\n",
    );
    std::fs::create_dir(dir.path().join("logs")).unwrap();
    let mut command = Command::new(&celery);
    command.current_dir(dir.path()).env("C_FORCE_ROOT", "1");
    command.args([
        "-A",
        "app",
        "worker",
        "-n",
        "w1@box.example.org",
        "-c",
        "2",
        "-l",
        "INFO",
        "--without-mingle",
        "--without-gossip",
        "--without-heartbeat",
    ]);
    command.arg("--logfile=logs/%n-%h-%d%I.log");
    let server = Server::start(&mut command, &dir.path().join("said"));
    let logs = dir.path().join("logs");
    let main = logs.join("w1-box.example.org-example.org.log");
    wait_until("celery's log", || {
        std::fs::read_to_string(&main).is_ok_and(|text| text.contains("ready"))
    });
    let open: BTreeSet<PathBuf> = written_by(server.pid())
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    assert_eq!(open, [main.clone()].into());
    let report = harness::tool("log-paths").arg("celery").run().json();
    let got: BTreeSet<PathBuf> = paths(&report)
        .into_iter()
        .filter(|path| path.starts_with(&logs))
        .collect();
    let made: BTreeSet<PathBuf> = std::fs::read_dir(&logs)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(
        got.contains(&main) && got.is_subset(&made),
        "{got:?} {made:?}"
    );
    let template = items(&report).into_iter().find(|item| {
        item["sink"] == "template"
            && item["path"]
                .as_str()
                .unwrap()
                .starts_with(logs.to_str().unwrap())
    });
    assert_eq!(
        template.unwrap()["path"],
        logs.join("w1-box.example.org-example.org%I.log")
            .to_str()
            .unwrap()
    );
}

/// The init script's settings, names made as celery's own formatter makes them.
#[test]
fn the_init_scripts_settings() {
    let dir = site();
    let conf = dir.path().join("celeryd");
    write(
        &conf,
        "# shell\nCELERYD_NODES=\"w1 w2@other\"\nLOGS=/l\nexport CELERYD_LOG_FILE=\"$LOGS/%n-%p%I.log\"\nCELERYD_USER='www-data'\nCELERYBEAT_LOG_FILE=${LOGS}/beat.log\n",
    );
    let report = log_paths("celery", &conf, &["--config-only"])
        .expect_code(0)
        .json();
    let formatter = "import sys; from celery.utils.nodenames import node_format, nodename, nodesplit, gethostname\nfor n in sys.argv[1:]:\n name, host = nodesplit(n)\n print(node_format('/l/%n-%p', n if '@' in n else '%s@%s' % (n, gethostname())))";
    let said = Command::new(test_venv().join("bin/python"))
        .args(["-c", formatter, "w1", "w2@other"])
        .output()
        .unwrap();
    let mut want: BTreeSet<PathBuf> = String::from_utf8_lossy(&said.stdout)
        .lines()
        .map(|line| PathBuf::from(format!("{line}.log")))
        .collect();
    assert_eq!(want.len(), 2, "{}", String::from_utf8_lossy(&said.stderr));
    want.insert("/l/beat.log".into());
    assert_eq!(paths(&report), want, "{report:#}");
    assert!(
        items(&report)
            .iter()
            .all(|item| item["service_user"] == "www-data" || item["instance"] == "beat")
    );
}
