//! The notes of the tracks server, run for real: nginx and uwsgi under init scripts that are
//! started in an empty environment, and the lessons its administrators learned: PRODUCTION,
//! requirements, log directories, log rotation.

mod bad_nights;
mod good_night;
mod lessons;

use crate::outside::Outside;
use crate::stage::{Init, Night, Stage};

/// What the system administrator has installed: Debian's packages, the users, a role with a
/// database, PostgreSQL running.
const HOST: &str = r#"
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
rm -rf "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"
pg_createcluster "$version" main -- --no-sync >/dev/null
useradd --create-home --shell /bin/sh deployer
chmod 755 /home/deployer
useradd --system --no-create-home --shell /usr/sbin/nologin nginx
rm -f /etc/nginx/sites-enabled/* /etc/logrotate.d/nginx /etc/logrotate.d/uwsgi
service cron start
pg_ctlcluster "$version" main start
runuser -u postgres -- psql -qv ON_ERROR_STOP=1 <<SQL
ALTER ROLE postgres PASSWORD 'an-administrator';
CREATE ROLE deployer LOGIN PASSWORD 'tracks';
CREATE DATABASE tracks;
\connect tracks
GRANT USAGE, CREATE ON SCHEMA public TO deployer;
SQL
umask 077
printf '[tracks]\nhost=127.0.0.1\ndbname=tracks\nuser=deployer\n[admin]\nhost=127.0.0.1\ndbname=postgres\nuser=postgres\n' >/root/.pg_service.conf
printf '127.0.0.1:5432:*:deployer:tracks\n127.0.0.1:5432:*:postgres:an-administrator\n' >/root/.pgpass
"#;

const UPSTREAM: &str = "/srv/upstream/tracks";

/// A host that is ready for the site, and version 1 of it in the repository.
fn host() -> Option<Stage> {
    let stage = Stage::set("tracks", Init::Plain)?;
    stage.sh(HOST);
    stage.commit(UPSTREAM, "upstream/version-1", "Version 1");
    Some(stage)
}

/// The site as it was left last night.
fn at_version_1(stage: &Stage) -> (Outside<'_>, Night) {
    let outside = stage.outside();
    let night = stage.runbook(&[]).expect_code(0);
    (outside, night)
}

/// What psql says, as the administrator.
fn psql(stage: &Stage, database: &str, sql: &str) -> String {
    let said = stage.must(&[
        "runuser",
        "-u",
        "postgres",
        "--",
        "psql",
        "-d",
        database,
        "-v",
        "ON_ERROR_STOP=1",
        "-qAtc",
        sql,
    ]);
    said.trim().to_owned()
}

/// What must be so after every night: this version is served with production's settings, by
/// deployer's processes, and nothing is owed.
fn all_is_well(stage: &Stage, version: u64) {
    let status = stage.sh("curl -sS -H 'Host: tracks.example.org' http://127.0.0.1/status/");
    assert!(
        status.contains(&format!(
            "{{\"version\": {version}, \"settings\": \"production\","
        )),
        "{status}"
    );
    assert_eq!(
        stage.sh("ps -o user= -C uwsgi | sort -u").trim(),
        "deployer"
    );
    assert_eq!(stage.sh("ps -o user= -C nginx | sort -u"), "nginx\nroot\n");
    let owed = stage
        .tool("svc-cycle", &["recover"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(owed["changed"], false, "{owed}");
}
