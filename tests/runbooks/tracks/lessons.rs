//! "Debugging notes, lessons, code changes, tasks learned": each of the server's old mistakes made
//! again, and told by the tool.

use super::{all_is_well, at_version_1, host};
use crate::stage::Stage;
use serde_json::Value;

#[test]
fn tracks_lessons() {
    let Some(stage) = host() else { return };
    let (_outside, _) = at_version_1(&stage);
    production_does_not_reach_the_daemon(&stage);
    requirements_are_not_what_is_installed(&stage);
    log_rotation_forgets_the_owner(&stage);
    all_is_well(&stage, 1);
}

/// It stands in the administrator's shell, and not in the init script.
fn production_does_not_reach_the_daemon(stage: &Stage) {
    let right = stage.read("/root/tracks/uwsgi.init");
    stage.write(
        "/root/tracks/uwsgi.init",
        &right.replace("DAEMON_OPTS=\"$DAEMON_OPTS --env PRODUCTION=1\"\n", ""),
    );
    let night = stage.runbook(&[]);
    assert!(
        night.code == 3 && night.stderr.contains("PRODUCTION"),
        "{night}"
    );
    let restart = night.of("svc-cycle").pop().unwrap();
    assert_eq!(restart["outcome"], "drifted", "{restart}");
    let list = ["-f", "/root/tracks/requirements.toml", "--tag", "env"];
    let report = stage
        .tool("check-reqs", &list)
        .env("PRODUCTION", "1")
        .run()
        .expect_code(1)
        .json();
    assert_eq!(report["items"][0]["id"], "production", "{report}");
    stage.write("/root/tracks/uwsgi.init", &right);
    stage.runbook(&[]).expect_code(0);
    all_is_well(stage, 1);
}

/// Somebody installs by hand what was missing, into the environment and beside the system's Python;
/// and something goes missing.
fn requirements_are_not_what_is_installed(stage: &Stage) {
    let kinds = |report: &Value| -> Vec<String> {
        let items = report["items"].as_array().unwrap().iter();
        items
            .map(|item| {
                format!(
                    "{} {}",
                    item["kind"].as_str().unwrap(),
                    item["name"].as_str().unwrap_or("-")
                )
            })
            .collect()
    };
    let check = || {
        let words = [
            "check",
            "/home/deployer/venv",
            "-r",
            "/microarray/tracks/requirements.txt",
        ];
        stage.tool("venv-sync", &words).run()
    };
    check().expect_code(0);
    let pip = "/home/deployer/venv/bin/python -m pip --disable-pip-version-check -q";
    stage.sh(&format!(
        "{pip} install --no-index --find-links /srv/wheels packaging && {pip} uninstall -y sqlparse"
    ));
    let drift = check().expect_code(1).json();
    assert_eq!(
        kinds(&drift),
        ["extraneous packaging", "dep_missing sqlparse"],
        "{drift}"
    );
    let night = stage.runbook(&[]).expect_code(0);
    assert!(
        night
            .of("venv-sync")
            .iter()
            .any(|report| report["changed"] == true),
        "{night}"
    );
    check().expect_code(0);
    all_is_well(stage, 1);
}

/// logrotate makes the new file for root, and uwsgi, which is deployer's, can no longer write its
/// log.
fn log_rotation_forgets_the_owner(stage: &Stage) {
    let right = stage.read("/root/tracks/tracks.logrotate");
    stage.write(
        "/root/tracks/tracks.logrotate",
        &right.replace("create 640 deployer deployer", "create 640 root adm"),
    );
    let night = stage.runbook(&[]).expect_code(1);
    let report = night.of("log-paths").pop().unwrap();
    let found: Vec<_> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|log| log["problems"].as_array().is_some_and(|p| !p.is_empty()))
        .collect();
    assert!(
        found.len() == 1 && found[0]["path"] == "/var/log/uwsgi.log",
        "{report}"
    );
    assert_eq!(
        found[0]["problems"][0]["code"], "create_owner_mismatch",
        "{report}"
    );

    // As it should be; and logrotate, run for real, agrees.
    stage.write("/root/tracks/tracks.logrotate", &right);
    stage.runbook(&[]).expect_code(0);
    stage.sh("curl -sS http://localhost/status/ && logrotate --force /etc/logrotate.d/tracks");
    assert_eq!(
        stage.sh("stat -c '%U %a' /var/log/uwsgi.log"),
        "deployer 640\n"
    );
    harness::wait_until("uwsgi and nginx write to the new files", || {
        stage.sh("curl -sS -o /dev/null http://localhost/status/");
        stage.sh("cat /var/log/uwsgi.log").contains("GET /status/")
            && stage
                .sh("cat /etc/nginx/logs/domains/tracks/log/access.log")
                .contains("GET /status/")
    });
    stage.runbook(&[]).expect_code(0);
}
