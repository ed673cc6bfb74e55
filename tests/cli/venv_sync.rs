//! venv-sync: flags, reports and exit codes.

use harness::venvs::Venvs;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// The kinds of the findings, in the report's order.
fn kinds(report: &Value) -> Vec<String> {
    let items = report["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            format!(
                "{} {}",
                item["kind"].as_str().unwrap(),
                item["name"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

#[test]
fn apply_says_then_does_then_has_nothing_to_do() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");

    let planned = venvs.apply(&["-n"]).run().expect_code(1).json();
    assert_eq!(
        (&planned["changed"], &planned["failed"], &planned["dry_run"]),
        (&json!(true), &json!(false), &json!(true))
    );
    assert!(
        !venvs.venv().exists() && !venvs.path().join("venv.d").exists(),
        "a dry run writes nothing"
    );

    let done = venvs.apply(&[]).run().expect_code(0).json();
    assert_eq!(
        (&done["changed"], &done["in_sync"], &done["previous"]),
        (&json!(true), &json!(true), &Value::Null)
    );
    let release = done["release"].as_str().unwrap();
    assert_eq!(
        std::fs::read_link(venvs.venv()).unwrap(),
        std::path::Path::new("venv.d/releases").join(release)
    );
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
    assert_eq!(done["counts"]["installed"], 2);
    assert_eq!(done["inputs"][0]["path"], "requirements.txt");

    let again = venvs.apply(&[]).run().expect_code(0).json();
    assert_eq!(
        (&again["changed"], &again["release"]),
        (&json!(false), &json!(release))
    );
    venvs.apply(&["-q"]).run().expect_code(0).expect_silence();
    venvs
        .sync("check", &["-q"])
        .run()
        .expect_code(0)
        .expect_silence();
}

#[test]
fn an_update_a_rollback_and_the_list() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    let first = venvs.apply(&[]).run().expect_code(0).json()["release"].clone();
    venvs.requirements("alpha==2.0\n");
    let drift = venvs.sync("check", &[]).run().expect_code(1).json();
    assert_eq!(kinds(&drift), ["wrong_version alpha"]);
    let item = &drift["items"][0];
    assert_eq!(
        (&item["installed"], &item["required"], &item["origin"]),
        (&json!("1.0"), &json!("==2.0"), &json!("requirements.txt:1"))
    );
    let fix = format!(
        "venv-sync apply {0}/venv --requirement {0}/requirements.txt",
        venvs.path().display()
    );
    assert_eq!(item["fix"]["steps"][0]["text"], fix);

    let second = venvs.apply(&[]).run().expect_code(0).json();
    assert_eq!(second["previous"], first);
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "2.0");

    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    let live: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].clone(), item["live"].clone()))
        .collect();
    assert_eq!(
        live,
        [
            (first.clone(), json!(false)),
            (second["release"].clone(), json!(true))
        ]
    );

    let planned = venvs
        .tool(&["rollback", "venv", "-n"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(planned["release"], second["release"]);
    let back = venvs
        .tool(&["rollback", "venv"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&back["release"], &back["previous"], &back["changed"]),
        (&first, &second["release"], &json!(true))
    );
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
    let to = second["release"].as_str().unwrap();
    venvs
        .tool(&["rollback", "venv", "--to", to])
        .run()
        .expect_code(0);
    let again = venvs
        .tool(&["rollback", "venv", "--to", to])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(again["changed"], false);
    venvs
        .tool(&["rollback", "venv", "--to", "20000101T000000Z-0000"])
        .run()
        .expect_code(3)
        .expect_err("no release '2000");
}

#[test]
fn what_is_kept_is_counted() {
    let venvs = Venvs::with_alpha();
    for version in ["1.0", "2.0", "1.0", "2.0"] {
        venvs.requirements(&format!("alpha=={version}\n"));
        venvs.apply(&["--keep", "2"]).run().expect_code(0);
    }
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    venvs
        .apply(&["--keep", "0"])
        .run()
        .expect_code(2)
        .expect_silence()
        .expect_err("--keep 0 would remove the live release");
}

#[test]
fn files_that_are_wrong_are_named_with_their_line_and_nothing_is_touched() {
    let venvs = Venvs::with_alpha();
    for (content, complaint) in [
        ("alpha\n--nonsense\n", "requirements.txt:2: no such option"),
        ("alpha=1\n", "requirements.txt:1"),
        ("-r requirements.txt\n", "includes itself"),
        ("-r nowhere.txt\n", "nowhere.txt: no such requirements file"),
        ("alpha==1.0 --hash=md5:00\n", "md5"),
        ("alpha; python_version > 3\n", "requirements.txt:1"),
        ("caf\u{e9} @ ./x y\n", "requirements.txt:1"),
        ("-e https://host/x.zip\n", "cannot be editable"),
    ] {
        venvs.requirements(content);
        for command in ["check", "apply"] {
            venvs
                .sync(command, &[])
                .run()
                .expect_code(2)
                .expect_silence()
                .expect_err(complaint);
        }
    }
    std::fs::write(venvs.path().join("requirements.txt"), b"a\n\xff\xfe\n").unwrap();
    venvs
        .sync("check", &[])
        .run()
        .expect_code(2)
        .expect_err("line 2 is not valid UTF-8");
    assert!(!venvs.path().join("venv.d").exists());
    venvs
        .tool(&["check", "venv"])
        .run()
        .expect_code(2)
        .expect_silence()
        .expect_err("--requirement FILE is missing");
}

#[test]
fn what_cannot_be_told_is_not_drift() {
    let venvs = Venvs::new();
    venvs.requirements("alpha\n");
    let absent = venvs.sync("check", &[]).run().expect_code(1).json();
    assert_eq!(kinds(&absent), ["environment_missing -"]);
    std::fs::create_dir(venvs.venv()).unwrap();
    venvs
        .sync("check", &[])
        .run()
        .expect_code(3)
        .expect_no_body("items")
        .expect_err("no pyvenv.cfg");
    venvs
        .tool(&["check", "/usr", "-r", "requirements.txt"])
        .run()
        .expect_code(3)
        .expect_err("a whole Python");
    venvs
        .tool(&["list", "nowhere"])
        .run()
        .expect_code(3)
        .expect_err("there is no environment");
    venvs
        .tool(&["rollback", "venv"])
        .run()
        .expect_code(3)
        .expect_err("not a link to a release");
}

#[test]
fn a_directory_is_taken_over_only_if_that_is_said() {
    let venvs = Venvs::with_alpha();
    venvs.make_plain(&["alpha==1.0"]);
    venvs.requirements("alpha==2.0\n");
    let planned = venvs.apply(&["-n"]).run().expect_code(1).json();
    assert!(
        planned["warnings"][0].as_str().unwrap().contains("--adopt"),
        "{planned}"
    );
    venvs
        .apply(&[])
        .run()
        .expect_code(3)
        .expect_err("is a directory, not a link to a release");
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");

    let done = venvs.apply(&["--adopt"]).run().expect_code(0).json();
    assert!(done["previous"].as_str().unwrap().ends_with("-adopted"));
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "2.0");
    venvs.tool(&["rollback", "venv"]).run().expect_code(0);
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
    let script = venvs
        .command(venvs.venv().join("bin/alpha"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&script.stdout),
        "1.0\n",
        "the old scripts work by way of the link"
    );
}

