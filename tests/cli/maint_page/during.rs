//! `during`: the page is up while COMMAND runs, and what becomes of it afterwards is said before.

use super::Site;
use harness::wait_until;
use serde_json::{Value, json};

#[test]
fn during_runs_the_command_behind_the_page() {
    let site = Site::new();
    let script = format!(
        "test -f {0}/on && echo deploying && touch {0}/../ran",
        site.dir().display()
    );
    let during = site
        .tool("during")
        .args(["--on-failure", "keep", "--", "sh", "-ec", &script])
        .run()
        .expect_code(0);
    let report = during.expect_err("deploying").json();
    assert_eq!(
        (&report["state"], &report["up"], &report["ran"]["code"]),
        (&json!("off"), &json!(false), &json!(0))
    );
    assert!(site.top.path().join("ran").exists() && !site.has("on"));
}

#[test]
fn during_says_what_becomes_of_the_page_when_the_command_fails() {
    let site = Site::new();
    site.tool("during")
        .args(["--", "true"])
        .run()
        .expect_code(2)
        .expect_err("--on-failure")
        .expect_silence();
    let off = site
        .tool("during")
        .args([
            "--on-failure",
            "off",
            "--",
            "sh",
            "-c",
            "echo no space >&2; exit 7",
        ])
        .run()
        .expect_code(7)
        .json();
    assert_eq!(
        (&off["up"], &off["ran"]["tail"], &off["rc"]),
        (&json!(false), &json!("no space\n"), &json!(7))
    );
    assert!(!site.has("on"));
    // COMMAND in the words of svc-cycle; what looks like a secret is in none of them.
    let words = [
        "--on-failure",
        "off",
        "--",
        "sh",
        "-c",
        "echo password=s3cret >&2; kill $$",
        "sh",
        "--password",
        "s3cret",
    ];
    let killed = site
        .tool("during")
        .args(words)
        .run()
        .expect_code(143)
        .json();
    assert_eq!(
        (&killed["ran"]["exit"], &killed["ran"]["signal"]),
        (&json!(null), &json!(15))
    );
    assert_eq!(
        killed["ran"]["argv"],
        json!([
            "sh",
            "-c",
            "echo password=*** >&2; kill $$",
            "sh",
            "--password",
            "***"
        ])
    );
    assert_eq!(killed["ran"]["tail"], "password=***\n");
    let keep = site
        .tool("during")
        .args(["--id", "deploy", "--on-failure", "keep", "--", "false"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (&keep["up"], &keep["state"]),
        (&json!(true), &json!("active"))
    );
    assert!(
        keep["warnings"]
            .to_string()
            .contains("maint-page off --id deploy takes it away")
    );
    assert!(site.has("on"));
}

#[test]
fn a_command_that_cannot_be_started_leaves_no_page_behind() {
    let site = Site::new();
    site.tool("during")
        .args(["--on-failure", "keep", "--", "/nonexistent/deploy"])
        .run()
        .expect_code(127);
    assert!(!site.has("on") && !site.has("maintenance.json"));
    site.tool("during")
        .args(["--on-failure", "keep", "--", "/etc/passwd"])
        .run()
        .expect_code(126);
    assert!(!site.has("on"));
}

#[test]
fn a_deploy_inside_a_longer_maintenance_does_not_end_it() {
    let site = Site::new();
    site.tool("on").args(["--id", "alice"]).run().expect_code(0);
    let during = site
        .tool("during")
        .args(["--on-failure", "off", "--", "true"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&during["up"], &during["warnings"]),
        (&json!(true), &json!(["the page stays up for alice"]))
    );
    assert!(site.has("on"));
}

#[test]
fn signals_reach_the_command_and_then_on_failure_decides() {
    for (signal, number, fate) in [("TERM", 15, "off"), ("INT", 2, "keep"), ("HUP", 1, "off")] {
        let site = Site::new();
        let script = format!(
            "trap 'echo got {signal}; exit 9' {signal}; touch {}/../began; while :; do sleep 0.05; done",
            site.dir().display()
        );
        let mut during =
            site.tool("during")
                .args(["--on-failure", fate, "--", "sh", "-c", &script]);
        let child = during
            .command()
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("COMMAND", || site.top.path().join("began").exists());
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::try_from(number).unwrap()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(
            done.status.code(),
            Some(9),
            "{signal}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(String::from_utf8_lossy(&done.stderr).contains(&format!("got {signal}")));
        assert_eq!(site.has("on"), fate == "keep", "{signal}");
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["ran"]["interrupted"], format!("SIG{signal}"));
    }
}

#[test]
fn a_command_that_puts_things_right_is_not_killed_over_it() {
    let site = Site::new();
    let script = format!(
        "trap 'sleep 11; exit 9' INT; touch {}/../began; while :; do sleep 0.05; done",
        site.dir().display()
    );
    let mut during = site
        .tool("during")
        .args(["--on-failure", "off", "--", "sh", "-c", &script]);
    let mut child = during
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("COMMAND", || site.top.path().join("began").exists());
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id() as i32),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert!(!site.has("on"));
}

