//! maint-page as a user runs it: holds, times, files, exit codes. What the web servers make of it is in tests/servers.

use harness::{Output, TempDir, Tool, scratch, tool, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A directory for one site's page.
struct Site {
    top: TempDir,
}

impl Site {
    fn new() -> Site {
        Site { top: scratch() }
    }

    fn dir(&self) -> PathBuf {
        self.top.path().join("maintenance")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.file(name)).is_ok()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// `maint-page COMMAND --dir …`.
    fn tool(&self, command: &str) -> Tool {
        maint_page(command).arg("--dir").arg(self.dir())
    }

    fn on(&self) -> Output {
        self.tool("on").run().expect_code(0)
    }

    /// Turns a hold's times back, as if so many seconds had passed since it was made.
    fn age(&self, id: &str, seconds: i64) {
        let name = format!("holds/{id}.json");
        let mut hold = self.json(&name);
        for key in ["created_at", "starts_at", "ends_at", "warn_from", "activated_at"] {
            if let Some(text) = hold[key].as_str() {
                let old: jiff::Timestamp = text.parse().unwrap();
                hold[key] = json!((old - jiff::SignedDuration::from_secs(seconds)).to_string());
            }
        }
        fs::write(self.file(&name), hold.to_string()).unwrap();
    }

    /// Everything in it, with its content: to see that nothing was touched.
    fn picture(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut seen = Vec::new();
        walk(self.top.path(), &mut seen);
        seen.sort();
        seen
    }
}

fn walk(dir: &Path, seen: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, seen);
        } else if path.file_name().unwrap() != ".lock" {
            seen.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
}

fn maint_page(command: &str) -> Tool {
    tool("maint-page").arg(command).env_remove("SUDO_USER").env("TZ", "UTC")
}

/// Who runs the tests: whose holds they are unless told otherwise.
fn me() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name
}

