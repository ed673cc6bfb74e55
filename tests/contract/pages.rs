//! Manuals, completions, schemas and the collection are what the definitions say, and are what
//! their readers accept.

use harness::{need, source_root};
use std::process::Command;

#[test]
fn generated_pages_are_up_to_date() {
    if let Err(error) = runbook_docgen::run(&source_root(), true) {
        panic!("{error}; {}", error.hint.as_deref().unwrap_or_default());
    }
}

#[test]
fn all_seven_are_documented() {
    let mut names: Vec<&str> = runbook_docgen::TOOLS.iter().map(|t| t.line.name).collect();
    let mut all = harness::TOOLS.to_vec();
    names.sort_unstable();
    all.sort_unstable();
    assert_eq!(names, all);
}

#[test]
fn mandoc_finds_nothing_to_say_about_the_manuals() {
    let Some(mandoc) = need("mandoc") else { return };
    for page in std::fs::read_dir(source_root().join("man")).unwrap() {
        let path = page.unwrap().path();
        let done = Command::new(&mandoc)
            .args(["-Tlint", "-Wstyle"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        // What a page refers to need not be installed here.
        let found: Vec<&str> = said
            .lines()
            .filter(|l| !l.contains("referenced manual not found"))
            .collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn every_section_a_manual_needs_is_there() {
    for tool in runbook_docgen::TOOLS {
        let line = tool.line;
        let path = source_root().join(format!("man/{}.{}", line.name, line.section));
        let text = std::fs::read_to_string(&path).unwrap();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "REPORT",
            "EXIT STATUS",
            "EXAMPLES",
            "FILES",
            "ENVIRONMENT",
            "SECURITY",
            "SEE ALSO",
        ] {
            let heading = if section.contains(' ') {
                format!(".SH \"{section}\"")
            } else {
                format!(".SH {section}")
            };
            assert!(
                text.contains(&heading),
                "{} lacks {section}",
                path.display()
            );
        }
    }
}

#[test]
fn a_manual_has_five_examples_and_a_synopsis_for_each_subcommand() {
    for tool in runbook_docgen::TOOLS {
        let line = tool.line;
        assert!(line.examples.len() >= 5, "{}: examples", line.name);
        let path = source_root().join(format!("man/{}.{}", line.name, line.section));
        let page = std::fs::read_to_string(&path).unwrap().replace("\\-", "-");
        let (_, commands) = page.split_once("\n.SH COMMANDS\n").unwrap_or_default();
        for command in line.commands.iter().filter(|command| !command.default) {
            let synopsis = format!("\n.SS {0}\n\\fB{1} {0}\\fR ", command.name, line.name);
            assert!(
                format!("\n{commands}").contains(&synopsis),
                "{}: {synopsis:?}",
                path.display()
            );
        }
    }
}

#[test]
fn what_a_manual_refers_to_is_in_that_section() {
    let tools = || runbook_docgen::TOOLS.iter().map(|tool| tool.line);
    for line in tools() {
        for page in line.see_also {
            let (name, section) = page.split_once('(').unwrap_or((page, ""));
            match tools().find(|other| other.name == name) {
                Some(other) => {
                    assert!(
                        section.is_empty() && other.name != line.name,
                        "{}: {page}: the section is in its own cli.rs",
                        line.name
                    );
                }
                None => assert!(
                    ["1)", "5)", "8)"].contains(&section),
                    "{}: {page}: no such tool, and no section",
                    line.name
                ),
            }
        }
    }
    // And as it came out, wherever in a manual that is.
    let mut seen = 0;
    for page in std::fs::read_dir(source_root().join("man")).unwrap() {
        let path = page.unwrap().path();
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("\\-", "-")
            .replace("\\fR", "")
            .replace("\\fB", "");
        for line in tools() {
            for (_, rest) in text
                .match_indices(&format!("{}(", line.name))
                .map(|(at, found)| text.split_at(at + found.len()))
            {
                assert!(
                    rest.starts_with(&format!("{})", line.section)),
                    "{}: {}({:.2}",
                    path.display(),
                    line.name,
                    rest
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 15, "{seen} references");
}

#[test]
fn the_shells_accept_their_completions() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let Some(program) = need(shell) else { return };
        for page in std::fs::read_dir(source_root().join("completions").join(shell)).unwrap() {
            let path = page.unwrap().path();
            let done = Command::new(&program)
                .arg(check)
                .arg(&path)
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }
}

/// The type of a JSON value in Ansible's words.
fn kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Object(_) => "dict",
        serde_json::Value::Array(_) => "list",
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Number(number) if number.is_f64() => "float",
        serde_json::Value::Number(_) => "int",
        _ => "str",
    }
}

#[test]
fn a_real_report_is_what_the_manual_and_ansible_say() {
    for sample in crate::sample::all() {
        let report = sample.tool().run().json();
        let tool = runbook_docgen::TOOLS
            .iter()
            .find(|tool| tool.line.name == sample.name)
            .unwrap();
        let page = format!("man/{}.{}", tool.line.name, tool.line.section);
        let manual = std::fs::read_to_string(source_root().join(page)).unwrap();
        let common = std::fs::read_to_string(source_root().join("man/runbook-tools.7")).unwrap();
        let (_, manual) = manual.split_once(".SH REPORT\n").unwrap();
        let (manual, _) = manual.split_once("\n.SH ").unwrap();
        let file = format!(
            "shared/ansible/plugins/modules/{}.yml",
            sample.name.replace('-', "_")
        );
        let documented = std::fs::read_to_string(source_root().join(file)).unwrap();
        let (_, returned) = documented.split_once("\nRETURN:\n").unwrap();
        for (key, value) in report.as_object().unwrap() {
            let tag = format!("\n\\fB{key}\\fR (");
            let own = !crate::envelope::KEYS.contains(&key.as_str());
            let page = if own { manual } else { &common };
            assert!(
                page.contains(&tag),
                "{}: {key} stands in no manual",
                sample.name
            );
            if value.is_null() || ["changed", "failed", "warnings", "diff"].contains(&key.as_str())
            {
                continue;
            }
            let (_, entry) = format!("\n{returned}")
                .split_once(&format!("\n  {key}:\n"))
                .map(|(before, entry)| (before.to_owned(), entry.to_owned()))
                .unwrap_or_else(|| panic!("{}: RETURN lacks {key}", sample.name));
            let (_, told) = entry.split_once("    type: ").unwrap();
            let told = told.lines().next().unwrap();
            assert_eq!(told, kind(value), "{}: {key}", sample.name);
        }
    }
}
