//! gunicorn as its manual deploys it: a socket that starts the service, Type=notify, and code that
//! is new or broken.

use harness::machine::Machine;

use super::host::{active, environment, run, show};
use super::site::service;

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
    // A set file from what runs: check passes with it, and a cycle brings the new code.
    let snapshot = ["snapshot", "-o", "text", "gunicorn"];
    let written = machine
        .tool("svc-cycle")
        .args(snapshot)
        .run()
        .expect_code(0)
        .out();
    assert!(written.contains("[service.gunicorn]"), "{written}");
    assert!(
        written.contains("ready = [{ socket = \"/run/gunicorn.sock\" }]"),
        "{written}"
    );
    machine.write("/root/set.toml", &written);
    run(&machine, &["check", "-f", "/root/set.toml"], 0);
    let words = ["cycle", "-f", "/root/set.toml", "--", "sh", "-c"];
    let deploy = deploy.replace("echo 2", "echo 6");
    run(&machine, &[&words[..], &[deploy.as_str()]].concat(), 0);
    assert_eq!(answer(&machine), "6");
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
