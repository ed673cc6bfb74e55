//! Units as real hosts have them: sockets, dependents, umbrellas, init scripts that systemd wrapped, broken code under Type=notify.
//! What counts is which version of the code answers and which processes run, not what any program says.

use std::fs;
use std::process::Command;

use harness::machine::Machine;
use harness::test_venv;
use serde_json::{Value, json};

use super::site::service;

fn run(machine: &Machine, arguments: &[&str], code: i32) -> Value {
    machine
        .tool("svc-cycle")
        .args(arguments)
        .run()
        .expect_code(code)
        .json()
}

fn show(machine: &Machine, unit: &str, property: &str) -> String {
    let output = machine.run(&["systemctl", "show", "--value", "-p", property, unit]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn active(machine: &Machine, unit: &str) -> bool {
    show(machine, unit, "ActiveState") == "active"
}

/// The tests' Python environment, at its own path in the machine.
fn environment(machine: &Machine) -> String {
    let venv = test_venv().canonicalize().unwrap();
    let python = format!("{}/bin/python", venv.display());
    if !machine.run(&["test", "-x", &python]).status.success() {
        let target = machine.path(venv.to_str().unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-a").arg(&venv).arg(target).status();
        assert!(copied.unwrap().success());
    }
    venv.display().to_string()
}

/// gunicorn with the socket and the service of its manual's chapter on deployment.
fn gunicorn(machine: &Machine) {
    let venv = environment(machine);
    machine.write(
        "/srv/app/app.py",
        "version = open('/srv/app/version').read().strip()\nif version == 'broken':\n    import time, no_such_module\n\ndef app(environ, start):\n    start('200 OK', [])\n    return [version.encode()]\n",
    );
    machine.write("/srv/app/version", "1");
    machine.unit(
        "gunicorn.service",
        &format!(
            "[Unit]\nDescription=gunicorn daemon\nRequires=gunicorn.socket\nAfter=network.target\n\n[Service]\nType=notify\nNotifyAccess=main\n\
             RuntimeDirectory=gunicorn\nWorkingDirectory=/srv/app\nExecStart={venv}/bin/gunicorn app:app\nExecReload=/bin/kill -s HUP $MAINPID\n\
             KillMode=mixed\nTimeoutStopSec=5\nPrivateTmp=true\n\n[Install]\nWantedBy=multi-user.target\n"
        ),
    );
    machine.unit(
        "gunicorn.socket",
        "[Unit]\nDescription=gunicorn socket\n\n[Socket]\nListenStream=/run/gunicorn.sock\n\n[Install]\nWantedBy=sockets.target\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    machine.must(&["systemctl", "enable", "--now", "gunicorn.socket"]);
}

/// What the site answers.
fn answer(machine: &Machine) -> String {
    let output = machine.run(&[
        "curl",
        "-s",
        "-m",
        "20",
        "--unix-socket",
        "/run/gunicorn.sock",
        "http://site/",
    ]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const CONNECT: &str = "curl -s -m 3 --unix-socket /run/gunicorn.sock http://site/ >/dev/null;";

#[test]
fn new_code_answers_after_a_cycle_whatever_starts_the_service_meanwhile() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    gunicorn(&machine);
    assert_eq!(answer(&machine), "1");
    // A visitor while COMMAND runs: the socket would start the old code.
    let deploy = format!("{CONNECT} echo 2 > /srv/app/version");
    let cycle = |command: &str, code: i32| {
        run(
            &machine,
            &[
                "cycle",
                "systemd:gunicorn.service",
                "--",
                "sh",
                "-c",
                command,
            ],
            code,
        )
    };
    let report = cycle(&deploy, 0);
    assert_eq!(answer(&machine), "2", "{report}");
    assert!(active(&machine, "gunicorn.socket"));
    assert!(report["downtime_ms"].as_u64().is_some());
    assert_eq!(service(&report, "gunicorn.socket")["after"], "running");
    // COMMAND itself starts it too early.
    let report = cycle(
        "systemctl start gunicorn.service; echo 3 > /srv/app/version",
        0,
    );
    assert_eq!(answer(&machine), "3", "{report}");
    assert!(
        report["warnings"].to_string().contains("started anew"),
        "{report}"
    );
    // Down, with its socket up: it stays down until somebody connects, and then it is the new code.
    machine.must(&["systemctl", "stop", "gunicorn.service"]);
    machine.must(&["systemctl", "start", "gunicorn.socket"]);
    cycle(&deploy.replace("echo 2", "echo 4"), 0);
    assert!(!active(&machine, "gunicorn.service"));
    assert_eq!(answer(&machine), "4");
    // A restart keeps the socket, so that nobody is refused, and the code is new.
    machine.write("/srv/app/version", "5");
    let report = run(&machine, &["restart", "gunicorn"], 0);
    assert_eq!(answer(&machine), "5", "{report}");
    // stop means stopped, and start puts all of it back.
    run(&machine, &["stop", "gunicorn"], 0);
    assert!(!active(&machine, "gunicorn.socket"));
    run(&machine, &["start", "gunicorn"], 0);
    assert!(active(&machine, "gunicorn.socket") && active(&machine, "gunicorn.service"));
}

#[test]
fn broken_code_under_notify_is_no_success_and_its_words_are_in_the_report() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    gunicorn(&machine);
    run(&machine, &["start", "gunicorn.service"], 0);
    let before = show(&machine, "gunicorn.service", "MainPID");
    // Broken before: found out before anything is stopped.
    machine.write("/srv/app/version", "broken");
    let report = run(&machine, &["restart", "gunicorn.service"], 3);
    assert_eq!(report["outcome"], "refused", "{report}");
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no_such_module"),
        "{report}"
    );
    assert_eq!(show(&machine, "gunicorn.service", "MainPID"), before);
    // Broken by COMMAND: gunicorn says READY all the same.
    machine.write("/srv/app/version", "1");
    let report = run(
        &machine,
        &[
            "cycle",
            "gunicorn.service",
            "--",
            "sh",
            "-c",
            "echo broken > /srv/app/version",
        ],
        125,
    );
    assert_eq!(report["outcome"], "left_down", "{report}");
    assert!(
        service(&report, "gunicorn.service")["log"]
            .to_string()
            .contains("no_such_module"),
        "{report}"
    );
    let status = run(&machine, &["status", "gunicorn.service"], 1);
    assert!(
        status["warnings"].to_string().contains("interrupted"),
        "{status}"
    );
    machine.write("/srv/app/version", "6");
    run(&machine, &["recover"], 0);
    assert_eq!(answer(&machine), "6");
}

#[test]
fn what_systemd_stops_along_comes_back() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    for (name, relation) in [
        ("db", ""),
        ("app", "Requires=t-db.service\nAfter=t-db.service"),
        ("part", "PartOf=t-db.service"),
        ("bound", "BindsTo=t-app.service\nAfter=t-app.service"),
        ("off", "Requires=t-db.service"),
        ("free", ""),
    ] {
        machine.unit(
            &format!("t-{name}.service"),
            &format!("[Unit]\n{relation}\n[Service]\nExecStart=/bin/sleep 600\n"),
        );
    }
    machine.must(&["systemctl", "daemon-reload"]);
    machine.must(&[
        "systemctl",
        "start",
        "t-db",
        "t-app",
        "t-part",
        "t-bound",
        "t-free",
    ]);
    let all = ["t-db", "t-app", "t-part", "t-bound", "t-free"];
    let up = |after: &str| {
        for name in all {
            assert!(active(&machine, name), "{name} after {after}");
        }
        assert!(!active(&machine, "t-off"), "t-off after {after}");
    };
    let dry = run(&machine, &["restart", "-n", "t-db"], 1);
    assert!(
        dry["msg"]
            .as_str()
            .unwrap()
            .contains("t-app.service (requires t-db.service)"),
        "{dry}"
    );
    for words in [
        &["restart", "t-db"][..],
        &["restart", "--rolling", "t-db"],
        &["cycle", "t-db", "--", "true"],
    ] {
        let free = show(&machine, "t-free", "MainPID");
        run(&machine, words, 0);
        up(&words.join(" "));
        assert_eq!(show(&machine, "t-free", "MainPID"), free);
    }
    // Killed in the middle: the guardian knows of the dependents, too.
    let script = "svc-cycle cycle t-db -- sleep 20 >/dev/null 2>&1 & sleep 2; kill -KILL $!; wait 2>/dev/null; true";
    machine.must(&["sh", "-c", script]);
    harness::wait_until("all are back", || {
        all.iter().all(|name| active(&machine, name))
    });
    let report = run(&machine, &["stop", "--lock-wait", "10s", "t-db"], 0);
    assert_eq!(
        service(&report, "t-bound.service")["because"],
        "is bound to t-app.service"
    );
}

#[test]
fn debian_s_postgresql_and_targets_are_judged_by_their_members() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    if harness::need("pg_createcluster").is_none() {
        return;
    }
    let series = harness::postgres::version();
    let unit = format!("postgresql@{series}-main");
    machine.run(&["pg_dropcluster", "--stop", &series, "main"]);
    machine.must(&[
        "pg_createcluster",
        &series,
        "main",
        "--start-conf",
        "auto",
        "--",
        "-N",
    ]);
    machine.must(&["systemctl", "daemon-reload"]);
    run(&machine, &["start", "postgresql"], 0);
    let servers = || {
        let output = machine.run(&["pgrep", "-c", "-u", "postgres", "postgres"]);
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse::<u32>()
            .unwrap_or(0)
    };
    assert!(servers() > 0);
    let report = run(
        &machine,
        &[
            "cycle",
            "postgresql",
            "--",
            "sh",
            "-c",
            "pgrep -c -u postgres postgres > /root/seen; true",
        ],
        0,
    );
    assert_eq!(
        fs::read_to_string(machine.path("/root/seen"))
            .unwrap()
            .trim(),
        "0",
        "{report}"
    );
    assert!(servers() > 0 && active(&machine, &unit));
    // The umbrella is up and the cluster is not.
    machine.must(&["systemctl", "stop", &unit]);
    run(&machine, &["status", "postgresql"], 1);
    run(&machine, &["start", "postgresql"], 0);
    assert!(active(&machine, &unit));
    run(&machine, &["stop", "postgresql"], 0);
    assert_eq!(servers(), 0);

    machine.unit("site.target", "[Unit]\nWants=t-one.service t-two.service\n");
    for (name, program) in [("one", "/bin/sleep 600"), ("two", "/bin/false")] {
        machine.unit(
            &format!("t-{name}.service"),
            &format!("[Unit]\nPartOf=site.target\n[Service]\nExecStart={program}\n"),
        );
    }
    machine.must(&["systemctl", "daemon-reload"]);
    let report = run(&machine, &["start", "systemd:site.target"], 3);
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("t-two.service"),
        "{report}"
    );
    machine.unit(
        "t-two.service",
        "[Unit]\nPartOf=site.target\n[Service]\nExecStart=/bin/sleep 601\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    run(&machine, &["start", "systemd:site.target"], 0);
    run(&machine, &["restart", "systemd:site.target"], 0);
    assert!(active(&machine, "t-one") && active(&machine, "t-two"));
}

#[test]
fn an_init_script_that_systemd_wrapped_is_not_running_without_a_process() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    if harness::need("uwsgi").is_none() {
        return;
    }
    machine.write(
        "/etc/uwsgi/apps-enabled/site.ini",
        "[uwsgi]\nplugin = python3\nsocket = 127.0.0.1:8002\nwsgi-file = /srv/site.py\n",
    );
    machine.write(
        "/srv/site.py",
        "def application(environ, start):\n    start('200 OK', [])\n    return [b'site']\n",
    );
    run(&machine, &["start", "uwsgi"], 0);
    run(&machine, &["status", "uwsgi"], 0);
    machine.must(&["sh", "-c", "kill -9 $(pidof uwsgi-core uwsgi)"]);
    harness::wait_until("systemd still calls it active", || {
        show(&machine, "uwsgi", "SubState") == "exited"
    });
    let report = run(&machine, &["status", "uwsgi"], 1);
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("no process of it is left"),
        "{report}"
    );
    let report = run(&machine, &["start", "uwsgi"], 0);
    assert_eq!(service(&report, "uwsgi")["after"], "running");
    machine.must(&["sh", "-c", "pidof uwsgi-core uwsgi"]);
}

