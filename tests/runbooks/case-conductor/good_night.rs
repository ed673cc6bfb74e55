//! From a bare host to a running site, to its second version; and what the guide warns of, met on
//! the way.

use super::{LOGIN, UPSTREAM, at_version_1, host, login_page, psql, serves, tool};
use crate::stage::Stage;
use harness::wait_until;
use serde_json::Value;

#[test]
fn case_conductor_from_a_bare_host_to_version_2() {
    let Some(stage) = host() else { return };
    let _outside = stage.outside();
    let night = stage.runbook(&[]).expect_code(0);
    assert!(
        night
            .of("maint-page")
            .iter()
            .any(|report| report["ran"]["code"] == 0),
        "{night}"
    );
    serves(&stage, 1);
    owners(&stage);
    assets(&stage);
    registration(&stage);

    // Once more: nothing is to be done.
    let again = stage.runbook(&[]).expect_code(0);
    assert_eq!(again.changes(), Vec::<String>::new(), "{again}");

    // The update, while people ask.
    let old = stylesheet(&stage);
    stage.commit(
        UPSTREAM,
        "upstream/version-2",
        "Version 2: one title, one case",
    );
    let visitors = stage.visitors(&[LOGIN]);
    stage.runbook(&[]).expect_code(0);
    let told = visitors.told();
    assert!(
        told.iter()
            .all(|answer| [200, 503].contains(&answer.status)),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|answer| answer.status == 503 && answer.body.contains("<!")),
        "{told:?}"
    );
    assert!(
        told.last().unwrap().body.contains("Case Conductor"),
        "{told:?}"
    );
    serves(&stage, 2);
    assert_eq!(
        psql(
            &stage,
            "SELECT count(*) FROM django_migrations WHERE app = 'core'"
        ),
        "2"
    );
    // Pages that were open keep their stylesheet, new ones have another.
    assert_ne!(stylesheet(&stage), old);
    stage.must(&["curl", "-fsS", "-o", "/dev/null", &old]);
}

/// mod_wsgi's processes are the site's user's; the secret is nobody else's to read; what visitors
/// upload to is not the code.
fn owners(stage: &Stage) {
    assert_eq!(
        stage
            .sh("ps -o user= -C apache2 | sort -u | tr '\\n' ' '")
            .trim(),
        "cc root www-data"
    );
    assert_eq!(
        stage
            .sh("stat -c '%U:%G %a' /etc/case-conductor/secret_key")
            .trim(),
        "root:cc 640"
    );
    assert_eq!(stage.sh("stat -c %U /srv/case-conductor/vendor-manage.py /srv/case-conductor/collected-assets").trim(), "root\ncc");
}

/// Compressed by the system's rcssmin: one small file each, whose name its content decides, the
/// same on both hosts.
fn assets(stage: &Stage) {
    let small = stage.must(&["curl", "-fsS", &stylesheet(stage)]);
    assert_eq!(small.trim(), "body{margin:0 auto;max-width:40em}");
    stage.sh("diff -r /srv/assets1 /srv/assets2 && test -e /srv/assets1/CACHE/manifest.json");
    assert_eq!(
        stage
            .sh("curl -sS -o /dev/null -w '%{http_code}' https://assets1.example.org/CACHE/")
            .trim(),
        "403"
    );
}

fn stylesheet(stage: &Stage) -> String {
    let (_, body) = login_page(stage);
    let at = body
        .find("https://assets.example.org/CACHE/css/")
        .unwrap_or_else(|| panic!("no stylesheet: {body}"));
    body[at..].split('"').next().unwrap().to_owned()
}

/// Over HTTPS, with cookies that stay on it, and confirmed by a mail that arrives.
fn registration(stage: &Stage) {
    let plain = stage.sh("curl -sS -o /dev/null -w '%{http_code} %{redirect_url}' http://cases.example.org/accounts/register/");
    assert_eq!(
        plain.trim(),
        "301 https://cases.example.org/accounts/register/"
    );
    let post = "jar=$(mktemp); page=https://cases.example.org/accounts/register/; curl -fsS -c $jar -o /dev/null $page; \
                token=$(awk '$6 == \"csrftoken\" && $4 == \"TRUE\" { print $7 }' $jar); [ -n \"$token\" ]; \
                curl -fsS -b $jar -e $page --data-urlencode csrfmiddlewaretoken=$token -d username=anna -d password=a-tester \
                -d email=anna@example.com $page";
    assert!(stage.sh(post).contains("We have sent you a mail."));
    let mail = stage.sh("cat /srv/mail/box/new/*");
    let mail = mail.replace("=\n", "");
    assert!(
        mail.contains("From: cases@example.org") && mail.contains("To: anna@example.com"),
        "{mail}"
    );
    let link = mail
        .lines()
        .find_map(|line| line.split_once("link: "))
        .unwrap_or_else(|| panic!("{mail}"))
        .1
        .trim()
        .to_owned();
    assert!(
        link.starts_with("https://cases.example.org/accounts/confirm/"),
        "{mail}"
    );
    assert_eq!(
        psql(
            stage,
            "SELECT is_active FROM auth_user WHERE username = 'anna'"
        ),
        "f"
    );
    stage.must(&["curl", "-fsS", "-o", "/dev/null", &link]);
    assert_eq!(
        psql(
            stage,
            "SELECT is_active FROM auth_user WHERE username = 'anna'"
        ),
        "t"
    );
}

