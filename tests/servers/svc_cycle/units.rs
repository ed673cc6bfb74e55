//! Units with times, refusals, drop-ins and masks of their own.

use harness::machine::Machine;
use serde_json::json;

use super::host::{active, run, show};
use super::site::service;

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

    // The starts by hand are too many for systemd, and nothing crashed.
    machine.unit(
        "t-often.service",
        "[Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=2\n[Service]\nExecStart=/bin/sleep 600\n",
    );
    machine.write(
        "/root/often.toml",
        "[service.t-often]\nbackend = \"systemd\"\nstable = \"50ms\"\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    for _ in 0..4 {
        run(&machine, &["restart", "-f", "/root/often.toml"], 0);
        assert!(active(&machine, "t-often"));
    }

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
fn drop_ins_masks_templates_and_one_shots() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.unit(
        "t-web@.service",
        "[Service]\nEnvironment=NUMBER=%i\nExecStart=/bin/sleep 600\n",
    );
    machine.unit("t-masked.service", "[Service]\nExecStart=/bin/sleep 600\n");
    let count = |file: &str| {
        let text = std::fs::read_to_string(machine.path(file)).unwrap_or_default();
        text.lines().count()
    };
    machine.unit(
        "t-once.service",
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo once >> /root/once'\n",
    );
    machine.unit(
        "t-stays.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'echo up >> /root/stays'\nExecStop=/bin/sh -c 'echo down >> /root/stays'\n",
    );
    // A unit that something wants stays loaded, so that systemd does not see what changed on disk.
    machine.unit(
        "t-drop.service",
        "[Service]\nEnvironment=NUMBER=1\nExecStart=/bin/sleep 600\n[Install]\nWantedBy=multi-user.target\n",
    );
    machine.must(&["systemctl", "enable", "t-drop"]);
    machine.must(&["systemctl", "daemon-reload"]);

    // One instance of a template is one service.
    run(&machine, &["start", "t-web@1", "t-web@2"], 0);
    let other = show(&machine, "t-web@2", "MainPID");
    run(&machine, &["restart", "t-web@1.service"], 0);
    assert_eq!(show(&machine, "t-web@2", "MainPID"), other);

    run(&machine, &["start", "t-drop"], 0);
    // A drop-in that systemd has not read: said, and read first where that is asked for.
    machine.unit(
        "t-drop.service.d/site.conf",
        "[Service]\nEnvironment=PRODUCTION=1\n",
    );
    let set = "[service.web]\nbackend = \"systemd\"\nname = \"t-drop\"\nexpect = { env = [\"PRODUCTION=1\", \"NUMBER=1\"] }\n";
    machine.write("/root/web.toml", set);
    let report = run(&machine, &["restart", "-f", "/root/web.toml"], 3);
    assert_eq!(report["outcome"], "drifted", "{report}");
    assert!(
        report["warnings"].to_string().contains("changed on disk"),
        "{report}"
    );
    run(
        &machine,
        &["restart", "--reload-units", "-f", "/root/web.toml"],
        0,
    );
    run(&machine, &["check", "-f", "/root/web.toml"], 0);

    // A masked unit cannot come back: the run says so before it stops anything.
    run(&machine, &["start", "t-masked"], 0);
    machine.must(&[
        "sh",
        "-c",
        "rm /etc/systemd/system/t-masked.service; systemctl mask t-masked",
    ]);
    let pid = show(&machine, "t-masked", "MainPID");
    let refused = machine
        .tool("svc-cycle")
        .args(["restart", "t-masked"])
        .run();
    refused
        .expect_code(2)
        .expect_err("systemctl unmask t-masked");
    assert_eq!(show(&machine, "t-masked", "MainPID"), pid);

    // A one-shot that did its work is done: a second start does nothing, a restart does the work
    // once more.
    let set = "[service.once]\nbackend = \"systemd\"\nname = \"t-once\"\noneshot = true\n";
    machine.write("/root/once.toml", set);
    run(&machine, &["status", "-f", "/root/once.toml"], 1);
    let report = run(&machine, &["start", "-f", "/root/once.toml"], 0);
    assert_eq!(service(&report, "once")["after"], "finished");
    run(&machine, &["status", "-f", "/root/once.toml"], 0);
    let report = run(&machine, &["start", "-f", "/root/once.toml"], 0);
    assert_eq!(
        (&report["changed"], count("/root/once")),
        (&json!(false), 1)
    );
    run(&machine, &["restart", "-f", "/root/once.toml"], 0);
    assert_eq!(count("/root/once"), 2);
    // A cycle restores what was up, and the work of a one-shot was done before.
    run(
        &machine,
        &["cycle", "-f", "/root/once.toml", "--", "true"],
        0,
    );
    assert_eq!(count("/root/once"), 2);
    // Without the key a finished one-shot is not up, and the reason names the key.
    run(&machine, &["start", "t-once"], 0);
    let report = run(&machine, &["status", "t-once"], 1);
    let why = report["warnings"][0].as_str().unwrap();
    assert!(!why.ends_with(": running"), "{report}");

    // RemainAfterExit: up until somebody stops it, and then not up.
    run(&machine, &["start", "t-stays"], 0);
    run(&machine, &["status", "t-stays"], 0);
    run(&machine, &["restart", "t-stays"], 0);
    assert_eq!(count("/root/stays"), 3);
    run(&machine, &["stop", "t-stays"], 0);
    let report = run(&machine, &["status", "t-stays"], 1);
    assert_eq!(report["services"][0]["before"], "stopped", "{report}");
}
