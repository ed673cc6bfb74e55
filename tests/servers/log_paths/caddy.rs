//! Caddy: what `caddy adapt` makes of a Caddyfile is what is read from it; and the JSON that it makes is read to the same.

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

#[test]
fn a_caddyfile_is_read_as_caddy_adapts_it() {
    let Some(caddy) = need("caddy") else { return };
    for text in FILES {
        let dir = site();
        let conf = dir.path().join("Caddyfile");
        write(&conf, text);
        write(&dir.path().join("sites/one.caddy"), "one.org {\n\tlog {\n\t\toutput file /l/one.log\n\t}\n}\n");
        let adapted = Command::new(&caddy).args(["adapt", "--config"]).arg(&conf).env("SITE", "named").env("DIR", "/env").output().unwrap();
        assert!(adapted.status.success(), "{text}\n{}", String::from_utf8_lossy(&adapted.stderr));
        let wanted: Value = serde_json::from_slice(&adapted.stdout).unwrap();
        let run = |path: &std::path::Path| {
            let run = harness::tool("log-paths").env("SITE", "named").env("DIR", "/env").args(["--config-only", "--conf"]);
            let report = run.arg(format!("caddy={}", path.display())).arg("caddy").run().expect_code(0).json();
            items(&report).iter().filter(|item| item["evidence"][0] == "config").map(shown).collect::<BTreeSet<String>>()
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
        assert!(want.is_subset(&from_json), "{text}\n{want:?}\n{from_json:?}");
    }
}

fn shown(item: &Value) -> String {
    let place = item["path"].as_str().unwrap_or("");
    let sink = item["sink"].as_str().unwrap();
    let rolls = if item["rotated_by"]["tool"] == "caddy" { "rolls" } else { "" };
    format!("{} {sink} {place}{rolls}", item["kind"].as_str().unwrap())
}

fn adapted_shown(log: &Value) -> String {
    let writer = &log["writer"];
    let access =
        log["include"].as_array().is_some_and(|list| list.iter().any(|name| name.as_str().unwrap().starts_with("http.log.access")));
    let kind = if access { "access" } else { "error" };
    let rolls = if writer["output"] == "file" && writer["roll"] != false { "rolls" } else { "" };
    let sink = match writer["output"].as_str() {
        None | Some("stdout" | "stderr") => "stdio",
        Some(other) => other,
    };
    format!("{kind} {sink} {}{rolls}", writer["filename"].as_str().unwrap_or(""))
}