/// What is not met, by id.
fn gaps(stage: &Stage, tag: &str) -> Vec<Value> {
    let report = tool(stage, &format!("check-reqs --tag {tag}")).json();
    let items = report["items"].as_array().unwrap().iter();
    items
        .filter(|item| item["status"] != "met" && item["status"] != "skipped")
        .cloned()
        .collect()
}

#[test]
fn case_conductor_s_guide_s_warnings_are_answered() {
    let Some(stage) = host() else { return };
    let _outside = at_version_1(&stage);
    assert_eq!(
        (gaps(&stage, "before"), gaps(&stage, "running")),
        (vec![], vec![])
    );

    // A compiled dependency is not in the vendor library, and not on the host.
    stage.must(&["dpkg", "-r", "--force-depends", "python3-rcssmin"]);
    let found = gaps(&stage, "before");
    assert_eq!(
        (found.len(), &found[0]["id"], &found[0]["status"]),
        (1, &"rcssmin".into(), &"unmet".into()),
        "{found:?}"
    );
    assert_eq!(
        found[0]["fix"]["steps"][0]["text"],
        "DEBIAN_FRONTEND=noninteractive apt-get install -y python3-rcssmin </dev/null",
        "{found:?}"
    );
    let vendored = "venv-sync check /srv/case-conductor/venv -r /srv/case-conductor/requirements/pure.txt \
                    --vendor /srv/case-conductor/requirements/vendor/lib/python --allow rcssmin --allow rjsmin --allow psycopg2";
    let drift = tool(&stage, vendored).expect_code(1).json();
    assert!(
        drift["items"]
            .to_string()
            .contains("django_compressor 4.0 needs rcssmin==1.1.0, which is not installed"),
        "{drift}"
    );

    // Registrations could not be confirmed.
    stage.must(&["systemctl", "stop", "mail"]);
    let found = gaps(&stage, "running");
    assert_eq!(
        (found.len(), &found[0]["id"]),
        (1, &"mail".into()),
        "{found:?}"
    );

    // Cookies that would travel over HTTP.
    stage.sh("sed -i 's/^\\(SESSION\\|CSRF\\)_COOKIE_SECURE = True/\\1_COOKIE_SECURE = False/' /srv/case-conductor/cc/settings/local.py");
    stage.must(&["systemctl", "reload", "apache2"]);
    wait_until("the new processes answer", || {
        gaps(&stage, "running")
            .iter()
            .any(|gap| gap["id"] == "secure-cookies")
    });
    let found = gaps(&stage, "running");
    let settings = found
        .iter()
        .find(|gap| gap["id"] == "secure-settings")
        .unwrap_or_else(|| panic!("{found:?}"));
    assert!(
        settings.to_string().contains("security.W012")
            && settings.to_string().contains("SESSION_COOKIE_SECURE"),
        "{settings}"
    );

    // The next run of the runbook puts this host's settings back; the package and the mail server
    // it can only ask for.
    stage.sh("systemctl reset-failed mail 2>/dev/null || :");
    let night = stage.runbook(&[]).expect_code(1);
    assert!(
        night.of("maint-page").is_empty() && night.stdout.contains("Is the host fit for it"),
        "{night}"
    );

    // The library in PYTHONPATH is not a site directory: its .pth files are not read. addsitedir
    // reads them.
    let library = "/srv/case-conductor/requirements/vendor/lib/python";
    let tried = stage.machine.run(&[
        "env",
        &format!("PYTHONPATH={library}"),
        "/usr/bin/python3",
        "-c",
        "import django, badges",
    ]);
    assert!(String::from_utf8_lossy(&tried.stderr).contains("No module named 'badges'"));
    stage.must(&[
        "env",
        "-C",
        "/srv/case-conductor",
        "/usr/bin/python3",
        "-c",
        "from cc import vendor; vendor.add(); import django, badges",
    ]);
}
