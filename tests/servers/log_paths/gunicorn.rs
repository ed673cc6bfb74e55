//! gunicorn: the command line over GUNICORN_CMD_ARGS over the file, by what gunicorn itself opens.

use super::{codes, item, items, log_paths, paths, site, write, written_by};
use harness::{Server, test_venv, wait_until};
use std::collections::BTreeSet;
use std::process::Command;

const APP: &str = "def app(environ, start):\n    start('200 OK', [])\n    return [b'ok']\n";

/// What the three layers make gunicorn open is what is read from them.
#[test]
fn layers_are_believed_in_gunicorns_order() {
    let gunicorn = test_venv().join("bin/gunicorn");
    let dir = site();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("logs")).unwrap();
    write(&at("web.py"), APP);
    let socket = at("g.sock");
    write(
        &at("g.conf.py"),
        format!(
            "'''accesslog = \"no\"'''\nbind = 'unix:{}'\naccesslog = 'logs/file-access.log'\nerrorlog = ('logs/'\n  'file-error.log')\nif False:\n    workers = 3\n",
            socket.display()
        ),
    );
    let mut command = Command::new(&gunicorn);
    command.current_dir(dir.path()).env(
        "GUNICORN_CMD_ARGS",
        "--access-logfile logs/variable-access.log --error-logfile 'logs/a b.log'",
    );
    command.args([
        "-c",
        "g.conf.py",
        "--error-logfile=logs/command-error.log",
        "web:app",
    ]);
    let server = Server::start(&mut command, &at("said"));
    wait_until("gunicorn's socket", || socket.exists());
    let report = log_paths("gunicorn", &at("g.conf.py"), &[])
        .expect_code(0)
        .json();
    let files: BTreeSet<_> = written_by(server.pid())
        .into_iter()
        .filter(|path| path.starts_with(at("logs")))
        .collect();
    let mut got = paths(&report);
    // A master that hides its command line could be this one: only what is here is compared.
    got.retain(|path| path.starts_with(at("logs")));
    assert_eq!(got, files, "{report:#}");
    assert_eq!(
        got,
        [at("logs/variable-access.log"), at("logs/command-error.log")].into()
    );
    for path in &files {
        let log = item(&report, path);
        assert_eq!(
            log["evidence"],
            serde_json::json!(["config", "open"]),
            "{log:#}"
        );
    }
}

/// From the file alone: literals are read, code is not run but said to be code.
#[test]
fn code_is_not_run() {
    let dir = site();
    let conf = dir.path().join("gunicorn.conf.py");
    let ran = dir.path().join("ran");
    write(
        &conf,
        format!(
            "import os\nopen({:?}, 'w')\naccesslog = os.environ['LOG']\nerrorlog = '-'\n",
            ran.display().to_string()
        ),
    );
    let report = log_paths("gunicorn", &conf, &["--config-only", "--check"])
        .expect_code(1)
        .json();
    assert!(!ran.exists());
    let found = items(&report);
    assert_eq!(found[0]["path"], "os.environ[\"LOG\"]");
    assert_eq!(codes(&found[0]), ["dynamic_config"]);
    assert_eq!(found[0]["source"]["line"], 3);
    assert_eq!(
        (found[1]["sink"].as_str(), found[1]["target"].as_str()),
        (Some("stdio"), Some("stderr"))
    );
}