#[test]
fn killed_during_command_the_guardian_takes_the_page_away_when_command_has_ended() {
    let site = Site::new();
    let go = site.top.path().join("go");
    // COMMAND's first process ends before the rest of its group.
    let first = site.top.path().join("first");
    let until = |path: &std::path::Path| {
        format!("while ! test -e '{}'; do sleep 0.05; done", path.display())
    };
    let began = site.top.path().join("began");
    let script = format!(
        "touch '{}'; ({}) & {}",
        began.display(),
        until(&go),
        until(&first)
    );
    let mut during = site
        .tool("during")
        .args(["--on-failure", "off", "--", "sh", "-c", &script]);
    let mut child = during
        .command()
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the page", || site.has("on"));
    // At once, perhaps before the hold names COMMAND.
    wait_until("COMMAND", || began.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::write(&first, "").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(900));
    assert!(site.has("on"), "a process of COMMAND still runs");
    // Neither does the clock's work release a hold whose COMMAND runs.
    site.tool("tick").run().expect_code(0);
    assert!(site.has("on"));
    std::fs::write(&go, "").unwrap();
    wait_until("the guardian", || !site.has("on"));
    wait_until("the hold's end", || {
        site.tool("status").arg("--off").run().code() == 0
    });
}

#[test]
fn a_command_that_runs_out_of_time_is_ended_and_is_no_success() {
    let site = Site::new();
    let script = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let late = site
        .tool("during")
        .args([
            "--timeout",
            "3s",
            "--on-failure",
            "off",
            "--",
            "sh",
            "-c",
            script,
        ])
        .run()
        .expect_code(75)
        .json();
    assert!(
        late["msg"]
            .as_str()
            .unwrap()
            .starts_with("COMMAND was ended when the time was up"),
        "{late}"
    );
    assert_eq!(
        (&late["status"], &late["up"]),
        (&json!("failed"), &json!(false))
    );
}

#[test]
fn a_page_that_cannot_be_raised_runs_nothing_and_leaves_no_hold() {
    let site = Site::new();
    site.on();
    site.tool("off").run().expect_code(0);
    std::fs::write(site.file("on"), "by hand").unwrap();
    let ran = site.top.path().join("ran");
    site.tool("during")
        .args(["--id", "x", "--on-failure", "keep", "--", "touch"])
        .arg(&ran)
        .run()
        .expect_code(125)
        .expect_err("is foreign");
    assert!(!ran.exists() && !site.has("holds/x.json") && site.text("on") == "by hand");
}

#[test]
fn requests_under_way_get_a_moment_before_the_command_begins() {
    let site = Site::new();
    let during = |extra: &[&str]| {
        let began = std::time::Instant::now();
        site.tool("during")
            .args(["--on-failure", "off"])
            .args(extra)
            .args(["--", "true"])
            .run()
            .expect_code(0);
        began.elapsed()
    };
    assert!(during(&["--drain", "2s"]) >= std::time::Duration::from_secs(2));
    // Where the page is up already there is nothing to wait for.
    site.on();
    assert!(during(&["--drain", "10m"]) < std::time::Duration::from_secs(300));
}

/// The power fails while COMMAND runs: the hold is of an earlier boot.
#[test]
fn after_a_reboot_tick_releases_a_hold_that_was_to_go_and_keeps_the_other() {
    for (policy, code, up) in [("off", 0, false), ("keep", 0, true)] {
        let site = Site::new();
        let script = format!(
            "kill -STOP $PPID; cp -r '{0}' '{0}.copy'",
            site.dir().display()
        );
        let copy = site.dir().with_extension("copy");
        let mut during = site.tool("during").args([
            "--id",
            "deploy",
            "--on-failure",
            policy,
            "--",
            "sh",
            "-c",
            &script,
        ]);
        let mut child = during
            .command()
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let hold = copy.join("holds/deploy.json");
        wait_until("the copy", || hold.exists());
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
        child.wait().unwrap();
        let text = std::fs::read_to_string(&hold).unwrap();
        let mut value: Value = serde_json::from_str(&text).unwrap();
        value["run"]["boot"] = json!("of another boot");
        std::fs::write(&hold, value.to_string()).unwrap();
        let tick = harness::tool("maint-page")
            .args(["tick", "--dir"])
            .arg(&copy)
            .run()
            .expect_code(code)
            .json();
        assert_eq!(tick["up"], up, "{policy}: {tick}");
        let said = tick["warnings"]
            .to_string()
            .contains("the hold is released");
        assert_eq!(said, !up, "{policy}: {tick}");
    }
}