#[test]
fn a_stop_takes_as_long_as_the_unit_says_and_a_refusal_is_passed_on() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.unit(
        "t-slow.service",
        "[Service]\nExecStart=/bin/sh -c 'trap \"sleep 3; exit 0\" TERM; while :; do sleep 0.1; done'\nKillMode=mixed\nTimeoutStopSec=60\n",
    );
    machine.unit(
        "t-hand.service",
        "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/sleep 600\n",
    );
    machine.unit("t-needs.service", "[Unit]\nRequires=t-gone.service\nAfter=t-gone.service\n[Service]\nExecStart=/bin/sleep 600\n");
    machine.unit(
        "t-gone.service",
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo the disk is not there; exit 7'\n",
    );
    machine.unit(
        "t-later.service",
        "[Service]\nExecStart=/bin/sh -c 'exit 4'\nRestart=always\nRestartSec=600\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    run(&machine, &["start", "t-slow"], 0);
    let first = show(&machine, "t-slow", "MainPID");
    // Less time than the stop takes: it is started again all the same, by systemd's own queue.
    machine.write(
        "/root/slow.toml",
        "[service.t-slow]\nbackend = \"systemd\"\nstop_timeout = \"500ms\"\n",
    );
    let report = run(&machine, &["restart", "-f", "/root/slow.toml"], 3);
    harness::wait_until("it is back", || {
        active(&machine, "t-slow") && show(&machine, "t-slow", "MainPID") != first
    });
    assert_eq!(report["services"][0]["steps"][0]["ok"], false);
    run(&machine, &["restart", "t-slow"], 0);

    let report = run(&machine, &["start", "t-hand"], 3);
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("RefuseManualStart"),
        "{report}"
    );
    let report = run(&machine, &["start", "t-needs"], 3);
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("dependency"),
        "{report}"
    );
    let report = run(&machine, &["start", "t-gone"], 3);
    assert!(
        service(&report, "t-gone")["log"]
            .to_string()
            .contains("the disk is not there"),
        "{report}"
    );
    // systemd starts it again in ten minutes: nobody waits for that, and a start means now.
    let began = std::time::Instant::now();
    for _ in 0..2 {
        let report = run(&machine, &["start", "t-later"], 3);
        assert!(
            report["error"]["message"]
                .as_str()
                .unwrap()
                .contains("not soon"),
            "{report}"
        );
    }
    assert!(began.elapsed().as_secs() < 20);
    machine.unit(
        "t-later.service",
        "[Service]\nExecStart=/bin/sleep 600\nRestart=always\nRestartSec=600\n",
    );
    let report = run(&machine, &["status", "t-later"], 1);
    assert!(
        report["warnings"].to_string().contains("changed on disk"),
        "{report}"
    );
    let fix = &report["services"][0]["fix"]["steps"][0]["text"];
    machine.must(&["sh", "-ec", fix.as_str().unwrap()]);
    run(&machine, &["start", "t-later"], 0);
}

