//! The envelope.

use crate::sample;
use harness::{scratch, tool};
use serde_json::Value;

/// The keys of every report, whichever way a run ends.
pub const KEYS: [&str; 14] = [
    "schema",
    "tool",
    "version",
    "status",
    "changed",
    "failed",
    "rc",
    "dry_run",
    "msg",
    "comment",
    "warnings",
    "error",
    "started_at",
    "elapsed_ms",
];

#[test]
fn every_report_has_the_common_keys() {
    for sample in sample::all() {
        let report = sample.tool().run().expect_code(0).json();
        let keys = report.as_object().unwrap();
        for key in KEYS.iter() {
            assert!(
                keys.contains_key(*key),
                "{}: no {key}: {report}",
                sample.name
            );
        }
        assert_eq!(report["schema"], base::report::SCHEMA);
        assert_eq!(report["tool"], sample.name);
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(report["status"], "ok");
        assert_eq!(report["failed"], false);
        assert_eq!(report["dry_run"], false);
        assert_eq!(report["msg"], report["comment"]);
        assert!(!report["msg"].as_str().unwrap().is_empty());
        assert_eq!(report["error"], Value::Null);
        assert!(
            report["started_at"].as_str().unwrap().ends_with('Z'),
            "{report}"
        );
        assert!(report["elapsed_ms"].is_u64());
    }
}

#[test]
fn nothing_has_a_name_that_ansible_gives_a_meaning() {
    for sample in sample::all() {
        let report = sample.tool().run().json();
        for key in report.as_object().unwrap().keys() {
            assert!(
                !["results", "stdout", "stderr", "exception", "invocation"].contains(&key.as_str()),
                "{}: {key}",
                sample.name
            );
            assert!(!key.starts_with("ansible_"), "{}: {key}", sample.name);
            assert!(
                key.bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()),
                "{}: {key}",
                sample.name
            );
        }
        assert!(
            report.get("diff").is_none(),
            "{}: a diff nobody asked for",
            sample.name
        );
    }
}

#[test]
fn quiet_says_nothing_where_there_is_nothing_to_say() {
    for sample in sample::all() {
        let done = sample.with(&["-q"]).run().expect_code(0).expect_silence();
        assert_eq!(done.err(), "", "{}", sample.name);
    }
}

#[test]
fn the_journal_has_a_line_for_each_run() {
    for sample in sample::all() {
        let dir = scratch();
        let journal = dir.path().join("journal");
        let path = journal.to_str().unwrap();
        sample
            .with(&["-q", "--journal", path])
            .run()
            .expect_code(0)
            .expect_silence();
        sample
            .with(&["-o", "text", "--journal", path])
            .run()
            .expect_code(0);
        let text = std::fs::read_to_string(&journal).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{}: {text}", sample.name);
        assert!(
            lines
                .iter()
                .all(|l| l["tool"] == sample.name && l["status"] == "ok"),
            "{text}"
        );
    }
}

#[test]
fn a_journal_that_cannot_be_opened_stops_it_before_the_work() {
    for sample in sample::all() {
        let done = sample
            .with(&["--journal", "/no/such/directory/journal"])
            .run()
            .expect_code(3)
            .expect_no_body("items");
        assert!(
            done.err()
                .starts_with(&format!("{}: cannot open the journal", sample.name)),
            "{}",
            done.err()
        );
    }
}

#[test]
fn many_write_one_journal_without_mixing_lines() {
    let sample = sample::all().swap_remove(0);
    let dir = scratch();
    let journal = dir.path().join("journal");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    sample
                        .with(&["-q", "--journal", journal.to_str().unwrap()])
                        .run()
                        .expect_code(0);
                }
            });
        }
    });
    let text = std::fs::read_to_string(&journal).unwrap();
    assert_eq!(
        text.lines()
            .filter(|l| serde_json::from_str::<Value>(l).is_ok())
            .count(),
        40
    );
}

#[test]
fn a_usage_error_leaves_standard_output_empty_and_says_what_to_type() {
    for name in harness::TOOLS {
        let done = tool(name)
            .arg("--no-such-option")
            .run()
            .expect_code(2)
            .expect_silence();
        assert!(
            done.err()
                .starts_with(&format!("{name}: unknown option --no-such-option\n")),
            "{}",
            done.err()
        );
        assert!(done.err().contains("\nhint: "), "{}", done.err());
    }
}