fn my_hold() -> String {
    format!("holds/{}.json", me())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn on_says_what_it_would_do_then_does_it_then_has_nothing_to_do() {
    let site = Site::new();
    let dry = site.tool("on").args(["-n", "--for", "15m"]).run().expect_code(1).json();
    assert_eq!((&dry["status"], &dry["changed"], &dry["failed"]), (&json!("no"), &json!(true), &json!(false)));
    assert!(!site.dir().exists(), "a dry run made something");
    let planned: Vec<&str> = dry["items"].as_array().unwrap().iter().map(|i| i["what"].as_str().unwrap()).collect();
    assert_eq!(planned[planned.len() - 2..], ["flag", "notice"]);

    let on = site.tool("on").args(["--for", "15m"]).run().expect_code(0).json();
    assert_eq!((&on["changed"], &on["state"], &on["up"], &on["retry_after"]), (&json!(true), &json!("active"), &json!(true), &json!(600)));
    assert!(site.has("on") && site.has("page/page.html") && site.has("page/page.json") && site.has("retry-600"));
    assert_eq!(site.json("maintenance.json")["state"], "active");

    let before = site.picture();
    let again = site.tool("on").args(["--for", "15m"]).run().expect_code(0).json();
    assert_eq!((&again["changed"], &again["items"]), (&json!(false), &json!([])));
    assert_eq!(site.picture(), before);
    site.tool("on").args(["-n", "--for", "15m"]).run().expect_code(0);
}

#[test]
fn off_says_what_it_would_do_then_does_it_then_has_nothing_to_do() {
    let site = Site::new();
    site.on();
    let dry = site.tool("off").arg("-n").run().expect_code(1).json();
    assert_eq!((&dry["changed"], &dry["msg"]), (&json!(true), &json!("would be off")));
    assert!(site.has("on"));
    let off = site.tool("off").run().expect_code(0).json();
    assert_eq!((&off["changed"], &off["state"], &off["up"]), (&json!(true), &json!("off"), &json!(false)));
    assert!(!site.has("on") && !site.has("maintenance.json") && site.has("page/page.html"), "the page itself stays");
    assert_eq!(site.tool("off").run().expect_code(0).json()["changed"], false);
    site.tool("off").arg("-q").run().expect_code(0).expect_silence();
}

#[test]
fn off_where_nothing_ever_was_makes_nothing() {
    let site = Site::new();
    assert_eq!(site.tool("off").run().expect_code(0).json()["changed"], false);
    site.tool("tick").run().expect_code(0);
    site.tool("status").run().expect_code(0);
    assert!(!site.dir().exists());
}

#[test]
fn modes_are_what_the_web_server_needs_whatever_the_umask() {
    let site = Site::new();
    let line = format!("umask 077; exec \"$0\" on --dir {}", site.dir().display());
    let done = std::process::Command::new("sh").args(["-c", &line]).arg(harness::bin("maint-page")).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    for (name, wanted) in [
        ("", 0o755),
        ("holds", 0o755),
        ("page", 0o755),
        ("bypass", 0o711),
        ("on", 0o644),
        ("page/page.html", 0o644),
        ("page/page.json", 0o644),
        ("maintenance.json", 0o644),
        ("retry-120", 0o644),
    ] {
        assert_eq!(mode(&site.file(name)), wanted, "{name}");
    }
}

#[test]
fn holds_are_counted_and_the_last_one_takes_the_page() {
    let site = Site::new();
    site.tool("on").args(["--id", "alice"]).run().expect_code(0);
    site.tool("on").args(["--id", "deploy"]).run().expect_code(0);
    let first = site.tool("off").args(["--id", "deploy"]).run().expect_code(0).json();
    assert_eq!(first["msg"], "released deploy; still up for alice");
    assert_eq!(first["warnings"], json!(["the page stays up: alice still holds it"]));
    assert!(site.has("on"));
    site.tool("off").args(["--id", "alice"]).run().expect_code(0);
    assert!(!site.has("on"));
}

#[test]
fn somebody_elses_hold_is_not_released_by_accident() {
    let site = Site::new();
    site.tool("on").args(["--id", "alice"]).run().expect_code(0);
    let off = site.tool("off").run().expect_code(1).expect_err("hint: maint-page off --id alice, or --all").json();
    assert_eq!((&off["status"], &off["changed"]), (&json!("no"), &json!(false)));
    assert!(site.has("on"));
    site.tool("off").arg("--all").run().expect_code(0);
    assert!(!site.has("on"));
}

#[test]
fn sudo_says_whose_hold_it_is() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let site = Site::new();
    site.tool("on").env("SUDO_USER", "alice").run().expect_code(0);
    assert!(site.has("holds/alice.json"));
    site.tool("off").run().expect_code(1);
    site.tool("off").env("SUDO_USER", "alice").run().expect_code(0);
}

#[test]
fn another_message_changes_the_page_and_keeps_the_hold() {
    let site = Site::new();
    let token = site.on().json()["holds"][0]["token"].clone();
    let on = site.tool("on").args(["--message", "Moving house.", "--title", "Back at noon"]).run().expect_code(0).json();
    let done: Vec<&str> = on["items"].as_array().unwrap().iter().map(|i| i["what"].as_str().unwrap()).collect();
    assert_eq!(done, ["hold", "page", "page_json", "notice"]);
    assert_eq!(on["holds"][0]["token"], token);
    let page = site.text("page/page.html");
    assert!(page.contains("<h1>Back at noon</h1>") && page.contains(">Moving house.</p>"));
}

