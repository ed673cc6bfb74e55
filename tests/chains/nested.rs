//! One tool around the other: the work's own exit code comes through, the reports
//! stay apart, and whatever the inner one did, the outer ones put back what they hold.

use harness::Output;
use harness::site::Site;
use serde_json::Value;

const PAGE: &str = "maint-page during --dir maintenance --id deploy --for 10m --message Moment";
const CYCLE: &str = "svc-cycle cycle -f etc/services.toml --on-failure start";

/// The work inside the page inside the cycle.
fn nested(site: &Site, on_failure: &str, work: &str) -> Output {
    site.run(&format!(
        "{PAGE} --on-failure {on_failure} -- {CYCLE} -- {work}"
    ))
}

fn version(site: &Site) -> Option<i64> {
    site.run("curl -sS -H 'X-Forwarded-Proto: https' \"$web/healthz\"")
        .out()
        .parse::<Value>()
        .ok()?["version"]
        .as_i64()
}

/// One site for all of these, one after the other: it takes longer to build than to use.
#[test]
fn a_deploy_in_one_line() {
    let site = Site::up();

    the_visitors_notice(&site);
    exit_codes_come_through(&site);
    a_pipeline_reads_reports(&site);
    the_update_itself(&site);
}

/// The other checks lean on the visitors; so first, that they see a stop without a page.
fn the_visitors_notice(site: &Site) {
    let visitors = site.visitors();
    site.run("svc-cycle cycle -f etc/services.toml --on-failure start -- true")
        .expect_code(0);
    let told = visitors.told();
    assert!(
        told.keys().any(|kind| kind.starts_with("wrong")),
        "{told:?}"
    );
}

fn exit_codes_come_through(site: &Site) {
    for (work, code) in [
        ("sh -c 'exit 7'", 7),
        ("sh -c 'kill -TERM $$'", 143),
        ("etc/redis.conf", 126),
        ("no-such-command", 127),
    ] {
        let said = nested(site, "off", work).expect_code(code);
        let report = said.json();
        assert_eq!(
            report["tool"], "maint-page",
            "one report, the outermost: {report}"
        );
        assert_eq!(version(site), Some(1), "after {work}");
        let status = site
            .run("maint-page status --dir maintenance")
            .expect_code(0)
            .json();
        assert_eq!(status["state"], "off", "after {work}: {status}");
    }

    let kept = nested(site, "keep", "false").expect_code(1);
    assert_eq!(kept.json()["ran"]["code"], 1);
    assert_eq!(version(site), None, "the page stays");
    site.run("maint-page off --dir maintenance --id deploy")
        .expect_code(0);
    assert_eq!(
        version(site),
        Some(1),
        "behind it the site had been started again"
    );
}

fn a_pipeline_reads_reports(site: &Site) {
    let needs = "'python>=3.8' cmd:nginx cmd:no-such-command";
    let unmet = site
        .run(&format!(
            "check-reqs {needs} | jq -r '.items[] | select(.status == \"unmet\") | .id'"
        ))
        .expect_code(0);
    assert!(unmet.out().contains("no-such-command"), "{}", unmet.out());
    assert_eq!(unmet.out().lines().count(), 1, "{}", unmet.out());

    let logs = site
        .run("log-paths -0 --config-only --conf nginx=etc/nginx.conf nginx | xargs -0r ls")
        .expect_code(0);
    assert!(logs.out().contains("nginx-access.log"), "{}", logs.out());

    let ensure = "pg-ext-ensure -d service=reef --admin service=admin btree_gin hstore";
    site.run(&format!("{ensure} -n")).expect_code(1);
    site.run(&format!("{ensure} | jq -e .changed"))
        .expect_code(0);
    site.run(&format!("{ensure} | jq -e .changed"))
        .expect_code(1);
}

fn the_update_itself(site: &Site) {
    let visitors = site.visitors();
    let work = "sh -ec 'git -C site pull -q --ff-only
        venv-sync apply venv -r site/requirements.txt
        cd site
        ../venv/bin/python manage.py migrate
        ../venv/bin/python manage.py collectstatic --no-input'";
    let said = nested(site, "keep", work).expect_code(0);
    assert_eq!(said.json()["ran"]["code"], 0);
    assert_eq!(version(site), Some(2));
    let told = visitors.told();
    let wrong: Vec<_> = told
        .keys()
        .filter(|kind| kind.starts_with("wrong"))
        .collect();
    assert_eq!(wrong, Vec::<&String>::new(), "{told:?}");
    assert!(told.contains_key("maintenance page"), "{told:?}");

    site.run("venv-sync check venv -r site/requirements.txt")
        .expect_code(0);
}
