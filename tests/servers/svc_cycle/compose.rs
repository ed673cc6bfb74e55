//! The compose backend, through a command on PATH that behaves as `docker compose` does. What the
//! real one does is in engine.rs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::{scratch, tool};
use serde_json::{Value, json};

use super::site::service;

/// A `docker` whose containers are files: `web` runs until stopped, `migrate` does its work and
/// exits 0, `broken` exits 1. As the real one, `up --wait` fails when a container has exited,
/// whatever its status, and `ps` prints a line for each.
const DOCKER: &str = r#"#!/bin/sh
echo "$@" >> "$STATE/calls"
if [ "$1" = inspect ]; then
  shift 5
  for id; do echo "$id 2026-11-26T19:30:50.$id 0 0"; done
  exit 0
fi
[ "$1" = compose ] || exit 1
shift
[ "$1" = --file ] && shift 2
[ "$1" = config ] && { echo '{"services":{"web":{"stop_grace_period":"2m0s"}}}'; exit 0; }
verb=$1; for service; do :; done
case $service in web|migrate|broken) ;; *) echo "no such service: $service" >&2; exit 1 ;; esac
case $verb in
  up)
    case $service in
      web) echo "running 0 $(date +%N)" > "$STATE/web" ;;
      migrate) echo "exited 0 1" > "$STATE/migrate"; echo "container site-migrate-1 exited (0)" >&2; exit 1 ;;
      broken) echo "exited 1 1" > "$STATE/broken"; echo "container site-broken-1 exited (1)" >&2; exit 1 ;;
    esac ;;
  stop) [ -e "$STATE/$service" ] && sed -i 's/^running 0/exited 143/' "$STATE/$service"; exit 0 ;;
  kill) [ -e "$STATE/$service" ] || exit 1 ;;
  ps)
    [ -e "$STATE/$service" ] || exit 0
    read -r state code id < "$STATE/$service"
    echo "{\"ID\":\"$id\",\"Name\":\"site-$service-1\",\"Service\":\"$service\",\"State\":\"$state\",\"Health\":\"\",\"ExitCode\":$code}" ;;
  *) exit 1 ;;
esac
"#;

fn run(dir: &Path, arguments: &[&str], code: i32) -> Value {
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    tool("svc-cycle")
        .args(arguments)
        .dir(dir)
        .env("PATH", path)
        .env("STATE", dir)
        .run()
        .expect_code(code)
        .json()
}

#[test]
fn web_and_a_one_shot() {
    let scratch = scratch();
    let dir = scratch.path();
    fs::write(dir.join("docker"), DOCKER).unwrap();
    fs::set_permissions(dir.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        dir.join("set.toml"),
        "[service.migrate]\nbackend = \"compose\"\nconfig = \"docker-compose.yml\"\noneshot = true\n\
         [service.web]\nbackend = \"compose\"\nconfig = \"docker-compose.yml\"\nafter = [\"migrate\"]\nstable = \"50ms\"\n",
    )
    .unwrap();
    run(dir, &["status", "-f", "set.toml"], 1);
    assert_eq!(
        run(dir, &["start", "-n", "-f", "set.toml"], 1)["outcome"],
        "planned"
    );
    let report = run(dir, &["start", "-f", "set.toml"], 0);
    assert_eq!(
        (
            &service(&report, "migrate")["after"],
            &service(&report, "web")["after"]
        ),
        (&json!("finished"), &json!("running"))
    );
    let calls = fs::read_to_string(dir.join("calls")).unwrap();
    assert!(
        calls.contains(&format!(
            "compose --file {}/docker-compose.yml up --detach --wait --no-deps migrate",
            dir.display()
        )),
        "{calls}"
    );
    run(dir, &["status", "-f", "set.toml"], 0);
    let before = fs::read_to_string(dir.join("web")).unwrap();
    run(dir, &["restart", "-f", "set.toml", "web"], 0);
    assert_ne!(fs::read_to_string(dir.join("web")).unwrap(), before);
    run(dir, &["reload", "compose:web"], 0);
    assert_eq!(
        run(dir, &["cycle", "-f", "set.toml", "--", "true"], 0)["restored"],
        true
    );
    let report = run(dir, &["stop", "-f", "set.toml"], 0);
    assert_eq!(service(&report, "web")["after"], "stopped");
    run(dir, &["status", "-f", "set.toml"], 1);
    let report = run(dir, &["start", "compose:broken"], 3);
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("exit status 1"),
        "{report}"
    );
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    tool("svc-cycle")
        .args(["status", "compose:nothing"])
        .dir(dir)
        .env("PATH", path)
        .env("STATE", dir)
        .run()
        .expect_code(2)
        .expect_err("no such service");
}
