//! check-reqs: what is typed, and what comes back.

mod files;
mod fixes;
mod formats;
mod hostile;
mod hosts;
mod types;
mod unknown;
mod versions;

use harness::{Output, tool};
use serde_json::Value;

/// check-reqs with these arguments.
pub fn check(args: &[&str]) -> Output {
    tool("check-reqs").args(args).run()
}

/// check-reqs with a file on standard input.
pub fn check_file(text: &str, args: &[&str]) -> Output {
    tool("check-reqs")
        .args(["-f", "-"])
        .args(args)
        .input(text)
        .run()
}

/// The statuses, in order.
pub fn statuses(report: &Value) -> Vec<String> {
    report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["status"].as_str().unwrap().to_string())
        .collect()
}

/// Status and reason of the only item.
pub fn answer(output: &Output) -> (String, String) {
    let report = output.json();
    let items = report["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{report}");
    (
        items[0]["status"].as_str().unwrap().to_string(),
        items[0]["reason"].as_str().unwrap_or("").to_string(),
    )
}

/// The answer to one NEED.
pub fn ask(need: &str) -> (String, String) {
    answer(&check(&[need]))
}

/// A web server that never answers, and the NEED that asks it: nobody can tell.
pub fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let need = format!("http:http://{}/", listener.local_addr().unwrap());
    (listener, need)
}

/// A pair as [`answer`] gives it.
pub fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_string(), reason.to_string())
}

#[test]
fn the_report_keeps_the_order_and_the_exit_code_says_the_worst() {
    let done = check(&["cmd:no-such-program", "cmd:sh", "disk:/:1K"]).expect_code(1);
    let report = done.json();
    assert_eq!(statuses(&report), ["unmet", "met", "met"]);
    assert_eq!(report["msg"], "1 unmet, 2 met");
    assert_eq!(report["failed"], true);
    let item = &report["items"][0];
    assert_eq!(item["id"], "cmd:no-such-program");
    assert_eq!(item["type"], "command");
    assert_eq!(item["severity"], "fail");
    assert_eq!(item["reason"], "missing");
    assert_eq!(item["attempts"], 1);
    assert!(
        item["fix"]["summary"]
            .as_str()
            .unwrap()
            .contains("no-such-program")
    );

    check(&["cmd:sh", "disk:/:1K"]).expect_code(0);
    let (_listener, need) = silent();
    let unknown = check(&["--each", "300ms", &need, "cmd:sh"])
        .expect_code(3)
        .json();
    assert_eq!(statuses(&unknown), ["unknown", "met"]);
    assert_eq!(unknown["status"], "failed");
}

#[test]
fn severity_and_fail_on_decide_what_a_warning_is() {
    let file = "[[check]]\nid = \"soft\"\ntype = \"command\"\nname = \"no-such-program\"\nseverity = \"warn\"\n";
    let report = check_file(file, &[]).expect_code(0).json();
    assert_eq!(statuses(&report), ["warn"]);
    assert!(report["items"][0]["fix"].is_object());
    check_file(file, &["--fail-on", "warn"]).expect_code(1);
    check_file(file, &["--fail-on", "unknown"]).expect_code(1);
    let (_listener, need) = silent();
    check(&["--each", "200ms", "--fail-on", "unknown", &need]).expect_code(1);
}

