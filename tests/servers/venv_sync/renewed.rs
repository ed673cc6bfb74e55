//! How a release comes about: prepared before, from what is there already, anew, with newer
//! versions.

use harness::venvs::Venvs;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn apply(venvs: &Venvs, more: &[&str]) -> Value {
    venvs.apply(more).run().expect_code(0).json()
}

/// Every file of a release with its content; links by their target. What differs between any two
/// builds is left out: the release's own name, and the time of the source in a compiled file.
fn content(release: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let id = release.file_name().unwrap().to_str().unwrap().to_owned();
    let mut out = BTreeMap::new();
    let mut stack = vec![release.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let below = path.strip_prefix(release).unwrap().to_owned();
            if kind.is_dir() {
                stack.push(path);
                continue;
            }
            let mut bytes = if kind.is_symlink() {
                std::fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else {
                std::fs::read(&path).unwrap()
            };
            if path.extension().is_some_and(|end| end == "pyc") {
                bytes[8..12].fill(0);
            }
            if let Ok(text) = String::from_utf8(bytes.clone()) {
                bytes = text.replace(&id, "ID").into_bytes();
            }
            out.insert(below, bytes);
        }
    }
    // The hash of a script in RECORD is that of its text with the release's name.
    for (path, bytes) in &mut out {
        if path.ends_with("RECORD") {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let lines: Vec<&str> = text
                .lines()
                .map(|line| match line.starts_with("../") {
                    true => line.split(',').next().unwrap(),
                    false => line,
                })
                .collect();
            *bytes = lines.join("\n").into_bytes();
        }
    }
    out
}

fn live(venvs: &Venvs) -> PathBuf {
    venvs.venv().canonicalize().unwrap()
}

#[test]
fn a_release_from_what_is_there_is_what_a_full_build_is() {
    for installer in ["uv", "pip"] {
        let venvs = Venvs::with_alpha();
        for version in ["1.0", "2.0"] {
            let entry = format!(
                "delta-{version}.dist-info/entry_points.txt=[console_scripts]\ndelta = delta:main\n"
            );
            let module =
                format!("delta.py=version = '{version}'\ndef main():\n    print(version)\n");
            venvs.wheel("delta", version, "", &[&module, &entry]);
        }
        let with = ["--installer", installer];
        venvs.requirements("alpha==1.0\ndelta==1.0\n");
        apply(&venvs, &with);
        venvs.requirements("alpha==1.0\ndelta==2.0\n");
        let done = apply(&venvs, &with);
        assert_eq!(
            done["changes"],
            json!([{"name": "delta", "before": "1.0", "after": "2.0"}])
        );
        let from_live = content(&live(&venvs));
        let script = venvs
            .command(venvs.venv().join("bin/alpha"))
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&script.stdout),
            "1.0\n",
            "{installer}"
        );
        let text = std::fs::read_to_string(venvs.venv().join("bin/alpha")).unwrap();
        assert!(text.contains(live(&venvs).to_str().unwrap()), "{text}");
        venvs
            .sync("check", &["--verify", "hash"])
            .run()
            .expect_code(0);
        apply(&venvs, &[&with[..], &["--rebuild"]].concat());
        let full = content(&live(&venvs));
        let names = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&from_live), names(&full), "{installer}");
        for (path, bytes) in &full {
            if path.ends_with("history.json") || path.ends_with("pyvenv.cfg") {
                continue;
            }
            assert_eq!(
                String::from_utf8_lossy(&from_live[path]),
                String::from_utf8_lossy(bytes),
                "{installer} {}",
                path.display()
            );
        }
        // Compiled, so that a service that may not write there starts at once.
        assert!(
            full.keys()
                .any(|path| path.ends_with("__init__.cpython-311.pyc")
                    || path.to_string_lossy().contains("__pycache__/__init__.")),
            "{installer}"
        );
    }
}

