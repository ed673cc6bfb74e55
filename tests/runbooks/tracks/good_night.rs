//! From a bare host to a running site, once more, to version 2; and a copy of its data.

use super::{UPSTREAM, all_is_well, at_version_1, host, psql};

#[test]
fn tracks_is_installed_updated_and_copied() {
    let Some(stage) = host() else { return };
    let (_outside, night) = at_version_1(&stage);
    all_is_well(&stage, 1);
    assert_eq!(
        psql(
            &stage,
            "tracks",
            "SELECT string_agg(name, ' ' ORDER BY name) FROM roasted_target"
        ),
        "mouse zebrafish"
    );

    // The directories for which there had been three `mkdir -p`: each belongs to whoever opens the
    // logs in it.
    let made: Vec<&str> = night.of("log-paths")[0]["directories"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["path"].as_str())
        .collect();
    assert_eq!(
        made,
        [
            "/etc/nginx/logs/nginx/log",
            "/etc/nginx/logs/domains/tracks/log"
        ],
        "{night}"
    );
    assert_eq!(
        stage.sh("stat -c %U /etc/nginx/logs/nginx/log /etc/nginx/logs/domains/tracks/log /var/log/uwsgi.log"),
        "root\nroot\ndeployer\n"
    );

    // A slash at the end of every address, a redirection that is counted, and no spiders.
    let ask = |path: &str| {
        stage.sh(&format!(
            "curl -sS -o /dev/null -w '%{{http_code}} %{{redirect_url}}' http://localhost{path}"
        ))
    };
    assert_eq!(ask("/zebrafish"), "301 http://localhost/zebrafish/");
    assert_eq!(
        ask("/zebrafish/"),
        "302 https://genome.example.org/zebrafish"
    );
    assert_eq!(
        psql(&stage, "tracks", "SELECT count(*) FROM roasted_redirecthit"),
        "2"
    );
    assert_eq!(
        stage.sh("curl -sS http://localhost/robots.txt"),
        stage.read("/root/tracks/robots.txt")
    );

    let again = stage.runbook(&[]).expect_code(0);
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");

    // The logs in one list; a visit shows in it.
    let watch = "(sleep 0.5; curl -sS http://localhost/robots.txt?seen >/dev/null) & log-paths -0 nginx uwsgi | timeout 2 xargs -0r tail -n 0 -F || :";
    let watched = stage.sh(watch);
    assert!(
        watched.contains("GET /robots.txt?seen HTTP/1.1\" 200"),
        "{watched}"
    );
    let listed = stage.sh("log-paths --plain nginx uwsgi");
    assert!(
        listed.contains("/var/log/uwsgi.log\n")
            && listed.contains("/etc/nginx/logs/domains/tracks/log/access.log\n"),
        "{listed}"
    );

    stage.commit(
        UPSTREAM,
        "upstream/version-2",
        "Version 2: a name is one target's",
    );
    let night = stage.runbook(&[]).expect_code(0);
    all_is_well(&stage, 2);
    let cycle = night
        .of("svc-cycle")
        .into_iter()
        .find(|report| report["action"] == "cycle")
        .unwrap();
    let names: Vec<&str> = cycle["services"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect();
    assert_eq!(
        (&cycle["outcome"], names),
        (&"done".into(), vec!["uwsgi", "nginx"]),
        "{cycle}"
    );

    // Version 2's data, in a database of its own, with its extension; made anew the next time.
    for _ in 0..2 {
        let copy = stage.runbook(&["copy", "tracks_try"]).expect_code(0);
        assert_eq!(copy.of("pg-ext-ensure")[0]["msg"], "1 created", "{copy}");
        assert!(copy.stdout.ends_with("\n2\n"), "{copy}");
    }
    let tables = "SELECT string_agg(tableowner, ' ') FROM pg_tables WHERE tablename IN ('roasted_target', 'roasted_redirecthit')";
    assert_eq!(psql(&stage, "tracks_try", tables), "deployer deployer");
    assert_eq!(
        psql(
            &stage,
            "tracks_try",
            "SELECT count(*) FROM pg_indexes WHERE indexname = 'roasted_target_url'"
        ),
        "1"
    );
    assert_eq!(stage.sh("ls /var/tmp"), "");
}
