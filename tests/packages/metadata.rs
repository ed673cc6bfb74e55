//! The packages' own lists of files: what `make install` puts is in exactly one package of each
//! format, whoever adds a file.

use crate::install::installed;
use crate::{files, run, tree};
use harness::{scratch, source_root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// `cargo metadata`, of this workspace's own crates or of all that are compiled here.
fn cargo_metadata(options: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["metadata", "--locked", "--offline", "--format-version=1"])
        .args(options)
        .current_dir(source_root());
    serde_json::from_str(&run(&mut command)).expect("JSON")
}

/// Each package's lists: (its name, its crate's directory, the list).
fn assets(format: &str) -> Vec<(String, String, Vec<Value>)> {
    let mut all = Vec::new();
    for package in cargo_metadata(&["--no-deps"])["packages"]
        .as_array()
        .expect("packages")
    {
        let table = &package["metadata"][format];
        if table.is_null() {
            continue;
        }
        let dir = Path::new(package["manifest_path"].as_str().expect("a path"))
            .parent()
            .expect("a directory")
            .display()
            .to_string();
        for table in std::iter::once(table).chain(
            table["variants"]
                .as_object()
                .into_iter()
                .flat_map(|variants| variants.values()),
        ) {
            let name = table["name"]
                .as_str()
                .or(package["name"].as_str())
                .expect("a name");
            all.push((
                name.to_string(),
                dir.clone(),
                table["assets"].as_array().expect("assets").clone(),
            ));
        }
    }
    assert_eq!(all.len(), harness::TOOLS.len() + 2, "{format}");
    all
}

/// The files below `top` that a pattern with at most one star in its last part means.
fn matching(top: &Path, pattern: &str) -> Vec<String> {
    let (dir, last) = pattern.rsplit_once('/').expect("a directory");
    let Some((head, tail)) = last.split_once('*') else {
        return top
            .join(pattern)
            .is_file()
            .then(|| last.to_string())
            .into_iter()
            .collect();
    };
    let tail = tail.trim_start_matches(".*");
    let names = std::fs::read_dir(top.join(dir))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_file());
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with(head) && name.ends_with(tail))
        .collect()
}

/// Where the files of one asset go, with the mode.
fn destinations(top: &Path, source: &str, dest: &str, mode: &str) -> Vec<(String, String)> {
    // Programs are there once they are built.
    let names = if source.starts_with("target/release/") {
        vec![source.rsplit('/').next().expect("a name").to_string()]
    } else {
        matching(top, source)
    };
    assert!(!names.is_empty(), "{source}: nothing of that name");
    let full = |name: String| {
        if dest.ends_with('/') {
            format!("{dest}{name}")
        } else {
            dest.to_string()
        }
    };
    names
        .into_iter()
        .map(|name| {
            (
                format!("/{}", full(name).trim_start_matches('/')),
                mode.to_string(),
            )
        })
        .collect()
}

/// Notes and licences have a name of their own in each format.
fn is_document(path: &str) -> bool {
    path.starts_with("/usr/share/doc/") || path.starts_with("/usr/share/licenses/")
}

#[test]
fn every_installed_file_is_in_one_debian_package() {
    let root = scratch();
    installed(root.path(), &["PREFIX=/usr"]);
    let mut found = BTreeMap::new();
    for (package, dir, assets) in assets("deb") {
        for asset in assets {
            let field = |i: usize| asset[i].as_str().expect("a string");
            for (path, mode) in destinations(Path::new(&dir), field(0), field(1), field(2)) {
                let installed = root.path().join(&path[1..]);
                assert!(
                    is_document(&path) || mode == format!("{:o}", crate::mode(&installed)),
                    "{path}: {mode}"
                );
                let other = found.insert(path.clone(), package.clone());
                assert!(other.is_none(), "{path}: in {package} and in {other:?}");
            }
        }
    }
    let all: BTreeSet<String> = found
        .keys()
        .filter(|path| !is_document(path))
        .cloned()
        .collect();
    assert_eq!(
        all,
        files(&tree(root.path()))
            .into_iter()
            .filter(|path| !is_document(path))
            .collect()
    );
    for package in found.values().collect::<BTreeSet<_>>() {
        assert!(
            found.contains_key(&format!("/usr/share/doc/{package}/changelog")),
            "{package}: no changelog"
        );
    }
    assert_eq!(
        found
            .get("/usr/share/doc/runbook-tools/README.md")
            .map(String::as_str),
        Some("runbook-tools")
    );
}