#[test]
fn a_failure_leaves_what_was_live_and_says_so() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    let first = venvs.apply(&[]).run().expect_code(0).json();
    venvs.requirements("alpha==2.0\nnowhere-to-be-found\n");
    let failed = venvs
        .apply(&[])
        .run()
        .expect_code(3)
        .expect_err("nowhere-to-be-found")
        .json();
    assert_eq!(
        (&failed["live"], &failed["release"], &failed["changed"]),
        (&first["live"], &first["release"], &json!(false))
    );
    assert!(failed["msg"].as_str().unwrap().contains("still live"));

    venvs.requirements("alpha==2.0\n");
    for check in ["no_such_module", "false", "python -c raise(SystemExit(1))"] {
        let failed = venvs
            .apply(&["--post-check", check])
            .run()
            .expect_code(3)
            .expect_err("the post-check")
            .json();
        assert_eq!(failed["release"], first["release"]);
    }
    assert_eq!(venvs.python("import alpha; print(alpha.version)"), "1.0");
    let releases = std::fs::read_dir(venvs.path().join("venv.d/releases"))
        .unwrap()
        .count();
    assert_eq!(releases, 1, "what failed is cleared away");
    venvs
        .apply(&[
            "--post-check",
            "alpha",
            "--post-check",
            "alpha.missing_but_a_file",
        ])
        .run()
        .expect_code(3);
    venvs
        .apply(&[
            "--post-check",
            "alpha",
            "--post-check",
            "python -c import\u{a0}alpha",
        ])
        .run()
        .expect_code(3);
    venvs
        .apply(&["--post-check", "alpha", "--post-check", "python -V"])
        .run()
        .expect_code(0);
}

