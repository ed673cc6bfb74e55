//! maintenance.json is read by a Django site as CoralNet's reads its own file: `timestamp` and
//! `message`, by a template tag.

use super::site::Site;
use harness::test_venv;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The tag: a small one of the same kind as the site's.
const TAGS: &str = r#"
import datetime, json
from django import template
from django.conf import settings
from django.utils import timezone

register = template.Library()

@register.simple_tag
def planned():
    try:
        with open(settings.NOTICE) as notice:
            told = json.load(notice)
    except OSError:
        return None
    begins = datetime.datetime.fromtimestamp(told["timestamp"], datetime.timezone.utc)
    return {"begins": begins, "begun": begins <= timezone.now(), "message": told["message"]}
"#;

const RENDER: &str = r#"
import sys
import django
from django.conf import settings
settings.configure(NOTICE=sys.argv[1], USE_TZ=True, TIME_ZONE="Europe/Berlin", TEMPLATES=[{
    "BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"libraries": {"notice": "notice_tags"}}}])
django.setup()
from django.template import engines
page = """{% load notice %}{% planned as m %}{% if not m %}nothing planned{% elif m.begun %}now: {{ m.message }}{% else %}in {{ m.begins|timeuntil }} at {{ m.begins|date:'H:i' }}: {{ m.message }}{% endif %}"""
sys.stdout.write(engines["django"].from_string(page).render())
"#;

fn rendered(site: &Site) -> String {
    let tags = site.top().join("notice_tags.py");
    fs::write(&tags, TAGS).unwrap();
    let notice: &Path = &site.dir().join("maintenance.json");
    let done = Command::new(test_venv().join("bin/python"))
        .args(["-c", RENDER])
        .arg(notice)
        .current_dir(site.top())
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_sites_own_notice_works_unmodified() {
    let site = Site::new();
    assert_eq!(rendered(&site), "nothing planned");
    let on = |args: &[&str]| {
        site.tool("on")
            .args(["--tz", "Europe/Berlin"])
            .args(args)
            .run()
            .expect_code(0)
            .json()
    };
    let told = on(&[
        "--start",
        "+2h",
        "--message",
        "New server & <b>database</b>",
    ]);
    let clock = &told["starts_at"].as_str().unwrap()[11..16];
    let page = rendered(&site).replace('\u{a0}', " ");
    assert!(
        page.starts_with("in 1 hour, 59 minutes") || page.starts_with("in 2 hours"),
        "{page}"
    );
    assert!(
        page.ends_with(&format!(
            "at {clock}: New server &amp; &lt;b&gt;database&lt;/b&gt;"
        )),
        "{page}"
    );
    site.tool("off").run().expect_code(0);
    on(&["--message", "Now."]);
    assert_eq!(rendered(&site), "now: Now.");
    site.tool("off").run().expect_code(0);
    assert_eq!(rendered(&site), "nothing planned");
}
