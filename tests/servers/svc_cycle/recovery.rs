//! What an interrupted run leaves to its successors: service by service, by site, after a reboot,
//! and from a timer.

use harness::machine::Machine;
use serde_json::json;

use super::host::{active, run, show};

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

/// Kills a cycle over the set together with its guardian, so that what it has stopped stays down.
fn interrupt(machine: &Machine, words: &str) {
    let killed = format!(
        "rm -f /root/began; svc-cycle cycle {words} -- sh -c 'touch /root/began; sleep 30' >/dev/null 2>&1 & pid=$!; \
         while ! [ -e /root/began ]; do sleep 0.1; done; sleep 0.5; \
         kill -STOP $pid; kill -KILL $(pgrep -P $pid) $pid; wait 2>/dev/null; true"
    );
    machine.tool("svc-cycle");
    machine.must(&["sh", "-c", &killed]);
}

#[test]
fn a_list_in_the_site_file_names_nothing_one_by_one_and_the_hint_does() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    for name in ["a", "b"] {
        let text = "[Service]\nExecStart=/bin/sleep 600\n";
        machine.unit(&format!("t-{name}.service"), text);
    }
    machine.write(
        "/etc/runbook-tools/sites/reef.toml",
        "[site]\nname = \"reef\"\n[svc-cycle]\nservice = [\"systemd:t-a\", \"systemd:t-b\"]\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    let site = ["--site", "reef"];
    run(&machine, &[&["start"], &site[..]].concat(), 0);
    let down = ["--on-failure", "leave-down", "--", "false"];
    run(&machine, &[&["cycle"], &site[..], &down[..]].concat(), 125);
    let recover = [&["recover"], &site[..]].concat();
    let report = run(&machine, &recover, 0);
    assert_eq!(report["changed"], false, "{report}");
    for name in ["a", "b"] {
        assert!(!active(&machine, &format!("t-{name}")));
    }
    for warning in report["warnings"].as_array().unwrap() {
        let hint = warning.as_str().unwrap().split('`').nth(1).unwrap();
        machine.must(&["sh", "-ec", hint]);
    }
    for name in ["a", "b"] {
        assert!(active(&machine, &format!("t-{name}")), "{report}");
    }
    // What was not left down on purpose is the site's to recover.
    interrupt(&machine, "--site reef");
    let report = run(&machine, &recover, 0);
    assert_eq!(report["services"].as_array().unwrap().len(), 2, "{report}");
    assert!(active(&machine, "t-a") && active(&machine, "t-b"));
}

#[test]
fn the_timer_recovers_after_a_boot_and_enables_nothing_by_itself() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    let packaging = harness::source_root().join("shared/packaging/svc-cycle");
    for unit in ["svc-cycle-recover.service", "svc-cycle-recover.timer"] {
        let text = std::fs::read_to_string(packaging.join(unit)).unwrap();
        machine.unit(unit, &text);
    }
    machine.unit("t-a.service", "[Service]\nExecStart=/bin/sleep 600\n");
    // A daemon without a service manager: recover itself starts it, and it outlives the unit.
    machine.write(
        "/root/set.toml",
        "[service.idle]\nbackend = \"pidfile\"\nname = \"/run/idle.pid\"\nstable = \"50ms\"\n\
         start = [\"sh\", \"-c\", \"setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! > /run/idle.pid\"]\n\
         [service.t-a]\nbackend = \"systemd\"\nstable = \"50ms\"\n",
    );
    machine.unit(
        "svc-cycle-recover.timer.d/hurry.conf",
        "[Timer]\nOnBootSec=\nOnUnitInactiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=2s\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    machine.must(&[
        "systemd-analyze",
        "verify",
        "--man=no",
        "svc-cycle-recover.timer",
    ]);
    run(&machine, &["start", "-f", "/root/set.toml"], 0);
    interrupt(&machine, "-f /root/set.toml");
    let idle = || {
        let alive = "kill -0 $(cat /run/idle.pid)";
        machine.run(&["sh", "-c", alive]).status.success()
    };
    assert!(!active(&machine, "t-a") && !idle());
    machine.must(&[
        "sh", "-c",
        "sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"00000000-0000-0000-0000-000000000000\"/' /var/lib/runbook-tools/svc-cycle.*.journal",
    ]);
    let enabled = machine.run(&["systemctl", "is-enabled", "svc-cycle-recover.timer"]);
    assert_eq!(String::from_utf8_lossy(&enabled.stdout).trim(), "disabled");
    machine.must(&["systemctl", "enable", "--now", "svc-cycle-recover.timer"]);
    harness::wait_until("both are back", || active(&machine, "t-a") && idle());
    harness::wait_until("no journal is left", || {
        let listed = machine.run(&["sh", "-c", "ls /var/lib/runbook-tools/*.journal"]);
        !listed.status.success()
    });
    // The next runs find nothing to do, and what the first one started is still there.
    let runs = || show(&machine, "svc-cycle-recover.service", "InvocationID");
    let first = runs();
    harness::wait_until("recover has run again", || {
        runs() != first && show(&machine, "svc-cycle-recover.service", "ActiveState") == "inactive"
    });
    assert!(active(&machine, "t-a") && idle());
    assert_eq!(
        show(&machine, "svc-cycle-recover.service", "Result"),
        "success"
    );
}

#[test]
fn what_its_manager_starts_again_and_again_is_not_recovered() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.unit(
        "t-loop.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'test ! -e /root/broken || { sleep 0.3; exit 3; }; exec sleep 600'\n\
         Restart=always\nRestartSec=200ms\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    run(&machine, &["start", "t-loop"], 0);
    let words = ["cycle", "t-loop", "--", "touch", "/root/broken"];
    let report = run(&machine, &words, 125);
    assert_eq!(report["outcome"], "left_down", "{report}");
    // Between two crashes it is up, or about to be.
    for _ in 0..3 {
        let report = run(&machine, &["recover"], 3);
        assert_eq!(report["outcome"], "left_down", "{report}");
    }
    run(&machine, &["start", "t-loop"], 3);
    machine.must(&["rm", "/root/broken"]);
    let report = run(&machine, &["recover"], 0);
    assert_eq!(report["services"][0]["after"], "running", "{report}");
    assert!(active(&machine, "t-loop"));
}