#[test]
fn what_is_damaged_in_the_live_release_is_not_taken_over() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    apply(&venvs, &[]);
    let beta = venvs.site().join("beta.py");
    // Of the same length, so that only its hash tells.
    std::fs::write(&beta, "value = 2\n").unwrap();
    venvs.requirements("alpha==2.0\n");
    apply(&venvs, &[]);
    assert_eq!(venvs.python("import beta; print(beta.value)"), "1");
    for mode in ["copy", "hardlink"] {
        venvs.requirements(if mode == "copy" {
            "alpha==1.0\n"
        } else {
            "alpha==2.0\n"
        });
        apply(&venvs, &["--link-mode", mode]);
        venvs
            .sync("check", &["--verify", "hash"])
            .run()
            .expect_code(0);
    }
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
    let releases = std::fs::read_dir(venvs.path().join("venv.d/releases")).unwrap();
    let below = venvs.site();
    let below = below.canonicalize().unwrap();
    let below = below.strip_prefix(live(&venvs)).unwrap().join("beta.py");
    let mut inodes: Vec<u64> = releases
        .flatten()
        .map(|entry| inode(&entry.path().join(&below)))
        .collect();
    let count = inodes.len();
    inodes.sort_unstable();
    inodes.dedup();
    assert!(inodes.len() < count, "two releases share an unchanged file");
}

#[test]
fn prepare_builds_and_apply_flips() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    let first = apply(&venvs, &[])["release"].clone();
    venvs.requirements("alpha==2.0\n");
    let prepare = |more: &[&str]| {
        venvs
            .sync(
                "prepare",
                &["--wheelhouse", "wheels", "--python", "/usr/bin/python3"],
            )
            .args(more)
            .run()
    };
    let failed = prepare(&["--post-check", "no_such_module"])
        .expect_code(3)
        .json();
    assert_eq!(failed["release"], first);
    let ready = prepare(&["--post-check", "alpha"]).expect_code(0).json();
    assert_eq!(
        (&ready["changed"], &ready["release"], &ready["in_sync"]),
        (&json!(true), &first, &json!(false))
    );
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
    let again = prepare(&["--post-check", "alpha"]).expect_code(0).json();
    assert_eq!(
        (&again["changed"], &again["prepared"]),
        (&json!(false), &ready["prepared"])
    );
    // rollback does not go to what was never live.
    venvs.tool(&["rollback", "venv"]).run().expect_code(3);
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    assert_eq!(list["prepared"], ready["prepared"]);

    let planned = venvs
        .apply(&["-n", "--post-check", "alpha"])
        .run()
        .expect_code(1)
        .json();
    assert!(
        planned["msg"].as_str().unwrap().contains("would flip"),
        "{planned}"
    );
    let done = apply(&venvs, &["--post-check", "alpha", "--diff"]);
    assert_eq!(done["release"], ready["prepared"]);
    assert_eq!(done["previous"], first);
    assert_eq!(done["installer"], "prepared before");
    assert!(
        done["diff"]["after"]
            .as_str()
            .unwrap()
            .contains("alpha==2.0")
    );
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "2.0");
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    assert_eq!(list["prepared"], Value::Null);

    // What changed since is built anew: the file, a post-check that was not run, the environment
    // itself.
    for (index, change) in ["file", "post-check", "environment"].iter().enumerate() {
        venvs.requirements(if index % 2 == 0 {
            "alpha==1.0\n"
        } else {
            "alpha==2.0\n"
        });
        let ready = prepare(&[]).expect_code(0).json();
        let mut more = vec![];
        match *change {
            "file" => drop(venvs.requirements("alpha==1.0\n# changed\n")),
            "post-check" => more.extend(["--post-check", "beta"]),
            _ => std::fs::write(venvs.site().join("by_hand.py"), "").unwrap(),
        }
        let done = apply(&venvs, &more);
        assert_ne!(done["release"], ready["prepared"], "{change}");
        let gone = venvs
            .path()
            .join("venv.d/releases")
            .join(ready["prepared"].as_str().unwrap());
        assert!(!gone.exists(), "{change}");
    }
}

