//! The .rpm packages, in a root of their own with rpm's own database.

use crate::{dist, files, run, sh, tree};
use harness::{TOOLS, scratch, source_root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn rpm(root: &Path, words: &[&str], packages: &[PathBuf]) -> String {
    run(Command::new("rpm")
        .arg("--root")
        .arg(root)
        .args(["--dbpath", "/var/lib/rpm"])
        .args(words)
        .args(packages))
}

fn query(package: &Path, words: &[&str]) -> Vec<String> {
    run(Command::new("rpm").arg("-qp").args(words).arg(package))
        .lines()
        .map(str::to_string)
        .collect()
}

#[test]
#[ignore = "reads release builds: make packages"]
fn installed_verified_upgraded_and_erased() {
    let root = scratch();
    let packages = dist("rpm");
    // The little of a system that the packages' scripts need.
    let copy = "ldd /bin/sh /bin/rmdir | grep -o '/[^ :]*' | sort -u | xargs cp -L --parents --target-directory \"$1\"; cp --parents /bin/sh /bin/rmdir \"$1\"; mkdir \"$1/dev\"; mknod \"$1/dev/null\" c 1 3";
    sh(copy, &[root.path()]);
    rpm(root.path(), &["--initdb"], &[]);
    let empty = tree(root.path());
    // The libraries are those of a distribution that this root has nothing of.
    rpm(root.path(), &["--install", "--nodeps"], &packages);
    let named: BTreeSet<String> = rpm(root.path(), &["-qa", "--qf", "%{NAME}\n"], &[])
        .lines()
        .map(str::to_string)
        .collect();
    let all = TOOLS
        .iter()
        .copied()
        .chain(["runbook-tools", "ansible-collection-runbook-tools"]);
    assert_eq!(named, all.map(str::to_string).collect());
    let names: Vec<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(
        rpm(
            root.path(),
            &[&["-V", "--nodeps"], names.as_slice()].concat(),
            &[]
        ),
        ""
    );
    for tool in TOOLS {
        assert_eq!(
            run(Command::new(root.path().join("usr/bin").join(tool)).arg("-V")),
            format!("{tool} {}\n", env!("CARGO_PKG_VERSION"))
        );
        assert!(
            root.path()
                .join(format!("usr/share/zsh/site-functions/_{tool}"))
                .is_file()
        );
    }
    // Every file of ours in there is a package's.
    let put: BTreeSet<String> = files(&tree(root.path()))
        .difference(&empty)
        .filter(|path| {
            ["/usr/share/", "/usr/bin/", "/usr/lib/systemd/"]
                .iter()
                .any(|top| path.starts_with(top))
        })
        .cloned()
        .collect();
    let listed = rpm(root.path(), &[&["-ql"], names.as_slice()].concat(), &[]);
    assert_eq!(put, listed.lines().map(str::to_string).collect());
    // A file that somebody changed is found.
    std::fs::write(root.path().join("usr/bin/log-paths"), "#!/bin/sh\n").expect("a file");
    let verified = Command::new("rpm")
        .arg("--root")
        .arg(root.path())
        .args(["--dbpath", "/var/lib/rpm", "-V", "--nodeps", "log-paths"])
        .output()
        .expect("rpm");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("/usr/bin/log-paths"));

    let newer = scratch();
    let next: Vec<PathBuf> = crates()
        .iter()
        .map(|(words, _)| repackaged(words, newer.path()))
        .collect();
    rpm(root.path(), &["--upgrade", "--nodeps"], &next);
    let versions: BTreeSet<String> = rpm(root.path(), &["-qa", "--qf", "%{VERSION}\n"], &[])
        .lines()
        .map(str::to_string)
        .collect();
    assert_eq!(versions, BTreeSet::from(["99.0.0".to_string()]));
    assert_eq!(
        rpm(
            root.path(),
            &[&["-V", "--nodeps"], names.as_slice()].concat(),
            &[]
        ),
        ""
    );

    rpm(root.path(), &[&["--erase"], names.as_slice()].concat(), &[]);
    let left: Vec<String> = tree(root.path())
        .difference(&empty)
        .filter(|path| path.contains("runbook") || TOOLS.iter().any(|tool| path.contains(tool)))
        .cloned()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let left: Vec<String> = files(&tree(root.path()))
        .difference(&files(&empty))
        .filter(|path| !path.starts_with("/var/lib/rpm/"))
        .cloned()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The words of `make rpm` for each package, and the package's name.
fn crates() -> Vec<(Vec<String>, String)> {
    let mut all: Vec<(Vec<String>, String)> = TOOLS
        .iter()
        .map(|tool| {
            (
                vec!["-p".into(), format!("tools/{tool}")],
                (*tool).to_string(),
            )
        })
        .collect();
    let docgen: Vec<String> = ["-p", "shared/docgen", "--arch", "noarch"]
        .map(String::from)
        .into();
    all.push((docgen.clone(), "runbook-tools".into()));
    all.push((
        [docgen, vec!["--variant".into(), "collection".into()]].concat(),
        "ansible-collection-runbook-tools".into(),
    ));
    all
}

/// The same package as a later release would have it.
fn repackaged(words: &[String], dir: &Path) -> PathBuf {
    let before = tree(dir);
    let mut command = Command::new("target/packager/bin/cargo-generate-rpm");
    command
        .current_dir(source_root())
        .arg("generate-rpm")
        .args(words)
        .args(["-s", "version = \"99.0.0\"", "--output"])
        .arg(dir);
    run(&mut command);
    let made: Vec<String> = tree(dir).difference(&before).cloned().collect();
    assert_eq!(made.len(), 1, "{words:?}: {made:?}");
    dir.join(&made[0][1..])
}

#[test]
#[ignore = "reads release builds: make packages"]
fn each_package_says_what_it_is_and_needs() {
    for (_, name) in crates() {
        let package = dist("rpm").into_iter().find(|p| {
            p.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with(&format!("{name}-0")))
        });
        let package = package.unwrap_or_else(|| panic!("no package {name}"));
        let said = query(
            &package,
            &["--qf", "%{LICENSE}\n%{ARCH}\n%{URL}\n%{SUMMARY}\n"],
        );
        assert_eq!(said[0], "MIT OR Apache-2.0", "{name}");
        let is_tool = TOOLS.contains(&name.as_str());
        assert_eq!(said[1] == "noarch", !is_tool, "{name}: {}", said[1]);
        assert!(
            said[2].starts_with("https://") && !said[3].is_empty(),
            "{name}: {said:?}"
        );
        let requires: Vec<String> = query(&package, &["--requires"])
            .into_iter()
            .filter(|each| !each.starts_with("rpmlib("))
            .collect();
        match name.as_str() {
            "runbook-tools" => {
                let all: BTreeSet<&str> = TOOLS.into_iter().chain(["/bin/sh"]).collect();
                assert_eq!(
                    requires.iter().map(String::as_str).collect::<BTreeSet<_>>(),
                    all
                );
            }
            "ansible-collection-runbook-tools" => assert!(
                requires.iter().all(|each| each == "/bin/sh"),
                "{requires:?}"
            ),
            _ => {
                // The very names in the program's dynamic section.
                let binary = scratch();
                sh(
                    "cd \"$2\" && rpm2archive --nocompression - <\"$1\" | tar -x",
                    &[&package, binary.path()],
                );
                let section = run(Command::new("objdump")
                    .arg("-p")
                    .arg(binary.path().join("usr/bin").join(&name)));
                let needed = section
                    .lines()
                    .filter_map(|line| line.trim().strip_prefix("NEEDED"))
                    .map(str::trim);
                for library in needed.filter(|library| !library.starts_with("ld-linux")) {
                    let wanted = format!("{library}()(64bit)");
                    assert!(
                        requires.contains(&wanted),
                        "{name}: {wanted} is not in {requires:?}"
                    );
                }
                assert!(
                    requires.iter().all(|each| each == "/bin/sh"
                        || each.contains(".so")
                        || each.starts_with("rtld(")),
                    "{name}: {requires:?}"
                );
            }
        }
    }
}
