//! The units for maint-page tick, installed and enabled under a real systemd.

use crate::{dist, install, run, sh};
use harness::machine::Machine;
use std::fs;
use std::path::PathBuf;

const SITE: &str = "[site]\nname = \"reef\"\n\n[maint-page]\ndir = \"/srv/reef/maintenance\"\n";
const DIR: &str = "/srv/reef/maintenance";

/// A booted machine with the site file of `reef`.
fn machine() -> Option<Machine> {
    let machine = Machine::with_systemd()?;
    machine.write("/etc/runbook-tools/sites/reef.toml", SITE);
    fs::create_dir_all(machine.path("/srv/reef")).expect("a directory");
    Some(machine)
}

/// In the short form each second is a minute.
fn hurry(machine: &Machine) {
    if !harness::full_sweep() {
        machine.unit(
            "maint-page@.timer.d/hurry.conf",
            "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nAccuracySec=100ms\n",
        );
    }
    machine.must(&["systemctl", "daemon-reload"]);
}

/// The enabled timer puts up what was announced and takes it away again.
fn moves_the_page(machine: &Machine) {
    hurry(machine);
    machine.must(&["systemctl", "enable", "--now", "maint-page@reef.timer"]);
    let is_up = || machine.path(&format!("{DIR}/on")).exists();
    let (start, lasts, within) = if harness::full_sweep() {
        ("+90s", "90s", 240)
    } else {
        ("+3s", "4s", 30)
    };
    machine.must(&[
        "maint-page",
        "on",
        "--site",
        "reef",
        "--start",
        start,
        "--for",
        lasts,
        "--auto-off",
    ]);
    assert!(!is_up());
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        let began = std::time::Instant::now();
        while !done() {
            assert!(
                began.elapsed().as_secs() < within,
                "{what}: {}",
                machine.must(&["journalctl", "--no-pager", "-u", "maint-page@reef.*"])
            );
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    };
    wait("the page does not go up", &is_up);
    wait("the page does not go away", &|| !is_up());
    // The journal has what happened, and not two lines for each tick that had nothing to do.
    let journal = || {
        machine.must(&[
            "journalctl",
            "--no-pager",
            "-o",
            "cat",
            "-u",
            "maint-page@reef.service",
        ])
    };
    wait("the journal", &|| journal().contains("ended"));
    let journal = journal();
    assert!(journal.contains("up for root"), "{journal}");
    assert!(
        !journal.contains("Finished") && !journal.contains("Starting"),
        "{journal}"
    );
    let shown = machine.must(&[
        "systemctl",
        "show",
        "-P",
        "Result",
        "maint-page@reef.service",
    ]);
    assert_eq!(shown.trim(), "success");
}

fn verified(machine: &Machine) {
    // systemd's own reader has nothing to say about the units, the manual and the program they
    // name.
    let said = machine.must(&[
        "systemd-analyze",
        "verify",
        "--recursive-errors=no",
        "maint-page@reef.timer",
        "maint-page@reef.service",
    ]);
    assert_eq!(said.trim(), "");
    let disabled = machine.run(&["systemctl", "is-enabled", "maint-page@reef.timer"]);
    assert_eq!(
        String::from_utf8_lossy(&disabled.stdout).trim(),
        "disabled",
        "nothing is enabled by installing"
    );
}

#[test]
fn what_make_installs_ticks_each_minute() {
    let Some(machine) = machine() else { return };
    for prefix in ["/usr", "/usr/local"] {
        let words = format!("PREFIX={prefix}");
        install::installed(&machine.path("/"), &[&words]);
        machine.must(&["systemctl", "daemon-reload"]);
        let unit = machine.must(&[
            "systemctl",
            "show",
            "-P",
            "FragmentPath",
            "maint-page@reef.timer",
        ]);
        // Where /lib is a link to /usr/lib, systemd names the unit by either.
        let local = unit.trim().starts_with("/usr/local/");
        assert_eq!(local, prefix == "/usr/local", "{unit}");
        assert!(
            unit.trim()
                .ends_with("/lib/systemd/system/maint-page@.timer"),
            "{unit}"
        );
        verified(&machine);
        if prefix == "/usr" {
            run(&mut install::make(
                &["-s", "uninstall", &words],
                &machine.path("/"),
            ));
        }
    }
    let each = machine.must(&[
        "systemctl",
        "show",
        "-P",
        "TimersCalendar",
        "maint-page@reef.timer",
    ]);
    assert!(each.contains("*-*-* *:*:00"), "{each}");
    moves_the_page(&machine);
}

fn package(extension: &str) -> PathBuf {
    dist(extension)
        .into_iter()
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("maint-page"))
        })
        .expect("maint-page's package")
}

#[test]
#[ignore = "reads release builds: make packages"]
fn the_debian_package_ticks_and_leaves_no_timer() {
    let Some(machine) = machine() else { return };
    let inside = "/root/maint-page.deb";
    fs::copy(package("deb"), machine.path(inside)).expect("a copy");
    machine.must(&["dpkg", "-i", inside]);
    verified(&machine);
    moves_the_page(&machine);
    // An upgrade leaves the timer as it is.
    machine.must(&["dpkg", "-i", inside]);
    let state = || {
        let active = machine.run(&["systemctl", "is-active", "maint-page@reef.timer"]);
        String::from_utf8_lossy(&active.stdout).trim().to_owned()
    };
    assert_eq!(state(), "active");
    machine.must(&["dpkg", "-r", "maint-page"]);
    assert_ne!(state(), "active");
    let link = machine.path("/etc/systemd/system/timers.target.wants/maint-page@reef.timer");
    assert!(
        link.is_symlink(),
        "enabled is configuration: a removal keeps it"
    );
    machine.must(&["dpkg", "-P", "maint-page"]);
    assert!(!link.is_symlink());
}

#[test]
#[ignore = "reads release builds: make packages"]
fn the_rpm_package_ticks_and_leaves_no_timer() {
    let Some(machine) = machine() else { return };
    let inside = "/root/maint-page.rpm";
    fs::copy(package("rpm"), machine.path(inside)).expect("a copy");
    let rpm = |words: &[&str]| machine.must(&[&["rpm", "--dbpath", "/root/rpmdb"], words].concat());
    rpm(&["--initdb"]);
    rpm(&["-i", "--nodeps", inside]);
    verified(&machine);
    moves_the_page(&machine);
    rpm(&["-e", "--nodeps", "maint-page"]);
    let active = machine.run(&["systemctl", "is-active", "maint-page@reef.timer"]);
    assert_ne!(String::from_utf8_lossy(&active.stdout).trim(), "active");
    let link = machine.path("/etc/systemd/system/timers.target.wants/maint-page@reef.timer");
    assert!(!link.is_symlink());
    let left = sh(
        "find \"$1\" -name 'maint-page@*'",
        &[&machine.path("/usr/lib/systemd/system")],
    );
    assert_eq!(left, "");
}
