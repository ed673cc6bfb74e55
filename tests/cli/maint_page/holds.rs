//! Holds: counted, and nobody releases another's by accident.

use super::{Site, my_hold};
use serde_json::json;
use std::fs;

#[test]
fn holds_are_counted_and_the_last_one_takes_the_page() {
    let site = Site::new();
    site.tool("on").args(["--id", "alice"]).run().expect_code(0);
    site.tool("on")
        .args(["--id", "deploy"])
        .run()
        .expect_code(0);
    let first = site
        .tool("off")
        .args(["--id", "deploy"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(first["msg"], "released deploy; still up for alice");
    assert_eq!(
        first["warnings"],
        json!(["the page stays up: alice still holds it"])
    );
    assert!(site.has("on"));
    site.tool("off")
        .args(["--id", "alice"])
        .run()
        .expect_code(0);
    assert!(!site.has("on"));
}

#[test]
fn somebody_elses_hold_is_not_released_by_accident() {
    let site = Site::new();
    site.tool("on").args(["--id", "alice"]).run().expect_code(0);
    let off = site
        .tool("off")
        .run()
        .expect_code(1)
        .expect_err("hint: maint-page off --id alice, or --all")
        .json();
    assert_eq!(
        (&off["status"], &off["changed"]),
        (&json!("no"), &json!(false))
    );
    assert!(site.has("on"));
    site.tool("off").arg("--all").run().expect_code(0);
    assert!(!site.has("on"));
}

#[test]
fn who_releases_nothing_changes_nothing() {
    let site = Site::new();
    site.tool("on")
        .args(["--id", "alice", "--for", "30m"])
        .run()
        .expect_code(0);
    // Time goes by, and Retry-After is no longer what it should be: that is alice's to mend, or
    // tick's.
    site.age("alice", 1500);
    let before = site.picture();
    for (words, code, status) in [
        (&[][..], 1, "no"),
        (&["-n"], 1, "no"),
        (&["--id", "bob"], 0, "ok"),
    ] {
        let off = site.tool("off").args(words).run().expect_code(code).json();
        assert_eq!(
            (&off["status"], &off["changed"], &off["items"]),
            (&json!(status), &json!(false), &json!([])),
            "{off}"
        );
        assert_eq!(
            (&off["state"], &off["up"], &off["msg"]),
            (
                &json!("active"),
                &json!(true),
                &json!("nothing of yours to release; up for alice")
            )
        );
        assert!(site.picture() == before);
    }
    assert_eq!(
        site.tool("tick").run().expect_code(0).json()["changed"],
        true
    );
    assert!(site.picture() != before);
}

#[test]
fn sudo_says_whose_hold_it_is() {
    if !harness::need_root() {
        return;
    }
    let site = Site::new();
    site.tool("on")
        .env("SUDO_USER", "alice")
        .run()
        .expect_code(0);
    assert!(site.has("holds/alice.json"));
    site.tool("off").run().expect_code(1);
    site.tool("off")
        .env("SUDO_USER", "alice")
        .run()
        .expect_code(0);
}

#[test]
fn one_hold_can_be_asked_about_and_moved_alone() {
    let site = Site::new();
    for id in ["x", "y"] {
        site.tool("on")
            .args(["--id", id, "--start", "+1h"])
            .run()
            .expect_code(0);
    }
    site.age("x", 3700);
    site.age("y", 3700);
    assert_eq!(
        site.tool("tick")
            .args(["--id", "x"])
            .run()
            .expect_code(0)
            .json()["msg"],
        "up for x"
    );
    site.tool("status")
        .args(["--id", "x", "--on"])
        .run()
        .expect_code(0);
    let y = site
        .tool("status")
        .args(["--id", "y", "--on"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (&y["state"], &y["holds"][0]["id"]),
        (&json!("announced"), &json!("y"))
    );
    site.tool("tick").run().expect_code(0);
    site.tool("status")
        .args(["--id", "x", "--on"])
        .run()
        .expect_code(0);
    site.tool("status")
        .args(["--id", "nobody", "--off"])
        .run()
        .expect_code(0);
}

#[test]
fn status_is_asked_for_a_side_and_sees_what_does_not_agree() {
    let site = Site::new();
    site.tool("status").arg("--off").run().expect_code(0);
    site.tool("status").arg("--on").run().expect_code(1);
    site.on();
    site.tool("status").arg("--on").run().expect_code(0);
    assert_eq!(
        site.tool("status").arg("--off").run().expect_code(1).json()["msg"],
        "active; the page is not off"
    );
    fs::remove_file(site.file("on")).unwrap();
    let status = site.tool("status").run().expect_code(1).json();
    assert!(
        status["msg"]
            .as_str()
            .unwrap()
            .contains("is missing or not as it should be"),
        "{status}"
    );
    site.tool("tick").run().expect_code(0);
    site.tool("status").arg("--on").run().expect_code(0);
    fs::remove_file(site.file(&my_hold())).unwrap();
    site.tool("status").run().expect_code(1);
    site.tool("off").run().expect_code(0);
    assert!(
        !site.has("on"),
        "a flag of ours without a hold is taken away"
    );
}

#[test]
fn a_hold_that_cannot_be_read_stops_everything() {
    let site = Site::new();
    site.on();
    fs::write(site.file("holds/newer.json"), "{\"schema\": 2}").unwrap();
    site.tool("off")
        .run()
        .expect_code(3)
        .expect_err("newer.json is not a hold");
    assert!(site.has("on"));
}

#[test]
fn a_held_lock_is_75_and_names_its_holder() {
    let site = Site::new();
    site.on();
    let lock = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(site.file(".lock"))
        .unwrap();
    let _held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    site.tool("off")
        .run()
        .expect_code(75)
        .expect_no_body("state")
        .expect_err("is locked by");
    site.tool("status").run().expect_code(0);
    assert!(site.has("on"));
}

#[test]
fn many_at_once_disturb_nothing() {
    let site = Site::new();
    let children: Vec<_> = (0..24)
        .map(|n| {
            let mut on = site
                .tool("on")
                .args(["--lock-wait", "30s", "--id", &format!("op{n}")]);
            on.command()
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(
        site.tool("status").run().expect_code(0).json()["holds"]
            .as_array()
            .unwrap()
            .len(),
        24
    );
    site.tool("off").arg("--all").run().expect_code(0);
    let left: Vec<_> = fs::read_dir(site.dir())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .filter(|n| n.to_string_lossy().starts_with(".rbt-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Two root shells on two terminals: script(1) gives each a terminal and a session of its own.
#[test]
fn two_people_of_one_name_do_not_undo_each_other() {
    let site = Site::new();
    let tool = harness::program("maint-page");
    let tool = std::path::PathBuf::from(tool.get_program());
    let on = |message: &str| {
        format!(
            "SUDO_USER= SSH_CONNECTION= '{}' on --dir '{}' --message '{message}' -o json >'{}/said' 2>'{}/error'; echo $? >'{}/rc'",
            tool.display(),
            site.dir().display(),
            site.top.path().display(),
            site.top.path().display(),
            site.top.path().display()
        )
    };
    let read = |name: &str| fs::read_to_string(site.top.path().join(name)).unwrap_or_default();
    let person = |line: &str| {
        let mut child = std::process::Command::new("script")
            .args(["-qec", line, "/dev/null"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        (child.stdin.take().unwrap(), child)
    };
    // The first person's shell stays open.
    let first = format!("sh -c \"{}; cat\"", on("the first").replace('$', "\\$"));
    let (input, mut shell) = person(&first);
    harness::wait_until("the first hold", || read("rc") == "0\n");
    fs::remove_file(site.top.path().join("rc")).unwrap();
    let (_, mut second) = person(&on("the second"));
    second.wait().unwrap();
    harness::wait_until("the answer", || !read("rc").is_empty());
    assert_eq!(read("rc"), "75\n", "{}", read("error"));
    let said = read("error");
    assert!(
        said.contains("is somebody else's") && said.contains(" on pts/"),
        "{said}"
    );
    let page = fs::read_to_string(site.dir().join("page/page.html")).unwrap();
    assert!(page.contains("the first") && !page.contains("the second"));
    let off = format!(
        "SUDO_USER= SSH_CONNECTION= '{}' off --dir '{}' >/dev/null 2>&1; echo $? >'{}/off'",
        tool.display(),
        site.dir().display(),
        site.top.path().display()
    );
    let (_, mut third) = person(&off);
    third.wait().unwrap();
    harness::wait_until("the refusal", || read("off") == "1\n");
    assert!(site.has("on"));
    drop(input);
    shell.wait().unwrap();
    // The first person's session is over: whoever is root may take the page away.
    let (_, mut last) = person(&off.replace("/off'", "/last'"));
    last.wait().unwrap();
    harness::wait_until("off", || read("last") == "0\n");
    assert!(!site.has("on"));
}
