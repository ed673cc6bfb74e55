//! What systemd does to other units when one stops, and targets, which stand for others.

use harness::machine::Machine;

use super::host::{active, run, show};
use super::site::service;

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
fn a_target_is_judged_by_its_members() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
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
