//! wemake's runbook: Caddy, gunicorn and PostgreSQL, on several nodes. What a node has been is in
//! [`Before`], and a bad night ends there.

mod bad_nights;
mod cluster;

use crate::stage::{Night, Stage};
use cluster::Cluster;

const SITE: &str = "https://wemake.example.org/";

/// What a failed run has to leave as it was.
#[derive(Debug, PartialEq)]
struct Before {
    code: String,
    environment: String,
    page: String,
}

impl Before {
    fn of(node: &Stage) -> Before {
        Before {
            code: node
                .sh("setpriv --reuid web --regid web --init-groups git -C /code rev-parse HEAD"),
            environment: node.sh("readlink -f /code/.venv"),
            page: version_served(node),
        }
    }
}

fn version_served(node: &Stage) -> String {
    let page = node.sh(&format!("curl -kfsS {SITE}"));
    let start = page.find("<h1>").expect("a heading");
    page[start..]
        .split("</h1>")
        .next()
        .unwrap()
        .trim_start_matches("<h1>")
        .to_owned()
}

/// The process that answers, and so whether anything was restarted.
fn main_pid(node: &Stage) -> String {
    node.sh("systemctl show -P MainPID wemake.service")
}

/// The runbook on these nodes, at the same time.
fn at_once(nodes: &[Stage]) -> Vec<Night> {
    std::thread::scope(|scope| {
        let running: Vec<_> = nodes
            .iter()
            .map(|node| scope.spawn(|| node.runbook(&[])))
            .collect();
        running
            .into_iter()
            .map(|night| night.join().unwrap())
            .collect()
    })
}

#[test]
fn three_nodes_at_once() {
    let Some(cluster) = Cluster::up(3) else {
        return;
    };
    cluster
        .world
        .commit("/srv/git/wemake", "update", "Version 2");
    let visitors: Vec<_> = cluster
        .nodes
        .iter()
        .map(|node| node.visitors(&[SITE]))
        .collect();
    let nights: Vec<Night> = at_once(&cluster.nodes)
        .into_iter()
        .map(|night| night.expect_code(0))
        .collect();

    // Migrated once: so says the migration itself, and Django's own list; one node did it, and the
    // others found nothing to do.
    assert_eq!(
        cluster.psql("SELECT migration, count(*) FROM applied GROUP BY 1"),
        "0002_slug|1"
    );
    assert_eq!(
        cluster.psql(
            "SELECT count(*) FROM django_migrations WHERE app = 'main' AND name = '0002_slug'"
        ),
        "1"
    );
    let did = |text: &str| {
        nights
            .iter()
            .filter(|night| night.stdout.contains(text))
            .count()
    };
    assert_eq!(
        (
            did("Applying main.0002_slug... OK"),
            did("No migrations to apply")
        ),
        (1, 2)
    );
    cluster.nobody_migrates();

    for (node, visitors) in cluster.nodes.iter().zip(visitors) {
        assert_eq!(version_served(node), "Version 2");
        for answer in visitors.told() {
            assert!(
                answer.status == 200 && answer.end.trim_end().ends_with("</html>"),
                "not the site: {answer:?}"
            );
        }
        node_is_right(node);
    }
    again_and_nothing_changes(&cluster.nodes[0]);
}

fn node_is_right(node: &Stage) {
    assert!(
        node.sh("/code/.venv/bin/gunicorn --version")
            .contains("27.0.1")
    );
    let worker =
        node.sh("tr '\\0' '\\n' < /proc/$(systemctl show -P MainPID wemake.service)/environ");
    assert!(worker.lines().any(|line| line == "DJANGO_ENV=production"));
    // Caddy has taken the new file: the header is its own.
    let headers = node.sh(&format!("curl -kfsSI {SITE}"));
    assert!(
        headers
            .to_lowercase()
            .contains("x-content-type-options: nosniff"),
        "{headers}"
    );
    // gunicorn writes, Caddy reads and serves, and can write nothing.
    let media = node.sh(&format!("curl -kfsS -d hello {SITE}media-upload/"));
    assert_eq!(
        node.sh(&format!("curl -kfsS https://wemake.example.org{media}")),
        "hello"
    );
    assert_eq!(
        node.sh("stat -c '%U %a' /var/www/django/media /var/www/django/static"),
        "web 755\nweb 755\n"
    );
    let refused = node.machine.run(&[
        "setpriv",
        "--reuid",
        "caddy",
        "--regid",
        "caddy",
        "--init-groups",
        "touch",
        "/var/www/django/media/x",
    ]);
    assert!(!refused.status.success());
    let manifest: serde_json::Value =
        serde_json::from_str(&node.read("/var/www/django/static/staticfiles.json")).unwrap();
    let css = manifest["paths"]["main/index.css"].as_str().unwrap();
    assert!(
        node.sh(&format!("curl -kfsS {SITE}static/{css}"))
            .contains("navy")
    );
}

fn again_and_nothing_changes(node: &Stage) {
    let (before, pid) = (Before::of(node), main_pid(node));
    let night = node.runbook(&[]).expect_code(0);
    assert_eq!(night.changes(), [""; 0]);
    assert_eq!((Before::of(node), main_pid(node)), (before, pid));
}