#[test]
fn two_sites_that_call_a_service_alike_never_touch_each_other() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    for name in ["a", "b"] {
        machine.unit(
            &format!("t-{name}.service"),
            "[Service]\nExecStart=/bin/sleep 600\n",
        );
        machine.write(
            &format!("/root/{name}.toml"),
            &format!(
                "[service.web]\nbackend = \"systemd\"\nname = \"t-{name}\"\nstable = \"50ms\"\n"
            ),
        );
    }
    machine.must(&["systemctl", "daemon-reload"]);
    machine.must(&["systemctl", "start", "t-a", "t-b"]);
    // Site A's run is killed, and its guardian with it.
    let killed = "svc-cycle cycle -f /root/a.toml -- sh -c 'touch /root/began; sleep 30' >/dev/null 2>&1 & pid=$!; \
                  while ! [ -e /root/began ]; do sleep 0.1; done; sleep 0.5; \
                  kill -STOP $pid; kill -KILL $(pgrep -P $pid) $pid; wait 2>/dev/null; true";
    machine.tool("svc-cycle");
    machine.must(&["sh", "-c", killed]);
    assert!(!active(&machine, "t-a"));
    // A run of site B, and B's recovery, leave A's journal alone.
    run(&machine, &["start", "-f", "/root/b.toml"], 0);
    let report = run(&machine, &["recover", "-f", "/root/b.toml"], 0);
    assert_eq!(report["changed"], false);
    assert!(!active(&machine, "t-a"));
    // A reboot in between: status says what was interrupted, and recover starts it.
    machine.must(&[
        "sh", "-c",
        "sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"00000000-0000-0000-0000-000000000000\"/' /var/lib/runbook-tools/svc-cycle.*.journal",
    ]);
    let report = run(&machine, &["status", "-f", "/root/a.toml"], 1);
    assert!(
        report["warnings"]
            .to_string()
            .contains("a reboot interrupted"),
        "{report}"
    );
    // B is down on purpose: A's runbook begins with `recover`.
    run(
        &machine,
        &[
            "cycle",
            "-f",
            "/root/b.toml",
            "--on-failure",
            "leave-down",
            "--",
            "false",
        ],
        125,
    );
    let report = run(&machine, &["recover"], 0);
    assert_eq!(report["services"].as_array().unwrap().len(), 1, "{report}");
    assert!(active(&machine, "t-a") && !active(&machine, "t-b"));
    run(&machine, &["recover", "systemd:t-b"], 0);
    assert!(active(&machine, "t-b"));
    assert_eq!(
        run(&machine, &["recover"], 0)["msg"],
        "no interrupted run to recover"
    );
    // The same service by another spelling is the same lock.
    machine.must(&[
        "sh",
        "-c",
        "svc-cycle cycle t-a -- sleep 3 >/dev/null 2>&1 & sleep 1",
    ]);
    for words in [
        &["start", "t-a.service"][..],
        &["stop", "-f", "/root/a.toml"],
    ] {
        run(&machine, words, 75);
    }
    // Nothing that can be found out before costs a moment of downtime.
    harness::wait_until("the cycle is over", || {
        machine
            .tool("svc-cycle")
            .args(["start", "t-a"])
            .run()
            .code()
            == 0
    });
    let pid = show(&machine, "t-a", "MainPID");
    machine.write(
        "/root/pre.toml",
        "[service.web]\nbackend = \"systemd\"\nname = \"t-a\"\npreflight = [\"false\"]\n",
    );
    let report = run(&machine, &["restart", "-f", "/root/pre.toml"], 3);
    assert_eq!(
        (&report["outcome"], &report["changed"]),
        (&json!("refused"), &json!(false))
    );
    run(&machine, &["cycle", "t-a", "--", "/nope"], 127);
    assert_eq!(show(&machine, "t-a", "MainPID"), pid);
}
