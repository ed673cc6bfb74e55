//! Caddy: what `caddy adapt` makes of a Caddyfile is what is read from it; and the JSON that it
//! makes is read to the same.

use super::{items, site, write};
use harness::need;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const FILES: &[&str] = &[
    "{\n\tlog {\n\t\toutput file /l/main.log {\n\t\t\troll_disabled\n\t\t}\n\t}\n}\nexample.com {\n\tlog {\n\t\toutput file /l/{$SITE:none}.log\n\t}\n}\n",
    "(snip) {\n\tlog {\n\t\toutput file \"/l/a b {args.0}.log\"\n\t\tformat json\n\t}\n}\na.org, b.org {\n\timport snip one\n\trespond `hi {\nlog {\noutput file /no\n}\n`\n}\nc.org {\n\timport snip two\n\thandle /x {\n\t\trespond 200\n\t}\n}\n",
    ":8080\nlog {\n\toutput file /l/single.log\n}\nrespond \"log { output file /no }\"\n",
    "a.org {\n\tlog {\n\t\toutput discard\n\t}\n}\nb.org {\n\tlog {\n\t\toutput net localhost:9000\n\t}\n}\nc.org {\n\tlog {\n\t\toutput stdout\n\t}\n}\n# d.org { log }\n",
    "{\n\tlog default {\n\t\toutput file /l/d.log\n\t}\n\tlog extra {\n\t\toutput stderr\n\t\tlevel ERROR\n\t}\n}\nimport sites/*.caddy\n",
    "http://{$HOST:localhost}:8081 {\n\tlog {\n\t\toutput file {$DIR:/l}/{$NOPE}x.log\n\t}\n}\n",
];

/// What stands in a heredoc (Caddy 2.7) is text. Debian 12's Caddy is older and has none, so that
/// the logs are named here; one that has them is asked, too.
#[test]
fn heredocs_are_text() {
    let Some(caddy) = need("caddy") else { return };
    let dir = site();
    let conf = dir.path().join("Caddyfile");
    let text = "a.org {\n\trespond <<HTML\n\t\t<p>\n\n\t\tlog {\n\t\t\toutput file /l/no.log\n\t\t}\n\t\tHTML 200\n\tlog {\n\t\toutput file /l/a.log\n\t}\n}\n\
                b.org {\n\trespond \\<<HTML\n\theader X << y\n\tlog {\n\t\toutput file <<N\n\t\t\t/l/b c.log\n\t\t\tN\n\t}\n}\n";
    write(&conf, text);
    let report = super::log_paths("caddy", &conf, &["--config-only"])
        .expect_code(0)
        .json();
    let got: BTreeSet<(String, u64)> = items(&report)
        .iter()
        .filter(|item| item["sink"] == "file")
        .map(|item| {
            (
                item["path"].as_str().unwrap().to_owned(),
                item["source"]["line"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        got,
        BTreeSet::from([("/l/a.log".to_owned(), 10), ("/l/b c.log".to_owned(), 17)]),
        "{report:#}"
    );
    if has_heredocs(&caddy) {
        let adapted = Command::new(&caddy)
            .args(["adapt", "--config"])
            .arg(&conf)
            .output()
            .unwrap();
        assert!(
            adapted.status.success(),
            "{}",
            String::from_utf8_lossy(&adapted.stderr)
        );
        let said = String::from_utf8_lossy(&adapted.stdout).into_owned();
        assert!(
            said.contains("/l/a.log")
                && said.contains("/l/b c.log")
                && !said.contains("\"/l/no.log"),
            "{said}"
        );
    }
    write(&conf, "a.org {\n\trespond <<HTML\n\t\tx\n}\n");
    let report = super::log_paths("caddy", &conf, &["--config-only"])
        .expect_code(3)
        .json();
    assert_eq!(
        (
            report["errors"][0]["code"].as_str(),
            report["errors"][0]["line"].as_u64()
        ),
        (Some("config_invalid"), Some(2)),
        "{report:#}"
    );
}

/// Since 2.7.
fn has_heredocs(caddy: &std::path::Path) -> bool {
    let said = Command::new(caddy).arg("version").output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let numbers: Vec<u32> = said
        .trim_start_matches('v')
        .split(['.', ' ', '-'])
        .filter_map(|part| part.parse().ok())
        .collect();
    numbers
        .get(..2)
        .is_some_and(|version| version >= [2, 7].as_slice())
}

#[test]
fn a_caddyfile_is_read_as_caddy_adapts_it() {
    let Some(caddy) = need("caddy") else { return };
    for text in FILES {
        let dir = site();
        let conf = dir.path().join("Caddyfile");
        write(&conf, text);
        write(
            &dir.path().join("sites/one.caddy"),
            "one.org {\n\tlog {\n\t\toutput file /l/one.log\n\t}\n}\n",
        );
        let adapted = Command::new(&caddy)
            .args(["adapt", "--config"])
            .arg(&conf)
            .env("SITE", "named")
            .env("DIR", "/env")
            .output()
            .unwrap();
        assert!(
            adapted.status.success(),
            "{text}\n{}",
            String::from_utf8_lossy(&adapted.stderr)
        );
        let wanted: Value = serde_json::from_slice(&adapted.stdout).unwrap();
        let run = |path: &std::path::Path| {
            let run = harness::tool("log-paths")
                .env("SITE", "named")
                .env("DIR", "/env")
                .args(["--config-only", "--conf"]);
            let report = run
                .arg(format!("caddy={}", path.display()))
                .arg("caddy")
                .run()
                .expect_code(0)
                .json();
            items(&report)
                .iter()
                .filter(|item| item["evidence"][0] == "config")
                .map(shown)
                .collect::<BTreeSet<String>>()
        };
        let got = run(&conf);
        let want: BTreeSet<String> = wanted["logging"]["logs"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, log)| adapted_shown(log))
            .filter(|log| !log.ends_with("stdio ") || got.contains(log))
            .collect();
        assert_eq!(got, want, "{text}");
        let json = dir.path().join("caddy.json");
        write(&json, &adapted.stdout);
        let from_json = run(&json);
        assert!(
            want.is_subset(&from_json),
            "{text}\n{want:?}\n{from_json:?}"
        );
    }
}

fn shown(item: &Value) -> String {
    let place = item["path"].as_str().unwrap_or("");
    let sink = item["sink"].as_str().unwrap();
    let rolls = if item["rotated_by"]["tool"] == "caddy" {
        "rolls"
    } else {
        ""
    };
    format!("{} {sink} {place}{rolls}", item["kind"].as_str().unwrap())
}

fn adapted_shown(log: &Value) -> String {
    let writer = &log["writer"];
    let access = log["include"].as_array().is_some_and(|list| {
        list.iter()
            .any(|name| name.as_str().unwrap().starts_with("http.log.access"))
    });
    let kind = if access { "access" } else { "error" };
    let rolls = if writer["output"] == "file" && writer["roll"] != false {
        "rolls"
    } else {
        ""
    };
    let sink = match writer["output"].as_str() {
        None | Some("stdout" | "stderr") => "stdio",
        Some(other) => other,
    };
    format!(
        "{kind} {sink} {}{rolls}",
        writer["filename"].as_str().unwrap_or("")
    )
}
