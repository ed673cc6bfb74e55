//! The collection as Ansible's own programs take it: built, installed, its pages read.

use crate::controller::{ansible, collection, ok};
use harness::{TOOLS, scratch, source_root};
use serde_json::Value;

#[test]
fn the_collection_is_built_and_installed_and_its_pages_are_read() {
    let dir = scratch();
    collection(dir.path());
    let listed = ansible(dir.path(), "ansible-galaxy")
        .args(["collection", "list", "runbook.tools", "--format", "json"])
        .output()
        .unwrap();
    let listed: Value = serde_json::from_str(&ok(&listed, "list")).unwrap();
    let versions: Vec<&Value> = listed
        .as_object()
        .unwrap()
        .values()
        .map(|path| &path["runbook.tools"]["version"])
        .collect();
    assert_eq!(versions, [env!("CARGO_PKG_VERSION")]);
    let verified = ansible(dir.path(), "ansible-galaxy")
        .args(["collection", "verify", "--offline", "runbook.tools"])
        .output()
        .unwrap();
    ok(&verified, "verify");

    let names: Vec<String> = TOOLS
        .iter()
        .map(|tool| format!("runbook.tools.{}", tool.replace('-', "_")))
        .collect();
    let done = ansible(dir.path(), "ansible-doc")
        .args(["-t", "module", "--json"])
        .args(&names)
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stderr),
        "",
        "ansible-doc complains"
    );
    let pages: Value = serde_json::from_str(&ok(&done, "ansible-doc --json")).unwrap();
    for name in &names {
        let page = &pages[name];
        let doc = &page["doc"];
        assert_eq!(doc["collection"], "runbook.tools", "{name}");
        assert!(
            doc["short_description"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}"
        );
        for (key, option) in doc["options"].as_object().unwrap() {
            let kind = option["type"]
                .as_str()
                .unwrap_or_else(|| panic!("{name}: {key} has no type"));
            assert!(
                ["str", "path", "int", "bool", "list"].contains(&kind),
                "{name}: {key}: {kind}"
            );
            assert_eq!(
                kind == "list",
                option["elements"].is_string(),
                "{name}: {key}"
            );
            assert!(
                option["description"].is_string() || option["description"].is_array(),
                "{name}: {key} is not described"
            );
        }
        for (key, returned) in page["return"].as_object().unwrap() {
            assert!(
                returned["returned"].is_string() && returned["type"].is_string(),
                "{name}: {key}"
            );
        }
        assert!(
            ["full", "none"]
                .contains(&doc["attributes"]["check_mode"]["support"].as_str().unwrap()),
            "{name}"
        );
        assert!(
            page["examples"]
                .as_str()
                .is_some_and(|text| text.contains(name.as_str())),
            "{name}: no example"
        );
    }
    // As people read them.
    for name in &names {
        let text = ok(
            &ansible(dir.path(), "ansible-doc")
                .arg(name)
                .output()
                .unwrap(),
            name,
        );
        assert!(
            text.contains("OPTIONS") && text.contains("RETURN VALUES"),
            "{name}: {text}"
        );
    }
}

/// The examples of the pages are playbooks that Ansible accepts.
#[test]
fn the_examples_are_playbooks() {
    let dir = scratch();
    collection(dir.path());
    for tool in TOOLS {
        let module = tool.replace('-', "_");
        let page = std::fs::read_to_string(
            source_root().join(format!("shared/ansible/plugins/modules/{module}.yml")),
        )
        .unwrap();
        let examples = page
            .split("EXAMPLES: |\n")
            .nth(1)
            .unwrap()
            .split("\nRETURN:")
            .next()
            .unwrap();
        let tasks: String = examples.lines().map(|line| format!("  {line}\n")).collect();
        let path = dir.path().join(format!("{module}-example.yml"));
        std::fs::write(
            &path,
            format!("- hosts: localhost\n  gather_facts: false\n  tasks:\n{tasks}"),
        )
        .unwrap();
        let done = ansible(dir.path(), "ansible-playbook")
            .args(["-i", "localhost,", "--syntax-check"])
            .arg(&path)
            .output()
            .unwrap();
        ok(&done, &module);
    }
}

/// Of Ansible's own checks for collections those that need no network; shebang is for modules in
/// Python and PowerShell only.
#[test]
fn ansibles_own_checks_find_nothing() {
    let dir = scratch();
    let place = dir.path().join("ansible_collections/runbook");
    std::fs::create_dir_all(&place).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-R")
        .arg(source_root().join("shared/ansible"))
        .arg(place.join("tools"))
        .status();
    assert!(copied.unwrap().success());
    let path = std::env::join_paths([harness::test_venv().join("bin")].into_iter().chain(
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()),
    ));
    let mut sanity = ansible(dir.path(), "ansible-test");
    sanity
        .current_dir(place.join("tools"))
        .env("PATH", path.unwrap())
        .arg("sanity");
    for test in [
        "ansible-doc",
        "symlinks",
        "line-endings",
        "no-illegal-filenames",
        "no-smart-quotes",
        "empty-init",
        "ignores",
        "shellcheck",
    ] {
        sanity.args(["--test", test]);
    }
    ok(&sanity.output().unwrap(), "ansible-test sanity");
}
