//! Install, diff and remove in a real user's crontab.

use super::{MISAGO, site_of, with};
use harness::Person;
use harness::{Output, tool};
use std::os::unix::fs::PermissionsExt;

/// What must come through: blanks at line ends, tabs, blank lines, bytes that are no UTF-8, a
/// carriage return, a backspace, and a backslash with an r which only looks like one.
const FOREIGN: &[u8] =
    b"# mine  \n\n\t\nMAILTO=me  \n5 0 * * *\techo \xff\xfe  \n6 0 * * * sed 's/\\r//' x\n7 0 * * * echo a\x08b\r\n   \n";

fn install(person: &Person, words: &str) -> Output {
    with("install", MISAGO)
        .args([
            "--user",
            &person.name,
            "--name",
            "forum",
            "--dir",
            &site_of(person),
        ])
        .args(words.split_whitespace())
        .run()
}

fn remove(person: &Person, words: &str) -> Output {
    tool("cron-render")
        .args(["remove", "--user", &person.name, "--name", "forum"])
        .args(words.split_whitespace())
        .run()
}

fn diff(person: &Person) -> Output {
    with("diff", MISAGO)
        .args([
            "--user",
            &person.name,
            "--name",
            "forum",
            "--dir",
            &site_of(person),
        ])
        .run()
}

#[test]
fn into_a_crontab_and_out_again_and_every_foreign_byte_stays() {
    let Some(person) = Person::new() else { return };
    person.set(FOREIGN);

    let report = install(&person, "-n --diff").expect_code(1).json();
    assert_eq!(
        (&report["changed"], &report["failed"]),
        (&true.into(), &false.into())
    );
    assert!(
        report["diff"]["after"]
            .as_str()
            .unwrap()
            .contains("# BEGIN cron-render forum sha256=")
    );
    assert_eq!(person.crontab().unwrap(), FOREIGN, "-n does nothing");
    diff(&person).expect_code(1);

    let report = install(&person, "").expect_code(0).json();
    assert_eq!(report["changed"], true);
    let now = person.crontab().unwrap();
    assert!(now.starts_with(FOREIGN));
    let ours = String::from_utf8(now[FOREIGN.len()..].to_vec()).unwrap();
    let lines: Vec<&str> = ours.lines().collect();
    assert!(lines[0].starts_with("# BEGIN cron-render forum sha256="));
    assert_eq!(
        lines[2],
        format!(
            "15 0 * * * cd {} && venv/bin/python manage.py prunecategories",
            site_of(&person)
        )
    );
    assert_eq!(lines[lines.len() - 1], "# END cron-render forum");
    let backup = report["target"]["backup"].as_str().unwrap();
    assert_eq!(std::fs::read(backup).unwrap(), FOREIGN);
    assert_eq!(
        std::fs::metadata(backup).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_ne!(
        report["target"]["sha_before"],
        report["target"]["sha_after"]
    );

    let report = install(&person, "").expect_code(0).json();
    assert_eq!(report["changed"], false);
    install(&person, "-q").expect_code(0).expect_silence();
    diff(&person).expect_code(0);

    assert_eq!(remove(&person, "-n").expect_code(1).json()["changed"], true);
    assert_eq!(remove(&person, "").expect_code(0).json()["changed"], true);
    assert_eq!(person.crontab().unwrap(), FOREIGN);
    assert_eq!(remove(&person, "").expect_code(0).json()["changed"], false);
}

#[test]
fn a_user_without_a_crontab_gets_one_and_loses_it_again() {
    let Some(person) = Person::new() else { return };
    let report = install(&person, "").expect_code(0).json();
    assert_eq!(report["target"]["sha_before"], serde_json::Value::Null);
    assert!(person.crontab().is_some());
    let report = remove(&person, "").expect_code(0).json();
    assert_eq!(report["target"]["sha_after"], serde_json::Value::Null);
    assert_eq!(person.crontab(), None);
}

#[test]
fn a_newer_template_replaces_the_block_where_it_stands() {
    let Some(person) = Person::new() else { return };
    person.set("1 1 * * * /bin/true first\n");
    install(&person, "").expect_code(0);
    let mut now = person.crontab().unwrap();
    now.extend_from_slice(b"2 2 * * * /bin/true last\n");
    person.set(&now);
    install(&person, "--spread 30m").expect_code(0);
    let text = String::from_utf8(person.crontab().unwrap()).unwrap();
    assert!(
        text.starts_with("1 1 * * * /bin/true first\n# BEGIN")
            && text.ends_with("# END cron-render forum\n2 2 * * * /bin/true last\n")
    );
    assert_eq!(text.matches("BEGIN").count(), 1);
}

#[test]
fn the_user_does_it_without_root() {
    let Some(person) = Person::new() else { return };
    person.set(FOREIGN);
    let user = nix::unistd::User::from_name(&person.name).unwrap().unwrap();
    let bin = person.home.join("cron-render");
    // By another process: a descriptor of ours that some other test's child inherits would keep it
    // busy.
    assert!(
        std::process::Command::new("cp")
            .arg(harness::bin("cron-render"))
            .arg(&bin)
            .status()
            .unwrap()
            .success()
    );
    let run = |words: &[&str]| {
        use std::os::unix::process::CommandExt;
        let template = person.home.join("cron.txt");
        std::fs::write(&template, MISAGO).unwrap();
        let mut command = std::process::Command::new(&bin);
        command
            .args(words)
            .arg(&template)
            .args(["--name", "forum", "--dir", &site_of(&person)]);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &person.home)
            .current_dir(&person.home);
        let done = command
            .uid(user.uid.as_raw())
            .gid(user.gid.as_raw())
            .output()
            .unwrap();
        (
            done.status.code().unwrap(),
            serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap(),
        )
    };
    assert_eq!(run(&["install", "-n"]).0, 1);
    let (code, report) = run(&["install"]);
    assert_eq!((code, &report["changed"]), (0, &true.into()), "{report}");
    assert!(
        report["target"]["backup"]
            .as_str()
            .unwrap()
            .starts_with(person.home.to_str().unwrap())
    );
    assert!(person.crontab().unwrap().starts_with(FOREIGN));
    assert_eq!(run(&["install"]).1["changed"], false);
}