#[test]
fn hostile_messages_stay_text() {
    let site = Site::new();
    let message = "<script>alert(1)</script>\u{202e}\u{1b}[2J & \"quotes\"\nsecond line";
    site.tool("on").args(["--message", message]).run().expect_code(0);
    let page = site.text("page/page.html");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;[2J &amp; &quot;quotes&quot;<br>second line"), "{page}");
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    assert_eq!(site.json("maintenance.json")["message"], "<script>alert(1)</script>[2J & \"quotes\"\nsecond line");
    assert_eq!(site.json("page/page.json")["message"], "<script>alert(1)</script>[2J & \"quotes\"\nsecond line");
}

#[test]
fn announced_is_told_and_not_shown_until_tick_raises_it() {
    let site = Site::new();
    let on = site.tool("on").args(["--start", "+1h", "--for", "30m", "--message", "Soon."]).run().expect_code(0).json();
    assert_eq!((&on["state"], &on["up"]), (&json!("announced"), &json!(false)));
    assert!(!site.has("on") && site.has("page/page.html"));
    let notice = site.json("maintenance.json");
    assert_eq!((&notice["state"], &notice["message"]), (&json!("announced"), &json!("Soon.")));
    let start: jiff::Timestamp = notice["starts_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(notice["timestamp"], start.as_second());

    site.tool("tick").arg("-q").run().expect_code(0).expect_silence();
    site.age(&me(), 3600);
    site.tool("status").run().expect_code(1);
    assert_eq!(site.tool("tick").arg("-n").run().expect_code(1).json()["changed"], true);
    let tick = site.tool("tick").arg("-q").run().expect_code(0).json();
    assert_eq!((&tick["msg"], &tick["up"]), (&json!(format!("up for {}", me())), &json!(true)));
    assert!(site.has("on"));
    assert_eq!(site.json("maintenance.json")["state"], "active");
}

#[test]
fn overdue_is_said_once_by_tick_and_always_by_status() {
    let site = Site::new();
    site.tool("on").args(["--for", "10m"]).run().expect_code(0);
    site.age(&me(), 700);
    let status = site.tool("status").run().expect_code(1).json();
    assert_eq!(status["state"], "overdue");
    let tick = site.tool("tick").run().expect_code(0).json();
    assert_eq!(tick["warnings"], json!([format!("{} is overdue: its end has passed and the page is still up", me())]));
    assert_eq!(site.json("maintenance.json")["state"], "overdue");
    site.tool("tick").arg("-q").run().expect_code(0).expect_silence();
    assert!(site.has("on"), "it is not taken away unless that was asked for");
    let more = site.tool("on").args(["--for", "10m"]).run().expect_code(0).json();
    assert_eq!((&more["state"], &more["changed"]), (&json!("active"), &json!(true)));
}

#[test]
fn one_hold_can_be_asked_about_and_moved_alone() {
    let site = Site::new();
    for id in ["x", "y"] {
        site.tool("on").args(["--id", id, "--start", "+1h"]).run().expect_code(0);
    }
    site.age("x", 3700);
    site.age("y", 3700);
    assert_eq!(site.tool("tick").args(["--id", "x"]).run().expect_code(0).json()["msg"], "up for x");
    site.tool("status").args(["--id", "x", "--on"]).run().expect_code(0);
    let y = site.tool("status").args(["--id", "y", "--on"]).run().expect_code(1).json();
    assert_eq!((&y["state"], &y["holds"][0]["id"]), (&json!("announced"), &json!("y")));
    site.tool("tick").run().expect_code(0);
    site.tool("status").args(["--id", "x", "--on"]).run().expect_code(0);
    site.tool("status").args(["--id", "nobody", "--off"]).run().expect_code(0);
}

#[test]
fn tick_can_rename_what_is_foreign_in_its_way() {
    let site = Site::new();
    site.tool("on").args(["--start", "+1h"]).run().expect_code(0);
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
    site.tool("on").args(["--for", "10m", "--auto-off"]).run().expect_code(0);
    site.age(&me(), 700);
    let tick = site.tool("tick").run().expect_code(0).json();
    assert_eq!((&tick["msg"], &tick["up"]), (&json!(format!("{} ended", me())), &json!(false)));
    assert!(!site.has("on") && !site.has(&my_hold()));
}

#[test]
fn a_window_that_nobody_opened_is_not_opened_afterwards() {
    let site = Site::new();
    site.tool("on").args(["--start", "+1h", "--for", "10m"]).run().expect_code(0);
    site.age(&me(), 7200);
    let tick = site.tool("tick").run().expect_code(0).json();
    assert_eq!((&tick["state"], &tick["up"]), (&json!("off"), &json!(false)));
    assert_eq!(tick["warnings"][0], format!("{} is over before the page was put up for it; tick did not run in between", me()));
}

#[test]
fn users_are_warned_when_they_are_to_be() {
    let site = Site::new();
    site.tool("on").args(["--start", "+2h", "--warn", "30m"]).run().expect_code(0);
    assert!(!site.has("maintenance.json"));
    site.age(&me(), 5500);
    site.tool("tick").run().expect_code(0);
    assert_eq!(site.json("maintenance.json")["state"], "announced");
}

#[test]
fn an_announcement_is_taken_back() {
    let site = Site::new();
    site.tool("on").args(["--start", "+2h"]).run().expect_code(0);
    site.tool("off").run().expect_code(0);
    assert!(!site.has("maintenance.json") && !site.has(&my_hold()));
    site.tool("wait").run().expect_code(1);
}

#[test]
fn wait_ends_when_the_start_has_come() {
    let site = Site::new();
    let on = site.tool("on").args(["--start", "+1s", "--wait"]).run().expect_code(0).json();
    assert_eq!((&on["state"], &on["up"]), (&json!("active"), &json!(true)));
    let written: Vec<&str> = on["items"].as_array().unwrap().iter().map(|i| i["what"].as_str().unwrap()).collect();
    assert!(written.iter().filter(|w| **w == "hold").count() == 2 && written.contains(&"flag"), "{written:?}");
    assert_eq!(site.tool("wait").run().expect_code(0).json()["changed"], false);
}

#[test]
fn wait_ends_when_the_announcement_is_taken_back_and_when_it_is_told_to() {
    let site = Site::new();
    let mut waiting = site.tool("on");
    let child = waiting.command().args(["--start", "+1h", "--wait"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("the hold", || site.has(&my_hold()) && site.has("maintenance.json"));
    site.tool("off").run().expect_code(0);
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(1));

    let late = site.tool("on").args(["--start", "+1h", "--wait", "--timeout", "200ms"]).run().expect_code(75).json();
    assert_eq!((&late["status"], &late["state"]), (&json!("retry"), &json!("announced")));
    assert!(site.has(&my_hold()), "the announcement stands");
}

#[test]
fn an_announcement_that_is_brought_forward_wakes_who_waits() {
    let site = Site::new();
    let mut waiting = site.tool("on");
    let child = waiting.command().args(["--id", "x", "--start", "+3h", "--wait"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("the announcement", || site.has("maintenance.json"));
    site.tool("on").args(["--id", "x", "--start", "+1s"]).run().expect_code(0);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(site.has("on"));
}

#[test]
fn a_signal_while_waiting_leaves_the_announcement_and_during_takes_it_back() {
    for (command, stays) in [(&["on", "--wait"][..], true), (&["during", "--on-failure", "keep"][..], false)] {
        let site = Site::new();
        let mut waiting = site.tool(command[0]).args(&command[1..]).args(["--id", "x", "--start", "+1h"]);
        if !stays {
            waiting = waiting.args(["--", "touch"]).arg(site.top.path().join("ran"));
        }
        let child = waiting.command().stdout(std::process::Stdio::piped()).spawn().unwrap();
        wait_until("the announcement", || site.has("maintenance.json"));
        std::thread::sleep(std::time::Duration::from_millis(50));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(143), "{command:?}");
        assert_eq!(site.has("holds/x.json"), stays, "{command:?}");
        assert!(!site.has("on") && !site.top.path().join("ran").exists());
    }
}

#[test]
fn diff_says_what_visitors_and_the_site_notice() {
    let site = Site::new();
    let on = site.tool("on").args(["--diff", "-n", "--message", "Soon back."]).run().expect_code(1).json();
    assert_eq!(on["diff"]["before"], "page: down\n");
    let after = on["diff"]["after"].as_str().unwrap();
    assert!(after.starts_with("page: up\n") && after.contains("message: \"Soon back.\"\n"), "{after}");
    site.tool("on").run().expect_code(0);
    assert!(site.tool("on").arg("--diff").run().expect_code(0).json().get("diff").is_none());
}

#[test]
fn what_is_foreign_is_never_touched_and_force_renames_it() {
    let site = Site::new();
    site.on();
    site.tool("off").run().expect_code(0);
    fs::write(site.file("on"), "").unwrap();
    let before = site.picture();
    site.tool("on").run().expect_code(3).expect_err("is foreign").expect_err("--force");
    site.tool("off").run().expect_code(3);
    let status = site.tool("status").run().expect_code(1).json();
    assert_eq!((&status["flag"], &status["up"]), (&json!("foreign"), &json!(false)));
    assert_eq!(site.picture(), before, "foreign things were touched");

    site.tool("on").arg("--force").run().expect_code(0);
    let aside =
        fs::read_dir(site.dir()).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("on.foreign-")).count();
    assert_eq!((aside, site.text("on").as_str()), (1, "maint-page 1\n"));
}

#[test]
fn a_foreign_page_is_not_overwritten_and_a_foreign_notice_is_left_alone() {
    let site = Site::new();
    fs::create_dir_all(site.file("page")).unwrap();
    fs::write(site.file("page/page.html"), "<h1>ours</h1>").unwrap();
    fs::write(site.file("maintenance.json"), "{\"timestamp\": 1, \"message\": \"by manage.py\"}").unwrap();
    site.tool("on").run().expect_code(3).expect_err("page.html is foreign");
    assert!(!site.has("on") && !site.has(&my_hold()));
    fs::remove_file(site.file("page/page.html")).unwrap();
    let on = site.tool("on").run().expect_code(0).json();
    assert!(on["warnings"][0].as_str().unwrap().contains("is left alone"));
    assert_eq!(site.json("maintenance.json")["message"], "by manage.py");
}

#[test]
fn links_are_not_followed() {
    let site = Site::new();
    site.on();
    site.tool("off").run().expect_code(0);
    let outside = site.top.path().join("outside");
    fs::write(&outside, "kept").unwrap();
    symlink(&outside, site.file("on")).unwrap();
    site.tool("on").run().expect_code(3).expect_err("a symbolic link");
    fs::remove_file(site.file("on")).unwrap();
    fs::remove_file(site.file("page/page.html")).unwrap();
    symlink(&outside, site.file("page/page.html")).unwrap();
    site.tool("on").run().expect_code(3);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");

    let link = site.top.path().join("current");
    symlink(site.dir(), &link).unwrap();
    maint_page("on").arg("--dir").arg(&link).run().expect_code(3).expect_err("is a symbolic link");
}

#[test]
fn a_release_link_on_the_way_is_named() {
    let site = Site::new();
    fs::create_dir(site.top.path().join("release-1")).unwrap();
    symlink("release-1", site.top.path().join("current")).unwrap();
    let on = maint_page("on").arg("--dir").arg(site.top.path().join("current/maintenance")).run().expect_code(0).json();
    let warnings = on["warnings"].to_string();
    assert!(warnings.contains("current is a symbolic link on the way to the page"), "{warnings}");
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let site = Site::new();
    fs::create_dir(site.dir()).unwrap();
    fs::set_permissions(site.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    site.tool("on").run().expect_code(3).expect_err("can be written by others (mode 0777)").expect_silence();
    assert!(!site.has("on"));
    fs::set_permissions(site.dir(), fs::Permissions::from_mode(0o1777)).unwrap();
    site.on();
}

#[test]
fn single_file_mode_is_one_file_with_a_warning_that_names_the_race() {
    let site = Site::new();
    let file = site.top.path().join("maintenance.html");
    let run = |command: &str| maint_page(command).arg("--page").arg(&file);
    let on = run("on").args(["--for", "15m"]).run().expect_code(0).json();
    assert!(on["warnings"][0].as_str().unwrap().contains("can get a 404"), "{on}");
    assert_eq!((&on["page"], &on["up"]), (&json!(file), &json!(true)));
    assert!(fs::read_to_string(&file).unwrap().contains("<!-- maint-page 1 "));
    assert_eq!(mode(&file), 0o644);
    assert!(site.top.path().join("maintenance.json").exists());
    assert_eq!(run("on").args(["--for", "15m"]).run().expect_code(0).json()["changed"], false);
    run("status").run().expect_code(0);
    run("off").run().expect_code(0);
    assert!(!file.exists() && !site.top.path().join("maintenance.json").exists());

    fs::write(&file, "CoralNet is under maintenance.").unwrap();
    run("on").run().expect_code(3).expect_err("maint-page did not write it");
    run("off").run().expect_code(3);
    assert_eq!(fs::read_to_string(&file).unwrap(), "CoralNet is under maintenance.");
}

#[test]
fn status_is_asked_for_a_side_and_sees_what_does_not_agree() {
    let site = Site::new();
    site.tool("status").arg("--off").run().expect_code(0);
    site.tool("status").arg("--on").run().expect_code(1);
    site.on();
    site.tool("status").arg("--on").run().expect_code(0);
    assert_eq!(site.tool("status").arg("--off").run().expect_code(1).json()["msg"], "active; it is not off");
    fs::remove_file(site.file("on")).unwrap();
    let status = site.tool("status").run().expect_code(1).json();
    assert!(status["msg"].as_str().unwrap().contains("is missing or not as it should be"), "{status}");
    site.tool("tick").run().expect_code(0);
    site.tool("status").arg("--on").run().expect_code(0);
    fs::remove_file(site.file(&my_hold())).unwrap();
    site.tool("status").run().expect_code(1);
    site.tool("off").run().expect_code(0);
    assert!(!site.has("on"), "a flag of ours without a hold is taken away");
}

#[test]
fn a_hold_that_cannot_be_read_stops_everything() {
    let site = Site::new();
    site.on();
    fs::write(site.file("holds/newer.json"), "{\"schema\": 2}").unwrap();
    site.tool("off").run().expect_code(3).expect_err("newer.json is not a hold");
    assert!(site.has("on"));
}

#[test]
fn during_runs_the_command_behind_the_page() {
    let site = Site::new();
    let script = format!("test -f {0}/on && echo deploying && touch {0}/../ran", site.dir().display());
    let during = site.tool("during").args(["--on-failure", "keep", "--", "sh", "-ec", &script]).run().expect_code(0);
    let report = during.expect_err("deploying").json();
    assert_eq!((&report["state"], &report["up"], &report["ran"]["code"]), (&json!("off"), &json!(false), &json!(0)));
    assert!(site.top.path().join("ran").exists() && !site.has("on"));
}

#[test]
fn during_says_what_becomes_of_the_page_when_the_command_fails() {
    let site = Site::new();
    site.tool("during").args(["--", "true"]).run().expect_code(2).expect_err("--on-failure").expect_silence();
    let off = site.tool("during").args(["--on-failure", "off", "--", "sh", "-c", "echo no space >&2; exit 7"]).run().expect_code(7).json();
    assert_eq!((&off["up"], &off["ran"]["tail"], &off["rc"]), (&json!(false), &json!("no space\n"), &json!(7)));
    assert!(!site.has("on"));
    let keep = site.tool("during").args(["--id", "deploy", "--on-failure", "keep", "--", "false"]).run().expect_code(1).json();
    assert_eq!((&keep["up"], &keep["state"]), (&json!(true), &json!("active")));
    assert!(keep["warnings"].to_string().contains("maint-page off --id deploy takes it away"));
    assert!(site.has("on"));
}

#[test]
fn a_command_that_cannot_be_started_leaves_no_page_behind() {
    let site = Site::new();
    site.tool("during").args(["--on-failure", "keep", "--", "/nonexistent/deploy"]).run().expect_code(127);
    assert!(!site.has("on") && !site.has("maintenance.json"));
    site.tool("during").args(["--on-failure", "keep", "--", "/etc/passwd"]).run().expect_code(126);
    assert!(!site.has("on"));
}

#[test]
fn a_deploy_inside_a_longer_maintenance_does_not_end_it() {
    let site = Site::new();
    site.tool("on").args(["--id", "alice"]).run().expect_code(0);
    let during = site.tool("during").args(["--on-failure", "off", "--", "true"]).run().expect_code(0).json();
    assert_eq!((&during["up"], &during["warnings"]), (&json!(true), &json!(["the page stays up for alice"])));
    assert!(site.has("on"));
}

#[test]
fn signals_reach_the_command_and_then_on_failure_decides() {
    for (signal, number, fate) in [("TERM", 15, "off"), ("INT", 2, "keep"), ("HUP", 1, "off")] {
        let site = Site::new();
        let script =
            format!("trap 'echo got {signal}; exit 9' {signal}; touch {}/../began; while :; do sleep 0.05; done", site.dir().display());
        let mut during = site.tool("during").args(["--on-failure", fate, "--", "sh", "-c", &script]);
        let child = during.command().stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        wait_until("COMMAND", || site.top.path().join("began").exists());
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::try_from(number).unwrap()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(9), "{signal}: {}", String::from_utf8_lossy(&done.stderr));
        assert!(String::from_utf8_lossy(&done.stderr).contains(&format!("got {signal}")));
        assert_eq!(site.has("on"), fate == "keep", "{signal}");
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["ran"]["interrupted"], format!("SIG{signal}"));
    }
}

#[test]
fn killed_during_command_the_guardian_takes_the_page_away() {
    let site = Site::new();
    let mut during = site.tool("during").args(["--on-failure", "off", "--", "sleep", "2"]);
    let mut child = during.command().stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the page", || site.has("on"));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the guardian", || !site.has("on"));
    wait_until("the hold's end", || site.tool("status").arg("--off").run().code() == 0);
}

#[test]
fn bypass_keys_are_made_listed_and_revoked_and_end() {
    let site = Site::new();
    let added = site.tool("bypass").args(["add", "--ttl", "1h"]).run().expect_code(0).json();
    let key = &added["keys"][0];
    let path = key["path"].as_str().unwrap();
    let name = path.strip_prefix("/.maint-page/bypass/").unwrap();
    assert!(name.len() == 32 && site.has(&format!("bypass/{name}")));
    assert_eq!(key["cookie"], format!("maint_bypass={name}"));
    assert_eq!(mode(&site.file(&format!("bypass/{name}"))), 0o600);

    let list = site.tool("bypass").arg("list").run().expect_code(0);
    assert!(!list.out().contains(name), "a list says the whole key");
    assert_eq!(list.json()["keys"][0]["key"], name[..8]);
    site.tool("bypass").args(["revoke", "00000000"]).run().expect_code(0);
    assert!(site.has(&format!("bypass/{name}")));
    let revoked = site.tool("bypass").args(["revoke", &name[..8]]).run().expect_code(0);
    assert!(!revoked.out().contains(name));
    assert_eq!(revoked.json()["msg"], "1 key revoked");
    assert!(!site.has(&format!("bypass/{name}")));

    let short = site.tool("bypass").args(["add", "--ttl", "0s"]).run().expect_code(0).json();
    let name = short["keys"][0]["path"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    site.tool("tick").run().expect_code(0);
    assert!(!site.has(&format!("bypass/{name}")), "an ended key is removed by whatever comes next");
}

#[test]
fn a_template_is_copied_whole_and_its_slots_are_filled() {
    let site = Site::new();
    let template = site.top.path().join("template");
    fs::create_dir_all(template.join("img")).unwrap();
    fs::write(template.join("page.html"), "<html lang={{lang}}><img src=\"{{assets}}/img/logo.svg\"><p>{{message}}</p></html>\n").unwrap();
    fs::write(template.join("img/logo.svg"), "<svg/>").unwrap();
    fs::set_permissions(template.join("img/logo.svg"), fs::Permissions::from_mode(0o600)).unwrap();
    let on = |extra: &[&str]| site.tool("on").arg("--template").arg(&template).args(extra).run();
    on(&["--message", "<b>"]).expect_code(0);
    let page = site.text("page/page.html");
    let assets = page.split('"').nth(1).unwrap().trim_start_matches("/.maint-page/").to_owned();
    assert!(page.starts_with("<html lang=en><img src=\"/.maint-page/assets-") && page.contains("<p>&lt;b&gt;</p>"), "{page}");
    assert_eq!(mode(&site.file(&format!("page/{assets}"))), 0o644);
    assert_eq!(on(&["--message", "<b>"]).expect_code(0).json()["changed"], false);
    fs::remove_dir_all(&template).unwrap();
    site.tool("on").args(["--message", "later"]).run().expect_code(0);
    assert!(site.text("page/page.html").contains("<p>later</p>"), "the copy outlives the original");
}

#[test]
fn templates_with_links_or_unknown_slots_are_refused() {
    let site = Site::new();
    let template = site.top.path().join("template");
    fs::create_dir(&template).unwrap();
    let on = || site.tool("on").arg("--template").arg(&template).run();
    on().expect_code(2).expect_err("page.html").expect_silence();
    fs::write(template.join("page.html"), "<p>\n{{mesage}}</p>").unwrap();
    on().expect_code(2).expect_err("page.html:2: {{mesage}} is not a slot");
    fs::write(template.join("page.html"), "<p>").unwrap();
    symlink("/etc/passwd", template.join("x")).unwrap();
    on().expect_code(2).expect_err("neither a file nor a directory");
    assert!(!site.has("on"));
}

#[test]
fn wrong_usage_touches_nothing() {
    let site = Site::new();
    for (args, why) in [
        (vec!["--for", "10m", "--until", "22:00"], "--for and --until"),
        (vec!["--start", "tomorrow"], "expected 2026"),
        (vec!["--until", "2001-01-01T00:00:00Z"], "the end is not after the start"),
        (vec!["--for", "0s"], "the end is not after the start"),
        (vec!["--id", "../x"], "cannot be an id"),
        (vec!["--tz", "Mars/Olympus"], "no such time zone"),
        (vec!["--message", " \u{200b} "], "nothing to read"),
        (vec!["--verify", "ftp://x"], "is not a URL"),
        (vec!["--page", "/x/y.html"], "two different layouts"),
        (vec!["--lang", "en\" x"], "language tag"),
    ] {
        site.tool("on").args(args).run().expect_code(2).expect_err(why).expect_silence();
    }
    maint_page("on").run().expect_code(2).expect_err("where is the page?");
    maint_page("verify").arg("http://127.0.0.1/").run().expect_code(2).expect_err("--on or --off");
    maint_page("snippet").args(["nginx", "--dir", "/srv/a b"]).run().expect_code(2);
    assert!(!site.has("on") && !site.has(&my_hold()));
}

#[test]
fn a_held_lock_is_75_and_names_its_holder() {
    let site = Site::new();
    site.on();
    let lock = fs::OpenOptions::new().read(true).write(true).open(site.file(".lock")).unwrap();
    let _held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    site.tool("off").run().expect_code(75).expect_silence().expect_err("is locked by");
    site.tool("status").run().expect_code(0);
    assert!(site.has("on"));
}

#[test]
fn many_at_once_disturb_nothing() {
    let site = Site::new();
    let children: Vec<_> = (0..24)
        .map(|n| {
            let mut on = site.tool("on").args(["--lock-wait", "30s", "--id", &format!("op{n}")]);
            on.command().stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(site.tool("status").run().expect_code(0).json()["holds"].as_array().unwrap().len(), 24);
    site.tool("off").arg("--all").run().expect_code(0);
    let left: Vec<_> =
        fs::read_dir(site.dir()).unwrap().map(|e| e.unwrap().file_name()).filter(|n| n.to_string_lossy().starts_with(".rbt-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Root puts the page up in a directory of the deploy user's; that user goes on with it.
#[test]
fn what_root_makes_for_another_user_is_that_users() {
    use std::os::unix::process::CommandExt;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let site = Site::new();
    fs::set_permissions(site.top.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(site.dir()).unwrap();
    std::os::unix::fs::chown(site.dir(), Some(65534), Some(65534)).unwrap();
    site.tool("on").args(["--id", "x"]).run().expect_code(0);
    let mut off = site.tool("off").args(["--id", "x"]);
    off.command().uid(65534).gid(65534);
    off.run().expect_code(0);
    assert!(!site.has("on") && !site.has("holds/x.json"));
    let mut on = site.tool("on").args(["--id", "y"]);
    on.command().uid(65534).gid(65534);
    on.run().expect_code(0);
}

#[test]
fn snippets_are_printed_as_they_are() {
    for server in ["nginx", "apache", "caddy"] {
        let out = maint_page("snippet").args([server, "--dir", "/srv/site/maintenance"]).run().expect_code(0).out();
        assert!(out.starts_with("# maint-page: ") && out.contains("/srv/site/maintenance"), "{out}");
    }
}
