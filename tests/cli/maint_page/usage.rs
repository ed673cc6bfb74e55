//! What is refused before anything is touched; keys; snippets.

use super::{Site, maint_page, mode};

#[test]
fn bypass_keys_are_made_listed_and_revoked_and_end() {
    let site = Site::new();
    let added = site
        .tool("bypass")
        .args(["add", "--ttl", "1h"])
        .run()
        .expect_code(0)
        .json();
    let key = &added["keys"][0];
    let path = key["path"].as_str().unwrap();
    let name = path
        .strip_prefix("/_maint-page/bypass/")
        .and_then(|rest| rest.strip_suffix("?age=3600"))
        .unwrap();
    assert!(name.len() == 32 && site.has(&format!("bypass/{name}")));
    assert_eq!(key["cookie"], format!("maint_bypass={name}"));
    // A web server may open a key that it knows, and list none.
    assert_eq!(mode(&site.file(&format!("bypass/{name}"))), 0o644);
    assert_eq!(mode(&site.file("bypass")), 0o711);

    let list = site.tool("bypass").arg("list").run().expect_code(0);
    assert!(!list.out().contains(name), "a list says the whole key");
    assert_eq!(list.json()["keys"][0]["key"], name[..8]);
    site.tool("bypass")
        .args(["revoke", "00000000"])
        .run()
        .expect_code(0);
    assert!(site.has(&format!("bypass/{name}")));
    let revoked = site
        .tool("bypass")
        .args(["revoke", &name[..8]])
        .run()
        .expect_code(0);
    assert!(!revoked.out().contains(name));
    assert_eq!(revoked.json()["msg"], "1 key revoked");
    assert!(!site.has(&format!("bypass/{name}")));

    let short = site
        .tool("bypass")
        .args(["add", "--ttl", "0s"])
        .run()
        .expect_code(0)
        .json();
    let name = short["keys"][0]["path"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    site.tool("tick").run().expect_code(0);
    assert!(
        !site.has(&format!("bypass/{name}")),
        "an ended key is removed by whatever comes next"
    );
}

#[test]
fn a_journal_does_not_let_anybody_in() {
    let site = Site::new();
    let journal = site.top.path().join("journal");
    for format in ["json", "text"] {
        let added = site
            .tool("bypass")
            .args(["add", "-o", format, "--journal"])
            .arg(&journal)
            .run()
            .expect_code(0);
        let key = added.out();
        let (_, key) = key.split_once("/_maint-page/bypass/").expect("the path");
        let key = key.get(..32).unwrap();
        assert!(site.has(&format!("bypass/{key}")));
        let kept = std::fs::read_to_string(&journal).unwrap();
        assert!(!kept.contains(key), "{kept}");
        let last: serde_json::Value = serde_json::from_str(kept.lines().last().unwrap()).unwrap();
        let shown = last["keys"].as_array().unwrap().last().unwrap();
        assert_eq!(shown["key"], key[..8]);
        assert_eq!(shown["cookie"], "maint_bypass=***");
    }
}

#[test]
fn wrong_usage_touches_nothing() {
    let site = Site::new();
    for (args, why) in [
        (
            vec!["--for", "10m", "--until", "22:00"],
            "--for and --until",
        ),
        (vec!["--start", "tomorrow"], "expected 2026"),
        (
            vec!["--until", "2001-01-01T00:00:00Z"],
            "the end is not after the start",
        ),
        (vec!["--for", "0s"], "the end is not after the start"),
        (vec!["--id", "../x"], "cannot be an id"),
        (vec!["--tz", "Mars/Olympus"], "no such time zone"),
        (vec!["--message", " \u{200b} "], "nothing to read"),
        (vec!["--verify", "ftp://x"], "is not a URL"),
        (vec!["--page", "/x/y.html"], "two different layouts"),
        (vec!["--lang", "en\" x"], "language tag"),
    ] {
        site.tool("on")
            .args(args)
            .run()
            .expect_code(2)
            .expect_err(why)
            .expect_silence();
    }
    maint_page("on")
        .run()
        .expect_code(2)
        .expect_err("no place for the page is given");
    maint_page("verify")
        .arg("http://127.0.0.1/")
        .run()
        .expect_code(2)
        .expect_err("--on or --off");
    maint_page("snippet")
        .args(["nginx", "--dir", "/srv/a b"])
        .run()
        .expect_code(2);
    assert!(!site.dir().exists(), "wrong usage made something");
}

#[test]
fn a_path_that_is_not_text_is_given_exactly_too() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new();
    let dir = site.top.path().join(std::ffi::OsStr::from_bytes(b"m\xff"));
    let on = maint_page("on")
        .arg("--dir")
        .arg(&dir)
        .run()
        .expect_code(0)
        .json();
    assert!(on["dir"].as_str().unwrap().ends_with("m\u{fffd}") && dir.join("on").exists());
    let items = on["items"].as_array().unwrap();
    assert!(
        on["dir_b64"].is_string() && items.iter().all(|item| item["path_b64"].is_string()),
        "{on}"
    );
    maint_page("snippet")
        .args(["nginx", "--dir"])
        .arg(&dir)
        .run()
        .expect_code(2);
}

#[test]
fn snippets_are_printed_as_they_are() {
    for server in ["nginx", "apache", "caddy"] {
        let out = maint_page("snippet")
            .args([server, "--dir", "/srv/site/maintenance"])
            .run()
            .expect_code(0)
            .out();
        assert!(
            out.starts_with("# maint-page: ") && out.contains("/srv/site/maintenance"),
            "{out}"
        );
    }
}
