//! Every format is read back by a program that reads it in earnest.

use super::{check, check_file};
use harness::{need, scratch, test_venv};
use std::io::Write;
use std::process::{Command, Stdio};

/// One of each status, with everything in the words that a format has to escape.
const ONE_OF_EACH: &str = r##"
[[check]]
id = "met | # 1"
type = "command"
name = "sh"
[[check]]
id = "un\"met\" <&> \\ \n"
type = "command"
name = "no-such-program"
[[check]]
id = "warned"
type = "command"
name = "no-such-program"
severity = "warn"
[[check]]
id = "unknown"
type = "command"
name = "sh"
args = ["-c", "sleep 60"]
version = ">=1"
timeout = "200ms"
[[check]]
id = "skipped é\u001b[31m"
type = "command"
name = "sh"
when = "os.id == 'plan9'"
"##;

fn consumer(program: &std::path::Path, args: &[&str], input: &[u8]) -> (bool, String) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    (
        done.status.success(),
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
    )
}

fn python(script: &str, input: &[u8]) -> String {
    let (good, said) = consumer(&test_venv().join("bin/python"), &["-c", script], input);
    assert!(good, "{said}");
    said
}

#[test]
fn jq_reads_json_and_ndjson() {
    let Some(jq) = need("jq") else { return };
    let json = check_file(ONE_OF_EACH, &[]).expect_code(1);
    let (good, said) = consumer(&jq, &["-r", ".items[].status"], &json.stdout);
    assert!(good);
    assert_eq!(said, "met\nunmet\nwarn\nunknown\nskipped\n");
    let lines = check_file(ONE_OF_EACH, &["-o", "ndjson"]).expect_code(1);
    assert_eq!(lines.out().lines().count(), 5);
    let (good, said) = consumer(&jq, &["-r", "select(.fix) | .type"], &lines.stdout);
    assert!(good);
    assert_eq!(said, "command\ncommand\n");
    // The repair script of the manual.
    let gaps = check(&["group:cr-no-such-group", "cmd:sh"]).expect_code(1);
    let filter = ".items[].fix.steps[]? | select(.kind == \"shell\") | .text";
    assert_eq!(
        consumer(&jq, &["-r", filter], &gaps.stdout).1,
        "getent group cr-no-such-group >/dev/null || groupadd --system cr-no-such-group\n"
    );
}

#[test]
fn text_is_for_people_and_drives_no_terminal() {
    let done = check_file(ONE_OF_EACH, &["-o", "text", "--color", "never"]).expect_code(1);
    let text = done.out();
    assert!(text.contains("✓ met | # 1"), "{text}");
    assert!(text.contains("To fix\n"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    assert!(
        text.ends_with("1 unmet, 1 unknown, 1 warned, 1 skipped, 1 met\n"),
        "{text}"
    );
}

#[test]
fn a_monitoring_plugin_has_its_own_exit_codes() {
    let done = check_file(ONE_OF_EACH, &["-o", "nagios"]).expect_code(2);
    let text = done.out();
    let first = text.lines().next().unwrap();
    assert!(first.starts_with("REQS CRITICAL - "), "{first}");
    // Performance data as the guidelines have it: 'label'=value[UOM];[warn];[crit];[min];[max],
    // read with their grammar.
    let script = r#"
import re, sys
text = sys.stdin.read()
head, _, data = text.split("\n", 1)[0].partition("|")
assert text.count("|") == 1, text
found = dict(re.fullmatch(r"([^'=]+)=([0-9.]+)(?:s|%|[KMGT]?B|c)?(?:;[^;]*){0,4}", word).groups() for word in data.split())
assert found["met"] == "1" and found["unmet"] == "1" and found["skipped"] == "1", found
"#;
    python(script, &done.stdout);
    check(&["-o", "nagios", "cmd:sh"]).expect_code(0);
    let (_listener, need) = super::silent();
    check(&["-o", "nagios", "--each", "200ms", &need]).expect_code(3);
    let warned = "[[check]]\ntype = \"command\"\nname = \"no-such-program\"\nseverity = \"warn\"\n";
    check_file(warned, &["-o", "nagios"]).expect_code(1);
}

#[test]
fn prove_reads_tap() {
    let Some(prove) = need("prove") else { return };
    let dir = scratch();
    let file = dir.path().join("reqs.t");
    let run = |text: &[u8]| {
        std::fs::write(&file, text).unwrap();
        consumer(&prove, &["-v", "-e", "cat", file.to_str().unwrap()], b"")
    };
    let (good, said) = run(&check_file(ONE_OF_EACH, &["-o", "tap"])
        .expect_code(1)
        .stdout);
    assert!(!good && said.contains("Failed 2/5 subtests"), "{said}");
    assert!(!said.contains("Parse errors"), "{said}");
    let (good, said) = run(&check(&["-o", "tap", "cmd:sh", "disk:/:1K"])
        .expect_code(0)
        .stdout);
    assert!(good && said.contains("Result: PASS"), "{said}");
}

#[test]
fn an_xml_parser_reads_junit() {
    let done = check_file(ONE_OF_EACH, &["-o", "junit"]).expect_code(1);
    let script = r#"
import sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
suite = root.find("testsuite")
assert root.tag == "testsuites" and suite.get("tests") == "5", suite.attrib
cases = suite.findall("testcase")
kinds = [[child.tag for child in case] for case in cases]
assert kinds == [[], ["failure"], ["system-err"], ["error"], ["skipped"]], kinds
assert cases[1].get("name") == 'un"met" <&> \\ \n', repr(cases[1].get("name"))
assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "1")
float(suite.get("time"))
"#;
    python(script, &done.stdout);
}

#[test]
fn prometheus_own_parser_reads_the_samples() {
    let done = check_file(ONE_OF_EACH, &["-o", "prometheus"]).expect_code(1);
    let script = r#"
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
families = {family.name: family for family in parse(sys.stdin.read())}
met = {s.labels["id"]: s.value for s in families["check_reqs_met"].samples}
assert met == {"met | # 1": 1.0, 'un"met" <&> \\ \n': 0.0, "warned": 0.0, "unknown": 0.0}, met
unknown = {s.labels["id"]: s.value for s in families["check_reqs_unknown"].samples}
assert unknown["unknown"] == 1.0
totals = {s.labels["status"]: s.value for s in families["check_reqs_requirements"].samples}
assert totals == {"met": 1, "unmet": 1, "warn": 1, "unknown": 1, "skipped": 1}, totals
assert all(family.documentation for family in families.values())
"#;
    python(script, &done.stdout);
}
