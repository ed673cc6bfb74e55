//! Compose files under a real dockerd and a real `docker compose`: what answers, what stops in its
//! own time, and what only seems to run.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use harness::docker::Docker;
use harness::{TempDir, Tool, free_port, scratch, wait_until};
use serde_json::{Value, json};

use super::site::{private, service};

/// A directory with a compose file, and the engine that runs it.
struct Site {
    engine: Docker,
    dir: TempDir,
    state: TempDir,
    port: u16,
}

/// `web` answers with the version that was there when it started.
const COMPOSE: &str = r#"
services:
  web:
    image: busybox
    network_mode: host
    volumes: [".:/srv"]
    command: sh -c 'cat /srv/version > /version; httpd -f -p 127.0.0.1:PORT -h / & trap "exit 0" TERM; wait'
  deaf:
    image: busybox
    network_mode: none
    stop_grace_period: 2s
    command: sh -c 'trap "" TERM; while :; do sleep 0.2; done'
  job:
    image: busybox
    network_mode: none
    stop_grace_period: 2m
    command: sh -c 'trap "sleep 11; exit 0" TERM; while :; do sleep 0.2; done'
  quits:
    image: busybox
    network_mode: none
    command: "true"
  migrate:
    image: busybox
    network_mode: none
    command: sh -c 'sleep 1; echo migrated'
  loop:
    image: busybox
    network_mode: none
    restart: always
    command: sh -c 'echo there is no database; sleep 1; exit 1'
"#;

