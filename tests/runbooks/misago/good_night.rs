//! From a bare host to a running forum, by way of the guide's two errors.

use super::{all_is_well, host, psql};
use crate::stage::Stage;
use std::time::{Duration, Instant};

#[test]
fn misago_is_installed_and_its_guide_s_errors_are_answered() {
    let Some(stage) = host() else { return };
    let _outside = stage.outside();

    // PostgreSQL without its contrib package. The runbook stops before anything is touched and
    // names the package.
    let extensions = stage
        .sh("echo /usr/share/postgresql/*/extension")
        .trim()
        .to_owned();
    let away = format!(
        "mkdir /root/contrib && mv {extensions}/hstore.control {extensions}/btree_gin.control /root/contrib/"
    );
    stage.sh(&away);
    let night = stage.runbook(&[]).expect_code(1);
    let lacks: Vec<&str> = night.of("check-reqs")[0]["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["status"] == "unmet")
        .map(|item| item["fix"]["steps"][0]["text"].as_str().unwrap())
        .collect();
    // Since version 10 Debian has contrib in the server's own package.
    assert!(
        lacks.len() == 2
            && lacks
                .iter()
                .all(|command| command.contains("apt-get install -y postgresql-")),
        "{night}"
    );
    assert!(!stage.machine.path("/srv/misago/site").exists());
    stage.sh(&format!(
        "mv /root/contrib/* {extensions}/ && rmdir /root/contrib"
    ));

    let night = stage.runbook(&[]).expect_code(0);
    all_is_well(&stage, 1);
    let created = night.of("pg-ext-ensure").pop().unwrap();
    assert_eq!(
        (&created["changed"], &created["items"][0]["via"]),
        (&true.into(), &"admin".into()),
        "{created}"
    );
    assert_eq!(
        psql(
            &stage,
            "misago",
            "SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"
        ),
        "btree_gin hstore plpgsql"
    );
    assert_eq!(
        psql(
            &stage,
            "misago",
            "SELECT count(*) FROM auth_user WHERE is_superuser"
        ),
        "1"
    );
    assert_eq!(
        stage.sh(
            "stat -c '%U %a' /srv/misago/media /etc/misago/secret_key /srv/misago/site/manage.py"
        ),
        "misago 755\nroot 640\nroot 644\n"
    );

    let again = stage.runbook(&[]).expect_code(0);
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");
    assert!(
        again
            .of("maint-page")
            .iter()
            .all(|report| report["command"] == "snippet"),
        "nothing to do, and the forum was stopped\n{again}"
    );

    both_errors_as_migrate_shows_them(&stage, &extensions);
    media_is_not_listed(&stage);
    cron_does_the_night_s_work(&stage);
    all_is_well(&stage, 1);
}

/// In another database, the guide's own way: first `migrate`, then its message, then what the tool
/// says to that.
fn both_errors_as_migrate_shows_them(stage: &Stage, extensions: &str) {
    psql(stage, "postgres", "CREATE DATABASE trial");
    psql(
        stage,
        "trial",
        "GRANT USAGE, CREATE ON SCHEMA public TO misago",
    );
    let migrate = || {
        let line = "cd /srv/misago/site && MISAGO_DATABASE=trial runuser -u misago -- ../venv/bin/python manage.py migrate --no-input";
        let done = stage.machine.run(&["sh", "-c", line]);
        (
            done.status.success(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    let ensure = |more: &[&str]| {
        stage
            .bare(
                "pg-ext-ensure",
                &["-d", "service=misago dbname=trial", "btree_gin", "hstore"],
            )
            .args(more)
            .run()
    };

    let (done, said) = migrate();
    assert!(
        !done && said.contains("permission denied to create extension \"btree_gin\""),
        "{said}"
    );
    let refused = ensure(&[]).json();
    let item = &refused["items"][0];
    assert_eq!(
        (
            item["error"]["sqlstate"].as_str(),
            refused["changed"].as_bool()
        ),
        (Some("42501"), Some(false)),
        "{refused}"
    );
    let fix = item["fix"].to_string();
    assert!(
        fix.contains("--admin") || fix.contains("GRANT CREATE ON DATABASE"),
        "{refused}"
    );

    stage.sh(&format!("mv {extensions}/hstore.control /root/"));
    let gone = ensure(&["--admin", "service=admin"]).json();
    let hstore = gone["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["name"] == "hstore")
        .unwrap();
    assert_eq!(hstore["error"]["sqlstate"], "0A000", "{gone}");
    // Since version 10 Debian has contrib in the server's own package.
    let package = hstore["package"].as_str().unwrap();
    assert!(package.starts_with("postgresql-"), "{gone}");
    let (done, said) = migrate();
    assert!(
        !done && said.contains("extension control file") && said.contains("hstore.control"),
        "{said}"
    );
    stage.sh(&format!("mv /root/hstore.control {extensions}/"));

    ensure(&["--admin", "service=admin"]).expect_code(0);
    let (done, said) = migrate();
    assert!(done, "{said}");

    // The guide's own way, where somebody insists: a superuser for the duration of the migration,
    // and not a moment longer.
    psql(stage, "postgres", "CREATE DATABASE insisting");
    psql(
        stage,
        "insisting",
        "GRANT USAGE, CREATE ON SCHEMA public TO misago",
    );
    let manage = "cd /srv/misago/site && MISAGO_DATABASE=insisting runuser -u misago -- ../venv/bin/python manage.py migrate --no-input";
    let words = [
        "elevate",
        "--role",
        "misago",
        "--admin",
        "service=admin",
        "--",
        "sh",
        "-c",
        manage,
    ];
    let elevated = stage
        .bare("pg-ext-ensure", &words)
        .run()
        .expect_code(0)
        .json();
    assert_eq!(elevated["elevation"]["revoke_verified"], true, "{elevated}");
    assert_eq!(
        psql(
            stage,
            "postgres",
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'misago'"
        ),
        "f"
    );
}

/// A configuration with one word too many is found out, and the night ends there.
fn media_is_not_listed(stage: &Stage) {
    stage.write("/srv/misago/media/a-private-letter.txt", "Dear Anna");
    let right = stage.read("/root/misago/nginx.conf");
    stage.write(
        "/root/misago/nginx.conf",
        &right.replace("autoindex off", "autoindex on"),
    );
    let night = stage.runbook(&[]).expect_code(1);
    assert!(
        stage
            .sh("curl -s http://127.0.0.1/media/")
            .contains("a-private-letter.txt")
    );
    let running = night.of("check-reqs").pop().unwrap();
    let unmet: Vec<_> = running["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["status"] == "unmet")
        .collect();
    assert!(
        unmet.len() == 1 && unmet[0]["id"] == "media-not-listed",
        "{running}"
    );
    stage.write("/root/misago/nginx.conf", &right);
    stage.runbook(&[]).expect_code(0);
    assert_eq!(
        stage.sh("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/media/"),
        "403"
    );
    assert_eq!(
        stage.sh("curl -s http://127.0.0.1/media/a-private-letter.txt"),
        "Dear Anna"
    );
}

/// Debian's cron, its clock put to a quarter past midnight and sped up: every task of cron.txt
/// runs, as the forum's user, in its place.
fn cron_does_the_night_s_work(stage: &Stage) {
    let table = stage.must(&["crontab", "-u", "misago", "-l"]);
    let jobs: Vec<&str> = table
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains("manage.py"))
        .collect();
    assert_eq!(jobs.len(), 6, "{table}");
    assert!(
        jobs.iter().all(
            |job| job.contains("cd /srv/misago/site && /srv/misago/venv/bin/python manage.py ")
        ),
        "{table}"
    );
    let minutes: std::collections::BTreeSet<&str> = jobs
        .iter()
        .filter_map(|job| job.split_whitespace().next())
        .collect();
    assert_eq!(minutes.len(), 6, "no two start together\n{table}");

    psql(
        stage,
        "misago",
        "INSERT INTO forum_category (name, prune_days) VALUES ('News', 30);
         INSERT INTO forum_thread (category_id, title, poster, posted_on, flags)
         SELECT max(id), t, 'anna', d, '' FROM forum_category, (VALUES ('old', now() - interval '1 year'), ('new', now())) v (t, d) GROUP BY t, d;
         INSERT INTO forum_readtracker (thread_id, reader, read_on) SELECT max(id), 'bob', now() - interval '1 year' FROM forum_thread;
         INSERT INTO forum_attachment (file, orphan) VALUES ('attachments/orphan.png', true);
         INSERT INTO forum_ban (who, expires_on, is_valid) VALUES ('mallory', now() - interval '1 year', true);
         INSERT INTO django_session VALUES ('old', '', now() - interval '1 year')",
    );
    stage.sh("systemctl stop cron");
    stage.sh("cd /srv/misago/media && install -d -o misago attachments && install -o misago /dev/null attachments/orphan.png");
    let library = stage.sh("echo /usr/lib/*/faketime/libfaketime.so.1");
    let lines = format!(
        "[Service]\nEnvironment=LD_PRELOAD={} \"FAKETIME=@2026-11-22 00:14:30 x120\" TZ=UTC\n",
        library.trim()
    );
    stage
        .machine
        .unit("cron.service.d/a-night-in-seconds.conf", &lines);
    stage.sh("systemctl daemon-reload && systemctl start cron");
    let left = "SELECT (SELECT count(*) FROM forum_readtracker) + (SELECT count(*) FROM forum_attachment) + (SELECT count(*) FROM forum_ban WHERE is_valid)
                + (SELECT count(*) FROM forum_thread WHERE title = 'old') + (SELECT count(*) FROM django_session)
                + 1 - (SELECT count(*) FROM forum_activeposter WHERE name = 'anna')";
    let began = Instant::now();
    while psql(stage, "misago", left) != "0" {
        let logs = || {
            stage.sh(
                "tail -n 5 /var/log/misago/misago-*.log 2>&1 || :; journalctl -u cron | tail -n 30",
            )
        };
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "cron has not run all six tasks:\n{}",
            logs()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(
        !stage
            .machine
            .path("/srv/misago/media/attachments/orphan.png")
            .exists()
    );
    let owners = stage.sh("stat -c %U /var/log/misago/*.log | sort -u");
    assert_eq!(owners, "misago\n");
    stage.sh("systemctl stop cron && rm /etc/systemd/system/cron.service.d/*.conf && systemctl daemon-reload && systemctl start cron");
}
