//! CoralNet's runbook: nginx, gunicorn and celery under supervisor, redis, PostgreSQL. `host.sh`
//! brings the server to version 1; GitHub and the package index are servers on its loopback, so
//! that they can be gone for a night.

mod bad_nights;

use crate::stage::{Answer, Init, Night, Stage};
use harness::need;
use std::time::{Duration, Instant};

const REPOSITORY: &str = "/srv/git/coralnet";
const PAGES: [&str; 2] = ["http://127.0.0.1/", "http://127.0.0.1/images/"];

/// The server at the last of these versions of the site, and up.
fn server(versions: &[&str], secret: Option<&str>) -> Option<Stage> {
    for program in [
        "nginx",
        "supervisord",
        "redis-server",
        "pg_createcluster",
        "git",
        "logrotate",
    ] {
        need(program)?;
    }
    let stage = Stage::set("coralnet", Init::Plain)?;
    std::fs::copy(
        harness::test_venv().join("bin/uv"),
        stage.machine.path("/usr/local/bin/uv"),
    )
    .expect("uv");
    versions
        .iter()
        .for_each(|version| stage.commit(REPOSITORY, version, version));
    stage.must(&[&["sh", "/root/coralnet/host.sh"], secret.as_slice()].concat());
    Some(stage)
}

fn psql(stage: &Stage, sql: &str) -> String {
    let line = format!(
        "cd / && setpriv --reuid postgres --regid postgres --init-groups psql -XAtq coralnet -c \"{sql}\""
    );
    stage.sh(&line).trim().to_owned()
}

/// Asked of gunicorn, behind whatever page there is.
fn version_served(stage: &Stage) -> String {
    let page = stage.sh("curl -fsS -H 'Host: coralnet.example.org' http://127.0.0.1:8000/");
    page.lines()
        .find(|line| line.starts_with("<h1>"))
        .expect("a heading")
        .to_owned()
}

fn running(stage: &Stage) -> usize {
    stage
        .sh("cd /cnhome && supervisorctl -c config/supervisor.conf status")
        .matches("RUNNING")
        .count()
}

/// As a visitor sees it.
fn status(stage: &Stage) -> String {
    stage.sh("curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1/")
}

fn is_whole_page(answer: &Answer) -> bool {
    answer.status == 503
        && answer.retry_after.is_some()
        && answer.body.starts_with("<!")
        && answer.end.contains("<!-- maint-page 1 ")
        && answer.end.ends_with(" -->\n")
}

/// Nothing of a run is left: no service owed, no lock held, nothing of PostgreSQL's still at it.
fn nothing_is_left(stage: &Stage) {
    assert_eq!(
        stage
            .sh("ls /var/lib/runbook-tools /run/runbook-tools 2>/dev/null | grep -c '[.]journal$' || :")
            .trim(),
        "0"
    );
    stage.tool("svc-cycle", &["recover"]).run().expect_code(0);
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    harness::wait_until("the migration to end in the database", || {
        psql(stage, asleep) == "0"
    });
    assert_eq!(
        stage
            .sh("pgrep -c -f '[r]unbook.sh|[m]anage.py' || :")
            .trim(),
        "0"
    );
}