impl Site {
    fn start() -> Option<Site> {
        let engine = Docker::start()?;
        let (dir, state, port) = (scratch(), scratch(), free_port());
        let text = COMPOSE.replace("PORT", &port.to_string());
        fs::write(dir.path().join("compose.yml"), text).unwrap();
        let site = Site {
            engine,
            dir,
            state,
            port,
        };
        site.version("1");
        Some(site)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn version(&self, version: &str) {
        fs::write(self.file("version"), version).unwrap();
    }

    fn tool(&self, arguments: &[&str]) -> Tool {
        let mut tool = private("svc-cycle", self.state.path())
            .args(arguments)
            .dir(self.dir.path());
        for (name, value) in self.engine.environment() {
            tool = tool.env(name, value);
        }
        tool
    }

    #[track_caller]
    fn run(&self, arguments: &[&str], code: i32) -> Value {
        self.tool(arguments).run().expect_code(code).json()
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        let mut tool = self.tool(arguments);
        let command = tool.command().stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// What the site answers.
    fn answer(&self) -> Option<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(b"GET /version HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.rsplit_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }
}

#[test]
fn new_code_answers_and_a_kill_brings_the_containers_back() {
    let Some(site) = Site::start() else { return };
    site.set(
        "set.toml",
        &format!(
            "[service.migrate]\nbackend = \"compose\"\nconfig = \"compose.yml\"\noneshot = true\n\
             [service.web]\nbackend = \"compose\"\nconfig = \"compose.yml\"\nafter = [\"migrate\"]\n\
             ready = [{{ http = \"http://127.0.0.1:{}/version\" }}]\n",
            site.port
        ),
    );
    let report = site.run(&["start", "-f", "set.toml"], 0);
    assert_eq!(service(&report, "migrate")["after"], "finished");
    assert_eq!(site.answer().as_deref(), Some("1"));
    // What has done its work is not done again.
    let report = site.run(&["start", "-f", "set.toml"], 0);
    assert_eq!(report["changed"], false, "{report}");
    // COMMAND runs while nothing answers, and the new version answers afterwards.
    let command = format!(
        "wget -q -T 1 -O /dev/null http://127.0.0.1:{}/version && exit 9; echo 2 > version",
        site.port
    );
    let cycle = [
        "cycle", "-f", "set.toml", "web", "--", "busybox", "sh", "-c", &command,
    ];
    let report = site.run(&cycle, 0);
    assert_eq!(report["restored"], true);
    assert_eq!(site.answer().as_deref(), Some("2\n"));
    // A restart starts the code anew, although docker compose would call an unchanged container up
    // to date.
    site.version("3");
    site.run(&["restart", "compose:web"], 0);
    assert_eq!(site.answer().as_deref(), Some("3"));

    // The file is named, or found by docker compose: the same service, so the same lock and the
    // same recovery.
    let began = site.file("began");
    let script = "touch began; exec sleep 60";
    let mut cycle = site.spawn(&["cycle", "compose:web", "--", "sh", "-c", script]);
    wait_until("COMMAND runs", || began.exists());
    site.run(&["stop", "-c", "compose.yml", "compose:web"], 75);
    site.run(&["start", "-f", "set.toml"], 75);
    site.version("4");
    cycle.kill().unwrap();
    cycle.wait().unwrap();
    wait_until("the guardian has started it", || {
        site.answer().as_deref() == Some("4")
    });
    wait_until("nothing is interrupted", || {
        let report = site.tool(&["recover"]).run();
        report.code() == 0 && report.json()["changed"] == false
    });
    site.run(&["stop", "-f", "set.toml"], 0);
    assert_eq!(site.answer(), None);
}

#[test]
fn a_stop_takes_the_time_of_the_file_and_what_exits_is_not_up() {
    let Some(site) = Site::start() else { return };
    site.set(
        "set.toml",
        "[service.job]\nbackend = \"compose\"\nconfig = [\"compose.yml\"]\n\
         [service.deaf]\nbackend = \"compose\"\nconfig = [\"compose.yml\"]\n",
    );
    site.run(&["start", "-f", "set.toml"], 0);
    let report = site.run(&["stop", "-f", "set.toml"], 0);
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{report}");
    let words = "deaf: did not stop in time, and docker killed the container";
    assert!(warnings[0].as_str().unwrap().starts_with(words), "{report}");
    let stopped = &service(&report, "job")["steps"][0];
    assert!(stopped["ms"].as_u64().unwrap() > 10_000, "{report}");
    let status = site.engine.run(&[
        "ps",
        "--all",
        "--filter",
        "name=job",
        "--format",
        "{{.Status}}",
    ]);
    assert!(status.starts_with("Exited (0)"), "{status}");

    // A server that exits 0 at once is no server.
    let report = site.run(&["start", "compose:quits"], 3);
    assert_eq!(report["outcome"], "not_ready");
    // Between two crashes the container runs.
    site.set(
        "loop.toml",
        "[service.loop]\nbackend = \"compose\"\nconfig = \"compose.yml\"\nstable = \"6s\"\n",
    );
    let report = site.run(&["start", "-f", "loop.toml"], 3);
    let log = &service(&report, "loop")["log"];
    assert_eq!(log[0], "there is no database", "{report}");
    site.run(&["stop", "-f", "loop.toml"], 0);
}

#[test]
fn several_files_a_project_and_what_is_missing() {
    let Some(site) = Site::start() else { return };
    let over = COMPOSE.replace("cat /srv/version", "echo over");
    let (_, web) = over.split_once("services:\n").unwrap();
    let command = web.lines().find(|line| line.contains("echo over")).unwrap();
    let command = command.replace("PORT", &site.port.to_string());
    site.set("over.yml", &format!("services:\n  web:\n{command}\n"));
    site.set(
        "set.toml",
        "[service.web]\nbackend = \"compose\"\nconfig = [\"compose.yml\", \"over.yml\"]\nproject = \"reef\"\n",
    );
    site.run(&["start", "-f", "set.toml"], 0);
    assert_eq!(site.answer().as_deref(), Some("over\n"));
    let names = site.engine.run(&["ps", "--format", "{{.Names}}"]);
    assert_eq!(names.trim(), "reef-web-1");
    // The same file without the project's name is another project, and nothing of that runs.
    site.run(&["status", "compose:web"], 1);
    site.run(&["status", "-f", "set.toml"], 0);

    let names = ["compose:web", "compose:wbe"];
    let report = site.run(&["status", "-c", "compose.yml", names[0], names[1]], 3);
    assert_eq!(report["error"]["kind"], "not_found", "{report}");
    let bare = site
        .tool(&["start", "-f", "set.toml"])
        .env("DOCKER_CONFIG", "/nonexistent");
    let output = bare.run().expect_code(3);
    output.expect_err("docker has no compose plugin");
    let gone = site
        .tool(&["start", "-f", "set.toml"])
        .env("DOCKER_HOST", "unix:///nonexistent");
    gone.run().expect_code(75).expect_err("docker");
    let report = site.run(&["stop", "-f", "set.toml"], 0);
    assert_eq!(service(&report, "web")["after"], json!("stopped"));
}
