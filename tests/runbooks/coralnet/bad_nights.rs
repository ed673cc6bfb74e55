//! What the guide does not speak of: nights on which the update goes wrong. The runbook promises
//! that the old version runs on behind the page, and that the next run mends it.

use super::{
    REPOSITORY, is_whole_page, nothing_is_left, psql, running, server, status, version_served,
};
use crate::stage::{Night, Stage};
use std::time::Duration;

fn code(stage: &Stage) -> String {
    stage.sh("git -C /cnhome/coralnet rev-parse HEAD")
}

/// The promise: the page for the visitors, and behind it everything as it was before.
#[track_caller]
fn kept_and_as_before(stage: &Stage, night: &Night, before: &(String, String, String)) {
    let visitors = stage.visitors(&["http://127.0.0.1/"]);
    std::thread::sleep(Duration::from_millis(200));
    let told = visitors.told();
    assert!(told.iter().all(is_whole_page), "{told:?}\n{night}");
    assert_eq!(&state(stage), before, "{night}");
    assert_eq!(running(stage), 3, "{night}");
    nothing_is_left(stage);
}

fn state(stage: &Stage) -> (String, String, String) {
    (
        code(stage),
        stage.sh("readlink -f /cnhome/venv"),
        version_served(stage),
    )
}

fn tell_the_secret(stage: &Stage) {
    let path = "/cnhome/coralnet/project/config/settings/secrets.json";
    let mut secrets: serde_json::Value = serde_json::from_str(&stage.read(path)).unwrap();
    secrets["MAP_KEY"] = "an-ordinary-key".into();
    stage.write(path, &secrets.to_string());
}

#[test]
fn redis_github_the_index_and_a_secret() {
    let Some(stage) = server(&["site"], None) else {
        return;
    };
    let before = state(&stage);

    // Redis has died, and GitHub does not answer: redis is started, and nothing else happens.
    stage.sh("kill $(cat /run/redis/redis-server.pid); while redis-cli ping 2>/dev/null; do sleep 0.05; done");
    stage.sh("kill $(cat /run/github.pid)");
    stage.commit(REPOSITORY, "update", "Version 2");
    let night = stage.runbook(&["+1s"]).expect_code(128);
    assert_eq!(
        night.of("svc-cycle")[0]["services"][0]["changed"],
        true,
        "{night}"
    );
    assert!(
        night.of("maint-page").is_empty()
            && night.stderr.contains("unable to connect to 127.0.0.1"),
        "{night}"
    );
    assert_eq!(
        (stage.sh("redis-cli ping").trim(), status(&stage).as_str()),
        ("PONG", "200")
    );
    assert_eq!(state(&stage), before);

    // GitHub is back, and the package index is gone, while nothing runs.
    stage.sh("git daemon --detach --reuseaddr --listen=127.0.0.1 --export-all --base-path=/srv/git --pid-file=/run/github.pid");
    stage.must(&["sh", "/root/coralnet/index.sh", "stop"]);
    let night = stage.runbook(&["+1s"]).expect_code(75);
    assert_eq!(night.of("venv-sync")[0]["live"], before.1.trim(), "{night}");
    kept_and_as_before(&stage, &night, &before);

    // All is back, but nobody has written the new secret setting into secrets.json.
    stage.must(&["sh", "/root/coralnet/index.sh", "start"]);
    let night = stage.runbook(&["+1s"]).expect_code(1);
    assert!(night.stderr.contains("KeyError: 'MAP_KEY'"), "{night}");
    kept_and_as_before(&stage, &night, &before);

    tell_the_secret(&stage);
    stage.runbook(&["+1s"]).expect_code(0);
    assert_eq!(
        (status(&stage).as_str(), version_served(&stage).as_str()),
        ("200", "<h1>CoralNet, version 2</h1>")
    );
    nothing_is_left(&stage);
}

#[test]
fn a_migration_that_fails_ctrl_c_twice_and_a_lost_connection() {
    let Some(stage) = server(&["site", "update"], Some("an-ordinary-key")) else {
        return;
    };
    stage.sh("curl -fsS -d name=reef http://127.0.0.1/images/");
    let before = state(&stage);

    stage.commit(REPOSITORY, "trouble/broken", "Depth");
    let night = stage.runbook(&["+1s"]).expect_code(1);
    assert!(night.stderr.contains("1 images have no depth"), "{night}");
    assert_eq!(
        psql(
            &stage,
            "SELECT max(name) FROM django_migrations WHERE app = 'images'"
        ),
        "0002_confidence"
    );
    kept_and_as_before(&stage, &night, &before);
    // Nobody can mend it tonight: the visitors get the version of before.
    stage.tool("maint-page", &["off"]).run().expect_code(0);
    assert_eq!(status(&stage), "200");

    // Mended, but one that takes ten minutes has come with it, and the administrator has no
    // patience.
    stage.commit(REPOSITORY, "trouble/mended", "Depth, for images there are");
    stage.commit(REPOSITORY, "trouble/slow", "Thumbnails");
    let mut terminal = stage.runbook_on_terminal(&["+1s"]);
    terminal.wait_for("Applying images.0004_thumbnails");
    terminal.ctrl_c();
    std::thread::sleep(Duration::from_millis(300));
    terminal.ctrl_c();
    let night = terminal.end().expect_code(130);
    assert_eq!(
        psql(&stage, "SELECT to_regclass('thumbnails') IS NULL"),
        "t"
    );
    kept_and_as_before(&stage, &night, &before);

    // The same with ssh, whose connection is lost: the terminal is gone, and nobody is there to
    // press anything.
    let mut terminal = stage.runbook_on_terminal(&["+1s"]);
    terminal.wait_for("Applying images.0004_thumbnails");
    stage.sh("pkill -KILL -x script");
    let night = terminal.end();
    let patience = Duration::from_secs(90);
    harness::wait_for(patience, "the runbook to end by itself", || {
        stage.sh("pgrep -c -f '[r]unbook.sh' || :").trim() == "0"
    });
    kept_and_as_before(&stage, &night, &before);

    stage.commit(REPOSITORY, "trouble/quick", "Thumbnails, in no time");
    stage.runbook(&["+1s"]).expect_code(0);
    assert_eq!(
        psql(
            &stage,
            "SELECT max(name) FROM django_migrations WHERE app = 'images'"
        ),
        "0004_thumbnails"
    );
    assert_eq!((status(&stage).as_str(), running(&stage)), ("200", 3));
    nothing_is_left(&stage);
}
