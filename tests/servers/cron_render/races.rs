//! What others do at the same time, and a crontab command that does not do its part.

use super::{MISAGO, with};
use harness::Person;
use harness::scratch;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A `crontab` first on PATH that runs `script` and then, if that lets it, the real one.
fn shim(dir: &Path, script: &str) -> String {
    let file = dir.join("crontab");
    std::fs::write(
        &file,
        format!("#!/bin/sh\n{script}\nexec /usr/bin/crontab \"$@\"\n"),
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:/usr/bin:/bin", dir.display())
}

const MINE: &str = "5 5 * * * /bin/true mine\n";

#[test]
fn a_listing_that_fails_is_not_an_empty_crontab() {
    let Some(person) = Person::new() else { return };
    person.set(MINE);
    let dir = scratch();
    let name = &person.name;
    for script in [
        "echo 'crontab: cannot open spool' >&2; exit 1".to_string(),
        "exit 1".to_string(),
        format!("echo 'no crontab for {name}' >&2; exit 2"),
        format!("echo 'no crontab for {name}-other' >&2; exit 1"),
        format!("echo x; echo 'no crontab for {name}' >&2; exit 1"),
        "kill -9 $$".to_string(),
    ] {
        let script = format!("case \"$*\" in *-l*) {script};; esac");
        let path = shim(dir.path(), &script);
        let out = with("install", MISAGO)
            .args([
                "--user",
                name,
                "--name",
                "forum",
                "--dir",
                &super::site_of(&person),
            ])
            .env("PATH", &path)
            .run();
        out.expect_code(3).expect_err("cannot be read");
        assert_eq!(person.crontab().unwrap(), MINE.as_bytes(), "{script}");
    }
}

#[test]
fn a_change_between_look_and_install_stops_it() {
    let Some(person) = Person::new() else { return };
    person.set(MINE);
    let dir = scratch();
    // While the new crontab is checked, somebody else installs one.
    let other = format!("{MINE}6 6 * * * /bin/true other\n");
    let script = format!(
        "case \"$*\" in *-n*) printf '%s' '{other}' | /usr/bin/crontab -u {} -;; esac",
        person.name
    );
    let path = shim(dir.path(), &script);
    let out = with("install", MISAGO)
        .args([
            "--user",
            &person.name,
            "--name",
            "forum",
            "--dir",
            &super::site_of(&person),
        ])
        .env("PATH", path)
        .run();
    let report = out
        .expect_code(3)
        .expect_err("another process changed")
        .json();
    assert_eq!(report["status"], "failed");
    assert_eq!(person.crontab().unwrap(), other.as_bytes());
}

#[test]
fn an_install_that_does_not_hold_is_not_called_a_success() {
    let Some(person) = Person::new() else { return };
    person.set(MINE);
    let dir = scratch();
    let install = "case \"$*\" in *-l*|*-n*|*-e*|*-V*) ;; *) exit 0;; esac";
    let path = shim(dir.path(), install);
    let run = |path: &str| {
        with("install", MISAGO)
            .args([
                "--user",
                &person.name,
                "--name",
                "forum",
                "--dir",
                &super::site_of(&person),
            ])
            .env("PATH", path)
            .run()
    };
    run(&path)
        .expect_code(3)
        .expect_err("differs from the schedule that was installed");
    let path = shim(
        dir.path(),
        "case \"$*\" in *-l*|*-n*|*-e*|*-V*) ;; *) echo 'disk full' >&2; exit 1;; esac",
    );
    let report = run(&path).expect_code(3).expect_err("disk full").json();
    assert_eq!(report["changed"], false);
    assert_eq!(person.crontab().unwrap(), MINE.as_bytes());
}

#[test]
fn crons_own_parser_has_the_last_word() {
    let Some(person) = Person::new() else { return };
    person.set(MINE);
    let dir = scratch();
    let path = shim(
        dir.path(),
        "case \"$*\" in *-n*) echo '\"x\":1: bad minute' >&2; exit 1;; esac",
    );
    let out = with("install", MISAGO)
        .args([
            "--user",
            &person.name,
            "--name",
            "forum",
            "--dir",
            &super::site_of(&person),
        ])
        .env("PATH", path)
        .run();
    out.expect_code(3).expect_err("bad minute");
    assert_eq!(person.crontab().unwrap(), MINE.as_bytes());
}

#[test]
fn many_at_once_each_get_their_block() {
    let Some(person) = Person::new() else { return };
    person.set(MINE);
    let sites: Vec<String> = (0..12).map(|n| format!("site{n}")).collect();
    let install = |site: &String, wait: &str| {
        let words = [
            "--user",
            &person.name,
            "--name",
            site,
            "--dir",
            &super::site_of(&person),
            "--lock-wait",
            wait,
        ];
        with("install", MISAGO).args(words).run()
    };
    std::thread::scope(|scope| {
        for site in &sites {
            scope.spawn(|| install(site, "60s").expect_code(0));
        }
    });
    let text = String::from_utf8(person.crontab().unwrap()).unwrap();
    assert!(text.starts_with(MINE));
    for site in &sites {
        assert_eq!(
            text.matches(&format!("# END cron-render {site}\n")).count(),
            1
        );
        assert_eq!(install(site, "60s").expect_code(0).json()["changed"], false);
    }
}

#[test]
fn a_held_lock_is_75_and_names_the_holder() {
    let Some(person) = Person::new() else { return };
    std::fs::create_dir_all("/run/runbook-tools").unwrap();
    std::fs::set_permissions("/run/runbook-tools", std::fs::Permissions::from_mode(0o700)).unwrap();
    let lock = std::path::PathBuf::from(format!("/run/runbook-tools/crontab-{}.lock", person.name));
    let held = base::lock::Lock::acquire(&lock, std::time::Duration::ZERO).unwrap();
    let dir = super::site_of(&person);
    let words = ["--user", &person.name, "--name", "forum", "--dir", &dir];
    let out = with("install", MISAGO).args(words).run().expect_code(75);
    out.expect_err(&format!("pid {}", std::process::id()));
    with("install", MISAGO)
        .args(words)
        .arg("-n")
        .run()
        .expect_code(1);
    drop(held);
    with("install", MISAGO).args(words).run().expect_code(0);
}
