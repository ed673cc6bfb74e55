//! What can go wrong in the middle of the night, on one forum, one after another. It ends each time
//! on the version it had, served, with the page down; and the next run of the runbook goes on from
//! there.

use super::{UPSTREAM, all_is_well, forum_at_version_1, host, psql};
use harness::wait_until;

#[test]
fn misago_s_bad_nights() {
    let Some(stage) = host() else { return };
    let outside = forum_at_version_1(&stage);
    stage.commit(
        UPSTREAM,
        "upstream/version-2",
        "Version 2: members near you",
    );

    // The network is gone: nothing was stopped.
    outside.cut_off();
    let visitors = stage.visitors(&["http://127.0.0.1/healthz"]);
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
    all_is_well(&stage, 1);

    // The new code is there, its packages are not.
    outside.index_goes();
    let visitors = stage.visitors(&["http://127.0.0.1/healthz"]);
    let night = stage.runbook(&[]);
    assert!(night.code != 0, "{night}");
    let apply = night
        .of("venv-sync")
        .into_iter()
        .find(|report| report["failed"] == true && report["changed"] == false);
    assert!(apply.is_some(), "{night}");
    let told = visitors.told();
    assert!(
        told.iter()
            .all(|answer| [200, 503].contains(&answer.status))
            && told.iter().any(|answer| answer.status == 503),
        "{told:?}"
    );
    outside.index_returns();
    all_is_well(&stage, 1);

    // The migration waits for somebody's lock, and the administrator loses patience: Ctrl-C, and
    // again.
    let locked = "BEGIN; LOCK TABLE forum_thread IN ACCESS SHARE MODE; SELECT pg_sleep(600)";
    stage.sh(&format!(
        "systemd-run -q --unit=report --uid=postgres psql -d misago -c \"{locked}\""
    ));
    wait_until("somebody's report holds the lock", || {
        psql(
            &stage,
            "misago",
            "SELECT count(*) FROM pg_locks WHERE relation = 'forum_thread'::regclass",
        ) != "0"
    });
    let mut typed = stage.runbook_on_terminal(&[]);
    typed.wait_for("Applying forum.0002_members_near_you...");
    wait_until("the migration waits", || {
        psql(
            &stage,
            "misago",
            "SELECT count(*) FROM pg_locks WHERE NOT granted",
        ) != "0"
    });
    typed.ctrl_c();
    typed.ctrl_c();
    let night = typed.end().expect_code(130);
    assert!(
        night
            .of("maint-page")
            .pop()
            .is_some_and(|report| report["rc"] == 130),
        "{night}"
    );
    psql(
        &stage,
        "misago",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'",
    );
    all_is_well(&stage, 1);

    // The migration fails: two threads have the same title, which version 2 does not allow.
    psql(
        &stage,
        "misago",
        "UPDATE forum_thread SET title = 'Thread 1' WHERE title = 'Thread 2'",
    );
    let night = stage.runbook(&[]).expect_code(1);
    assert!(
        night
            .stderr
            .contains("could not create unique index \"forum_thread_title\""),
        "{night}"
    );
    assert_eq!(
        night.of("svc-cycle").last().unwrap()["command"]["exit"],
        1,
        "{night}"
    );
    all_is_well(&stage, 1);
    assert_eq!(
        psql(
            &stage,
            "misago",
            "SELECT count(*) FROM django_migrations WHERE app = 'forum'"
        ),
        "1"
    );

    // Mended, and run once more: version 2.
    psql(
        &stage,
        "misago",
        "UPDATE forum_thread SET title = 'Thread 2' WHERE title = 'Thread 1' AND id = 2",
    );
    let visitors = stage.visitors(&["http://127.0.0.1/"]);
    stage.runbook(&[]).expect_code(0);
    all_is_well(&stage, 2);
    let told = visitors.told();
    assert!(
        told.iter()
            .all(|answer| [200, 503].contains(&answer.status)),
        "{told:?}"
    );
    assert!(told.last().unwrap().body.contains("version 2"), "{told:?}");
    let again = stage.runbook(&[]).expect_code(0);
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");
}