#[test]
fn the_lock_is_held_by_one_at_a_time() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    venvs.apply(&[]).run().expect_code(0);
    venvs.requirements("alpha==2.0\n");
    let lock = std::fs::File::options()
        .read(true)
        .write(true)
        .open(venvs.path().join("venv.d/lock"))
        .unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    venvs
        .apply(&[])
        .run()
        .expect_code(75)
        .expect_err("is locked by");
    venvs.sync("check", &[]).run().expect_code(1);
    drop(held);
    venvs.apply(&[]).run().expect_code(0);
}

#[test]
fn a_store_that_others_may_write_is_not_trusted() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha\n");
    std::fs::create_dir(venvs.path().join("venv.d")).unwrap();
    std::fs::set_permissions(
        venvs.path().join("venv.d"),
        std::fs::Permissions::from_mode(0o777),
    )
    .unwrap();
    venvs
        .apply(&[])
        .run()
        .expect_code(3)
        .expect_err("can be written by others");
}

#[test]
fn a_terminal_gets_a_table() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\ngamma\n");
    venvs.make_plain(&["alpha==2.0"]);
    let text = venvs
        .sync("check", &["-o", "text"])
        .run()
        .expect_code(1)
        .out();
    assert!(
        text.contains("✗ missing")
            && text.contains("requirements.txt:2")
            && text.ends_with("1 missing, 1 wrong_version\n"),
        "{text}"
    );
}

#[test]
fn the_time_is_limited_and_the_difference_is_shown() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    let late = venvs
        .apply(&["--installer", "pip", "--timeout", "80ms"])
        .run()
        .expect_code(75)
        .json();
    assert_eq!(
        (&late["status"], &late["live"]),
        (&json!("retry"), &Value::Null)
    );
    assert!(!venvs.venv().exists());
    venvs.apply(&[]).run().expect_code(0);
    venvs.requirements("alpha==2.0\n");
    let done = venvs.apply(&["--diff"]).run().expect_code(0).json();
    assert_eq!(
        (&done["diff"]["before"], &done["diff"]["after"]),
        (
            &json!("alpha==1.0\nbeta==1.0\n"),
            &json!("alpha==2.0\nbeta==1.0\n")
        )
    );
}

#[test]
fn a_path_with_a_space_works_and_is_quoted() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    for installer in ["uv", "pip"] {
        let venv = format!("my venv {installer}");
        let arguments = [
            "apply",
            &venv,
            "-r",
            "requirements.txt",
            "--wheelhouse",
            "wheels",
            "--python",
            "/usr/bin/python3",
            "--installer",
            installer,
        ];
        let planned = venvs.tool(&arguments).arg("-n").run().expect_code(1).json();
        assert_eq!(
            planned["items"][0]["fix"]["steps"][0]["text"],
            format!(
                "venv-sync apply '{0}/my venv {installer}' --requirement {0}/requirements.txt",
                venvs.path().display()
            )
        );
        venvs.tool(&arguments).run().expect_code(0);
        let script = venvs
            .command(venvs.path().join(&venv).join("bin/alpha"))
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&script.stdout),
            "1.0\n",
            "{installer}"
        );
    }
}
