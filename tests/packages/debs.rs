//! The .deb packages as Debian's own programs read them.

use crate::{dist, run};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn field(package: &Path, name: &str) -> String {
    run(Command::new("dpkg-deb")
        .arg("--field")
        .arg(package)
        .arg(name))
    .trim()
    .to_string()
}

#[test]
#[ignore = "reads release builds: make packages"]
fn lintian_has_nothing_to_say() {
    let mut lintian = Command::new("lintian");
    lintian
        .args([
            "--fail-on=error,warning",
            "--allow-root",
            "--pedantic",
            "--display-info",
        ])
        .args(dist("deb"));
    let said = run(&mut lintian);
    // Hints of the lowest kind that are no fault: Rust's own checks are what fortified C functions
    // are for C; words of which one string of a program ends where the next begins, or that stand
    // in a crate; the README is where ansible-galaxy looks for it.
    let known = [
        "hardening-no-fortify-functions",
        "spelling-error-in-binary",
        "package-contains-documentation-outside-usr-share-doc",
    ];
    let rest: Vec<&str> = said
        .lines()
        .filter(|line| {
            !known
                .iter()
                .any(|tag| line.starts_with("I: ") && line.contains(tag))
        })
        .collect();
    assert!(rest.is_empty(), "{}", rest.join("\n"));
}

#[test]
#[ignore = "reads release builds: make packages"]
fn each_package_has_what_debian_policy_asks_for() {
    for package in dist("deb") {
        let name = field(&package, "Package");
        let listed = run(Command::new("dpkg-deb").arg("--contents").arg(&package));
        let files: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.split(" ./").nth(1))
            .filter(|path| !path.is_empty() && !path.ends_with('/'))
            .collect();
        for document in ["copyright", "changelog.gz", "changelog.Debian.gz"] {
            assert!(
                files.contains(&format!("usr/share/doc/{name}/{document}").as_str()),
                "{name}: no {document}"
            );
        }
        for line in listed.lines() {
            assert!(line.contains(" root/root "), "{name}: {line}");
        }
        let sums = run(Command::new("dpkg-deb")
            .args(["--info"])
            .arg(&package)
            .arg("md5sums"));
        let summed: BTreeSet<&str> = sums
            .lines()
            .filter_map(|line| line.split("  ").nth(1))
            .collect();
        assert_eq!(summed, files.iter().copied().collect(), "{name}: checksums");
        let is_tool = harness::TOOLS.contains(&name.as_str());
        assert_eq!(field(&package, "Architecture") == "all", !is_tool, "{name}");
        assert_eq!(
            field(&package, "Source"),
            if name == "runbook-tools" {
                ""
            } else {
                "runbook-tools"
            }
        );
        assert!(
            field(&package, "Description").lines().count() > 2,
            "{name}: no description"
        );
        assert!(
            files
                .iter()
                .any(|path| path.starts_with("usr/share/man/") && path.ends_with(".gz"))
                || name.starts_with("ansible-"),
            "{name}"
        );
    }
}

/// What dpkg-shlibdeps, Debian's own reader of ELF files, finds in the programs.
#[test]
#[ignore = "reads release builds: make packages"]
fn each_tool_depends_on_the_libraries_it_is_linked_to() {
    let scratch = harness::scratch();
    std::fs::create_dir(scratch.path().join("debian")).expect("a directory");
    std::fs::write(
        scratch.path().join("debian/control"),
        "Source: x\n\nPackage: x\nArchitecture: any\n",
    )
    .expect("a control file");
    for package in dist("deb") {
        let name = field(&package, "Package");
        if !harness::TOOLS.contains(&name.as_str()) {
            continue;
        }
        let root = scratch.path().join(&name);
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&package)
            .arg(&root));
        let mut read = Command::new("dpkg-shlibdeps");
        let needed = run(read
            .arg("-O")
            .arg(root.join("usr/bin").join(&name))
            .current_dir(scratch.path()));
        let mut needed: Vec<&str> = needed
            .trim()
            .trim_start_matches("shlibs:Depends=")
            .split(", ")
            .collect();
        let given = field(&package, "Depends");
        let mut given: Vec<&str> = given.split(", ").collect();
        needed.sort_unstable();
        given.sort_unstable();
        assert_eq!(given, needed, "{name}");
        assert!(
            given.iter().any(|each| each.starts_with("libc6 ")),
            "{name}: {given:?}"
        );
    }
}
