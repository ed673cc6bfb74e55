//! Units on a booted systemd: no install, change or removal runs a job, and none is left out.

use harness::machine::Machine;
use std::time::Duration;

fn clock(machine: &Machine, format: &str) -> String {
    machine.must(&["date", format]).trim().to_owned()
}

fn runs(machine: &Machine) -> usize {
    std::fs::read_to_string(machine.path("/root/ran")).map_or(0, |text| text.lines().count())
}

fn install(machine: &Machine, jobs: &[&str]) {
    let lines: String = jobs
        .iter()
        .map(|when| format!("{when} /bin/sh -c 'date >>/root/ran' {}\n", when.len()))
        .collect();
    machine.write("/root/cron.txt", &lines);
    machine
        .tool("cron-render")
        .args(["install", "/root/cron.txt", "--name", "site"])
        .args(["--user", "root", "--format", "systemd"])
        .run()
        .expect_code(0);
}

#[test]
fn no_activation_runs_a_job() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    let second: u64 = clock(&machine, "+%S").parse().unwrap();
    if second > 50 {
        std::thread::sleep(Duration::from_secs(61 - second));
    }
    let next = machine.must(&["date", "-d", "+1 minute", "+%M %H"]);
    let due = format!("{} * * *", next.trim());
    install(&machine, &[&due, "@reboot"]);
    assert_eq!(runs(&machine), 0, "@reboot is enabled and not started");
    let began = std::time::Instant::now();
    while runs(&machine) == 0 {
        assert!(
            began.elapsed() < Duration::from_secs(80),
            "the job did not run"
        );
        std::thread::sleep(Duration::from_millis(200));
    }

    // Another job beside it, and then the job itself at a time that is over today.
    install(&machine, &[&due, "@reboot", "5 5 * * *"]);
    let earlier = machine.must(&["date", "-d", "-1 minute", "+%M %H"]);
    let over = format!("{} * * *", earlier.trim());
    install(&machine, &[&over, "@reboot", "5 5 * * *"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(runs(&machine), 1, "a change ran the job at once");
    machine
        .tool("cron-render")
        .args(["remove", "--name", "site", "--format", "systemd"])
        .run()
        .expect_code(0);
    assert_eq!(runs(&machine), 1);
}
