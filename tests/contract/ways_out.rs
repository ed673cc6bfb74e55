//! Every way out of a tool has the whole envelope: a finished run, a run that was stopped, a call
//! that Ansible is refused, a module that was killed, a module whose tool is not installed. The
//! harness checks each object against the tool's schema.

use crate::envelope::KEYS;
use crate::sample;
use harness::{TempDir, Tool, schema, scratch, source_root, tool};
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// The envelope of a run that ended with this error, and nothing besides.
#[track_caller]
fn expect_bare(report: &Value, name: &str, rc: i32, status: &str, kind: &str) {
    let mut keys: Vec<&str> = report
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut wanted = KEYS.to_vec();
    keys.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(keys, wanted, "{report}");
    let shown = json!([
        report["tool"],
        report["schema"],
        report["version"],
        report["rc"],
        report["status"],
        report["failed"],
        report["changed"],
        report["warnings"],
        report["error"]["kind"],
    ]);
    let version = env!("CARGO_PKG_VERSION");
    let schema = base::report::SCHEMA;
    assert_eq!(
        shown,
        json!([name, schema, version, rc, status, true, false, [], kind]),
        "{report}"
    );
    assert_eq!(report["msg"], report["comment"]);
    let message = report["error"]["message"].as_str().unwrap();
    assert!(
        report["msg"].as_str().unwrap().contains(message),
        "{report}"
    );
}

fn from_ansible(name: &str, keys: &Value) -> (TempDir, Tool) {
    let dir = scratch();
    let file = dir.path().join("args");
    std::fs::write(&file, keys.to_string()).unwrap();
    (dir, tool(name).arg("--ansible-args").arg(file))
}

#[test]
fn ansible_is_refused_with_a_whole_envelope() {
    for name in harness::TOOLS {
        for keys in [json!({"no_such_key": 1}), json!([1])] {
            let (_dir, call) = from_ansible(name, &keys);
            let report = call.run().expect_code(2).json();
            expect_bare(
                &report,
                name,
                2,
                "failed",
                report["error"]["kind"].as_str().unwrap(),
            );
            assert!(["usage", "input"].contains(&report["error"]["kind"].as_str().unwrap()));
        }
    }
}

#[test]
fn a_module_that_is_killed_leaves_a_whole_envelope() {
    let page = scratch();
    let keys = json!({
        "command": "during", "dir": page.path(), "on_failure": "off",
        "argv": ["sh", "-c", "kill -9 $PPID; sleep 5"],
    });
    let (_dir, call) = from_ansible("maint-page", &keys);
    let report = call.run().expect_code(137).json();
    expect_bare(&report, "maint-page", 137, "failed", "failed");
    assert!(
        report["msg"].as_str().unwrap().contains("SIGKILL"),
        "{report}"
    );
}

#[test]
fn a_stopped_run_leaves_a_whole_envelope_in_every_format() {
    for sample in sample::all() {
        let stopped = ["--journal", "/no/such/directory/journal"];
        let report = sample.with(&stopped).run().expect_code(3).json();
        expect_bare(&report, sample.name, 3, "failed", "not_found");
        // For a person the error is on standard error alone.
        let done = sample.with(&stopped).args(["-o", "text"]).run();
        done.expect_code(3)
            .expect_silence()
            .expect_err("cannot open the journal");
    }
}

#[test]
fn a_run_stopped_by_a_lock_is_in_the_journal_whatever_the_format() {
    let dir = scratch();
    let (page, journal) = (dir.path().join("page"), dir.path().join("journal"));
    let on = |options: &[&str]| {
        tool("maint-page")
            .args(["on", "--dir"])
            .arg(&page)
            .args(options.iter().copied())
    };
    on(&[]).run().expect_code(0);
    let lock = std::fs::File::open(page.join(".lock")).unwrap();
    let held = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    let path = journal.to_str().unwrap();
    on(&["-o", "text", "--journal", path])
        .run()
        .expect_code(75)
        .expect_silence();
    drop(held);
    let line = std::fs::read_to_string(&journal).unwrap();
    let report: Value = serde_json::from_str(&line).unwrap();
    schema::check("maint-page", &report, &line);
    expect_bare(&report, "maint-page", 75, "retry", "locked");
}

#[test]
fn a_module_whose_tool_is_not_installed_leaves_a_whole_envelope() {
    for name in harness::TOOLS {
        let module = format!(
            "shared/ansible/plugins/modules/{}.sh",
            name.replace('-', "_")
        );
        let text = std::fs::read_to_string(source_root().join(module)).unwrap();
        // Where the tools are installed on this machine, the module would find them.
        let text = text.replace(&format!("command -v {name}"), "false");
        let done = Command::new("sh")
            .args(["-c", &text, "module"])
            .arg(Path::new("/dev/null"))
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(127));
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        schema::check(name, &report, &text);
        expect_bare(&report, name, 127, "failed", "not_found");
    }
}
