//! Announced, active, overdue, off: by the clock, by `tick` and by waiting.

use super::{Site, me, my_hold};
use harness::wait_until;
use serde_json::json;
use std::fs;

#[test]
fn announced_is_told_and_not_shown_until_tick_raises_it() {
    let site = Site::new();
    let on = site
        .tool("on")
        .args(["--start", "+1h", "--for", "30m", "--message", "Soon."])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&on["state"], &on["up"]),
        (&json!("announced"), &json!(false))
    );
    assert!(!site.has("on") && site.has("page/page.html"));
    let notice = site.json("maintenance.json");
    assert_eq!(
        (&notice["state"], &notice["message"]),
        (&json!("announced"), &json!("Soon."))
    );
    let start: jiff::Timestamp = notice["starts_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(notice["timestamp"], start.as_second());

    site.tool("tick")
        .arg("-q")
        .run()
        .expect_code(0)
        .expect_silence();
    site.age(&me(), 3600);
    site.tool("status").run().expect_code(1);
    assert_eq!(
        site.tool("tick").arg("-n").run().expect_code(1).json()["changed"],
        true
    );
    let tick = site.tool("tick").arg("-q").run().expect_code(0).json();
    assert_eq!(
        (&tick["msg"], &tick["up"]),
        (&json!(format!("up for {}", me())), &json!(true))
    );
    assert!(site.has("on"));
    assert_eq!(site.json("maintenance.json")["state"], "active");
}

/// As cron runs it: next to nothing in the environment, and a mail for every byte of output.
#[test]
fn tick_works_in_crons_poor_environment_and_is_silent_until_it_has_news() {
    let site = Site::new();
    site.tool("on")
        .args(["--start", "+1h", "--for", "1h"])
        .run()
        .expect_code(0);
    let tick = || {
        site.tool("tick")
            .arg("-q")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/")
            .dir("/")
            .run()
            .expect_code(0)
    };
    tick().expect_silence();
    site.age(&me(), 3600);
    assert_eq!(tick().json()["up"], true);
    tick().expect_silence();
}

#[test]
fn overdue_is_said_once_by_tick_and_always_by_status() {
    let site = Site::new();
    site.tool("on").args(["--for", "10m"]).run().expect_code(0);
    site.age(&me(), 700);
    let status = site.tool("status").run().expect_code(1).json();
    assert_eq!(status["state"], "overdue");
    let tick = site.tool("tick").run().expect_code(0).json();
    assert_eq!(
        tick["warnings"],
        json!([format!(
            "{} is overdue: its end has passed and the page is still up",
            me()
        )])
    );
    assert_eq!(site.json("maintenance.json")["state"], "overdue");
    site.tool("tick")
        .arg("-q")
        .run()
        .expect_code(0)
        .expect_silence();
    assert!(
        site.has("on"),
        "it is not taken away unless that was asked for"
    );
    let more = site
        .tool("on")
        .args(["--for", "10m"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&more["state"], &more["changed"]),
        (&json!("active"), &json!(true))
    );
}

#[test]
fn tick_can_rename_what_is_foreign_in_its_way() {
    let site = Site::new();
    site.tool("on")
        .args(["--start", "+1h"])
        .run()
        .expect_code(0);
    site.age(&me(), 3700);
    fs::write(site.file("on"), "by hand").unwrap();
    site.tool("tick").run().expect_code(3);
    assert_eq!(site.text("on"), "by hand");
    site.tool("tick").arg("--force").run().expect_code(0);
    assert_eq!(site.text("on"), "maint-page 1\n");
}

#[test]
fn auto_off_is_taken_away_by_tick() {
    let site = Site::new();
    site.tool("on")
        .args(["--for", "10m", "--auto-off"])
        .run()
        .expect_code(0);
    site.age(&me(), 700);
    let tick = site.tool("tick").run().expect_code(0).json();
    assert_eq!(
        (&tick["msg"], &tick["up"]),
        (&json!(format!("{} ended", me())), &json!(false))
    );
    assert!(!site.has("on") && !site.has(&my_hold()));
}

#[test]
fn a_window_that_nobody_opened_is_not_opened_afterwards() {
    let site = Site::new();
    site.tool("on")
        .args(["--start", "+1h", "--for", "10m"])
        .run()
        .expect_code(0);
    site.age(&me(), 7200);
    let tick = site.tool("tick").run().expect_code(0).json();
    assert_eq!(
        (&tick["state"], &tick["up"]),
        (&json!("off"), &json!(false))
    );
    assert_eq!(
        tick["warnings"][0],
        format!(
            "{} is over before the page was put up for it; tick did not run in between",
            me()
        )
    );
}

#[test]
fn users_are_warned_when_they_are_to_be() {
    let site = Site::new();
    site.tool("on")
        .args(["--start", "+2h", "--warn", "30m"])
        .run()
        .expect_code(0);
    assert!(!site.has("maintenance.json"));
    site.age(&me(), 5500);
    site.tool("tick").run().expect_code(0);
    assert_eq!(site.json("maintenance.json")["state"], "announced");
}

