//! The nginx reader beside crossplane's, on configurations of every syntax put together at random:
//! the same logs from the same lines.

use super::{items, log_paths, site, write};
use harness::{need, test_venv};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_same_logs_from_the_same_lines() {
    let Some(nginx) = need("nginx") else { return };
    let said = Command::new(nginx).arg("-V").output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let prefix = said
        .split_whitespace()
        .find_map(|word| word.strip_prefix("--prefix="))
        .unwrap();
    let dir = site();
    let script = dir.path().join("differ.py");
    write(&script, include_str!("crossplane_differ.py"));
    let rounds = if harness::full_sweep() { "3000" } else { "200" };
    let made = Command::new(test_venv().join("bin/python"))
        .arg(&script)
        .arg(dir.path())
        .arg(rounds)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let cases: Vec<Value> = serde_json::from_slice(&made.stdout).unwrap();
    assert!(
        cases.len() >= 100
            && cases
                .iter()
                .filter(|case| case["logs"] != serde_json::json!([]))
                .count()
                >= 50,
        "{}",
        cases.len()
    );
    for case in cases {
        let file = PathBuf::from(case["file"].as_str().unwrap());
        let report = log_paths("nginx", &file, &["--config-only"]).json();
        assert_eq!(
            report["errors"],
            serde_json::json!([]),
            "{}",
            std::fs::read_to_string(&file).unwrap()
        );
        let mut want: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for log in case["logs"].as_array().unwrap() {
            let text = |index: usize| log[index].as_str().unwrap().to_owned();
            if let Some(name) = wanted(&text(0), &text(1), prefix) {
                want.entry(name)
                    .or_insert((text(2), log[3].as_u64().unwrap()));
            }
        }
        let got: BTreeMap<String, (String, u64)> = items(&report)
            .iter()
            .filter(|item| item["evidence"][0] == "config")
            .map(|item| {
                (
                    shown(item),
                    (
                        normal(item["source"]["file"].as_str().unwrap()),
                        item["source"]["line"].as_u64().unwrap(),
                    ),
                )
            })
            .collect();
        let want: BTreeMap<String, (String, u64)> = want
            .into_iter()
            .map(|(name, (file, line))| (name, (normal(&file), line)))
            .collect();
        assert_eq!(
            got,
            want,
            "{}\n{}",
            file.display(),
            std::fs::read_to_string(&file).unwrap()
        );
    }
}

fn normal(path: &str) -> String {
    path.replace("/./", "/")
}

/// What a directive's first argument stands for, by nginx's manual.
fn wanted(directive: &str, name: &str, prefix: &str) -> Option<String> {
    let access = directive == "access_log";
    let kind = if access { "access" } else { "error" };
    let bytes = name.as_bytes();
    let variable = access
        && bytes
            .windows(2)
            .any(|pair| pair[0] == b'$' && (pair[1].is_ascii_alphanumeric() || pair[1] == b'{'));
    let place = match name {
        "off" if access => return None,
        "" => "stdio stderr".to_owned(),
        "stderr" if !access => "stdio stderr".to_owned(),
        _ if name.starts_with("syslog:") => format!("syslog {name}"),
        _ if name.starts_with("memory:") && !access => "memory ".to_owned(),
        _ if variable => format!("template {}", Path::new(prefix).join(name).display()),
        _ => format!("file {}", Path::new(prefix).join(name).display()),
    };
    Some(format!("{kind} {place}"))
}

fn shown(item: &Value) -> String {
    let place = item["path"]
        .as_str()
        .or(item["target"].as_str())
        .unwrap_or("");
    format!(
        "{} {} {place}",
        item["kind"].as_str().unwrap(),
        item["sink"].as_str().unwrap()
    )
}
