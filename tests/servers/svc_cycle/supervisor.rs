//! Programs under a real supervisord: a real gunicorn and groups, in order, by name, and as a
//! person sees them.

use std::fs;

use harness::supervisor::{self, Supervisor};
use harness::{free_port, tool};
use serde_json::json;

use super::site::{Site, service, steps};

#[test]
fn stop_start_restart_status_in_order() {
    let Some(site) = Site::start() else { return };
    let status = site
        .cycle("status", &["gunicorn", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        service(&status, "worker")["pids"].as_array().unwrap().len(),
        3
    );
    site.cycle("status", &[]).run().expect_code(1);

    let dry = site.cycle("stop", &["-n"]).run().expect_code(1).json();
    assert_eq!(dry["outcome"], "planned");
    assert_eq!(site.running().len(), 4);
    let stopped = site.cycle("stop", &[]).run().expect_code(0).json();
    assert_eq!(
        (&stopped["outcome"], &stopped["leftovers"]),
        (&json!("done"), &json!([]))
    );
    assert_eq!(service(&stopped, "spare")["changed"], false);
    assert_eq!((site.running().len(), site.gunicorns()), (0, 0));
    assert_eq!(
        site.cycle("stop", &[]).run().expect_code(0).json()["changed"],
        false
    );

    let started = site
        .cycle("start", &["gunicorn", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert!(site.page().unwrap().starts_with("code 1"));
    assert_eq!(service(&started, "gunicorn")["ready"][0]["ok"], true);
    assert_eq!(steps(&started, "gunicorn"), ["start", "ready"]);
    assert_eq!(
        site.cycle("start", &["gunicorn", "worker"])
            .run()
            .expect_code(0)
            .json()["changed"],
        false
    );

    let before = site.running();
    let restarted = site
        .cycle("restart", &["gunicorn", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        steps(&restarted, "gunicorn"),
        ["preflight", "stop", "start", "ready"]
    );
    assert!(site.running().iter().all(|each| !before.contains(each)));
    assert!(restarted["downtime_ms"].as_u64().is_some());
}

#[test]
fn what_was_down_stays_down() {
    let Some(site) = Site::start() else { return };
    site.supervisor.ctl(&["stop", "worker:worker_1"]);
    let report = site
        .cycle("cycle", &["--", "true"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&report["outcome"], &report["restored"]),
        (&json!("done"), &json!(true))
    );
    let names: Vec<String> = site.running().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["gunicorn", "worker:worker_0", "worker:worker_2"]);
}

#[test]
fn a_login_over_tcp_is_found_in_the_configuration() {
    if !supervisor::available() {
        return;
    }
    let port = free_port();
    let supervisor = Supervisor::start(&format!(
        "[inet_http_server]\nport = 127.0.0.1:{port}\nusername = admin\npassword = {{SHA}}40bd001563085fc35165329ea1ff5c5ecbdbbeef\n\n\
         [program:web]\ncommand = /bin/sleep 600\n"
    ));
    supervisor.wait_running(&["web"]);
    let text = fs::read_to_string(supervisor.config()).unwrap();
    let only_tcp = supervisor.dir().join("tcp.conf");
    fs::write(
        &only_tcp,
        text.replace("[unix_http_server]\n", "[ignored]\n").replace(
            "[supervisorctl]",
            "[supervisorctl]\nusername = admin\npassword = 123",
        ),
    )
    .unwrap();
    let run = |config: &std::path::Path| {
        tool("svc-cycle")
            .args(["status", "-c", config.to_str().unwrap(), "supervisor:web"])
            .run()
    };
    run(&only_tcp).expect_code(0);
    let wrong = fs::read_to_string(&only_tcp)
        .unwrap()
        .replace("password = 123", "password = 124");
    fs::write(&only_tcp, wrong).unwrap();
    let refused = run(&only_tcp).expect_code(3);
    assert!(
        refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("password"),
        "{}",
        refused.out()
    );
    assert!(!refused.out().contains("124"));
}

#[test]
fn what_is_just_starting_is_waited_for() {
    if !supervisor::available() {
        return;
    }
    let programs = "[program:slow]\ncommand = /bin/sleep 600\nstartsecs = 2\n\n\
                    [program:broken]\ncommand = /bin/sh -c 'sleep 1; exit 1'\nstartsecs = 2\nstartretries = 1\n";
    let supervisor = Supervisor::start(programs);
    let config = supervisor.config();
    let start = |name: &str| {
        tool("svc-cycle")
            .args(["start", "-c", config.to_str().unwrap(), name])
            .run()
    };
    let report = start("supervisor:slow").expect_code(0).json();
    let slow = service(&report, "supervisor:slow");
    assert_eq!(
        (&slow["before"], &slow["after"], &slow["changed"]),
        (&json!("starting"), &json!("running"), &json!(false))
    );
    let report = start("supervisor:broken").expect_code(3).json();
    assert_ne!(service(&report, "supervisor:broken")["after"], "running");
}

#[test]
fn expect_reads_the_running_process() {
    let Some(site) = Site::with("environment = PRODUCTION=\"1\",SECRET_KEY=\"hunter2\"\n") else {
        return;
    };
    let text = fs::read_to_string(site.file()).unwrap();
    let with = |expect: &str| {
        site.set(&text.replace(
            "stable = \"100ms\"",
            &format!("stable = \"100ms\"\nexpect = {{ {expect} }}"),
        ));
    };
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .unwrap()
        .unwrap()
        .name;
    with(&format!(
        "env = [\"PRODUCTION=1\", \"SECRET_KEY=hunter2\", \"!DEBUG\"], user = \"{user}\", exe = \"/*/python*\""
    ));
    let check = site.cycle("check", &["gunicorn"]).run().expect_code(0);
    assert_eq!(
        service(&check.json(), "gunicorn")["expect"][0],
        json!({"key": "env PRODUCTION", "ok": true})
    );
    assert!(!check.out().contains("hunter2"));
    // Set in the shell, absent in the daemon.
    with("env = [\"DJANGO_SETTINGS_MODULE\"]");
    let check = site
        .cycle("check", &["gunicorn"])
        .env("DJANGO_SETTINGS_MODULE", "tracks.settings")
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (
            &check["outcome"],
            &service(&check, "gunicorn")["expect"][0]["ok"]
        ),
        (&json!("drifted"), &json!(false))
    );
    with("user = \"nobody\"");
    site.cycle("check", &["gunicorn"]).run().expect_code(1);
}

#[test]
fn a_variable_that_the_program_has_set_itself_counts() {
    if !supervisor::available() {
        return;
    }
    let supervisor = Supervisor::start(
        "[program:web]\ncommand = /usr/bin/python3 -c \"import os, time; os.environ['PRODUCTION'] = '1'; time.sleep(600)\"\nstartsecs = 0\nenvironment = PRODUCTION=\"0\"\n",
    );
    supervisor.wait_running(&["web"]);
    let set = supervisor.dir().join("set.toml");
    let check = |value: &str| {
        let text = format!(
            "[service.web]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nexpect = {{ env = [\"PRODUCTION={value}\"] }}\n"
        );
        fs::write(&set, text).unwrap();
        let words = ["check", "-f", set.to_str().unwrap()];
        tool("svc-cycle").args(words).run().code()
    };
    harness::wait_until("Python has set the variable", || check("1") == 0);
    assert_eq!(check("0"), 1);
}

#[test]
fn rolling_keeps_answering() {
    let Some(site) = Site::start() else { return };
    let before = site.running();
    let report = site
        .cycle("restart", &["--rolling", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        steps(&report, "worker"),
        [
            "stop", "start", "ready", "stop", "start", "ready", "stop", "start", "ready"
        ]
    );
    // One after another: the group was never down.
    assert_eq!(report["downtime_ms"], json!(null));
    let after = site.running();
    assert_eq!(after.len(), 4);
    assert_eq!(after.iter().filter(|each| before.contains(each)).count(), 1);
}

#[test]
fn an_unreachable_supervisord_is_75() {
    let Some(mut site) = Site::start() else {
        return;
    };
    site.supervisor.crash();
    for verb in ["status", "stop", "start", "restart"] {
        site.cycle(verb, &["gunicorn"]).run().expect_code(75);
    }
}

#[test]
fn a_command_that_supervisord_has_not_read_is_named_with_its_fix() {
    if !supervisor::available() {
        return;
    }
    let supervisor = Supervisor::start("[program:old]\ncommand = /bin/sleep 3600\n");
    let config = supervisor.config().display().to_string();
    let look = || {
        tool("svc-cycle")
            .args(["restart", "-n", "-c", &config, "supervisor:old"])
            .run()
            .json()
    };
    assert_eq!(look()["services"][0].get("fix"), None);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("sleep 3600", "sleep 3601")).unwrap();
    let report = look();
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("says another command"),
        "{report}"
    );
    harness::fix::apply(&report["services"][0]["fix"]);
    let report = look();
    assert_eq!(report["warnings"], json!([]), "{report}");
    assert_eq!(report["services"][0].get("fix"), None);
    let pid = report["services"][0]["pids"][0].as_i64().unwrap();
    let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(String::from_utf8(argv).unwrap().contains("3601"));
}

#[test]
fn a_terminal_shows_progress_and_a_pipe_does_not() {
    if !supervisor::available() || harness::need("script").is_none() {
        return;
    }
    let supervisor = Supervisor::start(
        "[program:web]\ncommand = /bin/sleep 600\nstartsecs = 0\n[program:other]\ncommand = /bin/sleep 600\nstartsecs = 0\n",
    );
    supervisor.wait_running(&["web", "other"]);
    let words = format!(
        "{} restart -c {} supervisor:web",
        harness::bin("svc-cycle").display(),
        supervisor.config().display()
    );
    let output = std::process::Command::new("script")
        .args(["-qec", &words, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "supervisor:web: stopping",
        "supervisor:web: stopped in",
        "supervisor:web: starting",
        "supervisor:web: ready",
        "down for",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // Within COMMAND of another tool a person watches, too; what a pipe of COMMAND's own gets is a
    // report.
    let program = harness::bin("svc-cycle").display().to_string();
    let config = supervisor.config().display().to_string();
    let inner = format!("{program} restart -c {config} supervisor:web");
    let outer = format!("{program} cycle -c {config} supervisor:other --");
    for (command, text_only) in [
        (inner.clone(), true),
        (format!("sh -c '{inner} | cat'"), false),
    ] {
        let output = std::process::Command::new("script")
            .args(["-qec", &format!("{outer} {command}"), "/dev/null"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains("supervisor:web: ready") == text_only || !text_only,
            "{text}"
        );
        assert_eq!(text.contains("{\"schema\""), !text_only, "{text}");
        assert!(text.contains("supervisor:other: ready"), "{text}");
    }
    let piped = tool("svc-cycle")
        .args([
            "restart",
            "-c",
            supervisor.config().to_str().unwrap(),
            "supervisor:web",
        ])
        .run()
        .expect_code(0);
    assert_eq!(piped.err(), "");
}

/// A set file from what runs: check passes with it, a cycle works with it, and nothing has to be
/// typed.
#[test]
fn a_snapshot_is_a_set_that_works() {
    let Some(site) = Site::start() else { return };
    let config = site.supervisor.config();
    let state = harness::scratch();
    let output = super::site::private("svc-cycle", state.path())
        .args(["snapshot", "-o", "text", "-c"])
        .arg(&config)
        .run()
        .expect_code(0);
    let text = output.out();
    assert!(text.contains("[service.gunicorn]"), "{text}");
    assert!(text.contains(&format!("port = {}", site.port)), "{text}");
    // What does not run is left out, and that is said.
    assert!(!text.contains("[service.spare]"), "{text}");
    site.set(&text);
    site.cycle("check", &[]).run().expect_code(0);
    let before = site.running();
    site.cycle("cycle", &["--", "true"]).run().expect_code(0);
    assert!(site.running().iter().all(|each| !before.contains(each)));
}

#[test]
fn a_one_shot_is_done_once_and_one_that_supervisord_repeats_says_why() {
    if !supervisor::available() {
        return;
    }
    let program = |name: &str, seconds: u32| {
        format!(
            "[program:{name}]\ncommand = /bin/sh -c 'echo done >> %(here)s/{name}'\nautostart = false\nautorestart = false\nstartsecs = {seconds}\nstartretries = 1\n"
        )
    };
    let supervisor = Supervisor::start(&(program("once", 0) + &program("soon", 1)));
    let set = supervisor.dir().join("set.toml");
    let service = |name: &str| {
        format!(
            "[service.{name}]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\noneshot = true\n"
        )
    };
    fs::write(&set, service("once") + &service("soon")).unwrap();
    let run = |verb: &str, name: &str, code: i32| {
        tool("svc-cycle")
            .args([verb, "-f", set.to_str().unwrap(), name])
            .run()
            .expect_code(code)
            .json()
    };
    let times = |name: &str| {
        let text = fs::read_to_string(supervisor.dir().join(name)).unwrap_or_default();
        text.lines().count()
    };
    run("status", "once", 1);
    let report = run("start", "once", 0);
    assert_eq!(report["services"][0]["after"], "finished", "{report}");
    run("status", "once", 0);
    assert_eq!(run("start", "once", 0)["changed"], false);
    assert_eq!(times("once"), 1);
    run("restart", "once", 0);
    assert_eq!(times("once"), 2);
    let report = run("start", "soon", 3);
    let why = report["error"]["message"].as_str().unwrap();
    assert!(why.contains("startsecs = 0"), "{report}");
}
