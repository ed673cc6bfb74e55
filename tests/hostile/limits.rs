//! A host that is short of processes, descriptors or memory. A tool then tries again or says that
//! it does not know: never a wrong verdict, never a panic, never an abort.

use harness::{Server, TempDir, bin, scratch};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// A user of this test alone: the limit counts all processes of a user.
const SHORT: u32 = crate::user::DEP + 2;

struct Run {
    tool: &'static str,
    args: Vec<String>,
    /// Whether a COMMAND is part of it.
    around: bool,
}

struct Host {
    dir: TempDir,
    runs: Vec<Run>,
    _service: Server,
}

/// One run of each tool over what is as it should be, each of which starts threads or processes
/// where the tool does.
fn host() -> Host {
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let service = Server::start(Command::new("sleep").arg("600"), &dir.path().join("log"));
    let pid_file = dir.path().join("sleep.pid");
    fs::write(&pid_file, format!("{}\n", service.pid())).unwrap();
    let venv = dir.path().join("venv");
    crate::peers::venv(&venv);
    let (empty, cron) = (dir.path().join("empty.txt"), dir.path().join("cron.txt"));
    fs::write(&empty, "# nothing\n").unwrap();
    fs::write(&cron, "0 4 * * * /bin/true\n").unwrap();
    let page = dir.path().join("page");
    fs::create_dir(&page).unwrap();
    fs::set_permissions(&page, fs::Permissions::from_mode(0o777)).unwrap();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (venv, empty, cron) = (text(&venv), text(&empty), text(&cron));
    let service_name = format!("pidfile:{}", pid_file.display());
    let words = |line: &[&str]| {
        line.iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let run = |tool, line: &[&str]| Run {
        tool,
        args: words(line),
        around: line.contains(&"--"),
    };
    let runs = vec![
        run(
            "check-reqs",
            &[
                "cmd:sh",
                "cmd:python3>=3",
                "file:/etc/fstab",
                "cmd:sh|cmd:nosuch",
                "python>=3",
            ],
        ),
        run("venv-sync", &["check", &venv, "-r", &empty]),
        run("maint-page", &["status", "--dir", &text(&page)]),
        run(
            "maint-page",
            &[
                "during",
                "--dir",
                &text(&page),
                "--on-failure",
                "off",
                "--drain",
                "0s",
                "--",
                "true",
            ],
        ),
        run("svc-cycle", &["status", &service_name]),
        run("cron-render", &["lint", &cron, "--user", "root"]),
        run("log-paths", &["nginx"]),
        run(
            "pg-ext-ensure",
            &["--dsn", "host=127.0.0.1 port=1 dbname=x user=x", "plpgsql"],
        ),
    ];
    Host {
        dir,
        runs,
        _service: service,
    }
}

/// What is wrong with the outcome of a run under a limit.
fn wrong(run: &Run, limit: &str, done: &std::process::Output) -> Option<String> {
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let about = |what: &str| {
        Some(format!(
            "{} {:?} with {limit}: {what}: {}: {said}{out}",
            run.tool, run.args, done.status
        ))
    };
    if done.status.signal().is_some()
        || said.contains("panicked")
        || said.contains("internal error")
    {
        return about("a crash");
    }
    let code = done.status.code().unwrap_or(-1);
    if !(if run.around {
        vec![0, 3, 75, 125]
    } else {
        vec![0, 1, 3, 75]
    })
    .contains(&code)
    {
        return about("a wrong exit status");
    }
    let report: Value = serde_json::from_str(&out).unwrap_or_default();
    for item in report["items"].as_array().into_iter().flatten() {
        if run.tool == "check-reqs" && item["status"] == "unmet" {
            return about("an unmet that is none");
        }
        if run.tool == "svc-cycle" && item["state"] == "stopped" {
            return about("a service that runs is called stopped");
        }
    }
    None
}

fn sweep(limits: &[String], as_user: bool) {
    if !harness::need_root() {
        return;
    }
    let host = host();
    let mut wrongs = Vec::new();
    for run in &host.runs {
        for limit in limits {
            let mut command = Command::new("prlimit");
            command.arg(limit);
            if as_user {
                let id = SHORT.to_string();
                command.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
            }
            let done = command
                .arg(bin(run.tool))
                .args(run.args.iter().take_while(|word| *word != "--"))
                .args(["--timeout", "5s"])
                .args(run.args.iter().skip_while(|word| *word != "--"))
                .current_dir(host.dir.path())
                .output()
                .unwrap();
            wrongs.extend(wrong(run, limit, &done));
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

fn step(short: usize) -> usize {
    if harness::full_sweep() { 1 } else { short }
}

#[test]
fn without_descriptors() {
    // Below 5 the dynamic loader and prlimit itself cannot work.
    let limits: Vec<String> = (5..24)
        .step_by(step(2))
        .map(|n| format!("--nofile={n}"))
        .collect();
    sweep(&limits, false);
}

#[test]
fn without_processes() {
    let limits: Vec<String> = (1..8)
        .step_by(step(2))
        .map(|n| format!("--nproc={n}"))
        .collect();
    sweep(&limits, true);
}

#[test]
fn without_memory() {
    // The least with which the loader starts every tool, and a few steps of what runs need.
    let limits: Vec<String> = (64..256)
        .step_by(step(4) * 8)
        .map(|n| format!("--as={}", n << 20))
        .collect();
    sweep(&limits, false);
}

#[test]
fn a_process_that_proc_hides_is_not_called_stopped() {
    if !harness::need_root() {
        return;
    }
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let service = Server::start(Command::new("sleep").arg("600"), &dir.path().join("log"));
    let pid_file = dir.path().join("sleep.pid");
    fs::write(&pid_file, format!("{}\n", service.pid())).unwrap();
    fs::set_permissions(&pid_file, fs::Permissions::from_mode(0o644)).unwrap();
    let id = SHORT.to_string();
    let script = "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"";
    for verb in ["status", "check"] {
        let done = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", script, "sh"])
            .args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"])
            .arg(bin("svc-cycle"))
            .args([verb, &format!("pidfile:{}", pid_file.display())])
            .args(["-o", "json"])
            .env("HOME", "/")
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(3), "{said}");
        assert_eq!(report["services"][0]["before"], "unknown", "{said}");
        assert!(said.contains("hidepid"), "{said}");
    }
}