#[test]
fn the_good_night() {
    let Some(stage) = server(&["site"], Some("an-ordinary-key")) else {
        return;
    };
    stage.commit(REPOSITORY, "update", "Version 2");
    let redis = stage.read("/run/redis/redis-server.pid");
    let visitors = stage.visitors(&PAGES);
    let mut divers = stage.machine.command(&["sh", "-c", UPLOADS]);
    let mut divers = divers
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let night = stage.runbook(&["+2s"]).expect_code(0);
    drop(divers.stdin.take());
    let uploads = String::from_utf8(divers.wait_with_output().unwrap().stdout).unwrap();
    every_answer_was_the_site_or_the_page(&visitors.told());

    // The site is at version 2: code, environment, database, static files; and version 2 is what
    // gunicorn and the workers run.
    assert_eq!(version_served(&stage), "<h1>CoralNet, version 2</h1>");
    assert!(
        stage
            .sh("curl -fsS http://127.0.0.1/about/")
            .contains("how <em>sure</em> it is")
    );
    assert!(
        stage
            .sh("curl -fsS http://127.0.0.1/static/images/site.css")
            .contains("darkcyan")
    );
    assert_eq!(
        psql(
            &stage,
            "SELECT max(name) FROM django_migrations WHERE app = 'images'"
        ),
        "0002_confidence"
    );
    assert!(
        stage
            .sh("/cnhome/venv/bin/python -m django --version")
            .contains("5.2.19")
    );
    assert_eq!(running(&stage), 3);
    for process in [
        "/cnhome/coralnet/project/config/__init__.py",
        "/srv/www/static/images/site.css",
        "/cnhome/venv",
    ] {
        assert_eq!(
            stage.sh(&format!("stat -c %U {process}")).trim(),
            "coralnet",
            "{process}"
        );
    }
    // Redis was running, and still is the same.
    assert_eq!(stage.read("/run/redis/redis-server.pid"), redis);
    assert_eq!(night.of("svc-cycle")[0]["changed"], false);
    // What was uploaded on either side of the page is there, and annotated.
    let accepted = uploads.lines().filter(|line| *line == "202").count();
    assert!(
        uploads.lines().all(|line| matches!(line, "202" | "503")) && accepted > 0,
        "{uploads}"
    );
    assert_eq!(
        psql(&stage, "SELECT count(*) FROM images_image"),
        accepted.to_string()
    );
    let began = Instant::now();
    while psql(
        &stage,
        "SELECT count(*) FROM images_image WHERE annotation = ''",
    ) != "0"
    {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{}",
            stage.read("/srv/www/log/celeryworker.log")
        );
    }
    the_logs_are_where_the_guide_says(&stage, &night);
    again_and_nothing_changes(&stage);
}

/// Until standard input ends.
const UPLOADS: &str = "
while [ ! -e /tmp/enough ]; do
    curl -sS -o /dev/null -w '%{http_code}\\n' -d name=reef http://127.0.0.1/images/
    sleep 0.1
done &
cat >/dev/null
touch /tmp/enough
wait";

fn every_answer_was_the_site_or_the_page(told: &[Answer]) {
    let mut seen = [0; 3];
    for answer in told {
        let kind = match answer.status {
            200 if answer.url.ends_with("/images/") => {
                usize::from(!answer.body.contains("\"waiting\"")) * 9
            }
            200 if !answer.end.trim_end().ends_with("</html>") => 9,
            200 if answer.body.contains("class=\"notice\"") => 1,
            200 => 0,
            _ if is_whole_page(answer) => 2,
            _ => 9,
        };
        assert!(kind < 3, "neither the site nor the whole page: {answer:?}");
        seen[kind] += answer.times;
    }
    assert!(
        seen.iter().all(|times| *times > 0),
        "the site, with the notice, and the page: {seen:?}"
    );
}

fn the_logs_are_where_the_guide_says(stage: &Stage, night: &Night) {
    let report = night.of("log-paths")[0];
    let paths: Vec<&str> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["path"].as_str())
        .collect();
    for path in [
        "/var/log/nginx/access.log",
        "/srv/www/log/gunicorn.log",
        "/srv/www/log/vision_backend.log",
        "/var/log/redis/redis-server.log",
    ] {
        assert!(paths.contains(&path), "{path}: {paths:?}");
        assert!(stage.machine.path(path).exists(), "{path}");
    }
    // They are healthy, and so they stay when logrotate has been there.
    let log = "/srv/www/log/vision_backend.log";
    stage.must(&["logrotate", "--force", "/etc/logrotate.d/coralnet"]);
    assert!(stage.read(&format!("{log}.1")).contains("annotated"));
    harness::wait_until("a line of celerybeat's, after the rotation", || {
        stage.read(log).contains("wait for annotation")
    });
    assert_eq!(stage.sh(&format!("stat -c %U {log}")).trim(), "coralnet");
}

fn again_and_nothing_changes(stage: &Stage) {
    let code = stage.sh("git -C /cnhome/coralnet rev-parse HEAD");
    let night = stage.runbook(&["+1s"]).expect_code(0);
    // The page went up and down, and the services did: that is all.
    let changes = night.changes();
    assert!(
        changes.iter().all(
            |change| change.starts_with("maint-page") || change.starts_with("svc-cycle: cycle")
        ),
        "{changes:?}"
    );
    assert_eq!(night.of("venv-sync")[0]["changed"], false);
    assert!(night.stderr.contains("No migrations to apply"), "{night}");
    assert_eq!(stage.sh("git -C /cnhome/coralnet rev-parse HEAD"), code);
    assert_eq!((status(stage).as_str(), running(stage)), ("200", 3));
    nothing_is_left(stage);
}