#[test]
fn every_installed_file_is_in_one_rpm_package() {
    let root = scratch();
    installed(
        root.path(),
        &["PREFIX=/usr", "zshdir=/usr/share/zsh/site-functions"],
    );
    let mut found = BTreeMap::new();
    for (package, _, assets) in assets("generate-rpm") {
        for asset in assets {
            let field = |key: &str| {
                asset[key]
                    .as_str()
                    .unwrap_or_else(|| panic!("{package}: {key}: {asset}"))
            };
            // `make rpm` takes them from what make install put, with the manuals compressed.
            let source = field("source")
                .strip_prefix("dist/root/")
                .expect("a file that is installed");
            let source = if source.contains("/man/") {
                source.strip_suffix(".gz").expect("a compressed manual")
            } else {
                source
            };
            for (path, mode) in destinations(root.path(), source, field("dest"), field("mode")) {
                let path = if path.contains("/man/") {
                    path.trim_end_matches(".gz").to_string()
                } else {
                    path
                };
                let installed = root.path().join(&path[1..]);
                assert!(
                    is_document(&path) || mode == format!("{:o}", crate::mode(&installed)),
                    "{path}: {mode}"
                );
                let other = found.insert(path.clone(), package.clone());
                assert!(other.is_none(), "{path}: in {package} and in {other:?}");
            }
        }
    }
    let all: BTreeSet<String> = found
        .keys()
        .filter(|path| !is_document(path))
        .cloned()
        .collect();
    assert_eq!(
        all,
        files(&tree(root.path()))
            .into_iter()
            .filter(|path| !is_document(path))
            .collect()
    );
    for package in found.values().collect::<BTreeSet<_>>() {
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(
                found.contains_key(&format!("/usr/share/licenses/{package}/{licence}")),
                "{package}: no {licence}"
            );
        }
    }
}

/// Every crate that is compiled for the tools, with build scripts' and without what only tests use.
fn compiled() -> Vec<Value> {
    let metadata = cargo_metadata(&["--filter-platform=x86_64-unknown-linux-gnu"]);
    let by_id = |list: &Value| -> BTreeMap<String, Value> {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|each| {
                (
                    each["id"].as_str().expect("an id").to_string(),
                    each.clone(),
                )
            })
            .collect()
    };
    let (mut packages, nodes) = (
        by_id(&metadata["packages"]),
        by_id(&metadata["resolve"]["nodes"]),
    );
    let is_tool =
        |package: &Value| harness::TOOLS.contains(&package["name"].as_str().unwrap_or_default());
    let mut open: Vec<String> = packages
        .iter()
        .filter(|(_, package)| is_tool(package))
        .map(|(id, _)| id.clone())
        .collect();
    assert_eq!(open.len(), harness::TOOLS.len());
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        let Some(package) = packages.remove(&id) else {
            continue;
        };
        found.push(package);
        for dep in nodes[&id]["deps"].as_array().expect("deps") {
            if dep["dep_kinds"]
                .as_array()
                .expect("kinds")
                .iter()
                .any(|kind| kind["kind"] != "dev")
            {
                open.push(dep["pkg"].as_str().expect("an id").to_string());
            }
        }
    }
    assert!(found.len() > 50, "{} crates", found.len());
    found
}

#[test]
fn the_compiler_asked_for_is_new_enough_for_every_crate() {
    let number = |version: &str| -> Vec<u32> {
        version
            .split('.')
            .map(|part| part.parse().expect("a number"))
            .collect()
    };
    let asked = number(env!("CARGO_PKG_RUST_VERSION"));
    for package in compiled() {
        let needs = package["rust_version"].as_str().unwrap_or("1.0");
        assert!(
            number(needs)[..2] <= asked[..2],
            "{} needs Rust {needs}; the workspace says {asked:?}",
            package["id"]
        );
    }
}

/// What is linked into the programs may be given on under the licences that the packages name, or
/// under others that ask for no more.
#[test]
fn every_crate_may_be_given_on() {
    let permissive = [
        "MIT",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "Zlib",
        "Unicode-3.0",
        "Unlicense",
    ];
    for package in compiled() {
        let licence = package["license"]
            .as_str()
            .unwrap_or_default()
            .replace('/', " OR ")
            .replace(['(', ')'], "");
        let may = licence
            .split(" AND ")
            .all(|part| part.split(" OR ").any(|one| permissive.contains(&one)));
        assert!(may, "{}: licence {licence:?}", package["id"]);
    }
}