#[test]
fn a_spool_file_without_crons_header_keeps_its_comments() {
    let Some(person) = Person::new() else { return };
    person.set("# x\n");
    let by_hand = "# one\n# two\n# three\n# four\n5 5 * * * /bin/true\n";
    std::fs::write(person.spool(), by_hand).unwrap();
    install(&person, "").expect_code(0);
    assert!(person.crontab().unwrap().starts_with(by_hand.as_bytes()));
}

#[test]
fn an_edit_by_hand_is_refused_unless_forced() {
    let Some(person) = Person::new() else { return };
    install(&person, "").expect_code(0);
    let edited = String::from_utf8(person.crontab().unwrap())
        .unwrap()
        .replace("15 0 * * *", "16 0 * * *");
    person.set(&edited);
    let changed = "--spread 30m";
    install(&person, changed)
        .expect_code(3)
        .expect_err("edited by hand")
        .expect_err("--force");
    remove(&person, "")
        .expect_code(3)
        .expect_err("edited by hand");
    assert_eq!(person.crontab().unwrap(), edited.as_bytes());
    diff(&person).expect_code(1);
    install(&person, "--force").expect_code(0);
    assert!(
        String::from_utf8(person.crontab().unwrap())
            .unwrap()
            .contains("15 0 * * *")
    );
}

#[test]
fn broken_markers_are_refused_and_explained_even_with_force() {
    let Some(person) = Person::new() else { return };
    install(&person, "").expect_code(0);
    let good = String::from_utf8(person.crontab().unwrap()).unwrap();
    let end = "# END cron-render forum\n";
    for (broken, why) in [
        (good.replace(end, ""), "without END"),
        (good.replace("# BEGIN", "# BEGAN"), "without BEGIN"),
        (format!("{good}{good}"), "BEGIN on lines"),
        (format!("{end}{}", good.replace(end, "")), "before BEGIN"),
    ] {
        person.set(&broken);
        for words in ["", "--force"] {
            install(&person, words)
                .expect_code(3)
                .expect_err(why)
                .expect_err("crontab -e");
            remove(&person, words).expect_code(3).expect_err(why);
        }
        assert_eq!(person.crontab().unwrap(), broken.as_bytes());
    }
}

#[test]
fn a_template_with_errors_is_not_installed() {
    let Some(person) = Person::new() else { return };
    let out = with("install", "0 0 31 2 * true\n")
        .args(["--user", &person.name, "--name", "x"])
        .run();
    out.expect_code(2).expect_silence().expect_err("E04");
    assert_eq!(person.crontab(), None);
    with("install", "0 0 * * * true\n")
        .args(["--user", "no-such-user-here", "--name", "x"])
        .run()
        .expect_code(2)
        .expect_err("E10");
    with("install", "0 0 * * * true\n")
        .run()
        .expect_code(2)
        .expect_err("--name");
}

#[test]
fn a_template_that_holds_the_block_itself_is_refused() {
    let Some(person) = Person::new() else { return };
    install(&person, "").expect_code(0);
    let listed = String::from_utf8(person.crontab().unwrap()).unwrap();
    let again = with("install", &listed)
        .args(["--user", &person.name, "--name", "forum"])
        .run();
    again
        .expect_code(2)
        .expect_silence()
        .expect_err("markers of forum");
    assert_eq!(person.crontab().unwrap(), listed.as_bytes());
}

#[test]
fn a_password_in_a_setting_is_not_in_the_report() {
    let Some(person) = Person::new() else { return };
    let words = "--env DATABASE_URL=postgres://forum:hunter2@db/forum --diff";
    for words in [format!("{words} -n"), words.to_string()] {
        let out = install(&person, &words);
        assert!(
            !out.out().contains("hunter2") && out.out().contains("***"),
            "{}",
            out.out()
        );
    }
    assert!(
        String::from_utf8(person.crontab().unwrap())
            .unwrap()
            .contains("hunter2")
    );
}
