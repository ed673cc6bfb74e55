//! Options that mean the same everywhere, and the same options from Ansible.

use crate::sample;
use harness::{scratch, tool};
use serde_json::{Value, json};

#[test]
fn the_version_is_the_workspace_s() {
    for name in harness::TOOLS {
        for flag in ["-V", "--version"] {
            let done = tool(name).arg(flag).run().expect_code(0);
            assert_eq!(
                done.out(),
                format!("{name} {}\n", env!("CARGO_PKG_VERSION"))
            );
        }
    }
}

#[test]
fn help_comes_short_and_whole_and_lists_the_common_options() {
    for name in harness::TOOLS {
        let short = tool(name).arg("-h").run().expect_code(0).out();
        let whole = tool(name).arg("--help").run().expect_code(0).out();
        assert!(whole.len() > short.len(), "{name}");
        for opt in [
            "--dry-run",
            "--output",
            "--quiet",
            "--verbose",
            "--timeout",
            "--lock-wait",
            "--journal",
            "--color",
            "--help",
            "--version",
        ] {
            assert!(short.contains(opt), "{name} -h lacks {opt}:\n{short}");
        }
        for code in ["\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  75 "] {
            assert!(
                whole.contains(code),
                "{name} --help lacks exit status {code:?}:\n{whole}"
            );
        }
        let long: Vec<&str> = whole.lines().filter(|l| l.chars().count() > 120).collect();
        assert!(
            long.is_empty(),
            "{name} --help: lines too long for a terminal: {long:?}"
        );
    }
}

#[test]
fn every_subcommand_has_help_of_its_own() {
    for tool_described in runbook_docgen::TOOLS {
        let line = tool_described.line;
        for command in line.commands.iter().filter(|c| !c.default) {
            let done = tool(line.name)
                .args([command.name, "--help"])
                .run()
                .expect_code(0);
            assert!(
                done.out()
                    .starts_with(&format!("{} {}: ", line.name, command.name)),
                "{}",
                done.out()
            );
        }
    }
}

#[test]
fn durations_that_are_none_are_refused_by_name() {
    for sample in sample::all() {
        let done = sample
            .with(&["--timeout", "soon"])
            .run()
            .expect_code(2)
            .expect_silence();
        assert!(
            done.err().contains("--timeout: 'soon' is not a duration"),
            "{}",
            done.err()
        );
        let done = sample
            .with(&["-o", "yaml"])
            .run()
            .expect_code(2)
            .expect_silence();
        assert!(
            done.err()
                .contains("--output: 'yaml' is none of json, text"),
            "{}",
            done.err()
        );
    }
}

#[test]
fn ansible_hands_the_same_options_over_in_a_file() {
    for sample in sample::all() {
        let report = ansible(sample.name, &sample.keys).expect_code(0).json();
        assert_eq!(
            (&report["failed"], &report["changed"]),
            (&json!(false), &json!(false)),
            "{report}"
        );
        let mut keys = sample.keys.clone();
        keys["_ansible_check_mode"] = json!(true);
        keys["_ansible_verbosity"] = json!(3);
        let report = ansible(sample.name, &keys).json();
        assert_eq!(report["dry_run"], true, "{report}");
    }
}

#[test]
fn ansible_gets_one_object_for_wrong_options_too() {
    for sample in sample::all() {
        let mut keys = sample.keys.clone();
        keys["misspelled"] = json!(true);
        let done = ansible(sample.name, &keys).expect_code(2);
        let object = done.json();
        assert_eq!(object["failed"], true);
        assert!(
            object["msg"].as_str().unwrap().contains("misspelled"),
            "{object}"
        );
        let done = tool(sample.name)
            .args(["--ansible-args", "/no/such/file"])
            .run()
            .expect_code(2);
        assert_eq!(done.json()["failed"], true);
    }
}

fn ansible(name: &str, keys: &Value) -> harness::Output {
    let dir = scratch();
    let file = dir.path().join("args");
    std::fs::write(&file, keys.to_string()).unwrap();
    tool(name).arg("--ansible-args").arg(&file).run()
}
