//! The guide's own troubles, and nights on which something goes wrong between nodes. The runbook
//! promises that a node on which it fails goes on with the version it had, and that nobody waits
//! for a node that is gone.

use super::cluster::{Cluster, ip};
use super::{Before, SITE, at_once, main_pid, version_served};
use crate::stage::{Night, Stage};
use std::time::Duration;

/// The ids of the needs that were not met in a run.
fn unmet(night: &Night) -> Vec<String> {
    let items = night
        .of("check-reqs")
        .into_iter()
        .flat_map(|report| report["items"].as_array().unwrap().clone());
    items
        .filter(|item| item["status"] == "unmet")
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

/// It failed before anything that a visitor could notice.
#[track_caller]
fn unnoticed(node: &Stage, night: &Night, before: &(Before, String)) {
    assert_eq!(&(Before::of(node), main_pid(node)), before, "{night}");
}

#[test]
fn what_the_guide_warns_of() {
    let Some(cluster) = Cluster::up(1) else {
        return;
    };
    let node = &cluster.nodes[0];
    let before = (Before::of(node), main_pid(node));
    let visitors = node.visitors(&[SITE]);

    // A volume that gunicorn cannot write to.
    node.sh("chown root /var/www/django/static");
    let night = node.runbook(&[]).expect_code(1);
    assert_eq!(unmet(&night), ["static"], "{night}");
    node.sh("chown web /var/www/django/static");
    unnoticed(node, &night, &before);

    // A migration was forgotten, a cookie is sent over http, and a file that a style sheet names is
    // missing: what the manifest storage fails at, and a dry run does not see.
    cluster
        .world
        .commit("/srv/git/wemake", "update", "Version 2");
    cluster
        .change("sed -i 's/    slug = .*/&\\n    subtitle = models.CharField(max_length=9, default=\\\"\\\")/' server/apps/main/models.py");
    cluster.change(
        "sed -i 's/SESSION_COOKIE_SECURE = True/SESSION_COOKIE_SECURE = False/' server/settings.py",
    );
    cluster.change(
        "echo 'h1 { background: url(missing.png) }' >>server/apps/main/static/main/index.css",
    );
    let night = node.runbook(&[]).expect_code(1);
    assert_eq!(
        unmet(&night),
        [
            "no-missing-migration",
            "static-files-collect",
            "no-deployment-warning"
        ],
        "{night}"
    );
    assert!(
        night
            .of("check-reqs")
            .iter()
            .any(|report| report.to_string().contains("missing.png")),
        "{night}"
    );
    unnoticed(node, &night, &before);

    // A Caddyfile with a slip of the pen.
    cluster.change(
        "git checkout -q HEAD~3 -- . && sed -i 's/encode gzip/encoed gzip/' docker/caddy/Caddyfile",
    );
    let night = node.runbook(&[]).expect_code(1);
    assert!(
        night.stderr.contains("unrecognized directive: encoed"),
        "{night}"
    );
    unnoticed(node, &night, &before);
    assert!(visitors.told().iter().all(|answer| answer.status == 200));

    // All that is asked beforehand is right, and the page is not: it is seen, and the version of
    // before runs again.
    cluster.change("git checkout -q HEAD~4 -- . && sed -i 's/posts/comments/' server/apps/main/views.py && sed -i 's/BlogPost.objects.count()/1 \\/ 0/' server/apps/main/views.py");
    let night = node.runbook(&[]).expect_code(1);
    assert_eq!(unmet(&night), ["index"], "{night}");
    assert_eq!(Before::of(node), before.0, "{night}");

    cluster.change("git checkout -q HEAD~5 -- .");
    node.runbook(&[]).expect_code(0);
    assert_eq!(version_served(node), "Version 2");
}

/// A migration that takes ten minutes on the first node, and no time on the others.
fn slow_on_the_first_node(cluster: &Cluster, after: &str, name: &str) {
    let sleep =
        "SELECT pg_sleep(CASE WHEN host(inet_client_addr()) = '10.77.0.2' THEN 600 ELSE 0 END)";
    let text = format!(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [(\"main\", \"{after}\")]\n    operations = [\n        \
         migrations.RunSQL(\"INSERT INTO applied VALUES ('{name}', inet_client_addr())\", \"\"),\n        migrations.RunSQL(\"{sleep}\", \"\"),\n    ]\n"
    );
    cluster.world.write(
        &format!("/srv/git/wemake/server/apps/main/migrations/{name}.py"),
        &text,
    );
    cluster.change("true");
}

/// The first node migrates, the second waits for it; then something happens to the first.
fn while_the_first_migrates(
    cluster: &Cluster,
    name: &str,
    happens: impl FnOnce(&mut crate::stage::Typed<'_>),
) -> (Night, Night) {
    let (first, second) = (&cluster.nodes[0], &cluster.nodes[1]);
    let mut terminal = first.runbook_on_terminal(&[]);
    terminal.wait_for(&format!("Applying main.{name}"));
    std::thread::scope(|scope| {
        let other = scope.spawn(|| second.runbook(&[]));
        harness::wait_for(Duration::from_secs(60), "the second node to wait", || {
            cluster.waiting() == 1
        });
        happens(&mut terminal);
        (terminal.end(), other.join().unwrap())
    })
}

#[test]
fn a_migration_that_fails_ctrl_c_twice_and_a_cable_pulled_out() {
    let Some(cluster) = Cluster::up(2) else {
        return;
    };
    let first = &cluster.nodes[0];
    let before: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| (Before::of(node), main_pid(node)))
        .collect();

    // It fails on whichever node is first, and then on the other.
    cluster
        .world
        .commit("/srv/git/wemake", "update", "Version 2");
    cluster.change(
        "sed -i 's/SELECT pg_sleep(2)/SELECT 1 \\/ 0/' server/apps/main/migrations/0002_slug.py",
    );
    for (night, (node, before)) in at_once(&cluster.nodes)
        .into_iter()
        .zip(cluster.nodes.iter().zip(&before))
    {
        let night = night.expect_code(1);
        assert!(night.stderr.contains("division by zero"), "{night}");
        unnoticed(node, &night, before);
    }
    assert_eq!(cluster.psql("SELECT count(*) FROM applied"), "0");
    cluster.nobody_migrates();

    // Ctrl-C twice on the node that migrates: it goes back, and the one that waits takes over.
    cluster.change("git checkout -q HEAD~1 -- .");
    slow_on_the_first_node(&cluster, "0002_slug", "0003_tags");
    let (night, other) = while_the_first_migrates(&cluster, "0003_tags", |terminal| {
        terminal.ctrl_c();
        std::thread::sleep(Duration::from_millis(300));
        terminal.ctrl_c();
    });
    let night = night.expect_code(130);
    unnoticed(first, &night, &before[0]);
    other.expect_code(0);
    assert_eq!(
        cluster.psql("SELECT migration, host(node) FROM applied WHERE migration = '0003_tags'"),
        "0003_tags|10.77.0.3"
    );
    cluster.nobody_migrates();
    let night = first.runbook(&[]).expect_code(0);
    assert!(night.stdout.contains("No migrations to apply"), "{night}");

    // The cable is pulled out of the node that migrates. Its session ends with it, within seconds.
    let before = (Before::of(first), main_pid(first));
    slow_on_the_first_node(&cluster, "0003_tags", "0004_likes");
    let (night, other) =
        while_the_first_migrates(&cluster, "0004_likes", |_| ip(first, "link set eth0 down"));
    assert_ne!(night.code, 0, "{night}");
    other.expect_code(0);
    ip(first, "link set eth0 up");
    unnoticed(first, &night, &before);
    assert_eq!(
        cluster.psql("SELECT migration, host(node) FROM applied WHERE migration = '0004_likes'"),
        "0004_likes|10.77.0.3"
    );
    first.runbook(&[]).expect_code(0);
    cluster.nobody_migrates();
}