#[test]
fn an_announcement_is_taken_back() {
    let site = Site::new();
    site.tool("on")
        .args(["--start", "+2h"])
        .run()
        .expect_code(0);
    site.tool("off").run().expect_code(0);
    assert!(!site.has("maintenance.json") && !site.has(&my_hold()));
    site.tool("wait").run().expect_code(1);
}

#[test]
fn wait_ends_when_the_start_has_come() {
    let site = Site::new();
    let on = site
        .tool("on")
        .args(["--start", "+1s", "--wait"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!((&on["state"], &on["up"]), (&json!("active"), &json!(true)));
    let written: Vec<&str> = on["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["what"].as_str().unwrap())
        .collect();
    assert!(
        written.iter().filter(|w| **w == "hold").count() == 2 && written.contains(&"flag"),
        "{written:?}"
    );
    assert_eq!(
        site.tool("wait").run().expect_code(0).json()["changed"],
        false
    );
}

#[test]
fn wait_ends_when_the_announcement_is_taken_back_and_when_it_is_told_to() {
    let site = Site::new();
    let mut waiting = site.tool("on");
    let child = waiting
        .command()
        .args(["--start", "+1h", "--wait"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the hold", || {
        site.has(&my_hold()) && site.has("maintenance.json")
    });
    site.tool("off").run().expect_code(0);
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(1));

    let late = site
        .tool("on")
        .args(["--start", "+1h", "--wait", "--timeout", "200ms"])
        .run()
        .expect_code(75)
        .json();
    assert_eq!(
        (&late["status"], &late["state"]),
        (&json!("retry"), &json!("announced"))
    );
    assert!(site.has(&my_hold()), "the announcement stands");
}

#[test]
fn an_announcement_that_is_brought_forward_wakes_who_waits() {
    let site = Site::new();
    let mut waiting = site.tool("on");
    let child = waiting
        .command()
        .args(["--id", "x", "--start", "+3h", "--wait"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the announcement", || site.has("maintenance.json"));
    site.tool("on")
        .args(["--id", "x", "--start", "+1s"])
        .run()
        .expect_code(0);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(site.has("on"));
}

#[test]
fn waiting_is_for_ones_own_start_also_while_another_holds_the_page() {
    let site = Site::new();
    site.tool("on").args(["--id", "long"]).run().expect_code(0);
    let on = site
        .tool("on")
        .args(["--id", "deploy", "--start", "+1s", "--wait"])
        .run()
        .expect_code(0)
        .json();
    let deploy = on["holds"]
        .as_array()
        .unwrap()
        .iter()
        .find(|hold| hold["id"] == "deploy")
        .unwrap()
        .clone();
    assert_eq!(
        (&deploy["state"], &on["up"]),
        (&json!("active"), &json!(true))
    );
    assert!(
        on["msg"].as_str().unwrap().ends_with("; also for long"),
        "{on}"
    );
}

#[test]
fn a_signal_while_waiting_leaves_the_announcement_and_during_takes_it_back() {
    for (command, stays) in [
        (&["on", "--wait"][..], true),
        (&["during", "--on-failure", "keep"][..], false),
    ] {
        let site = Site::new();
        let mut waiting = site
            .tool(command[0])
            .args(&command[1..])
            .args(["--id", "x", "--start", "+1h"]);
        if !stays {
            waiting = waiting
                .args(["--", "touch"])
                .arg(site.top.path().join("ran"));
        }
        let child = waiting
            .command()
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the announcement", || site.has("maintenance.json"));
        std::thread::sleep(std::time::Duration::from_millis(50));
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(child.id() as i32),
            nix::sys::signal::Signal::SIGTERM,
        )
        .unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(143), "{command:?}");
        assert_eq!(site.has("holds/x.json"), stays, "{command:?}");
        assert!(!site.has("on") && !site.top.path().join("ran").exists());
    }
}

/// `maint-page`, as if it were another time.
fn at(time: &str, site: &Site, command: &str) -> harness::Tool {
    let faketime = harness::need("faketime").expect("faketime");
    let mut tool = site.tool(command);
    let inner = tool.command();
    let program = inner.get_program().to_owned();
    let words: Vec<_> = inner.get_args().map(std::ffi::OsStr::to_owned).collect();
    *inner = std::process::Command::new(faketime);
    inner
        .env("TZ", "UTC")
        .env_remove("SUDO_USER")
        .arg(time)
        .arg(program)
        .args(words);
    tool
}

#[test]
fn a_night_in_which_clocks_go_back_has_the_hour_twice() {
    // 25 October 2026: at 01:00 UTC Berlin goes from 03:00 summer time to 02:00.
    let site = Site::new();
    let on = at("2026-10-24 23:59:00", &site, "on")
        .args([
            "--start",
            "02:30",
            "--until",
            "02:45",
            "--tz",
            "Europe/Berlin",
        ])
        .run();
    let on = on.expect_code(0).json();
    assert_eq!(
        (&on["starts_at"], &on["ends_at"]),
        (
            &json!("2026-10-25T02:30:00+02:00"),
            &json!("2026-10-25T02:45:00+02:00")
        )
    );
    assert_eq!(
        at("2026-10-25 00:28:00", &site, "tick")
            .run()
            .expect_code(0)
            .json()["up"],
        false
    );
    assert_eq!(
        at("2026-10-25 00:30:00", &site, "tick")
            .run()
            .expect_code(0)
            .json()["up"],
        true
    );
    // An hour later the clock shows 02:30 again.
    let again = at("2026-10-25 01:00:30", &site, "on")
        .args([
            "--id",
            "second",
            "--start",
            "02:30",
            "--tz",
            "Europe/Berlin",
        ])
        .run();
    let holds = again.expect_code(0).json()["holds"].clone();
    let second = holds
        .as_array()
        .unwrap()
        .iter()
        .find(|hold| hold["id"] == "second")
        .unwrap();
    assert_eq!(second["starts_at"], "2026-10-25T02:30:00+01:00");
}

#[test]
fn a_night_in_which_clocks_go_forward_meets_the_skipped_time_after_the_gap() {
    let site = Site::new();
    let on = at("2026-03-28 23:00:00", &site, "on")
        .args(["--start", "02:30", "--for", "1h", "--tz", "Europe/Berlin"])
        .run();
    assert_eq!(
        on.expect_code(0).json()["starts_at"],
        "2026-03-29T03:30:00+02:00"
    );
    assert_eq!(
        at("2026-03-29 01:28:00", &site, "tick")
            .run()
            .expect_code(0)
            .json()["up"],
        false
    );
    let tick = at("2026-03-29 01:30:00", &site, "tick")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&tick["up"], &tick["ends_at"]),
        (&json!(true), &json!("2026-03-29T04:30:00+02:00"))
    );
}

