//! Units of a real systemd, booted for the test; each lie that systemctl's exit code tells is
//! brought about.

use harness::machine::Machine;
use serde_json::{Value, json};

use super::site::{service, steps};

fn run(machine: &Machine, arguments: &[&str], code: i32) -> Value {
    machine
        .tool("svc-cycle")
        .args(arguments)
        .run()
        .expect_code(code)
        .json()
}

fn active(machine: &Machine, unit: &str) -> String {
    String::from_utf8_lossy(&machine.run(&["systemctl", "is-active", unit]).stdout)
        .trim()
        .to_owned()
}

fn message(report: &Value) -> &str {
    report["error"]["message"].as_str().unwrap_or_default()
}

#[test]
fn the_lies_of_systemctl() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    for (name, text) in [
        ("false", "[Service]\nExecStart=/bin/false\n"),
        (
            "loop",
            "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'sleep 0.15; exit 3'\nRestart=always\nRestartSec=50ms\n",
        ),
        (
            "limit",
            "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=3\n[Service]\nExecStart=/bin/sh -c 'sleep 0.05; exit 1'\nRestart=always\nRestartSec=1ms\n",
        ),
        (
            "late",
            "[Service]\nExecStart=/bin/sh -c 'sleep 1; exit 4'\n",
        ),
        (
            "deaf",
            "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\nTimeoutStopSec=1\n",
        ),
        (
            "heir",
            "[Service]\nExecStart=/bin/sh -c 'sleep 600 & exec sleep 601'\nKillMode=process\n",
        ),
        (
            "good",
            "[Service]\nExecStart=/bin/sleep 600\nEnvironment=PRODUCTION=1\nExecReload=/bin/true\n",
        ),
        ("once", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
        ("web", "[Service]\nExecStart=/bin/sleep 600\n"),
    ] {
        machine.unit(&format!("t-{name}.service"), text);
    }
    machine.unit("t-web.socket", "[Socket]\nListenStream=127.0.0.1:8099\n");
    machine.must(&["systemctl", "daemon-reload"]);

    // systemctl says 0 for each of these.
    for (name, says) in [("false", "the service exited at once"), ("loop", "t-loop")] {
        machine.must(&["systemctl", "start", &format!("t-{name}")]);
        machine.run(&["systemctl", "stop", &format!("t-{name}")]);
        machine.run(&["systemctl", "reset-failed", &format!("t-{name}")]);
        let report = run(&machine, &["start", &format!("systemd:t-{name}")], 3);
        assert_eq!(report["outcome"], "not_ready");
        assert!(
            message(&report).contains(says) || message(&report).contains("status"),
            "{name}: {report}"
        );
        machine.run(&["systemctl", "stop", &format!("t-{name}")]);
    }
    let report = run(&machine, &["start", "systemd:t-limit"], 3);
    assert!(message(&report).contains("start limit"), "{report}");

    machine.write(
        "/root/late.toml",
        "[service.t-late]\nbackend = \"systemd\"\nstable = \"3s\"\n",
    );
    let report = run(&machine, &["start", "-f", "/root/late.toml"], 3);
    assert!(message(&report).contains("was ready, and then"), "{report}");
    assert!(message(&report).contains("status 4"), "{report}");

    run(&machine, &["start", "t-deaf"], 0);
    let report = run(&machine, &["stop", "t-deaf"], 0);
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("systemd killed the unit"),
        "{report}"
    );

    run(&machine, &["start", "t-heir"], 0);
    machine.write(
        "/root/heir.toml",
        "[service.t-heir]\nbackend = \"systemd\"\nstop_timeout = \"3s\"\n",
    );
    let report = run(&machine, &["stop", "-f", "/root/heir.toml"], 3);
    assert_eq!(
        (
            &report["outcome"],
            report["leftovers"].as_array().unwrap().len()
        ),
        (&json!("not_stopped"), 1)
    );
    machine.must(&["sh", "-c", "kill $(pidof sleep) || true"]);

    machine.must(&["systemctl", "start", "t-web.socket"]);
    run(&machine, &["start", "t-web"], 0);
    let report = run(&machine, &["stop", "t-web"], 0);
    assert_eq!(
        service(&report, "t-web.socket")["because"],
        "starts t-web.service",
        "{report}"
    );
    assert_eq!(active(&machine, "t-web.socket"), "inactive");

    // And what is true.
    machine.write(
        "/root/good.toml",
        "[service.t-good]\nbackend = \"systemd\"\nexpect = { env = [\"PRODUCTION=1\"], user = \"root\", exe = \"/usr/bin/sleep\" }\n",
    );
    assert_eq!(
        run(&machine, &["start", "-n", "-f", "/root/good.toml"], 1)["outcome"],
        "planned"
    );
    let report = run(&machine, &["start", "-f", "/root/good.toml"], 0);
    assert_eq!(steps(&report, "t-good"), ["start", "ready", "expect"]);
    assert_eq!(
        run(&machine, &["start", "-f", "/root/good.toml"], 0)["changed"],
        false
    );
    run(&machine, &["check", "-f", "/root/good.toml"], 0);
    run(&machine, &["reload", "-f", "/root/good.toml"], 0);
    let before = service(&report, "t-good")["pids"].clone();
    let report = run(&machine, &["restart", "-f", "/root/good.toml"], 0);
    assert_ne!(service(&report, "t-good")["pids"], before);
    run(&machine, &["status", "t-good"], 0);
    run(&machine, &["status", "t-good", "t-web"], 1);
    run(&machine, &["start", "t-once"], 0);
    machine
        .tool("svc-cycle")
        .args(["status", "t-no-such"])
        .run()
        .expect_code(2)
        .expect_err("no such unit");
    run(&machine, &["reload", "t-web"], 3);
}

#[test]
fn a_cycle_brings_units_back_after_sigkill() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    for name in ["a", "b"] {
        machine.unit(
            &format!("t-{name}.service"),
            "[Service]\nExecStart=/bin/sleep 600\n",
        );
    }
    machine.write("/root/set.toml", "[service.t-b]\nbackend = \"systemd\"\nafter = [\"t-a\"]\nstable = \"50ms\"\n[service.t-a]\nbackend = \"systemd\"\nstable = \"50ms\"\n");
    machine.must(&["systemctl", "start", "t-a", "t-b"]);
    let report = run(
        &machine,
        &[
            "cycle",
            "-f",
            "/root/set.toml",
            "--",
            "sh",
            "-c",
            "systemctl is-active t-a t-b > /root/seen; exit 5",
        ],
        5,
    );
    assert_eq!(
        (&report["outcome"], &report["restored"]),
        (&json!("command_failed"), &json!(true))
    );
    assert_eq!(
        std::fs::read_to_string(machine.path("/root/seen")).unwrap(),
        "inactive\ninactive\n"
    );
    for pause in [0.1, 0.25, 0.4] {
        let script = format!(
            "svc-cycle cycle -f /root/set.toml -- sleep 0.2 >/dev/null 2>&1 & sleep {pause}; kill -KILL $!; wait 2>/dev/null; true"
        );
        machine.must(&["sh", "-c", &script]);
        harness::wait_until("both are back", || {
            active(&machine, "t-a") == "active" && active(&machine, "t-b") == "active"
        });
        harness::wait_until("nothing is owed", || {
            machine.tool("svc-cycle").arg("recover").run().code() == 0
        });
    }
}
