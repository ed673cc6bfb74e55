//! Misago's guide, run for real: the extensions and both its error messages, the crontab under a
//! real cron, media that is not listed. The forum is a small Django project whose migrations need
//! what Misago's need.

mod bad_nights;
mod good_night;

use crate::outside::Outside;
use crate::stage::{Init, Stage};

/// What the hosting provider grants: Debian's packages, a system user, a role that may do no more
/// than it has to, the administrator's own way into PostgreSQL, cron.
const HOST: &str = r#"
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
rm -rf "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"
pg_createcluster "$version" main -- --no-sync >/dev/null
useradd --system --home-dir /srv/misago --shell /usr/sbin/nologin misago
rm -f /etc/nginx/sites-enabled/default
systemctl start "postgresql@$version-main" nginx cron
runuser -u postgres -- psql -qv ON_ERROR_STOP=1 <<SQL
ALTER ROLE postgres PASSWORD 'an-administrator';
CREATE ROLE misago LOGIN PASSWORD 'a-forum';
CREATE DATABASE misago;
\connect misago
GRANT USAGE, CREATE ON SCHEMA public TO misago;
SQL
umask 077
printf '[misago]\nhost=127.0.0.1\ndbname=misago\nuser=misago\n[admin]\nhost=127.0.0.1\ndbname=postgres\nuser=postgres\n' >/root/.pg_service.conf
printf '127.0.0.1:5432:*:misago:a-forum\n127.0.0.1:5432:*:postgres:an-administrator\n' >/root/.pgpass
"#;

const UPSTREAM: &str = "/srv/upstream/misagoforumorg";

/// A host that is ready for the forum, and version 1 of it in the repository.
fn host() -> Option<Stage> {
    let stage = Stage::set("misago", Init::Systemd)?;
    stage.sh(HOST);
    stage.commit(UPSTREAM, "upstream/version-1", "Version 1");
    Some(stage)
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

/// What must be so after every night: the forum serves this version, the page is down, nothing is
/// owed, and nobody is a superuser who was not.
fn all_is_well(stage: &Stage, version: u64) {
    let healthz = stage.sh("curl -sS http://127.0.0.1/healthz");
    assert!(
        healthz.contains(&format!("\"version\": {version},")),
        "{healthz}"
    );
    assert_eq!(
        psql(
            stage,
            "postgres",
            "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper"
        ),
        "postgres"
    );
    let page = stage.tool("maint-page", &["status"]).run().json();
    assert_eq!(
        (
            page["state"].as_str(),
            page["holds"].as_array().map(Vec::len)
        ),
        (Some("off"), Some(0)),
        "{page}"
    );
    let owed = stage
        .tool("svc-cycle", &["recover"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(owed["changed"], false, "{owed}");
    let running = stage
        .tool("svc-cycle", &["check"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        running["services"].as_array().map(Vec::len),
        Some(2),
        "{running}"
    );
}

/// A forum as it was left last night, at version 1, with a few threads.
fn forum_at_version_1(stage: &Stage) -> Outside<'_> {
    let outside = stage.outside();
    stage.runbook(&[]).expect_code(0);
    let threads = "INSERT INTO forum_category (name) VALUES ('Town square');
                   INSERT INTO forum_thread (category_id, title, poster, posted_on, flags)
                   SELECT 1, 'Thread ' || n, 'anna', now(), 'pinned=>1' FROM generate_series(1, 20) n";
    psql(stage, "misago", threads);
    outside
}
