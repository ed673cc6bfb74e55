//! What can go wrong while nginx and uwsgi are stopped. Each time both are back, on the version
//! there was, and the next run goes on.

use super::{UPSTREAM, all_is_well, at_version_1, host, psql};
use harness::wait_until;

#[test]
fn tracks_bad_nights() {
    let Some(stage) = host() else { return };
    let (outside, _) = at_version_1(&stage);
    stage.commit(
        UPSTREAM,
        "upstream/version-2",
        "Version 2: a name is one target's",
    );

    // The network is gone: nothing was stopped.
    outside.cut_off();
    let visitors = stage.visitors(&["http://localhost/status/"]);
    let night = stage.runbook(&[]);
    assert!(
        night.code != 0 && night.stderr.contains("unable to connect"),
        "{night}"
    );
    let told = visitors.told();
    assert!(told.iter().all(|answer| answer.status == 200), "{told:?}");
    outside.reconnect();
    all_is_well(&stage, 1);

    // The new code is there, its packages are not.
    outside.index_goes();
    let night = stage.runbook(&[]);
    let apply = night
        .of("venv-sync")
        .into_iter()
        .find(|report| report["status"] == "retry" && report["changed"] == false);
    assert!(night.code != 0 && apply.is_some(), "{night}");
    outside.index_returns();
    all_is_well(&stage, 1);

    // The migration waits for somebody's lock, and the administrator loses patience: Ctrl-C, and
    // again.
    stage.sh("setsid runuser -u postgres -- psql -qd tracks -c 'BEGIN; LOCK TABLE roasted_target IN ACCESS SHARE MODE; SELECT pg_sleep(600)' </dev/null >/dev/null 2>&1 &");
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 'roasted_target'::regclass";
    wait_until("somebody holds the lock", || {
        psql(&stage, "tracks", locks) != "0"
    });
    let mut typed = stage.runbook_on_terminal(&[]);
    typed.wait_for("Applying roasted.0002_unique_names...");
    wait_until("the migration waits", || {
        psql(
            &stage,
            "tracks",
            "SELECT count(*) FROM pg_locks WHERE NOT granted",
        ) != "0"
    });
    typed.ctrl_c();
    typed.ctrl_c();
    let night = typed.end().expect_code(130);
    let cycle = night.of("svc-cycle").pop().unwrap();
    assert_eq!(
        (&cycle["rc"], &cycle["restored"]),
        (&130.into(), &true.into()),
        "{night}"
    );
    psql(
        &stage,
        "tracks",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'",
    );
    all_is_well(&stage, 1);

    // The migration fails: a name stands for two targets, which version 2 does not allow.
    psql(
        &stage,
        "tracks",
        "INSERT INTO roasted_target (name, url) VALUES ('mouse', 'https://mouse.example.org/')",
    );
    let night = stage.runbook(&[]).expect_code(1);
    assert!(
        night.stderr.contains("could not create unique index"),
        "{night}"
    );
    all_is_well(&stage, 1);
    assert_eq!(
        psql(
            &stage,
            "tracks",
            "SELECT count(*) FROM django_migrations WHERE app = 'roasted'"
        ),
        "1"
    );

    // Mended, and run once more: version 2.
    psql(
        &stage,
        "tracks",
        "DELETE FROM roasted_target WHERE url = 'https://mouse.example.org/'",
    );
    stage.runbook(&[]).expect_code(0);
    all_is_well(&stage, 2);
    let again = stage.runbook(&[]).expect_code(0);
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");
}
