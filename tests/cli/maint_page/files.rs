//! What stands on the disk afterwards: modes, foreign things, links, templates, single-file mode.

use super::{Site, maint_page, mode, my_hold};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn on_says_what_it_would_do_then_does_it_then_has_nothing_to_do() {
    let site = Site::new();
    let dry = site
        .tool("on")
        .args(["-n", "--for", "15m"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (&dry["status"], &dry["changed"], &dry["failed"]),
        (&json!("no"), &json!(true), &json!(false))
    );
    assert!(!site.dir().exists(), "a dry run made something");
    let planned: Vec<&str> = dry["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["what"].as_str().unwrap())
        .collect();
    assert_eq!(planned[planned.len() - 2..], ["flag", "notice"]);

    let on = site
        .tool("on")
        .args(["--for", "15m"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&on["changed"], &on["state"], &on["up"], &on["retry_after"]),
        (&json!(true), &json!("active"), &json!(true), &json!(600))
    );
    assert!(
        site.has("on")
            && site.has("page/page.html")
            && site.has("page/page.json")
            && site.has("retry-600")
    );
    assert_eq!(site.json("maintenance.json")["state"], "active");

    let before = site.picture();
    let again = site
        .tool("on")
        .args(["--for", "15m"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&again["changed"], &again["items"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(site.picture(), before);
    site.tool("on")
        .args(["-n", "--for", "15m"])
        .run()
        .expect_code(0);
}

#[test]
fn off_says_what_it_would_do_then_does_it_then_has_nothing_to_do() {
    let site = Site::new();
    site.on();
    let dry = site.tool("off").arg("-n").run().expect_code(1).json();
    assert_eq!(
        (&dry["changed"], &dry["msg"]),
        (&json!(true), &json!("would be off"))
    );
    assert!(site.has("on"));
    let off = site.tool("off").run().expect_code(0).json();
    assert_eq!(
        (&off["changed"], &off["state"], &off["up"]),
        (&json!(true), &json!("off"), &json!(false))
    );
    assert!(
        !site.has("on") && !site.has("maintenance.json") && site.has("page/page.html"),
        "the page itself stays"
    );
    assert_eq!(
        site.tool("off").run().expect_code(0).json()["changed"],
        false
    );
    site.tool("off")
        .arg("-q")
        .run()
        .expect_code(0)
        .expect_silence();
}

#[test]
fn off_where_nothing_ever_was_makes_nothing() {
    let site = Site::new();
    site.tool("off").run().expect_code(3);
    site.tool("tick").run().expect_code(3);
    site.tool("status").run().expect_code(0);
    assert!(!site.dir().exists());
    std::fs::create_dir(site.dir()).unwrap();
    let off = site.tool("off").run().expect_code(0).json();
    assert_eq!(off["changed"], false);
    site.tool("tick").run().expect_code(0);
    let left: Vec<_> = std::fs::read_dir(site.dir())
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(left, [".lock"]);
}

#[test]
fn modes_are_what_the_web_server_needs_whatever_the_umask() {
    let site = Site::new();
    let line = format!("umask 077; exec \"$0\" on --dir {}", site.dir().display());
    let done = std::process::Command::new("sh")
        .args(["-c", &line])
        .arg(harness::bin("maint-page"))
        .output()
        .unwrap();
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
fn another_message_changes_the_page_and_keeps_the_hold() {
    let site = Site::new();
    let token = site.on().json()["holds"][0]["token"].clone();
    let on = site
        .tool("on")
        .args(["--message", "Moving house.", "--title", "Back at noon"])
        .run()
        .expect_code(0)
        .json();
    let done: Vec<&str> = on["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["what"].as_str().unwrap())
        .collect();
    assert_eq!(done, ["hold", "page", "page_json", "notice"]);
    assert_eq!(on["holds"][0]["token"], token);
    let page = site.text("page/page.html");
    assert!(page.contains("<h1>Back at noon</h1>") && page.contains(">Moving house.</p>"));
}

#[test]
fn hostile_messages_stay_text() {
    let site = Site::new();
    let message = "<script>alert(1)</script>\u{202e}\u{1b}[2J & \"quotes\"\nsecond line";
    site.tool("on")
        .args(["--message", message])
        .run()
        .expect_code(0);
    let page = site.text("page/page.html");
    assert!(
        page.contains(
            "&lt;script&gt;alert(1)&lt;/script&gt;[2J &amp; &quot;quotes&quot;<br>second line"
        ),
        "{page}"
    );
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
    assert_eq!(
        site.json("maintenance.json")["message"],
        "<script>alert(1)</script>[2J & \"quotes\"\nsecond line"
    );
    assert_eq!(
        site.json("page/page.json")["message"],
        "<script>alert(1)</script>[2J & \"quotes\"\nsecond line"
    );
}

#[test]
fn diff_says_what_visitors_and_the_site_notice() {
    let site = Site::new();
    let on = site
        .tool("on")
        .args(["--diff", "-n", "--message", "Soon back."])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(on["diff"]["before"], "page: down\n");
    let after = on["diff"]["after"].as_str().unwrap();
    assert!(
        after.starts_with("page: up\n") && after.contains("message: \"Soon back.\"\n"),
        "{after}"
    );
    site.tool("on").run().expect_code(0);
    assert!(
        site.tool("on")
            .arg("--diff")
            .run()
            .expect_code(0)
            .json()
            .get("diff")
            .is_none()
    );
}

#[test]
fn what_is_foreign_is_never_touched_and_force_renames_it() {
    let site = Site::new();
    site.on();
    site.tool("off").run().expect_code(0);
    fs::write(site.file("on"), "").unwrap();
    let before = site.picture();
    site.tool("on")
        .run()
        .expect_code(3)
        .expect_err("is foreign")
        .expect_err("--force");
    site.tool("off").run().expect_code(3);
    let status = site.tool("status").run().expect_code(1).json();
    assert_eq!(
        (&status["flag"], &status["up"]),
        (&json!("foreign"), &json!(false))
    );
    assert_eq!(site.picture(), before, "foreign things were touched");

    site.tool("on").arg("--force").run().expect_code(0);
    let aside = fs::read_dir(site.dir())
        .unwrap()
        .filter(|e| {
            e.as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("on.foreign-")
        })
        .count();
    assert_eq!((aside, site.text("on").as_str()), (1, "maint-page 1\n"));
}

#[test]
fn a_foreign_page_is_not_overwritten_and_a_foreign_notice_is_left_alone() {
    let site = Site::new();
    fs::create_dir_all(site.file("page")).unwrap();
    fs::write(site.file("page/page.html"), "<h1>ours</h1>").unwrap();
    fs::write(
        site.file("maintenance.json"),
        "{\"timestamp\": 1, \"message\": \"by manage.py\"}",
    )
    .unwrap();
    site.tool("on")
        .run()
        .expect_code(3)
        .expect_err("page.html is foreign");
    assert!(!site.has("on") && !site.has(&my_hold()));
    fs::remove_file(site.file("page/page.html")).unwrap();
    let on = site.tool("on").run().expect_code(0).json();
    assert!(
        on["warnings"][0]
            .as_str()
            .unwrap()
            .contains("is left alone")
    );
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
    site.tool("on")
        .run()
        .expect_code(3)
        .expect_err("a symbolic link");
    fs::remove_file(site.file("on")).unwrap();
    fs::remove_file(site.file("page/page.html")).unwrap();
    symlink(&outside, site.file("page/page.html")).unwrap();
    site.tool("on").run().expect_code(3);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");

    let link = site.top.path().join("current");
    symlink(site.dir(), &link).unwrap();
    maint_page("on")
        .arg("--dir")
        .arg(&link)
        .run()
        .expect_code(3)
        .expect_err("is a symbolic link");
}

#[test]
fn a_release_link_on_the_way_is_named() {
    let site = Site::new();
    fs::create_dir(site.top.path().join("release-1")).unwrap();
    symlink("release-1", site.top.path().join("current")).unwrap();
    let on = maint_page("on")
        .arg("--dir")
        .arg(site.top.path().join("current/maintenance"))
        .run()
        .expect_code(0)
        .json();
    let warnings = on["warnings"].to_string();
    assert!(
        warnings.contains("current is a symbolic link on the way to the page"),
        "{warnings}"
    );
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let site = Site::new();
    fs::create_dir(site.dir()).unwrap();
    fs::set_permissions(site.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    site.tool("on")
        .run()
        .expect_code(3)
        .expect_err("everybody can write")
        .expect_no_body("state");
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
    assert!(
        on["warnings"][0]
            .as_str()
            .unwrap()
            .contains("can get a 404"),
        "{on}"
    );
    assert_eq!((&on["page"], &on["up"]), (&json!(file), &json!(true)));
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("<!-- maint-page 1 ")
    );
    assert_eq!(mode(&file), 0o644);
    assert!(site.top.path().join("maintenance.json").exists());
    assert_eq!(
        run("on").args(["--for", "15m"]).run().expect_code(0).json()["changed"],
        false
    );
    run("status").run().expect_code(0);
    run("off").run().expect_code(0);
    assert!(!file.exists() && !site.top.path().join("maintenance.json").exists());

    fs::write(&file, "CoralNet is under maintenance.").unwrap();
    run("on")
        .run()
        .expect_code(3)
        .expect_err("maint-page did not write it");
    run("off").run().expect_code(3);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "CoralNet is under maintenance."
    );
}

/// Root puts the page up in a directory of the deploy user's; that user goes on with it.
#[test]
fn what_root_makes_for_another_user_is_that_users() {
    use std::os::unix::process::CommandExt;
    if !harness::need_root() {
        return;
    }
    let site = Site::new();
    fs::set_permissions(site.top.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(site.dir()).unwrap();
    std::os::unix::fs::chown(site.dir(), Some(65534), Some(65534)).unwrap();
    site.tool("on").args(["--id", "x"]).run().expect_code(0);
    let theirs = |command: &str| {
        harness::tool_copied_to(site.top.path(), "maint-page")
            .arg(command)
            .arg("--dir")
            .arg(site.dir())
    };
    let mut off = theirs("off").args(["--id", "x"]);
    off.command().uid(65534).gid(65534);
    off.run().expect_code(0);
    assert!(!site.has("on") && !site.has("holds/x.json"));
    let mut on = theirs("on").args(["--id", "y"]);
    on.command().uid(65534).gid(65534);
    on.run().expect_code(0);
}
