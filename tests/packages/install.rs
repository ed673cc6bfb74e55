//! `make install` and `make uninstall`, with the programs that these tests use in place of release
//! builds.

use crate::{files, mode, run, sh, tree};
use harness::{TOOLS, scratch, source_root, tools};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// `make` with these words, in the source tree.
pub fn make(words: &[&str], destdir: &Path) -> Command {
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(source_root())
        .arg(format!("DESTDIR={}", destdir.display()))
        .args(words);
    // As a make of the user's, not as a part of the one that runs the tests.
    for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"] {
        command.env_remove(variable);
    }
    command
}

/// What `make install` puts below DESTDIR.
pub fn installed(destdir: &Path, words: &[&str]) {
    run(make(&["-s", "install"], destdir)
        .arg(format!("BUILT={}", tools().display()))
        .args(words));
}

fn section(tool: &str) -> u8 {
    runbook_docgen::TOOLS
        .iter()
        .find(|t| t.line.name == tool)
        .map(|t| t.line.section)
        .expect("one of the seven")
}

/// Every file, as the documentation has it.
fn expected(prefix: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for tool in TOOLS {
        let section = section(tool);
        all.insert(format!("{prefix}/bin/{tool}"));
        all.insert(format!("{prefix}/share/man/man{section}/{tool}.{section}"));
        all.insert(format!("{prefix}/share/bash-completion/completions/{tool}"));
        all.insert(format!("{prefix}/share/zsh/vendor-completions/_{tool}"));
        all.insert(format!(
            "{prefix}/share/fish/vendor_completions.d/{tool}.fish"
        ));
        all.insert(format!(
            "{prefix}/share/runbook-tools/schemas/{tool}.schema.json"
        ));
    }
    all.insert(format!("{prefix}/share/man/man7/runbook-tools.7"));
    all.insert(format!("{prefix}/share/man/man5/runbook-tools.site.5"));
    all.insert(format!(
        "{prefix}/share/runbook-tools/schemas/site.schema.json"
    ));
    for unit in [
        "maint-page@.service",
        "maint-page@.timer",
        "svc-cycle-recover.service",
        "svc-cycle-recover.timer",
    ] {
        all.insert(format!("{prefix}/lib/systemd/system/{unit}"));
    }
    for document in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        all.insert(format!("{prefix}/share/doc/runbook-tools/{document}"));
    }
    let collection =
        format!("{prefix}/share/ansible/collections/ansible_collections/runbook/tools");
    all.extend(
        files(&tree(&source_root().join("shared/ansible")))
            .iter()
            .map(|path| format!("{collection}{path}")),
    );
    all
}

#[test]
fn install_puts_every_file_in_its_place() {
    for prefix in ["/usr", "/usr/local"] {
        let root = scratch();
        // Whoever installs may have a umask of his own.
        let words = [format!("PREFIX={prefix}")];
        let line = format!(
            "umask 077; exec make -s -C \"$1\" install DESTDIR=\"$2\" BUILT=\"$3\" {}",
            words[0]
        );
        sh(&line, &[&source_root(), root.path(), &tools()]);
        let tree = tree(root.path());
        assert_eq!(files(&tree), expected(prefix));
        for path in &tree {
            let wanted = if path.ends_with('/') || path.contains("/bin/") || path.ends_with(".sh") {
                0o755
            } else {
                0o644
            };
            assert_eq!(mode(&root.path().join(&path[1..])), wanted, "{path}");
        }
    }
}

#[test]
fn what_is_installed_runs() {
    let root = scratch();
    installed(root.path(), &["PREFIX=/usr"]);
    for tool in TOOLS {
        let said = run(Command::new(root.path().join("usr/bin").join(tool)).arg("-V"));
        assert_eq!(said, format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn uninstall_takes_away_what_install_put_and_nothing_else() {
    let root = scratch();
    let others = [
        "usr/local/bin/check-reqs-local",
        "usr/local/share/man/man8/other.8",
        "usr/local/share/zsh/vendor-completions/_other",
        "usr/local/share/ansible/collections/ansible_collections/other/tools/README.md",
    ];
    for other in others {
        let path = root.path().join(other);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, "somebody else's\n").expect("a file");
    }
    let before = tree(root.path());
    installed(root.path(), &[]);
    run(&mut make(&["-s", "uninstall"], root.path()));
    let after = tree(root.path());
    assert_eq!(files(&after), files(&before));
    // The directories that nobody but these tools has are gone as well.
    let own: Vec<&String> = after
        .iter()
        .filter(|path| path.contains("runbook"))
        .collect();
    assert!(own.is_empty(), "{own:?}");
    // Once more is no error, and neither is it where nothing was ever installed.
    run(&mut make(&["-s", "uninstall"], root.path()));
    run(&mut make(&["-s", "uninstall"], scratch().path()));

    // What somebody put into one of these tools' own directories stays.
    installed(root.path(), &[]);
    fs::write(
        root.path().join("usr/local/share/doc/runbook-tools/notes"),
        "ours\n",
    )
    .expect("a file");
    run(&mut make(&["-s", "uninstall"], root.path()));
    let left: Vec<String> = files(&tree(root.path()))
        .into_iter()
        .filter(|path| path.contains("runbook"))
        .collect();
    assert_eq!(left, ["/usr/local/share/doc/runbook-tools/notes"]);
}

/// A copy of the source tree with the programs as `make` leaves them.
fn made(dir: &Path) {
    sh(crate::COPY, &[&source_root(), dir]);
    fs::create_dir_all(dir.join("target/release")).expect("a directory");
    for tool in TOOLS {
        fs::copy(tools().join(tool), dir.join("target/release").join(tool)).expect("a copy");
    }
    fs::write(dir.join("target/release/.runbook-tools"), "").expect("the mark");
}

#[test]
fn root_installs_what_a_user_made_without_a_compiler() {
    let scratch = scratch();
    let (source, root) = (scratch.path().join("source"), scratch.path().join("root"));
    made(&source);
    let before = tree(&source);
    // No cargo: whoever calls it fails.
    let install = || {
        let mut make = make(&["-s", "install", "CARGO=false"], &root);
        make.env_remove("CARGO_TARGET_DIR")
            .current_dir(&source)
            .arg("-C")
            .arg(&source);
        make.output().expect("make")
    };
    let output = install();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(files(&tree(&root)), expected("/usr/local"));
    assert_eq!(tree(&source), before);
    // What is older than its sources is built first.
    sh(
        "touch --date='1 minute' \"$1/tools/log-paths/src/lib.rs\"",
        &[&source],
    );
    assert!(!install().status.success());
}

#[test]
fn help_names_every_target() {
    let text = fs::read_to_string(source_root().join("Makefile")).expect("Makefile");
    let phony: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(".PHONY:"))
        .flat_map(str::split_whitespace)
        .collect();
    let help = run(Command::new("make")
        .arg("-s")
        .arg("-C")
        .arg(source_root())
        .arg("help"));
    let inner = ["all", "build", "help", "setup"];
    for target in phony.iter().filter(|target| !inner.contains(target)) {
        assert!(
            help.lines()
                .any(|line| line.split_whitespace().take(2).eq(["make", target])),
            "make help lacks {target}"
        );
    }
}