#[test]
fn a_clock_that_jumps_never_takes_the_page_away_or_brings_it_back() {
    let site = Site::new();
    at("2026-11-21 20:00:00", &site, "on")
        .args(["--start", "22:00", "--for", "1h", "--tz", "UTC"])
        .run()
        .expect_code(0);
    assert_eq!(
        at("2026-11-21 22:10:00", &site, "tick")
            .run()
            .expect_code(0)
            .json()["state"],
        "active"
    );
    // Back by a day: it was up, and it stays up.
    let back = at("2026-11-20 22:10:00", &site, "tick")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&back["state"], &back["up"]),
        (&json!("active"), &json!(true))
    );
    // Forward by a year: overdue, and still up.
    let forward = at("2027-11-21 22:10:00", &site, "tick")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&forward["state"], &forward["up"]),
        (&json!("overdue"), &json!(true))
    );
    at("2026-11-21 22:20:00", &site, "off").run().expect_code(0);
    assert_eq!(
        at("2026-11-21 22:30:00", &site, "tick")
            .run()
            .expect_code(0)
            .json()["state"],
        "off"
    );
}

#[test]
fn a_window_that_is_over_is_refused_and_one_that_has_begun_is_not() {
    let site = Site::new();
    let now = jiff::Timestamp::now();
    let at = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    let over = site
        .tool("on")
        .args(["--start", &at(-5 * 86_400), "--for", "1h"])
        .run()
        .expect_code(2);
    over.expect_err("the window is over").expect_silence();
    site.tool("on")
        .args(["--start", &at(-7200)])
        .run()
        .expect_code(2)
        .expect_err("is in the past");
    assert!(!site.has("on"));
    let begun = site
        .tool("on")
        .args(["--start", &at(-600), "--for", "1h", "--tz", "UTC"])
        .run()
        .expect_code(0)
        .json();
    // An hour from the start that was typed, not from now.
    let ends: jiff::Timestamp = begun["ends_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends.duration_since(now).as_secs() / 60, 49, "{begun}");
}

#[test]
fn a_date_and_time_without_an_offset_is_on_the_clocks_of_the_zone() {
    let site = Site::new();
    let on = site
        .tool("on")
        .args(["--start", "2099-01-02T03:04", "--tz", "Europe/Berlin"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(on["starts_at"], "2099-01-02T03:04:00+01:00");
}

#[test]
fn a_mistyped_directory_is_no_page_that_is_off() {
    let site = Site::new();
    let missing = site.top.path().join("maintenence");
    for command in ["off", "tick"] {
        harness::tool("maint-page")
            .args([command, "--dir"])
            .arg(&missing)
            .run()
            .expect_code(3)
            .expect_err("there is no such directory");
    }
}
