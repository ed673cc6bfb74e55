//! What can go wrong, on one site, one after another. Before the page is up, visitors keep the
//! version they have; behind the page it stays, with 503, until the next run has mended it. That is
//! what the runbook says at its top.

use super::{LOGIN, UPSTREAM, at_version_1, host, login_page, psql, serves, tool};
use crate::stage::Stage;
use harness::wait_until;

/// The page is kept, by one hold, and says 503 to visitors; no lock is left, Apache runs.
fn page_is_kept(stage: &Stage) {
    assert_eq!(login_page(stage).0, "503");
    let page = tool(stage, "maint-page status").expect_code(0).json();
    assert_eq!(
        (
            page["state"].as_str(),
            page["holds"].as_array().map(Vec::len)
        ),
        (Some("active"), Some(1)),
        "{page}"
    );
    tool(stage, "svc-cycle check").expect_code(0);
    assert_eq!(
        tool(stage, "svc-cycle recover").expect_code(0).json()["changed"],
        false
    );
}

#[test]
fn case_conductor_s_bad_nights() {
    let Some(stage) = host() else { return };
    let outside = at_version_1(&stage);
    stage.commit(
        UPSTREAM,
        "upstream/version-2",
        "Version 2: one title, one case",
    );

    // The network is gone: nothing has begun.
    outside.cut_off();
    let visitors = stage.visitors(&[LOGIN]);
    let night = stage.runbook(&[]);
    assert!(
        night.code != 0
            && night.of("maint-page").is_empty()
            && night.stderr.contains("unable to connect"),
        "{night}"
    );
    let told = visitors.told();
    assert!(told.iter().all(|answer| answer.status == 200), "{told:?}");
    outside.reconnect();
    serves(&stage, 1);

    // An asset host is gone: the database is still as it was.
    stage.must(&["systemctl", "stop", "rsync-assets2"]);
    let night = stage.runbook(&[]);
    assert!(night.code != 0 && night.stderr.contains("rsync"), "{night}");
    assert_eq!(
        psql(
            &stage,
            "SELECT count(*) FROM django_migrations WHERE app = 'core'"
        ),
        "1"
    );
    page_is_kept(&stage);
    stage.must(&[
        "systemd-run",
        "-q",
        "--unit=rsync-assets2",
        "rsync",
        "--daemon",
        "--no-detach",
        "--address=127.0.2.2",
        "--config=/etc/rsyncd-assets2.conf",
    ]);

    // The migration waits for somebody's lock, and the administrator loses patience: Ctrl-C, and
    // again.
    let locked = "BEGIN; LOCK TABLE core_case IN ACCESS SHARE MODE; SELECT pg_sleep(600)";
    stage.sh(&format!(
        "systemd-run -q --unit=report --uid=postgres psql -d cases -c \"{locked}\""
    ));
    wait_until("somebody's report holds the lock", || {
        psql(
            &stage,
            "SELECT count(*) FROM pg_locks WHERE relation = 'core_case'::regclass",
        ) != "0"
    });
    let mut typed = stage.runbook_on_terminal(&[]);
    typed.wait_for("Applying core.0002_one_title_one_case...");
    wait_until("the migration waits", || {
        psql(&stage, "SELECT count(*) FROM pg_locks WHERE NOT granted") != "0"
    });
    typed.ctrl_c();
    typed.ctrl_c();
    // psycopg2 waits for the server before it hears the keyboard; lock_timeout bounds that, and is
    // then what it says.
    let night = typed.end();
    assert!([1, 130].contains(&night.code), "{night}");
    assert!(
        night
            .of("maint-page")
            .pop()
            .is_some_and(|report| report["rc"] == night.code),
        "{night}"
    );
    // The report ends; its server process would sleep on.
    psql(
        &stage,
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'core_case'::regclass AND granted",
    );
    page_is_kept(&stage);

    // The migration fails: two cases have the same title, which version 2 does not allow.
    psql(
        &stage,
        "UPDATE core_case SET title = 'Log in' WHERE title = 'Log out'",
    );
    let night = stage.runbook(&[]).expect_code(1);
    assert!(
        night.stderr.contains("could not create unique index"),
        "{night}"
    );
    page_is_kept(&stage);

    // Mended, and run once more: version 2, and the page is gone.
    psql(
        &stage,
        "UPDATE core_case SET title = 'Log out' WHERE id = 3",
    );
    let visitors = stage.visitors(&[LOGIN]);
    stage.runbook(&[]).expect_code(0);
    let told = visitors.told();
    assert!(
        told.iter()
            .all(|answer| [200, 503].contains(&answer.status)),
        "{told:?}"
    );
    assert!(
        told.last().unwrap().body.contains("Case Conductor"),
        "{told:?}"
    );
    serves(&stage, 2);
    let again = stage.runbook(&[]).expect_code(0);
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");
}
