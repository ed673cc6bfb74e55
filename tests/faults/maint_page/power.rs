//! The power goes at the end of a run and in the middle of it: after the reboot the old page or the
//! new one is there, whole, and what was reported as done is done.

use harness::disk::Disk;
use harness::{Output, Tool, bin, full_sweep, need, tool};
use std::fs;
use std::path::Path;
use std::process::Command;

fn maint_page(command: &str, disk: &Disk) -> Tool {
    tool("maint-page")
        .arg(command)
        .arg("--dir")
        .arg(disk.path().join("m"))
        .args(["--id", "x"])
        .env("TZ", "UTC")
}

fn on(disk: &Disk, message: &str) -> Output {
    tool("maint-page")
        .args(["on", "--id", "x", "--message", message, "--dir"])
        .arg(disk.path().join("m"))
        .env("TZ", "UTC")
        .run()
}

/// The page's message: one of these, or no flag at all; whatever is there is whole.
fn message(disk: &Disk, at: &str) -> Option<String> {
    let dir = disk.path().join("m");
    if !dir.join("on").exists() {
        return None;
    }
    let page =
        fs::read_to_string(dir.join("page/page.html")).unwrap_or_else(|e| panic!("{at}: {e}"));
    assert!(
        !page.contains('\0') && page.ends_with(" -->\n"),
        "{at}: the page is not whole: {page:?}"
    );
    let (_, rest) = page
        .split_once("class=\"message\" lang=\"en\" dir=\"ltr\">")
        .unwrap_or_else(|| panic!("{at}: {page:?}"));
    Some(rest.split_once("</p>").unwrap().0.to_owned())
}

fn kinds() -> &'static [&'static str] {
    if full_sweep() {
        &["ext4", "xfs", "btrfs"]
    } else {
        &["ext4"]
    }
}

#[test]
fn what_was_reported_is_there_after_a_power_cut() {
    for kind in kinds() {
        let Some(disk) = Disk::new(kind) else { return };
        for n in 0..4 {
            let said = format!("Round {n}.");
            on(&disk, &said).expect_code(0);
            let after = disk.cut();
            assert_eq!(
                message(&after, kind),
                Some(said),
                "{kind}: it was reported as done"
            );
            maint_page("status", &after)
                .arg("--on")
                .run()
                .expect_code(0);
            drop(after);
            maint_page("off", &disk).run().expect_code(0);
            let after = disk.cut();
            assert_eq!(
                message(&after, kind),
                None,
                "{kind}: off was reported as done"
            );
        }
    }
}

/// Killed right before the n-th of these calls, and the power goes with it.
#[test]
fn a_power_cut_in_the_middle_leaves_the_old_or_the_new_page() {
    for kind in kinds() {
        let Some(disk) = Disk::new(kind) else { return };
        for (call, times) in [("fsync", 8), ("renameat2", 4)] {
            for n in 1..=times {
                let at = format!("{kind}, before {call} {n}");
                on(&disk, "old").expect_code(0);
                killed(call, n, &disk.path().join("m"));
                let after = disk.cut();
                let found = message(&after, &at);
                assert!(
                    matches!(found.as_deref(), Some("old" | "new")),
                    "{at}: {found:?}"
                );
                on(&after, "mended").expect_code(0);
                assert_eq!(message(&after, &at).as_deref(), Some("mended"));
                maint_page("status", &after)
                    .arg("--on")
                    .run()
                    .expect_code(0);
            }
        }
    }
}

fn killed(call: &str, n: usize, dir: &Path) {
    let fault = format!("inject={call}:signal=KILL:when={n}");
    let mut command = Command::new(need("strace").expect("strace"));
    command
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
            "-e",
            &fault,
        ])
        .arg(bin("maint-page"));
    command
        .args(["on", "--id", "x", "--message", "new", "--dir"])
        .arg(dir)
        .env("TZ", "UTC")
        .output()
        .unwrap();
}