#[test]
fn what_is_needed_comes_first_and_a_failed_need_skips_what_waits() {
    let file = r#"
[[check]]
id = "last"
type = "command"
name = "sh"
needs = ["middle"]
[[check]]
id = "middle"
type = "command"
name = "sh"
needs = ["first"]
[[check]]
id = "first"
type = "command"
name = "${first}"
"#;
    let met = check_file(file, &["--set", "first=sh"])
        .expect_code(0)
        .json();
    assert_eq!(statuses(&met), ["met", "met", "met"]);
    let unmet = check_file(file, &["--set", "first=no-such-program"])
        .expect_code(1)
        .json();
    assert_eq!(statuses(&unmet), ["skipped", "skipped", "unmet"]);
    assert_eq!(unmet["items"][0]["reason"], "needs");
    assert_eq!(unmet["items"][0]["needs"][0], "middle");
    // One chosen brings what it needs.
    let only = check_file(file, &["--set", "first=sh", "--only", "middle"])
        .expect_code(0)
        .json();
    let ids: Vec<_> = only["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["middle", "first"]);
}

#[test]
fn conditions_and_tags_choose() {
    let file = r#"
[set]
role = "web"
[[check]]
id = "here"
type = "command"
name = "sh"
when = "set.role == 'web' and arch in 'x86_64 aarch64'"
tags = ["nightly"]
[[check]]
id = "elsewhere"
type = "command"
name = "no-such-program"
when = "os.id == 'plan9'"
"#;
    let report = check_file(file, &[]).expect_code(0).json();
    assert_eq!(statuses(&report), ["met", "skipped"]);
    assert_eq!(report["items"][1]["reason"], "when");
    assert_eq!(
        statuses(
            &check_file(file, &["--tag", "nightly"])
                .expect_code(0)
                .json()
        ),
        ["met"]
    );
    assert_eq!(
        statuses(
            &check_file(file, &["--set", "role=db"])
                .expect_code(0)
                .json()
        ),
        ["skipped", "skipped"]
    );
    check_file(file, &["--tag", "weekly"])
        .expect_code(2)
        .expect_err("no requirement has the tag weekly");
}

#[test]
fn list_and_explain_look_at_nothing() {
    let listed = check(&["--list", "disk:/srv:2G", "python>=3.10"])
        .expect_code(0)
        .json();
    assert_eq!(listed["items"], serde_json::json!([]));
    assert_eq!(listed["listed"][0]["expected"], "2G free at /srv");
    assert_eq!(listed["listed"][1]["type"], "python");
    let explained = check(&["--explain", "memory:1M", "memory:1M", "cmd:sh"])
        .expect_code(0)
        .json();
    assert_eq!(explained["listed"].as_array().unwrap().len(), 1);
    assert!(
        explained["listed"][0]["how"]
            .as_str()
            .unwrap()
            .contains("/proc/meminfo")
    );
    check(&["--explain", "memory:2M", "memory:1M"])
        .expect_code(2)
        .expect_err("did you mean 'memory:1M'?");
}

#[test]
fn usage_errors_touch_nothing_and_say_what_to_type() {
    for (args, says) in [
        (&[][..], "no requirement is given"),
        (&["prot:80"], "did you mean 'port:'"),
        (&["disk:/srv"], "the amount is missing"),
        (&["disk:/srv:2X"], "is not a size"),
        (&["python>=x"], "is not a version specifier"),
        (&["pkg:nginx1.2>=", ""], "names no version"),
        (&["cmd:sh", "cmd:sh"], "is there already"),
        (&["--interval", "1s", "cmd:sh"], "--interval needs --wait"),
        (&["--set", "x", "cmd:sh"], "has no value"),
        (&["--only", "cmd:hs", "cmd:sh"], "did you mean 'cmd:sh'"),
        (
            &["--list", "--explain", "x", "cmd:sh"],
            "exclude each other",
        ),
        (&["cmd:${name}"], "${name} is not set"),
        (&["-f", "/no/such/file"], "cannot read '/no/such/file'"),
    ] {
        check(args).expect_code(2).expect_silence().expect_err(says);
    }
}

#[test]
fn waiting_keeps_one_document_and_counts_the_attempts() {
    let dir = harness::scratch();
    let path = dir.path().join("ready");
    let need = format!("file:{}", path.display());
    let writer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(700));
        std::fs::write(path, "").unwrap();
    });
    let report = check(&["--wait", "30s", "--interval", "100ms", &need, "cmd:sh"])
        .expect_code(0)
        .json();
    writer.join().unwrap();
    assert_eq!(statuses(&report), ["met", "met"]);
    assert!(
        report["items"][0]["attempts"].as_u64().unwrap() > 1,
        "{report}"
    );
    assert_eq!(
        report["items"][1]["attempts"], 1,
        "what is met is not looked at again"
    );
    let never = check(&[
        "--wait",
        "300ms",
        "--interval",
        "100ms",
        "cmd:no-such-program",
    ])
    .expect_code(1)
    .json();
    assert!(never["items"][0]["attempts"].as_u64().unwrap() > 1);
}