#[test]
fn newer_versions_another_python_and_a_moved_branch() {
    let venvs = Venvs::with_alpha();
    std::fs::rename(
        venvs.wheelhouse().join("alpha-2.0-py3-none-any.whl"),
        venvs.path().join("alpha-2.0-py3-none-any.whl"),
    )
    .unwrap();
    venvs.requirements("alpha>=1\n");
    let first = apply(&venvs, &[]);
    assert_eq!(
        apply(&venvs, &["--upgrade"])["changed"],
        false,
        "nothing newer exists"
    );
    std::fs::rename(
        venvs.path().join("alpha-2.0-py3-none-any.whl"),
        venvs.wheelhouse().join("alpha-2.0-py3-none-any.whl"),
    )
    .unwrap();
    assert_eq!(apply(&venvs, &[])["release"], first["release"]);
    assert_eq!(
        apply(&venvs, &["--upgrade-package", "beta"])["changed"],
        false
    );
    let newer = apply(&venvs, &["--upgrade-package", "Alpha"]);
    assert_eq!(
        newer["changes"],
        json!([{"name": "alpha", "before": "1.0", "after": "2.0"}])
    );
    let anew = apply(&venvs, &["--rebuild"]);
    assert_ne!(anew["release"], newer["release"]);
    assert_eq!(anew["changes"], json!([]));

    venvs
        .sync("apply", &["--python", "/nonexistent/python"])
        .run()
        .expect_code(3)
        .expect_err("'/nonexistent/python'");
    // The same interpreter by another name is no other one.
    let same = venvs
        .sync("apply", &["--wheelhouse", "wheels", "--python", "python3"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(same["changed"], false);
    let other = harness::test_venv()
        .join("bin/python")
        .canonicalize()
        .unwrap();
    if other != Path::new("/usr/bin/python3").canonicalize().unwrap() {
        let done = venvs
            .sync(
                "apply",
                &[
                    "--wheelhouse",
                    "wheels",
                    "--python",
                    other.to_str().unwrap(),
                ],
            )
            .run()
            .expect_code(0)
            .json();
        assert_eq!(done["changed"], true);
        assert_eq!(
            venvs.venv().join("bin/python").canonicalize().unwrap(),
            other
        );
    }
}

#[test]
fn a_rejected_release_is_not_rolled_back_to() {
    let venvs = Venvs::with_alpha();
    let mut releases = Vec::new();
    let mut go = |version: &str| {
        venvs.requirements(&format!("alpha=={version}\n"));
        let done = apply(&venvs, &["--keep", "5"]);
        releases.push(done["release"].as_str().unwrap().to_owned());
        done["previous"].clone()
    };
    go("1.0");
    go("2.0");
    let back = |expected: i32| {
        venvs
            .tool(&["rollback", "venv"])
            .run()
            .expect_code(expected)
            .json()
    };
    assert_eq!(back(0)["release"], releases[0]);
    let mut go = |version: &str| {
        venvs.requirements(&format!("alpha=={version}\n"));
        let done = apply(&venvs, &["--keep", "5", "--rebuild"]);
        releases.push(done["release"].as_str().unwrap().to_owned());
        done["previous"].clone()
    };
    assert_eq!(go("2.0"), json!(releases_first(&venvs)));
    assert_eq!(
        back(0)["release"],
        releases[0],
        "not the release that was rejected"
    );
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    let flips: Vec<_> = list["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flip| {
            (
                flip["by"].as_str().unwrap(),
                flip["to"]["release"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        flips,
        [
            ("apply", releases[0].as_str()),
            ("apply", releases[1].as_str()),
            ("rollback", releases[0].as_str()),
            ("apply", releases[2].as_str()),
            ("rollback", releases[0].as_str()),
        ]
    );
    venvs
        .tool(&["rollback", "venv"])
        .run()
        .expect_code(3)
        .expect_err("there is no release before");
}

fn releases_first(venvs: &Venvs) -> String {
    let mut names: Vec<String> = std::fs::read_dir(venvs.path().join("venv.d/releases"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.remove(0)
}
